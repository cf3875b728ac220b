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
static constexpr int64_t kMostAlignment = WEIR_SIMT_MOST_ALIGNMENT;
/// Bytes of a piece of a matrix.
static constexpr int64_t kPiece = 16;

void SimtMemory::beginKernel(const int64_t *sizes, int32_t count) {
  starts.clear();
  ends.clear();
  int64_t end = kApart;
  for (int32_t i = 0; i < count; ++i) {
    // An odd multiple of the least alignment; there is room for the most.
    starts.push_back((end + 2 * kMostAlignment - 1) / (2 * kMostAlignment) *
                         (2 * kMostAlignment) +
                     kAlignment);
    ends.push_back(starts.back() + sizes[i]);
    end = ends.back() + kMostAlignment + kApart;
  }
  size_t total = static_cast<size_t>(end);
  // Aligned as a buffer is, whatever the vector's own alignment.
  if (bytes.size() < total + 2 * kMostAlignment) {
    bytes.resize(total + 2 * kMostAlignment);
    cells.resize(bytes.size());
    matrixReads.resize(bytes.size() / kPiece + 1);
  }
  auto address = reinterpret_cast<uintptr_t>(bytes.data());
  int64_t shift = 2 * kMostAlignment - address % (2 * kMostAlignment);
  for (int32_t i = 0; i < count; ++i) {
    starts[i] += shift;
    ends[i] += shift;
  }
  beginBlock();
}

uint8_t *SimtMemory::getBuffer(int32_t index, int32_t alignment) {
  auto address = reinterpret_cast<uintptr_t>(bytes.data() + starts[index]);
  if (address % static_cast<uintptr_t>(alignment) != 0) {
    // The kernel says so before it touches it.
    starts[index] += kMostAlignment - kAlignment;
    ends[index] += kMostAlignment - kAlignment;
    std::fill(bytes.begin() + starts[index], bytes.begin() + ends[index], 0xCD);
  }
  return bytes.data() + starts[index];
}

void SimtMemory::beginBlock() {
  firstEpoch = ++epoch;
  for (int64_t piece : piecesRead)
    matrixReads[piece].clear();
  piecesRead.clear();
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

static std::string nameWriter(int32_t writer) {
  return writer == kCopies ? "a bulk copy" : "thread " + std::to_string(writer);
}

bool SimtMemory::knowsWriter(int32_t thread, int64_t at,
                             std::string &fault) const {
  const Cell &cell = cells[at];
  if (clocks.knows(thread, cell.writer, cell.writeTime) ||
      cell.writer == thread)
    return true;
  if (cell.writer == kCopies)
    fault = "reads what a bulk copy wrote, without a wait at its barrier: " +
            name(at);
  else if (cell.written == epoch)
    fault = "reads what thread " + std::to_string(cell.writer) +
            " writes since the last barrier: " + name(at);
  else
    return true;
  return false;
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
    if (!knowsWriter(thread, i, fault))
      return false;
    cell.reader =
        cell.read == epoch && cell.reader != thread ? kSeveral : thread;
    cell.read = epoch;
    cell.readTime = clocks.now(thread);
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
  bool othersWrote =
      cell.writer == kCopies
          ? cell.written >= firstEpoch &&
                !clocks.knows(thread, kCopies, cell.writeTime)
          : cell.written == epoch && cell.writer != thread &&
                !clocks.knows(thread, cell.writer, cell.writeTime);
  bool othersRead = cell.read == epoch && cell.reader != thread &&
                    (cell.reader == kSeveral ||
                     !clocks.knows(thread, cell.reader, cell.readTime));
  if (!othersWrote && !othersRead)
    return true;
  fault = std::string("writes what ") +
          (othersWrote ? nameWriter(cell.writer) + " writes"
           : cell.reader == kSeveral
               ? std::string("other threads read")
               : "thread " + std::to_string(cell.reader) + " reads") +
          " since the last barrier: " + name(at);
  return false;
}

void SimtMemory::noteWrite(int32_t thread, Cell &cell) {
  cell.writer = thread;
  cell.written = epoch;
  cell.writeTime = clocks.now(thread);
  cell.writeTick = clocks.tick();
}

bool SimtMemory::mayOverwrite(int32_t thread, int64_t at, int32_t count,
                              std::string &fault) {
  if (piecesRead.empty())
    return true;
  for (int64_t piece = at / kPiece; piece <= (at + count - 1) / kPiece;
       ++piece) {
    for (const MatrixRead &read : matrixReads[piece]) {
      bool ordered = read.epoch < epoch || read.thread == thread ||
                     clocks.knows(thread, read.thread, read.time);
      if (!read.open && ordered)
        continue;
      fault = "writes what a wgmma of thread " + std::to_string(read.thread) +
              (read.open ? " reads and has not waited for: "
                         : " reads since the last barrier: ") +
              name(piece * kPiece);
      return false;
    }
    matrixReads[piece].clear();
  }
  return true;
}

bool SimtMemory::isFenced(int32_t thread, int64_t at,
                          std::string &fault) const {
  const Cell &cell = cells[at];
  if (cell.written < firstEpoch || cell.writer == kCopies ||
      clocks.fencedSince(cell.writer, cell.writeTick) ||
      clocks.fencedSince(thread, cell.writeTick))
    return true;
  fault = "touches by the asynchronous proxy what thread " +
          std::to_string(cell.writer) +
          " wrote without fence.proxy.async behind: " + name(at);
  return false;
}

bool SimtMemory::store(int32_t thread, const void *address, int32_t count,
                       int32_t alignment, std::string &fault) {
  int64_t at = locate("writes", address, count, alignment, fault);
  if (at < 0 || !mayOverwrite(thread, at, count, fault))
    return false;
  for (int64_t i = at; i < at + count; ++i) {
    if (!mayWrite(thread, i, fault))
      return false;
    noteWrite(thread, cells[i]);
  }
  return true;
}

bool SimtMemory::beginCopy(int32_t thread, const void *address, int32_t count,
                           std::string &fault) {
  int64_t at = locate("writes", address, count, count, fault);
  if (at < 0 || !mayOverwrite(thread, at, count, fault))
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
    noteWrite(thread, cells[i]);
  }
}

//===----------------------------------------------------------------------===//
// The asynchronous proxy
//===----------------------------------------------------------------------===//

bool SimtMemory::beginBulk(int32_t thread, const void *address, int32_t count,
                           std::string &fault) {
  int64_t at = locate("writes", address, count, kPiece, fault);
  if (at < 0 || !mayOverwrite(thread, at, count, fault))
    return false;
  for (int64_t i = at; i < at + count; ++i) {
    if (!mayWrite(thread, i, fault) || !isFenced(thread, i, fault))
      return false;
    cells[i].copier = thread;
    cells[i].copied = epoch;
  }
  return true;
}

void SimtMemory::endBulk(const void *address, int32_t count) {
  int64_t at = static_cast<const uint8_t *>(address) - bytes.data();
  for (int64_t i = at; i < at + count; ++i) {
    cells[i].copied = 0;
    noteWrite(kCopies, cells[i]);
    // Whoever read before was seen to be done.
    cells[i].read = 0;
    cells[i].reader = -1;
  }
}

bool SimtMemory::beginMatrix(int32_t thread, const void *address,
                             std::string &fault) {
  int64_t at = locate("reads", address, kPiece, kPiece, fault);
  if (at < 0)
    return false;
  for (int64_t i = at; i < at + kPiece; ++i) {
    if (inFlight("reads", i, fault))
      return false;
    if (cells[i].written < firstEpoch) {
      fault = "reads unwritten shared memory: " + name(i);
      return false;
    }
    if (!knowsWriter(thread, i, fault) || !isFenced(thread, i, fault))
      return false;
  }
  std::vector<MatrixRead> &reads = matrixReads[at / kPiece];
  if (reads.empty())
    piecesRead.push_back(at / kPiece);
  for (MatrixRead &read : reads)
    if (read.thread == thread) {
      ++read.open;
      return true;
    }
  reads.push_back({thread, 1, 0, 0});
  return true;
}

void SimtMemory::endMatrix(int32_t thread, const void *address) {
  int64_t at = static_cast<const uint8_t *>(address) - bytes.data();
  for (MatrixRead &read : matrixReads[at / kPiece])
    if (read.thread == thread) {
      --read.open;
      read.epoch = epoch;
      read.time = clocks.now(thread);
    }
}

const uint8_t *SimtMemory::findPlace(uint32_t lowBits) const {
  constexpr uint64_t kMask = (1 << 18) - 1;
  const uint8_t *found = nullptr;
  for (size_t i = 0; i < starts.size(); ++i) {
    const uint8_t *start = bytes.data() + starts[i];
    auto distance = (lowBits - reinterpret_cast<uintptr_t>(start)) & kMask;
    if (distance >= static_cast<uint64_t>(ends[i] - starts[i]))
      continue;
    if (found)
      return nullptr;
    found = start + distance;
  }
  return found;
}
