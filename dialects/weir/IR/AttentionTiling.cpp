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
//
// Keys are visited from the first to the last one that the mask's reach, the
// key lengths and the fill of the buffer allow. The number of keys in a block
// is exact, so that its outer extent is dynamic and no tail needs a mask. A
// block evaluates the mask only if its class (TileClasses.h) does not prove it
// visible as a whole; one whose class proves it hidden is left at once.
//
// A row without keys has the sum 0 and gives zeros. Maxima start at the lowest
// finite number instead of -inf, hidden scores are -inf: no difference of
// infinities is ever exponentiated.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/TileClasses.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;
using utils::IteratorType;

/// Positions in the list of a point's invariants.
enum Invariant : unsigned {
  QueryTile,     ///< scaled queries, [D, M] (flash) or [M, D] (row)
  FirstQuery,    ///< absolute position of the tile's first query
  LastQuery,     ///< absolute position of the tile's last valid query
  FirstKey,      ///< first entry of the key axis to visit
  EndKey,        ///< entry behind the last one to visit
  RingBase,      ///< position of entry 0; only with an offset
  RingLast,      ///< entry of the newest position; only with an offset
  InvariantCount ///< entries with an offset
};

/// Positions in the carry.
enum Carry : unsigned { Maximum, Sum, Accumulator };

namespace {
/// What the builders below share: extents, types and short forms of arith.
struct AttentionTiler {
  AttentionTiler(AttentionOp op, OpBuilder &builder, ScheduleAttr schedule)
      : op(op), builder(builder), loc(op.getLoc()),
        flash(schedule.getForm().getValue() == "flash"),
        queries(schedule.getTiles()[0]), keys(schedule.getTiles()[1]) {
    auto query = cast<RankedTensorType>(op.getQuery().getType());
    auto key = cast<RankedTensorType>(op.getKey().getType());
    group = op.getGroupSize();
    heads = key.getDimSize(2);
    dim = query.getDimSize(3);
    valueDim = cast<RankedTensorType>(op.getValue().getType()).getDimSize(3);
    columns = group * queries;
    element = query.getElementType();
    // attention_c6
    compute =
        element.isF64() ? builder.getF64Type() : Type(builder.getF32Type());
  }

  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  Value constant(const APFloat &value) {
    return arith::ConstantOp::create(builder, loc,
                                     FloatAttr::get(compute, value));
  }
  Value zero() {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getFloatAttr(compute, 0.0));
  }
  const llvm::fltSemantics &semantics() {
    return cast<FloatType>(compute).getFloatSemantics();
  }
  Value lowest() {
    return constant(APFloat::getLargest(semantics(), /*Negative=*/true));
  }
  Value minusInfinity() {
    return constant(APFloat::getInf(semantics(), /*Negative=*/true));
  }
  Value add(Value a, Value b) {
    return arith::AddIOp::create(builder, loc, a, b);
  }
  Value sub(Value a, Value b) {
    return arith::SubIOp::create(builder, loc, a, b);
  }
  Value mul(Value a, int64_t b) {
    return b == 1 ? a : arith::MulIOp::create(builder, loc, a, constant(b));
  }
  Value min(Value a, Value b) {
    return arith::MinSIOp::create(builder, loc, a, b);
  }
  Value max(Value a, Value b) {
    return arith::MaxSIOp::create(builder, loc, a, b);
  }
  Value select(Value condition, Value a, Value b) {
    return arith::SelectOp::create(builder, loc, condition, a, b);
  }
  Value compare(arith::CmpIPredicate predicate, Value a, Value b) {
    return arith::CmpIOp::create(builder, loc, predicate, a, b);
  }
  Value getDim(Value tensor, int64_t axis) {
    return builder.createOrFold<tensor::DimOp>(loc, tensor, axis);
  }
  Value empty(ArrayRef<int64_t> shape) {
    return tensor::EmptyOp::create(builder, loc, shape, compute);
  }
  Value fill(Value value, Value tensor) {
    return linalg::FillOp::create(builder, loc, value, tensor).getResult(0);
  }
  /// Converts between the element and the compute type.
  Value convert(OpBuilder &b, Value value, Type type) {
    if (value.getType() == type)
      return value;
    if (value.getType().getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
      return arith::ExtFOp::create(b, loc, type, value);
    return arith::TruncFOp::create(b, loc, type, value);
  }
  AffineMap map(unsigned dims, ArrayRef<unsigned> axes) {
    SmallVector<AffineExpr> results;
    for (unsigned axis : axes)
      results.push_back(builder.getAffineDimExpr(axis));
    return AffineMap::get(dims, 0, results, builder.getContext());
  }
  using Body = llvm::function_ref<void(OpBuilder &, Location, ValueRange)>;
  linalg::GenericOp generic(ValueRange inputs, ValueRange outputs,
                            ArrayRef<AffineMap> maps,
                            ArrayRef<IteratorType> iterators, Body body) {
    return linalg::GenericOp::create(
        builder, loc, outputs.getTypes(), inputs, outputs, maps, iterators,
        [&](OpBuilder &b, Location l, ValueRange args) { body(b, l, args); });
  }

  Value getRowEntry(Value perRow, Value row) {
    Value entry =
        tensor::ExtractOp::create(builder, loc, perRow, ValueRange{row});
    return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                      entry);
  }
  Value getTileIndex(Value ordinal);
  /// First query of the tile at `point`, counted within the block, and the
  /// number of queries in the tile.
  std::pair<Value, Value> getQueries(ValueRange point);
  Value buildQueryTile(ValueRange point, Value first, Value count);
  /// The block of keys or values, [count, dim], where it lies.
  Value getBlock(Value tensor, ValueRange point, Value first, Value count);
  /// The position of entry `entry` of the key axis.
  Value getKeyPosition(Value entry, ValueRange invariants);
  /// Scores seen as [keys, G, bq] (flash) or [G, bq, keys] (row).
  Value expandScores(Value scores, Value count);
  Value collapseScores(Value scores);
  /// Applies `update` to each score in place; it gets the score and the values
  /// of the region's index arguments.
  Value updateScores(Value scores, Value count, ValueRange point,
                     Value firstKey, ValueRange invariants,
                     llvm::function_ref<Value(Value, ValueRange)> update);
  /// The scores of a block with the bias of its keys.
  Value addKeyBias(Value scores, Value count, ValueRange point, Value firstKey);
  /// What the mask says of a block as a whole.
  TileClass classify(Value count, ValueRange point, Value firstKey,
                     ValueRange invariants);
  /// Hides what the mask does, in a block that is not `isFull`.
  Value buildMasked(Value scores, Value isFull, Value count, ValueRange point,
                    Value firstKey, ValueRange invariants);
  /// The carry behind a block of which some pair may be visible; without
  /// `isFull` all are.
  SmallVector<Value> buildVisit(ValueRange point, Value first, Value count,
                                Value isFull, ValueRange invariants,
                                ValueRange carry);
  /// Key lengths that hide keys inside the range of entries visited.
  bool hidesByLength() { return op.getOffset() && op.getKeyLengths(); }
  /// What each column's accumulator is multiplied with in the end; `sum` is
  /// [M].
  Value buildInverse(Value sum);
  /// The same where sinks join the sums; both are [G, bq].
  Value buildInverse(Value maximum, Value sum, ValueRange point);

  AttentionOp op;
  OpBuilder &builder;
  Location loc;
  bool flash;
  int64_t queries, keys;
  int64_t group, heads, dim, valueDim, columns;
  Type element, compute;
};
} // namespace

/// Under a causal mask later tiles cost more. Taking tiles from both ends in
/// turn gives threads that get consecutive points equal work.
Value AttentionTiler::getTileIndex(Value ordinal) {
  MaskReach reach = op.getReach();
  if (!reach.ahead || reach.behind)
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
      SmallVector<OpFoldResult>{point[0], first, mul(point[1], group),
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

Value AttentionTiler::getBlock(Value tensor, ValueRange point, Value first,
                               Value count) {
  auto type = cast<RankedTensorType>(tensor.getType());
  return tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get({ShapedType::kDynamic, type.getDimSize(3)},
                            element),
      tensor,
      SmallVector<OpFoldResult>{point[0], first, point[1],
                                builder.getIndexAttr(0)},
      SmallVector<OpFoldResult>{builder.getIndexAttr(1), count,
                                builder.getIndexAttr(1),
                                builder.getIndexAttr(type.getDimSize(3))},
      SmallVector<OpFoldResult>(4, builder.getIndexAttr(1)));
}

Value AttentionTiler::getKeyPosition(Value entry, ValueRange invariants) {
  if (!op.getOffset())
    return entry;
  // Entries behind the newest one are a round older.
  Value newer = add(invariants[RingBase], entry);
  Value older = sub(newer, getDim(op.getKey(), 1));
  return select(compare(arith::CmpIPredicate::sle, entry, invariants[RingLast]),
                newer, older);
}

Value AttentionTiler::expandScores(Value scores, Value count) {
  SmallVector<int64_t> shape;
  SmallVector<OpFoldResult> sizes;
  SmallVector<ReassociationIndices> split;
  OpFoldResult groups = builder.getIndexAttr(group);
  OpFoldResult rows = builder.getIndexAttr(queries);
  if (flash) {
    shape = {ShapedType::kDynamic, group, queries};
    sizes = {count, groups, rows};
    split = {{0}, {1, 2}};
  } else {
    shape = {group, queries, ShapedType::kDynamic};
    sizes = {groups, rows, count};
    split = {{0, 1}, {2}};
  }
  return tensor::ExpandShapeOp::create(builder, loc,
                                       RankedTensorType::get(shape, compute),
                                       scores, split, sizes);
}

Value AttentionTiler::collapseScores(Value scores) {
  SmallVector<ReassociationIndices> merged =
      flash ? SmallVector<ReassociationIndices>{{0}, {1, 2}}
            : SmallVector<ReassociationIndices>{{0, 1}, {2}};
  return tensor::CollapseShapeOp::create(builder, loc, scores, merged);
}

Value AttentionTiler::updateScores(
    Value scores, Value count, ValueRange point, Value firstKey,
    ValueRange invariants,
    llvm::function_ref<Value(Value, ValueRange)> update) {
  Value expanded = expandScores(scores, count);
  unsigned keyAxis = flash ? 0 : 2;
  unsigned groupAxis = flash ? 1 : 0, queryAxis = flash ? 2 : 1;
  Value firstHead = mul(point[1], group);
  auto updated = generic(
      {}, expanded, {map(3, {0, 1, 2})},
      SmallVector<IteratorType>(3, IteratorType::parallel),
      [&](OpBuilder &b, Location l, ValueRange args) {
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPoint(b.getInsertionBlock(), b.getInsertionPoint());
        auto index = [&](unsigned axis) -> Value {
          return linalg::IndexOp::create(builder, loc, axis);
        };
        Value head = add(firstHead, index(groupAxis));
        Value query = add(invariants[FirstQuery], index(queryAxis));
        Value key = getKeyPosition(add(firstKey, index(keyAxis)), invariants);
        Value result = update(args[0], {point[0], head, query, key});
        linalg::YieldOp::create(builder, loc, result);
      });
  return collapseScores(updated.getResult(0));
}

Value AttentionTiler::addKeyBias(Value scores, Value count, ValueRange point,
                                 Value firstKey) {
  Type type =
      cast<RankedTensorType>(op.getKeyBias().getType()).getElementType();
  Value bias = tensor::ExtractSliceOp::create(
      builder, loc, RankedTensorType::get({ShapedType::kDynamic, group}, type),
      op.getKeyBias(),
      SmallVector<OpFoldResult>{point[0], firstKey, mul(point[1], group)},
      SmallVector<OpFoldResult>{builder.getIndexAttr(1), count,
                                builder.getIndexAttr(group)},
      SmallVector<OpFoldResult>(3, builder.getIndexAttr(1)));
  auto sum =
      generic(bias, expandScores(scores, count),
              {flash ? map(3, {0, 1}) : map(3, {2, 0}), map(3, {0, 1, 2})},
              SmallVector<IteratorType>(3, IteratorType::parallel),
              [&](OpBuilder &b, Location l, ValueRange args) {
                Value sum = arith::AddFOp::create(b, l, args[1],
                                                  convert(b, args[0], compute));
                linalg::YieldOp::create(b, l, sum);
              });
  return collapseScores(sum.getResult(0));
}

TileClass AttentionTiler::classify(Value count, ValueRange point,
                                   Value firstKey, ValueRange invariants) {
  MaskAttrInterface mask = op.getMask().getExpression();
  TileRange queryRange{invariants[FirstQuery], invariants[LastQuery]};
  TileRange keyRange{firstKey, sub(add(firstKey, count), constant(1))};
  TileClass all = buildTileClass(builder, loc, mask, queryRange, keyRange);
  if (!op.getWhere().empty()) {
    Block &body = op.getWhere().front();
    Value firstHead = mul(point[1], group);
    TileRange headRange{firstHead, add(firstHead, constant(group - 1))};
    all = buildBoth(builder, loc, all,
                    buildTileClass(builder, loc,
                                   body.getTerminator()->getOperand(0),
                                   {{body.getArgument(0), {point[0], point[0]}},
                                    {body.getArgument(1), headRange},
                                    {body.getArgument(2), queryRange},
                                    {body.getArgument(3), keyRange}}));
  }
  if (op.getOffset()) {
    // Classes are about positions, which are those of the entries only while
    // the buffer has not wrapped.
    Value wrapped =
        compare(arith::CmpIPredicate::ne, invariants[RingBase], constant(0));
    Value plain =
        compare(arith::CmpIPredicate::eq, invariants[RingBase], constant(0));
    all.any = arith::OrIOp::create(builder, loc, all.any, wrapped);
    all.all = arith::AndIOp::create(builder, loc, all.all, plain);
  }
  return all;
}

Value AttentionTiler::buildMasked(Value scores, Value isFull, Value count,
                                  ValueRange point, Value firstKey,
                                  ValueRange invariants) {
  MaskAttrInterface mask = op.getMask().getExpression();
  // In a buffer that has wrapped the key lengths are no range of entries.
  Value length =
      hidesByLength() ? getRowEntry(op.getKeyLengths(), point[0]) : Value();
  auto choice = scf::IfOp::create(builder, loc, scores.getType(), isFull,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(builder, loc, scores);
  builder.setInsertionPointToStart(choice.elseBlock());
  Value hidden = minusInfinity();
  Value masked =
      updateScores(scores, count, point, firstKey, invariants,
                   [&](Value score, ValueRange at) {
                     Value visible =
                         mask.buildPredicate(builder, loc, at[2], at[3]);
                     if (!op.getWhere().empty())
                       visible = arith::AndIOp::create(
                           builder, loc, visible,
                           inlineRegion(builder, op.getWhere(), at).front());
                     if (length)
                       // attention_c4
                       visible = arith::AndIOp::create(
                           builder, loc, visible,
                           compare(arith::CmpIPredicate::slt, at[3], length));
                     return select(visible, score, hidden);
                   });
  scf::YieldOp::create(builder, loc, masked);
  return choice.getResult(0);
}

//===----------------------------------------------------------------------===//
// BlockMapInterface
//===----------------------------------------------------------------------===//

FailureOr<BlockDomain> AttentionOp::getBlockDomain(OpBuilder &builder,
                                                   ScheduleAttr schedule) {
  StringRef form = schedule.getForm().getValue();
  ArrayRef<int64_t> tiles = schedule.getTiles();
  bool isSplit = form == "split";
  if (form != "flash" && form != "row" && !isSplit)
    return emitOpError("has a schedule of form '")
           << form << "', expected flash, row or split";
  if (tiles.size() != (isSplit ? 3 : 2) ||
      llvm::any_of(tiles, [](int64_t tile) { return tile < 1; }))
    return emitOpError("has schedule tiles [")
           << tiles << "], expected [queries, keys"
           << (isSplit ? ", parts" : "") << "] of positive extents";
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
  return {
      tensor::EmptyOp::create(builder, getLoc(), sizes, type.getElementType())};
}

SmallVector<TilePlace> AttentionOp::getResultTiles(OpBuilder &builder,
                                                   ScheduleAttr schedule,
                                                   ValueRange point) {
  AttentionTiler tiler(*this, builder, schedule);
  auto [first, count] = tiler.getQueries(point);
  TilePlace place;
  place.offsets = {point[0], first, tiler.mul(point[1], tiler.group),
                   builder.getIndexAttr(0)};
  place.sizes = {builder.getIndexAttr(1), count,
                 builder.getIndexAttr(tiler.group),
                 builder.getIndexAttr(tiler.valueDim)};
  return {place};
}

SmallVector<Value> AttentionOp::buildInvariants(OpBuilder &builder,
                                                ScheduleAttr schedule,
                                                ValueRange point) {
  AttentionTiler t(*this, builder, schedule);
  auto [first, count] = t.getQueries(point);
  SmallVector<Value> invariants(getOffset() ? InvariantCount : RingBase);
  invariants[QueryTile] = t.buildQueryTile(point, first, count);

  Value zero = t.constant(0), one = t.constant(1);
  Value capacity = t.getDim(getKey(), 1);
  Value firstQuery = first, end = capacity, wrapped;
  if (getOffset()) {
    Value offset = t.getRowEntry(getOffset(), point[0]);
    Value total = t.add(offset, t.getDim(getQuery(), 1));
    firstQuery = t.add(offset, first);
    wrapped = t.compare(arith::CmpIPredicate::sgt, total, capacity);
    end = t.min(total, capacity);
    Value newest = t.sub(total, one);
    // An empty buffer has no entries to place; keep the remainder defined.
    invariants[RingLast] =
        arith::RemSIOp::create(builder, getLoc(), newest, t.max(capacity, one));
    invariants[RingBase] = t.sub(newest, invariants[RingLast]);
  }
  Value lastQuery = t.sub(t.add(firstQuery, count), one);
  if (getKeyLengths()) {
    // attention_c4
    Value length = t.max(t.getRowEntry(getKeyLengths(), point[0]), zero);
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
    Value farthest = t.min(end, t.add(lastQuery, t.constant(*reach.ahead + 1)));
    end = wrapped ? t.select(wrapped, end, farthest) : farthest;
  }
  invariants[FirstQuery] = firstQuery;
  invariants[LastQuery] = lastQuery;
  invariants[FirstKey] = begin;
  invariants[EndKey] = end;
  return invariants;
}

std::pair<Value, Value> AttentionOp::buildCarriedRange(OpBuilder &builder,
                                                       ScheduleAttr schedule,
                                                       ValueRange point,
                                                       ValueRange invariants) {
  AttentionTiler t(*this, builder, schedule);
  Value extent =
      t.max(t.sub(invariants[EndKey], invariants[FirstKey]), t.constant(0));
  return {t.constant(0), arith::CeilDivSIOp::create(builder, getLoc(), extent,
                                                    t.constant(t.keys))};
}

SmallVector<Value> AttentionOp::buildInit(OpBuilder &builder,
                                          ScheduleAttr schedule, ValueRange,
                                          ValueRange, ValueRange) {
  AttentionTiler t(*this, builder, schedule);
  SmallVector<int64_t> shape{t.valueDim, t.columns};
  if (!t.flash)
    std::swap(shape[0], shape[1]);
  return {t.fill(t.lowest(), t.empty(t.columns)),
          t.fill(t.zero(), t.empty(t.columns)),
          t.fill(t.zero(), t.empty(shape))};
}

SmallVector<Value> AttentionOp::buildStepOnBlock(OpBuilder &builder,
                                                 ScheduleAttr schedule,
                                                 ValueRange point, Value index,
                                                 ValueRange invariants,
                                                 ValueRange carry) {
  AttentionTiler t(*this, builder, schedule);
  Value first = t.add(invariants[FirstKey], t.mul(index, t.keys));
  Value count = t.min(t.constant(t.keys), t.sub(invariants[EndKey], first));
  bool isMasked = !isa<FullMaskAttr>(getMask().getExpression()) ||
                  !getWhere().empty() || t.hidesByLength();
  if (!isMasked)
    return t.buildVisit(point, first, count, /*isFull=*/Value(), invariants,
                        carry);
  TileClass tile = t.classify(count, point, first, invariants);
  if (isReachExact())
    return t.buildVisit(point, first, count, tile.all, invariants, carry);
  auto visit = scf::IfOp::create(builder, getLoc(), carry.getTypes(), tile.any,
                                 /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(visit.thenBlock());
  scf::YieldOp::create(
      builder, getLoc(),
      t.buildVisit(point, first, count, tile.all, invariants, carry));
  builder.setInsertionPointToStart(visit.elseBlock());
  scf::YieldOp::create(builder, getLoc(), carry);
  return SmallVector<Value>(visit.getResults());
}

SmallVector<Value> AttentionTiler::buildVisit(ValueRange point, Value first,
                                              Value count, Value isFull,
                                              ValueRange invariants,
                                              ValueRange carry) {
  constexpr auto parallel = IteratorType::parallel;
  constexpr auto reduction = IteratorType::reduction;
  Value key = getBlock(op.getKey(), point, first, count);
  Value value = getBlock(op.getValue(), point, first, count);
  auto multiplyAdd = [&](OpBuilder &b, Location l, ValueRange args) {
    Value product = arith::MulFOp::create(b, l, convert(b, args[0], compute),
                                          convert(b, args[1], compute));
    linalg::YieldOp::create(
        b, l, ValueRange{arith::AddFOp::create(b, l, args[2], product)});
  };

  // Scores, in a buffer of static size.
  SmallVector<int64_t> shape{keys, columns};
  SmallVector<OpFoldResult> sizes{count, builder.getIndexAttr(columns)};
  if (!flash) {
    std::swap(shape[0], shape[1]);
    std::swap(sizes[0], sizes[1]);
  }
  SmallVector<OpFoldResult> zeros(2, builder.getIndexAttr(0));
  SmallVector<OpFoldResult> ones(2, builder.getIndexAttr(1));
  Value scores = tensor::ExtractSliceOp::create(builder, loc, empty(shape),
                                                zeros, sizes, ones);
  scores = fill(zero(), scores);
  if (flash)
    scores = generic({key, invariants[QueryTile]}, scores,
                     {map(3, {0, 2}), map(3, {2, 1}), map(3, {0, 1})},
                     {parallel, parallel, reduction}, multiplyAdd)
                 .getResult(0);
  else
    scores = generic({invariants[QueryTile], key}, scores,
                     {map(3, {0, 2}), map(3, {1, 2}), map(3, {0, 1})},
                     {parallel, parallel, reduction}, multiplyAdd)
                 .getResult(0);
  if (op.getKeyBias())
    scores = addKeyBias(scores, count, point, first);
  if (!op.getScore().empty())
    scores = updateScores(
        scores, count, point, first, invariants,
        [&](Value score, ValueRange at) {
          SmallVector<Value> arguments{convert(builder, score, element)};
          llvm::append_range(arguments, at);
          return convert(
              builder, inlineRegion(builder, op.getScore(), arguments).front(),
              compute);
        });
  if (isFull)
    scores = buildMasked(scores, isFull, count, point, first, invariants);

  AffineMap all = map(2, {0, 1});
  AffineMap stat = flash ? map(2, {1}) : map(2, {0});
  SmallVector<IteratorType> alongKeys{reduction, parallel};
  if (!flash)
    std::swap(alongKeys[0], alongKeys[1]);
  AffineMap one = map(1, {0});

  // Along the outer axis a comparison and a choice are one instruction; within
  // a vector the reduction must be an operation that may be reordered.
  Value blockMaximum =
      generic(scores, fill(lowest(), empty(columns)), {all, stat}, alongKeys,
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
      {one, one, one, one}, {parallel},
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
  auto weights =
      generic(maximum, {scores, stats.getResult(2)}, {stat, all, stat},
              alongKeys, [&](OpBuilder &b, Location l, ValueRange args) {
                Value weight = math::ExpOp::create(
                    b, l, arith::SubFOp::create(b, l, args[1], args[0]));
                // The order of the sum is free, so that it may run in
                // vectors.
                Value sum = arith::AddFOp::create(
                    b, l, args[2], weight, arith::FastMathFlags::reassoc);
                linalg::YieldOp::create(b, l, ValueRange{weight, sum});
              });
  Value accumulator =
      generic(rescale, carry[Accumulator], {stat, all}, {parallel, parallel},
              [&](OpBuilder &b, Location l, ValueRange args) {
                linalg::YieldOp::create(
                    b, l,
                    ValueRange{arith::MulFOp::create(b, l, args[1], args[0])});
              })
          .getResult(0);
  Value weighted = weights.getResult(0);
  if (flash)
    accumulator = generic({value, weighted}, accumulator,
                          {map(3, {2, 0}), map(3, {2, 1}), map(3, {0, 1})},
                          {parallel, parallel, reduction}, multiplyAdd)
                      .getResult(0);
  else
    accumulator = generic({weighted, value}, accumulator,
                          {map(3, {0, 2}), map(3, {2, 1}), map(3, {0, 1})},
                          {parallel, parallel, reduction}, multiplyAdd)
                      .getResult(0);
  return {maximum, weights.getResult(1), accumulator};
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

Value AttentionTiler::buildInverse(Value maximum, Value sum, ValueRange point) {
  Value sinks = tensor::ExtractSliceOp::create(
      builder, loc, RankedTensorType::get(group, element), op.getSinks(),
      SmallVector<OpFoldResult>{mul(point[1], group)},
      SmallVector<OpFoldResult>{builder.getIndexAttr(group)},
      SmallVector<OpFoldResult>{builder.getIndexAttr(1)});
  // Without keys the maximum is the lowest number, and the sink is above it.
  return generic({maximum, sinks}, sum,
                 {map(2, {0, 1}), map(2, {0}), map(2, {0, 1})},
                 {IteratorType::parallel, IteratorType::parallel},
                 [&](OpBuilder &b, Location l, ValueRange args) {
                   Value sink = convert(b, args[1], compute);
                   Value above = arith::CmpFOp::create(
                       b, l, arith::CmpFPredicate::OGT, sink, args[0]);
                   Value larger =
                       arith::SelectOp::create(b, l, above, sink, args[0]);
                   auto rescale = [&](Value from) -> Value {
                     return math::ExpOp::create(
                         b, l, arith::SubFOp::create(b, l, from, larger));
                   };
                   Value factor = rescale(args[0]);
                   Value total = arith::AddFOp::create(
                       b, l, arith::MulFOp::create(b, l, args[2], factor),
                       rescale(sink));
                   linalg::YieldOp::create(
                       b, l,
                       ValueRange{arith::DivFOp::create(b, l, factor, total)});
                 })
      .getResult(0);
}

SmallVector<Value> AttentionOp::buildFinish(OpBuilder &builder,
                                            ScheduleAttr schedule,
                                            ValueRange point, ValueRange,
                                            ValueRange destinations,
                                            ValueRange carry) {
  AttentionTiler t(*this, builder, schedule);
  Location loc = getLoc();
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
  auto expandColumns = [&](Value columns) {
    return expand(columns, {t.group, t.queries}, {ReassociationIndices{0, 1}});
  };
  Value inverse = getSinks() ? t.buildInverse(expandColumns(carry[Maximum]),
                                              expandColumns(carry[Sum]), point)
                             : expandColumns(t.buildInverse(carry[Sum]));
  Value scales = shorten(inverse, 1);
  Value sums =
      t.flash ? shorten(expand(carry[Accumulator],
                               {t.valueDim, t.group, t.queries}, {{0}, {1, 2}}),
                        2)
              : shorten(expand(carry[Accumulator],
                               {t.group, t.queries, t.valueDim}, {{0, 1}, {2}}),
                        1);
  AffineMap sumMap = t.flash ? t.map(4, {3, 2, 1}) : t.map(4, {2, 1, 3});
  auto result = t.generic(
      {sums, scales}, destinations[0],
      {sumMap, t.map(4, {2, 1}), t.map(4, {0, 1, 2, 3})},
      SmallVector<IteratorType>(4, IteratorType::parallel),
      [&](OpBuilder &b, Location l, ValueRange args) {
        Value scaled = arith::MulFOp::create(b, l, args[0], args[1]);
        linalg::YieldOp::create(b, l, t.convert(b, scaled, t.element));
      });
  return {result.getResult(0)};
}
