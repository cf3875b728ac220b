//===- InlineScopes.cpp - Remove scopes of stack memory --------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/PatternMatch.h"
#include "weir/Codegen/Passes.h"

namespace weir {
#define GEN_PASS_DEF_INLINESCOPES
#include "weir/Codegen/CPUPasses.h.inc"
} // namespace weir

using namespace mlir;

/// Whether stack memory is taken within `scope` itself.
static bool hasAllocas(memref::AllocaScopeOp scope) {
  WalkResult walk = scope.getBodyRegion().walk([&](memref::AllocaOp alloca) {
    return alloca->getParentWithTrait<OpTrait::AutomaticAllocationScope>() ==
                   scope
               ? WalkResult::interrupt()
               : WalkResult::advance();
  });
  return walk.wasInterrupted();
}

namespace {
struct InlineScopesPass : weir::impl::InlineScopesBase<InlineScopesPass> {
  void runOnOperation() override {
    SmallVector<memref::AllocaScopeOp> scopes;
    getOperation()->walk(
        [&](memref::AllocaScopeOp scope) { scopes.push_back(scope); });
    IRRewriter rewriter(&getContext());
    for (memref::AllocaScopeOp scope : scopes) {
      if (hasAllocas(scope) || !scope.getBodyRegion().hasOneBlock())
        continue;
      Block &body = scope.getBodyRegion().front();
      Operation *terminator = body.getTerminator();
      SmallVector<Value> results(terminator->getOperands());
      rewriter.inlineBlockBefore(&body, scope);
      rewriter.eraseOp(terminator);
      rewriter.replaceOp(scope, results);
    }
  }
};
} // namespace
