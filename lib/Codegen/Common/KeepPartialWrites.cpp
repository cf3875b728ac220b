//===- KeepPartialWrites.cpp - Writes that leave a rest -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "weir/Codegen/Passes.h"

namespace weir {
#define GEN_PASS_DEF_KEEPPARTIALWRITES
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;

/// Whether `write` begins at the origin with a vector that has fewer axes than
/// the tensor, and so may be held for one of all of it.
static bool isMistakable(vector::TransferWriteOp write) {
  return isa<RankedTensorType>(write.getShapedType()) &&
         write.getVectorType().getRank() < write.getShapedType().getRank() &&
         !write.getIndices().empty() &&
         llvm::all_of(
             write.getIndices(),
             [](Value index) { return isConstantIntValue(index, 0); });
}

namespace {
struct KeepPartialWritesPass
    : weir::impl::KeepPartialWritesBase<KeepPartialWritesPass> {
  void runOnOperation() override {
    getOperation()->walk([](vector::TransferWriteOp write) {
      if (!isMistakable(write))
        return;
      OpBuilder builder(write);
      OpOperand &index = write.getIndicesMutable()[0];
      index.set(arith::AddIOp::create(builder, write.getLoc(), index.get(),
                                      index.get()));
    });
  }
};
} // namespace
