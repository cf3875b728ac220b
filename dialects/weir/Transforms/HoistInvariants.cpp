//===- HoistInvariants.cpp - Move what all layers share out of a stack -*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Walks the regions of each stack in order and moves out every operation
// without side effects whose operands are defined outside. Operations moved
// make their users movable in turn, so one walk in program order suffices.
//
//===----------------------------------------------------------------------===//

#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "weir/Transforms/Passes.h"

namespace weir {
#define GEN_PASS_DEF_HOISTINVARIANTSPASS
#include "weir/Transforms/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// Whether `op` may run in front of `stack` instead of in each layer.
static bool isInvariant(Operation &op, StackOp stack) {
  if (op.hasTrait<OpTrait::IsTerminator>() || !isPure(&op))
    return false;
  bool invariant = true;
  op.walk([&](Operation *nested) {
    for (Value operand : nested->getOperands()) {
      Operation *parent = operand.getParentRegion()->getParentOp();
      invariant &= !stack->isAncestor(parent) || op.isAncestor(parent);
    }
  });
  return invariant;
}

namespace {
struct HoistInvariantsPass
    : weir::impl::HoistInvariantsPassBase<HoistInvariantsPass> {
  void runOnOperation() override {
    getOperation()->walk([](StackOp stack) {
      for (Region &kind : stack.getKinds())
        for (Operation &op : llvm::make_early_inc_range(kind.front()))
          if (isInvariant(op, stack))
            op.moveBefore(stack);
    });
  }
};
} // namespace
