//===- DTypeTest.cpp - Tests of element types -----------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DType.h"

#include "gtest/gtest.h"
#include <cmath>
#include <cstring>
#include <limits>

using namespace weir::rt;

TEST(DType, HalvesRoundTrip) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    float value = halfToFloat(static_cast<uint16_t>(bits));
    if (!std::isnan(value)) {
      EXPECT_EQ(floatToHalf(value), bits);
    }
    value = bfloatToFloat(static_cast<uint16_t>(bits));
    if (!std::isnan(value)) {
      EXPECT_EQ(floatToBFloat(value), bits);
    }
  }
}

TEST(DType, HalvesRoundToEven) {
  EXPECT_EQ(halfToFloat(floatToHalf(2049.0f)), 2048.0f);
  EXPECT_EQ(halfToFloat(floatToHalf(2051.0f)), 2052.0f);
  EXPECT_EQ(halfToFloat(floatToHalf(65519.0f)), 65504.0f);
  EXPECT_TRUE(std::isinf(halfToFloat(floatToHalf(65520.0f))));
  EXPECT_EQ(floatToHalf(std::ldexp(1.0f, -25)), 0);
  EXPECT_EQ(floatToHalf(std::ldexp(1.5f, -25)), 1);
  EXPECT_TRUE(std::isnan(halfToFloat(floatToHalf(NAN))));
  EXPECT_TRUE(std::isnan(bfloatToFloat(floatToBFloat(NAN))));
  EXPECT_EQ(bfloatToFloat(floatToBFloat(257.0f)), 256.0f);
  EXPECT_EQ(bfloatToFloat(floatToBFloat(259.0f)), 260.0f);
}

/// Checks a conversion, or the message when it is refused.
template <typename From, typename To>
static void expectConvert(std::vector<From> from, int32_t fromType,
                          std::vector<To> expected, int32_t toType,
                          const char *message) {
  std::vector<To> result(expected.size());
  std::string error;
  if (convertElements(from.data(), fromType, result.data(), toType, from.size(),
                      error)) {
    EXPECT_EQ(result, expected);
  }
  EXPECT_EQ(error, message);
}

TEST(DType, ConvertsWhatFits) {
  expectConvert<int64_t, int32_t>({5, -7}, WEIR_I64, {5, -7}, WEIR_I32, "");
  expectConvert<int64_t, int32_t>(
      {1, int64_t(1) << 31}, WEIR_I64, {0, 0}, WEIR_I32,
      "element 1 is 2147483648, which I32 cannot hold");
  expectConvert<int32_t, uint8_t>({-1}, WEIR_I32, {0}, WEIR_U8,
                                  "element 0 is -1, which U8 cannot hold");
  expectConvert<int64_t, uint8_t>({1, 0}, WEIR_I64, {1, 0}, WEIR_BOOL, "");
  expectConvert<uint8_t, uint8_t>({2}, WEIR_BOOL, {0}, WEIR_BOOL,
                                  "element 0 is 2, which BOOL cannot hold");
  expectConvert<int8_t, int64_t>({-128}, WEIR_I8, {-128}, WEIR_I64, "");
  expectConvert<int16_t, float>({-3}, WEIR_I16, {-3.0f}, WEIR_F32, "");
  expectConvert<double, float>({0.5}, WEIR_F64, {0.5f}, WEIR_F32, "");
  expectConvert<float, uint16_t>({1.0f}, WEIR_F32, {0x3c00}, WEIR_F16, "");
  expectConvert<float, int32_t>(
      {1.0f}, WEIR_F32, {0}, WEIR_I32,
      "element type F32 cannot become I32 without loss");
  expectConvert<float, int32_t>({1.0f}, 77, {0}, WEIR_I32,
                                "element type 77 is not known");
}

TEST(DType, SizesDoNotOverflow) {
  int64_t bytes;
  EXPECT_TRUE(byteSize({}, 4, bytes));
  EXPECT_EQ(bytes, 4);
  EXPECT_TRUE(byteSize({3, 0}, 4, bytes));
  EXPECT_EQ(bytes, 0);
  EXPECT_FALSE(byteSize({-1}, 4, bytes));
  EXPECT_FALSE(byteSize({int64_t(1) << 40, int64_t(1) << 40}, 4, bytes));
}
