//===- StageRecord.h - What a dump says of its compilation -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A module carries all that its compilation needs to go on, as attributes:
//
// - `weir.stage`: the last stage it went through;
// - `weir.options`: what was asked for, once a stage depended on it;
// - `weir.checkpoint`: where its weights and its tokenizer come from;
// - `weir.interface`: what the runtime is told, once signatures stop saying it.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_COMPILER_STAGERECORD_H
#define WEIR_LIB_COMPILER_STAGERECORD_H

#include "mlir/IR/BuiltinOps.h"
#include "weir/Compiler/Compiler.h"

namespace weir {

/// `optimized`, `reference` or `reference-f64`.
llvm::StringRef getLoweringName(Lowering lowering);

/// The stage `module` is at; `input` when it does not say. Anything else than
/// a stage a module can be at is an error.
llvm::Expected<Stage> getRecordedStage(mlir::ModuleOp module);
void recordStage(mlir::ModuleOp module, Stage stage);

/// The checkpoint `module` names, or an empty string.
llvm::StringRef getRecordedCheckpoint(mlir::ModuleOp module);
void recordCheckpoint(mlir::ModuleOp module, llvm::StringRef path);

/// Writes down the options that stages behind `input` depend on, and what
/// products are computed in (`computes`), which is not known before
/// `scheduled`.
void recordOptions(mlir::ModuleOp module, const CompileOptions &options,
                   const CPUTarget &target, llvm::StringRef computes);
/// Takes those options over. One that was given, is not the default and is not
/// what the dump was made with is an error.
llvm::Error adoptRecordedOptions(mlir::ModuleOp module, CompileOptions &options,
                                 CPUTarget &target, std::string &computes);

/// All options on one line, as the compiled model shows them.
std::string describeOptions(const CompileOptions &options,
                            const CPUTarget &target, llvm::StringRef computes);

} // namespace weir

#endif // WEIR_LIB_COMPILER_STAGERECORD_H
