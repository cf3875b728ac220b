//===- SimtWarp.cpp - What the lanes of a warp do together ----------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shuffles, matrices loaded from shared memory, and their products. Lanes wait
// until all that take part have come to the same operation; whoever comes last
// in the order of lanes changes nothing, as all of them are served at once.
//
//===----------------------------------------------------------------------===//

#include "SimtBlock.h"

#include <algorithm>
#include <cstring>

using namespace weir::rt;

bool SimtBlock::meetWarps() {
  bool any = false;
  for (int32_t first = 0; first < threads; first += kWarp)
    any |= meetWarp(first);
  return any;
}

/// Serves the warp that begins with thread `first`.
bool SimtBlock::meetWarp(int32_t first) {
  int32_t count = std::min(kWarp, threads - first);
  bool any = false;
  for (int32_t lane = 0; lane < count; ++lane) {
    SimtThread &thread = *list[first + lane];
    if (thread.wait != Wait::Warp)
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
        const SimtThread *peer =
            other < count ? list[first + other].get() : nullptr;
        complete = peer && peer->wait == Wait::Warp &&
                   peer->site == thread.site && peer->mask == thread.mask;
      }
    if (!complete)
      continue;
    switch (thread.call) {
    case WarpCall::Shuffle:
      if (!shuffle(first, mask))
        return false;
      break;
    case WarpCall::Matrix:
      if (!loadMatrices(first))
        return false;
      break;
    case WarpCall::Product:
      multiply(first);
      break;
    case WarpCall::Sync:
      memory.clocks.meet(first, mask);
      break;
    default:
      if (!serveWarpgroup(first))
        return false;
      break;
    }
    for (int32_t other = 0; other < count; ++other)
      if (mask >> other & 1)
        list[first + other]->wait = Wait::Nothing;
    any = true;
  }
  return any;
}

/// Lets the lanes of `mask` exchange values, as the PTX manual defines
/// `shfl.sync`.
bool SimtBlock::shuffle(int32_t first, uint32_t mask) {
  int32_t count = std::min(kWarp, threads - first);
  int32_t values[kWarp];
  for (int32_t other = 0; other < count; ++other)
    values[other] = list[first + other]->value;
  for (int32_t other = 0; other < count; ++other) {
    if (!(mask >> other & 1))
      continue;
    SimtThread &peer = *list[first + other];
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
  }
  return true;
}

/// Loads matrices of 8 rows of 16 bytes, as the PTX manual defines `ldmatrix`:
/// lane 8*m + r says where row r of matrix m is.
bool SimtBlock::loadMatrices(int32_t first) {
  constexpr int32_t kRows = 8, kRowBytes = 16;
  int32_t count = list[first]->count, transposed = list[first]->transposed;
  for (int32_t matrix = 0; matrix < count; ++matrix) {
    const uint8_t *rows[kRows];
    for (int32_t row = 0; row < kRows; ++row) {
      const SimtThread &source = *list[first + matrix * kRows + row];
      rows[row] = static_cast<const uint8_t *>(source.address);
      if (options.countConflicts)
        banks.note(first + row, source.site * 4 + matrix,
                   reinterpret_cast<uint64_t>(source.address), kRowBytes,
                   source.where);
      // Once for the whole row: elements are too small to be aligned as it is.
      if (!memory.load(source.number, rows[row], 0, kRowBytes, problem)) {
        fail(source, problem, source.where);
        return false;
      }
    }
    for (int32_t lane = 0; lane < kWarp; ++lane) {
      SimtThread &thread = *list[first + lane];
      uint16_t halves[2];
      for (int32_t i = 0; i < 2; ++i) {
        MatrixPlace place = placeOfElement(lane, i, transposed != 0);
        const uint8_t *at = rows[place.row] + place.byte;
        if (!memory.load(thread.number, at, sizeof(uint16_t), 1, problem)) {
          fail(thread, problem, thread.where);
          return false;
        }
        std::memcpy(&halves[i], at, sizeof(uint16_t));
      }
      std::memcpy(&thread.registers[matrix], halves, sizeof(halves));
    }
  }
  return true;
}

void SimtBlock::multiply(int32_t first) {
  int32_t *lanes[kWarp];
  for (int32_t lane = 0; lane < kWarp; ++lane)
    lanes[lane] = list[first + lane]->registers;
  multiplyFragments(list[first]->kind, lanes);
}

bool SimtBlock::serveWarpgroup(int32_t first) {
  SimtThread &thread = *list[first];
  int32_t *lanes[kWarp];
  for (int32_t lane = 0; lane < kWarp; ++lane) {
    const SimtThread &other = *list[first + lane];
    lanes[lane] = other.registers;
    if (thread.call == WarpCall::GroupProduct &&
        other.descriptor != thread.descriptor) {
      fail(other, "begins a wgmma of another matrix than other lanes do",
           other.where);
      return false;
    }
  }
  bool good = true;
  switch (thread.call) {
  case WarpCall::GroupProduct:
    good = warpgroups.begin(first, threads, thread.count, thread.descriptor,
                            lanes, memory, options.copyAtIssue, problem);
    break;
  case WarpCall::GroupWait:
    good = warpgroups.wait(first, thread.kind, lanes, thread.count, memory,
                           problem);
    break;
  case WarpCall::GroupCommit:
    warpgroups.commit(first);
    break;
  default:
    warpgroups.fence(first);
    break;
  }
  if (!good)
    fail(thread, problem, thread.where);
  return good;
}
