//===- SelectTiling.cpp - Choosing keys as a block map -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A point is a batch row, a list, and a tile of queries; all query vectors of
// the list's heads are taken together, heads outermost. Scores are computed
// chunk by chunk of blocks, as products of the tile with keys that are turned
// first, so that rows which lie far apart are read once for all of it; where
// the tile is less than a vector, keys are read where they are. The carry is
// the rows of scores, or, for a softmax, the products of each head, which
// become scores in the end, when their maxima and sums are known: exact numbers
// of blocks, and no score computed twice. The lists are made row by row of it,
// so that never more than a tile a thread is kept.
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
  QueryTile, ///< scaled queries of the list, [J * queries, D]
  Position,  ///< the first query's position
  Scored,    ///< blocks that have a score for the last query
  Weight,    ///< [J, queries], where there are weights
};

/// What the builders below share.
struct SelectTiler {
  SelectTiler(SelectBlocksOp op, OpBuilder &builder, ScheduleAttr schedule)
      : op(op), builder(builder), loc(op.getLoc()),
        queries(schedule.getTiles()[0]), chunk(schedule.getTiles()[1]),
        size(op.getBlockSize()), heads(op.getHeadsPerList()),
        rows(heads * queries),
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
  /// The first query of the tile at `point`, and how many it has.
  /// Later queries have more blocks: taken from both ends in turn, consecutive
  /// points of threads are equal work.
  std::pair<Value, Value> getQueries(ValueRange point) {
    Value time =
        builder.createOrFold<tensor::DimOp>(loc, op.getQuery(), TimeAxis);
    Value last =
        sub(arith::CeilDivUIOp::create(builder, loc, time, constant(queries)),
            constant(1));
    Value half = divide(point[2], 2);
    Value isEven = compare(CmpIPredicate::eq, mul(half, 2), point[2]);
    Value tile =
        arith::SelectOp::create(builder, loc, isEven, half, sub(last, half));
    Value first = mul(tile, queries);
    return {first, min(constant(queries), sub(time, first))};
  }
  /// Blocks that have a score for the query at `position`.
  Value countScored(Value position) {
    if (op.getPool() == SelectPool::Max)
      return add(divide(position, size), constant(1));
    return divide(add(position, constant(1)), size);
  }
  /// The most blocks that any query may choose from.
  Value getBlockCount() {
    Value keys =
        builder.createOrFold<tensor::DimOp>(loc, op.getKey(), TimeAxis);
    return arith::CeilDivUIOp::create(builder, loc, keys, constant(size));
  }
  /// The same in whole chunks.
  Value getPaddedCount() {
    return mul(arith::CeilDivUIOp::create(builder, loc, getBlockCount(),
                                          constant(chunk)),
               chunk);
  }
  /// Part of `source` at `offsets`, without the axes of which one entry is
  /// taken but those of `type`.
  Value take(Value source, RankedTensorType type,
             ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes) {
    SmallVector<OpFoldResult> ones(offsets.size(), builder.getIndexAttr(1));
    return tensor::ExtractSliceOp::create(builder, loc, type, source, offsets,
                                          sizes, ones);
  }
  Value put(Value part, Value into, ArrayRef<OpFoldResult> offsets,
            ArrayRef<OpFoldResult> sizes) {
    SmallVector<OpFoldResult> ones(offsets.size(), builder.getIndexAttr(1));
    return tensor::InsertSliceOp::create(builder, loc, part, into, offsets,
                                         sizes, ones);
  }
  /// The tile's part of `source`, which has a time axis at 1 and heads at 2,
  /// with heads outermost, times `scale`; what is behind the last query is
  /// zero.
  Value buildTile(Value source, ValueRange point, double scale);
  Value buildQueryTile(ValueRange point);
  /// Products of the tile with the blocks of a chunk from `first` on,
  /// [J, queries, chunk]; what is no block, or behind its query, is anything.
  Value buildProducts(ValueRange point, Value first, ValueRange invariants);
  /// Products with `width` rows of keys, of which there are `count`, `step`
  /// apart from `first` on, [J, queries, width].
  Value multiply(ValueRange point, Value first, Value count, int64_t width,
                 int64_t step, ValueRange invariants);
  /// The largest products with keys of a chunk's blocks, [J, queries, chunk].
  Value buildLargest(ValueRange point, Value first, ValueRange invariants);
  /// Query `query` of the tile's sums over the heads of their softmax over the
  /// `count` blocks it has scores of, into `row`, [count].
  Value buildSoftmaxSums(Value products, Value query, Value count, Value row,
                         ValueRange invariants);
  /// The first `count` scores of a query at `position`, which has `scored`,
  /// with those that nothing may choose at minus infinity.
  Value buildAdjusted(Value scores, Value count, Value scored, Value position,
                      ValueRange point);
  /// The same as integers that are ordered alike, as unsigned ones.
  Value buildOrdered(Value scores, Value count);
  /// The number of entries of `ordered` that satisfy `predicate` with `than`.
  Value countOf(Value ordered, CmpIPredicate predicate, Value than);
  /// The best of `ordered` in `list`, [n] of -1.
  Value collect(Value ordered, Value count, Value list);
  /// The list of query `query` of the tile in `list`, [n].
  Value buildList(ValueRange point, ValueRange invariants, Value carry,
                  Value query, Value list);

  SelectBlocksOp op;
  OpBuilder &builder;
  Location loc;
  int64_t queries, chunk, size, heads;
  /// Query vectors of a tile.
  int64_t rows;
  Type element;
  int64_t dim;
  FloatType compute;
};
} // namespace

Value SelectTiler::buildTile(Value source, ValueRange point, double scale) {
  auto type = cast<RankedTensorType>(source.getType());
  auto [first, count] = getQueries(point);
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  SmallVector<OpFoldResult> offsets{point[0], first, mul(point[1], heads)};
  SmallVector<OpFoldResult> sizes{one, count, builder.getIndexAttr(heads)};
  SmallVector<int64_t> shape{ShapedType::kDynamic, heads},
      whole{heads, queries};
  SmallVector<OpFoldResult> places(2, zero);
  SmallVector<OpFoldResult> extents{builder.getIndexAttr(heads), count};
  SmallVector<unsigned> axes{1, 0};
  if (type.getRank() == 4) {
    OpFoldResult features = builder.getIndexAttr(type.getDimSize(3));
    offsets.push_back(zero);
    sizes.push_back(features);
    shape.push_back(type.getDimSize(3));
    whole.push_back(type.getDimSize(3));
    places.push_back(zero);
    extents.push_back(features);
    axes.push_back(2);
  }
  unsigned rank = whole.size();
  Value from =
      take(source, RankedTensorType::get(shape, element), offsets, sizes);
  Value tile =
      fill(number(0), tensor::EmptyOp::create(builder, loc, whole, compute));
  shape = whole;
  shape[1] = ShapedType::kDynamic;
  Value part =
      take(tile, RankedTensorType::get(shape, compute), places, extents);
  Value factor = scale == 1 ? Value() : number(scale);
  part = generic(from, part,
                 {map(rank, axes), builder.getMultiDimIdentityMap(rank)},
                 SmallVector<IteratorType>(rank, IteratorType::parallel),
                 [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
                   Value wide = convertFloat(b, loc, in[0], compute);
                   if (factor)
                     wide = arith::MulFOp::create(b, loc, wide, factor);
                   return {wide};
                 })
             .getResult(0);
  return put(part, tile, places, extents);
}

Value SelectTiler::buildQueryTile(ValueRange point) {
  SmallVector<ReassociationIndices> merged{{0, 1}, {2}};
  return tensor::CollapseShapeOp::create(
      builder, loc,
      buildTile(op.getQuery(), point, op.getScale().convertToDouble()), merged);
}

/// Query vectors that keys are turned for.
static constexpr int64_t LeastRows = 8;

Value SelectTiler::multiply(ValueRange point, Value first, Value count,
                            int64_t width, int64_t step,
                            ValueRange invariants) {
  int64_t keyHeads =
      cast<RankedTensorType>(op.getKey().getType()).getDimSize(2);
  OpFoldResult zero = builder.getIndexAttr(0);
  SmallVector<OpFoldResult> offsets{
      point[0], first, divide(point[1], op.getListCount() / keyHeads), zero};
  SmallVector<OpFoldResult> sizes(4, builder.getIndexAttr(1)), strides(sizes);
  sizes[1] = count;
  sizes[3] = builder.getIndexAttr(dim);
  strides[1] = builder.getIndexAttr(step);
  Value keys = tensor::ExtractSliceOp::create(
      builder, loc, RankedTensorType::get({ShapedType::kDynamic, dim}, element),
      op.getKey(), offsets, sizes, strides);
  SmallVector<OpFoldResult> zeros(2, zero);
  Value products = tensor::EmptyOp::create(
      builder, loc, ArrayRef<int64_t>{rows, width}, compute);
  auto contract = [&](Value keys, ArrayRef<unsigned> axes, Value into) {
    return generic({invariants[QueryTile], keys}, fill(number(0), into),
                   {map(3, {0, 2}), map(3, axes), map(3, {0, 1})},
                   {IteratorType::parallel, IteratorType::parallel,
                    IteratorType::reduction},
                   [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
                     Value product = arith::MulFOp::create(
                         b, loc, in[0], convertFloat(b, loc, in[1], compute));
                     return {arith::AddFOp::create(b, loc, in[2], product)};
                   })
        .getResult(0);
  };
  if (rows >= LeastRows) {
    Value turned = fill(
        number(0), tensor::EmptyOp::create(
                       builder, loc, ArrayRef<int64_t>{dim, width}, compute));
    SmallVector<OpFoldResult> extents{builder.getIndexAttr(dim), count};
    Value part = take(
        turned, RankedTensorType::get({dim, ShapedType::kDynamic}, compute),
        zeros, extents);
    part = generic(keys, part, {map(2, {1, 0}), map(2, {0, 1})},
                   SmallVector<IteratorType>(2, IteratorType::parallel),
                   [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
                     return {convertFloat(b, loc, in[0], compute)};
                   })
               .getResult(0);
    products = contract(put(part, turned, zeros, extents), {2, 1}, products);
  } else {
    SmallVector<OpFoldResult> extents{builder.getIndexAttr(rows), count};
    Value part = take(
        products, RankedTensorType::get({rows, ShapedType::kDynamic}, compute),
        zeros, extents);
    products = put(contract(keys, {1, 2}, part), products, zeros, extents);
  }
  SmallVector<ReassociationIndices> split{{0, 1}, {2}};
  return tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get({heads, queries, width}, compute),
      products, split);
}

Value SelectTiler::buildProducts(ValueRange point, Value first,
                                 ValueRange invariants) {
  if (op.getPool() == SelectPool::Max)
    return buildLargest(point, first, invariants);
  // The last position of each block.
  Value count = min(constant(chunk), sub(invariants[Scored], first));
  return multiply(point, add(mul(first, size), constant(size - 1)), count,
                  chunk, size, invariants);
}

Value SelectTiler::buildLargest(ValueRange point, Value first,
                                ValueRange invariants) {
  Value begin = mul(first, size);
  Value end = add(invariants[Position], getQueries(point).second);
  Value keys = min(constant(chunk * size), sub(end, begin));
  Value products =
      multiply(point, begin, keys, chunk * size, /*step=*/1, invariants);
  SmallVector<ReassociationIndices> split{{0}, {1}, {2, 3}};
  products = tensor::ExpandShapeOp::create(
      builder, loc,
      RankedTensorType::get({heads, queries, chunk, size}, compute), products,
      split);
  Value largest =
      fill(least(), tensor::EmptyOp::create(
                        builder, loc, ArrayRef<int64_t>{heads, queries, chunk},
                        compute));
  Value none = least();
  return generic(products, largest, {map(4, {0, 1, 2, 3}), map(4, {0, 1, 2})},
                 {IteratorType::parallel, IteratorType::parallel,
                  IteratorType::parallel, IteratorType::reduction},
                 [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
                   auto index = [&](unsigned axis) -> Value {
                     return linalg::IndexOp::create(b, loc, axis);
                   };
                   Value place = arith::AddIOp::create(
                       b, loc,
                       arith::MulIOp::create(b, loc, index(2),
                                             buildIndex(b, loc, size)),
                       index(3));
                   Value key = arith::AddIOp::create(b, loc, begin, place);
                   Value position = arith::AddIOp::create(
                       b, loc, invariants[Position], index(1));
                   Value isReached = arith::CmpIOp::create(
                       b, loc, CmpIPredicate::sle, key, position);
                   Value product =
                       arith::SelectOp::create(b, loc, isReached, in[0], none);
                   return {arith::MaximumFOp::create(b, loc, in[1], product)};
                 })
      .getResult(0);
}

Value SelectTiler::buildSoftmaxSums(Value products, Value query, Value count,
                                    Value row, ValueRange invariants) {
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  OpFoldResult all = builder.getIndexAttr(heads);
  Value each = tensor::EmptyOp::create(builder, loc, heads, compute);
  Value lowest = arith::ConstantOp::create(
      builder, loc,
      FloatAttr::get(compute, APFloat::getLargest(compute.getFloatSemantics(),
                                                  /*Negative=*/true)));
  Value part = take(
      products, RankedTensorType::get({heads, ShapedType::kDynamic}, compute),
      {zero, query, zero}, {all, one, count});
  AffineMap both = map(2, {0, 1}), head = map(2, {0});
  SmallVector<IteratorType> along{IteratorType::parallel,
                                  IteratorType::reduction};
  Value maximum =
      generic(part, fill(lowest, each), {both, head}, along,
              [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
                return {arith::MaximumFOp::create(b, loc, in[1], in[0])};
              })
          .getResult(0);
  Value buffer = empty({all, getAsOpFoldResult(getBlockCount())}, compute);
  Value place = take(
      buffer, RankedTensorType::get({heads, ShapedType::kDynamic}, compute),
      {zero, zero}, {all, count});
  auto powers = generic(
      {part, maximum}, {place, fill(number(0), each)}, {both, head, both, head},
      along, [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
        Value power = math::ExpOp::create(
            b, loc, arith::SubFOp::create(b, loc, in[0], in[1]));
        return {power, arith::AddFOp::create(b, loc, in[3], power,
                                             arith::FastMathFlags::reassoc)};
      });
  AffineMap alone = map(1, {0});
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  if (op.getWeights()) {
    inputs.push_back(take(invariants[Weight],
                          RankedTensorType::get(heads, compute), {zero, query},
                          {all, one}));
    maps.push_back(alone);
  }
  maps.push_back(alone);
  Value factors =
      generic(inputs, powers.getResult(1), maps, {IteratorType::parallel},
              [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
                Value weight =
                    in.size() == 2 ? in[0] : buildFloat(b, loc, compute, 1);
                return {arith::DivFOp::create(b, loc, weight, in.back())};
              })
          .getResult(0);
  return generic(
             {powers.getResult(0), factors}, fill(number(0), row),
             {both, head, map(2, {1})},
             {IteratorType::reduction, IteratorType::parallel},
             [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
               return {arith::AddFOp::create(
                   b, loc, in[2], arith::MulFOp::create(b, loc, in[0], in[1]))};
             })
      .getResult(0);
}

Value SelectTiler::buildAdjusted(Value scores, Value count, Value scored,
                                 Value position, ValueRange point) {
  Value buffer = empty({getAsOpFoldResult(getBlockCount())}, compute);
  return generic(
             scores, slice(buffer, builder.getIndexAttr(0), count),
             {map(1, {0}), map(1, {0})}, {IteratorType::parallel},
             [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
               Value block = linalg::IndexOp::create(b, loc, 0);
               Value none = buildFloat(
                   b, loc, compute, -std::numeric_limits<double>::infinity());
               auto choose = [&](Value condition, Value score) -> Value {
                 return arith::SelectOp::create(b, loc, condition, score, none);
               };
               Value score =
                   choose(arith::CmpIOp::create(b, loc, CmpIPredicate::slt,
                                                block, scored),
                          in[0]);
               if (!op.getAdjust().empty())
                 score =
                     inlineRegion(b, op.getAdjust(),
                                  {score, point[0], point[1], position, block})
                         .front();
               // select_blocks_c7
               Value isNumber = arith::CmpFOp::create(
                   b, loc, arith::CmpFPredicate::ORD, score, score);
               return {choose(isNumber, score)};
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

Value SelectTiler::buildList(ValueRange point, ValueRange invariants,
                             Value carry, Value query, Value list) {
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  Value position = add(invariants[Position], query);
  Value scored = countScored(position);
  // Blocks that begin at or before the query.
  Value count = min(add(divide(position, size), constant(1)), getBlockCount());
  Value scores;
  if (op.getScore() == SelectScore::Softmax) {
    Value row = empty({getAsOpFoldResult(getBlockCount())}, compute);
    Value sums = buildSoftmaxSums(carry, query, scored,
                                  slice(row, zero, scored), invariants);
    scores = slice(insert(sums, row, zero, scored), zero, count);
  } else {
    scores = take(carry, RankedTensorType::get(ShapedType::kDynamic, compute),
                  {query, zero}, {one, count});
  }
  scores = buildAdjusted(scores, count, scored, position, point);
  Value none = arith::ConstantIntOp::create(builder, loc, -1, 32);
  return collect(buildOrdered(scores, count), count, fill(none, list));
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
  if (tiles.size() != 2 ||
      llvm::any_of(tiles, [](int64_t tile) { return tile < 1; }))
    return emitOpError("has schedule tiles [")
           << tiles << "], expected [queries, blocks] of positive numbers";
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, getLoc(), getQuery());
  SelectTiler t(*this, builder, schedule);
  Value time = getValueOrCreateConstantIndexOp(builder, getLoc(), sizes[1]);
  Value count = arith::CeilDivUIOp::create(builder, getLoc(), time,
                                           t.constant(t.queries));
  BlockDomain domain;
  domain.parallel = {sizes[0], builder.getIndexAttr(getListCount()), count};
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
                                                      ScheduleAttr schedule,
                                                      ValueRange point) {
  SelectTiler t(*this, builder, schedule);
  auto [first, count] = t.getQueries(point);
  TilePlace place;
  place.offsets = {point[0], first, point[1], builder.getIndexAttr(0)};
  place.sizes = {builder.getIndexAttr(1), count, builder.getIndexAttr(1),
                 builder.getIndexAttr(getCount())};
  return {place};
}

SmallVector<Value> SelectBlocksOp::buildInvariants(OpBuilder &builder,
                                                   ScheduleAttr schedule,
                                                   ValueRange point) {
  SelectTiler t(*this, builder, schedule);
  auto [position, count] = t.getQueries(point);
  if (getOffset())
    position = t.add(buildReadIndex(builder, getLoc(), getOffset(), point[0]),
                     position);
  Value last = t.sub(t.add(position, count), t.constant(1));
  SmallVector<Value> invariants{t.buildQueryTile(point), position,
                                t.countScored(last)};
  if (getWeights())
    invariants.push_back(t.buildTile(getWeights(), point, /*scale=*/1));
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
  SmallVector<OpFoldResult> sizes{builder.getIndexAttr(t.queries),
                                  getAsOpFoldResult(t.getPaddedCount())};
  if (getScore() == SelectScore::Softmax)
    sizes.insert(sizes.begin(), builder.getIndexAttr(t.heads));
  return {t.empty(sizes, t.compute)};
}

SmallVector<Value>
SelectBlocksOp::buildStepOnBlock(OpBuilder &builder, ScheduleAttr schedule,
                                 ValueRange point, Value index,
                                 ValueRange invariants, ValueRange carry) {
  SelectTiler t(*this, builder, schedule);
  Value first = t.mul(index, t.chunk);
  Value products = t.buildProducts(point, first, invariants);
  OpFoldResult zero = builder.getIndexAttr(0);
  SmallVector<OpFoldResult> offsets{zero, first};
  SmallVector<OpFoldResult> sizes{builder.getIndexAttr(t.queries),
                                  builder.getIndexAttr(t.chunk)};
  if (getScore() == SelectScore::Softmax) {
    offsets.insert(offsets.begin(), zero);
    sizes.insert(sizes.begin(), builder.getIndexAttr(t.heads));
    return {t.put(products, carry[0], offsets, sizes)};
  }
  SmallVector<Value> inputs{products};
  SmallVector<AffineMap> maps{t.map(3, {1, 0, 2})};
  if (getWeights()) {
    inputs.push_back(invariants[Weight]);
    maps.push_back(t.map(3, {1, 0}));
  }
  maps.push_back(t.map(3, {0, 2}));
  Value part =
      t.take(carry[0], RankedTensorType::get({t.queries, t.chunk}, t.compute),
             offsets, sizes);
  // The sum over the heads runs along an outer axis.
  Value sums =
      t.generic(inputs, t.fill(t.number(0), part), maps,
                {IteratorType::parallel, IteratorType::reduction,
                 IteratorType::parallel},
                [&](OpBuilder &b, ValueRange in) -> SmallVector<Value> {
                  Location loc = getLoc();
                  Value score = in[0];
                  if (getScore() == SelectScore::Relu) {
                    Value zero = buildFloat(b, loc, t.compute, 0);
                    score = arith::MaximumFOp::create(b, loc, score, zero);
                  }
                  if (getWeights())
                    score = arith::MulFOp::create(b, loc, score, in[1]);
                  return {arith::AddFOp::create(b, loc, in.back(), score)};
                })
          .getResult(0);
  return {t.put(sums, carry[0], offsets, sizes)};
}

SmallVector<Value>
SelectBlocksOp::buildFinish(OpBuilder &builder, ScheduleAttr schedule,
                            ValueRange point, ValueRange invariants,
                            ValueRange destinations, ValueRange carry) {
  SelectTiler t(*this, builder, schedule);
  Location loc = getLoc();
  Value count = t.getQueries(point).second;
  auto loop = scf::ForOp::create(
      builder, loc, t.constant(0), count, t.constant(1), destinations[0],
      [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(loop.getBody());
  Value query = loop.getInductionVar(), before = loop.getRegionIterArgs()[0];
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  SmallVector<OpFoldResult> offsets{zero, query, zero, zero};
  SmallVector<OpFoldResult> sizes{one, one, one,
                                  builder.getIndexAttr(getCount())};
  Value list =
      t.take(before, RankedTensorType::get(getCount(), builder.getI32Type()),
             offsets, sizes);
  list = t.buildList(point, invariants, carry[0], query, list);
  scf::YieldOp::create(builder, loc, t.put(list, before, offsets, sizes));
  return SmallVector<Value>(loop.getResults());
}
