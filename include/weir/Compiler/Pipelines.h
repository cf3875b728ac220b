//===- weir/Compiler/Pipelines.h - Stages and their pipelines -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function and one options struct per stage. The driver, the C interface
// and weir-opt (as `--weir-<stage>-pipeline`) all call these.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_COMPILER_PIPELINES_H
#define WEIR_COMPILER_PIPELINES_H

#include "weir/Target/Object.h"
#include "llvm/ADT/StringRef.h"
#include <optional>

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace weir {

/// The forms a module goes through, in order.
enum class Stage {
  Input,      ///< as frontends build it: whole sequences on tensors
  Formed,     ///< streaming derived, specialised, fused
  Scheduled,  ///< weights packed, `#weir.schedule` on every op that needs one
  Tiled,      ///< loops over static tiles; no op of the dialect but weights
  Bufferized, ///< memrefs in one arena
  Lowered,    ///< the LLVM dialect
  Object      ///< machine code
};

/// The name of `stage` on the command line.
llvm::StringRef getStageName(Stage stage);
/// The stage called `name`, or none.
std::optional<Stage> parseStageName(llvm::StringRef name);

/// How numbers are computed.
enum class Lowering {
  Optimized,    ///< tiles, packed weights, micro-kernels
  Reference,    ///< each op's plain definition, in f32
  ReferenceF64, ///< each op's plain definition, in f64
};

/// Options of the stage `formed`.
struct FormOptions {
  Lowering lowering = Lowering::Optimized;
};

/// Options of the stage `scheduled`.
struct ScheduleOptions {
  Lowering lowering = Lowering::Optimized;
  CPUTarget target;
  /// Threads the schedule plans for.
  unsigned threads = 2;
  /// Whether kernels of a GPU run the tiles.
  bool gpu = false;
  /// `none`, `stored`, `bf16`, `int8` or `int4`.
  std::string quantize = "none";
  /// What products are computed in: `f32`, `bf16`, `tf32` (of a GPU) or `int8`
  /// (of a CPU); empty for int8
  /// with quantised weights where the target has the instructions, else f32.
  std::string compute;
  /// Whether a GPU's warpgroups multiply (sm_90a); their tiles are taller.
  bool warpgroups = false;
};

/// Options of the stage `tiled`.
struct TileOptions {
  Lowering lowering = Lowering::Optimized;
  CPUTarget target;
  unsigned threads = 2;
  bool gpu = false;
};

/// Options of the stages behind `tiled`.
struct LowerOptions {
  bool gpu = false;
  CPUTarget target;
  /// Bytes of shared memory that a block of the GPU may have.
  int64_t sharedBytes = 49152;
  /// What kernels may round factors of f32 to, `tf32` or `bf16`; else nothing.
  std::string compute;
  /// As of ScheduleOptions.
  bool warpgroups = false;
};

void buildFormPipeline(mlir::OpPassManager &pm, const FormOptions &options);
void buildSchedulePipeline(mlir::OpPassManager &pm,
                           const ScheduleOptions &options);
void buildTilePipeline(mlir::OpPassManager &pm, const TileOptions &options);
void buildBufferizePipeline(mlir::OpPassManager &pm,
                            const LowerOptions &options);
void buildLowerPipeline(mlir::OpPassManager &pm, const LowerOptions &options);

} // namespace weir

#endif // WEIR_COMPILER_PIPELINES_H
