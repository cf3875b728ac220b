//===- DeltaTiling.cpp - Values corrected by attention, by blocks -*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Points are a row of the batch and a head. Blocks of tokens go in order, and
// the carry is the result, which each block writes its tokens into. A block
// reads the past, and then the results of earlier blocks, as attention reads
// values: by blocks of keys, with a running maximum and sum
// (AttentionWeights.cpp). The keys of the block itself join the sums last.
// What they weigh, P, is at hand as a tile, and the block's results are the
// solution of
//
//   u_t = v_t - beta_t / sum_t (accumulator_t + sum_(s < t) P[t, s] u_s)
//
// by substitution: a row is done when those before it have been taken off.
//
// Forms are `flash` and `row` as those of attention; tiles are tokens and keys.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiles.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "weir/IR/ReferenceBuilders.h"

using namespace mlir;
using namespace weir;
using utils::IteratorType;

namespace {
/// Builds what happens to a block of tokens; `columns` are its tokens.
class DeltaTiler : public AttentionTiles {
public:
  DeltaTiler(DeltaValuesOp op, OpBuilder &builder, ScheduleAttr schedule)
      : AttentionTiles(
            builder, op.getLoc(), schedule.getForm().getValue() == "flash",
            schedule.getTiles()[0],
            cast<RankedTensorType>(op.getQuery().getType()).getElementType(),
            AttentionNormalize::Softmax),
        op(op), keys(schedule.getTiles()[1]), dim(op.getKeyDim()),
        valueDim(op.getValueDim()) {}

  /// The results with those of block `index`.
  Value build(ValueRange point, Value index, Value results);

private:
  using Fold = function_ref<SmallVector<Value>(Value first, Value count,
                                               ValueRange carry)>;
  /// The carry behind the blocks of keys of [0, end).
  SmallVector<Value> foldBlocks(Value end, ValueRange carry, Fold fold);
  /// The carry behind keys at `first` of the key axis and their results.
  SmallVector<Value> visit(ValueRange point, Value first, Value count,
                           Value values, Value queryTile, ValueRange carry);
  /// `[count, valueDim]` of the results, at `first`.
  Value getResults(Value results, Value first, Value count);
  /// What the sums of a token are multiplied with.
  Value buildShares(ValueRange point, Value first, Value count, Value sums);
  Value substitute(Value lower, Value rows);

  DeltaValuesOp op;
  int64_t keys, dim, valueDim;
};
} // namespace

SmallVector<Value> DeltaTiler::foldBlocks(Value end, ValueRange carry,
                                          Fold fold) {
  auto loop =
      scf::ForOp::create(builder, loc, constant(0), end, constant(keys), carry,
                         [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(loop.getBody());
  Value first = loop.getInductionVar();
  Value count = min(constant(keys), sub(end, first));
  scf::YieldOp::create(builder, loc,
                       fold(first, count, loop.getRegionIterArgs()));
  return SmallVector<Value>(loop.getResults());
}

SmallVector<Value> DeltaTiler::visit(ValueRange point, Value first, Value count,
                                     Value values, Value queryTile,
                                     ValueRange carry) {
  KeyBlock block{getRows(op.getKey(), point[0], first,
                         divide(point[1], op.getGroupSize()), count),
                 values, count, first, Value()};
  Value scores = buildProducts(block.key, queryTile, count, keys);
  return buildUpdate(scores, block, carry);
}

Value DeltaTiler::getResults(Value results, Value first, Value count) {
  return getRows(results, builder.getIndexAttr(0), first,
                 builder.getIndexAttr(0), count);
}

Value DeltaTiler::buildShares(ValueRange point, Value first, Value count,
                              Value sums) {
  OpFoldResult one = builder.getIndexAttr(1);
  auto type = cast<RankedTensorType>(op.getBeta().getType());
  Value rows = tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get({ShapedType::kDynamic, 1}, type.getElementType()),
      op.getBeta(), SmallVector<OpFoldResult>{point[0], first, point[1]},
      SmallVector<OpFoldResult>{one, count, one},
      SmallVector<OpFoldResult>(3, one));
  SmallVector<ReassociationIndices> merged{{0, 1}};
  Value beta = tensor::CollapseShapeOp::create(
      builder, loc, padRows(rows, count, columns), merged);
  AffineMap all = map(1, {0});
  return generic({beta, sums}, empty(columns), {all, all, all},
                 {IteratorType::parallel},
                 [&](OpBuilder &b, Location l, ValueRange args) {
                   // delta_values_c5
                   Value none = arith::ConstantOp::create(
                       b, l, b.getFloatAttr(compute, 0.0));
                   Value isFirst = arith::CmpFOp::create(
                       b, l, arith::CmpFPredicate::OEQ, args[1], none);
                   Value share = arith::DivFOp::create(b, l, args[0], args[1]);
                   linalg::YieldOp::create(
                       b, l,
                       arith::SelectOp::create(b, l, isFirst, none, share)
                           .getResult());
                 })
      .getResult(0);
}

/// Adds to each row of `rows` what those before it make of it: row s of `lower`
/// is what row s is added with to each.
Value DeltaTiler::substitute(Value lower, Value rows) {
  auto loop = scf::ForOp::create(
      builder, loc, constant(0), constant(columns), constant(1), rows,
      [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(loop.getBody());
  Value number = loop.getInductionVar();
  Value before = loop.getRegionIterArgs().front();
  AffineMap one = map(1, {0});
  Value row = generic(takeRow(before, number), empty(valueDim), {one, one},
                      {IteratorType::parallel},
                      [](OpBuilder &b, Location l, ValueRange args) {
                        linalg::YieldOp::create(b, l, args[0]);
                      })
                  .getResult(0);
  Value after =
      generic({takeRow(lower, number), row}, before,
              {map(2, {0}), map(2, {1}), map(2, {0, 1})},
              SmallVector<IteratorType>(2, IteratorType::parallel),
              [](OpBuilder &b, Location l, ValueRange args) {
                Value product = arith::MulFOp::create(b, l, args[0], args[1]);
                linalg::YieldOp::create(
                    b, l,
                    arith::AddFOp::create(b, l, args[2], product).getResult());
              })
          .getResult(0);
  scf::YieldOp::create(builder, loc, after);
  return loop.getResult(0);
}

Value DeltaTiler::build(ValueRange point, Value index, Value results) {
  constexpr auto parallel = IteratorType::parallel;
  Value first = mul(index, columns);
  Value count =
      min(constant(columns), sub(getDim(op.getQuery(), TimeAxis), first));
  Value offset =
      op.getOffset() ? getIndex(op.getOffset(), point[0]) : constant(0);
  Value query =
      padRows(getRows(op.getQuery(), point[0], first, point[1], count), count,
              columns, op.getScale().convertToDouble());
  if (flash)
    query = transpose(query);

  SmallVector<Value> carry = buildCarry(valueDim);
  if (op.getPast())
    carry = foldBlocks(
        offset, carry, [&](Value from, Value keyCount, ValueRange carried) {
          Value values =
              getRows(op.getPast(), point[0], from, point[1], keyCount);
          return visit(point, from, keyCount, values, query, carried);
        });
  carry = foldBlocks(
      first, carry, [&](Value from, Value keyCount, ValueRange carried) {
        return visit(point, add(offset, from), keyCount,
                     getResults(results, from, keyCount), query, carried);
      });

  // The block's own keys: the scores of a token with those before it.
  Value lower;
  if (columns > 1) {
    Value key = padRows(getRows(op.getKey(), point[0], add(offset, first),
                                divide(point[1], op.getGroupSize()), count),
                        count, columns);
    Value scores = fill(zero(), empty({columns, columns}));
    scores = flash ? multiply(key, {0, 2}, query, {2, 1}, scores)
                   : multiply(query, {0, 2}, key, {1, 2}, scores);
    Value hidden = minusInfinity();
    scores =
        generic({}, scores, {map(2, {0, 1})}, {parallel, parallel},
                [&](OpBuilder &b, Location l, ValueRange args) {
                  Value isEarlier = arith::CmpIOp::create(
                      b, l, arith::CmpIPredicate::slt,
                      linalg::IndexOp::create(b, l, flash ? 0 : 1),
                      linalg::IndexOp::create(b, l, flash ? 1 : 0));
                  linalg::YieldOp::create(
                      b, l,
                      arith::SelectOp::create(b, l, isEarlier, args[0], hidden)
                          .getResult());
                })
            .getResult(0);
    Weights made = buildSoftmax(scores, carry);
    lower = flash ? made.weights : transpose(made.weights);
    carry = {made.maximum, made.sum, rescaleAccumulator(made, carry)};
  }

  Value shares = buildShares(point, first, count, carry[Sum]);
  Value value = padRows(
      getRows(op.getValue(), point[0], first, point[1], count), count, columns);
  AffineMap all = map(2, {0, 1}), perToken = map(2, {0});
  Value rows =
      generic(
          {shares, carry[Accumulator]}, value,
          {perToken, flash ? map(2, {1, 0}) : all, all}, {parallel, parallel},
          [](OpBuilder &b, Location l, ValueRange args) {
            Value taken = arith::MulFOp::create(b, l, args[0], args[1]);
            linalg::YieldOp::create(
                b, l, arith::SubFOp::create(b, l, args[2], taken).getResult());
          })
          .getResult(0);
  if (lower) {
    // Row s, column t: what token t takes of the result of token s.
    lower = generic(shares, lower, {map(2, {1}), all}, {parallel, parallel},
                    [](OpBuilder &b, Location l, ValueRange args) {
                      Value share =
                          arith::MulFOp::create(b, l, args[0], args[1]);
                      linalg::YieldOp::create(
                          b, l, arith::NegFOp::create(b, l, share).getResult());
                    })
                .getResult(0);
    rows = substitute(lower, rows);
  }

  OpFoldResult none = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  OpFoldResult width = builder.getIndexAttr(valueDim);
  Value present = tensor::ExtractSliceOp::create(
      builder, loc, rows, ArrayRef<OpFoldResult>{none, none},
      ArrayRef<OpFoldResult>{count, width}, ArrayRef<OpFoldResult>{one, one});
  Value place = getResults(results, first, count);
  Value written =
      generic(present, place, {all, all}, {parallel, parallel},
              [&](OpBuilder &b, Location l, ValueRange args) {
                linalg::YieldOp::create(b, l, convert(b, args[0], element));
              })
          .getResult(0);
  return tensor::InsertSliceOp::create(
      builder, loc, written, results,
      ArrayRef<OpFoldResult>{none, first, none, none},
      ArrayRef<OpFoldResult>{one, count, one, width},
      SmallVector<OpFoldResult>(4, one));
}

//===----------------------------------------------------------------------===//
// BlockMapInterface
//===----------------------------------------------------------------------===//

FailureOr<BlockDomain> DeltaValuesOp::getBlockDomain(OpBuilder &builder,
                                                     ScheduleAttr schedule) {
  StringRef form = schedule.getForm().getValue();
  ArrayRef<int64_t> tiles = schedule.getTiles();
  if (form != "flash" && form != "row")
    return emitOpError("has a schedule of form '")
           << form << "', expected flash or row";
  if (tiles.size() != 2 ||
      llvm::any_of(tiles, [](int64_t tile) { return tile < 1; }))
    return emitOpError("has schedule tiles [")
           << tiles << "], expected [tokens, keys] of positive extents";
  BlockDomain domain;
  domain.parallel = {tensor::getMixedSize(builder, getLoc(), getQuery(), 0),
                     builder.getIndexAttr(getHeads())};
  return domain;
}

SmallVector<Value> DeltaValuesOp::buildDestinations(OpBuilder &builder) {
  return {tensor::EmptyOp::create(
      builder, getLoc(), tensor::getMixedSizes(builder, getLoc(), getValue()),
      cast<RankedTensorType>(getResult().getType()).getElementType())};
}

SmallVector<TilePlace> DeltaValuesOp::getResultTiles(OpBuilder &builder,
                                                     ScheduleAttr,
                                                     ValueRange point) {
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  TilePlace place;
  place.offsets = {point[0], zero, point[1], zero};
  place.sizes = {one,
                 tensor::getMixedSize(builder, getLoc(), getValue(), TimeAxis),
                 one, builder.getIndexAttr(getValueDim())};
  return {place};
}

SmallVector<Value> DeltaValuesOp::buildInvariants(OpBuilder &, ScheduleAttr,
                                                  ValueRange) {
  return {};
}

std::pair<Value, Value> DeltaValuesOp::buildCarriedRange(OpBuilder &builder,
                                                         ScheduleAttr schedule,
                                                         ValueRange,
                                                         ValueRange) {
  Location loc = getLoc();
  Value time = getValueOrCreateConstantIndexOp(
      builder, loc, tensor::getMixedSize(builder, loc, getQuery(), TimeAxis));
  return {buildIndex(builder, loc, 0),
          arith::CeilDivSIOp::create(
              builder, loc, time,
              buildIndex(builder, loc, schedule.getTiles()[0]))};
}

SmallVector<Value> DeltaValuesOp::buildInit(OpBuilder &, ScheduleAttr,
                                            ValueRange, ValueRange,
                                            ValueRange destinations) {
  return SmallVector<Value>(destinations);
}

SmallVector<Value> DeltaValuesOp::buildStepOnBlock(OpBuilder &builder,
                                                   ScheduleAttr schedule,
                                                   ValueRange point,
                                                   Value index, ValueRange,
                                                   ValueRange carry) {
  return {
      DeltaTiler(*this, builder, schedule).build(point, index, carry.front())};
}

SmallVector<Value> DeltaValuesOp::buildFinish(OpBuilder &, ScheduleAttr,
                                              ValueRange, ValueRange,
                                              ValueRange, ValueRange carry) {
  return SmallVector<Value>(carry);
}
