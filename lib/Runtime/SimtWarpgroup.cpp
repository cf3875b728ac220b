//===- SimtWarpgroup.cpp - Matrices that go on behind a warp --------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fragments and descriptors are those of the PTX manual ("Asynchronous
// warpgroup-level matrix instructions"): a warp has 16 of the 64 rows of A and
// D, A as in `mma.m16n8k16`, and of D register 4 j + r of a lane holds row
// `group` (r >= 2: and 8 more), column 8 j + 2 `member` + r % 2. UNPROVED: no
// dump of a GPU's registers has been compared with these yet.
//
//===----------------------------------------------------------------------===//

#include "SimtWarpgroup.h"
#include "DType.h"
#include "SimtMemory.h"

#include <algorithm>
#include <cstring>

using namespace weir::rt;

/// Numbers that are none: results of products that have not ended, with the
/// product's number, as far as there is room, and the register's.
static constexpr uint32_t kMark = 0x7fa00000, kMarkMask = 0xfff00000;
static constexpr int32_t kMarkRegisters = 256, kMarkNumbers = 4096;

MatrixDescriptor::MatrixDescriptor(uint64_t bits) {
  static constexpr int32_t kRowBytes[] = {16, 128, 64, 32};
  auto field = [&](int32_t from, int32_t width) {
    return bits >> from & ((uint64_t(1) << width) - 1);
  };
  start = static_cast<uint32_t>(field(0, 14) << 4);
  leading = static_cast<int64_t>(field(16, 14) << 4);
  stride = static_cast<int64_t>(field(32, 14) << 4);
  baseOffset = static_cast<int32_t>(field(49, 3));
  rowBytes = kRowBytes[field(62, 2)];
}

const uint8_t *MatrixDescriptor::place(const uint8_t *start, int32_t row,
                                       int32_t piece) const {
  const uint8_t *at = start + row / 8 * stride + row % 8 * rowBytes;
  if (rowBytes == 16)
    return at + piece * leading;
  auto bits = reinterpret_cast<uintptr_t>(at + piece * 16);
  // As many pieces as a row has are permuted, by bits 7 and up.
  uintptr_t permuted = bits >> 7 & static_cast<uintptr_t>(rowBytes / 16 - 1);
  return reinterpret_cast<const uint8_t *>(bits ^ permuted << 4);
}

void SimtWarpgroup::beginBlock(int32_t threads) {
  int32_t count = (threads + kWarp - 1) / kWarp;
  warps.assign(static_cast<size_t>(count), Warp());
  descriptors.assign(static_cast<size_t>(count / kWarpgroupWarps + 1), {});
}

void SimtWarpgroup::fence(int32_t first) { warps[first / kWarp].fenced = true; }

void SimtWarpgroup::commit(int32_t first) {
  Warp &warp = warps[first / kWarp];
  warp.groups.push_back(std::move(warp.open));
  warp.open.clear();
}

static int32_t makeMark(int32_t number, int32_t place) {
  return static_cast<int32_t>(
      kMark |
      static_cast<uint32_t>(number % kMarkNumbers * kMarkRegisters + place));
}

/// Replaces `word`, if it is a mark, by the result it stands for, of lane
/// `lane`; false where none of `ended` has it.
bool SimtWarpgroup::resolve(const std::vector<Product> &ended, int32_t lane,
                            int32_t &word) {
  auto bits = static_cast<uint32_t>(word);
  if ((bits & kMarkMask) != kMark)
    return true;
  auto rest = static_cast<int32_t>(bits & ~kMarkMask);
  for (const Product &product : ended)
    if (product.number % kMarkNumbers == rest / kMarkRegisters) {
      word = product.sums[lane * (product.columns / 2) + rest % kMarkRegisters];
      return true;
    }
  return false;
}

bool SimtWarpgroup::begin(int32_t first, int32_t threads, int32_t columns,
                          uint64_t bits, int32_t *const lanes[kWarp],
                          SimtMemory &memory, bool now, std::string &fault) {
  Warp &warp = warps[first / kWarp];
  int32_t group = first / kWarp / kWarpgroupWarps;
  if ((group + 1) * kWarpgroupWarps * kWarp > threads) {
    fault = "begins a wgmma in a warpgroup that is not complete";
    return false;
  }
  if (!warp.fenced) {
    fault = "begins a wgmma without wgmma.fence behind what its registers were "
            "written by";
    return false;
  }
  Product product;
  product.number = warp.begun++;
  product.columns = columns;
  std::vector<uint64_t> &known = descriptors[group];
  if (static_cast<size_t>(product.number) == known.size())
    known.push_back(bits);
  if (known[product.number] != bits) {
    fault = "begins a wgmma of another matrix than the other warps do";
    return false;
  }
  MatrixDescriptor descriptor(bits);
  const uint8_t *start = memory.findPlace(descriptor.start);
  if (!start || descriptor.baseOffset != 0) {
    fault = !start ? "begins a wgmma of a matrix that is in no shared buffer"
                   : "begins a wgmma of a matrix with a base offset";
    return false;
  }
  for (int32_t column = 0; column < columns; ++column)
    for (int32_t piece = 0; piece < 2; ++piece) {
      const uint8_t *at = descriptor.place(start, column, piece);
      if (!memory.beginMatrix(first, at, fault))
        return false;
      product.pieces.push_back(at);
    }
  int32_t count = columns / 2;
  for (int32_t lane = 0; lane < kWarp; ++lane) {
    product.sums.insert(product.sums.end(), lanes[lane], lanes[lane] + count);
    std::copy_n(lanes[lane] + count, kFactorRegisters,
                product.factors[lane].begin());
  }
  if (now && !compute(warp, product, first, memory, fault))
    return false;
  for (int32_t lane = 0; lane < kWarp; ++lane)
    for (int32_t i = 0; i < count; ++i)
      lanes[lane][i] =
          now ? product.sums[lane * count + i] : makeMark(product.number, i);
  warp.open.push_back(std::move(product));
  return true;
}

static float widen(int32_t word, int32_t half) {
  return bfloatToFloat(
      static_cast<uint16_t>(static_cast<uint32_t>(word) >> (16 * half)));
}

bool SimtWarpgroup::compute(Warp &warp, Product &product, int32_t first,
                            SimtMemory &memory, std::string &fault) {
  constexpr int32_t kRows = 16, kDepth = 16;
  int32_t count = product.columns / 2;
  for (int32_t i = 0; i < kWarp * count; ++i)
    if (!resolve(warp.ended, i / count, product.sums[i])) {
      fault = "begins a wgmma with sums of one it has not waited for";
      return false;
    }
  float a[kRows][kDepth];
  for (int32_t lane = 0; lane < kWarp; ++lane)
    for (int32_t r = 0; r < kFactorRegisters; ++r)
      for (int32_t half = 0; half < 2; ++half)
        a[lane / 4 + (r & 1) * 8][lane % 4 * 2 + (r >> 1) * 8 + half] =
            widen(product.factors[lane][r], half);
  for (int32_t column = 0; column < product.columns; ++column) {
    float b[kDepth];
    for (int32_t piece = 0; piece < 2; ++piece) {
      uint16_t halves[8];
      std::memcpy(halves, product.pieces[column * 2 + piece], sizeof(halves));
      for (int32_t i = 0; i < 8; ++i)
        b[piece * 8 + i] = bfloatToFloat(halves[i]);
    }
    for (int32_t row = 0; row < kRows; ++row) {
      int32_t lane = row % 8 * 4 + column % 8 / 2;
      int32_t place = column / 8 * 4 + row / 8 * 2 + column % 2;
      float sum;
      std::memcpy(&sum, &product.sums[lane * count + place], sizeof(sum));
      for (int32_t k = 0; k < kDepth; ++k)
        sum += a[row][k] * b[k];
      std::memcpy(&product.sums[lane * count + place], &sum, sizeof(sum));
    }
  }
  for (const uint8_t *piece : product.pieces)
    memory.endMatrix(first, piece);
  product.done = true;
  return true;
}

bool SimtWarpgroup::wait(int32_t first, int32_t groups,
                         int32_t *const lanes[kWarp], int32_t count,
                         SimtMemory &memory, std::string &fault) {
  Warp &warp = warps[first / kWarp];
  // Registers are written from here on.
  warp.fenced = false;
  while (warp.groups.size() > static_cast<size_t>(groups)) {
    for (Product &product : warp.groups.front()) {
      if (!product.done && !compute(warp, product, first, memory, fault))
        return false;
      warp.ended.push_back(std::move(product));
    }
    warp.groups.pop_front();
  }
  for (int32_t lane = 0; lane < kWarp; ++lane)
    for (int32_t i = 0; i < count; ++i)
      resolve(warp.ended, lane, lanes[lane][i]);
  // What is under way adds to no other results.
  if (warp.groups.empty() && warp.open.empty())
    warp.ended.clear();
  return true;
}

bool SimtWarpgroup::finish(std::string &fault) const {
  for (size_t i = 0; i < warps.size(); ++i) {
    const Warp &warp = warps[i];
    if (!warp.open.empty() || !warp.groups.empty()) {
      fault = "ends with products under way";
      return false;
    }
    if (warp.begun != warps[i / kWarpgroupWarps * kWarpgroupWarps].begun) {
      fault = "begins more or fewer products than the other warps of its "
              "warpgroup";
      return false;
    }
  }
  return true;
}
