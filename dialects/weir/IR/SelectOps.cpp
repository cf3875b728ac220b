//===- SelectOps.cpp - Choosing keys by content -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/IRMapping.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/ShapeChecks.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

int64_t SelectBlocksOp::getListCount() {
  return cast<RankedTensorType>(getResult().getType()).getDimSize(2);
}

int64_t SelectBlocksOp::getHeadsPerList() {
  return cast<RankedTensorType>(getQuery().getType()).getDimSize(2) /
         getListCount();
}

int64_t SelectBlocksOp::getCount() {
  return cast<RankedTensorType>(getResult().getType()).getDimSize(3);
}

LogicalResult SelectBlocksOp::verify() {
  auto query = cast<RankedTensorType>(getQuery().getType());
  auto key = cast<RankedTensorType>(getKey().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  // select_blocks_c1
  for (auto [type, name] : {std::pair(query, "query"), std::pair(key, "key")})
    if (type.getRank() != 4 || type.isDynamicDim(2) || type.isDynamicDim(3) ||
        !isa<FloatType>(type.getElementType()))
      return emitOpError("has a ") << name << " of type " << type
                                   << ", expected [batch, time, heads, dim] of "
                                      "floats with static heads and dim";
  if (query.getElementType() != key.getElementType() ||
      query.getDimSize(3) != key.getDimSize(3) ||
      !mayBeEqual(query.getDimSize(0), key.getDimSize(0)))
    return emitOpError("has a query of type ")
           << query << " and a key of type " << key
           << ", which differ in batch, features or element type";
  if (result.getRank() != 4 || !result.getElementType().isSignlessInteger(32) ||
      !mayBeEqual(result.getDimSize(0), query.getDimSize(0)) ||
      !mayBeEqual(result.getDimSize(1), query.getDimSize(1)) ||
      result.isDynamicDim(2) || result.isDynamicDim(3))
    return emitOpError("has result type ")
           << result << ", expected [batch, time, lists, entries] of i32 with "
           << "static lists and entries";
  // select_blocks_c2
  int64_t lists = result.getDimSize(2), keyHeads = key.getDimSize(2);
  if (lists == 0 || keyHeads == 0 || query.getDimSize(2) % lists != 0 ||
      lists % keyHeads != 0)
    return emitOpError("makes ")
           << lists << " lists from " << query.getDimSize(2)
           << " query heads and " << keyHeads
           << " key heads, expected a divisor of the former that is a multiple "
              "of the latter";
  // select_blocks_c3
  if (getWeights()) {
    auto type = cast<RankedTensorType>(getWeights().getType());
    if (type.getRank() != 3 ||
        type.getElementType() != query.getElementType() ||
        !mayBeEqual(type.getDimSize(0), query.getDimSize(0)) ||
        !mayBeEqual(type.getDimSize(1), query.getDimSize(1)) ||
        type.getDimSize(2) != query.getDimSize(2))
      return emitOpError("has weights of type ")
             << type << ", expected [batch, time, " << query.getDimSize(2)
             << " query heads] of " << query.getElementType();
  }
  // select_blocks_c4
  if (getOffset()) {
    auto type = cast<RankedTensorType>(getOffset().getType());
    if (type.getRank() != 1 || !type.getElementType().isSignlessInteger(32) ||
        !mayBeEqual(type.getDimSize(0), query.getDimSize(0)))
      return emitOpError("has an offset of type ")
             << type << ", expected [batch] of i32";
  }
  // select_blocks_c5
  auto blockSize = static_cast<int64_t>(getBlockSize());
  if (blockSize < 1 || getCount() < 1)
    return emitOpError("chooses ") << getCount() << " blocks of " << blockSize
                                   << " keys, expected positive numbers";
  return success();
}

LogicalResult SelectBlocksOp::verifyRegions() {
  if (getAdjust().empty())
    return success();
  // select_blocks_c6
  Type type = getAccumulatorType(
      cast<RankedTensorType>(getQuery().getType()).getElementType());
  Block &body = getAdjust().front();
  bool matches =
      body.getNumArguments() == 5 && body.getArgument(0).getType() == type &&
      llvm::all_of(body.getArguments().drop_front(),
                   [](Value index) { return index.getType().isIndex(); });
  if (!matches)
    return emitOpError("has a region adjust with arguments (")
           << body.getArgumentTypes() << "), expected (" << type
           << ", index, index, index, index)";
  auto yield = dyn_cast<YieldOp>(body.getTerminator());
  if (!yield || yield.getNumOperands() != 1 ||
      yield.getOperand(0).getType() != type)
    return emitOpError("has a region adjust that does not yield one ") << type;
  return success();
}

//===----------------------------------------------------------------------===//
// StreamingInterface
//===----------------------------------------------------------------------===//

HistoryNeed SelectBlocksOp::getHistoryNeed(OpOperand &operand) {
  if (getOffset())
    return HistoryNeed::refused("this choice of blocks has an offset already");
  // Blocks are named by their positions, in a buffer that does not wrap.
  return &operand == &getKeyMutable() ? HistoryNeed::all()
                                      : HistoryNeed::pointwise();
}

FailureOr<SmallVector<Value>>
SelectBlocksOp::buildStep(OpBuilder &builder, StreamingContext &context) {
  FailureOr<Value> key =
      context.getHistory(getKey(), getHistoryNeed(getKeyMutable()));
  if (failed(key))
    return failure();
  IRMapping mapping;
  for (Value operand : getOperands())
    mapping.map(operand, context.lookup(operand));
  mapping.map(getKey(), *key);
  // The region may use values from above: they take their streaming form.
  getAdjust().walk([&](Operation *op) {
    for (Value operand : op->getOperands())
      if (!getAdjust().isAncestor(operand.getParentRegion()))
        mapping.map(operand, context.lookup(operand));
  });
  // A query that is its own key has another value as its past.
  auto step = cast<SelectBlocksOp>(builder.clone(**this, mapping));
  step.getQueryMutable().assign(context.lookup(getQuery()));
  step.getOffsetMutable().assign(context.getOffset());
  auto query = cast<RankedTensorType>(step.getQuery().getType());
  step.getResult().setType(RankedTensorType::get(
      {query.getDimSize(0), query.getDimSize(1), getListCount(), getCount()},
      builder.getI32Type()));
  return SmallVector<Value>{step.getResult()};
}
