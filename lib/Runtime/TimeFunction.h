//===- TimeFunction.h - How long calls of a function take -------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_TIMEFUNCTION_H
#define LIB_RUNTIME_TIMEFUNCTION_H

#include "Forward.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::rt {

/// Calls of one function, one behind the other.
struct FunctionTimes {
  std::string function;
  std::vector<double> milliseconds; ///< of each call
  int64_t warmCalls = 0;            ///< that came before and do not count
  int64_t kernels = 0;              ///< that a call launches
  bool byEvents = false;            ///< on the device's clock, not the host's
};

/// The middle of `values`, which are some; between two the mean of both.
double findMedian(std::vector<double> values);

/// Draws the inputs of `function`, the same for the same seed: floats uniform
/// in [-1, 1), integers below their limit, or 0 and 1 where they have none, as
/// booleans. Inputs that may be missing are. Extents must be known.
bool drawInputs(const weir_function_desc &function, uint64_t seed,
                std::vector<OwnedTensor> &inputs, std::string &error);

/// What was timed and where, as lines of text, and as JSON.
std::string describeTimes(const FunctionTimes &times, const Program &program,
                          int threads);
std::string printTimes(const FunctionTimes &times, const Program &program,
                       int threads);

} // namespace weir::rt

#endif // LIB_RUNTIME_TIMEFUNCTION_H
