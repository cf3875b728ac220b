//===- FuseElementwise.cpp - One loop for chained operations ----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Upstream's patterns fuse an operation with the one that alone reads it. What
// the reader spreads over further axes stays scalar in its loops, where a
// vector of the producer's own would compute many at once. Of an operation that
// a few instructions do, such as a root, there is little to win; of exp, log
// and their like, all, unless the further axes are long enough to hide it.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "weir/Codegen/Passes.h"

namespace weir {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;

/// Elements along further axes from which on one scalar function costs less
/// than storing its result.
static constexpr int64_t LongAxes = 256;

/// Whether `op` has a function in its body that takes many instructions.
static bool isCostly(linalg::GenericOp op) {
  return llvm::any_of(op.getBody()->without_terminator(), [](Operation &inner) {
    return isa<math::ExpOp, math::LogOp, math::Log1pOp, math::TanhOp,
               math::ErfOp, math::SinOp, math::CosOp, math::PowFOp>(inner);
  });
}

/// How many times the reader of `operand` sees each of its elements; dynamic
/// extents count as long.
static int64_t getSpread(OpOperand &operand) {
  auto reader = dyn_cast<linalg::GenericOp>(operand.getOwner());
  if (!reader)
    return 1;
  AffineMap map = reader.getMatchingIndexingMap(&operand);
  int64_t spread = 1;
  for (auto [loop, extent] : llvm::enumerate(reader.getStaticLoopRanges())) {
    if (map.isFunctionOfDim(loop))
      continue;
    if (ShapedType::isDynamic(extent) || extent >= LongAxes)
      return LongAxes;
    spread *= extent;
  }
  return spread;
}

/// Whether the producer of `operand` becomes part of the reader.
static bool shouldFuse(OpOperand *operand) {
  Operation *producer = operand->get().getDefiningOp();
  if (!producer || !producer->hasOneUse())
    return false;
  auto generic = dyn_cast<linalg::GenericOp>(producer);
  if (!generic || !isCostly(generic))
    return true;
  int64_t spread = getSpread(*operand);
  return spread == 1 || spread >= LongAxes;
}

/// Whether all that reads what `maker` makes, but for `reader`, comes behind
/// `reader` in its block.
static bool isReadBehind(Operation *maker, Operation *reader) {
  return llvm::all_of(maker->getUsers(), [&](Operation *user) {
    return user == reader || (user->getBlock() == reader->getBlock() &&
                              reader->isBeforeInBlock(user));
  });
}

namespace {
/// Makes an element-wise operation part of a reduction over the same loops that
/// reads it, though others do too. A recurrence's step updates its state and
/// reads it: both in one loop, the state passes once through registers.
struct FuseUpdateIntoReduction : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp reader,
                                PatternRewriter &rewriter) const override {
    if (isa<FunctionOpInterface>(reader->getParentOp()))
      return rewriter.notifyMatchFailure(reader, "works on whole tensors");
    if (reader.getNumReductionLoops() == 0)
      return rewriter.notifyMatchFailure(reader, "reduces nothing");
    for (OpOperand *operand : reader.getDpsInputOperands()) {
      auto maker = operand->get().getDefiningOp<linalg::GenericOp>();
      if (!maker || maker->hasOneUse() ||
          maker->getBlock() != reader->getBlock() ||
          !reader.getMatchingIndexingMap(operand).isPermutation() ||
          !isReadBehind(maker, reader) ||
          !linalg::areElementwiseOpsFusable(operand))
        continue;
      FailureOr<linalg::ElementwiseOpFusionResult> fused =
          linalg::fuseElementwiseOps(rewriter, operand);
      if (failed(fused))
        continue;
      for (auto [before, after] : fused->replacements)
        rewriter.replaceAllUsesWith(before, after);
      rewriter.eraseOp(reader);
      rewriter.eraseOp(maker);
      return success();
    }
    return rewriter.notifyMatchFailure(reader, "reads nothing of the kind");
  }
};

struct FuseElementwisePass
    : weir::impl::FuseElementwiseBase<FuseElementwisePass> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    linalg::populateElementwiseOpsFusionPatterns(patterns, shouldFuse);
    patterns.add<FuseUpdateIntoReduction>(context);
    linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, shouldFuse);
    tensor::populateBubbleUpExpandShapePatterns(patterns);
    affine::AffineApplyOp::getCanonicalizationPatterns(patterns, context);
    linalg::GenericOp::getCanonicalizationPatterns(patterns, context);
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
    context->getLoadedDialect<linalg::LinalgDialect>()
        ->getCanonicalizationPatterns(patterns);
    linalg::populateConstantFoldLinalgOperations(patterns, shouldFuse);
    // What did not converge is fused less, and as right.
    (void)applyPatternsGreedily(getOperation(), std::move(patterns),
                                GreedyRewriteConfig().setUseTopDownTraversal());
  }
};
} // namespace
