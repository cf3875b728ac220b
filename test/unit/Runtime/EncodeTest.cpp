//===- EncodeTest.cpp - Tests of sessions that read an encoder ------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Generate.h"
#include "SessionFixture.h"
#include "TemporaryFile.h"

using namespace weir::rt;
using namespace toy;

namespace {
class EncodeTest : public SessionTest, public testing::WithParamInterface<int> {
protected:
  EncodeTest() : memory(GetParam() | kSource), model(memory) {}

  std::unique_ptr<Session> openRows(int64_t batch) {
    SessionOptions options;
    options.batch = batch;
    return open(model, options);
  }

  /// Has `session` read rows of one length, of which a mask shows the first
  /// tokens of each.
  bool encode(Session &session, const std::vector<Tokens> &rows) {
    Tokens ids, mask;
    size_t longest = 0;
    for (const Tokens &row : rows)
      longest = std::max(longest, row.size());
    for (const Tokens &row : rows) {
      for (size_t i = 0; i < longest; ++i) {
        ids.push_back(i < row.size() ? row[i] : 0);
        mask.push_back(i < row.size());
      }
    }
    std::vector<TensorView> inputs(2);
    for (auto [view, name, numbers] :
         {std::tuple(&inputs[0], "input_ids", &ids),
          std::tuple(&inputs[1], "attention_mask", &mask)}) {
      view->name = name;
      view->dtype = WEIR_I32;
      view->shape = {static_cast<int64_t>(rows.size()),
                     static_cast<int64_t>(longest)};
      view->data = numbers->data();
      view->bytes = numbers->size() * 4;
    }
    return session.encode(inputs, error);
  }

  /// Extends all rows, which stand behind `before`, and checks their scores.
  void expectScores(Session &session, const std::vector<Tokens> &before,
                    const std::vector<Tokens> &next,
                    const std::vector<Tokens> &sources) {
    std::vector<std::vector<float>> scores = extendAll(session, next);
    for (size_t row = 0; row < next.size(); ++row) {
      Tokens all = before[row];
      ASSERT_EQ(scores[row].size(), next[row].size());
      for (size_t i = 0; i < next[row].size(); ++i) {
        all.push_back(next[row][i]);
        EXPECT_EQ(scores[row][i], expectedScore(memory, all, sources[row]))
            << row << ' ' << i;
      }
    }
  }

  int memory;
  StreamingModel model;
};
} // namespace

INSTANTIATE_TEST_SUITE_P(Memories, EncodeTest, testing::Values(kAll, kCarry));

TEST_P(EncodeTest, StepsReadWhatWasEncoded) {
  auto session = openRows(2);
  std::vector<Tokens> sources = {{1, 2, 3}, {7}}, rows = {{4, 5}, {6}};
  ASSERT_TRUE(encode(*session, sources)) << error;
  expectScores(*session, {{}, {}}, rows, sources);
  // More positions than before, and all begins anew.
  sources = {{2, 4, 6, 8, 10}, {1, 1}};
  ASSERT_TRUE(encode(*session, sources)) << error;
  EXPECT_EQ(session->position(0), 0);
  expectScores(*session, {{}, {}}, rows, sources);
  // Resetting and going back leave it alone.
  session->reset();
  expectScores(*session, {{}, {}}, rows, sources);
  ASSERT_TRUE(session->rollback(0, 1, error)) << error;
  expectScores(*session, {{4}, {6}}, {{9}, {}}, sources);
}

TEST_P(EncodeTest, ForkAndReorderTakeItAlong) {
  auto session = openRows(2);
  std::vector<Tokens> sources = {{1, 2, 3}, {7}}, rows = {{4, 5}, {6}};
  ASSERT_TRUE(encode(*session, sources)) << error;
  extendAll(*session, rows);
  auto fork = session->fork(error);
  ASSERT_TRUE(fork) << error;
  ASSERT_TRUE(encode(*session, {{9}, {9}})) << error;
  expectScores(*fork, rows, {{1}, {2}}, sources);
  ASSERT_TRUE(fork->reorder({1, 0}, error)) << error;
  expectScores(*fork, {{6, 2}, {4, 5, 1}}, {{3}, {3}}, {{7}, {1, 2, 3}});
}

TEST_P(EncodeTest, SavedStatesHaveIt) {
  auto session = openRows(2);
  std::vector<Tokens> sources = {{1, 2, 3}, {7}}, rows = {{4, 5}, {6}};
  ASSERT_TRUE(encode(*session, sources)) << error;
  extendAll(*session, rows);
  TemporaryFile file;
  ASSERT_TRUE(session->save(file.path, error)) << error;
  for (bool encodes : {false, true}) {
    auto other = openRows(2);
    if (encodes) {
      ASSERT_TRUE(encode(*other, {{1, 1, 1, 1}, {2}})) << error;
    }
    ASSERT_TRUE(other->load(file.path, error)) << error;
    expectScores(*other, rows, {{1, 2}, {3}}, sources);
  }
  // One that encoded nothing is saved as such.
  auto empty = openRows(2);
  ASSERT_TRUE(empty->save(file.path, error)) << error;
  ASSERT_TRUE(session->load(file.path, error)) << error;
  EXPECT_FALSE(session->isEncoded());
}

TEST_P(EncodeTest, WrongInputsAreRefused) {
  auto session = openRows(1);
  EXPECT_EQ(extendError(*session, {{1}}),
            "model 'toy' reads what its encoder gives: encode its input before "
            "extending");
  EXPECT_FALSE(encode(*session, {{1}, {2}}));
  EXPECT_EQ(error, "the encoder's inputs have 2 rows, and the session has a "
                   "batch of 1");
  EXPECT_FALSE(encode(*session, {{1, 2, 3, 4, 5, 6}}));
  EXPECT_EQ(error, "'lengths': row 0 has 6 tokens, which exceed the maximum "
                   "length of 5");
  EXPECT_FALSE(encode(*session, {{16}}));
  EXPECT_EQ(error, "input 'input_ids': token 0 of row 0 is 16, outside the "
                   "vocabulary of 16");
  EXPECT_FALSE(session->isEncoded());
  StreamingModel plain(GetParam());
  EXPECT_FALSE(encode(*open(plain), {{1}}));
  EXPECT_EQ(error, "model 'toy' has no encoder");
}

TEST_P(EncodeTest, ModelsSayWhatIsWrittenFirstAndLast) {
  auto session = openRows(1);
  ASSERT_TRUE(encode(*session, {{1, 2}})) << error;
  GenerateOptions options;
  options.maxNewTokens = 4;
  GenerateResult result;
  Tokens tokens;
  auto run = [&](Tokens prompt) {
    session->reset();
    tokens.clear();
    return generate(
        *session, std::move(prompt), options,
        [&](int32_t token) {
          tokens.push_back(token);
          return true;
        },
        result, error);
  };
  EXPECT_FALSE(run({}));
  EXPECT_EQ(error, "the model does not say which token what it writes begins "
                   "with: give it as the decoder's prompt");
  auto next = [&](const Tokens &before) {
    return static_cast<int32_t>(
        static_cast<int64_t>(expectedScore(memory, before, {1, 2})) % kVocab);
  };
  model.desc.tokens.decoder_start = 5;
  model.desc.tokens.forced_bos = 11;
  model.desc.tokens.forced_eos = 13;
  options.ignoreEos = true;
  Tokens free = {5, 11};
  for (int i = 0; i < 3; ++i)
    free.push_back(next(free));
  ASSERT_TRUE(run({})) << error;
  EXPECT_EQ(tokens, Tokens(free.begin() + 1, free.end()));
  options.ignoreEos = false;
  ASSERT_TRUE(run({})) << error;
  EXPECT_EQ(tokens.back(), 13);
  EXPECT_EQ(tokens.front(), 11);
  // A longer beginning is gone on with as it is.
  ASSERT_TRUE(run({5, 1})) << error;
  EXPECT_EQ(tokens.front(), next({5, 1}));
  options.unconstrained = options.ignoreEos = true;
  ASSERT_TRUE(run({5})) << error;
  EXPECT_EQ(tokens.front(), next({5}));
  // Of equal logits the first one wins that is not suppressed.
  options.unconstrained = false;
  model.desc.tokens.forced_bos = -1;
  int32_t likeliest = next({5});
  int32_t suppressed[] = {likeliest, 0, 99};
  model.desc.tokens.suppressed = suppressed;
  model.desc.tokens.num_suppressed = 3;
  ASSERT_TRUE(run({5})) << error;
  EXPECT_EQ(tokens.front(), likeliest == 1 ? 2 : 1);
}
