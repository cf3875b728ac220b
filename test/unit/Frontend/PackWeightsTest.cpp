//===- PackWeightsTest.cpp - Weights in panels ----------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Frontend/PackedWeights.h"

#include "gtest/gtest.h"

#include <cmath>
#include <cstring>
#include <random>

using namespace llvm;
using namespace weir;

static std::vector<uint8_t> pack(const WeightRef &source, PackedLayout layout) {
  Expected<int64_t> bytes = getPackedBytes(layout, source->shape());
  EXPECT_TRUE(bool(bytes));
  std::vector<uint8_t> out(*bytes);
  EXPECT_FALSE(errorToBool(packWeights(source, layout, out)));
  return out;
}

namespace {

/// Five rows of three blocks of MXFP4 with scales from 2^-126 to 2^123, stored
/// apart from their scales and together.
struct Microscaling : testing::Test {
  static constexpr int64_t rows = 5, blocks = 3, cols = blocks * 32, panel = 4;

  void SetUp() override {
    std::mt19937 random(5);
    for (int64_t b = 0; b != rows * blocks; ++b) {
      scales.push_back(static_cast<uint8_t>(1 + random() % 250));
      together.push_back(scales.back());
      uint8_t numbers[32];
      for (uint8_t &number : numbers)
        number = static_cast<uint8_t>(random() % 16);
      for (int i = 0; i != 16; ++i) {
        apart.push_back(
            static_cast<uint8_t>(numbers[2 * i] | numbers[2 * i + 1] << 4));
        together.push_back(
            static_cast<uint8_t>(numbers[i] | numbers[i + 16] << 4));
      }
    }
    tensors[0].type = StorageType::F4_E2M1;
    tensors[0].bytes = apart;
    tensors[0].scales = scales;
    tensors[1].type = StorageType::MXFP4;
    tensors[1].bytes = together;
    for (TensorInfo &tensor : tensors)
      tensor.shape = {rows, cols};
    quants.panel = exponents.panel = panel;
    quants.bits = exponents.bits = 4;
    quants.part = PackedPart::Quants;
    exponents.part = PackedPart::Scales;
    quants.code = exponents.code = PackedCode::E2M1;
    quants.floats = exponents.floats = StorageType::F8_E8M0;
  }

  /// The value of row `n` and column `k`, as `#weir.pack` lays it out.
  static float read(ArrayRef<uint8_t> quants, ArrayRef<uint8_t> exponents,
                    int64_t n, int64_t k) {
    int64_t lane = n % panel;
    int64_t word = n / panel * (cols / 8) + k / 8;
    uint8_t byte = quants[(word * panel + lane) * 4 + k % 4];
    int64_t group = n / panel * blocks + k / 32;
    return decodeE2M1(byte >> (k % 8 / 4 * 4) & 15) *
           decodeE8M0(exponents[group * panel + lane]);
  }

  std::vector<uint8_t> apart, scales, together;
  TensorInfo tensors[2];
  PackedLayout quants, exponents;
};

} // namespace

TEST(Float8, codesStayAsTheyAre) {
  // Two stacked matrices of 3 by 160 with scales for 2 by 128.
  constexpr int64_t rows = 3, cols = 160, panel = 4;
  std::mt19937 random(7);
  std::vector<uint8_t> bytes(2 * rows * cols);
  for (uint8_t &byte : bytes) {
    byte = static_cast<uint8_t>(random());
    if ((byte & 127) == 127)
      byte = 1;
  }
  float numbers[8] = {1, 0.3f, 1e-3f, 7, 2, 5e-5f, 11, 0.5f};
  uint8_t scales[sizeof(numbers)];
  std::memcpy(scales, numbers, sizeof(numbers));
  TensorInfo tensor;
  tensor.type = StorageType::F8_E4M3;
  tensor.shape = {2, rows, cols};
  tensor.bytes = bytes;
  tensor.scales = scales;
  tensor.scaleType = StorageType::F32;
  tensor.scaleBlock = {2, 128};
  WeightRef source = cantFail(WeightSource::leaf(tensor));
  EXPECT_EQ(source->blockType(), StorageType::F8_E4M3);
  std::vector<float> values = cantFail(source->evaluate());
  auto expected = [&](int64_t m, int64_t n, int64_t k) {
    return decodeE4M3(bytes[(m * rows + n) * cols + k]) *
           numbers[m * 4 + n / 2 * 2 + k / 128];
  };
  PackedLayout quants, factors;
  quants.panel = factors.panel = panel;
  quants.bits = factors.bits = 8;
  quants.code = factors.code = PackedCode::E4M3;
  quants.part = PackedPart::Quants;
  factors.part = PackedPart::Scales;
  std::vector<uint8_t> packed = pack(source, quants);
  std::vector<uint8_t> packedScales = pack(source, factors);
  for (int64_t m = 0; m != 2; ++m)
    for (int64_t n = 0; n != rows; ++n)
      for (int64_t k = 0; k != cols; ++k) {
        ASSERT_EQ(values[(m * rows + n) * cols + k], expected(m, n, k));
        uint8_t code = packed[((m * cols / 4 + k / 4) * panel + n) * 4 + k % 4];
        float scale;
        std::memcpy(&scale,
                    packedScales.data() +
                        ((m * cols / 32 + k / 32) * panel + n) * 4,
                    4);
        ASSERT_EQ(decodeE4M3(code) * scale, expected(m, n, k));
      }
  bytes[5] = 0xff;
  std::vector<uint8_t> out(packed.size());
  EXPECT_NE(
      toString(packWeights(source, quants, out)).find("is no number (NaN)"),
      std::string::npos);
  // Only what is stored so.
  WeightRef floats = cantFail(
      WeightSource::constant(std::vector<float>(4 * 32, 1.0f), {4, 32}));
  out.resize(128);
  EXPECT_NE(
      toString(packWeights(floats, quants, out)).find("not stored in rows"),
      std::string::npos);
  quants.bits = 4;
  EXPECT_NE(toString(getPackedBytes(quants, {4, 32}).takeError())
                .find("e4m3 of 4 bits in groups of 32"),
            std::string::npos);
}

TEST_F(Microscaling, blocksStayAsTheyAre) {
  std::vector<float> values =
      cantFail(cantFail(WeightSource::leaf(tensors[1]))->evaluate());
  for (const TensorInfo &tensor : tensors) {
    WeightRef source = cantFail(WeightSource::leaf(tensor));
    EXPECT_EQ(source->storedType(), StorageType::MXFP4);
    EXPECT_EQ(cantFail(source->evaluate()), values);
    std::vector<float> part(41);
    ASSERT_FALSE(errorToBool(source->read(37, part)));
    EXPECT_EQ(ArrayRef(part), ArrayRef(values).slice(37, 41));
    std::vector<uint8_t> packed = pack(source, quants);
    std::vector<uint8_t> packedScales = pack(source, exponents);
    EXPECT_EQ(packed.size() + packedScales.size(), 8 * cols / 32 * 17);
    for (int64_t n = 0; n != rows; ++n)
      for (int64_t k = 0; k != cols; ++k)
        ASSERT_EQ(read(packed, packedScales, n, k), values[n * cols + k])
            << n << " " << k;
    for (int64_t group = 0; group != blocks; ++group)
      for (int64_t lane = 1; lane != panel; ++lane)
        EXPECT_EQ(packedScales[(blocks + group) * panel + lane], 0);
  }
}

// What has been rearranged is the same when it is quantised again.
TEST_F(Microscaling, quantizedAgain) {
  std::vector<float> values =
      cantFail(cantFail(WeightSource::leaf(tensors[0]))->evaluate());
  // Scales below the least that numbers are measured to have.
  for (float &value : values)
    if (std::fabs(value) < 0x1p-120f)
      value = 0;
  WeightRef source = cantFail(WeightSource::constant(values, {rows, cols}));
  std::vector<uint8_t> packed = pack(source, quants);
  std::vector<uint8_t> packedScales = pack(source, exponents);
  for (int64_t n = 0; n != rows; ++n)
    for (int64_t k = 0; k != cols; ++k)
      ASSERT_EQ(read(packed, packedScales, n, k), values[n * cols + k])
          << n << " " << k;
}

TEST_F(Microscaling, rounding) {
  std::vector<float> values(32, 4.0f);
  const float in[] = {0.25f, 0.26f, 0.75f, 1.25f, 1.75f, 2.5f,  3.5f,
                      5.0f,  5.1f,  7.9f,  -0.2f, -0.3f, -2.6f, -5.5f};
  const float out[] = {0, 0.5f, 1, 1, 2, 2, 4, 4, 6, 6, 0, -0.5f, -3, -6};
  std::copy(std::begin(in), std::end(in), values.begin());
  WeightRef source = cantFail(WeightSource::constant(values, {1, 32}));
  quants.panel = exponents.panel = 1;
  std::vector<uint8_t> packed = pack(source, quants);
  EXPECT_EQ(pack(source, exponents), std::vector<uint8_t>({127}));
  for (size_t k = 0; k != std::size(out); ++k)
    EXPECT_EQ(decodeE2M1(packed[k / 8 * 4 + k % 4] >> (k % 8 / 4 * 4) & 15),
              out[k])
        << k;
}

TEST_F(Microscaling, refusals) {
  scales[7] = 255;
  tensors[0].scales = scales;
  WeightRef source = cantFail(WeightSource::leaf(tensors[0]));
  std::vector<uint8_t> out(cantFail(getPackedBytes(exponents, {rows, cols})));
  EXPECT_NE(toString(packWeights(source, exponents, out))
                .find("the scale of a block of MXFP4 is no number"),
            std::string::npos);
  quants.bits = 8;
  EXPECT_NE(toString(getPackedBytes(quants, {rows, cols}).takeError())
                .find("e2m1 of 8 bits with scales of F8_E8M0, expected 4 bits"),
            std::string::npos);
  exponents.floats = StorageType::F16;
  exponents.hasMins = true;
  EXPECT_NE(toString(getPackedBytes(exponents, {rows, cols}).takeError())
                .find("with scales of F16 and mins"),
            std::string::npos);
}
