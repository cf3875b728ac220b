//===- RearrangeWeights.cpp - Weights in other orders --------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The nodes that move, cut or round the elements of one source. Ranges of a
// result whose innermost axis moved are no ranges of the source: these nodes
// read sources whole (in pieces) and scatter. `readUnit` tells the nodes above
// about that, so that no source is decoded over and over for small ranges.
//
//===----------------------------------------------------------------------===//

#include "Shapes.h"

#include "weir/Frontend/WeightSource.h"

#include <cstring>

using namespace llvm;
using namespace weir;

namespace {

/// Axes in another order.
class Permute : public WeightSource {
public:
  Permute(ArrayRef<int64_t> shape, ArrayRef<int64_t> permutation,
          WeightRef source);

  std::optional<StorageType> storedType() const override {
    return source->storedType();
  }
  ArrayRef<int64_t> getPermutation() const { return permutation; }
  const WeightRef &getSource() const { return source; }

protected:
  Error readRange(int64_t begin, MutableArrayRef<float> out) const override;
  bool hasStoredRows() const override {
    return permutation.back() == static_cast<int64_t>(permutation.size()) - 1 &&
           storesRows(*source);
  }
  RowLocation locateRow(int64_t row) const override {
    int64_t cols = shape().back();
    return locateIn(*source, getSourcePosition(row * cols) / cols);
  }
  int64_t readUnit() const override { return scatters ? chunk : 1; }
  bool isPermute() const override { return true; }

private:
  /// Where the element at `position` of the result comes from.
  int64_t getSourcePosition(int64_t position) const {
    int64_t result = 0;
    for (size_t i = 0, e = permutation.size(); i != e; ++i) {
      result += position / strides[i] * sourceStrides[permutation[i]];
      position %= strides[i];
    }
    return result;
  }
  /// Where the element at `position` of the source goes.
  int64_t getResultPosition(int64_t position) const {
    int64_t result = 0;
    for (size_t i = 0, e = permutation.size(); i != e; ++i) {
      result += position / sourceStrides[i] * stridesOfSource[i];
      position %= sourceStrides[i];
    }
    return result;
  }
  Error scatterChunk(int64_t chunkBegin, int64_t begin,
                     MutableArrayRef<float> out) const;

  SmallVector<int64_t, 4> permutation;
  WeightRef source;
  SmallVector<int64_t, 4> strides, sourceStrides;
  /// The stride in the result of each source axis.
  SmallVector<int64_t, 4> stridesOfSource;
  /// Elements of the trailing axes that stay.
  int64_t run = 1;
  /// Elements after the leading axes that stay.
  int64_t chunk = 1;
  bool scatters;
};

/// Another shape.
class Reshape : public WeightSource {
public:
  Reshape(ArrayRef<int64_t> shape, WeightRef source)
      : WeightSource(shape), source(std::move(source)) {}

  std::optional<StorageType> storedType() const override {
    return source->storedType();
  }

protected:
  Error readRange(int64_t begin, MutableArrayRef<float> out) const override {
    return source->read(begin, out);
  }
  bool hasStoredRows() const override {
    return !shape().empty() && !source->shape().empty() &&
           shape().back() == source->shape().back() && storesRows(*source);
  }
  RowLocation locateRow(int64_t row) const override {
    return locateIn(*source, row);
  }
  int64_t readUnit() const override { return unitOf(*source); }

private:
  WeightRef source;
};

/// A box of a tensor.
class Slice : public WeightSource {
public:
  Slice(ArrayRef<int64_t> offsets, ArrayRef<int64_t> sizes, WeightRef source)
      : WeightSource(sizes), offsets(offsets), source(std::move(source)),
        strides(getStrides(sizes)),
        sourceStrides(getStrides(this->source->shape())) {
    size_t axis = sizes.size();
    // Up to and with the innermost axis that is cut, elements are neighbours.
    while (axis > 0) {
      --axis;
      run *= sizes[axis];
      if (sizes[axis] != this->source->shape()[axis])
        break;
    }
  }

  std::optional<StorageType> storedType() const override {
    return source->storedType();
  }

protected:
  Error readRange(int64_t begin, MutableArrayRef<float> out) const override;
  bool hasStoredRows() const override {
    return shape().back() == source->shape().back() && storesRows(*source);
  }
  RowLocation locateRow(int64_t row) const override {
    int64_t cols = shape().back();
    return locateIn(*source, getSourcePosition(row * cols) / cols);
  }
  int64_t readUnit() const override {
    return unitOf(*source) == 1 ? 1 : getNumElements();
  }

private:
  int64_t getSourcePosition(int64_t position) const {
    int64_t result = 0;
    for (size_t i = 0, e = offsets.size(); i != e; ++i) {
      result += (offsets[i] + position / strides[i]) * sourceStrides[i];
      position %= strides[i];
    }
    return result;
  }

  SmallVector<int64_t, 4> offsets;
  WeightRef source;
  SmallVector<int64_t, 4> strides, sourceStrides;
  int64_t run = 1;
};

/// Values rounded to another type.
class Cast : public WeightSource {
public:
  Cast(StorageType type, WeightRef source)
      : WeightSource(source->shape()), type(type), source(std::move(source)) {}

  std::optional<StorageType> storedType() const override { return type; }

protected:
  Error readRange(int64_t begin, MutableArrayRef<float> out) const override {
    if (Error error = source->read(begin, out))
      return error;
    return roundThrough(type, out);
  }
  bool hasStoredRows() const override { return false; }
  RowLocation locateRow(int64_t) const override { return {nullptr, 0}; }
  int64_t readUnit() const override { return unitOf(*source); }

private:
  StorageType type;
  WeightRef source;
};

} // namespace

//===----------------------------------------------------------------------===//
// Permute
//===----------------------------------------------------------------------===//

Permute::Permute(ArrayRef<int64_t> shape, ArrayRef<int64_t> permutation,
                 WeightRef source)
    : WeightSource(shape), permutation(permutation), source(std::move(source)),
      strides(getStrides(shape)),
      sourceStrides(getStrides(this->source->shape())),
      stridesOfSource(shape.size()) {
  int64_t rank = permutation.size();
  for (int64_t i = 0; i != rank; ++i)
    stridesOfSource[permutation[i]] = strides[i];
  for (int64_t i = rank; i > 0 && permutation[i - 1] == i - 1; --i)
    run *= shape[i - 1];
  int64_t leading = 0;
  while (leading < rank && permutation[leading] == leading)
    ++leading;
  chunk = multiply(shape.drop_front(leading));
  scatters = permutation.back() != rank - 1 || unitOf(*this->source) > 1;
}

Error Permute::readRange(int64_t begin, MutableArrayRef<float> out) const {
  int64_t end = begin + out.size();
  if (scatters) {
    for (int64_t at = begin / chunk * chunk; at < end; at += chunk)
      if (Error error = scatterChunk(at, begin, out))
        return error;
    return Error::success();
  }
  while (begin < end) {
    int64_t count = std::min(run - begin % run, end - begin);
    if (Error error =
            source->read(getSourcePosition(begin), out.take_front(count)))
      return error;
    begin += count;
    out = out.drop_front(count);
  }
  return Error::success();
}

/// Reads the chunk at `chunkBegin` and stores what falls into `out`, which
/// begins at position `begin` of the result.
Error Permute::scatterChunk(int64_t chunkBegin, int64_t begin,
                            MutableArrayRef<float> out) const {
  constexpr int64_t pieceElements = 1 << 20;
  // Rows are taken in groups: neighbouring rows often go to neighbouring
  // places, so a group fills cache lines that one row only touches.
  constexpr int64_t group = 16, columns = 64;
  int64_t end = begin + out.size();
  int64_t rowSize = source->shape().back();
  int64_t stride = stridesOfSource.back();
  int64_t unit = std::max(rowSize, unitOf(*source));
  // Units of the source and rows divide the chunk, but not each other.
  int64_t piece = unit % rowSize == 0
                      ? std::max<int64_t>(pieceElements / unit, 1) * unit
                      : chunk;
  std::vector<float> values;
  for (int64_t at = 0; at < chunk; at += piece) {
    values.resize(std::min(piece, chunk - at));
    if (Error error = source->read(chunkBegin + at, values))
      return error;
    int64_t rows = static_cast<int64_t>(values.size()) / rowSize;
    for (int64_t row = 0; row < rows; row += group) {
      int64_t count = std::min(group, rows - row);
      // Where each row goes, and which part of it is asked for.
      int64_t bases[group], firsts[group], lasts[group];
      for (int64_t i = 0; i != count; ++i) {
        bases[i] =
            getResultPosition(chunkBegin + at + (row + i) * rowSize) - begin;
        firsts[i] = bases[i] >= 0 ? 0 : (-bases[i] + stride - 1) / stride;
        int64_t room = end - begin - bases[i];
        lasts[i] =
            room <= 0 ? 0 : std::min(rowSize, (room + stride - 1) / stride);
      }
      for (int64_t column = 0; column < rowSize; column += columns) {
        for (int64_t i = 0; i != count; ++i) {
          const float *from = values.data() + (row + i) * rowSize;
          int64_t last = std::min(lasts[i], column + columns);
          for (int64_t j = std::max(firsts[i], column); j < last; ++j)
            out[bases[i] + j * stride] = from[j];
        }
      }
    }
  }
  return Error::success();
}

/// Whether `permutation` holds 0..n-1, each once.
static bool isPermutation(ArrayRef<int64_t> permutation) {
  SmallVector<int64_t> sorted(permutation);
  llvm::sort(sorted);
  for (auto [i, axis] : llvm::enumerate(sorted))
    if (axis != static_cast<int64_t>(i))
      return false;
  return true;
}

Expected<WeightRef> WeightSource::permute(ArrayRef<int64_t> permutation,
                                          WeightRef source) {
  if (permutation.size() != source->shape().size() ||
      !isPermutation(permutation))
    return createStringError(
        formatv("{0} is no permutation of the axes of a weight of shape {1}",
                describeShape(permutation), describeShape(source->shape())));
  // Two permutations are one; no permutation is none.
  SmallVector<int64_t, 4> axes(permutation);
  if (source->isPermute()) {
    auto *inner = static_cast<const Permute *>(source.get());
    for (int64_t &axis : axes)
      axis = inner->getPermutation()[axis];
    WeightRef innermost = inner->getSource();
    source = std::move(innermost);
  }
  if (llvm::is_sorted(axes))
    return source;
  SmallVector<int64_t, 4> shape;
  for (int64_t axis : axes)
    shape.push_back(source->shape()[axis]);
  return std::make_shared<Permute>(shape, axes, std::move(source));
}

//===----------------------------------------------------------------------===//
// Reshape, slice and cast
//===----------------------------------------------------------------------===//

Expected<WeightRef> WeightSource::reshape(ArrayRef<int64_t> shape,
                                          WeightRef source) {
  if (Error error = checkShape(shape))
    return std::move(error);
  if (multiply(shape) != source->getNumElements())
    return createStringError(
        formatv("cannot reshape a weight of shape {0} to {1}, expected as many "
                "elements",
                describeShape(source->shape()), describeShape(shape)));
  if (shape == source->shape())
    return source;
  return std::make_shared<Reshape>(shape, std::move(source));
}

Error Slice::readRange(int64_t begin, MutableArrayRef<float> out) const {
  // Where parts of the source cost as much as all, read all that is spanned.
  int64_t end = begin + out.size();
  std::vector<float> spanned;
  int64_t spannedBegin = getSourcePosition(begin);
  if (unitOf(*source) > 1) {
    spanned.resize(getSourcePosition(end - 1) + 1 - spannedBegin);
    if (Error error = source->read(spannedBegin, spanned))
      return error;
  }
  while (begin < end) {
    int64_t count = std::min(run - begin % run, end - begin);
    int64_t from = getSourcePosition(begin);
    if (spanned.empty()) {
      if (Error error = source->read(from, out.take_front(count)))
        return error;
    } else {
      std::memcpy(out.data(), spanned.data() + (from - spannedBegin),
                  count * sizeof(float));
    }
    begin += count;
    out = out.drop_front(count);
  }
  return Error::success();
}

Expected<WeightRef> WeightSource::slice(ArrayRef<int64_t> offsets,
                                        ArrayRef<int64_t> sizes,
                                        WeightRef source) {
  ArrayRef<int64_t> shape = source->shape();
  bool fits = offsets.size() == shape.size() && sizes.size() == shape.size();
  for (size_t i = 0; fits && i != shape.size(); ++i)
    fits = offsets[i] >= 0 && sizes[i] >= 0 && sizes[i] <= shape[i] &&
           offsets[i] <= shape[i] - sizes[i];
  if (!fits)
    return createStringError(formatv(
        "a slice at {0} of size {1} is outside a weight of shape {2}",
        describeShape(offsets), describeShape(sizes), describeShape(shape)));
  if (sizes == shape)
    return source;
  // Slicing first saves decoding what the slice drops.
  if (source->isPermute()) {
    auto *inner = static_cast<const Permute *>(source.get());
    SmallVector<int64_t, 4> innerOffsets(shape.size()),
        innerSizes(shape.size());
    for (auto [i, axis] : llvm::enumerate(inner->getPermutation())) {
      innerOffsets[axis] = offsets[i];
      innerSizes[axis] = sizes[i];
    }
    Expected<WeightRef> sliced =
        slice(innerOffsets, innerSizes, inner->getSource());
    if (!sliced)
      return sliced.takeError();
    return permute(inner->getPermutation(), std::move(*sliced));
  }
  return std::make_shared<Slice>(offsets, sizes, std::move(source));
}

Expected<WeightRef> WeightSource::cast(StorageType type, WeightRef source) {
  // Refuses types that values cannot be rounded to.
  if (Error error = roundThrough(type, {}))
    return std::move(error);
  // All values are f32 as it is.
  if (type == StorageType::F32 || type == StorageType::F64)
    return source;
  return std::make_shared<Cast>(type, std::move(source));
}
