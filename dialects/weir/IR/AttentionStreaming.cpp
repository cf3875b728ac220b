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
  if (!getWhere().empty())
    os << ", where a region holds";
  MaskReach reach = getReach();
  if (!reach.ahead || *reach.ahead > 0)
    return HistoryNeed::refused(
        "this attention sees later positions (mask: " + mask + ")");
  if (getBlockList() && getQueryBlock() != 1)
    return HistoryNeed::refused("blocks of " + std::to_string(getQueryBlock()) +
                                " queries share a list of keys");
  if (getBlockList() && &operand == &getBlockListMutable()[0])
    return HistoryNeed::pointwise();
  // Lists name keys by position, and sticks are broken in the order of
  // positions: both read a buffer that does not wrap.
  if (!reach.behind || getBlockList() ||
      getNormalize() == AttentionNormalize::StickBreaking)
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
  Value keyBias;
  if (getKeyBias()) {
    FailureOr<Value> bias = context.getHistory(
        getKeyBias(), getHistoryNeed(getKeyBiasMutable()[0]));
    if (failed(bias))
      return failure();
    keyBias = *bias;
  }
  auto lookUp = [&](Value value) {
    return value ? context.lookup(value) : Value();
  };
  auto step =
      AttentionOp::create(builder, getLoc(), lookUp(getQuery()), *key, *value,
                          getMaskAttr(), getScale().convertToDouble(),
                          /*withLogSums=*/bool(getLogSums()));
  step.setBlockSize(getBlockSize());
  step.setQueryBlock(getQueryBlock());
  step.setNormalize(getNormalize());
  if (ScheduleAttr schedule = getScheduleAttr())
    step.setScheduleAttr(schedule);
  // Key lengths cut padding off, which causality already hides from a step.
  step.getOffsetMutable().assign(context.getOffset());
  for (auto [operand, value] :
       {std::pair(step.getSinksMutable(), lookUp(getSinks())),
        std::pair(step.getKeyBiasMutable(), keyBias),
        std::pair(step.getBlockListMutable(), lookUp(getBlockList()))})
    if (value)
      operand.assign(value);
  // The regions may use values from above: they take their streaming form.
  for (auto [from, to] : {std::pair(&getWhere(), &step.getWhere()),
                          std::pair(&getScore(), &step.getScore())}) {
    IRMapping mapping;
    from->walk([&, from = from](Operation *op) {
      for (Value operand : op->getOperands())
        if (!from->isAncestor(operand.getParentRegion()))
          mapping.map(operand, context.lookup(operand));
    });
    from->cloneInto(to, mapping);
  }
  return SmallVector<Value>(step->getResults());
}
