//===- Session.cpp - A compiler to embed -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Compiler/Session.h"

using namespace mlir;
using namespace weir;

/// The dialects of a context made here.
static DialectRegistry makeRegistry() {
  DialectRegistry registry;
  registerCompilerDialects(registry);
  return registry;
}

/// Passes a diagnostic and its notes on.
static void forward(const Diagnostic &diagnostic, const DiagnosticFn &receive) {
  CompilerDiagnostic plain;
  plain.severity = diagnostic.getSeverity();
  plain.message = diagnostic.str();
  if (auto place = diagnostic.getLocation()->findInstanceOf<FileLineColLoc>()) {
    plain.file = place.getFilename().str();
    plain.line = place.getLine();
    plain.column = place.getColumn();
  }
  receive(plain);
  for (const Diagnostic &note : diagnostic.getNotes())
    forward(note, receive);
}

CompilerSession::CompilerSession(DiagnosticFn onDiagnostic)
    : context(makeRegistry()) {
  context.printOpOnDiagnostic(false);
  if (!onDiagnostic) {
    handler = std::make_unique<SourceMgrDiagnosticHandler>(sources, &context);
    return;
  }
  handler = std::make_unique<ScopedDiagnosticHandler>(
      &context, [receive = std::move(onDiagnostic)](Diagnostic &diagnostic) {
        forward(diagnostic, receive);
        return success();
      });
}

LogicalResult CompilerSession::compile(llvm::StringRef model,
                                       llvm::StringRef output,
                                       const CompileOptions &options) {
  Compilation compilation(context, options);
  return success(succeeded(compilation.load(model)) &&
                 succeeded(compilation.run()) &&
                 succeeded(compilation.emit(output)));
}

FailureOr<std::unique_ptr<JitProgram>>
CompilerSession::jit(llvm::StringRef model, const CompileOptions &options,
                     llvm::StringRef weightsPath) {
  Compilation compilation(context, options);
  if (failed(compilation.load(model)) || failed(compilation.run()))
    return failure();
  return compilation.jit(weightsPath);
}
