//===- RuntimeTest.cpp - Tests of the C interface -------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir-rt/Runtime.h"
#include "SessionFixture.h"
#include "TemporaryFile.h"

#include <thread>

using namespace toy;

namespace {
class RuntimeTest : public testing::Test {
protected:
  RuntimeTest() : model(kWindow | kCarry) {
    program = weir_program_open(&model.desc, nullptr, &error);
    EXPECT_TRUE(program);
  }
  ~RuntimeTest() override { weir_program_close(program); }

  std::string takeError() {
    std::string message = weir_error_message(error);
    weir_error_free(error);
    error = nullptr;
    return message;
  }

  StreamingModel model;
  weir_program *program = nullptr;
  weir_error *error = nullptr;
};
} // namespace

TEST_F(RuntimeTest, SessionsWorkThroughC) {
  weir_session_options options = {};
  options.batch = 2;
  weir_session *session = weir_session_open(program, &options, &error);
  ASSERT_TRUE(session);
  const int32_t first[] = {1, 2, 3}, second[] = {4};
  const int32_t *tokens[] = {first, second};
  int64_t counts[] = {3, 1};
  float logits[2][3][kVocab];
  ASSERT_EQ(weir_extend_into(session, tokens, counts, WEIR_OUTPUTS_ALL, logits,
                             sizeof(logits), &error),
            0);
  EXPECT_EQ(logits[0][2][expectedToken(kWindow | kCarry, {1, 2, 3})], 1);
  EXPECT_EQ(logits[1][0][expectedToken(kWindow | kCarry, {4})], 1);
  EXPECT_EQ(weir_position(session, 0), 3);
  EXPECT_EQ(weir_position(session, 2), -1);
  EXPECT_EQ(weir_rollback(session, 0, 2, &error), 0);
  int64_t swap[] = {1, 0};
  EXPECT_EQ(weir_reorder(session, swap, &error), 0);
  EXPECT_EQ(weir_position(session, 1), 2);
  weir_session *copy = weir_fork(session, &error);
  ASSERT_TRUE(copy);
  TemporaryFile file;
  EXPECT_EQ(weir_save(session, file.path.c_str(), &error), 0);
  weir_reset(session);
  EXPECT_EQ(weir_position(session, 1), 0);
  EXPECT_EQ(weir_load(session, file.path.c_str(), &error), 0);
  EXPECT_EQ(weir_position(session, 1), 2);
  int64_t pending;
  weir_pending(session, 0, &pending);
  EXPECT_EQ(pending, 0);
  EXPECT_EQ(weir_extend_into(copy, tokens, counts, WEIR_OUTPUTS_LAST, logits,
                             10, &error),
            1);
  EXPECT_EQ(takeError(), "the outputs need 128 bytes, and the buffer has 10");
  EXPECT_EQ(weir_rollback(session, 5, 0, nullptr), 1);
  weir_session_close(copy);
  weir_session_close(session);
  weir_session_close(nullptr);
}

TEST_F(RuntimeTest, SessionsOutliveTheirProgram) {
  weir_session *session = weir_session_open(program, nullptr, &error);
  weir_program_close(program);
  program = nullptr;
  Tokens prompt = {1, 2}, generated;
  weir_generate_options options = {};
  options.max_new_tokens = 6;
  options.top_p = 1;
  options.ignore_eos = 1;
  auto push = [](void *user, int32_t token) {
    static_cast<Tokens *>(user)->push_back(token);
    return 1;
  };
  ASSERT_EQ(weir_generate(session, prompt.data(), 2, &options, push, &generated,
                          &error),
            0);
  ASSERT_EQ(generated.size(), 6u);
  for (int32_t token : generated) {
    EXPECT_EQ(token, expectedToken(kWindow | kCarry, prompt));
    prompt.push_back(token);
  }
  int64_t pending;
  EXPECT_EQ(*weir_pending(session, 0, &pending), generated.back());
  EXPECT_EQ(pending, 1);
  weir_session_close(session);
}

TEST_F(RuntimeTest, RunnersWorkThroughC) {
  weir_runner *runner = weir_runner_open(program, 1, &error);
  ASSERT_TRUE(runner);
  const int32_t ids[] = {1, 2, 3};
  const int64_t shape[] = {1, 3};
  weir_tensor input = {"input_ids", shape, ids, 12, WEIR_I32, 2};
  weir_tensor_list *list = weir_forward(runner, nullptr, &input, 1, &error);
  ASSERT_TRUE(list);
  EXPECT_EQ(weir_tensor_list_size(list), 2u);
  const weir_tensor *score = weir_tensor_list_get(list, 1);
  EXPECT_STREQ(score->name, "score");
  EXPECT_EQ(static_cast<const float *>(score->data)[2],
            expectedScore(kWindow | kCarry, {1, 2, 3}));
  EXPECT_EQ(weir_tensor_list_get(list, 2), nullptr);
  weir_tensor_list_free(list);
  input.bytes = 11;
  EXPECT_EQ(weir_forward(runner, nullptr, &input, 1, &error), nullptr);
  EXPECT_EQ(takeError(),
            "input 'input_ids' has 11 bytes, which I32 [1, 3] does "
            "not account for");
  weir_runner_close(runner);
}

TEST_F(RuntimeTest, TwoThreadsTwoSessions) {
  // The toy's notes of its calls are shared and unguarded, so the threads only
  // open, copy and close; arenaAsked stays as it is when it is large.
  auto work = [&] {
    for (int i = 0; i < 20; ++i) {
      weir_error *mine = nullptr;
      weir_session *session = weir_session_open(program, nullptr, &mine);
      EXPECT_TRUE(session);
      weir_session *copy = weir_fork(session, &mine);
      EXPECT_TRUE(copy);
      weir_session_close(copy);
      weir_session_close(session);
    }
  };
  arenaAsked = INT64_MAX;
  std::thread a(work), b(work);
  a.join();
  b.join();
  arenaAsked = 0;
}

TEST_F(RuntimeTest, ErrorsReachTheCaller) {
  weir_session_options options = {};
  options.batch = -1;
  EXPECT_EQ(weir_session_open(program, &options, &error), nullptr);
  EXPECT_EQ(takeError(), "batch is -1, expected at least 1");
  weir_model_desc desc = model.desc;
  desc.abi_version = 9;
  EXPECT_EQ(weir_program_open(&desc, nullptr, &error), nullptr);
  EXPECT_EQ(takeError(), "model was compiled for runtime version 9, this is "
                         "version 4: compile it again");
  EXPECT_EQ(weir_runner_open(program, -1, &error), nullptr);
  EXPECT_EQ(takeError(), "the number of threads is -1, expected 0 or more");
}
