//===- ConvReference.cpp - Plain definitions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

/// The indices of the `linalg.generic` under construction.
static SmallVector<Value> buildIndices(OpBuilder &builder, Location loc,
                                       unsigned loops) {
  SmallVector<Value> indices;
  for (unsigned loop = 0; loop < loops; ++loop)
    indices.push_back(linalg::IndexOp::create(builder, loc, loop));
  return indices;
}

/// The input at `place`, `[b, t, ...]`, or where t is negative what `readPast`
/// finds.
static Value
buildReadInput(OpBuilder &builder, Location loc, Value input,
               ArrayRef<Value> place,
               function_ref<Value(OpBuilder &, Location)> readPast) {
  Value isNew =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge,
                            place[TimeAxis], buildIndex(builder, loc, 0));
  // A branch, since there may be no token to read at all.
  return scf::IfOp::create(
             builder, loc, isNew,
             [&](OpBuilder &b, Location l) {
               Value element = tensor::ExtractOp::create(b, l, input, place);
               scf::YieldOp::create(b, l, element);
             },
             [&](OpBuilder &b, Location l) {
               scf::YieldOp::create(b, l, readPast(b, l));
             })
      .getResult(0);
}

/// The tokens of row `row`: its length, or all of `input`.
static Value buildTokenCount(OpBuilder &builder, Location loc, Value input,
                             Value lengths, Value row) {
  if (lengths)
    return buildReadIndex(builder, loc, lengths, row);
  return tensor::DimOp::create(builder, loc, input, TimeAxis);
}

/// The input of `op` at `place`, negative t meaning what lies in `init`.
static Value buildReadInput(OpBuilder &builder, Location loc, CausalConvOp op,
                            ArrayRef<Value> place) {
  return buildReadInput(
      builder, loc, op.getInput(), place,
      [&](OpBuilder &b, Location l) -> Value {
        if (!op.getInit())
          return buildFloat(b, l, getElementTypeOrSelf(op.getInput()), 0);
        SmallVector<Value> past(place);
        past[TimeAxis] = arith::AddIOp::create(
            b, l, place[TimeAxis], buildIndex(b, l, op.getTailLength()));
        return tensor::ExtractOp::create(b, l, op.getInit(), past);
      });
}

Value CausalConvOp::buildActivation(OpBuilder &builder, Location loc,
                                    Value sum) {
  if (getActivation() == ConvActivation::None)
    return sum;
  Type type = sum.getType();
  Value negated = arith::NegFOp::create(builder, loc, sum);
  Value power = math::ExpOp::create(builder, loc, negated);
  Value one = buildFloat(builder, loc, type, 1);
  Value divisor = arith::AddFOp::create(builder, loc, one, power);
  return arith::DivFOp::create(builder, loc, sum, divisor);
}

FailureOr<SmallVector<Value>> CausalConvOp::buildReference(OpBuilder &builder) {
  Location loc = getLoc();
  Type element = getElementTypeOrSelf(getInput());
  // causal_conv_c4
  FloatType type = getAccumulatorType(element);
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, getInput());
  Value sums = buildReduction(
      builder, loc, sizes, buildFloat(builder, loc, type, 0),
      getAxesMap(builder, 4, {0, 1, 2}), getWeight(),
      getAxesMap(builder, 4, {2, 3}),
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        SmallVector<Value> place = buildIndices(b, l, 4);
        Value tap = place.pop_back_val();
        Value end = arith::AddIOp::create(b, l, place[TimeAxis], tap);
        place[TimeAxis] =
            arith::SubIOp::create(b, l, end, buildIndex(b, l, getWidth() - 1));
        Value read = buildReadInput(b, l, *this, place);
        Value product =
            arith::MulFOp::create(b, l, convertFloat(b, l, in[0], type),
                                  convertFloat(b, l, read, type));
        return arith::AddFOp::create(b, l, in[1], product);
      });
  SmallVector<Value> inputs{sums};
  SmallVector<AffineMap> maps{builder.getMultiDimIdentityMap(3)};
  if (getBias()) {
    inputs.push_back(getBias());
    maps.push_back(getAxesMap(builder, 3, {2}));
  }
  Value result = buildElementwise(
      builder, loc, sizes, element, inputs, maps,
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value sum = in[0];
        if (getBias())
          sum =
              arith::AddFOp::create(b, l, sum, convertFloat(b, l, in[1], type));
        Value value = convertFloat(b, l, buildActivation(b, l, sum), element);
        if (!getLengths())
          return value;
        SmallVector<Value> place = buildIndices(b, l, 3);
        Value count = buildReadIndex(b, l, getLengths(), place[BatchAxis]);
        Value holds = arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt,
                                            place[TimeAxis], count);
        return arith::SelectOp::create(b, l, holds, value,
                                       buildFloat(b, l, element, 0));
      });

  SmallVector<OpFoldResult> tailSizes(sizes);
  tailSizes[TimeAxis] = builder.getIndexAttr(getTailLength());
  Value tail = buildElementwise(
      builder, loc, tailSizes, element, {}, {},
      [&](OpBuilder &b, Location l, ValueRange) -> Value {
        SmallVector<Value> place = buildIndices(b, l, 3);
        Value count =
            buildTokenCount(b, l, getInput(), getLengths(), place[BatchAxis]);
        Value end = arith::AddIOp::create(b, l, count, place[TimeAxis]);
        place[TimeAxis] =
            arith::SubIOp::create(b, l, end, buildIndex(b, l, getTailLength()));
        return buildReadInput(b, l, *this, place);
      });
  return SmallVector<Value>{result, tail};
}

FailureOr<SmallVector<Value>> ShiftOp::buildReference(OpBuilder &builder) {
  Location loc = getLoc();
  Type element = getElementTypeOrSelf(getInput());
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, getInput());
  unsigned rank = sizes.size();
  // The token before the one at `place`.
  auto readBefore = [&](OpBuilder &b, Location l, ArrayRef<Value> place) {
    SmallVector<Value> before(place);
    before[TimeAxis] =
        arith::SubIOp::create(b, l, place[TimeAxis], buildIndex(b, l, 1));
    return buildReadInput(
        b, l, getInput(), before, [&](OpBuilder &b, Location l) -> Value {
          if (!getInit())
            return buildFloat(b, l, element, 0);
          before.erase(before.begin() + TimeAxis);
          return tensor::ExtractOp::create(b, l, getInit(), before);
        });
  };
  Value result =
      buildElementwise(builder, loc, sizes, element, {}, {},
                       [&](OpBuilder &b, Location l, ValueRange) {
                         return readBefore(b, l, buildIndices(b, l, rank));
                       });
  sizes.erase(sizes.begin() + TimeAxis);
  Value last = buildElementwise(
      builder, loc, sizes, element, {}, {},
      [&](OpBuilder &b, Location l, ValueRange) {
        SmallVector<Value> place = buildIndices(b, l, rank - 1);
        Value count =
            buildTokenCount(b, l, getInput(), getLengths(), place[BatchAxis]);
        place.insert(place.begin() + TimeAxis, count);
        return readBefore(b, l, place);
      });
  return SmallVector<Value>{result, last};
}
