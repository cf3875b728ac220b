//===- SmallNumbers.h - Numbers too small to be normal -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_SMALLNUMBERS_H
#define WEIR_IR_SMALLNUMBERS_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "weir/IR/ReferenceBuilders.h"

namespace weir {

/// `value`, or 0 where it is no normal number: products of many factors end
/// there, and stay, and take many times as long as others.
inline mlir::Value buildFlushed(mlir::OpBuilder &builder, mlir::Location loc,
                                mlir::Value value) {
  using namespace mlir;
  auto type = cast<FloatType>(value.getType());
  APFloat least = APFloat::getSmallestNormalized(type.getFloatSemantics());
  Value isTiny = arith::CmpFOp::create(
      builder, loc, arith::CmpFPredicate::OLT,
      math::AbsFOp::create(builder, loc, value),
      arith::ConstantOp::create(builder, loc, FloatAttr::get(type, least)));
  return arith::SelectOp::create(builder, loc, isTiny,
                                 buildFloat(builder, loc, type, 0), value);
}

} // namespace weir

#endif // WEIR_IR_SMALLNUMBERS_H
