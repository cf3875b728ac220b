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
  // route_c8
  if (std::optional<APFloat> threshold = getThreshold()) {
    if (threshold->isNaN())
      return emitOpError("has a threshold that is no number");
    if (getWeighting() != RouteWeighting::Scores)
      return emitOpError("has a threshold and the weighting ")
             << stringifyRouteWeighting(getWeighting())
             << ", expected scores: what is left out would change the others";
  }
  return verifyGroups(*this, experts);
}

LogicalResult ChooseTokensOp::verify() {
  auto logits = cast<RankedTensorType>(getLogits().getType());
  // choose_tokens_c1
  if (logits.getRank() != 3 || logits.isDynamicDim(2) ||
      !isa<FloatType>(logits.getElementType()))
    return emitOpError("has logits of type ")
           << logits << ", expected floats [B, T, E] with a static E";
  // choose_tokens_c2
  Builder builder(getContext());
  for (auto [value, element] :
       {std::pair<Value, Type>(getIndices(), builder.getI32Type()),
        {getWeights(), logits.getElementType()}})
    if (value.getType() != logits.clone(element))
      return emitOpError("has a result of type ")
             << value.getType() << ", expected " << logits.clone(element);
  // choose_tokens_c3
  if (failed(expectTensor(*this, getLengths(), "lengths",
                          logits.getShape().take_front(),
                          builder.getI32Type())))
    return failure();
  // choose_tokens_c4
  int64_t taken = getTaken(), of = getOf();
  if (taken < 1 || taken > of)
    return emitOpError("takes ")
           << taken << " of " << of << " tokens, expected 1 to " << of;
  return success();
}

HistoryNeed ChooseTokensOp::getHistoryNeed(OpOperand &) {
  return HistoryNeed::refused(
      "experts choose among all tokens of a sequence, later ones included; to "
      "decode, route each token by itself (weir.route with a threshold)");
}

FailureOr<SmallVector<Value>> ChooseTokensOp::buildStep(OpBuilder &,
                                                        StreamingContext &) {
  return failure();
}
