//===- SessionTest.cpp - Tests of sessions --------------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SessionFixture.h"

using namespace weir::rt;
using namespace toy;

namespace {
/// All kinds of memory, so that each property is checked on each.
class AnyMemory : public SessionTest,
                  public testing::WithParamInterface<int> {};
} // namespace

INSTANTIATE_TEST_SUITE_P(Memories, AnyMemory,
                         testing::Values(kAll, kWindow, kCarry, kAll | kCarry,
                                         kWindow | kCarry));

TEST_P(AnyMemory, AnySplitEqualsTheWhole) {
  StreamingModel model(GetParam());
  Tokens tokens = randomTokens(40, 1);
  std::vector<float> expected = expectedScores(GetParam(), tokens);
  for (unsigned seed = 0; seed < 20; ++seed) {
    auto session = open(model);
    std::vector<float> scores;
    for (size_t at = 0; at < tokens.size();) {
      size_t count = 1 + randomTokens(1, seed * 100 + unsigned(at))[0];
      count = std::min(count, tokens.size() - at);
      Tokens part(tokens.begin() + at, tokens.begin() + at + count);
      std::vector<float> some = extendAll(*session, {part})[0];
      scores.insert(scores.end(), some.begin(), some.end());
      at += count;
    }
    EXPECT_EQ(scores, expected);
    EXPECT_EQ(session->position(0), 40);
  }
}

TEST_P(AnyMemory, RaggedRowsEqualRowsAlone) {
  StreamingModel model(GetParam());
  SessionOptions options;
  options.batch = 4;
  auto session = open(model, options);
  std::vector<Tokens> all(4);
  for (unsigned step = 0; step < 6; ++step) {
    std::vector<Tokens> parts;
    for (unsigned row = 0; row < 4; ++row) {
      // Row 3 rests in odd steps.
      size_t count = (step * 5 + row * 3) % 11;
      if (row == 3 && step % 2)
        count = 0;
      parts.push_back(randomTokens(count, step * 10 + row));
      all[row].insert(all[row].end(), parts[row].begin(), parts[row].end());
    }
    auto scores = extendAll(*session, parts);
    for (unsigned row = 0; row < 4; ++row) {
      std::vector<float> expected = expectedScores(GetParam(), all[row]);
      expected.erase(expected.begin(), expected.end() - static_cast<ptrdiff_t>(
                                                            parts[row].size()));
      EXPECT_EQ(scores[row], expected);
    }
  }
}

TEST_P(AnyMemory, LastOutputsOfRaggedRowsComeFromTheirLastBlock) {
  StreamingModel model(GetParam());
  SessionOptions options;
  options.batch = 3;
  auto session = open(model, options);
  std::vector<Tokens> parts = {randomTokens(20, 1), {}, randomTokens(3, 2)};
  auto scores = extendLast(*session, parts);
  EXPECT_EQ(scores[0], std::vector<float>{expectedScore(GetParam(), parts[0])});
  EXPECT_TRUE(scores[1].empty());
  EXPECT_EQ(scores[2], std::vector<float>{expectedScore(GetParam(), parts[2])});
}

TEST_P(AnyMemory, ForkGoesOnAlone) {
  StreamingModel model(GetParam());
  auto session = open(model);
  Tokens prefix = randomTokens(30, 1);
  extendAll(*session, {prefix});
  auto copy = session->fork(error);
  ASSERT_TRUE(copy) << error;
  expectContinues(GetParam(), *session, 0, prefix, randomTokens(5, 2));
  expectContinues(GetParam(), *copy, 0, prefix, randomTokens(9, 3));
  // The copy can go back before the fork too.
  ASSERT_TRUE(copy->rollback(0, 29, error)) << error;
  prefix.pop_back();
  expectContinues(GetParam(), *copy, 0, prefix, randomTokens(4, 4));
}

TEST_P(AnyMemory, ReorderMovesRows) {
  StreamingModel model(GetParam());
  SessionOptions options;
  options.batch = 3;
  auto session = open(model, options);
  std::vector<Tokens> rows = {randomTokens(25, 1), randomTokens(4, 2),
                              randomTokens(11, 3)};
  extendAll(*session, rows);
  ASSERT_TRUE(session->reorder({1, 1, 0}, error)) << error;
  rows = {rows[1], rows[1], rows[0]};
  for (int64_t row = 0; row < 3; ++row)
    expectContinues(GetParam(), *session, row, rows[row],
                    randomTokens(6, unsigned(row) + 9));
}

TEST_P(AnyMemory, RollbackEqualsNeverHavingGoneOn) {
  StreamingModel model(GetParam());
  SessionOptions options;
  options.batch = 2;
  options.rollbackDepth = 20;
  options.snapshotEvery = 8;
  auto session = open(model, options);
  std::vector<Tokens> rows = {randomTokens(37, 1), randomTokens(31, 2)};
  extendAll(*session, rows);
  for (int64_t target : {37, 35, 30, 20, 18, 0}) {
    ASSERT_TRUE(session->rollback(0, target, error)) << error;
    EXPECT_EQ(session->position(0), target);
    EXPECT_EQ(session->position(1), 31);
    rows[0].resize(static_cast<size_t>(target));
    auto copy = session->fork(error);
    ASSERT_TRUE(copy) << error;
    expectContinues(GetParam(), *copy, 0, rows[0], randomTokens(10, 7));
    expectContinues(GetParam(), *copy, 1, rows[1], randomTokens(3, 8));
  }
  expectContinues(GetParam(), *session, 0, {}, randomTokens(25, 9));
}

TEST_P(AnyMemory, RollbackAndExtendRandomly) {
  StreamingModel model(GetParam());
  SessionOptions options;
  options.rollbackDepth = 6;
  options.snapshotEvery = 5;
  auto session = open(model, options);
  Tokens tokens;
  for (unsigned step = 0; step < 200; ++step) {
    Tokens draw = randomTokens(3, step);
    if (draw[0] < 8) {
      Tokens part = randomTokens(
          std::min<size_t>(size_t(draw[1]), 64 - tokens.size()), step + 1000);
      tokens.insert(tokens.end(), part.begin(), part.end());
      auto scores = extendLast(*session, {part});
      if (!part.empty()) {
        ASSERT_EQ(scores[0][0], expectedScore(GetParam(), tokens));
      }
    } else {
      int64_t target = std::max<int64_t>(
          0, static_cast<int64_t>(tokens.size()) - draw[1] % 7);
      // A ring may have forgotten what several goings-back need; the message
      // then names a position that does work.
      if (!session->rollback(0, target, error)) {
        size_t at = error.find("allows ");
        ASSERT_NE(at, std::string::npos) << error;
        target = std::stoll(error.substr(at + 7));
        if (target > static_cast<int64_t>(tokens.size()))
          continue;
        ASSERT_TRUE(session->rollback(0, target, error)) << error;
      }
      tokens.resize(static_cast<size_t>(target));
    }
  }
}

TEST_P(AnyMemory, ResetStartsAnew) {
  StreamingModel model(GetParam());
  auto session = open(model);
  extendAll(*session, {randomTokens(40, 1)});
  session->reset();
  EXPECT_EQ(session->position(0), 0);
  expectContinues(GetParam(), *session, 0, {}, randomTokens(40, 2));
}

TEST_F(SessionTest, RingForgetsAndNamesTheOldest) {
  StreamingModel model(kWindow);
  auto session = open(model);
  // 6 looked back at + 8 of a block, rounded up to 16.
  EXPECT_EQ(session->memory().slots()[1].capacity(), 16);
  Tokens tokens = randomTokens(40, 1);
  extendAll(*session, {tokens});
  EXPECT_FALSE(session->rollback(0, 29, error));
  EXPECT_EQ(error, "cannot go back to position 29: of row 0, history "
                   "'history' allows 30 at the oldest (open the session with "
                   "a larger rollback depth)");
  EXPECT_EQ(session->position(0), 40);
  ASSERT_TRUE(session->rollback(0, 30, error)) << error;
  tokens.resize(30);
  expectContinues(kWindow, *session, 0, tokens, randomTokens(20, 2));
}

TEST_F(SessionTest, RingHoldsRollbackDepth) {
  StreamingModel model(kWindow);
  SessionOptions options;
  options.rollbackDepth = 18;
  auto session = open(model, options);
  EXPECT_EQ(session->memory().slots()[1].capacity(), 32);
  extendAll(*session, {randomTokens(60, 1)});
  EXPECT_TRUE(session->rollback(0, 60 - 18, error)) << error;
}

TEST_F(SessionTest, ShortMaximumLengthNeedsNoRing) {
  StreamingModel model(kWindow);
  SessionOptions options;
  options.maxLength = 10;
  auto session = open(model, options);
  EXPECT_EQ(session->memory().slots()[1].capacity(), 16);
  extendAll(*session, {randomTokens(10, 1)});
  EXPECT_TRUE(session->rollback(0, 1, error)) << error;
}

TEST_F(SessionTest, CarryWithoutSnapshotsFeedsAgainFromTheStart) {
  StreamingModel model(kCarry);
  auto session = open(model);
  extendAll(*session, {randomTokens(20, 1)});
  trace.clear();
  ASSERT_TRUE(session->rollback(0, 18, error)) << error;
  EXPECT_EQ(trace, (std::vector<int64_t>{-8, -8, -2}));
}

TEST_F(SessionTest, CarryGoesBackToTheLastSnapshot) {
  StreamingModel model(kCarry);
  SessionOptions options;
  options.snapshotEvery = 8;
  options.rollbackDepth = 16;
  auto session = open(model, options);
  extendAll(*session, {randomTokens(32, 1)});
  trace.clear();
  ASSERT_TRUE(session->rollback(0, 27, error)) << error;
  EXPECT_EQ(trace, (std::vector<int64_t>{-3}));
  trace.clear();
  ASSERT_TRUE(session->rollback(0, 24, error)) << error;
  EXPECT_TRUE(trace.empty());
}

TEST_F(SessionTest, BlocksPreferExactThenDynamic) {
  Functions functions;
  functions.all = {WEIR_DYNAMIC, 8};
  functions.last = {1, 8, WEIR_DYNAMIC};
  StreamingModel model(kAll, functions);
  auto session = open(model);
  trace.clear();
  extendAll(*session, {randomTokens(21, 1)});
  EXPECT_EQ(trace, (std::vector<int64_t>{8, 8, 5}));
  trace.clear();
  extendLast(*session, {randomTokens(18, 1)});
  EXPECT_EQ(trace, (std::vector<int64_t>{-8, -8, -2}));
  trace.clear();
  extendLast(*session, {randomTokens(1, 1)});
  // One token: the two methods compute the same, and an exact block is best.
  extendAll(*session, {randomTokens(1, 1)});
  EXPECT_EQ(trace, (std::vector<int64_t>{-1, -1}));
}

TEST_F(SessionTest, FixedBlocksArePaddedUp) {
  Functions functions;
  functions.all = {4, 8};
  functions.last = {};
  StreamingModel model(kAll, functions);
  auto session = open(model);
  trace.clear();
  Tokens tokens = randomTokens(11, 1);
  EXPECT_EQ(extendAll(*session, {tokens})[0], expectedScores(kAll, tokens));
  EXPECT_EQ(trace, (std::vector<int64_t>{8, 4}));
  trace.clear();
  expectContinues(kAll, *session, 0, tokens, randomTokens(1, 2));
  EXPECT_EQ(trace, (std::vector<int64_t>{4}));
}

TEST_F(SessionTest, FixedBlocksWithoutLengthsAreCut) {
  Functions functions;
  functions.all = {1, 8};
  functions.last = {};
  functions.lengths = false;
  StreamingModel model(kAll | kCarry, functions);
  auto session = open(model);
  trace.clear();
  Tokens tokens = randomTokens(10, 1);
  EXPECT_EQ(extendAll(*session, {tokens})[0],
            expectedScores(kAll | kCarry, tokens));
  EXPECT_EQ(trace, (std::vector<int64_t>{8, 1, 1}));
}

TEST_F(SessionTest, RaggedRowsNeedLengths) {
  Functions functions;
  functions.lengths = false;
  StreamingModel model(kAll | kCarry, functions);
  SessionOptions options;
  options.batch = 2;
  auto session = open(model, options);
  EXPECT_EQ(extendError(*session, {{1, 2}, {1}}),
            "rows of different lengths, or of lengths other than the compiled "
            "blocks, need a function with a lengths argument, and 'extend' has "
            "none");
  EXPECT_EQ(session->position(0), 0);
  extendAll(*session, {{1, 2}, {3, 4}});
  EXPECT_FALSE(session->rollback(0, 1, error));
  EXPECT_EQ(error, "cannot go back to position 1: feeding one row again needs "
                   "a function with a lengths argument");
  EXPECT_EQ(session->position(0), 2);
}

TEST_F(SessionTest, SmallerBlocksLeaveLongFunctionsOut) {
  Functions functions;
  functions.all = {8, 2};
  StreamingModel model(kAll, functions);
  SessionOptions options;
  options.maxBlock = 4;
  auto session = open(model, options);
  trace.clear();
  Tokens tokens = randomTokens(6, 1);
  EXPECT_EQ(extendAll(*session, {tokens})[0], expectedScores(kAll, tokens));
  EXPECT_EQ(trace, (std::vector<int64_t>{2, 2, 2}));
}

TEST_F(SessionTest, ArenaIsSizedOnceForTheLargestBlock) {
  StreamingModel model(kAll);
  arenaAsked = 0;
  auto session = open(model);
  int64_t asked = arenaAsked;
  EXPECT_EQ(asked, 8 * (kVocab + 1) * 4);
  EXPECT_EQ(session->arenaBytes(), static_cast<size_t>(asked));
  arenaAsked = 0;
  extendAll(*session, {randomTokens(30, 1)});
  EXPECT_EQ(arenaAsked, 0);
  EXPECT_EQ(arenaGiven, asked);
}

TEST_F(SessionTest, LimitsAreErrors) {
  StreamingModel model(kAll);
  auto session = open(model);
  EXPECT_EQ(extendError(*session, {Tokens(65, 1)}),
            "row 0 stands at position 0, and 65 more tokens exceed the maximum "
            "length of 64");
  EXPECT_EQ(extendError(*session, {{1, 16}}),
            "token 1 of row 0 is 16, outside the vocabulary of 16");
  EXPECT_EQ(extendError(*session, {{-1}}),
            "token 0 of row 0 is -1, outside the vocabulary of 16");
  extendAll(*session, {Tokens(64, 1)});
  EXPECT_EQ(extendError(*session, {{1}}),
            "row 0 stands at position 64, and 1 more tokens exceed the maximum "
            "length of 64");
  int64_t negative = -1;
  const int32_t *none = nullptr;
  EXPECT_FALSE(
      session->extend(&none, &negative, Outputs::None, nullptr, error));
  EXPECT_EQ(error, "row 0 has -1 tokens to append");
  EXPECT_FALSE(session->rollback(0, 65, error));
  EXPECT_EQ(error, "cannot go back to position 65: row 0 stands at 64");
  EXPECT_FALSE(session->rollback(0, -1, error));
  EXPECT_FALSE(session->rollback(1, 0, error));
  EXPECT_EQ(error, "row 1 is outside the batch of 1");
  EXPECT_FALSE(session->reorder({0, 0}, error));
  EXPECT_EQ(error, "reorder got 2 rows, expected 1");
  EXPECT_FALSE(session->reorder({1}, error));
  EXPECT_EQ(error, "row 1 is outside the batch of 1");
}

TEST_F(SessionTest, BadOptionsAreErrors) {
  StreamingModel model(kAll);
  auto expectError = [&](SessionOptions options, const char *message) {
    EXPECT_EQ(Session::open(program(model.desc), options, error), nullptr);
    EXPECT_EQ(error, message);
  };
  SessionOptions options;
  options.batch = 0;
  expectError(options, "batch is 0, expected at least 1");
  options = SessionOptions();
  options.maxLength = 65;
  expectError(options, "maximum length is 65, and the model was compiled for "
                       "at most 64 positions");
  options = SessionOptions();
  options.maxBlock = -1;
  expectError(options, "largest block is -1, expected 0 or more");
  options = SessionOptions();
  options.rollbackDepth = -1;
  expectError(options, "rollback depth is -1, expected 0 or more");
  options = SessionOptions();
  options.snapshotEvery = -1;
  expectError(options, "snapshot interval is -1, expected 0 or more");
  EXPECT_EQ(Session::open(program(forwardModel), {}, error), nullptr);
  EXPECT_EQ(error, "model 'whole' does not stream: it has no function that "
                   "extends a state");
  Functions functions;
  functions.all = {8};
  functions.last = {};
  StreamingModel fixed(kAll, functions);
  options = SessionOptions();
  options.maxBlock = 4;
  EXPECT_EQ(Session::open(program(fixed.desc), options, error), nullptr);
  EXPECT_EQ(error, "largest block is 4, and the shortest the model was "
                   "compiled for is 8");
}

TEST_F(SessionTest, HugeStateIsAnErrorNotACrash) {
  StreamingModel model(kAll, Functions(), WEIR_DYNAMIC);
  SessionOptions options;
  options.batch = INT32_MAX;
  options.maxLength = INT32_MAX;
  EXPECT_EQ(Session::open(program(model.desc), options, error), nullptr);
  EXPECT_NE(error.find("cannot allocate slot 'history'"), std::string::npos)
      << error;
}

TEST_F(SessionTest, UnlimitedModelsGetADefaultLength) {
  StreamingModel grows(kAll, Functions(), WEIR_DYNAMIC);
  EXPECT_EQ(open(grows)->maxLength(), 4096);
  StreamingModel constant(kCarry | kWindow, Functions(), WEIR_DYNAMIC);
  EXPECT_EQ(open(constant)->maxLength(), INT32_MAX);
}

TEST_F(SessionTest, AllOutputsNeedAFunctionThatGivesThem) {
  Functions functions;
  functions.all = {};
  StreamingModel model(kAll, functions);
  auto session = open(model);
  EXPECT_FALSE(session->hasAllOutputs());
  EXPECT_EQ(extendError(*session, {{1}}),
            "model 'toy' was compiled for the outputs of last tokens only");
}

TEST_F(SessionTest, LastOutputsComeFromAllOutputsToo) {
  Functions functions;
  functions.last = {};
  StreamingModel model(kAll, functions);
  auto session = open(model);
  Tokens tokens = randomTokens(13, 1);
  EXPECT_EQ(extendLast(*session, {tokens})[0],
            std::vector<float>{expectedScore(kAll, tokens)});
}

TEST_F(SessionTest, WrongPositionsOfCompiledCodeAreFound) {
  StreamingModel model(kAll);
  auto session = open(model);
  positionLie = 1;
  EXPECT_EQ(extendError(*session, {{1, 2}}),
            "function 'extend' left row 0 of slot 'position' at 3, expected 2");
  positionLie = 0;
}

TEST_F(SessionTest, StaticBatchIsChecked) {
  StreamingModel model(kAll);
  int64_t shape[] = {2};
  model.slots[0].shape = shape;
  EXPECT_EQ(Session::open(program(model.desc), {}, error), nullptr);
  EXPECT_EQ(error, "slot 'position' is compiled for a batch of 2, not 1");
}

TEST_F(SessionTest, StaticCapacityLimitsTheLength) {
  StreamingModel model(kAll);
  int64_t shape[] = {2, WEIR_DYNAMIC, 20, 1};
  model.slots[1].shape = shape;
  EXPECT_EQ(open(model)->maxLength(), 20);
  SessionOptions options;
  options.maxLength = 21;
  EXPECT_EQ(Session::open(program(model.desc), options, error), nullptr);
  EXPECT_EQ(error, "slot 'history' holds 20 positions, and a maximum length of "
                   "21 with blocks of 8 needs 21");
}

TEST_F(SessionTest, PendingTokensAreClearedByChanges) {
  StreamingModel model(kAll);
  auto session = open(model);
  session->setPending(0, {4});
  EXPECT_EQ(session->pending(0), Tokens{4});
  auto copy = session->fork(error);
  EXPECT_EQ(copy->pending(0), Tokens{4});
  extendAll(*session, {{1}});
  EXPECT_TRUE(session->pending(0).empty());
}
