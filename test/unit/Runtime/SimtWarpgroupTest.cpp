//===- SimtWarpgroupTest.cpp - Tests of warpgroups and bulk copies --------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Places of elements are written here once more, as the PTX manual has them for
// `wgmma`, its descriptors and copies of boxes. UNPROVED on a GPU, as
// SimtWarpgroup.cpp is.
//
//===----------------------------------------------------------------------===//

#include "SimtWarpgroup.h"
#include "DType.h"
#include "SimtBarriers.h"

#include "gtest/gtest.h"
#include <cstring>
#include <memory>
#include <random>
#include <vector>

using namespace weir::rt;

namespace {
constexpr int32_t kThreads = 160;

/// Shared memory of two tiles of 16 rows of 128 bytes and of a barrier.
struct Block {
  SimtMemory memory;
  std::string fault;
  SimtBarriers barriers{memory, fault};
  SimtWarpgroup warpgroups;
  std::mt19937 random{3};
  uint8_t *tile, *other, *barrier;

  Block() {
    static const int64_t sizes[] = {2048, 2048, 16};
    memory.beginKernel(sizes, 3);
    memory.clocks.beginBlock(kThreads);
    barriers.beginBlock();
    warpgroups.beginBlock(kThreads);
    tile = memory.getBuffer(0, 1024);
    other = memory.getBuffer(1, 1024);
    barrier = memory.getBuffer(2, 16);
  }

  bool beginBarrier(bool fence = true) {
    bool good = barriers.init(0, barrier, 1);
    if (fence)
      barriers.fenceInit(0);
    memory.passBarrier();
    return good;
  }
};

/// A tensor of `rows` rows of `columns` numbers, and its map with boxes of 64
/// by 16.
struct Tensor {
  std::vector<uint16_t> numbers;
  alignas(64) TensorMap map;

  Tensor(int64_t rows, int64_t columns)
      : numbers(static_cast<size_t>(rows * columns)) {
    for (size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = static_cast<uint16_t>(i + 1);
    map.base = reinterpret_cast<int64_t>(numbers.data());
    map.rank = 2;
    map.sizes[0] = columns;
    map.sizes[1] = rows;
    map.strides[0] = 2;
    map.strides[1] = columns * 2;
    map.box[0] = 64;
    map.box[1] = 16;
  }

  bool copy(Block &block, uint8_t *to, int32_t column, int32_t row,
            bool now = false) {
    int32_t at[] = {column, row};
    return block.barriers.copyBox(128, to, &map, at, 2, block.barrier, now);
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

static uint64_t describe(const uint8_t *start, uint64_t swizzle,
                         uint64_t leading, uint64_t stride) {
  return (reinterpret_cast<uintptr_t>(start) & 0x3ffff) >> 4 |
         leading / 16 << 16 | stride / 16 << 32 | swizzle << 62;
}

/// Multiplies 64 x 16 by 16 x 16, whose element k of column n is at
/// `place(n, k)` of the tile.
template <typename Place>
static void checkProduct(uint64_t swizzle, uint64_t leading, uint64_t stride,
                         bool now, Place place) {
  constexpr int32_t kColumns = 16, kDepth = 16, kSums = kColumns / 2;
  auto block = std::make_unique<Block>();
  std::mt19937 random(7);
  auto next = [&] { return static_cast<float>(int(random() % 17) - 8); };
  float a[64][kDepth], b[kDepth][kColumns], c[64][kColumns];
  for (auto &row : a)
    for (float &x : row)
      x = next();
  for (auto &row : c)
    for (float &x : row)
      x = next();
  for (int32_t k = 0; k < kDepth; ++k)
    for (int32_t n = 0; n < kColumns; ++n) {
      b[k][n] = next();
      uint16_t half = floatToBFloat(b[k][n]);
      uint8_t *at = block->tile + place(n, k);
      ASSERT_TRUE(block->memory.store(0, at, 2, 2, block->fault));
      std::memcpy(at, &half, 2);
    }
  block->memory.clocks.fence(0);
  block->memory.passBarrier();
  for (int32_t warp = 0; warp < 4; ++warp) {
    int32_t registers[kWarp][kSums + 4], *lanes[kWarp];
    for (int32_t lane = 0; lane < kWarp; ++lane) {
      lanes[lane] = registers[lane];
      for (int32_t i = 0; i < kSums; ++i)
        std::memcpy(&registers[lane][i],
                    &c[16 * warp + lane / 4 + 8 * (i / 2 % 2)]
                      [i / 4 * 8 + lane % 4 * 2 + i % 2],
                    4);
      for (int32_t i = 0; i < 8; ++i) {
        int32_t row = 16 * warp + lane / 4 + (i / 2 % 2 ? 8 : 0);
        int32_t column = lane % 4 * 2 + (i & 1) + (i >= 4 ? 8 : 0);
        uint16_t half = floatToBFloat(a[row][column]);
        std::memcpy(reinterpret_cast<uint16_t *>(&registers[lane][kSums]) + i,
                    &half, 2);
      }
    }
    block->warpgroups.fence(32 * warp);
    ASSERT_TRUE(
        block->warpgroups.begin(32 * warp, kThreads, kColumns,
                                describe(block->tile, swizzle, leading, stride),
                                lanes, block->memory, now, block->fault))
        << block->fault;
    block->warpgroups.commit(32 * warp);
    ASSERT_TRUE(block->warpgroups.wait(32 * warp, 0, lanes, kSums,
                                       block->memory, block->fault))
        << block->fault;
    for (int32_t lane = 0; lane < kWarp; ++lane)
      for (int32_t i = 0; i < kSums; ++i) {
        int32_t row = 16 * warp + lane / 4 + 8 * (i / 2 % 2);
        int32_t column = i / 4 * 8 + lane % 4 * 2 + i % 2;
        float expected = c[row][column], found;
        for (int32_t k = 0; k < kDepth; ++k)
          expected += a[row][k] * b[k][column];
        std::memcpy(&found, &registers[lane][i], 4);
        EXPECT_EQ(found, expected)
            << "warp " << warp << ", lane " << lane << ", d" << i;
      }
  }
  EXPECT_TRUE(block->warpgroups.finish(block->fault)) << block->fault;
}

// Rows of 128 bytes, pieces of sixteen permuted by the row.
TEST(SimtWarpgroup, readsRowsOf128Bytes) {
  for (bool now : {false, true})
    checkProduct(1, 16, 1024, now, [](int32_t n, int32_t k) {
      return n * 128 + ((k / 8) ^ n % 8) * 16 + k % 8 * 2;
    });
}

// Of 64: two rows are 128 bytes, and permuted alike.
TEST(SimtWarpgroup, readsRowsOf64Bytes) {
  checkProduct(2, 16, 512, false, [](int32_t n, int32_t k) {
    return n * 64 + ((k / 8) ^ n / 2 % 4) * 16 + k % 8 * 2;
  });
}

TEST(SimtWarpgroup, readsRowsOf32Bytes) {
  checkProduct(3, 16, 256, false, [](int32_t n, int32_t k) {
    return n * 32 + ((k / 8) ^ n / 4 % 2) * 16 + k % 8 * 2;
  });
}

// Cores of eight rows of sixteen bytes, one behind the other along the
// reduction, and then along rows.
TEST(SimtWarpgroup, readsCores) {
  checkProduct(0, 128, 256, false, [](int32_t n, int32_t k) {
    return n / 8 * 256 + k / 8 * 128 + n % 8 * 16 + k % 8 * 2;
  });
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

// What is outside of the tensor is zero.
TEST(SimtBarriers, copiesPermutedBoxes) {
  Block block;
  ASSERT_TRUE(block.beginBarrier());
  Tensor tensor(20, 72);
  ASSERT_TRUE(block.barriers.arrive(128, block.barrier, 1, 2048));
  ASSERT_TRUE(tensor.copy(block, block.tile, 64, 8)) << block.fault;
  EXPECT_FALSE(block.barriers.isComplete(block.barrier, 0));
  EXPECT_FALSE(block.barriers.completeOne({}, block.random));
  ASSERT_TRUE(block.barriers.completeOne({block.barrier}, block.random));
  EXPECT_TRUE(block.barriers.isComplete(block.barrier, 0));
  block.barriers.acquire(1, block.barrier);
  for (int32_t row = 0; row < 16; ++row)
    for (int32_t column = 0; column < 64; ++column) {
      uint8_t *at = block.tile + row * 128 + ((column / 8) ^ row % 8) * 16 +
                    column % 8 * 2;
      ASSERT_TRUE(block.memory.load(1, at, 2, 2, block.fault)) << block.fault;
      uint16_t found;
      std::memcpy(&found, at, 2);
      bool inside = row + 8 < 20 && column + 64 < 72;
      EXPECT_EQ(found, inside ? (row + 8) * 72 + column + 64 + 1 : 0)
          << row << ", " << column;
    }
}

TEST(SimtBarriers, findsReadsThatDoNotWait) {
  for (bool now : {false, true}) {
    Block block;
    ASSERT_TRUE(block.beginBarrier());
    Tensor tensor(16, 64);
    ASSERT_TRUE(block.barriers.arrive(128, block.barrier, 1, 4096));
    ASSERT_TRUE(tensor.copy(block, block.tile, 0, 0, now));
    // Half of the bytes are there, or none.
    EXPECT_FALSE(block.memory.load(1, block.tile, 4, 4, block.fault));
    EXPECT_NE(block.fault.find("copies and has not waited for"),
              std::string::npos);
    ASSERT_TRUE(tensor.copy(block, block.other, 0, 0, now));
    while (block.barriers.completeOne({block.barrier}, block.random)) {
    }
    // All are there, and nobody waits.
    EXPECT_TRUE(block.barriers.isComplete(block.barrier, 0));
    EXPECT_FALSE(block.memory.load(1, block.tile, 4, 4, block.fault));
    EXPECT_NE(block.fault.find("without a wait at its barrier"),
              std::string::npos);
    block.barriers.acquire(1, block.barrier);
    EXPECT_TRUE(block.memory.load(1, block.tile, 4, 4, block.fault));
  }
}

TEST(SimtBarriers, findsCopiesOverWhatIsRead) {
  Block block;
  ASSERT_TRUE(block.beginBarrier());
  Tensor tensor(16, 64);
  ASSERT_TRUE(block.barriers.arrive(128, block.barrier, 1, 2048));
  ASSERT_TRUE(tensor.copy(block, block.tile, 0, 0, true));
  block.barriers.acquire(1, block.barrier);
  ASSERT_TRUE(block.memory.load(1, block.tile, 4, 4, block.fault));
  // The copying thread does not know that its copy is done, nor that thread 1
  // is.
  EXPECT_FALSE(tensor.copy(block, block.tile, 0, 0));
  EXPECT_NE(block.fault.find("writes what a bulk copy writes"),
            std::string::npos);
  block.barriers.acquire(128, block.barrier);
  EXPECT_FALSE(tensor.copy(block, block.tile, 0, 0));
  EXPECT_NE(block.fault.find("writes what thread 1 reads"), std::string::npos);
}

TEST(SimtBarriers, findsCopiesOverMatrices) {
  Block block;
  ASSERT_TRUE(block.beginBarrier());
  Tensor tensor(16, 64);
  ASSERT_TRUE(block.barriers.arrive(128, block.barrier, 1, 2048));
  ASSERT_TRUE(tensor.copy(block, block.tile, 0, 0, true));
  block.barriers.acquire(0, block.barrier);
  ASSERT_TRUE(block.memory.beginMatrix(0, block.tile, block.fault));
  EXPECT_FALSE(tensor.copy(block, block.tile, 0, 0));
  EXPECT_NE(block.fault.find("has not waited for"), std::string::npos);
  block.memory.endMatrix(0, block.tile);
  EXPECT_FALSE(tensor.copy(block, block.tile, 0, 0));
  EXPECT_NE(block.fault.find("reads since the last barrier"),
            std::string::npos);
}

TEST(SimtBarriers, findsMissingFences) {
  Block block;
  ASSERT_TRUE(block.beginBarrier(/*fence=*/false));
  Tensor tensor(16, 64);
  EXPECT_FALSE(tensor.copy(block, block.tile, 0, 0));
  EXPECT_NE(block.fault.find("fence.mbarrier_init"), std::string::npos);
  block.barriers.fenceInit(0);
  ASSERT_TRUE(block.memory.store(3, block.tile, 4, 4, block.fault));
  block.memory.passBarrier();
  EXPECT_FALSE(tensor.copy(block, block.tile, 0, 0));
  EXPECT_NE(block.fault.find("fence.proxy.async"), std::string::npos);
  block.memory.clocks.fence(3);
  EXPECT_TRUE(tensor.copy(block, block.tile, 0, 0)) << block.fault;
}

TEST(SimtBarriers, findsBadMapsAndPlaces) {
  Block block;
  ASSERT_TRUE(block.beginBarrier());
  Tensor tensor(16, 64);
  EXPECT_FALSE(tensor.copy(block, block.tile + 64, 0, 0));
  EXPECT_NE(block.fault.find("misaligned"), std::string::npos);
  EXPECT_FALSE(tensor.copy(block, block.tile, -8, 0));
  tensor.map.strides[1] = 120;
  EXPECT_NE(tensor.map.findFault().find("a stride is 120"), std::string::npos);
  EXPECT_FALSE(tensor.copy(block, block.other, 0, 0));
  EXPECT_NE(block.fault.find("no map of such a tensor"), std::string::npos);
}

// Bytes that come before they are expected are none too few.
TEST(SimtBarriers, countsBytesEitherWay) {
  Block block;
  ASSERT_TRUE(block.beginBarrier());
  Tensor tensor(16, 64);
  ASSERT_TRUE(tensor.copy(block, block.tile, 0, 0, true));
  EXPECT_FALSE(block.barriers.isComplete(block.barrier, 0));
  ASSERT_TRUE(block.barriers.arrive(128, block.barrier, 1, 2048));
  EXPECT_TRUE(block.barriers.isComplete(block.barrier, 0));
  EXPECT_FALSE(block.barriers.isComplete(block.barrier, 1));
}
