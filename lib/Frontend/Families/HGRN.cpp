//===- HGRN.cpp - Hierarchically gated recurrences -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// HGRN (arXiv:2311.04823) and HGRN2 (arXiv:2404.07904), in the layout of
// flash-linear-attention.
//
//===----------------------------------------------------------------------===//

#include "Fla.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

/// The options of both.
struct HGRNOptions {
  /// Features of gates, and, of HGRN2, of a head of them.
  int64_t gates = 0, headDim = 1;
  int64_t convWidth = 0;
  bool bounded = true;
};

/// How little the layers forget at least, which grows with their depth: running
/// sums of a softmax over the layers.
class LowerBounds {
public:
  LowerBounds(ModelBuilder &builder, const FlaConfig &config, int64_t features)
      : b(builder), config(config), features(features) {}

  /// Reads the table, in front of the layers.
  void begin(const FlaModel &model);
  /// The bounds of the layer being built, `[features]`, or null for none.
  Value get(const FlaLayer &layer);

private:
  SmallVector<float> getShares(int64_t number) const;

  ModelBuilder &b;
  const FlaConfig &config;
  int64_t features;
  /// The softmax, `[features, layers]`.
  Value table;
};

/// What a gate lets in and what it keeps.
struct Gate {
  /// The logarithm of what is kept.
  Value decay;
  /// The rest.
  Value input;
};

} // namespace

void LowerBounds::begin(const FlaModel &model) {
  Param weights = b.param(model.key("lower_bounds"), {config.layers, features});
  table = softmaxFeatures(b, b.read(b.transpose(weights, {1, 0})));
}

SmallVector<float> LowerBounds::getShares(int64_t number) const {
  // The sum leaves out the first layer, whose bound is zero.
  SmallVector<float> shares(config.layers, 0.0f);
  for (int64_t i = 1; i <= number; ++i)
    shares[i] = 1.0f;
  return shares;
}

Value LowerBounds::get(const FlaLayer &layer) {
  if (!table)
    return Value();
  Param shares;
  if (layer.number)
    shares = b.constant("lower_bounds.shares_" + std::to_string(*layer.number),
                        getShares(*layer.number), {config.layers});
  else
    shares =
        b.layerConstants("lower_bounds.shares", {config.layers},
                         [&](int64_t number) { return getShares(number); });
  return sumFeatures(b, b.mul(table, b.read(shares)));
}

/// The gate of the logits x: a sigmoid, of which a bound leaves the part above
/// it.
static Gate buildGate(ModelBuilder &b, Value x, Value bound) {
  Value kept = sigmoid(b, x);
  if (!bound)
    return {logSigmoid(b, x), scaleAndShift(b, kept, -1.0, 1.0)};
  auto build = [](OpBuilder &builder, Location loc, ValueRange in) -> Value {
    Value one = arith::ConstantOp::create(
        builder, loc, builder.getFloatAttr(in[0].getType(), 1.0));
    Value rest = arith::SubFOp::create(builder, loc, one, in[1]);
    Value above = arith::MulFOp::create(builder, loc, rest, in[0]);
    return arith::AddFOp::create(builder, loc, in[1], above);
  };
  kept = b.map({kept, bound}, build);
  Value decay =
      b.map(kept, [](OpBuilder &builder, Location loc, ValueRange in) -> Value {
        // A number that underflows is kept from becoming a logarithm of zero.
        Value least = arith::ConstantOp::create(
            builder, loc, builder.getFloatAttr(in[0].getType(), 1.0e-38));
        return math::LogOp::create(
            builder, loc,
            arith::MaximumFOp::create(builder, loc, in[0], least));
      });
  return {decay, scaleAndShift(b, kept, -1.0, 1.0)};
}

static void readOptions(ConfigReader &reader, HGRNOptions &options) {
  if (reader.getBool("use_short_conv", false))
    options.convWidth = reader.getSize("conv_size", 4);
  options.bounded = reader.getBool("use_lower_bound", true);
  reader.ignore({"conv_size"});
}

/// A projection and, where the model has them, a convolution without an
/// activation.
static Value project(ModelBuilder &b, Value x, const std::string &prefix,
                     StringRef name, int64_t features,
                     const HGRNOptions &options) {
  FlaProjection projection;
  projection.linear = prefix + name.str() + "_proj";
  projection.conv = prefix + name.str() + "_conv1d";
  projection.features = features;
  projection.convWidth = options.convWidth;
  projection.convSilu = projection.plainSilu = false;
  return flaProject(b, x, projection);
}

/// Builds the model of either mixer.
static ModelFacts
build(ModelBuilder &b, ConfigReader &reader, const FamilyRequest &request,
      const FlaConfig &config, const HGRNOptions &options,
      function_ref<Value(Value, const std::string &, Value)> mixer) {
  LowerBounds bounds(b, config, options.gates);
  return buildFla(
      b, reader, request, config,
      [&](Value x, const FlaLayer &layer) {
        return mixer(x, layer.prefix, bounds.get(layer));
      },
      [&](FlaModel &model) {
        if (options.bounded)
          bounds.begin(model);
      });
}

//===----------------------------------------------------------------------===//
// HGRN
//===----------------------------------------------------------------------===//

static ModelFacts buildHGRN(ModelBuilder &b, ConfigReader &reader,
                            const FamilyRequest &request) {
  FlaConfig config;
  readFla(reader, config);
  HGRNOptions options;
  options.gates = readFlaWidth(reader, "expand_ratio", config.hidden, 1.0);
  readOptions(reader, options);
  auto mixer = [&](Value x, const std::string &prefix, Value bound) {
    Value input = project(b, x, prefix, "i", options.gates, options);
    Gate gate =
        buildGate(b, project(b, x, prefix, "f", options.gates, options), bound);
    input = b.mul(b.activation(input, "silu"), gate.input);
    // Each feature is a head of one key and one value, and both are 1 but the
    // value.
    RecurrenceInputs in;
    in.query = fillLike(b, splitLast(b, input, options.gates), 1, 1.0);
    in.key = in.query;
    in.value = splitLast(b, input, 1);
    in.decay = gate.decay;
    Value out = b.mergeHeads(recurrence(b, in));
    Value weight = config.affine
                       ? b.weight(prefix + "g_norm.weight", {options.gates})
                       : Value();
    out = rmsNorm(b, out, weight, config.eps);
    Value open =
        b.activation(b.linear(x, prefix + "g_proj", options.gates), "silu");
    return b.linear(b.mul(out, open), prefix + "o_proj", config.hidden);
  };
  return build(b, reader, request, config, options, mixer);
}

namespace weir {
void registerHGRNFamily(FamilyTable &table) {
  table.add({"hgrn", "HGRNForCausalLM", "HGRNModel", "", {}, buildHGRN});
}
} // namespace weir

//===----------------------------------------------------------------------===//
// HGRN2
//===----------------------------------------------------------------------===//

/// Reads the size of heads, which are square.
static void readHeads(ConfigReader &reader, const FlaConfig &config,
                      HGRNOptions &options) {
  options.gates = config.hidden;
  reader.ignore({"num_heads", "expand_ratio"});
  if (!reader.isNull("expand_ratio")) {
    options.headDim = reader.getSize("expand_ratio", 128);
    expectMultiple(reader, "expand_ratio", config.hidden, options.headDim,
                   "the hidden size");
    return;
  }
  if (!reader.has("num_heads")) {
    reader.emitError("expand_ratio")
        << "keys 'expand_ratio' and 'num_heads' are both null, expected one "
           "number";
    return;
  }
  int64_t heads = reader.getSize("num_heads", 1);
  expectMultiple(reader, "num_heads", config.hidden, heads, "the hidden size");
  options.headDim = std::max<int64_t>(config.hidden / heads, 1);
}

static ModelFacts buildHGRN2(ModelBuilder &b, ConfigReader &reader,
                             const FamilyRequest &request) {
  FlaConfig config;
  readFla(reader, config);
  HGRNOptions options;
  readHeads(reader, config, options);
  readOptions(reader, options);
  auto mixer = [&](Value x, const std::string &prefix, Value bound) {
    int64_t hidden = config.hidden;
    Value query =
        b.activation(project(b, x, prefix, "q", hidden, options), "silu");
    Gate gate =
        buildGate(b, project(b, x, prefix, "f", hidden, options), bound);
    RecurrenceInputs in;
    in.query = splitLast(b, query, options.headDim);
    in.key = splitLast(b, gate.input, options.headDim);
    in.decay = splitLast(b, gate.decay, options.headDim);
    in.value = splitLast(b, project(b, x, prefix, "i", hidden, options),
                         options.headDim);
    in.scale = 1.0 / std::sqrt(static_cast<double>(options.headDim));
    Value out = b.mergeHeads(recurrence(b, in));
    Value weight =
        config.affine ? b.weight(prefix + "g_norm.weight", {hidden}) : Value();
    // The norm does not have the configuration's epsilon.
    out = rmsNorm(b, out, weight, 1e-5);
    return b.linear(out, prefix + "o_proj", hidden);
  };
  return build(b, reader, request, config, options, mixer);
}

namespace weir {
void registerHGRN2Family(FamilyTable &table) {
  table.add({"hgrn2", "HGRN2ForCausalLM", "HGRN2Model", "", {}, buildHGRN2});
}
} // namespace weir
