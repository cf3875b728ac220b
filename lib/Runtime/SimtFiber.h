//===- SimtFiber.h - Threads of a kernel on one stack each ------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_SIMTFIBER_H
#define LIB_RUNTIME_SIMTFIBER_H

#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace weir::rt {

/// A flow of control that its owner resumes and that suspends itself. It may
/// be dropped while suspended: what runs in it must own nothing.
class Fiber {
public:
  Fiber() = default;
  ~Fiber();
  Fiber(const Fiber &) = delete;
  Fiber &operator=(const Fiber &) = delete;

  /// Prepares a call of `entry(argument)`, which must not return; false when
  /// there is no memory for a stack. A stack from before is used again.
  bool start(void (*entry)(void *), void *argument);

  /// Runs the fiber until it suspends.
  void resume();
  /// Returns to who resumed; called in the fiber alone.
  void suspend();

private:
  void *stack = nullptr;
#if defined(__x86_64__)
  void *inside = nullptr, *outside = nullptr; ///< stack pointers
#else
  ucontext_t inside, outside;
#endif
};

} // namespace weir::rt

#endif // LIB_RUNTIME_SIMTFIBER_H
