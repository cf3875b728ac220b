//===- AttentionStreaming.cpp - What attention remembers -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/IRMapping.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

HistoryNeed AttentionOp::getHistoryNeed(OpOperand &operand) {
  if (operand.get() == getQuery() && &operand == &getQueryMutable())
    return HistoryNeed::pointwise();
  if (getOffset())
    return HistoryNeed::refused("this attention has an offset already");
  std::string mask;
  llvm::raw_string_ostream os(mask);
  getMask().getExpression().printMask(os);
  MaskReach reach = getMask().getExpression().getReach();
  if (!reach.ahead || *reach.ahead > 0)
    return HistoryNeed::refused(
        "this attention sees later positions (mask: " + mask + ")");
  if (!reach.behind)
    return HistoryNeed::all();
  return HistoryNeed::last(std::max<int64_t>(*reach.behind + 1, 1));
}

FailureOr<SmallVector<Value>>
AttentionOp::buildStep(OpBuilder &builder, StreamingContext &context) {
  FailureOr<Value> key =
      context.getHistory(getKey(), getHistoryNeed(getKeyMutable()));
  FailureOr<Value> value =
      context.getHistory(getValue(), getHistoryNeed(getValueMutable()));
  if (failed(key) || failed(value))
    return failure();
  Value query = context.lookup(getQuery());
  auto queryType = cast<RankedTensorType>(query.getType());
  SmallVector<int64_t> shape(queryType.getShape());
  shape.back() = cast<RankedTensorType>(getValue().getType()).getDimSize(3);
  Value sinks = getSinks() ? context.lookup(getSinks()) : Value();
  // Key lengths cut padding off, which causality already hides from a step.
  auto step = AttentionOp::create(
      builder, getLoc(),
      RankedTensorType::get(shape, queryType.getElementType()), query, *key,
      *value, context.getOffset(), /*key_lengths=*/Value(), sinks,
      getMaskAttr(), getScaleAttr(), getScheduleAttr());
  // The region may use values from above: they take their streaming form.
  IRMapping mapping;
  getScore().walk([&](Operation *op) {
    for (Value operand : op->getOperands())
      if (!getScore().isAncestor(operand.getParentRegion()))
        mapping.map(operand, context.lookup(operand));
  });
  getScore().cloneInto(&step.getScore(), mapping);
  return SmallVector<Value>{step.getResult()};
}
