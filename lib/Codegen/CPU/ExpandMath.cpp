//===- ExpandMath.cpp - Functions of f32 become arithmetic ------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One pattern for all functions; the formulas are in FloatMath.cpp.
//
//===----------------------------------------------------------------------===//

#include "FloatMath.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "weir/Codegen/Passes.h"

namespace weir {
#define GEN_PASS_DEF_EXPANDMATH
#include "weir/Codegen/CPUPasses.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

namespace {
/// Replaces an `Op` of f32, or of vectors of it, by what `build` emits.
template <typename Op, Value (*build)(const FloatMath &, Value)>
struct Expand : OpRewritePattern<Op> {
  Expand(MLIRContext *context, bool avx512)
      : OpRewritePattern<Op>(context), avx512(avx512) {}

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!getElementTypeOrSelf(type).isF32() || isa<TensorType>(type))
      return rewriter.notifyMatchFailure(op, "is not of f32 or a vector of it");
    FloatMath m(rewriter, op.getLoc(), type, avx512);
    rewriter.replaceOp(op, build(m, op.getOperand()));
    return success();
  }

  bool avx512;
};

struct ExpandMathPass : weir::impl::ExpandMathBase<ExpandMathPass> {
  using ExpandMathBase::ExpandMathBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns
        .add<Expand<math::ExpOp, buildExp>, Expand<math::LogOp, buildLog>,
             Expand<math::Log1pOp, buildLog1p>, Expand<math::TanhOp, buildTanh>,
             Expand<math::ErfOp, buildErf>>(&getContext(), avx512);
    if (angles)
      patterns
          .add<Expand<math::SinOp, buildSin>, Expand<math::CosOp, buildCos>>(
              &getContext(), avx512);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
