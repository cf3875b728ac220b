//===- weir/IR/ShapeChecks.h - Types that may agree at run time -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What verifiers of sequence ops share. Passes make batch and time static one
// value after the other, so any mix of static and dynamic extents is accepted
// that may be equal at run time.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_SHAPECHECKS_H
#define WEIR_IR_SHAPECHECKS_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

namespace weir {

/// Whether two extents may be the same at run time.
bool mayBeEqual(int64_t lhs, int64_t rhs);

/// Whether a tensor of `type` may have `shape` at run time.
bool mayHaveShape(mlir::RankedTensorType type, llvm::ArrayRef<int64_t> shape);

/// Fails with an error on `op` unless `value`, its `name`, may be a tensor of
/// `shape` and `element`. A null value is one that is not given, and passes.
mlir::LogicalResult expectTensor(mlir::Operation *op, mlir::Value value,
                                 llvm::StringRef name,
                                 llvm::ArrayRef<int64_t> shape,
                                 mlir::Type element);

} // namespace weir

#endif // WEIR_IR_SHAPECHECKS_H
