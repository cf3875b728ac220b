//===- LinearLayers.cpp - What recurrent layers are made of -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Frontend/LinearLayers.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace weir;

static RankedTensorType getTensor(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// The extent of the last axis, which is static in all sequence tensors.
static int64_t getFeatures(Value value) {
  return getTensor(value).getShape().back();
}

/// A tensor type with other extents.
static RankedTensorType withShape(Value value, ArrayRef<int64_t> shape) {
  return RankedTensorType::get(shape, getTensor(value).getElementType());
}

static Value constant(OpBuilder &builder, Location loc, Type type,
                      double value) {
  return arith::ConstantOp::create(builder, loc,
                                   builder.getFloatAttr(type, value));
}

//===----------------------------------------------------------------------===//
// Over time
//===----------------------------------------------------------------------===//

Value weir::recurrence(ModelBuilder &b, const RecurrenceInputs &in) {
  OpBuilder &builder = b.getBuilder();
  ArrayRef<int64_t> queryShape = getTensor(in.query).getShape();
  ArrayRef<int64_t> valueShape = getTensor(in.value).getShape();
  RankedTensorType resultType = withShape(
      in.value, {queryShape[0], queryShape[1],
                 valueShape[valueShape.size() - 2], valueShape.back()});
  auto op = RecurrenceOp::create(
      builder, b.getLoc(), resultType,
      RecurrenceOp::inferStateType(in.query, in.value), in.query, in.key,
      in.value, in.decay, in.beta, in.readKey, in.writeKey, in.bonus,
      /*init=*/Value(), /*lengths=*/Value(), builder.getF64FloatAttr(in.scale),
      RecurrenceReadAttr::get(&b.getContext(), in.reads),
      /*schedule=*/ScheduleAttr());
  return op.getResult();
}

Value weir::shortConv(ModelBuilder &b, Value input, Value weight, Value bias,
                      ConvActivation activation) {
  OpBuilder &builder = b.getBuilder();
  int64_t width = getTensor(weight).getDimSize(1);
  // A state needs an entry, even where the convolution looks at one token.
  int64_t lookback = std::max<int64_t>(width - 1, 1);
  RankedTensorType tailType = withShape(
      input, {getTensor(input).getDimSize(0), lookback, getFeatures(input)});
  auto op = CausalConvOp::create(
      builder, b.getLoc(), input.getType(), tailType, input, weight, bias,
      /*init=*/Value(), /*lengths=*/Value(),
      ConvActivationAttr::get(&b.getContext(), activation));
  return op.getResult();
}

Value weir::shortConv(ModelBuilder &b, Value input, StringRef key,
                      int64_t width, bool bias, ConvActivation activation) {
  int64_t features = getFeatures(input);
  Param weight = b.param((key + ".weight").str(), {features, 1, width});
  return shortConv(b, input, b.read(b.reshape(weight, {features, width})),
                   bias ? b.weight((key + ".bias").str(), {features}) : Value(),
                   activation);
}

Value weir::shift(ModelBuilder &b, Value input) {
  SmallVector<int64_t> shape(getTensor(input).getShape());
  shape.erase(shape.begin() + 1);
  auto op = ShiftOp::create(b.getBuilder(), b.getLoc(), input.getType(),
                            withShape(input, shape), input, /*init=*/Value(),
                            /*lengths=*/Value());
  return op.getResult();
}

//===----------------------------------------------------------------------===//
// Over features
//===----------------------------------------------------------------------===//

Value weir::rmsNorm(ModelBuilder &b, Value input, Value weight, double eps) {
  OpBuilder &builder = b.getBuilder();
  return RMSNormOp::create(builder, b.getLoc(), input.getType(), input, weight,
                           builder.getF64FloatAttr(eps),
                           builder.getF64FloatAttr(0.0));
}

Value weir::l2Norm(ModelBuilder &b, Value input, double eps) {
  // The mean is the sum over the number of features.
  double features = getFeatures(input);
  return b.scale(rmsNorm(b, input, Value(), eps / features),
                 1.0 / std::sqrt(features));
}

Value weir::groupNorm(ModelBuilder &b, Value input, Value weight, Value bias,
                      double eps) {
  OpBuilder &builder = b.getBuilder();
  Value normed =
      LayerNormOp::create(builder, b.getLoc(), input.getType(), input, Value(),
                          Value(), builder.getF64FloatAttr(eps));
  normed = b.mergeHeads(normed);
  if (weight)
    normed = b.mul(normed, weight);
  return bias ? b.add(normed, bias) : normed;
}

/// Reduces the last axis from `start` with `combine`.
static Value reduceFeatures(
    ModelBuilder &b, Value input, double start,
    function_ref<Value(OpBuilder &, Location, Value, Value)> combine) {
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  RankedTensorType type = getTensor(input);
  int64_t rank = type.getRank();
  SmallVector<OpFoldResult> extents =
      tensor::getMixedSizes(builder, loc, input);
  extents.pop_back();
  Value empty =
      tensor::EmptyOp::create(builder, loc, extents, type.getElementType());
  Value first = constant(builder, loc, type.getElementType(), start);
  Value init = linalg::FillOp::create(builder, loc, first, empty).getResult(0);
  AffineMap all = builder.getMultiDimIdentityMap(rank);
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  loops.back() = utils::IteratorType::reduction;
  auto generic = linalg::GenericOp::create(
      builder, loc, init.getType(), ValueRange(input), ValueRange(init),
      ArrayRef<AffineMap>{all, all.dropResult(rank - 1)}, loops,
      [&](OpBuilder &nested, Location at, ValueRange in) {
        linalg::YieldOp::create(nested, at, combine(nested, at, in[0], in[1]));
      });
  return generic.getResult(0);
}

/// Applies `element` to each element and the one of `others` at its axes of
/// `map`.
static Value mapPairs(ModelBuilder &b, Value input, Value others, AffineMap map,
                      ModelBuilder::ElementFn element) {
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  RankedTensorType type = getTensor(input);
  int64_t rank = type.getRank();
  AffineMap all = builder.getMultiDimIdentityMap(rank);
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, input),
      type.getElementType());
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, TypeRange(type), ValueRange{input, others},
      ValueRange(empty), ArrayRef<AffineMap>{all, map, all}, loops,
      [&](OpBuilder &nested, Location at, ValueRange in) {
        linalg::YieldOp::create(nested, at,
                                element(nested, at, in.drop_back()));
      });
  return generic.getResult(0);
}

/// The same with the entry of each row; `rows` lacks the last axis.
static Value mapRows(ModelBuilder &b, Value input, Value rows,
                     ModelBuilder::ElementFn element) {
  int64_t rank = getTensor(input).getRank();
  AffineMap all = b.getBuilder().getMultiDimIdentityMap(rank);
  return mapPairs(b, input, rows, all.dropResult(rank - 1), element);
}

Value weir::sumFeatures(ModelBuilder &b, Value input) {
  return reduceFeatures(
      b, input, 0.0,
      [](OpBuilder &builder, Location loc, Value x, Value sum) -> Value {
        return arith::AddFOp::create(builder, loc, sum, x);
      });
}

Value weir::softmaxFeatures(ModelBuilder &b, Value input) {
  Value largest = reduceFeatures(
      b, input, -std::numeric_limits<double>::infinity(),
      [](OpBuilder &builder, Location loc, Value x, Value most) -> Value {
        return arith::MaximumFOp::create(builder, loc, most, x);
      });
  Value shifted =
      mapRows(b, input, largest,
              [](OpBuilder &builder, Location loc, ValueRange in) -> Value {
                Value below = arith::SubFOp::create(builder, loc, in[0], in[1]);
                return math::ExpOp::create(builder, loc, below);
              });
  return divideRows(b, shifted, sumFeatures(b, shifted), 0.0);
}

/// The product of two numbers.
static Value buildProduct(OpBuilder &builder, Location loc, ValueRange in) {
  return arith::MulFOp::create(builder, loc, in[0], in[1]);
}

Value weir::scaleRows(ModelBuilder &b, Value input, Value factors) {
  return mapRows(b, input, factors, buildProduct);
}

Value weir::scaleHeads(ModelBuilder &b, Value input, Value factors) {
  AffineMap heads = AffineMap::get(4, 0, b.getBuilder().getAffineDimExpr(2));
  return mapPairs(b, input, factors, heads, buildProduct);
}

Value weir::divideRows(ModelBuilder &b, Value input, Value divisors,
                       double eps) {
  return mapRows(b, input, divisors,
                 [&](OpBuilder &builder, Location loc, ValueRange in) -> Value {
                   Value divisor = in[1];
                   if (eps != 0)
                     divisor = arith::AddFOp::create(
                         builder, loc, divisor,
                         constant(builder, loc, divisor.getType(), eps));
                   return arith::DivFOp::create(builder, loc, in[0], divisor);
                 });
}

Value weir::sliceFeatures(ModelBuilder &b, Value input, int64_t offset,
                          int64_t size) {
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  if (size == getFeatures(input))
    return input;
  RankedTensorType type = getTensor(input);
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = size;
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, input);
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  offsets.back() = builder.getIndexAttr(offset);
  sizes.back() = builder.getIndexAttr(size);
  return tensor::ExtractSliceOp::create(builder, loc, withShape(input, shape),
                                        input, offsets, sizes, strides);
}

Value weir::concatFeatures(ModelBuilder &b, ValueRange inputs) {
  if (inputs.size() == 1)
    return inputs.front();
  return tensor::ConcatOp::create(b.getBuilder(), b.getLoc(),
                                  getTensor(inputs.front()).getRank() - 1,
                                  inputs);
}

Value weir::rollFeatures(ModelBuilder &b, Value input, int64_t count) {
  int64_t features = getFeatures(input);
  int64_t head = features - count % features;
  if (head == features)
    return input;
  return concatFeatures(b, {sliceFeatures(b, input, head, features - head),
                            sliceFeatures(b, input, 0, head)});
}

Value weir::fillLike(ModelBuilder &b, Value input, int64_t features,
                     double value) {
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  Type element = getTensor(input).getElementType();
  SmallVector<OpFoldResult> extents =
      tensor::getMixedSizes(builder, loc, input);
  extents.back() = builder.getIndexAttr(features);
  Value empty = tensor::EmptyOp::create(builder, loc, extents, element);
  return linalg::FillOp::create(builder, loc,
                                constant(builder, loc, element, value), empty)
      .getResult(0);
}

Value weir::splitLast(ModelBuilder &b, Value input, int64_t inner) {
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  RankedTensorType type = getTensor(input);
  int64_t outer = getFeatures(input) / inner;
  SmallVector<OpFoldResult> extents =
      tensor::getMixedSizes(builder, loc, input);
  extents.back() = builder.getIndexAttr(outer);
  extents.push_back(builder.getIndexAttr(inner));
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = outer;
  shape.push_back(inner);
  SmallVector<ReassociationIndices> groups;
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    groups.push_back({axis});
  groups.back().push_back(type.getRank());
  return tensor::ExpandShapeOp::create(builder, loc, withShape(input, shape),
                                       input, groups, extents);
}

Value weir::repeatHeads(ModelBuilder &b, Value input, int64_t times) {
  if (times == 1)
    return input;
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  // [b, t, heads, ...] is read for each of [b, t, heads, times, ...], of which
  // the two axes of heads are joined.
  RankedTensorType type = getTensor(input);
  int64_t rank = type.getRank();
  SmallVector<OpFoldResult> extents =
      tensor::getMixedSizes(builder, loc, input);
  extents.insert(extents.begin() + 3, builder.getIndexAttr(times));
  Value empty =
      tensor::EmptyOp::create(builder, loc, extents, type.getElementType());
  AffineMap all = builder.getMultiDimIdentityMap(rank + 1);
  SmallVector<utils::IteratorType> loops(rank + 1,
                                         utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, empty.getType(), ValueRange(input), ValueRange(empty),
      ArrayRef<AffineMap>{all.dropResult(3), all}, loops,
      [](OpBuilder &nested, Location at, ValueRange in) {
        linalg::YieldOp::create(nested, at, in[0]);
      });
  SmallVector<ReassociationIndices> groups = {{0}, {1}, {2, 3}};
  for (int64_t axis = 3; axis < rank; ++axis)
    groups.push_back({axis + 1});
  return tensor::CollapseShapeOp::create(builder, loc, generic.getResult(0),
                                         groups);
}

//===----------------------------------------------------------------------===//
// Element by element
//===----------------------------------------------------------------------===//

/// log(1 + exp(x)) of one number, without overflow.
static Value buildSoftplus(OpBuilder &builder, Location loc, Value x) {
  Value zero = constant(builder, loc, x.getType(), 0.0);
  Value size = math::AbsFOp::create(builder, loc, x);
  Value small = math::ExpOp::create(builder, loc,
                                    arith::NegFOp::create(builder, loc, size));
  Value tail = math::Log1pOp::create(builder, loc, small);
  Value positive = arith::MaximumFOp::create(builder, loc, x, zero);
  return arith::AddFOp::create(builder, loc, positive, tail);
}

Value weir::sub(ModelBuilder &b, Value lhs, Value rhs) {
  return b.map({lhs, rhs},
               [](OpBuilder &builder, Location loc, ValueRange in) -> Value {
                 return arith::SubFOp::create(builder, loc, in[0], in[1]);
               });
}

Value weir::abs(ModelBuilder &b, Value input) {
  return b.map(input,
               [](OpBuilder &builder, Location loc, ValueRange in) -> Value {
                 return math::AbsFOp::create(builder, loc, in[0]);
               });
}

Value weir::exp(ModelBuilder &b, Value input) {
  return b.map(input,
               [](OpBuilder &builder, Location loc, ValueRange in) -> Value {
                 return math::ExpOp::create(builder, loc, in[0]);
               });
}

Value weir::sigmoid(ModelBuilder &b, Value input) {
  return b.activation(input, "sigmoid");
}

Value weir::softplus(ModelBuilder &b, Value input) {
  return b.map(input, [](OpBuilder &builder, Location loc, ValueRange in) {
    return buildSoftplus(builder, loc, in[0]);
  });
}

Value weir::logSigmoid(ModelBuilder &b, Value input) {
  return b.map(input,
               [](OpBuilder &builder, Location loc, ValueRange in) -> Value {
                 Value negative = arith::NegFOp::create(builder, loc, in[0]);
                 Value result = buildSoftplus(builder, loc, negative);
                 return arith::NegFOp::create(builder, loc, result);
               });
}

Value weir::eluPlusOne(ModelBuilder &b, Value input) {
  return b.map(
      input, [](OpBuilder &builder, Location loc, ValueRange in) -> Value {
        // exp(min(x, 0)) is 1 where x is positive.
        Value zero = constant(builder, loc, in[0].getType(), 0.0);
        Value low = arith::MinimumFOp::create(builder, loc, in[0], zero);
        Value high = arith::MaximumFOp::create(builder, loc, in[0], zero);
        Value bent = math::ExpOp::create(builder, loc, low);
        return arith::AddFOp::create(builder, loc, bent, high);
      });
}

Value weir::scaleAndShift(ModelBuilder &b, Value input, double factor,
                          double summand) {
  return b.map(
      input, [&](OpBuilder &builder, Location loc, ValueRange in) -> Value {
        Type type = in[0].getType();
        Value scaled = arith::MulFOp::create(
            builder, loc, in[0], constant(builder, loc, type, factor));
        return arith::AddFOp::create(builder, loc, scaled,
                                     constant(builder, loc, type, summand));
      });
}

Value weir::clampMin(ModelBuilder &b, Value input, double limit) {
  return b.map(input,
               [&](OpBuilder &builder, Location loc, ValueRange in) -> Value {
                 Value least = constant(builder, loc, in[0].getType(), limit);
                 return arith::MaximumFOp::create(builder, loc, in[0], least);
               });
}

Value weir::lerp(ModelBuilder &b, Value from, Value to, Value weight) {
  return b.map({from, to, weight},
               [](OpBuilder &builder, Location loc, ValueRange in) -> Value {
                 Value delta =
                     arith::SubFOp::create(builder, loc, in[1], in[0]);
                 Value part = arith::MulFOp::create(builder, loc, in[2], delta);
                 return arith::AddFOp::create(builder, loc, in[0], part);
               });
}

Value weir::rateDecay(ModelBuilder &b, Value input, Value logRate, Value bias) {
  SmallVector<Value> inputs = {input, logRate};
  if (bias)
    inputs.push_back(bias);
  return b.map(
      inputs, [&](OpBuilder &builder, Location loc, ValueRange in) -> Value {
        Value x =
            bias ? arith::AddFOp::create(builder, loc, in[0], in[2]).getResult()
                 : in[0];
        Value rate = math::ExpOp::create(builder, loc, in[1]);
        Value size = arith::MulFOp::create(builder, loc, rate,
                                           buildSoftplus(builder, loc, x));
        return arith::NegFOp::create(builder, loc, size);
      });
}

Value weir::channelDecay(ModelBuilder &b, Value input, Value logRate,
                         std::optional<double> bound) {
  Value rate = exp(b, logRate);
  if (bound)
    return b.scale(sigmoid(b, scaleHeads(b, input, rate)), *bound);
  return b.scale(scaleHeads(b, softplus(b, input), rate), -1.0);
}
