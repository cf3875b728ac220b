//===- RouteOps.cpp - The choice of experts -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/ShapeChecks.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

/// Verifies (C4) of `weir.route`.
static LogicalResult verifyGroups(RouteOp op, int64_t experts) {
  RouteGroupsAttr groups = op.getGroupsAttr();
  if (!groups)
    return success();
  // route_c4
  int64_t count = groups.getCount(), chosen = groups.getChosen();
  if (count < 1 || experts % count != 0)
    return op.emitOpError("has ")
           << count << " groups, expected a count that divides the " << experts
           << " experts";
  if (chosen < 1 || chosen > count)
    return op.emitOpError("chooses ")
           << chosen << " groups of " << count << ", expected 1 to " << count;
  int64_t size = experts / count;
  if (chosen * size < static_cast<int64_t>(op.getTopK()))
    return op.emitOpError("chooses ")
           << op.getTopK() << " experts of " << chosen << " groups of " << size
           << ", expected no more than these have";
  if (groups.getScore() == RouteGroupScore::TopTwo && size < 2)
    return op.emitOpError("ranks groups of one expert by the sum of two keys, "
                          "expected the score max or larger groups");
  return success();
}

LogicalResult RouteOp::verify() {
  auto logits = cast<RankedTensorType>(getLogits().getType());
  // route_c1
  if (logits.getRank() < 2 || ShapedType::isDynamic(logits.getShape().back()) ||
      !isa<FloatType>(logits.getElementType()))
    return emitOpError("has logits of type ")
           << logits << ", expected floats [..., E] with a static E";
  int64_t experts = logits.getShape().back();
  int64_t count = getTopK();
  // route_c2
  if (count < 1 || count > experts)
    return emitOpError("chooses ")
           << count << " experts, expected 1 to " << experts;
  SmallVector<int64_t> shape(logits.getShape());
  shape.back() = count;
  Builder builder(getContext());
  for (auto [value, element] :
       {std::pair<Value, Type>(getIndices(), builder.getI32Type()),
        {getWeights(), logits.getElementType()}}) {
    auto expected = RankedTensorType::get(shape, element);
    if (value.getType() != expected)
      return emitOpError("has a result of type ")
             << value.getType() << ", expected " << expected;
  }
  // route_c3
  if (failed(expectTensor(*this, getBias(), "bias", {experts},
                          logits.getElementType())))
    return failure();
  // route_c7
  if (!(getEps().convertToDouble() >= 0))
    return emitOpError("has eps ")
           << getEps().convertToDouble() << ", expected no negative number";
  return verifyGroups(*this, experts);
}
