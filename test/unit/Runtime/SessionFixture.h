//===- SessionFixture.h - What tests of sessions share ----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_RUNTIME_SESSIONFIXTURE_H
#define TEST_UNIT_RUNTIME_SESSIONFIXTURE_H

#include "Session.h"
#include "ToyModels.h"

#include "gtest/gtest.h"
#include <cstring>
#include <random>

using Tokens = std::vector<int32_t>;

/// Opens toy sessions and feeds them.
class SessionTest : public testing::Test {
protected:
  static std::shared_ptr<const weir::rt::Program>
  program(const weir_model_desc &model) {
    std::string error;
    auto result = weir::rt::Program::open(model, "", error);
    EXPECT_TRUE(result) << error;
    return result;
  }

  std::unique_ptr<weir::rt::Session>
  open(const toy::StreamingModel &model,
       weir::rt::SessionOptions options = {}) {
    // Counting cores takes longer than these tests.
    if (options.threads == 0)
      options.threads = 1;
    auto session = weir::rt::Session::open(program(model.desc), options, error);
    EXPECT_TRUE(session) << error;
    return session;
  }

  /// Tokens other than the end of a sequence.
  static Tokens randomTokens(size_t count, unsigned seed) {
    std::mt19937 generator(seed);
    Tokens tokens(count);
    for (int32_t &token : tokens)
      token = static_cast<int32_t>(generator() % 13);
    return tokens;
  }

  bool extend(weir::rt::Session &session, const std::vector<Tokens> &rows,
              weir::rt::Outputs wanted,
              std::vector<std::vector<float>> &scores) {
    std::vector<const int32_t *> pointers;
    std::vector<int64_t> counts;
    for (const Tokens &row : rows) {
      pointers.push_back(row.data());
      counts.push_back(static_cast<int64_t>(row.size()));
    }
    scores.assign(rows.size(), {});
    return session.extend(
        pointers.data(), counts.data(), wanted,
        [&](const weir::rt::OutputBlock &block) {
          if (std::strcmp(block.result->name, "score") != 0)
            return;
          auto *data = static_cast<const float *>(block.data);
          std::vector<float> &row = scores[static_cast<size_t>(block.row)];
          if (wanted == weir::rt::Outputs::All) {
            EXPECT_EQ(block.first, static_cast<int64_t>(row.size()));
          }
          row.insert(row.end(), data, data + block.count);
        },
        error);
  }

  /// The scores of all tokens, or of the last ones.
  std::vector<std::vector<float>> extendAll(weir::rt::Session &session,
                                            const std::vector<Tokens> &rows) {
    std::vector<std::vector<float>> scores;
    EXPECT_TRUE(extend(session, rows, weir::rt::Outputs::All, scores)) << error;
    return scores;
  }
  std::vector<std::vector<float>> extendLast(weir::rt::Session &session,
                                             const std::vector<Tokens> &rows) {
    std::vector<std::vector<float>> scores;
    EXPECT_TRUE(extend(session, rows, weir::rt::Outputs::Last, scores))
        << error;
    return scores;
  }
  std::string extendError(weir::rt::Session &session,
                          const std::vector<Tokens> &rows) {
    std::vector<std::vector<float>> scores;
    EXPECT_FALSE(extend(session, rows, weir::rt::Outputs::All, scores));
    return error;
  }

  /// Extends one row, which stands after `prefix`, and checks its scores.
  void expectContinues(int memory, weir::rt::Session &session, int64_t row,
                       Tokens prefix, const Tokens &next) {
    std::vector<Tokens> rows(static_cast<size_t>(session.batch()));
    rows[row] = next;
    std::vector<float> scores = extendAll(session, rows)[row];
    ASSERT_EQ(scores.size(), next.size());
    for (size_t i = 0; i < next.size(); ++i) {
      prefix.push_back(next[i]);
      EXPECT_EQ(scores[i], toy::expectedScore(memory, prefix)) << i;
    }
  }

  std::string error;
};

#endif // TEST_UNIT_RUNTIME_SESSIONFIXTURE_H
