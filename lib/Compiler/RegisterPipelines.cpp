//===- RegisterPipelines.cpp - Stages in weir-opt ---------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The options structs of Pipelines.h are plain; here each field gets the name
// it has on weir-opt's command line. Defaults are the structs' own.
//
//===----------------------------------------------------------------------===//

#include "weir/Compiler/RegisterPipelines.h"
#include "StageRecord.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "weir/Compiler/Pipelines.h"
#include "llvm/Support/ErrorHandling.h"

using namespace mlir;
using namespace weir;

namespace {
/// The option that all stages with a choice of lowering have.
template <typename Derived>
struct LoweringArguments : PassPipelineOptions<Derived> {
  mlir::detail::PassOptions::Option<Lowering> lowering{
      *this, "lowering", llvm::cl::desc("How ops are lowered:"),
      llvm::cl::init(Lowering::Optimized),
      llvm::cl::values(
          clEnumValN(Lowering::Optimized, getLoweringName(Lowering::Optimized),
                     "tiles, packed weights, micro-kernels"),
          clEnumValN(Lowering::Reference, getLoweringName(Lowering::Reference),
                     "plain definitions in f32"),
          clEnumValN(Lowering::ReferenceF64,
                     getLoweringName(Lowering::ReferenceF64),
                     "plain definitions in f64"))};
};

/// Options of stages that depend on the target.
template <typename Derived>
struct TargetArguments : LoweringArguments<Derived> {
  mlir::detail::PassOptions::Option<std::string> cpu{
      *this, "target-cpu", llvm::cl::desc("native, portable, or LLVM's name"),
      llvm::cl::init("native")};
  mlir::detail::PassOptions::Option<unsigned> threads{
      *this, "threads", llvm::cl::desc("Threads to plan for"),
      llvm::cl::init(ScheduleOptions().threads)};
  mlir::detail::PassOptions::Option<bool> gpu{
      *this, "gpu", llvm::cl::desc("Whether kernels of a GPU run the tiles"),
      llvm::cl::init(false)};

  /// A pipeline has no way to fail while it is built, so an unknown CPU ends
  /// the program.
  CPUTarget getTarget() const {
    llvm::Expected<CPUTarget> target = resolveCPUTarget(cpu);
    if (!target)
      llvm::report_fatal_error(target.takeError(), /*gen_crash_diag=*/false);
    return *target;
  }

  /// Options of a stage with what was given.
  template <typename Options>
  Options getOptions() const {
    Options options;
    options.lowering = this->lowering;
    options.target = getTarget();
    options.threads = threads;
    options.gpu = gpu;
    return options;
  }
};

struct FormArguments : LoweringArguments<FormArguments> {};

struct ScheduleArguments : TargetArguments<ScheduleArguments> {
  mlir::detail::PassOptions::Option<std::string> quantize{
      *this, "quantize", llvm::cl::desc("none, stored, bf16, int8 or int4"),
      llvm::cl::init(ScheduleOptions().quantize)};
  mlir::detail::PassOptions::Option<std::string> compute{
      *this, "compute", llvm::cl::desc("f32, bf16 or int8"),
      llvm::cl::init(ScheduleOptions().compute)};
};

struct TileArguments : TargetArguments<TileArguments> {};

struct LowerArguments : TargetArguments<LowerArguments> {
  LowerOptions getLowerOptions() const {
    LowerOptions options;
    options.gpu = gpu;
    options.target = getTarget();
    return options;
  }
};
} // namespace

void weir::registerPipelines() {
  PassPipelineRegistration<FormArguments>(
      "weir-formed-pipeline", "Derive streaming, specialise and fuse",
      [](OpPassManager &pm, const FormArguments &arguments) {
        FormOptions options;
        options.lowering = arguments.lowering;
        buildFormPipeline(pm, options);
      });
  PassPipelineRegistration<ScheduleArguments>(
      "weir-scheduled-pipeline", "Pack weights and choose schedules",
      [](OpPassManager &pm, const ScheduleArguments &arguments) {
        auto options = arguments.getOptions<ScheduleOptions>();
        options.quantize = arguments.quantize;
        options.compute = arguments.compute;
        buildSchedulePipeline(pm, options);
      });
  PassPipelineRegistration<TileArguments>(
      "weir-tiled-pipeline", "Make loops over tiles of the dialect's ops",
      [](OpPassManager &pm, const TileArguments &arguments) {
        buildTilePipeline(pm, arguments.getOptions<TileOptions>());
      });
  PassPipelineRegistration<LowerArguments>(
      "weir-bufferized-pipeline",
      "Bufferise and place all buffers in one arena",
      [](OpPassManager &pm, const LowerArguments &arguments) {
        buildBufferizePipeline(pm, arguments.getLowerOptions());
      });
  PassPipelineRegistration<LowerArguments>(
      "weir-lowered-pipeline", "Lower to the LLVM dialect",
      [](OpPassManager &pm, const LowerArguments &arguments) {
        buildLowerPipeline(pm, arguments.getLowerOptions());
      });
}
