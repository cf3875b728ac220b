//===- Jit.cpp - Models in this process's memory -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The code generator makes the same object file as for an executable; ORC links
// it against this library, which has the runtime inside and OpenMP and libm
// beside it. So a model computes the same numbers in either form.
//
//===----------------------------------------------------------------------===//

#include "weir/Compiler/Jit.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"
#include <dlfcn.h>

using namespace weir;

// Called by generated code (lib/Runtime/Threads.cpp); here it stands for the
// file that the runtime was linked into.
extern "C" int64_t weir_rt_num_threads(void);

struct JitProgram::Code {
  std::unique_ptr<llvm::orc::LLJIT> jit;
  const weir_model_desc *model = nullptr;
};

JitProgram::JitProgram() : code(std::make_unique<Code>()) {}
JitProgram::~JitProgram() = default;

/// The runtime's error as LLVM's; frees it.
static llvm::Error toError(weir_error *error) {
  llvm::Error result = llvm::createStringError(weir_error_message(error));
  weir_error_free(error);
  return result;
}

/// Finds what generated code calls: in the file that holds the runtime and in
/// what that file is linked with, even if the process loaded it for itself
/// alone, as Python does.
static void addRuntime(llvm::orc::LLJIT &jit) {
  char prefix = jit.getDataLayout().getGlobalPrefix();
  Dl_info info;
  void *self = nullptr;
  if (dladdr(reinterpret_cast<void *>(&weir_rt_num_threads), &info))
    self = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  // The runtime is in the executable itself.
  if (!self)
    self = dlopen(nullptr, RTLD_LAZY);
  jit.getMainJITDylib().addGenerator(
      std::make_unique<llvm::orc::DynamicLibrarySearchGenerator>(
          llvm::sys::DynamicLibrary(self), prefix));
}

llvm::Expected<std::unique_ptr<JitProgram>>
JitProgram::load(llvm::ArrayRef<char> object, llvm::StringRef weightsPath) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto jit = llvm::orc::LLJITBuilder()
                 .setPlatformSetUp(llvm::orc::setUpInactivePlatform)
                 .create();
  if (!jit)
    return jit.takeError();
  std::unique_ptr<JitProgram> result(new JitProgram());
  result->code->jit = std::move(*jit);
  llvm::orc::LLJIT &engine = *result->code->jit;
  addRuntime(engine);
  if (llvm::Error error =
          engine.addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(
              llvm::StringRef(object.data(), object.size()), "model.o")))
    return error;
  auto table = engine.lookup("weir_model");
  if (!table)
    return table.takeError();
  result->code->model = table->toPtr<const weir_model_desc *>();
  weir_error *error = nullptr;
  result->program.reset(weir_program_open(result->code->model,
                                          weightsPath.str().c_str(), &error));
  if (!result->program)
    return toError(error);
  return result;
}

const weir_model_desc &JitProgram::getModel() const { return *code->model; }

weir_program *JitProgram::getProgram() const { return program.get(); }

llvm::Expected<RuntimeSession>
JitProgram::openSession(const weir_session_options &options) const {
  weir_error *error = nullptr;
  RuntimeSession session(weir_session_open(program.get(), &options, &error));
  if (!session)
    return toError(error);
  return session;
}

llvm::Expected<RuntimeTensors>
JitProgram::run(llvm::StringRef function, llvm::ArrayRef<weir_tensor> inputs) {
  weir_error *error = nullptr;
  if (!runner)
    runner.reset(weir_runner_open(program.get(), /*threads=*/0, &error));
  if (!runner)
    return toError(error);
  RuntimeTensors results(weir_forward(
      runner.get(), function.empty() ? nullptr : function.str().c_str(),
      inputs.data(), inputs.size(), &error));
  if (!results)
    return toError(error);
  return results;
}
