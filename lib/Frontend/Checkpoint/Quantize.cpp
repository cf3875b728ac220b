//===- Quantize.cpp - Blockwise quantisation ------------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Round-to-nearest quantisation of blocks of 32, and rounding to the 16-bit
// float types.
//
//===----------------------------------------------------------------------===//

#include "weir/Frontend/ElementTypes.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Parallel.h"

#include <algorithm>
#include <atomic>
#include <cfloat>
#include <cmath>

using namespace llvm;
using namespace weir;

/// Quantises each block by `quantizeBlock(values, quants, scale, min)`, which
/// returns false on values that have no such form.
template <typename Fn>
static Expected<QuantizedRows> quantizeRows(StorageType type,
                                            ArrayRef<float> values,
                                            int64_t numCols, Fn quantizeBlock) {
  constexpr int64_t block = QuantizedRows::blockSize;
  int64_t count = values.size();
  if (numCols <= 0 || numCols % block != 0 || count % numCols != 0)
    return createStringError(formatv(
        "cannot quantise {0} values in rows of {1}, expected whole rows of a "
        "multiple of {2}; keep this weight in a float type",
        count, numCols, block));
  QuantizedRows result;
  result.type = type;
  result.numRows = count / numCols;
  result.numCols = numCols;
  result.quants.resize(count);
  result.scales.resize(count / block);
  if (type == StorageType::Q4_1)
    result.mins.resize(count / block);

  // Large pieces: a block is far less work than handing out a task.
  constexpr int64_t blocksPerTask = 8192;
  int64_t numBlocks = count / block;
  std::atomic<bool> finite = true;
  auto run = [&](size_t task) {
    int64_t end = std::min<int64_t>(numBlocks, (task + 1) * blocksPerTask);
    for (int64_t b = task * blocksPerTask; b < end; ++b) {
      float min = 0.0f;
      if (!quantizeBlock(values.data() + b * block,
                         result.quants.data() + b * block, result.scales[b],
                         min))
        finite = false;
      if (!result.mins.empty())
        result.mins[b] = min;
    }
  };
  parallelFor(0, divideCeil(numBlocks, blocksPerTask), run);
  if (!finite)
    return createStringError(
        "cannot quantise values that are infinite, not a number or further "
        "apart within a block than f32 reaches");
  return result;
}

/// The inverse of a scale; zero for blocks so small that it would overflow:
/// these quantise to zero, as near as f32 scales allow.
static float invert(float scale) {
  return scale >= FLT_MIN ? 1.0f / scale : 0.0f;
}

/// The nearest integer, ties to even, inside [low, high].
static int8_t roundClamped(float value, float low, float high) {
  return static_cast<int8_t>(
      std::nearbyint(std::min(std::max(value, low), high)));
}

Expected<QuantizedRows> weir::quantizeInt8(ArrayRef<float> values,
                                           int64_t numCols) {
  return quantizeRows(StorageType::Q8_0, values, numCols,
                      [](const float *x, int8_t *q, float &scale, float &) {
                        float largest = 0.0f, zero = 0.0f;
                        for (int i = 0; i < 32; ++i) {
                          largest = std::max(largest, std::fabs(x[i]));
                          zero +=
                              x[i] * 0.0f; // NaN when any value is not finite
                        }
                        if (zero != 0.0f)
                          return false;
                        scale = largest / 127.0f;
                        float inverse = invert(scale);
                        for (int i = 0; i < 32; ++i)
                          q[i] = roundClamped(x[i] * inverse, -127.0f, 127.0f);
                        return true;
                      });
}

Expected<QuantizedRows> weir::quantizeInt4(ArrayRef<float> values,
                                           int64_t numCols) {
  return quantizeRows(StorageType::Q4_1, values, numCols,
                      [](const float *x, int8_t *q, float &scale, float &min) {
                        float low = x[0], high = x[0], zero = 0.0f;
                        for (int i = 0; i < 32; ++i) {
                          low = std::min(low, x[i]);
                          high = std::max(high, x[i]);
                          zero += x[i] * 0.0f;
                        }
                        if (zero != 0.0f)
                          return false;
                        // A range that overflows has no steps.
                        if (!std::isfinite(high - low))
                          return false;
                        scale = (high - low) / 15.0f;
                        min = low;
                        float inverse = invert(scale);
                        for (int i = 0; i < 32; ++i)
                          q[i] =
                              roundClamped((x[i] - low) * inverse, 0.0f, 15.0f);
                        return true;
                      });
}

std::vector<float> weir::dequantize(const QuantizedRows &quantized) {
  constexpr int64_t block = QuantizedRows::blockSize;
  std::vector<float> values(quantized.quants.size());
  for (size_t b = 0, e = quantized.scales.size(); b != e; ++b) {
    float scale = quantized.scales[b];
    float min = quantized.mins.empty() ? 0.0f : quantized.mins[b];
    const int8_t *q = quantized.quants.data() + b * block;
    if (quantized.type == StorageType::MXFP4 ||
        quantized.type == StorageType::F8_E4M3) {
      auto decode =
          quantized.type == StorageType::MXFP4 ? decodeE2M1 : decodeE4M3;
      for (int64_t i = 0; i < block; ++i)
        values[b * block + i] = scale * decode(q[i]);
      continue;
    }
    for (int64_t i = 0; i < block; ++i)
      values[b * block + i] = scale * q[i] + min;
  }
  return values;
}

/// Keeps the upper 16 bits. NaNs stay NaNs: rounding could carry out of them.
static float roundToBF16(float value) {
  uint32_t bits = llvm::bit_cast<uint32_t>(value);
  uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
  uint32_t result =
      (bits & 0x7fffffff) > 0x7f800000 ? (bits | 0x400000) : rounded;
  return llvm::bit_cast<float>(result & 0xffff0000u);
}

/// Keeps 10 bits of fraction. Below 2^-14 the spacing is constant: adding and
/// taking away 2^-14 * 2^13 (a float whose ulp is that spacing) rounds there.
static float roundToF16(float value) {
  uint32_t bits = llvm::bit_cast<uint32_t>(value);
  uint32_t sign = bits & 0x80000000u;
  uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u)
    return llvm::bit_cast<float>((bits | 0x400000) & 0xffffe000u);
  float absolute = llvm::bit_cast<float>(magnitude);
  if (absolute >= 65520.0f) // rounds up beyond the largest, 65504
    return llvm::bit_cast<float>(sign | 0x7f800000u);
  float rounded;
  if (absolute < 0x1p-14f)
    rounded = (absolute + 0x1p-1f) - 0x1p-1f;
  else
    rounded = llvm::bit_cast<float>(
        (magnitude + 0xfff + (magnitude >> 13 & 1)) & 0xffffe000u);
  return llvm::bit_cast<float>(llvm::bit_cast<uint32_t>(rounded) | sign);
}

Error weir::roundThrough(StorageType type, MutableArrayRef<float> values) {
  switch (type) {
  case StorageType::F32:
  case StorageType::F64:
    return Error::success();
  case StorageType::F16:
    for (float &value : values)
      value = roundToF16(value);
    return Error::success();
  case StorageType::BF16:
    for (float &value : values)
      value = roundToBF16(value);
    return Error::success();
  default:
    return createStringError(
        formatv("cannot round weights to {0}, expected F64, F32, F16 or BF16",
                getStorageTypeName(type)));
  }
}
