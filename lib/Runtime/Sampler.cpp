//===- Sampler.cpp - Choosing the next token ------------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace weir::rt;

bool Sampler::check(const SamplingOptions &options, std::string &error) {
  if (!(options.temperature >= 0) || std::isinf(options.temperature)) {
    error = "temperature is " + std::to_string(options.temperature) +
            ", expected 0 or more";
    return false;
  }
  if (options.topK < 0) {
    error = "top-k is " + std::to_string(options.topK) +
            ", expected 0 (off) or more";
    return false;
  }
  if (!(options.topP > 0 && options.topP <= 1)) {
    error = "top-p is " + std::to_string(options.topP) +
            ", expected more than 0 and at most 1";
    return false;
  }
  return true;
}

bool Sampler::sample(const float *logits, size_t count, int32_t &token,
                     std::string &error) {
  float best = -std::numeric_limits<float>::infinity();
  token = -1;
  for (size_t i = 0; i < count; ++i)
    if (logits[i] > best) {
      best = logits[i];
      token = static_cast<int32_t>(i);
    }
  if (token < 0) {
    error = "none of the " + std::to_string(count) +
            " logits is a number: the model's output is damaged";
    return false;
  }
  // Infinity stands out as surely as a maximum at temperature 0.
  if (options.temperature == 0 || std::isinf(best))
    return true;

  kept.clear();
  for (size_t i = 0; i < count; ++i)
    if (logits[i] > -std::numeric_limits<float>::infinity())
      kept.emplace_back(logits[i], static_cast<int32_t>(i));
  auto before = [](const auto &a, const auto &b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  };
  size_t keep = kept.size();
  if (options.topK > 0)
    keep = std::min(keep, static_cast<size_t>(options.topK));
  std::partial_sort(kept.begin(), kept.begin() + static_cast<ptrdiff_t>(keep),
                    kept.end(), before);
  kept.resize(keep);
  double sum = 0;
  for (auto &[value, id] : kept) {
    value = std::exp((value - best) / options.temperature);
    sum += value;
  }
  if (options.topP < 1) {
    double limit = options.topP * sum, reached = 0;
    size_t used = 0;
    while (used < kept.size() && reached < limit)
      reached += kept[used++].first;
    kept.resize(std::max<size_t>(1, used));
    sum = reached;
  }
  double draw = static_cast<double>(generator() >> 11) * 0x1p-53 * sum;
  for (const auto &[weight, id] : kept) {
    token = id;
    draw -= weight;
    if (draw < 0)
      break;
  }
  return true;
}
