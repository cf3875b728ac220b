//===- RecurrenceChunk.cpp - A chunk of a recurrence -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With g the sums of the logs of decay up to a row, it included, and e those
// that a correction sees (g, or g without the row's own where it reads the
// previous state):
//
//   A_xy[i, j] = sum_k x[i, k] y[j, k] exp(e[i, k] - g[j, k])     for j < i
//
//   delta:     R = beta (v - (a exp e) S) - beta A_ak R
//   rank one:  R = (a exp e) S + A_ak v + A_ab R
//   result     = (q exp g) S + A_qk (v or R) + A_qb R     where j = i counts
//   S'         = exp(g_last) S + (k exp(g_last - g))^T (v or R)
//                              + (b exp(g_last - g))^T R
//
// A bonus makes q see the sums without the row's own and only j < i, and stands
// on the diagonal. With one token a chunk this is the recurrent form. The
// formulas for matrix units are those of Yang et al. (arXiv:2406.06484) and of
// the papers named at the op.
//
// With one decay a head, scores are products of matrices times exp(e - g), and
// of differences only those that are kept are exponentiated: these are not
// positive. With one decay a channel the exponential goes into the factors, as
// exp(e) and exp(-g), as long as no exp(-g) of the chunk overflows: a mild
// chunk, where k exp(g_last - g) is k exp(-g) times exp(g_last) too. A chunk
// with harder gates takes the differences one by one instead.
//
// The triangular system is solved by blocks of rows: a block is substituted row
// by row, then what it adds to the rows behind is one product of matrices.
//
//===----------------------------------------------------------------------===//

#include "RecurrenceChunk.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"

using namespace mlir;
using namespace weir;
using utils::IteratorType;

/// exp(60) times a product of two numbers stays far below the largest f32.
static constexpr double LowestMildSum = -60;

/// The exponential of this is 0 in either type of the state. Logs are taken no
/// lower: between sums of infinite ones there is no difference, and between
/// sums of huge ones no digit is left of it.
static constexpr double LowestLog = -1000;

/// Rows substituted one by one in the solution of a triangular system.
static constexpr int64_t SolveBlock = 8;

ChunkBuilder::ChunkBuilder(RecurrenceOp op, OpBuilder &builder, int64_t tokens,
                           int64_t columns, bool whole)
    : op(op), builder(builder), loc(op.getLoc()),
      type(getAccumulatorType(
          cast<RankedTensorType>(op.getQuery().getType()).getElementType())),
      tokens(tokens), columns(columns), updates(op.getUpdates()), whole(whole),
      rows(tokens * updates), keyDim(op.getKeyDim()),
      byChannel(op.hasChannelDecay()) {}

//===----------------------------------------------------------------------===//
// Pieces
//===----------------------------------------------------------------------===//

Value ChunkBuilder::zero() { return buildFloat(builder, loc, type, 0); }

Value ChunkBuilder::minusInfinity() {
  APFloat number = APFloat::getInf(type.getFloatSemantics(), /*Negative=*/true);
  return arith::ConstantOp::create(builder, loc, FloatAttr::get(type, number));
}

Value ChunkBuilder::empty(ArrayRef<int64_t> shape) {
  return tensor::EmptyOp::create(builder, loc, shape, type);
}

Value ChunkBuilder::zeros(ArrayRef<int64_t> shape) {
  return buildFilled(builder, loc, shape, type, 0);
}

Value ChunkBuilder::update(ArrayRef<Operand> inputs, const Operand &output,
                           ArrayRef<IteratorType> iterators, Body body) {
  SmallVector<Value> tiles;
  SmallVector<AffineMap> maps;
  for (const Operand &input : inputs) {
    tiles.push_back(input.tile);
    maps.push_back(getAxesMap(builder, iterators.size(), input.loops));
  }
  maps.push_back(getAxesMap(builder, iterators.size(), output.loops));
  return linalg::GenericOp::create(
             builder, loc, output.tile.getType(), tiles, output.tile, maps,
             iterators,
             [&](OpBuilder &b, Location l, ValueRange args) {
               linalg::YieldOp::create(b, l, body(b, l, args));
             })
      .getResult(0);
}

Value ChunkBuilder::map(ArrayRef<int64_t> shape, ArrayRef<Operand> inputs,
                        Body body) {
  auto loops = llvm::to_vector(llvm::seq<unsigned>(0, shape.size()));
  return update(inputs, {empty(shape), loops},
                SmallVector<IteratorType>(shape.size(), IteratorType::parallel),
                body);
}

Value ChunkBuilder::multiplyAdd(Value lhs, bool transposed, Value rhs,
                                Value into) {
  SmallVector<unsigned> left{0, 2};
  if (transposed)
    std::swap(left[0], left[1]);
  return update(
      {{lhs, left}, {rhs, {2, 1}}}, {into, {0, 1}},
      {IteratorType::parallel, IteratorType::parallel, IteratorType::reduction},
      [](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value product = arith::MulFOp::create(b, l, in[0], in[1]);
        return arith::AddFOp::create(b, l, in[2], product);
      });
}

Value ChunkBuilder::transpose(Value tile) {
  ArrayRef<int64_t> shape = cast<RankedTensorType>(tile.getType()).getShape();
  return map({shape[1], shape[0]}, {{tile, {1, 0}}},
             [](OpBuilder &, Location, ValueRange in) { return in[0]; });
}

//===----------------------------------------------------------------------===//
// Decay
//===----------------------------------------------------------------------===//

/// Row `row` of `tile`, `[features]`.
static Value takeRow(OpBuilder &builder, Location loc, Value tile, Value row) {
  auto type = cast<RankedTensorType>(tile.getType());
  return tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get({type.getDimSize(1)}, type.getElementType()), tile,
      ArrayRef<OpFoldResult>{row, builder.getIndexAttr(0)},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(1),
                             builder.getIndexAttr(type.getDimSize(1))},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(1), builder.getIndexAttr(1)});
}

/// `rows` of `columns` of `tile`, from a row and a column on.
static Value takeRows(OpBuilder &builder, Location loc, Value tile, Value first,
                      Value firstColumn, int64_t rows, int64_t columns) {
  auto type = cast<RankedTensorType>(tile.getType());
  return tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get({rows, columns}, type.getElementType()), tile,
      ArrayRef<OpFoldResult>{first, firstColumn},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(rows),
                             builder.getIndexAttr(columns)},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(1), builder.getIndexAttr(1)});
}

/// `tile` with `part`, `[rows, columns]` or, for one row, `[columns]`, from row
/// `first` on.
static Value putRows(OpBuilder &builder, Location loc, Value part, Value tile,
                     Value first) {
  auto type = cast<RankedTensorType>(part.getType());
  int64_t rows = type.getRank() == 2 ? type.getDimSize(0) : 1;
  return tensor::InsertSliceOp::create(
      builder, loc, part, tile,
      ArrayRef<OpFoldResult>{first, builder.getIndexAttr(0)},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(rows),
                             builder.getIndexAttr(type.getShape().back())},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(1), builder.getIndexAttr(1)});
}

Value ChunkBuilder::putRow(Value from, Value tile, Value row) {
  Value part =
      update({{from, {0}}}, {takeRow(builder, loc, tile, row), {0}},
             IteratorType::parallel,
             [](OpBuilder &, Location, ValueRange in) { return in[0]; });
  return putRows(builder, loc, part, tile, row);
}

/// A log of decay that sums and differences of sums keep finite.
static Value boundLog(OpBuilder &b, Location l, Value log) {
  return arith::MaximumFOp::create(b, l, log,
                                   buildFloat(b, l, log.getType(), LowestLog));
}

/// The sum of two numbers and what rounding took from it (Knuth).
static std::pair<Value, Value> buildTwoSum(OpBuilder &b, Location l, Value x,
                                           Value y) {
  Value sum = arith::AddFOp::create(b, l, x, y);
  Value ofY = arith::SubFOp::create(b, l, sum, x);
  Value ofX = arith::SubFOp::create(b, l, sum, ofY);
  Value lostX = arith::SubFOp::create(b, l, x, ofX);
  Value lostY = arith::SubFOp::create(b, l, y, ofY);
  return {sum, arith::AddFOp::create(b, l, lostX, lostY)};
}

void ChunkBuilder::accumulateByHead(Value logs) {
  SmallVector<Value> inits(4, Value());
  for (Value &init : inits)
    init = empty({rows});
  inits.append(2, zero());
  auto loop = scf::ForOp::create(
      builder, loc, constant(0), constant(rows), constant(1), inits,
      [&](OpBuilder &b, Location l, Value row, ValueRange carried) {
        Value high = carried[4], low = carried[5];
        Value log = boundLog(b, l, tensor::ExtractOp::create(b, l, logs, row));
        auto [sum, lost] = buildTwoSum(b, l, high, log);
        Value lows = arith::AddFOp::create(b, l, low, lost);
        SmallVector<Value> entries{high, low, sum, lows}, next;
        for (auto [tile, entry] : llvm::zip(carried, entries))
          next.push_back(tensor::InsertOp::create(b, l, entry, tile, row));
        next.append({sum, lows});
        scf::YieldOp::create(b, l, next);
      });
  before = {loop.getResult(0), loop.getResult(1)};
  sums = {loop.getResult(2), loop.getResult(3)};
  total = {loop.getResult(4), loop.getResult(5)};
}

void ChunkBuilder::accumulateByChannel(Value logs) {
  SmallVector<Value> inits(4, Value());
  for (Value &init : inits)
    init = empty({rows, keyDim});
  inits.append({zeros({keyDim}), zeros({keyDim})});
  auto loop = scf::ForOp::create(
      builder, loc, constant(0), constant(rows), constant(1), inits,
      [&](OpBuilder &, Location, Value row, ValueRange carried) {
        Value high = carried[4], low = carried[5];
        SmallVector<Value> next{putRow(high, carried[0], row),
                                putRow(low, carried[1], row)};
        auto step = linalg::GenericOp::create(
            builder, loc, TypeRange{high.getType(), low.getType()},
            takeRow(builder, loc, logs, row), ValueRange{high, low},
            SmallVector<AffineMap>(3, builder.getMultiDimIdentityMap(1)),
            IteratorType::parallel,
            [](OpBuilder &b, Location l, ValueRange in) {
              auto [sum, lost] =
                  buildTwoSum(b, l, in[1], boundLog(b, l, in[0]));
              Value lows = arith::AddFOp::create(b, l, in[2], lost);
              linalg::YieldOp::create(b, l, ValueRange{sum, lows});
            });
        next.push_back(putRow(step.getResult(0), carried[2], row));
        next.push_back(putRow(step.getResult(1), carried[3], row));
        llvm::append_range(next, step.getResults());
        scf::YieldOp::create(builder, loc, next);
      });
  before = {loop.getResult(0), loop.getResult(1)};
  sums = {loop.getResult(2), loop.getResult(3)};
  total = {loop.getResult(4), loop.getResult(5)};
}

Value ChunkBuilder::accumulateMild(Value logs) {
  bool needsBefore = op.getBonus() || op.getReads() == RecurrenceRead::Previous;
  SmallVector<Value> inits{zeros({keyDim}), zeros({keyDim}),
                           empty({rows, keyDim})};
  if (needsBefore)
    inits.push_back(empty({rows, keyDim}));
  auto loop = scf::ForOp::create(
      builder, loc, constant(0), constant(rows), constant(1), inits,
      [&](OpBuilder &, Location, Value row, ValueRange carried) {
        Value earlier;
        if (needsBefore)
          earlier = putRow(carried[0], carried[3], row);
        Value sum = update(
            {{takeRow(builder, loc, logs, row), {0}}}, {carried[0], {0}},
            IteratorType::parallel,
            [](OpBuilder &b, Location l, ValueRange in) -> Value {
              return arith::AddFOp::create(b, l, in[1], boundLog(b, l, in[0]));
            });
        Value least =
            update({{sum, {0}}}, {carried[1], {0}}, IteratorType::parallel,
                   [](OpBuilder &b, Location l, ValueRange in) -> Value {
                     return arith::MinimumFOp::create(b, l, in[0], in[1]);
                   });
        SmallVector<Value> next{sum, least, putRow(sum, carried[2], row)};
        if (needsBefore)
          next.push_back(earlier);
        scf::YieldOp::create(builder, loc, next);
      });
  total = {loop.getResult(0), Value()};
  sums = {loop.getResult(2), Value()};
  before = {needsBefore ? loop.getResult(3) : Value(), Value()};

  Value scalar =
      tensor::EmptyOp::create(builder, loc, ArrayRef<int64_t>{}, type);
  Value start =
      linalg::FillOp::create(builder, loc, zero(), scalar).getResult(0);
  Value lowest =
      update({{loop.getResult(1), {0}}}, {start, {}}, IteratorType::reduction,
             [](OpBuilder &b, Location l, ValueRange in) -> Value {
               return arith::MinimumFOp::create(b, l, in[0], in[1]);
             });
  return arith::CmpFOp::create(
      builder, loc, arith::CmpFPredicate::OGE,
      tensor::ExtractOp::create(builder, loc, lowest, ValueRange()),
      buildFloat(builder, loc, type, LowestMildSum));
}

/// (high, low) of one sum less those of another.
static Value buildDifference(OpBuilder &b, Location l, ValueRange in) {
  Value high = arith::SubFOp::create(b, l, in[0], in[2]);
  Value low = arith::SubFOp::create(b, l, in[1], in[3]);
  return arith::AddFOp::create(b, l, high, low);
}

/// `value * scale`, where that is another number.
static Value buildScaled(OpBuilder &b, Location l, Value value, double scale) {
  if (scale == 1)
    return value;
  return arith::MulFOp::create(b, l, value,
                               buildFloat(b, l, value.getType(), scale));
}

Value ChunkBuilder::gate(Value tile, Value logs, double scale) {
  if (!logs && scale == 1)
    return tile;
  if (!logs)
    return map({rows, keyDim}, {{tile, {0, 1}}},
               [&](OpBuilder &b, Location l, ValueRange in) {
                 return buildScaled(b, l, in[0], scale);
               });
  if (byChannel)
    return map({rows, keyDim}, {{tile, {0, 1}}, {logs, {0, 1}}},
               [&](OpBuilder &b, Location l, ValueRange in) -> Value {
                 Value factor = math::ExpOp::create(b, l, in[1]);
                 return arith::MulFOp::create(b, l, in[0],
                                              buildScaled(b, l, factor, scale));
               });
  // One exponential a row, where one is enough.
  Value factors =
      map({rows}, {{logs, {0}}},
          [&](OpBuilder &b, Location l, ValueRange in) -> Value {
            return buildScaled(b, l, math::ExpOp::create(b, l, in[0]), scale);
          });
  return map({rows, keyDim}, {{tile, {0, 1}}, {factors, {0}}},
             [](OpBuilder &b, Location l, ValueRange in) -> Value {
               return arith::MulFOp::create(b, l, in[0], in[1]);
             });
}

Value ChunkBuilder::gateToEnd(Value tile) {
  if (!sums)
    return tile;
  SmallVector<unsigned> loops = logLoops(), last;
  if (byChannel)
    last = {1};
  Value rest = map(cast<RankedTensorType>(sums.high.getType()).getShape(),
                   {{total.high, last},
                    {total.low, last},
                    {sums.high, loops},
                    {sums.low, loops}},
                   [](OpBuilder &b, Location l, ValueRange in) -> Value {
                     return buildDifference(b, l, in);
                   });
  return gate(tile, rest, 1);
}

Value ChunkBuilder::finish(Value tile) {
  return map({rows, keyDim}, {{tile, {0, 1}}, {totalFactor, {1}}},
             [](OpBuilder &b, Location l, ValueRange in) -> Value {
               return arith::MulFOp::create(b, l, in[0], in[1]);
             });
}

Value ChunkBuilder::decayState(Value state) {
  if (!sums)
    return state;
  Operand factor{{}, {}};
  if (byChannel)
    factor = {map({keyDim}, {{total.high, {0}}},
                  [](OpBuilder &b, Location l, ValueRange in) -> Value {
                    return math::ExpOp::create(b, l, in[0]);
                  }),
              {0}};
  else
    factor.tile = math::ExpOp::create(builder, loc, total.high);
  totalFactor = factor.tile;
  return update({factor}, {state, {0, 1}},
                SmallVector<IteratorType>(2, IteratorType::parallel),
                [](OpBuilder &b, Location l, ValueRange in) -> Value {
                  return arith::MulFOp::create(b, l, in[1], in[0]);
                });
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

/// Whether a triangle keeps (row, column), the first loops of the op around.
static Value buildKept(OpBuilder &b, Location l, bool strict) {
  Value row = linalg::IndexOp::create(b, l, 0);
  Value column = linalg::IndexOp::create(b, l, 1);
  return arith::CmpIOp::create(
      b, l, strict ? arith::CmpIPredicate::slt : arith::CmpIPredicate::sle,
      column, row);
}

Value ChunkBuilder::keepTriangle(Value scores, Triangle triangle,
                                 double scale) {
  bool strict = triangle == Triangle::Strict;
  return map({rows, rows}, {{scores, {0, 1}}},
             [&](OpBuilder &b, Location l, ValueRange in) -> Value {
               return arith::SelectOp::create(b, l, buildKept(b, l, strict),
                                              buildScaled(b, l, in[0], scale),
                                              buildFloat(b, l, type, 0));
             });
}

Value ChunkBuilder::scoreByDifferences(const Rows &x, const Logs &at,
                                       const Rows &y, Triangle triangle) {
  bool strict = triangle == Triangle::Strict;
  Value lowest = minusInfinity();
  return update(
      {{x.plain, {0, 2}},
       {y.plain, {1, 2}},
       {at.high, {0, 2}},
       {at.low, {0, 2}},
       {sums.high, {1, 2}},
       {sums.low, {1, 2}}},
      {zeros({rows, rows}), {0, 1}},
      {IteratorType::parallel, IteratorType::parallel, IteratorType::reduction},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value difference = buildDifference(b, l, in.slice(2, 4));
        Value log = arith::SelectOp::create(b, l, buildKept(b, l, strict),
                                            difference, lowest);
        Value product = arith::MulFOp::create(b, l, in[0], in[1]);
        product = buildScaled(b, l, product, x.scale);
        Value term = arith::MulFOp::create(b, l, product,
                                           math::ExpOp::create(b, l, log));
        return arith::AddFOp::create(b, l, in[6], term);
      });
}

Value ChunkBuilder::multiplyKeys(Value x, Value y) {
  if (byChannel)
    return {};
  return multiplyAdd(x, /*transposed=*/false, transpose(y),
                     zeros({rows, rows}));
}

Value ChunkBuilder::score(const Rows &x, const Logs &at, const Rows &y,
                          Value products, Triangle triangle) {
  if (byChannel && !mild)
    return scoreByDifferences(x, at, y, triangle);
  if (mild)
    return keepTriangle(multiplyAdd(x.gated, /*transposed=*/false,
                                    transpose(y.gated), zeros({rows, rows})),
                        triangle, /*scale=*/1);
  if (!sums)
    return keepTriangle(products, triangle, x.scale);
  bool strict = triangle == Triangle::Strict;
  Value lowest = minusInfinity();
  return update({{at.high, {0}},
                 {at.low, {0}},
                 {sums.high, {1}},
                 {sums.low, {1}},
                 {products, {0, 1}}},
                {empty({rows, rows}), {0, 1}},
                SmallVector<IteratorType>(2, IteratorType::parallel),
                [&](OpBuilder &b, Location l, ValueRange in) -> Value {
                  Value difference = buildDifference(b, l, in.take_front(4));
                  Value log = arith::SelectOp::create(
                      b, l, buildKept(b, l, strict), difference, lowest);
                  Value factor = math::ExpOp::create(b, l, log);
                  return arith::MulFOp::create(
                      b, l, in[4], buildScaled(b, l, factor, x.scale));
                });
}

Value ChunkBuilder::addBonus(Value scores, const Rows &query, const Rows &key,
                             const ChunkPlace &place) {
  Value bonus = tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get(
          {keyDim},
          cast<RankedTensorType>(op.getBonus().getType()).getElementType()),
      op.getBonus(),
      ArrayRef<OpFoldResult>{place.head, builder.getIndexAttr(0)},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(1),
                             builder.getIndexAttr(keyDim)},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(1), builder.getIndexAttr(1)});
  Value own = update(
      {{query.plain, {0, 1}}, {key.plain, {0, 1}}, {bonus, {1}}},
      {zeros({rows}), {0}}, {IteratorType::parallel, IteratorType::reduction},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value product = arith::MulFOp::create(b, l, in[0], in[1]);
        product = arith::MulFOp::create(b, l, product,
                                        convertFloat(b, l, in[2], type));
        return arith::AddFOp::create(b, l, in[3], product);
      });
  return update({{own, {0}}}, {scores, {0, 1}},
                SmallVector<IteratorType>(2, IteratorType::parallel),
                [&](OpBuilder &b, Location l, ValueRange in) -> Value {
                  Value diagonal =
                      arith::CmpIOp::create(b, l, arith::CmpIPredicate::eq,
                                            linalg::IndexOp::create(b, l, 0),
                                            linalg::IndexOp::create(b, l, 1));
                  return arith::SelectOp::create(
                      b, l, diagonal, buildScaled(b, l, in[0], query.scale),
                      in[1]);
                });
}

//===----------------------------------------------------------------------===//
// The triangular system
//===----------------------------------------------------------------------===//

/// Adds to each row of `block` what the rows before it in the block make of it.
Value ChunkBuilder::substitute(Value lower, Value block, Value first) {
  int64_t size = cast<RankedTensorType>(block.getType()).getDimSize(0);
  Value square = takeRows(builder, loc, lower, first, first, size, size);
  auto loop = scf::ForOp::create(
      builder, loc, constant(0), constant(size), constant(1), block,
      [&](OpBuilder &, Location, Value number, ValueRange carried) {
        // A row is done when those before it have been added.
        Value row =
            map({columns}, {{takeRow(builder, loc, carried[0], number), {0}}},
                [](OpBuilder &, Location, ValueRange in) { return in[0]; });
        Value column = tensor::ExtractSliceOp::create(
            builder, loc, RankedTensorType::get({size}, type), square,
            ArrayRef<OpFoldResult>{builder.getIndexAttr(0), number},
            ArrayRef<OpFoldResult>{builder.getIndexAttr(size),
                                   builder.getIndexAttr(1)},
            ArrayRef<OpFoldResult>{builder.getIndexAttr(1),
                                   builder.getIndexAttr(1)});
        Value next =
            update({{column, {0}}, {row, {1}}}, {carried[0], {0, 1}},
                   SmallVector<IteratorType>(2, IteratorType::parallel),
                   [](OpBuilder &b, Location l, ValueRange in) -> Value {
                     Value product = arith::MulFOp::create(b, l, in[0], in[1]);
                     return arith::AddFOp::create(b, l, in[2], product);
                   });
        scf::YieldOp::create(builder, loc, next);
      });
  return loop.getResult(0);
}

Value ChunkBuilder::solve(Value lower, Value right) {
  if (rows == 1)
    return right;
  if (rows % SolveBlock || rows == SolveBlock)
    return substitute(lower, right, constant(0));
  // What a block adds to the rows behind it.
  Value behind =
      map({rows, rows}, {{lower, {0, 1}}},
          [&](OpBuilder &b, Location l, ValueRange in) -> Value {
            Value size = arith::ConstantIndexOp::create(b, l, SolveBlock);
            Value row = arith::DivUIOp::create(
                b, l, linalg::IndexOp::create(b, l, 0), size);
            Value column = arith::DivUIOp::create(
                b, l, linalg::IndexOp::create(b, l, 1), size);
            Value holds = arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt,
                                                column, row);
            return arith::SelectOp::create(b, l, holds, in[0],
                                           buildFloat(b, l, type, 0));
          });
  auto loop = scf::ForOp::create(
      builder, loc, constant(0), constant(rows), constant(SolveBlock), right,
      [&](OpBuilder &, Location, Value first, ValueRange carried) {
        Value place = takeRows(builder, loc, carried[0], first, constant(0),
                               SolveBlock, columns);
        Value block =
            map({SolveBlock, columns}, {{place, {0, 1}}},
                [](OpBuilder &, Location, ValueRange in) { return in[0]; });
        block = substitute(lower, block, first);
        Value tile = putRows(builder, loc, block, carried[0], first);
        Value factors = takeRows(builder, loc, behind, constant(0), first, rows,
                                 SolveBlock);
        scf::YieldOp::create(
            builder, loc,
            multiplyAdd(factors, /*transposed=*/false, block, tile));
      });
  return loop.getResult(0);
}

//===----------------------------------------------------------------------===//
// The chunk
//===----------------------------------------------------------------------===//

ChunkBuilder::Rows ChunkBuilder::readAt(Value tile, const Logs &at,
                                        double scale) {
  return {tile, gate(tile, at.high, scale), scale};
}

ChunkBuilder::Rows ChunkBuilder::writtenAt(Value tile) {
  if (!mild)
    return {tile, Value(), 1};
  Value gated = map({rows, keyDim}, {{tile, {0, 1}}, {sums.high, {0, 1}}},
                    [](OpBuilder &b, Location l, ValueRange in) -> Value {
                      Value rise = math::ExpOp::create(
                          b, l, arith::NegFOp::create(b, l, in[1]));
                      return arith::MulFOp::create(b, l, in[0], rise);
                    });
  return {tile, gated, 1};
}

SmallVector<Value>
ChunkBuilder::buildWithSums(const ChunkPlace &place, TypeRange types,
                            function_ref<SmallVector<Value>()> body) {
  mild = false;
  if (!op.getDecay())
    return body();
  Value logs = loadDecay(place);
  if (!byChannel) {
    accumulateByHead(logs);
    return body();
  }
  // Whole chunks are most; what is left of a sequence goes the way of hard
  // ones.
  if (!whole) {
    accumulateByChannel(logs);
    return body();
  }
  Value isMild = accumulateMild(logs);
  auto choice = scf::IfOp::create(builder, loc, types, isMild,
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(builder);
  for (bool chosen : {true, false}) {
    builder.setInsertionPointToStart(chosen ? choice.thenBlock()
                                            : choice.elseBlock());
    mild = chosen;
    if (!mild)
      accumulateByChannel(logs);
    scf::YieldOp::create(builder, loc, body());
  }
  return SmallVector<Value>(choice.getResults());
}

std::pair<Value, Value> ChunkBuilder::build(const ChunkPlace &place,
                                            const Keys &keys, Value state,
                                            Value into) {
  Value value = load(op.getValue(), place, hasUpdateAxis(), true, place.head,
                     place.feature, columns, 0);
  Value beta = op.getBeta() ? loadBeta(place, hasUpdateAxis()) : Value();
  SmallVector<Value> built = buildWithSums(
      place, {into.getType(), state.getType()}, [&]() -> SmallVector<Value> {
        auto [result, next] = buildRows(place, keys, value, beta, state, into);
        return {result, next};
      });
  return {built[0], built[1]};
}

SmallVector<ChunkBuilder::Addend> ChunkBuilder::buildAddends(const Keys &keys,
                                                             Value value,
                                                             Value beta,
                                                             Value state) {
  Rows key = writtenAt(keys.key);
  Addend own{key, value, keys.queryKey};
  if (!op.hasCorrection())
    return {own};
  const Logs &seen = op.getReads() == RecurrenceRead::Previous ? before : sums;
  Rows read = readAt(keys.readKey, seen, 1);
  Value fromState = multiplyAdd(read.gated, /*transposed=*/false, state,
                                zeros({rows, columns}));
  Value scores = score(read, seen, key, keys.readKeyKey, Triangle::Strict);
  if (!beta) {
    Rows writeKey = writtenAt(keys.writeKey);
    Value right = multiplyAdd(scores, /*transposed=*/false, value, fromState);
    Value lower =
        score(read, seen, writeKey, keys.readWriteKey, Triangle::Strict);
    return {own, {writeKey, solve(lower, right), keys.queryWriteKey}};
  }
  Value right = update({{value, {0, 1}}, {beta, {0}}}, {fromState, {0, 1}},
                       SmallVector<IteratorType>(2, IteratorType::parallel),
                       [](OpBuilder &b, Location l, ValueRange in) -> Value {
                         Value error =
                             arith::SubFOp::create(b, l, in[0], in[2]);
                         return arith::MulFOp::create(b, l, in[1], error);
                       });
  Value lower = update({{beta, {0}}}, {scores, {0, 1}},
                       SmallVector<IteratorType>(2, IteratorType::parallel),
                       [](OpBuilder &b, Location l, ValueRange in) -> Value {
                         Value product =
                             arith::MulFOp::create(b, l, in[0], in[1]);
                         return arith::NegFOp::create(b, l, product);
                       });
  own.values = solve(lower, right);
  return {own};
}

std::pair<Value, Value> ChunkBuilder::buildRows(const ChunkPlace &place,
                                                const Keys &keys, Value value,
                                                Value beta, Value state,
                                                Value into) {
  SmallVector<Addend> added = buildAddends(keys, value, beta, state);
  const Logs &at = op.getBonus() ? before : sums;
  Rows query = readAt(keys.query, at, op.getScale().convertToDouble());
  Value start = linalg::FillOp::create(builder, loc, zero(), into).getResult(0);
  Value result = multiplyAdd(query.gated, /*transposed=*/false, state, start);
  for (const Addend &addend : added) {
    Value scores =
        score(query, at, addend.keys, addend.queryProducts,
              op.getBonus() ? Triangle::Strict : Triangle::Inclusive);
    if (op.getBonus())
      scores = addBonus(scores, query, addend.keys, place);
    result = multiplyAdd(scores, /*transposed=*/false, addend.values, result);
  }
  return {result, advance(state, added)};
}

Value ChunkBuilder::advance(Value state, ArrayRef<Addend> added) {
  state = decayState(state);
  for (const Addend &addend : added)
    state = multiplyAdd(mild ? finish(addend.keys.gated)
                             : gateToEnd(addend.keys.plain),
                        /*transposed=*/true, addend.values, state);
  return state;
}
