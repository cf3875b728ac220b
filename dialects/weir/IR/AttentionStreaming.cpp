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
  Value keyBias;
  if (getKeyBias()) {
    FailureOr<Value> bias = context.getHistory(
        getKeyBias(), getHistoryNeed(getKeyBiasMutable()[0]));
    if (failed(bias))
      return failure();
    keyBias = *bias;
  }
  Value query = context.lookup(getQuery());
  auto queryType = cast<RankedTensorType>(query.getType());
  SmallVector<int64_t> shape(queryType.getShape());
  shape.back() = cast<RankedTensorType>(getValue().getType()).getDimSize(3);
  Value sinks = getSinks() ? context.lookup(getSinks()) : Value();
  // Key lengths cut padding off, which causality already hides from a step.
  auto step = AttentionOp::create(
      builder, getLoc(),
      RankedTensorType::get(shape, queryType.getElementType()), query, *key,
      *value, context.getOffset(), /*key_lengths=*/Value(), sinks, keyBias,
      getMaskAttr(), getScaleAttr(), getScheduleAttr());
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
  return SmallVector<Value>{step.getResult()};
}
