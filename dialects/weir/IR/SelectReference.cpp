//===- SelectReference.cpp - Plain definitions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every block is ranked by how many are better, and chosen if fewer than n are;
// its place in the list is the number of chosen ones before it.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"
#include <limits>

using namespace mlir;
using namespace weir;
using arith::CmpIPredicate;

namespace {
/// Builds the parts of the definition.
struct Selection {
  Selection(SelectBlocksOp op, OpBuilder &builder);

  Value compare(OpBuilder &b, CmpIPredicate predicate, Value x, Value y) {
    return arith::CmpIOp::create(b, loc, predicate, x, y);
  }
  Value index(OpBuilder &b, unsigned axis) {
    return linalg::IndexOp::create(b, loc, axis);
  }
  Value times(OpBuilder &b, Value x, int64_t y) {
    return arith::MulIOp::create(b, loc, x, buildIndex(b, loc, y));
  }
  Value plus(OpBuilder &b, Value x, int64_t y) {
    return arith::AddIOp::create(b, loc, x, buildIndex(b, loc, y));
  }
  /// The position of query `time` of row `batch`.
  Value getPosition(OpBuilder &b, Value batch, Value time);
  /// The last position of `block`.
  Value getLast(OpBuilder &b, Value block) {
    return plus(b, times(b, block, size), size - 1);
  }
  /// The position from which on `block` has a score.
  Value getScored(OpBuilder &b, Value block) {
    return op.getPool() == SelectPool::Max ? times(b, block, size)
                                           : getLast(b, block);
  }
  /// Products of queries and what stands for blocks, [batch, time, heads,
  /// blocks]; minus infinity where a block has no score.
  Value buildProducts();
  /// The largest product of each block.
  Value buildLargest();
  /// What each head's product counts for.
  Value buildParts(Value products);
  /// The adjusted scores, [batch, time, lists, blocks].
  Value buildScores(Value parts);
  /// Of each block, a number of blocks for which `counts` holds of the scores
  /// and numbers of the two, the block itself first.
  using Counts =
      llvm::function_ref<Value(OpBuilder &, ValueRange, Value, Value)>;
  Value count(ValueRange inputs, Counts counts);
  Value buildList(Value scores);

  SelectBlocksOp op;
  OpBuilder &builder;
  Location loc;
  FloatType type;
  int64_t size;
  SmallVector<OpFoldResult> sizes;
  OpFoldResult blocks;
  Value least;
};
} // namespace

Selection::Selection(SelectBlocksOp op, OpBuilder &builder)
    : op(op), builder(builder), loc(op.getLoc()),
      type(getAccumulatorType(
          cast<RankedTensorType>(op.getQuery().getType()).getElementType())),
      size(op.getBlockSize()),
      sizes(tensor::getMixedSizes(builder, loc, op.getQuery())) {
  Value keys = getValueOrCreateConstantIndexOp(
      builder, loc, tensor::getMixedSize(builder, loc, op.getKey(), TimeAxis));
  blocks = getAsOpFoldResult(arith::CeilDivUIOp::create(
      builder, loc, keys, buildIndex(builder, loc, size)));
  least =
      buildFloat(builder, loc, type, -std::numeric_limits<double>::infinity());
}

Value Selection::getPosition(OpBuilder &b, Value batch, Value time) {
  if (!op.getOffset())
    return time;
  return arith::AddIOp::create(
      b, loc, buildReadIndex(b, loc, op.getOffset(), batch), time);
}

Value Selection::buildLargest() {
  auto key = cast<RankedTensorType>(op.getKey().getType());
  int64_t group =
      cast<RankedTensorType>(op.getQuery().getType()).getDimSize(2) /
      key.getDimSize(2);
  Value keys = getValueOrCreateConstantIndexOp(
      builder, loc, tensor::getMixedSize(builder, loc, op.getKey(), TimeAxis));
  Value lastKey =
      arith::SubIOp::create(builder, loc, keys, buildIndex(builder, loc, 1));
  // Loops: batch, time, head, block, key of the block, feature.
  SmallVector<OpFoldResult> extents{sizes[0], sizes[1], sizes[2], blocks,
                                    builder.getIndexAttr(size)};
  auto place = [&](OpBuilder &b) {
    return arith::AddIOp::create(b, loc, times(b, index(b, 3), size),
                                 index(b, 4));
  };
  Value products = buildReduction(
      builder, loc, extents, buildFloat(builder, loc, type, 0),
      getAxesMap(builder, 6, {0, 1, 2, 3, 4}), op.getQuery(),
      getAxesMap(builder, 6, {0, 1, 2, 5}),
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        // A last block may end behind the keys.
        Value at = arith::MinUIOp::create(b, l, place(b), lastKey);
        Value head =
            arith::DivUIOp::create(b, l, index(b, 2), buildIndex(b, l, group));
        Value k = tensor::ExtractOp::create(
            b, l, op.getKey(), ValueRange{index(b, 0), at, head, index(b, 5)});
        return arith::AddFOp::create(
            b, l, in[1],
            arith::MulFOp::create(b, l, convertFloat(b, l, in[0], type),
                                  convertFloat(b, l, k, type)));
      });
  // Loops: batch, time, head, block, key of the block.
  return buildReduction(
      builder, loc, ArrayRef(extents).drop_back(), least,
      getAxesMap(builder, 5, {0, 1, 2, 3}), products,
      builder.getMultiDimIdentityMap(5),
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value scaled = arith::MulFOp::create(
            b, l, in[0],
            buildFloat(b, l, type, op.getScale().convertToDouble()));
        Value isSeen = compare(b, CmpIPredicate::sle, place(b),
                               getPosition(b, index(b, 0), index(b, 1)));
        Value largest = arith::MaximumFOp::create(b, l, in[1], scaled);
        return arith::SelectOp::create(b, l, isSeen, largest, in[1]);
      });
}

Value Selection::buildProducts() {
  if (op.getPool() == SelectPool::Max)
    return buildLargest();
  auto key = cast<RankedTensorType>(op.getKey().getType());
  int64_t group =
      cast<RankedTensorType>(op.getQuery().getType()).getDimSize(2) /
      key.getDimSize(2);
  Value lastKey = arith::SubIOp::create(
      builder, loc,
      getValueOrCreateConstantIndexOp(
          builder, loc,
          tensor::getMixedSize(builder, loc, op.getKey(), TimeAxis)),
      buildIndex(builder, loc, 1));
  SmallVector<OpFoldResult> extents{sizes[0], sizes[1], sizes[2], blocks};
  Value sums = buildReduction(
      builder, loc, extents, buildFloat(builder, loc, type, 0),
      getAxesMap(builder, 5, {0, 1, 2, 3}), op.getQuery(),
      getAxesMap(builder, 5, {0, 1, 2, 4}),
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        // A last block may end behind the keys.
        Value at =
            arith::MinUIOp::create(b, l, getLast(b, index(b, 3)), lastKey);
        Value head =
            arith::DivUIOp::create(b, l, index(b, 2), buildIndex(b, l, group));
        Value k = tensor::ExtractOp::create(
            b, l, op.getKey(), ValueRange{index(b, 0), at, head, index(b, 4)});
        return arith::AddFOp::create(
            b, l, in[1],
            arith::MulFOp::create(b, l, convertFloat(b, l, in[0], type),
                                  convertFloat(b, l, k, type)));
      });
  return buildElementwise(
      builder, loc, extents, type, sums, builder.getMultiDimIdentityMap(4),
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value isComplete =
            compare(b, CmpIPredicate::sle, getLast(b, index(b, 3)),
                    getPosition(b, index(b, 0), index(b, 1)));
        Value scaled = arith::MulFOp::create(
            b, l, in[0],
            buildFloat(b, l, type, op.getScale().convertToDouble()));
        return arith::SelectOp::create(b, l, isComplete, scaled, least);
      });
}

Value Selection::buildParts(Value products) {
  SmallVector<OpFoldResult> extents =
      tensor::getMixedSizes(builder, loc, products);
  AffineMap all = builder.getMultiDimIdentityMap(4), row = all.dropResult(3);
  Value zero = buildFloat(builder, loc, type, 0);
  if (op.getScore() != SelectScore::Softmax)
    return buildElementwise(
        builder, loc, extents, type, products, all,
        [&](OpBuilder &b, Location l, ValueRange in) -> Value {
          if (op.getScore() == SelectScore::Raw)
            return in[0];
          return arith::MaximumFOp::create(b, l, in[0], zero);
        });
  ArrayRef<OpFoldResult> rows = ArrayRef(extents).drop_back();
  Value maxima =
      buildReduction(builder, loc, rows, least, row, products, all,
                     [](OpBuilder &b, Location l, ValueRange in) -> Value {
                       return arith::MaximumFOp::create(b, l, in[1], in[0]);
                     });
  Value powers = buildElementwise(
      builder, loc, extents, type, {products, maxima}, {all, row},
      [](OpBuilder &b, Location l, ValueRange in) -> Value {
        return math::ExpOp::create(b, l,
                                   arith::SubFOp::create(b, l, in[0], in[1]));
      });
  Value sums =
      buildReduction(builder, loc, rows, zero, row, powers, all,
                     [](OpBuilder &b, Location l, ValueRange in) -> Value {
                       return arith::AddFOp::create(b, l, in[1], in[0]);
                     });
  return buildElementwise(builder, loc, extents, type, {powers, sums},
                          {all, row},
                          [](OpBuilder &b, Location l, ValueRange in) -> Value {
                            return arith::DivFOp::create(b, l, in[0], in[1]);
                          });
}

Value Selection::buildScores(Value parts) {
  int64_t lists = op.getListCount(), heads = op.getHeadsPerList();
  // Loops: batch, time, list, block, head of the list.
  SmallVector<OpFoldResult> extents{sizes[0], sizes[1],
                                    builder.getIndexAttr(lists), blocks};
  auto split = [&](Value tensor, ArrayRef<OpFoldResult> last) -> Value {
    auto from = cast<RankedTensorType>(tensor.getType());
    SmallVector<int64_t> shape{from.getDimSize(0), from.getDimSize(1), lists,
                               heads};
    SmallVector<OpFoldResult> to{sizes[0], sizes[1],
                                 builder.getIndexAttr(lists),
                                 builder.getIndexAttr(heads)};
    SmallVector<ReassociationIndices> axes{{0}, {1}, {2, 3}};
    if (!last.empty()) {
      shape.push_back(from.getDimSize(3));
      to.push_back(last.front());
      axes.push_back({4});
    }
    return tensor::ExpandShapeOp::create(builder, loc, from.clone(shape),
                                         tensor, axes, to);
  };
  SmallVector<Value> inputs{split(parts, blocks)};
  SmallVector<AffineMap> maps{getAxesMap(builder, 5, {0, 1, 2, 4, 3})};
  if (op.getWeights()) {
    inputs.push_back(split(op.getWeights(), {}));
    maps.push_back(getAxesMap(builder, 5, {0, 1, 2, 4}));
  }
  Value sums =
      buildReduction(builder, loc, extents, buildFloat(builder, loc, type, 0),
                     getAxesMap(builder, 5, {0, 1, 2, 3}), inputs, maps,
                     [&](OpBuilder &b, Location l, ValueRange in) -> Value {
                       Value part = in[0];
                       if (op.getWeights())
                         part = arith::MulFOp::create(
                             b, l, part, convertFloat(b, l, in[1], type));
                       return arith::AddFOp::create(b, l, in.back(), part);
                     });
  return buildElementwise(
      builder, loc, extents, type, sums, builder.getMultiDimIdentityMap(4),
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value block = index(b, 3);
        Value at = getPosition(b, index(b, 0), index(b, 1));
        Value isScored =
            compare(b, CmpIPredicate::sle, getScored(b, block), at);
        Value score = arith::SelectOp::create(b, l, isScored, in[0], least);
        if (!op.getAdjust().empty())
          score = inlineRegion(b, op.getAdjust(),
                               {score, index(b, 0), index(b, 2), at, block})
                      .front();
        // select_blocks_c7
        Value isReached =
            compare(b, CmpIPredicate::sle, times(b, block, size), at);
        Value isNumber = arith::CmpFOp::create(b, l, arith::CmpFPredicate::ORD,
                                               score, score);
        Value counts = arith::AndIOp::create(b, l, isReached, isNumber);
        return arith::SelectOp::create(b, l, counts, score, least);
      });
}

Value Selection::count(ValueRange inputs, Counts counts) {
  // Loops: batch, time, list, block, the other block.
  SmallVector<AffineMap> maps;
  for (unsigned number = 0; number < inputs.size(); ++number)
    maps.push_back(getAxesMap(
        builder, 5, {0, 1, 2, number + 1 == inputs.size() ? 4u : 3u}));
  Value zero = arith::ConstantIntOp::create(builder, loc, 0, 32);
  return buildReduction(
      builder, loc,
      {sizes[0], sizes[1], builder.getIndexAttr(op.getListCount()), blocks},
      zero, getAxesMap(builder, 5, {0, 1, 2, 3}), inputs, maps,
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value holds = counts(b, in, index(b, 3), index(b, 4));
        Value one = arith::ExtUIOp::create(b, l, b.getI32Type(), holds);
        return arith::AddIOp::create(b, l, in.back(), one);
      });
}

Value Selection::buildList(Value scores) {
  Value ranks = count(
      {scores, scores},
      [&](OpBuilder &b, ValueRange in, Value block, Value other) -> Value {
        Value isLarger = arith::CmpFOp::create(
            b, loc, arith::CmpFPredicate::OGT, in[1], in[0]);
        Value isEqual = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ,
                                              in[1], in[0]);
        Value isEarlier = compare(b, CmpIPredicate::ult, other, block);
        return arith::OrIOp::create(
            b, loc, isLarger,
            arith::AndIOp::create(b, loc, isEqual, isEarlier));
      });
  AffineMap all = builder.getMultiDimIdentityMap(4);
  SmallVector<OpFoldResult> extents =
      tensor::getMixedSizes(builder, loc, scores);
  Value chosen = buildElementwise(
      builder, loc, extents, builder.getI1Type(), {scores, ranks}, {all, all},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value isPossible = arith::CmpFOp::create(
            b, l, arith::CmpFPredicate::OGT, in[0], least);
        Value count = arith::ConstantIntOp::create(b, l, op.getCount(), 32);
        return arith::AndIOp::create(
            b, l, isPossible, compare(b, CmpIPredicate::slt, in[1], count));
      });
  Value places =
      count(chosen, [&](OpBuilder &b, ValueRange in, Value block, Value other) {
        return arith::AndIOp::create(
                   b, loc, in[0], compare(b, CmpIPredicate::ult, other, block))
            .getResult();
      });
  // Loops: batch, time, list, entry, block.
  Value none = arith::ConstantIntOp::create(builder, loc, -1, 32);
  AffineMap blockMap = getAxesMap(builder, 5, {0, 1, 2, 4});
  return buildReduction(
      builder, loc,
      {sizes[0], sizes[1], builder.getIndexAttr(op.getListCount()),
       builder.getIndexAttr(op.getCount())},
      none, getAxesMap(builder, 5, {0, 1, 2, 3}), {chosen, places},
      {blockMap, blockMap},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value entry =
            arith::IndexCastOp::create(b, l, b.getI32Type(), index(b, 3));
        Value block =
            arith::IndexCastOp::create(b, l, b.getI32Type(), index(b, 4));
        Value isHere = arith::AndIOp::create(
            b, l, in[0], compare(b, CmpIPredicate::eq, in[1], entry));
        return arith::SelectOp::create(b, l, isHere, block, in[2]);
      });
}

FailureOr<SmallVector<Value>>
SelectBlocksOp::buildReference(OpBuilder &builder) {
  Selection selection(*this, builder);
  Value parts = selection.buildParts(selection.buildProducts());
  Value list = selection.buildList(selection.buildScores(parts));
  return SmallVector<Value>{
      tensor::CastOp::create(builder, getLoc(), getResult().getType(), list)};
}
