//===- RecurrenceTiling.cpp - A recurrence as a block map -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Points are a row of the batch, a value head and a tile of its value features;
// features of values never meet, so that tiles of them are independent. The
// carry is the result, which each block writes its tokens into, and the state.
//
// Form `recurrent` goes on token by token, `chunkwise` by chunks of tiles[0]
// tokens (RecurrenceChunk.cpp); tiles[1] are the value features of a point, and
// tiles[2] its heads. Form `parallel` is chunkwise in tiles[3] ranges of time
// (RecurrenceTransfer.cpp).
//
//===----------------------------------------------------------------------===//

#include "RecurrenceTiling.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"

using namespace mlir;
using namespace weir;
using utils::IteratorType;

static RankedTensorType getTensor(Value value) {
  return cast<RankedTensorType>(value.getType());
}

int64_t weir::getHeadTile(ScheduleAttr schedule) {
  return schedule.getTiles().size() > 2 ? schedule.getTiles()[2] : 1;
}

/// The first token of block `number`, or the end of time.
static Value buildFirstToken(OpBuilder &builder, RecurrenceOp op, Value number,
                             int64_t tokens) {
  Location loc = op.getLoc();
  Value time = getValueOrCreateConstantIndexOp(
      builder, loc,
      tensor::getMixedSize(builder, loc, op.getQuery(), TimeAxis));
  Value first = arith::MulIOp::create(builder, loc, number,
                                      buildIndex(builder, loc, tokens));
  return arith::MinSIOp::create(builder, loc, first, time);
}

FailureOr<BlockDomain> RecurrenceOp::getBlockDomain(OpBuilder &builder,
                                                    ScheduleAttr schedule) {
  StringRef form = schedule.getForm().getValue();
  ArrayRef<int64_t> tiles = schedule.getTiles();
  if (form != "recurrent" && form != "chunkwise" && form != "parallel")
    return emitOpError("has a schedule of form '")
           << form << "', expected recurrent, chunkwise or parallel";
  if (form == "parallel") {
    if (tiles.size() != 4 || tiles[3] < 2)
      return emitOpError("has schedule tiles [")
             << tiles
             << "], expected [tokens, value features, heads, ranges] with at "
                "least two ranges of time for the form parallel";
    tiles = tiles.drop_back();
  }
  if (tiles.size() < 2 || tiles.size() > 3 ||
      llvm::any_of(tiles, [](int64_t tile) { return tile < 1; }) ||
      getValueDim() % tiles[1] || getHeads() % getHeadTile(schedule))
    return emitOpError("has schedule tiles [")
           << tiles
           << "], expected [tokens, value features, heads] where the latter "
              "divide "
           << getValueDim() << " and " << getHeads()
           << ", or are left out for one head";
  if (form == "recurrent" && tiles[0] != 1)
    return emitOpError("has the form recurrent with ")
           << tiles[0] << " tokens a block, expected 1";
  BlockDomain domain;
  domain.parallel = {
      tensor::getMixedSize(builder, getLoc(), getQuery(), BatchAxis),
      builder.getIndexAttr(getHeads() / getHeadTile(schedule)),
      builder.getIndexAttr(getValueDim() / tiles[1])};
  return domain;
}

SmallVector<Value> RecurrenceOp::buildDestinations(OpBuilder &builder) {
  Location loc = getLoc();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, getQuery());
  sizes[2] = builder.getIndexAttr(getHeads());
  sizes[3] = builder.getIndexAttr(getValueDim());
  Value result = tensor::EmptyOp::create(
      builder, loc, sizes, getTensor(getResult()).getElementType());
  SmallVector<OpFoldResult> stateSizes{
      sizes[0], sizes[2], builder.getIndexAttr(getKeyDim()), sizes[3]};
  Value state = tensor::EmptyOp::create(
      builder, loc, stateSizes, getTensor(getFinalState()).getElementType());
  return {result, state};
}

/// The first value feature, or head, of tile `number`.
static Value buildFirst(OpBuilder &builder, Location loc, Value number,
                        int64_t size) {
  return arith::MulIOp::create(
      builder, loc, number, arith::ConstantIndexOp::create(builder, loc, size));
}

SmallVector<TilePlace> RecurrenceOp::getResultTiles(OpBuilder &builder,
                                                    ScheduleAttr schedule,
                                                    ValueRange point) {
  Location loc = getLoc();
  int64_t columns = schedule.getTiles()[1];
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  OpFoldResult width = builder.getIndexAttr(columns);
  OpFoldResult heads = builder.getIndexAttr(getHeadTile(schedule));
  OpFoldResult head = buildFirst(builder, loc, point[1], getHeadTile(schedule));
  OpFoldResult feature = buildFirst(builder, loc, point[2], columns);
  OpFoldResult time = tensor::getMixedSize(builder, loc, getQuery(), TimeAxis);
  OpFoldResult first = zero;
  if (point.size() > Ranged) {
    int64_t tokens = schedule.getTiles()[0];
    Value begin = buildFirstToken(builder, *this, point[Ranged], tokens);
    Value end = buildFirstToken(builder, *this, point[Ranged + 1], tokens);
    first = begin;
    time = arith::SubIOp::create(builder, loc, end, begin).getResult();
  }
  return {{{point[0], first, head, feature}, {one, time, heads, width}},
          {{point[0], head, zero, feature},
           {one, heads, builder.getIndexAttr(getKeyDim()), width}}};
}

SmallVector<Value> RecurrenceOp::buildInvariants(OpBuilder &builder,
                                                 ScheduleAttr schedule,
                                                 ValueRange point) {
  Location loc = getLoc();
  Value end = getValueOrCreateConstantIndexOp(
      builder, loc, tensor::getMixedSize(builder, loc, getQuery(), TimeAxis));
  Value valid = end;
  if (getLengths())
    valid = arith::MinSIOp::create(
        builder, loc, end,
        buildReadIndex(builder, loc, getLengths(), point[0]));
  SmallVector<Value> invariants{
      end, valid, buildFirst(builder, loc, point[2], schedule.getTiles()[1]),
      buildFirst(builder, loc, point[1], getHeadTile(schedule))};
  if (point.size() > Ranged)
    invariants.push_back(
        buildFirstToken(builder, *this, point[Ranged], schedule.getTiles()[0]));
  return invariants;
}

std::pair<Value, Value> RecurrenceOp::buildCarriedRange(OpBuilder &builder,
                                                        ScheduleAttr schedule,
                                                        ValueRange point,
                                                        ValueRange invariants) {
  if (point.size() > Ranged)
    return {point[Ranged], point[Ranged + 1]};
  Value tokens = buildIndex(builder, getLoc(), schedule.getTiles()[0]);
  return {
      buildIndex(builder, getLoc(), 0),
      arith::CeilDivSIOp::create(builder, getLoc(), invariants[End], tokens)};
}

/// Copies `from` into `into`, converted to its element type.
static Value buildCopy(OpBuilder &builder, Location loc, Value from,
                       Value into) {
  unsigned rank = getTensor(into).getRank();
  AffineMap all = builder.getMultiDimIdentityMap(rank);
  return linalg::GenericOp::create(
             builder, loc, into.getType(), from, into, ArrayRef{all, all},
             SmallVector<IteratorType>(rank, IteratorType::parallel),
             [&](OpBuilder &b, Location l, ValueRange in) {
               Value element = convertFloat(b, l, in[0], in[1].getType());
               linalg::YieldOp::create(b, l, element);
             })
      .getResult(0);
}

/// `[heads, K, columns]` of states `[B, H, K, V]`.
static Value buildStateSlice(OpBuilder &builder, Location loc, Value state,
                             ArrayRef<OpFoldResult> offsets,
                             ArrayRef<int64_t> shape) {
  SmallVector<OpFoldResult> sizes{builder.getIndexAttr(1)};
  for (int64_t extent : shape)
    sizes.push_back(builder.getIndexAttr(extent));
  return tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get(shape, getTensor(state).getElementType()), state,
      offsets, sizes,
      SmallVector<OpFoldResult>(sizes.size(), builder.getIndexAttr(1)));
}

/// The state of a tile of the final states.
static Value buildState(OpBuilder &builder, Location loc, Value tile) {
  return buildStateSlice(builder, loc, tile,
                         SmallVector<OpFoldResult>(4, builder.getIndexAttr(0)),
                         getTensor(tile).getShape().drop_front());
}

SmallVector<Value> RecurrenceOp::buildInit(OpBuilder &builder,
                                           ScheduleAttr schedule,
                                           ValueRange point,
                                           ValueRange invariants,
                                           ValueRange destinations) {
  Location loc = getLoc();
  OpFoldResult zero = builder.getIndexAttr(0);
  Value into = buildState(builder, loc, destinations[State]);
  Value state;
  if (getInit()) {
    Value from =
        buildStateSlice(builder, loc, getInit(),
                        ArrayRef<OpFoldResult>{point[0], invariants[Head], zero,
                                               invariants[Feature]},
                        getTensor(into).getShape());
    state = buildCopy(builder, loc, from, into);
  } else {
    Value nothing =
        buildFloat(builder, loc, getTensor(into).getElementType(), 0);
    state = linalg::FillOp::create(builder, loc, nothing, into).getResult(0);
  }
  return {destinations[Result], state};
}

SmallVector<Value> RecurrenceOp::buildResume(OpBuilder &builder, ScheduleAttr,
                                             ValueRange, ValueRange,
                                             ValueRange destinations,
                                             ArrayRef<Value> tiles) {
  Location loc = getLoc();
  Value state = buildCopy(builder, loc, buildState(builder, loc, tiles[State]),
                          buildState(builder, loc, destinations[State]));
  return {destinations[Result], state};
}

namespace {
/// Builds what a chunk does to the heads of a point.
class ChunkStep {
public:
  /// In a `whole` chunk no token is missing.
  ChunkStep(RecurrenceOp op, OpBuilder &builder, ScheduleAttr schedule,
            bool whole)
      : op(op), builder(builder), loc(op.getLoc()), whole(whole),
        columns(schedule.getTiles()[1]), heads(getHeadTile(schedule)),
        chunk(op, builder, schedule.getTiles()[0], columns, whole) {}

  /// The carry behind the chunk, of which `present` tokens have a result.
  SmallVector<Value> build(const ChunkPlace &place, Value present,
                           ValueRange carry);

private:
  SmallVector<Value> buildHead(ChunkPlace place,
                               const ChunkBuilder::Keys *shared,
                               OpFoldResult number, Value present,
                               ValueRange carry);
  OpFoldResult index(int64_t number) { return builder.getIndexAttr(number); }

  RecurrenceOp op;
  OpBuilder &builder;
  Location loc;
  bool whole;
  int64_t columns, heads;
  ChunkBuilder chunk;
};
} // namespace

SmallVector<Value> ChunkStep::buildHead(ChunkPlace place,
                                        const ChunkBuilder::Keys *shared,
                                        OpFoldResult number, Value present,
                                        ValueRange carry) {
  if (auto offset = dyn_cast<Value>(number))
    place.head = arith::AddIOp::create(builder, loc, place.head, offset);
  OpFoldResult offsets[] = {number, index(0), index(0)};
  OpFoldResult sizes[] = {index(1), index(op.getKeyDim()), index(columns)};
  OpFoldResult ones[] = {index(1), index(1), index(1), index(1)};
  ArrayRef<OpFoldResult> strides(ones);
  Value state = tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get({op.getKeyDim(), columns},
                            getTensor(carry[State]).getElementType()),
      carry[State], offsets, sizes, strides.drop_front());

  // Where the results belong, or, where these are of another type or fewer
  // than the chunk's rows, beside it.
  int64_t updates = op.getUpdates(), tokens = chunk.getTokens();
  Type resultType = getTensor(carry[Result]).getElementType();
  Value first = place.token;
  if (place.base)
    first = arith::SubIOp::create(builder, loc, first, place.base);
  OpFoldResult at[] = {index(0), first, number, index(0)};
  OpFoldResult extents[] = {index(1),
                            whole ? index(tokens) : OpFoldResult(present),
                            index(1), index(columns)};
  Value into = tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get({whole ? tokens : ShapedType::kDynamic, columns},
                            resultType),
      carry[Result], at, extents, strides);
  bool inPlace = whole && updates == 1 && resultType == chunk.getType();
  Value rows =
      inPlace ? into
              : Value(tensor::EmptyOp::create(
                    builder, loc, ArrayRef<int64_t>{tokens * updates, columns},
                    chunk.getType()));
  Value next;
  std::tie(rows, next) =
      chunk.build(place, shared ? *shared : chunk.loadKeys(place), state, rows);
  if (!inPlace) {
    // The last update of each token that there is.
    Value last = tensor::ExtractSliceOp::create(
        builder, loc, getTensor(into).clone(chunk.getType()), rows,
        ArrayRef<OpFoldResult>{index(updates - 1), index(0)},
        ArrayRef<OpFoldResult>{extents[1], index(columns)},
        ArrayRef<OpFoldResult>{index(updates), index(1)});
    rows = buildCopy(builder, loc, last, into);
  }
  Value result = tensor::InsertSliceOp::create(
      builder, loc, rows, carry[Result], at, extents, strides);
  Value states = tensor::InsertSliceOp::create(
      builder, loc, next, carry[State], offsets, sizes, strides.drop_front());
  return {result, states};
}

SmallVector<Value> ChunkStep::build(const ChunkPlace &place, Value present,
                                    ValueRange carry) {
  // Heads of one key head take its keys once.
  std::optional<ChunkBuilder::Keys> keys;
  if ((op.getHeads() / op.getKeyHeads()) % heads == 0)
    keys = chunk.loadKeys(place);
  const ChunkBuilder::Keys *shared = keys ? &*keys : nullptr;
  if (heads == 1)
    return buildHead(place, shared, index(0), present, carry);
  auto loop = scf::ForOp::create(
      builder, loc, chunk.constant(0), chunk.constant(heads), chunk.constant(1),
      carry, [&](OpBuilder &, Location, Value number, ValueRange carried) {
        OpBuilder::InsertionGuard guard(builder);
        scf::YieldOp::create(
            builder, loc, buildHead(place, shared, number, present, carried));
      });
  return SmallVector<Value>(loop.getResults());
}

SmallVector<Value> weir::buildOnBlock(OpBuilder &builder, RecurrenceOp op,
                                      ScheduleAttr schedule, ValueRange point,
                                      Value index, ValueRange invariants,
                                      TypeRange types, BlockBuilder block) {
  Location loc = op.getLoc();
  int64_t tokens = schedule.getTiles()[0];
  Value first = arith::MulIOp::create(builder, loc, index,
                                      buildIndex(builder, loc, tokens));
  // Tokens from `first` on, up to `end`, at most a block and at least none.
  auto count = [&](Value end) -> Value {
    Value rest = arith::SubIOp::create(builder, loc, end, first);
    rest = arith::MinSIOp::create(builder, loc, rest,
                                  buildIndex(builder, loc, tokens));
    return arith::MaxSIOp::create(builder, loc, rest,
                                  buildIndex(builder, loc, 0));
  };
  ChunkPlace place{point[0], invariants[Head], invariants[Feature], first,
                   count(invariants[Valid])};
  if (point.size() > Ranged)
    place.base = invariants[Base];
  Value present = count(invariants[End]);
  // A schedule given for blocks comes along to steps of one token.
  int64_t time =
      cast<RankedTensorType>(op.getQuery().getType()).getDimSize(TimeAxis);
  bool isShort = !ShapedType::isDynamic(time) && time < tokens;
  if (tokens == 1 || isShort || op.getUpdates() > 1)
    return block(place, present, /*whole=*/false);
  Value isWhole =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, place.count,
                            buildIndex(builder, loc, tokens));
  auto choice = scf::IfOp::create(builder, loc, types, isWhole,
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(builder);
  for (bool whole : {true, false}) {
    builder.setInsertionPointToStart(whole ? choice.thenBlock()
                                           : choice.elseBlock());
    scf::YieldOp::create(builder, loc, block(place, present, whole));
  }
  return SmallVector<Value>(choice.getResults());
}

SmallVector<Value> RecurrenceOp::buildStepOnBlock(OpBuilder &builder,
                                                  ScheduleAttr schedule,
                                                  ValueRange point, Value index,
                                                  ValueRange invariants,
                                                  ValueRange carry) {
  return buildOnBlock(builder, *this, schedule, point, index, invariants,
                      TypeRange(carry),
                      [&](const ChunkPlace &place, Value present, bool whole) {
                        return ChunkStep(*this, builder, schedule, whole)
                            .build(place, present, carry);
                      });
}

SmallVector<Value>
RecurrenceOp::buildFinish(OpBuilder &builder, ScheduleAttr schedule,
                          ValueRange point, ValueRange invariants,
                          ValueRange destinations, ValueRange carry) {
  OpFoldResult one = builder.getIndexAttr(1);
  Value state = tensor::InsertSliceOp::create(
      builder, getLoc(), carry[State], destinations[State],
      SmallVector<OpFoldResult>(4, builder.getIndexAttr(0)),
      ArrayRef<OpFoldResult>{one, builder.getIndexAttr(getHeadTile(schedule)),
                             builder.getIndexAttr(getKeyDim()),
                             builder.getIndexAttr(schedule.getTiles()[1])},
      SmallVector<OpFoldResult>(4, one));
  return {carry[Result], state};
}
