//===- SimtBlock.h - A block of emulated threads -----------------*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_SIMTBLOCK_H
#define LIB_RUNTIME_SIMTBLOCK_H

#include "Device.h"
#include "SimtBanks.h"
#include "SimtBarriers.h"
#include "SimtFiber.h"
#include "SimtFragments.h"
#include "SimtMemory.h"
#include "SimtWarpgroup.h"
#include "weir-rt/ModelDesc.h"

#include <deque>
#include <memory>
#include <random>

namespace weir::rt {

struct SimtBlock;

/// What a thread waits for.
enum class Wait { Nothing, Barrier, Warp, Phase, End };

/// What lanes of a warp do together.
enum class WarpCall {
  Shuffle,
  Matrix,
  Product,
  Sync,
  GroupProduct,
  GroupFence,
  GroupCommit,
  GroupWait
};

/// A copy to shared memory under way.
struct AsyncCopy {
  void *to;
  const void *from;
  int32_t bytes, taken;
  bool done; ///< although nobody was told so yet
};

struct SimtThread {
  SimtBlock *block = nullptr;
  int32_t number = 0;
  Wait wait = Wait::Nothing;
  int32_t site = 0;
  const char *where = nullptr;
  /// Of what a warp does together: who takes part, and what.
  int32_t mask = 0;
  WarpCall call = WarpCall::Shuffle;
  /// Of a shuffle; `value` is the result in the end.
  int32_t value = 0, offset = 0, clamp = 0;
  /// Of a shuffle or of a product, in the words of weir-rt/Simt.h; of a
  /// barrier in memory the parity, of groups how many may stay.
  int32_t kind = 0;
  /// Of matrices: a row's address, how many there are, and how they are read.
  /// Of a barrier in memory, where it is.
  const void *address = nullptr;
  int32_t count = 0, transposed = 0;
  /// Of a product of a warpgroup, what describes B.
  uint64_t descriptor = 0;
  /// What matrices are loaded to, or what a product takes and gives.
  int32_t *registers = nullptr;
  /// Copies of no group yet, and groups under way, the oldest first.
  std::vector<AsyncCopy> copies;
  std::deque<std::vector<AsyncCopy>> groups;
  Fiber fiber;
};

/// One block at a time, with all its threads.
struct SimtBlock {
  const weir_kernel_desc *kernel = nullptr;
  void **arguments = nullptr;
  int64_t number = 0, blocks = 0;
  int32_t threads = 0;
  SimtOptions options;
  std::vector<std::unique_ptr<SimtThread>> list;
  SimtThread *current = nullptr;
  SimtMemory memory;
  SimtBanks banks;
  std::mt19937 random{1};
  std::string fault;
  /// What is wrong with an access; not on the stack of a thread, which nobody
  /// clears up behind a fault.
  std::string problem;
  SimtBarriers barriers{memory, problem};
  SimtWarpgroup warpgroups;

  /// Runs all threads to their ends; false with a fault.
  bool run();
  void fail(const SimtThread &thread, const std::string &what,
            const char *where);
  [[noreturn]] void failHere(const std::string &what, const char *where);
  /// Begins a copy, by the thread at hand; false with a problem.
  bool beginCopy(void *to, const void *from, int32_t bytes, int32_t taken);
  /// Ends the oldest groups of the thread at hand until `groups` are left.
  void endCopies(int32_t groups);

private:
  /// Forgets what an earlier block left under way.
  void dropCopies(SimtThread &thread);
  void start();
  void runReady();
  /// Lets warps do what all lanes that take part have come to; true if some
  /// did.
  bool meetWarps();
  bool meetWarp(int32_t first);
  bool shuffle(int32_t first, uint32_t mask);
  bool loadMatrices(int32_t first);
  void multiply(int32_t first);
  /// What a warp does as part of a warpgroup.
  bool serveWarpgroup(int32_t first);
  /// Lets threads go on whose phase is complete, or completes a copy that one
  /// waits for; true if there was any.
  bool meetPhases();
  /// Whether threads wait for each other; says so.
  bool findDeadlock();
  /// Whether nothing is under way when all threads ended.
  bool isFinished();
};

} // namespace weir::rt

#endif // LIB_RUNTIME_SIMTBLOCK_H
