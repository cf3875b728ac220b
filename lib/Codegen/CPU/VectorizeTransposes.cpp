//===- VectorizeTransposes.cpp - Matrices turned in registers ---*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block of 16 x 16 numbers is turned four columns at a time. Four vectors
// take these of all rows, a row in each quarter: those of rows 0, 4, 8 and 12
// in the first vector, of rows 1, 5, 9 and 13 in the second. Two rounds of
// shuffles within the quarters, two instructions a column, turn the 4 x 4
// numbers that lie in the same quarter of all four.
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

/// Numbers of a quarter of a vector, within which most instructions shuffle.
static constexpr int64_t LaneSize = 4;

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
  auto laneType = VectorType::get({LaneSize}, builder.getF32Type());
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0));
  auto behind = [&](Value index, int64_t number) -> Value {
    return arith::AddIOp::create(
        builder, loc, index,
        arith::ConstantIndexOp::create(builder, loc, number));
  };
  auto place = [&](Value first, Value second) {
    SmallVector<Value> indices(lead);
    indices.append({first, second});
    return indices;
  };
  // `mask` tells for each number of a lane which of the lanes of `a` and `b`
  // it is, those of `b` counted from LaneSize on.
  auto shuffle = [&](Value a, Value b, ArrayRef<int64_t> mask) -> Value {
    SmallVector<int64_t> all;
    for (int64_t lane = 0; lane < BlockSize; lane += LaneSize)
      for (int64_t number : mask)
        all.push_back(number < LaneSize ? lane + number
                                        : BlockSize + lane + number - LaneSize);
    return vector::ShuffleOp::create(builder, loc, a, b, all);
  };
  auto join = [&](Value a, Value b) -> Value {
    int64_t size = cast<VectorType>(a.getType()).getDimSize(0);
    return vector::ShuffleOp::create(builder, loc, a, b,
                                     llvm::to_vector(llvm::seq(2 * size)));
  };

  for (int64_t part = 0; part < BlockSize; part += LaneSize) {
    SmallVector<Value> rows;
    for (int64_t i = 0; i < LaneSize; ++i) {
      SmallVector<Value> lanes;
      for (int64_t lane = 0; lane < BlockSize; lane += LaneSize)
        lanes.push_back(vector::TransferReadOp::create(
            builder, loc, laneType, source,
            place(behind(row, lane + i), behind(column, part)), zero,
            ArrayRef<bool>{true}));
      rows.push_back(join(join(lanes[0], lanes[1]), join(lanes[2], lanes[3])));
    }
    Value low = shuffle(rows[0], rows[1], {0, 4, 1, 5});
    Value high = shuffle(rows[0], rows[1], {2, 6, 3, 7});
    Value lowRest = shuffle(rows[2], rows[3], {0, 4, 1, 5});
    Value highRest = shuffle(rows[2], rows[3], {2, 6, 3, 7});
    Value columns[] = {shuffle(low, lowRest, {0, 1, 4, 5}),
                       shuffle(low, lowRest, {2, 3, 6, 7}),
                       shuffle(high, highRest, {0, 1, 4, 5}),
                       shuffle(high, highRest, {2, 3, 6, 7})};
    for (auto [i, written] : llvm::enumerate(columns))
      into = vector::TransferWriteOp::create(
                 builder, loc, written, into,
                 place(behind(column, part + i), row), ArrayRef<bool>{true})
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
