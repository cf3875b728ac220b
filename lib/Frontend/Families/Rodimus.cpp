//===- Rodimus.cpp - The Rodimus families -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rodimus and Rodimus+ (arXiv:2410.06577) in the layout of
// flash-linear-attention 0.6: one head of gated linear attention, whose decay
// and input gate are powers of one number, and in Rodimus+ behind it windows of
// attention whose heads share their keys. What this attention gives goes into
// the perceptron, but not into the residual.
//
//===----------------------------------------------------------------------===//

#include "Fla.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>

using namespace mlir;
using namespace weir;
namespace json = llvm::json;

namespace {
struct RodimusConfig : FlaConfig {
  /// Features of the mixer, of its one head of keys, and between the factors of
  /// the input gate.
  int64_t mixed = 0, keys = 64, rank = 16;
  /// 0 for no convolution.
  int64_t convWidth = 4;
  double keyEps = 1e-12;
  /// Attention with shared keys, in Rodimus+.
  std::optional<FlaAttention> shared;
};

/// Builds the layers.
class RodimusGraph {
public:
  RodimusGraph(ModelBuilder &builder, const RodimusConfig &config,
               FlaModel &model)
      : b(builder), config(config), model(model) {}

  Value build(Value x);

private:
  Value buildLayer(Value x, const std::string &layer, int64_t entry);
  Value buildMixer(Value x, const std::string &prefix);
  Value buildShared(Value x, const std::string &prefix);
  Value norm(Value x, const std::string &key) {
    b.setScope(key);
    return b.rmsNorm(x, key, config.eps);
  }

  ModelBuilder &b;
  const RodimusConfig &config;
  FlaModel &model;
  Value positions, frequencies;
  RotarySpec rotary;
};
} // namespace

/// `key / max(|key|, eps)`.
static Value normalize(ModelBuilder &b, Value key, double eps) {
  Value length =
      b.map(sumFeatures(b, b.mul(key, key)),
            [&](OpBuilder &builder, Location loc, ValueRange in) -> Value {
              Value root = math::SqrtOp::create(builder, loc, in[0]);
              Value least = arith::ConstantOp::create(
                  builder, loc, builder.getFloatAttr(in[0].getType(), eps));
              return arith::MaximumFOp::create(builder, loc, root, least);
            });
  return divideRows(b, key, length, /*eps=*/0);
}

/// `base` to the power of `exponent`; neither is negative.
static Value power(ModelBuilder &b, Value base, Value exponent) {
  return b.map({base, exponent},
               [](OpBuilder &builder, Location loc, ValueRange in) -> Value {
                 Value log = math::LogOp::create(builder, loc, in[0]);
                 return math::ExpOp::create(
                     builder, loc,
                     arith::MulFOp::create(builder, loc, in[1], log));
               });
}

Value RodimusGraph::buildMixer(Value x, const std::string &prefix) {
  Value inner = b.linear(x, prefix + "up_proj", config.mixed);
  Value gate = b.linear(x, prefix + "gate_proj", config.mixed);
  Value shifted = config.convWidth ? shortConv(b, inner, prefix + "short_conv",
                                               config.convWidth, /*bias=*/true)
                                   : inner;
  auto project = [&](StringRef name, bool bias) {
    return b.linear(shifted, (prefix + name).str() + "_proj", config.keys,
                    bias);
  };
  std::string opening = prefix + "i_gate_proj.";
  Value opened =
      sigmoid(b, b.linear(b.linear(inner, opening + "0", config.rank),
                          opening + "1", config.mixed, /*bias=*/true));
  Value base = softplus(b, project("g_gate", /*bias=*/true));
  Value exponent = sigmoid(b, project("tau_gate", /*bias=*/true));
  RecurrenceInputs inputs;
  inputs.query = b.splitHeads(project("q", /*bias=*/false), 1);
  Value key = normalize(b, project("k", /*bias=*/false), config.keyEps);
  inputs.key = b.splitHeads(b.mul(key, power(b, base, exponent)), 1);
  inputs.value = b.splitHeads(b.mul(opened, inner), 1);
  inputs.decay = b.splitHeads(b.scale(b.mul(base, exponent), -1.0), 1);
  inputs.scale = 1.0 / std::sqrt(static_cast<double>(config.keys));
  Value kept =
      b.mul(shifted, b.weight(prefix + "residual_weight", {config.mixed}));
  Value mixed = b.add(b.mergeHeads(recurrence(b, inputs)), kept);
  mixed = b.mul(mixed, b.activation(gate, "silu"));
  mixed = flaHeadNorm(b, mixed, prefix + "activation_norm", /*affine=*/true,
                      config.eps);
  return b.linear(mixed, prefix + "down_proj", config.hidden);
}

Value RodimusGraph::buildShared(Value x, const std::string &prefix) {
  const FlaAttention &entry = *config.shared;
  int64_t dim = config.hidden / entry.heads;
  auto project = [&](StringRef name, int64_t heads) {
    return b.splitHeads(
        b.linear(x, (prefix + name).str() + "_proj", heads * dim, entry.bias),
        heads);
  };
  Value query = project("q", entry.heads), key = project("k", 1);
  Value value = project("v", entry.heads);
  if (entry.headNorm) {
    query =
        flaHeadNorm(b, query, prefix + "q_norm", /*affine=*/true, flaHeadEps);
    key = flaHeadNorm(b, key, prefix + "k_norm", /*affine=*/true, flaHeadEps);
  }
  query = b.rotary(query, positions, frequencies, rotary);
  key = b.rotary(key, positions, frequencies, rotary);
  AttentionOptions options;
  options.mask = entry.window ? b.causalWindow(*entry.window) : b.causalMask();
  options.scale = 1.0 / std::sqrt(static_cast<double>(dim));
  Value mixed =
      b.attention(query, repeatHeads(b, key, entry.heads), value, options);
  return b.linear(b.mergeHeads(mixed), prefix + "o_proj", config.hidden);
}

Value RodimusGraph::buildLayer(Value x, const std::string &layer,
                               int64_t entry) {
  auto perceptron = [&](Value input) {
    return flaMLP(b, norm(input, layer + "mlp_norm"), layer + "mlp.", config);
  };
  if (entry >= 0) {
    x = b.add(x, model.attention(norm(x, layer + "attn_norm"), layer + "attn.",
                                 static_cast<int32_t>(entry)));
    return b.add(x, perceptron(x));
  }
  x = b.add(x, buildMixer(norm(x, layer + "mixer_norm"), layer + "mixer."));
  if (!config.shared)
    return x;
  Value near =
      buildShared(norm(x, layer + "ska_attn_norm"), layer + "ska_attn.");
  return b.add(x, perceptron(b.add(x, near)));
}

Value RodimusGraph::build(Value x) {
  if (config.shared) {
    rotary.base = config.shared->ropeBase;
    rotary.dims = config.hidden / config.shared->heads;
    frequencies = b.frequencies(rotary);
    positions = model.getPositions();
  }
  SmallVector<int64_t> kinds(config.attentionOf.begin(),
                             config.attentionOf.end());
  SmallVector<int64_t> kindOf;
  SmallVector<int32_t> order = numberKinds<int64_t>(kinds, kindOf);
  x = b.stack(x, order, [&](int32_t kind, Value input) {
    return buildLayer(input, model.layerKey(""), kindOf[kind]);
  });
  return norm(x, model.key("norm"));
}

/// `value` up to the next multiple of 8.
static int64_t align(int64_t value) { return (value + 7) / 8 * 8; }

static RodimusConfig readConfig(ConfigReader &reader) {
  RodimusConfig config;
  config.vocabSize = 126464;
  config.eps = 1e-5;
  config.ratio = config.nullRatio = 4.0 / 3.0;
  config.tied = true;
  config.hasIdleNorms = true;
  readFlaBase(reader, config);
  std::string block = readChoice(reader, "block_type", "rodimus_plus",
                                 {"rodimus", "rodimus_plus"});
  config.inner = align(
      static_cast<int64_t>(config.ratio * static_cast<double>(config.hidden)));
  if (!reader.isNull("intermediate_size"))
    config.inner = reader.getSize("intermediate_size", config.inner);
  config.activation =
      readChoice(reader, "hidden_act", config.activation, {"swish", "powlu"});
  config.mixed = align(2 * config.hidden);
  config.keys = reader.getSize("expand_ratio", config.keys);
  const json::Value *rank = reader.get("input_gate_low_rank");
  config.rank = rank && rank->getAsString() != StringRef("auto")
                    ? reader.getSize("input_gate_low_rank", 16)
                    : std::max<int64_t>(config.hidden / 64, 16);
  config.convWidth = reader.getSize("conv_size", 4);
  if (!reader.getBool("use_short_conv", true))
    config.convWidth = 0;
  if (!reader.isNull("k_norm_eps"))
    config.keyEps = reader.getFloat("k_norm_eps", config.keyEps);
  // Null, types of numbers on the way, and what the layer has but its model
  // does not hand on.
  reader.ignore({"fuse_swiglu", "k_norm_eps", "residual_in_fp32",
                 "block_residual_in_fp32", "conv_bias", "input_gate_low_rank",
                 "ska_attn"});
  if (block == "rodimus_plus")
    config.shared = readFlaEntry(reader, "ska_attn", config, /*window=*/1024);
  return config;
}

static ModelFacts buildRodimus(ModelBuilder &b, ConfigReader &reader,
                               const FamilyRequest &request) {
  RodimusConfig config = readConfig(reader);
  FlaModel model(b, config, request);
  reader.finish();
  ModelFacts facts = model.getFacts();
  facts.bos = 126080;
  facts.eos = 126081;
  if (reader.hasFailed())
    return facts;
  Value x = model.begin();
  model.end(RodimusGraph(b, config, model).build(x));
  return facts;
}

namespace weir {
void registerRodimusFamily(FamilyTable &table) {
  table.add(
      {"rodimus", "RodimusForCausalLM", "RodimusModel", "", {}, buildRodimus});
}
} // namespace weir
