//===- SimtFragments.cpp - Matrices spread over a warp --------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which lane holds which element, as the PTX manual tells it for `ldmatrix`,
// `mma.m16n8k16` of 16 bits and `mma.m16n8k8` of tf32 ("Matrix multiply-
// accumulate instructions"). UNPROVED: no dump of a GPU's registers has been
// compared with these yet.
//
// A lane is in group `lane / 4`, and the `lane % 4`-th of it. All kinds have
// the same layout of 32-bit words: register r of A holds row `group` (odd r:
// and 8 more), word `member` (r >= 2: and 4 more); register r of B word
// `member` (r = 1: and 4 more) of column `group`; C two neighbours of a row.
// A word is one tf32, or two neighbours along the reduction of 16 bits.
//
//===----------------------------------------------------------------------===//

#include "SimtFragments.h"
#include "DType.h"
#include "weir-rt/Simt.h"

#include <cstring>

using namespace weir::rt;

static float floatFromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

MatrixPlace weir::rt::placeOfElement(int32_t lane, int32_t element,
                                     bool transposed) {
  int32_t major = lane / 4, minor = lane % 4 * 2 + element;
  return transposed ? MatrixPlace{minor, major * 2}
                    : MatrixPlace{major, minor * 2};
}

/// The factors in one word: one, or two.
static int32_t split(int32_t kind, int32_t word, float factors[2]) {
  auto bits = static_cast<uint32_t>(word);
  if (kind == WEIR_SIMT_MMA_TF32) {
    // What tf32 has no room for is not looked at.
    factors[0] = floatFromBits(bits & ~uint32_t(0x1fff));
    return 1;
  }
  for (int32_t i = 0; i < 2; ++i) {
    auto half = static_cast<uint16_t>(bits >> (16 * i));
    factors[i] =
        kind == WEIR_SIMT_MMA_BF16 ? bfloatToFloat(half) : halfToFloat(half);
  }
  return 2;
}

void weir::rt::multiplyFragments(int32_t kind, int32_t *const lanes[kWarp]) {
  constexpr int32_t kRows = 16, kColumns = 8, kWords = 8;
  float a[kRows][kWords][2] = {}, b[kColumns][kWords][2] = {};
  int32_t perWord = 1;
  for (int32_t lane = 0; lane < kWarp; ++lane) {
    int32_t group = lane / 4, member = lane % 4;
    const int32_t *registers = lanes[lane];
    for (int32_t r = 0; r < 4; ++r)
      perWord = split(kind, registers[r],
                      a[group + (r & 1) * 8][member + (r >> 1) * 4]);
    for (int32_t r = 0; r < 2; ++r)
      split(kind, registers[4 + r], b[group][member + r * 4]);
  }
  for (int32_t lane = 0; lane < kWarp; ++lane) {
    int32_t group = lane / 4, member = lane % 4;
    int32_t *sums = lanes[lane] + 6;
    for (int32_t r = 0; r < 4; ++r) {
      int32_t row = group + (r >> 1) * 8, column = member * 2 + (r & 1);
      float sum = floatFromBits(static_cast<uint32_t>(sums[r]));
      for (int32_t word = 0; word < kWords; ++word)
        for (int32_t i = 0; i < perWord; ++i)
          sum += a[row][word][i] * b[column][word][i];
      std::memcpy(&sums[r], &sum, sizeof(sum));
    }
  }
}

extern "C" int32_t weir_simt_tf32(int32_t value) {
  auto bits = static_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return 0x7fffffff;
  // To the nearest; halves away from zero.
  return static_cast<int32_t>((bits + 0x1000) & ~uint32_t(0x1fff));
}
