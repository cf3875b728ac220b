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

#include "KernelAttrs.h"
#include "TensorMaps.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/NVGPUToNVVM/NVGPUToNVVM.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Transforms/DialectConversion.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
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
            math::TruncOp, math::RsqrtOp, math::CountTrailingZerosOp,
            math::CountLeadingZerosOp, math::CtPopOp>(op))
      return WalkResult::advance();
    op->emitOpError("has no GPU form for ")
        << op->getResult(0).getType()
        << ", expected a function that weir-expand-math computes by arithmetic "
           "(of f32), or sqrt, rsqrt, abs, fma, copysign, floor, ceil, trunc, "
           "roundeven, or a count of bits";
    return WalkResult::interrupt();
  });
  return failure(walk.wasInterrupted());
}

/// Says what shared buffers are aligned to: their bytes hold wider elements,
/// and where boxes are copied, tiles whose pieces are permuted.
static void alignShared(gpu::GPUFuncOp kernel) {
  Builder builder(kernel.getContext());
  bool boxes = kernel
                   .walk([](NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp) {
                     return WalkResult::interrupt();
                   })
                   .wasInterrupted();
  for (auto [i, buffer] : llvm::enumerate(kernel.getWorkgroupAttributions())) {
    auto type = cast<MemRefType>(buffer.getType());
    int64_t bytes = type.getNumElements() *
                    llvm::divideCeil(type.getElementTypeBitWidth(), 8);
    bool tile = boxes && bytes % TileAlignment == 0;
    kernel.setWorkgroupAttributionAttr(
        i, LLVM::LLVMDialect::getAlignAttrName(),
        builder.getI64IntegerAttr(tile ? TileAlignment : SharedAlignment));
  }
}

/// Has kernels get the maps of tensors that they copy by as parameters, which
/// is where hardware reads them without a fence.
static void passMaps(gpu::GPUModuleOp module) {
  Builder builder(module.getContext());
  auto bytes = LLVM::LLVMArrayType::get(builder.getI8Type(), TensorMapBytes);
  module.walk([&](NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp copy) {
    auto map = dyn_cast<BlockArgument>(copy.getTmaDescriptor());
    auto kernel = copy->getParentOfType<LLVM::LLVMFuncOp>();
    if (!map || !map.getOwner()->isEntryBlock() ||
        map.getOwner()->getParentOp() != kernel)
      return;
    unsigned number = map.getArgNumber();
    kernel.setArgAttr(number, LLVM::LLVMDialect::getByValAttrName(),
                      TypeAttr::get(bytes));
    kernel.setArgAttr(number, LLVM::LLVMDialect::getAlignAttrName(),
                      builder.getI64IntegerAttr(TensorMapAlignment));
    kernel.setArgAttr(number, NVVM::NVVMDialect::getGridConstantAttrName(),
                      builder.getUnitAttr());
  });
}

namespace {
/// `nvgpu.mma.sync` of bf16, whose fragments the instruction takes as words:
/// upstream's pattern knows f16 alone of these two.
struct MultiplyBF16 : ConvertOpToLLVMPattern<nvgpu::MmaSyncOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(nvgpu::MmaSyncOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!op.getMatrixA().getType().getElementType().isBF16() ||
        !op.getMatrixC().getType().getElementType().isF32() ||
        op.getMmaShapeAsArray() != std::array<int64_t, 3>{16, 8, 16})
      return rewriter.notifyMatchFailure(op, "no m16n8k16 of bf16 and f32");
    Location loc = op.getLoc();
    Type i32 = rewriter.getI32Type(), f32 = rewriter.getF32Type();
    auto takeWords = [&](Value fragment) {
      SmallVector<Value> words;
      auto type = cast<LLVM::LLVMArrayType>(fragment.getType());
      for (unsigned i = 0; i < type.getNumElements(); ++i)
        words.push_back(LLVM::BitcastOp::create(
            rewriter, loc, i32,
            LLVM::ExtractValueOp::create(rewriter, loc, fragment, i)));
      return words;
    };
    auto place = [&](int64_t i) -> Value {
      return LLVM::ConstantOp::create(rewriter, loc,
                                      rewriter.getI32IntegerAttr(i));
    };
    SmallVector<Value> sums;
    for (int64_t i = 0; i < 4; ++i)
      sums.push_back(LLVM::ExtractElementOp::create(
          rewriter, loc,
          LLVM::ExtractValueOp::create(rewriter, loc, adaptor.getMatrixC(),
                                       i / 2),
          place(i % 2)));
    Type result = LLVM::LLVMStructType::getLiteral(rewriter.getContext(),
                                                   {f32, f32, f32, f32});
    auto product = NVVM::MmaOp::create(
        rewriter, loc, result, takeWords(adaptor.getMatrixA()),
        takeWords(adaptor.getMatrixB()), sums, ArrayRef<int64_t>{16, 8, 16},
        std::nullopt, std::nullopt,
        std::array{NVVM::MMATypes::bf16, NVVM::MMATypes::bf16},
        std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
    Type type = getTypeConverter()->convertType(op.getType());
    Value fragment = LLVM::PoisonOp::create(rewriter, loc, type);
    for (int64_t row = 0; row < 2; ++row) {
      Value pair =
          LLVM::PoisonOp::create(rewriter, loc, VectorType::get(2, f32));
      for (int64_t i = 0; i < 2; ++i)
        pair = LLVM::InsertElementOp::create(
            rewriter, loc, pair,
            LLVM::ExtractValueOp::create(rewriter, loc, product, row * 2 + i),
            place(i));
      fragment =
          LLVM::InsertValueOp::create(rewriter, loc, fragment, pair, row);
    }
    rewriter.replaceOp(op, fragment);
    return success();
  }
};
} // namespace

/// Makes vectors of several axes, which fragments of matrices are, of such of
/// one axis.
static LogicalResult unrollVectors(gpu::GPUModuleOp module) {
  RewritePatternSet patterns(module.getContext());
  vector::populateVectorFromElementsUnrollPatterns(patterns);
  vector::populateVectorToElementsUnrollPatterns(patterns);
  return applyPatternsGreedily(module, std::move(patterns));
}

namespace {
struct LowerKernelsPass : weir::impl::LowerKernelsBase<LowerKernelsPass> {
  void runOnOperation() override {
    gpu::GPUModuleOp module = getOperation();
    MLIRContext *context = &getContext();
    if (failed(checkFunctions(module)))
      return signalPassFailure();
    module.walk(alignShared);
    if (failed(unrollVectors(module)))
      return signalPassFailure();
    LowerToLLVMOptions options(context);
    options.overrideIndexBitwidth(64);
    LLVMTypeConverter converter(context, options);
    configureGpuToNVVMTypeConverter(converter);
    // Groups of copies are counted, not named.
    converter.addConversion([](nvgpu::DeviceAsyncTokenType type) -> Type {
      return IntegerType::get(type.getContext(), 32);
    });

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
    populateNVGPUToNVVMConversionPatterns(converter, patterns);
    patterns.add<MultiplyBF16>(converter, /*benefit=*/2);
    ub::populateUBToLLVMConversionPatterns(converter, patterns);

    LLVMConversionTarget target(*context);
    target.addLegalDialect<NVVM::NVVMDialect>();
    target.addIllegalDialect<gpu::GPUDialect, nvgpu::NVGPUDialect>();
    target.addLegalOp<gpu::GPUModuleOp>();
    if (failed(applyFullConversion(module, target, std::move(patterns))))
      return signalPassFailure();
    passMaps(module);
  }
};
} // namespace
