//===- SimtMemory.cpp - Shared memory with all that happened to it --------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SimtMemory.h"
#include "weir-rt/Simt.h"

#include <algorithm>

using namespace weir::rt;

/// Bytes between buffers: an index that is off by a row or two finds none.
static constexpr int64_t kApart = 4096;
static constexpr int64_t kAlignment = WEIR_SIMT_ALIGNMENT;

void SimtMemory::beginKernel(const int64_t *sizes, int32_t count) {
  starts.clear();
  ends.clear();
  int64_t end = kApart;
  for (int32_t i = 0; i < count; ++i) {
    starts.push_back(end);
    ends.push_back(end + sizes[i]);
    end = (end + sizes[i] + kAlignment - 1) / kAlignment * kAlignment + kApart;
  }
  size_t total = static_cast<size_t>(end);
  // Aligned as a buffer is, whatever the vector's own alignment.
  if (bytes.size() < total + kAlignment) {
    bytes.resize(total + kAlignment);
    cells.resize(bytes.size());
  }
  auto address = reinterpret_cast<uintptr_t>(bytes.data());
  int64_t shift = (kAlignment - address % kAlignment) % kAlignment;
  for (int32_t i = 0; i < count; ++i) {
    starts[i] += shift;
    ends[i] += shift;
  }
  beginBlock();
}

void SimtMemory::beginBlock() {
  firstEpoch = ++epoch;
  // Not what an earlier block left, so that nobody comes to rely on it.
  for (size_t i = 0; i < starts.size(); ++i)
    std::fill(bytes.begin() + starts[i], bytes.begin() + ends[i], 0xCD);
}

std::string SimtMemory::name(int64_t at) const {
  for (size_t i = 0; i < starts.size(); ++i)
    if (at >= starts[i] && at < ends[i])
      return "byte " + std::to_string(at - starts[i]) + " of shared buffer " +
             std::to_string(i);
  return "byte " + std::to_string(at);
}

int64_t SimtMemory::locate(const char *verb, const void *address, int32_t count,
                           int32_t alignment, std::string &fault) const {
  int64_t at = static_cast<const uint8_t *>(address) - bytes.data();
  for (size_t i = 0; i < starts.size(); ++i)
    if (at >= starts[i] && at + count <= ends[i]) {
      if (reinterpret_cast<uintptr_t>(address) % alignment == 0)
        return at;
      fault = std::string(verb) +
              " misaligned shared memory: " + std::to_string(count) +
              " bytes at " + name(at) + ", expected a multiple of " +
              std::to_string(alignment);
      return -1;
    }
  // The nearest buffer is most likely the one that was meant.
  int64_t nearest = -1, distance = INT64_MAX;
  for (size_t i = 0; i < starts.size(); ++i) {
    int64_t off = at < starts[i] ? starts[i] - at : at - ends[i] + 1;
    if (off < distance) {
      distance = off;
      nearest = static_cast<int64_t>(i);
    }
  }
  fault = std::string(verb) +
          " outside of shared memory: " + std::to_string(count) + " bytes";
  if (nearest >= 0)
    fault += " at " + std::to_string(at - starts[nearest]) +
             " of shared buffer " + std::to_string(nearest) + ", which has " +
             std::to_string(ends[nearest] - starts[nearest]);
  return -1;
}

bool SimtMemory::load(int32_t thread, const void *address, int32_t count,
                      int32_t alignment, std::string &fault) {
  int64_t at = locate("reads", address, count, alignment, fault);
  if (at < 0)
    return false;
  for (int64_t i = at; i < at + count; ++i) {
    Cell &cell = cells[i];
    if (inFlight("reads", i, fault))
      return false;
    if (cell.written < firstEpoch) {
      fault = "reads unwritten shared memory: " + name(i);
      return false;
    }
    if (cell.written == epoch && cell.writer != thread) {
      fault = "reads what thread " + std::to_string(cell.writer) +
              " writes since the last barrier: " + name(i);
      return false;
    }
    cell.reader =
        cell.read == epoch && cell.reader != thread ? kSeveral : thread;
    cell.read = epoch;
  }
  return true;
}

bool SimtMemory::inFlight(const char *verb, int64_t at,
                          std::string &fault) const {
  if (cells[at].copied < firstEpoch)
    return false;
  fault = std::string(verb) + " what thread " +
          std::to_string(cells[at].copier) +
          " copies and has not waited for: " + name(at);
  return true;
}

bool SimtMemory::mayWrite(int32_t thread, int64_t at,
                          std::string &fault) const {
  const Cell &cell = cells[at];
  if (inFlight("writes", at, fault))
    return false;
  bool othersWrote = cell.written == epoch && cell.writer != thread;
  bool othersRead = cell.read == epoch && cell.reader != thread;
  if (!othersWrote && !othersRead)
    return true;
  fault = std::string("writes what ") +
          (othersWrote ? "thread " + std::to_string(cell.writer) + " writes"
           : cell.reader == kSeveral
               ? std::string("other threads read")
               : "thread " + std::to_string(cell.reader) + " reads") +
          " since the last barrier: " + name(at);
  return false;
}

bool SimtMemory::store(int32_t thread, const void *address, int32_t count,
                       int32_t alignment, std::string &fault) {
  int64_t at = locate("writes", address, count, alignment, fault);
  if (at < 0)
    return false;
  for (int64_t i = at; i < at + count; ++i) {
    if (!mayWrite(thread, i, fault))
      return false;
    cells[i].writer = thread;
    cells[i].written = epoch;
  }
  return true;
}

bool SimtMemory::beginCopy(int32_t thread, const void *address, int32_t count,
                           std::string &fault) {
  int64_t at = locate("writes", address, count, count, fault);
  if (at < 0)
    return false;
  for (int64_t i = at; i < at + count; ++i) {
    if (!mayWrite(thread, i, fault))
      return false;
    cells[i].copier = thread;
    cells[i].copied = epoch;
  }
  return true;
}

void SimtMemory::endCopy(int32_t thread, const void *address, int32_t count) {
  int64_t at = static_cast<const uint8_t *>(address) - bytes.data();
  for (int64_t i = at; i < at + count; ++i) {
    cells[i].copied = 0;
    cells[i].writer = thread;
    cells[i].written = epoch;
  }
}
