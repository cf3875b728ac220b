//===- Compiler.cpp - From a model to an artefact -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Compiler/Compiler.h"
#include "DeviceCode.h"
#include "OutputFiles.h"
#include "StageRecord.h"
#include "StoredTypes.h"
#include "WeightsWriter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/IR/Verifier.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "weir-rt/ModelDesc.h"
#include "weir/Codegen/VerifyStages.h"
#include "weir/Frontend/Import.h"
#include "weir/Target/Link.h"
#include "weir/Target/ModelHeader.h"
#include "weir/Target/NVPTX.h"
#include "weir/Target/TemporaryFile.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Threading.h"

using namespace mlir;
using namespace weir;

/// Whether the speed of the code matters less than the time to compile it.
static bool isPlain(const CompileOptions &options) {
  return options.lowering != Lowering::Optimized;
}

/// Where a module that is behind tensors keeps its interface.
static constexpr llvm::StringLiteral InterfaceAttrName = "weir.interface";

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

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

static std::string printModule(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module->print(os);
  return text;
}

LogicalResult Compilation::dump(Stage stage) {
  if (options.dumpStages.empty())
    return success();
  if (std::error_code code =
          llvm::sys::fs::create_directories(options.dumpStages))
    return fail(llvm::createStringError(
        code, "cannot create " + options.dumpStages + ": " + code.message()));
  std::string name = (llvm::Twine(options.dumpStages) + "/" +
                      llvm::Twine(static_cast<int>(stage)) + "-" +
                      getStageName(stage) + ".mlir")
                         .str();
  if (llvm::Error error = writeTextFile(name, printModule(*module)))
    return fail(std::move(error));
  return success();
}

/// Whether `attribute` belongs to the dialect, which LLVM IR does not know.
static bool isWeirAttribute(NamedAttribute attribute) {
  return attribute.getName().strref().starts_with("weir.");
}

static void removeWeirAttributes(Operation *op) {
  for (NamedAttribute attribute : llvm::to_vector(op->getDiscardableAttrs()))
    if (isWeirAttribute(attribute))
      op->removeDiscardableAttr(attribute.getName());
}

/// Takes the attributes that LLVM IR does not know off functions, and what is
/// declared for the runtime alone.
static void stripInterface(ModuleOp module) {
  auto keepForeign = [](DictionaryAttr attributes) {
    SmallVector<NamedAttribute> kept;
    if (attributes)
      llvm::copy_if(
          attributes, std::back_inserter(kept),
          [](NamedAttribute attribute) { return !isWeirAttribute(attribute); });
    return kept;
  };
  for (auto slot : llvm::make_early_inc_range(module.getOps<SlotOp>()))
    slot.erase();
  module->walk([&](func::FuncOp function) {
    removeWeirAttributes(function);
    // The model table calls C wrappers; runtime functions have none.
    if (function.isPublic() && !function.isExternal())
      function->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(),
                        UnitAttr::get(function.getContext()));
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      function.setArgAttrs(i, keepForeign(function.getArgAttrDict(i)));
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      function.setResultAttrs(i, keepForeign(function.getResultAttrDict(i)));
  });
}

/// The passes of `stage`, and the check of what they leave.
void Compilation::addPasses(Stage stage, OpPassManager &pm) {
  switch (stage) {
  case Stage::Input:
  case Stage::Object:
    break;
  case Stage::Formed: {
    FormOptions form;
    form.lowering = options.lowering;
    buildFormPipeline(pm, form);
    pm.addPass(createVerifyFormed());
    break;
  }
  case Stage::Scheduled: {
    ScheduleOptions schedule;
    schedule.lowering = options.lowering;
    schedule.target = target;
    schedule.threads = options.threads;
    schedule.quantize = options.quantize;
    schedule.compute = options.compute;
    schedule.gpu = hasKernels(options);
    schedule.warpgroups = usesWarpgroups(options);
    buildSchedulePipeline(pm, schedule);
    VerifyScheduledOptions verify;
    verify.require = options.lowering == Lowering::Optimized;
    pm.addPass(createVerifyScheduled(verify));
    break;
  }
  case Stage::Tiled: {
    TileOptions tile;
    tile.lowering = options.lowering;
    tile.target = target;
    tile.threads = options.threads;
    tile.gpu = hasKernels(options);
    buildTilePipeline(pm, tile);
    pm.addPass(createVerifyTiled());
    break;
  }
  case Stage::Bufferized:
    buildBufferizePipeline(
        pm, {hasKernels(options), target, getSharedBytes(options), {}, false});
    pm.addPass(createVerifyBufferized());
    break;
  case Stage::Lowered:
    buildLowerPipeline(pm,
                       {hasKernels(options), target, getSharedBytes(options),
                        options.compute, usesWarpgroups(options)});
    pm.addPass(createVerifyLowered());
    break;
  }
}

/// What the products of `module` are computed in: the narrowest of the inputs
/// that packed weights are multiplied by.
static StringRef findComputes(ModuleOp module, bool tf32) {
  StringRef computes = "f32";
  module->walk([&](PackedLinearOp linear) {
    Type input = getElementTypeOrSelf(linear.getInput().getType());
    if (tf32 && getElementTypeOrSelf(linear.getValues().getType()).isF32())
      computes = "tf32";
    if (input.isInteger(8))
      computes = "int8";
    else if (input.isBF16() && computes == "f32")
      computes = "bf16";
  });
  return computes;
}

/// Sees what products are computed in, and that it is what was asked for.
LogicalResult Compilation::checkCompute() {
  computes = options.lowering == Lowering::ReferenceF64
                 ? "f64"
                 : findComputes(*module, options.compute == "tf32");
  if (options.compute.empty() || options.compute == computes ||
      options.lowering != Lowering::Optimized)
    return success();
  return emitError(UnknownLoc::get(&context))
         << "compute=" << options.compute
         << " was asked for, and products of these weights are computed in "
         << computes
         << "; int8 needs weights of int8 or int4, bf16 those of bf16, tf32 "
            "those of f32 (see "
            "--quantize and --remarks)";
}

LogicalResult Compilation::runStage(Stage stage) {
  report(getStageName(stage));
  if (stage == Stage::Tiled) {
    // The last form in which signatures are as the model's author wrote them.
    if (failed(readModelInterface(*module, interface)))
      return failure();
    (*module)->setAttr(InterfaceAttrName,
                       getInterfaceAttr(&context, interface));
  }
  if (stage == Stage::Lowered)
    stripInterface(*module);
  PassManager pm(&context);
  if (options.timing)
    pm.enableTiming(step);
  addPasses(stage, pm);
  if (failed(pm.run(*module)))
    return failure();
  if (stage == Stage::Scheduled && failed(checkCompute()))
    return failure();
  recordStage(*module, stage);
  recordOptions(*module, options, target, computes);
  return success();
}

LogicalResult Compilation::runTo(Stage last) {
  if (loadedOnly && failed(dump(reached)))
    return failure();
  loadedOnly = false;
  for (Stage stage : {Stage::Formed, Stage::Scheduled, Stage::Tiled,
                      Stage::Bufferized, Stage::Lowered}) {
    if (stage <= reached || stage > last)
      continue;
    if (failed(runStage(stage)) || failed(dump(stage)))
      return failure();
    reached = stage;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Artefacts
//===----------------------------------------------------------------------===//

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
