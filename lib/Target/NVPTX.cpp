//===- NVPTX.cpp - Code for NVIDIA GPUs -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The PTX version is one that drivers have known since CUDA 12.0, so that text
// for later architectures does not ask for a newer driver than it must.
//
//===----------------------------------------------------------------------===//

#include "weir/Target/NVPTX.h"
#include "mlir/IR/Operation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "weir/Target/Object.h"
#include "weir/Target/TemporaryFile.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;

static constexpr StringLiteral TripleName = "nvptx64-nvidia-cuda";
static constexpr StringLiteral PTXVersion = "+ptx80";
/// The oldest architecture there is code for.
static constexpr unsigned OldestArch = 80;

static Expected<const Target *> findTarget() {
  InitializeAllTargetInfos();
  InitializeAllTargets();
  InitializeAllTargetMCs();
  InitializeAllAsmPrinters();
  std::string error;
  const Target *target =
      TargetRegistry::lookupTarget(Triple(TripleName), error);
  if (!target)
    return createStringError("this LLVM has no NVPTX back end: " + error);
  return target;
}

Error weir::checkGPUArch(StringRef arch) {
  Expected<const Target *> target = findTarget();
  if (!target)
    return target.takeError();
  std::unique_ptr<MCSubtargetInfo> info(
      (*target)->createMCSubtargetInfo(Triple(TripleName), "", ""));
  unsigned number = 0;
  StringRef digits = arch;
  bool fits = digits.consume_front("sm_") &&
              !digits.consumeInteger(10, number) && number >= OldestArch;
  if (fits && info->isCPUStringValid(arch))
    return Error::success();
  return createStringError("unknown gpu-arch '" + arch +
                           "', expected sm_80, sm_86, sm_89, sm_90a or another "
                           "from sm_80 on that LLVM knows");
}

int64_t weir::getSharedBytes(StringRef arch) {
  // CUDA C++ Programming Guide, technical specifications per compute
  // capability; what is not listed has at least what the smallest has.
  unsigned number = 0;
  arch.consume_front("sm_");
  arch.consumeInteger(10, number);
  switch (number) {
  case 80:
  case 87:
    return 163 * 1024;
  case 90:
  case 100:
  case 101:
  case 103:
    return 227 * 1024;
  default:
    return 99 * 1024;
  }
}

Expected<std::string> weir::emitPTX(mlir::Operation *kernels, StringRef arch) {
  Expected<const Target *> target = findTarget();
  if (!target)
    return target.takeError();
  LLVMContext context;
  std::unique_ptr<Module> module =
      mlir::translateModuleToLLVMIR(kernels, context);
  if (!module)
    return createStringError("kernels could not be translated to LLVM IR");
  TargetOptions options;
  options.AllowFPOpFusion = FPOpFusion::Fast;
  std::unique_ptr<TargetMachine> machine((*target)->createTargetMachine(
      Triple(TripleName), arch, PTXVersion, options, std::nullopt, std::nullopt,
      CodeGenOptLevel::Aggressive));
  if (!machine)
    return createStringError("cannot generate code for " + arch);
  optimizeModule(*module, *machine);
  Expected<SmallVector<char, 0>> text =
      emitCode(*module, *machine, /*assembly=*/true);
  if (!text)
    return text.takeError();
  return std::string(text->data(), text->size());
}

Expected<std::optional<std::string>> weir::assemblePTX(StringRef ptx,
                                                       StringRef arch) {
  auto assembler = sys::findProgramByName("ptxas");
  if (!assembler)
    return std::nullopt;
  TemporaryFile source, code, log;
  for (auto [file, suffix] :
       {std::pair(&source, "ptx"), std::pair(&code, "cubin"),
        std::pair(&log, "log")})
    if (std::error_code error = file->create("weir-ptxas", suffix))
      return errorCodeToError(error);
  if (Error error = writeToOutput(source.getPath(), [&](raw_ostream &os) {
        os << ptx;
        return Error(Error::success());
      }))
    return error;
  std::string option = ("-arch=" + arch).str();
  StringRef arguments[] = {*assembler, option, source.getPath(), "-o",
                           code.getPath()};
  std::optional<StringRef> redirects[] = {StringRef(""), log.getPath(),
                                          log.getPath()};
  std::string message;
  if (sys::ExecuteAndWait(*assembler, arguments, std::nullopt, redirects, 0, 0,
                          &message)) {
    auto text = MemoryBuffer::getFile(log.getPath());
    return createStringError("ptxas refuses the kernels for " + arch + ": " +
                             message +
                             (text ? (*text)->getBuffer() : StringRef()));
  }
  auto made = MemoryBuffer::getFile(code.getPath(), /*IsText=*/false,
                                    /*RequiresNullTerminator=*/false);
  if (!made)
    return errorCodeToError(made.getError());
  return std::optional((*made)->getBuffer().str());
}
