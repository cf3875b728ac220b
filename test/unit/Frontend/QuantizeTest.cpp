//===- QuantizeTest.cpp - Blockwise quantisation -------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Frontend/ElementTypes.h"

#include "gtest/gtest.h"

#include <cmath>
#include <limits>
#include <random>

using namespace llvm;
using namespace weir;

/// Normal numbers, each block at another magnitude.
static std::vector<float> makeValues(size_t count) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (size_t i = 0; i != count; ++i)
    values[i] = std::ldexp(normal(random), static_cast<int>(i / 32 % 9) - 4);
  return values;
}

TEST(Quantize, errorBounds) {
  // More than one task's worth.
  std::vector<float> values = makeValues(96 * 4096);
  for (bool four : {false, true}) {
    Expected<QuantizedRows> result =
        four ? quantizeInt4(values, 96) : quantizeInt8(values, 96);
    ASSERT_TRUE(bool(result));
    EXPECT_EQ(result->numRows, 4096);
    EXPECT_EQ(result->numCols, 96);
    EXPECT_EQ(result->mins.empty(), !four);
    std::vector<float> back = dequantize(*result);
    ASSERT_EQ(back.size(), values.size());
    for (size_t i = 0; i != values.size(); ++i) {
      float scale = result->scales[i / 32];
      ASSERT_LE(std::fabs(back[i] - values[i]), scale * 0.5001f) << i;
      int low = four ? 0 : -127, high = four ? 15 : 127;
      ASSERT_GE(result->quants[i], low);
      ASSERT_LE(result->quants[i], high);
    }
  }
}

TEST(Quantize, extremes) {
  // Constant, zero, tiny, huge and one-sided blocks stay finite and near.
  std::vector<float> values(32 * 5, 3.0f);
  for (int i = 0; i != 32; ++i) {
    values[32 + i] = 0.0f;
    values[64 + i] = i * 1e-44f;
    values[96 + i] = i % 2 ? 1.7e38f : -1.7e38f;
    values[128 + i] = 100.0f + i;
  }
  for (bool four : {false, true}) {
    Expected<QuantizedRows> result =
        four ? quantizeInt4(values, 32) : quantizeInt8(values, 32);
    ASSERT_TRUE(bool(result));
    std::vector<float> back = dequantize(*result);
    for (size_t i = 0; i != values.size(); ++i)
      EXPECT_LE(std::fabs(back[i] - values[i]),
                result->scales[i / 32] * 0.501f + 1e-37f)
          << i;
  }
}

TEST(Quantize, refusals) {
  std::vector<float> values(96, 1.0f);
  auto fails = [&](int64_t cols) {
    Expected<QuantizedRows> result = quantizeInt8(values, cols);
    bool failed = !result;
    consumeError(result.takeError());
    return failed;
  };
  EXPECT_TRUE(fails(48));
  EXPECT_TRUE(fails(64));
  EXPECT_TRUE(fails(0));
  EXPECT_FALSE(fails(96));
  for (float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    values[70] = bad;
    EXPECT_TRUE(fails(96));
    Expected<QuantizedRows> result = quantizeInt4(values, 32);
    EXPECT_FALSE(bool(result));
    consumeError(result.takeError());
  }
}

TEST(Quantize, rangeBeyondF32) {
  std::vector<float> values(32, 3.4e38f);
  values[5] = -3.4e38f;
  Expected<QuantizedRows> eight = quantizeInt8(values, 32);
  EXPECT_TRUE(bool(eight));
  Expected<QuantizedRows> four = quantizeInt4(values, 32);
  ASSERT_FALSE(bool(four));
  EXPECT_NE(toString(four.takeError()).find("further apart"),
            std::string::npos);
}

TEST(Quantize, unpackAgreesWithDecode) {
  for (StorageType type : {StorageType::Q8_0, StorageType::Q4_0,
                           StorageType::Q4_1, StorageType::MXFP4}) {
    std::vector<uint8_t> bytes(getBytesPerBlock(type) * 6);
    std::mt19937 random(3);
    for (uint8_t &byte : bytes)
      byte = static_cast<uint8_t>(random());
    // Keep scales finite: clear the top bit of their exponents.
    for (size_t b = 0; b != 6; ++b) {
      if (type == StorageType::MXFP4) {
        bytes[b * 17] &= 0x7f;
        continue;
      }
      bytes[b * getBytesPerBlock(type) + 1] &= 0xbf;
      bytes[b * getBytesPerBlock(type) + 3] &= 0xbf;
    }
    QuantizedRows rows;
    rows.type = type;
    rows.numRows = 2;
    rows.numCols = 96;
    rows.quants.resize(192);
    rows.scales.resize(6);
    if (type == StorageType::Q4_1)
      rows.mins.resize(6);
    ASSERT_FALSE(errorToBool(
        unpackBlocks(type, bytes, rows.quants, rows.scales, rows.mins)));
    std::vector<float> expected(192);
    ASSERT_FALSE(errorToBool(decodeToF32(type, bytes, expected)));
    EXPECT_EQ(dequantize(rows), expected);
    rows.scales.pop_back();
    EXPECT_TRUE(errorToBool(
        unpackBlocks(type, bytes, rows.quants, rows.scales, rows.mins)));
  }
}

TEST(Quantize, roundThrough) {
  std::vector<float> values = {1.0f + 0x1p-8f, // a tie, to even
                               1.0f + 0x3p-8f, // a tie, away
                               0x1.fep127f,    // stays
                               0x1.ffp127f,    // overflows
                               0x1p-133f,      // the least subnormal
                               std::nanf("")};
  ASSERT_FALSE(errorToBool(roundThrough(StorageType::BF16, values)));
  EXPECT_EQ(values[0], 1.0f);
  EXPECT_EQ(values[1], 1.0f + 0x1p-6f);
  EXPECT_EQ(values[2], 0x1.fep127f);
  EXPECT_TRUE(std::isinf(values[3]));
  EXPECT_EQ(values[4], 0x1p-133f);
  EXPECT_TRUE(std::isnan(values[5]));

  values = {1.0f + 0x1p-11f, 1.0f + 0x3p-11f, 65519.0f, 65520.0f,
            -0x1p-24f,       0x1.8p-25f,      0x1p-25f, -70000.0f,
            0x1.ffep-15f,    std::nanf("")};
  ASSERT_FALSE(errorToBool(roundThrough(StorageType::F16, values)));
  EXPECT_EQ(values[0], 1.0f);
  EXPECT_EQ(values[1], 1.0f + 0x1p-9f);
  EXPECT_EQ(values[2], 65504.0f);
  EXPECT_TRUE(std::isinf(values[3]));
  EXPECT_EQ(values[4], -0x1p-24f);
  EXPECT_EQ(values[5], 0x1p-24f);
  EXPECT_EQ(values[6], 0.0f);
  EXPECT_EQ(values[7], -std::numeric_limits<float>::infinity());
  EXPECT_EQ(values[8], 0x1p-14f);
  EXPECT_TRUE(std::isnan(values[9]));

  EXPECT_TRUE(errorToBool(roundThrough(StorageType::I8, values)));
}
