//===- DeltaOps.cpp - Values corrected by attention -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/ShapeChecks.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

static RankedTensorType getTensor(Value value) {
  return cast<RankedTensorType>(value.getType());
}

int64_t DeltaValuesOp::getHeads() {
  return getTensor(getQuery()).getDimSize(2);
}

int64_t DeltaValuesOp::getGroupSize() {
  return getHeads() / getTensor(getKey()).getDimSize(2);
}

int64_t DeltaValuesOp::getKeyDim() {
  return getTensor(getQuery()).getDimSize(3);
}

int64_t DeltaValuesOp::getValueDim() {
  return getTensor(getValue()).getDimSize(3);
}

LogicalResult DeltaValuesOp::verify() {
  RankedTensorType query = getTensor(getQuery()), key = getTensor(getKey()),
                   value = getTensor(getValue()),
                   result = getTensor(getResult());
  // delta_values_c1
  for (auto [type, name] : {std::pair(query, "query"), std::pair(key, "key"),
                            std::pair(value, "value")})
    if (type.getRank() != 4 || type.isDynamicDim(2) || type.isDynamicDim(3) ||
        !isa<FloatType>(type.getElementType()) ||
        type.getElementType() != query.getElementType())
      return emitOpError("has a ")
             << name << " of type " << type
             << ", expected [batch, time, heads, dim] of one float type with "
                "static heads and dim";
  if (query.getDimSize(3) != key.getDimSize(3) ||
      !mayBeEqual(query.getDimSize(0), key.getDimSize(0)))
    return emitOpError("has a query of type ")
           << query << " and a key of type " << key
           << ", which differ in batch or features";
  if (query.getDimSize(2) != value.getDimSize(2) ||
      !mayBeEqual(query.getDimSize(0), value.getDimSize(0)) ||
      !mayBeEqual(query.getDimSize(1), value.getDimSize(1)))
    return emitOpError("has a query of type ")
           << query << " and a value of type " << value
           << ", which differ in batch, time or heads";
  if (result != value)
    return emitOpError("has result type ")
           << result << ", expected that of the value, " << value;
  // delta_values_c2
  if (key.getDimSize(2) == 0 || query.getDimSize(2) % key.getDimSize(2))
    return emitOpError("has ")
           << query.getDimSize(2) << " query heads, expected a multiple of the "
           << key.getDimSize(2) << " key heads";
  // delta_values_c3
  RankedTensorType beta = getTensor(getBeta());
  bool isFloat = beta.getElementType() == query.getElementType() ||
                 beta.getElementType().isF32();
  if (beta.getRank() != 3 || !isFloat ||
      !mayBeEqual(beta.getDimSize(0), query.getDimSize(0)) ||
      !mayBeEqual(beta.getDimSize(1), query.getDimSize(1)) ||
      beta.getDimSize(2) != query.getDimSize(2))
    return emitOpError("has a beta of type ")
           << beta << ", expected [batch, time, " << query.getDimSize(2)
           << " heads] of " << query.getElementType() << " or f32";
  // delta_values_c4
  if (!getPast() != !getOffset())
    return emitOpError("has ") << (getPast() ? "a past without an offset"
                                             : "an offset without a past")
                               << ", expected both or neither";
  if (!getPast()) {
    if (!mayBeEqual(query.getDimSize(1), key.getDimSize(1)))
      return emitOpError("has ")
             << query.getDimSize(1) << " queries and " << key.getDimSize(1)
             << " keys, expected as many without a past";
    return success();
  }
  RankedTensorType past = getTensor(getPast());
  if (past.getRank() != 4 || past.getElementType() != value.getElementType() ||
      !mayBeEqual(past.getDimSize(0), value.getDimSize(0)) ||
      !mayBeEqual(past.getDimSize(1), key.getDimSize(1)) ||
      past.getDimSize(2) != value.getDimSize(2) ||
      past.getDimSize(3) != value.getDimSize(3))
    return emitOpError("has a past of type ")
           << past << ", expected [batch, key time, " << value.getDimSize(2)
           << ", " << value.getDimSize(3) << "] of " << value.getElementType();
  RankedTensorType offset = getTensor(getOffset());
  if (offset.getRank() != 1 || !offset.getElementType().isSignlessInteger(32) ||
      !mayBeEqual(offset.getDimSize(0), query.getDimSize(0)))
    return emitOpError("has an offset of type ")
           << offset << ", expected [batch] of i32";
  return success();
}

//===----------------------------------------------------------------------===//
// StreamingInterface
//===----------------------------------------------------------------------===//

HistoryNeed DeltaValuesOp::getHistoryNeed(OpOperand &operand) {
  if (getOffset())
    return HistoryNeed::refused("these values have an offset already");
  return &operand == &getKeyMutable() ? HistoryNeed::all()
                                      : HistoryNeed::pointwise();
}

FailureOr<SmallVector<Value>>
DeltaValuesOp::buildStep(OpBuilder &builder, StreamingContext &context) {
  FailureOr<Value> key =
      context.getHistory(getKey(), getHistoryNeed(getKeyMutable()));
  FailureOr<Value> past = context.getPast(getResult(), HistoryNeed::all());
  if (failed(key) || failed(past))
    return failure();
  Value value = context.lookup(getValue());
  auto step = DeltaValuesOp::create(
      builder, getLoc(), value.getType(), context.lookup(getQuery()), *key,
      value, context.lookup(getBeta()), *past, context.getOffset(),
      getScaleAttr(), getScheduleAttr());
  return SmallVector<Value>{step.getResult()};
}
