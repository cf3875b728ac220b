//===- ExpertOps.cpp - Mixtures of experts -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/ShapeChecks.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

/// Verifies (C7) of `weir.experts`.
static LogicalResult verifySchedule(ExpertsOp op) {
  ScheduleAttr schedule = op.getScheduleAttr();
  if (!schedule)
    return success();
  // experts_c7
  StringRef form = schedule.getForm().getValue();
  ArrayRef<int64_t> tiles = schedule.getTiles().asArrayRef();
  if (form == "grouped" && tiles.size() == 2 && tiles[0] > 0 && tiles[1] > 0)
    return success();
  if (form == "grid" && tiles.size() == 1 && tiles[0] > 0)
    return success();
  auto input = cast<RankedTensorType>(op.getInput().getType());
  bool single = llvm::all_of(input.getShape().drop_back(),
                             [](int64_t extent) { return extent == 1; });
  if (single && (form == "slots" || form == "columns"))
    return success();
  return op.emitOpError("has the schedule ")
         << schedule
         << ", expected the form grouped with tiles [rows, parts], grid with "
            "tiles [rows], or slots or columns for one token";
}

/// What the region gets of a param: one expert's slice.
static RankedTensorType getSliceType(Value param) {
  auto type = cast<RankedTensorType>(param.getType());
  return RankedTensorType::get(type.getShape().drop_front(),
                               type.getElementType());
}

/// What the region gets, or yields, of tokens of `type`: any number of rows.
static RankedTensorType getRowsType(RankedTensorType type) {
  return RankedTensorType::get({ShapedType::kDynamic, type.getShape().back()},
                               type.getElementType());
}

int64_t ExpertsOp::getExpertCount() {
  return cast<RankedTensorType>(getParams().front().getType()).getDimSize(0);
}

int64_t ExpertsOp::getSlotCount() {
  return cast<RankedTensorType>(getIndices().getType()).getShape().back();
}

Block::BlockArgListType ExpertsOp::getParamArguments() {
  return getBody().front().getArguments().drop_front();
}

BlockArgument ExpertsOp::addParam(Value param) {
  getParamsMutable().append(param);
  return getBody().front().addArgument(getSliceType(param), param.getLoc());
}

void ExpertsOp::dropUnusedParams() {
  for (unsigned i = getParams().size(); i-- > 0;) {
    if (!getParamArguments()[i].use_empty() || getParams().size() == 1)
      continue;
    getBody().front().eraseArgument(i + 1);
    getParamsMutable().erase(i);
  }
}

void ExpertsOp::build(OpBuilder &builder, OperationState &state, Value input,
                      Value indices, Value weights, ValueRange params,
                      bool weighInput, ExpertBodyBuilder body) {
  Location loc = state.location;
  state.addOperands({input, indices, weights});
  state.addOperands(params);
  if (weighInput)
    state.getOrAddProperties<Properties>().setWeighInput(builder.getUnitAttr());
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(state.addRegion());
  auto type = cast<RankedTensorType>(input.getType());
  block->addArgument(getRowsType(type), loc);
  for (Value param : params)
    block->addArgument(getSliceType(param), loc);
  Value rows = body(builder, loc, block->getArgument(0),
                    ValueRange(block->getArguments()).drop_front());
  YieldOp::create(builder, loc, rows);
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = cast<RankedTensorType>(rows.getType()).getShape().back();
  state.addTypes(RankedTensorType::get(shape, type.getElementType()));
}

LogicalResult ExpertsOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  auto indices = cast<RankedTensorType>(getIndices().getType());
  // experts_c1
  if (input.getRank() < 2 || ShapedType::isDynamic(input.getShape().back()) ||
      !isa<FloatType>(input.getElementType()))
    return emitOpError("has an input of type ")
           << input << ", expected floats [..., D] with a static D";
  if (indices.getRank() != input.getRank() ||
      ShapedType::isDynamic(indices.getShape().back()) ||
      indices.getShape().back() < 1)
    return emitOpError("has indices of type ")
           << indices << " for an input of type " << input
           << ", expected [..., k] of i32 with a static k";
  SmallVector<int64_t> slots(input.getShape());
  slots.back() = indices.getShape().back();
  if (failed(expectTensor(*this, getIndices(), "indices", slots,
                          Builder(getContext()).getI32Type())) ||
      failed(expectTensor(*this, getWeights(), "weights", slots,
                          input.getElementType())))
    return failure();
  // experts_c2
  auto result = cast<RankedTensorType>(getResult().getType());
  SmallVector<int64_t> shape(input.getShape());
  shape.back() = result.getRank() ? result.getShape().back() : 0;
  auto expected = RankedTensorType::get(shape, input.getElementType());
  if (result != expected || ShapedType::isDynamic(shape.back()))
    return emitOpError("has result type ")
           << result << " for an input of type " << input
           << ", expected this but for the last extent";
  // experts_c3
  if (getParams().empty())
    return emitOpError("has no param, expected one or more");
  for (Value param : getParams()) {
    auto type = cast<RankedTensorType>(param.getType());
    if (type.getRank() < 1 || !type.hasStaticShape() ||
        type.getDimSize(0) < 1 ||
        type.getDimSize(0) !=
            cast<RankedTensorType>(getParams().front().getType()).getDimSize(0))
      return emitOpError("has a param of type ")
             << type
             << ", expected a static shape with one number of experts in front "
                "of all params";
  }
  return verifySchedule(*this);
}

LogicalResult ExpertsOp::verifyRegions() {
  // experts_c4
  SmallVector<Type> expected{
      getRowsType(cast<RankedTensorType>(getInput().getType()))};
  for (Value param : getParams())
    expected.push_back(getSliceType(param));
  Block &block = getBody().front();
  if (TypeRange(block.getArgumentTypes()) != TypeRange(expected))
    return emitOpError("has a region with arguments (")
           << block.getArgumentTypes() << "), expected (" << expected << ')';
  Type rows = getRowsType(cast<RankedTensorType>(getResult().getType()));
  Operation *yield = block.getTerminator();
  if (yield->getNumOperands() != 1 || yield->getOperand(0).getType() != rows)
    return emitOpError("has a region that yields (")
           << yield->getOperandTypes() << "), expected (" << rows << ')';
  return success();
}
