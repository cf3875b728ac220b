//===- NormReference.cpp - Plain definitions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

namespace {

/// The shape of a normalisation: statistics run over the last axis.
struct NormShape {
  NormShape(OpBuilder &builder, Location loc, Value input)
      : sizes(tensor::getMixedSizes(builder, loc, input)),
        lead(ArrayRef(sizes).drop_back()),
        full(builder.getMultiDimIdentityMap(sizes.size())),
        rows(full.dropResult(sizes.size() - 1)),
        features(getAxesMap(builder, sizes.size(), sizes.size() - 1)),
        count(cast<RankedTensorType>(input.getType()).getShape().back()) {}

  SmallVector<OpFoldResult> sizes;
  ArrayRef<OpFoldResult> lead;
  /// Maps of the input, of one number a row, and of one number a feature.
  AffineMap full, rows, features;
  int64_t count;
};

} // namespace

/// The mean over the last axis of what `body` makes of each element.
static Value buildMean(OpBuilder &builder, Location loc, const NormShape &shape,
                       FloatType type, ValueRange inputs,
                       ArrayRef<AffineMap> maps, BuildBody body) {
  Value zero = buildFloat(builder, loc, type, 0);
  Value sum = buildReduction(
      builder, loc, shape.lead, zero, shape.rows, inputs, maps,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        return arith::AddFOp::create(b, l, arguments.back(),
                                     body(b, l, arguments.drop_back()));
      });
  AffineMap identity = builder.getMultiDimIdentityMap(shape.lead.size());
  return buildElementwise(
      builder, loc, shape.lead, type, sum, identity,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        return arith::DivFOp::create(b, l, arguments[0],
                                     buildFloat(b, l, type, shape.count));
      });
}

/// `1 / sqrt(variance + eps)` of each row.
static Value buildInverseDeviation(OpBuilder &builder, Location loc,
                                   const NormShape &shape, FloatType type,
                                   Value variance, double eps) {
  AffineMap identity = builder.getMultiDimIdentityMap(shape.lead.size());
  return buildElementwise(
      builder, loc, shape.lead, type, variance, identity,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value sum = arith::AddFOp::create(b, l, arguments[0],
                                          buildFloat(b, l, type, eps));
        return arith::DivFOp::create(b, l, buildFloat(b, l, type, 1),
                                     math::SqrtOp::create(b, l, sum));
      });
}

FailureOr<SmallVector<Value>> RMSNormOp::buildReference(OpBuilder &builder) {
  if (!isFloatTensor(getInput()) ||
      (getWeight() && !isFloatTensor(getWeight())))
    return failure();
  Location loc = getLoc();
  Type element = cast<RankedTensorType>(getInput().getType()).getElementType();
  FloatType type = getAccumulatorType(element);
  NormShape shape(builder, loc, getInput());

  Value meanSquare =
      buildMean(builder, loc, shape, type, getInput(), shape.full,
                [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
                  Value x = convertFloat(b, l, arguments[0], type);
                  return arith::MulFOp::create(b, l, x, x);
                });
  Value inverse = buildInverseDeviation(builder, loc, shape, type, meanSquare,
                                        getEps().convertToDouble());

  SmallVector<Value> inputs{getInput(), inverse};
  SmallVector<AffineMap> maps{shape.full, shape.rows};
  if (getWeight()) {
    inputs.push_back(getWeight());
    maps.push_back(shape.features);
  }
  double offset = getOffset().convertToDouble();
  Value result = buildElementwise(
      builder, loc, shape.sizes, element, inputs, maps,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value x = convertFloat(b, l, arguments[0], type);
        Value y = arith::MulFOp::create(b, l, x, arguments[1]);
        if (arguments.size() > 2) {
          Value scale = convertFloat(b, l, arguments[2], type);
          if (offset != 0)
            scale = arith::AddFOp::create(b, l, scale,
                                          buildFloat(b, l, type, offset));
          y = arith::MulFOp::create(b, l, y, scale);
        }
        return convertFloat(b, l, y, element);
      });
  return SmallVector<Value>{result};
}

FailureOr<SmallVector<Value>> LayerNormOp::buildReference(OpBuilder &builder) {
  for (Value operand : getOperands())
    if (!isFloatTensor(operand))
      return failure();
  Location loc = getLoc();
  Type element = cast<RankedTensorType>(getInput().getType()).getElementType();
  FloatType type = getAccumulatorType(element);
  NormShape shape(builder, loc, getInput());

  Value mean =
      buildMean(builder, loc, shape, type, getInput(), shape.full,
                [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
                  return convertFloat(b, l, arguments[0], type);
                });
  Value variance = buildMean(
      builder, loc, shape, type, {getInput(), mean}, {shape.full, shape.rows},
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value x = convertFloat(b, l, arguments[0], type);
        Value centred = arith::SubFOp::create(b, l, x, arguments[1]);
        return arith::MulFOp::create(b, l, centred, centred);
      });
  Value inverse = buildInverseDeviation(builder, loc, shape, type, variance,
                                        getEps().convertToDouble());

  SmallVector<Value> inputs{getInput(), mean, inverse};
  SmallVector<AffineMap> maps{shape.full, shape.rows, shape.rows};
  for (Value part : {getWeight(), getBias()}) {
    if (!part)
      continue;
    inputs.push_back(part);
    maps.push_back(shape.features);
  }
  Value result = buildElementwise(
      builder, loc, shape.sizes, element, inputs, maps,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value x = convertFloat(b, l, arguments[0], type);
        Value y = arith::SubFOp::create(b, l, x, arguments[1]);
        y = arith::MulFOp::create(b, l, y, arguments[2]);
        if (getWeight())
          y = arith::MulFOp::create(b, l, y,
                                    convertFloat(b, l, arguments[3], type));
        if (getBias())
          y = arith::AddFOp::create(b, l, y,
                                    convertFloat(b, l, arguments.back(), type));
        return convertFloat(b, l, y, element);
      });
  return SmallVector<Value>{result};
}
