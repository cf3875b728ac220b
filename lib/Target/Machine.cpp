//===- Machine.cpp - What a machine can do at most --------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bandwidth is how fast threads add up memory that no cache holds; arithmetic
// is how fast they run chains of multiply-adds in registers, enough of them to
// hide their latency. Of several short rounds the best counts: what else runs
// on the machine only ever slows a round down.
//
//===----------------------------------------------------------------------===//

#include "weir/Target/Machine.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <thread>

using namespace weir;

/// Keeps `value` from being optimised away.
template <typename T>
static void use(T &value) {
  asm volatile("" : "+m"(value) : : "memory");
}

static double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Seconds that `work(thread)` takes on `threads` threads at once.
template <typename Work>
static double timeThreads(unsigned threads, const Work &work) {
  double start = now();
  std::vector<std::thread> others;
  for (unsigned i = 1; i < threads; ++i)
    others.emplace_back([&work, i] { work(i); });
  work(0);
  for (std::thread &other : others)
    other.join();
  return now() - start;
}

static double measureBandwidth(unsigned threads) {
  // Several times the caches of one socket's share of cores.
  constexpr size_t Bytes = size_t(256) << 20;
  size_t words = Bytes / threads / sizeof(uint64_t) / 64 * 64;
  std::vector<std::unique_ptr<uint64_t[]>> buffers(threads);
  timeThreads(threads, [&](unsigned thread) {
    buffers[thread].reset(new uint64_t[words]());
  });
  double best = INFINITY;
  for (int round = 0; round < 4; ++round)
    best = std::min(best, timeThreads(threads, [&](unsigned thread) {
                      const uint64_t *buffer = buffers[thread].get();
                      uint64_t sums[8] = {};
                      for (size_t i = 0; i < words; i += 8)
                        for (size_t lane = 0; lane < 8; ++lane)
                          sums[lane] += buffer[i + lane];
                      use(sums);
                    }));
  return double(words) * sizeof(uint64_t) * threads / best;
}

/// Runs `steps` steps of 16 chains of multiply-adds in vectors `V`.
template <typename V>
__attribute__((always_inline)) static inline void runChains(int64_t steps) {
  constexpr int Chains = 16;
  V sums[Chains] = {};
  V factor = V{} + 0.999f, addend = V{} + 0.001f;
  for (int64_t step = 0; step < steps; ++step)
    for (V &sum : sums)
      sum = sum * factor + addend;
  for (V &sum : sums)
    use(sum);
}

using Vector128 = float __attribute__((vector_size(16)));
static void runChains128(int64_t steps) { runChains<Vector128>(steps); }

#if defined(__x86_64__)
using Vector256 = float __attribute__((vector_size(32)));
using Vector512 = float __attribute__((vector_size(64)));
__attribute__((target("avx2,fma"))) static void runChains256(int64_t steps) {
  runChains<Vector256>(steps);
}
__attribute__((target("avx512f"))) static void runChains512(int64_t steps) {
  runChains<Vector512>(steps);
}
#endif

static double measureFlops(unsigned threads, void (*run)(int64_t), int lanes) {
  constexpr int64_t Steps = 400000;
  double best = INFINITY;
  for (int round = 0; round < 8; ++round)
    best = std::min(best, timeThreads(threads, [&](unsigned) { run(Steps); }));
  return double(Steps) * 16 * 2 * lanes * threads / best;
}

std::optional<MachineLimits> weir::measureMachine(const CPUTarget &target,
                                                  unsigned threads) {
  if (llvm::Triple(target.triple).getArch() !=
      llvm::Triple(llvm::sys::getProcessTriple()).getArch())
    return std::nullopt;
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  llvm::StringRef vectors = "128-bit vectors";
  void (*run)(int64_t) = runChains128;
  int lanes = 4;
#if defined(__x86_64__)
  for (llvm::StringRef feature : {"avx", "avx2", "fma", "avx512f"})
    if (target.has(feature) && !host.lookup(feature))
      return std::nullopt;
  if (target.has("avx512f")) {
    run = runChains512;
    lanes = 16;
    vectors = "512-bit vectors";
  } else if (target.has("avx2") && target.has("fma")) {
    run = runChains256;
    lanes = 8;
    vectors = "256-bit vectors";
  }
#endif
  threads = std::max(threads, 1u);
  MachineLimits limits;
  limits.bandwidth = measureBandwidth(threads);
  limits.flops = measureFlops(threads, run, lanes);
  limits.source = ("measured here, " + vectors).str();
  return limits;
}

llvm::Expected<MachineLimits> weir::parseMachineLimits(llvm::StringRef text) {
  auto [bandwidth, flops] = text.split(',');
  MachineLimits limits;
  if (!llvm::to_float(bandwidth, limits.bandwidth) ||
      !llvm::to_float(flops, limits.flops) || !(limits.bandwidth > 0) ||
      !(limits.flops > 0) || std::isinf(limits.bandwidth) ||
      std::isinf(limits.flops))
    return llvm::createStringError("machine is '" + text +
                                   "', expected GB/s,GFLOP/s as in 40,500");
  limits.bandwidth *= 1e9;
  limits.flops *= 1e9;
  limits.source = "as given";
  return limits;
}
