//===- DecoderGraph.cpp - Graphs of decoders -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "ScanBodies.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/Frontend/LinearLayers.h"
#include <cmath>

using namespace mlir;
using namespace weir;

TokenTables weir::resolveTables(Checkpoint &checkpoint, std::string embedding,
                                std::string head, bool tied) {
  if (!tied)
    return {embedding, head};
  const TensorInfo *source = checkpoint.lookup(embedding);
  const TensorInfo *target = checkpoint.lookup(head);
  if (!source && target)
    return {head, head};
  bool differ =
      source && target &&
      (source->type != target->type || source->shape != target->shape ||
       source->bytes != target->bytes);
  if (differ)
    return {embedding, head};
  checkpoint.markUsed(head);
  return {embedding, embedding};
}

namespace {

/// What tells layers apart that run the same code with other weights from those
/// that do not.
struct LayerKind {
  std::optional<int64_t> window;
  bool isChunk, sparse, normsInput, outputBias;
  int64_t heads;
  std::optional<RotarySpec> rotary;
  /// What stands in place of `*` in keys; empty for the layer's number.
  std::string shared;

  bool operator==(const LayerKind &other) const {
    return window == other.window && isChunk == other.isChunk &&
           sparse == other.sparse && normsInput == other.normsInput &&
           outputBias == other.outputBias && heads == other.heads &&
           rotary == other.rotary && shared == other.shared;
  }
};

/// Builds the parts of a decoder.
class DecoderGraph {
public:
  /// `memory` is what an encoder gives, or null.
  DecoderGraph(ModelBuilder &builder, const DecoderConfig &config,
               const DecoderKeys &keys, Value memory = {})
      : b(builder), config(config), keys(keys), memory(memory) {}

  /// Adds the inputs beside the ids; right behind `beginForward`.
  void addInputs();
  Value buildEmbedding(Value ids, const std::string &table);
  /// All layers.
  Value buildLayers(Value x);
  Value buildLayer(const LayerKind &kind, Value x);
  /// Logits, or the last hidden state where `table` is empty.
  Value buildHead(Value x, const std::string &table);

private:
  /// `x` normalised with the weights of `key`, or as it is without a key.
  Value buildNorm(Value x, const std::string &key);
  /// A norm of heads, `[batch, time, heads, dim]`, or of all their features.
  Value buildHeadNorm(Value heads, const std::string &key);
  /// The query, key or value, `part` 0 to 2, with its heads apart.
  Value buildProjection(Value x, const LayerKind &kind, unsigned part);
  /// The same of another attention, by the matrix `key`.
  Value project(Value x, const std::string &key, bool bias);
  /// Rows of learned positions.
  Value buildPositions(Value ids);
  /// What the row of `table` is that `numbers` names, or the first one where
  /// they are null.
  Value readTable(const TokenTable &table, Value numbers);
  Value buildFused(Value x, unsigned part);
  /// Rows of the fused matrix or bias for one of its parts.
  Param sliceFused(Param all, unsigned part);
  Value rotate(Value heads, const LayerKind &kind);
  /// `query` times `1 + strength * log(1 + n)`, where n is how often `length`
  /// positions fit in front of its own, with `counted` that one too.
  Value growQuery(Value query, double strength, double length, bool counted);
  /// What opens and closes heads, as they lie.
  Value openHeads(Value mixed, Value x, const LayerKind &kind);
  MaskAttr getMask(const LayerKind &kind);
  Value buildAttention(Value x, const LayerKind &kind);
  /// Attention of `x` to what the encoder gives.
  Value buildCross(Value x);
  double getScale() const {
    return config.attentionScale.value_or(
        1.0 / std::sqrt(static_cast<double>(*config.headDim)));
  }
  /// Features of what is embedded, and of the head's matrix.
  int64_t getTableFeatures() const {
    return config.embedding == 0 ? config.hidden : config.embedding;
  }
  /// What tokens that see all give in place of `mixed`, of all other tokens.
  Value buildGlobal(Value x, Value mixed, const AttentionOptions &options);
  Value buildPerceptron(Value x, bool sparse);
  /// One of a matrix or two in front of its activation, not of one for both.
  Value buildPlainPerceptron(Value x);
  Value readHeadBias();
  /// Builds the frequencies of a rotation of layers.
  void addRotation(const RotarySpec &spec);
  Value addPart(Value to, Value part);
  int64_t getHeads(unsigned part) const {
    return part == 0 ? config.heads : *config.kvHeads;
  }
  bool normsHeads(const LayerKind &kind) const {
    return (config.queryKeyNorm == QueryKeyNorm::Head ||
            config.queryKeyNorm == QueryKeyNorm::EachHead) &&
           (kind.rotary || config.normsUnrotated);
  }

  ModelBuilder &b;
  const DecoderConfig &config;
  /// A copy, in which kinds of layers that share weights say so.
  DecoderKeys keys;
  Value memory, positions, globalTokens;
  SmallVector<std::pair<RotarySpec, Value>> rotations;
  AttentionChange changeAttention;
  /// Inputs for `config.tokenTables`, or null.
  SmallVector<Value> tokenNumbers;
};

} // namespace

//===----------------------------------------------------------------------===//
// Norms
//===----------------------------------------------------------------------===//

/// A weight with `offset` added.
static Value shift(ModelBuilder &b, Value weight, double offset) {
  if (offset == 0)
    return weight;
  return b.map(weight, [&](OpBuilder &n, Location l, ValueRange in) -> Value {
    Value number = arith::ConstantOp::create(
        n, l, n.getFloatAttr(in[0].getType(), offset));
    return arith::AddFOp::create(n, l, in[0], number);
  });
}

/// A norm of the last axis.
static Value normalise(ModelBuilder &b, Value x, const std::string &key,
                       const NormSpec &spec, double eps) {
  if (!spec.centred && !spec.weight)
    return rmsNorm(b, x, Value(), eps);
  if (!spec.centred)
    return b.rmsNorm(x, key, eps, spec.offset);
  int64_t features = cast<RankedTensorType>(x.getType()).getShape().back();
  Value weight, bias;
  if (spec.weight)
    weight = shift(b, b.weight(key + ".weight", {features}), spec.offset);
  if (spec.weight && spec.bias)
    bias = b.weight(key + ".bias", {features});
  return b.layerNorm(x, weight, bias, eps);
}

Value DecoderGraph::buildNorm(Value x, const std::string &key) {
  return key.empty() ? x : normalise(b, x, key, config.norm, config.eps);
}

Value DecoderGraph::buildHeadNorm(Value x, const std::string &key) {
  if (config.queryKeyNorm != QueryKeyNorm::EachHead)
    return normalise(b, x, key, config.headNorm, config.eps);
  auto type = cast<RankedTensorType>(x.getType());
  int64_t heads = type.getDimSize(2), dim = type.getDimSize(3);
  Param weights = llvm::count(key, '*') > 1
                      ? b.expertParam(key + ".weight", heads, {dim})
                      : b.param(key + ".weight", {heads, dim});
  return b.mul(b.layerNorm(x, Value(), Value(), config.eps), b.read(weights));
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// `input` with magnitudes of at most `bound`.
static Value clamp(ModelBuilder &b, Value input, double bound) {
  return b.map(input, [&](OpBuilder &n, Location l, ValueRange in) -> Value {
    auto number = [&](double value) -> Value {
      return arith::ConstantOp::create(n, l,
                                       n.getFloatAttr(in[0].getType(), value));
    };
    Value low = arith::MaximumFOp::create(n, l, in[0], number(-bound));
    return arith::MinimumFOp::create(n, l, low, number(bound));
  });
}

Param DecoderGraph::sliceFused(Param all, unsigned part) {
  static constexpr llvm::StringLiteral names[] = {"query", "key", "value"};
  int64_t dim = *config.headDim, kvHeads = *config.kvHeads;
  int64_t group = config.heads / kvHeads;
  if (config.fusedLayout == FusedLayout::Blocks) {
    int64_t first[] = {0, config.heads, config.heads + kvHeads};
    return b.slice(all, 0, first[part] * dim, getHeads(part) * dim,
                   names[part]);
  }
  SmallVector<int64_t> shape(all.getShape());
  if (config.fusedLayout == FusedLayout::Quarters) {
    static constexpr int64_t places[] = {0, 2, 1};
    int64_t rows = config.heads * dim;
    SmallVector<int64_t> quarters{4, 3, rows / 4};
    quarters.append(shape.begin() + 1, shape.end());
    shape[0] = rows;
    return b.reshape(
        b.slice(b.reshape(all, quarters), 1, places[part], 1, names[part]),
        shape);
  }
  SmallVector<int64_t> apart{kvHeads, group + 2, dim};
  apart.append(shape.begin() + 1, shape.end());
  int64_t first[] = {0, group, group + 1};
  Param rows = b.slice(b.reshape(all, apart), 1, first[part],
                       part == 0 ? group : 1, names[part]);
  shape[0] = getHeads(part) * dim;
  return b.reshape(rows, shape);
}

Value DecoderGraph::buildFused(Value x, unsigned part) {
  int64_t rows = (config.heads + 2 * *config.kvHeads) * *config.headDim;
  Param matrix = b.param(keys.fused + ".weight", {rows, config.hidden});
  Value bias;
  if (config.queryBias)
    bias = b.read(sliceFused(b.param(keys.fused + ".bias", {rows}), part));
  return b.linear(x, b.read(sliceFused(matrix, part)), bias);
}

Value DecoderGraph::buildProjection(Value x, const LayerKind &kind,
                                    unsigned part) {
  const std::string *names[] = {&keys.query, &keys.key, &keys.value};
  const std::string *norms[] = {&keys.queryNorm, &keys.keyNorm, nullptr};
  bool biases[] = {config.queryBias, config.keyBias, config.valueBias};
  int64_t heads = part == 0 ? kind.heads : *config.kvHeads;
  Value result =
      keys.fused.empty()
          ? b.linear(x, *names[part], heads * *config.headDim, biases[part])
          : buildFused(x, part);
  if (norms[part] && config.queryKeyNorm == QueryKeyNorm::Projection)
    result = buildHeadNorm(result, *norms[part]);
  if (config.clip)
    result = clamp(b, result, *config.clip);
  return b.splitHeads(result, heads);
}

Value DecoderGraph::rotate(Value heads, const LayerKind &kind) {
  if (!kind.rotary)
    return heads;
  for (auto &[spec, frequencies] : rotations)
    if (spec == *kind.rotary)
      return b.rotary(heads, positions, frequencies, spec);
  llvm_unreachable("layers' rotations are added in front of them");
}

Value DecoderGraph::growQuery(Value query, double strength, double length,
                              bool counted) {
  OpBuilder &builder = b.getBuilder();
  auto type = cast<RankedTensorType>(query.getType());
  AffineMap all = builder.getMultiDimIdentityMap(4);
  Value empty = tensor::EmptyOp::create(
      builder, b.getLoc(), tensor::getMixedSizes(builder, b.getLoc(), query),
      type.getElementType());
  auto multiply = [&](OpBuilder &n, Location l, ValueRange in) {
    auto number = [&](double value) -> Value {
      return arith::ConstantOp::create(n, l,
                                       n.getFloatAttr(in[0].getType(), value));
    };
    Value place = arith::SIToFPOp::create(n, l, in[0].getType(), in[1]);
    Value count = arith::AddFOp::create(n, l, place, number(counted ? 1 : 0));
    Value chunks = math::FloorOp::create(
        n, l, arith::DivFOp::create(n, l, count, number(length)));
    Value grown = arith::MulFOp::create(
        n, l, math::Log1pOp::create(n, l, chunks), number(strength));
    Value factor = arith::AddFOp::create(n, l, grown, number(1));
    Value product = arith::MulFOp::create(n, l, in[0], factor);
    linalg::YieldOp::create(n, l, product);
  };
  return linalg::GenericOp::create(
             builder, b.getLoc(), type, ValueRange{query, positions}, empty,
             ArrayRef<AffineMap>{all, all.getMajorSubMap(2), all},
             SmallVector<utils::IteratorType>(4, utils::IteratorType::parallel),
             multiply)
      .getResult(0);
}

Value DecoderGraph::openHeads(Value mixed, Value x, const LayerKind &kind) {
  bool perHead = config.opening.isPerHead;
  Value logits =
      b.linear(x, keys.opening, kind.heads * (perHead ? 1 : *config.headDim));
  Value factors = config.opening.isSoftplus ? softplus(b, logits)
                                            : b.activation(logits, "sigmoid");
  return perHead ? b.mergeHeads(scaleRows(b, mixed, factors))
                 : b.mul(b.mergeHeads(mixed), factors);
}

MaskAttr DecoderGraph::getMask(const LayerKind &kind) {
  if (!kind.window)
    return config.causal ? b.causalMask() : b.fullMask();
  if (kind.isChunk)
    return b.causalChunk(*kind.window);
  return config.causal ? b.causalWindow(*kind.window)
                       : b.openWindow(*kind.window);
}

Value DecoderGraph::buildAttention(Value x, const LayerKind &kind) {
  Value query = buildProjection(x, kind, 0);
  Value key = buildProjection(x, kind, 1);
  Value value = buildProjection(x, kind, 2);
  bool normalises = normsHeads(kind);
  for (auto [heads, norm] :
       {std::pair(&query, &keys.queryNorm), std::pair(&key, &keys.keyNorm)}) {
    if (normalises && !config.normsRotated)
      *heads = buildHeadNorm(*heads, *norm);
    *heads = rotate(*heads, kind);
    if (normalises && config.normsRotated)
      *heads = buildHeadNorm(*heads, *norm);
  }
  if (config.growth && !kind.rotary)
    query = growQuery(query, config.growth->strength, config.growth->length,
                      /*counted=*/true);
  if (kind.rotary && kind.rotary->growth != 0)
    query = growQuery(query, kind.rotary->growth,
                      static_cast<double>(kind.rotary->growthLength),
                      /*counted=*/false);
  AttentionOptions options;
  options.mask = getMask(kind);
  options.scale = getScale();
  options.softCap = config.scoreCap;
  options.slopes = config.slopes;
  options.roundsSlopes = config.roundsSlopes;
  if (!keys.sinks.empty())
    options.sinks = b.weight(keys.sinks, {kind.heads});
  options.shownKeys = globalTokens;
  if (changeAttention)
    changeAttention(options);
  Value mixed = b.attention(query, key, value, options);
  mixed =
      keys.opening.empty() ? b.mergeHeads(mixed) : openHeads(mixed, x, kind);
  if (globalTokens)
    mixed = buildGlobal(x, mixed, options);
  mixed = buildNorm(mixed, keys.attentionInnerNorm);
  if (keys.outputBias.empty() || !kind.outputBias)
    return b.linear(mixed, keys.output, config.hidden, kind.outputBias);
  return b.add(b.linear(mixed, keys.output, config.hidden),
               b.weight(keys.outputBias, {config.hidden}));
}

Value DecoderGraph::buildGlobal(Value x, Value mixed,
                                const AttentionOptions &options) {
  AttentionOptions all;
  all.mask = b.fullMask();
  all.scale = options.scale;
  all.onlyQueries = globalTokens;
  Value query = project(x, keys.globalQuery, config.queryBias);
  Value key = project(x, keys.globalKey, config.keyBias);
  Value value = project(x, keys.globalValue, config.valueBias);
  Value seen = b.mergeHeads(b.attention(query, key, value, all));
  return b.chooseRows(globalTokens, seen, mixed);
}

Value DecoderGraph::project(Value x, const std::string &key, bool bias) {
  int64_t rows = config.heads * *config.headDim;
  return b.splitHeads(b.linear(x, key, rows, bias), config.heads);
}

Value DecoderGraph::buildCross(Value x) {
  AttentionOptions options;
  options.mask = b.fullMask();
  options.scale = getScale();
  Value query = project(x, keys.crossQuery, config.queryBias);
  Value key = project(memory, keys.crossKey, config.keyBias);
  Value value = project(memory, keys.crossValue, config.valueBias);
  Value seen = b.mergeHeads(b.attention(query, key, value, options));
  return b.linear(seen, keys.crossOutput, config.hidden, config.outputBias);
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

Value DecoderGraph::buildPlainPerceptron(Value x) {
  if (keys.mlpInnerNorm.empty() && !config.activate)
    return b.mlp(x, keys.mlp, config.inner, config.activation, config.mlpBias);
  auto project = [&](const std::string &key) {
    return b.linear(x, key, config.inner, config.mlpBias);
  };
  auto activate = [&](Value input) {
    return config.activate ? config.activate(input)
                           : b.activation(input, config.activation);
  };
  Value hidden = keys.mlp.gate.empty() ? activate(project(keys.mlp.up))
                                       : b.mul(activate(project(keys.mlp.gate)),
                                               project(keys.mlp.up));
  return b.linear(buildNorm(hidden, keys.mlpInnerNorm), keys.mlp.down,
                  config.hidden, config.mlpBias);
}

Value DecoderGraph::buildPerceptron(Value x, bool sparse) {
  if (sparse)
    return buildMixture(b, x, *config.experts);
  if (keys.gateUp.empty())
    return buildPlainPerceptron(x);
  Param both =
      b.param(keys.gateUp + ".weight", {2 * config.inner, config.hidden});
  Param bias;
  if (config.mlpBias)
    bias = b.param(keys.gateUp + ".bias", {2 * config.inner});
  auto project = [&](int64_t first, StringRef name) {
    Value matrix = b.read(b.slice(both, 0, first, config.inner, name));
    Value shift = config.mlpBias
                      ? b.read(b.slice(bias, 0, first, config.inner, name))
                      : Value();
    return b.linear(x, matrix, shift);
  };
  Value gate = b.activation(project(0, "gate"), config.activation);
  return b.linear(b.mul(gate, project(config.inner, "up")), keys.mlp.down,
                  config.hidden, config.mlpBias);
}

Value DecoderGraph::addPart(Value to, Value part) {
  return b.add(to, b.scale(part, config.residualScale));
}

Value DecoderGraph::buildLayer(const LayerKind &kind, Value x) {
  b.setScope(keys.fused.empty() ? keys.query : keys.fused);
  bool before = !config.normsSums;
  Value input =
      before && kind.normsInput ? buildNorm(x, keys.attentionNorm) : x;
  Value mixed = buildNorm(buildAttention(input, kind), keys.attentionPostNorm);
  if (!config.parallel) {
    x = addPart(config.addsToNorms ? input : x, mixed);
    if (config.normsSums)
      x = buildNorm(x, keys.attentionNorm);
  }
  if (memory) {
    b.setScope(keys.crossQuery);
    x = addPart(x, buildCross(before ? buildNorm(x, keys.crossNorm) : x));
    if (config.normsSums)
      x = buildNorm(x, keys.crossNorm);
  }
  b.setScope(kind.sparse ? config.experts->router.key : keys.mlp.down);
  // What attention read serves both where the perceptron has no norm.
  Value inner = x;
  if (before)
    inner = config.parallel && keys.mlpNorm.empty()
                ? input
                : buildNorm(x, keys.mlpNorm);
  Value fed = buildNorm(buildPerceptron(inner, kind.sparse), keys.mlpPostNorm);
  if (config.parallel)
    return addPart(addPart(x, mixed), fed);
  x = addPart(config.addsToNorms ? inner : x, fed);
  return config.normsSums ? buildNorm(x, keys.mlpNorm) : x;
}

/// All keys of `keys` with `by` in place of `*`.
static void replaceStars(DecoderKeys &keys, const std::string &by) {
  for (std::string *key : {&keys.layer, &keys.attentionNorm, &keys.mlpNorm,
                           &keys.query, &keys.key, &keys.value, &keys.output,
                           &keys.mlp.up, &keys.mlp.down, &keys.mlp.gate})
    if (size_t star = key->find('*'); star != std::string::npos)
      key->replace(star, 1, by);
}

/// The kind of each layer.
static SmallVector<LayerKind> getLayers(const DecoderConfig &config) {
  SmallVector<LayerKind> layers;
  for (auto [layer, window] : llvm::enumerate(config.windows)) {
    LayerKind &kind = layers.emplace_back();
    kind.window = window;
    kind.isChunk = !config.chunked.empty() && config.chunked[layer];
    kind.sparse =
        config.experts && (config.sparse.empty() || config.sparse[layer]);
    kind.normsInput = config.unnormed.empty() || !config.unnormed[layer];
    kind.outputBias = config.outputBiases.empty() ? config.outputBias
                                                  : config.outputBiases[layer];
    kind.heads =
        config.layerHeads.empty() ? config.heads : config.layerHeads[layer];
    if (!config.sharedLayers.empty())
      kind.shared = config.sharedLayers[layer];
    bool rotates = config.rotates &&
                   (config.unrotated.empty() || !config.unrotated[layer]);
    if (rotates && !config.layerRotary.empty())
      kind.rotary = config.layerRotary[layer];
    else if (rotates)
      kind.rotary =
          window && config.windowRotary ? *config.windowRotary : config.rotary;
  }
  return layers;
}

void DecoderGraph::addRotation(const RotarySpec &spec) {
  rotations.emplace_back(spec, b.frequencies(spec));
}

Value DecoderGraph::buildLayers(Value x) {
  // Kinds are numbered in the order they come.
  SmallVector<LayerKind> layers = getLayers(config), kinds;
  SmallVector<int32_t> order = numberKinds<LayerKind>(layers, kinds);
  SmallVector<RotarySpec> specs;
  for (const LayerKind &kind : kinds)
    if (kind.rotary && !llvm::is_contained(specs, *kind.rotary)) {
      specs.push_back(*kind.rotary);
      addRotation(*kind.rotary);
    }
  return b.stack(x, order, [&](int32_t kind, Value input) {
    DecoderKeys ofAll = keys;
    if (!kinds[kind].shared.empty())
      replaceStars(keys, kinds[kind].shared);
    Value output = buildLayer(kinds[kind], input);
    keys = std::move(ofAll);
    return output;
  });
}

void DecoderGraph::addInputs() {
  if (!keys.globalTokens.empty())
    globalTokens = b.addOptionalInput(keys.globalTokens);
  // A step has no such inputs.
  for (const TokenTable &table : config.tokenTables)
    tokenNumbers.push_back(
        config.causal ? Value() : b.addOptionalInput(table.input, table.rows));
}

/// A row of sinusoids for each of `rows` positions.
static std::vector<float> getSinusoids(int64_t rows, int64_t features) {
  std::vector<float> table;
  int64_t sines = (features + 1) / 2;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < features; ++i) {
      int64_t number = i < sines ? i : i - sines;
      double angle =
          row / std::pow(10000.0, 2.0 * number / static_cast<double>(features));
      table.push_back(i < sines ? std::sin(angle) : std::cos(angle));
    }
  return table;
}

/// Numbers of rows of positions, behind that of the token `padding`, which
/// others do not count.
static Value countTokens(ModelBuilder &b, Value ids, int64_t padding) {
  Type i32 = b.getBuilder().getI32Type();
  Value none = arith::ConstantOp::create(
      b.getBuilder(), b.getLoc(),
      DenseElementsAttr::get(RankedTensorType::get({1}, i32),
                             static_cast<int32_t>(padding)));
  auto step = [&](OpBuilder &n, Location l, ValueRange now,
                  ValueRange before) -> SmallVector<Value> {
    Value first = arith::ConstantIndexOp::create(n, l, 0);
    Value token = tensor::ExtractOp::create(n, l, now[0], ValueRange());
    Value last = tensor::ExtractOp::create(n, l, before[0], first);
    Value skipped = arith::ConstantIntOp::create(n, l, padding, 32);
    Value counts =
        arith::CmpIOp::create(n, l, arith::CmpIPredicate::ne, token, skipped);
    Value next = arith::AddIOp::create(
        n, l, last, arith::ConstantIntOp::create(n, l, 1, 32));
    Value count = arith::SelectOp::create(n, l, counts, next, last);
    Value number = arith::SelectOp::create(n, l, counts, count, skipped);
    Value output = tensor::FromElementsOp::create(
        n, l, RankedTensorType::get({}, n.getI32Type()), number);
    Value after = tensor::FromElementsOp::create(
        n, l, RankedTensorType::get({1}, n.getI32Type()), count);
    return {output, after};
  };
  return buildScan(b, ids, none, {SmallVector<int64_t>{}}, step).front();
}

Value DecoderGraph::buildPositions(Value ids) {
  int64_t features =
      config.projectsSum ? getTableFeatures() : int64_t(config.hidden);
  int64_t offset = config.positionOffset, rows = config.trainedLength;
  std::string key = keys.positions + ".weight";
  if (config.sinusoids && !b.hasTensor(key)) {
    Param table = b.constant(keys.positions, getSinusoids(rows, features),
                             {rows, features});
    return b.embedding(positions, b.read(table));
  }
  Param all = b.param(key, {rows + offset, features});
  if (config.skipsPadding)
    return b.embedding(countTokens(b, ids, offset - 1), b.read(all));
  if (offset != 0)
    all = b.slice(all, 0, offset, rows, "rows");
  return b.embedding(positions, b.read(all));
}

Value DecoderGraph::readTable(const TokenTable &table, Value numbers) {
  int64_t features =
      config.projectsSum ? getTableFeatures() : int64_t(config.hidden);
  Param all = b.param(table.key + ".weight", {table.rows, features});
  if (numbers)
    return b.embedding(numbers, b.read(all));
  return b.read(b.reshape(b.slice(all, 0, 0, 1, "first"), {features}));
}

Value DecoderGraph::buildEmbedding(Value ids, const std::string &table) {
  b.setScope(keys.embed);
  if (config.prepareAttention)
    changeAttention = config.prepareAttention(ids);
  Value x = b.embedding(ids, table, config.vocabSize, getTableFeatures());
  x = b.scale(x, config.embeddingScale);
  if (!keys.projectIn.empty() && !config.projectsSum)
    x = b.linear(x, keys.projectIn, config.hidden);
  if (config.normsTokens)
    x = buildNorm(x, keys.embedNorm);
  positions = b.positions(ids);
  if (config.addPositions)
    x = config.addPositions(
        x, config.skipsPadding ? countTokens(b, ids, config.positionOffset - 1)
                               : positions);
  if (!keys.positions.empty())
    x = b.add(x, buildPositions(ids));
  for (auto [table, numbers] : llvm::zip(config.tokenTables, tokenNumbers))
    x = b.add(x, readTable(table, numbers));
  if (!config.normsTokens)
    x = buildNorm(x, keys.embedNorm);
  if (!keys.projectIn.empty() && config.projectsSum)
    x = b.linear(x, keys.projectIn, config.hidden, /*bias=*/true);
  return x;
}

Value DecoderGraph::readHeadBias() {
  std::string key = keys.headBias.empty() ? keys.head + ".bias" : keys.headBias;
  int64_t rows = config.vocabSize;
  // Some have an axis of one in front.
  if (auto extents = b.getExtents(key); extents && extents->size() == 2)
    return b.read(b.reshape(b.param(key, {1, rows}), {rows}));
  return b.weight(key, {rows});
}

Value DecoderGraph::buildHead(Value x, const std::string &table) {
  b.setScope(keys.finalNorm);
  x = buildNorm(x, keys.finalNorm);
  int64_t features = getTableFeatures();
  if (!keys.projectOut.empty())
    x = b.linear(x, keys.projectOut, features);
  if (table.empty())
    return x;
  if (!keys.transform.empty()) {
    x = b.linear(x, keys.transform, features, config.transformBias);
    x = buildNorm(b.activation(x, config.transformActivation),
                  keys.transformNorm);
  }
  Value bias;
  if (config.headBias)
    bias = readHeadBias();
  x = b.linear(x, b.weight(table, {config.vocabSize, features}), bias);
  x = b.scale(x, config.logitScale);
  return config.logitCap == 0 ? x : b.softCap(x, config.logitCap);
}

/// What is said of a model of these options.
static ModelFacts getFacts(const DecoderConfig &config,
                           const DecoderKeys &keys) {
  ModelFacts facts;
  facts.vocabSize = config.vocabSize;
  facts.maxLength = config.trainedLength;
  facts.lengthIsFixed = !keys.positions.empty();
  facts.bos = config.bos;
  facts.eos = config.eos;
  return facts;
}

ModelFacts weir::buildDecoder(ModelBuilder &b, ConfigReader &reader,
                              const FamilyRequest &request,
                              const DecoderKeys &keys, DecoderConfig &config) {
  ModelFacts facts = getFacts(config, keys);
  reader.finish();
  if (reader.hasFailed())
    return facts;
  TokenTables tables =
      resolveTables(b.getCheckpoint(), keys.embed + ".weight",
                    keys.head + ".weight", config.tied && request.hasHead);
  DecoderGraph graph(b, config, keys);
  Value ids = b.beginForward();
  graph.addInputs();
  Value x = graph.buildEmbedding(ids, tables.embedding);
  x = graph.buildLayers(x);
  x = graph.buildHead(x, request.hasHead ? tables.head : "");
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", x);
  return facts;
}

ModelFacts weir::buildEncoderDecoder(ModelBuilder &b, ConfigReader &reader,
                                     const FamilyRequest &request,
                                     DecoderSpec &encoder,
                                     DecoderSpec &decoder) {
  // Where there is a decoder, lengths and tokens are its own.
  const DecoderSpec &last = request.encoderOnly ? encoder : decoder;
  ModelFacts facts = getFacts(last.config, last.keys);
  facts.hasEncoder = !request.encoderOnly;
  facts.decoderStart = last.config.decoderStart;
  facts.forcedEos = last.config.forcedEos;
  reader.finish(/*hasEncoder=*/true);
  if (reader.hasFailed())
    return facts;
  DecoderGraph reading(b, encoder.config, encoder.keys);
  Value ids = b.beginForward();
  if (!request.encoderOnly && !encoder.keys.positions.empty())
    b.limitLengths(encoder.config.trainedLength);
  reading.addInputs();
  Value x = reading.buildEmbedding(ids, encoder.keys.embed + ".weight");
  x = reading.buildHead(reading.buildLayers(x), "");
  if (request.encoderOnly) {
    b.endForward("last_hidden_state", x);
    return facts;
  }
  Value written = b.addSequence("decoder_", /*limit=*/0);
  DecoderGraph writing(b, decoder.config, decoder.keys, /*memory=*/x);
  TokenTables tables = resolveTables(
      b.getCheckpoint(), decoder.keys.embed + ".weight",
      decoder.keys.head + ".weight", decoder.config.tied && request.hasHead);
  Value y = writing.buildEmbedding(written, tables.embedding);
  y = writing.buildHead(writing.buildLayers(y),
                        request.hasHead ? tables.head : "");
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", y);
  return facts;
}
