//===- RecurrenceOps.cpp - Linear recurrences -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/ShapeChecks.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

static RankedTensorType getTensor(Value value) {
  return cast<RankedTensorType>(value.getType());
}

int64_t RecurrenceOp::getUpdates() {
  RankedTensorType key = getTensor(getKey());
  return key.getRank() == 5 ? key.getDimSize(2) : 1;
}
int64_t RecurrenceOp::getHeads() {
  return cast<RankedTensorType>(getResult().getType()).getDimSize(2);
}
int64_t RecurrenceOp::getKeyHeads() {
  return getTensor(getQuery()).getDimSize(2);
}
int64_t RecurrenceOp::getKeyDim() {
  return getTensor(getQuery()).getDimSize(3);
}
int64_t RecurrenceOp::getValueDim() {
  return cast<RankedTensorType>(getResult().getType()).getDimSize(3);
}

bool RecurrenceOp::hasFixedDecay() {
  return getDecay() && getTensor(getDecay()).getRank() <= 2;
}

bool RecurrenceOp::hasChannelDecay() {
  return getDecay() && getTensor(getDecay()).getRank() % 2 == 0;
}

RankedTensorType RecurrenceOp::inferStateType(Value query, Value value) {
  ArrayRef<int64_t> queryShape = getTensor(query).getShape();
  ArrayRef<int64_t> valueShape = getTensor(value).getShape();
  size_t rank = valueShape.size();
  return RankedTensorType::get(
      {queryShape[0], valueShape[rank - 2], queryShape[3],
       valueShape[rank - 1]},
      getAccumulatorType(getTensor(query).getElementType()));
}

/// Whether `type` may have the extents `shape` at run time; those behind the
/// first `dynamic` axes must be static.
static bool mayBe(RankedTensorType type, ArrayRef<int64_t> shape,
                  unsigned dynamic) {
  return mayHaveShape(type, shape) &&
         llvm::none_of(type.getShape().drop_front(dynamic),
                       ShapedType::isDynamic);
}

namespace {
/// Checks the operands of a recurrence one by one.
class RecurrenceVerifier {
public:
  explicit RecurrenceVerifier(RecurrenceOp op) : op(op) {}
  LogicalResult run();

private:
  LogicalResult checkSequences();
  LogicalResult checkDecay();
  LogicalResult checkCorrection();
  LogicalResult checkState();

  /// Fails unless `value` may have the shape, of which the first `dynamic`
  /// extents may be dynamic, and has the element type given.
  LogicalResult expect(Value value, StringRef name, ArrayRef<int64_t> shape,
                       unsigned dynamic, Type element) {
    RankedTensorType type = getTensor(value);
    if (mayBe(type, shape, dynamic) && type.getElementType() == element)
      return success();
    return op.emitOpError("has a ")
           << name << " of type " << type << ", expected "
           << RankedTensorType::get(shape, element);
  }

  RecurrenceOp op;
  int64_t batch = 0, time = 0, updates = 1;
  int64_t keyHeads = 0, heads = 0, keyDim = 0, valueDim = 0;
  Type element;
};
} // namespace

LogicalResult RecurrenceVerifier::checkSequences() {
  RankedTensorType query = getTensor(op.getQuery());
  RankedTensorType key = getTensor(op.getKey());
  RankedTensorType value = getTensor(op.getValue());
  element = query.getElementType();
  // recurrence_c1
  if (query.getRank() != 4 || query.isDynamicDim(2) || query.isDynamicDim(3) ||
      !isa<FloatType>(element))
    return op.emitOpError("has a query of type ")
           << query
           << ", expected floats [batch, time, heads, dim] with static "
              "heads and dim";
  if ((key.getRank() != 4 && key.getRank() != 5) ||
      (key.getRank() == 5 && key.isDynamicDim(2)))
    return op.emitOpError("has a key of type ")
           << key
           << ", expected [batch, time, heads, dim] or [batch, time, "
              "updates, heads, dim] with a static number of updates";
  updates = key.getRank() == 5 ? key.getDimSize(2) : 1;
  batch = query.getDimSize(0);
  time = query.getDimSize(1);
  keyHeads = query.getDimSize(2);
  keyDim = query.getDimSize(3);
  int64_t rank = value.getRank();
  if (rank != key.getRank() || value.isDynamicDim(rank - 1) ||
      value.isDynamicDim(rank - 2))
    return op.emitOpError("has a value of type ")
           << value << ", expected the rank of the key, " << key.getRank()
           << ", with static heads and dim";
  heads = value.getDimSize(rank - 2);
  valueDim = value.getDimSize(rank - 1);
  SmallVector<int64_t> keyShape{batch, time}, valueShape{batch, time};
  if (rank == 5) {
    keyShape.push_back(updates);
    valueShape.push_back(updates);
  }
  keyShape.append({keyHeads, keyDim});
  valueShape.append({heads, valueDim});
  if (failed(expect(op.getKey(), "key", keyShape, 2, element)) ||
      failed(expect(op.getValue(), "value", valueShape, 2, element)) ||
      failed(expect(op.getResult(), "result", {batch, time, heads, valueDim}, 2,
                    element)))
    return failure();
  // recurrence_c2
  if (keyHeads == 0 || heads % keyHeads)
    return op.emitOpError("has ")
           << heads << " value heads, expected a multiple of the " << keyHeads
           << " key heads";
  return success();
}

LogicalResult RecurrenceVerifier::checkDecay() {
  // recurrence_c3
  if (!op.getDecay())
    return success();
  RankedTensorType type = getTensor(op.getDecay());
  bool matches = isa<FloatType>(type.getElementType()) &&
                 (mayBe(type, {batch, time, heads}, 2) ||
                  mayBe(type, {batch, time, heads, keyDim}, 2) ||
                  mayBe(type, {heads}, 0) || mayBe(type, {heads, keyDim}, 0));
  if (!matches)
    return op.emitOpError("has a decay of type ")
           << type << ", expected floats [batch, time, " << heads
           << "] or [batch, time, " << heads << ", " << keyDim
           << "], or these without batch and time";
  return success();
}

LogicalResult RecurrenceVerifier::checkCorrection() {
  RankedTensorType key = getTensor(op.getKey());
  // recurrence_c4
  if (op.getBeta()) {
    ArrayRef<int64_t> shape = getTensor(op.getValue()).getShape().drop_back();
    if (failed(expect(op.getBeta(), "beta", shape, 2, element)))
      return failure();
  }
  for (auto [part, name] : {std::pair(op.getReadKey(), "read key"),
                            std::pair(op.getWriteKey(), "write key")})
    if (part && failed(expect(part, name, key.getShape(), 2, element)))
      return failure();
  if (op.getWriteKey() && (op.getBeta() || !op.getReadKey()))
    return op.emitOpError(
        "has a write key, expected a read key beside it and no beta");
  if (op.getReadKey() && !op.getBeta() && !op.getWriteKey())
    return op.emitOpError(
        "has a read key, expected a beta or a write key beside it");
  // recurrence_c5
  if (op.getBonus()) {
    if (failed(expect(op.getBonus(), "bonus", {heads, keyDim}, 0, element)))
      return failure();
    if (op.hasCorrection() || updates != 1)
      return op.emitOpError("has a bonus, expected no correction and one "
                            "update a token beside it");
  }
  // recurrence_c7
  if (op.getReads() == RecurrenceRead::Previous &&
      (!op.hasCorrection() || updates != 1))
    return op.emitOpError("reads the previous state, expected a correction and "
                          "one update a token");
  return success();
}

LogicalResult RecurrenceVerifier::checkState() {
  // recurrence_c6
  FloatType state = getAccumulatorType(element);
  SmallVector<int64_t> shape{batch, heads, keyDim, valueDim};
  if (failed(expect(op.getFinalState(), "final state", shape, 1, state)) ||
      (op.getInit() &&
       failed(expect(op.getInit(), "state to begin with", shape, 1, state))))
    return failure();
  // recurrence_c8
  if (op.getLengths())
    return expect(op.getLengths(), "vector of lengths", {batch}, 1,
                  IntegerType::get(op.getContext(), 32));
  return success();
}

LogicalResult RecurrenceVerifier::run() {
  if (failed(checkSequences()) || failed(checkDecay()) ||
      failed(checkCorrection()))
    return failure();
  return checkState();
}

LogicalResult RecurrenceOp::verify() { return RecurrenceVerifier(*this).run(); }
