//===- DecoderGraph.cpp - Graphs of decoders -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
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

  bool operator==(const LayerKind &other) const {
    return window == other.window && isChunk == other.isChunk &&
           sparse == other.sparse && normsInput == other.normsInput &&
           outputBias == other.outputBias && heads == other.heads &&
           rotary == other.rotary;
  }
};

/// Builds the parts of a decoder.
class DecoderGraph {
public:
  DecoderGraph(ModelBuilder &builder, const DecoderConfig &config,
               const DecoderKeys &keys)
      : b(builder), config(config), keys(keys) {}

  Value buildEmbedding(Value ids, const std::string &table);
  /// Builds the frequencies of a rotation of layers.
  void addRotation(const RotarySpec &spec);
  /// Names the tokens that see all.
  void setGlobalTokens(Value tokens) { globalTokens = tokens; }
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
  /// What tokens that see all give in place of `mixed`, of all other tokens.
  Value buildGlobal(Value x, Value mixed, const AttentionOptions &options);
  Value buildPerceptron(Value x, bool sparse);
  /// One of a matrix or two in front of its activation, not of one for both.
  Value buildPlainPerceptron(Value x);
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
  const DecoderKeys &keys;
  Value tokens, positions, globalTokens;
  SmallVector<std::pair<RotarySpec, Value>> rotations;
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
  options.scale = config.attentionScale.value_or(
      1.0 / std::sqrt(static_cast<double>(*config.headDim)));
  options.softCap = config.scoreCap;
  options.slopes = config.slopes;
  options.roundsSlopes = config.roundsSlopes;
  if (!keys.sinks.empty())
    options.sinks = b.weight(keys.sinks, {kind.heads});
  options.shownKeys = globalTokens;
  if (config.changeAttention)
    config.changeAttention(tokens, options);
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
  auto project = [&](const std::string &key, bool bias) {
    int64_t rows = config.heads * *config.headDim;
    return b.splitHeads(b.linear(x, key, rows, bias), config.heads);
  };
  Value query = project(keys.globalQuery, config.queryBias);
  Value key = project(keys.globalKey, config.keyBias);
  Value value = project(keys.globalValue, config.valueBias);
  Value seen = b.mergeHeads(b.attention(query, key, value, all));
  return b.chooseRows(globalTokens, seen, mixed);
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

Value DecoderGraph::buildEmbedding(Value ids, const std::string &table) {
  b.setScope(keys.embed);
  tokens = ids;
  int64_t features = keys.projectIn.empty() ? config.hidden : config.embedding;
  Value x = b.embedding(ids, table, config.vocabSize, features);
  x = b.scale(x, config.embeddingScale);
  if (!keys.projectIn.empty())
    x = b.linear(x, keys.projectIn, config.hidden);
  positions = b.positions(ids);
  if (config.addPositions)
    x = config.addPositions(x, positions);
  if (!keys.positions.empty()) {
    int64_t offset = config.positionOffset, rows = config.trainedLength;
    Param all =
        b.param(keys.positions + ".weight", {rows + offset, config.hidden});
    if (offset != 0)
      all = b.slice(all, 0, offset, rows, "rows");
    x = b.add(x, b.embedding(positions, b.read(all)));
  }
  if (!keys.segments.empty()) {
    Param all =
        b.param(keys.segments + ".weight", {config.segments, config.hidden});
    x = b.add(
        x, b.read(b.reshape(b.slice(all, 0, 0, 1, "first"), {config.hidden})));
  }
  return buildNorm(x, keys.embedNorm);
}

void DecoderGraph::addRotation(const RotarySpec &spec) {
  rotations.emplace_back(spec, b.frequencies(spec));
}

Value DecoderGraph::buildHead(Value x, const std::string &table) {
  b.setScope(keys.finalNorm);
  x = buildNorm(x, keys.finalNorm);
  int64_t features = config.hidden;
  if (!keys.projectOut.empty()) {
    features = config.embedding;
    x = b.linear(x, keys.projectOut, features);
  }
  if (table.empty())
    return x;
  if (!keys.transform.empty()) {
    x = b.linear(x, keys.transform, features, config.transformBias);
    x = buildNorm(b.activation(x, config.transformActivation),
                  keys.transformNorm);
  }
  std::string biasKey =
      keys.headBias.empty() ? keys.head + ".bias" : keys.headBias;
  Value bias =
      config.headBias ? b.weight(biasKey, {config.vocabSize}) : Value();
  x = b.linear(x, b.weight(table, {config.vocabSize, features}), bias);
  x = b.scale(x, config.logitScale);
  return config.logitCap == 0 ? x : b.softCap(x, config.logitCap);
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

ModelFacts weir::buildDecoder(ModelBuilder &b, ConfigReader &reader,
                              const FamilyRequest &request,
                              const DecoderKeys &keys, DecoderConfig &config) {
  ModelFacts facts;
  facts.vocabSize = config.vocabSize;
  facts.maxLength = config.trainedLength;
  facts.lengthIsFixed = !keys.positions.empty();
  facts.bos = config.bos;
  facts.eos = config.eos;
  reader.finish();
  if (reader.hasFailed())
    return facts;

  // Kinds are numbered in the order they come.
  SmallVector<LayerKind> layers = getLayers(config), kinds;
  SmallVector<int32_t> order = numberKinds<LayerKind>(layers, kinds);

  TokenTables tables =
      resolveTables(b.getCheckpoint(), keys.embed + ".weight",
                    keys.head + ".weight", config.tied && request.hasHead);
  DecoderGraph graph(b, config, keys);
  Value ids = b.beginForward();
  if (!keys.globalTokens.empty())
    graph.setGlobalTokens(b.addOptionalInput(keys.globalTokens));
  Value x = graph.buildEmbedding(ids, tables.embedding);
  SmallVector<RotarySpec> rotations;
  for (const LayerKind &kind : kinds)
    if (kind.rotary && !llvm::is_contained(rotations, *kind.rotary)) {
      rotations.push_back(*kind.rotary);
      graph.addRotation(*kind.rotary);
    }
  x = b.stack(x, order, [&](int32_t kind, Value input) {
    return graph.buildLayer(kinds[kind], input);
  });
  x = graph.buildHead(x, request.hasHead ? tables.head : "");
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", x);
  return facts;
}
