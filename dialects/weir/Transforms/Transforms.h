//===- weir/Transforms/Transforms.h - Rewrites of the weir dialect -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TRANSFORMS_TRANSFORMS_H
#define WEIR_TRANSFORMS_TRANSFORMS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"

namespace weir {

/// Adds the pattern that replaces any op implementing `ReferenceInterface` by
/// its plain definition in upstream dialects.
void populateReferencePatterns(mlir::RewritePatternSet &patterns);

/// Replaces all ops nested in `root` that implement `ReferenceInterface` by
/// their definitions. Fails, with a diagnostic at the op, where a definition
/// cannot be built.
mlir::LogicalResult lowerToReference(mlir::Operation *root);

/// Makes all functions of `module` compute in f64 where they compute in f32;
/// see `weir-widen-to-f64`. Fails, with a diagnostic, on ops that hold f32
/// numbers in a form the rewrite does not know.
mlir::LogicalResult widenToF64(mlir::ModuleOp module);

} // namespace weir

#endif // WEIR_TRANSFORMS_TRANSFORMS_H
