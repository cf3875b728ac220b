//===- Llama4.cpp - The text part of Llama 4 -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layers that rotate, normalise rotated heads and see their chunk, and layers
// that do none of it and whose queries grow with their positions. Experts are
// weighed in front, by sigmoids, beside one for all tokens.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;
namespace json = llvm::json;

/// The list of numbers under `key`, or null where it is absent; an error where
/// it is something else.
static const json::Array *getNumbers(ConfigReader &reader, StringRef key) {
  const json::Value *value = reader.get(key);
  const json::Array *list = value ? value->getAsArray() : nullptr;
  if (value && (!list || !llvm::all_of(*list, [](const json::Value &entry) {
        return entry.getAsInteger().has_value();
      })))
    reader.emitError(key) << "key '" << key << "' is no list of whole numbers";
  return reader.hasFailed() ? nullptr : list;
}

/// Reads which layers rotate: those whose number in `no_rope_layers` is not
/// zero, or all but every so many.
static void readRotations(ConfigReader &reader, DecoderConfig &config) {
  int64_t interval = reader.getSize("no_rope_layer_interval", 4);
  const json::Array *list = getNumbers(reader, "no_rope_layers");
  bool isEmpty = !list || list->empty();
  if (!isEmpty && static_cast<int64_t>(list->size()) < config.layers) {
    reader.emitError("no_rope_layers")
        << "key 'no_rope_layers' has " << list->size()
        << " numbers, expected one for each of the " << config.layers
        << " layers";
    return;
  }
  for (int64_t layer = 0; layer < config.layers; ++layer)
    config.unrotated.push_back(isEmpty ? (layer + 1) % interval == 0
                                       : (*list)[layer].getAsInteger() == 0);
}

/// Reads which layers see their chunk: those that rotate, or by a list.
static void readChunks(ConfigReader &reader, DecoderConfig &config) {
  config.chunked.assign(config.layers, true);
  std::optional<int64_t> chunk;
  if (!reader.isNull("attention_chunk_size"))
    chunk = reader.getSize("attention_chunk_size", 8192);
  reader.ignore({"attention_chunk_size"});
  const json::Value *value = reader.get("layer_types");
  const json::Array *list = value ? value->getAsArray() : nullptr;
  if (value && (!list || static_cast<int64_t>(list->size()) != config.layers)) {
    reader.emitError("layer_types")
        << "key 'layer_types' is no list of " << config.layers << " names";
    return;
  }
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    StringRef name =
        config.unrotated[layer] ? "full_attention" : "chunked_attention";
    if (list)
      name = (*list)[layer].getAsString().value_or("");
    if (name == "full_attention")
      continue;
    if (name != "chunked_attention" || !chunk) {
      reader.emitError("layer_types")
          << "key 'layer_types' names '" << name << "' for layer " << layer
          << ", expected full_attention or, where there is an "
             "'attention_chunk_size', chunked_attention";
      return;
    }
    config.windows[layer] = chunk;
  }
}

/// Reads which layers have experts, and the experts; keys of weights begin with
/// `block`.
static void readExperts(ConfigReader &reader, DecoderConfig &config,
                        const std::string &block) {
  int64_t step = reader.getSize("interleave_moe_layer_step", 1);
  const json::Array *list = getNumbers(reader, "moe_layers");
  for (int64_t layer = 0; layer < config.layers; ++layer)
    config.sparse.push_back(list ? llvm::any_of(*list,
                                                [&](const json::Value &entry) {
                                                  return entry.getAsInteger() ==
                                                         layer;
                                                })
                                 : (layer + 1) % step == 0);
  ExpertsSpec &experts = config.experts.emplace();
  RouterSpec &router = experts.router;
  readExpertCounts(reader, router, 16, 1);
  ignoreTrainingOfExperts(reader);
  router.key = block + "router";
  router.score = RouteScore::Raw;
  router.weighting = RouteWeighting::Scores;
  router.reweigh = [](ModelBuilder &b, Value, const Routing &routing) {
    return b.activation(routing.weights, "sigmoid");
  };
  experts.keys.prefix = block + "experts.";
  experts.keys.inputFirst = true;
  experts.weighInput = true;
  experts.inner = experts.sharedInner = config.inner;
  experts.activation = config.activation;
  std::string shared = block + "shared_expert.";
  experts.shared = {shared + "up_proj", shared + "down_proj",
                    shared + "gate_proj"};
}

/// Builds the model whose keys of weights begin with `part`.
static ModelFacts build(ModelBuilder &builder, ConfigReader &reader,
                        const FamilyRequest &request, const std::string &part) {
  DecoderConfig config;
  config.vocabSize = 202048;
  config.hidden = 5120;
  config.inner = 8192;
  config.layers = 48;
  config.heads = 40;
  config.kvHeads = 8;
  config.headDim = 128;
  config.trainedLength = 4096 * 32;
  config.eps = 1e-5;
  config.bos = 1;
  config.eos = 2;
  config.rotaryOptions.defaultBase = 500000;
  config.rotary.layout = RotaryLayout::Interleaved;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  reader.ignore({"for_llm_compressor"});
  if (reader.getBool("use_qk_norm", true))
    config.queryKeyNorm = QueryKeyNorm::Head;
  config.headNorm.weight = false;
  config.normsRotated = true;
  config.normsUnrotated = false;
  QueryGrowth growth = {
      static_cast<double>(reader.getSize("floor_scale", 8192)),
      reader.getFloat("attn_scale", 0.1)};
  if (reader.getBool("attn_temperature_tuning", true))
    config.growth = growth;
  readRotations(reader, config);
  if (!reader.hasFailed())
    readChunks(reader, config);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint(), part);
  std::string block = keys.layer + "feed_forward.";
  keys.mlp = {block + "up_proj", block + "down_proj", block + "gate_proj"};
  readExperts(reader, config, block);
  config.inner = reader.getSize("intermediate_size_mlp", 16384);
  return buildDecoder(builder, reader, request, keys, config);
}

static ModelFacts buildLlama4(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  return build(builder, reader, request, "");
}

static ModelFacts buildWrapper(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  reader.ignore({"boi_token_index", "eoi_token_index", "image_token_index",
                 "tie_word_embeddings"});
  return buildTextPart(builder, reader, {"vision_model.", "multi_modal_"},
                       [&](ConfigReader &text) {
                         return build(builder, text, request,
                                      "language_model.");
                       });
}

static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};

namespace weir {
void registerLlama4Family(FamilyTable &table) {
  table.add({"llama4_text", "Llama4ForCausalLM", "Llama4TextModel", "",
             ignorable, buildLlama4});
}

void registerLlama4WrapperFamily(FamilyTable &table) {
  table.add({"llama4", "Llama4ForConditionalGeneration",
             "Llama4ForConditionalGeneration", "", ignorable, buildWrapper});
}
} // namespace weir
