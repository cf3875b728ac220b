//===- SimtClocks.h - Which thread knows of what others did -----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_SIMTCLOCKS_H
#define LIB_RUNTIME_SIMTCLOCKS_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::rt {

/// Writes that no thread makes itself: those of bulk copies.
inline constexpr int32_t kCopies = -3;

/// Vector clocks (Mattern, 1988) of the threads of a block and of its bulk
/// copies: what a thread did before it released a barrier in memory is known
/// to who acquired that. They count from the first such barrier of a block on;
/// before, and between barriers of the block, threads know nothing of others.
class SimtClocks {
public:
  using Clock = std::vector<uint32_t>;

  /// A block of `count` threads begins.
  void beginBlock(int32_t count);
  /// Begins to count, if nobody did.
  void begin();

  /// The time of `thread`; 0 where time is not counted.
  uint32_t now(int32_t thread) const {
    return known.empty() ? 0 : known[index(thread)][index(thread)];
  }
  /// Whether `thread` knows what `other` did at `when`.
  bool knows(int32_t thread, int32_t other, uint32_t when) const {
    return !known.empty() && known[index(thread)][index(other)] >= when;
  }

  /// Adds what `thread` knows to `clock`; its time goes on.
  void release(int32_t thread, Clock &clock);
  /// Adds `clock` to what `thread` knows.
  void acquire(int32_t thread, const Clock &clock);
  /// Lets the threads of `mask` from `first` on know what each of them does.
  void meet(int32_t first, uint32_t mask);
  /// All threads met.
  void meetAll();

  /// `thread` orders its accesses and those of the asynchronous proxy
  /// (fence.proxy.async).
  void fence(int32_t thread) { fences[index(thread)] = ++ticks; }
  /// A number that grows with each such fence.
  uint32_t tick() const { return ticks; }
  /// Whether `thread` did so behind `tick`.
  bool fencedSince(int32_t thread, uint32_t tick) const {
    return fences[index(thread)] > tick;
  }

private:
  size_t index(int32_t thread) const {
    return thread == kCopies ? static_cast<size_t>(threads)
                             : static_cast<size_t>(thread);
  }

  int32_t threads = 0;
  std::vector<Clock> known;
  std::vector<uint32_t> fences;
  uint32_t ticks = 0;
};

} // namespace weir::rt

#endif // LIB_RUNTIME_SIMTCLOCKS_H
