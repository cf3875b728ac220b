//===- weir/Transforms/Transforms.h - Rewrites of the dialect -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TRANSFORMS_TRANSFORMS_H
#define WEIR_TRANSFORMS_TRANSFORMS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"
#include <optional>

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

/// How `deriveStreaming` treats functions that cannot stream.
struct DeriveStreamingOptions {
  /// Fail with an error, instead of leaving a remark and the module attribute
  /// `weir.no_streaming`.
  bool require = true;
};

/// The streaming steps of a function; null where none were derived.
struct StreamingFunctions {
  /// Of functions of several sequences alone.
  mlir::func::FuncOp encode;
  mlir::func::FuncOp extend;
  mlir::func::FuncOp extendLast;
};

/// Derives the state and the streaming steps of a whole-sequence function into
/// its module; see `weir-derive-streaming`.
mlir::FailureOr<StreamingFunctions>
deriveStreaming(mlir::func::FuncOp forward,
                const DeriveStreamingOptions &options);

/// Extents that `specializeStep` fixes; none stays dynamic.
struct SpecializeTimeOptions {
  std::optional<int64_t> time = 1;
  std::optional<int64_t> batch;
};

/// Copies a streaming step for fixed extents, behind it in its module, and
/// returns the copy; see `weir-specialize-time`. Returns null where the step
/// has no such dynamic extent.
mlir::FailureOr<mlir::func::FuncOp>
specializeStep(mlir::func::FuncOp step, const SpecializeTimeOptions &options);

} // namespace weir

#endif // WEIR_TRANSFORMS_TRANSFORMS_H
