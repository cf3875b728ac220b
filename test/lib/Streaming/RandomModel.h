//===- RandomModel.h - A compiled model fed with random tokens --*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The C interface of the runtime with owners and vectors round it. Errors end
// the program: none of these calls is meant to fail.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_LIB_STREAMING_RANDOMMODEL_H
#define TEST_LIB_STREAMING_RANDOMMODEL_H

#include "weir-rt/Runtime.h"

#include <memory>
#include <random>
#include <string>
#include <vector>

using Tokens = std::vector<int32_t>;
/// The first result of consecutive tokens, one vector per token.
using Steps = std::vector<std::vector<float>>;

/// A session and what it was opened with.
class TestSession {
public:
  TestSession(weir_program *program, weir_session_options options);

  /// Appends `rows[b]` to row `b` and returns the outputs of all its tokens.
  std::vector<Steps> extend(const std::vector<Tokens> &rows);
  /// The same for a batch of one.
  Steps extend(const Tokens &tokens);
  /// Appends to a batch of one and returns the outputs of the last token.
  std::vector<float> extendLast(const Tokens &tokens);
  Tokens generate(const Tokens &prompt, int64_t count);
  /// Has the encoder read `inputs`.
  void encode(const std::vector<weir_tensor> &inputs);
  TestSession fork() const;
  void save(const std::string &path) const;
  void load(const std::string &path);
  void rollback(int64_t row, int64_t position);
  void reorder(const std::vector<int64_t> &from);
  int64_t position(int64_t row) const {
    return weir_position(session.get(), row);
  }

private:
  explicit TestSession(weir_session *session);

  std::unique_ptr<weir_session, void (*)(weir_session *)> session;
};

/// A model compiled with --emit=shared.
class TestModel {
public:
  /// Loads `path`, with its weights in `path`.weights. An encoder, where there
  /// is one, reads something else for each row.
  explicit TestModel(const std::string &path);

  /// A session whose encoder, if any, reads for its rows what it reads for row
  /// `first` and those behind it.
  TestSession open(int64_t batch = 1, int64_t maxLength = 0,
                   int64_t first = 0) const;
  /// What the whole-sequence function gives for `tokens` alone, which are of
  /// row `row`.
  Steps forward(const Tokens &tokens, int64_t row = 0) const;
  /// The same for rows, from `first` on, that `mask` (rows of zeros and ones)
  /// hides parts of; hidden positions are in the result.
  std::vector<Steps> forward(const std::vector<Tokens> &rows,
                             const std::vector<Tokens> &mask,
                             int64_t first = 0) const;
  Tokens draw(std::mt19937 &random, int64_t count) const;
  /// Positions that a sequence may reach in these tests.
  int64_t maxLength() const;

private:
  /// Two-dimensional inputs by their names.
  struct Inputs;
  void addSources(Inputs &inputs, int64_t batch, int64_t first) const;

  const weir_model_desc *table = nullptr;
  /// What the encoder reads for each row; none without an encoder.
  std::vector<Tokens> sources;
  std::unique_ptr<weir_program, void (*)(weir_program *)> program;
};

/// Ends the program with `message`.
[[noreturn]] void die(const std::string &message);

#endif // TEST_LIB_STREAMING_RANDOMMODEL_H
