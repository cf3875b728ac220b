//===- SelectTiling.cpp - Choosing keys as a block map -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A point is a query of a batch row and a list. The carry is the row of its
// scores, filled chunk by chunk of blocks; the list is made of it in the end,
// so that never more than a row a thread is kept. For a softmax a first loop
// over the chunks finds each head's maximum and sum, and scores are computed
// twice instead of being kept by head.
//
// The n-th largest score is found bit by bit: floats as integers of the same
// order, and of these the greatest number that n are not below. Each bit is a
// count over the row, which runs in vectors, whatever n is. What is larger is
// chosen, and of equal ones the first, in one pass over the row.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;
using arith::CmpIPredicate;
using utils::IteratorType;

namespace {
/// Positions in the list of a point's invariants.
enum Invariant : unsigned {
  QueryTile, ///< scaled queries of the list, [J, D]
  Position,  ///< the query's position
  Scored,    ///< blocks that have a score there
  Weight,    ///< [J], or Maximum where there are none
};

/// What the builders below share.
struct SelectTiler {
  SelectTiler(SelectBlocksOp op, OpBuilder &builder, ScheduleAttr schedule)
      : op(op), builder(builder), loc(op.getLoc()),
        chunk(schedule.getTiles()[0]), size(op.getBlockSize()),
        heads(op.getHeadsPerList()),
        element(
            cast<RankedTensorType>(op.getQuery().getType()).getElementType()),
        dim(cast<RankedTensorType>(op.getQuery().getType()).getDimSize(3)),
        compute(getAccumulatorType(element)) {}

  Value constant(int64_t value) { return buildIndex(builder, loc, value); }
  Value number(double value) {
    return buildFloat(builder, loc, compute, value);
  }
  Value least() { return number(-std::numeric_limits<double>::infinity()); }
  Value add(Value a, Value b) {
    return arith::AddIOp::create(builder, loc, a, b);
  }
  Value sub(Value a, Value b) {
    return arith::SubIOp::create(builder, loc, a, b);
  }
  Value mul(Value a, int64_t b) {
    return b == 1 ? a : arith::MulIOp::create(builder, loc, a, constant(b));
  }
  Value divide(Value a, int64_t b) {
    return b == 1 ? a : arith::DivUIOp::create(builder, loc, a, constant(b));
  }
  Value min(Value a, Value b) {
    return arith::MinSIOp::create(builder, loc, a, b);
  }
  Value compare(CmpIPredicate predicate, Value a, Value b) {
    return arith::CmpIOp::create(builder, loc, predicate, a, b);
  }
  Value empty(ArrayRef<OpFoldResult> sizes, Type type) {
    return tensor::EmptyOp::create(builder, loc, sizes, type);
  }
  Value fill(Value value, Value tensor) {
    return linalg::FillOp::create(builder, loc, value, tensor).getResult(0);
  }
  AffineMap map(unsigned dims, ArrayRef<unsigned> axes) {
    return getAxesMap(builder, dims, axes);
  }
  linalg::GenericOp generic(
      ValueRange inputs, ValueRange outputs, ArrayRef<AffineMap> maps,
      ArrayRef<IteratorType> iterators,
      llvm::function_ref<SmallVector<Value>(OpBuilder &, ValueRange)> body) {
    return linalg::GenericOp::create(
        builder, loc, outputs.getTypes(), inputs, outputs, maps, iterators,
        [&](OpBuilder &b, Location l, ValueRange args) {
          linalg::YieldOp::create(b, l, body(b, args));
        });
  }
  /// The first `count` entries of `row` from `first` on.
  Value slice(Value row, OpFoldResult first, OpFoldResult count) {
    return tensor::ExtractSliceOp::create(
        builder, loc, row, ArrayRef<OpFoldResult>{first},
        ArrayRef<OpFoldResult>{count},
        ArrayRef<OpFoldResult>{builder.getIndexAttr(1)});
  }
  Value insert(Value part, Value row, OpFoldResult first, OpFoldResult count) {
    return tensor::InsertSliceOp::create(
        builder, loc, part, row, ArrayRef<OpFoldResult>{first},
        ArrayRef<OpFoldResult>{count},
        ArrayRef<OpFoldResult>{builder.getIndexAttr(1)});
  }
  /// The most blocks that any query may choose from.
  Value getBlockCount() {
    Value keys =
        builder.createOrFold<tensor::DimOp>(loc, op.getKey(), TimeAxis);
    return arith::CeilDivUIOp::create(builder, loc, keys, constant(size));
  }
  /// Blocks of chunk `index`: the first, and how many.
  std::pair<Value, Value> getChunk(Value index, ValueRange invariants) {
    Value first = mul(index, chunk);
    return {first, min(constant(chunk), sub(invariants[Scored], first))};
  }
  Value buildQueryTile(ValueRange point);
  /// Products of the list's heads with `count` blocks, [J, count].
  Value buildProducts(ValueRange point, Value first, Value count,
                      ValueRange invariants);
  /// Products with `count` rows of keys, `step` apart from `first` on, into
  /// `products`, [J, count].
  Value multiply(ValueRange point, Value first, Value count, int64_t step,
                 Value products, ValueRange invariants);
  /// The largest products of the list's heads with keys of `count` blocks,
  /// [J, count].
  Value buildLargest(ValueRange point, Value first, Value count,
                     ValueRange invariants);
  /// Columns [0, `count`) of `matrix`.
  Value takeColumns(Value matrix, Value count) {
    SmallVector<OpFoldResult> zeros(2, builder.getIndexAttr(0)),
        ones(2, builder.getIndexAttr(1));
    return tensor::ExtractSliceOp::create(
        builder, loc, matrix, zeros,
        SmallVector<OpFoldResult>{builder.getIndexAttr(heads), count}, ones);
  }
  /// Maximum and sum of each head's softmax.
  SmallVector<Value> buildStatistics(ValueRange point, ValueRange invariants);
  /// The scores with those that nothing may choose at minus infinity.
  Value buildAdjusted(Value row, Value count, ValueRange point,
                      ValueRange invariants);
  /// The same as integers that are ordered alike, as unsigned ones.
  Value buildOrdered(Value scores, Value count);
  /// The number of entries of `ordered` that satisfy `predicate` with `than`.
  Value countOf(Value ordered, CmpIPredicate predicate, Value than);
  /// The best of `ordered` in `list`, [n] of -1.
  Value collect(Value ordered, Value count, Value list);

  SelectBlocksOp op;
  OpBuilder &builder;
  Location loc;
  int64_t chunk, size, heads;
  Type element;
  int64_t dim;
  FloatType compute;
};
} // namespace

Value SelectTiler::buildQueryTile(ValueRange point) {
  SmallVector<OpFoldResult> offsets{point[0], point[2], mul(point[1], heads),
                                    builder.getIndexAttr(0)};
  SmallVector<OpFoldResult> sizes(4, builder.getIndexAttr(1)), strides(sizes);
  sizes[2] = builder.getIndexAttr(heads);
  sizes[3] = builder.getIndexAttr(dim);
  Value rows = tensor::ExtractSliceOp::create(
      builder, loc, RankedTensorType::get({heads, dim}, element), op.getQuery(),
      offsets, sizes, strides);
  Value scale = number(op.getScale().convertToDouble());
  return generic(rows, empty({sizes[2], sizes[3]}, compute),
                 {map(2, {0, 1}), map(2, {0, 1})},
                 SmallVector<IteratorType>(2, IteratorType::parallel),
                 [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
                   return {arith::MulFOp::create(
                       b, loc, convertFloat(b, loc, in[0], compute), scale)};
                 })
      .getResult(0);
}

Value SelectTiler::multiply(ValueRange point, Value first, Value count,
                            int64_t step, Value products,
                            ValueRange invariants) {
  int64_t keyHeads =
      cast<RankedTensorType>(op.getKey().getType()).getDimSize(2);
  SmallVector<OpFoldResult> offsets{
      point[0], first, divide(point[1], op.getListCount() / keyHeads),
      builder.getIndexAttr(0)};
  SmallVector<OpFoldResult> sizes(4, builder.getIndexAttr(1)), strides(sizes);
  sizes[1] = count;
  sizes[3] = builder.getIndexAttr(dim);
  strides[1] = builder.getIndexAttr(step);
  Value keys = tensor::ExtractSliceOp::create(
      builder, loc, RankedTensorType::get({ShapedType::kDynamic, dim}, element),
      op.getKey(), offsets, sizes, strides);
  return generic({invariants[QueryTile], keys}, fill(number(0), products),
                 {map(3, {0, 2}), map(3, {1, 2}), map(3, {0, 1})},
                 {IteratorType::parallel, IteratorType::parallel,
                  IteratorType::reduction},
                 [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
                   Value product = arith::MulFOp::create(
                       b, loc, in[0], convertFloat(b, loc, in[1], compute));
                   return {arith::AddFOp::create(b, loc, in[2], product)};
                 })
      .getResult(0);
}

Value SelectTiler::buildProducts(ValueRange point, Value first, Value count,
                                 ValueRange invariants) {
  if (op.getPool() == SelectPool::Max)
    return buildLargest(point, first, count, invariants);
  Value buffer = empty(
      {builder.getIndexAttr(heads), builder.getIndexAttr(chunk)}, compute);
  // The last position of each block.
  return multiply(point, add(mul(first, size), constant(size - 1)), count, size,
                  takeColumns(buffer, count), invariants);
}

Value SelectTiler::buildLargest(ValueRange point, Value first, Value count,
                                ValueRange invariants) {
  // Keys behind the query, and those there are none of, have products of minus
  // infinity.
  Value begin = mul(first, size);
  Value keys =
      min(mul(count, size), sub(add(invariants[Position], constant(1)), begin));
  Value buffer = fill(least(), empty({builder.getIndexAttr(heads),
                                      builder.getIndexAttr(chunk * size)},
                                     compute));
  Value products = multiply(point, begin, keys, /*step=*/1,
                            takeColumns(buffer, keys), invariants);
  buffer = tensor::InsertSliceOp::create(
      builder, loc, products, buffer,
      SmallVector<OpFoldResult>(2, builder.getIndexAttr(0)),
      SmallVector<OpFoldResult>{builder.getIndexAttr(heads), keys},
      SmallVector<OpFoldResult>(2, builder.getIndexAttr(1)));
  SmallVector<ReassociationIndices> split{{0}, {1, 2}};
  buffer = tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get({heads, chunk, size}, compute),
      buffer, split);
  Value largest = fill(
      least(), empty({builder.getIndexAttr(heads), builder.getIndexAttr(chunk)},
                     compute));
  largest = generic(buffer, largest, {map(3, {0, 1, 2}), map(3, {0, 1})},
                    {IteratorType::parallel, IteratorType::parallel,
                     IteratorType::reduction},
                    [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
                      return {arith::MaximumFOp::create(b, loc, in[1], in[0])};
                    })
                .getResult(0);
  return takeColumns(largest, count);
}

SmallVector<Value> SelectTiler::buildStatistics(ValueRange point,
                                                ValueRange invariants) {
  Value each = empty({builder.getIndexAttr(heads)}, compute);
  Value lowest = arith::ConstantOp::create(
      builder, loc,
      FloatAttr::get(compute, APFloat::getLargest(compute.getFloatSemantics(),
                                                  /*Negative=*/true)));
  SmallVector<Value> inits{fill(lowest, each), fill(number(0), each)};
  Value chunks = arith::CeilDivUIOp::create(builder, loc, invariants[Scored],
                                            constant(chunk));
  auto loop =
      scf::ForOp::create(builder, loc, constant(0), chunks, constant(1), inits,
                         [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(loop.getBody());
  auto [first, count] = getChunk(loop.getInductionVar(), invariants);
  Value products = buildProducts(point, first, count, invariants);
  ValueRange before = loop.getRegionIterArgs();
  AffineMap all = map(2, {0, 1}), head = map(2, {0}), one = map(1, {0});
  SmallVector<IteratorType> along{IteratorType::parallel,
                                  IteratorType::reduction};
  Value largest =
      generic(products, fill(lowest, each), {all, head}, along,
              [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
                return {arith::MaximumFOp::create(b, loc, in[1], in[0])};
              })
          .getResult(0);
  auto rescaled =
      generic(largest, {before[0], before[1]}, {one, one, one},
              {IteratorType::parallel},
              [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
                Value maximum = arith::MaximumFOp::create(b, loc, in[0], in[1]);
                Value factor = math::ExpOp::create(
                    b, loc, arith::SubFOp::create(b, loc, in[1], maximum));
                return {maximum, arith::MulFOp::create(b, loc, in[2], factor)};
              });
  Value sum =
      generic({products, rescaled.getResult(0)}, rescaled.getResult(1),
              {all, head, head}, along,
              [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
                Value power = math::ExpOp::create(
                    b, loc, arith::SubFOp::create(b, loc, in[0], in[1]));
                return {arith::AddFOp::create(b, loc, in[2], power,
                                              arith::FastMathFlags::reassoc)};
              })
          .getResult(0);
  scf::YieldOp::create(builder, loc, ValueRange{rescaled.getResult(0), sum});
  return SmallVector<Value>(loop.getResults());
}

Value SelectTiler::buildAdjusted(Value row, Value count, ValueRange point,
                                 ValueRange invariants) {
  Value scores = slice(row, builder.getIndexAttr(0), count);
  return generic(
             {}, scores, {map(1, {0})}, {IteratorType::parallel},
             [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
               Value score = in[0];
               if (!op.getAdjust().empty())
                 score = inlineRegion(b, op.getAdjust(),
                                      {score, point[0], point[1],
                                       invariants[Position],
                                       linalg::IndexOp::create(b, loc, 0)})
                             .front();
               // select_blocks_c7
               Value isNumber = arith::CmpFOp::create(
                   b, loc, arith::CmpFPredicate::ORD, score, score);
               Value none = buildFloat(
                   b, loc, compute, -std::numeric_limits<double>::infinity());
               return {arith::SelectOp::create(b, loc, isNumber, score, none)};
             })
      .getResult(0);
}

/// The bits of a float as an integer with its order: those of a negative one
/// are turned round, and then the sign.
static Value buildOrder(OpBuilder &b, Location loc, Value score) {
  unsigned width = score.getType().getIntOrFloatBitWidth();
  Type type = b.getIntegerType(width);
  auto constant = [&](const APInt &number) -> Value {
    return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, number));
  };
  // -0 and 0 are equal scores.
  score = arith::AddFOp::create(b, loc, score,
                                buildFloat(b, loc, score.getType(), 0));
  Value bits = arith::BitcastOp::create(b, loc, type, score);
  Value sign =
      arith::ShRSIOp::create(b, loc, bits, constant(APInt(width, width - 1)));
  Value turned =
      arith::OrIOp::create(b, loc, sign, constant(APInt::getSignMask(width)));
  return arith::XOrIOp::create(b, loc, bits, turned);
}

Value SelectTiler::buildOrdered(Value scores, Value count) {
  Type type = builder.getIntegerType(compute.getWidth());
  Value buffer = empty({getAsOpFoldResult(getBlockCount())}, type);
  return generic(scores, slice(buffer, builder.getIndexAttr(0), count),
                 {map(1, {0}), map(1, {0})}, {IteratorType::parallel},
                 [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
                   return {buildOrder(b, loc, in[0])};
                 })
      .getResult(0);
}

Value SelectTiler::countOf(Value ordered, CmpIPredicate predicate, Value than) {
  Type i32 = builder.getI32Type();
  Value none = arith::ConstantIntOp::create(builder, loc, 0, 32);
  Value counted =
      generic(ordered, fill(none, empty({}, i32)), {map(1, {0}), map(1, {})},
              {IteratorType::reduction},
              [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
                Value holds =
                    arith::CmpIOp::create(b, loc, predicate, in[0], than);
                Value one = arith::ExtUIOp::create(b, loc, i32, holds);
                return {arith::AddIOp::create(b, loc, in[1], one)};
              })
          .getResult(0);
  return tensor::ExtractOp::create(builder, loc, counted, ValueRange());
}

Value SelectTiler::collect(Value ordered, Value count, Value list) {
  unsigned width = compute.getWidth();
  Type type = builder.getIntegerType(width);
  auto constantBits = [&](const APInt &number) -> Value {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getIntegerAttr(type, number));
  };
  Value wanted = arith::ConstantIntOp::create(builder, loc, op.getCount(), 32);
  auto nothing = [](OpBuilder &, Location, Value, ValueRange) {};

  // The greatest number that as many scores as wanted are not below.
  auto bits = scf::ForOp::create(
      builder, loc, constant(0), constant(width), constant(1),
      ValueRange{constantBits(APInt::getZero(width)),
                 constantBits(APInt::getSignMask(width))},
      nothing);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(bits.getBody());
    Value found = bits.getRegionIterArgs()[0],
          bit = bits.getRegionIterArgs()[1];
    Value next = arith::OrIOp::create(builder, loc, found, bit);
    Value enough = compare(CmpIPredicate::sge,
                           countOf(ordered, CmpIPredicate::uge, next), wanted);
    found = arith::SelectOp::create(builder, loc, enough, next, found);
    Value lower = arith::ShRUIOp::create(builder, loc, bit,
                                         constantBits(APInt(width, 1)));
    scf::YieldOp::create(builder, loc, ValueRange{found, lower});
  }
  Value threshold = bits.getResult(0);
  Value above = countOf(ordered, CmpIPredicate::ugt, threshold);
  Value equal = arith::SubIOp::create(builder, loc, wanted, above);

  // select_blocks_c7
  APInt none = APFloat::getInf(compute.getFloatSemantics(), /*Negative=*/true)
                   .bitcastToAPInt();
  none.flipAllBits();
  Value impossible = constantBits(none);
  Value zero = arith::ConstantIntOp::create(builder, loc, 0, 32);
  Value one = arith::ConstantIntOp::create(builder, loc, 1, 32);
  auto loop = scf::ForOp::create(builder, loc, constant(0), count, constant(1),
                                 ValueRange{list, constant(0), equal}, nothing);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(loop.getBody());
  Value block = loop.getInductionVar();
  ValueRange before = loop.getRegionIterArgs();
  Value score = tensor::ExtractOp::create(builder, loc, ordered, block);
  Value isAbove = compare(CmpIPredicate::ugt, score, threshold);
  Value isEqual = compare(CmpIPredicate::eq, score, threshold);
  Value isFirst = arith::AndIOp::create(
      builder, loc, isEqual, compare(CmpIPredicate::sgt, before[2], zero));
  Value isChosen = arith::AndIOp::create(
      builder, loc, compare(CmpIPredicate::ugt, score, impossible),
      arith::OrIOp::create(builder, loc, isAbove, isFirst));
  auto choice = scf::IfOp::create(builder, loc, list.getType(), isChosen,
                                  /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard inner(builder);
    builder.setInsertionPointToStart(choice.thenBlock());
    Value entry =
        arith::IndexCastOp::create(builder, loc, builder.getI32Type(), block);
    scf::YieldOp::create(
        builder, loc,
        tensor::InsertOp::create(builder, loc, entry, before[0], before[1])
            .getResult());
    builder.setInsertionPointToStart(choice.elseBlock());
    scf::YieldOp::create(builder, loc, before[0]);
  }
  Value filled = arith::SelectOp::create(
      builder, loc, isChosen, add(before[1], constant(1)), before[1]);
  Value left = arith::SelectOp::create(
      builder, loc, isEqual,
      arith::SubIOp::create(builder, loc, before[2], one), before[2]);
  scf::YieldOp::create(builder, loc,
                       ValueRange{choice.getResult(0), filled, left});
  return loop.getResult(0);
}

//===----------------------------------------------------------------------===//
// BlockMapInterface
//===----------------------------------------------------------------------===//

FailureOr<BlockDomain> SelectBlocksOp::getBlockDomain(OpBuilder &builder,
                                                      ScheduleAttr schedule) {
  StringRef form = schedule.getForm().getValue();
  ArrayRef<int64_t> tiles = schedule.getTiles();
  if (form != "row")
    return emitOpError("has a schedule of form '") << form << "', expected row";
  if (tiles.size() != 1 || tiles[0] < 1)
    return emitOpError("has schedule tiles [")
           << tiles << "], expected [blocks], a positive number";
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, getLoc(), getQuery());
  BlockDomain domain;
  domain.parallel = {sizes[0], builder.getIndexAttr(getListCount()), sizes[1]};
  return domain;
}

SmallVector<Value> SelectBlocksOp::buildDestinations(OpBuilder &builder) {
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, getLoc(), getQuery());
  sizes[2] = builder.getIndexAttr(getListCount());
  sizes[3] = builder.getIndexAttr(getCount());
  return {
      tensor::EmptyOp::create(builder, getLoc(), sizes, builder.getI32Type())};
}

SmallVector<TilePlace> SelectBlocksOp::getResultTiles(OpBuilder &builder,
                                                      ScheduleAttr,
                                                      ValueRange point) {
  TilePlace place;
  place.offsets = {point[0], point[2], point[1], builder.getIndexAttr(0)};
  place.sizes.assign(4, builder.getIndexAttr(1));
  place.sizes[3] = builder.getIndexAttr(getCount());
  return {place};
}

SmallVector<Value> SelectBlocksOp::buildInvariants(OpBuilder &builder,
                                                   ScheduleAttr schedule,
                                                   ValueRange point) {
  SelectTiler t(*this, builder, schedule);
  Value position = point[2];
  if (getOffset())
    position = t.add(buildReadIndex(builder, getLoc(), getOffset(), point[0]),
                     position);
  Value scored = t.divide(t.add(position, t.constant(1)), t.size);
  if (getPool() == SelectPool::Max)
    scored = t.add(t.divide(position, t.size), t.constant(1));
  SmallVector<Value> invariants{t.buildQueryTile(point), position, scored};
  if (getWeights())
    invariants.push_back(tensor::ExtractSliceOp::create(
        builder, getLoc(), RankedTensorType::get(t.heads, t.element),
        getWeights(),
        SmallVector<OpFoldResult>{point[0], point[2], t.mul(point[1], t.heads)},
        SmallVector<OpFoldResult>{builder.getIndexAttr(1),
                                  builder.getIndexAttr(1),
                                  builder.getIndexAttr(t.heads)},
        SmallVector<OpFoldResult>(3, builder.getIndexAttr(1))));
  if (getScore() == SelectScore::Softmax)
    llvm::append_range(invariants, t.buildStatistics(point, invariants));
  return invariants;
}

std::pair<Value, Value>
SelectBlocksOp::buildCarriedRange(OpBuilder &builder, ScheduleAttr schedule,
                                  ValueRange, ValueRange invariants) {
  SelectTiler t(*this, builder, schedule);
  return {t.constant(0),
          arith::CeilDivUIOp::create(builder, getLoc(), invariants[Scored],
                                     t.constant(t.chunk))};
}

SmallVector<Value> SelectBlocksOp::buildInit(OpBuilder &builder,
                                             ScheduleAttr schedule, ValueRange,
                                             ValueRange, ValueRange) {
  SelectTiler t(*this, builder, schedule);
  return {t.fill(t.least(),
                 t.empty({getAsOpFoldResult(t.getBlockCount())}, t.compute))};
}

SmallVector<Value>
SelectBlocksOp::buildStepOnBlock(OpBuilder &builder, ScheduleAttr schedule,
                                 ValueRange point, Value index,
                                 ValueRange invariants, ValueRange carry) {
  SelectTiler t(*this, builder, schedule);
  auto [first, count] = t.getChunk(index, invariants);
  SmallVector<Value> inputs{t.buildProducts(point, first, count, invariants)};
  AffineMap head = t.map(2, {0});
  // The sum over the heads runs along the outer axis.
  SmallVector<AffineMap> maps{t.map(2, {0, 1})};
  auto more = invariants.drop_front(Weight);
  llvm::append_range(inputs, more);
  maps.append(more.size(), head);
  maps.push_back(t.map(2, {1}));
  Value part = t.fill(t.number(0), t.slice(carry[0], first, count));
  Value sums =
      t.generic(inputs, part, maps,
                {IteratorType::reduction, IteratorType::parallel},
                [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
                  Location loc = getLoc();
                  Value score = in[0];
                  switch (getScore()) {
                  case SelectScore::Raw:
                    break;
                  case SelectScore::Relu: {
                    Value zero = buildFloat(b, loc, t.compute, 0);
                    score = arith::MaximumFOp::create(b, loc, score, zero);
                    break;
                  }
                  case SelectScore::Softmax: {
                    Value maximum = in[in.size() - 3], sum = in[in.size() - 2];
                    score = math::ExpOp::create(
                        b, loc, arith::SubFOp::create(b, loc, score, maximum));
                    score = arith::DivFOp::create(b, loc, score, sum);
                    break;
                  }
                  }
                  if (getWeights())
                    score = arith::MulFOp::create(
                        b, loc, score, convertFloat(b, loc, in[1], t.compute));
                  return {arith::AddFOp::create(b, loc, in.back(), score)};
                })
          .getResult(0);
  return {t.insert(sums, carry[0], first, count)};
}

SmallVector<Value>
SelectBlocksOp::buildFinish(OpBuilder &builder, ScheduleAttr schedule,
                            ValueRange point, ValueRange invariants,
                            ValueRange destinations, ValueRange carry) {
  SelectTiler t(*this, builder, schedule);
  // Blocks that begin at or before the query.
  Value count =
      t.min(t.add(t.divide(invariants[Position], t.size), t.constant(1)),
            t.getBlockCount());
  Value scores = t.buildAdjusted(carry[0], count, point, invariants);
  Value ordered = t.buildOrdered(scores, count);
  auto type = cast<RankedTensorType>(destinations[0].getType());
  SmallVector<ReassociationIndices> merged{{0, 1, 2, 3}};
  Value none = arith::ConstantIntOp::create(builder, getLoc(), -1, 32);
  Value list = tensor::CollapseShapeOp::create(builder, getLoc(),
                                               destinations[0], merged);
  list = t.collect(ordered, count, t.fill(none, list));
  return {tensor::ExpandShapeOp::create(builder, getLoc(), type, list, merged)};
}
