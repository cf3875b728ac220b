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
// again. What warps do together is in SimtWarp.cpp, what kernels call in
// SimtCalls.cpp.
//
//===----------------------------------------------------------------------===//

#include "weir-rt/Simt.h"
#include "SimtBlock.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <numeric>
#include <sys/mman.h>

using namespace weir::rt;

/// Threads a block may have on any GPU.
static constexpr int32_t kMostThreads = 1024;

namespace {
class SimtDevice : public Device {
public:
  SimtDevice(const weir_model_desc &model, const SimtOptions &options)
      : kernels(*model.device) {
    block.options = options;
  }

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
  void encode(LaunchQueue &queue, void *map, const TensorMap &tensor) override;
  bool submit(LaunchQueue &queue) override { return queue.error.empty(); }
  bool wait(LaunchQueue &queue) override { return queue.error.empty(); }
  DeviceFacts facts() const override {
    DeviceFacts facts;
    facts.name = "emulator";
    return facts;
  }
  std::string report() const override { return conflicts; }

private:
  const weir_device_desc &kernels;
  std::mutex mutex; ///< sessions share the block
  SimtBlock block;
  std::string conflicts;
};
} // namespace

std::shared_ptr<Device> weir::rt::openSimtDevice(const weir_model_desc &model,
                                                 const SimtOptions &options,
                                                 std::string &) {
  return std::make_shared<SimtDevice>(model, options);
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
  auto &thread = *static_cast<SimtThread *>(argument);
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
    auto &thread = block.list.emplace_back(std::make_unique<SimtThread>());
    thread->block = &block;
    thread->number = static_cast<int32_t>(block.list.size()) - 1;
  }
  block.banks.reset();
  for (block.number = 0; block.number < blocks; ++block.number)
    if (!block.run()) {
      queue.error = block.fault;
      return;
    }
  if (block.banks.any())
    conflicts += block.banks.report(block.kernel->name);
}

void SimtDevice::encode(LaunchQueue &queue, void *map,
                        const TensorMap &tensor) {
  static_assert(sizeof(TensorMap) <= kTensorMapBytes);
  queue.error = tensor.findFault();
  if (queue.error.empty())
    std::memcpy(map, &tensor, sizeof(tensor));
}

void SimtBlock::fail(const SimtThread &thread, const std::string &what,
                     const char *where) {
  if (fault.empty())
    fault = std::string("kernel '") + kernel->name + "', block " +
            std::to_string(number) + ", thread " +
            std::to_string(thread.number) + " " + what + ", at " +
            (where ? where : "its end");
}

void SimtBlock::failHere(const std::string &what, const char *where) {
  fail(*current, what, where);
  // Nobody resumes a thread of a block with a fault.
  current->fiber.suspend();
  __builtin_unreachable();
}

void SimtBlock::runReady() {
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

void SimtBlock::start() {
  memory.beginBlock();
  memory.clocks.beginBlock(threads);
  barriers.beginBlock();
  warpgroups.beginBlock(threads);
  fault.clear();
  for (int32_t i = 0; i < threads; ++i) {
    list[i]->wait = Wait::Nothing;
    dropCopies(*list[i]);
  }
}

bool SimtBlock::meetPhases() {
  bool any = false;
  std::vector<const void *> awaited;
  for (int32_t i = 0; i < threads; ++i) {
    SimtThread &thread = *list[i];
    if (thread.wait != Wait::Phase)
      continue;
    if (barriers.isComplete(thread.address, thread.kind)) {
      thread.wait = Wait::Nothing;
      any = true;
    } else {
      awaited.push_back(thread.address);
    }
  }
  return any || (!awaited.empty() && barriers.completeOne(awaited, random));
}

bool SimtBlock::findDeadlock() {
  const SimtThread &first = *list[0];
  const SimtThread *odd = nullptr;
  auto find = [&](auto isOdd) {
    for (int32_t i = 0; i < threads && !odd; ++i)
      if (isOdd(*list[i]))
        odd = list[i].get();
    return odd != nullptr;
  };
  if (find([](const SimtThread &t) { return t.wait == Wait::Warp; })) {
    static const char *const kCalls[] = {
        "a shuffle",          "ldmatrix",        "mma.sync",
        "bar.warp.sync",      "wgmma.mma_async", "wgmma.fence",
        "wgmma.commit_group", "wgmma.wait_group"};
    fail(*odd,
         std::string("waits in ") + kCalls[static_cast<int>(odd->call)] +
             " for lanes that do not come",
         odd->where);
    return true;
  }
  if (find([](const SimtThread &t) { return t.wait == Wait::Phase; })) {
    fail(*odd,
         "waits at a barrier in memory for a phase that does not end, " +
             barriers.describe(odd->address),
         odd->where);
    return true;
  }
  if (!find([&](const SimtThread &t) {
        return t.wait != first.wait ||
               (first.wait == Wait::Barrier && t.site != first.site);
      }))
    return false;
  const SimtThread &waiting = odd->wait == Wait::Barrier ? *odd : first;
  const SimtThread &other = odd->wait == Wait::Barrier ? first : *odd;
  fail(waiting,
       "waits at a barrier that thread " + std::to_string(other.number) +
           (other.wait == Wait::End
                ? std::string(" never comes to")
                : " does not come to: it waits at " + std::string(other.where)),
       waiting.where);
  return true;
}

bool SimtBlock::isFinished() {
  if (barriers.copiesOpen())
    problem = "ends with bulk copies under way";
  else if (warpgroups.finish(problem))
    return true;
  fail(*list[0], problem, nullptr);
  return false;
}

bool SimtBlock::run() {
  start();
  for (int32_t i = 0; i < threads; ++i)
    if (!list[i]->fiber.start(&runThread, list[i].get())) {
      fault = "cannot allocate the stacks of " + std::to_string(threads) +
              " emulated threads";
      return false;
    }
  while (true) {
    runReady();
    if (!fault.empty())
      return false;
    if (meetWarps())
      continue;
    if (!fault.empty())
      return false;
    if (meetPhases())
      continue;
    if (findDeadlock())
      return false;
    banks.passBarrier();
    if (list[0]->wait == Wait::End)
      return isFinished();
    memory.passBarrier();
    for (int32_t i = 0; i < threads; ++i)
      list[i]->wait = Wait::Nothing;
  }
}
