//===- AttentionTiling.cpp - Attention as a block map -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Online softmax over blocks of keys. A point of the parallel loops is a batch
// row, a key head, and a tile of bq queries; the M = G * bq query vectors of
// the G heads that share the key head are taken together, g outermost. The
// carry is (maximum, sum, accumulator) of each of them.
//
// Forms differ in how tiles lie in memory, and in how keys are shared out:
//
// - `flash`: everything transposed. Scores are [keys, M], the accumulator is
//   [Dv, M]. The query tile is transposed once; keys and values are read where
//   they are, an element at a time, against whole vectors along M. The softmax
//   runs along the outer axis, so that it needs no reduction within a vector.
// - `row`: scores are [M, keys], the accumulator is [M, Dv]. It is for few
//   queries (decoding), where M would not fill a vector.
// - `split`: as `row`, with the keys cut into parts that are taken at once
//   (AttentionTransfer.cpp), for few rows and heads and many keys.
// - `list` and `list_flash`: as `row` and `flash`, over the blocks of keys that
//   a list names (AttentionLists.cpp). The heads of a point, and the queries of
//   a tile, share their list.
// - `list_sorted`: as `row`, but a point's queries, each with a list of its
// own,
//   are sorted by the blocks that they name, and taken together block by block
//   (AttentionSorted.cpp).
//
// Keys are visited from the first to the last one that the mask's reach, the
// key lengths and the fill of the buffer allow, or, where a path lies between
// them and the queries, from the last one back (AttentionPaths.cpp). The number
// of keys in a block is exact, so that its outer extent is dynamic and no tail
// needs a mask. A block evaluates the mask only if its class (TileClasses.h)
// does not prove it visible as a whole; one whose class proves it hidden is
// left at once, but for a path, which goes on through it.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiler.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weir;
using utils::IteratorType;
using Tiler = AttentionTiler;

AttentionTiler::AttentionTiler(AttentionOp op, OpBuilder &builder,
                               ScheduleAttr schedule)
    : AttentionTiles(
          builder, op.getLoc(),
          schedule.getForm().getValue().ends_with("flash"),
          /*columns=*/0,
          cast<RankedTensorType>(op.getQuery().getType()).getElementType(),
          op.getNormalize()),
      op(op), queries(schedule.getTiles()[0]), keys(schedule.getTiles()[1]) {
  auto query = cast<RankedTensorType>(op.getQuery().getType());
  heads = op.getListedHeads();
  group = query.getDimSize(2) / heads;
  dim = query.getDimSize(3);
  valueDim = cast<RankedTensorType>(op.getValue().getType()).getDimSize(3);
  columns = group * queries;
  if (schedule.getForm().getValue() == "list_sorted")
    together = schedule.getTiles()[2];
}

Value AttentionTiler::getKeyHead(ValueRange point) {
  int64_t keyHeads =
      cast<RankedTensorType>(op.getKey().getType()).getDimSize(2);
  return divide(point[1], heads / keyHeads);
}

/// Under a causal mask later tiles cost more, as they may under a predicate.
/// Taking tiles from both ends in turn gives threads that get consecutive
/// points equal work.
Value AttentionTiler::getTileIndex(Value ordinal) {
  MaskReach reach = op.getReach();
  if (reach.behind || (!reach.ahead && op.getWhere().empty()))
    return ordinal;
  Value count = arith::CeilDivSIOp::create(
      builder, loc, getDim(op.getQuery(), 1), constant(queries));
  Value two = constant(2);
  Value half = arith::DivSIOp::create(builder, loc, ordinal, two);
  Value odd = arith::RemSIOp::create(builder, loc, ordinal, two);
  Value late = sub(sub(count, constant(1)), half);
  return select(compare(arith::CmpIPredicate::eq, odd, constant(0)), half,
                late);
}

std::pair<Value, Value> AttentionTiler::getQueries(ValueRange point) {
  Value first = mul(getTileIndex(point[2]), queries);
  Value time = getDim(op.getQuery(), 1);
  return {first, min(constant(queries), sub(time, first))};
}

Value AttentionTiler::buildQueryTile(ValueRange point, Value first,
                                     Value count) {
  Value slice = tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get({ShapedType::kDynamic, group, dim}, element),
      op.getQuery(),
      SmallVector<OpFoldResult>{point[0], first, getFirstHead(point),
                                builder.getIndexAttr(0)},
      SmallVector<OpFoldResult>{builder.getIndexAttr(1), count,
                                builder.getIndexAttr(group),
                                builder.getIndexAttr(dim)},
      SmallVector<OpFoldResult>(4, builder.getIndexAttr(1)));
  // Queries behind the last are zero: their results are dropped, but they
  // must not slow down what is computed beside them.
  SmallVector<int64_t> shape = flash
                                   ? SmallVector<int64_t>{dim, group, queries}
                                   : SmallVector<int64_t>{group, queries, dim};
  unsigned timeAxis = flash ? 2 : 1;
  Value tile = fill(zero(), empty(shape));
  SmallVector<OpFoldResult> offsets(3, builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(3, builder.getIndexAttr(1));
  SmallVector<OpFoldResult> sizes;
  for (int64_t extent : shape)
    sizes.push_back(builder.getIndexAttr(extent));
  sizes[timeAxis] = count;
  Value valid = tensor::ExtractSliceOp::create(builder, loc, tile, offsets,
                                               sizes, strides);
  Value scale = arith::ConstantOp::create(
      builder, loc,
      builder.getFloatAttr(compute, op.getScale().convertToDouble()));
  AffineMap from = flash ? map(3, {2, 1, 0}) : map(3, {1, 0, 2});
  auto copy = generic(slice, valid, {from, map(3, {0, 1, 2})},
                      SmallVector<IteratorType>(3, IteratorType::parallel),
                      [&](OpBuilder &b, Location l, ValueRange args) {
                        Value scaled = arith::MulFOp::create(
                            b, l, convert(b, args[0], compute), scale);
                        linalg::YieldOp::create(b, l, scaled);
                      });
  tile = tensor::InsertSliceOp::create(builder, loc, copy.getResult(0), tile,
                                       offsets, sizes, strides);
  SmallVector<ReassociationIndices> merged =
      flash ? SmallVector<ReassociationIndices>{{0}, {1, 2}}
            : SmallVector<ReassociationIndices>{{0, 1}, {2}};
  return tensor::CollapseShapeOp::create(builder, loc, tile, merged);
}

/// Keys that scores are computed of at once, at the end of those visible.
static constexpr int64_t KeysTogether = 8;

//===----------------------------------------------------------------------===//
// BlockMapInterface
//===----------------------------------------------------------------------===//

FailureOr<BlockDomain> AttentionOp::getBlockDomain(OpBuilder &builder,
                                                   ScheduleAttr schedule) {
  StringRef form = schedule.getForm().getValue();
  ArrayRef<int64_t> tiles = schedule.getTiles();
  bool isSplit = form == "split";
  bool isSorted = form == "list_sorted";
  bool isList = form == "list" || form == "list_flash" || isSorted;
  if (form != "flash" && form != "row" && !isSplit && !isList)
    return emitOpError("has a schedule of form '")
           << form
           << "', expected flash, row, split, list, list_flash or "
              "list_sorted";
  if (isList != bool(getBlockList()))
    return emitOpError("has a schedule of form '")
           << form << (isList ? "' without" : "' for") << " a block list";
  if (tiles.size() != (isSplit || isSorted ? 3 : 2) ||
      llvm::any_of(tiles, [](int64_t tile) { return tile < 1; }))
    return emitOpError("has schedule tiles [")
           << tiles << "], expected [queries, keys"
           << (isSplit    ? ", parts"
               : isSorted ? ", queries of a block"
                          : "")
           << "] of positive extents";
  if (isSplit && getPathKey())
    return emitOpError("has a schedule of form 'split', but its keys are "
                       "visited from the last one on, expected flash or row");
  if (isList && !isSorted && getQueryBlock() % tiles[0] != 0)
    return emitOpError("has schedule tiles of ")
           << tiles[0] << " queries, expected a part of the " << getQueryBlock()
           << " that share a list";
  Type element = cast<RankedTensorType>(getQuery().getType()).getElementType();
  if (!isa<FloatType>(element))
    return emitOpError("has elements of type ")
           << element << ", expected floats";
  AttentionTiler tiler(*this, builder, schedule);
  Value count =
      arith::CeilDivSIOp::create(builder, getLoc(), tiler.getDim(getQuery(), 1),
                                 tiler.constant(tiler.queries));
  BlockDomain domain;
  domain.parallel = {tiler.getDim(getQuery(), 0),
                     builder.getIndexAttr(tiler.heads), count};
  return domain;
}

SmallVector<Value> AttentionOp::buildDestinations(OpBuilder &builder) {
  auto type = cast<RankedTensorType>(getResult().getType());
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, getLoc(), getQuery());
  sizes.back() = builder.getIndexAttr(type.getDimSize(3));
  SmallVector<Value> destinations{
      tensor::EmptyOp::create(builder, getLoc(), sizes, type.getElementType())};
  if (getLogSums())
    destinations.push_back(tensor::EmptyOp::create(
        builder, getLoc(), ArrayRef(sizes).drop_back(),
        cast<RankedTensorType>(getLogSums().getType()).getElementType()));
  return destinations;
}

SmallVector<TilePlace> AttentionOp::getResultTiles(OpBuilder &builder,
                                                   ScheduleAttr schedule,
                                                   ValueRange point) {
  AttentionTiler tiler(*this, builder, schedule);
  auto [first, count] = tiler.getQueries(point);
  TilePlace place;
  place.offsets = {point[0], first, tiler.getFirstHead(point),
                   builder.getIndexAttr(0)};
  place.sizes = {builder.getIndexAttr(1), count,
                 builder.getIndexAttr(tiler.group),
                 builder.getIndexAttr(tiler.valueDim)};
  SmallVector<TilePlace> places{place};
  if (getLogSums()) {
    place.offsets.pop_back();
    place.sizes.pop_back();
    places.push_back(place);
  }
  return places;
}

SmallVector<Value> AttentionOp::buildInvariants(OpBuilder &builder,
                                                ScheduleAttr schedule,
                                                ValueRange point) {
  AttentionTiler t(*this, builder, schedule);
  auto [first, count] = t.getQueries(point);
  SmallVector<Value> invariants(getOffset() ? Tiler::InvariantCount
                                            : Tiler::RingBase);
  if (!t.isSorted())
    invariants[Tiler::QueryTile] = t.buildQueryTile(point, first, count);

  Value zero = t.constant(0), one = t.constant(1);
  Value capacity = t.getDim(getKey(), 1);
  Value firstQuery = first, end = capacity, wrapped;
  if (getOffset()) {
    Value offset = t.getIndex(getOffset(), point[0]);
    Value total = t.add(offset, t.getDim(getQuery(), 1));
    firstQuery = t.add(offset, first);
    wrapped = t.compare(arith::CmpIPredicate::sgt, total, capacity);
    end = t.min(total, capacity);
    Value newest = t.sub(total, one);
    // An empty buffer has no entries to place; keep the remainder defined.
    invariants[Tiler::RingLast] =
        arith::RemSIOp::create(builder, getLoc(), newest, t.max(capacity, one));
    invariants[Tiler::RingBase] = t.sub(newest, invariants[Tiler::RingLast]);
  }
  Value lastQuery = t.sub(t.add(firstQuery, count), one);
  if (getKeyLengths()) {
    // attention_c4
    Value length = t.max(t.getIndex(getKeyLengths(), point[0]), zero);
    Value shorter = t.min(end, length);
    end = wrapped ? t.select(wrapped, end, shorter) : shorter;
  }
  MaskReach reach = getReach();
  Value begin = zero;
  // A buffer that has wrapped is as long as the mask reaches: visit all of it.
  if (reach.behind) {
    Value nearest = t.max(t.sub(firstQuery, t.constant(*reach.behind)), zero);
    begin = wrapped ? t.select(wrapped, begin, nearest) : nearest;
  }
  if (reach.ahead) {
    Value farthest = t.add(lastQuery, t.constant(*reach.ahead + 1));
    // A few keys more, which the mask hides: products of single rows take
    // longer than those of a register tile. Lists count on the end.
    if (t.flash && !getBlockList())
      farthest = t.add(
          begin, t.roundUp(t.max(t.sub(farthest, begin), zero), KeysTogether));
    farthest = t.min(end, farthest);
    end = wrapped ? t.select(wrapped, end, farthest) : farthest;
  }
  invariants[Tiler::FirstQuery] = firstQuery;
  invariants[Tiler::LastQuery] = lastQuery;
  invariants[Tiler::FirstKey] = begin;
  invariants[Tiler::EndKey] = end;
  if (t.isSorted()) {
    auto [order, ends] = t.sortQueries(point, invariants);
    invariants[Tiler::Order] = order;
    invariants.push_back(ends);
  }
  return invariants;
}

std::pair<Value, Value> AttentionOp::buildCarriedRange(OpBuilder &builder,
                                                       ScheduleAttr schedule,
                                                       ValueRange point,
                                                       ValueRange invariants) {
  AttentionTiler t(*this, builder, schedule);
  if (t.isSorted())
    return {t.constant(0), t.getBlockCount()};
  if (getBlockList()) {
    int64_t entries =
        cast<RankedTensorType>(getBlockList().getType()).getDimSize(3);
    return {t.constant(0),
            t.constant(llvm::divideCeil(entries, t.getEntriesPerStep()))};
  }
  Value extent =
      t.max(t.sub(invariants[Tiler::EndKey], invariants[Tiler::FirstKey]),
            t.constant(0));
  return {t.constant(0), arith::CeilDivSIOp::create(builder, getLoc(), extent,
                                                    t.constant(t.keys))};
}

SmallVector<Value> AttentionOp::buildInit(OpBuilder &builder,
                                          ScheduleAttr schedule, ValueRange,
                                          ValueRange invariants, ValueRange) {
  AttentionTiler t(*this, builder, schedule);
  if (t.isSorted())
    return t.buildSortedCarry();
  SmallVector<Value> carry = t.buildCarry(t.valueDim);
  if (getPathKey())
    carry.push_back(invariants[Tiler::QueryTile]);
  return carry;
}

SmallVector<Value> AttentionOp::buildStepOnBlock(OpBuilder &builder,
                                                 ScheduleAttr schedule,
                                                 ValueRange point, Value index,
                                                 ValueRange invariants,
                                                 ValueRange carry) {
  AttentionTiler t(*this, builder, schedule);
  if (t.isSorted())
    return t.buildSortedStep(point, index, invariants, carry);
  if (getBlockList())
    return t.buildListStep(point, index, invariants, carry);
  if (getPathKey())
    return t.buildPathStep(point, index, invariants, carry);
  Value first = t.add(invariants[Tiler::FirstKey], t.mul(index, t.keys));
  Value count =
      t.min(t.constant(t.keys), t.sub(invariants[Tiler::EndKey], first));
  KeyBlock block = t.getRun(point, first, count);
  TileClass tile;
  if (t.hasMask())
    tile = t.classify(block, point, invariants);
  auto visit = [&] {
    Value scores = t.buildScores(
        block, t.buildProducts(block, invariants[Tiler::QueryTile]), tile.all,
        point, invariants);
    return t.buildUpdate(scores, block, carry);
  };
  if (!t.hasMask() || isReachExact())
    return visit();
  auto choice = scf::IfOp::create(builder, getLoc(), carry.getTypes(), tile.any,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(builder, getLoc(), visit());
  builder.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(builder, getLoc(), carry);
  return SmallVector<Value>(choice.getResults());
}

SmallVector<Value> AttentionOp::buildFinish(OpBuilder &builder,
                                            ScheduleAttr schedule,
                                            ValueRange point, ValueRange,
                                            ValueRange destinations,
                                            ValueRange carried) {
  AttentionTiler t(*this, builder, schedule);
  Location loc = getLoc();
  SmallVector<Value> carry(carried);
  if (t.isSorted())
    carry = t.collapseSortedCarry(carry);
  Value count = t.getQueries(point).second;
  auto expand = [&](Value tensor, ArrayRef<int64_t> shape,
                    ArrayRef<ReassociationIndices> split) -> Value {
    return tensor::ExpandShapeOp::create(
        builder, loc, RankedTensorType::get(shape, t.compute), tensor, split);
  };
  auto shorten = [&](Value tensor, unsigned axis) -> Value {
    ArrayRef<int64_t> shape =
        cast<RankedTensorType>(tensor.getType()).getShape();
    SmallVector<OpFoldResult> sizes;
    for (int64_t extent : shape)
      sizes.push_back(builder.getIndexAttr(extent));
    sizes[axis] = count;
    SmallVector<OpFoldResult> zeros(shape.size(), builder.getIndexAttr(0));
    SmallVector<OpFoldResult> ones(shape.size(), builder.getIndexAttr(1));
    return tensor::ExtractSliceOp::create(builder, loc, tensor, zeros, sizes,
                                          ones);
  };
  Value scales = shorten(t.buildInverse(carry, point), 1);
  Value sums =
      t.flash ? shorten(expand(carry[Tiler::Accumulator],
                               {t.valueDim, t.group, t.queries}, {{0}, {1, 2}}),
                        2)
              : shorten(expand(carry[Tiler::Accumulator],
                               {t.group, t.queries, t.valueDim}, {{0, 1}, {2}}),
                        1);
  // Sums are scaled where they lie, so that nothing is left to do but to turn
  // them.
  SmallVector<IteratorType> three(3, IteratorType::parallel);
  AffineMap scaleMap = t.flash ? t.map(3, {1, 2}) : t.map(3, {0, 1});
  sums = t.generic(
              {scales}, sums, {scaleMap, t.map(3, {0, 1, 2})}, three,
              [&](OpBuilder &b, Location l, ValueRange args) {
                linalg::YieldOp::create(
                    b, l,
                    arith::MulFOp::create(b, l, args[1], args[0]).getResult());
              })
             .getResult(0);
  AffineMap sumMap = t.flash ? t.map(4, {3, 2, 1}) : t.map(4, {2, 1, 3});
  auto result = t.generic(
      sums, destinations[0], {sumMap, t.map(4, {0, 1, 2, 3})},
      SmallVector<IteratorType>(4, IteratorType::parallel),
      [&](OpBuilder &b, Location l, ValueRange args) {
        linalg::YieldOp::create(b, l, t.convert(b, args[0], t.element));
      });
  SmallVector<Value> tiles{result.getResult(0)};
  if (getLogSums()) {
    Value logs = shorten(t.buildLogSums(carry, point), 1);
    tiles.push_back(
        t.generic(logs, destinations[1],
                  {t.map(3, {2, 1}), t.map(3, {0, 1, 2})},
                  SmallVector<IteratorType>(3, IteratorType::parallel),
                  [](OpBuilder &b, Location l, ValueRange args) {
                    linalg::YieldOp::create(b, l, args[0]);
                  })
            .getResult(0));
  }
  return tiles;
}
