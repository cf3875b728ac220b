//===- VectorizeTransposes.cpp - Matrices turned in registers ---*- C++ -*-===//
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

/// Whether `op` copies matrices of the kind described above, transposed: all
/// axes but the last two stay.
static bool isTranspose(linalg::LinalgOp op) {
  if (!isa<linalg::GenericOp, linalg::TransposeOp>(op.getOperation()) ||
      !op.hasPureTensorSemantics() || op.getNumLoops() < 2 ||
      op.getNumParallelLoops() != op.getNumLoops() ||
      op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1)
    return false;
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  unsigned rank = op.getNumLoops();
  if (!type.getElementType().isF32() || !type.hasStaticShape() ||
      type.getRank() != rank ||
      !llvm::all_of(type.getShape().take_back(2), [](int64_t extent) {
        return extent > 0 && extent % BlockSize == 0;
      }))
    return false;
  auto source =
      dyn_cast<RankedTensorType>(op.getDpsInputOperand(0)->get().getType());
  if (!source || source.getElementType() != type.getElementType())
    return false;
  SmallVector<unsigned> turned = llvm::to_vector(llvm::seq(rank));
  std::swap(turned[rank - 2], turned[rank - 1]);
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  return maps[1].isIdentity() &&
         maps[0] == AffineMap::getPermutationMap(turned, op.getContext()) &&
         op.getBlock()->getTerminator()->getOperand(0) ==
             op.getBlock()->getArgument(0);
}

/// Turns the block of `source` at (`row`, `column`) into that of `into` at
/// (`column`, `row`), both of the matrix that `lead` names.
static Value emitBlock(OpBuilder &builder, Location loc, Value source,
                       Value into, ValueRange lead, Value row, Value column) {
  auto rowType = VectorType::get({BlockSize}, builder.getF32Type());
  auto type = VectorType::get({BlockSize, BlockSize}, builder.getF32Type());
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0));
  auto behind = [&](Value index, int64_t number) -> Value {
    return arith::AddIOp::create(
        builder, loc, index,
        arith::ConstantIndexOp::create(builder, loc, number));
  };
  auto place = [&](Value first, int64_t number, Value second) {
    SmallVector<Value> indices(lead);
    indices.push_back(behind(first, number));
    indices.push_back(second);
    return indices;
  };
  Value block =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  for (int64_t i = 0; i < BlockSize; ++i) {
    Value read = vector::TransferReadOp::create(builder, loc, rowType, source,
                                                place(row, i, column), zero,
                                                ArrayRef<bool>{true});
    block = vector::InsertOp::create(builder, loc, read, block, i);
  }
  block =
      vector::TransposeOp::create(builder, loc, block, ArrayRef<int64_t>{1, 0});
  for (int64_t i = 0; i < BlockSize; ++i) {
    Value written = vector::ExtractOp::create(builder, loc, block, i);
    into = vector::TransferWriteOp::create(builder, loc, written, into,
                                           place(column, i, row),
                                           ArrayRef<bool>{true})
               .getResult();
  }
  return into;
}

/// The loops over matrices, then over blocks of each.
static Value emitTranspose(OpBuilder &builder, linalg::LinalgOp op) {
  Location loc = op.getLoc();
  Value source = op.getDpsInputOperand(0)->get();
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  unsigned rank = type.getRank();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  // Rows of the source are columns of the result.
  SmallVector<Value> first(rank, constant(0)), last, step(rank, constant(1));
  for (int64_t extent : cast<RankedTensorType>(source.getType()).getShape())
    last.push_back(constant(extent));
  step[rank - 2] = step[rank - 1] = constant(BlockSize);
  scf::LoopNest nest = scf::buildLoopNest(
      builder, loc, first, last, step, op.getDpsInits(),
      [&](OpBuilder &b, Location, ValueRange at, ValueRange carried) {
        Value next = emitBlock(b, loc, source, carried[0], at.drop_back(2),
                               at[rank - 2], at[rank - 1]);
        return scf::ValueVector{next};
      });
  return nest.results[0];
}

namespace {
struct VectorizeTransposesPass
    : weir::impl::VectorizeTransposesBase<VectorizeTransposesPass> {
  using VectorizeTransposesBase::VectorizeTransposesBase;

  void runOnOperation() override {
    if (vectorBits < BlockSize * 32)
      return;
    SmallVector<linalg::LinalgOp> ops;
    getOperation()->walk([&](linalg::LinalgOp op) {
      if (isTranspose(op))
        ops.push_back(op);
    });
    for (linalg::LinalgOp op : ops) {
      OpBuilder builder(op);
      op->getResult(0).replaceAllUsesWith(emitTranspose(builder, op));
      op.erase();
    }
  }
};
} // namespace
