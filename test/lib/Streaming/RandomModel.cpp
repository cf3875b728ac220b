//===- RandomModel.cpp - A compiled model fed with random tokens ----------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RandomModel.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>

void die(const std::string &message) {
  std::fprintf(stderr, "weir-check-streaming: error: %s\n", message.c_str());
  std::exit(1);
}

/// Ends the program when `good` is false, with what `error` says.
static void check(bool good, weir_error *error) {
  if (good)
    return;
  die(weir_error_message(error));
}

/// Appends the first result's steps to the rows of `user`.
static void collect(void *user, const weir_output_block *block) {
  if (block->result->dtype != WEIR_F32)
    die("the first result is not f32");
  auto &rows = *static_cast<std::vector<Steps> *>(user);
  auto *data = static_cast<const float *>(block->data);
  size_t size = block->step_bytes / sizeof(float);
  for (int64_t i = 0; i < block->count; ++i, data += size)
    rows[static_cast<size_t>(block->row)].emplace_back(data, data + size);
}

//===----------------------------------------------------------------------===//
// Sessions
//===----------------------------------------------------------------------===//

TestSession::TestSession(weir_session *session)
    : session(session, weir_session_close) {}

static weir_session *openSession(weir_program *program,
                                 weir_session_options options) {
  weir_error *error = nullptr;
  weir_session *session = weir_session_open(program, &options, &error);
  check(session, error);
  return session;
}

TestSession::TestSession(weir_program *program, weir_session_options options)
    : TestSession(openSession(program, options)) {}

std::vector<Steps> TestSession::extend(const std::vector<Tokens> &rows) {
  std::vector<const int32_t *> pointers;
  std::vector<int64_t> counts;
  for (const Tokens &row : rows) {
    pointers.push_back(row.data());
    counts.push_back(static_cast<int64_t>(row.size()));
  }
  std::vector<Steps> outputs(rows.size());
  weir_error *error = nullptr;
  check(weir_extend(session.get(), pointers.data(), counts.data(),
                    WEIR_OUTPUTS_ALL, collect, &outputs, &error) == 0,
        error);
  return outputs;
}

Steps TestSession::extend(const Tokens &tokens) {
  return extend(std::vector<Tokens>{tokens}).front();
}

std::vector<float> TestSession::extendLast(const Tokens &tokens) {
  const int32_t *data = tokens.data();
  int64_t count = static_cast<int64_t>(tokens.size());
  std::vector<Steps> outputs(1);
  weir_error *error = nullptr;
  check(weir_extend(session.get(), &data, &count, WEIR_OUTPUTS_LAST, collect,
                    &outputs, &error) == 0,
        error);
  if (outputs[0].size() != 1)
    die("the last outputs are of " + std::to_string(outputs[0].size()) +
        " tokens, expected 1");
  return outputs[0][0];
}

Tokens TestSession::generate(const Tokens &prompt, int64_t count) {
  weir_generate_options options = {};
  options.max_new_tokens = count;
  options.top_p = 1;
  options.ignore_eos = 1;
  options.unconstrained = 1;
  Tokens tokens;
  auto onToken = [](void *user, int32_t token) {
    static_cast<Tokens *>(user)->push_back(token);
    return 1;
  };
  weir_error *error = nullptr;
  check(weir_generate(session.get(), prompt.data(), prompt.size(), &options,
                      onToken, &tokens, &error) == 0,
        error);
  return tokens;
}

TestSession TestSession::fork() const {
  weir_error *error = nullptr;
  weir_session *copy = weir_fork(session.get(), &error);
  check(copy, error);
  return TestSession(copy);
}

void TestSession::encode(const std::vector<weir_tensor> &inputs) {
  weir_error *error = nullptr;
  check(weir_encode(session.get(), inputs.data(), inputs.size(), &error) == 0,
        error);
}

void TestSession::save(const std::string &path) const {
  weir_error *error = nullptr;
  check(weir_save(session.get(), path.c_str(), &error) == 0, error);
}

void TestSession::load(const std::string &path) {
  weir_error *error = nullptr;
  check(weir_load(session.get(), path.c_str(), &error) == 0, error);
}

void TestSession::rollback(int64_t row, int64_t position) {
  weir_error *error = nullptr;
  check(weir_rollback(session.get(), row, position, &error) == 0, error);
}

void TestSession::reorder(const std::vector<int64_t> &from) {
  weir_error *error = nullptr;
  check(weir_reorder(session.get(), from.data(), &error) == 0, error);
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

/// The tensors of a call, which point to their own numbers.
struct TestModel::Inputs {
  /// Adds rows, of which shorter ones are padded.
  void add(const char *name, const std::vector<Tokens> &rows) {
    auto values = std::make_unique<Values>();
    size_t longest = 0;
    for (const Tokens &row : rows)
      longest = std::max(longest, row.size());
    for (const Tokens &row : rows) {
      values->numbers.insert(values->numbers.end(), row.begin(), row.end());
      values->numbers.resize(values->numbers.size() + longest - row.size());
    }
    values->shape[0] = static_cast<int64_t>(rows.size());
    values->shape[1] = static_cast<int64_t>(longest);
    tensors.push_back({name, values->shape, values->numbers.data(),
                       values->numbers.size() * 4, WEIR_I32, 2});
    owned.push_back(std::move(values));
  }

  struct Values {
    Tokens numbers;
    int64_t shape[2];
  };
  std::vector<weir_tensor> tensors;
  std::vector<std::unique_ptr<Values>> owned;
};

/// The most tokens that the encoder of `table` reads; 0 without an encoder.
static int64_t getLongestSource(const weir_model_desc &table) {
  for (uint32_t i = 0; i < table.num_functions; ++i) {
    const weir_function_desc &function = table.functions[i];
    if (function.method != WEIR_METHOD_ENCODE)
      continue;
    int64_t longest = 24;
    for (int32_t a = 0; a < function.num_args; ++a)
      if (const weir_value_desc &arg = function.args[a];
          arg.role == WEIR_ROLE_LENGTHS && arg.limit > 0)
        longest = std::min(longest, arg.limit);
    return longest;
  }
  return 0;
}

void TestModel::addSources(Inputs &inputs, int64_t batch, int64_t first) const {
  std::vector<Tokens> rows, visible;
  for (int64_t row = first; row < first + batch; ++row) {
    rows.push_back(sources[static_cast<size_t>(row) % sources.size()]);
    visible.emplace_back(rows.back().size(), 1);
  }
  inputs.add("input_ids", rows);
  inputs.add("attention_mask", visible);
}

TestModel::TestModel(const std::string &path)
    : program(nullptr, weir_program_close) {
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    die(dlerror());
  table = static_cast<const weir_model_desc *>(dlsym(library, "weir_model"));
  if (!table)
    die(path + " exports no weir_model");
  weir_error *error = nullptr;
  program.reset(weir_program_open(table, (path + ".weights").c_str(), &error));
  check(program != nullptr, error);
  int64_t longest = getLongestSource(*table);
  std::mt19937 random(0);
  for (int row = 0; longest > 0 && row < 5; ++row)
    sources.push_back(draw(
        random,
        1 + static_cast<int64_t>(random() % static_cast<uint32_t>(longest))));
}

int64_t TestModel::maxLength() const {
  // Longer sequences would only take longer.
  return table->max_length > 0 ? std::min<int64_t>(table->max_length, 96) : 96;
}

TestSession TestModel::open(int64_t batch, int64_t maxLength,
                            int64_t first) const {
  weir_session_options options = {};
  options.batch = batch;
  options.max_length = maxLength ? maxLength : this->maxLength();
  options.rollback_depth = this->maxLength();
  TestSession session(program.get(), options);
  if (sources.empty())
    return session;
  Inputs inputs;
  addSources(inputs, batch, first);
  session.encode(inputs.tensors);
  return session;
}

Tokens TestModel::draw(std::mt19937 &random, int64_t count) const {
  Tokens tokens(static_cast<size_t>(count));
  for (int32_t &token : tokens)
    token = static_cast<int32_t>(
        random() %
        static_cast<uint32_t>(std::max<int64_t>(table->vocab_size, 1)));
  return tokens;
}

Steps TestModel::forward(const Tokens &tokens, int64_t row) const {
  return forward({tokens}, {}, row).front();
}

std::vector<Steps> TestModel::forward(const std::vector<Tokens> &rows,
                                      const std::vector<Tokens> &mask,
                                      int64_t first) const {
  weir_error *error = nullptr;
  std::unique_ptr<weir_runner, void (*)(weir_runner *)> runner(
      weir_runner_open(program.get(), 0, &error), weir_runner_close);
  check(runner != nullptr, error);
  bool reads = !sources.empty();
  Inputs inputs;
  if (reads)
    addSources(inputs, static_cast<int64_t>(rows.size()), first);
  inputs.add(reads ? "decoder_input_ids" : "input_ids", rows);
  if (!mask.empty())
    inputs.add(reads ? "decoder_attention_mask" : "attention_mask", mask);
  std::unique_ptr<weir_tensor_list, void (*)(weir_tensor_list *)> results(
      weir_forward(runner.get(), nullptr, inputs.tensors.data(),
                   inputs.tensors.size(), &error),
      weir_tensor_list_free);
  check(results != nullptr, error);
  const weir_tensor *result = weir_tensor_list_get(results.get(), 0);
  auto *data = static_cast<const float *>(result->data);
  size_t length = rows[0].size();
  size_t step = result->bytes / sizeof(float) / (rows.size() * length);
  std::vector<Steps> outputs(rows.size());
  for (Steps &row : outputs)
    for (size_t t = 0; t < length; ++t, data += step)
      row.emplace_back(data, data + step);
  return outputs;
}
