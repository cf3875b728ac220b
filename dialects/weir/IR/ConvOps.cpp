//===- ConvOps.cpp - Short memories of the input -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/ShapeChecks.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

int64_t CausalConvOp::getWidth() {
  return cast<RankedTensorType>(getWeight().getType()).getDimSize(1);
}

int64_t CausalConvOp::getTailLength() {
  return cast<RankedTensorType>(getTail().getType()).getDimSize(1);
}

LogicalResult CausalConvOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  auto weight = cast<RankedTensorType>(getWeight().getType());
  Type element = input.getElementType();
  // causal_conv_c1
  if (input.getRank() != 3 || input.isDynamicDim(2) || !isa<FloatType>(element))
    return emitOpError("has an input of type ")
           << input
           << ", expected floats [batch, time, features] with static features";
  int64_t batch = input.getDimSize(BatchAxis);
  int64_t features = input.getDimSize(2);
  if (weight.getRank() != 2 || weight.isDynamicDim(0) ||
      weight.isDynamicDim(1) || weight.getDimSize(1) == 0)
    return emitOpError("has a weight of type ")
           << weight << ", expected static [features, width] of one or more";
  if (failed(expectTensor(*this, getWeight(), "a weight",
                          {features, weight.getDimSize(1)}, element)) ||
      failed(expectTensor(*this, getBias(), "a bias", features, element)) ||
      failed(expectTensor(*this, getResult(), "a result", input.getShape(),
                          element)))
    return failure();
  // causal_conv_c2
  auto tail = cast<RankedTensorType>(getTail().getType());
  int64_t least = std::max<int64_t>(getWidth() - 1, 1);
  if (tail.getRank() != 3 || tail.isDynamicDim(1) || tail.getDimSize(1) < least)
    return emitOpError("has a tail of type ")
           << tail << ", expected [batch, length, features] with a static "
           << "length of " << least << " or more";
  SmallVector<int64_t> shape{batch, tail.getDimSize(1), features};
  if (failed(expectTensor(*this, getTail(), "a tail", shape, element)) ||
      failed(expectTensor(*this, getInit(), "an init", shape, element)))
    return failure();
  // causal_conv_c3
  return expectTensor(*this, getLengths(), "lengths", batch,
                      IntegerType::get(getContext(), 32));
}

LogicalResult ShiftOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  Type element = input.getElementType();
  // shift_c1
  if (input.getRank() < 2 || !isa<FloatType>(element) ||
      ShapedType::isDynamicShape(input.getShape().drop_front(2)))
    return emitOpError("has an input of type ")
           << input
           << ", expected floats [batch, time, ...] with static extents behind "
              "time";
  // shift_c2
  SmallVector<int64_t> shape(input.getShape());
  shape.erase(shape.begin() + TimeAxis);
  if (failed(expectTensor(*this, getLast(), "a last token", shape, element)) ||
      failed(expectTensor(*this, getInit(), "an init", shape, element)))
    return failure();
  // shift_c3
  return expectTensor(*this, getLengths(), "lengths", shape.front(),
                      IntegerType::get(getContext(), 32));
}
