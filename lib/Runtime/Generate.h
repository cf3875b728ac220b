//===- Generate.h - Autoregressive generation -------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_GENERATE_H
#define LIB_RUNTIME_GENERATE_H

#include "Sampler.h"
#include "Session.h"

#include <functional>
#include <string>
#include <vector>

namespace weir::rt {

/// What to generate.
struct GenerateOptions {
  int64_t maxNewTokens = 128;
  bool ignoreEos = false;
  /// Takes logits as they are, though the model, one with an encoder, says of
  /// tokens that they must or must not come.
  bool unconstrained = false;
  SamplingOptions sampling;
};

/// Why generation ended.
enum class StopReason { Count, EndOfSequence, MaxLength, Caller };

/// What happened.
struct GenerateResult {
  StopReason stop = StopReason::Count;
  int64_t promptTokens = 0;     ///< tokens fed before the first was chosen
  int64_t generatedTokens = 0;  ///< the ending token included
  double firstTokenSeconds = 0; ///< until the first token was chosen
  double decodeSeconds = 0;     ///< from then to the last
};

/// Receives each token as it is chosen; false ends generation.
using TokenFn = std::function<bool(int32_t token)>;

/// Takes `prompt` in, after any pending tokens of the session, and continues
/// it. The session must have a batch of 1. What a model with an encoder writes
/// begins with its token for that where nothing else does. The last token, not
/// needed to choose another, is left pending. With no tokens to generate, all
/// of the prompt but its last token is taken in, and that is left pending.
bool generate(Session &session, std::vector<int32_t> prompt,
              const GenerateOptions &options, const TokenFn &onToken,
              GenerateResult &result, std::string &error);

/// Appends one row's outputs of the last token as floats: those of the result
/// that gives one number per vocabulary entry.
class LogitsCollector {
public:
  explicit LogitsCollector(int64_t vocabSize) : vocabSize(vocabSize) {}
  void operator()(const OutputBlock &block);
  /// False when the model gave no such result.
  bool check(std::string &error) const;
  const std::vector<float> &logits() const { return values; }
  std::vector<float> &logits() { return values; }

private:
  int64_t vocabSize;
  std::vector<float> values;
};

/// Passes bytes on, holding back UTF-8 sequences that are not complete yet.
class Utf8Stream {
public:
  explicit Utf8Stream(std::function<void(const std::string &)> sink)
      : sink(std::move(sink)) {}
  void append(const std::string &bytes);
  /// Passes on what is left, complete or not.
  void finish();

private:
  std::function<void(const std::string &)> sink;
  std::string held;
};

} // namespace weir::rt

#endif // LIB_RUNTIME_GENERATE_H
