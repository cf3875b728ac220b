//===- weir/Compiler/Compiler.h - From a model to an artefact -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_COMPILER_COMPILER_H
#define WEIR_COMPILER_COMPILER_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Support/Timing.h"
#include "weir/Compiler/Jit.h"
#include "weir/Compiler/Pipelines.h"
#include "weir/Target/ModelTable.h"
#include <functional>
#include <memory>

namespace weir {

class Checkpoint;
class OutputFiles;

/// What a compilation leaves behind.
enum class Emit { Executable, Shared, Object, Assembly, LLVM, PTX, MLIR };

/// Everything a compilation can be told.
struct CompileOptions {
  Emit emit = Emit::Executable;
  Lowering lowering = Lowering::Optimized;
  /// What code is generated for: `cpu`, `cuda`, or `simt` for the emulator.
  std::string target = "cpu";
  /// Architectures of GPUs, with commas between: `sm_80`, `sm_90a`.
  std::string gpuArch = "sm_80";
  /// `native`, `portable` or a CPU name LLVM knows.
  std::string cpu = "native";
  /// Threads the schedule plans for; 0 takes the machine's.
  unsigned threads = 0;
  /// `stored`, `none`, `bf16`, `int8` or `int4`.
  std::string quantize = "stored";
  /// See `ScheduleOptions::compute`.
  std::string compute;
  /// Longest sequence; none takes the model's own.
  std::optional<int64_t> maxLength;
  /// The public function of a `.mlir` file to compile; empty takes all.
  std::string entry;
  /// The checkpoint, or safetensors file, that a `.mlir` file's weights are
  /// taken from; empty takes the one its `weir.checkpoint` names, if any.
  std::string weights;
  /// Stop behind this stage; the module is then printed as `Emit::MLIR`.
  Stage stopAfter = Stage::Object;
  /// Where to put the module after each stage; empty for nowhere.
  std::string dumpStages;
  /// Folder with the runtime libraries; empty finds them beside the compiler's
  /// own shared library, or where an executable keeps its libraries.
  std::string runtimeDir;
  /// Called as each step begins, with its name.
  std::function<void(llvm::StringRef)> progress;
  /// Where steps, and the passes of each, note how long they take; outlives the
  /// compilation. None are timed without it.
  mlir::TimingScope *timing = nullptr;
};

/// Refuses options that name no choice, or choices that do not go together.
llvm::Error checkOptions(const CompileOptions &options);

/// Refuses a `path` that `Compilation::emit` could not write to, so that one
/// may know before the work is done. `-` is the standard output.
llvm::Error checkOutputPath(llvm::StringRef path);

/// Sets the option that weirc calls `--name=value`, for callers that have them
/// as text. Unknown names and values are errors that say what there is.
llvm::Error setCompileOption(CompileOptions &options, llvm::StringRef name,
                             llvm::StringRef value);

/// One model on its way through the stages. Errors go to the context's
/// diagnostic handler; every function says whether it succeeded.
class Compilation {
public:
  Compilation(mlir::MLIRContext &context, CompileOptions options);
  ~Compilation();

  /// Reads a Hugging Face directory, a GGUF file or `.mlir` text. The text may
  /// be the dump of a stage, which is compiled on from there with the options
  /// it was made with.
  llvm::LogicalResult load(llvm::StringRef path);

  /// Runs the stages up to `stopAfter`, at most to `lowered`.
  llvm::LogicalResult run() { return runTo(options.stopAfter); }
  /// Runs the stages that are left up to `last`, at most to `lowered`.
  llvm::LogicalResult runTo(Stage last);

  /// Writes the artefact, and beside it `<path>.weights` when the model has
  /// weights, and for a shared library a C header. On failure what was there
  /// before is left as it was. Ends what can be done with the module, unless it
  /// is `Emit::MLIR`.
  llvm::LogicalResult emit(llvm::StringRef path);

  /// Compiles to this process's memory, behind a complete `run`. The weights
  /// are written to `weightsPath`, which stays, or to a temporary file. Ends
  /// what can be done with the module.
  mlir::FailureOr<std::unique_ptr<JitProgram>>
  jit(llvm::StringRef weightsPath = "");

  mlir::ModuleOp getModule() { return module.get(); }
  const ModelInterface &getInterface() const { return interface; }
  /// The options in force: those given, or those of a dump.
  const CompileOptions &getOptions() const { return options; }
  const CPUTarget &getTarget() const { return target; }
  /// All options in force on one line, as the compiled model shows them.
  std::string describeOptions() const;
  /// What products are computed in: "f32", "bf16" or "int8"; empty before
  /// `scheduled`.
  llvm::StringRef getComputes() const { return computes; }
  /// The stage the module is at.
  Stage getStage() const { return reached; }

private:
  llvm::LogicalResult loadModule(llvm::StringRef path);
  llvm::LogicalResult resume();
  llvm::LogicalResult checkCompute();
  llvm::LogicalResult adopt(llvm::Expected<std::unique_ptr<Checkpoint>> opened);
  void addPasses(Stage stage, mlir::OpPassManager &pm);
  llvm::LogicalResult runStage(Stage stage);
  llvm::LogicalResult dump(Stage stage);
  /// Writes the weights, if any, and notes their size and identity.
  llvm::LogicalResult emitWeights(mlir::ModuleOp weights, llvm::StringRef path);
  /// Optimised LLVM IR with the model's table, and for a shared library at
  /// `library` with the function that hands it out. Null after an error.
  std::unique_ptr<llvm::Module> translate(llvm::LLVMContext &llvmContext,
                                          llvm::TargetMachine &machine,
                                          llvm::StringRef library);
  llvm::LogicalResult emitMachineCode(llvm::StringRef path, OutputFiles &files);
  /// Begins the step `name`.
  void report(llvm::StringRef name);
  llvm::LogicalResult fail(llvm::Error error);

  mlir::MLIRContext &context;
  CompileOptions options;
  CPUTarget target;
  std::string computes;
  Stage reached = Stage::Input;
  /// The step that is being timed, if steps are.
  mlir::TimingScope step;
  /// Whether `reached` is the stage the module was loaded at.
  bool loadedOnly = true;
  std::unique_ptr<Checkpoint> checkpoint;
  /// Destroyed before the checkpoint, whose bytes weights refer to.
  mlir::OwningOpRef<mlir::ModuleOp> module;
  ModelInterface interface;
};

/// Registers all dialects, interfaces and translations a compilation needs.
void registerCompilerDialects(mlir::DialectRegistry &registry);

} // namespace weir

#endif // WEIR_COMPILER_COMPILER_H
