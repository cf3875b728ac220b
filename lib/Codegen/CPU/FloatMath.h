//===- FloatMath.h - Functions of f32 by arithmetic -------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_CODEGEN_CPU_FLOATMATH_H
#define WEIR_LIB_CODEGEN_CPU_FLOATMATH_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

namespace weir {

/// Emits arithmetic on f32, or on vectors of it, with constants splatted, so
/// that one expansion serves both.
class FloatMath {
public:
  using Value = mlir::Value;

  /// Emits at `builder` on values of `type`: f32 or a vector of f32.
  /// `avx512` allows instructions of that set.
  FloatMath(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type type,
            bool avx512)
      : builder(builder), loc(loc), type(type), avx512(avx512) {}

  Value constant(float value) const;
  Value intConstant(int32_t value) const;
  Value add(Value a, Value b) const;
  Value sub(Value a, Value b) const;
  Value mul(Value a, Value b) const;
  Value div(Value a, Value b) const;
  /// a * b + c, rounded once.
  Value fma(Value a, Value b, Value c) const;
  Value abs(Value a) const;
  /// `size` with the sign bit of `sign`.
  Value copySign(Value size, Value sign) const;
  /// The bits of a float as i32, and back.
  Value bits(Value a) const;
  Value fromBits(Value a) const;
  /// The whole number of an i32 as a float.
  Value fromInt(Value a) const;
  /// Arithmetic on i32.
  Value addInt(Value a, Value b) const;
  Value subInt(Value a, Value b) const;
  Value andInt(Value a, Value b) const;
  Value xorInt(Value a, Value b) const;
  Value shiftLeft(Value a, int32_t count) const;
  Value shiftRight(Value a, int32_t count) const;
  /// `yes` where the comparison of `a` with `bound` holds, else `no`.
  Value select(mlir::arith::CmpFPredicate predicate, Value a, float bound,
               Value yes, Value no) const;
  /// Whether one instruction multiplies by a power of two, to infinity where
  /// that is too large.
  bool canScale() const;
  /// a * 2^n for whole `n` where the bit of `where` is set, else 0; needs
  /// canScale.
  Value scale(Value a, Value n, Value where) const;
  /// Whether the comparison of `a` with `bound` holds.
  Value compare(mlir::arith::CmpFPredicate predicate, Value a,
                float bound) const;
  /// The sum of `coefficients[i]` * x^i.
  Value polynomial(Value x, llvm::ArrayRef<float> coefficients) const;

private:
  mlir::Type getIntType() const;

  mlir::OpBuilder &builder;
  mlir::Location loc;
  mlir::Type type;
  bool avx512;
};

/// exp(x) within 1.5 units in the last place; 0 where that is no normal number.
mlir::Value buildExp(const FloatMath &m, mlir::Value x);
/// The natural logarithm of x, and of 1 + x.
mlir::Value buildLog(const FloatMath &m, mlir::Value x);
mlir::Value buildLog1p(const FloatMath &m, mlir::Value x);
/// The sine and the cosine of x, to an error of about 1e-7 for |x| up to 1e5.
mlir::Value buildSin(const FloatMath &m, mlir::Value x);
mlir::Value buildCos(const FloatMath &m, mlir::Value x);
/// The hyperbolic tangent.
mlir::Value buildTanh(const FloatMath &m, mlir::Value x);
/// The error function.
mlir::Value buildErf(const FloatMath &m, mlir::Value x);

} // namespace weir

#endif // WEIR_LIB_CODEGEN_CPU_FLOATMATH_H
