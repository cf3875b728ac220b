//===- ConvStreaming.cpp - What short memories remember -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Both ops hand out what they must be given to go on, and what is given where
// nothing was before is zero, as a carry is at the start. So the step is the op
// itself between carry and carry.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/IRMapping.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

/// The need of every operand of `op`, a convolution or a shift.
template <typename Op>
static HistoryNeed getNeed(Op op, StringRef name) {
  if (op.getInit() || op.getLengths())
    return HistoryNeed::refused("this " + name.str() +
                                " has a past or lengths already");
  // The past is in the carry.
  return HistoryNeed::pointwise();
}

/// The step of `op`, whose result number 1 goes on as its `init`.
template <typename Op>
static FailureOr<SmallVector<Value>>
buildCarryingStep(Op op, OpBuilder &builder, StreamingContext &context,
                  StringRef name) {
  FailureOr<Value> carry = context.getCarry(
      op, name, cast<RankedTensorType>(op->getResult(1).getType()));
  if (failed(carry))
    return failure();
  IRMapping mapping;
  for (Value operand : op->getOperands())
    mapping.map(operand, context.lookup(operand));
  auto step = cast<Op>(builder.clone(*op, mapping));
  step.getInitMutable().assign(*carry);
  step.getLengthsMutable().assign(context.getLengths());
  context.setCarry(op, name, step->getResult(1));
  return SmallVector<Value>(step->getResults());
}

HistoryNeed CausalConvOp::getHistoryNeed(OpOperand &) {
  return getNeed(*this, "convolution");
}

FailureOr<SmallVector<Value>>
CausalConvOp::buildStep(OpBuilder &builder, StreamingContext &context) {
  return buildCarryingStep(*this, builder, context, "tail");
}

HistoryNeed ShiftOp::getHistoryNeed(OpOperand &) {
  return getNeed(*this, "shift");
}

FailureOr<SmallVector<Value>> ShiftOp::buildStep(OpBuilder &builder,
                                                 StreamingContext &context) {
  return buildCarryingStep(*this, builder, context, "last");
}
