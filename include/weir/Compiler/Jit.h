//===- weir/Compiler/Jit.h - Models in this process's memory ----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_COMPILER_JIT_H
#define WEIR_COMPILER_JIT_H

#include "weir-rt/Runtime.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>

namespace weir {

/// Closes handles of the runtime.
struct RuntimeDeleter {
  void operator()(weir_program *program) { weir_program_close(program); }
  void operator()(weir_session *session) { weir_session_close(session); }
  void operator()(weir_runner *runner) { weir_runner_close(runner); }
  void operator()(weir_tensor_list *list) { weir_tensor_list_free(list); }
};

/// A session of the runtime; see weir-rt/Runtime.h for what it can do.
using RuntimeSession = std::unique_ptr<weir_session, RuntimeDeleter>;
/// Tensors that a function returned.
using RuntimeTensors = std::unique_ptr<weir_tensor_list, RuntimeDeleter>;

/// A model compiled into memory and opened by the runtime. Sessions and
/// programs made from it must be closed before it goes, since it takes the
/// machine code along.
class JitProgram {
public:
  /// Loads an object file that defines `weir_model`, and opens the model with
  /// the weights at `weightsPath`, which may be removed afterwards.
  static llvm::Expected<std::unique_ptr<JitProgram>>
  load(llvm::ArrayRef<char> object, llvm::StringRef weightsPath);
  ~JitProgram();

  /// The model's table.
  const weir_model_desc &getModel() const;

  /// The opened model, owned by this object.
  weir_program *getProgram() const;

  /// Opens a session with an empty state.
  llvm::Expected<RuntimeSession>
  openSession(const weir_session_options &options = {}) const;

  /// Runs `function` on named tensors; when it is empty, the one weir_forward
  /// chooses. One call at a time: for more, open runners on getProgram().
  llvm::Expected<RuntimeTensors> run(llvm::StringRef function,
                                     llvm::ArrayRef<weir_tensor> inputs);

private:
  struct Code;
  JitProgram();

  /// Destroyed last.
  std::unique_ptr<Code> code;
  std::unique_ptr<weir_program, RuntimeDeleter> program;
  /// Opened by the first `run`.
  std::unique_ptr<weir_runner, RuntimeDeleter> runner;
};

} // namespace weir

#endif // WEIR_COMPILER_JIT_H
