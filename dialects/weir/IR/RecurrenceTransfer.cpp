//===- RecurrenceTransfer.cpp - Recurrences in ranges of time -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a run of tokens does to a state is S' = A S + B.
//
// Without a correction A is diagonal, exp of the sum of the logs of decay: the
// transfer is B, what a state of zero becomes, and that sum, a number a head or
// one a key feature. A sum of logs loses nothing where a product of factors
// would be no normal number any more.
//
// With a correction A is a matrix of K by K, and [A | B] is what the state
// [I | 0] becomes when the values of the first K features are zero: the same
// chunks with K more value features.
//
//===----------------------------------------------------------------------===//

#include "RecurrenceTiling.h"
#include "SmallNumbers.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"

using namespace mlir;
using namespace weir;
using utils::IteratorType;

/// Positions in a transfer. The logs are there with a decay alone.
enum Transfer : unsigned { Addition, LogSums };

/// Columns of a transfer's addition: those of the point, behind a matrix where
/// there is a correction.
static int64_t getTransferColumns(RecurrenceOp op, int64_t columns) {
  return columns + (op.hasCorrection() ? op.getKeyDim() : 0);
}

//===----------------------------------------------------------------------===//
// Chunks
//===----------------------------------------------------------------------===//

SmallVector<Value> ChunkBuilder::summarise(const ChunkPlace &place,
                                           const Keys &keys,
                                           ValueRange transfer) {
  int64_t matrix = op.hasCorrection() ? keyDim : 0;
  Value value = load(op.getValue(), place, hasUpdateAxis(), true, place.head,
                     place.feature, columns - matrix, 0);
  if (matrix) {
    SmallVector<OpFoldResult> strides(2, builder.getIndexAttr(1));
    value = tensor::InsertSliceOp::create(
        builder, loc, value, zeros({rows, columns}),
        ArrayRef<OpFoldResult>{builder.getIndexAttr(0),
                               builder.getIndexAttr(matrix)},
        ArrayRef<OpFoldResult>{builder.getIndexAttr(rows),
                               builder.getIndexAttr(columns - matrix)},
        strides);
  }
  Value beta = op.getBeta() ? loadBeta(place, hasUpdateAxis()) : Value();
  return buildWithSums(place, TypeRange(transfer), [&] {
    return summariseRows(keys, value, beta, transfer);
  });
}

SmallVector<Value> ChunkBuilder::summariseRows(const Keys &keys, Value value,
                                               Value beta,
                                               ValueRange transfer) {
  SmallVector<Addend> added =
      buildAddends(keys, value, beta, transfer[Addition]);
  SmallVector<Value> next{advance(transfer[Addition], added)};
  // A matrix that only decays would end at numbers that are not normal, which
  // take many times as long as others.
  if (op.hasCorrection() && op.getDecay())
    next[Addition] =
        update({}, {next[Addition], {0, 1}},
               SmallVector<IteratorType>(2, IteratorType::parallel),
               [](OpBuilder &b, Location l, ValueRange in) {
                 return buildFlushed(b, l, in[0]);
               });
  if (transfer.size() == 1)
    return next;
  SmallVector<unsigned> loops;
  SmallVector<IteratorType> iterators;
  if (byChannel) {
    loops.push_back(0);
    iterators.push_back(IteratorType::parallel);
  }
  SmallVector<Operand> sums{{total.high, loops}};
  if (total.low)
    sums.push_back({total.low, loops});
  next.push_back(update(sums, {transfer[LogSums], loops}, iterators,
                        [](OpBuilder &b, Location l, ValueRange in) {
                          Value sum = in.back();
                          for (Value term : in.drop_back())
                            sum = arith::AddFOp::create(b, l, sum, term);
                          return sum;
                        }));
  return next;
}

Value ChunkBuilder::apply(ValueRange transfer, Value state) {
  SmallVector<IteratorType> parallel(2, IteratorType::parallel);
  if (op.hasCorrection()) {
    auto take = [&](int64_t first, int64_t count) -> Value {
      return tensor::ExtractSliceOp::create(
          builder, loc, RankedTensorType::get({keyDim, count}, type),
          transfer[Addition],
          ArrayRef<OpFoldResult>{builder.getIndexAttr(0),
                                 builder.getIndexAttr(first)},
          ArrayRef<OpFoldResult>{builder.getIndexAttr(keyDim),
                                 builder.getIndexAttr(count)},
          SmallVector<OpFoldResult>(2, builder.getIndexAttr(1)));
    };
    Value product = multiplyAdd(take(0, keyDim), /*transposed=*/false, state,
                                zeros({keyDim, columns}));
    return update({{product, {0, 1}}, {take(keyDim, columns), {0, 1}}},
                  {state, {0, 1}}, parallel,
                  [](OpBuilder &b, Location l, ValueRange in) -> Value {
                    return arith::AddFOp::create(b, l, in[0], in[1]);
                  });
  }
  if (!op.getDecay())
    return update({{transfer[Addition], {0, 1}}}, {state, {0, 1}}, parallel,
                  [](OpBuilder &b, Location l, ValueRange in) -> Value {
                    return arith::AddFOp::create(b, l, in[0], in[1]);
                  });
  SmallVector<int64_t> shape;
  SmallVector<unsigned> loops;
  if (byChannel) {
    shape.push_back(keyDim);
    loops.push_back(0);
  }
  Value factors = map(shape, {{transfer[LogSums], loops}},
                      [](OpBuilder &b, Location l, ValueRange in) -> Value {
                        return math::ExpOp::create(b, l, in[0]);
                      });
  return update({{factors, loops}, {transfer[Addition], {0, 1}}},
                {state, {0, 1}}, parallel,
                [](OpBuilder &b, Location l, ValueRange in) -> Value {
                  Value kept = arith::MulFOp::create(b, l, in[2], in[0]);
                  return arith::AddFOp::create(b, l, kept, in[1]);
                });
}

//===----------------------------------------------------------------------===//
// Points
//===----------------------------------------------------------------------===//

/// Where entry `number` of the first axis of a tensor of `type` lies.
static TilePlace getEntryPlace(OpBuilder &builder, RankedTensorType type,
                               OpFoldResult number) {
  TilePlace place{{number}, {builder.getIndexAttr(1)}};
  for (int64_t extent : type.getShape().drop_front()) {
    place.offsets.push_back(builder.getIndexAttr(0));
    place.sizes.push_back(builder.getIndexAttr(extent));
  }
  return place;
}

/// That entry of `tensor`.
static Value takeEntry(OpBuilder &builder, Location loc, Value tensor,
                       OpFoldResult number) {
  auto type = cast<RankedTensorType>(tensor.getType());
  TilePlace place = getEntryPlace(builder, type, number);
  return tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get(type.getShape().drop_front(),
                            type.getElementType()),
      tensor, place.offsets, place.sizes,
      SmallVector<OpFoldResult>(type.getRank(), builder.getIndexAttr(1)));
}

/// `tensor` with `part` in place of that entry.
static Value putEntry(OpBuilder &builder, Location loc, Value part,
                      Value tensor, OpFoldResult number) {
  auto type = cast<RankedTensorType>(tensor.getType());
  TilePlace place = getEntryPlace(builder, type, number);
  return tensor::InsertSliceOp::create(
      builder, loc, part, tensor, place.offsets, place.sizes,
      SmallVector<OpFoldResult>(type.getRank(), builder.getIndexAttr(1)));
}

/// What `body` makes of `carried`, head by head.
static SmallVector<Value> buildPerHead(
    OpBuilder &builder, Location loc, int64_t heads, ValueRange carried,
    function_ref<SmallVector<Value>(OpFoldResult number, ValueRange carried)>
        body) {
  if (heads == 1)
    return body(builder.getIndexAttr(0), carried);
  auto loop = scf::ForOp::create(
      builder, loc, buildIndex(builder, loc, 0),
      buildIndex(builder, loc, heads), buildIndex(builder, loc, 1), carried,
      [&](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(loop.getBody());
  scf::YieldOp::create(builder, loc,
                       body(loop.getInductionVar(), loop.getRegionIterArgs()));
  return SmallVector<Value>(loop.getResults());
}

bool RecurrenceOp::isWrittenByBlocks(unsigned result) {
  return result == Result;
}

int64_t RecurrenceOp::getCarriedParts(ScheduleAttr schedule) {
  return schedule.getForm().getValue() == "parallel" ? schedule.getTiles()[3]
                                                     : 1;
}

Value RecurrenceOp::buildBlockCount(OpBuilder &builder, ScheduleAttr schedule) {
  Location loc = getLoc();
  Value time = getValueOrCreateConstantIndexOp(
      builder, loc, tensor::getMixedSize(builder, loc, getQuery(), TimeAxis));
  return builder.createOrFold<arith::CeilDivSIOp>(
      loc, time, buildIndex(builder, loc, schedule.getTiles()[0]));
}

SmallVector<RankedTensorType>
RecurrenceOp::getTransferTypes(ScheduleAttr schedule) {
  Type type =
      cast<RankedTensorType>(getFinalState().getType()).getElementType();
  int64_t heads = getHeadTile(schedule);
  SmallVector<RankedTensorType> types{RankedTensorType::get(
      {heads, getKeyDim(), getTransferColumns(*this, schedule.getTiles()[1])},
      type)};
  if (getDecay() && !hasCorrection()) {
    SmallVector<int64_t> shape{heads};
    if (hasChannelDecay())
      shape.push_back(getKeyDim());
    types.push_back(RankedTensorType::get(shape, type));
  }
  return types;
}

SmallVector<Value> RecurrenceOp::buildTransferInit(OpBuilder &builder,
                                                   ScheduleAttr schedule,
                                                   ValueRange, ValueRange) {
  Location loc = getLoc();
  SmallVector<Value> transfer;
  for (RankedTensorType type : getTransferTypes(schedule))
    transfer.push_back(
        buildFilled(builder, loc, type.getShape(), type.getElementType(), 0));
  if (!hasCorrection())
    return transfer;
  // [I | 0].
  auto type = cast<RankedTensorType>(transfer[Addition].getType());
  transfer[Addition] =
      linalg::GenericOp::create(
          builder, loc, type, ValueRange(), transfer[Addition],
          builder.getMultiDimIdentityMap(3),
          SmallVector<IteratorType>(3, IteratorType::parallel),
          [&](OpBuilder &b, Location l, ValueRange) {
            Value isOne =
                arith::CmpIOp::create(b, l, arith::CmpIPredicate::eq,
                                      linalg::IndexOp::create(b, l, 1),
                                      linalg::IndexOp::create(b, l, 2));
            Value entry = arith::SelectOp::create(
                b, l, isOne, buildFloat(b, l, type.getElementType(), 1),
                buildFloat(b, l, type.getElementType(), 0));
            linalg::YieldOp::create(b, l, entry);
          })
          .getResult(0);
  return transfer;
}

SmallVector<Value> RecurrenceOp::buildSummary(OpBuilder &builder,
                                              ScheduleAttr schedule,
                                              ValueRange point, Value index,
                                              ValueRange invariants,
                                              ValueRange transfer) {
  Location loc = getLoc();
  int64_t heads = getHeadTile(schedule);
  int64_t columns = getTransferColumns(*this, schedule.getTiles()[1]);
  return buildOnBlock(
      builder, *this, schedule, point, index, invariants, TypeRange(transfer),
      [&](const ChunkPlace &place, Value, bool whole) {
        ChunkBuilder chunk(*this, builder, schedule.getTiles()[0], columns,
                           whole);
        // Heads of one key head take its keys once.
        std::optional<ChunkBuilder::Keys> shared;
        if ((getHeads() / getKeyHeads()) % heads == 0)
          shared = chunk.loadKeys(place);
        return buildPerHead(
            builder, loc, heads, transfer,
            [&](OpFoldResult number, ValueRange carried) {
              ChunkPlace at(place);
              if (auto offset = dyn_cast<Value>(number))
                at.head =
                    arith::AddIOp::create(builder, loc, place.head, offset);
              SmallVector<Value> own;
              for (Value tensor : carried)
                own.push_back(takeEntry(builder, loc, tensor, number));
              SmallVector<Value> next = chunk.summarise(
                  at, shared ? *shared : chunk.loadKeys(at), own);
              for (auto [part, tensor] : llvm::zip_equal(next, carried))
                part = putEntry(builder, loc, part, tensor, number);
              return next;
            });
      });
}

SmallVector<Value> RecurrenceOp::buildApplication(OpBuilder &builder,
                                                  ScheduleAttr schedule,
                                                  ValueRange transfer,
                                                  ValueRange carry) {
  Location loc = getLoc();
  ChunkBuilder chunk(*this, builder, schedule.getTiles()[0],
                     schedule.getTiles()[1], /*whole=*/false);
  SmallVector<Value> states = buildPerHead(
      builder, loc, getHeadTile(schedule), carry[State],
      [&](OpFoldResult number, ValueRange carried) -> SmallVector<Value> {
        SmallVector<Value> own;
        for (Value tensor : transfer)
          own.push_back(takeEntry(builder, loc, tensor, number));
        Value state = takeEntry(builder, loc, carried[0], number);
        return {putEntry(builder, loc, chunk.apply(own, state), carried[0],
                         number)};
      });
  return {carry[Result], states[0]};
}

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

/// Multiply-adds that take as long as an exponential with what goes with it.
static constexpr int64_t ExponentialCost = 40;

/// Of a row: what its correction costs with `columns` value features.
static int64_t estimateAddends(RecurrenceOp op, int64_t rows, int64_t columns) {
  if (!op.hasCorrection())
    return 0;
  int64_t key = op.getKeyDim(), matrices = op.getBeta() ? 1 : 2;
  int64_t gates = op.hasChannelDecay() ? ExponentialCost * key : 0;
  return gates + key * columns + matrices * rows * (key + columns);
}

/// Of a row: what its keys add to `columns` value features of the state.
static int64_t estimateWrites(RecurrenceOp op, int64_t rows, int64_t columns) {
  int64_t key = op.getKeyDim();
  int64_t matrices = op.hasCorrection() && !op.getBeta() ? 2 : 1;
  int64_t gates = op.hasChannelDecay() ? ExponentialCost * key : key;
  return matrices * (gates + key * columns) + key * columns / rows;
}

int64_t RecurrenceOp::estimateStep(int64_t tokens, int64_t columns) {
  int64_t rows = tokens * getUpdates(), key = getKeyDim();
  int64_t matrices = hasCorrection() && !getBeta() ? 2 : 1;
  int64_t gates = hasChannelDecay() ? ExponentialCost * key : key;
  int64_t reads = gates + key * columns + matrices * rows * (key + columns);
  return getUpdates() * (reads + estimateAddends(*this, rows, columns) +
                         estimateWrites(*this, rows, columns));
}

int64_t RecurrenceOp::estimateSummary(int64_t tokens, int64_t columns) {
  int64_t rows = tokens * getUpdates();
  int64_t all = getTransferColumns(*this, columns);
  return getUpdates() *
         (estimateAddends(*this, rows, all) + estimateWrites(*this, rows, all));
}

/// Chunks of a range below which a further parallel loop does not pay.
static constexpr int64_t LeastChunks = 8;

RangeCost RecurrenceOp::getRangeCost(ScheduleAttr schedule) {
  int64_t tokens = schedule.getTiles()[0], columns = schedule.getTiles()[1];
  RangeCost cost;
  cost.summaryPercent =
      std::max<int64_t>(1, 100 * estimateSummary(tokens, columns) /
                               estimateStep(tokens, columns));
  cost.leastBlocks = LeastChunks;
  return cost;
}
