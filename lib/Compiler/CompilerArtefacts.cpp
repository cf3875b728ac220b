//===- CompilerArtefacts.cpp - What a compilation leaves -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompilerParts.h"
#include "DeviceCode.h"
#include "OutputFiles.h"
#include "WeightsWriter.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "weir-rt/ModelDesc.h"
#include "weir/Target/Link.h"
#include "weir/Target/ModelHeader.h"
#include "weir/Target/TemporaryFile.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace weir;

/// Whether the speed of the code matters less than the time to compile it.
static bool isPlain(const CompileOptions &options) {
  return options.lowering != Lowering::Optimized;
}

/// Moves the weights that have a place in the file to a module of their own,
/// and takes off `module` what LLVM IR does not know.
static OwningOpRef<ModuleOp> detachWeights(ModuleOp module) {
  OwningOpRef<ModuleOp> weights = cast<ModuleOp>(module->cloneWithoutRegions());
  weights->getBodyRegion().emplaceBlock();
  for (auto param : llvm::make_early_inc_range(module.getOps<ParamOp>()))
    param->moveBefore(weights->getBody(), weights->getBody()->end());
  removeWeirAttributes(module);
  return weights;
}

LogicalResult Compilation::emitWeights(ModuleOp params, StringRef path) {
  interface.weightsBytes = 0;
  if (params.getOps<ParamOp>().empty())
    return success();
  report("weights");
  llvm::Expected<uint64_t> id = writeWeights(params, checkpoint.get(), path);
  if (!id)
    return fail(id.takeError());
  interface.weightsId = *id;
  interface.weightsBytes =
      params->getAttrOfType<IntegerAttr>("weir.weights_bytes").getInt();
  return success();
}

std::unique_ptr<llvm::Module>
Compilation::translate(llvm::LLVMContext &llvmContext,
                       llvm::TargetMachine &machine, llvm::StringRef library) {
  // Each entry takes the weights and the arena behind its own arguments, and
  // what launches kernels a queue for them.
  ModelInterface complete = interface;
  if (hasKernels(options)) {
    report("kernels");
    FailureOr<DeviceInterface> device = buildDeviceCode(*module, options);
    if (failed(device))
      return nullptr;
    complete.device = std::move(*device);
  }
  for (FunctionInterface &function : complete.functions) {
    auto addHidden = [&](StringRef name, int32_t role) -> ValueInterface & {
      ValueInterface &hidden = function.args.emplace_back();
      hidden.name = name.str();
      hidden.dtype = WEIR_I8;
      hidden.role = role;
      return hidden;
    };
    for (auto [name, role] : {std::pair("weights", WEIR_ROLE_WEIGHTS),
                              std::pair("arena", WEIR_ROLE_ARENA)}) {
      ValueInterface &bytes = addHidden(name, role);
      bytes.shape = {WEIR_DYNAMIC};
      bytes.axes = {0};
    }
    if (complete.device)
      addHidden("queue", WEIR_ROLE_QUEUE);
  }

  report("translating");
  std::unique_ptr<llvm::Module> code =
      translateModuleToLLVMIR(*module, llvmContext);
  if (!code)
    return nullptr;
  // Plain definitions compute what they say, however long it takes.
  complete.flushSubnormals =
      !isPlain(options) && machine.getTargetTriple().isX86();
  if (llvm::Error error = emitModelTable(*code, complete)) {
    (void)fail(std::move(error));
    return nullptr;
  }
  for (llvm::Function &function : *code)
    if (!function.isDeclaration())
      function.setLinkage(llvm::GlobalValue::InternalLinkage);
  if (!library.empty())
    emitModelAccessor(*code, library);
  report("optimizing");
  optimizeModule(*code, machine);
  return code;
}

LogicalResult Compilation::emitMachineCode(llvm::StringRef path,
                                           OutputFiles &files) {
  bool shared = options.emit == Emit::Shared;
  if (shared && getModelHeaderPath(path) == path)
    return emitError(UnknownLoc::get(&context))
           << "the C header of the shared library would have the name " << path
           << " too; give -o another extension";
  // Text may go to a stream; machine code is a file.
  bool isText = options.emit == Emit::LLVM || options.emit == Emit::Assembly ||
                options.emit == Emit::PTX;
  bool isStream = isText && isStreamPath(path);
  llvm::Expected<std::string> output =
      isStream ? path.str() : files.create(path);
  if (!output)
    return fail(output.takeError());
  llvm::Expected<std::string> header =
      shared ? files.create(getModelHeaderPath(path)) : std::string();
  if (!header)
    return fail(header.takeError());
  if (options.emit == Emit::PTX) {
    FailureOr<std::string> ptx = buildPTX(*module, options);
    if (failed(ptx))
      return failure();
    llvm::Error error = writeTextFile(*output, *ptx);
    return error ? fail(std::move(error)) : success();
  }
  auto machine = createTargetMachine(target, isPlain(options));
  if (!machine)
    return fail(machine.takeError());
  interface.target = target.cpu;
  interface.options = describeOptions();
  OwningOpRef<ModuleOp> weights = detachWeights(*module);
  llvm::Expected<std::string> weightsFile = std::string();
  if (!weights->getOps<ParamOp>().empty()) {
    if (isStream)
      return emitError(UnknownLoc::get(&context))
             << "the weights file is written beside the output, and " << path
             << " is no file; give -o FILE";
    weightsFile = files.create((path + ".weights").str());
    if (!weightsFile)
      return fail(weightsFile.takeError());
  }
  if (failed(emitWeights(*weights, *weightsFile)))
    return failure();
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> code =
      translate(llvmContext, **machine, shared ? path : "");
  if (!code)
    return failure();
  if (options.emit == Emit::LLVM) {
    std::string text;
    llvm::raw_string_ostream(text) << *code;
    llvm::Error error = writeTextFile(*output, text);
    return error ? fail(std::move(error)) : success();
  }
  report("object");
  auto bytes = emitCode(*code, **machine, options.emit == Emit::Assembly);
  if (!bytes)
    return fail(bytes.takeError());
  StringRef image(bytes->data(), bytes->size());
  if (options.emit == Emit::Object || options.emit == Emit::Assembly) {
    llvm::Error error = writeTextFile(*output, image);
    return error ? fail(std::move(error)) : success();
  }

  report("linking");
  TemporaryFile object;
  if (std::error_code code = object.create("weir", "o"))
    return fail(llvm::errorCodeToError(code));
  if (llvm::Error error = writeTextFile(object.getPath(), image))
    return fail(std::move(error));
  llvm::Error error =
      linkWithRuntime(object.getPath(), *output, options.runtimeDir,
                      shared ? llvm::sys::path::filename(path) : "");
  if (!error && shared)
    error = writeTextFile(*header, buildModelHeader(interface, path));
  return error ? fail(std::move(error)) : success();
}

LogicalResult Compilation::emit(llvm::StringRef path) {
  if (options.emit == Emit::MLIR || options.stopAfter != Stage::Object) {
    llvm::Error error = writeTextFile(path, printModule(*module));
    return error ? fail(std::move(error)) : success();
  }
  OutputFiles files;
  if (failed(emitMachineCode(path, files)))
    return failure();
  llvm::Error error = files.commit();
  return error ? fail(std::move(error)) : success();
}

FailureOr<std::unique_ptr<JitProgram>>
Compilation::jit(llvm::StringRef weightsPath) {
  if (reached != Stage::Lowered)
    return emitError(UnknownLoc::get(&context))
           << "the module is at stage '" << getStageName(reached)
           << "', expected 'lowered' to run it; do not stop before";
  if (llvm::Error error = checkHostRuns(target))
    return fail(std::move(error));
  auto machine = createTargetMachine(target, isPlain(options));
  if (!machine)
    return fail(machine.takeError());
  // A temporary file is gone as soon as it is mapped.
  TemporaryFile temporary;
  if (weightsPath.empty()) {
    if (std::error_code code = temporary.create("weir", "weights"))
      return fail(llvm::errorCodeToError(code));
    weightsPath = temporary.getPath();
  }
  interface.target = target.cpu;
  interface.options = describeOptions();
  OwningOpRef<ModuleOp> weights = detachWeights(*module);
  if (failed(emitWeights(*weights, weightsPath)))
    return failure();
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> code = translate(llvmContext, **machine, "");
  if (!code)
    return failure();
  report("object");
  auto bytes = emitCode(*code, **machine, /*assembly=*/false);
  if (!bytes)
    return fail(bytes.takeError());
  auto program = JitProgram::load({bytes->data(), bytes->size()}, weightsPath);
  if (!program)
    return fail(program.takeError());
  return std::move(*program);
}
