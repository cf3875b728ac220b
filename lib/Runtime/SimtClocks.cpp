//===- SimtClocks.cpp - Which thread knows of what others did -------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SimtClocks.h"
#include "SimtFragments.h"

#include <algorithm>

using namespace weir::rt;

static void join(SimtClocks::Clock &into, const SimtClocks::Clock &from) {
  if (into.size() < from.size())
    into.resize(from.size());
  for (size_t i = 0; i < from.size(); ++i)
    into[i] = std::max(into[i], from[i]);
}

void SimtClocks::beginBlock(int32_t count) {
  threads = count;
  known.clear();
  fences.assign(static_cast<size_t>(count) + 1, 0);
  ticks = 0;
}

void SimtClocks::begin() {
  if (!known.empty())
    return;
  size_t all = static_cast<size_t>(threads) + 1;
  known.assign(all, Clock(all, 0));
  for (size_t i = 0; i < all; ++i)
    known[i][i] = 1;
}

void SimtClocks::release(int32_t thread, Clock &clock) {
  Clock &own = known[index(thread)];
  join(clock, own);
  ++own[index(thread)];
}

void SimtClocks::acquire(int32_t thread, const Clock &clock) {
  join(known[index(thread)], clock);
}

void SimtClocks::meet(int32_t first, uint32_t mask) {
  if (known.empty())
    return;
  Clock all;
  for (int32_t lane = 0; lane < kWarp; ++lane)
    if (mask >> lane & 1)
      release(first + lane, all);
  for (int32_t lane = 0; lane < kWarp; ++lane)
    if (mask >> lane & 1)
      acquire(first + lane, all);
}

void SimtClocks::meetAll() {
  if (known.empty())
    return;
  Clock all;
  for (int32_t thread = 0; thread < threads; ++thread)
    release(thread, all);
  for (int32_t thread = 0; thread < threads; ++thread)
    acquire(thread, all);
}
