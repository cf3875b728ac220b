//===- DeltaReference.cpp - Plain definitions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The weights of all pairs, then token after token what they make of the
// results so far.
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
/// Builds the definition of one op.
class DeltaDefinition {
public:
  DeltaDefinition(DeltaValuesOp op, OpBuilder &builder)
      : op(op), builder(builder), loc(op.getLoc()),
        element(
            cast<RankedTensorType>(op.getQuery().getType()).getElementType()),
        type(getAccumulatorType(element)) {}

  Value build();

private:
  Value buildWeights();
  /// What token `token` reads of the results in front of it: `[batch, heads,
  /// features]`.
  Value buildRead(Value weights, Value results, Value token);
  /// The position of token 0 of row `row`.
  Value buildOffset(OpBuilder &b, Value row) {
    return op.getOffset() ? buildReadIndex(b, loc, op.getOffset(), row)
                          : buildIndex(b, loc, 0);
  }
  OpFoldResult getExtent(Value value, int64_t axis) {
    return tensor::getMixedSize(builder, loc, value, axis);
  }

  DeltaValuesOp op;
  OpBuilder &builder;
  Location loc;
  Type element;
  FloatType type;
};
} // namespace

/// Of each head, query and key: `[batch, heads, queries, keys]`.
Value DeltaDefinition::buildWeights() {
  Value query = op.getQuery(), key = op.getKey();
  SmallVector<OpFoldResult> sizes{getExtent(query, 0), getExtent(query, 2),
                                  getExtent(query, 1), getExtent(key, 1)};
  AffineMap all = builder.getMultiDimIdentityMap(4), row = all.dropResult(3);
  Value zero = buildFloat(builder, loc, type, 0);
  Value hidden =
      buildFloat(builder, loc, type, -std::numeric_limits<double>::infinity());
  int64_t group = op.getGroupSize();
  // The last loop is that of features.
  AffineMap keyMap =
      AffineMap::get(5, 0,
                     {builder.getAffineDimExpr(0), builder.getAffineDimExpr(3),
                      builder.getAffineDimExpr(1).floorDiv(group),
                      builder.getAffineDimExpr(4)},
                     builder.getContext());
  Value products = buildReduction(
      builder, loc, sizes, zero, getAxesMap(builder, 5, {0, 1, 2, 3}),
      {query, key}, {getAxesMap(builder, 5, {0, 2, 1, 4}), keyMap},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value product =
            arith::MulFOp::create(b, l, convertFloat(b, l, in[0], type),
                                  convertFloat(b, l, in[1], type));
        return arith::AddFOp::create(b, l, in[2], product);
      });
  Value scores = buildElementwise(
      builder, loc, sizes, type, products, all,
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value position = arith::AddIOp::create(
            b, l, buildOffset(b, linalg::IndexOp::create(b, l, 0)),
            linalg::IndexOp::create(b, l, 2));
        Value isEarlier =
            arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt,
                                  linalg::IndexOp::create(b, l, 3), position);
        Value scaled = arith::MulFOp::create(
            b, l, in[0],
            buildFloat(b, l, type, op.getScale().convertToDouble()));
        return arith::SelectOp::create(b, l, isEarlier, scaled, hidden);
      });
  ArrayRef<OpFoldResult> rows = ArrayRef(sizes).drop_back();
  Value maxima =
      buildReduction(builder, loc, rows, hidden, row, scores, all,
                     [](OpBuilder &b, Location l, ValueRange in) -> Value {
                       return arith::MaximumFOp::create(b, l, in[1], in[0]);
                     });
  auto isHidden = [&](OpBuilder &b, Location l, Value score) -> Value {
    return arith::CmpFOp::create(b, l, arith::CmpFPredicate::OEQ, score,
                                 hidden);
  };
  Value shares =
      buildElementwise(builder, loc, sizes, type, {scores, maxima}, {all, row},
                       [&](OpBuilder &b, Location l, ValueRange in) -> Value {
                         Value share = math::ExpOp::create(
                             b, l, arith::SubFOp::create(b, l, in[0], in[1]));
                         return arith::SelectOp::create(
                             b, l, isHidden(b, l, in[0]), zero, share);
                       });
  Value sums =
      buildReduction(builder, loc, rows, zero, row, shares, all,
                     [](OpBuilder &b, Location l, ValueRange in) -> Value {
                       return arith::AddFOp::create(b, l, in[1], in[0]);
                     });
  return buildElementwise(
      builder, loc, sizes, type, {scores, shares, sums}, {all, all, row},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        // delta_values_c5
        Value weight = arith::DivFOp::create(b, l, in[1], in[2]);
        return arith::SelectOp::create(b, l, isHidden(b, l, in[0]), zero,
                                       weight);
      });
}

Value DeltaDefinition::buildRead(Value weights, Value results, Value token) {
  Value value = op.getValue();
  SmallVector<OpFoldResult> sizes{getExtent(value, 0), getExtent(value, 2),
                                  getExtent(value, 3)};
  OpFoldResult one = builder.getIndexAttr(1), none = builder.getIndexAttr(0);
  SmallVector<OpFoldResult> extents =
      tensor::getMixedSizes(builder, loc, weights);
  extents[2] = one;
  ArrayRef<int64_t> shape =
      cast<RankedTensorType>(weights.getType()).getShape();
  Value row = tensor::ExtractSliceOp::create(
      builder, loc, RankedTensorType::get({shape[0], shape[1], shape[3]}, type),
      weights, ArrayRef<OpFoldResult>{none, none, token, none}, extents,
      SmallVector<OpFoldResult>(4, one));
  SmallVector<Value> inputs{row};
  // Loops are batch, heads, features and keys.
  SmallVector<AffineMap> maps{getAxesMap(builder, 4, {0, 1, 3})};
  if (op.getPast()) {
    inputs.push_back(op.getPast());
    maps.push_back(getAxesMap(builder, 4, {0, 3, 1, 2}));
  }
  Value zero = buildFloat(builder, loc, type, 0);
  return buildReduction(
      builder, loc, sizes, zero, getAxesMap(builder, 4, {0, 1, 2}), inputs,
      maps, [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value batch = linalg::IndexOp::create(b, l, 0);
        Value offset = buildOffset(b, batch);
        Value place = arith::SubIOp::create(
            b, l, linalg::IndexOp::create(b, l, 3), offset);
        Value isPast = arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt,
                                             place, buildIndex(b, l, 0));
        Value isEarlier = arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt,
                                                place, token);
        // Some token of the block, where the key is none.
        Value present = arith::MinSIOp::create(b, l, place, token);
        present = arith::MaxSIOp::create(b, l, present, buildIndex(b, l, 0));
        Value read = tensor::ExtractOp::create(
            b, l, results,
            ValueRange{batch, present, linalg::IndexOp::create(b, l, 1),
                       linalg::IndexOp::create(b, l, 2)});
        if (op.getPast())
          read = arith::SelectOp::create(b, l, isPast, in[1], read);
        Value product =
            arith::MulFOp::create(b, l, in[0], convertFloat(b, l, read, type));
        product = arith::SelectOp::create(b, l, isEarlier, product, zero);
        return arith::AddFOp::create(b, l, in.back(), product);
      });
}

Value DeltaDefinition::build() {
  Value value = op.getValue();
  Value weights = buildWeights();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, value);
  Value time = getValueOrCreateConstantIndexOp(builder, loc, sizes[TimeAxis]);
  Value start = tensor::EmptyOp::create(builder, loc, sizes, element);
  start = linalg::FillOp::create(builder, loc,
                                 buildFloat(builder, loc, element, 0), start)
              .getResult(0);
  auto loop =
      scf::ForOp::create(builder, loc, buildIndex(builder, loc, 0), time,
                         buildIndex(builder, loc, 1), start,
                         [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(loop.getBody());
  Value token = loop.getInductionVar();
  Value results = loop.getRegionIterArgs().front();
  Value read = buildRead(weights, results, token);
  SmallVector<OpFoldResult> rowSizes{sizes[0], sizes[2], sizes[3]};
  AffineMap all = builder.getMultiDimIdentityMap(3);
  Value row = buildElementwise(
      builder, loc, rowSizes, element, read, all,
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value batch = linalg::IndexOp::create(b, l, 0);
        Value head = linalg::IndexOp::create(b, l, 1);
        Value own = tensor::ExtractOp::create(
            b, l, value,
            ValueRange{batch, token, head, linalg::IndexOp::create(b, l, 2)});
        Value beta = tensor::ExtractOp::create(b, l, op.getBeta(),
                                               ValueRange{batch, token, head});
        Value less =
            arith::MulFOp::create(b, l, convertFloat(b, l, beta, type), in[0]);
        Value rest =
            arith::SubFOp::create(b, l, convertFloat(b, l, own, type), less);
        return convertFloat(b, l, rest, element);
      });
  SmallVector<OpFoldResult> offsets(4, builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(4, builder.getIndexAttr(1));
  offsets[TimeAxis] = token;
  sizes[TimeAxis] = builder.getIndexAttr(1);
  Value next = tensor::InsertSliceOp::create(builder, loc, row, results,
                                             offsets, sizes, strides);
  scf::YieldOp::create(builder, loc, next);
  return loop.getResult(0);
}

FailureOr<SmallVector<Value>>
DeltaValuesOp::buildReference(OpBuilder &builder) {
  return SmallVector<Value>{DeltaDefinition(*this, builder).build()};
}
