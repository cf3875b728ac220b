//===- Generate.cpp - Autoregressive generation ---------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Generate.h"
#include "DType.h"

#include <algorithm>
#include <chrono>
#include <cmath>

using namespace weir::rt;

static double now() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

void LogitsCollector::operator()(const OutputBlock &block) {
  size_t elementBytes = dtypeSize(block.result->dtype);
  size_t count = block.stepBytes / elementBytes;
  if (!isFloatType(block.result->dtype) ||
      count != static_cast<size_t>(vocabSize) || count == 0)
    return;
  values.resize(count);
  std::string ignored;
  convertElements(block.data, block.result->dtype, values.data(), WEIR_F32,
                  count, ignored);
}

bool LogitsCollector::check(std::string &error) const {
  if (!values.empty())
    return true;
  error = "the model gives no logits over its vocabulary of " +
          std::to_string(vocabSize) + ", which generation needs";
  return false;
}

/// Leaves `token` alone possible, if it is one.
static void force(std::vector<float> &logits, int32_t token) {
  if (token < 0 || static_cast<size_t>(token) >= logits.size())
    return;
  std::fill(logits.begin(), logits.end(), -INFINITY);
  logits[static_cast<size_t>(token)] = 0;
}

/// Changes logits as `tokens` of a model with an encoder say; `position` is
/// that of the token to be chosen.
static void constrain(std::vector<float> &logits,
                      const weir_special_tokens &tokens, int64_t position,
                      bool isLast) {
  for (int32_t i = 0; i < tokens.num_suppressed; ++i)
    if (int32_t token = tokens.suppressed[i];
        token >= 0 && static_cast<size_t>(token) < logits.size())
      logits[static_cast<size_t>(token)] = -INFINITY;
  if (position == 1)
    force(logits, tokens.forced_bos);
  if (isLast)
    force(logits, tokens.forced_eos);
}

bool weir::rt::generate(Session &session, std::vector<int32_t> prompt,
                        const GenerateOptions &options, const TokenFn &onToken,
                        GenerateResult &result, std::string &error) {
  result = GenerateResult();
  const weir_model_desc &model = session.program().model();
  if (!Sampler::check(options.sampling, error))
    return false;
  if (options.maxNewTokens < 0) {
    error = "the number of new tokens is " +
            std::to_string(options.maxNewTokens) + ", expected 0 or more";
    return false;
  }
  if (session.batch() != 1) {
    error = "generation runs one sequence, and the session has a batch of " +
            std::to_string(session.batch());
    return false;
  }
  prompt.insert(prompt.begin(), session.pending(0).begin(),
                session.pending(0).end());
  bool reads = session.program().encoder() != nullptr;
  if (prompt.empty() && reads && session.position(0) == 0) {
    if (model.tokens.decoder_start < 0) {
      error = "the model does not say which token what it writes begins with: "
              "give it as the decoder's prompt";
      return false;
    }
    prompt.push_back(model.tokens.decoder_start);
  }
  if (prompt.empty()) {
    error = "the prompt is empty: generation needs at least one token";
    return false;
  }
  int64_t room = session.maxLength() - session.position(0);
  if (static_cast<int64_t>(prompt.size()) > room) {
    error = "the prompt has " + std::to_string(prompt.size()) +
            " tokens, and " + std::to_string(room) + " of at most " +
            std::to_string(session.maxLength()) + " positions are left";
    return false;
  }

  const int32_t *next = prompt.data();
  int64_t count = static_cast<int64_t>(prompt.size());
  double start = now();
  if (options.maxNewTokens == 0) {
    int32_t last = prompt.back();
    --count;
    if (!session.extend(&next, &count, Outputs::None, nullptr, error))
      return false;
    session.setPending(0, {last});
    result.promptTokens = count;
    result.firstTokenSeconds = now() - start;
    return true;
  }

  LogitsCollector collector(model.vocab_size);
  OutputFn collect = [&](const OutputBlock &block) { collector(block); };
  Sampler sampler(options.sampling);
  result.promptTokens = count;
  int32_t token;
  while (true) {
    if (!session.extend(&next, &count, Outputs::Last, collect, error) ||
        !collector.check(error))
      return false;
    if (reads && !options.unconstrained)
      constrain(collector.logits(), model.tokens, session.position(0),
                !options.ignoreEos &&
                    result.generatedTokens + 1 == options.maxNewTokens);
    if (!sampler.sample(collector.logits().data(), collector.logits().size(),
                        token, error))
      return false;
    double time = now() - start;
    if (result.generatedTokens++ == 0)
      result.firstTokenSeconds = time;
    result.decodeSeconds = time - result.firstTokenSeconds;
    bool proceed = onToken(token);
    const int32_t *eos = model.tokens.eos;
    bool ends = !options.ignoreEos && eos &&
                std::count(eos, eos + model.tokens.num_eos, token) > 0;
    bool full = session.position(0) >= session.maxLength();
    if (ends || !proceed || full ||
        result.generatedTokens == options.maxNewTokens) {
      result.stop = ends       ? StopReason::EndOfSequence
                    : !proceed ? StopReason::Caller
                    : result.generatedTokens == options.maxNewTokens
                        ? StopReason::Count
                        : StopReason::MaxLength;
      session.setPending(0, {token});
      return true;
    }
    next = &token;
    count = 1;
  }
}

/// How many bytes at the end of `text` begin a UTF-8 sequence that more bytes
/// could complete.
static size_t incompleteTail(const std::string &text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    unsigned char byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0) == 0x80)
      continue;
    size_t length = byte >= 0xf0 && byte < 0xf5   ? 4
                    : byte >= 0xe0 && byte < 0xf0 ? 3
                    : byte >= 0xc2 && byte < 0xe0 ? 2
                                                  : 1;
    return length > back ? back : 0;
  }
  return 0;
}

void Utf8Stream::append(const std::string &bytes) {
  held += bytes;
  size_t tail = incompleteTail(held);
  std::string ready = held.substr(0, held.size() - tail);
  held.erase(0, ready.size());
  if (!ready.empty())
    sink(ready);
}

void Utf8Stream::finish() {
  if (!held.empty())
    sink(held);
  held.clear();
}
