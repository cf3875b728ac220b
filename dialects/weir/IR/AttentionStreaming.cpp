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
  // Lists name keys by position, and sticks and paths go through keys in the
  // order of positions: all read a buffer that does not wrap.
  if (!reach.behind || getBlockList() || getPathKey() ||
      getNormalize() == AttentionNormalize::StickBreaking)
    return HistoryNeed::all();
  return HistoryNeed::last(std::max<int64_t>(*reach.behind + 1, 1));
}

bool AttentionOp::isPointwiseInTimeOf(function_ref<bool(Value)> hasTime) {
  // Queries have positions of their own sequence, of which masks and regions
  // must not know.
  if (!isa<FullMaskAttr>(getMask().getExpression()) || getOffset() ||
      getBlockList() || getPathKey())
    return false;
  for (Region *region : {&getWhere(), &getScore()})
    if (!region->empty() &&
        !region->front().getArguments().take_back(2).front().use_empty())
      return false;
  return llvm::none_of(ValueRange{getKey(), getValue()},
                       [&](Value value) { return hasTime(value); }) &&
         (!getKeyBias() || !hasTime(getKeyBias()));
}

FailureOr<SmallVector<Value>>
AttentionOp::buildStep(OpBuilder &builder, StreamingContext &context) {
  FailureOr<Value> key =
      context.getHistory(getKey(), getHistoryNeed(getKeyMutable()));
  FailureOr<Value> value =
      context.getHistory(getValue(), getHistoryNeed(getValueMutable()));
  if (failed(key) || failed(value))
    return failure();
  // Others that have a row for each key.
  Value keyBias = getKeyBias(), pathKey = getPathKey(),
        pathBeta = getPathBeta();
  for (Value *rows : {&keyBias, &pathKey, &pathBeta}) {
    if (!*rows)
      continue;
    FailureOr<Value> history =
        context.getHistory(*rows, getHistoryNeed(getKeyMutable()));
    if (failed(history))
      return failure();
    *rows = *history;
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
  // Each range is asked for when those before it have been given.
  auto give = [](MutableOperandRange operand, Value value) {
    if (value)
      operand.assign(value);
  };
  give(step.getSinksMutable(), lookUp(getSinks()));
  give(step.getKeyBiasMutable(), keyBias);
  give(step.getBlockListMutable(), lookUp(getBlockList()));
  give(step.getPathKeyMutable(), pathKey);
  give(step.getPathBetaMutable(), pathBeta);
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
