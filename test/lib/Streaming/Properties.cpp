//===- Properties.cpp - What must hold of every streaming model -----------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The whole-sequence function is what all else is held against. Blocks of other
// lengths may add in another order, so results are compared within a tolerance;
// what goes through the same blocks twice must be the same to the bit.
//
//===----------------------------------------------------------------------===//

#include "Properties.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <unistd.h>

//===----------------------------------------------------------------------===//
// Trials
//===----------------------------------------------------------------------===//

void Trial::expect(bool holds, const std::string &what) {
  if (!holds && failure.empty())
    failure = what;
}

void Trial::expectNear(const Steps &got, const Steps &expected,
                       const char *what) {
  if (got.size() != expected.size())
    return expect(false, std::string(what) + ": " + std::to_string(got.size()) +
                             " tokens, expected " +
                             std::to_string(expected.size()));
  double squares = 0, count = 0, worst = 0;
  size_t place = 0;
  for (size_t t = 0; t < got.size(); ++t)
    for (size_t i = 0; i < expected[t].size(); ++i) {
      double distance = std::abs(double(got[t][i]) - double(expected[t][i]));
      squares += double(expected[t][i]) * double(expected[t][i]);
      count += 1;
      // Not a number is worse than any number.
      if (!(distance <= worst)) {
        worst = distance;
        place = t;
      }
    }
  if (count == 0)
    return;
  double relative = worst / std::sqrt(squares / count + 1e-30);
  expect(relative <= tolerance,
         std::string(what) + ": token " + std::to_string(place) +
             " differs by " + std::to_string(relative) +
             " of the rms, expected at most " + std::to_string(tolerance));
  largest = std::max(largest, relative);
}

void Trial::expectSame(const Steps &got, const Steps &expected,
                       const char *what) {
  expect(got == expected, std::string(what) + ": not the same to the bit");
}

//===----------------------------------------------------------------------===//
// Properties
//===----------------------------------------------------------------------===//

namespace {
/// A file that goes with its owner.
struct TemporaryFile {
  TemporaryFile() {
    char name[] = "/tmp/weir-state-XXXXXX";
    int descriptor = mkstemp(name);
    if (descriptor < 0)
      die("cannot make a temporary file");
    close(descriptor);
    path = name;
  }
  ~TemporaryFile() { unlink(path.c_str()); }
  std::string path;
};
} // namespace

static Tokens slice(const Tokens &tokens, int64_t begin, int64_t end) {
  return Tokens(tokens.begin() + begin, tokens.begin() + end);
}

static Steps slice(const Steps &steps, int64_t begin, int64_t end) {
  return Steps(steps.begin() + begin, steps.begin() + end);
}

static void append(Steps &to, const Steps &from) {
  to.insert(to.end(), from.begin(), from.end());
}

/// Lengths of blocks that sum to `total`; short ones, single tokens above all,
/// are likelier than long ones.
static std::vector<int64_t> pickSplit(Trial &trial, int64_t total) {
  std::vector<int64_t> blocks;
  while (total > 0) {
    int64_t limit = trial.pick(0, 2) == 0 ? 1 : trial.pick(1, total);
    blocks.push_back(trial.pick(1, std::min(limit, total)));
    total -= blocks.back();
  }
  return blocks;
}

/// Feeds `tokens` in blocks of the lengths `blocks`.
static Steps feed(TestSession &session, const Tokens &tokens,
                  const std::vector<int64_t> &blocks) {
  Steps outputs;
  int64_t at = 0;
  for (int64_t block : blocks) {
    append(outputs, session.extend(slice(tokens, at, at + block)));
    at += block;
  }
  return outputs;
}

/// `extend` over any split is `forward`.
static void checkSplits(Trial &trial) {
  int64_t length = trial.pick(1, trial.model.maxLength());
  Tokens tokens = trial.draw(length);
  TestSession session = trial.model.open();
  Steps outputs = feed(session, tokens, pickSplit(trial, length));
  trial.expectNear(outputs, trial.model.forward(tokens), "extend");
  trial.expect(session.position(0) == length, "wrong position");
}

/// The outputs of last tokens alone are those of `forward` there.
static void checkLast(Trial &trial) {
  int64_t length = trial.pick(1, trial.model.maxLength());
  Tokens tokens = trial.draw(length);
  Steps expected = trial.model.forward(tokens);
  TestSession session = trial.model.open();
  int64_t at = 0;
  for (int64_t block : pickSplit(trial, length)) {
    Tokens part = slice(tokens, at, at + block);
    at += block;
    trial.expectNear({session.extendLast(part)}, slice(expected, at - 1, at),
                     "last outputs");
  }
}

/// Rows of a batch that advance by different steps are rows alone.
static void checkRagged(Trial &trial) {
  int64_t batch = trial.pick(2, 4);
  TestSession session = trial.model.open(batch);
  std::vector<Tokens> all(static_cast<size_t>(batch));
  std::vector<Steps> outputs(all.size());
  for (int64_t step = trial.pick(1, 6); step > 0; --step) {
    std::vector<Tokens> parts;
    // Every other step decodes: one token at most.
    int64_t limit = trial.pick(0, 1) ? 1 : 20;
    for (size_t b = 0; b < all.size(); ++b) {
      // A row may rest.
      int64_t room = trial.model.maxLength() - int64_t(all[b].size());
      int64_t count = trial.pick(0, 3) == 0 ? 0 : trial.pick(1, limit);
      parts.push_back(trial.draw(std::min(count, room)));
      all[b].insert(all[b].end(), parts[b].begin(), parts[b].end());
    }
    std::vector<Steps> some = session.extend(parts);
    for (size_t b = 0; b < all.size(); ++b)
      append(outputs[b], some[b]);
  }
  for (size_t b = 0; b < all.size(); ++b)
    if (!all[b].empty())
      trial.expectNear(outputs[b], trial.model.forward(all[b], int64_t(b)),
                       "ragged row");
}

/// Padding on the left, on the right or anywhere changes nothing, and hidden
/// positions give zeros.
static void checkPadding(Trial &trial) {
  int64_t batch = trial.pick(1, 4);
  int64_t length = trial.pick(1, trial.model.maxLength());
  std::vector<Tokens> rows, mask;
  for (int64_t b = 0; b < batch; ++b) {
    rows.push_back(trial.draw(length));
    Tokens visible(rows[0].size(), 1);
    int64_t hidden = trial.pick(0, length - 1);
    int64_t side = trial.pick(0, 2);
    if (side == 0)
      std::fill(visible.begin(), visible.begin() + hidden, 0);
    else if (side == 1)
      std::fill(visible.end() - hidden, visible.end(), 0);
    else
      for (int32_t &place : visible)
        place = static_cast<int32_t>(trial.pick(0, 1));
    mask.push_back(visible);
  }
  std::vector<Steps> outputs = trial.model.forward(rows, mask);
  for (size_t b = 0; b < rows.size(); ++b) {
    Tokens seen;
    Steps ofSeen;
    for (size_t t = 0; t < rows[b].size(); ++t) {
      if (mask[b][t]) {
        seen.push_back(rows[b][t]);
        ofSeen.push_back(outputs[b][t]);
        continue;
      }
      const std::vector<float> &step = outputs[b][t];
      trial.expect(step == std::vector<float>(step.size(), 0),
                   "a hidden position is not zero");
    }
    if (!seen.empty())
      trial.expectNear(ofSeen, trial.model.forward(seen, int64_t(b)),
                       "padded row");
  }
}

/// A state saved and loaded goes on as the session it came from, in a session
/// of another maximum length too.
static void checkSave(Trial &trial) {
  int64_t length = trial.pick(2, trial.model.maxLength());
  int64_t cut = trial.pick(1, length - 1);
  Tokens tokens = trial.draw(length);
  Tokens head = slice(tokens, 0, cut), tail = slice(tokens, cut, length);
  TestSession first = trial.model.open();
  feed(first, head, pickSplit(trial, cut));
  TemporaryFile file;
  first.save(file.path);
  // What a session held before is gone, and what its encoder read.
  TestSession second = trial.model.open(1, 0, /*first=*/1);
  feed(second, trial.draw(3), {2, 1});
  second.load(file.path);
  std::vector<int64_t> blocks = pickSplit(trial, length - cut);
  Steps expected = feed(first, tail, blocks);
  trial.expectSame(feed(second, tail, blocks), expected, "loaded state");
  TestSession third = trial.model.open(1, length);
  third.load(file.path);
  Steps whole = trial.model.forward(tokens);
  trial.expectNear(feed(third, tail, blocks), slice(whole, cut, length),
                   "state loaded at another maximum length");
}

/// A generation that was saved in the middle gives the tokens of one that was
/// not, and all are those that `forward` finds likeliest.
static void checkGeneration(Trial &trial) {
  int64_t prompt = trial.pick(1, trial.model.maxLength() / 2);
  int64_t count = trial.pick(2, trial.model.maxLength() / 2);
  int64_t cut = trial.pick(1, count - 1);
  Tokens tokens = trial.draw(prompt);
  Tokens whole = trial.model.open().generate(tokens, count);
  TestSession first = trial.model.open();
  Tokens parts = first.generate(tokens, cut);
  TemporaryFile file;
  first.save(file.path);
  TestSession second = trial.model.open();
  second.load(file.path);
  Tokens rest = second.generate({}, count - cut);
  parts.insert(parts.end(), rest.begin(), rest.end());
  trial.expect(parts == whole, "a saved generation takes another way");

  Tokens all = tokens;
  all.insert(all.end(), whole.begin(), whole.end());
  Steps steps = trial.model.forward(slice(all, 0, int64_t(all.size()) - 1));
  for (size_t i = 0; i < whole.size(); ++i) {
    const std::vector<float> &step = steps[size_t(prompt) - 1 + i];
    double squares = 0;
    for (float value : step)
      squares += double(value) * double(value);
    double slack =
        trial.tolerance * std::sqrt(squares / double(step.size()) + 1e-30);
    float best = *std::max_element(step.begin(), step.end());
    trial.expect(step[size_t(whole[i])] >= best - slack,
                 "generated token " + std::to_string(i) +
                     " is not the likeliest");
  }
}

/// A fork and its original do not know of each other.
static void checkFork(Trial &trial) {
  int64_t length = trial.pick(2, trial.model.maxLength());
  int64_t cut = trial.pick(1, length - 1);
  Tokens tokens = trial.draw(length);
  Tokens head = slice(tokens, 0, cut), tail = slice(tokens, cut, length);
  Tokens other = trial.draw(length - cut);
  std::vector<int64_t> before = pickSplit(trial, cut);
  std::vector<int64_t> after = pickSplit(trial, length - cut);
  TestSession original = trial.model.open(), alone = trial.model.open();
  feed(original, head, before);
  feed(alone, head, before);
  TestSession fork = original.fork();
  Steps ofFork = feed(fork, other, pickSplit(trial, length - cut));
  Steps ofOriginal = feed(original, tail, after);
  trial.expectSame(ofOriginal, feed(alone, tail, after), "original");
  Tokens forked = head;
  forked.insert(forked.end(), other.begin(), other.end());
  trial.expectNear(ofFork, slice(trial.model.forward(forked), cut, length),
                   "fork");
}

/// A row set back goes on as one that never went further.
static void checkRollback(Trial &trial) {
  int64_t batch = trial.pick(1, 3);
  TestSession session = trial.model.open(batch);
  std::vector<Tokens> all(static_cast<size_t>(batch));
  for (int64_t step = trial.pick(2, 6); step > 0; --step) {
    std::vector<Tokens> parts;
    for (Tokens &row : all) {
      int64_t room = trial.model.maxLength() - int64_t(row.size());
      parts.push_back(trial.draw(std::min(trial.pick(0, 25), room)));
      row.insert(row.end(), parts.back().begin(), parts.back().end());
    }
    std::vector<Steps> outputs = session.extend(parts);
    for (size_t b = 0; b < all.size(); ++b) {
      int64_t end = int64_t(all[b].size()), count = int64_t(parts[b].size());
      if (count)
        trial.expectNear(
            outputs[b],
            slice(trial.model.forward(all[b], int64_t(b)), end - count, end),
            "after going back");
    }
    int64_t row = trial.pick(0, batch - 1);
    int64_t position = trial.pick(0, session.position(row));
    session.rollback(row, position);
    all[size_t(row)].resize(size_t(position));
    trial.expect(session.position(row) == position, "wrong position");
  }
}

/// Rows that change places take their past along.
static void checkReorder(Trial &trial) {
  int64_t batch = trial.pick(2, 4);
  TestSession session = trial.model.open(batch);
  std::vector<Tokens> all;
  for (int64_t b = 0; b < batch; ++b)
    all.push_back(trial.draw(trial.pick(1, trial.model.maxLength() - 8)));
  session.extend(all);
  std::vector<int64_t> from;
  std::vector<Tokens> moved, parts;
  for (int64_t b = 0; b < batch; ++b) {
    from.push_back(trial.pick(0, batch - 1));
    moved.push_back(all[size_t(from.back())]);
    parts.push_back(trial.draw(trial.pick(1, 8)));
  }
  session.reorder(from);
  std::vector<Steps> outputs = session.extend(parts);
  for (size_t b = 0; b < moved.size(); ++b) {
    int64_t begin = int64_t(moved[b].size());
    moved[b].insert(moved[b].end(), parts[b].begin(), parts[b].end());
    trial.expectNear(outputs[b],
                     slice(trial.model.forward(moved[b], from[b]), begin,
                           int64_t(moved[b].size())),
                     "row that moved");
  }
}

const std::vector<Property> &getProperties() {
  static const std::vector<Property> properties = {
      {"splits", checkSplits},   {"last", checkLast},
      {"ragged", checkRagged},   {"padding", checkPadding},
      {"save", checkSave},       {"generation", checkGeneration},
      {"fork", checkFork},       {"rollback", checkRollback},
      {"reorder", checkReorder},
  };
  return properties;
}
