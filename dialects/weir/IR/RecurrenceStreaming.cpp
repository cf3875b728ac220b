//===- RecurrenceStreaming.cpp - What a recurrence remembers -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/IRMapping.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

HistoryNeed RecurrenceOp::getHistoryNeed(OpOperand &operand) {
  if (getInit() || getLengths())
    return HistoryNeed::refused(
        "this recurrence has a state or lengths already");
  // The past is in the carry.
  return HistoryNeed::pointwise();
}

FailureOr<SmallVector<Value>>
RecurrenceOp::buildStep(OpBuilder &builder, StreamingContext &context) {
  auto stateType = cast<RankedTensorType>(getFinalState().getType());
  FailureOr<Value> state = context.getCarry(*this, "state", stateType);
  if (failed(state))
    return failure();
  IRMapping mapping;
  for (Value operand : getOperands())
    mapping.map(operand, context.lookup(operand));
  auto step = cast<RecurrenceOp>(builder.clone(**this, mapping));
  step.getInitMutable().assign(*state);
  step.getLengthsMutable().assign(context.getLengths());
  context.setCarry(*this, "state", step.getFinalState());
  return SmallVector<Value>(step.getResults());
}
