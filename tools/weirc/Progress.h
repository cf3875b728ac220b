//===- Progress.h - How far a compilation is -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TOOLS_WEIRC_PROGRESS_H
#define WEIR_TOOLS_WEIRC_PROGRESS_H

#include "llvm/ADT/Twine.h"
#include <chrono>
#include <string>
#include <vector>

namespace weir {

/// Shows the steps of a compilation as they pass, on one line of a terminal,
/// and how long each took when it is done. Elsewhere nothing is shown: logs
/// want no bars.
class Progress {
public:
  explicit Progress(bool enabled);
  ~Progress() { clear(); }

  /// Ends the step before and begins `step`.
  void start(llvm::StringRef step);
  /// Takes the bar off the line, so that something else can be printed.
  void clear();
  /// Says that `what` is done, and on a terminal how long the steps took.
  void finish(const llvm::Twine &what);

private:
  using Clock = std::chrono::steady_clock;
  /// A step that took `seconds`.
  struct Step {
    std::string name;
    double seconds;
  };
  void endStep();

  bool enabled;
  Clock::time_point begin, stepBegin;
  std::string current;
  std::vector<Step> done;
};

} // namespace weir

#endif // WEIR_TOOLS_WEIRC_PROGRESS_H
