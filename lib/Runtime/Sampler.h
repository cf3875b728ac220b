//===- Sampler.h - Choosing the next token ----------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_SAMPLER_H
#define LIB_RUNTIME_SAMPLER_H

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace weir::rt {

/// How tokens are chosen.
struct SamplingOptions {
  double temperature = 0; ///< 0: the most likely token, ties to the lowest id
  int64_t topK = 0;       ///< keep the k most likely; 0: all
  double topP = 1;        ///< then keep the likeliest whose sum reaches p
  uint64_t seed = 0;
};

/// Draws tokens from logits. Reproducible: std::mt19937_64 seeded with `seed`,
/// of which each draw takes one value; its upper 53 bits, scaled to [0, 1), are
/// looked up in the cumulative distribution of the kept tokens, ordered by
/// falling likelihood and then by id.
class Sampler {
public:
  /// Checks the options.
  static bool check(const SamplingOptions &options, std::string &error);

  explicit Sampler(const SamplingOptions &options)
      : options(options), generator(options.seed) {}

  /// Chooses a token; false when no logit is a number above minus infinity.
  bool sample(const float *logits, size_t count, int32_t &token,
              std::string &error);

private:
  SamplingOptions options;
  std::mt19937_64 generator;
  std::vector<std::pair<double, int32_t>> kept; ///< logit or weight, token
};

} // namespace weir::rt

#endif // LIB_RUNTIME_SAMPLER_H
