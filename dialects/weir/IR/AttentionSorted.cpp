//===- AttentionSorted.cpp - Queries sorted by the blocks they see -*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where each query has a list of its own and few heads share it, the products
// with a block are those of single rows. So a point has many queries. Their
// entries are counted by block and put in its order, which keeps that of the
// queries within a block. The carried loop goes over the blocks of keys: the
// queries that name one are gathered, as many as fill a tile, and taken with it
// as `flash` takes a tile of neighbours, from an empty carry. Then each query's
// part of the tile's carry joins its own one, which is kept as the form `row`
// keeps it, and finished likewise.
//
// A tile's queries are in the order of their positions. So the mask's class
// follows from the first and the last one, as elsewhere.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiler.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weir;
using utils::IteratorType;

static void buildNothing(OpBuilder &, Location, Value, ValueRange) {}

SmallVector<Value> AttentionTiler::buildSortedCarry() {
  return {fill(lowest(), empty({group, queries})),
          fill(zero(), empty({group, queries})),
          fill(zero(), empty({group, queries, valueDim}))};
}

SmallVector<Value> AttentionTiler::collapseSortedCarry(ValueRange carry) {
  SmallVector<ReassociationIndices> columns{{0, 1}}, rows{{0, 1}, {2}};
  SmallVector<Value> collapsed;
  for (auto [part, tensor] : llvm::enumerate(carry))
    collapsed.push_back(tensor::CollapseShapeOp::create(
        builder, loc, tensor, part == Accumulator ? rows : columns));
  return collapsed;
}

std::pair<Value, Value> AttentionTiler::sortQueries(ValueRange point,
                                                    ValueRange) {
  auto type = cast<RankedTensorType>(op.getBlockList().getType());
  int64_t entries = type.getDimSize(3);
  auto [first, count] = getQueries(point);
  Value blocks = getBlockCount(), zero = constant(0), one = constant(1);
  Value list = divide(point[1], heads / type.getDimSize(2));
  Type index = builder.getIndexType();

  // What names no block that there are keys of goes behind the last one.
  auto forEachEntry = [&, first = first, count = count](
                          ValueRange inits,
                          function_ref<SmallVector<Value>(
                              Value query, Value block, ValueRange before)>
                              body) -> SmallVector<Value> {
    auto outer =
        scf::ForOp::create(builder, loc, zero, count, one, inits, buildNothing);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(outer.getBody());
    Value query = outer.getInductionVar();
    Value row = divide(add(first, query), op.getQueryBlock());
    auto inner = scf::ForOp::create(builder, loc, zero, constant(entries), one,
                                    outer.getRegionIterArgs(), buildNothing);
    scf::YieldOp::create(builder, loc, inner.getResults());
    builder.setInsertionPointToEnd(inner.getBody());
    Value block = getIndex(op.getBlockList(),
                           {point[0], row, list, inner.getInductionVar()});
    // attention_c13
    Value isBlock = arith::AndIOp::create(
        builder, loc, compare(arith::CmpIPredicate::sge, block, zero),
        compare(arith::CmpIPredicate::slt, block, blocks));
    scf::YieldOp::create(
        builder, loc,
        body(query, select(isBlock, block, blocks), inner.getRegionIterArgs()));
    return SmallVector<Value>(outer.getResults());
  };

  SmallVector<OpFoldResult> size{getAsOpFoldResult(add(blocks, one))};
  Value counts = fill(zero, tensor::EmptyOp::create(builder, loc, size, index));
  counts = forEachEntry(counts, [&](Value, Value block, ValueRange before) {
    Value old = tensor::ExtractOp::create(builder, loc, before[0], block);
    return SmallVector<Value>{tensor::InsertOp::create(
        builder, loc, add(old, one), before[0], block)};
  })[0];
  // Where the entries of each block begin.
  auto sums = scf::ForOp::create(builder, loc, zero, add(blocks, one), one,
                                 ValueRange{counts, zero}, buildNothing);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(sums.getBody());
    ValueRange before = sums.getRegionIterArgs();
    Value block = sums.getInductionVar();
    Value own = tensor::ExtractOp::create(builder, loc, before[0], block);
    Value after =
        tensor::InsertOp::create(builder, loc, before[1], before[0], block);
    scf::YieldOp::create(builder, loc, ValueRange{after, add(before[1], own)});
  }
  // Each entry moves its block's begin on, which becomes the end.
  Value order = tensor::EmptyOp::create(
      builder, loc, ArrayRef<int64_t>{queries * entries}, index);
  SmallVector<Value> placed = forEachEntry(
      ValueRange{order, sums.getResult(0)},
      [&](Value query, Value block, ValueRange before) {
        Value place = tensor::ExtractOp::create(builder, loc, before[1], block);
        return SmallVector<Value>{
            tensor::InsertOp::create(builder, loc, query, before[0], place),
            tensor::InsertOp::create(builder, loc, add(place, one), before[1],
                                     block)};
      });
  return {placed[0], placed[1]};
}

Value AttentionTiler::gatherQueries(ValueRange point, Value origin, Value order,
                                    Value first, Value count) {
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  OpFoldResult groups = builder.getIndexAttr(group);
  OpFoldResult features = builder.getIndexAttr(dim);
  auto type = RankedTensorType::get({group, dim}, element);
  Value none = arith::ConstantOp::create(builder, loc,
                                         builder.getFloatAttr(element, 0.0));
  Value rows = fill(
      none, tensor::EmptyOp::create(
                builder, loc, ArrayRef<int64_t>{queries, group, dim}, element));
  auto loop = scf::ForOp::create(builder, loc, constant(0), count, constant(1),
                                 rows, buildNothing);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(loop.getBody());
    Value number = loop.getInductionVar();
    Value query = tensor::ExtractOp::create(builder, loc, order,
                                            ValueRange{add(first, number)});
    SmallVector<OpFoldResult> ones(4, one);
    Value row = tensor::ExtractSliceOp::create(
        builder, loc, type, op.getQuery(),
        SmallVector<OpFoldResult>{point[0], add(origin, query),
                                  getFirstHead(point), zero},
        SmallVector<OpFoldResult>{one, one, groups, features}, ones);
    scf::YieldOp::create(builder, loc,
                         tensor::InsertSliceOp::create(
                             builder, loc, row, loop.getRegionIterArgs()[0],
                             SmallVector<OpFoldResult>{number, zero, zero},
                             SmallVector<OpFoldResult>{one, groups, features},
                             ArrayRef(ones).drop_back())
                             .getResult());
  }
  Value scale = number(op.getScale().convertToDouble());
  Value tile = generic(loop.getResult(0), empty({dim, group, queries}),
                       {map(3, {2, 1, 0}), map(3, {0, 1, 2})},
                       SmallVector<IteratorType>(3, IteratorType::parallel),
                       [&](OpBuilder &b, Location l, ValueRange args) {
                         Value scaled = arith::MulFOp::create(
                             b, l, convert(b, args[0], compute), scale);
                         linalg::YieldOp::create(b, l, scaled);
                       })
                   .getResult(0);
  SmallVector<ReassociationIndices> merged{{0}, {1, 2}};
  return tensor::CollapseShapeOp::create(builder, loc, tile, merged);
}

SmallVector<Value> AttentionTiler::joinCarries(ValueRange earlier,
                                               ValueRange later, Value order,
                                               Value first, Value count) {
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  OpFoldResult groups = builder.getIndexAttr(group);
  OpFoldResult features = builder.getIndexAttr(valueDim);
  auto eachType = RankedTensorType::get({group}, compute);
  auto rowType = RankedTensorType::get({group, valueDim}, compute);
  bool isSoftmax = normalize == AttentionNormalize::Softmax;
  // The tile's sums as rows, heads outermost as in the carry.
  SmallVector<ReassociationIndices> split{{0}, {1, 2}}, two{{0, 1}};
  Value sums = tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get({valueDim, group, queries}, compute),
      later[Accumulator], split);
  sums = generic(sums, empty({group, queries, valueDim}),
                 {map(3, {2, 0, 1}), map(3, {0, 1, 2})},
                 SmallVector<IteratorType>(3, IteratorType::parallel),
                 [](OpBuilder &b, Location l, ValueRange args) {
                   linalg::YieldOp::create(b, l, args[0]);
                 })
             .getResult(0);
  auto expand = [&](Value tensor) -> Value {
    return tensor::ExpandShapeOp::create(
        builder, loc, RankedTensorType::get({group, queries}, compute), tensor,
        two);
  };
  Value maxima = expand(later[Maximum]), weights = expand(later[Sum]);
  auto loop = scf::ForOp::create(builder, loc, constant(0), count, constant(1),
                                 earlier, buildNothing);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(loop.getBody());
    Value number = loop.getInductionVar();
    ValueRange before = loop.getRegionIterArgs();
    Value query = tensor::ExtractOp::create(builder, loc, order,
                                            ValueRange{add(first, number)});
    SmallVector<OpFoldResult> ones(3, one), size{groups, one};
    SmallVector<OpFoldResult> rowSize{groups, one, features};
    auto takeEach = [&](Value tensor, Value at) -> Value {
      return tensor::ExtractSliceOp::create(builder, loc, eachType, tensor,
                                            SmallVector<OpFoldResult>{zero, at},
                                            size, ArrayRef(ones).drop_back());
    };
    auto takeRows = [&](Value tensor, Value at) -> Value {
      return tensor::ExtractSliceOp::create(
          builder, loc, rowType, tensor,
          SmallVector<OpFoldResult>{zero, at, zero}, rowSize, ones);
    };
    AffineMap each = map(1, {0}), perHead = map(2, {0}), all = map(2, {0, 1});
    SmallVector<Value> after(before);
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    if (isSoftmax) {
      // The larger maximum, the sum, and what both sides are multiplied by.
      auto joined = generic(
          {takeEach(maxima, number), takeEach(weights, number)},
          {takeEach(before[Maximum], query), takeEach(before[Sum], query),
           empty({group}), empty({group})},
          SmallVector<AffineMap>(6, each), {IteratorType::parallel},
          [&](OpBuilder &b, Location l, ValueRange args) {
            Value above = arith::CmpFOp::create(b, l, arith::CmpFPredicate::OGT,
                                                args[0], args[2]);
            Value maximum =
                arith::SelectOp::create(b, l, above, args[0], args[2]);
            auto power = [&](Value from) -> Value {
              return math::ExpOp::create(
                  b, l, arith::SubFOp::create(b, l, from, maximum));
            };
            Value old = power(args[2]), now = power(args[0]);
            Value sum = arith::AddFOp::create(
                b, l, arith::MulFOp::create(b, l, args[3], old),
                arith::MulFOp::create(b, l, args[1], now));
            linalg::YieldOp::create(b, l, ValueRange{maximum, sum, old, now});
          });
      for (Carry part : {Maximum, Sum})
        after[part] = tensor::InsertSliceOp::create(
            builder, loc, joined.getResult(part), before[part],
            SmallVector<OpFoldResult>{zero, query}, size,
            ArrayRef(ones).drop_back());
      inputs = {joined.getResult(2), joined.getResult(3)};
      maps = {perHead, perHead};
    }
    inputs.push_back(takeRows(sums, number));
    maps.append(2, all);
    Value rows = generic(inputs, takeRows(before[Accumulator], query), maps,
                         SmallVector<IteratorType>(2, IteratorType::parallel),
                         [&](OpBuilder &b, Location l, ValueRange args) {
                           Value old = args.back(), now = args[args.size() - 2];
                           if (isSoftmax) {
                             old = arith::MulFOp::create(b, l, old, args[0]);
                             now = arith::MulFOp::create(b, l, now, args[1]);
                           }
                           Value sum = arith::AddFOp::create(b, l, old, now);
                           linalg::YieldOp::create(b, l, sum);
                         })
                     .getResult(0);
    after[Accumulator] = tensor::InsertSliceOp::create(
        builder, loc, rows, before[Accumulator],
        SmallVector<OpFoldResult>{zero, query, zero}, rowSize, ones);
    scf::YieldOp::create(builder, loc, after);
  }
  return SmallVector<Value>(loop.getResults());
}

SmallVector<Value> AttentionTiler::buildSortedStep(ValueRange point,
                                                   Value index,
                                                   ValueRange invariants,
                                                   ValueRange carry) {
  AttentionTiler tile(*this);
  tile.flash = true;
  tile.queries = together;
  tile.columns = group * together;
  Value order = invariants[Order], ends = invariants.back();
  Value zero = constant(0), one = constant(1);
  Value before = max(sub(index, one), zero);
  Value begin = select(compare(arith::CmpIPredicate::eq, index, zero), zero,
                       tensor::ExtractOp::create(builder, loc, ends, before));
  Value end = tensor::ExtractOp::create(builder, loc, ends, index);
  auto loop = scf::ForOp::create(builder, loc, begin, end, constant(together),
                                 carry, buildNothing);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(loop.getBody());
  Value first = loop.getInductionVar();
  Value count = min(constant(together), sub(end, first));
  Value last = sub(add(first, count), one);
  auto placeOf = [&](Value entry) -> Value {
    return tensor::ExtractOp::create(builder, loc, order, entry);
  };
  // The tile's own invariants. Queries behind the last stand where it does.
  SmallVector<Value> own(invariants.drop_back());
  Value origin = placeOf(first);
  own[FirstQuery] = add(invariants[FirstQuery], origin);
  own[LastQuery] = add(invariants[FirstQuery], placeOf(last));
  own[QueryTile] =
      tile.gatherQueries(point, getQueries(point).first, order, first, count);
  if (hasMask() || !op.getScore().empty()) {
    Value places = tensor::EmptyOp::create(
        builder, loc, ArrayRef<int64_t>{together}, builder.getIndexType());
    tile.places =
        generic({}, places, {map(1, {0})}, {IteratorType::parallel},
                [&](OpBuilder &b, Location l, ValueRange) {
                  Value entry = arith::AddIOp::create(
                      b, l, first, linalg::IndexOp::create(b, l, 0));
                  entry = arith::MinSIOp::create(b, l, entry, last);
                  Value place = tensor::ExtractOp::create(b, l, order, entry);
                  linalg::YieldOp::create(
                      b, l,
                      arith::SubIOp::create(b, l, place, origin).getResult());
                })
            .getResult(0);
  }
  // Keys of the block that the mask may show to one of the tile's queries.
  int64_t size = op.getBlockSize();
  Value from = mul(index, size), behind = add(from, constant(size));
  from = max(from, invariants[FirstKey]);
  behind = min(behind, invariants[EndKey]);
  MaskReach reach = op.getReach();
  Value isPlain;
  if (op.getOffset())
    isPlain = compare(arith::CmpIPredicate::eq, invariants[RingBase], zero);
  auto narrow = [&](Value bound, Value nearer) {
    return isPlain ? select(isPlain, nearer, bound) : nearer;
  };
  if (reach.behind)
    from =
        narrow(from, max(from, sub(own[FirstQuery], constant(*reach.behind))));
  if (reach.ahead)
    behind = narrow(
        behind, min(behind, add(own[LastQuery], constant(*reach.ahead + 1))));
  auto visit = scf::ForOp::create(builder, loc, from, behind, constant(keys),
                                  tile.buildCarry(valueDim), buildNothing);
  {
    OpBuilder::InsertionGuard inner(builder);
    builder.setInsertionPointToEnd(visit.getBody());
    Value at = visit.getInductionVar();
    KeyBlock block =
        tile.getRun(point, at, min(constant(keys), sub(behind, at)));
    Value isFull = hasMask() ? tile.classify(block, point, own).all : Value();
    Value scores = tile.buildScores(
        block, tile.buildProducts(block, own[QueryTile]), isFull, point, own);
    scf::YieldOp::create(
        builder, loc,
        tile.buildUpdate(scores, block, visit.getRegionIterArgs()));
  }
  scf::YieldOp::create(builder, loc,
                       tile.joinCarries(loop.getRegionIterArgs(),
                                        visit.getResults(), order, first,
                                        count));
  return SmallVector<Value>(loop.getResults());
}
