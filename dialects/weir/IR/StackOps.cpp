//===- StackOps.cpp - Repeated layers -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/PatternMatch.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

int64_t StackOp::getLayerCount(unsigned kind) {
  return llvm::count(getOrder(), static_cast<int32_t>(kind));
}

LogicalResult StackOp::verify() {
  // stack_c3
  int32_t kinds = getKinds().size();
  for (int32_t kind : getOrder())
    if (kind < 0 || kind >= kinds)
      return emitOpError("has layer kind ")
             << kind << " in its order when it has " << kinds << " regions";
  for (int32_t kind = 0; kind < kinds; ++kind)
    if (!llvm::is_contained(getOrder(), kind))
      return emitOpError("has a region for layer kind ")
             << kind << ", which its order never names";
  // stack_c2, here and not with the regions, so that the message comes before
  // the general one about control flow.
  for (Region &region : getKinds()) {
    Block &body = region.front();
    if (body.getNumArguments() != getNumResults() + 1 ||
        !body.getArgument(0).getType().isIndex() ||
        ValueRange(body.getArguments().drop_front()).getTypes() !=
            getResultTypes())
      return emitOpError("has a region with arguments (")
             << body.getArgumentTypes() << "), expected (index, "
             << getResultTypes() << ')';
    auto yield = body.empty() ? nullptr : dyn_cast<YieldOp>(body.back());
    if (!yield || yield.getOperandTypes() != getResultTypes())
      return emitOpError("has a region that does not yield (")
             << getResultTypes() << ')';
  }
  return success();
}

void StackOp::getSuccessorRegions(RegionBranchPoint,
                                  SmallVectorImpl<RegionSuccessor> &regions) {
  // Any kind may come first or next, and any may be last.
  for (Region &region : getKinds())
    regions.emplace_back(&region, region.getArguments().drop_front());
  regions.emplace_back(getOperation(), getResults());
}

OperandRange StackOp::getEntrySuccessorOperands(RegionSuccessor) {
  return getInits();
}

//===----------------------------------------------------------------------===//
// Canonical form
//===----------------------------------------------------------------------===//

namespace {
/// No layers hand through what they get, and a single layer needs no stack.
struct InlineShortStack : OpRewritePattern<StackOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(StackOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getOrder().empty()) {
      rewriter.replaceOp(op, op.getInits());
      return success();
    }
    if (op.getOrder().size() > 1)
      return rewriter.notifyMatchFailure(op, "has several layers");
    Block &body = op.getKinds().front().front();
    Operation *yield = body.getTerminator();
    SmallVector<Value> arguments{
        arith::ConstantIndexOp::create(rewriter, op.getLoc(), 0)};
    llvm::append_range(arguments, op.getInits());
    rewriter.inlineBlockBefore(&body, op, arguments);
    rewriter.replaceOp(op, yield->getOperands());
    rewriter.eraseOp(yield);
    return success();
  }
};
} // namespace

void StackOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                          MLIRContext *context) {
  patterns.add<InlineShortStack>(context);
  // Values that no layer changes, or nobody reads, are not carried.
  populateRegionBranchOpInterfaceCanonicalizationPatterns(
      patterns, StackOp::getOperationName());
}
