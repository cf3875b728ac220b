//===- Properties.h - What must hold of every streaming model ---*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_LIB_STREAMING_PROPERTIES_H
#define TEST_LIB_STREAMING_PROPERTIES_H

#include "RandomModel.h"

/// One run of a property: the model, random numbers, and how far what should be
/// equal was apart.
class Trial {
public:
  Trial(const TestModel &model, unsigned seed, double tolerance)
      : model(model), random(seed), tolerance(tolerance) {}

  /// A whole number in [low, high].
  int64_t pick(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() %
                                      static_cast<uint32_t>(high - low + 1));
  }
  Tokens draw(int64_t count) { return model.draw(random, count); }

  /// Counts the trial as failed unless `got` is within the tolerance of
  /// `expected`, relative to the root mean square of the latter.
  void expectNear(const Steps &got, const Steps &expected, const char *what);
  /// The same, but for every bit.
  void expectSame(const Steps &got, const Steps &expected, const char *what);
  void expect(bool holds, const std::string &what);

  const TestModel &model;
  std::mt19937 random;
  double tolerance;
  /// The largest relative difference accepted so far.
  double largest = 0;
  /// Why the trial failed; empty while it holds.
  std::string failure;
};

/// A property and its name on the command line.
struct Property {
  const char *name;
  void (*check)(Trial &trial);
};

/// All properties.
const std::vector<Property> &getProperties();

#endif // TEST_LIB_STREAMING_PROPERTIES_H
