//===- Rewind.cpp - Going back, copying and reordering sessions -----------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Histories can be cut anywhere they still reach. Carries cannot: each step
// overwrites them. A session of a model with carries therefore logs its inputs
// and takes snapshots of the carries; to go back it restores the last snapshot
// at or before the position wanted (at worst the empty state) and feeds the
// logged inputs from there on again, to that row alone.
//
//===----------------------------------------------------------------------===//

#include "Session.h"

using namespace weir::rt;

void Session::remember(const std::vector<const void *const *> &rows) {
  for (int64_t row = 0; row < opts.batch; ++row)
    for (size_t i = 0; i < inputList.size(); ++i) {
      if (inBlock[row] == 0)
        continue;
      const uint8_t *from = static_cast<const uint8_t *>(rows[i][row]) +
                            static_cast<size_t>(taken[row]) * stepBytes[i];
      std::vector<uint8_t> &log = logs[row].inputs[i];
      log.insert(log.end(), from,
                 from + static_cast<size_t>(inBlock[row]) * stepBytes[i]);
    }
}

void Session::snapshot(int64_t row) {
  std::vector<Snapshot> &list = logs[row].snapshots;
  int64_t now = position(row);
  // Keep what reaches `rollbackDepth` back, and the one snapshot before that.
  size_t drop = 0;
  while (drop + 1 < list.size() &&
         list[drop + 1].position <= now - opts.rollbackDepth)
    ++drop;
  list.erase(list.begin(), list.begin() + static_cast<ptrdiff_t>(drop));
  Snapshot entry;
  entry.position = now;
  state.saveCarry(row, entry.carry);
  list.push_back(std::move(entry));
}

bool Session::checkRow(int64_t row, std::string &error) const {
  if (row >= 0 && row < opts.batch)
    return true;
  error = "row " + std::to_string(row) + " is outside the batch of " +
          std::to_string(opts.batch);
  return false;
}

void Session::reset() {
  for (int64_t row = 0; row < opts.batch; ++row) {
    state.truncate(row, 0);
    pendingTokens[row].clear();
    logs[row].snapshots.clear();
    for (std::vector<uint8_t> &log : logs[row].inputs)
      log.clear();
  }
}

bool Session::rollback(int64_t row, int64_t target, std::string &error) {
  if (!checkRow(row, error))
    return false;
  if (target < 0 || target > position(row)) {
    error = "cannot go back to position " + std::to_string(target) + ": row " +
            std::to_string(row) + " stands at " + std::to_string(position(row));
    return false;
  }
  if (target == position(row)) {
    pendingTokens[row].clear();
    return true;
  }
  if (!keepLog) {
    if (!state.canStandAt(row, target)) {
      const char *slot;
      int64_t oldest = state.oldestPosition(row, slot);
      error = "cannot go back to position " + std::to_string(target) +
              ": of row " + std::to_string(row) + ", history '" + slot +
              "' allows " + std::to_string(oldest) +
              " at the oldest (open the session with a larger rollback depth)";
      return false;
    }
    state.truncate(row, target);
    pendingTokens[row].clear();
    return true;
  }

  RowLog &log = logs[row];
  size_t keep = log.snapshots.size();
  while (keep > 0 && (log.snapshots[keep - 1].position > target ||
                      !state.canStandAt(row, log.snapshots[keep - 1].position)))
    --keep;
  int64_t start = keep ? log.snapshots[keep - 1].position : 0;
  std::vector<int64_t> counts(static_cast<size_t>(opts.batch), 0);
  counts[row] = target - start;
  bool hasLengths = opts.batch == 1;
  for (const Function &function : functions)
    hasLengths |= function.lengthsArg >= 0;
  Choice choice;
  if (target > start &&
      (!hasLengths || !choose(counts.data(), Outputs::None, choice))) {
    error = "cannot go back to position " + std::to_string(target) +
            ": feeding one row again needs a function with a lengths argument";
    return false;
  }

  state.truncate(row, start);
  if (keep)
    state.restoreCarry(row, log.snapshots[keep - 1].carry);
  else
    state.truncate(row, 0);
  log.snapshots.resize(keep);
  pendingTokens[row].clear();
  std::vector<std::vector<const void *>> pointers(inputList.size());
  std::vector<const void *const *> rows;
  for (size_t i = 0; i < inputList.size(); ++i) {
    log.inputs[i].resize(static_cast<size_t>(target) * stepBytes[i]);
    pointers[i].assign(static_cast<size_t>(opts.batch), nullptr);
    pointers[i][row] =
        log.inputs[i].data() + static_cast<size_t>(start) * stepBytes[i];
    rows.push_back(pointers[i].data());
  }
  return feed(rows, counts.data(), Outputs::None, nullptr, /*replay=*/true,
              error);
}

bool Session::reorder(const std::vector<int64_t> &from, std::string &error) {
  if (static_cast<int64_t>(from.size()) != opts.batch) {
    error = "reorder got " + std::to_string(from.size()) + " rows, expected " +
            std::to_string(opts.batch);
    return false;
  }
  for (int64_t row : from)
    if (!checkRow(row, error))
      return false;
  state.reorder(from);
  std::vector<RowLog> oldLogs = logs;
  std::vector<std::vector<int32_t>> oldPending = pendingTokens;
  for (size_t row = 0; row < from.size(); ++row) {
    logs[row] = oldLogs[from[row]];
    pendingTokens[row] = oldPending[from[row]];
  }
  return true;
}

std::unique_ptr<Session> Session::fork(std::string &error) const {
  std::unique_ptr<Session> copy = open(owner, opts, error);
  if (!copy)
    return nullptr;
  copy->constants = constants;
  copy->encoded = encoded;
  if (!copy->state.makeMemories(state.sources(), owner->device(), error) ||
      !copy->sizeArena(error))
    return nullptr;
  copy->state.copyFrom(state);
  copy->logs = logs;
  copy->pendingTokens = pendingTokens;
  return copy;
}
