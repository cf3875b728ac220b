//===- PositionReference.cpp - Plain definitions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

FailureOr<SmallVector<Value>> PositionsOp::buildReference(OpBuilder &builder) {
  Location loc = getLoc();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, getLike());
  sizes.resize(2);
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  if (getOffset()) {
    inputs.push_back(getOffset());
    maps.push_back(getAxesMap(builder, 2, BatchAxis));
  }
  Type i32 = builder.getI32Type();
  Value result = buildElementwise(
      builder, loc, sizes, i32, inputs, maps,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value t = arith::IndexCastOp::create(
            b, l, i32, linalg::IndexOp::create(b, l, TimeAxis));
        if (arguments.empty())
          return t;
        return arith::AddIOp::create(b, l, arguments[0], t);
      });
  return SmallVector<Value>{result};
}

FailureOr<SmallVector<Value>> LongestOp::buildReference(OpBuilder &builder) {
  Location loc = getLoc();
  auto type = cast<RankedTensorType>(getResult().getType());
  Value none = arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(type, Attribute(builder.getI32IntegerAttr(0))));
  AffineMap row = builder.getMultiDimIdentityMap(1);
  auto longest = linalg::GenericOp::create(
      builder, loc, type, getLengths(), none,
      ArrayRef<AffineMap>{row, AffineMap::get(1, 0, builder.getContext())},
      utils::IteratorType::reduction,
      [&](OpBuilder &b, Location l, ValueRange in) {
        Value greater = arith::MaxSIOp::create(b, l, in[0], in[1]);
        linalg::YieldOp::create(b, l, greater);
      });
  return SmallVector<Value>(longest.getResults());
}

FailureOr<SmallVector<Value>>
RopeFrequenciesOp::buildReference(OpBuilder &builder) {
  std::string error;
  auto frequencies = computeRopeFrequencies(getBase().convertToDouble(),
                                            getDims(), getScalingAttr(), error);
  if (!frequencies)
    return failure();
  auto type = cast<RankedTensorType>(getResult().getType());
  SmallVector<Attribute> values;
  for (double frequency : *frequencies)
    values.push_back(builder.getFloatAttr(type.getElementType(), frequency));
  return SmallVector<Value>{arith::ConstantOp::create(
      builder, getLoc(), DenseElementsAttr::get(type, values))};
}

namespace {

/// Where feature `feature` of a head stands in its rotation.
struct RotaryPlace {
  Value pair;     ///< the number of its pair
  Value partner;  ///< the other feature of the pair
  Value isSecond; ///< i1: it is the second of the two
};

} // namespace

/// Finds `feature` of heads with `dim` features of which `pairs` pairs rotate.
/// Features that do not rotate get some place within bounds.
static RotaryPlace buildPlace(OpBuilder &builder, Location loc,
                              RotaryLayout layout, Value feature, int64_t dim,
                              int64_t pairs) {
  // Features of a pair are `distance` apart.
  Value distance, pair, isSecond;
  Value count = buildIndex(builder, loc, pairs);
  if (layout == RotaryLayout::Half) {
    distance = count;
    pair = arith::RemUIOp::create(builder, loc, feature, count);
    isSecond = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::uge,
                                     feature, count);
  } else {
    Value two = buildIndex(builder, loc, 2);
    distance = buildIndex(builder, loc, 1);
    pair = arith::MinUIOp::create(
        builder, loc, arith::DivUIOp::create(builder, loc, feature, two),
        buildIndex(builder, loc, pairs - 1));
    isSecond = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::eq,
        arith::RemUIOp::create(builder, loc, feature, two), distance);
  }
  Value partner = arith::SelectOp::create(
      builder, loc, isSecond,
      arith::SubIOp::create(builder, loc, feature, distance),
      arith::AddIOp::create(builder, loc, feature, distance));
  partner = arith::MinUIOp::create(builder, loc, partner,
                                   buildIndex(builder, loc, dim - 1));
  return {pair, partner, isSecond};
}

/// Cosine or sine of the angle of each position and pair,
/// `[batch, time, pairs]`.
static Value buildTable(OpBuilder &builder, RotaryOp op, bool sine) {
  Location loc = op.getLoc();
  Type element =
      cast<RankedTensorType>(op.getInput().getType()).getElementType();
  FloatType type = getAccumulatorType(element);
  double scale = op.getScale().convertToDouble();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, op.getInput());
  sizes.resize(2);
  sizes.push_back(tensor::getMixedSize(builder, loc, op.getFrequencies(), 0));
  return buildElementwise(
      builder, loc, sizes, type, {op.getPositions(), op.getFrequencies()},
      {getAxesMap(builder, 3, {BatchAxis, TimeAxis}),
       getAxesMap(builder, 3, 2)},
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value position = arith::SIToFPOp::create(b, l, type, arguments[0]);
        Value frequency = convertFloat(b, l, arguments[1], type);
        Value angle = arith::MulFOp::create(b, l, position, frequency);
        Value turned = sine ? math::SinOp::create(b, l, angle).getResult()
                            : math::CosOp::create(b, l, angle).getResult();
        if (scale == 1)
          return turned;
        return arith::MulFOp::create(b, l, turned,
                                     buildFloat(b, l, type, scale));
      });
}

FailureOr<SmallVector<Value>> RotaryOp::buildReference(OpBuilder &builder) {
  auto inputType = cast<RankedTensorType>(getInput().getType());
  if (!isFloatTensor(getInput()) || !isFloatTensor(getFrequencies()) ||
      inputType.isDynamicDim(3))
    return failure();
  int64_t dim = inputType.getDimSize(3);
  int64_t pairs =
      cast<RankedTensorType>(getFrequencies().getType()).getDimSize(0);
  if (pairs == 0)
    return SmallVector<Value>{getInput()};
  Location loc = getLoc();
  Type element = inputType.getElementType();
  FloatType type = getAccumulatorType(element);
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, getInput());

  // Cosine and sine are the same for all heads.
  Value cosines = buildTable(builder, *this, /*sine=*/false);
  Value sines = buildTable(builder, *this, /*sine=*/true);

  Value result = buildElementwise(
      builder, loc, sizes, element, getInput(),
      builder.getMultiDimIdentityMap(4),
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value batch = linalg::IndexOp::create(b, l, 0);
        Value time = linalg::IndexOp::create(b, l, 1);
        Value head = linalg::IndexOp::create(b, l, 2);
        Value feature = linalg::IndexOp::create(b, l, 3);
        RotaryPlace place = buildPlace(b, l, getLayout(), feature, dim, pairs);
        Value cosine = tensor::ExtractOp::create(
            b, l, cosines, ValueRange{batch, time, place.pair});
        Value sine = tensor::ExtractOp::create(
            b, l, sines, ValueRange{batch, time, place.pair});
        Value other = tensor::ExtractOp::create(
            b, l, getInput(), ValueRange{batch, time, head, place.partner});
        // (x, y) becomes (x cos - y sin, y cos + x sin).
        Value own = convertFloat(b, l, arguments[0], type);
        other = convertFloat(b, l, other, type);
        Value plain = arith::MulFOp::create(b, l, own, cosine);
        Value crossed = arith::MulFOp::create(b, l, other, sine);
        Value rotated = arith::SelectOp::create(
            b, l, place.isSecond, arith::AddFOp::create(b, l, plain, crossed),
            arith::SubFOp::create(b, l, plain, crossed));
        rotated = convertFloat(b, l, rotated, element);
        if (2 * pairs == dim)
          return rotated;
        Value rotates =
            arith::CmpIOp::create(b, l, arith::CmpIPredicate::ult, feature,
                                  buildIndex(b, l, 2 * pairs));
        return arith::SelectOp::create(b, l, rotates, rotated, arguments[0]);
      });
  return SmallVector<Value>{result};
}

FailureOr<SmallVector<Value>> RotaryOp::buildLowering(OpBuilder &builder) {
  auto inputType = cast<RankedTensorType>(getInput().getType());
  if (!isFloatTensor(getInput()) || !isFloatTensor(getFrequencies()) ||
      inputType.isDynamicDim(3))
    return failure();
  int64_t dim = inputType.getDimSize(3);
  int64_t pairs =
      cast<RankedTensorType>(getFrequencies().getType()).getDimSize(0);
  if (pairs == 0)
    return SmallVector<Value>{getInput()};
  Location loc = getLoc();
  Type element = inputType.getElementType();
  FloatType type = getAccumulatorType(element);
  Value cosines = buildTable(builder, *this, /*sine=*/false);
  Value sines = buildTable(builder, *this, /*sine=*/true);

  bool half = getLayout() == RotaryLayout::Half;
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, getInput());
  SmallVector<OpFoldResult> pairSizes(sizes);
  pairSizes.back() = builder.getIndexAttr(pairs);
  SmallVector<OpFoldResult> strides(4, builder.getIndexAttr(1));
  strides.back() = builder.getIndexAttr(half ? 1 : 2);
  auto getOffsets = [&](int64_t last) {
    SmallVector<OpFoldResult> offsets(4, builder.getIndexAttr(0));
    offsets.back() = builder.getIndexAttr(last);
    return offsets;
  };
  int64_t second = half ? pairs : 1;
  Value parts[2], places[2];
  Value result = tensor::EmptyOp::create(builder, loc, sizes, element);
  for (int64_t i : {0, 1}) {
    parts[i] = tensor::ExtractSliceOp::create(
        builder, loc, getInput(), getOffsets(i * second), pairSizes, strides);
    places[i] = tensor::ExtractSliceOp::create(
        builder, loc, result, getOffsets(i * second), pairSizes, strides);
  }
  AffineMap identity = builder.getMultiDimIdentityMap(4);
  AffineMap table = getAxesMap(builder, 4, {BatchAxis, TimeAxis, 3});
  auto rotated = linalg::GenericOp::create(
      builder, loc, TypeRange{places[0].getType(), places[1].getType()},
      ValueRange{parts[0], parts[1], cosines, sines},
      ValueRange{places[0], places[1]},
      ArrayRef<AffineMap>{identity, identity, table, table, identity, identity},
      SmallVector<utils::IteratorType>(4, utils::IteratorType::parallel),
      [&](OpBuilder &b, Location l, ValueRange in) {
        auto multiply = [&](Value x, Value y) -> Value {
          return arith::MulFOp::create(b, l, x, y);
        };
        // (x, y) becomes (x cos - y sin, y cos + x sin).
        Value x = convertFloat(b, l, in[0], type);
        Value y = convertFloat(b, l, in[1], type);
        Value first =
            arith::SubFOp::create(b, l, multiply(x, in[2]), multiply(y, in[3]));
        Value last =
            arith::AddFOp::create(b, l, multiply(y, in[2]), multiply(x, in[3]));
        linalg::YieldOp::create(b, l,
                                ValueRange{convertFloat(b, l, first, element),
                                           convertFloat(b, l, last, element)});
      });
  for (int64_t i : {0, 1})
    result = tensor::InsertSliceOp::create(builder, loc, rotated.getResult(i),
                                           result, getOffsets(i * second),
                                           pairSizes, strides);
  if (int64_t rest = dim - 2 * pairs) {
    SmallVector<OpFoldResult> restSizes(sizes);
    restSizes.back() = builder.getIndexAttr(rest);
    strides.back() = builder.getIndexAttr(1);
    Value kept = tensor::ExtractSliceOp::create(
        builder, loc, getInput(), getOffsets(2 * pairs), restSizes, strides);
    result = tensor::InsertSliceOp::create(
        builder, loc, kept, result, getOffsets(2 * pairs), restSizes, strides);
  }
  return SmallVector<Value>{result};
}
