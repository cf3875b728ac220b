//===- AttentionWeights.cpp - What scores weigh, and sums of values -*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The softmax goes block by block with a running maximum: sums so far are
// multiplied with exp(old maximum - new maximum). A row without keys has the
// sum 0 and gives zeros. Maxima start at the lowest finite number instead of
// -inf, hidden scores are -inf: no difference of infinities is exponentiated.
//
// Stick-breaking takes keys in the order of their positions. Each takes its
// share of what later ones left, so that a block multiplies the sum of those
// before it with what it leaves, the product of 1 - sigmoid(score).
//
//===----------------------------------------------------------------------===//

#include "AttentionTiler.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "weir/IR/ReferenceBuilders.h"

using namespace mlir;
using namespace weir;
using utils::IteratorType;

Value AttentionTiles::hiddenScore() {
  return normalize == AttentionNormalize::None ? zero() : minusInfinity();
}

/// The maps of scores and of a number per column, and the loops along keys.
namespace {
struct Axes {
  explicit Axes(AttentionTiles &t)
      : all(t.map(2, {0, 1})), stat(t.map(2, {t.flash ? 1u : 0u})),
        one(t.map(1, {0})),
        alongKeys{IteratorType::reduction, IteratorType::parallel} {
    if (!t.flash)
      std::swap(alongKeys[0], alongKeys[1]);
  }
  AffineMap all, stat, one;
  SmallVector<IteratorType> alongKeys;
};
} // namespace

AttentionTiles::Weights AttentionTiles::buildSoftmax(Value scores,
                                                     ValueRange carry) {
  Axes axes(*this);

  // Along the outer axis a comparison and a choice are one instruction; within
  // a vector the reduction must be an operation that may be reordered.
  Value blockMaximum =
      generic(scores, fill(lowest(), empty(columns)), {axes.all, axes.stat},
              axes.alongKeys,
              [&](OpBuilder &b, Location l, ValueRange args) {
                Value larger;
                if (flash) {
                  Value above = arith::CmpFOp::create(
                      b, l, arith::CmpFPredicate::OGT, args[0], args[1]);
                  larger =
                      arith::SelectOp::create(b, l, above, args[0], args[1]);
                } else {
                  larger = arith::MaximumFOp::create(b, l, args[1], args[0]);
                }
                linalg::YieldOp::create(b, l, larger);
              })
          .getResult(0);
  auto stats = generic(
      blockMaximum, {empty(columns), carry[Maximum], carry[Sum]},
      SmallVector<AffineMap>(4, axes.one), {IteratorType::parallel},
      [&](OpBuilder &b, Location l, ValueRange args) {
        Value above = arith::CmpFOp::create(b, l, arith::CmpFPredicate::OGT,
                                            args[0], args[2]);
        Value maximum = arith::SelectOp::create(b, l, above, args[0], args[2]);
        Value rescale = math::ExpOp::create(
            b, l, arith::SubFOp::create(b, l, args[2], maximum));
        Value sum = arith::MulFOp::create(b, l, args[3], rescale);
        linalg::YieldOp::create(b, l, ValueRange{rescale, maximum, sum});
      });
  Value rescale = stats.getResult(0), maximum = stats.getResult(1);
  auto weights = generic(
      maximum, {scores, stats.getResult(2)}, {axes.stat, axes.all, axes.stat},
      axes.alongKeys, [&](OpBuilder &b, Location l, ValueRange args) {
        Value weight = math::ExpOp::create(
            b, l, arith::SubFOp::create(b, l, args[1], args[0]));
        // The order of the sum is free, so that it may run in vectors.
        Value sum = arith::AddFOp::create(b, l, args[2], weight,
                                          arith::FastMathFlags::reassoc);
        linalg::YieldOp::create(b, l, ValueRange{weight, sum});
      });
  return {weights.getResult(0), rescale, maximum, weights.getResult(1)};
}

Value AttentionTiles::buildSigmoid(Value scores) {
  return generic({}, scores, {map(2, {0, 1})},
                 SmallVector<IteratorType>(2, IteratorType::parallel),
                 [&](OpBuilder &b, Location l, ValueRange args) {
                   Value sigmoid = weir::buildSigmoid(b, l, args[0]);
                   linalg::YieldOp::create(b, l, sigmoid);
                 })
      .getResult(0);
}

AttentionTiles::Weights AttentionTiles::buildIndependent(Value scores,
                                                         ValueRange carry) {
  if (normalize == AttentionNormalize::Sigmoid)
    scores = buildSigmoid(scores);
  return {scores, Value(), carry[Maximum], carry[Sum]};
}

AttentionTiles::Weights AttentionTiles::buildStickBreaking(Value scores,
                                                           Value count,
                                                           ValueRange carry) {
  Value shares = buildSigmoid(scores);
  Value left = fill(number(1.0), empty(columns));
  auto loop = scf::ForOp::create(
      builder, loc, constant(0), count, constant(1), ValueRange{shares, left},
      [](OpBuilder &, Location, Value, ValueRange) {});
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(loop.getBody());
    Value row = sub(sub(count, constant(1)), loop.getInductionVar());
    Value before = loop.getRegionIterArgs()[0];
    Value rest = loop.getRegionIterArgs()[1];
    SmallVector<OpFoldResult> offsets{row, builder.getIndexAttr(0)};
    SmallVector<OpFoldResult> sizes{builder.getIndexAttr(1),
                                    builder.getIndexAttr(columns)};
    SmallVector<OpFoldResult> strides(2, builder.getIndexAttr(1));
    if (!flash) {
      std::swap(offsets[0], offsets[1]);
      std::swap(sizes[0], sizes[1]);
    }
    Value share = tensor::ExtractSliceOp::create(
        builder, loc, RankedTensorType::get(columns, compute), before, offsets,
        sizes, strides);
    AffineMap one = map(1, {0});
    auto taken =
        generic({}, {share, rest}, {one, one}, {IteratorType::parallel},
                [&](OpBuilder &b, Location l, ValueRange args) {
                  Value weight = arith::MulFOp::create(b, l, args[0], args[1]);
                  Value less = arith::SubFOp::create(b, l, args[1], weight);
                  linalg::YieldOp::create(b, l, ValueRange{weight, less});
                });
    Value after = tensor::InsertSliceOp::create(
        builder, loc, taken.getResult(0), before, offsets, sizes, strides);
    scf::YieldOp::create(builder, loc, ValueRange{after, taken.getResult(1)});
  }
  Value rest = loop.getResult(1);
  AffineMap one = map(1, {0});
  Value sum = generic(rest, carry[Sum], {one, one}, {IteratorType::parallel},
                      [](OpBuilder &b, Location l, ValueRange args) {
                        Value product =
                            arith::MulFOp::create(b, l, args[1], args[0]);
                        linalg::YieldOp::create(b, l, product);
                      })
                  .getResult(0);
  return {loop.getResult(0), rest, carry[Maximum], sum};
}

SmallVector<Value> AttentionTiles::buildCarry(int64_t valueDim) {
  SmallVector<int64_t> shape{valueDim, columns};
  if (!flash)
    std::swap(shape[0], shape[1]);
  // What later keys leave is a product.
  bool isProduct = normalize == AttentionNormalize::StickBreaking;
  return {fill(lowest(), empty(columns)),
          fill(number(isProduct ? 1.0 : 0.0), empty(columns)),
          fill(zero(), empty(shape))};
}

Value AttentionTiles::rescaleAccumulator(const Weights &made,
                                         ValueRange carry) {
  if (!made.rescale)
    return carry[Accumulator];
  Axes axes(*this);
  return generic(made.rescale, carry[Accumulator], {axes.stat, axes.all},
                 SmallVector<IteratorType>(2, IteratorType::parallel),
                 [&](OpBuilder &b, Location l, ValueRange args) {
                   Value scaled = arith::MulFOp::create(b, l, args[1], args[0]);
                   linalg::YieldOp::create(b, l, scaled);
                 })
      .getResult(0);
}

SmallVector<Value> AttentionTiles::buildUpdate(Value scores,
                                               const KeyBlock &block,
                                               ValueRange carry) {
  Weights made;
  switch (normalize) {
  case AttentionNormalize::Softmax:
    made = buildSoftmax(scores, carry);
    break;
  case AttentionNormalize::StickBreaking:
    made = buildStickBreaking(scores, block.count, carry);
    break;
  case AttentionNormalize::Sigmoid:
  case AttentionNormalize::None:
    made = buildIndependent(scores, carry);
    break;
  }
  Value accumulator = rescaleAccumulator(made, carry);
  if (flash)
    accumulator =
        multiply(block.value, {2, 0}, made.weights, {2, 1}, accumulator);
  else
    accumulator =
        multiply(made.weights, {0, 2}, block.value, {2, 1}, accumulator);
  return {made.maximum, made.sum, accumulator};
}

Value AttentionTiler::buildInverse(Value sum) {
  return generic(
             {}, sum, {map(1, {0})}, {IteratorType::parallel},
             [&](OpBuilder &b, Location l, ValueRange args) {
               // attention_c5
               Value none = arith::ConstantOp::create(
                   b, l, b.getFloatAttr(compute, 0.0));
               Value unit = arith::ConstantOp::create(
                   b, l, b.getFloatAttr(compute, 1.0));
               Value isNone = arith::CmpFOp::create(
                   b, l, arith::CmpFPredicate::OEQ, args[0], none);
               Value reciprocal = arith::DivFOp::create(b, l, unit, args[0]);
               linalg::YieldOp::create(b, l,
                                       ValueRange{arith::SelectOp::create(
                                           b, l, isNone, none, reciprocal)});
             })
      .getResult(0);
}

Value AttentionTiler::getSinks(ValueRange point) {
  return tensor::ExtractSliceOp::create(
      builder, loc, RankedTensorType::get(group, element), op.getSinks(),
      SmallVector<OpFoldResult>{mul(point[1], group)},
      SmallVector<OpFoldResult>{builder.getIndexAttr(group)},
      SmallVector<OpFoldResult>{builder.getIndexAttr(1)});
}

Value AttentionTiler::expandColumns(Value columns) {
  SmallVector<ReassociationIndices> split{{0, 1}};
  return tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get({group, queries}, compute), columns,
      split);
}

std::pair<Value, Value> AttentionTiler::addSink(OpBuilder &b, Value maximum,
                                                Value sum, Value sink) {
  sink = convert(b, sink, compute);
  // Without keys the maximum is the lowest number, and the sink is above it.
  Value above =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, sink, maximum);
  Value larger = arith::SelectOp::create(b, loc, above, sink, maximum);
  auto rescale = [&](Value from) -> Value {
    return math::ExpOp::create(b, loc,
                               arith::SubFOp::create(b, loc, from, larger));
  };
  Value keys = arith::MulFOp::create(b, loc, sum, rescale(maximum));
  Value total = arith::AddFOp::create(b, loc, keys, rescale(sink));
  return {larger, total};
}

Value AttentionTiler::buildInverse(Value maximum, Value sum, ValueRange point) {
  return generic({maximum, getSinks(point)}, sum,
                 {map(2, {0, 1}), map(2, {0}), map(2, {0, 1})},
                 {IteratorType::parallel, IteratorType::parallel},
                 [&](OpBuilder &b, Location l, ValueRange args) {
                   auto [larger, total] = addSink(b, args[0], args[2], args[1]);
                   Value factor = math::ExpOp::create(
                       b, l, arith::SubFOp::create(b, l, args[0], larger));
                   linalg::YieldOp::create(
                       b, l,
                       ValueRange{arith::DivFOp::create(b, l, factor, total)});
                 })
      .getResult(0);
}

Value AttentionTiler::buildInverse(ValueRange carry, ValueRange point) {
  if (op.getNormalize() != AttentionNormalize::Softmax)
    return fill(number(1.0), empty({group, queries}));
  if (op.getSinks())
    return buildInverse(expandColumns(carry[Maximum]),
                        expandColumns(carry[Sum]), point);
  return expandColumns(buildInverse(carry[Sum]));
}

Value AttentionTiler::buildLogSums(ValueRange carry, ValueRange point) {
  SmallVector<Value> inputs{expandColumns(carry[Maximum]),
                            expandColumns(carry[Sum])};
  SmallVector<AffineMap> maps(2, map(2, {0, 1}));
  if (op.getSinks()) {
    inputs.push_back(getSinks(point));
    maps.push_back(map(2, {0}));
  }
  maps.push_back(map(2, {0, 1}));
  return generic(inputs, empty({group, queries}), maps,
                 {IteratorType::parallel, IteratorType::parallel},
                 [&](OpBuilder &b, Location l, ValueRange args) {
                   Value maximum = args[0], sum = args[1];
                   if (op.getSinks())
                     std::tie(maximum, sum) = addSink(b, maximum, sum, args[2]);
                   // attention_c15
                   Value logarithm = math::LogOp::create(b, l, sum);
                   linalg::YieldOp::create(b, l,
                                           ValueRange{arith::AddFOp::create(
                                               b, l, maximum, logarithm)});
                 })
      .getResult(0);
}
