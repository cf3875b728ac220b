//===- SliceReads.h - What points of a loop read ----------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_CODEGEN_COMMON_SLICEREADS_H
#define WEIR_LIB_CODEGEN_COMMON_SLICEREADS_H

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace weir {

/// Whether points of `loop` read different slices: each of its indices, times a
/// number and plus less than that, is an offset of `slice`.
bool readsApart(mlir::tensor::ExtractSliceOp slice, mlir::scf::ForallOp loop);

} // namespace weir

#endif // WEIR_LIB_CODEGEN_COMMON_SLICEREADS_H
