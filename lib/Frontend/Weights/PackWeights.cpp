//===- PackWeights.cpp - Weights in panels -------------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Panels are packed each by itself, in threads. Each part of a matrix is packed
// on its own and quantises anew what it needs: that costs less than reading the
// checkpoint, and keeps no layer in memory for long.
//
//===----------------------------------------------------------------------===//

#include "FloatBits.h"
#include "Shapes.h"

#include "weir/Frontend/PackedWeights.h"

#include "llvm/Support/Parallel.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <mutex>

using namespace llvm;
using namespace weir;

/// Elements to read before packing them, where matrices are small.
static constexpr int64_t elementsTogether = int64_t(1) << 22;

/// Elements of matrices that are still read whole. Some sources cost the same
/// for any part of a matrix.
static constexpr int64_t elementsAtMost = int64_t(1) << 26;

/// Neighbours along K that stored scales of e4m3 have in common, at least.
static constexpr int64_t largestE4M3Group = 128;

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

/// Whether the layout holds the matrix's own numbers.
static bool holdsFloats(const PackedLayout &layout) {
  return layout.part == PackedPart::Values || layout.part == PackedPart::Pairs;
}

static Error checkLayout(const PackedLayout &layout) {
  bool isValues = holdsFloats(layout);
  if (layout.panel < 1)
    return createStringError(formatv(
        "weights packed in panels of {0}, expected at least 1", layout.panel));
  StorageType floats = layout.floats;
  if (!isValues && layout.code == PackedCode::E2M1) {
    if (layout.bits == 4 && !layout.hasMins && floats == StorageType::F8_E8M0)
      return Error::success();
    return createStringError(
        formatv("e2m1 of {0} bits with scales of {1}{2}, expected 4 bits, "
                "scales of F8_E8M0 and no mins",
                layout.bits, getStorageTypeName(floats),
                layout.hasMins ? " and mins" : ""));
  }
  if (!isValues && layout.code == PackedCode::E4M3) {
    bool fits = layout.group >= QuantizedRows::blockSize &&
                largestE4M3Group % layout.group == 0;
    if (layout.bits == 8 && !layout.hasMins && floats == StorageType::F32 &&
        fits)
      return Error::success();
    return createStringError(
        formatv("e4m3 of {0} bits in groups of {1} with scales of {2}{3}, "
                "expected 8 bits, groups of 32, 64 or 128, scales of F32 and "
                "no mins",
                layout.bits, layout.group, getStorageTypeName(floats),
                layout.hasMins ? " and mins" : ""));
  }
  if (floats != StorageType::F32 && floats != StorageType::F16 &&
      !(isValues && floats == StorageType::BF16))
    return createStringError(formatv(
        "cannot pack {0} as {1}, expected {2}",
        isValues ? "values" : "scales and mins", getStorageTypeName(floats),
        isValues ? "F32, F16 or BF16" : "F32 or F16"));
  if (layout.part == PackedPart::Pairs && floats != StorageType::BF16)
    return createStringError(formatv("cannot pack pairs of {0}, expected BF16",
                                     getStorageTypeName(floats)));
  if (isValues)
    return Error::success();
  if (layout.bits != 4 && layout.bits != 8)
    return createStringError(
        formatv("quants of {0} bits, expected 4 or 8", layout.bits));
  if (layout.group < 8 || layout.group % 8 != 0)
    return createStringError(formatv(
        "quants in groups of {0}, expected a multiple of 8", layout.group));
  if (layout.part == PackedPart::Mins && !layout.hasMins)
    return createStringError("mins of quants that are packed without");
  return Error::success();
}

/// Bytes of one panel of a matrix with `numCols` input features.
static int64_t getPanelBytes(const PackedLayout &layout, int64_t numCols) {
  int64_t floatBytes = getBytesPerBlock(layout.floats);
  switch (layout.part) {
  case PackedPart::Values:
  case PackedPart::Pairs:
    return numCols * layout.panel * floatBytes;
  case PackedPart::Quants:
    return numCols * layout.panel * layout.bits / 8;
  case PackedPart::Scales:
  case PackedPart::Mins:
    return numCols / layout.group * layout.panel * floatBytes;
  }
  llvm_unreachable("all parts are handled");
}

Expected<int64_t> weir::getPackedBytes(const PackedLayout &layout,
                                       ArrayRef<int64_t> shape) {
  if (Error error = checkLayout(layout))
    return std::move(error);
  if (shape.size() < 2)
    return createStringError("cannot pack a weight of shape " +
                             describeShape(shape) +
                             ", expected matrices [..., N, K]");
  int64_t numCols = shape.back();
  if (layout.part == PackedPart::Pairs && numCols % 2 != 0)
    return createStringError(
        formatv("cannot pack rows of {0} in pairs; pack this weight as values",
                numCols));
  if (!holdsFloats(layout) && numCols % layout.group != 0)
    return createStringError(formatv(
        "cannot quantise rows of {0} in groups of {1}; keep this weight in a "
        "float type",
        numCols, layout.group));
  int64_t panels = divideCeil(shape[shape.size() - 2], layout.panel);
  return multiply(shape.drop_back(2)) * panels * getPanelBytes(layout, numCols);
}

//===----------------------------------------------------------------------===//
// Quantisation
//===----------------------------------------------------------------------===//

/// The inverse of a scale; zero for those so small that it would overflow:
/// their groups quantise to zero, as near as f32 allows.
static float invert(float scale) {
  return scale >= FLT_MIN ? 1.0f / scale : 0.0f;
}

/// What of a group all its quants depend on: element x becomes
/// (x - min) * inverse + middle, rounded and kept between low and high.
namespace {
struct GroupScale {
  float scale = 0, min = 0;
};
} // namespace

/// The scale (and the min, with `hasMins`) for a group of values. False when
/// one is not finite or they are further apart than f32 reaches.
static bool measureGroup(const PackedLayout &layout, ArrayRef<float> values,
                         GroupScale &result) {
  // Floats as integers of the same order; the largest magnitude tells whether
  // all are finite. Integers, unlike floats, are compared in vectors.
  uint32_t largest = 0;
  int32_t low = INT32_MAX, high = INT32_MIN;
  for (float value : values) {
    uint32_t bits = llvm::bit_cast<uint32_t>(value);
    uint32_t magnitude = bits & 0x7fffffffu;
    int32_t key = static_cast<int32_t>(
        bits ^ (static_cast<uint32_t>(static_cast<int32_t>(bits) >> 31) &
                0x7fffffffu));
    largest = std::max(largest, magnitude);
    low = std::min(low, key);
    high = std::max(high, key);
  }
  if (largest >= 0x7f800000u)
    return false;
  auto round = [&](float value) {
    cantFail(roundThrough(layout.floats, value));
    return value;
  };
  auto toFloat = [](int32_t key) {
    return llvm::bit_cast<float>(
        key ^
        static_cast<int32_t>(static_cast<uint32_t>(key >> 31) & 0x7fffffffu));
  };
  if (layout.code == PackedCode::E2M1) {
    // The largest magnitude gets the largest exponent of e2m1, which is 2.
    uint32_t exponent = std::max(largest >> 23, uint32_t(3)) - 2;
    result.scale = llvm::bit_cast<float>(exponent << 23);
    return true;
  }
  int64_t levels = int64_t(1) << layout.bits;
  if (!layout.hasMins) {
    result.scale = round(llvm::bit_cast<float>(largest) /
                         static_cast<float>(levels / 2 - 1));
    return true;
  }
  result.min = round(toFloat(low));
  float range = toFloat(high) - result.min;
  result.scale = round(std::max(range, 0.0f) / static_cast<float>(levels - 1));
  return std::isfinite(toFloat(high) - toFloat(low));
}

/// The e2m1 number nearest to `value`, ties to even, the largest beyond it.
static uint8_t roundToE2M1(float value) {
  float size = std::fabs(value);
  int bits = (size > 0.25f) + (size >= 0.75f) + (size > 1.25f) +
             (size >= 1.75f) + (size > 2.5f) + (size >= 3.5f) + (size > 5.0f);
  return static_cast<uint8_t>(bits | (value < 0 ? 8 : 0));
}

/// The unsigned quants of a group.
static void quantizeGroup(const PackedLayout &layout, GroupScale group,
                          ArrayRef<float> values, uint8_t *quants) {
  float inverse = invert(group.scale);
  if (layout.code == PackedCode::E2M1) {
    for (size_t i = 0, e = values.size(); i != e; ++i)
      quants[i] = roundToE2M1(values[i] * inverse);
    return;
  }
  float middle = layout.hasMins ? 0.0f : float(1 << (layout.bits - 1));
  // Without mins the range is symmetric and the lowest quant stays free.
  float low = layout.hasMins ? 0.0f : 1.0f - middle;
  float high = layout.hasMins ? float((1 << layout.bits) - 1) : middle - 1.0f;
  // Adding 1.5 * 2^23 leaves no bits of fraction: rounds to even.
  constexpr float shifter = 12582912.0f;
  for (size_t i = 0, e = values.size(); i != e; ++i) {
    float scaled = (values[i] - group.min) * inverse;
    float clamped = std::min(std::max(scaled, low), high);
    float rounded = (clamped + shifter) - shifter;
    quants[i] = static_cast<uint8_t>(static_cast<int32_t>(rounded + middle));
  }
}

//===----------------------------------------------------------------------===//
// Panels
//===----------------------------------------------------------------------===//

/// Puts element [lane, i] of a row-major matrix of `numCols` at [i, lane] of a
/// panel; lanes beyond the matrix are zero.
template <typename T, typename Fn>
static void transposeInto(ArrayRef<float> matrix, int64_t numCols,
                          int64_t panel, uint8_t *out, Fn convert) {
  if (numCols == 0)
    return;
  int64_t lanes = matrix.size() / numCols;
  // Pieces of the result small enough to stay near.
  constexpr int64_t piece = 64;
  for (int64_t begin = 0; begin < numCols; begin += piece) {
    int64_t end = std::min(begin + piece, numCols);
    for (int64_t lane = 0; lane != panel; ++lane)
      for (int64_t i = begin; i != end; ++i) {
        T element = convert(lane < lanes ? matrix[lane * numCols + i] : 0.0f);
        std::memcpy(out + (i * panel + lane) * sizeof(T), &element, sizeof(T));
      }
  }
}

/// As above, in the type of the layout's floats.
static void transposeFloats(const PackedLayout &layout, ArrayRef<float> matrix,
                            int64_t numCols, uint8_t *out) {
  if (layout.floats == StorageType::F32)
    transposeInto<float>(matrix, numCols, layout.panel, out,
                         [](float value) { return value; });
  else if (layout.floats == StorageType::F16)
    transposeInto<uint16_t>(matrix, numCols, layout.panel, out, toF16);
  else
    transposeInto<uint16_t>(matrix, numCols, layout.panel, out, toBF16);
}

/// Puts unsigned quants `[lanes, numCols]` into a panel.
static void packQuants(const PackedLayout &layout, ArrayRef<uint8_t> quants,
                       int64_t numCols, uint8_t *out) {
  if (numCols == 0)
    return;
  int64_t lanes = quants.size() / numCols, perWord = 32 / layout.bits;
  for (int64_t lane = 0; lane != layout.panel; ++lane) {
    uint8_t *word = out + lane * 4;
    for (int64_t i = 0; i != numCols; i += perWord, word += layout.panel * 4) {
      if (lane >= lanes) {
        std::memset(word, 0, 4);
        continue;
      }
      const uint8_t *from = quants.data() + lane * numCols + i;
      if (layout.bits == 8) {
        std::memcpy(word, from, 4);
        continue;
      }
      uint32_t low, high;
      std::memcpy(&low, from, 4);
      std::memcpy(&high, from + 4, 4);
      low |= high << 4;
      std::memcpy(word, &low, 4);
    }
  }
}

/// Scales or mins of a panel, `[lanes, numCols / group]`.
static Error packScales(const PackedLayout &layout, ArrayRef<float> scales,
                        int64_t numGroups, uint8_t *out) {
  if (layout.floats == StorageType::F8_E8M0) {
    // Powers of two; zero stands for padding.
    if (llvm::any_of(scales, [](float scale) { return std::isnan(scale); }))
      return createStringError("the scale of a block of MXFP4 is no number");
    transposeInto<uint8_t>(
        scales, numGroups, layout.panel, out, [](float scale) {
          return static_cast<uint8_t>(llvm::bit_cast<uint32_t>(scale) >> 23);
        });
    return Error::success();
  }
  if (layout.floats == StorageType::F16)
    for (float scale : scales)
      if (std::isfinite(scale) && std::fabs(scale) >= 65520.0f)
        return createStringError(
            formatv("the scale or min {0} of a group of quants is more than "
                    "F16 holds; use F32 for scales",
                    scale));
  transposeFloats(layout, scales, numGroups, out);
  return Error::success();
}

/// Puts rows of f32 into a panel, two neighbours of a row together.
static void packPairs(const PackedLayout &layout, ArrayRef<float> rows,
                      int64_t numCols, uint8_t *out) {
  int64_t lanes = numCols ? rows.size() / numCols : 0;
  for (int64_t lane = 0; lane != layout.panel; ++lane)
    for (int64_t i = 0; i != numCols; ++i) {
      uint16_t element = lane < lanes ? toBF16(rows[lane * numCols + i]) : 0;
      int64_t place = (i / 2 * layout.panel + lane) * 2 + i % 2;
      std::memcpy(out + place * sizeof(element), &element, sizeof(element));
    }
}

/// A panel of f32 rows.
static Error packRows(const PackedLayout &layout, ArrayRef<float> rows,
                      int64_t numCols, uint8_t *out) {
  if (layout.part == PackedPart::Values) {
    transposeFloats(layout, rows, numCols, out);
    return Error::success();
  }
  if (layout.part == PackedPart::Pairs) {
    packPairs(layout, rows, numCols, out);
    return Error::success();
  }
  bool wantsQuants = layout.part == PackedPart::Quants;
  std::vector<uint8_t> quants(wantsQuants ? rows.size() : 0);
  std::vector<float> scales(wantsQuants ? 0 : rows.size() / layout.group);
  for (size_t begin = 0; begin != rows.size(); begin += layout.group) {
    ArrayRef<float> values = rows.slice(begin, layout.group);
    GroupScale group;
    if (!measureGroup(layout, values, group))
      return createStringError(
          "cannot quantise values that are infinite, not a number or further "
          "apart within a group than f32 reaches");
    // What rounded to infinity is reported where scales are packed.
    if (wantsQuants)
      quantizeGroup(layout, group, values, quants.data() + begin);
    else
      scales[begin / layout.group] =
          layout.part == PackedPart::Scales ? group.scale : group.min;
  }
  if (wantsQuants) {
    packQuants(layout, quants, numCols, out);
    return Error::success();
  }
  return packScales(layout, scales, numCols / layout.group, out);
}

/// Whether blocks of `type` are what the layout asks for, but for a shift of
/// their zero point.
static bool keepsBlocks(const PackedLayout &layout,
                        std::optional<StorageType> type) {
  if (!type || holdsFloats(layout))
    return false;
  bool isE4M3 = *type == StorageType::F8_E4M3;
  if (isE4M3 || layout.code == PackedCode::E4M3)
    return isE4M3 && layout.code == PackedCode::E4M3;
  if (layout.group != QuantizedRows::blockSize)
    return false;
  bool isE2M1 = *type == StorageType::MXFP4;
  if (isE2M1 || layout.code == PackedCode::E2M1)
    return isE2M1 && layout.code == PackedCode::E2M1;
  bool hasMins = *type == StorageType::Q4_1;
  int64_t bits = *type == StorageType::Q8_0 ? 8 : 4;
  return bits <= layout.bits && (layout.hasMins || !hasMins);
}

/// A panel of stored numbers of e4m3, whose codes are its quants.
static Error packE4M3(const PackedLayout &layout, const QuantizedRows &rows,
                      uint8_t *out) {
  if (layout.part == PackedPart::Scales) {
    std::vector<float> scales;
    for (size_t i = 0, e = rows.scales.size(); i != e;
         i += layout.group / QuantizedRows::blockSize)
      scales.push_back(rows.scales[i]);
    if (!llvm::all_of(scales, [](float scale) { return std::isfinite(scale); }))
      return createStringError("the scale of a block of F8_E4M3 is infinite or "
                               "no number");
    return packScales(layout, scales, rows.numCols / layout.group, out);
  }
  // Kernels decode finite numbers alone.
  if (llvm::any_of(rows.quants,
                   [](int8_t code) { return (code & 127) == 127; }))
    return createStringError("a weight of F8_E4M3 is no number (NaN), expected "
                             "finite ones; the checkpoint is damaged");
  packQuants(layout,
             ArrayRef(reinterpret_cast<const uint8_t *>(rows.quants.data()),
                      rows.quants.size()),
             rows.numCols, out);
  return Error::success();
}

/// A panel of stored blocks.
static Error packBlocks(const PackedLayout &layout, QuantizedRows rows,
                        uint8_t *out) {
  if (layout.code == PackedCode::E4M3)
    return packE4M3(layout, rows, out);
  int64_t numGroups = rows.numCols / layout.group;
  // Signed quants are shifted, to where the middle is or by a min.
  int middle = rows.type == StorageType::Q4_1 || rows.type == StorageType::MXFP4
                   ? 0
                   : 1 << ((layout.hasMins && rows.type == StorageType::Q4_0
                                ? 4
                                : layout.bits) -
                           1);
  if (layout.part == PackedPart::Scales)
    return packScales(layout, rows.scales, numGroups, out);
  if (layout.part == PackedPart::Mins) {
    if (rows.mins.empty())
      for (float scale : rows.scales)
        rows.mins.push_back(scale * static_cast<float>(-middle));
    return packScales(layout, rows.mins, numGroups, out);
  }
  std::vector<uint8_t> quants(rows.quants.size());
  for (size_t i = 0, e = quants.size(); i != e; ++i)
    quants[i] = static_cast<uint8_t>(rows.quants[i] + middle);
  packQuants(layout, quants, rows.numCols, out);
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

namespace {
/// A source seen as equal matrices cut into panels, numbered through.
struct Panels {
  Panels(const WeightSource &source, const PackedLayout &layout)
      : layout(layout), numCols(source.shape().back()),
        rowsPerMatrix(source.shape().drop_back().back()),
        numMatrices(multiply(source.shape().drop_back(2))),
        perMatrix(divideCeil(rowsPerMatrix, layout.panel)),
        bytes(getPanelBytes(layout, numCols)) {}

  /// The first of the source's rows (all axes but the innermost flattened) in
  /// panel `index`.
  int64_t rowOf(int64_t index) const {
    return index / perMatrix * rowsPerMatrix + index % perMatrix * layout.panel;
  }
  /// Rows of panel `index` that are not padding.
  int64_t countRows(int64_t index) const {
    return std::min(layout.panel,
                    rowsPerMatrix - index % perMatrix * layout.panel);
  }
  /// Calls `body(index)` for panels [begin, end) in threads. Gives the errors
  /// of the first to fail.
  template <typename Fn>
  Error forEach(int64_t begin, int64_t end, Fn body) const {
    std::mutex mutex;
    Error first = Error::success();
    parallelFor(begin, end, [&](size_t index) {
      Error error = body(static_cast<int64_t>(index));
      if (!error)
        return;
      std::lock_guard<std::mutex> lock(mutex);
      if (first)
        consumeError(std::move(error));
      else
        first = std::move(error);
    });
    return first;
  }

  const PackedLayout &layout;
  int64_t numCols, rowsPerMatrix, numMatrices, perMatrix, bytes;
};
} // namespace

/// Packs what can only be read as floats.
static Error packFromFloats(const WeightRef &source, const Panels &panels,
                            uint8_t *out) {
  int64_t numPanels = panels.numMatrices * panels.perMatrix;
  int64_t numRows = panels.numMatrices * panels.rowsPerMatrix;
  Expected<WeightRef> flat =
      WeightSource::reshape({numRows, panels.numCols}, source);
  if (!flat)
    return flat.takeError();
  // Several matrices or one at a time; of the largest, a number of panels.
  int64_t elements = panels.rowsPerMatrix * panels.numCols;
  int64_t panelElements = panels.layout.panel * panels.numCols;
  int64_t step =
      elements <= elementsAtMost
          ? std::max<int64_t>(elementsTogether / elements, 1) * panels.perMatrix
          : std::max<int64_t>(elementsAtMost / panelElements, 1);
  std::vector<float> values;
  for (int64_t begin = 0; begin < numPanels; begin += step) {
    int64_t end = std::min(begin + step, numPanels);
    int64_t firstRow = panels.rowOf(begin);
    int64_t lastRow = panels.rowOf(end - 1) + panels.countRows(end - 1);
    values.resize((lastRow - firstRow) * panels.numCols);
    if (Error error = (*flat)->readRows(firstRow, lastRow, values))
      return error;
    Error error = panels.forEach(begin, end, [&](int64_t index) {
      ArrayRef<float> rows = ArrayRef(values).slice(
          (panels.rowOf(index) - firstRow) * panels.numCols,
          panels.countRows(index) * panels.numCols);
      return packRows(panels.layout, rows, panels.numCols,
                      out + index * panels.bytes);
    });
    if (error)
      return error;
  }
  return Error::success();
}

Error weir::packWeights(const WeightRef &source, const PackedLayout &layout,
                        MutableArrayRef<uint8_t> out) {
  Expected<int64_t> bytes = getPackedBytes(layout, source->shape());
  if (!bytes)
    return bytes.takeError();
  if (static_cast<int64_t>(out.size()) != *bytes)
    return createStringError(
        formatv("a packed weight has {0} bytes, the buffer has {1}", *bytes,
                out.size()));
  if (source->getNumElements() == 0)
    return Error::success();

  Panels panels(*source, layout);
  bool isKept = keepsBlocks(layout, source->blockType());
  if (!isKept && !holdsFloats(layout) && layout.code == PackedCode::E4M3)
    return createStringError("cannot pack as e4m3 what is not stored in rows "
                             "of F8_E4M3; keep this weight in a float type");
  if (!isKept)
    return packFromFloats(source, panels, out.data());
  return panels.forEach(
      0, panels.numMatrices * panels.perMatrix, [&](int64_t index) -> Error {
        int64_t row = panels.rowOf(index);
        Expected<std::optional<QuantizedRows>> rows =
            source->blockRows(row, row + panels.countRows(index));
        if (!rows)
          return rows.takeError();
        return packBlocks(layout, std::move(**rows),
                          out.data() + index * panels.bytes);
      });
}

Error weir::encodeFloats(StorageType type, ArrayRef<float> values,
                         MutableArrayRef<uint8_t> out) {
  PackedLayout layout;
  layout.floats = type;
  if (Error error = checkLayout(layout))
    return error;
  if (out.size() != values.size() * getBytesPerBlock(type))
    return createStringError(formatv("{0} values of type {1} do not fit {2} "
                                     "bytes",
                                     values.size(), getStorageTypeName(type),
                                     out.size()));
  // One row in panels of one is the row itself.
  transposeFloats(layout, values, values.size(), out.data());
  return Error::success();
}
