//===- SamplerTest.cpp - Tests of choosing tokens -------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sampler.h"

#include "gtest/gtest.h"
#include <cmath>
#include <map>

using namespace weir::rt;

static int32_t draw(Sampler &sampler, const std::vector<float> &logits) {
  int32_t token;
  std::string error;
  EXPECT_TRUE(sampler.sample(logits.data(), logits.size(), token, error))
      << error;
  return token;
}

static std::map<int32_t, int>
count(SamplingOptions options, const std::vector<float> &logits, int draws) {
  Sampler sampler(options);
  std::map<int32_t, int> counts;
  for (int i = 0; i < draws; ++i)
    ++counts[draw(sampler, logits)];
  return counts;
}

TEST(Sampler, GreedyTakesTheFirstOfTheLargest) {
  Sampler sampler{SamplingOptions()};
  EXPECT_EQ(draw(sampler, {0, 3, 1, 3}), 1);
  EXPECT_EQ(draw(sampler, {NAN, -5, NAN}), 1);
  EXPECT_EQ(draw(sampler, {1, INFINITY}), 1);
  int32_t token;
  std::string error;
  float bad[] = {NAN, -INFINITY};
  EXPECT_FALSE(sampler.sample(bad, 2, token, error));
  EXPECT_EQ(error, "none of the 2 logits is a number: the model's output is "
                   "damaged");
}

TEST(Sampler, FollowsTheDistribution) {
  SamplingOptions options;
  options.temperature = 1;
  auto counts = count(options, {0, std::log(2.0f), std::log(5.0f)}, 80000);
  EXPECT_NEAR(counts[0], 10000, 500);
  EXPECT_NEAR(counts[1], 20000, 600);
  EXPECT_NEAR(counts[2], 50000, 700);
  options.temperature = 0.5;
  counts = count(options, {0, std::log(2.0f)}, 50000);
  EXPECT_NEAR(counts[1], 40000, 600);
}

TEST(Sampler, TopKAndTopPKeepTheLikeliest) {
  SamplingOptions options;
  options.temperature = 1;
  options.topK = 2;
  auto counts = count(options, {1, 5, 5, 5, NAN, -INFINITY}, 1000);
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_TRUE(counts.count(1) && counts.count(2));
  options.topK = 0;
  options.topP = 0.6;
  // Probabilities 0.5, 0.3, 0.2: two of them reach 0.6.
  counts =
      count(options, {std::log(0.2f), std::log(0.5f), std::log(0.3f)}, 1000);
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_EQ(counts.count(0), 0u);
  options.topP = 1e-9;
  EXPECT_EQ(count(options, {0, 0.1f, 0}, 100).size(), 1u);
}

TEST(Sampler, SeedsReproduce) {
  SamplingOptions options;
  options.temperature = 1;
  options.seed = 7;
  std::vector<float> logits(100, 0);
  Sampler a(options), b(options);
  options.seed = 8;
  Sampler c(options);
  int differences = 0;
  for (int i = 0; i < 50; ++i) {
    int32_t token = draw(a, logits);
    EXPECT_EQ(token, draw(b, logits));
    differences += token != draw(c, logits);
  }
  EXPECT_GT(differences, 30);
  // The generator is fixed by its definition: these never change.
  options.seed = 0;
  Sampler fixed(options);
  EXPECT_EQ(draw(fixed, logits), 15);
  EXPECT_EQ(draw(fixed, logits), 99);
}

TEST(Sampler, OptionsAreChecked) {
  std::string error;
  SamplingOptions options;
  options.temperature = -1;
  EXPECT_FALSE(Sampler::check(options, error));
  EXPECT_EQ(error, "temperature is -1.000000, expected 0 or more");
  options.temperature = NAN;
  EXPECT_FALSE(Sampler::check(options, error));
  options = SamplingOptions();
  options.topK = -1;
  EXPECT_FALSE(Sampler::check(options, error));
  EXPECT_EQ(error, "top-k is -1, expected 0 (off) or more");
  options = SamplingOptions();
  options.topP = 0;
  EXPECT_FALSE(Sampler::check(options, error));
  EXPECT_EQ(error, "top-p is 0.000000, expected more than 0 and at most 1");
}
