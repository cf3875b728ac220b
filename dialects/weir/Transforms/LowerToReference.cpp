//===- LowerToReference.cpp - Ops by their plain definitions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/Weir.h"
#include "weir/Transforms/Passes.h"
#include "weir/Transforms/Transforms.h"

namespace weir {
#define GEN_PASS_DEF_LOWERTOREFERENCEPASS
#include "weir/Transforms/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

namespace {

/// Replaces an op by what its `ReferenceInterface` builds.
struct ReplaceByDefinition : OpInterfaceRewritePattern<ReferenceInterface> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(ReferenceInterface op,
                                PatternRewriter &rewriter) const override {
    FailureOr<SmallVector<Value>> values = op.buildReference(rewriter);
    if (failed(values))
      return rewriter.notifyMatchFailure(op, "has no definition to build");
    rewriter.replaceOp(op, *values);
    return success();
  }
};

struct LowerToReferencePass
    : weir::impl::LowerToReferencePassBase<LowerToReferencePass> {
  void runOnOperation() override {
    if (failed(lowerToReference(getOperation())))
      signalPassFailure();
  }
};

} // namespace

void weir::populateReferencePatterns(RewritePatternSet &patterns) {
  patterns.add<ReplaceByDefinition>(patterns.getContext());
}

LogicalResult weir::lowerToReference(Operation *root) {
  // One walk, innermost ops first, so that regions an op inlines into its
  // definition hold upstream ops only. No folding: the oracle stays plain.
  IRRewriter rewriter(root->getContext());
  WalkResult result = root->walk([&](ReferenceInterface op) {
    rewriter.setInsertionPoint(op);
    FailureOr<SmallVector<Value>> values = op.buildReference(rewriter);
    if (failed(values)) {
      op->emitOpError("has no reference definition for these types");
      return WalkResult::interrupt();
    }
    rewriter.replaceOp(op, *values);
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}
