//===- Threads.h - How many threads to use ----------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_THREADS_H
#define LIB_RUNTIME_THREADS_H

namespace weir::rt {

/// Physical cores this process may run on: the affinity mask, with hyperthreads
/// of one core counted once, and no more than the CPU quota of its control
/// group. At least 1.
int defaultThreads();

/// Sets the number of threads that compiled code called from this thread uses.
/// Does nothing in programs without OpenMP: single-threaded code links none.
void useThreads(int count);

/// The threads that parallel regions of the calling thread have at most.
int countThreads();

} // namespace weir::rt

#endif // LIB_RUNTIME_THREADS_H
