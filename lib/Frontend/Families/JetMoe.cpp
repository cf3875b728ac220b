//===- JetMoe.cpp - The JetMoE family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Mixtures in both parts of a layer (arXiv:2404.07413): of perceptrons, and of
// attention heads (arXiv:2210.05144), whose experts are the matrices of query
// and output. Keys and values are made once for all experts.
//
//===----------------------------------------------------------------------===//

#include "HeadAttention.h"
#include "HybridModel.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {
    {"hidden_act", "activation_function"}, {"head_dim", "kv_channels"}};

namespace {

struct JetMoeConfig : HybridModel {
  int64_t heads = 1, headDim = 1;
  RotarySpec rotary;
  ExpertsSpec experts;
};

/// Builds the layers.
class JetMoeGraph {
public:
  JetMoeGraph(ModelBuilder &builder, const JetMoeConfig &config)
      : b(builder), config(config), norms(config) {
    // Only the last norm has the epsilon that the configuration says.
    norms.eps = 1e-6;
  }

  /// Builds what layers share.
  void begin(Value ids);
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  Value buildAttention(Value x);
  /// `x` through the matrices `key` of the experts that `routing` chose.
  Value project(Value x, const Routing &routing, const std::string &key,
                int64_t features);

  ModelBuilder &b;
  const JetMoeConfig &config;
  /// The options of layers' norms.
  HybridModel norms;
  Value positions, frequencies;
};

} // namespace

void JetMoeGraph::begin(Value ids) {
  positions = b.positions(ids);
  frequencies = b.frequencies(config.rotary);
}

Value JetMoeGraph::project(Value x, const Routing &routing,
                           const std::string &key, int64_t features) {
  int64_t inputs = cast<RankedTensorType>(x.getType()).getDimSize(2);
  Param matrices = b.param(key + ".weight",
                           {config.experts.router.experts, features, inputs});
  return ExpertsOp::create(
      b.getBuilder(), b.getLoc(), x, routing.indices, routing.weights,
      b.read(matrices), /*weighInput=*/false,
      [&](OpBuilder &, Location, Value rows, ValueRange slices) -> Value {
        return b.linear(rows, slices.front(), Value());
      });
}

/// The features of `heads` cut into `count` heads.
static Value regroupHeads(ModelBuilder &b, Value heads, int64_t count) {
  return b.splitHeads(b.mergeHeads(heads), count);
}

Value JetMoeGraph::buildAttention(Value x) {
  std::string keys = config.layer + "self_attention.";
  std::string experts = keys + "experts.";
  b.setScope(experts);
  int64_t heads = config.heads, dim = config.headDim, inner = heads * dim;
  RouterSpec router = config.experts.router;
  router.key = experts + "router.layer";
  Routing all = buildRouting(b, x, router);
  auto getSlot = [&](int64_t slot) -> Routing {
    return {sliceFeatures(b, all.indices, slot, 1),
            sliceFeatures(b, all.weights, slot, 1)};
  };
  // The queries of a head of keys lie side by side, one of each expert.
  SmallVector<Value> queries;
  for (int64_t slot = 0; slot < router.perToken; ++slot) {
    Routing one = getSlot(slot);
    one.weights = fillLike(b, one.weights, 1, 1.0);
    queries.push_back(
        b.splitHeads(project(x, one, experts + "input_linear", inner), heads));
  }
  auto rotate = [&](Value part) {
    return b.rotary(part, positions, frequencies, config.rotary);
  };
  Param both = b.param(keys + "kv_proj.weight", {2 * inner, config.hidden});
  auto getHeads = [&](int64_t offset, StringRef name) {
    Value matrix = b.read(b.slice(both, 0, offset, inner, name));
    return b.splitHeads(b.linear(x, matrix, Value()), heads);
  };
  AttentionOptions options;
  options.mask = b.causalMask();
  options.scale = 1.0 / std::sqrt(static_cast<double>(dim));
  Value query = rotate(
      regroupHeads(b, concatFeatures(b, queries), router.perToken * heads));
  Value mixed = b.attention(query, rotate(getHeads(0, "key")),
                            getHeads(inner, "value"), options);
  mixed = regroupHeads(b, mixed, heads);
  Value result;
  for (int64_t slot = 0; slot < router.perToken; ++slot) {
    Value part = b.mergeHeads(sliceFeatures(b, mixed, slot * dim, dim));
    Value output =
        project(part, getSlot(slot), experts + "output_linear", config.hidden);
    result = result ? b.add(result, output) : output;
  }
  return b.add(result, b.weight(experts + "bias", {config.hidden}));
}

Value JetMoeGraph::buildLayer(const HybridLayer &, Value x) {
  return preNormLayer(
      b, norms, x, [&](Value normed) { return buildAttention(normed); },
      [&](Value normed) {
        return b.add(buildMixture(b, normed, config.experts),
                     b.weight(config.layer + "mlp.bias", {config.hidden}));
      });
}

static ModelFacts buildJetMoe(ModelBuilder &b, ConfigReader &reader,
                              const FamilyRequest &request) {
  reader.setSpellings(spellings);
  JetMoeConfig config;
  config.vocabSize = 32000;
  config.hidden = 2048;
  config.layers = 12;
  config.length = 4096;
  config.tied = true;
  readHybridModel(reader, config);
  config.order.assign(config.layers,
                      {TokenMixer::Attention, FeedForward::Experts});
  config.heads = reader.getSize("num_key_value_heads", 16);
  config.headDim = reader.getSize("head_dim", 128);
  RotaryOptions options;
  options.headDim = config.headDim;
  options.trainedLength = config.length;
  options.maxLength = request.maxLength.value_or(config.length);
  config.rotary = readRotary(reader, b, options);
  ExpertsSpec &experts = config.experts;
  readExpertCounts(reader, experts.router, 8, 2);
  experts.router.key = config.layer + "mlp.router.layer";
  experts.router.score = RouteScore::Raw;
  experts.router.weighting = RouteWeighting::Softmax;
  experts.inner = reader.getSize("intermediate_size", 5632);
  experts.activation = config.activation;
  experts.keys.prefix = config.layer + "mlp.";
  experts.keys.gateUp = "input_linear";
  experts.keys.downAll = "output_linear";
  // Of training, and the product of two others.
  reader.expect("bias", true, "experts have biases");
  reader.expect("glu", true, "experts are gated");
  reader.ignore({"aux_loss_coef", "num_attention_heads"});
  ignoreTrainingOfExperts(reader);
  ModelFacts facts = buildHybridModel<JetMoeGraph>(b, reader, request, config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

namespace weir {
void registerJetMoeFamily(FamilyTable &table) {
  table.add(
      {"jetmoe", "JetMoeForCausalLM", "JetMoeModel", "", {}, buildJetMoe});
}
} // namespace weir
