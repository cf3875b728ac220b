//===- ContractionPlan.h - Contractions and their tiles ---------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_CODEGEN_GPU_CONTRACTIONPLAN_H
#define WEIR_LIB_CODEGEN_GPU_CONTRACTIONPLAN_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include <optional>

namespace weir {

/// Rows and columns of a matrix of sums.
inline constexpr int64_t MatrixRows = 16, MatrixColumns = 8;

/// How factors of matrices are rounded; not at all in registers.
enum class Rounding { None, TF32, BF16 };

/// A contraction of buffers and the loops of its tiles.
struct Contraction {
  mlir::linalg::GenericOp op;
  /// What makes the result zero before, if that is known.
  mlir::linalg::FillOp fill;
  unsigned rows = 0, columns = 0;
  mlir::SmallVector<unsigned> outer, depth;
  /// Whether the body is the product of two factors, and added.
  bool plain = false;
};

/// How large the tiles are.
struct ContractionPlan {
  Rounding rounding = Rounding::None;
  int64_t rows = 1, columns = 1;
  /// Whether rows or columns of a tile lie side by side, for vectors.
  bool wideRows = false, wideColumns = false;
};

/// Whether `map` has the loop `loop` as its last result.
bool endsWith(mlir::AffineMap map, unsigned loop);

/// `op` as a contraction: a sum in f32 with rows and columns of which each has
/// a factor that the other does not change.
std::optional<Contraction> matchContraction(mlir::linalg::GenericOp op);

/// Tiles for a block of `threads`, or none where there are too few elements.
std::optional<ContractionPlan> planContraction(const Contraction &contraction,
                                               int64_t threads,
                                               Rounding rounding);

} // namespace weir

#endif // WEIR_LIB_CODEGEN_GPU_CONTRACTIONPLAN_H
