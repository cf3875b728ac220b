//===- CommandLine.h - The command line of a compiled model -----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_COMMANDLINE_H
#define LIB_RUNTIME_COMMANDLINE_H

#include "weir-rt/ModelDesc.h"

#include <cstdio>

namespace weir::rt {

/// Does what the arguments say, writing results to `out` and messages to `err`.
/// Returns the exit status: 0, 1 for errors, 2 for wrong usage. Not for use by
/// two threads at once: the C library's argument parser is not.
int runCommandLine(const weir_model_desc &model, int argc, char **argv,
                   std::FILE *out, std::FILE *err);

} // namespace weir::rt

#endif // LIB_RUNTIME_COMMANDLINE_H
