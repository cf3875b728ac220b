//===- StateOps.cpp - The state of a model that streams -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/ConstantOperands.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

LogicalResult SlotOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  int64_t batchAxis = getStacked() ? 1 : 0;
  int64_t axes = batchAxis + (getKind() == SlotKind::History ? 2 : 1);
  // slot_c1
  if (getKind() == SlotKind::Position &&
      (getStacked() || type.getRank() != 1 ||
       !type.getElementType().isSignlessInteger(32)))
    return emitOpError("holds positions in ")
           << type << ", expected [batch] of i32";
  // slot_c2
  if (type.getRank() < axes || !type.isDynamicDim(batchAxis) ||
      (getKind() == SlotKind::History && !type.isDynamicDim(batchAxis + 1)))
    return emitOpError("has type ")
           << type << ", expected dynamic extents for the batch"
           << (getKind() == SlotKind::History ? " and the capacity" : "");
  // slot_c4
  int64_t others = axes + (getKind() == SlotKind::Memory);
  if (ArrayRef<int64_t> shape = type.getShape();
      llvm::any_of(shape.drop_front(std::min<int64_t>(others, type.getRank())),
                   ShapedType::isDynamic) ||
      (getStacked() && type.isDynamicDim(0)))
    return emitOpError("has type ")
           << type << ", expected static extents but for the batch and "
           << (getKind() == SlotKind::Memory ? "positions" : "the capacity");
  // slot_c3
  if (IntegerAttr lookback = getLookbackAttr();
      lookback && lookback.getInt() <= 0)
    return emitOpError("looks back ")
           << lookback.getInt() << " positions, expected a positive number";
  return success();
}

LogicalResult AppendOp::verify() {
  auto slot = cast<RankedTensorType>(getSlot().getType());
  auto block = cast<RankedTensorType>(getBlock().getType());
  // append_c1
  int64_t lead = getLayer() ? 1 : 0;
  if (block.getRank() < 2 || slot.getRank() != block.getRank() + lead ||
      slot.getShape().drop_front(lead + 2) != block.getShape().drop_front(2) ||
      slot.getElementType() != block.getElementType())
    return emitOpError("writes a block of type ")
           << block << " into a history of type " << slot;
  // append_c2
  int64_t time = block.getDimSize(TimeAxis);
  int64_t capacity = slot.getDimSize(lead + TimeAxis);
  if (!ShapedType::isDynamic(time) && !ShapedType::isDynamic(capacity) &&
      time > capacity)
    return emitOpError("writes ")
           << time << " positions into a history that holds " << capacity;
  // append_c3
  for (Value rows : {getOffset(), getLengths()}) {
    if (!rows)
      continue;
    auto type = cast<RankedTensorType>(rows.getType());
    if (type.getRank() != 1 || !type.getElementType().isSignlessInteger(32))
      return emitOpError("has an offset or lengths of type ")
             << type << ", expected [batch] of i32";
  }
  return success();
}

/// A block without positions leaves the history as it is.
OpFoldResult AppendOp::fold(FoldAdaptor) {
  auto block = cast<RankedTensorType>(getBlock().getType());
  bool isEmpty = block.getDimSize(TimeAxis) == 0 ||
                 isConstantOf(getLengths(), [](const APInt &length) {
                   return !length.isStrictlyPositive();
                 });
  return isEmpty ? getSlot() : OpFoldResult();
}

/// The result is `input` but for its time extent, which is 1.
void SelectLastOp::build(OpBuilder &builder, OperationState &state, Value input,
                         Value lengths) {
  auto type = cast<RankedTensorType>(input.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[TimeAxis] = 1;
  build(builder, state, RankedTensorType::get(shape, type.getElementType()),
        input, lengths);
}

LogicalResult SelectLastOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  auto lengths = cast<RankedTensorType>(getLengths().getType());
  // select_last_c1
  SmallVector<int64_t> shape(input.getShape());
  if (shape.size() < 2)
    return emitOpError("reads ") << input << ", expected [batch, time, ...]";
  shape[TimeAxis] = 1;
  if (result.getShape() != ArrayRef<int64_t>(shape) ||
      result.getElementType() != input.getElementType())
    return emitOpError("has result type ")
           << result << " when the input is " << input;
  // select_last_c2
  if (lengths.getRank() != 1 || !lengths.getElementType().isSignlessInteger(32))
    return emitOpError("has lengths of type ")
           << lengths << ", expected [batch] of i32";
  return success();
}

/// The last of one position is that position.
OpFoldResult SelectLastOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() ? getInput() : OpFoldResult();
}
