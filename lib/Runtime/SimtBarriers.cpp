//===- SimtBarriers.cpp - Barriers in memory and bulk copies --------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A phase of a barrier ends when all arrivals and all bytes it expects are
// there. Copies are cut into pieces of sixteen bytes, which is what the
// permutation moves; their bytes are in flight until the phase ends that they
// count for, whether they are there or not.
//
//===----------------------------------------------------------------------===//

#include "SimtBarriers.h"

#include <algorithm>
#include <cstring>

using namespace weir::rt;

static constexpr int32_t kBarrierBytes = 8;
static constexpr int64_t kPiece = 16;
/// Arrivals and bytes that a phase may expect (PTX, "mbarrier object").
static constexpr int64_t kMostCount = (1 << 20) - 1;

void SimtBarriers::beginBlock() {
  barriers.clear();
  copies.clear();
}

SimtBarriers::Barrier *SimtBarriers::find(int32_t thread, const void *address) {
  auto found = barriers.find(address);
  if (found == barriers.end()) {
    fault = "uses a barrier in memory where none was begun";
    return nullptr;
  }
  Barrier &barrier = found->second;
  if (barrier.maker != thread && barrier.madeIn == memory.countBarriers() &&
      !memory.clocks.knows(thread, barrier.maker, barrier.madeAt)) {
    fault = "uses a barrier in memory that thread " +
            std::to_string(barrier.maker) + " begins since the last barrier";
    return nullptr;
  }
  return &barrier;
}

bool SimtBarriers::init(int32_t thread, void *address, int32_t count) {
  if (barriers.count(address)) {
    fault = "begins a barrier in memory where there is one already";
    return false;
  }
  if (count < 1 || count > kMostCount) {
    fault = "begins a barrier in memory of " + std::to_string(count) +
            " arrivals, expected 1 to 2^20 - 1";
    return false;
  }
  if (!memory.store(thread, address, kBarrierBytes, kBarrierBytes, fault))
    return false;
  memory.clocks.begin();
  Barrier &barrier = barriers[address];
  barrier.expected = barrier.pending = count;
  barrier.maker = thread;
  barrier.madeIn = memory.countBarriers();
  barrier.madeAt = memory.clocks.now(thread);
  return true;
}

bool SimtBarriers::invalidate(int32_t thread, void *address) {
  Barrier *barrier = find(thread, address);
  if (!barrier)
    return false;
  for (const Copy &copy : copies)
    if (copy.barrier == address) {
      fault = "ends a barrier in memory that copies are under way for";
      return false;
    }
  // Who used it has to have met this thread since.
  if (!memory.store(thread, address, kBarrierBytes, kBarrierBytes, fault))
    return false;
  barriers.erase(address);
  return true;
}

void SimtBarriers::finishPhase(Barrier &barrier) {
  if (barrier.pending != 0 || barrier.bytes != 0)
    return;
  for (const Piece &piece : barrier.landed)
    memory.endBulk(piece.to, kPiece);
  if (!barrier.landed.empty())
    memory.clocks.release(kCopies, barrier.arrived);
  barrier.landed.clear();
  barrier.completed = barrier.arrived;
  barrier.pending = barrier.expected;
  ++barrier.phase;
}

bool SimtBarriers::arrive(int32_t thread, void *address, int32_t count,
                          int32_t bytes) {
  Barrier *barrier = find(thread, address);
  if (!barrier)
    return false;
  if (count < 1 || count > barrier->pending) {
    fault = "arrives " + std::to_string(count) +
            " times at a barrier in memory that expects " +
            std::to_string(barrier->pending) + " more";
    return false;
  }
  barrier->bytes += bytes;
  if (barrier->bytes > kMostCount) {
    fault = "expects " + std::to_string(barrier->bytes) +
            " bytes at a barrier in memory, expected fewer than 2^20";
    return false;
  }
  // A barrier is read by who uses it: ending it has to wait for that.
  if (!memory.load(thread, address, kBarrierBytes, kBarrierBytes, fault))
    return false;
  memory.clocks.release(thread, barrier->arrived);
  barrier->pending -= count;
  finishPhase(*barrier);
  return true;
}

bool SimtBarriers::mayWait(int32_t thread, void *address) {
  return find(thread, address) &&
         memory.load(thread, address, kBarrierBytes, kBarrierBytes, fault);
}

bool SimtBarriers::isComplete(const void *address, int32_t parity) const {
  auto found = barriers.find(address);
  return found != barriers.end() &&
         static_cast<int32_t>(found->second.phase & 1) != (parity & 1);
}

void SimtBarriers::acquire(int32_t thread, const void *address) {
  memory.clocks.acquire(thread, barriers.at(address).completed);
}

std::string SimtBarriers::describe(const void *address) const {
  auto found = barriers.find(address);
  if (found == barriers.end())
    return "which is no more";
  return "which lacks " + std::to_string(found->second.pending) +
         " arrivals and " + std::to_string(found->second.bytes) + " bytes";
}

void SimtBarriers::fenceInit(int32_t thread) {
  for (auto &[address, barrier] : barriers)
    barrier.fenced |= barrier.maker == thread;
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

/// Where hardware puts the piece at `address` of a tile with permuted pieces.
static uint8_t *permute(uint8_t *address) {
  auto bits = reinterpret_cast<uintptr_t>(address);
  return reinterpret_cast<uint8_t *>(bits ^ ((bits >> 7 & 7) << 4));
}

bool SimtBarriers::copyBox(int32_t thread, void *to, const void *map,
                           const int32_t *coordinates, int32_t rank,
                           void *address, bool now) {
  Barrier *barrier = find(thread, address);
  if (!barrier)
    return false;
  if (!barrier->fenced) {
    fault = "copies by a barrier in memory without fence.mbarrier_init behind "
            "its beginning";
    return false;
  }
  if (reinterpret_cast<uintptr_t>(map) % kTensorMapAlignment != 0) {
    fault = "copies by a map of a tensor that is not aligned to 64 bytes";
    return false;
  }
  const auto &tensor = *static_cast<const TensorMap *>(map);
  if (tensor.rank != rank || !tensor.findFault().empty()) {
    fault = "copies a box of " + std::to_string(rank) +
            " axes by no map of such a tensor";
    return false;
  }
  if (reinterpret_cast<uintptr_t>(to) % kBoxRowBytes != 0) {
    fault = "copies a box to misaligned shared memory, expected a multiple of "
            "128";
    return false;
  }
  Copy copy;
  copy.barrier = address;
  int64_t rows = 1;
  for (int32_t axis = 1; axis < rank; ++axis)
    rows *= tensor.box[axis];
  copy.bytes = rows * kBoxRowBytes;
  for (int64_t row = 0; row < rows; ++row) {
    int64_t from = tensor.base, rest = row;
    bool inside = true;
    for (int32_t axis = 1; axis < rank; ++axis) {
      int64_t at = coordinates[axis] + rest % tensor.box[axis];
      rest /= tensor.box[axis];
      inside &= at >= 0 && at < tensor.sizes[axis];
      from += at * tensor.strides[axis];
    }
    for (int64_t piece = 0; piece < kBoxRowBytes / kPiece; ++piece) {
      uint8_t *target = permute(static_cast<uint8_t *>(to) +
                                row * kBoxRowBytes + piece * kPiece);
      int64_t first = coordinates[0] + piece * kPiece / 2;
      int64_t there = std::clamp<int64_t>(tensor.sizes[0] - first, 0, 8);
      // Boxes begin where tensors do, or behind.
      bool taken = inside && first >= 0 && there > 0;
      copy.pieces.push_back(
          {target,
           taken ? reinterpret_cast<const void *>(from + first * 2) : nullptr,
           taken ? static_cast<int32_t>(there * 2) : 0});
      if (!memory.beginBulk(thread, target, kPiece, fault))
        return false;
    }
  }
  if (coordinates[0] < 0) {
    fault = "copies a box that begins in front of a row";
    return false;
  }
  if (now)
    complete(copy);
  else
    copies.push_back(std::move(copy));
  return true;
}

void SimtBarriers::complete(Copy &copy) {
  for (const Piece &piece : copy.pieces) {
    std::memset(piece.to, 0, kPiece);
    if (piece.taken)
      std::memcpy(piece.to, piece.from, static_cast<size_t>(piece.taken));
  }
  Barrier &barrier = barriers.at(copy.barrier);
  barrier.landed.insert(barrier.landed.end(), copy.pieces.begin(),
                        copy.pieces.end());
  barrier.bytes -= copy.bytes;
  finishPhase(barrier);
}

bool SimtBarriers::completeOne(const std::vector<const void *> &awaited,
                               std::mt19937 &random) {
  std::vector<size_t> open;
  for (size_t i = 0; i < copies.size(); ++i)
    if (std::find(awaited.begin(), awaited.end(), copies[i].barrier) !=
        awaited.end())
      open.push_back(i);
  if (open.empty())
    return false;
  size_t chosen = open[random() % open.size()];
  Copy copy = std::move(copies[chosen]);
  copies.erase(copies.begin() + static_cast<std::ptrdiff_t>(chosen));
  complete(copy);
  return true;
}
