//===- weir/IR/ScanAxes.h - Axes a scan may be cut along -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Axes of the values in a scan's region that must have the same index whenever
// they meet form a class. A class is element-wise when the region computes what
// has one index along it from what has the same index alone: its part of the
// states and outputs can then be computed by itself, from its part of the
// inputs, states and params.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_SCANAXES_H
#define WEIR_IR_SCANAXES_H

#include "weir/IR/Weir.h"
#include "llvm/ADT/DenseMap.h"

namespace weir {

/// The element-wise classes of a scan that uses no tensor from above (see
/// `ScanOp::isolate`), numbered as they are met in its states and outputs.
class ScanAxes {
public:
  explicit ScanAxes(ScanOp op);

  /// Extents of the element-wise classes.
  llvm::ArrayRef<int64_t> getExtents() const { return extents; }
  /// Whether any part of `value` may be made in its place where it is read: a
  /// `tensor.empty` or a constant of one number. Its axes depend on the reader.
  static bool isFree(mlir::Value value);

  /// The class of each axis of `value`, an argument or result in the region, or
  /// none where the axis must stay whole.
  llvm::SmallVector<std::optional<unsigned>>
  getClasses(mlir::Value value) const;
  /// The same for what `operand` reads.
  llvm::SmallVector<std::optional<unsigned>>
  getClasses(mlir::OpOperand &operand) const;
  /// The type of `value` in a tile that has `tiles[c]` of the extent of class
  /// c.
  mlir::Type getTileType(mlir::Value value,
                         llvm::ArrayRef<int64_t> tiles) const;
  /// The same for what `operand` reads.
  mlir::Type getTileType(mlir::OpOperand &operand,
                         llvm::ArrayRef<int64_t> tiles) const;

private:
  llvm::SmallVector<std::optional<unsigned>> getClasses(const void *holder,
                                                        mlir::Type type) const;

  llvm::SmallVector<int64_t> extents;
  /// By the value, or the operand that reads a free one, and the axis.
  llvm::DenseMap<std::pair<const void *, unsigned>, unsigned> classes;
};

} // namespace weir

#endif // WEIR_IR_SCANAXES_H
