//===- weir/Frontend/WeightSource.h - Weights at compile time --*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Expressions over checkpoint tensors, evaluated on demand and by ranges: a
// model's weights stacked over its layers need never be in memory at once.
// Where all that an expression does is rearrange rows, the stored blocks of a
// quantised checkpoint come through unchanged.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_FRONTEND_WEIGHTSOURCE_H
#define WEIR_FRONTEND_WEIGHTSOURCE_H

#include "weir/Frontend/Checkpoint.h"

namespace weir {

class WeightSource;
/// Expressions are immutable and shared. They refer to the checkpoint, which
/// must outlive them.
using WeightRef = std::shared_ptr<const WeightSource>;

/// A node of a weight expression: a row-major f32 tensor that can be read.
/// Reading is thread-safe.
class WeightSource {
public:
  virtual ~WeightSource();

  /// A stored tensor. Fails when its type cannot be decoded.
  static llvm::Expected<WeightRef> leaf(const TensorInfo &tensor);
  /// As above, by name; marks the tensor used and fails when it is missing.
  static llvm::Expected<WeightRef> leaf(Checkpoint &checkpoint,
                                        llvm::StringRef name);
  /// Given values. Fails when the count does not fit the shape.
  static llvm::Expected<WeightRef> constant(std::vector<float> values,
                                            llvm::ArrayRef<int64_t> shape);
  /// Tensors of one shape along a new leading axis. Fails on none.
  static llvm::Expected<WeightRef> stack(llvm::ArrayRef<WeightRef> parts);
  /// Tensors joined along `axis`; the other extents agree.
  static llvm::Expected<WeightRef> concat(int64_t axis,
                                          llvm::ArrayRef<WeightRef> parts);
  /// Result axis `i` is source axis `permutation[i]`. Reading a part of a
  /// result whose innermost axis moved decodes the whole source range that
  /// the leading unmoved axes select, so read those in one go.
  static llvm::Expected<WeightRef> permute(llvm::ArrayRef<int64_t> permutation,
                                           WeightRef source);
  /// The same elements in another shape.
  static llvm::Expected<WeightRef> reshape(llvm::ArrayRef<int64_t> shape,
                                           WeightRef source);
  /// `sizes[i]` entries from `offsets[i]` on, of each axis.
  static llvm::Expected<WeightRef> slice(llvm::ArrayRef<int64_t> offsets,
                                         llvm::ArrayRef<int64_t> sizes,
                                         WeightRef source);
  /// Values rounded to those of F16, BF16, F32 or F64.
  static llvm::Expected<WeightRef> cast(StorageType type, WeightRef source);

  llvm::ArrayRef<int64_t> shape() const { return extents; }
  int64_t getNumElements() const { return numElements; }
  /// Elements of one entry of the leading axis; all for a scalar.
  int64_t getSliceElements() const;

  /// Reads `out.size()` elements from flattened position `begin` on, in the
  /// calling thread. Out of range is an error.
  llvm::Error read(int64_t begin, llvm::MutableArrayRef<float> out) const;

  /// Reads entries [rowBegin, rowEnd) of the leading axis, in several threads
  /// where that is worth it. `out` has exactly their size.
  llvm::Error readRows(int64_t rowBegin, int64_t rowEnd,
                       llvm::MutableArrayRef<float> out) const;

  /// Entry `index` of the leading axis: a layer of a stacked weight.
  llvm::Expected<std::vector<float>> evaluateSlice(int64_t index) const;

  /// Everything at once.
  llvm::Expected<std::vector<float>> evaluate() const;

  /// The type in which all stored tensors below are stored, if it is one.
  /// Constants, having no stored form, count as F32 and casts as their type.
  virtual std::optional<StorageType> storedType() const = 0;

  /// Q8_0, Q4_0, Q4_1, MXFP4 or F8_E4M3 when every row (innermost axis) is a
  /// whole row stored in that type, and whole blocks of 32, so that `blocks`
  /// gives it without requantising.
  std::optional<StorageType> blockType() const;

  /// The stored blocks of entry `index` of the leading axis, its other axes but
  /// the innermost flattened into rows. Of a matrix that is one row, so use
  /// `blockRows` for those. None when `blockType` is none.
  llvm::Expected<std::optional<QuantizedRows>> blocks(int64_t index) const;

  /// The stored blocks of rows [rowBegin, rowEnd), all axes but the innermost
  /// flattened. None when `blockType` is none.
  llvm::Expected<std::optional<QuantizedRows>> blockRows(int64_t rowBegin,
                                                         int64_t rowEnd) const;

  /// A row of a stored tensor.
  struct RowLocation {
    const TensorInfo *tensor;
    int64_t row;
  };

protected:
  explicit WeightSource(llvm::ArrayRef<int64_t> shape);

  /// Reads a range known to be inside.
  virtual llvm::Error readRange(int64_t begin,
                                llvm::MutableArrayRef<float> out) const = 0;

  /// Whether each row is a whole row of a stored tensor, `locateRow` says
  /// which.
  virtual bool hasStoredRows() const = 0;

  /// Where row `row` (all axes but the innermost flattened) is stored. Called
  /// only when `hasStoredRows`.
  virtual RowLocation locateRow(int64_t row) const = 0;

  /// Elements to read in one go, at multiples of it, since a part of them costs
  /// as much as all; 1 when any range is as good as another.
  virtual int64_t readUnit() const = 0;

  /// Whether this node only moves axes: those fold into each other and let
  /// slices through.
  virtual bool isPermute() const { return false; }

  /// What is said above, of a source of the calling node.
  static bool storesRows(const WeightSource &source) {
    return source.hasStoredRows();
  }
  static RowLocation locateIn(const WeightSource &source, int64_t row) {
    return source.locateRow(row);
  }
  static int64_t unitOf(const WeightSource &source) {
    return source.readUnit();
  }

private:
  llvm::SmallVector<int64_t, 4> extents;
  int64_t numElements;
};

} // namespace weir

#endif // WEIR_FRONTEND_WEIGHTSOURCE_H
