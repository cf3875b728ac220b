//===- AttentionReference.cpp - Plain definitions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention is spelt out with its scores in full: loops are (batch, key/value
// head, query head within its group, query, key, feature).
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"
#include <limits>

using namespace mlir;
using namespace weir;

namespace {

/// A (query, key) pair in absolute positions, and whether the key's place
/// holds a key at all.
struct PositionPair {
  Value query;
  Value key;
  Value present; ///< i1, or null when every place does
};

} // namespace

/// The position of the newest entry in place `place` of a buffer of
/// `capacity` places whose newest entry of all stands at `last`: the greatest
/// p up to `last` with `p mod capacity = place`, negative where none is.
static Value buildRingPosition(OpBuilder &builder, Location loc, Value last,
                               Value place, Value capacity) {
  Value behind = arith::SubIOp::create(builder, loc, last, place);
  Value rest = arith::RemSIOp::create(builder, loc, behind, capacity);
  Value isNegative =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, rest,
                            buildIndex(builder, loc, 0));
  rest = arith::SelectOp::create(
      builder, loc, isNegative,
      arith::AddIOp::create(builder, loc, rest, capacity), rest);
  return arith::SubIOp::create(builder, loc, last, rest);
}

/// The positions of query `q` and key `k` of row `batch`.
static PositionPair buildPositions(OpBuilder &builder, Location loc,
                                   AttentionOp op, Value queries,
                                   Value capacity, Value batch, Value q,
                                   Value k) {
  if (!op.getOffset())
    return {q, k, Value()};
  Value offset = buildReadIndex(builder, loc, op.getOffset(), batch);
  Value end = arith::AddIOp::create(builder, loc, offset, queries);
  Value last =
      arith::SubIOp::create(builder, loc, end, buildIndex(builder, loc, 1));
  Value key = buildRingPosition(builder, loc, last, k, capacity);
  Value present = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge,
                                        key, buildIndex(builder, loc, 0));
  return {arith::AddIOp::create(builder, loc, offset, q), key, present};
}

/// Whether the query sees the key, as an i1.
static Value buildVisible(OpBuilder &builder, Location loc, AttentionOp op,
                          Value batch, Value head, const PositionPair &pair) {
  Value visible = op.getMask().getExpression().buildPredicate(
      builder, loc, pair.query, pair.key);
  if (!op.getWhere().empty())
    visible =
        arith::AndIOp::create(builder, loc, visible,
                              inlineRegion(builder, op.getWhere(),
                                           {batch, head, pair.query, pair.key})
                                  .front());
  if (pair.present)
    visible = arith::AndIOp::create(builder, loc, visible, pair.present);
  if (op.getKeyLengths()) {
    Value length = buildReadIndex(builder, loc, op.getKeyLengths(), batch);
    Value isKey = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt,
                                        pair.key, length);
    visible = arith::AndIOp::create(builder, loc, visible, isKey);
  }
  return visible;
}

/// The block list with a row for each query: `[batch, queries, lists,
/// entries]`.
static Value buildListRows(OpBuilder &builder, Location loc, AttentionOp op) {
  Value list = op.getBlockList();
  if (op.getQueryBlock() == 1)
    return list;
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, list);
  sizes[TimeAxis] = tensor::getMixedSize(builder, loc, op.getQuery(), TimeAxis);
  return buildElementwise(
      builder, loc, sizes, builder.getI32Type(), {}, {},
      [&](OpBuilder &b, Location l, ValueRange) -> Value {
        SmallVector<Value> place;
        for (unsigned axis = 0; axis < 4; ++axis)
          place.push_back(linalg::IndexOp::create(b, l, axis));
        place[TimeAxis] = arith::DivUIOp::create(
            b, l, place[TimeAxis], buildIndex(b, l, op.getQueryBlock()));
        return tensor::ExtractOp::create(b, l, list, place);
      });
}

/// Whether a query's list names the block of a key, an i1 `[batch, lists,
/// queries, keys]`.
static Value buildListed(OpBuilder &builder, Location loc, AttentionOp op,
                         OpFoldResult queries, OpFoldResult keys) {
  Value list = buildListRows(builder, loc, op);
  Value queryCount = getValueOrCreateConstantIndexOp(builder, loc, queries);
  Value keyCount = getValueOrCreateConstantIndexOp(builder, loc, keys);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, list);
  Value no = arith::ConstantIntOp::create(builder, loc, 0, 1);
  return buildReduction(
      builder, loc, {sizes[0], sizes[2], queries, keys}, no,
      getAxesMap(builder, 5, {0, 1, 2, 3}), list,
      getAxesMap(builder, 5, {0, 2, 1, 4}),
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        PositionPair pair = buildPositions(
            b, l, op, queryCount, keyCount, linalg::IndexOp::create(b, l, 0),
            linalg::IndexOp::create(b, l, 2), linalg::IndexOp::create(b, l, 3));
        Value block = arith::FloorDivSIOp::create(
            b, l, pair.key, buildIndex(b, l, op.getBlockSize()));
        Value entry =
            arith::IndexCastOp::create(b, l, b.getIndexType(), arguments[0]);
        // attention_c13
        Value isBlock = arith::CmpIOp::create(b, l, arith::CmpIPredicate::sge,
                                              entry, buildIndex(b, l, 0));
        Value isNamed =
            arith::CmpIOp::create(b, l, arith::CmpIPredicate::eq, block, entry);
        return arith::OrIOp::create(
            b, l, arguments[1], arith::AndIOp::create(b, l, isBlock, isNamed));
      });
}

/// What scores `[batch, head, group, query, key]` weigh when it is no softmax.
static Value buildOtherWeights(OpBuilder &builder, Location loc, AttentionOp op,
                               Value scores, ArrayRef<OpFoldResult> sizes,
                               FloatType type) {
  AffineMap all = builder.getMultiDimIdentityMap(5);
  AttentionNormalize normalize = op.getNormalize();
  if (normalize == AttentionNormalize::None)
    return scores;
  Value shares = buildElementwise(builder, loc, sizes, type, scores, all,
                                  [](OpBuilder &b, Location l, ValueRange in) {
                                    return buildSigmoid(b, l, in[0]);
                                  });
  if (normalize == AttentionNormalize::Sigmoid)
    return shares;
  // Loops are those of the scores, then later keys.
  Value left = buildReduction(
      builder, loc, sizes, buildFloat(builder, loc, type, 1),
      getAxesMap(builder, 6, {0, 1, 2, 3, 4}), shares,
      getAxesMap(builder, 6, {0, 1, 2, 3, 5}),
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value rest =
            arith::SubFOp::create(b, l, buildFloat(b, l, type, 1), in[0]);
        Value isLater = arith::CmpIOp::create(b, l, arith::CmpIPredicate::sgt,
                                              linalg::IndexOp::create(b, l, 5),
                                              linalg::IndexOp::create(b, l, 4));
        Value product = arith::MulFOp::create(b, l, in[1], rest);
        return arith::SelectOp::create(b, l, isLater, product, in[1]);
      });
  return buildElementwise(builder, loc, sizes, type, {shares, left}, {all, all},
                          [](OpBuilder &b, Location l, ValueRange in) -> Value {
                            return arith::MulFOp::create(b, l, in[0], in[1]);
                          });
}

/// `input` `[batch, time, heads, dim]` with its heads in groups:
/// `[batch, time, heads / group, group, dim]`.
static Value buildGroups(OpBuilder &builder, Location loc, Value input,
                         int64_t group) {
  auto type = cast<RankedTensorType>(input.getType());
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, input);
  int64_t heads = type.getDimSize(2) / group;
  SmallVector<OpFoldResult> grouped{sizes[0], sizes[1],
                                    builder.getIndexAttr(heads),
                                    builder.getIndexAttr(group), sizes[3]};
  auto groupedType =
      RankedTensorType::get({type.getDimSize(0), type.getDimSize(1), heads,
                             group, type.getDimSize(3)},
                            type.getElementType());
  SmallVector<ReassociationIndices> axes{{0}, {1}, {2, 3}, {4}};
  return tensor::ExpandShapeOp::create(builder, loc, groupedType, input, axes,
                                       grouped);
}

/// Products of queries `[batch, time, head, group, feature]` and keys, by the
/// axes of scores.
static Value buildProducts(OpBuilder &builder, Location loc, AttentionOp op,
                           Value query, ArrayRef<OpFoldResult> scoreSizes,
                           FloatType type) {
  return buildReduction(
      builder, loc, scoreSizes, buildFloat(builder, loc, type, 0),
      getAxesMap(builder, 6, {0, 1, 2, 3, 4}), {query, op.getKey()},
      {getAxesMap(builder, 6, {0, 3, 1, 2, 5}),
       getAxesMap(builder, 6, {0, 4, 1, 5})},
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value q = convertFloat(b, l, arguments[0], type);
        Value k = convertFloat(b, l, arguments[1], type);
        return arith::AddFOp::create(b, l, arguments[2],
                                     arith::MulFOp::create(b, l, q, k));
      });
}

/// Row `place` of `[batch, time, ...]`, without the axis of time.
static Value buildRow(OpBuilder &builder, Location loc, Value rows,
                      Value place) {
  auto type = cast<RankedTensorType>(rows.getType());
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, rows);
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  offsets[TimeAxis] = place;
  sizes[TimeAxis] = builder.getIndexAttr(1);
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + TimeAxis);
  return tensor::ExtractSliceOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), rows,
      offsets, sizes, strides);
}

/// The same with what the path has between them: keys are taken from the last
/// one back, with the queries as the factors of all later positions leave them.
static Value buildPathProducts(OpBuilder &builder, Location loc, AttentionOp op,
                               Value query, ArrayRef<OpFoldResult> scoreSizes,
                               FloatType type) {
  Value zero = buildFloat(builder, loc, type, 0);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, query);
  AffineMap all = builder.getMultiDimIdentityMap(5);
  Value moved = buildElementwise(builder, loc, sizes, type, query, all,
                                 [&](OpBuilder &b, Location l, ValueRange in) {
                                   return convertFloat(b, l, in[0], type);
                                 });
  Value scores = tensor::EmptyOp::create(builder, loc, scoreSizes, type);
  Value count = getValueOrCreateConstantIndexOp(builder, loc, scoreSizes[4]);
  Value one = buildIndex(builder, loc, 1);
  auto loop =
      scf::ForOp::create(builder, loc, buildIndex(builder, loc, 0), count, one,
                         ValueRange{scores, moved},
                         [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(loop.getBody());
  Value behind =
      arith::AddIOp::create(builder, loc, loop.getInductionVar(), one);
  Value place = arith::SubIOp::create(builder, loc, count, behind);
  Value before = loop.getRegionIterArgs()[1];
  // A row's product with each query: batch, head, group, query, feature.
  auto multiply = [&](Value rows) {
    return buildReduction(
        builder, loc, scoreSizes.drop_back(), zero,
        getAxesMap(builder, 5, {0, 1, 2, 3}),
        {before, buildRow(builder, loc, rows, place)},
        {getAxesMap(builder, 5, {0, 3, 1, 2, 4}),
         getAxesMap(builder, 5, {0, 1, 4})},
        [&](OpBuilder &b, Location l, ValueRange in) -> Value {
          Value product = arith::MulFOp::create(
              b, l, in[0], convertFloat(b, l, in[1], type));
          return arith::AddFOp::create(b, l, in[2], product);
        });
  };
  SmallVector<OpFoldResult> offsets(5, builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(5, builder.getIndexAttr(1));
  SmallVector<OpFoldResult> extents(scoreSizes);
  offsets[4] = place;
  extents[4] = builder.getIndexAttr(1);
  Value filled = tensor::InsertSliceOp::create(
      builder, loc, multiply(op.getKey()), loop.getRegionIterArgs()[0], offsets,
      extents, strides);
  Value dots = multiply(op.getPathKey());
  // In place, as a loop hands its buffers on.
  auto after = linalg::GenericOp::create(
      builder, loc, before.getType(),
      ValueRange{dots, buildRow(builder, loc, op.getPathKey(), place),
                 buildRow(builder, loc, op.getPathBeta(), place)},
      before,
      ArrayRef<AffineMap>{getAxesMap(builder, 5, {0, 2, 3, 1}),
                          getAxesMap(builder, 5, {0, 2, 4}),
                          getAxesMap(builder, 5, {0, 2}), all},
      SmallVector<utils::IteratorType>(5, utils::IteratorType::parallel),
      [&](OpBuilder &b, Location l, ValueRange in) {
        Value position = linalg::IndexOp::create(b, l, 1);
        if (op.getOffset())
          position = arith::AddIOp::create(
              b, l, position,
              buildReadIndex(b, l, op.getOffset(),
                             linalg::IndexOp::create(b, l, 0)));
        Value isPassed = arith::CmpIOp::create(b, l, arith::CmpIPredicate::sle,
                                               place, position);
        Value share =
            arith::MulFOp::create(b, l, convertFloat(b, l, in[2], type), in[0]);
        Value product =
            arith::MulFOp::create(b, l, share, convertFloat(b, l, in[1], type));
        Value less = arith::SubFOp::create(b, l, in[3], product);
        linalg::YieldOp::create(
            b, l,
            arith::SelectOp::create(b, l, isPassed, less, in[3]).getResult());
      });
  scf::YieldOp::create(builder, loc, ValueRange{filled, after.getResult(0)});
  return loop.getResult(0);
}

namespace {

/// The softmax of scores: exponentials of their differences to the maximum of
/// the row, and by row their sums and these maxima.
struct Softmax {
  Value weights, sums, maxima;
};

} // namespace

static Softmax buildSoftmax(OpBuilder &builder, Location loc, AttentionOp op,
                            Value scores, ArrayRef<OpFoldResult> scoreSizes,
                            Value hidden, FloatType type) {
  auto queryType = cast<RankedTensorType>(op.getQuery().getType());
  Type element = queryType.getElementType();
  int64_t group = op.getGroupSize();
  ArrayRef<OpFoldResult> rowSizes = scoreSizes.drop_back();
  AffineMap scoreMap = builder.getMultiDimIdentityMap(5);
  AffineMap rowMap = scoreMap.dropResult(4);
  Value zero = buildFloat(builder, loc, type, 0);
  // Sinks by key head and query head within its group.
  AffineMap rowAxes = builder.getMultiDimIdentityMap(4);
  AffineMap sinkMap = getAxesMap(builder, 4, {1, 2});
  Value sinks;
  if (op.getSinks()) {
    auto grouped = RankedTensorType::get(
        {queryType.getDimSize(2) / group, group}, element);
    SmallVector<ReassociationIndices> split{{0, 1}};
    sinks = tensor::ExpandShapeOp::create(builder, loc, grouped, op.getSinks(),
                                          split);
  }
  Value maxima = buildReduction(
      builder, loc, rowSizes, hidden, rowMap, scores, scoreMap,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        return arith::MaximumFOp::create(b, l, arguments[1], arguments[0]);
      });
  if (op.getSinks())
    maxima = buildElementwise(
        builder, loc, rowSizes, type, {maxima, sinks}, {rowAxes, sinkMap},
        [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
          return arith::MaximumFOp::create(
              b, l, arguments[0], convertFloat(b, l, arguments[1], type));
        });
  // A row that sees no key has an infinite maximum; its weights are zeros.
  Value weights = buildElementwise(
      builder, loc, scoreSizes, type, {scores, maxima}, {scoreMap, rowMap},
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value isHidden = arith::CmpFOp::create(b, l, arith::CmpFPredicate::OEQ,
                                               arguments[0], hidden);
        Value weight = math::ExpOp::create(
            b, l, arith::SubFOp::create(b, l, arguments[0], arguments[1]));
        return arith::SelectOp::create(b, l, isHidden, zero, weight);
      });
  Value sums = buildReduction(
      builder, loc, rowSizes, zero, rowMap, weights, scoreMap,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        return arith::AddFOp::create(b, l, arguments[1], arguments[0]);
      });

  if (op.getSinks())
    sums = buildElementwise(
        builder, loc, rowSizes, type, {sums, maxima, sinks},
        {rowAxes, rowAxes, sinkMap},
        [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
          Value sink = convertFloat(b, l, arguments[2], type);
          Value weight = math::ExpOp::create(
              b, l, arith::SubFOp::create(b, l, sink, arguments[1]));
          return arith::AddFOp::create(b, l, arguments[0], weight);
        });

  return {weights, sums, maxima};
}

/// The logarithms of the sums, `[batch, query, head]`.
static Value buildLogSums(OpBuilder &builder, Location loc, AttentionOp op,
                          const Softmax &softmax,
                          ArrayRef<OpFoldResult> rowSizes, FloatType type) {
  // Axes of the result: batch, query, head, group.
  SmallVector<OpFoldResult> sizes{rowSizes[0], rowSizes[3], rowSizes[1],
                                  rowSizes[2]};
  AffineMap rows = getAxesMap(builder, 4, {0, 2, 3, 1});
  Value logs = buildElementwise(
      builder, loc, sizes, type, {softmax.sums, softmax.maxima}, {rows, rows},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        // attention_c15: a row that sees no key has an infinite maximum.
        return arith::AddFOp::create(b, l, math::LogOp::create(b, l, in[0]),
                                     in[1]);
      });
  SmallVector<ReassociationIndices> axes{{0}, {1}, {2, 3}};
  return tensor::CollapseShapeOp::create(builder, loc,
                                         op.getLogSums().getType(), logs, axes);
}

FailureOr<SmallVector<Value>> AttentionOp::buildReference(OpBuilder &builder) {
  auto queryType = cast<RankedTensorType>(getQuery().getType());
  if (!isFloatTensor(getQuery()))
    return failure();
  Location loc = getLoc();
  Type element = queryType.getElementType();
  FloatType type = getAccumulatorType(element);
  int64_t group = getGroupSize();

  Value query = buildGroups(builder, loc, getQuery(), group);
  SmallVector<OpFoldResult> querySizes =
      tensor::getMixedSizes(builder, loc, query);
  OpFoldResult keys = tensor::getMixedSize(builder, loc, getKey(), TimeAxis);
  OpFoldResult valueDim = tensor::getMixedSize(builder, loc, getValue(), 3);
  // Axes of scores: batch, head, group, query, key.
  SmallVector<OpFoldResult> scoreSizes{querySizes[0], querySizes[2],
                                       querySizes[3], querySizes[1], keys};
  AffineMap scoreMap = builder.getMultiDimIdentityMap(5);
  Value zero = buildFloat(builder, loc, type, 0);
  double infinity = std::numeric_limits<double>::infinity();
  bool isSoftmax = getNormalize() == AttentionNormalize::Softmax;
  Value hidden =
      buildFloat(builder, loc, type,
                 getNormalize() == AttentionNormalize::None ? 0 : -infinity);
  Value listed;
  int64_t perList = 1;
  if (getBlockList()) {
    listed = buildListed(builder, loc, *this, querySizes[1], keys);
    perList = queryType.getDimSize(2) /
              cast<RankedTensorType>(getBlockList().getType()).getDimSize(2);
  }

  Value products =
      getPathKey()
          ? buildPathProducts(builder, loc, *this, query, scoreSizes, type)
          : buildProducts(builder, loc, *this, query, scoreSizes, type);

  Value queryCount =
      getValueOrCreateConstantIndexOp(builder, loc, querySizes[1]);
  Value keyCount = getValueOrCreateConstantIndexOp(builder, loc, keys);
  Value scores = buildElementwise(
      builder, loc, scoreSizes, type, products, scoreMap,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value batch = linalg::IndexOp::create(b, l, 0);
        PositionPair pair = buildPositions(
            b, l, *this, queryCount, keyCount, batch,
            linalg::IndexOp::create(b, l, 3), linalg::IndexOp::create(b, l, 4));
        Value score = arith::MulFOp::create(
            b, l, arguments[0],
            buildFloat(b, l, type, getScale().convertToDouble()));
        Value head = arith::AddIOp::create(
            b, l,
            arith::MulIOp::create(b, l, linalg::IndexOp::create(b, l, 1),
                                  buildIndex(b, l, group)),
            linalg::IndexOp::create(b, l, 2));
        if (getKeyBias()) {
          Value bias = tensor::ExtractOp::create(
              b, l, getKeyBias(),
              ValueRange{batch, linalg::IndexOp::create(b, l, 4), head});
          score = arith::AddFOp::create(b, l, score,
                                        convertFloat(b, l, bias, type));
        }
        if (!getScore().empty()) {
          score = inlineRegion(b, getScore(),
                               {convertFloat(b, l, score, element), batch, head,
                                pair.query, pair.key})
                      .front();
          score = convertFloat(b, l, score, type);
        }
        Value visible = buildVisible(b, l, *this, batch, head, pair);
        if (listed) {
          Value list =
              arith::DivUIOp::create(b, l, head, buildIndex(b, l, perList));
          Value isListed = tensor::ExtractOp::create(
              b, l, listed,
              ValueRange{batch, list, linalg::IndexOp::create(b, l, 3),
                         linalg::IndexOp::create(b, l, 4)});
          visible = arith::AndIOp::create(b, l, visible, isListed);
        }
        return arith::SelectOp::create(b, l, visible, score, hidden);
      });

  Softmax softmax;
  if (isSoftmax)
    softmax =
        buildSoftmax(builder, loc, *this, scores, scoreSizes, hidden, type);
  else
    softmax.weights =
        buildOtherWeights(builder, loc, *this, scores, scoreSizes, type);
  Value weights = softmax.weights, sums = softmax.sums;

  // Axes of the result: batch, query, head, group, feature.
  SmallVector<OpFoldResult> resultSizes{querySizes[0], querySizes[1],
                                        querySizes[2], querySizes[3], valueDim};
  Value mixed = buildReduction(
      builder, loc, resultSizes, zero, getAxesMap(builder, 6, {0, 3, 1, 2, 5}),
      {weights, getValue()},
      {getAxesMap(builder, 6, {0, 1, 2, 3, 4}),
       getAxesMap(builder, 6, {0, 4, 1, 5})},
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value v = convertFloat(b, l, arguments[1], type);
        return arith::AddFOp::create(
            b, l, arguments[2], arith::MulFOp::create(b, l, arguments[0], v));
      });
  AffineMap resultMap = builder.getMultiDimIdentityMap(5);
  SmallVector<Value> parts{mixed};
  SmallVector<AffineMap> maps{resultMap};
  if (sums) {
    parts.push_back(sums);
    maps.push_back(getAxesMap(builder, 5, {0, 2, 3, 1}));
  }
  Value result = buildElementwise(
      builder, loc, resultSizes, element, parts, maps,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value chosen = arguments[0];
        if (sums) {
          // attention_c5
          Value isHidden = arith::CmpFOp::create(
              b, l, arith::CmpFPredicate::OEQ, arguments[1], zero);
          Value quotient =
              arith::DivFOp::create(b, l, arguments[0], arguments[1]);
          chosen = arith::SelectOp::create(b, l, isHidden, zero, quotient);
        }
        return convertFloat(b, l, chosen, element);
      });
  SmallVector<ReassociationIndices> axes{{0}, {1}, {2, 3}, {4}};
  SmallVector<Value> results{tensor::CollapseShapeOp::create(
      builder, loc, getResult().getType(), result, axes)};
  if (getLogSums())
    results.push_back(buildLogSums(builder, loc, *this, softmax,
                                   ArrayRef(scoreSizes).drop_back(), type));
  return results;
}
