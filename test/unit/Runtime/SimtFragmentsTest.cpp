//===- SimtFragmentsTest.cpp - Tests of matrices of a warp ----------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Places of elements are written here once more, element by element as the PTX
// manual has them. UNPROVED on a GPU, as SimtFragments.cpp is.
//
//===----------------------------------------------------------------------===//

#include "SimtFragments.h"
#include "DType.h"
#include "SimtMemory.h"
#include "weir-rt/Simt.h"

#include "gtest/gtest.h"
#include <cstring>
#include <random>
#include <vector>

using namespace weir::rt;

namespace {
/// A, B, C of m16n8kK, and all lanes' registers of them.
struct Product {
  int32_t depth;
  float a[16][16], b[16][8], c[16][8];
  int32_t registers[kWarp][kMmaRegisters] = {};

  explicit Product(int32_t depth) : depth(depth) {
    std::mt19937 random(7);
    // Whole numbers, which every type has and sums of which are exact.
    auto next = [&] { return static_cast<float>(int(random() % 17) - 8); };
    for (int32_t i = 0; i < 16; ++i)
      for (int32_t k = 0; k < depth; ++k)
        a[i][k] = next();
    for (int32_t k = 0; k < depth; ++k)
      for (int32_t j = 0; j < 8; ++j)
        b[k][j] = next();
    for (int32_t i = 0; i < 16; ++i)
      for (int32_t j = 0; j < 8; ++j)
        c[i][j] = next();
  }

  void check(int32_t kind) {
    int32_t *lanes[kWarp];
    for (int32_t lane = 0; lane < kWarp; ++lane) {
      lanes[lane] = registers[lane];
      for (int32_t i = 0; i < 4; ++i)
        std::memcpy(&registers[lane][6 + i],
                    &c[lane / 4 + (i < 2 ? 0 : 8)][lane % 4 * 2 + (i & 1)], 4);
    }
    multiplyFragments(kind, lanes);
    for (int32_t lane = 0; lane < kWarp; ++lane)
      for (int32_t i = 0; i < 4; ++i) {
        int32_t row = i < 2 ? lane / 4 : lane / 4 + 8;
        int32_t column = lane % 4 * 2 + (i & 1);
        float expected = c[row][column], found;
        for (int32_t k = 0; k < depth; ++k)
          expected += a[row][k] * b[k][column];
        std::memcpy(&found, &registers[lane][6 + i], 4);
        EXPECT_EQ(found, expected) << "lane " << lane << ", c" << i;
      }
  }
};
} // namespace

/// Registers of m16n8k16: a0 to a7 and b0 to b3, two of 16 bits in each.
static void fill16(Product &product, uint16_t (*convert)(float)) {
  for (int32_t lane = 0; lane < kWarp; ++lane) {
    int32_t group = lane >> 2, member = lane % 4;
    uint16_t halves[12];
    for (int32_t i = 0; i < 8; ++i) {
      int32_t row = (i < 2 || (i >= 4 && i < 6)) ? group : group + 8;
      int32_t column = i < 4 ? member * 2 + (i & 1) : member * 2 + (i & 1) + 8;
      halves[i] = convert(product.a[row][column]);
    }
    for (int32_t i = 0; i < 4; ++i) {
      int32_t row = i < 2 ? member * 2 + (i & 1) : member * 2 + (i & 1) + 8;
      halves[8 + i] = convert(product.b[row][group]);
    }
    std::memcpy(product.registers[lane], halves, sizeof(halves));
  }
}

TEST(SimtFragments, BF16) {
  Product product(16);
  fill16(product, floatToBFloat);
  product.check(WEIR_SIMT_MMA_BF16);
}

TEST(SimtFragments, F16) {
  Product product(16);
  fill16(product, floatToHalf);
  product.check(WEIR_SIMT_MMA_F16);
}

TEST(SimtFragments, TF32) {
  Product product(8);
  for (int32_t lane = 0; lane < kWarp; ++lane) {
    int32_t group = lane >> 2, member = lane % 4;
    for (int32_t i = 0; i < 4; ++i) {
      int32_t row = (i == 0 || i == 2) ? group : group + 8;
      int32_t column = i < 2 ? member : member + 4;
      std::memcpy(&product.registers[lane][i], &product.a[row][column], 4);
      // Bits that tf32 does not have change nothing.
      product.registers[lane][i] |= 0x1fff;
    }
    for (int32_t i = 0; i < 2; ++i)
      std::memcpy(&product.registers[lane][4 + i],
                  &product.b[i == 0 ? member : member + 4][group], 4);
  }
  product.check(WEIR_SIMT_MMA_TF32);
}

TEST(SimtFragments, RoundsToTF32) {
  auto round = [](float value) {
    int32_t bits;
    std::memcpy(&bits, &value, 4);
    bits = weir_simt_tf32(bits);
    std::memcpy(&value, &bits, 4);
    return value;
  };
  EXPECT_EQ(round(2048.0f), 2048.0f);
  EXPECT_EQ(round(2048.5f), 2048.0f);
  // Halves go away from zero.
  EXPECT_EQ(round(2049.0f), 2050.0f);
  EXPECT_EQ(round(-2049.0f), -2050.0f);
  EXPECT_EQ(round(INFINITY), INFINITY);
  EXPECT_TRUE(std::isnan(round(NAN)));
}

TEST(SimtFragments, LoadsMatrices) {
  for (int32_t lane = 0; lane < kWarp; ++lane)
    for (int32_t i = 0; i < 2; ++i) {
      MatrixPlace plain = placeOfElement(lane, i, false);
      EXPECT_EQ(plain.row, lane / 4);
      EXPECT_EQ(plain.byte, (lane % 4 * 2 + i) * 2);
      MatrixPlace transposed = placeOfElement(lane, i, true);
      EXPECT_EQ(transposed.row, lane % 4 * 2 + i);
      EXPECT_EQ(transposed.byte, lane / 4 * 2);
    }
}

TEST(SimtMemory, CopiesAreTouchedByNobody) {
  SimtMemory memory;
  std::string fault;
  int64_t bytes = 64;
  memory.beginKernel(&bytes, 1);
  uint8_t *at = memory.getBuffer(0, 16);
  EXPECT_TRUE(memory.beginCopy(3, at, 16, fault));
  EXPECT_FALSE(memory.load(3, at + 4, 4, 4, fault));
  EXPECT_EQ(fault, "reads what thread 3 copies and has not waited for: byte 4 "
                   "of shared buffer 0");
  EXPECT_FALSE(memory.store(5, at + 12, 4, 4, fault));
  EXPECT_FALSE(memory.beginCopy(5, at, 8, fault));
  // A barrier ends no copy.
  memory.passBarrier();
  EXPECT_FALSE(memory.load(5, at, 4, 4, fault));
  memory.endCopy(3, at, 16);
  EXPECT_TRUE(memory.load(3, at, 4, 4, fault));
  // Others have to meet the one that waited.
  EXPECT_FALSE(memory.load(5, at, 4, 4, fault));
  memory.passBarrier();
  EXPECT_TRUE(memory.load(5, at, 4, 4, fault));
  // What another read since the last barrier must not be written.
  EXPECT_FALSE(memory.beginCopy(3, at, 16, fault));
  // Another block finds none of it.
  memory.passBarrier();
  EXPECT_TRUE(memory.beginCopy(3, at, 16, fault));
  memory.beginBlock();
  EXPECT_TRUE(memory.store(5, at, 4, 4, fault));
}
