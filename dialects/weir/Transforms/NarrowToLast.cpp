//===- NarrowToLast.cpp - Compute the last token only -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One walk from the return upwards marks the ops to narrow: those that treat
// positions one by one and whose results serve marked ops or the return alone.
// A second walk, downwards, clones them on `[batch, 1, ...]`; where a marked op
// reads a value of an unmarked one, weir.select_last cuts the value.
//
//===----------------------------------------------------------------------===//

#include "AxisFlow.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace weir;

/// Whether `op` only asks for an extent other than that of time.
static bool isOtherDim(Operation *op, const AxisFlow &flow) {
  auto dim = dyn_cast<tensor::DimOp>(op);
  return dim && !flow.isExtent(dim.getResult());
}

/// Whether `op` itself may run on one position: `flow` followed time through
/// it, so that an upstream op keeps positions apart by its very form.
static bool isPointwise(Operation *op, const AxisFlow &flow) {
  if (isa<StackOp>(op) || op->hasTrait<OpTrait::IsTerminator>() || !isPure(op))
    return false;
  if (auto streaming = dyn_cast<StreamingInterface>(op))
    if (!streaming.isTimePointwise())
      return false;
  // weir.select_last cuts values with time on axis 1.
  auto misplaced = [&](Value value) {
    std::optional<int64_t> axis = flow.getAxis(value);
    return axis && *axis != TimeAxis;
  };
  if (llvm::any_of(op->getOperands(), misplaced) ||
      llvm::any_of(op->getResults(), misplaced))
    return false;
  return llvm::any_of(op->getResults(), [&](Value value) {
    return flow.getAxis(value) || flow.isExtent(value);
  });
}

LogicalResult weir::narrowToLast(func::FuncOp function, Value lengths,
                                 std::optional<AxisRefusal> &refusal) {
  FailureOr<AxisFlow> flow =
      AxisFlow::compute(function, function->getParentOfType<ModuleOp>(),
                        TimeAxis, AxisTrust::Derived, refusal);
  if (failed(flow))
    return failure();

  Block &body = function.front();
  Operation *terminator = body.getTerminator();
  llvm::SetVector<Operation *> marked;
  for (Operation &op : llvm::reverse(body)) {
    bool servesMarked = llvm::all_of(op.getUsers(), [&](Operation *user) {
      return user == terminator || marked.contains(user) ||
             isOtherDim(user, *flow);
    });
    if (servesMarked && !op.use_empty() && isPointwise(&op, *flow))
      marked.insert(&op);
  }

  OpBuilder builder(function.getContext());
  IRMapping narrow;
  auto cut = [&](Value value) {
    if (!flow->getAxis(value) || narrow.contains(value))
      return;
    narrow.map(value, SelectLastOp::create(builder, value.getLoc(),
                                           flow->getTypeAtExtent(value, 1),
                                           value, lengths)
                          .getResult());
  };
  for (Operation &op : llvm::make_early_inc_range(body)) {
    builder.setInsertionPoint(&op);
    if (marked.contains(&op)) {
      // An extent is a constant now, whatever it was taken of.
      if (!isa<tensor::DimOp>(op))
        for (Value operand : op.getOperands())
          cut(operand);
      cloneAtExtent(builder, &op, narrow, *flow, /*extent=*/1);
    } else if (isOtherDim(&op, *flow) &&
               marked.contains(op.getOperand(0).getDefiningOp())) {
      op.setOperand(0, narrow.lookup(op.getOperand(0)));
    }
  }
  builder.setInsertionPoint(terminator);
  for (OpOperand &operand : terminator->getOpOperands()) {
    cut(operand.get());
    operand.set(narrow.lookupOrDefault(operand.get()));
  }
  for (Operation *op : marked)
    op->erase();
  function.setType(FunctionType::get(function.getContext(),
                                     function.getArgumentTypes(),
                                     terminator->getOperandTypes()));
  return success();
}
