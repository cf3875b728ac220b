//===- DropSlotResults.cpp - Return no slot updated in place ----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "weir/Codegen/Passes.h"
#include "weir/IR/Weir.h"

namespace weir {
#define GEN_PASS_DEF_DROPSLOTRESULTS
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// Drops the slots among the results of `function`.
static LogicalResult dropSlots(func::FuncOp function) {
  StringRef slotName = WeirDialect::getSlotAttrName();
  Operation *terminator = function.getBody().front().getTerminator();
  BitVector dropped(function.getNumResults());
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    Attribute slot = function.getResultAttr(i, slotName);
    // What an encoder gives is no state that it took.
    auto isSlot = [&](unsigned argument) {
      return function.getArgAttr(argument, slotName) == slot;
    };
    if (!slot || llvm::none_of(llvm::seq(function.getNumArguments()), isSlot))
      continue;
    Value returned = terminator->getOperand(i);
    while (auto cast = returned.getDefiningOp<memref::CastOp>())
      returned = cast.getSource();
    auto argument = dyn_cast<BlockArgument>(returned);
    if (!argument || argument.getOwner() != &function.getBody().front() ||
        function.getArgAttr(argument.getArgNumber(), slotName) != slot)
      return function.emitOpError("returns the state slot ")
             << slot << " in a new buffer, expected it updated in place";
    dropped.set(i);
  }
  terminator->eraseOperands(dropped);
  return function.eraseResults(dropped);
}

namespace {
struct DropSlotResultsPass
    : weir::impl::DropSlotResultsBase<DropSlotResultsPass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && failed(dropSlots(function)))
        return signalPassFailure();
  }
};
} // namespace
