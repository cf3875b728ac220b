//===- JoinWeights.cpp - Stored weights, joined --------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The leaves of weight expressions, and the nodes that put them side by side.
// Every node reads a flattened range by reading ranges of its sources.
//
//===----------------------------------------------------------------------===//

#include "Shapes.h"

#include "weir/Frontend/WeightSource.h"

#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace llvm;
using namespace weir;

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

  std::optional<StorageType> storedType() const override {
    return tensor.type == StorageType::F4_E2M1 && !tensor.scales.empty()
               ? StorageType::MXFP4
               : tensor.type;
  }

protected:
  Error readRange(int64_t begin, MutableArrayRef<float> out) const override {
    if (Error error = readElements(begin, out))
      return error;
    if (!tensor.scales.empty())
      applyScales(begin, out);
    return Error::success();
  }
  bool hasStoredRows() const override { return !tensor.shape.empty(); }
  RowLocation locateRow(int64_t row) const override { return {&tensor, row}; }
  int64_t readUnit() const override { return 1; }

private:
  /// Reads elements as they are without scales that are stored apart.
  Error readElements(int64_t begin, MutableArrayRef<float> out) const;
  /// Multiplies elements from `begin` on by these.
  void applyScales(int64_t begin, MutableArrayRef<float> out) const;

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

} // namespace

//===----------------------------------------------------------------------===//
// Leaf
//===----------------------------------------------------------------------===//

Error Leaf::readElements(int64_t begin, MutableArrayRef<float> out) const {
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

void Leaf::applyScales(int64_t begin, MutableArrayRef<float> out) const {
  int64_t cols = tensor.shape.back(), block = tensor.scaleBlock[1];
  while (!out.empty()) {
    std::vector<float> scales = tensor.readScales(begin / cols);
    int64_t first = begin % cols;
    int64_t count = std::min<int64_t>(cols - first, out.size());
    for (int64_t i = 0; i != count; ++i)
      out[i] *= scales[(first + i) / block];
    begin += count;
    out = out.drop_front(count);
  }
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
                describeShape(shape)));
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
          describeShape(parts.front()->shape()), describeShape(part->shape())));
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
                axis, describeShape(first)));
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
                  describeShape(first), describeShape(part->shape()), axis));
    extents.push_back(part->shape()[axis]);
    if (AddOverflow(shape[axis], extents.back(), shape[axis]))
      return createStringError("too many elements for 64 bits");
  }
  if (Error error = checkShape(shape))
    return std::move(error);
  return std::make_shared<Concat>(shape, axis, parts, extents);
}
