//===- Laguna.cpp - The Laguna family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention with and without windows, each with a rotation of its own, whose
// heads are opened and closed by the input; layers may differ in their heads.
// Behind dense layers, experts chosen by sigmoids with a bias that does not
// weigh.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;
namespace json = llvm::json;

/// Reads the rotations of both kinds of layers. Where there is nothing about
/// any, they have other defaults than where something is missing.
static void setRotary(RotaryOptions &options, StringRef layerType,
                      bool isGiven) {
  bool isFull = layerType == "full_attention";
  options.layerType = layerType;
  options.allowsPartial = true;
  options.readsScaling = false;
  options.defaultBase = isFull && !isGiven ? 500000 : 10000;
  options.defaultPart = isFull && !isGiven ? 0.5 : 1;
}

/// Reads how many heads each layer has.
static void readLayerHeads(ConfigReader &reader, DecoderConfig &config) {
  constexpr StringLiteral key = "num_attention_heads_per_layer";
  const json::Value *value = reader.get(key);
  if (!value)
    return;
  const json::Array *list = value->getAsArray();
  bool fits = list && static_cast<int64_t>(list->size()) == config.layers;
  for (int64_t layer = 0; fits && layer < config.layers; ++layer) {
    int64_t heads = (*list)[layer].getAsInteger().value_or(0);
    fits = heads > 0 && heads % *config.kvHeads == 0;
    config.layerHeads.push_back(heads);
  }
  if (!fits)
    reader.emitError(key) << "key '" << key << "' is no list of "
                          << config.layers
                          << " positive numbers, expected multiples of the "
                          << *config.kvHeads << " of 'num_key_value_heads'";
}

static void readOpening(ConfigReader &reader, DecoderConfig &config) {
  config.opening.isSoftplus = true;
  const json::Value *value = reader.get("gating");
  std::string name;
  if (!value || value->getAsBoolean().value_or(false))
    name = "per-head";
  else if (value->getAsBoolean())
    name = "per-element";
  else
    name = value->getAsString().value_or("").str();
  config.opening.isPerHead = name == "per-head";
  if (name != "per-head" && name != "per-element")
    reader.emitError("gating")
        << "key 'gating' is none of true, false, per-head and per-element";
}

/// Reads which layers have experts, and the experts; keys of weights begin with
/// `block`.
static void readExperts(ConfigReader &reader, DecoderConfig &config,
                        const std::string &block) {
  const json::Value *value = reader.get("mlp_layer_types");
  const json::Array *list = value ? value->getAsArray() : nullptr;
  if (value && (!list || static_cast<int64_t>(list->size()) != config.layers)) {
    reader.emitError("mlp_layer_types")
        << "key 'mlp_layer_types' is no list of " << config.layers << " names";
    return;
  }
  for (int64_t layer = 0; layer < config.layers; ++layer)
    config.sparse.push_back(list ? (*list)[layer].getAsString() ==
                                       StringRef("sparse")
                                 : layer != 0);
  ExpertsSpec &experts = config.experts.emplace();
  RouterSpec &router = experts.router;
  readExpertCounts(reader, router, 256, 8);
  ignoreTrainingOfExperts(reader);
  router.key = block + "gate";
  router.bias = block + "gate.e_score_correction_bias";
  std::string other = block + "experts.e_score_correction_bias";
  if (hasLayerTensor(reader.getCheckpoint(), other))
    router.bias = other;
  router.score = RouteScore::Sigmoid;
  router.scale = reader.getFloat("moe_routed_scaling_factor", 1);
  router.logitCap =
      std::max(0.0, reader.getFloat("moe_router_logit_softcapping", 0));
  reader.expect("moe_apply_router_weight_on_input", false,
                "experts weigh what they give");
  experts.inner = reader.getSize("moe_intermediate_size", 512);
  experts.activation = config.activation;
  experts.keys.prefix = block + "experts.";
  experts.sharedInner = reader.getSize("shared_expert_intermediate_size", 512);
  std::string shared = block + "shared_expert.";
  if (hasLayerTensor(reader.getCheckpoint(),
                     block + "shared_experts.up_proj.weight"))
    shared = block + "shared_experts.";
  experts.shared = {shared + "up_proj", shared + "down_proj",
                    shared + "gate_proj"};
}

static ModelFacts buildLaguna(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 100352;
  config.hidden = 2048;
  config.inner = 8192;
  config.layers = 40;
  config.heads = 48;
  config.kvHeads = 8;
  config.headDim = 128;
  config.trainedLength = 131072;
  config.queryKeyNorm = QueryKeyNorm::Head;
  bool isGiven = reader.has("rope_parameters");
  setRotary(config.rotaryOptions, "full_attention", isGiven);
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  RotaryOptions near = config.rotaryOptions;
  setRotary(near, "sliding_attention", isGiven);
  config.windowRotary = readRotary(reader, builder, near);
  readLayerTypes(reader, config, 512, [](int64_t) { return false; });
  readLayerHeads(reader, config);
  readOpening(reader, config);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.opening = keys.layer + "self_attn.g_proj";
  readExperts(reader, config, keys.layer + "mlp.");
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerLagunaFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"laguna", "LagunaForCausalLM", "LagunaModel", "", ignorable,
             buildLaguna});
}
} // namespace weir
