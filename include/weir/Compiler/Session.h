//===- weir/Compiler/Session.h - A compiler to embed ------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_COMPILER_SESSION_H
#define WEIR_COMPILER_SESSION_H

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "weir/Compiler/Compiler.h"
#include "llvm/Support/SourceMgr.h"

namespace weir {

/// A diagnostic in plain types. Notes follow what they belong to.
struct CompilerDiagnostic {
  mlir::DiagnosticSeverity severity;
  std::string message;
  /// Empty when there is no place to point to; else a line and a column.
  std::string file;
  unsigned line = 0;
  unsigned column = 0;
};

/// Receives diagnostics as they are made, in the thread that compiles.
using DiagnosticFn = std::function<void(const CompilerDiagnostic &)>;

/// What one needs to compile any number of models, one after the other: the
/// dialects and a place for diagnostics. Sessions in different threads are
/// independent.
class CompilerSession {
public:
  /// Diagnostics go to `onDiagnostic`, or to stderr with the lines they are
  /// about.
  explicit CompilerSession(DiagnosticFn onDiagnostic = nullptr);

  /// The context models are built in; further dialects may be added to it.
  mlir::MLIRContext &getContext() { return context; }

  /// Compiles `model`, a Hugging Face directory, a GGUF file or `.mlir` text,
  /// to `output` as `options` say.
  llvm::LogicalResult compile(llvm::StringRef model, llvm::StringRef output,
                              const CompileOptions &options);

  /// Compiles `model` into memory; see Compilation::jit for `weightsPath`. The
  /// result does not depend on the session.
  mlir::FailureOr<std::unique_ptr<JitProgram>>
  jit(llvm::StringRef model, const CompileOptions &options,
      llvm::StringRef weightsPath = "");

private:
  mlir::MLIRContext context;
  llvm::SourceMgr sources;
  std::unique_ptr<mlir::ScopedDiagnosticHandler> handler;
};

} // namespace weir

#endif // WEIR_COMPILER_SESSION_H
