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
#include "weir/Compiler/Pipelines.h"
#include "weir/Target/ModelTable.h"
#include <functional>
#include <memory>

namespace weir {

class Checkpoint;

/// What a compilation leaves behind.
enum class Emit { Executable, Shared, Object, Assembly, LLVM, MLIR };

/// Everything a compilation can be told.
struct CompileOptions {
  Emit emit = Emit::Executable;
  Lowering lowering = Lowering::Optimized;
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
  /// Stop behind this stage; the module is then printed as `Emit::MLIR`.
  Stage stopAfter = Stage::Object;
  /// Where to put the module after each stage; empty for nowhere.
  std::string dumpStages;
  /// Folder with the runtime libraries; empty finds them beside the compiler.
  std::string runtimeDir;
  /// Called as each step begins, with its name.
  std::function<void(llvm::StringRef)> progress;
};

/// One model on its way through the stages. Errors go to the context's
/// diagnostic handler; every function says whether it succeeded.
class Compilation {
public:
  Compilation(mlir::MLIRContext &context, CompileOptions options);
  ~Compilation();

  /// Reads a Hugging Face directory, a GGUF file or `.mlir` text.
  llvm::LogicalResult load(llvm::StringRef path);

  /// Runs the stages up to `stopAfter`, at most to `lowered`.
  llvm::LogicalResult run();

  /// Writes the artefact, and beside it `<path>.weights` when the model has
  /// weights. Nothing is left behind on failure.
  llvm::LogicalResult emit(llvm::StringRef path);

  mlir::ModuleOp getModule() { return module.get(); }
  const ModelInterface &getInterface() const { return interface; }

private:
  llvm::LogicalResult runStage(Stage stage);
  llvm::LogicalResult dump(Stage stage);
  llvm::LogicalResult emitMachineCode(llvm::StringRef path);
  void report(llvm::StringRef step);
  llvm::LogicalResult fail(llvm::Error error);

  mlir::MLIRContext &context;
  CompileOptions options;
  CPUTarget target;
  Stage reached = Stage::Input;
  std::unique_ptr<Checkpoint> checkpoint;
  /// Destroyed before the checkpoint, whose bytes weights refer to.
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// The weights to write: a module of `weir.param`s with offsets.
  mlir::OwningOpRef<mlir::ModuleOp> weights;
  ModelInterface interface;
};

/// Registers all dialects, interfaces and translations a compilation needs.
void registerCompilerDialects(mlir::DialectRegistry &registry);

} // namespace weir

#endif // WEIR_COMPILER_COMPILER_H
