//===- Zaya.cpp - The ZAYA family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compressed convolutional attention (arXiv:2510.04476): queries and keys go
// through two short convolutions beside a mean of both, and half of the values
// are the token's before. Experts are chosen by a small network whose input is
// handed from layer to layer; one of them is to leave the token alone.
//
//===----------------------------------------------------------------------===//

#include "HeadAttention.h"
#include "HybridModel.h"

using namespace mlir;
using namespace weir;

/// Which of the layers' variants is the first, whose router is handed nothing,
/// and which sees a window; the sum is both.
static constexpr int64_t firstLayer = 1, windowed = 2;

namespace {

struct ZayaConfig : HybridModel {
  AttentionHeads heads;
  /// The rotations of layers without and with a window, and the window.
  RotarySpec rotary, windowRotary;
  std::optional<int64_t> window;
  /// Tokens that each of the convolutions looks at.
  int64_t featureWidth = 1, headWidth = 1;
  int64_t routerHidden = 1;
  /// What chooses, of one expert more than there are; and the experts.
  RouterSpec router;
  ExpertsSpec experts;
};

/// Builds the layers.
class ZayaGraph {
public:
  ZayaGraph(ModelBuilder &builder, const ZayaConfig &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids);
  /// The first layer's input.
  Value scaleInput(Value x);
  /// A layer, of the hidden states and what its router is handed.
  SmallVector<Value> buildLayer(int64_t variant, ValueRange inputs);

private:
  Value buildNorm(Value x, const std::string &name);
  /// Both convolutions of queries and keys, `[batch, time, features]`.
  Value convolve(Value x, const std::string &keys);
  Value buildAttention(Value x, int64_t variant);
  Value buildValue(Value x, const std::string &keys);
  /// `x + part`, each with a bias in front of a scale of its own.
  Value addScaled(Value x, Value part, const std::string &name);
  /// What the router makes of `x` and what it is handed, which it hands on.
  Value buildRouterState(Value x, Value handed, bool isFirst);
  Value buildExperts(Value x, Value state);
  /// `(x + bias) * scale`.
  Value shiftAndScale(Value x, const std::string &bias,
                      const std::string &scale);

  ModelBuilder &b;
  const ZayaConfig &config;
  Value positions, frequencies, windowFrequencies;
};

} // namespace

void ZayaGraph::begin(Value ids) {
  positions = b.positions(ids);
  frequencies = b.frequencies(config.rotary);
  windowFrequencies = b.frequencies(config.windowRotary);
}

Value ZayaGraph::shiftAndScale(Value x, const std::string &bias,
                               const std::string &scale) {
  return b.mul(b.add(x, b.weight(bias, {config.hidden})),
               b.weight(scale, {config.hidden}));
}

Value ZayaGraph::scaleInput(Value x) {
  std::string keys = config.model + "input_hidden_states_";
  return shiftAndScale(x, keys + "bias", keys + "scale");
}

Value ZayaGraph::addScaled(Value x, Value part, const std::string &name) {
  std::string keys = config.layer + name + ".";
  return b.add(
      shiftAndScale(x, keys + "residual_bias", keys + "residual_scale"),
      shiftAndScale(part, keys + "hidden_states_bias",
                    keys + "hidden_states_scale"));
}

Value ZayaGraph::buildNorm(Value x, const std::string &name) {
  b.setScope(config.layer + name);
  return b.rmsNorm(x, config.layer + name, config.eps);
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

Value ZayaGraph::convolve(Value x, const std::string &keys) {
  int64_t dim = config.heads.dim, width = config.headWidth;
  int64_t heads = config.heads.heads + config.heads.kvHeads;
  int64_t features = heads * dim;
  Value single =
      shortConv(b, x, keys + "conv_qk_depthwise", config.featureWidth,
                /*bias=*/false, ConvActivation::None);
  // The second convolution mixes the features of a head. What is in front of
  // the first token is zeros for the first one and its bias for the second.
  Value bias = b.weight(keys + "conv_qk_depthwise.bias", {features});
  SmallVector<Value> steps(width);
  for (int64_t i = width - 1; i >= 0; --i) {
    steps[i] = b.add(single, bias);
    if (i > 0)
      single = shift(b, single);
  }
  std::string mixing = keys + "conv_qk_grouped";
  Param matrices =
      b.reshape(b.transpose(b.param(mixing + ".weight", {features, dim, width}),
                            {0, 2, 1}),
                {features, width * dim});
  SmallVector<Value> mixed;
  for (int64_t head = 0; head < heads; ++head) {
    SmallVector<Value> inputs;
    for (Value step : steps)
      inputs.push_back(sliceFeatures(b, step, head * dim, dim));
    Param matrix =
        b.slice(matrices, 0, head * dim, dim, "head" + std::to_string(head));
    mixed.push_back(
        b.linear(concatFeatures(b, inputs), b.read(matrix), Value()));
  }
  return b.add(concatFeatures(b, mixed),
               b.weight(mixing + ".bias", {features}));
}

Value ZayaGraph::buildValue(Value x, const std::string &keys) {
  int64_t half = config.heads.kvHeads * config.heads.dim / 2;
  Value now = b.linear(x, keys + "v_proj_current", half, config.heads.bias);
  // In front of the first token is a zero, of which the bias is made.
  Value before = shift(b, b.linear(x, keys + "v_proj_delayed", half));
  if (config.heads.bias)
    before = b.add(before, b.weight(keys + "v_proj_delayed.bias", {half}));
  return b.splitHeads(concatFeatures(b, {now, before}), config.heads.kvHeads);
}

Value ZayaGraph::buildAttention(Value x, int64_t variant) {
  const AttentionHeads &heads = config.heads;
  std::string keys = config.layer + "self_attn.";
  std::string projection = keys + "qkv_proj.";
  int64_t dim = heads.dim, shared = heads.heads / heads.kvHeads;
  int64_t queries = heads.heads * dim, features = heads.kvHeads * dim;
  Value query = b.linear(x, projection + "q_proj", queries, heads.bias);
  Value key = b.linear(x, projection + "k_proj", features, heads.bias);
  Value both = convolve(concatFeatures(b, {query, key}), projection);
  // Beside it, the mean of a query and its key, and of a key and its queries.
  Value mean =
      b.scale(b.add(b.splitHeads(query, heads.heads),
                    repeatHeads(b, b.splitHeads(key, heads.kvHeads), shared)),
              0.5);
  Value groups = b.splitHeads(b.mergeHeads(mean), heads.kvHeads);
  Value keyMean = sliceFeatures(b, groups, 0, dim);
  for (int64_t i = 1; i < shared; ++i)
    keyMean = b.add(keyMean, sliceFeatures(b, groups, i * dim, dim));
  keyMean = b.scale(keyMean, 1.0 / shared);
  query = b.add(b.splitHeads(sliceFeatures(b, both, 0, queries), heads.heads),
                mean);
  key = b.add(
      b.splitHeads(sliceFeatures(b, both, queries, features), heads.kvHeads),
      keyMean);

  // Lengths are bounded by f32's epsilon from below.
  constexpr double least = std::numeric_limits<float>::epsilon();
  double eps = least * least / dim;
  query = rmsNorm(b, query, Value(), eps);
  key = scaleHeads(b, rmsNorm(b, key, Value(), eps),
                   b.weight(keys + "qk_norm.temp", {heads.kvHeads}));
  bool hasWindow = variant & windowed;
  const RotarySpec &spec = hasWindow ? config.windowRotary : config.rotary;
  Value table = hasWindow ? windowFrequencies : frequencies;
  AttentionOptions options;
  options.mask = hasWindow ? b.causalWindow(*config.window) : b.causalMask();
  options.scale = heads.scale;
  Value mixed = b.attention(b.rotary(query, positions, table, spec),
                            b.rotary(key, positions, table, spec),
                            buildValue(x, projection), options);
  return b.linear(b.mergeHeads(mixed), keys + "o_proj", config.hidden,
                  heads.bias);
}

//===----------------------------------------------------------------------===//
// Experts
//===----------------------------------------------------------------------===//

Value ZayaGraph::buildRouterState(Value x, Value handed, bool isFirst) {
  std::string keys = config.layer + "mlp.gate.";
  b.setScope(keys);
  Value state = b.linear(x, keys + "down_proj", config.routerHidden, true);
  if (isFirst)
    return state;
  Value scale = b.weight(keys + "router_states_scale", {config.routerHidden});
  return b.add(state, b.mul(handed, scale));
}

Value ZayaGraph::buildExperts(Value x, Value state) {
  std::string keys = config.layer + "mlp.gate.router_mlp.";
  state = b.rmsNorm(state, keys + "norm", config.eps);
  for (const char *name : {"fc1", "fc2"})
    state = b.activation(
        b.linear(state, keys + name, config.routerHidden, true), "gelu");
  Value logits = b.linear(state, keys + "out_proj", config.router.experts);
  // The last choice is no expert's, and adds nothing.
  Routing routing = buildRoutingOf(b, logits, config.router);
  return weir::buildExperts(b, x, routing, config.experts);
}

SmallVector<Value> ZayaGraph::buildLayer(int64_t variant, ValueRange inputs) {
  Value x = inputs[0];
  Value mixed = buildAttention(buildNorm(x, "input_layernorm"), variant);
  x = addScaled(x, mixed, "post_attention_residual_scale");
  Value normed = buildNorm(x, "post_attention_layernorm");
  Value state = buildRouterState(normed, inputs[1], variant & firstLayer);
  x = addScaled(x, buildExperts(normed, state), "post_mlp_residual_scale");
  return {x, state};
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

static void readHeads(ConfigReader &reader, ModelBuilder &b,
                      const FamilyRequest &request, ZayaConfig &config) {
  AttentionHeads &heads = config.heads;
  heads.heads = 8;
  heads.kvHeads = 2;
  readAttentionHeads(reader, heads, config.hidden);
  if (!reader.has("head_dim"))
    heads.dim = 128;
  heads.setUsualScale();
  heads.bias = reader.getBool("attention_bias", false);
  if (heads.kvHeads * heads.dim % 2)
    reader.emitError("head_dim")
        << "key 'head_dim' is " << heads.dim << " with " << heads.kvHeads
        << " heads of values, expected an even number of features";
  config.featureWidth = reader.getSize("cca_time0", 2);
  config.headWidth = reader.getSize("cca_time1", 2);
  if (reader.has("sliding_window"))
    config.window = reader.getSize("sliding_window", 1);
  reader.ignore({"sliding_window"});
  static constexpr HybridLayer full = {TokenMixer::Attention};
  static constexpr HybridLayer near = {TokenMixer::Attention,
                                       FeedForward::Experts, windowed};
  if (!readLayerNames(reader, config,
                      {{"hybrid", full}, {"hybrid_sliding", near}}))
    config.order.assign(config.layers, full);
  for (HybridLayer &layer : config.order)
    layer.feedForward = FeedForward::Experts;
  bool hasWindows = llvm::any_of(config.order, [](const HybridLayer &layer) {
    return layer.variant == windowed;
  });
  if (hasWindows && !config.window)
    reader.emitError("sliding_window")
        << "key 'sliding_window' is null when layers have windows";
  config.order.front().variant += firstLayer;

  // Where there is nothing about any, rotations have other defaults than where
  // something is missing.
  bool isGiven = reader.has("rope_parameters");
  RotaryOptions options;
  options.layerTypes = {"hybrid", "hybrid_sliding"};
  options.allowsPartial = true;
  options.readsScaling = false;
  options.headDim = heads.dim;
  options.trainedLength = config.length;
  options.maxLength = request.maxLength.value_or(config.length);
  options.defaultPart = isGiven ? 1 : 0.5;
  for (auto [type, spec, base] :
       {std::tuple("hybrid", &config.rotary, 5000000.0),
        std::tuple("hybrid_sliding", &config.windowRotary, 10000.0)}) {
    options.layerType = type;
    options.defaultBase = isGiven ? 10000 : base;
    *spec = readRotary(reader, b, options);
  }
}

static void readExperts(ConfigReader &reader, ZayaConfig &config) {
  std::string block = config.layer + "mlp.";
  ExpertsSpec &experts = config.experts;
  experts.router.experts = reader.getSize("num_experts", 16);
  experts.inner = reader.getSize("moe_intermediate_size", 2048);
  experts.activation = config.activation;
  experts.keys.prefix = block + "experts.";
  reader.expect("num_experts_per_tok", 1, "a token goes to one expert");
  ignoreTrainingOfExperts(reader);
  config.routerHidden = reader.getSize("router_hidden_size", 256);
  RouterSpec &router = config.router;
  router.experts = experts.router.experts + 1;
  router.perToken = 1;
  router.bias = block + "gate.balancing_biases";
  router.weighting = RouteWeighting::Scores;
}

static ModelFacts buildZaya(ModelBuilder &b, ConfigReader &reader,
                            const FamilyRequest &request) {
  ZayaConfig config;
  config.vocabSize = 262272;
  config.hidden = 2048;
  config.layers = 40;
  config.length = 131072;
  config.eps = 1e-5;
  config.tied = true;
  readHybridModel(reader, config);
  config.headBias = reader.getBool("lm_head_bias", false);
  readHeads(reader, b, request, config);
  readExperts(reader, config);
  ZayaGraph graph(b, config);
  SmallVector<int64_t> variants = llvm::map_to_vector(
      config.order, [](const HybridLayer &layer) { return layer.variant; });
  ModelFacts facts = buildHybridModel(
      b, reader, request, config, [&](Value ids, Value) { graph.begin(ids); },
      [&](Value x) {
        SmallVector<int64_t> kinds;
        SmallVector<int32_t> order = numberKinds<int64_t>(variants, kinds);
        x = graph.scaleInput(x);
        Value none = fillLike(b, x, config.routerHidden, 0.0);
        return b
            .stack({x, none}, order,
                   [&](int32_t kind, ValueRange inputs) {
                     return graph.buildLayer(kinds[kind], inputs);
                   })
            .front();
      });
  facts.bos = 2;
  facts.eos = 106;
  return facts;
}

namespace weir {
void registerZayaFamily(FamilyTable &table) {
  table.add({"zaya", "ZayaForCausalLM", "ZayaModel", "", {}, buildZaya});
}
} // namespace weir
