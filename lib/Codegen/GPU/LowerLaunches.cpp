//===- LowerLaunches.cpp - Launch kernels by their number -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels are outlined each into a module of its own, and numbered as the
// gathered ones lie. Arguments are passed as the driver takes them: by an array
// of places, which lie on the stack of the function, made once at its head.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "weir/Codegen/GPUPasses.h"

namespace weir {
#define GEN_PASS_DEF_LOWERLAUNCHES
#include "weir/Codegen/GPUPasses.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// The runtime function that launches (lib/Runtime/Device.cpp).
static constexpr StringLiteral LaunchName = "weir_rt_launch";
/// The one module that holds all kernels.
static constexpr StringLiteral KernelsName = "kernels";
/// Bytes of arguments that every architecture takes.
static constexpr uint64_t MostArgumentBytes = 4096;

namespace {
struct LowerLaunchesPass : weir::impl::LowerLaunchesBase<LowerLaunchesPass> {
  void runOnOperation() override;

private:
  /// Moves all kernels to one module and numbers them.
  LogicalResult gather();
  LogicalResult lower(gpu::LaunchFuncOp launch);
  LLVM::LLVMFuncOp getLaunchFunction();

  /// By module and name, as launches refer to them.
  llvm::DenseMap<std::pair<StringAttr, StringAttr>, int32_t> numbers;
  /// By number.
  llvm::DenseMap<int32_t, LLVM::LLVMFuncOp> kernels;
};
} // namespace

LogicalResult LowerLaunchesPass::gather() {
  SmallVector<gpu::GPUModuleOp> modules(
      getOperation().getOps<gpu::GPUModuleOp>());
  if (modules.empty())
    return success();
  OpBuilder builder(modules.front());
  auto all =
      gpu::GPUModuleOp::create(builder, modules.front().getLoc(), KernelsName);
  SymbolTable symbols(all);
  for (gpu::GPUModuleOp module : modules) {
    SymbolTable own(module);
    for (Operation &op :
         llvm::make_early_inc_range(module.getBody()->getOperations())) {
      auto symbol = dyn_cast<SymbolOpInterface>(op);
      if (!symbol)
        return op.emitOpError("is no symbol in a module of kernels");
      StringAttr before = symbol.getNameAttr();
      if (symbols.lookup(before)) {
        std::string renamed = (module.getName() + "_" + before.strref()).str();
        if (failed(own.rename(&op, renamed)))
          return failure();
      }
      op.remove();
      symbols.insert(&op);
      if (auto function = dyn_cast<LLVM::LLVMFuncOp>(op);
          function && !function.isExternal()) {
        auto number = static_cast<int32_t>(numbers.size());
        numbers.try_emplace({module.getNameAttr(), before}, number);
        kernels[number] = function;
      }
    }
    module.erase();
  }
  all.setName(KernelsName);
  return success();
}

LLVM::LLVMFuncOp LowerLaunchesPass::getLaunchFunction() {
  ModuleOp module = getOperation();
  if (auto function = module.lookupSymbol<LLVM::LLVMFuncOp>(LaunchName))
    return function;
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto pointer = LLVM::LLVMPointerType::get(&getContext());
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type();
  auto type =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(&getContext()),
                                  {pointer, i32, i64, i32, pointer});
  return LLVM::LLVMFuncOp::create(builder, module.getLoc(), LaunchName, type);
}

LogicalResult LowerLaunchesPass::lower(gpu::LaunchFuncOp launch) {
  auto function = launch->getParentOfType<LLVM::LLVMFuncOp>();
  auto number =
      numbers.find({launch.getKernelModuleName(), launch.getKernelName()});
  if (!function || function.getNumArguments() == 0 ||
      !isa<LLVM::LLVMPointerType>(function.getArgumentTypes().back()))
    return launch.emitOpError("is in no function whose last argument is a "
                              "queue; expected one that weir-map-kernels gave "
                              "it, and gpu-to-llvm to have run");
  if (number == numbers.end())
    return launch.emitOpError("launches no kernel of this module that is in "
                              "the LLVM dialect; run weir-lower-kernels first");
  Location loc = launch.getLoc();
  MLIRContext *context = &getContext();
  auto pointer = LLVM::LLVMPointerType::get(context);
  OpBuilder head = OpBuilder::atBlockBegin(&function.getBody().front());
  OpBuilder builder(launch);
  Type i32 = builder.getI32Type();
  auto makeInt = [&](OpBuilder &b, int64_t value) -> Value {
    return LLVM::ConstantOp::create(b, loc, b.getI32IntegerAttr(value));
  };
  OperandRange arguments = launch.getKernelOperands();
  uint64_t bytes = 0;
  Value one = makeInt(head, 1);
  Value places = LLVM::AllocaOp::create(
      head, loc, pointer, pointer,
      makeInt(head, std::max<int64_t>(1, arguments.size())));
  LLVM::LLVMFuncOp kernel = kernels.lookup(number->second);
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    // Of a map of a tensor the kernel gets what the pointer points to.
    auto value = kernel.getArgAttrOfType<TypeAttr>(
        i, LLVM::LLVMDialect::getByValAttrName());
    bytes += value ? DataLayout::closest(launch).getTypeSize(value.getValue())
                   : llvm::TypeSize::getFixed(8);
    Value place = argument;
    if (!value) {
      place =
          LLVM::AllocaOp::create(head, loc, pointer, argument.getType(), one);
      LLVM::StoreOp::create(builder, loc, argument, place);
    }
    Value entry = LLVM::GEPOp::create(builder, loc, pointer, pointer, places,
                                      ArrayRef<LLVM::GEPArg>{int32_t(i)});
    LLVM::StoreOp::create(builder, loc, place, entry);
  }
  if (bytes > MostArgumentBytes)
    return launch.emitOpError("passes ")
           << bytes << " bytes of arguments, expected at most "
           << MostArgumentBytes << ": the kernel uses too many buffers";
  Value width = launch.getBlockSizeX();
  if (width.getType() != i32)
    width = LLVM::TruncOp::create(builder, loc, i32, width);
  LLVM::CallOp::create(builder, loc, getLaunchFunction(),
                       ValueRange{function.getArguments().back(),
                                  makeInt(builder, number->second),
                                  launch.getGridSizeX(), width, places});
  launch.erase();
  return success();
}

void LowerLaunchesPass::runOnOperation() {
  numbers.clear();
  kernels.clear();
  SmallVector<gpu::LaunchFuncOp> launches;
  getOperation().walk(
      [&](gpu::LaunchFuncOp launch) { launches.push_back(launch); });
  if (failed(gather()))
    return signalPassFailure();
  for (gpu::LaunchFuncOp launch : launches)
    if (failed(lower(launch)))
      return signalPassFailure();
  getOperation()->removeAttr(gpu::GPUDialect::getContainerModuleAttrName());
}
