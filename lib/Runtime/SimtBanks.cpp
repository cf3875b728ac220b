//===- SimtBanks.cpp - Conflicts of banks of shared memory ----------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shared memory has 32 banks of 4 bytes. Lanes take turns by 128 bytes: all of
// a warp at once with accesses of up to 4 bytes, halves with 8, quarters with
// 16. In a turn a bank gives one word, to however many lanes.
//
//===----------------------------------------------------------------------===//

#include "SimtBanks.h"
#include "SimtFragments.h"

#include <algorithm>
#include <set>

using namespace weir::rt;

static constexpr int32_t kBanks = 32;
static constexpr int32_t kWordBytes = 4;

void SimtBanks::note(int32_t thread, int32_t site, uint64_t address,
                     int32_t bytes, const char *where) {
  int32_t turn = turns[{thread, site}]++;
  open[{thread / kWarp, {site, turn}}].push_back({thread, address, bytes});
  places[site] = where;
}

void SimtBanks::passBarrier() {
  for (auto &[key, lanes] : open) {
    int32_t site = key.second.first;
    int32_t bytes = lanes.front().bytes;
    int32_t together = bytes <= kWordBytes ? kWarp : kWarp * kWordBytes / bytes;
    for (int32_t first = 0; first < kWarp; first += together) {
      std::set<uint64_t> words[kBanks];
      for (const Lane &lane : lanes) {
        int32_t number = lane.thread % kWarp;
        if (number < first || number >= first + together)
          continue;
        for (uint64_t word = lane.address / kWordBytes;
             word <= (lane.address + lane.bytes - 1) / kWordBytes; ++word)
          words[word % kBanks].insert(word);
      }
      size_t most = 1;
      for (const std::set<uint64_t> &bank : words)
        most = std::max(most, bank.size());
      conflicts[site] += static_cast<int64_t>(most) - 1;
      ++accesses;
    }
  }
  open.clear();
  turns.clear();
}

std::string SimtBanks::report(const char *kernel) const {
  int64_t total = 0;
  std::string text;
  for (auto [site, count] : conflicts) {
    total += count;
    if (count)
      text += "  " + std::to_string(count) + " at " + places.at(site) + "\n";
  }
  return std::string("kernel '") + kernel + "': " + std::to_string(total) +
         " bank conflicts in " + std::to_string(accesses) + " turns\n" + text;
}

void SimtBanks::reset() {
  open.clear();
  turns.clear();
  places.clear();
  conflicts.clear();
  accesses = 0;
}
