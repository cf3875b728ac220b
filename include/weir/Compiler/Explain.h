//===- weir/Compiler/Explain.h - What a model costs, as a table -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_COMPILER_EXPLAIN_H
#define WEIR_COMPILER_EXPLAIN_H

#include "mlir/IR/BuiltinOps.h"
#include "weir/Target/Machine.h"
#include "llvm/Support/raw_ostream.h"

namespace weir {

/// What a module does not say itself.
struct ExplainOptions {
  /// The options in force, on one line.
  std::string description;
  /// Positions a row has seen when a token is decoded.
  int64_t context = 512;
  /// What products are computed in: `f32`, `bf16` or `int8`. An instruction
  /// takes two bf16 or four bytes where it takes one f32, so that the limit of
  /// arithmetic is as many times as high.
  std::string computes = "f32";
  /// Threads that compute.
  unsigned threads = 1;
  /// What the machine can do; none leaves the predicted limit out.
  std::optional<MachineLimits> machine;
};

/// Prints a table of `module`, which is at the stage `scheduled`: layers with
/// their shapes, parameters, storage, and the forms and tiles chosen, the
/// state, and what a token costs. All of it is read off the IR by interfaces.
void explainModule(llvm::raw_ostream &os, mlir::ModuleOp module,
                   const ExplainOptions &options);

/// Prints the same as a page of HTML, with a drawing of each layer's mask:
/// which tiles of pairs are skipped, computed without a mask, and masked.
void explainModuleAsPage(llvm::raw_ostream &os, mlir::ModuleOp module,
                         const ExplainOptions &options);

} // namespace weir

#endif // WEIR_COMPILER_EXPLAIN_H
