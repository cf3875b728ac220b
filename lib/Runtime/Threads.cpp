//===- Threads.cpp - How many threads to use ------------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Threads.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <sched.h>
#include <set>
#include <string>
#include <unistd.h>
#include <utility>

using namespace weir::rt;

// Resolved only if the compiled model brought OpenMP in.
extern "C" void omp_set_num_threads(int) __attribute__((weak));

/// Reads one number from a file; `fallback` when there is none.
static long readNumber(const std::string &path, long fallback) {
  FILE *file = std::fopen(path.c_str(), "re");
  if (!file)
    return fallback;
  long value = fallback;
  if (std::fscanf(file, "%ld", &value) != 1)
    value = fallback;
  std::fclose(file);
  return value;
}

/// The CPU quota of the control group in whole CPUs, rounded up; 0: no limit.
static long quotaCpus() {
  FILE *file = std::fopen("/sys/fs/cgroup/cpu.max", "re");
  if (!file)
    return 0;
  long quota = 0, period = 0;
  int read = std::fscanf(file, "%ld %ld", &quota, &period);
  std::fclose(file);
  // "max 100000" fails on the first number: no limit.
  if (read != 2 || quota <= 0 || period <= 0)
    return 0;
  return (quota + period - 1) / period;
}

int weir::rt::defaultThreads() {
  long cores = 0;
  // A mask for the machine's largest CPU number; the fixed cpu_set_t ends at
  // 1024.
  long configured = std::max(1l, sysconf(_SC_NPROCESSORS_CONF));
  int bits = static_cast<int>(std::max(1024l, configured));
  cpu_set_t *mask = CPU_ALLOC(bits);
  size_t bytes = CPU_ALLOC_SIZE(bits);
  if (mask && sched_getaffinity(0, bytes, mask) == 0) {
    std::set<std::pair<long, long>> seen;
    for (int cpu = 0; cpu < bits; ++cpu) {
      if (!CPU_ISSET_S(cpu, bytes, mask))
        continue;
      std::string folder =
          "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
      // Without topology every CPU counts as a core of its own.
      seen.emplace(readNumber(folder + "physical_package_id", 0),
                   readNumber(folder + "core_id", -1 - cpu));
    }
    cores = static_cast<long>(seen.size());
  }
  if (mask)
    CPU_FREE(mask);
  if (cores == 0)
    cores = sysconf(_SC_NPROCESSORS_ONLN);
  if (long quota = quotaCpus())
    cores = std::min(cores, quota);
  return static_cast<int>(std::max(1l, cores));
}

void weir::rt::useThreads(int count) {
  if (omp_set_num_threads && count > 0)
    omp_set_num_threads(count);
}

//===----------------------------------------------------------------------===//
// Called by generated code, to find a thread's part of the arena
//===----------------------------------------------------------------------===//

extern "C" int omp_get_max_threads(void) __attribute__((weak));
extern "C" int omp_get_thread_num(void) __attribute__((weak));

/// Threads a parallel region may have.
int weir::rt::countThreads() {
  return omp_get_max_threads ? omp_get_max_threads() : 1;
}

extern "C" int64_t weir_rt_num_threads(void) {
  return weir::rt::countThreads();
}

/// The number of the calling thread in its parallel region.
extern "C" int64_t weir_rt_thread_index(void) {
  return omp_get_thread_num ? omp_get_thread_num() : 0;
}
