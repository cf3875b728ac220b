//===- Cohere.cpp - The Cohere families -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention and perceptron side by side behind one centred norm, a rotation of
// neighbours, and scaled logits. The second has windows on three layers of
// four, and these alone rotate.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {{"rms_norm_eps", "layer_norm_eps"}};

/// What both share.
static DecoderConfig getDefaults(ConfigReader &reader) {
  reader.setSpellings(spellings);
  DecoderConfig config;
  config.vocabSize = 256000;
  config.hidden = 8192;
  config.inner = 22528;
  config.layers = 40;
  config.heads = 64;
  config.trainedLength = 8192;
  config.eps = 1e-5;
  config.tied = true;
  config.bos = 5;
  config.eos = 255001;
  config.parallel = true;
  config.norm.centred = true;
  config.norm.bias = false;
  config.rotary.layout = RotaryLayout::Interleaved;
  return config;
}

static ModelFacts finish(ModelBuilder &builder, ConfigReader &reader,
                         const FamilyRequest &request, DecoderConfig &config) {
  config.setAttentionBias(reader.getBool("attention_bias", false));
  config.logitScale = reader.getFloat("logit_scale", 0.0625);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.mlpNorm.clear();
  if (reader.isGGUF() &&
      hasLayerTensor(builder.getCheckpoint(), keys.queryNorm + ".weight"))
    config.queryKeyNorm = QueryKeyNorm::EachHead;
  return buildDecoder(builder, reader, request, keys, config);
}

static ModelFacts buildCohere(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  DecoderConfig config = getDefaults(reader);
  config.rotaryOptions.defaultBase = 5e5;
  readDecoder(reader, builder, request, config);
  reader.ignore({"model_max_length"});
  if (reader.getBool("use_qk_norm", false))
    config.queryKeyNorm = QueryKeyNorm::EachHead;
  return finish(builder, reader, request, config);
}

static ModelFacts buildCohere2(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  DecoderConfig config = getDefaults(reader);
  readDecoder(reader, builder, request, config);
  readLayerPattern(reader, config, 4096, 4);
  for (std::optional<int64_t> window : config.windows)
    config.unrotated.push_back(!window);
  // Of the cache, and of files from before the list of layers.
  reader.ignore({"cache_implementation", "layer_switch",
                 "order_of_interleaved_layers", "position_embedding_type",
                 "rotary_pct", "use_gated_activation", "use_embedding_sharing",
                 "use_parallel_block", "use_parallel_embedding",
                 "use_qk_norm"});
  return finish(builder, reader, request, config);
}

/// Reads which layers of Cohere2's mixtures have a window, and experts: those
/// in front are dense, and have a pattern of windows of their own.
static void readMixtureLayers(ConfigReader &reader, DecoderConfig &config) {
  int64_t dense = reader.getInt("first_k_dense_replace", 0);
  int64_t frontPattern =
      reader.getSize("prefix_dense_sliding_window_pattern", 1);
  int64_t pattern = reader.getSize("sliding_window_pattern", 4);
  readLayerTypes(reader, config, 4096, [&](int64_t layer) {
    return layer < dense ? (layer + 1) % frontPattern != 0
                         : (layer - dense + 1) % pattern != 0;
  });
  const llvm::json::Value *value = reader.get("mlp_layer_types");
  const llvm::json::Array *list = value ? value->getAsArray() : nullptr;
  if (value && (!list || static_cast<int64_t>(list->size()) != config.layers)) {
    reader.emitError("mlp_layer_types")
        << "key 'mlp_layer_types' is no list of " << config.layers << " names";
    return;
  }
  for (auto [layer, window] : llvm::enumerate(config.windows)) {
    bool isSparse = list ? (*list)[layer].getAsString() != StringRef("dense")
                         : static_cast<int64_t>(layer) >= dense;
    config.sparse.push_back(isSparse);
    config.unrotated.push_back(!window && (isSparse || frontPattern != 1));
  }
}

/// Reads the experts; keys of weights begin with `block`.
static void readExperts(ConfigReader &reader, DecoderConfig &config,
                        const std::string &block) {
  ExpertsSpec &experts = config.experts.emplace();
  RouterSpec &router = experts.router;
  readExpertCounts(reader, router, 8, 2);
  ignoreTrainingOfExperts(reader);
  router.key = block + "gate";
  bool isNormalized = reader.getBool("norm_topk_prob", true);
  std::string score = reader.getString("expert_selection_fn", "softmax");
  if (score == "softmax") {
    router.score = RouteScore::Raw;
    router.weighting = RouteWeighting::Softmax;
  } else {
    router.score = RouteScore::Sigmoid;
    if (!isNormalized)
      router.weighting = RouteWeighting::Scores;
  }
  if (score != "softmax" && score != "sigmoid")
    reader.emitError("expert_selection_fn")
        << "key 'expert_selection_fn' is '" << score
        << "', expected softmax or sigmoid";
  experts.inner = config.inner;
  experts.activation = config.activation;
  experts.keys.prefix = block + "experts.";
  experts.sharedInner = config.inner * reader.getInt("num_shared_experts", 0);
  std::string shared = block + "shared_experts.";
  experts.shared = {shared + "up_proj", shared + "down_proj",
                    shared + "gate_proj"};
  std::string joins =
      reader.getString("shared_expert_combination_strategy", "average");
  if (joins == "average")
    experts.sharedScale = 0.5;
  else if (joins != "sum")
    reader.emitError("shared_expert_combination_strategy")
        << "key 'shared_expert_combination_strategy' is '" << joins
        << "', expected average or sum";
}

static ModelFacts buildCohere2Moe(ModelBuilder &builder, ConfigReader &reader,
                                  const FamilyRequest &request) {
  // Norms are centred but where they have an epsilon of this name.
  bool isCentred = !reader.has("rms_norm_eps");
  double eps = reader.getFloat("rms_norm_eps", 0);
  DecoderConfig config = getDefaults(reader);
  config.headDim = 128;
  readDecoder(reader, builder, request, config);
  config.norm.centred = isCentred;
  if (!isCentred)
    config.eps = eps;
  readMixtureLayers(reader, config);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  readExperts(reader, config, keys.layer + "mlp.");
  if (reader.has("prefix_dense_intermediate_size"))
    config.inner = reader.getSize("prefix_dense_intermediate_size", 1);
  return finish(builder, reader, request, config);
}

static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};

namespace weir {
void registerCohereFamily(FamilyTable &table) {
  table.add({"cohere", "CohereForCausalLM", "CohereModel", "command-r",
             ignorable, buildCohere});
}

void registerCohere2Family(FamilyTable &table) {
  table.add({"cohere2", "Cohere2ForCausalLM", "Cohere2Model", "cohere2",
             ignorable, buildCohere2});
}

void registerCohere2MoeFamily(FamilyTable &table) {
  table.add({"cohere2_moe", "Cohere2MoeForCausalLM", "Cohere2MoeModel", "",
             ignorable, buildCohere2Moe});
}
} // namespace weir
