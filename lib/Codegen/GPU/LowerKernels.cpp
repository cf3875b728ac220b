//===- LowerKernels.cpp - Kernels in LLVM and NVVM --------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One conversion. Patterns for functions that LLVM has come before upstream's,
// which call the device library of the CUDA toolkit.
//
//===----------------------------------------------------------------------===//

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Transforms/DialectConversion.h"
#include "weir/Codegen/GPUPasses.h"

namespace weir {
#define GEN_PASS_DEF_LOWERKERNELS
#include "weir/Codegen/GPUPasses.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// Refuses what neither LLVM's NVPTX back end nor arithmetic computes.
static LogicalResult checkFunctions(gpu::GPUModuleOp module) {
  WalkResult walk = module.walk([](Operation *op) {
    if (!isa_and_nonnull<math::MathDialect>(op->getDialect()) ||
        isa<math::SqrtOp, math::AbsFOp, math::AbsIOp, math::FmaOp,
            math::CopySignOp, math::FloorOp, math::CeilOp, math::RoundEvenOp,
            math::TruncOp, math::RsqrtOp>(op))
      return WalkResult::advance();
    op->emitOpError("has no GPU form for ")
        << op->getResult(0).getType()
        << ", expected a function that weir-expand-math computes by arithmetic "
           "(of f32), or sqrt, rsqrt, abs, fma, copysign, floor, ceil, trunc "
           "or roundeven";
    return WalkResult::interrupt();
  });
  return failure(walk.wasInterrupted());
}

/// Says what shared buffers are aligned to: their bytes hold wider elements.
static void alignShared(gpu::GPUFuncOp kernel) {
  Builder builder(kernel.getContext());
  for (unsigned i = 0; i != kernel.getNumWorkgroupAttributions(); ++i)
    kernel.setWorkgroupAttributionAttr(
        i, LLVM::LLVMDialect::getAlignAttrName(),
        builder.getI64IntegerAttr(SharedAlignment));
}

namespace {
struct LowerKernelsPass : weir::impl::LowerKernelsBase<LowerKernelsPass> {
  void runOnOperation() override {
    gpu::GPUModuleOp module = getOperation();
    MLIRContext *context = &getContext();
    if (failed(checkFunctions(module)))
      return signalPassFailure();
    module.walk(alignShared);
    LowerToLLVMOptions options(context);
    options.overrideIndexBitwidth(64);
    LLVMTypeConverter converter(context, options);
    configureGpuToNVVMTypeConverter(converter);

    RewritePatternSet patterns(context);
    populateGpuToNVVMConversionPatterns(converter, patterns);
    populateMathToLLVMConversionPatterns(converter, patterns,
                                         /*approximateLog1p=*/true,
                                         /*benefit=*/2);
    arith::populateArithToLLVMConversionPatterns(converter, patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    index::populateIndexToLLVMConversionPatterns(converter, patterns);
    populateFuncToLLVMConversionPatterns(converter, patterns);
    populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns);
    populateVectorToLLVMConversionPatterns(converter, patterns);
    ub::populateUBToLLVMConversionPatterns(converter, patterns);

    LLVMConversionTarget target(*context);
    target.addLegalDialect<NVVM::NVVMDialect>();
    target.addIllegalDialect<gpu::GPUDialect>();
    target.addLegalOp<gpu::GPUModuleOp>();
    if (failed(applyFullConversion(module, target, std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
