//===- FlaModel.cpp - Graphs of flash-linear-attention -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Fla.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>

using namespace mlir;
using namespace weir;

//===----------------------------------------------------------------------===//
// What mixers share
//===----------------------------------------------------------------------===//

Value weir::flaActivation(ModelBuilder &b, Value input, StringRef name,
                          StringRef key) {
  if (name == "logsigmoid")
    return logSigmoid(b, input);
  // The table has other names for two, and approximates one.
  StringRef known = llvm::StringSwitch<StringRef>(name)
                        .Case("sqrelu", "relu2")
                        .Case("gelu", "gelu_pytorch_tanh")
                        .Cases({"relu", "sigmoid", "silu", "swish"}, name)
                        .Default("");
  if (!known.empty())
    return b.activation(input, known, key);
  b.emitError(key) << "key '" << key << "' names the activation '" << name
                   << "', expected one of relu, sigmoid, logsigmoid, silu, "
                      "swish, sqrelu, gelu";
  return input;
}

Value weir::flaProject(ModelBuilder &b, Value input,
                       const FlaProjection &projection) {
  Value x = b.linear(input, projection.linear, projection.features);
  if (projection.convWidth)
    return shortConv(b, x, projection.conv, projection.convWidth,
                     /*bias=*/false,
                     projection.convSilu ? ConvActivation::SiLU
                                         : ConvActivation::None);
  return projection.plainSilu ? b.activation(x, "silu") : x;
}

Value weir::flaProject(ModelBuilder &b, Value input, StringRef prefix,
                       StringRef name, int64_t features, int64_t convWidth) {
  FlaProjection projection;
  projection.linear = (prefix + name + "_proj").str();
  projection.conv = (prefix + name + "_conv1d").str();
  projection.features = features;
  projection.convWidth = convWidth;
  return flaProject(b, input, projection);
}

Value FlaSlots::project(ModelBuilder &b, Value input, StringRef prefix,
                        StringRef name, int64_t features) const {
  FlaProjection projection;
  projection.linear = (prefix + name + "_proj").str();
  projection.conv = (prefix + name + "_conv1d").str();
  projection.features = features;
  projection.convWidth = convWidth;
  projection.plainSilu = false;
  return flaProject(b, input, projection);
}

Value weir::flaBeta(ModelBuilder &b, Value input, bool negativeEigenvalues) {
  return b.scale(sigmoid(b, input), negativeEigenvalues ? 2.0 : 1.0);
}

Value weir::flaHeadNorm(ModelBuilder &b, Value input, StringRef key,
                        bool affine, double eps) {
  int64_t features = cast<RankedTensorType>(input.getType()).getShape().back();
  Value weight =
      affine ? b.weight((key + ".weight").str(), {features}) : Value();
  return rmsNorm(b, input, weight, eps);
}

FlaOutput weir::flaGatedOutput(const std::string &prefix,
                               const FlaConfig &config, bool gated) {
  FlaOutput output;
  output.norm =
      prefix + (gated && config.fuseNorm ? "g_norm_swish_gate" : "g_norm");
  output.gate = gated ? prefix + "g_proj" : "";
  output.project = prefix + "o_proj";
  output.affine = config.affine;
  output.eps = config.eps;
  return output;
}

Value weir::flaFinish(ModelBuilder &b, Value heads, Value input, int64_t hidden,
                      const FlaOutput &output) {
  Value x = b.mergeHeads(
      flaHeadNorm(b, heads, output.norm, output.affine, output.eps));
  if (!output.gate.empty()) {
    int64_t features = cast<RankedTensorType>(x.getType()).getShape().back();
    Value gate = b.linear(input, output.gate, features);
    x = b.mul(x, flaActivation(b, gate, output.activation, "hidden_act"));
  }
  return b.linear(x, output.project, hidden);
}

/// PowLU: `x^(3 / (sqrt(x) + 1)) * sigmoid(x)` where x is positive, else
/// `x * sigmoid(x)`.
static Value powLU(ModelBuilder &b, Value input) {
  return b.map(
      input, [](OpBuilder &builder, Location loc, ValueRange in) -> Value {
        Value x = in[0];
        auto number = [&](double value) -> Value {
          return arith::ConstantOp::create(
              builder, loc, builder.getFloatAttr(x.getType(), value));
        };
        Value zero = number(0), one = number(1);
        Value positive = arith::CmpFOp::create(
            builder, loc, arith::CmpFPredicate::OGT, x, zero);
        Value base = arith::SelectOp::create(builder, loc, positive, x, one);
        Value root = arith::AddFOp::create(
            builder, loc, math::SqrtOp::create(builder, loc, base), one);
        Value exponent = arith::DivFOp::create(builder, loc, number(3), root);
        Value log = math::LogOp::create(builder, loc, base);
        Value power = math::ExpOp::create(
            builder, loc, arith::MulFOp::create(builder, loc, exponent, log));
        Value factor =
            arith::SelectOp::create(builder, loc, positive, power, x);
        Value sigmoid = buildActivation(builder, loc, "sigmoid", x);
        return arith::MulFOp::create(builder, loc, factor, sigmoid);
      });
}

Value weir::flaMLP(ModelBuilder &b, Value input, StringRef prefix,
                   const FlaConfig &config) {
  MLPKeys keys{(prefix + "up_proj").str(), (prefix + "down_proj").str(),
               (prefix + "gate_proj").str()};
  if (config.activation != "powlu")
    return b.mlp(input, keys, config.inner, config.activation);
  Value gate = powLU(b, b.linear(input, keys.gate, config.inner));
  Value up = b.linear(input, keys.up, config.inner);
  return b.linear(b.mul(gate, up), keys.down, config.hidden);
}

//===----------------------------------------------------------------------===//
// Around the mixers
//===----------------------------------------------------------------------===//

FlaModel::FlaModel(ModelBuilder &builder, const FlaConfig &config,
                   const FamilyRequest &request)
    : b(builder), config(config), request(request) {
  Checkpoint &checkpoint = b.getCheckpoint();
  bool bare = !checkpoint.lookup("model.embeddings.weight") &&
              checkpoint.lookup("embeddings.weight");
  model = bare ? "" : "model.";
}

Value FlaModel::begin() {
  TokenTables tables =
      resolveTables(b.getCheckpoint(), key("embeddings.weight"),
                    "lm_head.weight", config.tied && request.hasHead);
  head = tables.head;
  ids = b.beginForward();
  b.setScope(key("embeddings"));
  Value x = b.embedding(ids, tables.embedding, config.vocabSize, config.hidden);
  for (const FlaAttention &entry : config.attention) {
    RotarySpec rotary;
    rotary.base = entry.ropeBase;
    rotary.dims = config.hidden / entry.heads;
    rotaries.push_back(rotary);
    frequencies.push_back(b.frequencies(rotary));
    // Made here, in front of the layers that share them.
    getPositions();
  }
  return x;
}

Value FlaModel::getPositions() {
  if (!positions)
    positions = b.positions(ids);
  return positions;
}

void FlaModel::end(Value x) {
  if (request.hasHead)
    x = b.linear(x, b.weight(head, {config.vocabSize, config.hidden}), Value());
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", x);
}

Value FlaModel::attention(Value x, StringRef prefix, int32_t index) {
  const FlaAttention &entry = config.attention[index];
  int64_t dim = config.hidden / entry.heads;
  auto project = [&](StringRef name, int64_t heads) {
    return b.splitHeads(
        b.linear(x, (prefix + name).str(), heads * dim, entry.bias), heads);
  };
  Value query = project("q_proj", entry.heads);
  Value keys = project("k_proj", entry.kvHeads);
  Value value = project("v_proj", entry.kvHeads);
  query = b.rotary(query, getPositions(), frequencies[index], rotaries[index]);
  keys = b.rotary(keys, getPositions(), frequencies[index], rotaries[index]);
  AttentionOptions options;
  options.mask = entry.window ? b.causalWindow(*entry.window) : b.causalMask();
  options.scale = 1.0 / std::sqrt(static_cast<double>(dim));
  Value mixed = b.mergeHeads(b.attention(query, keys, value, options));
  return b.linear(mixed, (prefix + "o_proj").str(), config.hidden);
}

ModelFacts FlaModel::getFacts() const {
  ModelFacts facts;
  facts.vocabSize = config.vocabSize;
  facts.maxLength = config.trainedLength;
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

//===----------------------------------------------------------------------===//
// Residuals by attention over depth
//===----------------------------------------------------------------------===//

namespace {

/// The residual stream of arXiv:2603.15031: sublayers read a mixture of the
/// embedding and the sums of the blocks before them, and of the sum of their
/// own block so far. Each layer has other sources, so layers are built one by
/// one.
class DepthResiduals {
public:
  DepthResiduals(ModelBuilder &builder, const FlaConfig &config, Value embedded)
      : b(builder), config(config), sum(embedded) {}

  /// What sublayer `index` of the model reads. Weights are `key`_proj and
  /// `key`_norm, and the norm of the sublayer is `norm`.
  Value read(int64_t index, StringRef key, StringRef norm);
  /// Adds a sublayer's result.
  void add(Value result) { sum = sum ? b.add(sum, result) : result; }
  /// The mixture of all sources, normalised by `norm`.
  Value mix(StringRef key, StringRef norm);

private:
  ModelBuilder &b;
  const FlaConfig &config;
  SmallVector<Value> sources;
  /// The sum of the block so far; null where it has just begun.
  Value sum;
};

} // namespace

Value DepthResiduals::read(int64_t index, StringRef key, StringRef norm) {
  // The embedding alone is a mixture of one.
  Value x = index == 0 ? b.rmsNorm(sum, norm, config.eps) : mix(key, norm);
  if (index % *config.residualBlock == 0) {
    sources.push_back(sum);
    sum = nullptr;
  }
  return x;
}

Value DepthResiduals::mix(StringRef key, StringRef norm) {
  SmallVector<Value> all(sources);
  all.push_back(sum);
  SmallVector<Value> scores;
  for (Value source : all) {
    Value normed = b.rmsNorm(source, (key + "_norm").str(), config.eps);
    scores.push_back(b.linear(normed, (key + "_proj").str(), 1));
  }
  Value shares = softmaxFeatures(b, concatFeatures(b, scores));
  Value mixed;
  for (auto [i, source] : llvm::enumerate(all)) {
    Value share = sumFeatures(b, sliceFeatures(b, shares, i, 1));
    Value part = scaleRows(b, source, share);
    mixed = mixed ? b.add(mixed, part) : part;
  }
  return b.rmsNorm(mixed, norm, config.eps);
}

static Value buildDepthLayers(ModelBuilder &b, FlaModel &model,
                              const FlaConfig &config, Value x,
                              FlaMixerFn mixer) {
  DepthResiduals residuals(b, config, x);
  // The first sublayer has weights too, though it has one source alone.
  for (StringRef name : {"attn_res_proj.weight", "attn_res_norm.weight"})
    b.getCheckpoint().markUsed(model.key("layers.0.") + name.str());
  for (int64_t number = 0; number < config.layers; ++number) {
    std::string layer = model.key("layers." + std::to_string(number) + ".");
    b.setScope(layer + "attn");
    Value normed =
        residuals.read(2 * number, layer + "attn_res", layer + "attn_norm");
    int32_t entry = config.attentionOf[number];
    residuals.add(entry < 0 ? mixer(normed, {layer + "attn.", number})
                            : model.attention(normed, layer + "attn.", entry));
    b.setScope(layer + "mlp");
    normed =
        residuals.read(2 * number + 1, layer + "mlp_res", layer + "mlp_norm");
    residuals.add(flaMLP(b, normed, layer + "mlp.", config));
  }
  b.setScope(model.key("norm"));
  return residuals.mix(model.key("res"), model.key("norm"));
}

//===----------------------------------------------------------------------===//
// The model
//===----------------------------------------------------------------------===//

static Value buildLayers(ModelBuilder &b, FlaModel &model,
                         const FlaConfig &config, Value x, FlaMixerFn mixer) {
  SmallVector<int64_t> kinds(config.attentionOf.begin(),
                             config.attentionOf.end());
  SmallVector<int64_t> kindOf;
  SmallVector<int32_t> order = numberKinds<int64_t>(kinds, kindOf);
  std::string prefix = model.layerKey("attn.");
  x = b.stack(x, order, [&](int32_t kind, Value input) {
    b.setScope(model.layerKey("attn"));
    Value normed = b.rmsNorm(input, model.layerKey("attn_norm"), config.eps);
    auto entry = static_cast<int32_t>(kindOf[kind]);
    Value mixed = entry < 0 ? mixer(normed, {prefix, std::nullopt})
                            : model.attention(normed, prefix, entry);
    mixed = b.add(input, mixed);
    b.setScope(model.layerKey("mlp"));
    normed = b.rmsNorm(mixed, model.layerKey("mlp_norm"), config.eps);
    return b.add(mixed, flaMLP(b, normed, model.layerKey("mlp."), config));
  });
  b.setScope(model.key("norm"));
  return b.rmsNorm(x, model.key("norm"), config.eps);
}

ModelFacts weir::buildFla(ModelBuilder &b, ConfigReader &reader,
                          const FamilyRequest &request, const FlaConfig &config,
                          FlaMixerFn mixer,
                          function_ref<void(FlaModel &)> prepare) {
  FlaModel model(b, config, request);
  reader.finish();
  if (reader.hasFailed())
    return model.getFacts();
  Value x = model.begin();
  if (prepare)
    prepare(model);
  x = config.residualBlock ? buildDepthLayers(b, model, config, x, mixer)
                           : buildLayers(b, model, config, x, mixer);
  model.end(x);
  return model.getFacts();
}
