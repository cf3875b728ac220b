//===- ScanBodies.h - Steps of scans ---------------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The vocabulary that steps of `weir.scan` are written in: one time position of
// one row at a time, all extents static.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_SCANBODIES_H
#define WEIR_LIB_FRONTEND_FAMILIES_SCANBODIES_H

#include "weir/Frontend/ModelBuilder.h"

namespace weir {

/// Builds one step of one row: from time positions of the inputs and the states
/// before, those of the outputs and the states behind.
using StepFn = llvm::function_ref<llvm::SmallVector<mlir::Value>(
    mlir::OpBuilder &, mlir::Location, mlir::ValueRange now,
    mlir::ValueRange before)>;

/// A scan over time of `inputs`, `[batch, time]` and any extents behind, from
/// `states`, which all rows begin with. Its outputs are `[batch, time]` and
/// `outputs` behind.
llvm::SmallVector<mlir::Value>
buildScan(ModelBuilder &builder, mlir::ValueRange inputs,
          mlir::ValueRange states,
          llvm::ArrayRef<llvm::SmallVector<int64_t>> outputs, StepFn step);

/// A tensor of numbers that are all `value`.
mlir::Value buildSplat(mlir::OpBuilder &builder, mlir::Location loc,
                       llvm::ArrayRef<int64_t> shape, float value);

/// An input of a step's operation, and which of its loops its axes are.
struct Indexed {
  mlir::Value value;
  llvm::SmallVector<unsigned> axes;
};

/// Applies `element` over loops of the extents `shape`; gives `results` tensors
/// of that shape.
llvm::SmallVector<mlir::Value>
buildMap(mlir::OpBuilder &builder, mlir::Location loc,
         llvm::ArrayRef<int64_t> shape, unsigned results,
         llvm::ArrayRef<Indexed> inputs,
         llvm::function_ref<llvm::SmallVector<mlir::Value>(
             mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>
             element);

/// `start`, of the extents of the loops but the last, plus the products of two
/// inputs' elements, summed over the last loop.
mlir::Value buildProductSum(mlir::OpBuilder &builder, mlir::Location loc,
                            const Indexed &lhs, const Indexed &rhs,
                            mlir::Value start);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_SCANBODIES_H
