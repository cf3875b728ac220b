//===- ElementTypesTest.cpp - Decoding of stored elements ----------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Frontend/ElementTypes.h"

#include "gtest/gtest.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace llvm;
using namespace weir;

/// Decodes and expects success.
static std::vector<float> decode(StorageType type, ArrayRef<uint8_t> bytes) {
  std::vector<float> out(bytes.size() / getBytesPerBlock(type) *
                         getElementsPerBlock(type));
  Error error = decodeToF32(type, bytes, out);
  EXPECT_FALSE(errorToBool(std::move(error)));
  return out;
}

template <typename T>
static std::vector<uint8_t> toBytes(std::vector<T> values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

namespace {

/// Blocks of bytes (37 i + 11) mod 256 but for their f16 scales, which are 0.25
/// and -0.5 in the first block, -0.0625 and 3 in the second. Expected values
/// come from the `gguf` Python package: every `step`-th, and the sum of all
/// magnitudes.
struct Golden {
  StorageType type;
  std::vector<size_t> scaleOffsets;
  size_t step;
  std::vector<float> values;
  double sumOfMagnitudes;
};

} // namespace

static const Golden golden[] = {
    {StorageType::Q4_0,
     {0},
     5,
     {-0.75, 1.5, -0.25, -2.0, 1.5, 0.5, -0.75, -0.375, 0.0625, 0.5, 0.3125,
      -0.4375, -0.125},
     39.0625},
    {StorageType::Q4_1,
     {0, 2},
     5,
     {3.25, 1.5, -0.25, 2.0, 0.25, 3.0, 2.0, 2.875, 2.3125, 2.75, 2.25, 2.5,
      2.8125},
     128.6875},
    {StorageType::Q5_0,
     {0},
     5,
     {2.25, -3.5, -1.25, -3.0, 1.75, -3.25, 3.5, 0.625, 0.0625, -0.5, -0.375,
      -0.0625, -0.8125},
     78.3125},
    {StorageType::Q5_1,
     {0, 2},
     5,
     {4.25, 2.5, 4.75, 7.0, 2.5, 5.5, 0.25, 2.375, 2.8125, 1.25, 2.0625, 2.375,
      2.625},
     178.1875},
    {StorageType::Q8_0,
     {0},
     5,
     {21.25, 3.5, -14.25, -32.0, 14.25, -3.5, -21.25, 5.125, -6.4375, -2.0,
      2.4375, 6.875, -4.6875},
     676.25},
    {StorageType::Q4_K,
     {0, 2},
     17,
     {110.75, 25.5, 22.0, 13.0, 184.25, 71.5, 62.5, 31.0, 35.25, 84.0, 15.0,
      135.0, 94.25, 155.5, 23.5, 34.0},
     18890.0},
    {StorageType::Q5_K,
     {0, 2},
     17,
     {234.75, 25.5, 16.0, 39.0, 348.25, 235.5, 97.5, 122.0, 35.25, 240.0, 165.0,
      45.0, 94.25, 155.5, 38.5, 49.0},
     34334.0},
    {StorageType::Q6_K,
     {208},
     17,
     {-357.75, 128.0, -57.75, 145.0, -166.25, 465.0, 174.0, -387.5, -61.75,
      -144.0, 442.25, -735.0, -0.0, 189.0, 199.75, -15.0},
     66625.5},
};

TEST(ElementTypes, blocksMatchReference) {
  for (const Golden &test : golden) {
    SCOPED_TRACE(getStorageTypeName(test.type).str());
    size_t block = getBytesPerBlock(test.type);
    size_t count = getElementsPerBlock(test.type) == 32 ? 2 : 1;
    const uint16_t scales[2][2] = {{0x3400, 0xb800}, {0xac00, 0x4200}};
    std::vector<uint8_t> bytes(block * count);
    for (size_t i = 0; i != bytes.size(); ++i)
      bytes[i] = static_cast<uint8_t>(i * 37 + 11);
    for (size_t b = 0; b != count; ++b)
      for (size_t i = 0; i != test.scaleOffsets.size(); ++i)
        std::memcpy(&bytes[b * block + test.scaleOffsets[i]], &scales[b][i], 2);
    std::vector<float> values = decode(test.type, bytes);
    double sum = 0;
    for (float value : values)
      sum += std::fabs(value);
    EXPECT_NEAR(sum, test.sumOfMagnitudes, 1e-6 * test.sumOfMagnitudes);
    for (size_t i = 0; i != test.values.size(); ++i)
      EXPECT_FLOAT_EQ(values[i * test.step], test.values[i]) << i;
  }
}

TEST(ElementTypes, microscaling) {
  const float numbers[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  std::vector<uint8_t> block = {128}; // a scale of 2
  for (int i = 0; i != 16; ++i)
    block.push_back(static_cast<uint8_t>(i | (15 - i) << 4));
  std::vector<float> values = decode(StorageType::MXFP4, block);
  for (int i = 0; i != 16; ++i) {
    float expected = 2 * numbers[i % 8] * (i < 8 ? 1 : -1);
    EXPECT_EQ(values[i], expected) << i;
    EXPECT_EQ(values[31 - i], expected) << i;
  }
  // Neighbours share a byte where scales are stored apart.
  EXPECT_EQ(decode(StorageType::F4_E2M1, {0x7a, 0x01}),
            std::vector<float>({-1, 6, 0.5f, 0}));
  values = decode(StorageType::F8_E8M0, {0, 1, 127, 254, 255});
  EXPECT_EQ(values[0], 0x1p-127f);
  EXPECT_EQ(values[1], 0x1p-126f);
  EXPECT_EQ(values[2], 1);
  EXPECT_EQ(values[3], 0x1p127f);
  EXPECT_TRUE(std::isnan(values[4]));
}

TEST(ElementTypes, allHalves) {
  std::vector<uint16_t> halves(65536);
  for (size_t i = 0; i != halves.size(); ++i)
    halves[i] = static_cast<uint16_t>(i);
  std::vector<float> values = decode(StorageType::F16, toBytes(halves));
  for (size_t i = 0; i != halves.size(); ++i) {
    int exponent = i >> 10 & 31, fraction = i & 1023;
    float sign = i & 0x8000 ? -1.0f : 1.0f;
    if (exponent == 31 && fraction != 0) {
      EXPECT_TRUE(std::isnan(values[i])) << i;
      continue;
    }
    float expected = exponent == 31 ? std::numeric_limits<float>::infinity()
                     : exponent == 0
                         ? std::ldexp(fraction, -24)
                         : std::ldexp(1024 + fraction, exponent - 25);
    ASSERT_EQ(values[i], sign * expected) << i;
    ASSERT_EQ(std::signbit(values[i]), sign < 0) << i;
    // What is a half already does not move.
    float rounded = values[i];
    ASSERT_FALSE(errorToBool(roundThrough(StorageType::F16, rounded)));
    ASSERT_EQ(rounded, values[i]) << i;
  }
}

TEST(ElementTypes, allFloat8) {
  std::vector<uint8_t> bytes(256);
  for (size_t i = 0; i != bytes.size(); ++i)
    bytes[i] = static_cast<uint8_t>(i);
  std::vector<float> e4m3 = decode(StorageType::F8_E4M3, bytes);
  std::vector<float> e5m2 = decode(StorageType::F8_E5M2, bytes);
  for (int i = 0; i != 256; ++i) {
    float sign = i & 128 ? -1.0f : 1.0f;
    int exponent = i >> 3 & 15, fraction = i & 7;
    if ((i & 127) == 127)
      EXPECT_TRUE(std::isnan(e4m3[i])) << i;
    else
      EXPECT_EQ(e4m3[i], sign * (exponent == 0
                                     ? std::ldexp(fraction, -9)
                                     : std::ldexp(8 + fraction, exponent - 10)))
          << i;
    exponent = i >> 2 & 31;
    fraction = i & 3;
    if (exponent == 31 && fraction != 0)
      EXPECT_TRUE(std::isnan(e5m2[i])) << i;
    else if (exponent == 31)
      EXPECT_EQ(e5m2[i], sign * std::numeric_limits<float>::infinity());
    else
      EXPECT_EQ(e5m2[i], sign * (exponent == 0
                                     ? std::ldexp(fraction, -16)
                                     : std::ldexp(4 + fraction, exponent - 17)))
          << i;
  }
}

TEST(ElementTypes, plainNumbers) {
  using V = std::vector<float>;
  EXPECT_EQ(decode(StorageType::F32, toBytes<float>({1.5f, -2.0f})),
            V({1.5f, -2.0f}));
  EXPECT_EQ(decode(StorageType::BF16, toBytes<uint16_t>({0x3fc0, 0xff80})),
            V({1.5f, -std::numeric_limits<float>::infinity()}));
  EXPECT_EQ(decode(StorageType::I64, toBytes<int64_t>({-3, 1ll << 40})),
            V({-3.0f, 0x1p40f}));
  EXPECT_EQ(decode(StorageType::I8, toBytes<int8_t>({-128, 127})),
            V({-128.0f, 127.0f}));
  EXPECT_EQ(decode(StorageType::U8, toBytes<uint8_t>({0, 255})),
            V({0.0f, 255.0f}));
  EXPECT_EQ(decode(StorageType::Bool, toBytes<uint8_t>({0, 1})),
            V({0.0f, 1.0f}));
  EXPECT_EQ(decode(StorageType::F64, toBytes<double>({0.1, 1e300, -1e300})),
            V({0.1f, std::numeric_limits<float>::infinity(),
               -std::numeric_limits<float>::infinity()}));
}

TEST(ElementTypes, unalignedBytes) {
  std::vector<uint8_t> bytes = toBytes<float>({0.0f, 2.5f, -1.0f});
  ArrayRef<uint8_t> shifted = ArrayRef(bytes).slice(4, 8);
  std::vector<uint8_t> odd(9);
  std::memcpy(odd.data() + 1, shifted.data(), 8);
  EXPECT_EQ(decode(StorageType::F32, ArrayRef(odd).drop_front()),
            std::vector<float>({2.5f, -1.0f}));
}

TEST(ElementTypes, refusals) {
  std::vector<float> out(256);
  std::vector<uint8_t> bytes(84);
  EXPECT_NE(toString(decodeToF32(StorageType::Q2_K, bytes, out)).find("Q2_K"),
            std::string::npos);
  EXPECT_TRUE(errorToBool(decodeToF32(StorageType::F32, bytes, out)));
  EXPECT_TRUE(errorToBool(decodeToF32(StorageType::Q4_0, bytes, out)));
  EXPECT_FALSE(isDecodable(StorageType::IQ2_XS));
  EXPECT_FALSE(getStorageTypeFromSafetensors("F6_E2M3"));
  EXPECT_FALSE(getStorageTypeFromSafetensors(""));
  EXPECT_FALSE(getStorageTypeFromGGUF(4));
}

TEST(ElementTypes, storageBytes) {
  auto measure = [](StorageType type, std::vector<int64_t> shape) {
    Expected<int64_t> bytes = getStorageBytes(type, shape);
    if (bytes)
      return *bytes;
    consumeError(bytes.takeError());
    return int64_t(-1);
  };
  EXPECT_EQ(measure(StorageType::F32, {}), 4);
  EXPECT_EQ(measure(StorageType::F16, {3, 5}), 30);
  EXPECT_EQ(measure(StorageType::Q4_1, {3, 64}), 120);
  EXPECT_EQ(measure(StorageType::F32, {0, 7}), 0);
  EXPECT_EQ(measure(StorageType::Q4_1, {64, 3}), -1);
  EXPECT_EQ(measure(StorageType::F32, {-1}), -1);
  EXPECT_EQ(measure(StorageType::F32, {1ll << 32, 1ll << 31}), -1);
  EXPECT_EQ(measure(StorageType::F64, {1ll << 60}), -1);
  EXPECT_EQ(measure(StorageType::F64, {0, 1ll << 40, 1ll << 40}), -1);
}
