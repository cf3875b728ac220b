//===- ScanOps.cpp - Loops over time -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"
#include "weir/IR/ScanAxes.h"
#include "weir/IR/ShapeChecks.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

/// `type` with `extents` before its own.
static RankedTensorType addAxes(Type type, ArrayRef<int64_t> extents) {
  SmallVector<int64_t> shape(extents);
  auto tensor = cast<RankedTensorType>(type);
  llvm::append_range(shape, tensor.getShape());
  return RankedTensorType::get(shape, tensor.getElementType());
}

/// `type` without its first `count` axes.
static RankedTensorType dropAxes(Type type, size_t count) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(tensor.getShape().drop_front(count),
                               tensor.getElementType());
}

Block::BlockArgListType ScanOp::getInputArguments() {
  return getBody().front().getArguments().take_front(getInputs().size());
}

Block::BlockArgListType ScanOp::getStateArguments() {
  return getBody().front().getArguments().slice(getInputs().size(),
                                                getStates().size());
}

Block::BlockArgListType ScanOp::getParamArguments() {
  return getBody().front().getArguments().drop_front(getInputs().size() +
                                                     getStates().size());
}

bool ScanOp::isBatched(unsigned state) {
  return cast<RankedTensorType>(getStates()[state].getType()).getRank() ==
         cast<RankedTensorType>(getFinalStates()[state].getType()).getRank();
}

void ScanOp::build(OpBuilder &builder, OperationState &state, ValueRange inputs,
                   ValueRange states, TypeRange stateTypes,
                   ScanStepBuilder step) {
  Location loc = state.location;
  state.addOperands(inputs);
  state.addOperands(states);
  Properties &properties = state.getOrAddProperties<Properties>();
  properties.operandSegmentSizes = {static_cast<int32_t>(inputs.size()),
                                    static_cast<int32_t>(states.size()), 0, 0};
  OpBuilder::InsertionGuard guard(builder);
  Block *body = builder.createBlock(state.addRegion());
  for (Value input : inputs)
    body->addArgument(dropAxes(input.getType(), 2), loc);
  for (Type type : stateTypes)
    body->addArgument(type, loc);
  ValueRange arguments(body->getArguments());
  ScanStep results = step(builder, loc, arguments.take_front(inputs.size()),
                          arguments.drop_front(inputs.size()));
  ArrayRef<int64_t> sequence =
      cast<RankedTensorType>(inputs.front().getType()).getShape().take_front(2);
  for (Value output : results.outputs)
    state.addTypes(addAxes(output.getType(), sequence));
  for (Type type : stateTypes)
    state.addTypes(addAxes(type, sequence.front()));
  properties.resultSegmentSizes = {static_cast<int32_t>(results.outputs.size()),
                                   static_cast<int32_t>(stateTypes.size())};
  SmallVector<Value> yielded(results.outputs);
  llvm::append_range(yielded, results.states);
  YieldOp::create(builder, loc, yielded);
}

void ScanOp::isolate(OpBuilder &builder) {
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(getBody(), captured);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&getBody().front());
  for (Value value : captured) {
    Operation *source = value.getDefiningOp();
    Value inner;
    if (ScanAxes::isFree(value) ||
        (source && matchPattern(source, m_Constant()))) {
      inner = builder.clone(*source)->getResult(0);
    } else {
      getParamsMutable().append(value);
      inner = getBody().front().addArgument(value.getType(), value.getLoc());
    }
    replaceAllUsesInRegionWith(value, inner, getBody());
  }
}

/// Fails unless `type`, the `name` of an op, has static extents behind `axes`
/// leading ones.
static LogicalResult expectAxes(Operation *op, Type type, StringRef name,
                                int64_t axes, StringRef expected) {
  auto tensor = cast<RankedTensorType>(type);
  if (tensor.getRank() >= axes &&
      !ShapedType::isDynamicShape(tensor.getShape().drop_front(axes)))
    return success();
  return op->emitOpError("has ") << name << " of type " << type << ", expected "
                                 << expected << " with static extents behind";
}

LogicalResult ScanOp::verify() {
  // scan_c1
  if (getInputs().empty())
    return emitOpError("has no input, expected one or more");
  if (getOutputs().empty())
    return emitOpError("has no output, expected one or more");
  int64_t batch = ShapedType::kDynamic, time = ShapedType::kDynamic;
  auto check = [&](ValueRange values, StringRef name) -> LogicalResult {
    for (Value value : values) {
      auto type = cast<RankedTensorType>(value.getType());
      if (failed(expectAxes(*this, type, name, 2, "[batch, time, ...]")))
        return failure();
      if (!mayBeEqual(type.getDimSize(BatchAxis), batch) ||
          !mayBeEqual(type.getDimSize(TimeAxis), time))
        return emitOpError("has ")
               << name << " of type " << type << " beside others of "
               << getInputs().front().getType()
               << ", expected the same batch and time";
      if (ShapedType::isDynamic(batch))
        batch = type.getDimSize(BatchAxis);
      if (ShapedType::isDynamic(time))
        time = type.getDimSize(TimeAxis);
    }
    return success();
  };
  if (failed(check(getInputs(), "an input")) ||
      failed(check(getOutputs(), "an output")))
    return failure();
  // scan_c2
  if (getStates().empty())
    return emitOpError("has no state, expected one or more");
  if (getStates().size() != getFinalStates().size())
    return emitOpError("has ")
           << getStates().size() << " states and " << getFinalStates().size()
           << " final ones, expected as many";
  for (Value state : getFinalStates()) {
    auto type = cast<RankedTensorType>(state.getType());
    if (failed(expectAxes(*this, type, "a final state", 1, "[batch, ...]")))
      return failure();
    if (!mayBeEqual(type.getDimSize(BatchAxis), batch))
      return emitOpError("has a final state of type ")
             << type << ", expected the batch of " << batch;
  }
  for (auto [state, after] : llvm::zip_equal(getStates(), getFinalStates())) {
    auto type = cast<RankedTensorType>(state.getType());
    auto whole = cast<RankedTensorType>(after.getType());
    RankedTensorType row = dropAxes(whole, 1);
    bool batched = mayHaveShape(type, addAxes(row, batch).getShape()) &&
                   !ShapedType::isDynamicShape(type.getShape().drop_front());
    if (type.getElementType() != whole.getElementType() ||
        (!batched && type != row))
      return emitOpError("has a state of type ")
             << type << ", expected " << row << " or "
             << addAxes(row, ShapedType::kDynamic);
  }
  // scan_c6
  for (Value param : getParams())
    if (auto type = dyn_cast<ShapedType>(param.getType()))
      if (!isa<RankedTensorType>(type) || !type.hasStaticShape())
        return emitOpError("has a param of type ")
               << type << ", expected a tensor of static extents or a scalar";
  // scan_c4
  return expectTensor(*this, getLengths(), "lengths", batch,
                      IntegerType::get(getContext(), 32));
}

LogicalResult ScanOp::verifyRegions() {
  // scan_c3
  Block &body = getBody().front();
  auto check = [&](TypeRange found, ArrayRef<Type> expected,
                   StringRef what) -> LogicalResult {
    if (found.size() != expected.size())
      return emitOpError("has a region with ")
             << found.size() << " " << what << ", expected " << expected.size();
    for (auto [number, pair] : llvm::enumerate(llvm::zip(found, expected)))
      if (std::get<0>(pair) != std::get<1>(pair))
        return emitOpError("has a region with ")
               << what << " " << number << " of type " << std::get<0>(pair)
               << ", expected " << std::get<1>(pair);
    return success();
  };
  SmallVector<Type> arguments, yielded;
  for (Value input : getInputs())
    arguments.push_back(dropAxes(input.getType(), 2));
  for (Value output : getOutputs())
    yielded.push_back(dropAxes(output.getType(), 2));
  for (Value state : getFinalStates()) {
    arguments.push_back(dropAxes(state.getType(), 1));
    yielded.push_back(dropAxes(state.getType(), 1));
  }
  llvm::append_range(arguments, getParams().getTypes());
  if (failed(check(body.getArgumentTypes(), arguments, "arguments")))
    return failure();
  return check(body.getTerminator()->getOperandTypes(), yielded,
               "yielded values");
}
