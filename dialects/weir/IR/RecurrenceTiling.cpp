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
// tokens (RecurrenceChunk.cpp); tiles[1] are the value features of a point.
//
//===----------------------------------------------------------------------===//

#include "RecurrenceChunk.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"

using namespace mlir;
using namespace weir;
using utils::IteratorType;

/// Positions in the list of a point's invariants.
enum Invariant : unsigned {
  End,    ///< tokens of the sequence
  Valid,  ///< tokens that change the state
  Feature ///< first value feature of the point
};

/// Positions in the carry.
enum Carry : unsigned { Result, State };

static RankedTensorType getTensor(Value value) {
  return cast<RankedTensorType>(value.getType());
}

FailureOr<BlockDomain> RecurrenceOp::getBlockDomain(OpBuilder &builder,
                                                    ScheduleAttr schedule) {
  StringRef form = schedule.getForm().getValue();
  ArrayRef<int64_t> tiles = schedule.getTiles();
  if (form != "recurrent" && form != "chunkwise")
    return emitOpError("has a schedule of form '")
           << form << "', expected recurrent or chunkwise";
  if (tiles.size() != 2 || tiles[0] < 1 || tiles[1] < 1 ||
      getValueDim() % tiles[1])
    return emitOpError("has schedule tiles [")
           << tiles
           << "], expected [tokens, value features] where the latter "
              "divide "
           << getValueDim();
  if (form == "recurrent" && tiles[0] != 1)
    return emitOpError("has the form recurrent with ")
           << tiles[0] << " tokens a block, expected 1";
  BlockDomain domain;
  domain.parallel = {
      tensor::getMixedSize(builder, getLoc(), getQuery(), BatchAxis),
      builder.getIndexAttr(getHeads()),
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

/// The first value feature of a point.
static Value buildFeature(OpBuilder &builder, Location loc, Value number,
                          int64_t columns) {
  return arith::MulIOp::create(
      builder, loc, number,
      arith::ConstantIndexOp::create(builder, loc, columns));
}

SmallVector<TilePlace> RecurrenceOp::getResultTiles(OpBuilder &builder,
                                                    ScheduleAttr schedule,
                                                    ValueRange point) {
  Location loc = getLoc();
  int64_t columns = schedule.getTiles()[1];
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  OpFoldResult width = builder.getIndexAttr(columns);
  OpFoldResult feature = buildFeature(builder, loc, point[2], columns);
  OpFoldResult time = tensor::getMixedSize(builder, loc, getQuery(), TimeAxis);
  return {{{point[0], zero, point[1], feature}, {one, time, one, width}},
          {{point[0], point[1], zero, feature},
           {one, one, builder.getIndexAttr(getKeyDim()), width}}};
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
  return {end, valid,
          buildFeature(builder, loc, point[2], schedule.getTiles()[1])};
}

std::pair<Value, Value> RecurrenceOp::buildCarriedRange(OpBuilder &builder,
                                                        ScheduleAttr schedule,
                                                        ValueRange point,
                                                        ValueRange invariants) {
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

/// The matrix `[K, columns]` of a state `[1, 1, K, columns]` or of a whole one.
static Value buildStateSlice(OpBuilder &builder, Location loc, Value state,
                             ArrayRef<OpFoldResult> offsets, int64_t keys,
                             int64_t columns) {
  OpFoldResult one = builder.getIndexAttr(1);
  return tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get({keys, columns}, getTensor(state).getElementType()),
      state, offsets,
      ArrayRef<OpFoldResult>{one, one, builder.getIndexAttr(keys),
                             builder.getIndexAttr(columns)},
      SmallVector<OpFoldResult>(4, one));
}

SmallVector<Value> RecurrenceOp::buildInit(OpBuilder &builder,
                                           ScheduleAttr schedule,
                                           ValueRange point,
                                           ValueRange invariants,
                                           ValueRange destinations) {
  Location loc = getLoc();
  int64_t keys = getKeyDim(), columns = schedule.getTiles()[1];
  OpFoldResult zero = builder.getIndexAttr(0);
  Value into =
      buildStateSlice(builder, loc, destinations[State],
                      SmallVector<OpFoldResult>(4, zero), keys, columns);
  Value state;
  if (getInit()) {
    Value from = buildStateSlice(
        builder, loc, getInit(),
        ArrayRef<OpFoldResult>{point[0], point[1], zero, invariants[Feature]},
        keys, columns);
    state = buildCopy(builder, loc, from, into);
  } else {
    Value nothing =
        buildFloat(builder, loc, getTensor(into).getElementType(), 0);
    state = linalg::FillOp::create(builder, loc, nothing, into).getResult(0);
  }
  return {destinations[Result], state};
}

SmallVector<Value> RecurrenceOp::buildStepOnBlock(OpBuilder &builder,
                                                  ScheduleAttr schedule,
                                                  ValueRange point, Value index,
                                                  ValueRange invariants,
                                                  ValueRange carry) {
  Location loc = getLoc();
  int64_t tokens = schedule.getTiles()[0], columns = schedule.getTiles()[1];
  int64_t updates = getUpdates();
  ChunkBuilder chunk(*this, builder, tokens, columns);
  Value first =
      arith::MulIOp::create(builder, loc, index, chunk.constant(tokens));
  // Tokens from `first` on, up to `end`, at most a block and at least none.
  auto count = [&](Value end) -> Value {
    Value rest = arith::SubIOp::create(builder, loc, end, first);
    rest = arith::MinSIOp::create(builder, loc, rest, chunk.constant(tokens));
    return arith::MaxSIOp::create(builder, loc, rest, chunk.constant(0));
  };
  ChunkPlace place{point[0], point[1], invariants[Feature], first,
                   count(invariants[Valid])};
  auto [rows, state] = chunk.build(place, carry[State]);

  // The last update of each token that there is.
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  OpFoldResult width = builder.getIndexAttr(columns);
  Value present = count(invariants[End]);
  Value results = tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get({ShapedType::kDynamic, columns},
                            getTensor(rows).getElementType()),
      rows, ArrayRef<OpFoldResult>{builder.getIndexAttr(updates - 1), zero},
      ArrayRef<OpFoldResult>{present, width},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(updates), one});
  SmallVector<OpFoldResult> offsets{zero, first, zero, zero};
  SmallVector<OpFoldResult> sizes{one, present, one, width};
  SmallVector<OpFoldResult> strides(4, one);
  Value into = tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get({ShapedType::kDynamic, columns},
                            getTensor(carry[Result]).getElementType()),
      carry[Result], offsets, sizes, strides);
  Value result = tensor::InsertSliceOp::create(
      builder, loc, buildCopy(builder, loc, results, into), carry[Result],
      offsets, sizes, strides);
  return {result, state};
}

SmallVector<Value>
RecurrenceOp::buildFinish(OpBuilder &builder, ScheduleAttr schedule,
                          ValueRange point, ValueRange invariants,
                          ValueRange destinations, ValueRange carry) {
  OpFoldResult one = builder.getIndexAttr(1);
  Value state = tensor::InsertSliceOp::create(
      builder, getLoc(), carry[State], destinations[State],
      SmallVector<OpFoldResult>(4, builder.getIndexAttr(0)),
      ArrayRef<OpFoldResult>{one, one, builder.getIndexAttr(getKeyDim()),
                             builder.getIndexAttr(schedule.getTiles()[1])},
      SmallVector<OpFoldResult>(4, one));
  return {carry[Result], state};
}
