//===- SimtBanks.h - Conflicts of banks of shared memory --------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_SIMTBANKS_H
#define LIB_RUNTIME_SIMTBANKS_H

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace weir::rt {

/// Counts the turns that accesses of shared memory take beyond the first, since
/// lanes of a warp need different words of one bank. What lanes of a warp do at
/// one operation, for the n-th time since a barrier, is one access.
class SimtBanks {
public:
  /// Notes an access of `bytes` at `address` by `thread` at operation `site`.
  void note(int32_t thread, int32_t site, uint64_t address, int32_t bytes,
            const char *where);
  /// Settles what was noted since the last barrier.
  void passBarrier();
  /// One line per operation that had conflicts, and the number of all.
  std::string report(const char *kernel) const;
  bool any() const { return accesses > 0; }
  /// Forgets all counts.
  void reset();

private:
  struct Lane {
    int32_t thread;
    uint64_t address;
    int32_t bytes;
  };
  using Key = std::pair<int32_t, std::pair<int32_t, int32_t>>;
  /// By warp, operation and turn.
  std::map<Key, std::vector<Lane>> open;
  /// How often a thread came to an operation.
  std::map<std::pair<int32_t, int32_t>, int32_t> turns;
  std::map<int32_t, const char *> places;
  std::map<int32_t, int64_t> conflicts;
  int64_t accesses = 0;
};

} // namespace weir::rt

#endif // LIB_RUNTIME_SIMTBANKS_H
