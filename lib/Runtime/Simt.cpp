//===- Simt.cpp - The SIMT emulator ---------------------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Blocks run one after the other, the threads of a block as fibers. A thread
// runs until it meets others: at a barrier, at a shuffle, or at its end. Warps
// are taken in another order each time, and so are the lanes of a warp, from a
// generator of a fixed seed: code that depends on an order is found, and found
// again.
//
//===----------------------------------------------------------------------===//

#include "weir-rt/Simt.h"
#include "Device.h"
#include "SimtFiber.h"
#include "SimtMemory.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <numeric>
#include <random>
#include <sys/mman.h>
#include <vector>

using namespace weir::rt;

static constexpr int32_t kWarp = 32;
/// Threads a block may have on any GPU.
static constexpr int32_t kMostThreads = 1024;

namespace {
/// What a thread waits for.
enum class Wait { Nothing, Barrier, Shuffle, End };

struct Block;

struct Thread {
  Block *block = nullptr;
  int32_t number = 0;
  Wait wait = Wait::Nothing;
  int32_t site = 0;
  const char *where = nullptr;
  /// Of a shuffle; `value` is the result in the end.
  int32_t mask = 0, value = 0, offset = 0, clamp = 0, kind = 0;
  Fiber fiber;
};

/// One block at a time, with all its threads.
struct Block {
  const weir_kernel_desc *kernel = nullptr;
  void **arguments = nullptr;
  int64_t number = 0, blocks = 0;
  int32_t threads = 0;
  std::vector<std::unique_ptr<Thread>> list;
  Thread *current = nullptr;
  SimtMemory memory;
  std::mt19937 random{1};
  std::string fault;
  /// What is wrong with an access; not on the stack of a thread, which nobody
  /// clears up behind a fault.
  std::string problem;

  bool run();
  void runReady();
  bool shuffleWarps();
  bool exchange(int32_t first);
  void fail(const Thread &thread, const std::string &what, const char *where);
  [[noreturn]] void failHere(const std::string &what, const char *where);
};

class SimtDevice : public Device {
public:
  explicit SimtDevice(const weir_model_desc &model) : kernels(*model.device) {}

  bool seesHost() const override { return true; }
  void *allocate(size_t bytes, Reach, std::string &error) override;
  void release(void *memory, size_t bytes, Reach) override {
    munmap(memory, bytes);
  }
  bool upload(void *to, const void *from, size_t bytes,
              std::string &) override {
    std::memcpy(to, from, bytes);
    return true;
  }
  bool download(void *to, const void *from, size_t bytes,
                std::string &error) override {
    return upload(to, from, bytes, error);
  }
  void launch(LaunchQueue &queue, int32_t kernel, int64_t blocks,
              int32_t threads, void **arguments) override;
  bool finish(LaunchQueue &queue) override { return queue.error.empty(); }

private:
  const weir_device_desc &kernels;
  std::mutex mutex; ///< sessions share the block
  Block block;
};
} // namespace

std::shared_ptr<Device> weir::rt::openSimtDevice(const weir_model_desc &model,
                                                 std::string &) {
  return std::make_shared<SimtDevice>(model);
}

void *SimtDevice::allocate(size_t bytes, Reach, std::string &error) {
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory != MAP_FAILED)
    return memory;
  error = "cannot allocate " + std::to_string(bytes) + " bytes";
  return nullptr;
}

/// What a fiber runs: one thread of the kernel, again and again.
static void runThread(void *argument) {
  auto &thread = *static_cast<Thread *>(argument);
  thread.block->kernel->emulated(thread.block, thread.block->arguments);
  thread.wait = Wait::End;
  thread.fiber.suspend();
  __builtin_unreachable();
}

void SimtDevice::launch(LaunchQueue &queue, int32_t kernel, int64_t blocks,
                        int32_t threads, void **arguments) {
  std::lock_guard<std::mutex> lock(mutex);
  if (kernel < 0 || kernel >= kernels.num_kernels || threads < 1 ||
      threads > kMostThreads) {
    queue.error = "launch of kernel " + std::to_string(kernel) + " with " +
                  std::to_string(threads) +
                  " threads a block, expected one of " +
                  std::to_string(kernels.num_kernels) + " with at most " +
                  std::to_string(kMostThreads);
    return;
  }
  block.kernel = &kernels.kernels[kernel];
  block.arguments = arguments;
  block.blocks = blocks;
  block.threads = threads;
  block.memory.beginKernel(block.kernel->shared, block.kernel->num_shared);
  while (block.list.size() < static_cast<size_t>(threads)) {
    auto &thread = block.list.emplace_back(std::make_unique<Thread>());
    thread->block = &block;
    thread->number = static_cast<int32_t>(block.list.size()) - 1;
  }
  for (block.number = 0; block.number < blocks; ++block.number)
    if (!block.run()) {
      queue.error = block.fault;
      return;
    }
}

void Block::fail(const Thread &thread, const std::string &what,
                 const char *where) {
  if (fault.empty())
    fault = std::string("kernel '") + kernel->name + "', block " +
            std::to_string(number) + ", thread " +
            std::to_string(thread.number) + " " + what + ", at " +
            (where ? where : "its end");
}

void Block::failHere(const std::string &what, const char *where) {
  fail(*current, what, where);
  // Nobody resumes a thread of a block with a fault.
  current->fiber.suspend();
  __builtin_unreachable();
}

void Block::runReady() {
  int32_t warps = (threads + kWarp - 1) / kWarp;
  std::vector<int32_t> order(static_cast<size_t>(warps)), lanes(kWarp);
  std::iota(order.begin(), order.end(), 0);
  std::iota(lanes.begin(), lanes.end(), 0);
  std::shuffle(order.begin(), order.end(), random);
  for (int32_t warp : order) {
    std::shuffle(lanes.begin(), lanes.end(), random);
    for (int32_t lane : lanes) {
      int32_t index = warp * kWarp + lane;
      if (index >= threads || list[index]->wait != Wait::Nothing)
        continue;
      current = list[index].get();
      current->fiber.resume();
      if (!fault.empty())
        return;
    }
  }
}

/// Lets the warp that begins with thread `first` exchange values if all lanes
/// that take part have come; true if some did.
bool Block::exchange(int32_t first) {
  int32_t count = std::min(kWarp, threads - first);
  bool any = false;
  for (int32_t lane = 0; lane < count; ++lane) {
    Thread &thread = *list[first + lane];
    if (thread.wait != Wait::Shuffle)
      continue;
    uint32_t mask = static_cast<uint32_t>(thread.mask);
    if (!(mask >> lane & 1)) {
      fail(thread, "shuffles with a mask that it is not in", thread.where);
      return false;
    }
    // All of the mask are there, at the same operation and of one mind.
    bool complete = true;
    for (int32_t other = 0; other < kWarp && complete; ++other)
      if (mask >> other & 1) {
        const Thread *peer =
            other < count ? list[first + other].get() : nullptr;
        complete = peer && peer->wait == Wait::Shuffle &&
                   peer->site == thread.site && peer->mask == thread.mask;
      }
    if (!complete)
      continue;
    int32_t values[kWarp];
    for (int32_t other = 0; other < count; ++other)
      values[other] = list[first + other]->value;
    for (int32_t other = 0; other < count; ++other) {
      if (!(mask >> other & 1))
        continue;
      Thread &peer = *list[first + other];
      // As the PTX manual defines shfl.sync.
      int32_t clamp = peer.clamp & 31, segment = peer.clamp >> 8 & 31;
      int32_t most = (other & segment) | (clamp & ~segment);
      int32_t least = other & segment;
      int32_t from = other;
      bool valid = false;
      int32_t offset = peer.offset & 31;
      switch (peer.kind) {
      case 0: // bfly
        from = other ^ offset;
        valid = from <= most;
        break;
      case 1: // up
        from = other - offset;
        valid = from >= most;
        break;
      case 2: // down
        from = other + offset;
        valid = from <= most;
        break;
      default: // idx
        from = least | (offset & ~segment);
        valid = from <= most;
        break;
      }
      if (valid && (from >= count || !(mask >> from & 1))) {
        fail(peer,
             "shuffles with lane " + std::to_string(from) +
                 ", which takes no part",
             peer.where);
        return false;
      }
      if (valid)
        peer.value = values[from];
      peer.wait = Wait::Nothing;
    }
    any = true;
  }
  return any;
}

bool Block::shuffleWarps() {
  bool any = false;
  for (int32_t first = 0; first < threads; first += kWarp)
    any |= exchange(first);
  return any;
}

bool Block::run() {
  memory.beginBlock();
  fault.clear();
  for (int32_t i = 0; i < threads; ++i) {
    list[i]->wait = Wait::Nothing;
    if (!list[i]->fiber.start(&runThread, list[i].get())) {
      fault = "cannot allocate the stacks of " + std::to_string(threads) +
              " emulated threads";
      return false;
    }
  }
  while (true) {
    runReady();
    if (!fault.empty())
      return false;
    if (shuffleWarps())
      continue;
    if (!fault.empty())
      return false;
    const Thread &first = *list[0];
    const Thread *odd = nullptr;
    for (int32_t i = 0; i < threads && !odd; ++i)
      if (list[i]->wait == Wait::Shuffle)
        odd = list[i].get();
    if (odd) {
      fail(*odd, "waits in a shuffle for lanes that do not come", odd->where);
      return false;
    }
    for (int32_t i = 0; i < threads && !odd; ++i)
      if (list[i]->wait != first.wait ||
          (first.wait == Wait::Barrier && list[i]->site != first.site))
        odd = list[i].get();
    if (odd) {
      const Thread &waiting = odd->wait == Wait::Barrier ? *odd : first;
      const Thread &other = odd->wait == Wait::Barrier ? first : *odd;
      fail(waiting,
           "waits at a barrier that thread " + std::to_string(other.number) +
               (other.wait == Wait::End ? std::string(" never comes to")
                                        : " does not come to: it waits at " +
                                              std::string(other.where)),
           waiting.where);
      return false;
    }
    if (first.wait == Wait::End)
      return true;
    memory.passBarrier();
    for (int32_t i = 0; i < threads; ++i)
      list[i]->wait = Wait::Nothing;
  }
}

//===----------------------------------------------------------------------===//
// Called by emulated kernels
//===----------------------------------------------------------------------===//

extern "C" int32_t weir_simt_register(void *block, int32_t which) {
  auto &here = *static_cast<Block *>(block);
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

extern "C" void *weir_simt_shared(void *block, int32_t index) {
  return static_cast<Block *>(block)->memory.buffer(index);
}

using Access = decltype(&SimtMemory::load);

static void checkAccess(Access access, void *block, const void *address,
                        int32_t bytes, int32_t alignment, const char *where) {
  auto &here = *static_cast<Block *>(block);
  if (!(here.memory.*access)(here.current->number, address, bytes, alignment,
                             here.problem))
    here.failHere(here.problem, where);
}

extern "C" void weir_simt_load(void *block, const void *address, int32_t bytes,
                               int32_t alignment, const char *where) {
  checkAccess(&SimtMemory::load, block, address, bytes, alignment, where);
}

extern "C" void weir_simt_store(void *block, const void *address, int32_t bytes,
                                int32_t alignment, const char *where) {
  checkAccess(&SimtMemory::store, block, address, bytes, alignment, where);
}

extern "C" void weir_simt_barrier(void *block, int32_t site,
                                  const char *where) {
  Thread &thread = *static_cast<Block *>(block)->current;
  thread.wait = Wait::Barrier;
  thread.site = site;
  thread.where = where;
  thread.fiber.suspend();
}

extern "C" int32_t weir_simt_shuffle(void *block, int32_t mask, int32_t value,
                                     int32_t offset, int32_t clamp,
                                     int32_t kind, int32_t site,
                                     const char *where) {
  Thread &thread = *static_cast<Block *>(block)->current;
  thread.wait = Wait::Shuffle;
  thread.mask = mask;
  thread.value = value;
  thread.offset = offset;
  thread.clamp = clamp;
  thread.kind = kind;
  thread.site = site;
  thread.where = where;
  thread.fiber.suspend();
  return thread.value;
}
