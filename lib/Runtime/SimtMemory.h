//===- SimtMemory.h - Shared memory with all that happened to it *- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_SIMTMEMORY_H
#define LIB_RUNTIME_SIMTMEMORY_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::rt {

/// The shared memory of the block at hand. It knows of each byte who wrote and
/// who read it last, and since which barrier, and tells what is wrong with an
/// access. Buffers lie apart, so that one cannot be reached from another.
class SimtMemory {
public:
  /// Buffers of `sizes[i]` bytes; contents are unwritten.
  void beginKernel(const int64_t *sizes, int32_t count);
  /// All bytes become unwritten.
  void beginBlock();
  /// All threads met.
  void passBarrier() { ++epoch; }

  uint8_t *buffer(int32_t index) { return bytes.data() + starts[index]; }

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

private:
  /// What happened to a byte; epochs before `firstEpoch` are another block's.
  struct Cell {
    uint64_t written = 0, read = 0; ///< epochs
    uint64_t copied = 0;            ///< the epoch a copy began in; 0: it ended
    int32_t writer = -1;
    int32_t reader = -1; ///< or kSeveral
    int32_t copier = -1; ///< the thread whose copy that is
  };
  static constexpr int32_t kSeveral = -2;

  /// The first byte's index, or -1 with what is wrong.
  int64_t locate(const char *verb, const void *address, int32_t count,
                 int32_t alignment, std::string &fault) const;
  std::string name(int64_t at) const;
  /// Whether a copy to byte `at` is under way, with what is wrong.
  bool inFlight(const char *verb, int64_t at, std::string &fault) const;
  /// Whether `thread` may write byte `at`; false, with what is wrong.
  bool mayWrite(int32_t thread, int64_t at, std::string &fault) const;

  std::vector<uint8_t> bytes;
  std::vector<Cell> cells;
  std::vector<int64_t> starts, ends;
  uint64_t epoch = 1, firstEpoch = 1;
};

} // namespace weir::rt

#endif // LIB_RUNTIME_SIMTMEMORY_H
