//===- Compiler.cpp - The C interface of the compiler -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir-c/Compiler.h"
#include "weir/Compiler/Session.h"

using namespace weir;

struct weir_compiler {
  weir_compiler(weir_diagnostic_fn receive, void *user)
      : session([this, receive, user](const CompilerDiagnostic &diagnostic) {
          note(diagnostic);
          if (receive)
            pass(diagnostic, receive, user);
        }) {}

  void note(const CompilerDiagnostic &diagnostic);
  static void pass(const CompilerDiagnostic &diagnostic,
                   weir_diagnostic_fn receive, void *user);

  std::string errors;
  CompilerSession session;
};

struct weir_compile_options {
  CompileOptions options;
  std::string error;
};

struct weir_jit {
  std::unique_ptr<JitProgram> program;
};

/// Keeps errors for weir_compiler_error.
void weir_compiler::note(const CompilerDiagnostic &diagnostic) {
  if (diagnostic.severity != mlir::DiagnosticSeverity::Error)
    return;
  if (!errors.empty())
    errors += '\n';
  if (!diagnostic.file.empty())
    errors += diagnostic.file + ":" + std::to_string(diagnostic.line) + ":" +
              std::to_string(diagnostic.column) + ": ";
  errors += diagnostic.message;
}

static weir_severity toSeverity(mlir::DiagnosticSeverity severity) {
  switch (severity) {
  case mlir::DiagnosticSeverity::Note:
    return WEIR_SEVERITY_NOTE;
  case mlir::DiagnosticSeverity::Warning:
    return WEIR_SEVERITY_WARNING;
  case mlir::DiagnosticSeverity::Error:
    return WEIR_SEVERITY_ERROR;
  case mlir::DiagnosticSeverity::Remark:
    return WEIR_SEVERITY_REMARK;
  }
  return WEIR_SEVERITY_ERROR;
}

void weir_compiler::pass(const CompilerDiagnostic &diagnostic,
                         weir_diagnostic_fn receive, void *user) {
  weir_diagnostic plain = {toSeverity(diagnostic.severity),
                           diagnostic.line,
                           diagnostic.column,
                           0,
                           diagnostic.file.c_str(),
                           diagnostic.message.c_str()};
  receive(user, &plain);
}

uint32_t weir_compiler_api_version(void) {
  return WEIR_COMPILER_API_MAJOR * 65536 + WEIR_COMPILER_API_MINOR;
}

const char *weir_compiler_release(void) { return WEIR_VERSION; }

weir_compiler *weir_compiler_create(weir_diagnostic_fn receive, void *user) {
  return new weir_compiler(receive, user);
}

void weir_compiler_free(weir_compiler *compiler) { delete compiler; }

const char *weir_compiler_error(const weir_compiler *compiler) {
  return compiler->errors.c_str();
}

weir_compile_options *weir_compile_options_create(void) {
  return new weir_compile_options();
}

void weir_compile_options_free(weir_compile_options *options) {
  delete options;
}

int weir_compile_options_set(weir_compile_options *options, const char *name,
                             const char *value) {
  options->error.clear();
  if (llvm::Error error = setCompileOption(options->options, name, value))
    options->error = llvm::toString(std::move(error));
  return !options->error.empty();
}

const char *weir_compile_options_error(const weir_compile_options *options) {
  return options->error.c_str();
}

int weir_compile(weir_compiler *compiler, const char *model, const char *output,
                 const weir_compile_options *options) {
  compiler->errors.clear();
  return failed(compiler->session.compile(
      model, output, options ? options->options : CompileOptions()));
}

weir_jit *weir_jit_compile(weir_compiler *compiler, const char *model,
                           const char *weights_path,
                           const weir_compile_options *options) {
  compiler->errors.clear();
  auto program = compiler->session.jit(
      model, options ? options->options : CompileOptions(),
      weights_path ? weights_path : "");
  return failed(program) ? nullptr : new weir_jit{std::move(*program)};
}

weir_program *weir_jit_program(const weir_jit *jit) {
  return jit->program->getProgram();
}

const weir_model_desc *weir_jit_model(const weir_jit *jit) {
  return &jit->program->getModel();
}

void weir_jit_free(weir_jit *jit) { delete jit; }
