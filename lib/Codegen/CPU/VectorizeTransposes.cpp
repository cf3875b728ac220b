//===- VectorizeTransposes.cpp - Matrices transposed in registers -*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block of 16 x 16 numbers fills sixteen vectors. It is read by rows, turned
// by four rounds of shuffles between vectors, and written by rows, so that no
// element is moved alone.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "weir/Codegen/Passes.h"

namespace weir {
#define GEN_PASS_DEF_VECTORIZETRANSPOSES
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;

/// Rows and columns of a block.
static constexpr int64_t BlockSize = 16;

/// Whether `op` copies a matrix of the kind described above, transposed.
static bool isTranspose(linalg::GenericOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumLoops() != 2 ||
      op.getNumParallelLoops() != 2 || op.getNumDpsInputs() != 1 ||
      op.getNumDpsInits() != 1)
    return false;
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  if (!type.getElementType().isF32() || type.getRank() != 2 ||
      !llvm::all_of(type.getShape(), [](int64_t extent) {
        return extent > 0 && extent % BlockSize == 0;
      }))
    return false;
  auto source = dyn_cast<RankedTensorType>(op.getInputs()[0].getType());
  if (!source || source.getElementType() != type.getElementType())
    return false;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  return maps[1].isIdentity() && maps[0].getNumResults() == 2 &&
         maps[0].isPermutation() && !maps[0].isIdentity() &&
         op.getBody()->getTerminator()->getOperand(0) ==
             op.getBody()->getArgument(0);
}

/// Turns the block of `source` at (`row`, `column`) into that of `into` at
/// (`column`, `row`).
static Value emitBlock(OpBuilder &builder, Location loc, Value source,
                       Value into, Value row, Value column) {
  auto rowType = VectorType::get({BlockSize}, builder.getF32Type());
  auto type = VectorType::get({BlockSize, BlockSize}, builder.getF32Type());
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0));
  auto behind = [&](Value index, int64_t number) -> Value {
    return arith::AddIOp::create(
        builder, loc, index,
        arith::ConstantIndexOp::create(builder, loc, number));
  };
  Value block =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  for (int64_t i = 0; i < BlockSize; ++i) {
    Value read = vector::TransferReadOp::create(
        builder, loc, rowType, source, ValueRange{behind(row, i), column}, zero,
        ArrayRef<bool>{true});
    block = vector::InsertOp::create(builder, loc, read, block, i);
  }
  block =
      vector::TransposeOp::create(builder, loc, block, ArrayRef<int64_t>{1, 0});
  for (int64_t i = 0; i < BlockSize; ++i) {
    Value written = vector::ExtractOp::create(builder, loc, block, i);
    into = vector::TransferWriteOp::create(builder, loc, written, into,
                                           ValueRange{behind(column, i), row},
                                           ArrayRef<bool>{true})
               .getResult();
  }
  return into;
}

/// The loops over blocks.
static Value emitTranspose(OpBuilder &builder, linalg::GenericOp op) {
  Location loc = op.getLoc();
  Value source = op.getInputs()[0];
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  Value zero = constant(0), step = constant(BlockSize);
  Value rows = constant(type.getDimSize(1)),
        columns = constant(type.getDimSize(0));
  auto outer = scf::ForOp::create(
      builder, loc, zero, rows, step, op.getOutputs()[0],
      [&](OpBuilder &b, Location, Value row, ValueRange carried) {
        auto inner = scf::ForOp::create(
            b, loc, zero, columns, step, carried,
            [&](OpBuilder &nested, Location, Value column, ValueRange tile) {
              scf::YieldOp::create(
                  nested, loc,
                  emitBlock(nested, loc, source, tile[0], row, column));
            });
        scf::YieldOp::create(b, loc, inner.getResults());
      });
  return outer.getResult(0);
}

namespace {
struct VectorizeTransposesPass
    : weir::impl::VectorizeTransposesBase<VectorizeTransposesPass> {
  using VectorizeTransposesBase::VectorizeTransposesBase;

  void runOnOperation() override {
    if (vectorBits < BlockSize * 32)
      return;
    SmallVector<linalg::GenericOp> ops;
    getOperation()->walk([&](linalg::GenericOp op) {
      if (isTranspose(op))
        ops.push_back(op);
    });
    for (linalg::GenericOp op : ops) {
      OpBuilder builder(op);
      op.getResult(0).replaceAllUsesWith(emitTranspose(builder, op));
      op.erase();
    }
  }
};
} // namespace
