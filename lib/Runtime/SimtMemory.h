//===- SimtMemory.h - Shared memory with all that happened to it *- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_SIMTMEMORY_H
#define LIB_RUNTIME_SIMTMEMORY_H

#include "SimtClocks.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::rt {

/// The shared memory of the block at hand. It knows of each byte who wrote and
/// who read it last, and since which barrier, and tells what is wrong with an
/// access. Buffers lie apart, so that one cannot be reached from another.
/// Accesses of two threads that a barrier in memory puts in order are no race.
class SimtMemory {
public:
  /// Buffers of `sizes[i]` bytes; contents are unwritten.
  void beginKernel(const int64_t *sizes, int32_t count);
  /// All bytes become unwritten.
  void beginBlock();
  /// All threads met.
  void passBarrier() {
    ++epoch;
    clocks.meetAll();
  }
  /// How often they did, over all blocks.
  uint64_t countBarriers() const { return epoch; }

  /// Who knows of what in the block at hand.
  SimtClocks clocks;

  /// The start of buffer `index`, which its kernel says to be aligned to
  /// `alignment`: to no more than that, so that nobody comes to rely on it.
  uint8_t *getBuffer(int32_t index, int32_t alignment);

  /// Notes an access by `thread`; false, with what is wrong, as in "reads ...".
  bool load(int32_t thread, const void *address, int32_t count,
            int32_t alignment, std::string &fault);
  bool store(int32_t thread, const void *address, int32_t count,
             int32_t alignment, std::string &fault);

  /// Notes that `thread` begins to write `count` bytes, which nobody may touch
  /// until `endCopy`.
  bool beginCopy(int32_t thread, const void *address, int32_t count,
                 std::string &fault);
  void endCopy(int32_t thread, const void *address, int32_t count);

  /// The same of a bulk copy that `thread` begins. What it writes is known to
  /// who acquires the barrier that the copy completes on.
  bool beginBulk(int32_t thread, const void *address, int32_t count,
                 std::string &fault);
  void endBulk(const void *address, int32_t count);

  /// Notes that a product of matrices that `thread` begins for its warp reads
  /// the sixteen bytes at `address`, until `endMatrix`, and that it ended.
  bool beginMatrix(int32_t thread, const void *address, std::string &fault);
  void endMatrix(int32_t thread, const void *address);

  /// The place in a buffer that the lowest 18 bits of an address tell, which is
  /// what descriptors of matrices hold; null where no buffer, or two, have it.
  const uint8_t *findPlace(uint32_t lowBits) const;

private:
  /// What happened to a byte; epochs before `firstEpoch` are another block's.
  struct Cell {
    uint64_t written = 0, read = 0; ///< epochs
    uint64_t copied = 0;            ///< the epoch a copy began in; 0: it ended
    int32_t writer = -1;            ///< or kCopies
    int32_t reader = -1;            ///< or kSeveral
    int32_t copier = -1;            ///< the thread whose copy that is
    /// When who wrote and read it did so, by their own clocks, and how many
    /// fences there had been.
    uint32_t writeTime = 0, readTime = 0, writeTick = 0;
  };
  static constexpr int32_t kSeveral = -2;
  /// Products that read a piece of sixteen bytes.
  struct MatrixRead {
    int32_t thread;
    int32_t open = 0; ///< products that have not ended
    uint64_t epoch = 0;
    uint32_t time = 0;
  };

  /// The first byte's index, or -1 with what is wrong.
  int64_t locate(const char *verb, const void *address, int32_t count,
                 int32_t alignment, std::string &fault) const;
  std::string name(int64_t at) const;
  /// Whether a copy to byte `at` is under way, with what is wrong.
  bool inFlight(const char *verb, int64_t at, std::string &fault) const;
  /// Whether `thread` may rely on what byte `at` holds; false, with what is
  /// wrong.
  bool knowsWriter(int32_t thread, int64_t at, std::string &fault) const;
  /// Whether `thread` may write byte `at`; false, with what is wrong.
  bool mayWrite(int32_t thread, int64_t at, std::string &fault) const;
  /// Whether `thread` may write the pieces that have these bytes.
  bool mayOverwrite(int32_t thread, int64_t at, int32_t count,
                    std::string &fault);
  /// Whether the asynchronous proxy sees what was written at `at`.
  bool isFenced(int32_t thread, int64_t at, std::string &fault) const;
  void noteWrite(int32_t thread, Cell &cell);

  std::vector<uint8_t> bytes;
  std::vector<Cell> cells;
  std::vector<int64_t> starts, ends;
  /// By the piece's number; and the pieces that have any.
  std::vector<std::vector<MatrixRead>> matrixReads;
  std::vector<int64_t> piecesRead;
  uint64_t epoch = 1, firstEpoch = 1;
};

} // namespace weir::rt

#endif // LIB_RUNTIME_SIMTMEMORY_H
