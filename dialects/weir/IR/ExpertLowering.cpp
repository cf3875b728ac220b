//===- ExpertLowering.cpp - Experts on sorted rows -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pairs of a token and a slot are sorted by expert, by counting: pairs of one
// expert are rows that lie side by side. The rows are cut into parts, one for a
// thread, that cost the same: an expert costs its rows and, if it has any, what
// reading its weights takes, so that it does not matter how unevenly tokens
// choose. A part goes through its experts and, block of rows by block, gathers
// the rows' tokens and runs the body on them. Behind that, each token adds up
// the rows of its pairs in the order of slots, whichever thread they came from,
// so that results do not depend on threads.
//
// The form for a grid is in ExpertGrid.cpp.
//
// With one token there is nothing to sort. Its experts are spread over threads
// (`slots`), or, when they would not divide evenly, go one after another with
// their products spread over threads (`columns`).
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ExpertBlocks.h"
#include "weir/IR/ReferenceBuilders.h"

using namespace mlir;
using namespace weir;

/// Rows that take as long as reading an expert's weights does.
static constexpr int64_t RowsPerWeights = 12;
/// Rows of a block where there is no schedule.
static constexpr int64_t DefaultRows = 64;

namespace {
/// Builds the optimised form of one `weir.experts`.
class ExpertSorter {
public:
  ExpertSorter(OpBuilder &builder, ExpertsOp op)
      : builder(builder), op(op), loc(op.getLoc()), blocks(builder, op),
        element(
            cast<RankedTensorType>(op.getInput().getType()).getElementType()),
        inputs(op.getInput().getType().getShape().back()),
        features(op.getResult().getType().getShape().back()),
        experts(op.getExpertCount()), zero(buildIndex(builder, loc, 0)),
        one(buildIndex(builder, loc, 1)) {}

  /// Any number of tokens.
  Value buildGrouped(int64_t rows, int64_t parts);
  /// One token, its experts side by side or one after another.
  Value buildSlots();
  Value buildColumns();

private:
  /// Where things lie once pairs are sorted.
  struct Order {
    /// `[experts + 1]`: the first row of each expert, and the end.
    Value starts;
    /// The pair of each row, and the row of each pair.
    Value pairs, rows;
  };

  Value index(OpBuilder &b, int64_t number) const {
    return buildIndex(b, loc, number);
  }
  Value add(OpBuilder &b, Value lhs, Value rhs) const {
    return arith::AddIOp::create(b, loc, lhs, rhs);
  }
  Value subtract(OpBuilder &b, Value lhs, Value rhs) const {
    return arith::SubIOp::create(b, loc, lhs, rhs);
  }
  Value read(OpBuilder &b, Value tensor, Value at) const {
    return tensor::ExtractOp::create(b, loc, tensor, at);
  }
  Value insertRows(OpBuilder &b, Value part, Value into, OpFoldResult first,
                   OpFoldResult count, int64_t columns) const;

  Order sortPairs(Value pairCount);
  Value cutParts(const Order &order, int64_t parts);
  Value gather(OpBuilder &b, const Order &order, Value first, Value count);

  OpBuilder &builder;
  ExpertsOp op;
  Location loc;
  ExpertBlocks blocks;
  Type element;
  int64_t inputs, features, experts;
  Value zero, one;
};
} // namespace

Value ExpertSorter::insertRows(OpBuilder &b, Value part, Value into,
                               OpFoldResult first, OpFoldResult count,
                               int64_t columns) const {
  SmallVector<OpFoldResult> offsets{first, b.getIndexAttr(0)},
      sizes{count, b.getIndexAttr(columns)}, strides(2, b.getIndexAttr(1));
  return tensor::InsertSliceOp::create(b, loc, part, into, offsets, sizes,
                                       strides);
}

ExpertSorter::Order ExpertSorter::sortPairs(Value pairCount) {
  Type indexType = builder.getIndexType();
  // Pairs of no expert are sorted behind those of all.
  Value none = index(builder, experts);
  auto expertOf = [&](OpBuilder &b, Value pair) -> Value {
    return arith::MinUIOp::create(b, loc, blocks.readExpert(b, pair), none);
  };
  auto increase = [&](OpBuilder &b, Value counts, Value at) -> Value {
    Value next = add(b, read(b, counts, at), one);
    return tensor::InsertOp::create(b, loc, next, counts, at);
  };
  // Counts lie two entries behind their expert. Summed up, entry e + 1 is the
  // first row of expert e; placing its pairs moves that on to the first row of
  // the next one, and so entry e becomes that of expert e.
  SmallVector<int64_t> entries{experts + 3};
  Value counts = tensor::EmptyOp::create(builder, loc, entries, indexType);
  counts = linalg::FillOp::create(builder, loc, zero, counts).getResult(0);
  Value two = index(builder, 2);
  counts = buildCarryingLoop(builder, loc, zero, pairCount, one, counts,
                             [&](OpBuilder &b, Value pair, ValueRange carried) {
                               Value at = add(b, expertOf(b, pair), two);
                               return SmallVector<Value>{
                                   increase(b, carried.front(), at)};
                             })
               .front();
  counts = buildCarryingLoop(
               builder, loc, two, index(builder, experts + 3), one, counts,
               [&](OpBuilder &b, Value at, ValueRange carried) {
                 Value before = read(b, carried.front(), subtract(b, at, one));
                 Value sum = add(b, before, read(b, carried.front(), at));
                 return SmallVector<Value>{tensor::InsertOp::create(
                     b, loc, sum, carried.front(), at)};
               })
               .front();
  SmallVector<OpFoldResult> extents{
      tensor::getMixedSize(builder, loc, op.getIndices(), 0)};
  extents.front() = getAsOpFoldResult(pairCount);
  SmallVector<Value> placed{
      counts, tensor::EmptyOp::create(builder, loc, extents, indexType),
      tensor::EmptyOp::create(builder, loc, extents, indexType)};
  placed = buildCarryingLoop(
      builder, loc, zero, pairCount, one, placed,
      [&](OpBuilder &b, Value pair, ValueRange carried) {
        Value at = add(b, expertOf(b, pair), one);
        Value row = read(b, carried[0], at);
        return SmallVector<Value>{
            increase(b, carried[0], at),
            tensor::InsertOp::create(b, loc, pair, carried[1], row),
            tensor::InsertOp::create(b, loc, row, carried[2], pair)};
      });
  return {placed[0], placed[1], placed[2]};
}

/// `[parts + 1]`: the first row of each part, and the end. The cost of an
/// expert comes before its rows, so that a part that ends there leaves all of
/// it to the next.
Value ExpertSorter::cutParts(const Order &order, int64_t parts) {
  Value weights = index(builder, RowsPerWeights);
  auto rowsOf = [&](OpBuilder &b, Value expert) {
    return subtract(b, read(b, order.starts, add(b, expert, one)),
                    read(b, order.starts, expert));
  };
  auto costOf = [&](OpBuilder &b, Value rows) -> Value {
    Value any =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, rows, zero);
    return add(b, rows, arith::SelectOp::create(b, loc, any, weights, zero));
  };
  Value last = index(builder, experts);
  Value total =
      buildCarryingLoop(builder, loc, zero, last, one, zero,
                        [&](OpBuilder &b, Value expert, ValueRange sum) {
                          return SmallVector<Value>{add(
                              b, sum.front(), costOf(b, rowsOf(b, expert)))};
                        })
          .front();
  SmallVector<int64_t> entries{parts + 1};
  Value cuts =
      tensor::EmptyOp::create(builder, loc, entries, builder.getIndexType());
  return buildCarryingLoop(
             builder, loc, zero, index(builder, parts + 1), one, cuts,
             [&](OpBuilder &b, Value part, ValueRange carried) {
               Value share = arith::DivUIOp::create(
                   b, loc, arith::MulIOp::create(b, loc, total, part),
                   index(b, parts));
               SmallVector<Value> cut = buildCarryingLoop(
                   b, loc, zero, last, one, ValueRange{zero, share},
                   [&](OpBuilder &b, Value expert, ValueRange state) {
                     Value rows = rowsOf(b, expert);
                     Value paid = arith::MaxSIOp::create(
                         b, loc, subtract(b, state[1], weights), zero);
                     Value taken = arith::MinSIOp::create(b, loc, paid, rows);
                     Value spent = arith::MinSIOp::create(b, loc, state[1],
                                                          costOf(b, rows));
                     return SmallVector<Value>{add(b, state[0], taken),
                                               subtract(b, state[1], spent)};
                   });
               return SmallVector<Value>{tensor::InsertOp::create(
                   b, loc, cut.front(), carried.front(), part)};
             })
      .front();
}

/// The inputs of `count` rows from `first` on.
Value ExpertSorter::gather(OpBuilder &b, const Order &order, Value first,
                           Value count) {
  SmallVector<OpFoldResult> extents{count, b.getIndexAttr(inputs)};
  Value init = tensor::EmptyOp::create(b, loc, extents, element);
  return buildCarryingLoop(
             b, loc, zero, count, one, init,
             [&](OpBuilder &b, Value i, ValueRange carried) {
               Value pair = read(b, order.pairs, add(b, first, i));
               Value row = blocks.readInput(b, pair);
               return SmallVector<Value>{insertRows(b, row, carried.front(), i,
                                                    b.getIndexAttr(1), inputs)};
             })
      .front();
}

Value ExpertSorter::buildGrouped(int64_t rowsPerBlock, int64_t parts) {
  Value tokens = blocks.getTokens(builder);
  Value slots = index(builder, op.getSlotCount());
  Value pairCount = arith::MulIOp::create(builder, loc, tokens, slots);
  if (auto extent = getConstantIntValue(blocks.getTokenCount()))
    pairCount = index(builder, *extent * op.getSlotCount());
  Order order = sortPairs(pairCount);
  Value cuts = cutParts(order, parts);

  SmallVector<OpFoldResult> extents{getAsOpFoldResult(pairCount),
                                    builder.getIndexAttr(features)};
  Value sorted = tensor::EmptyOp::create(builder, loc, extents, element);
  auto forall = scf::ForallOp::create(
      builder, loc, ArrayRef<OpFoldResult>{builder.getIndexAttr(parts)}, sorted,
      /*mapping=*/std::nullopt);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(forall.getTerminator());
    Value part = forall.getInductionVars().front();
    Value begin = read(builder, cuts, part);
    Value end = read(builder, cuts, add(builder, part, one));
    Value count = subtract(builder, end, begin);
    Value own = sliceRows(builder, loc, forall.getRegionIterArgs().front(),
                          begin, count, features);
    Value step = index(builder, rowsPerBlock);
    Value done =
        buildCarryingLoop(
            builder, loc, zero, index(builder, experts), one, own,
            [&](OpBuilder &b, Value expert, ValueRange carried) {
              Value first = arith::MaxSIOp::create(
                  b, loc, read(b, order.starts, expert), begin);
              Value last = arith::MinSIOp::create(
                  b, loc, read(b, order.starts, add(b, expert, one)), end);
              return buildCarryingLoop(
                  b, loc, first, last, step, carried,
                  [&](OpBuilder &b, Value row, ValueRange into) {
                    Value rest = arith::MinSIOp::create(b, loc, step,
                                                        subtract(b, last, row));
                    Value rows = gather(b, order, row, rest);
                    Value outputs = blocks.buildBody(b, rows, expert);
                    return SmallVector<Value>{
                        insertRows(b, outputs, into.front(),
                                   subtract(b, row, begin), rest, features)};
                  });
            })
            .front();
    builder.setInsertionPointToEnd(forall.getTerminator().getBody());
    SmallVector<OpFoldResult> offsets{begin, builder.getIndexAttr(0)},
        sizes{count, builder.getIndexAttr(features)},
        strides(2, builder.getIndexAttr(1));
    tensor::ParallelInsertSliceOp::create(builder, loc, done,
                                          forall.getRegionIterArgs().front(),
                                          offsets, sizes, strides);
  }
  sorted = forall.getResult(0);

  return blocks.buildSums(builder, sorted, [&](OpBuilder &b, Value pair) {
    return read(b, order.rows, pair);
  });
}

/// Zeros to add the terms of one token to.
static Value buildZeroSum(OpBuilder &builder, Location loc, Type type,
                          int64_t features) {
  return buildFilled(builder, loc, {1, features}, type, 0);
}

Value ExpertSorter::buildSlots() {
  SmallVector<int64_t> shape{op.getSlotCount(), features};
  Value outputs = tensor::EmptyOp::create(builder, loc, shape, element);
  auto forall = scf::ForallOp::create(
      builder, loc,
      ArrayRef<OpFoldResult>{builder.getIndexAttr(op.getSlotCount())}, outputs,
      /*mapping=*/std::nullopt);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(forall.getTerminator());
    Value slot = forall.getInductionVars().front();
    Value expert =
        blocks.clampExpert(builder, blocks.readExpert(builder, slot));
    Value output = blocks.buildBody(builder, blocks.readInput(builder, slot),
                                    expert, /*refine=*/true);
    builder.setInsertionPointToEnd(forall.getTerminator().getBody());
    SmallVector<OpFoldResult> offsets{slot, builder.getIndexAttr(0)},
        sizes{builder.getIndexAttr(1), builder.getIndexAttr(features)},
        strides(2, builder.getIndexAttr(1));
    tensor::ParallelInsertSliceOp::create(builder, loc, output,
                                          forall.getRegionIterArgs().front(),
                                          offsets, sizes, strides);
  }
  outputs = forall.getResult(0);
  return buildCarryingLoop(
             builder, loc, zero, index(builder, op.getSlotCount()), one,
             buildZeroSum(builder, loc, getAccumulatorType(element), features),
             [&](OpBuilder &b, Value slot, ValueRange carried) {
               Value row = sliceRows(b, loc, outputs, slot, b.getIndexAttr(1),
                                     features);
               return SmallVector<Value>{
                   blocks.addTerm(b, row, slot, carried.front())};
             })
      .front();
}

Value ExpertSorter::buildColumns() {
  return buildCarryingLoop(
             builder, loc, zero, index(builder, op.getSlotCount()), one,
             buildZeroSum(builder, loc, getAccumulatorType(element), features),
             [&](OpBuilder &b, Value slot, ValueRange carried) {
               Value expert = blocks.clampExpert(b, blocks.readExpert(b, slot));
               Value output = blocks.buildBody(b, blocks.readInput(b, slot),
                                               expert, /*refine=*/true);
               return SmallVector<Value>{
                   blocks.addTerm(b, output, slot, carried.front())};
             })
      .front();
}

FailureOr<SmallVector<Value>> ExpertsOp::buildLowering(OpBuilder &builder) {
  ExpertSorter sorter(builder, *this);
  ScheduleAttr schedule = getScheduleAttr();
  Value sums;
  if (schedule && schedule.getForm().getValue() == "slots")
    sums = sorter.buildSlots();
  else if (schedule && schedule.getForm().getValue() == "columns")
    sums = sorter.buildColumns();
  else if (schedule && schedule.getForm().getValue() == "grid")
    sums = buildExpertGrid(builder, *this, schedule.getTiles()[0]);
  else
    sums = sorter.buildGrouped(schedule ? schedule.getTiles()[0] : DefaultRows,
                               schedule ? schedule.getTiles()[1] : 1);
  // Sums of one token are `[1, D']`.
  Location loc = getLoc();
  int64_t rank = cast<RankedTensorType>(getInput().getType()).getRank();
  if (cast<RankedTensorType>(sums.getType()).getRank() != rank) {
    auto type = cast<RankedTensorType>(sums.getType());
    SmallVector<int64_t> shape(rank, 1);
    shape.back() = type.getShape().back();
    SmallVector<ReassociationIndices> groups(2);
    for (int64_t axis = 0; axis + 1 < rank; ++axis)
      groups.front().push_back(axis);
    groups.back().push_back(rank - 1);
    sums = tensor::ExpandShapeOp::create(builder, loc, type.clone(shape), sums,
                                         groups);
  }
  Type element = cast<RankedTensorType>(getInput().getType()).getElementType();
  Type sumType = cast<RankedTensorType>(sums.getType()).getElementType();
  if (sumType != element)
    sums = buildElementwise(builder, loc,
                            tensor::getMixedSizes(builder, loc, sums), element,
                            sums, builder.getMultiDimIdentityMap(rank),
                            [&](OpBuilder &b, Location l, ValueRange in) {
                              return convertFloat(b, l, in[0], element);
                            });
  return SmallVector<Value>{sums};
}
