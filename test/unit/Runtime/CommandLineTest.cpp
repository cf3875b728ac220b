//===- CommandLineTest.cpp - Tests of the command line --------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CommandLine.h"
#include "Generate.h"
#include "SessionFixture.h"
#include "TemporaryFile.h"

#include "Safetensors.h"
#include <nlohmann/json.hpp>

using namespace weir::rt;
using namespace toy;

namespace {
/// Runs command lines in this process and keeps what they print.
class CommandLineTest : public SessionTest {
protected:
  CommandLineTest() : model(kAll | kCarry) {}

  int run(const weir_model_desc &desc, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "bin/toy");
    std::vector<char *> argv;
    for (std::string &argument : arguments)
      argv.push_back(argument.data());
    argv.push_back(nullptr);
    TemporaryFile outFile("x"), errFile("x");
    FILE *outStream = std::fopen(outFile.path.c_str(), "w");
    FILE *errStream = std::fopen(errFile.path.c_str(), "w");
    int status = runCommandLine(desc, static_cast<int>(arguments.size()),
                                argv.data(), outStream, errStream);
    std::fclose(outStream);
    std::fclose(errStream);
    out = outFile.read();
    err = errFile.read();
    return status;
  }
  int run(std::vector<std::string> arguments) {
    return run(model.desc, std::move(arguments));
  }

  /// Expects a usage error.
  void expectUsage(std::vector<std::string> arguments,
                   const std::string &message) {
    EXPECT_EQ(run(std::move(arguments)), 2);
    EXPECT_EQ(err, "toy: error: " + message + "\ntry 'toy --help'\n");
    EXPECT_EQ(out, "");
  }
  void expectError(const weir_model_desc &desc,
                   std::vector<std::string> arguments,
                   const std::string &message) {
    EXPECT_EQ(run(desc, std::move(arguments)), 1);
    EXPECT_EQ(err, "toy: error: " + message + "\n");
    EXPECT_EQ(out, "");
  }

  /// The ids that greedy generation prints.
  std::string greedy(Tokens tokens, size_t count, bool stopAtEos = false) {
    std::string text;
    for (size_t i = 0; i < count; ++i) {
      int32_t token = expectedToken(kAll | kCarry, tokens);
      text += (i ? "," : "") + std::to_string(token);
      tokens.push_back(token);
      if (stopAtEos && token == 13)
        break;
    }
    return text + "\n";
  }

  StreamingModel model;
  std::string out, err;
};
} // namespace

TEST_F(CommandLineTest, GeneratesTokens) {
  EXPECT_EQ(
      run({"--tokens", "1,2,3", "-n", "20", "--ignore-eos", "--print-tokens"}),
      0)
      << err;
  EXPECT_EQ(out, greedy({1, 2, 3}, 20));
  EXPECT_EQ(err, "");
}

TEST_F(CommandLineTest, StopsAfterTheEndOfSequence) {
  // Some prompt ends within the room there is.
  for (int first = 0; first < 13; ++first) {
    EXPECT_EQ(
        run({"--tokens", std::to_string(first), "-n", "30", "--print-tokens"}),
        0);
    EXPECT_EQ(out, greedy({first}, 30, true));
  }
}

TEST_F(CommandLineTest, WarnsAtTheMaximumLength) {
  EXPECT_EQ(
      run({"--tokens=1,2", "--ignore-eos", "--print-tokens", "--max-length=5"}),
      0);
  EXPECT_EQ(out, greedy({1, 2}, 4));
  EXPECT_EQ(err,
            "toy: warning: stopped at the maximum length of 5 positions\n");
}

TEST_F(CommandLineTest, SavedStatesContinueExactly) {
  TemporaryFile state;
  EXPECT_EQ(run({"--tokens", "1,2", "-n", "5", "--ignore-eos", "--print-tokens",
                 "--save-state", state.path}),
            0)
      << err;
  std::string first = out;
  EXPECT_EQ(run({"--load-state", state.path, "-n", "6", "--ignore-eos",
                 "--print-tokens"}),
            0)
      << err;
  first.back() = ',';
  EXPECT_EQ(first + out, greedy({1, 2}, 11));

  // A prompt taken in ahead of time.
  EXPECT_EQ(run({"--tokens", "4,5,6", "-n", "0", "--save-state", state.path}),
            0);
  EXPECT_EQ(out, "");
  EXPECT_EQ(run({"--load-state", state.path, "--tokens", "7,8", "-n", "4",
                 "--ignore-eos", "--print-tokens"}),
            0);
  EXPECT_EQ(out, greedy({4, 5, 6, 7, 8}, 4));
  EXPECT_EQ(run({"--load-state", state.path, "-n", "4", "--ignore-eos",
                 "--print-tokens"}),
            0);
  EXPECT_EQ(out, greedy({4, 5, 6}, 4));
}

TEST_F(CommandLineTest, SamplingIsReproducible) {
  auto sample = [&](const char *seed) {
    EXPECT_EQ(run({"--tokens=1", "-n", "30", "--ignore-eos", "--print-tokens",
                   "--temperature=2", "--top-k=12", "--top-p=0.95",
                   std::string("--seed=") + seed}),
              0)
        << err;
    return out;
  };
  std::string first = sample("1");
  EXPECT_EQ(sample("1"), first);
  EXPECT_NE(sample("2"), first);
}

TEST_F(CommandLineTest, ReportsStatistics) {
  EXPECT_EQ(run({"--tokens=1,2", "-n", "3", "--ignore-eos", "--print-tokens",
                 "--stats=json", "--threads=2"}),
            0);
  auto json = nlohmann::json::parse(err, nullptr, false);
  ASSERT_TRUE(json.is_object()) << err;
  EXPECT_EQ(json["prompt_tokens"], 2);
  EXPECT_EQ(json["generated_tokens"], 3);
  EXPECT_EQ(json["threads"], 2);
  EXPECT_GT(json["peak_memory_bytes"], 0);
  EXPECT_TRUE(json.contains("load_seconds"));
  EXPECT_TRUE(json.contains("prefill_tokens_per_second"));
  EXPECT_TRUE(json.contains("decode_tokens_per_second"));
  EXPECT_TRUE(json.contains("time_to_first_token_seconds"));
  EXPECT_EQ(run({"--tokens=1,2", "-n", "3", "--print-tokens", "--stats"}), 0);
  EXPECT_NE(err.find("time to first token: "), std::string::npos);
}

TEST_F(CommandLineTest, Benchmarks) {
  EXPECT_EQ(run({"--bench=20,10,2"}), 0) << err;
  auto json = nlohmann::json::parse(out, nullptr, false);
  ASSERT_TRUE(json.is_object()) << out;
  EXPECT_EQ(json["prompt_tokens"], 20);
  EXPECT_EQ(json["decode_tokens"], 10);
  EXPECT_EQ(json["repeats"], 2);
  EXPECT_GT(json["prefill_ms"], 0);
  EXPECT_GT(json["decode_ms_per_token"], 0);
  expectError(model.desc, {"--bench=60,10"},
              "row 0 stands at position 64, and 1 more tokens exceed the "
              "maximum length of 64");
}

TEST_F(CommandLineTest, TimesFunctions) {
  TemporaryFile inputs, outputs;
  float x[] = {1, 2, 3, 4, 5, 6}, factor = 2;
  ASSERT_TRUE(writeSafetensors(
      inputs.path,
      {{"x", WEIR_F32, {2, 3}, x, 24}, {"factor", WEIR_F32, {}, &factor, 4}},
      error));
  EXPECT_EQ(run(plainModel, {"--bench=4", "--stats", "--threads=1", "--inputs",
                             inputs.path, "--outputs", outputs.path}),
            0)
      << err;
  auto json = nlohmann::json::parse(out, nullptr, false);
  ASSERT_TRUE(json.is_object()) << out;
  EXPECT_EQ(json["model"], "plain");
  EXPECT_EQ(json["function"], "scale");
  EXPECT_EQ(json["clock"], "host");
  EXPECT_EQ(json["calls"], 4);
  EXPECT_EQ(json["warm_calls"], 1);
  EXPECT_EQ(json["threads"], 1);
  EXPECT_GT(json["median_ms"], 0);
  EXPECT_LE(json["min_ms"], json["median_ms"]);
  EXPECT_LE(json["median_ms"], json["max_ms"]);
  EXPECT_EQ(err.find("on: any, threads: 1\nscale: median "), 0u) << err;
  EXPECT_NE(err.find(", of 4 calls, by the host's clock\n"), std::string::npos)
      << err;
  // The results of the last call are those of any.
  auto read = SafetensorsFile::open(outputs.path, error);
  ASSERT_TRUE(read) << error;
  const TensorView *y = read->find("y");
  ASSERT_TRUE(y);
  float last;
  std::memcpy(&last, static_cast<const char *>(y->data) + 20, 4);
  EXPECT_EQ(last, 12);

  // Drawn inputs, from a seed.
  auto draw = [&](const char *seed) {
    EXPECT_EQ(run(plainModel, {"--bench=1", "--function=flip", "--seed", seed,
                               "--outputs", outputs.path}),
              0)
        << err;
    auto file = SafetensorsFile::open(outputs.path, error);
    EXPECT_TRUE(file) << error;
    const TensorView *z = file->find("z");
    EXPECT_TRUE(z);
    return std::string(static_cast<const char *>(z->data), z->bytes);
  };
  std::string first = draw("1");
  EXPECT_EQ(draw("1"), first);
  EXPECT_NE(draw("2"), first);

  expectError(plainModel, {"--bench=1"},
              "input 'x' of function 'scale' has shape [?, 3], and inputs are "
              "drawn of fixed extents alone: give them with --inputs");
  expectError(plainModel, {"--bench=1", "--function=none"},
              "model 'plain' has no function 'none'");
  expectError(model.desc, {"--bench=1"},
              "function 'extend' appends to a state: time it by --bench P,D");
}

TEST_F(CommandLineTest, RunsOnTensors) {
  TemporaryFile inputs, outputs;
  int64_t ids[] = {1, 2, 3};
  ASSERT_TRUE(writeSafetensors(
      inputs.path, {{"input_ids", WEIR_I64, {1, 3}, ids, 24}}, error));
  EXPECT_EQ(run({"--inputs", inputs.path, "--outputs", outputs.path}), 0)
      << err;
  auto read = SafetensorsFile::open(outputs.path, error);
  ASSERT_TRUE(read) << error;
  const TensorView *score = read->find("score");
  ASSERT_TRUE(score);
  EXPECT_EQ(std::memcmp(score->data,
                        expectedScores(kAll | kCarry, {1, 2, 3}).data(), 12),
            0);
  expectError(model.desc, {"--inputs=/nonexistent", "--outputs=/tmp/x"},
              "cannot open '/nonexistent': No such file or directory");
  expectError(model.desc, {"--inputs", inputs.path, "--outputs=/nonexistent/x"},
              "cannot create '/nonexistent/x': No such file or directory");
}

TEST_F(CommandLineTest, WrongUsageIsStatus2) {
  expectUsage({},
              "nothing to do: give --prompt, --tokens, --inputs or --bench");
  expectUsage({"--nope"}, "unknown option '--nope'");
  expectUsage({"--nope=1", "--tokens=1"}, "unknown option '--nope=1'");
  expectUsage({"-x"}, "unknown option '-x'");
  expectUsage({"hello"},
              "unexpected argument 'hello' (give text with --prompt)");
  expectUsage({"--tokens"}, "option '--tokens' needs a value");
  expectUsage({"-n"}, "option '-n' needs a value");
  expectUsage({"--tokens=1,,2"},
              "--tokens is '1,,2', expected token ids like 1,2,3");
  expectUsage({"--tokens=99999999999"},
              "--tokens is '99999999999', expected token ids like 1,2,3");
  expectUsage({"--tokens=-1"},
              "--tokens is '-1', expected token ids like 1,2,3");
  expectUsage({"-n", "x", "--tokens=1"},
              "--max-new-tokens is 'x', expected a number of tokens");
  expectUsage({"--threads=0"},
              "--threads is '0', expected a number of threads, at least 1");
  expectUsage({"--temperature=hot"},
              "--temperature is 'hot', expected a number");
  expectUsage({"--tokens=1", "--temperature=-1"},
              "temperature is -1.000000, expected 0 or more");
  expectUsage({"--tokens=1", "--top-p=2"},
              "top-p is 2.000000, expected more than 0 and at most 1");
  expectUsage({"--stats=xml"}, "--stats is 'xml', expected nothing or 'json'");
  expectUsage({"--bench=0"},
              "--bench is '0', expected PROMPT_TOKENS,DECODE_TOKENS[,REPEATS], "
              "or CALLS of a function of tensors");
  expectUsage({"--bench=5", "--tokens=1"},
              "generation, --inputs and --bench are different things to do: "
              "choose one");
  expectUsage({"--max-length=0"}, "--max-length is '0', expected a number of "
                                  "positions, at least 1");
  expectUsage({"--tokens=1", "--prompt=a"}, "only one of --prompt, "
                                            "--prompt-file and --tokens can be "
                                            "given");
  expectUsage({"--inputs=a"}, "--inputs and --outputs go together");
  expectUsage({"--inputs=a", "--outputs=b", "--tokens=1"},
              "generation, --inputs and --bench are different things to do: "
              "choose one");
  expectUsage({"--tokens=1", "--function=f"},
              "--function goes with --inputs or --bench CALLS");
  expectUsage({"--save-state=f"}, "--save-state needs --prompt, --prompt-file, "
                                  "--tokens or --load-state");
}

TEST_F(CommandLineTest, ErrorsAreStatus1) {
  expectError(model.desc, {"--tokens=1,16"},
              "token id 16 is outside the vocabulary of 16");
  expectError(model.desc, {"--prompt=hello"},
              "the model has no tokenizer: give the prompt as --tokens");
  expectError(model.desc, {"--prompt-file=/nonexistent"},
              "cannot open '/nonexistent': No such file or directory");
  expectError(model.desc, {"--tokens=1"},
              "the model has no tokenizer: use --print-tokens");
  expectError(forwardModel, {"--prompt=hello"},
              "model 'whole' does not stream, so it cannot generate: run it on "
              "tensors with --inputs and --outputs");
  expectError(model.desc, {"--load-state=/nonexistent", "--print-tokens"},
              "cannot open '/nonexistent': No such file or directory");
  expectError(model.desc, {"--tokens=1", "--max-length=65", "--print-tokens"},
              "maximum length is 65, and the model was compiled for at most 64 "
              "positions");
  std::string many = "1";
  for (int i = 0; i < 64; ++i)
    many += ",1";
  expectError(model.desc, {"--tokens", many, "--print-tokens"},
              "the prompt has 65 tokens, and 64 of at most 64 positions are "
              "left");
  weir_model_desc desc = model.desc;
  desc.weights_bytes = 8;
  expectError(desc, {"--tokens=1", "--weights=/nonexistent"},
              "weights file: cannot open '/nonexistent': No such file or "
              "directory");
  static const uint8_t kGarbage[] = {1, 2, 3};
  desc = model.desc;
  desc.tokenizer = kGarbage;
  desc.tokenizer_bytes = 3;
  EXPECT_EQ(run(desc, {"--prompt=a"}), 1);
  EXPECT_EQ(err.find("toy: error: the model's tokenizer is damaged: "), 0u);
}

TEST_F(CommandLineTest, TellsAboutItself) {
  EXPECT_EQ(run({"--help"}), 0);
  EXPECT_EQ(out.find("usage: toy [options]\n"), 0u);
  EXPECT_EQ(run({"--version"}), 0);
  EXPECT_EQ(out, "toy, compiled by by hand, runtime version 4\n");
  EXPECT_EQ(run({"--info"}), 0);
  EXPECT_NE(out.find("  history (history): I32 [2, 1, 64, 1], 512 bytes\n"),
            std::string::npos)
      << out;
  EXPECT_NE(out.find("  extend (extend)\n    takes input_ids: I32 [?, ?]\n"),
            std::string::npos)
      << out;
  EXPECT_EQ(run(forwardModel, {"--info"}), 0);
}

TEST(Utf8Stream, HoldsBackIncompleteCharacters) {
  std::vector<std::string> pieces;
  Utf8Stream stream([&](const std::string &piece) { pieces.push_back(piece); });
  for (const char *bytes :
       {"a\xc3", "\xa9", "\xf0\x9f", "\x98", "\x80z", "\xff", "\xe2\x82"})
    stream.append(bytes);
  EXPECT_EQ(pieces, (std::vector<std::string>{"a", "\xc3\xa9",
                                              "\xf0\x9f\x98\x80z", "\xff"}));
  stream.finish();
  EXPECT_EQ(pieces.back(), "\xe2\x82");
}

TEST_F(CommandLineTest, PromptsAreWhatAnEncoderReads) {
  StreamingModel reader(kAll | kSource);
  reader.desc.tokens.decoder_start = 5;
  Tokens before = {5};
  std::string expected;
  for (int i = 0; i < 4; ++i) {
    before.push_back(static_cast<int32_t>(
        static_cast<int64_t>(expectedScore(kAll | kSource, before, {1, 2})) %
        kVocab));
    expected += (i ? "," : "") + std::to_string(before.back());
  }
  std::vector<std::string> common = {"-n4", "--ignore-eos", "--print-tokens"};
  auto generate = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), common.begin(), common.end());
    return run(reader.desc, arguments);
  };
  EXPECT_EQ(generate({"--tokens=1,2"}), 0) << err;
  EXPECT_EQ(out, expected + "\n");
  EXPECT_EQ(generate({"--tokens=1,2", "--decoder-tokens=5"}), 0) << err;
  EXPECT_EQ(out, expected + "\n");
  // The same from a file, with a mask.
  TensorView ids, mask;
  int64_t numbers[] = {9, 1, 2}, visible[] = {0, 1, 1};
  ids.name = "input_ids";
  ids.data = numbers;
  mask.name = "attention_mask";
  mask.data = visible;
  for (TensorView *view : {&ids, &mask}) {
    view->dtype = WEIR_I64;
    view->shape = {1, 3};
    view->bytes = sizeof(numbers);
  }
  TemporaryFile inputs, state;
  ASSERT_TRUE(writeSafetensors(inputs.path, {ids, mask}, error)) << error;
  EXPECT_EQ(generate({"--inputs=" + inputs.path}), 0) << err;
  EXPECT_EQ(out, expected + "\n");
  // A saved state goes on without it.
  EXPECT_EQ(run(reader.desc, {"--tokens=1,2", "-n2", "--ignore-eos",
                              "--print-tokens", "--save-state=" + state.path}),
            0)
      << err;
  std::string first = out.substr(0, out.size() - 1);
  EXPECT_EQ(run(reader.desc, {"--load-state=" + state.path, "-n2",
                              "--ignore-eos", "--print-tokens"}),
            0)
      << err;
  EXPECT_EQ(first + "," + out, expected + "\n");
  EXPECT_EQ(run(reader.desc, {"--bench=3,2"}), 0) << err;

  EXPECT_EQ(run(reader.desc, {"--tokens=1", "--load-state=f"}), 2);
  EXPECT_EQ(err, "toy: error: a saved state has what was encoded: go on with "
                 "--decoder-tokens\ntry 'toy --help'\n");
  EXPECT_EQ(run(reader.desc, {"--tokens=1", "--inputs=f"}), 2);
  EXPECT_EQ(err, "toy: error: only one of a prompt and --inputs can be given\n"
                 "try 'toy --help'\n");
  expectUsage({"--tokens=1", "--decoder-tokens=1"},
              "--decoder-tokens is for models with an encoder: give the prompt "
              "as --tokens");
  expectError(reader.desc, {"--tokens=1", "--decoder-tokens=16"},
              "token id 16 is outside the vocabulary of 16");
  reader.desc.tokens.decoder_start = -1;
  expectError(reader.desc, {"--tokens=1", "--print-tokens"},
              "the model does not say which token what it writes begins with: "
              "give it as the decoder's prompt");
}
