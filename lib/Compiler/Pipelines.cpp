//===- Pipelines.cpp - Stages and their pipelines -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Compiler/Pipelines.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
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

void weir::buildFormPipeline(OpPassManager &pm, const FormOptions &options) {
  DeriveStreamingPassOptions streaming;
  streaming.require = false;
  pm.addPass(createDeriveStreamingPass(streaming));
  if (options.lowering == Lowering::Optimized)
    pm.addPass(createSpecializeTimePass());
  pm.addPass(createSymbolDCEPass());
}

void weir::buildSchedulePipeline(OpPassManager &pm,
                                 const ScheduleOptions &options) {
  if (options.lowering == Lowering::ReferenceF64)
    pm.addPass(createWidenToF64Pass());
}

void weir::buildTilePipeline(OpPassManager &pm, const TileOptions &options) {
  pm.addPass(createLowerToReferencePass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createLoopInvariantCodeMotionPass());
  if (options.lowering == Lowering::Optimized) {
    pm.addNestedPass<func::FuncOp>(createLinalgElementwiseOpFusionPass());
    pm.addPass(createCanonicalizerPass());
    pm.addPass(createCSEPass());
  }
}

void weir::buildBufferizePipeline(OpPassManager &pm) {
  pm.addPass(createInlinerPass());
  pm.addPass(createBindWeights());
  pm.addPass(createCarryInPlace());
  pm.addPass(bufferization::createEmptyTensorEliminationPass());
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
  pm.addPass(memref::createFoldMemRefAliasOpsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createPlanMemory());
}

void weir::buildLowerPipeline(OpPassManager &pm) {
  pm.addPass(createLowerCopies());
  pm.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  pm.addNestedPass<func::FuncOp>(createForallToParallelLoopPass());
  pm.addNestedPass<func::FuncOp>(createLoopInvariantCodeMotionPass());
  pm.addPass(createConvertSCFToOpenMPPass());
  pm.addNestedPass<func::FuncOp>(createConvertVectorToSCFPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addNestedPass<func::FuncOp>(LLVM::createLLVMRequestCWrappersPass());
  pm.addNestedPass<func::FuncOp>(arith::createArithExpandOpsPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createConvertOpenMPToLLVMPass());
  pm.addPass(createUBToLLVMConversionPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}
