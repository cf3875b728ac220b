//===- weir/IR/ConstantOperands.h - Operands known while compiling -*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_CONSTANTOPERANDS_H
#define WEIR_IR_CONSTANTOPERANDS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Matchers.h"

namespace weir {

/// Whether `value` is a constant tensor of integers for all of which `holds`.
template <typename Predicate>
bool isConstantOf(mlir::Value value, Predicate holds) {
  mlir::DenseIntElementsAttr numbers;
  return value && mlir::matchPattern(value, mlir::m_Constant(&numbers)) &&
         llvm::all_of(numbers.getValues<llvm::APInt>(), holds);
}

/// Whether `value` is a constant tensor of floats that are all `number`, zeros
/// of either sign being the same.
inline bool isConstantFloat(mlir::Value value, double number) {
  mlir::DenseFPElementsAttr numbers;
  return value && mlir::matchPattern(value, mlir::m_Constant(&numbers)) &&
         numbers.isSplat() &&
         numbers.getSplatValue<llvm::APFloat>().convertToDouble() == number;
}

} // namespace weir

#endif // WEIR_IR_CONSTANTOPERANDS_H
