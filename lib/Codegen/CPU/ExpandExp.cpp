//===- ExpandExp.cpp - exp by arithmetic -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// exp(x) = 2^n * exp(r) with n = round(x / ln 2) and r = x - n ln 2, |r| <=
// ln(2) / 2. ln 2 is split in two so that n times its upper part is exact.
// exp(r) is 1 + r + r^2 p(r), with p of degree 4 fitted for the least largest
// relative error on that interval. n is rounded by adding 1.5 * 2^23, whose sum
// holds n in its low bits, so that no conversion to integers is needed and a
// NaN passes through; 2^n is then added to the exponent.
//
// The largest n is 128, where exp(r) is below 1 for every x whose result is
// finite, so that the exponent does not overflow. Results below the smallest
// normal number are 0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "weir/Codegen/Passes.h"
#include <limits>

namespace weir {
#define GEN_PASS_DEF_EXPANDEXP
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;

namespace {
/// Arithmetic on f32, or on vectors of it, with constants splatted.
struct FloatMath {
  OpBuilder &builder;
  Location loc;
  Type type;

  Type getIntType() const {
    Type i32 = builder.getI32Type();
    if (auto vector = dyn_cast<VectorType>(type))
      return vector.clone(i32);
    return i32;
  }
  Value constant(float value) const {
    TypedAttr attr = builder.getF32FloatAttr(value);
    if (auto vector = dyn_cast<VectorType>(type))
      attr = DenseElementsAttr::get(vector, value);
    return arith::ConstantOp::create(builder, loc, attr);
  }
  Value intConstant(int32_t value) const {
    TypedAttr attr = builder.getI32IntegerAttr(value);
    if (auto vector = dyn_cast<VectorType>(getIntType()))
      attr = DenseElementsAttr::get(vector, value);
    return arith::ConstantOp::create(builder, loc, attr);
  }
  Value fma(Value a, Value b, Value c) const {
    return math::FmaOp::create(builder, loc, a, b, c);
  }
  Value bits(Value value) const {
    return arith::BitcastOp::create(builder, loc, getIntType(), value);
  }
};

struct ExpandExp : OpRewritePattern<math::ExpOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::ExpOp op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32() ||
        isa<TensorType>(op.getType()))
      return rewriter.notifyMatchFailure(op, "is not of f32 or a vector of it");
    Location loc = op.getLoc();
    FloatMath m{rewriter, loc, op.getType()};
    Value x = op.getOperand();
    Value magic = m.constant(12582912.0f); // 1.5 * 2^23
    Value shifted = m.fma(x, m.constant(1.44269504088896341f), magic);
    Value n = arith::SubFOp::create(rewriter, loc, shifted, magic);
    Value r = m.fma(n, m.constant(-0.693145751953125f), x);
    r = m.fma(n, m.constant(-1.428606765330187e-06f), r);
    Value p = m.constant(0.00138145395f);
    for (float coefficient :
         {0.00836874545f, 0.0416683890f, 0.166665211f, 0.499999940f})
      p = m.fma(p, r, m.constant(coefficient));
    Value squared = arith::MulFOp::create(rewriter, loc, r, r);
    Value result = m.fma(p, squared, r);
    result = arith::AddFOp::create(rewriter, loc, result, m.constant(1.0f));
    Value exponent = arith::ShLIOp::create(rewriter, loc, m.bits(shifted),
                                           m.intConstant(23));
    Value scaled =
        arith::AddIOp::create(rewriter, loc, m.bits(result), exponent);
    result = arith::BitcastOp::create(rewriter, loc, op.getType(), scaled);
    // Comparisons are true for what lies outside, hence false for NaN.
    Value small = arith::CmpFOp::create(
        rewriter, loc, arith::CmpFPredicate::OLT, x, m.constant(-87.3365402f));
    result =
        arith::SelectOp::create(rewriter, loc, small, m.constant(0.0f), result);
    Value large = arith::CmpFOp::create(
        rewriter, loc, arith::CmpFPredicate::OGT, x, m.constant(88.7228391f));
    result = arith::SelectOp::create(
        rewriter, loc, large,
        m.constant(std::numeric_limits<float>::infinity()), result);
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct ExpandExpPass : weir::impl::ExpandExpBase<ExpandExpPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandExp>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
