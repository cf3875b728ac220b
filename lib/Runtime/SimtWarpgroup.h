//===- SimtWarpgroup.h - Matrices that go on behind a warp ------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_SIMTWARPGROUP_H
#define LIB_RUNTIME_SIMTWARPGROUP_H

#include "SimtFragments.h"

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace weir::rt {

class SimtMemory;

/// Warps of a warpgroup.
inline constexpr int32_t kWarpgroupWarps = 4;
/// Columns of a product at most, and registers of sums and of A.
inline constexpr int32_t kMostColumns = 256;
inline constexpr int32_t kFactorRegisters = 4;

/// Where `wgmma` finds a matrix in shared memory, by the fields of its
/// descriptor (PTX, "Matrix-descriptor format").
struct MatrixDescriptor {
  explicit MatrixDescriptor(uint64_t bits);

  uint32_t start; ///< the lowest 18 bits of the address
  int64_t leading, stride;
  int32_t baseOffset;
  int32_t rowBytes; ///< between permuted repeats: 128, 64, 32; 16 for none

  /// Where piece `piece` of sixteen bytes of row `row` is, of a matrix whose
  /// rows are along the reduction, if the matrix starts at `start`.
  const uint8_t *place(const uint8_t *start, int32_t row, int32_t piece) const;
};

/// What `wgmma` computes of one warp: 16 of the 64 rows. Products end when they
/// are waited for, or, where the options say so, when they begin; until then
/// results are marks, numbers that are none.
class SimtWarpgroup {
public:
  void beginBlock(int32_t threads);

  void fence(int32_t first);
  void commit(int32_t first);
  /// Begins a product by the warp that begins with thread `first`; `lanes` are
  /// registers as weir_simt_wgmma takes them.
  bool begin(int32_t first, int32_t threads, int32_t columns,
             uint64_t descriptor, int32_t *const lanes[kWarp],
             SimtMemory &memory, bool now, std::string &fault);
  /// Ends products of all groups but the last `groups`.
  bool wait(int32_t first, int32_t groups, int32_t *const lanes[kWarp],
            int32_t count, SimtMemory &memory, std::string &fault);
  /// Whether the warps of each warpgroup began as many products, and ended
  /// them all.
  bool finish(std::string &fault) const;

private:
  struct Product {
    int32_t number, columns;
    std::vector<const uint8_t *> pieces; ///< of B: two of each column
    std::array<std::array<int32_t, kFactorRegisters>, kWarp> factors;
    std::vector<int32_t> sums; ///< of all lanes, one behind the other
    bool done = false;
  };
  struct Warp {
    bool fenced = false;
    int32_t begun = 0; ///< products so far
    std::vector<Product> open;
    std::deque<std::vector<Product>> groups;
    std::vector<Product> ended;
  };

  static bool resolve(const std::vector<Product> &ended, int32_t lane,
                      int32_t &word);
  bool compute(Warp &warp, Product &product, int32_t first, SimtMemory &memory,
               std::string &fault);

  std::vector<Warp> warps;
  /// Of each warpgroup, by the product's number.
  std::vector<std::vector<uint64_t>> descriptors;
};

} // namespace weir::rt

#endif // LIB_RUNTIME_SIMTWARPGROUP_H
