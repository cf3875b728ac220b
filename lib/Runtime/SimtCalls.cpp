//===- SimtCalls.cpp - What emulated kernels call -------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The functions of include/weir-rt/Simt.h. Copies end as late as their waits
// allow, or, where the options say so, when they begin; until the wait nobody
// may rely on either.
//
//===----------------------------------------------------------------------===//

#include "SimtBlock.h"
#include "weir-rt/Simt.h"

#include <cstring>

using namespace weir::rt;

extern "C" int32_t weir_simt_register(void *block, int32_t which) {
  auto &here = *static_cast<SimtBlock *>(block);
  switch (which) {
  case WEIR_SIMT_TID:
    return here.current->number;
  case WEIR_SIMT_CTAID:
    return static_cast<int32_t>(here.number);
  case WEIR_SIMT_NTID:
    return here.threads;
  case WEIR_SIMT_NCTAID:
    return static_cast<int32_t>(here.blocks);
  default:
    return here.current->number % kWarp;
  }
}

extern "C" void *weir_simt_shared(void *block, int32_t index,
                                  int32_t alignment) {
  return static_cast<SimtBlock *>(block)->memory.getBuffer(index, alignment);
}

using Access = decltype(&SimtMemory::load);

static void checkAccess(Access access, void *block, const void *address,
                        int32_t bytes, int32_t alignment, int32_t site,
                        const char *where) {
  auto &here = *static_cast<SimtBlock *>(block);
  if (!(here.memory.*access)(here.current->number, address, bytes, alignment,
                             here.problem))
    here.failHere(here.problem, where);
  if (here.options.countConflicts)
    here.banks.note(here.current->number, site * 4,
                    reinterpret_cast<uint64_t>(address), bytes, where);
}

extern "C" void weir_simt_load(void *block, const void *address, int32_t bytes,
                               int32_t alignment, int32_t site,
                               const char *where) {
  checkAccess(&SimtMemory::load, block, address, bytes, alignment, site, where);
}

extern "C" void weir_simt_store(void *block, const void *address, int32_t bytes,
                                int32_t alignment, int32_t site,
                                const char *where) {
  checkAccess(&SimtMemory::store, block, address, bytes, alignment, site,
              where);
}

extern "C" void weir_simt_global(void *block, const void *address,
                                 int32_t bytes, int32_t alignment,
                                 const char *where) {
  auto &here = *static_cast<SimtBlock *>(block);
  if (reinterpret_cast<uintptr_t>(address) % alignment != 0)
    here.failHere("touches misaligned memory: " + std::to_string(bytes) +
                      " bytes, expected a multiple of " +
                      std::to_string(alignment),
                  where);
}

extern "C" void weir_simt_barrier(void *block, int32_t site,
                                  const char *where) {
  SimtThread &thread = *static_cast<SimtBlock *>(block)->current;
  thread.wait = Wait::Barrier;
  thread.site = site;
  thread.where = where;
  thread.fiber.suspend();
}

/// Waits for the lanes of `mask` in a call that they make together.
static void meetLanes(SimtThread &thread, WarpCall call, int32_t mask,
                      int32_t site, const char *where) {
  thread.wait = Wait::Warp;
  thread.call = call;
  thread.mask = mask;
  thread.site = site;
  thread.where = where;
  thread.fiber.suspend();
}

extern "C" int32_t weir_simt_shuffle(void *block, int32_t mask, int32_t value,
                                     int32_t offset, int32_t clamp,
                                     int32_t kind, int32_t site,
                                     const char *where) {
  SimtThread &thread = *static_cast<SimtBlock *>(block)->current;
  thread.value = value;
  thread.offset = offset;
  thread.clamp = clamp;
  thread.kind = kind;
  meetLanes(thread, WarpCall::Shuffle, mask, site, where);
  return thread.value;
}

/// All lanes of a warp take part in what is done with matrices.
static void meetAll(SimtThread &thread, WarpCall call, int32_t site,
                    const char *where) {
  meetLanes(thread, call, /*mask=*/-1, site, where);
}

extern "C" void weir_simt_ldmatrix(void *block, const void *address,
                                   int32_t count, int32_t transposed,
                                   int32_t *registers, int32_t site,
                                   const char *where) {
  SimtThread &thread = *static_cast<SimtBlock *>(block)->current;
  thread.address = address;
  thread.count = count;
  thread.transposed = transposed;
  thread.registers = registers;
  meetAll(thread, WarpCall::Matrix, site, where);
}

extern "C" void weir_simt_mma(void *block, int32_t kind, int32_t *registers,
                              int32_t site, const char *where) {
  SimtThread &thread = *static_cast<SimtBlock *>(block)->current;
  thread.kind = kind;
  thread.registers = registers;
  meetAll(thread, WarpCall::Product, site, where);
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

static void transfer(AsyncCopy &copy) {
  std::memcpy(copy.to, copy.from, static_cast<size_t>(copy.taken));
  std::memset(static_cast<char *>(copy.to) + copy.taken, 0,
              static_cast<size_t>(copy.bytes - copy.taken));
  copy.done = true;
}

bool SimtBlock::beginCopy(void *to, const void *from, int32_t bytes,
                          int32_t taken) {
  if (taken < 0 || taken > bytes) {
    problem = "copies " + std::to_string(taken) + " bytes of " +
              std::to_string(bytes);
    return false;
  }
  if (reinterpret_cast<uintptr_t>(from) % bytes != 0) {
    problem = "copies from misaligned memory: " + std::to_string(bytes) +
              " bytes, expected a multiple of as many";
    return false;
  }
  if (!memory.beginCopy(current->number, to, bytes, problem))
    return false;
  AsyncCopy &copy =
      current->copies.emplace_back(AsyncCopy{to, from, bytes, taken, false});
  if (options.copyAtIssue)
    transfer(copy);
  return true;
}

void SimtBlock::endCopies(int32_t groups) {
  while (current->groups.size() > static_cast<size_t>(groups)) {
    for (AsyncCopy &copy : current->groups.front()) {
      if (!copy.done)
        transfer(copy);
      memory.endCopy(current->number, copy.to, copy.bytes);
    }
    current->groups.pop_front();
  }
}

void SimtBlock::dropCopies(SimtThread &thread) {
  thread.copies.clear();
  thread.groups.clear();
}

extern "C" void weir_simt_copy(void *block, void *to, const void *from,
                               int32_t bytes, int32_t taken, int32_t site,
                               const char *where) {
  auto &here = *static_cast<SimtBlock *>(block);
  if (!here.beginCopy(to, from, bytes, taken))
    here.failHere(here.problem, where);
  if (here.options.countConflicts)
    here.banks.note(here.current->number, site * 4,
                    reinterpret_cast<uint64_t>(to), bytes, where);
}

extern "C" void weir_simt_commit(void *block) {
  SimtThread &thread = *static_cast<SimtBlock *>(block)->current;
  thread.groups.push_back(std::move(thread.copies));
  thread.copies.clear();
}

extern "C" void weir_simt_wait(void *block, int32_t groups) {
  static_cast<SimtBlock *>(block)->endCopies(groups);
}

//===----------------------------------------------------------------------===//
// Barriers in memory and warpgroups
//===----------------------------------------------------------------------===//

extern "C" void weir_simt_sync_warp(void *block, int32_t mask, int32_t site,
                                    const char *where) {
  meetLanes(*static_cast<SimtBlock *>(block)->current, WarpCall::Sync, mask,
            site, where);
}

extern "C" void weir_simt_mbarrier_init(void *block, void *barrier,
                                        int32_t count, const char *where) {
  auto &here = *static_cast<SimtBlock *>(block);
  if (!here.barriers.init(here.current->number, barrier, count))
    here.failHere(here.problem, where);
}

extern "C" void weir_simt_mbarrier_inval(void *block, void *barrier,
                                         const char *where) {
  auto &here = *static_cast<SimtBlock *>(block);
  if (!here.barriers.invalidate(here.current->number, barrier))
    here.failHere(here.problem, where);
}

extern "C" void weir_simt_mbarrier_arrive(void *block, void *barrier,
                                          int32_t count, int32_t bytes,
                                          const char *where) {
  auto &here = *static_cast<SimtBlock *>(block);
  if (!here.barriers.arrive(here.current->number, barrier, count, bytes))
    here.failHere(here.problem, where);
}

extern "C" int32_t weir_simt_mbarrier_try_wait(void *block, void *barrier,
                                               int32_t parity,
                                               const char *where) {
  auto &here = *static_cast<SimtBlock *>(block);
  SimtThread &thread = *here.current;
  if (!here.barriers.mayWait(thread.number, barrier))
    here.failHere(here.problem, where);
  // The time it waits for has an end.
  if (here.random() % 8 == 0)
    return 0;
  if (!here.barriers.isComplete(barrier, parity)) {
    thread.wait = Wait::Phase;
    thread.address = barrier;
    thread.kind = parity;
    thread.where = where;
    thread.fiber.suspend();
    // Another phase may have begun and ended meanwhile.
    if (!here.barriers.isComplete(barrier, parity))
      return 0;
  }
  here.barriers.acquire(thread.number, barrier);
  return 1;
}

extern "C" void weir_simt_fence(void *block, int32_t kind) {
  auto &here = *static_cast<SimtBlock *>(block);
  if (kind == WEIR_SIMT_FENCE_INIT)
    here.barriers.fenceInit(here.current->number);
  else
    here.memory.clocks.fence(here.current->number);
}

extern "C" void weir_simt_copy_box(void *block, void *to, const void *map,
                                   const int32_t *coordinates, int32_t rank,
                                   void *barrier, const char *where) {
  auto &here = *static_cast<SimtBlock *>(block);
  if (!here.barriers.copyBox(here.current->number, to, map, coordinates, rank,
                             barrier, here.options.copyAtIssue))
    here.failHere(here.problem, where);
}

extern "C" void weir_simt_wgmma(void *block, int32_t columns,
                                int32_t *registers, int64_t descriptor,
                                int32_t site, const char *where) {
  SimtThread &thread = *static_cast<SimtBlock *>(block)->current;
  thread.count = columns;
  thread.registers = registers;
  thread.descriptor = static_cast<uint64_t>(descriptor);
  meetAll(thread, WarpCall::GroupProduct, site, where);
}

extern "C" void weir_simt_wgmma_fence(void *block, int32_t site,
                                      const char *where) {
  meetAll(*static_cast<SimtBlock *>(block)->current, WarpCall::GroupFence, site,
          where);
}

extern "C" void weir_simt_wgmma_commit(void *block, int32_t site,
                                       const char *where) {
  meetAll(*static_cast<SimtBlock *>(block)->current, WarpCall::GroupCommit,
          site, where);
}

extern "C" void weir_simt_wgmma_wait(void *block, int32_t groups,
                                     int32_t *registers, int32_t count,
                                     int32_t site, const char *where) {
  SimtThread &thread = *static_cast<SimtBlock *>(block)->current;
  thread.kind = groups;
  thread.registers = registers;
  thread.count = count;
  meetAll(thread, WarpCall::GroupWait, site, where);
}
