//===- DecoderAttention.cpp - Attention of decoders -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DecoderGraph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/Frontend/LinearLayers.h"

using namespace mlir;
using namespace weir;

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
