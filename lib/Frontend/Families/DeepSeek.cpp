//===- DeepSeek.cpp - The DeepSeek-V2 and -V3 families -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Latent attention, and behind the first layers mixtures of experts some of
// which see all tokens. DeepSeek-V2 (arXiv:2405.04434) weighs by a softmax over
// all experts, and may limit the choice to groups; DeepSeek-V3
// (arXiv:2412.19437) by sigmoids, with a bias that chooses and does not weigh.
//
//===----------------------------------------------------------------------===//

#include "HybridModel.h"
#include "LatentAttention.h"
#include "SparseDecoder.h"

using namespace mlir;
using namespace weir;

namespace {

struct DeepseekConfig : HybridModel {
  int64_t inner;
  LatentHeads latent;
  RotarySpec rotary;
  ExpertsSpec experts;
  bool mlpBias = false;
};

/// Builds the layers.
class DeepseekGraph {
public:
  DeepseekGraph(ModelBuilder &builder, const DeepseekConfig &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids);
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  Value buildAttention(Value x);

  ModelBuilder &b;
  const DeepseekConfig &config;
  Value positions, frequencies;
};

} // namespace

void DeepseekGraph::begin(Value ids) {
  positions = b.positions(ids);
  frequencies = b.frequencies(config.rotary);
}

Value DeepseekGraph::buildAttention(Value x) {
  std::string keys = config.layer + "self_attn.";
  Value mixed = latentAttention(b, x, keys, config.latent, [&](Value heads) {
    return b.rotary(heads, positions, frequencies, config.rotary);
  });
  return b.linear(b.mergeHeads(mixed), keys + "o_proj", config.hidden,
                  config.latent.bias);
}

Value DeepseekGraph::buildLayer(const HybridLayer &kind, Value x) {
  return preNormLayer(
      b, config, x, [&](Value normed) { return buildAttention(normed); },
      [&](Value normed) {
        return kind.feedForward == FeedForward::Experts
                   ? buildMixture(b, normed, config.experts)
                   : hybridMLP(b, config, normed, config.inner, "mlp.",
                               config.mlpBias);
      });
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

/// Reads what both families have but the experts. The numbers in `config` are
/// the defaults. Whether there are experts.
static bool readConfig(ConfigReader &reader, ModelBuilder &b,
                       const FamilyRequest &request, DeepseekConfig &config,
                       int64_t denseLayers) {
  readHybridModel(reader, config);
  config.inner = reader.getSize("intermediate_size", config.inner);
  readLatentHeads(reader, config.latent);
  RotaryOptions options;
  options.headDim = config.latent.sharedDim;
  options.trainedLength = config.length;
  options.maxLength = request.maxLength.value_or(config.length);
  config.rotary = readRotary(reader, b, options);
  config.rotary.layout = RotaryLayout::Interleaved;
  config.latent.scale *= readScoreFactor(reader);
  config.order.assign(config.layers, {TokenMixer::Attention});
  markLaterHeads(b.getCheckpoint(), config, "");
  // What follows from other numbers.
  reader.ignore({"head_dim"});
  denseLayers = reader.getInt("first_k_dense_replace", denseLayers);
  return chooseFeedForwards(
      config, [&](int64_t layer) { return layer >= denseLayers; });
}

static ModelFacts buildDeepseekV3(ModelBuilder &b, ConfigReader &reader,
                                  const FamilyRequest &request) {
  DeepseekConfig config;
  config.vocabSize = 129280;
  config.hidden = 7168;
  config.inner = 18432;
  config.layers = 61;
  config.length = 4096;
  config.latent = {128, 128, 64, 128, 512, 1536, false, 1.0};
  bool hasExperts = readConfig(reader, b, request, config, /*denseLayers=*/3);
  if (!reader.getBool("rope_interleave", true))
    config.rotary.layout = RotaryLayout::Half;
  if (hasExperts) {
    config.experts = readDeepseekExperts(reader, b, config.layer + "mlp.",
                                         {256, 8, 2048, /*shared=*/1,
                                          /*groups=*/8, /*chosen=*/4,
                                          /*scale=*/2.5});
    config.experts.activation = config.activation;
  } else {
    ignoreDeepseekExperts(reader);
  }
  ModelFacts facts =
      buildHybridModel<DeepseekGraph>(b, reader, request, config);
  facts.bos = 0;
  facts.eos = 1;
  return facts;
}

/// Reads DeepSeek-V2's mixtures: the best by softmax, or the best of the groups
/// with the best experts.
static void readExperts(ConfigReader &reader, ModelBuilder &b,
                        DeepseekConfig &config) {
  ExpertsSpec &experts = config.experts;
  RouterSpec &router = experts.router;
  std::string block = config.layer + "mlp.";
  std::string method = reader.getString("topk_method", "greedy");
  bool isLimited = method == "group_limited_greedy";
  if (!isLimited && method != "greedy")
    reader.emitError("topk_method")
        << "key 'topk_method' is '" << method
        << "', expected greedy or group_limited_greedy";
  // Weights are never renormalised, whatever is said.
  experts = readDeepseekExperts(reader, b, block,
                                {64, 0, 1407, /*shared=*/2, /*groups=*/1,
                                 /*chosen=*/1, /*scale=*/1.0},
                                /*isGrouped=*/false);
  router.score = RouteScore::Softmax;
  router.weighting = RouteWeighting::Scores;
  router.eps = 0;
  router.bias.clear();
  if (router.perToken == 0)
    reader.emitError("num_experts_per_tok")
        << "key 'num_experts_per_tok' is missing, expected a positive number";
  if (isLimited)
    setRouteGroups(reader, b, router, "n_group", reader.getSize("n_group", 1),
                   reader.getSize("topk_group", 1), RouteGroupScore::Max);
  experts.activation = config.activation;
  experts.sharedBias = config.mlpBias;
}

static ModelFacts buildDeepseekV2(ModelBuilder &b, ConfigReader &reader,
                                  const FamilyRequest &request) {
  DeepseekConfig config;
  config.vocabSize = 102400;
  config.hidden = 4096;
  config.inner = 11008;
  config.layers = 32;
  config.length = 2048;
  config.latent = {32, 128, 64, 128, 512, 1536, false, 1.0};
  bool hasExperts = readConfig(reader, b, request, config, /*denseLayers=*/0);
  config.mlpBias = reader.getBool("mlp_bias", false);
  if (hasExperts)
    readExperts(reader, b, config);
  else
    ignoreDeepseekExperts(reader);
  ModelFacts facts =
      buildHybridModel<DeepseekGraph>(b, reader, request, config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

void weir::registerDeepseekV2Family(FamilyTable &table) {
  table.add({"deepseek_v2",
             "DeepseekV2ForCausalLM",
             "DeepseekV2Model",
             "",
             {},
             buildDeepseekV2});
}

void weir::registerDeepseekV3Family(FamilyTable &table) {
  table.add({"deepseek_v3",
             "DeepseekV3ForCausalLM",
             "DeepseekV3Model",
             "",
             {},
             buildDeepseekV3});
}
