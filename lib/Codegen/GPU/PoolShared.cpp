//===- PoolShared.cpp - One piece of shared memory per kernel ---*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Buffers lie one behind the other, those with the widest alignment first, then
// in the order a kernel first names them. The
// emulator keeps them apart, to find indices that leave one, so that this is
// for GPUs alone.
//
//===----------------------------------------------------------------------===//

#include "KernelAttrs.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "weir/Codegen/GPUPasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

namespace weir {
#define GEN_PASS_DEF_POOLSHARED
#include "weir/Codegen/GPUPasses.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// The memory whose size a launch gives.
static constexpr StringLiteral PoolName = "weir_shared";

namespace {
struct PoolSharedPass : weir::impl::PoolSharedBase<PoolSharedPass> {
  void runOnOperation() override;

private:
  /// Moves the buffers of `kernel` into the pool.
  LogicalResult pool(LLVM::LLVMFuncOp kernel, const SymbolTable &symbols);
  LLVM::GlobalOp getPool();
};
} // namespace

LLVM::GlobalOp PoolSharedPass::getPool() {
  gpu::GPUModuleOp module = getOperation();
  if (auto global = module.lookupSymbol<LLVM::GlobalOp>(PoolName))
    return global;
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), 0);
  return LLVM::GlobalOp::create(builder, module.getLoc(), type,
                                /*isConstant=*/false, LLVM::Linkage::External,
                                PoolName, /*value=*/Attribute(),
                                /*alignment=*/SharedAlignment, SharedSpace);
}

LogicalResult PoolSharedPass::pool(LLVM::LLVMFuncOp kernel,
                                   const SymbolTable &symbols) {
  llvm::MapVector<LLVM::GlobalOp, SmallVector<LLVM::AddressOfOp>> buffers;
  kernel.walk([&](LLVM::AddressOfOp address) {
    auto global = symbols.lookup<LLVM::GlobalOp>(address.getGlobalName());
    if (global && global.getAddrSpace() == SharedSpace)
      buffers[global].push_back(address);
  });
  auto getAlignment = [](LLVM::GlobalOp global) {
    return static_cast<int64_t>(
        global.getAlignment().value_or(SharedAlignment));
  };
  // Those that are aligned most come first, so that nothing is between.
  SmallVector<std::tuple<int64_t, size_t, LLVM::GlobalOp>> order;
  for (auto &[global, addresses] : buffers)
    order.push_back({-getAlignment(global), order.size(), global});
  llvm::sort(order, [](const auto &a, const auto &b) {
    return std::tie(std::get<0>(a), std::get<1>(a)) <
           std::tie(std::get<0>(b), std::get<1>(b));
  });
  if (!order.empty()) {
    LLVM::GlobalOp all = getPool();
    all.setAlignment(std::max(getAlignment(all), -std::get<0>(order.front())));
  }
  int64_t bytes = 0;
  for (auto [alignment, number, global] : order) {
    bytes = static_cast<int64_t>(llvm::alignTo(bytes, -alignment));
    auto type = dyn_cast<LLVM::LLVMArrayType>(global.getGlobalType());
    if (!type || !type.getElementType().isInteger(8))
      return global.emitOpError("is shared memory of type ")
             << global.getGlobalType() << ", expected an array of bytes";
    for (LLVM::AddressOfOp address : buffers[global]) {
      OpBuilder builder(address);
      Value start =
          LLVM::AddressOfOp::create(builder, address.getLoc(), getPool());
      Value place = LLVM::GEPOp::create(
          builder, address.getLoc(), start.getType(), builder.getI8Type(),
          start, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(bytes)});
      address.replaceAllUsesWith(place);
      address.erase();
    }
    bytes += static_cast<int64_t>(
        llvm::alignTo(type.getNumElements(), SharedAlignment));
  }
  if (bytes)
    kernel->setAttr(SharedAttrName,
                    DenseI64ArrayAttr::get(&getContext(), {bytes}));
  return success();
}

void PoolSharedPass::runOnOperation() {
  gpu::GPUModuleOp module = getOperation();
  SymbolTable symbols(module);
  for (auto kernel : module.getOps<LLVM::LLVMFuncOp>())
    if (failed(pool(kernel, symbols)))
      return signalPassFailure();
  for (auto global :
       llvm::make_early_inc_range(module.getOps<LLVM::GlobalOp>()))
    if (global.getAddrSpace() == SharedSpace && global.getName() != PoolName &&
        SymbolTable::symbolKnownUseEmpty(global, module))
      global.erase();
}
