//===- LowerPackedLinear.cpp - Packed matrix products to loops -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Loops over panels, then over tiles of rows, then over the reduction: a panel
// stays in the second-level cache while all rows pass it, and each weight is
// read from memory once. With `parallel` in the schedule, chunks of panels are
// spread over threads. What happens inside a tile is up to the kernels.
//
//===----------------------------------------------------------------------===//

#include "PackedLinearEmitter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "weir/Codegen/Passes.h"

namespace weir {
#define GEN_PASS_DEF_LOWERPACKEDLINEAR
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

MatrixView PackedLinearEmitter::viewAsMatrix(OpBuilder &builder, Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  int64_t rank = type.getRank();
  if (rank == 1) {
    auto matrix = RankedTensorType::get({1, type.getDimSize(0)},
                                        type.getElementType());
    SmallVector<ReassociationIndices> joined = {{0, 1}};
    return {tensor::ExpandShapeOp::create(builder, loc, matrix, tensor, joined),
            0, 2};
  }
  // With one axis of rows, indices do; no reshape that bufferisation might
  // copy for.
  int64_t rowAxis = 0, large = 0;
  for (int64_t axis = 0; axis + 1 < rank; ++axis)
    if (type.getDimSize(axis) != 1) {
      rowAxis = axis;
      ++large;
    }
  if (large <= 1)
    return {tensor, rowAxis, rank};
  ReassociationIndices leading;
  for (int64_t axis = 0; axis + 1 < rank; ++axis)
    leading.push_back(axis);
  SmallVector<ReassociationIndices> joined = {leading, {rank - 1}};
  return {tensor::CollapseShapeOp::create(builder, loc, tensor, joined), 0, 2};
}

Value PackedLinearEmitter::emitRowTiles(OpBuilder &builder, int64_t tile,
                                        Value dest, RowsFn kernel) {
  int64_t whole = rows / tile * tile;
  if (whole == tile) {
    dest = kernel(builder, {index(builder, 0), tile}, dest);
  } else if (whole != 0) {
    auto loop = scf::ForOp::create(
        builder, loc, index(builder, 0), index(builder, whole),
        index(builder, tile), dest,
        [&](OpBuilder &b, Location, Value row, ValueRange carried) {
          Value next = kernel(b, {row, tile}, carried.front());
          scf::YieldOp::create(b, loc, next);
        });
    dest = loop.getResult(0);
  }
  if (whole != rows)
    dest = kernel(builder, {index(builder, whole), rows - whole}, dest);
  return dest;
}

Value PackedLinearEmitter::emitPanel(OpBuilder &builder, Panel panel,
                                     Value dest) {
  int64_t vectors = panelWidth / lanes;
  if (inputQuants) {
    // A tile needs two sets of accumulators, and a few registers for weights.
    int64_t tile = std::max<int64_t>(
        1, (target.registers - target.registers / 4) / (2 * vectors));
    return emitRowTiles(builder, tile, dest,
                        [&](OpBuilder &b, Rows tileRows, Value into) {
                          return emitIntegerRows(b, panel, tileRows, into);
                        });
  }
  if (scales && rows == 1)
    return emitQuantRow(builder, panel, dest);

  Value scratch = scales ? emitDequantizedPanel(builder, panel) : Value();
  auto weights = [&](OpBuilder &b, Value k, int64_t v) {
    Value column = index(b, v * lanes);
    if (scratch)
      return readFloats(b, scratch, ValueRange{k, column});
    return readFloats(b, values, ValueRange{panel.index, k, column});
  };
  // Three quarters of the registers accumulate: 12 rows of 32 columns with
  // 32 registers of 16 lanes.
  int64_t tile =
      std::max<int64_t>(1, target.registers * 3 / 4 / vectors);
  return emitRowTiles(builder, tile, dest,
                      [&](OpBuilder &b, Rows tileRows, Value into) {
                        return emitFloatRows(b, panel, tileRows, weights, into);
                      });
}

/// Panels [begin, end), all of whose columns exist, into `dest`, whose first
/// column is that of panel `begin`.
Value PackedLinearEmitter::emitPanels(OpBuilder &builder, Value begin,
                                      Value end, Value dest) {
  auto loop = scf::ForOp::create(
      builder, loc, begin, end, index(builder, 1), dest,
      [&](OpBuilder &b, Location, Value panel, ValueRange carried) {
        Value local = arith::SubIOp::create(b, loc, panel, begin);
        Panel whole = {panel, scale(b, local, panelWidth), panelWidth};
        Value next = emitPanel(b, whole, carried.front());
        scf::YieldOp::create(b, loc, next);
      });
  return loop.getResult(0);
}

/// The first `count` panels in chunks over threads.
Value PackedLinearEmitter::emitParallelPanels(OpBuilder &builder, int64_t count,
                                              Value dest) {
  int64_t perChunk = llvm::divideCeil(count, target.chunks);
  int64_t chunks = llvm::divideCeil(count, perChunk);
  auto type = cast<RankedTensorType>(dest.getType());
  bool even = count % perChunk == 0;

  SmallVector<OpFoldResult> upper = {builder.getIndexAttr(chunks)};
  auto forall = scf::ForallOp::create(builder, loc, upper, dest, std::nullopt);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(forall.getBody());
  Value begin = scale(builder, forall.getInductionVar(0), perChunk);
  Value end = add(builder, begin, perChunk);
  if (!even)
    end = arith::MinSIOp::create(builder, loc, end, index(builder, count));

  SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(type.getRank(), builder.getIndexAttr(1));
  SmallVector<OpFoldResult> sizes;
  for (int64_t extent : type.getShape())
    sizes.push_back(builder.getIndexAttr(extent));
  offsets.back() = scale(builder, begin, panelWidth);
  if (even)
    sizes.back() = builder.getIndexAttr(perChunk * panelWidth);
  else
    sizes.back() =
        scale(builder, arith::SubIOp::create(builder, loc, end, begin),
              panelWidth);
  Value chunk = tensor::ExtractSliceOp::create(
      builder, loc, forall.getRegionIterArgs().front(), offsets, sizes,
      strides);
  chunk = emitPanels(builder, begin, end, chunk);
  builder.setInsertionPointToEnd(forall.getTerminator().getBody());
  tensor::ParallelInsertSliceOp::create(builder, loc, chunk,
                                        forall.getRegionIterArgs().front(),
                                        offsets, sizes, strides);
  return forall.getResult(0);
}

Value PackedLinearEmitter::emit(OpBuilder &builder) {
  auto type = cast<RankedTensorType>(op.getResult().getType());
  if (type.getNumElements() == 0)
    return tensor::EmptyOp::create(builder, loc, type.getShape(),
                                   type.getElementType());
  input = viewAsMatrix(builder, op.getInput());
  SmallVector<int64_t> shape(
      cast<RankedTensorType>(input.tensor.getType()).getShape());
  shape.back() = features;
  result = input;
  values = op.getValues();
  scales = op.getScales();
  mins = op.getMins();
  if (scales) {
    SmallVector<ReassociationIndices> joined = {{0}, {1}, {2, 3}};
    values = tensor::CollapseShapeOp::create(builder, loc, values, joined);
    if (target.compute == QuantCompute::Integer)
      emitQuantizedInput(builder);
    else if (rows == 1)
      emitGroupSums(builder);
  }

  Value dest =
      tensor::EmptyOp::create(builder, loc, shape, type.getElementType());
  int64_t whole = features / panelWidth;
  bool parallel = op.getSchedule() && op.getSchedule()->getParallel();
  if (parallel && whole > 1 && target.chunks > 1)
    dest = emitParallelPanels(builder, whole, dest);
  else if (whole > 0)
    dest = emitPanels(builder, index(builder, 0), index(builder, whole), dest);
  if (whole != panels) {
    Panel last = {index(builder, whole), index(builder, whole * panelWidth),
                  features - whole * panelWidth};
    dest = emitPanel(builder, last, dest);
  }

  if (dest.getType() == type)
    return dest;
  if (type.getRank() == 1) {
    SmallVector<ReassociationIndices> joined = {{0, 1}};
    return tensor::CollapseShapeOp::create(builder, loc, type, dest, joined);
  }
  ReassociationIndices leading;
  for (int64_t axis = 0; axis + 1 < type.getRank(); ++axis)
    leading.push_back(axis);
  SmallVector<ReassociationIndices> joined = {leading, {type.getRank() - 1}};
  return tensor::ExpandShapeOp::create(builder, loc, type, dest, joined);
}

namespace {
struct LowerPackedLinearPass
    : weir::impl::LowerPackedLinearBase<LowerPackedLinearPass> {
  using LowerPackedLinearBase::LowerPackedLinearBase;

  void runOnOperation() override {
    if (vectorBits < 128 || !llvm::isPowerOf2_64(vectorBits) ||
        (compute != "f32" && compute != "int8") || numChunks < 1) {
      emitError(getOperation()->getLoc())
          << "weir-lower-packed-linear has vector-bits="
          << vectorBits.getValue() << " compute=" << compute
          << " num-chunks=" << numChunks.getValue()
          << ", expected a power of two from 128 on, f32 or int8, and at "
             "least 1";
      return signalPassFailure();
    }
    MicroKernelTarget target;
    target.vectorBits = vectorBits;
    target.registers = vectorBits >= 512 ? 32 : 16;
    target.hasFMA = fma;
    target.compute =
        compute == "int8" ? QuantCompute::Integer : QuantCompute::Float;
    target.chunks = numChunks;

    SmallVector<PackedLinearOp> ops;
    getOperation()->walk([&](PackedLinearOp op) { ops.push_back(op); });
    for (PackedLinearOp op : ops) {
      if (failed(PackedLinearEmitter::check(op, target)))
        return signalPassFailure();
      OpBuilder builder(op);
      Value value = PackedLinearEmitter(op, target).emit(builder);
      op.replaceAllUsesWith(value);
      op.erase();
    }
  }
};
} // namespace
