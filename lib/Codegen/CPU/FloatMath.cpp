//===- FloatMath.cpp - Functions of f32 by arithmetic -----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Polynomials were fitted for the least largest relative error of the function,
// their coefficients rounded to f32 one after the other, the others fitted anew
// each time. Where a function is made of two formulas, both are computed and
// one is chosen, so that all elements of a vector do the same.
//
// exp(x) = 2^n * exp(r) with n = round(x / ln 2) and r = x - n ln 2, |r| <=
// ln(2) / 2. ln 2 is split in two so that n times its upper part is exact.
// exp(r) is 1 + r + r^2 p(r), summed from the highest power. n is rounded by
// adding 1.5 * 2^23, whose sum holds n in its low bits, so that no conversion
// to integers is needed; 2^n is then added to the exponent. The largest n is
// 128, where exp(r) is below 1 for every x whose result is finite, so that the
// exponent does not overflow. AVX-512 multiplies by 2^n in one instruction
// instead, whatever the result.
//
// log(y) = e ln 2 + log(1 + f) with y = 2^e (1 + f) and 1 + f in [sqrt(1/2),
// sqrt(2)): e and f come from the bits of y, after those of sqrt(1/2) are
// subtracted. log(1 + f) is f + f^2 q(f). What is below the smallest normal
// number is multiplied by 2^23 first.
//
// log(1 + x) takes e from 1 + x, whose rounding does not matter there, and
// finds f = x 2^-e + (2^-e - 1) in one rounding, hence all of a small x. Above
// 2^24 adding 1 does nothing, and f is as for the logarithm.
//
// The sine and the cosine come from those of r = x - n pi / 2, |r| <= pi / 4,
// with n as in exp and pi / 2 in three parts, by the first terms of their
// series, which are exact enough there; n modulo 4 says which of them and its
// sign.
//
// tanh(x) is x + x^3 t(x^2) near 0, and 1 - 2 / (exp(2 |x|) + 1) with the sign
// of x elsewhere. erf(x) is x + x p(x^2) near 0, and 1 - exp(g(|x|)) elsewhere,
// with g fitted to the logarithm of the complement up to 4, behind which the
// result is 1.
//
//===----------------------------------------------------------------------===//

#include "FloatMath.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <limits>

using namespace mlir;
using namespace weir;
using arith::CmpFPredicate;

static constexpr float Infinity = std::numeric_limits<float>::infinity();
static constexpr float NaN = std::numeric_limits<float>::quiet_NaN();

Type FloatMath::getIntType() const {
  Type i32 = builder.getI32Type();
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.clone(i32);
  return i32;
}

Value FloatMath::constant(float value) const {
  TypedAttr attr = builder.getF32FloatAttr(value);
  if (auto vector = dyn_cast<VectorType>(type))
    attr = DenseElementsAttr::get(vector, value);
  return arith::ConstantOp::create(builder, loc, attr);
}

Value FloatMath::intConstant(int32_t value) const {
  TypedAttr attr = builder.getI32IntegerAttr(value);
  if (auto vector = dyn_cast<VectorType>(getIntType()))
    attr = DenseElementsAttr::get(vector, value);
  return arith::ConstantOp::create(builder, loc, attr);
}

Value FloatMath::add(Value a, Value b) const {
  return arith::AddFOp::create(builder, loc, a, b);
}

Value FloatMath::sub(Value a, Value b) const {
  return arith::SubFOp::create(builder, loc, a, b);
}

Value FloatMath::mul(Value a, Value b) const {
  return arith::MulFOp::create(builder, loc, a, b);
}

Value FloatMath::div(Value a, Value b) const {
  return arith::DivFOp::create(builder, loc, a, b);
}

Value FloatMath::fma(Value a, Value b, Value c) const {
  return math::FmaOp::create(builder, loc, a, b, c);
}

Value FloatMath::abs(Value a) const {
  return math::AbsFOp::create(builder, loc, a);
}

Value FloatMath::copySign(Value size, Value sign) const {
  return math::CopySignOp::create(builder, loc, size, sign);
}

Value FloatMath::bits(Value a) const {
  return arith::BitcastOp::create(builder, loc, getIntType(), a);
}

Value FloatMath::fromBits(Value a) const {
  return arith::BitcastOp::create(builder, loc, type, a);
}

Value FloatMath::fromInt(Value a) const {
  return arith::SIToFPOp::create(builder, loc, type, a);
}

Value FloatMath::addInt(Value a, Value b) const {
  return arith::AddIOp::create(builder, loc, a, b);
}

Value FloatMath::subInt(Value a, Value b) const {
  return arith::SubIOp::create(builder, loc, a, b);
}

Value FloatMath::andInt(Value a, Value b) const {
  return arith::AndIOp::create(builder, loc, a, b);
}

Value FloatMath::xorInt(Value a, Value b) const {
  return arith::XOrIOp::create(builder, loc, a, b);
}

Value FloatMath::shiftLeft(Value a, int32_t count) const {
  return arith::ShLIOp::create(builder, loc, a, intConstant(count));
}

Value FloatMath::shiftRight(Value a, int32_t count) const {
  return arith::ShRSIOp::create(builder, loc, a, intConstant(count));
}

Value FloatMath::compare(CmpFPredicate predicate, Value a, float bound) const {
  return arith::CmpFOp::create(builder, loc, predicate, a, constant(bound));
}

Value FloatMath::select(CmpFPredicate predicate, Value a, float bound,
                        Value yes, Value no) const {
  return arith::SelectOp::create(builder, loc, compare(predicate, a, bound),
                                 yes, no);
}

bool FloatMath::canScale() const {
  auto vector = dyn_cast<VectorType>(type);
  return avx512 && vector && vector.getShape() == ArrayRef<int64_t>{16};
}

Value FloatMath::scale(Value a, Value n, Value where) const {
  // The instruction takes a mask of bits.
  auto bitsType = VectorType::get({1}, builder.getI16Type());
  Value bits = vector::BitCastOp::create(builder, loc, bitsType, where);
  Value mask = vector::ExtractOp::create(builder, loc, bits, 0);
  Value rounding = arith::ConstantOp::create(
      builder, loc, builder.getI32IntegerAttr(4)); // the current one
  return LLVM::CallIntrinsicOp::create(
             builder, loc, type,
             builder.getStringAttr("llvm.x86.avx512.mask.scalef.ps.512"),
             ValueRange{a, n, constant(0.0f), mask, rounding})
      .getResult(0);
}

Value FloatMath::polynomial(Value x, ArrayRef<float> coefficients) const {
  Value sum = constant(coefficients.back());
  for (float coefficient : llvm::reverse(coefficients.drop_back()))
    sum = fma(sum, x, constant(coefficient));
  return sum;
}

/// Below this exp is smaller than the smallest normal number.
static constexpr float SmallestExponent = -87.3365402f;

Value weir::buildExp(const FloatMath &m, Value x) {
  Value bounded = x;
  // Above it the result is infinite, and n stays a whole number.
  if (m.canScale())
    bounded =
        m.select(CmpFPredicate::OGT, x, 90.0f, m.constant(90.0f), bounded);
  Value magic = m.constant(12582912.0f); // 1.5 * 2^23
  Value shifted = m.fma(bounded, m.constant(1.44269504088896341f), magic);
  Value n = m.sub(shifted, magic);
  Value r = m.fma(n, m.constant(-0.693145751953125f), bounded);
  r = m.fma(n, m.constant(-1.428606765330187e-06f), r);
  Value p = m.polynomial(r, {1.0f, 1.0f, 0.499999940f, 0.166665211f,
                             0.0416683890f, 0.00836874545f, 0.00138145395f});
  // A result below the normal numbers would take the processor a hundred times
  // as long.
  if (m.canScale())
    return m.scale(p, n, m.compare(CmpFPredicate::UGE, x, SmallestExponent));
  Value result =
      m.fromBits(m.addInt(m.bits(p), m.shiftLeft(m.bits(shifted), 23)));
  result = m.select(CmpFPredicate::OLT, x, SmallestExponent, m.constant(0.0f),
                    result);
  // Infinity, or the NaN that x is.
  return m.select(CmpFPredicate::UGT, x, 88.7228391f,
                  m.add(x, m.constant(Infinity)), result);
}

namespace {
/// A number as 2^exponent * (1 + fraction).
struct Scaled {
  /// `exponent` times 2^23, as i32.
  Value shifted;
  Value exponent;
  Value fraction;
};
} // namespace

/// The parts of `y`, which is normal and positive.
static Scaled buildScaled(const FloatMath &m, Value y) {
  Value distance = m.subInt(m.bits(y), m.intConstant(0x3F3504F3)); // sqrt(1/2)
  Value shifted = m.andInt(distance, m.intConstant(~0x7FFFFF));
  Value mantissa = m.fromBits(m.subInt(m.bits(y), shifted));
  return {shifted, m.fromInt(m.shiftRight(distance, 23)),
          m.sub(mantissa, m.constant(1.0f))};
}

/// exponent * ln 2 + log(1 + fraction).
static Value buildLogOfParts(const FloatMath &m, Value exponent,
                             Value fraction) {
  Value q =
      m.polynomial(fraction, {-0.499999881f, 0.333333254f, -0.250016004f,
                              0.20002f, -0.166087627f, 0.14181219f,
                              -0.132446885f, 0.129084989f, -0.0762286186f});
  Value rest = m.mul(m.mul(fraction, fraction), q);
  rest = m.fma(exponent, m.constant(-2.12194440e-4f), rest);
  return m.fma(exponent, m.constant(0.693359375f), m.add(fraction, rest));
}

/// Corrects the logarithm `result` of x - `pole` where x is no normal number
/// above the pole.
static Value buildLogEnds(const FloatMath &m, Value x, float pole,
                          Value result) {
  result = m.select(CmpFPredicate::OLT, x, pole, m.constant(NaN), result);
  result = m.select(CmpFPredicate::OEQ, x, pole, m.constant(-Infinity), result);
  return m.select(CmpFPredicate::UGE, x, Infinity, x, result);
}

Value weir::buildLog(const FloatMath &m, Value x) {
  constexpr float SmallestNormal = std::numeric_limits<float>::min();
  Value y = m.select(CmpFPredicate::OLT, x, SmallestNormal,
                     m.mul(x, m.constant(8388608.0f)), x);
  Scaled parts = buildScaled(m, y);
  Value exponent =
      m.sub(parts.exponent, m.select(CmpFPredicate::OLT, x, SmallestNormal,
                                     m.constant(23.0f), m.constant(0.0f)));
  return buildLogEnds(m, x, 0.0f, buildLogOfParts(m, exponent, parts.fraction));
}

Value weir::buildLog1p(const FloatMath &m, Value x) {
  Value one = m.constant(1.0f);
  Scaled parts = buildScaled(m, m.add(x, one));
  Value scale = m.fromBits(m.subInt(m.bits(one), parts.shifted)); // 2^-e
  Value fraction = m.fma(x, scale, m.sub(scale, one));
  fraction =
      m.select(CmpFPredicate::OGT, x, 16777216.0f, parts.fraction, fraction);
  Value result =
      buildLogEnds(m, x, -1.0f, buildLogOfParts(m, parts.exponent, fraction));
  // Zeros keep their sign.
  return m.copySign(result, x);
}

/// The sine of x + `quarters` * pi / 2.
static Value buildAngle(const FloatMath &m, Value x, int32_t quarters) {
  // n is rounded as in exp; it is exact up to 2^22.
  Value magic = m.constant(12582912.0f);
  Value shifted = m.fma(x, m.constant(0.636619772f), magic);
  Value n = m.sub(shifted, magic);
  Value r = m.fma(n, m.constant(-1.57079637050628662f), x);
  r = m.fma(n, m.constant(4.37113900018624283e-8f), r);
  r = m.fma(n, m.constant(1.71512451e-15f), r);
  Value quarter = m.addInt(m.bits(shifted), m.intConstant(quarters));
  Value square = m.mul(r, r);
  Value s = m.polynomial(
      square, {-0.166666672f, 8.33333377e-3f, -1.98412701e-4f, 2.75573188e-6f});
  Value sine = m.fma(m.mul(s, square), r, r);
  Value c = m.polynomial(square, {0.0416666679f, -1.38888892e-3f,
                                  2.48015876e-5f, -2.75573188e-7f});
  Value cosine = m.fma(m.mul(c, square), square,
                       m.fma(square, m.constant(-0.5f), m.constant(1.0f)));
  // An odd number of quarters swaps the two, and half turns change the sign.
  Value odd = m.fromInt(m.andInt(quarter, m.intConstant(1)));
  Value size = m.select(CmpFPredicate::OEQ, odd, 1.0f, cosine, sine);
  Value sign = m.shiftLeft(m.andInt(quarter, m.intConstant(2)), 30);
  return m.fromBits(m.xorInt(m.bits(size), sign));
}

Value weir::buildSin(const FloatMath &m, Value x) {
  return buildAngle(m, x, 0);
}

Value weir::buildCos(const FloatMath &m, Value x) {
  return buildAngle(m, x, 1);
}

Value weir::buildTanh(const FloatMath &m, Value x) {
  Value one = m.constant(1.0f);
  Value size = m.abs(x);
  Value square = m.mul(x, x);
  Value t = m.polynomial(square, {-0.333332807f, 0.133314088f, -0.0537369177f,
                                  0.0206298362f, -0.00569446804f});
  Value small = m.fma(m.mul(t, square), x, x);
  Value power = buildExp(m, m.add(size, size));
  Value large = m.sub(one, m.div(m.constant(2.0f), m.add(power, one)));
  return m.copySign(m.select(CmpFPredicate::OLT, size, 0.625f, small, large),
                    x);
}

Value weir::buildErf(const FloatMath &m, Value x) {
  Value size = m.abs(x);
  Value p = m.polynomial(m.mul(x, x),
                         {0.128379151f, -0.376125067f, 0.112819612f,
                          -0.0267720968f, 0.00500149652f, -0.000603450695f});
  Value small = m.fma(p, x, x);
  Value bounded =
      m.select(CmpFPredicate::OGT, size, 4.0f, m.constant(4.0f), size);
  Value g = m.polynomial(bounded, {-0.000166439073f, -1.12779725f,
                                   -0.636976123f, -0.104113616f, 0.0223151781f,
                                   -0.00306548364f, 0.000198219728f});
  Value large = m.sub(m.constant(1.0f), buildExp(m, g));
  return m.copySign(m.select(CmpFPredicate::OLT, size, 0.9f, small, large), x);
}
