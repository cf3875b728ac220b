//===- PositionOps.cpp - Positions and rotations -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/PatternMatch.h"
#include "weir/IR/ConstantOperands.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

/// Whether `type` is a vector of i32, one per row of the batch.
static bool isRowVector(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == 1 &&
         tensor.getElementType().isSignlessInteger(32);
}

//===----------------------------------------------------------------------===//
// PositionsOp
//===----------------------------------------------------------------------===//

/// The result has the first two extents of `like`.
void PositionsOp::build(OpBuilder &builder, OperationState &state, Value like,
                        Value offset) {
  auto type = cast<RankedTensorType>(like.getType());
  build(builder, state,
        RankedTensorType::get(type.getShape().take_front(2),
                              builder.getI32Type()),
        like, offset);
}

LogicalResult PositionsOp::verify() {
  auto like = cast<RankedTensorType>(getLike().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  // positions_c1
  if (like.getRank() < 2 || result.getRank() != 2 ||
      result.getShape() != like.getShape().take_front(2) ||
      !result.getElementType().isSignlessInteger(32))
    return emitOpError("has result type ")
           << result << ", expected [batch, time] of i32 as in " << like;
  // positions_c2
  if (getOffset() && !isRowVector(getOffset().getType()))
    return emitOpError("has an offset of type ")
           << getOffset().getType() << ", expected [batch] of i32";
  return success();
}

HistoryNeed PositionsOp::getHistoryNeed(OpOperand &) {
  return HistoryNeed::pointwise();
}

FailureOr<SmallVector<Value>>
PositionsOp::buildStep(OpBuilder &builder, StreamingContext &context) {
  return SmallVector<Value>{PositionsOp::create(
      builder, getLoc(), context.lookup(getLike()), context.getOffset())};
}

LogicalResult PositionsOp::canonicalize(PositionsOp op,
                                        PatternRewriter &rewriter) {
  if (!isConstantOf(op.getOffset(),
                    [](const APInt &entry) { return entry.isZero(); }))
    return rewriter.notifyMatchFailure(op, "may start behind 0");
  rewriter.modifyOpInPlace(op, [&] { op.getOffsetMutable().clear(); });
  return success();
}

//===----------------------------------------------------------------------===//
// LongestOp
//===----------------------------------------------------------------------===//

LogicalResult LongestOp::verify() {
  auto result = cast<RankedTensorType>(getResult().getType());
  // longest_c1
  if (!isRowVector(getLengths().getType()))
    return emitOpError("has lengths of type ")
           << getLengths().getType() << ", expected [batch] of i32";
  if (result.getRank() != 0 || !result.getElementType().isSignlessInteger(32))
    return emitOpError("has result type ") << result << ", expected one i32";
  return success();
}

//===----------------------------------------------------------------------===//
// RopeFrequenciesOp
//===----------------------------------------------------------------------===//

LogicalResult RopeFrequenciesOp::verify() {
  auto result = cast<RankedTensorType>(getResult().getType());
  int64_t dims = getDims();
  // rope_frequencies_c1
  if (dims <= 0 || dims % 2)
    return emitOpError("rotates ")
           << dims << " features, expected an even count";
  if (!(getBase().convertToDouble() > 0))
    return emitOpError("has base ")
           << getBase().convertToDouble() << ", expected a positive one";
  if (result.getRank() != 1 || result.getDimSize(0) != dims / 2 ||
      !isa<FloatType>(result.getElementType()))
    return emitOpError("has result type ")
           << result << ", expected [" << dims / 2 << "] of floats";
  // rope_frequencies_c2
  std::string error;
  if (!computeRopeFrequencies(getBase().convertToDouble(), dims,
                              getScalingAttr(), error))
    return emitOpError(error);
  return success();
}

OpFoldResult RopeFrequenciesOp::fold(FoldAdaptor) {
  std::string error;
  auto frequencies = computeRopeFrequencies(getBase().convertToDouble(),
                                            getDims(), getScalingAttr(), error);
  if (!frequencies)
    return {};
  auto type = cast<RankedTensorType>(getResult().getType());
  SmallVector<Attribute> values;
  for (double frequency : *frequencies)
    values.push_back(FloatAttr::get(type.getElementType(), frequency));
  return DenseElementsAttr::get(type, values);
}

//===----------------------------------------------------------------------===//
// RotaryOp
//===----------------------------------------------------------------------===//

LogicalResult RotaryOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  auto positions = cast<RankedTensorType>(getPositions().getType());
  auto frequencies = cast<RankedTensorType>(getFrequencies().getType());
  // rotary_c2
  if (input.getRank() != 4)
    return emitOpError("rotates ")
           << input << ", expected [batch, time, heads, dim]";
  if (positions.getRank() != 2 ||
      positions.getShape() != input.getShape().take_front(2) ||
      !positions.getElementType().isSignlessInteger(32))
    return emitOpError("has positions of type ")
           << positions << ", expected [batch, time] of i32 as in " << input;
  // rotary_c3
  if (frequencies.getRank() != 1 || frequencies.isDynamicDim(0) ||
      2 * frequencies.getDimSize(0) > input.getDimSize(3))
    return emitOpError("has frequencies of type ")
           << frequencies << " for heads of " << input.getDimSize(3)
           << " features";
  return success();
}

/// Without frequencies all features pass through.
OpFoldResult RotaryOp::fold(FoldAdaptor) {
  auto frequencies = cast<RankedTensorType>(getFrequencies().getType());
  return frequencies.getDimSize(0) == 0 ? getInput() : OpFoldResult();
}
