//===- IndexForms.h - Index values as affine forms --------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What predicates compute with: integers as affine forms of symbols. A symbol
// is an argument of the predicate, or the result of an operation that is not
// affine but whose bounds follow from those of its operands: a division, a
// remainder, a minimum, a choice, what a tensor holds, or an extent of one.
// Everything has bounds known at compile time, which prove that no arithmetic
// wraps around; what they cannot prove is unknown.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_INDEXFORMS_H
#define WEIR_IR_INDEXFORMS_H

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace weir {

/// Bounds of an integer, both included.
struct IndexBounds {
  int64_t least = 0;
  int64_t greatest = 0;
};

/// The sum of `constant` and of each symbol times its coefficient, which is not
/// zero.
struct IndexForm {
  llvm::SmallVector<std::pair<mlir::Value, int64_t>> terms;
  int64_t constant = 0;
  IndexBounds bounds;

  bool isConstant() const { return terms.empty(); }
  /// The coefficient of `symbol`, 0 where it has none.
  int64_t getCoefficient(mlir::Value symbol) const;
};

/// Finds the forms of values, each once.
class IndexForms {
public:
  /// Makes `argument` a symbol; a fixed one is the same in all of a tile.
  void addArgument(mlir::Value argument, IndexBounds bounds,
                   bool isFixed = false);

  /// The form of `value`, or none where it is unknown.
  std::optional<IndexForm> get(mlir::Value value);

  /// The form of `lhs - rhs`.
  std::optional<IndexForm> getDifference(mlir::Value lhs, mlir::Value rhs);

  /// Whether `form` is the same in all of a tile.
  bool isFixed(const IndexForm &form) const;

  /// Whether `extract` reads a tensor along one axis at most in a tile, so that
  /// what it reads there is soon looked through.
  bool isReadable(mlir::tensor::ExtractOp extract);

private:
  std::optional<IndexForm> find(mlir::Value value);
  /// The bounds of what an operation that is not affine gives.
  std::optional<IndexBounds> findBounds(mlir::Operation *op);
  /// The form of `lhs + factor * rhs`.
  std::optional<IndexForm> combine(const IndexForm &lhs, const IndexForm &rhs,
                                   int64_t factor);

  llvm::DenseMap<mlir::Value, std::optional<IndexForm>> forms;
  llvm::DenseMap<mlir::Value, IndexBounds> symbols;
  llvm::DenseSet<mlir::Value> fixed;
};

} // namespace weir

#endif // WEIR_IR_INDEXFORMS_H
