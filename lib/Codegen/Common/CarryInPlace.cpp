//===- CarryInPlace.cpp - One buffer per loop-carried tensor -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For each tensor a loop carries, the yielded value is followed backwards
// through operations that write into a destination, slices inserted into a
// tensor, and inner loops, as far as the body's argument. Where the argument is
// reached the value is an update in place already. Otherwise it is written
// back. The write comes last in the body, so that no read of the old value can
// follow it. State slots that a function takes and returns are treated the same
// way.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "weir/Codegen/Passes.h"
#include "weir/IR/Weir.h"

namespace weir {
#define GEN_PASS_DEF_CARRYINPLACE
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// The tensor that `value` is an update of, one step back, or null.
static Value getUpdated(Value value) {
  auto result = dyn_cast<OpResult>(value);
  if (!result)
    return Value();
  Operation *op = result.getOwner();
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return loop.getInitArgs()[result.getResultNumber()];
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
    return insert.getDest();
  if (auto insert = dyn_cast<tensor::InsertOp>(op))
    return insert.getDest();
  if (auto forall = dyn_cast<scf::ForallOp>(op))
    return forall.getOutputs()[result.getResultNumber()];
  if (auto destination = dyn_cast<DestinationStyleOpInterface>(op))
    return destination.getTiedOpOperand(result)->get();
  return Value();
}

/// Whether `value` is `argument` after updates in place.
static bool isUpdateOf(Value value, Value argument) {
  for (; value; value = getUpdated(value)) {
    if (value == argument)
      return true;
    // A switch updates the argument when each of its branches does.
    auto result = dyn_cast<OpResult>(value);
    auto choice =
        result ? dyn_cast<scf::IndexSwitchOp>(result.getOwner()) : nullptr;
    if (choice)
      return llvm::all_of(choice->getRegions(), [&](Region &region) {
        Operation *yield = region.front().getTerminator();
        return isUpdateOf(yield->getOperand(result.getResultNumber()),
                          argument);
      });
  }
  return false;
}

/// Writes `operand` of a terminator into `carried` unless it is an update of
/// it.
static void writeBack(OpOperand &operand, Value carried) {
  Value next = operand.get();
  if (!isa<RankedTensorType>(next.getType()) || isUpdateOf(next, carried))
    return;
  OpBuilder builder(operand.getOwner());
  operand.set(
      bufferization::MaterializeInDestinationOp::create(
          builder, operand.getOwner()->getLoc(), next.getType(), next, carried)
          ->getResult(0));
}

/// Writes the state slots that `function` returns into those it takes.
static void writeSlotsBack(func::FuncOp function) {
  StringRef slotName = WeirDialect::getSlotAttrName();
  Operation *terminator = function.getBody().front().getTerminator();
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    Attribute slot = function.getResultAttr(i, slotName);
    for (unsigned j = 0; slot && j < function.getNumArguments(); ++j)
      if (function.getArgAttr(j, slotName) == slot)
        writeBack(terminator->getOpOperand(i), function.getArgument(j));
  }
}

namespace {
struct CarryInPlacePass : weir::impl::CarryInPlaceBase<CarryInPlacePass> {
  void runOnOperation() override {
    getOperation().walk([](scf::ForOp loop) {
      auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
      for (auto [operand, carried] :
           llvm::zip(yield->getOpOperands(), loop.getRegionIterArgs()))
        writeBack(operand, carried);
    });
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal())
        writeSlotsBack(function);
  }
};
} // namespace
