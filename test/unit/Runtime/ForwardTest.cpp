//===- ForwardTest.cpp - Tests of whole-sequence runs ---------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Forward.h"
#include "SessionFixture.h"

using namespace weir::rt;
using namespace toy;

namespace {
/// Runs functions on tensors given by their values.
class ForwardTest : public SessionTest {
protected:
  template <typename T>
  void add(const std::string &name, int32_t dtype, std::vector<int64_t> shape,
           std::vector<T> values) {
    auto &bytes = storage.emplace_back(
        std::make_unique<std::vector<uint8_t>>(values.size() * sizeof(T)));
    if (!values.empty())
      std::memcpy(bytes->data(), values.data(), bytes->size());
    inputs.push_back(
        {name, dtype, std::move(shape), bytes->data(), bytes->size()});
  }

  bool run(const weir_model_desc &model, const std::string &function = "") {
    outputs.clear();
    ForwardRunner runner(program(model));
    bool good = runner.run(inputs, function, outputs, error);
    inputs.clear();
    return good;
  }

  std::string runError(const weir_model_desc &model,
                       const std::string &function = "") {
    EXPECT_FALSE(run(model, function));
    return error;
  }

  std::vector<float> output(const std::string &name,
                            const std::vector<int64_t> &shape) {
    for (const OwnedTensor &tensor : outputs)
      if (tensor.view.name == name) {
        EXPECT_EQ(tensor.view.shape, shape);
        auto *data = static_cast<const float *>(tensor.view.data);
        return {data, data + tensor.view.bytes / 4};
      }
    ADD_FAILURE() << "no output " << name;
    return {};
  }

  /// Inputs of forwardModel: 2 rows of 4 tokens.
  void addForwardInputs() {
    add<int64_t>("input_ids", WEIR_I64, {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
    std::vector<float> features;
    for (int i = 0; i < 16; ++i)
      features.push_back(static_cast<float>(i));
    add<float>("features", WEIR_F32, {2, 4, 2}, features);
  }

  std::vector<TensorView> inputs;
  std::vector<std::unique_ptr<std::vector<uint8_t>>> storage;
  std::vector<OwnedTensor> outputs;
};
} // namespace

TEST_F(ForwardTest, WithoutMaskAllTokensCount) {
  addForwardInputs();
  ASSERT_TRUE(run(forwardModel)) << error;
  EXPECT_EQ(output("sums", {2, 4}),
            (std::vector<float>{1, 3, 6, 10, 5, 11, 18, 26}));
  EXPECT_EQ(output("echo", {4, 2, 2}),
            (std::vector<float>{0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7,
                                14, 15}));
  EXPECT_EQ(output("total", {2}), (std::vector<float>{10, 26}));
}

TEST_F(ForwardTest, MaskMayPadLeftRightAndInside) {
  addForwardInputs();
  add<int64_t>("attention_mask", WEIR_I64, {2, 4}, {0, 0, 1, 1, 1, 0, 1, 0});
  ASSERT_TRUE(run(forwardModel)) << error;
  EXPECT_EQ(output("sums", {2, 4}),
            (std::vector<float>{0, 0, 3, 7, 5, 0, 12, 0}));
  EXPECT_EQ(
      output("echo", {4, 2, 2}),
      (std::vector<float>{0, 0, 8, 9, 0, 0, 0, 0, 4, 5, 12, 13, 6, 7, 0, 0}));
  EXPECT_EQ(output("total", {2}), (std::vector<float>{7, 12}));
}

TEST_F(ForwardTest, MaskMayHideARow) {
  addForwardInputs();
  add<uint8_t>("attention_mask", WEIR_BOOL, {2, 4}, {0, 0, 0, 0, 1, 1, 1, 1});
  ASSERT_TRUE(run(forwardModel)) << error;
  EXPECT_EQ(output("sums", {2, 4}),
            (std::vector<float>{0, 0, 0, 0, 5, 11, 18, 26}));
}

TEST_F(ForwardTest, StreamingModelsRunFromAnEmptyState) {
  for (int memory : {int(kAll), int(kWindow | kCarry)}) {
    StreamingModel model(memory);
    Tokens first = randomTokens(20, 1), second = randomTokens(20, 2);
    std::vector<int64_t> ids(first.begin(), first.end());
    ids.insert(ids.end(), second.begin(), second.end());
    add<int64_t>("input_ids", WEIR_I64, {2, 20}, ids);
    std::vector<int64_t> mask(40, 1);
    for (int i : {0, 1, 2, 25, 39})
      mask[i] = 0;
    add<int64_t>("attention_mask", WEIR_I64, {2, 20}, mask);
    ASSERT_TRUE(run(model.desc)) << error;
    std::vector<float> scores = output("score", {2, 20});
    for (int row = 0; row < 2; ++row) {
      Tokens visible;
      for (int t = 0; t < 20; ++t) {
        int at = row * 20 + t;
        if (!mask[at]) {
          EXPECT_EQ(scores[at], 0);
          continue;
        }
        visible.push_back(static_cast<int32_t>(ids[at]));
        EXPECT_EQ(scores[at], expectedScore(memory, visible));
      }
    }
  }
}

TEST_F(ForwardTest, LastOnlyModelsGiveLastOutputs) {
  Functions functions;
  functions.all = {};
  functions.last = {1, 8};
  StreamingModel model(kAll, functions);
  Tokens tokens = randomTokens(11, 1);
  add<int32_t>("input_ids", WEIR_I32, {1, 11}, tokens);
  ASSERT_TRUE(run(model.desc)) << error;
  EXPECT_EQ(output("score", {1}),
            std::vector<float>{expectedScore(kAll, tokens)});
}

TEST_F(ForwardTest, LongPromptsAreErrors) {
  StreamingModel model(kAll);
  add<int32_t>("input_ids", WEIR_I32, {1, 65}, Tokens(65, 1));
  EXPECT_EQ(runError(model.desc),
            "row 0 stands at position 0, and 65 more tokens exceed the maximum "
            "length of 64");
}

TEST_F(ForwardTest, WholeSequencesHaveTheLimitToo) {
  weir_model_desc model = forwardModel;
  model.max_length = 3;
  addForwardInputs();
  EXPECT_EQ(runError(model),
            "row 0 has 4 tokens, which exceed the maximum length of 3");
  // Hidden tokens do not count.
  addForwardInputs();
  add<int64_t>("attention_mask", WEIR_I64, {2, 4}, {0, 1, 1, 1, 1, 1, 0, 1});
  EXPECT_TRUE(run(model)) << error;
}

TEST_F(ForwardTest, TokensAreInTheVocabulary) {
  weir_model_desc model = forwardModel;
  model.vocab_size = 8;
  addForwardInputs();
  EXPECT_EQ(runError(model), "input 'input_ids': token 3 of row 1 is 8, "
                             "outside the vocabulary of 8");
  // Padding may be any number.
  addForwardInputs();
  add<int64_t>("attention_mask", WEIR_I64, {2, 4}, {1, 1, 1, 1, 1, 1, 1, 0});
  EXPECT_TRUE(run(model)) << error;
  add<int64_t>("input_ids", WEIR_I64, {1, 2}, {1, -1});
  add<float>("features", WEIR_F32, {1, 2, 2}, std::vector<float>(4));
  EXPECT_EQ(runError(model), "input 'input_ids': token 1 of row 0 is -1, "
                             "outside the vocabulary of 8");
}

TEST_F(ForwardTest, SequencesHaveLengthsAndMasksOfTheirOwn) {
  auto addInputs = [&](std::vector<int64_t> written) {
    add<int64_t>("input_ids", WEIR_I64, {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
    int64_t time = static_cast<int64_t>(written.size()) / 2;
    add<int64_t>("decoder_input_ids", WEIR_I64, {2, time}, std::move(written));
  };
  addInputs({1, 2, 3, 4, 5, 6});
  ASSERT_TRUE(run(pairModel)) << error;
  EXPECT_EQ(output("sums", {2, 3}),
            (std::vector<float>{11, 12, 13, 30, 31, 32}));
  addInputs({1, 2, 3, 4, 5, 6});
  add<int64_t>("attention_mask", WEIR_I64, {2, 4}, {1, 1, 0, 1, 0, 0, 0, 1});
  add<int64_t>("decoder_attention_mask", WEIR_I64, {2, 3}, {0, 1, 1, 1, 1, 0});
  ASSERT_TRUE(run(pairModel)) << error;
  EXPECT_EQ(output("sums", {2, 3}), (std::vector<float>{0, 9, 10, 12, 13, 0}));
  // The first sequence's limit is the model's, which has none.
  addInputs({1, 2, 3, 4, 5, 6, 1, 2});
  EXPECT_EQ(runError(pairModel), "'decoder_lengths': row 0 has 4 tokens, which "
                                 "exceed the maximum length of 3");
  addInputs({1, 7});
  EXPECT_EQ(runError(pairModel),
            "input 'decoder_input_ids': token 0 of row 1 is 7, expected a "
            "number from 0 to below 7");
  addInputs({1, 2});
  add<int64_t>("decoder_attention_mask", WEIR_I64, {2, 4},
               std::vector<int64_t>(8, 1));
  EXPECT_EQ(runError(pairModel), "input 'decoder_attention_mask' has shape "
                                 "[2, 4], expected [2, 1]");
  add<int64_t>("input_ids", WEIR_I64, {1, 1}, {1});
  EXPECT_EQ(runError(pairModel),
            "input 'decoder_input_ids' is missing: function 'forward' takes "
            "'input_ids', 'decoder_input_ids'");
}

TEST_F(ForwardTest, PlainFunctionsAreFoundByTheirInputs) {
  add<uint16_t>("x", WEIR_BF16, {2, 3},
                {0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0});
  add<double>("factor", WEIR_F64, {}, {2});
  ASSERT_TRUE(run(plainModel)) << error;
  EXPECT_EQ(output("y", {2, 3}), (std::vector<float>{2, 4, 6, 8, 10, 12}));
  add<uint8_t>("flags", WEIR_BOOL, {4}, {0, 1, 0, 1});
  add<int64_t>("attention_mask", WEIR_I64, {4}, {1, 1, 0, 0});
  ASSERT_TRUE(run(plainModel)) << error;
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(std::memcmp(outputs[0].view.data, "\1\0\0\1", 4), 0);
  add<float>("x", WEIR_F32, {0, 3}, {});
  add<float>("factor", WEIR_F32, {}, {2});
  ASSERT_TRUE(run(plainModel, "scale")) << error;
  EXPECT_TRUE(output("y", {0, 3}).empty());
}

TEST_F(ForwardTest, OptionalInputsAreZeros) {
  weir_function_desc function = forwardModel.functions[0];
  std::vector<weir_value_desc> args(function.args,
                                    function.args + function.num_args);
  args[1].role = WEIR_ROLE_OPTIONAL;
  function.args = args.data();
  weir_model_desc model = forwardModel;
  model.functions = &function;
  add<int64_t>("input_ids", WEIR_I64, {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  ASSERT_TRUE(run(model)) << error;
  EXPECT_EQ(output("total", {2}), (std::vector<float>{10, 26}));
  EXPECT_EQ(output("echo", {4, 2, 2}), std::vector<float>(16));
  addForwardInputs();
  ASSERT_TRUE(run(model)) << error;
  EXPECT_EQ(output("echo", {4, 2, 2}),
            (std::vector<float>{0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7,
                                14, 15}));
}

TEST_F(ForwardTest, WrongInputsAreErrors) {
  add<int64_t>("input_ids", WEIR_I64, {1, 1}, {1});
  EXPECT_EQ(runError(forwardModel),
            "input 'features' is missing: function 'forward' takes "
            "'input_ids', 'features'");
  addForwardInputs();
  add<float>("extra", WEIR_F32, {1}, {1});
  EXPECT_EQ(runError(forwardModel),
            "input 'extra' is not an argument of function 'forward', which "
            "takes 'input_ids', 'features'");
  addForwardInputs();
  add<int64_t>("input_ids", WEIR_I64, {1, 1}, {1});
  EXPECT_EQ(runError(forwardModel), "input 'input_ids' is given twice");
  add<int64_t>("input_ids", WEIR_I64, {3}, {1, 2, 3});
  EXPECT_EQ(runError(forwardModel),
            "input 'input_ids' has shape [3], expected [?, ?]");
  add<int64_t>("input_ids", WEIR_I64, {1, 2}, {1, 2});
  add<float>("features", WEIR_F32, {1, 2, 3}, std::vector<float>(6));
  EXPECT_EQ(runError(forwardModel),
            "input 'features' has shape [1, 2, 3], expected [?, ?, 2]");
  add<int64_t>("input_ids", WEIR_I64, {1, 2}, {1, 2});
  add<float>("features", WEIR_F32, {1, 3, 2}, std::vector<float>(6));
  EXPECT_EQ(runError(forwardModel),
            "input 'features' has 3 time steps, and other inputs have 2");
  add<int64_t>("input_ids", WEIR_I64, {1, 2}, {1, 2});
  add<float>("features", WEIR_F32, {2, 2, 2}, std::vector<float>(8));
  EXPECT_EQ(runError(forwardModel),
            "input 'features' has 2 rows, and other inputs have 1");
  add<int64_t>("input_ids", WEIR_I64, {1, 2}, {1, int64_t(1) << 40});
  add<float>("features", WEIR_F32, {1, 2, 2}, std::vector<float>(4));
  EXPECT_EQ(runError(forwardModel), "input 'input_ids': element 1 is "
                                    "1099511627776, which I32 cannot hold");
  add<float>("input_ids", WEIR_F32, {1, 1}, {1});
  add<float>("features", WEIR_F32, {1, 1, 2}, std::vector<float>(2));
  EXPECT_EQ(runError(forwardModel),
            "input 'input_ids': element type F32 cannot become I32 without "
            "loss");
  addForwardInputs();
  EXPECT_EQ(runError(forwardModel, "sideways"),
            "model 'whole' has no function 'sideways'");
  EXPECT_EQ(
      runError(plainModel),
      "input 'x' is missing: function 'scale' takes 'x', 'factor' (nor do "
      "the 1 other functions take such inputs)");
}

TEST_F(ForwardTest, WrongMasksAreErrors) {
  addForwardInputs();
  add<int64_t>("attention_mask", WEIR_I64, {2, 3}, {1, 1, 1, 1, 1, 1});
  EXPECT_EQ(runError(forwardModel),
            "input 'attention_mask' has shape [2, 3], expected [2, 4]");
  addForwardInputs();
  add<int64_t>("attention_mask", WEIR_I64, {2, 4}, {1, 1, 1, 1, 1, 1, 2, 1});
  EXPECT_EQ(runError(forwardModel), "input 'attention_mask' holds 2.000000, "
                                    "expected only zeros and ones");
  add<float>("x", WEIR_F32, {1, 3}, {1, 2, 3});
  add<float>("factor", WEIR_F32, {}, {2});
  add<int64_t>("attention_mask", WEIR_I64, {1, 3}, {1, 1, 1});
  EXPECT_EQ(runError(plainModel, "scale"),
            "input 'attention_mask' was given, and function 'scale' has "
            "neither an argument of that name nor row lengths");
}
