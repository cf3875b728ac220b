//===- AttentionPaths.cpp - What lies between keys and queries -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product of maps I - beta w w^T does not depend on where it begins: keys are
// visited from the last one back, and the carry has the queries as they are
// behind what they have passed. With W and K the rows of a block, one below the
// other, and q a query behind it, position l of the block takes from q
//
//   x_l = beta_l (w_l q - sum_(m > l) (w_l w_m) x_m)
//
// times w_l, which is a triangular system with one matrix for all queries:
// x = A W q. So a block is made of products of matrices:
//
//   scores = K q - triu(K W^T, 1) x,        q' = q - W^T x
//
// A is found row by row from the last one, on a tile of keys by keys, and so is
// its negative, with which all products add. Queries that stand within the
// block have no factors behind them: zeros in W q.
//
// With few queries (`row`), key by key costs less than the matrices.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiler.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weir;
using utils::IteratorType;

/// The factors of a block's positions, `[count, 1]`.
static Value getFactors(AttentionTiler &t, const KeyBlock &block,
                        ValueRange point) {
  OpBuilder &builder = t.builder;
  Value factors = t.op.getPathBeta();
  Type type = cast<RankedTensorType>(factors.getType()).getElementType();
  OpFoldResult one = builder.getIndexAttr(1);
  return tensor::ExtractSliceOp::create(
      builder, t.loc, RankedTensorType::get({ShapedType::kDynamic, 1}, type),
      factors,
      SmallVector<OpFoldResult>{point[0], block.first, t.getKeyHead(point)},
      SmallVector<OpFoldResult>{one, block.count, one},
      SmallVector<OpFoldResult>(3, one));
}

Value AttentionTiler::hideLater(Value values, const KeyBlock &block,
                                ValueRange point, ValueRange invariants) {
  Value last = sub(add(block.first, block.count), constant(1));
  Value isPassed =
      compare(arith::CmpIPredicate::sle, last, invariants[FirstQuery]);
  auto choice = scf::IfOp::create(builder, loc, values.getType(), isPassed,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(builder, loc, values);
  builder.setInsertionPointToStart(choice.elseBlock());
  SmallVector<ReassociationIndices> heads{{0}, {1, 2}};
  Value expanded = tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get({keys, group, queries}, compute),
      values, heads);
  Value hidden =
      generic({}, expanded, {map(3, {0, 1, 2})},
              SmallVector<IteratorType>(3, IteratorType::parallel),
              [&](OpBuilder &b, Location l, ValueRange args) {
                OpBuilder::InsertionGuard guard(builder);
                builder.setInsertionPoint(b.getInsertionBlock(),
                                          b.getInsertionPoint());
                Value key =
                    add(block.first, linalg::IndexOp::create(builder, l, 0));
                Value query = add(invariants[FirstQuery],
                                  linalg::IndexOp::create(builder, l, 2));
                Value isBehind = compare(arith::CmpIPredicate::sgt, key, query);
                linalg::YieldOp::create(builder, l,
                                        select(isBehind, zero(), args[0]));
              })
          .getResult(0);
  scf::YieldOp::create(
      builder, loc,
      tensor::CollapseShapeOp::create(builder, loc, hidden, heads).getResult());
  return choice.getResult(0);
}

/// The matrix -A, from the products of the block's w and its factors,
/// `[keys, 1]`.
Value AttentionTiler::solvePath(Value gram, Value factors) {
  constexpr auto parallel = IteratorType::parallel;
  Value unit =
      generic({}, empty({keys, keys}), {map(2, {0, 1})}, {parallel, parallel},
              [&](OpBuilder &b, Location l, ValueRange) {
                Value isDiagonal =
                    arith::CmpIOp::create(b, l, arith::CmpIPredicate::eq,
                                          linalg::IndexOp::create(b, l, 0),
                                          linalg::IndexOp::create(b, l, 1));
                Value one = arith::ConstantOp::create(
                    b, l, b.getFloatAttr(compute, 1.0));
                Value none = arith::ConstantOp::create(
                    b, l, b.getFloatAttr(compute, 0.0));
                linalg::YieldOp::create(
                    b, l,
                    arith::SelectOp::create(b, l, isDiagonal, one, none)
                        .getResult());
              })
          .getResult(0);
  auto loop =
      scf::ForOp::create(builder, loc, constant(0), constant(keys), constant(1),
                         unit, [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(loop.getBody());
  Value number = sub(constant(keys - 1), loop.getInductionVar());
  Value before = loop.getRegionIterArgs().front();
  Value factor = tensor::ExtractOp::create(builder, loc, factors,
                                           ValueRange{number, constant(0)});
  Value negated = arith::NegFOp::create(builder, loc, factor);
  // The row is done when those behind it have been added.
  AffineMap one = map(1, {0});
  Value row =
      generic(takeRow(before, number), empty(keys), {one, one}, {parallel},
              [&](OpBuilder &b, Location l, ValueRange args) {
                Value scaled = arith::MulFOp::create(b, l, args[0], negated);
                linalg::YieldOp::create(b, l, scaled);
              })
          .getResult(0);
  Value after =
      generic({takeRow(gram, number), row}, before,
              {map(2, {0}), map(2, {1}), map(2, {0, 1})}, {parallel, parallel},
              [&](OpBuilder &b, Location l, ValueRange args) {
                Value place = linalg::IndexOp::create(b, l, 0);
                Value isEarlier = arith::CmpIOp::create(
                    b, l, arith::CmpIPredicate::slt, place, number);
                Value product = arith::MulFOp::create(b, l, args[0], args[1]);
                Value sum = arith::AddFOp::create(b, l, args[2], product);
                linalg::YieldOp::create(
                    b, l,
                    arith::SelectOp::create(b, l, isEarlier, sum, args[2])
                        .getResult());
              })
          .getResult(0);
  after = tensor::InsertSliceOp::create(
      builder, loc, row, after,
      ArrayRef<OpFoldResult>{number, builder.getIndexAttr(0)},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(1),
                             builder.getIndexAttr(keys)},
      ArrayRef<OpFoldResult>(
          {builder.getIndexAttr(1), builder.getIndexAttr(1)}));
  scf::YieldOp::create(builder, loc, after);
  return loop.getResult(0);
}

std::pair<Value, Value> AttentionTiler::followPath(const KeyBlock &block,
                                                   Value queryTile,
                                                   ValueRange point,
                                                   ValueRange invariants) {
  constexpr auto parallel = IteratorType::parallel;
  Value rows =
      padRows(getRows(op.getPathKey(), point, block.first, block.count),
              block.count, keys);
  Value transposed = transpose(rows);
  auto zeros = [&](int64_t width) {
    return fill(zero(), empty({keys, width}));
  };
  Value gram = multiply(rows, {0, 2}, transposed, {2, 1}, zeros(keys));
  Value negated = solvePath(
      gram, padRows(getFactors(*this, block, point), block.count, keys));
  Value passing =
      hideLater(multiply(rows, {0, 2}, queryTile, {2, 1}, zeros(columns)),
                block, point, invariants);
  Value taken = multiply(negated, {0, 2}, passing, {2, 1}, zeros(columns));

  Value between = tensor::ExtractSliceOp::create(
      builder, loc, zeros(keys),
      SmallVector<OpFoldResult>(2, builder.getIndexAttr(0)),
      SmallVector<OpFoldResult>{block.count, builder.getIndexAttr(keys)},
      SmallVector<OpFoldResult>(2, builder.getIndexAttr(1)));
  between = multiply(block.key, {0, 2}, transposed, {2, 1}, between);
  between = generic({}, between, {map(2, {0, 1})}, {parallel, parallel},
                    [&](OpBuilder &b, Location l, ValueRange args) {
                      Value isLater = arith::CmpIOp::create(
                          b, l, arith::CmpIPredicate::sgt,
                          linalg::IndexOp::create(b, l, 1),
                          linalg::IndexOp::create(b, l, 0));
                      Value none = arith::ConstantOp::create(
                          b, l, b.getFloatAttr(compute, 0.0));
                      linalg::YieldOp::create(
                          b, l,
                          arith::SelectOp::create(b, l, isLater, args[0], none)
                              .getResult());
                    })
                .getResult(0);
  Value products =
      multiply(between, {0, 2}, taken, {2, 1}, buildProducts(block, queryTile));
  return {products, multiply(rows, {2, 0}, taken, {2, 1}, queryTile)};
}

std::pair<Value, Value> AttentionTiler::followPathByKey(const KeyBlock &block,
                                                        Value queryTile,
                                                        ValueRange point,
                                                        ValueRange invariants) {
  constexpr auto parallel = IteratorType::parallel;
  Value rows = getRows(op.getPathKey(), point, block.first, block.count);
  Value factors = getFactors(*this, block, point);
  Value scores = tensor::ExtractSliceOp::create(
      builder, loc, empty({columns, keys}),
      SmallVector<OpFoldResult>(2, builder.getIndexAttr(0)),
      SmallVector<OpFoldResult>{builder.getIndexAttr(columns), block.count},
      SmallVector<OpFoldResult>(2, builder.getIndexAttr(1)));
  auto loop =
      scf::ForOp::create(builder, loc, constant(0), block.count, constant(1),
                         ValueRange{scores, queryTile},
                         [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(loop.getBody());
  Value number = sub(sub(block.count, constant(1)), loop.getInductionVar());
  Value query = loop.getRegionIterArgs()[1];
  Value key = takeRow(block.key, number);
  Value row = takeRow(rows, number);
  AffineMap all = map(2, {0, 1}), perQuery = map(2, {0}),
            perFeature = map(2, {1});
  Value none = fill(zero(), empty(columns));
  auto dots = generic(
      {query, key, row}, {none, fill(zero(), empty(columns))},
      {all, perFeature, perFeature, perQuery, perQuery},
      {parallel, IteratorType::reduction},
      [&](OpBuilder &b, Location l, ValueRange args) {
        SmallVector<Value> sums;
        for (unsigned i : {0, 1}) {
          Value product = arith::MulFOp::create(
              b, l, args[0], convert(b, args[1 + i], compute));
          // The order of the sum is free, so that it may run in vectors.
          sums.push_back(arith::AddFOp::create(b, l, args[3 + i], product,
                                               arith::FastMathFlags::reassoc));
        }
        linalg::YieldOp::create(b, l, sums);
      });
  Value factor =
      convert(builder,
              tensor::ExtractOp::create(builder, loc, factors,
                                        ValueRange{number, constant(0)}),
              compute);
  Value place = add(block.first, number);
  AffineMap one = map(1, {0});
  Value taken =
      generic({}, dots.getResult(1), {one}, {parallel},
              [&](OpBuilder &b, Location l, ValueRange args) {
                OpBuilder::InsertionGuard guard(builder);
                builder.setInsertionPoint(b.getInsertionBlock(),
                                          b.getInsertionPoint());
                Value column = linalg::IndexOp::create(builder, l, 0);
                Value at = add(invariants[FirstQuery],
                               arith::RemUIOp::create(builder, l, column,
                                                      constant(queries)));
                Value isBehind = compare(arith::CmpIPredicate::sgt, place, at);
                Value scaled =
                    arith::MulFOp::create(builder, l, args[0], factor);
                linalg::YieldOp::create(builder, l,
                                        select(isBehind, zero(), scaled));
              })
          .getResult(0);
  Value next =
      generic({taken, row}, query, {perQuery, perFeature, all},
              {parallel, parallel},
              [&](OpBuilder &b, Location l, ValueRange args) {
                Value product = arith::MulFOp::create(
                    b, l, args[0], convert(b, args[1], compute));
                linalg::YieldOp::create(
                    b, l,
                    arith::SubFOp::create(b, l, args[2], product).getResult());
              })
          .getResult(0);
  Value filled = tensor::InsertSliceOp::create(
      builder, loc, dots.getResult(0), loop.getRegionIterArgs()[0],
      ArrayRef<OpFoldResult>{builder.getIndexAttr(0), number},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(columns),
                             builder.getIndexAttr(1)},
      ArrayRef<OpFoldResult>(
          {builder.getIndexAttr(1), builder.getIndexAttr(1)}));
  scf::YieldOp::create(builder, loc, ValueRange{filled, next});
  return {loop.getResult(0), loop.getResult(1)};
}

SmallVector<Value> AttentionTiler::buildPathStep(ValueRange point, Value index,
                                                 ValueRange invariants,
                                                 ValueRange carry) {
  Value end = sub(invariants[EndKey], mul(index, keys));
  Value first = max(invariants[FirstKey], sub(end, constant(keys)));
  KeyBlock block = getRun(point, first, sub(end, first));
  Value isFull = hasMask() ? classify(block, point, invariants).all : Value();
  Value query = carry.back();
  auto [products, next] =
      flash ? followPath(block, query, point, invariants)
            : followPathByKey(block, query, point, invariants);
  Value scores = buildScores(block, products, isFull, point, invariants);
  SmallVector<Value> after = buildUpdate(scores, block, carry.drop_back());
  after.push_back(next);
  return after;
}
