//===- Pipelines.cpp - Stages and their pipelines -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Compiler/Pipelines.h"
#include "mlir/Conversion/GPUCommon/GPUCommonPass.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "weir/Codegen/GPUPasses.h"
#include "weir/Codegen/Passes.h"
#include "weir/Transforms/Passes.h"

using namespace mlir;
using namespace weir;

static constexpr llvm::StringLiteral StageNames[] = {
    "input", "formed", "scheduled", "tiled", "bufferized", "lowered", "object"};

llvm::StringRef weir::getStageName(Stage stage) {
  return StageNames[static_cast<int>(stage)];
}

std::optional<Stage> weir::parseStageName(llvm::StringRef name) {
  for (auto [i, candidate] : llvm::enumerate(StageNames))
    if (candidate == name)
      return static_cast<Stage>(i);
  return std::nullopt;
}

/// Blocks of tokens that steps of one sequence are compiled for, besides any
/// length: decoding. Tiles of longer blocks do not depend on their number.
static constexpr int64_t BlockLengths[] = {1};

void weir::buildFormPipeline(OpPassManager &pm, const FormOptions &options) {
  bool optimized = options.lowering == Lowering::Optimized;
  // Functions that a module written by hand calls are part of their callers
  // from here on, and are not simplified before.
  pm.addPass(createInlinerPass({}, [](OpPassManager &) {}));
  if (optimized)
    pm.addPass(createMergeProjectionsPass());
  DeriveStreamingPassOptions streaming;
  streaming.require = false;
  pm.addPass(createDeriveStreamingPass(streaming));
  if (optimized) {
    pm.addPass(createCanonicalizerPass());
    for (int64_t length : BlockLengths) {
      SpecializeTimePassOptions specialize;
      specialize.time = length;
      specialize.batch = 1;
      specialize.method = "extend_last";
      pm.addPass(createSpecializeTimePass(specialize));
    }
  }
  pm.addPass(createSymbolDCEPass());
}

/// Bits of the target's widest vectors of floats.
static int64_t getVectorBits(const CPUTarget &target) {
  return target.has("avx512f") ? 512 : target.has("avx") ? 256 : 128;
}

/// Whether the kernels have integer dot products on `target`.
static bool hasByteProducts(const CPUTarget &target) {
  return getVectorBits(target) == 512 ? target.has("avx512vnni")
                                      : target.has("avxvnni");
}

/// Columns of a packed weight's panel on a GPU: two rows of a warp's words.
static constexpr int64_t GPUPanel = 64;
/// Rows of a product's tile that a block of threads computes.
static constexpr int64_t GPURows = 32;
/// The same of a block whose warpgroup multiplies.
static constexpr int64_t WarpgroupRows = 128;
/// Bytes of a state that a block of a GPU shares: with all that a chunk has
/// beside it, 128 key features by 64 value features fit into what sm_80 gives a
/// block, and leave a block to each multiprocessor where heads are few.
static constexpr int64_t GPUStateBytes = 32768;
/// What a thread loads at once; tiles of attention are sized by it, so that
/// they fit a block's shared memory.
static constexpr int64_t GPUVectorBits = 128;
/// Multiprocessors that blocks are cut for; more of a GPU take several turns.
static constexpr unsigned GPUProcessors = 64;
/// Elements of a tile that a block takes.
static constexpr int64_t GPUElements = 2048;

/// Whether `target` has an instruction that rounds floats to bf16.
static bool roundsToBF16(const CPUTarget &target) {
  return target.has("avx512bf16") || target.has("avxneconvert");
}

void weir::buildSchedulePipeline(OpPassManager &pm,
                                 const ScheduleOptions &options) {
  if (options.lowering == Lowering::ReferenceF64)
    pm.addPass(createWidenToF64Pass());
  if (options.lowering != Lowering::Optimized)
    return;
  PackWeightsOptions pack;
  pack.panel = options.gpu ? GPUPanel : 2 * getVectorBits(options.target) / 32;
  pack.quantize = options.quantize;
  if (options.compute == "bf16")
    pack.compute = "bf16";
  pm.addPass(createPackWeights(pack));
  PackOperandsOptions operands;
  operands.panel = pack.panel;
  operands.compute = pack.compute;
  operands.pairs = options.gpu || options.target.has("avx512bf16");
  pm.addPass(createPackOperands(operands));
  if (options.compute == "int8" || (options.compute.empty() && !options.gpu &&
                                    hasByteProducts(options.target)))
    pm.addPass(createQuantizeActivations());
  SelectScheduleOptions schedule;
  schedule.vectorBits =
      options.gpu ? GPUVectorBits : getVectorBits(options.target);
  schedule.threads = options.gpu ? GPUProcessors : options.threads;
  if (options.gpu) {
    schedule.rows = options.warpgroups && options.compute == "bf16"
                        ? WarpgroupRows
                        : GPURows;
    schedule.lineBits = GPUVectorBits;
    // A kernel of both steps and summaries would take twice the memory.
    schedule.ranges = false;
    schedule.stateBytes = GPUStateBytes;
    // What many queries have added up so far is no memory of one block.
    schedule.sort = false;
    schedule.grid = true;
  }
  pm.addNestedPass<func::FuncOp>(createSelectSchedule(schedule));
}

/// Products on tiles become micro-kernels of the CPU.
static void buildProductPipeline(OpPassManager &pm, const CPUTarget &target) {
  LowerPackedLinearOptions kernels;
  kernels.vectorBits = getVectorBits(target);
  kernels.fma = target.has("fma") || kernels.vectorBits == 512;
  kernels.vnni = hasByteProducts(target);
  kernels.bf16 = target.has("avx512bf16");
  kernels.byteShuffle = target.has(kernels.vectorBits == 512   ? "avx512bw"
                                   : kernels.vectorBits == 256 ? "avx2"
                                                               : "ssse3");
  pm.addPass(createLowerPackedLinear(kernels));
}

void weir::buildTilePipeline(OpPassManager &pm, const TileOptions &options) {
  bool optimized = options.lowering == Lowering::Optimized;
  int64_t vectorBits = getVectorBits(options.target);
  pm.addPass(createConvertElementwiseToLinalgPass());
  if (optimized) {
    pm.addPass(createLowerPointwisePass());
    pm.addPass(createHoistInvariantsPass());
    pm.addPass(createCanonicalizerPass());
    pm.addPass(createCSEPass());
    // Before block maps become loops: within these, operations update tensors
    // that they read, which fusion would let them read too late.
    pm.addNestedPass<func::FuncOp>(createFuseElementwise());
    TileBlockMapsOptions maps;
    maps.blocks = options.gpu;
    pm.addPass(createTileBlockMaps(maps));
    pm.addPass(createFuseIntoBlocks());
    TileAndFuseOptions tiles;
    if (!options.gpu) {
      pm.addPass(createTransposeCarried());
      pm.addPass(createStageTransposes());
    } else {
      tiles.worth = 1;
      tiles.elements = GPUElements;
    }
    pm.addPass(createTileAndFuse(tiles));
    if (!options.gpu)
      buildProductPipeline(pm, options.target);
  }
  pm.addPass(createLowerToReferencePass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (options.gpu) {
    ExpandMathOptions math;
    math.angles = true;
    pm.addPass(createExpandMath(math));
  } else if (optimized) {
    VectorizeContractionsOptions contractions;
    contractions.vectorBits = vectorBits;
    contractions.rows = vectorBits == 512 ? 12 : 6;
    pm.addPass(createVectorizeContractions(contractions));
    VectorizeTransposesOptions transposes;
    transposes.vectorBits = vectorBits;
    pm.addPass(createVectorizeTransposes(transposes));
    VectorizeGenericsOptions generics;
    generics.vectorBits = vectorBits;
    pm.addPass(createVectorizeGenerics(generics));
    ExpandMathOptions math;
    math.avx512 = vectorBits == 512;
    pm.addPass(createExpandMath(math));
    pm.addPass(createCSEPass());
  }
}

void weir::buildBufferizePipeline(OpPassManager &pm,
                                  const LowerOptions &options) {
  pm.addPass(createInlinerPass());
  pm.addPass(createBindWeights());
  pm.addPass(createCarryInPlace());
  pm.addPass(createKeepPartialWrites());
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  bufferize.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createOneShotBufferizePass(bufferize));
  // Folding makes a slot that passed through loops the argument it is.
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createDropSlotResults());
  pm.addPass(memref::createResolveShapedTypeResultDimsPass());
  pm.addNestedPass<func::FuncOp>(createSCFForLoopCanonicalizationPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (!options.gpu)
    pm.addPass(createPrefetchBlocks());
  pm.addPass(memref::createFoldMemRefAliasOpsPass());
  pm.addPass(createCanonicalizerPass());
  if (options.gpu) {
    // Extents that do not change from point to point become known in front of
    // the loop, where buffers of all points together are made.
    pm.addNestedPass<func::FuncOp>(createLoopInvariantCodeMotionPass());
    pm.addNestedPass<func::FuncOp>(createShareBuffers({options.sharedBytes}));
  }
  pm.addPass(createPlanMemory());
}

/// Kernels, and a host that launches them.
static void buildKernelPipeline(OpPassManager &pm,
                                const LowerOptions &options) {
  pm.addPass(createMapKernels());
  MapProductsOptions products;
  products.limit = options.sharedBytes;
  products.tf32 = options.compute == "tf32";
  products.warpgroups = options.warpgroups;
  // It declares a function of the runtime.
  pm.addPass(createMapProducts(products));
  MapContractionsOptions contractions;
  if (options.compute == "tf32" || options.compute == "bf16")
    contractions.rounding = options.compute;
  pm.addNestedPass<func::FuncOp>(createMapContractions(contractions));
  pm.addNestedPass<func::FuncOp>(createDistributeThreads());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createLoopInvariantCodeMotionPass());
  pm.addPass(createGpuLaunchSinkIndexComputationsPass());
  pm.addPass(createGpuKernelOutliningPass());
  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  kernels.addPass(createSCFToControlFlowPass());
  kernels.addPass(memref::createExpandStridedMetadataPass());
  kernels.addPass(createLowerAffinePass());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  // With arithmetic for rounding to bf16 whatever the GPU, so that the emulator
  // computes the same on any host.
  kernels.addPass(arith::createArithExpandOpsPass({/*includeBf16=*/true}));
  kernels.addPass(createLowerKernels());
  kernels.addPass(createReconcileUnrealizedCastsPass());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addNestedPass<func::FuncOp>(arith::createArithExpandOpsPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createGpuToLLVMConversionPass());
  pm.addPass(createLowerLaunches());
  pm.addPass(createUBToLLVMConversionPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

/// Canonicalises without looking whether blocks can be merged or reached, again
/// and again: code that is branches has thousands of them, and LLVM looks too.
static GreedyRewriteConfig getFlatConfig() {
  return GreedyRewriteConfig().setRegionSimplificationLevel(
      GreedySimplifyRegionLevel::Disabled);
}

void weir::buildLowerPipeline(OpPassManager &pm, const LowerOptions &options) {
  if (options.gpu)
    return buildKernelPipeline(pm, options);
  pm.addPass(createLowerCopies());
  pm.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  pm.addNestedPass<func::FuncOp>(createForallToParallelLoopPass());
  pm.addNestedPass<func::FuncOp>(createLoopInvariantCodeMotionPass());
  pm.addPass(createConvertSCFToOpenMPPass());
  pm.addPass(createInlineScopes());
  pm.addNestedPass<func::FuncOp>(createConvertVectorToSCFPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  // LLVM would call a function of compiler-rt that older systems lack.
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = !roundsToBF16(options.target);
  pm.addNestedPass<func::FuncOp>(arith::createArithExpandOpsPass(expand));
  // Functions of the mathematical library take the elements of a vector one by
  // one, by operations on vectors.
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createConvertVectorToLLVMPass());
  // Patterns are applied to loops with less to look at than to branches.
  pm.addPass(createLowerLoops());
  // The rest at once: of passes that each look at everything, and tie what they
  // leave to what they make, most of the time would be theirs.
  ConvertToLLVMPassOptions rest;
  rest.filterDialects = {"arith", "cf", "func", "index", "memref", "omp", "ub"};
  rest.allowPatternRollback = false;
  pm.addPass(createConvertToLLVMPass(rest));
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass(getFlatConfig()));
  pm.addPass(createCSEPass());
}
