//===- weir-check-streaming.cpp - Property tests of a compiled model ------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   weir-check-streaming MODEL.so [FIRST_SEED] [TRIALS] [PROPERTY]
//
// Checks every property, or the one named, on a model compiled with
// --emit=shared, with TRIALS seeds from FIRST_SEED on. Prints a line per
// property; a failure names the seed that repeats it.
//
//===----------------------------------------------------------------------===//

#include "Properties.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

int main(int argc, char **argv) {
  if (argc < 2 || argc > 5)
    die("expected MODEL.so [FIRST_SEED] [TRIALS] [PROPERTY]");
  // Logits of float32 models are this far from equal when added in another
  // order; a wrong position or mask is off by orders of magnitude more.
  constexpr double tolerance = 2e-4;
  TestModel model(argv[1]);
  unsigned first = argc > 2 ? unsigned(std::atoi(argv[2])) : 1;
  unsigned trials = argc > 3 ? unsigned(std::atoi(argv[3])) : 10;
  std::string only = argc > 4 ? argv[4] : "";
  int held = 0, failed = 0;
  for (const Property &property : getProperties()) {
    if (!only.empty() && only != property.name)
      continue;
    double largest = 0;
    std::string failure;
    unsigned seed = first;
    for (; seed < first + trials && failure.empty(); ++seed) {
      Trial trial(model, seed, tolerance);
      property.check(trial);
      largest = std::max(largest, trial.largest);
      failure = trial.failure;
    }
    if (failure.empty()) {
      std::printf("%s: held for seeds %u to %u, largest difference %.1e\n",
                  property.name, first, seed - 1, largest);
      ++held;
    } else {
      std::printf("%s: FAILED with seed %u: %s\n", property.name, seed - 1,
                  failure.c_str());
      ++failed;
    }
    std::fflush(stdout);
  }
  std::printf("%d held, %d failed\n", held, failed);
  return failed || !held;
}
