//===- WeightNodes.cpp - The nodes of weight expressions ------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every node reads a flattened range by reading ranges of its sources. Nodes
// that reorder axes cannot: where the innermost axis moves, they read the
// sources whole (in pieces) and scatter. `readUnit` tells the nodes above about
// that, so that no source is decoded over and over for small ranges.
//
//===----------------------------------------------------------------------===//

#include "weir/Frontend/WeightSource.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace llvm;
using namespace weir;

static std::string formatShape(ArrayRef<int64_t> shape) {
  return formatv("[{0:$[, ]}]", make_range(shape.begin(), shape.end()));
}

static int64_t multiply(ArrayRef<int64_t> extents) {
  int64_t product = 1;
  for (int64_t extent : extents)
    product *= extent;
  return product;
}

/// The elements between neighbours along each axis.
static SmallVector<int64_t, 4> getStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t, 4> strides(shape.size(), 1);
  for (size_t i = shape.size(); i > 1; --i)
    strides[i - 2] = strides[i - 1] * shape[i - 1];
  return strides;
}

/// Fails when the elements of a derived shape cannot be counted.
static Error checkShape(ArrayRef<int64_t> shape) {
  Expected<int64_t> bytes = getStorageBytes(StorageType::F32, shape);
  return bytes ? Error::success() : bytes.takeError();
}

/// The type all parts are stored in.
static std::optional<StorageType> getCommonType(ArrayRef<WeightRef> parts) {
  std::optional<StorageType> type = parts.front()->storedType();
  for (const WeightRef &part : parts.drop_front())
    if (part->storedType() != type)
      return std::nullopt;
  return type;
}

namespace {

/// A stored tensor.
class Leaf : public WeightSource {
public:
  explicit Leaf(const TensorInfo &tensor)
      : WeightSource(tensor.shape), tensor(tensor) {}

  std::optional<StorageType> storedType() const override { return tensor.type; }

protected:
  Error readRange(int64_t begin, MutableArrayRef<float> out) const override;
  bool hasStoredRows() const override { return !tensor.shape.empty(); }
  RowLocation locateRow(int64_t row) const override { return {&tensor, row}; }
  int64_t readUnit() const override { return 1; }

private:
  const TensorInfo &tensor;
};

/// Given values.
class Constant : public WeightSource {
public:
  Constant(std::vector<float> values, ArrayRef<int64_t> shape)
      : WeightSource(shape), values(std::move(values)) {}

  std::optional<StorageType> storedType() const override {
    return StorageType::F32;
  }

protected:
  Error readRange(int64_t begin, MutableArrayRef<float> out) const override {
    std::memcpy(out.data(), values.data() + begin, out.size() * sizeof(float));
    return Error::success();
  }
  bool hasStoredRows() const override { return false; }
  RowLocation locateRow(int64_t) const override { return {nullptr, 0}; }
  int64_t readUnit() const override { return 1; }

private:
  std::vector<float> values;
};

/// Tensors joined along an axis. A stack is one too, of sources that are
/// thought to have an extent of one there.
class Concat : public WeightSource {
public:
  /// `partExtents` are those of the parts along the axis.
  Concat(ArrayRef<int64_t> shape, int64_t axis, ArrayRef<WeightRef> parts,
         ArrayRef<int64_t> partExtents)
      : WeightSource(shape), axis(axis), parts(parts) {
    int64_t sum = 0;
    for (int64_t extent : partExtents) {
      ends.push_back(sum += extent);
    }
    // A row is stored whole only if it lies in one part.
    bool rowsApart = axis + 1 < static_cast<int64_t>(shape.size());
    storedRows = rowsApart && llvm::all_of(parts, [](const WeightRef &part) {
                   return storesRows(*part);
                 });
    for (const WeightRef &part : parts)
      partUnit = std::max(partUnit, unitOf(*part));
  }

  std::optional<StorageType> storedType() const override {
    return getCommonType(parts);
  }

protected:
  Error readRange(int64_t begin, MutableArrayRef<float> out) const override;
  bool hasStoredRows() const override { return storedRows; }
  RowLocation locateRow(int64_t row) const override;
  int64_t readUnit() const override {
    // Along the leading axis parts follow each other; parts of equal size, as
    // in a stack, keep their units aligned.
    if (partUnit == 1)
      return 1;
    if (axis == 0 &&
        llvm::all_equal(llvm::map_range(parts, [](const WeightRef &part) {
          return part->getNumElements();
        })))
      return partUnit;
    return getNumElements();
  }

private:
  /// The part that holds index `index` of the axis, and where it begins.
  std::pair<size_t, int64_t> findPart(int64_t index) const {
    size_t part = llvm::upper_bound(ends, index) - ends.begin();
    return {part, part == 0 ? 0 : ends[part - 1]};
  }

  int64_t axis;
  SmallVector<WeightRef> parts;
  /// Where each part ends along the axis.
  SmallVector<int64_t> ends;
  bool storedRows;
  int64_t partUnit = 1;
};

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
// Leaf
//===----------------------------------------------------------------------===//

Error Leaf::readRange(int64_t begin, MutableArrayRef<float> out) const {
  int64_t elements = getElementsPerBlock(tensor.type);
  int64_t bytes = getBytesPerBlock(tensor.type);
  auto decode = [&](int64_t block, int64_t count, MutableArrayRef<float> to) {
    return decodeToF32(tensor.type,
                       tensor.bytes.slice(block * bytes, count * bytes), to);
  };
  // Blocks that the range cuts go through a buffer.
  auto decodePart = [&](int64_t first, int64_t count) -> Error {
    SmallVector<float, 256> buffer(elements);
    if (Error error = decode(first / elements, 1, buffer))
      return error;
    std::memcpy(out.data(), buffer.data() + first % elements,
                count * sizeof(float));
    out = out.drop_front(count);
    return Error::success();
  };
  if (int64_t inside = begin % elements; inside != 0) {
    int64_t count = std::min<int64_t>(elements - inside, out.size());
    if (Error error = decodePart(begin, count))
      return error;
    begin += count;
  }
  int64_t whole = out.size() / elements;
  if (Error error =
          decode(begin / elements, whole, out.take_front(whole * elements)))
    return error;
  begin += whole * elements;
  out = out.drop_front(whole * elements);
  return out.empty() ? Error::success() : decodePart(begin, out.size());
}

Expected<WeightRef> WeightSource::leaf(const TensorInfo &tensor) {
  if (!isDecodable(tensor.type)) {
    Error error = decodeToF32(tensor.type, {}, {});
    return createStringError("tensor '" + tensor.name +
                             "': " + toString(std::move(error)));
  }
  return std::make_shared<Leaf>(tensor);
}

Expected<WeightRef> WeightSource::leaf(Checkpoint &checkpoint, StringRef name) {
  Expected<const TensorInfo *> tensor = checkpoint.use(name);
  if (!tensor)
    return tensor.takeError();
  return leaf(**tensor);
}

Expected<WeightRef> WeightSource::constant(std::vector<float> values,
                                           ArrayRef<int64_t> shape) {
  if (Error error = checkShape(shape))
    return std::move(error);
  if (multiply(shape) != static_cast<int64_t>(values.size()))
    return createStringError(
        formatv("{0} values do not fill a constant of shape {1}", values.size(),
                formatShape(shape)));
  return std::make_shared<Constant>(std::move(values), shape);
}

//===----------------------------------------------------------------------===//
// Concat and stack
//===----------------------------------------------------------------------===//

Error Concat::readRange(int64_t begin, MutableArrayRef<float> out) const {
  int64_t inner = multiply(shape().drop_front(axis + 1));
  int64_t total = ends.back() * inner;
  if (partUnit > 1) {
    // Each part contributes one range of its own; read that in one go.
    int64_t end = begin + out.size();
    int64_t partBegin = 0;
    std::vector<float> values;
    for (auto [part, partEnd] : llvm::zip_equal(parts, ends)) {
      int64_t offset = partBegin * inner, size = (partEnd - partBegin) * inner;
      partBegin = partEnd;
      // Elements of the part before `position` of the result.
      auto before = [&](int64_t position) {
        int64_t inside = position % total - offset;
        return position / total * size + std::clamp<int64_t>(inside, 0, size);
      };
      int64_t from = before(begin), to = before(end);
      values.resize(to - from);
      if (Error error = part->read(from, values))
        return error;
      for (int64_t at = from; at < to;) {
        int64_t count = std::min(size - at % size, to - at);
        int64_t position = at / size * total + offset + at % size;
        std::memcpy(out.data() + (position - begin), values.data() + at - from,
                    count * sizeof(float));
        at += count;
      }
    }
    return Error::success();
  }
  while (!out.empty()) {
    int64_t outer = begin / total, inside = begin % total;
    auto [part, first] = findPart(inside / inner);
    int64_t size = (ends[part] - first) * inner;
    int64_t at = inside - first * inner;
    int64_t count = std::min<int64_t>(size - at, out.size());
    if (Error error =
            parts[part]->read(outer * size + at, out.take_front(count)))
      return error;
    begin += count;
    out = out.drop_front(count);
  }
  return Error::success();
}

WeightSource::RowLocation Concat::locateRow(int64_t row) const {
  // As `readRange`, counting rows instead of elements.
  int64_t inner = multiply(shape().drop_front(axis + 1).drop_back());
  int64_t total = ends.back() * inner;
  int64_t outer = row / total, inside = row % total;
  auto [part, first] = findPart(inside / inner);
  int64_t size = (ends[part] - first) * inner;
  return locateIn(*parts[part], outer * size + inside - first * inner);
}

Expected<WeightRef> WeightSource::stack(ArrayRef<WeightRef> parts) {
  if (parts.empty())
    return createStringError("a stack of no weights");
  for (const WeightRef &part : parts)
    if (part->shape() != parts.front()->shape())
      return createStringError(formatv(
          "cannot stack weights of shapes {0} and {1}, expected equal shapes",
          formatShape(parts.front()->shape()), formatShape(part->shape())));
  SmallVector<int64_t, 4> shape = {static_cast<int64_t>(parts.size())};
  llvm::append_range(shape, parts.front()->shape());
  if (Error error = checkShape(shape))
    return std::move(error);
  SmallVector<int64_t> ones(parts.size(), 1);
  return std::make_shared<Concat>(shape, 0, parts, ones);
}

Expected<WeightRef> WeightSource::concat(int64_t axis,
                                         ArrayRef<WeightRef> parts) {
  if (parts.empty())
    return createStringError("a concatenation of no weights");
  ArrayRef<int64_t> first = parts.front()->shape();
  if (axis < 0 || axis >= static_cast<int64_t>(first.size()))
    return createStringError(
        formatv("cannot concatenate along axis {0} of a weight of shape {1}",
                axis, formatShape(first)));
  if (parts.size() == 1)
    return parts.front();
  SmallVector<int64_t, 4> shape(first);
  SmallVector<int64_t> extents;
  shape[axis] = 0;
  for (const WeightRef &part : parts) {
    SmallVector<int64_t, 4> other(part->shape());
    if (other.size() == first.size())
      other[axis] = first[axis];
    if (ArrayRef<int64_t>(other) != first)
      return createStringError(
          formatv("cannot concatenate weights of shapes {0} and {1} along axis "
                  "{2}, expected the other extents to agree",
                  formatShape(first), formatShape(part->shape()), axis));
    extents.push_back(part->shape()[axis]);
    if (AddOverflow(shape[axis], extents.back(), shape[axis]))
      return createStringError("too many elements for 64 bits");
  }
  if (Error error = checkShape(shape))
    return std::move(error);
  return std::make_shared<Concat>(shape, axis, parts, extents);
}

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
                formatShape(permutation), formatShape(source->shape())));
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
                formatShape(source->shape()), formatShape(shape)));
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
    return createStringError(
        formatv("a slice at {0} of size {1} is outside a weight of shape {2}",
                formatShape(offsets), formatShape(sizes), formatShape(shape)));
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
