//===- Compiler.cpp - From a model to an artefact -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Compiler/Compiler.h"
#include "CompilerParts.h"
#include "DeviceCode.h"
#include "StageRecord.h"
#include "StoredTypes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "weir/Frontend/Import.h"
#include "weir/Target/NVPTX.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Threading.h"

using namespace mlir;
using namespace weir;

void weir::registerCompilerDialects(DialectRegistry &registry) {
  registry.insert<WeirDialect>();
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registerAllToLLVMIRTranslations(registry);
}

Compilation::Compilation(MLIRContext &context, CompileOptions options)
    : context(context), options(std::move(options)) {
  if (this->options.threads == 0)
    this->options.threads = llvm::hardware_concurrency().compute_thread_count();
}

Compilation::~Compilation() = default;

/// Refuses a `value` of option `name` that is none of `choices`, told as
/// `expected`.
static llvm::Error checkChoice(StringRef name, StringRef value,
                               ArrayRef<StringRef> choices,
                               StringRef expected) {
  if (llvm::is_contained(choices, value))
    return llvm::Error::success();
  return llvm::createStringError("unknown " + name + " '" + value +
                                 "', expected " + expected);
}

llvm::Error weir::checkOptions(const CompileOptions &options) {
  if (llvm::Error error =
          checkChoice("target", options.target, {"cpu", "cuda", "simt"},
                      "cpu, cuda or simt"))
    return error;
  if (options.target == "cuda") {
    if (getGPUArchs(options).empty())
      return llvm::createStringError("gpu-arch is empty, expected sm_80 or "
                                     "others, with commas between");
    for (StringRef arch : getGPUArchs(options))
      if (llvm::Error error = checkGPUArch(arch))
        return error;
  }
  if (options.emit == Emit::PTX &&
      (options.target != "cuda" || getGPUArchs(options).size() != 1))
    return llvm::createStringError(
        "emit=ptx is for target=cuda with one gpu-arch, found target=" +
        options.target + " gpu-arch=" + options.gpuArch);
  if (hasKernels(options) &&
      !llvm::is_contained({"", "f32", "bf16", "tf32"}, options.compute))
    return llvm::createStringError("compute '" + options.compute +
                                   "' has no GPU form, expected f32, bf16 or "
                                   "tf32");
  if (!hasKernels(options) && options.compute == "tf32")
    return llvm::createStringError("compute 'tf32' is of GPUs, expected f32, "
                                   "bf16 or int8");
  if (llvm::Error error =
          checkChoice("quantize", options.quantize,
                      {"stored", "none", "bf16", "int8", "int4"},
                      "stored, none, bf16, int8 or int4"))
    return error;
  if (llvm::Error error = checkChoice("compute", options.compute,
                                      {"", "f32", "bf16", "tf32", "int8"},
                                      "f32, bf16, tf32 or int8"))
    return error;
  if (options.lowering != Lowering::Optimized &&
      !llvm::is_contained({"", "f32"}, options.compute))
    return llvm::createStringError(
        "compute '" + options.compute +
        "' is for optimised code, and reference computes as its value says");
  if (options.maxLength && *options.maxLength < 1)
    return llvm::createStringError("max-length is " +
                                   llvm::Twine(*options.maxLength) +
                                   ", expected a positive number");
  return llvm::Error::success();
}

std::string Compilation::describeOptions() const {
  return weir::describeOptions(options, target, computes);
}

LogicalResult Compilation::fail(llvm::Error error) {
  return emitError(UnknownLoc::get(&context))
         << llvm::toString(std::move(error));
}

void Compilation::report(llvm::StringRef name) {
  if (options.progress)
    options.progress(name);
  // The step before ends first: timers of one scope do not overlap.
  step.stop();
  if (options.timing)
    step = options.timing->nest(name);
}

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

/// Leaves the public function `entry` alone public.
static LogicalResult keepEntry(ModuleOp module, StringRef entry) {
  auto chosen = module.lookupSymbol<func::FuncOp>(entry);
  if (!chosen || !chosen.isPublic()) {
    InFlightDiagnostic diagnostic = module.emitError("no public function '")
                                    << entry << '\'';
    for (auto function : module.getOps<func::FuncOp>())
      if (function.isPublic())
        diagnostic.attachNote(function.getLoc())
            << "there is '" << function.getName() << '\'';
    return diagnostic;
  }
  for (auto function : module.getOps<func::FuncOp>())
    if (function != chosen && !function.isExternal())
      function.setPrivate();
  return success();
}

/// Whether code for `cpu`, as the option spells it, uses little of what the
/// CPUs that will run it have.
static bool isGenericCPU(StringRef cpu) {
  return cpu == "portable" || cpu == "generic" || cpu.starts_with("x86-64");
}

LogicalResult Compilation::load(llvm::StringRef path) {
  report("reading");
  if (llvm::Error error = checkOptions(options))
    return fail(std::move(error));
  llvm::Expected<CPUTarget> resolved = resolveCPUTarget(options.cpu);
  if (!resolved)
    return fail(resolved.takeError());
  target = *resolved;
  if (isGenericCPU(options.cpu))
    emitWarning(UnknownLoc::get(&context))
        << "code for '" << options.cpu
        << "' runs on many CPUs and is slower than on any one of them it need "
           "be; give --target-cpu=native or a name where you know the CPU";
  if (!llvm::sys::fs::exists(path))
    return emitError(UnknownLoc::get(&context))
           << "no such file or directory: " << path;
  if (path.ends_with(".mlir"))
    return loadModule(path);

  if (failed(adopt(openCheckpoint(path))))
    return failure();
  ImportOptions import;
  import.maxLength = options.maxLength;
  loadImportDialects(context);
  FailureOr<OwningOpRef<ModuleOp>> imported =
      importModel(context, *checkpoint, import);
  if (failed(imported))
    return failure();
  module = std::move(*imported);
  SmallString<128> absolute(path);
  llvm::sys::fs::make_absolute(absolute);
  recordCheckpoint(*module, absolute);
  recordStage(*module, Stage::Input);
  if (llvm::Error error = annotateStoredTypes(*module, *checkpoint))
    return fail(std::move(error));
  return success();
}

/// Keeps a checkpoint for its weights, and reads its tokenizer.
LogicalResult
Compilation::adopt(llvm::Expected<std::unique_ptr<Checkpoint>> opened) {
  if (!opened)
    return fail(opened.takeError());
  checkpoint = std::move(*opened);
  llvm::Expected<std::vector<uint8_t>> tokenizer =
      importTokenizerBlob(*checkpoint);
  if (!tokenizer)
    return fail(tokenizer.takeError());
  interface.tokenizer = std::move(*tokenizer);
  return success();
}

LogicalResult Compilation::loadModule(StringRef path) {
  module = parseSourceFile<ModuleOp>(path, ParserConfig(&context));
  if (!module)
    return failure();
  llvm::Expected<Stage> stage = getRecordedStage(*module);
  if (!stage)
    return module->emitError(llvm::toString(stage.takeError()));
  reached = *stage;
  if (options.maxLength)
    return module->emitError("the option max-length is for checkpoints; a "
                             "module says it as max_length of weir.model");
  if (!options.entry.empty()) {
    if (reached != Stage::Input)
      return module->emitError("the option entry is for modules at stage "
                               "input, this one is at ")
             << getStageName(reached);
    if (failed(keepEntry(*module, options.entry)))
      return failure();
  }
  if (options.stopAfter < reached)
    return module->emitError("the module is at stage ")
           << getStageName(reached) << ", behind "
           << getStageName(options.stopAfter)
           << " where compilation was to stop; give an earlier dump";

  StringRef recorded = getRecordedCheckpoint(*module);
  if (options.weights.empty() && !recorded.empty() &&
      !llvm::sys::fs::exists(recorded))
    return module->emitError("the module's weir.checkpoint ")
           << recorded
           << " is not there; give the model it came from as --weights";
  StringRef weights = options.weights.empty() ? recorded : options.weights;
  if (!weights.empty()) {
    if (failed(adopt(openWeights(weights))))
      return failure();
    if (reached == Stage::Input)
      if (llvm::Error error = annotateStoredTypes(*module, *checkpoint))
        return fail(std::move(error));
  }
  return reached == Stage::Input ? success() : resume();
}

/// Takes over what a dump behind the stage `input` says of itself.
LogicalResult Compilation::resume() {
  if (llvm::Error error =
          adoptRecordedOptions(*module, options, target, computes))
    return module->emitError(llvm::toString(std::move(error)));
  if (reached < Stage::Tiled)
    return success();
  auto recorded = (*module)->getAttrOfType<DictionaryAttr>(InterfaceAttrName);
  if (llvm::Error error = readInterfaceAttr(recorded, interface))
    return module->emitError(InterfaceAttrName)
           << ' ' << llvm::toString(std::move(error));
  return success();
}
