//===- Progress.cpp - How far a compilation is ------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Progress.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

using namespace weir;

/// The steps a compilation may have, in order.
static constexpr llvm::StringLiteral Steps[] = {
    "reading", "formed",      "scheduled",  "tiled",  "bufferized", "lowered",
    "weights", "translating", "optimizing", "object", "linking"};

/// "0.3 s"
static std::string formatSeconds(double seconds) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.1f s", seconds);
  return text;
}

Progress::Progress(bool enabled)
    : enabled(enabled && llvm::sys::Process::StandardErrIsDisplayed()),
      begin(Clock::now()), stepBegin(begin) {}

void Progress::endStep() {
  Clock::time_point now = Clock::now();
  if (!current.empty())
    done.push_back(
        {current, std::chrono::duration<double>(now - stepBegin).count()});
  stepBegin = now;
}

void Progress::start(llvm::StringRef step) {
  endStep();
  current = step.str();
  if (!enabled)
    return;
  size_t position = llvm::find(Steps, step) - std::begin(Steps);
  llvm::errs() << "\r\033[K[" << std::string(position, '=')
               << std::string(std::size(Steps) - position, ' ') << "] " << step;
  if (!done.empty())
    llvm::errs() << " (" << done.back().name << ' '
                 << formatSeconds(done.back().seconds) << ')';
}

void Progress::clear() {
  if (enabled)
    llvm::errs() << "\r\033[K";
}

void Progress::finish(const llvm::Twine &what) {
  endStep();
  current.clear();
  clear();
  llvm::errs()
      << what << " in "
      << formatSeconds(
             std::chrono::duration<double>(Clock::now() - begin).count());
  if (enabled) {
    llvm::errs() << ": ";
    llvm::interleaveComma(done, llvm::errs(), [](const Step &step) {
      llvm::errs() << step.name << ' ' << formatSeconds(step.seconds);
    });
  }
  llvm::errs() << '\n';
}
