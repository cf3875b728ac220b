//===- Compiler.cpp - From a model to an artefact -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Compiler/Compiler.h"
#include "StoredTypes.h"
#include "WeightsWriter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/Verifier.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "weir/Frontend/Import.h"
#include "weir/Target/Link.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Threading.h"
#include "llvm/Support/ToolOutputFile.h"

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

LogicalResult Compilation::fail(llvm::Error error) {
  return emitError(UnknownLoc::get(&context))
         << llvm::toString(std::move(error));
}

void Compilation::report(llvm::StringRef step) {
  if (options.progress)
    options.progress(step);
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

LogicalResult Compilation::load(llvm::StringRef path) {
  report("reading");
  llvm::Expected<CPUTarget> resolved = resolveCPUTarget(options.cpu);
  if (!resolved)
    return fail(resolved.takeError());
  target = *resolved;
  if (!llvm::sys::fs::exists(path))
    return emitError(UnknownLoc::get(&context))
           << "no such file or directory: " << path;

  if (path.ends_with(".mlir")) {
    module = parseSourceFile<ModuleOp>(path, ParserConfig(&context));
    if (!module)
      return failure();
    return options.entry.empty() ? success()
                                 : keepEntry(*module, options.entry);
  }
  llvm::Expected<std::unique_ptr<Checkpoint>> opened = openCheckpoint(path);
  if (!opened)
    return fail(opened.takeError());
  checkpoint = std::move(*opened);
  ImportOptions import;
  import.maxLength = options.maxLength;
  loadImportDialects(context);
  FailureOr<OwningOpRef<ModuleOp>> imported =
      importModel(context, *checkpoint, import);
  if (failed(imported))
    return failure();
  module = std::move(*imported);
  if (llvm::Error error = annotateStoredTypes(*module, *checkpoint))
    return fail(std::move(error));
  llvm::Expected<std::vector<uint8_t>> tokenizer =
      importTokenizerBlob(*checkpoint);
  if (!tokenizer)
    return fail(tokenizer.takeError());
  interface.tokenizer = std::move(*tokenizer);
  return success();
}

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

LogicalResult Compilation::dump(Stage stage) {
  if (options.dumpStages.empty())
    return success();
  if (std::error_code code =
          llvm::sys::fs::create_directories(options.dumpStages))
    return fail(
        llvm::createStringError(code, "cannot create " + options.dumpStages));
  std::string name = (llvm::Twine(options.dumpStages) + "/" +
                      llvm::Twine(static_cast<int>(stage)) + "-" +
                      getStageName(stage) + ".mlir")
                         .str();
  std::error_code code;
  llvm::raw_fd_ostream os(name, code);
  if (code)
    return fail(llvm::createStringError(code, "cannot write " + name));
  module->print(os);
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

LogicalResult Compilation::runStage(Stage stage) {
  report(getStageName(stage));
  PassManager pm(&context);
  switch (stage) {
  case Stage::Input:
  case Stage::Object:
    return success();
  case Stage::Formed: {
    FormOptions form;
    form.lowering = options.lowering;
    buildFormPipeline(pm, form);
    break;
  }
  case Stage::Scheduled: {
    ScheduleOptions schedule;
    schedule.lowering = options.lowering;
    schedule.target = target;
    schedule.threads = options.threads;
    schedule.quantize = options.quantize;
    schedule.compute = options.compute;
    buildSchedulePipeline(pm, schedule);
    break;
  }
  case Stage::Tiled: {
    // The last form in which arguments and results are still tensors.
    if (failed(readModelInterface(*module, interface)))
      return failure();
    TileOptions tile;
    tile.lowering = options.lowering;
    tile.target = target;
    tile.threads = options.threads;
    buildTilePipeline(pm, tile);
    break;
  }
  case Stage::Bufferized:
    buildBufferizePipeline(pm);
    break;
  case Stage::Lowered: {
    // Declarations have served: the weights writer keeps a copy.
    weights = cast<ModuleOp>(module->getOperation()->cloneWithoutRegions());
    OpBuilder builder(&context);
    weights->getBodyRegion().emplaceBlock();
    builder.setInsertionPointToEnd(weights->getBody());
    for (Operation &op :
         llvm::make_early_inc_range(module->getBody()->getOperations())) {
      if (isa<ParamOp>(op))
        builder.clone(op);
      if (isa<ParamOp, SlotOp>(op))
        op.erase();
    }
    removeWeirAttributes(*module);
    module->walk([&](func::FuncOp function) {
      removeWeirAttributes(function);
      // The model table calls C wrappers; runtime functions have none.
      if (function.isPublic() && !function.isExternal())
        function->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(),
                          builder.getUnitAttr());
      auto keepForeign = [](DictionaryAttr attributes) {
        SmallVector<NamedAttribute> kept;
        if (attributes)
          llvm::copy_if(attributes, std::back_inserter(kept),
                        [](NamedAttribute attribute) {
                          return !isWeirAttribute(attribute);
                        });
        return kept;
      };
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        function.setArgAttrs(i, keepForeign(function.getArgAttrDict(i)));
      for (unsigned i = 0; i < function.getNumResults(); ++i)
        function.setResultAttrs(i, keepForeign(function.getResultAttrDict(i)));
    });
    buildLowerPipeline(pm);
    break;
  }
  }
  return pm.run(*module);
}

LogicalResult Compilation::run() {
  if (failed(dump(Stage::Input)))
    return failure();
  for (Stage stage : {Stage::Formed, Stage::Scheduled, Stage::Tiled,
                      Stage::Bufferized, Stage::Lowered}) {
    if (stage > options.stopAfter)
      break;
    if (failed(runStage(stage)) || failed(dump(stage)))
      return failure();
    reached = stage;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Artefacts
//===----------------------------------------------------------------------===//

/// Writes `bytes` to `path` under a temporary name first.
static llvm::Error writeFile(StringRef path, StringRef bytes) {
  return llvm::writeToOutput(path, [&](llvm::raw_ostream &os) {
    os << bytes;
    return llvm::Error::success();
  });
}

LogicalResult Compilation::emitMachineCode(llvm::StringRef path) {
  if (weights->getOps<ParamOp>().empty()) {
    interface.weightsBytes = 0;
  } else {
    report("weights");
    llvm::Expected<uint64_t> id =
        writeWeights(*weights, checkpoint.get(), (path + ".weights").str());
    if (!id)
      return fail(id.takeError());
    interface.weightsId = *id;
    interface.weightsBytes =
        (*weights)->getAttrOfType<IntegerAttr>("weir.weights_bytes").getInt();
  }

  // Each entry takes the weights and the arena behind its own arguments.
  for (FunctionInterface &function : interface.functions)
    for (int32_t role : {3, 4}) {
      ValueInterface hidden;
      hidden.name = role == 3 ? "weights" : "arena";
      hidden.shape = {INT64_MIN};
      hidden.axes = {0};
      hidden.dtype = 7;
      hidden.role = role;
      function.args.push_back(std::move(hidden));
    }
  interface.target = target.cpu;

  report("translating");
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> code =
      translateModuleToLLVMIR(*module, llvmContext);
  if (!code)
    return failure();
  if (llvm::Error error = emitModelTable(*code, interface))
    return fail(std::move(error));
  for (llvm::Function &function : *code)
    if (!function.isDeclaration())
      function.setLinkage(llvm::GlobalValue::InternalLinkage);
  auto machine = createTargetMachine(target);
  if (!machine)
    return fail(machine.takeError());
  report("optimizing");
  optimizeModule(*code, **machine);
  if (options.emit == Emit::LLVM) {
    std::string text;
    llvm::raw_string_ostream(text) << *code;
    llvm::Error error = writeFile(path, text);
    return error ? fail(std::move(error)) : success();
  }
  report("object");
  auto bytes = emitCode(*code, **machine, options.emit == Emit::Assembly);
  if (!bytes)
    return fail(bytes.takeError());
  StringRef image(bytes->data(), bytes->size());
  if (options.emit == Emit::Object || options.emit == Emit::Assembly) {
    llvm::Error error = writeFile(path, image);
    return error ? fail(std::move(error)) : success();
  }

  report("linking");
  llvm::SmallString<128> object;
  if (std::error_code code =
          llvm::sys::fs::createTemporaryFile("weir", "o", object))
    return fail(llvm::errorCodeToError(code));
  llvm::FileRemover remover(object);
  if (llvm::Error error = writeFile(object, image))
    return fail(std::move(error));
  llvm::Error error = linkWithRuntime(object, path, options.runtimeDir,
                                      options.emit == Emit::Shared);
  return error ? fail(std::move(error)) : success();
}

LogicalResult Compilation::emit(llvm::StringRef path) {
  if (options.emit == Emit::MLIR || options.stopAfter != Stage::Object) {
    std::string text;
    llvm::raw_string_ostream os(text);
    module->print(os);
    llvm::Error error = writeFile(path, text);
    return error ? fail(std::move(error)) : success();
  }
  if (succeeded(emitMachineCode(path)))
    return success();
  llvm::sys::fs::remove(path);
  llvm::sys::fs::remove(path + ".weights");
  return failure();
}
