//===- MiniMax.cpp - The MiniMax family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MiniMax-Text-01 (arXiv:2501.08313): layers of lightning attention, whose
// heads forget at rates fixed by head and layer, and layers of attention.
// Residuals are what the norms give, and weighted sums join them.
//
//===----------------------------------------------------------------------===//

#include "HybridModel.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

/// Weights of the two summands behind a part of a layer.
struct Residual {
  double kept = 1, added = 1;
};

struct MiniMaxConfig : HybridModel {
  int64_t inner, heads, kvHeads, headDim;
  std::optional<int64_t> window;
  Residual linear, attention, feedForward;
  ExpertsSpec experts;
  RotarySpec rotary;
};

/// Builds the layers.
class MiniMaxGraph {
public:
  MiniMaxGraph(ModelBuilder &builder, const MiniMaxConfig &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids);
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  Value buildAttention(Value x);
  Value buildLightning(Value x);
  /// The rates that the heads of a lightning layer forget at.
  Value buildSlopes();
  Value join(Value kept, Value added, const Residual &residual);

  ModelBuilder &b;
  const MiniMaxConfig &config;
  Value positions, frequencies;
};

} // namespace

void MiniMaxGraph::begin(Value ids) {
  positions = b.positions(ids);
  frequencies = b.frequencies(config.rotary);
}

Value MiniMaxGraph::buildAttention(Value x) {
  std::string keys = config.layer + "self_attn.";
  auto project = [&](const std::string &name, int64_t heads) {
    return b.splitHeads(b.linear(x, keys + name, heads * config.headDim),
                        heads);
  };
  Value query = project("q_proj", config.heads);
  Value key = project("k_proj", config.kvHeads);
  query = b.rotary(query, positions, frequencies, config.rotary);
  key = b.rotary(key, positions, frequencies, config.rotary);
  AttentionOptions options;
  options.mask =
      config.window ? b.causalWindow(*config.window) : b.causalMask();
  options.scale = 1.0 / std::sqrt(static_cast<double>(config.headDim));
  Value mixed =
      b.attention(query, key, project("v_proj", config.kvHeads), options);
  return b.linear(b.mergeHeads(mixed), keys + "o_proj", config.hidden);
}

Value MiniMaxGraph::buildSlopes() {
  std::string key = config.layer + "self_attn.slope_rate";
  if (b.hasTensor(key))
    return b.read(
        b.reshape(b.param(key, {config.heads, 1, 1}), {config.heads}));
  // Powers of one number as for ALiBi, less in deeper layers.
  return b.read(b.layerConstants(key, {config.heads}, [&](int64_t layer) {
    double depth = static_cast<double>(layer) /
                   (static_cast<double>(config.layers - 1) + 1e-5);
    SmallVector<float> slopes;
    for (int64_t head = 1; head <= config.heads; ++head)
      slopes.push_back(
          static_cast<float>(std::exp2(-8.0 * static_cast<double>(head) /
                                       static_cast<double>(config.heads)) *
                             (1 - depth + 1e-5)));
    return slopes;
  }));
}

Value MiniMaxGraph::buildLightning(Value x) {
  std::string keys = config.layer + "self_attn.";
  int64_t dim = config.headDim, features = config.heads * dim;
  // Each head's rows of query, key and value stand together.
  Param all = b.param(keys + "qkv_proj.weight", {3 * features, config.hidden});
  auto project = [&](int64_t index, StringRef name) {
    Param rows = cutGroups(b, all, config.heads, index * dim, dim, name);
    Value part = b.linear(x, b.read(rows), Value());
    return b.splitHeads(b.activation(part, config.activation), config.heads);
  };
  RecurrenceInputs inputs;
  inputs.query = project(0, "query");
  inputs.key = project(1, "key");
  inputs.value = project(2, "value");
  inputs.decay = b.scale(buildSlopes(), -1);
  // This norm's epsilon is fixed, whatever the configuration says.
  Value normed =
      b.rmsNorm(b.mergeHeads(recurrence(b, inputs)), keys + "norm", 1e-6);
  Value gate = sigmoid(b, b.linear(x, keys + "output_gate", features));
  return b.linear(b.mul(gate, normed), keys + "out_proj", config.hidden);
}

Value MiniMaxGraph::join(Value kept, Value added, const Residual &residual) {
  return b.add(b.scale(kept, residual.kept), b.scale(added, residual.added));
}

Value MiniMaxGraph::buildLayer(const HybridLayer &kind, Value x) {
  b.setScope(config.layer + "self_attn");
  x = b.rmsNorm(x, config.layer + "input_layernorm", config.eps);
  x = kind.mixer == TokenMixer::Linear
          ? join(x, buildLightning(x), config.linear)
          : join(x, buildAttention(x), config.attention);
  x = b.rmsNorm(x, config.layer + "post_attention_layernorm", config.eps);
  b.setScope(config.experts.router.key);
  return join(x, buildMixture(b, x, config.experts), config.feedForward);
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

static Residual readResidual(ConfigReader &reader, const std::string &name) {
  return {reader.getFloat(name + "_alpha_factor", 1),
          reader.getFloat(name + "_beta_factor", 1)};
}

static MiniMaxConfig readConfig(ConfigReader &reader, ModelBuilder &b,
                                const FamilyRequest &request) {
  MiniMaxConfig config;
  config.vocabSize = 32000;
  config.hidden = 4096;
  config.layers = 32;
  config.length = 4096 * 32;
  config.eps = 1e-5;
  readHybridModel(reader, config);
  config.inner = reader.getSize("intermediate_size", 14336);
  config.heads = reader.getSize("num_attention_heads", 32);
  int64_t kvHeads = reader.isNull("num_key_value_heads") ? config.heads : 8;
  config.kvHeads = reader.getSize("num_key_value_heads", kvHeads);
  config.headDim = reader.getSize(
      "head_dim", std::max<int64_t>(config.hidden / config.heads, 1));
  if (reader.has("sliding_window"))
    config.window = reader.getSize("sliding_window", 1);
  config.linear = readResidual(reader, "linear_attn");
  config.attention = readResidual(reader, "full_attn");
  config.feedForward = readResidual(reader, "mlp");
  readLayerTypes(reader, config, [](int64_t i) {
    return (i + 1) % 2 ? TokenMixer::Attention : TokenMixer::Linear;
  });
  expectShared(reader, "num_key_value_heads", config.heads, config.kvHeads);
  readExpertCounts(reader, config.experts.router, 8, 2);
  ignoreTrainingOfExperts(reader);
  config.experts.inner = config.inner;
  config.experts.activation = config.activation;
  readMixtralKeys(b.getCheckpoint(), config.layer, config.experts);
  reader.expect("postnorm", true, "norms stand in front of what they add to");
  reader.expect("shared_intermediate_size", 0, "no expert sees all tokens");
  reader.ignore({"shared_moe_mode"});
  // How sums are arranged.
  reader.ignore({"block_size", "sliding_window"});
  RotaryOptions options;
  options.headDim = config.headDim;
  options.trainedLength = config.length;
  options.maxLength = request.maxLength.value_or(config.length);
  options.defaultBase = 1000000.0;
  config.rotary = readRotary(reader, b, options);
  return config;
}

static ModelFacts buildMiniMax(ModelBuilder &b, ConfigReader &reader,
                               const FamilyRequest &request) {
  MiniMaxConfig config = readConfig(reader, b, request);
  ModelFacts facts = buildHybridModel<MiniMaxGraph>(b, reader, request, config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

namespace weir {
void registerMiniMaxFamily(FamilyTable &table) {
  // What follows from the slopes, for blocks of one length.
  static constexpr llvm::StringLiteral ignorable[] = {
      ".query_decay", ".key_decay", ".diagonal_decay"};
  table.add({"minimax", "MiniMaxForCausalLM", "MiniMaxModel", "", ignorable,
             buildMiniMax});
}
} // namespace weir
