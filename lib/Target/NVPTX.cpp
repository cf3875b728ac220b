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

/// What `assembler` makes of `ptx`; `log` is what it says of each kernel.
static Expected<std::string> runAssembler(StringRef assembler, StringRef ptx,
                                          StringRef arch, std::string &log) {
  weir::TemporaryFile source, code, said;
  for (auto [file, suffix] :
       {std::pair(&source, "ptx"), std::pair(&code, "cubin"),
        std::pair(&said, "log")})
    if (std::error_code error = file->create("weir-ptxas", suffix))
      return errorCodeToError(error);
  if (Error error = writeToOutput(source.getPath(), [&](raw_ostream &os) {
        os << ptx;
        return Error(Error::success());
      }))
    return error;
  std::string option = ("-arch=" + arch).str();
  StringRef arguments[] = {assembler,        "-v", option,
                           source.getPath(), "-o", code.getPath()};
  std::optional<StringRef> redirects[] = {StringRef(""), said.getPath(),
                                          said.getPath()};
  std::string message;
  int status = sys::ExecuteAndWait(assembler, arguments, std::nullopt,
                                   redirects, 0, 0, &message);
  if (auto text = MemoryBuffer::getFile(said.getPath()))
    log = (*text)->getBuffer().str();
  if (status)
    return createStringError("ptxas refuses the kernels for " + arch + ": " +
                             message + log);
  auto made = MemoryBuffer::getFile(code.getPath(), /*IsText=*/false,
                                    /*RequiresNullTerminator=*/false);
  if (!made)
    return errorCodeToError(made.getError());
  return (*made)->getBuffer().str();
}

/// Blocks that kernels which spill are to have room for on a multiprocessor: of
/// 128 threads each may take 255 registers then.
static constexpr StringLiteral FewBlocks = ".minnctapersm 2";

/// Lets kernels that spill, by `log`, take more registers; whether there are
/// any that `ptx` had not let.
static bool allowRegisters(std::string &ptx, StringRef log) {
  bool any = false;
  StringRef kernel;
  while (!log.empty()) {
    StringRef line;
    std::tie(line, log) = log.split('\n');
    if (StringRef name = line.split("Compiling entry function '").second;
        !name.empty())
      kernel = name.take_until([](char c) { return c == '\''; });
    if (!line.contains("bytes spill stores") ||
        line.contains(" 0 bytes spill stores"))
      continue;
    size_t entry = ptx.find((".entry " + kernel + "(").str());
    size_t threads = ptx.find("\n.maxntid", entry);
    size_t body = ptx.find("\n{", entry);
    if (entry == ptx.npos || threads == ptx.npos || threads > body ||
        StringRef(ptx).slice(threads, body).contains(".minnctapersm"))
      continue;
    ptx.insert(ptx.find('\n', threads + 1), ("\n" + FewBlocks).str());
    any = true;
  }
  return any;
}

Expected<std::optional<std::string>> weir::assemblePTX(std::string &ptx,
                                                       StringRef arch) {
  auto assembler = sys::findProgramByName("ptxas");
  if (!assembler)
    return std::nullopt;
  std::string log;
  Expected<std::string> code = runAssembler(*assembler, ptx, arch, log);
  // Left alone, the assembler keeps to as many registers as let many blocks be
  // on a multiprocessor, and rather spills; tiles in registers gain nothing.
  if (code && allowRegisters(ptx, log))
    code = runAssembler(*assembler, ptx, arch, log);
  if (!code)
    return code.takeError();
  return std::optional(std::move(*code));
}
