//===- weir/Target/Machine.h - What a machine can do at most ---*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TARGET_MACHINE_H
#define WEIR_TARGET_MACHINE_H

#include "weir/Target/Object.h"
#include <optional>
#include <string>

namespace weir {

/// The roof over a machine's speed.
struct MachineLimits {
  /// Bytes per second read from memory, all threads together.
  double bandwidth = 0;
  /// Multiplications and additions of f32 per second, all threads together.
  double flops = 0;
  /// Where the numbers come from, e.g. "measured, AVX-512".
  std::string source;
};

/// Measures the machine at hand with `threads` threads in a third of a second,
/// by the widest vectors that `target` and the machine have. None when code for
/// `target` does not run here, since its numbers would be another machine's.
std::optional<MachineLimits> measureMachine(const CPUTarget &target,
                                            unsigned threads);

/// The limits written `GB/s,GFLOP/s`, e.g. "40,500".
llvm::Expected<MachineLimits> parseMachineLimits(llvm::StringRef text);

} // namespace weir

#endif // WEIR_TARGET_MACHINE_H
