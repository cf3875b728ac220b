//===- ThreadLoops.h - Operations on buffers by threads ---------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_CODEGEN_GPU_THREADLOOPS_H
#define WEIR_LIB_CODEGEN_GPU_THREADLOOPS_H

#include "mlir/IR/Builders.h"

namespace weir {

/// The number of the thread at hand among those that share an operation, whole
/// warps of neighbours, and how many they are.
struct ThreadPlace {
  mlir::Value thread, threads;
};

/// Emits at `builder` what the thread at `place` does of `op`, a copy or an
/// operation of linalg on buffers. Fails with an error at `op` when it has no
/// such form.
llvm::LogicalResult buildThreadLoops(mlir::OpBuilder &builder,
                                     mlir::Operation *op,
                                     const ThreadPlace &place);

/// How the elements of `operand`, a buffer, are dealt out to threads by what
/// `buildThreadLoops` makes of `op`: the map from its parallel loops to
/// elements. Two operations with one map and one operand deal them out alike.
/// Null where a thread touches elements that are another's too.
mlir::AffineMap findThreadMap(mlir::Operation *op, mlir::Value operand);

} // namespace weir

#endif // WEIR_LIB_CODEGEN_GPU_THREADLOOPS_H
