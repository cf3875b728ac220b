//===- LowerLoops.cpp - Structured loops become branches -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As upstream's conversion, but that a counted loop tests at its end:
//
//   for i in lb .. ub:        if lb < ub:
//     body            ->        do { body; i += step } while (i < ub)
//
// LLVM brings all loops to this form first. It does so loop by loop, and looks
// at what surrounds each one again, which in a function of hundreds of loops
// took most of the time of compiling it.
//
//===----------------------------------------------------------------------===//

#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Transforms/DialectConversion.h"
#include "weir/Codegen/Passes.h"

namespace weir {
#define GEN_PASS_DEF_LOWERLOOPS
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;

namespace {

struct LowerFor : OpRewritePattern<scf::ForOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(scf::ForOp loop,
                                PatternRewriter &rewriter) const override {
    Location loc = loop.getLoc();
    auto predicate = loop.getUnsignedCmp() ? arith::CmpIPredicate::ult
                                           : arith::CmpIPredicate::slt;
    Block *before = rewriter.getInsertionBlock();
    Block *after = rewriter.splitBlock(before, rewriter.getInsertionPoint());
    SmallVector<Location> places(loop.getNumResults(), loc);
    Block *end = rewriter.createBlock(after, loop.getResultTypes(), places);
    cf::BranchOp::create(rewriter, loc, after, ValueRange());

    Block *first = loop.getBody();
    Operation *yield = first->getTerminator();
    rewriter.inlineRegionBefore(loop.getRegion(), end);
    rewriter.setInsertionPoint(yield);
    Value next = arith::AddIOp::create(rewriter, loc, first->getArgument(0),
                                       loop.getStep());
    Value isInside = arith::CmpIOp::create(rewriter, loc, predicate, next,
                                           loop.getUpperBound());
    SmallVector<Value> carried{next};
    llvm::append_range(carried, yield->getOperands());
    // The way out of the loop is another than past it, as LLVM wants it.
    Block *exit = rewriter.createBlock(end, loop.getResultTypes(), places);
    cf::BranchOp::create(rewriter, loc, end, exit->getArguments());
    rewriter.setInsertionPoint(yield);
    auto latch = cf::CondBranchOp::create(rewriter, loc, isInside, first,
                                          carried, exit, yield->getOperands());
    // What LLVM is to do with the loop, such as `llvm.loop_annotation`.
    for (NamedAttribute attr : loop->getDiscardableAttrs())
      if (isa_and_present<LLVM::LLVMDialect>(attr.getNameDialect()))
        latch->setDiscardableAttr(attr.getName(), attr.getValue());
    rewriter.eraseOp(yield);

    Block *entry = rewriter.createBlock(first);
    SmallVector<Value> initial{loop.getLowerBound()};
    llvm::append_range(initial, loop.getInitArgs());
    cf::BranchOp::create(rewriter, loc, first, initial);
    rewriter.setInsertionPointToEnd(before);
    Value isAny = arith::CmpIOp::create(
        rewriter, loc, predicate, loop.getLowerBound(), loop.getUpperBound());
    cf::CondBranchOp::create(rewriter, loc, isAny, entry, ValueRange(), end,
                             loop.getInitArgs());
    rewriter.replaceOp(loop, end->getArguments());
    return success();
  }
};

struct LowerLoopsPass : weir::impl::LowerLoopsBase<LowerLoopsPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateSCFToControlFlowConversionPatterns(patterns);
    patterns.add<LowerFor>(&getContext(), /*benefit=*/2);
    ConversionTarget target(getContext());
    target
        .addIllegalOp<scf::ForallOp, scf::ForOp, scf::IfOp, scf::IndexSwitchOp,
                      scf::ParallelOp, scf::WhileOp, scf::ExecuteRegionOp>();
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    if (failed(applyPartialConversion(getOperation(), target,
                                      std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
