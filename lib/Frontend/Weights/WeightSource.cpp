//===- WeightSource.cpp - Reading of weight expressions -------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bounds, threads and stored blocks: what is the same for every node.
//
//===----------------------------------------------------------------------===//

#include "weir/Frontend/WeightSource.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Parallel.h"

#include <cstring>
#include <mutex>

using namespace llvm;
using namespace weir;

/// Elements (or rows of blocks) below which one thread does it all.
static constexpr int64_t elementsPerTask = 1 << 18;

WeightSource::WeightSource(ArrayRef<int64_t> shape)
    : extents(shape), numElements(1) {
  for (int64_t extent : shape)
    numElements *= extent;
}

WeightSource::~WeightSource() = default;

int64_t WeightSource::getSliceElements() const {
  if (extents.empty())
    return numElements;
  // Not by division: the leading extent may be zero.
  int64_t product = 1;
  for (int64_t extent : ArrayRef(extents).drop_front())
    product *= extent;
  return product;
}

Error WeightSource::read(int64_t begin, MutableArrayRef<float> out) const {
  int64_t size = out.size();
  if (begin < 0 || size > numElements || begin > numElements - size)
    return createStringError(
        formatv("elements {0} to {1} are outside a weight of {2}", begin,
                static_cast<uint64_t>(begin) + size, numElements));
  if (size == 0)
    return Error::success();
  return readRange(begin, out);
}

/// Runs `body(begin, end)` over pieces of [0, count) of `grain` each, in
/// threads, and gives one of the errors.
template <typename Fn>
static Error forEachPiece(int64_t count, int64_t grain, Fn body) {
  int64_t pieces = divideCeil(count, grain);
  if (pieces <= 1)
    return count == 0 ? Error::success() : body(0, count);
  std::mutex mutex;
  Error first = Error::success();
  parallelFor(0, pieces, [&](size_t piece) {
    int64_t begin = piece * grain;
    if (Error error = body(begin, std::min(count, begin + grain))) {
      std::lock_guard<std::mutex> lock(mutex);
      first = joinErrors(std::move(first), std::move(error));
    }
  });
  return first;
}

Error WeightSource::readRows(int64_t rowBegin, int64_t rowEnd,
                             MutableArrayRef<float> out) const {
  int64_t rows = extents.empty() ? 1 : extents.front();
  if (rowBegin < 0 || rowEnd < rowBegin || rowEnd > rows)
    return createStringError(
        formatv("rows {0} to {1} are outside a weight of {2} rows", rowBegin,
                rowEnd, rows));
  int64_t slice = getSliceElements();
  int64_t count = (rowEnd - rowBegin) * slice;
  if (static_cast<int64_t>(out.size()) != count)
    return createStringError(
        formatv("{0} rows of a weight have {1} elements, the buffer has {2}",
                rowEnd - rowBegin, count, out.size()));
  // Cut only where reading the pieces costs no more than the whole.
  int64_t unit = std::max<int64_t>(readUnit(), 1);
  int64_t grain = std::max<int64_t>(elementsPerTask / unit, 1) * unit;
  return forEachPiece(count, grain, [&](int64_t begin, int64_t end) {
    return readRange(rowBegin * slice + begin, out.slice(begin, end - begin));
  });
}

Expected<std::vector<float>> WeightSource::evaluateSlice(int64_t index) const {
  std::vector<float> values(getSliceElements());
  if (Error error = readRows(index, index + 1, values))
    return error;
  return values;
}

Expected<std::vector<float>> WeightSource::evaluate() const {
  std::vector<float> values(numElements);
  if (Error error = readRows(0, extents.empty() ? 1 : extents.front(), values))
    return error;
  return values;
}

std::optional<StorageType> WeightSource::blockType() const {
  if (extents.empty() || !hasStoredRows())
    return std::nullopt;
  std::optional<StorageType> type = storedType();
  if (!type || !isRepackable(*type) ||
      extents.back() % QuantizedRows::blockSize != 0)
    return std::nullopt;
  return type;
}

Expected<std::optional<QuantizedRows>>
WeightSource::blocks(int64_t index) const {
  if (extents.empty() || !blockType())
    return std::nullopt;
  int64_t rows = 1;
  for (size_t i = 1; i + 1 < extents.size(); ++i)
    rows *= extents[i];
  if (index < 0 || index >= extents.front())
    return createStringError(formatv("entry {0} is outside a weight of {1}",
                                     index, extents.front()));
  // Of a vector, the one row is all there is.
  if (extents.size() == 1)
    return createStringError("blocks of a single element of a vector");
  return blockRows(index * rows, (index + 1) * rows);
}

/// Takes a row of pairs (F4_E2M1) and scales apart, as `unpackBlocks` does with
/// blocks that have both.
static void unpackPairs(const TensorInfo &tensor, int64_t row,
                        MutableArrayRef<int8_t> quants,
                        MutableArrayRef<float> scales) {
  ArrayRef<uint8_t> pairs = tensor.bytes.slice(row * quants.size() / 2);
  for (size_t i = 0, e = quants.size(); i != e; ++i)
    quants[i] = static_cast<int8_t>(pairs[i / 2] >> (i % 2 * 4) & 15);
  llvm::copy(tensor.readScales(row), scales.begin());
}

/// The same of a row of F8_E4M3, whose scales are for as much of a row as
/// `scaleBlock` says, which is blocks of 32 or all. Without any, they are 1.
static void unpackBytes(const TensorInfo &tensor, int64_t row,
                        MutableArrayRef<int8_t> quants,
                        MutableArrayRef<float> scales) {
  std::memcpy(quants.data(), tensor.bytes.data() + row * quants.size(),
              quants.size());
  if (tensor.scales.empty()) {
    llvm::fill(scales, 1.0f);
    return;
  }
  std::vector<float> stored = tensor.readScales(row);
  for (size_t i = 0, e = scales.size(); i != e; ++i)
    scales[i] = stored[i * QuantizedRows::blockSize / tensor.scaleBlock[1]];
}

Expected<std::optional<QuantizedRows>>
WeightSource::blockRows(int64_t rowBegin, int64_t rowEnd) const {
  std::optional<StorageType> type = blockType();
  if (!type)
    return std::nullopt;
  int64_t cols = extents.back();
  int64_t rows = 1;
  for (int64_t extent : ArrayRef(extents).drop_back())
    rows *= extent;
  if (rowBegin < 0 || rowEnd < rowBegin || rowEnd > rows)
    return createStringError(
        formatv("rows {0} to {1} are outside a weight of {2} rows", rowBegin,
                rowEnd, rows));
  QuantizedRows result;
  result.type = *type;
  result.numRows = rowEnd - rowBegin;
  result.numCols = cols;
  int64_t blocksPerRow = cols / QuantizedRows::blockSize;
  int64_t bytesPerRow = blocksPerRow * getBytesPerBlock(*type);
  result.quants.resize(result.numRows * cols);
  result.scales.resize(result.numRows * blocksPerRow);
  if (*type == StorageType::Q4_1)
    result.mins.resize(result.scales.size());
  if (result.quants.empty())
    return std::move(result);

  MutableArrayRef<int8_t> quants(result.quants);
  MutableArrayRef<float> scales(result.scales), mins(result.mins);
  auto unpack = [&](int64_t begin, int64_t end) -> Error {
    for (int64_t i = begin; i != end; ++i) {
      RowLocation location = locateRow(rowBegin + i);
      size_t first = i * blocksPerRow;
      if (*type == StorageType::F8_E4M3) {
        unpackBytes(*location.tensor, location.row,
                    quants.slice(i * cols, cols),
                    scales.slice(first, blocksPerRow));
        continue;
      }
      if (!location.tensor->scales.empty()) {
        unpackPairs(*location.tensor, location.row,
                    quants.slice(i * cols, cols),
                    scales.slice(first, blocksPerRow));
        continue;
      }
      ArrayRef<uint8_t> bytes =
          location.tensor->bytes.slice(location.row * bytesPerRow, bytesPerRow);
      if (Error error = unpackBlocks(
              *type, bytes, quants.slice(i * cols, cols),
              scales.slice(first, blocksPerRow),
              mins.empty() ? mins : mins.slice(first, blocksPerRow)))
        return error;
    }
    return Error::success();
  };
  int64_t grain = std::max<int64_t>(elementsPerTask / cols, 1);
  if (Error error = forEachPiece(result.numRows, grain, unpack))
    return std::move(error);
  return std::move(result);
}
