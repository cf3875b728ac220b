//===- weir-c/Compiler.h - The C interface of the compiler --------*- C -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiles models to files, or into memory to be run by the runtime's interface
// (weir-rt/Runtime.h), which the same library has.
//
// Versions. Within a major version, functions, enumerators, fields at the end
// of structures and names of options are added, and nothing is removed or
// changed. A program may ask weir_compiler_api_version which one it runs with.
//
// Errors. Functions that can fail return 0 on success and 1 otherwise, or null
// where they make an object. What was wrong is then told by the `_error`
// function of the handle, and for compilations also by its diagnostics.
//
// Threads. A handle serves one thread at a time; different ones are
// independent. Null handles may be freed.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_C_COMPILER_H
#define WEIR_C_COMPILER_H

#include "weir-rt/Runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_COMPILER_API_MAJOR 1
#define WEIR_COMPILER_API_MINOR 0

/// The version of the loaded library: major * 65536 + minor.
uint32_t weir_compiler_api_version(void);
/// The compiler's release, e.g. "0.1.0".
const char *weir_compiler_release(void);

/// A compiler with its dialects loaded, for any number of models.
typedef struct weir_compiler weir_compiler;
/// How to compile; the same set may serve several compilations.
typedef struct weir_compile_options weir_compile_options;
/// A model compiled into memory.
typedef struct weir_jit weir_jit;

/// How grave a diagnostic is.
enum weir_severity {
  WEIR_SEVERITY_NOTE = 0, ///< belongs to the diagnostic before it
  WEIR_SEVERITY_WARNING = 1,
  WEIR_SEVERITY_ERROR = 2,
  WEIR_SEVERITY_REMARK = 3
};

/// A diagnostic, valid during the callback.
typedef struct weir_diagnostic {
  int32_t severity; ///< weir_severity
  uint32_t line;    ///< 0 when there is no place to point to
  uint32_t column;
  uint32_t reserved; ///< 0
  const char *file;  ///< empty when there is no place to point to
  const char *message;
} weir_diagnostic;

typedef void (*weir_diagnostic_fn)(void *user,
                                   const weir_diagnostic *diagnostic);

/// A compiler that calls `receive` (which may be null) for each diagnostic.
weir_compiler *weir_compiler_create(weir_diagnostic_fn receive, void *user);
void weir_compiler_free(weir_compiler *compiler);

/// The errors of the last compilation, one a line, with places where they have
/// one; empty if it succeeded. Valid until the next one.
const char *weir_compiler_error(const weir_compiler *compiler);

/// Options as weirc has them when none is given.
weir_compile_options *weir_compile_options_create(void);
void weir_compile_options_free(weir_compile_options *options);

/// Sets what weirc calls `--name=value`: `emit`, `reference` (none, f32, f64),
/// `target`, `target-cpu`, `threads`, `quantize`, `compute`, `max-length`,
/// `entry`, `weights`, `stop-after`, `dump-stages`, and `runtime-dir`, where
/// the runtime's archives lie if not beside this library.
int weir_compile_options_set(weir_compile_options *options, const char *name,
                             const char *value);
/// Why the last weir_compile_options_set failed; empty if it did not.
const char *weir_compile_options_error(const weir_compile_options *options);

/// Compiles `model`, a Hugging Face directory, a GGUF file or `.mlir` text, to
/// `output`. `options` may be null.
int weir_compile(weir_compiler *compiler, const char *model, const char *output,
                 const weir_compile_options *options);

/// Compiles `model` into memory. Its weights are written to `weights_path`,
/// which stays, or when that is null to a temporary file.
weir_jit *weir_jit_compile(weir_compiler *compiler, const char *model,
                           const char *weights_path,
                           const weir_compile_options *options);
/// The opened model, for weir_session_open and weir_runner_open. It belongs to
/// `jit`; close sessions and runners first.
weir_program *weir_jit_program(const weir_jit *jit);
/// The model's table, valid as long as `jit`.
const weir_model_desc *weir_jit_model(const weir_jit *jit);
void weir_jit_free(weir_jit *jit);

#ifdef __cplusplus
}
#endif

#endif // WEIR_C_COMPILER_H
