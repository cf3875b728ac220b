//===- LowerPointwise.cpp - Rewrite pointwise ops to linalg -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/PatternMatch.h"
#include "weir/IR/Weir.h"
#include "weir/Transforms/Passes.h"

namespace weir {
#define GEN_PASS_DEF_LOWERPOINTWISEPASS
#include "weir/Transforms/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// Whether `op` treats positions one by one and is not cut into tiles as it is.
static bool isPlainPointwise(Operation *op) {
  auto streaming = dyn_cast<StreamingInterface>(op);
  return streaming && streaming.isTimePointwise() && !isa<TilingInterface>(op);
}

namespace {
struct LowerPointwise : weir::impl::LowerPointwisePassBase<LowerPointwise> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    WalkResult walk = getOperation()->walk([&](ReferenceInterface op) {
      if (!op.hasOwnLowering() && !isPlainPointwise(op))
        return WalkResult::advance();
      rewriter.setInsertionPoint(op);
      FailureOr<SmallVector<Value>> values = op.buildLowering(rewriter);
      if (failed(values)) {
        op.emitOpError("has no lowering for its operand types; expected "
                       "floats with static extents behind batch and time");
        return WalkResult::interrupt();
      }
      rewriter.replaceOp(op, *values);
      return WalkResult::skip();
    });
    if (walk.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
