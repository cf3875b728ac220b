//===- LowerPackedLinear.cpp - Packed matrix products to loops -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Loops over panels, then over tiles of rows, then over the reduction: a panel
// stays in the second-level cache while all rows pass it, and each weight is
// read from memory once. What happens inside a tile is up to the kernels.
//
// The tile of rows has one size. Where it does not divide the rows, the last
// tile is filled up with the last row, which is then computed several times
// and written with the same numbers: one body of code serves any number of
// rows, and no row is read that does not exist. Where rows are few, such as
// those of one expert, what is left over is much of them: a second body takes
// it if it fits half a tile.
//
//===----------------------------------------------------------------------===//

#include "PackedLinearEmitter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "weir/Codegen/ExtentBounds.h"
#include "weir/Codegen/Passes.h"

namespace weir {
#define GEN_PASS_DEF_LOWERPACKEDLINEAR
#include "weir/Codegen/CPUPasses.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// The indices of the row numbered `row` on the axes before the last.
SmallVector<Value> PackedLinearEmitter::getRow(OpBuilder &builder, Value row) {
  SmallVector<unsigned> large;
  for (auto [axis, extent] : llvm::enumerate(extents))
    if (!isConstantIntValue(extent, 1))
      large.push_back(axis);
  SmallVector<Value> indices(extents.size());
  for (Value &entry : indices)
    entry = index(builder, 0);
  while (large.size() > 1) {
    unsigned axis = large.pop_back_val();
    Value extent = getValueOrCreateConstantIndexOp(builder, loc, extents[axis]);
    indices[axis] = arith::RemUIOp::create(builder, loc, row, extent);
    row = arith::DivUIOp::create(builder, loc, row, extent);
  }
  if (!large.empty())
    indices[large.front()] = row;
  return indices;
}

/// Tiles up to which rows are few.
static constexpr int64_t FewTiles = 8;

/// Runs `kernel` on all rows, at most `largest` at a time.
Value PackedLinearEmitter::emitRowTiles(OpBuilder &builder, int64_t largest,
                                        Value dest, RowsFn kernel) {
  int64_t tile = largest;
  if (staticRows)
    tile =
        llvm::divideCeil(*staticRows, llvm::divideCeil(*staticRows, largest));
  bool even = staticRows && *staticRows % tile == 0;
  auto emitTile = [&](OpBuilder &b, Value first, int64_t size, Value into) {
    SmallVector<SmallVector<Value>> rows;
    Value last =
        even ? Value()
             : Value(arith::SubIOp::create(b, loc, rowCount, index(b, 1)));
    for (int64_t r = 0; r != size; ++r) {
      Value row = add(b, first, r);
      if (last && r > 0)
        row = arith::MinUIOp::create(b, loc, row, last);
      rows.push_back(getRow(b, row));
    }
    return kernel(b, rows, into);
  };
  if (staticRows && *staticRows == tile)
    return emitTile(builder, index(builder, 0), tile, dest);
  auto emitTiles = [&](Value first, Value last, int64_t size, Value into) {
    return scf::ForOp::create(
               builder, loc, first, last, index(builder, size), into,
               [&](OpBuilder &b, Location, Value row, ValueRange carried) {
                 scf::YieldOp::create(b, loc,
                                      emitTile(b, row, size, carried.front()));
               })
        .getResult(0);
  };
  Value zero = index(builder, 0);
  std::optional<int64_t> bound;
  if (!staticRows)
    bound = findExtentBound(rowCount);
  int64_t half = tile / 2;
  if (!half || !bound || *bound > FewTiles * tile)
    return emitTiles(zero, rowCount, tile, dest);
  // Whole tiles as long as more than half of one is left.
  Value end = arith::MaxSIOp::create(
      builder, loc,
      arith::SubIOp::create(builder, loc, rowCount, index(builder, half)),
      zero);
  Value size = index(builder, tile);
  Value done = arith::MulIOp::create(
      builder, loc, arith::CeilDivSIOp::create(builder, loc, end, size), size);
  dest = emitTiles(zero, done, tile, dest);
  return emitTiles(done, rowCount, half, dest);
}

Value PackedLinearEmitter::emitPanel(OpBuilder &builder, Panel panel,
                                     Value dest) {
  // Three quarters of the registers accumulate: 12 rows of 32 columns with
  // 32 registers of 16 lanes.
  int64_t tile = std::max<int64_t>(1, target.registers * 3 / 4 / vectors);
  if (op.getInputScales()) {
    // A tile needs two sets of accumulators.
    return emitRowTiles(builder, std::max<int64_t>(1, tile / 2), dest,
                        [&](OpBuilder &b, Rows rows, Value into) {
                          return emitIntegerRows(b, panel, rows, into);
                        });
  }
  if (scales && staticRows == 1)
    return emitQuantRow(
        builder, panel,
        SmallVector<SmallVector<Value>>{getRow(builder, index(builder, 0))},
        dest);

  Value scratch = scales ? emitDequantizedPanel(builder, panel) : Value();
  auto weights = [&](OpBuilder &b, Value k, int64_t v) {
    Value column = index(b, v * lanes);
    if (scratch)
      return readFloats(b, scratch, ValueRange{k, column});
    if (op.hasPairs())
      return readVector(b, values,
                        ValueRange{panel.index, k, index(b, v * lanes * 2)},
                        lanes * 2);
    return readFloats(b, values, ValueRange{panel.index, k, column});
  };
  return emitRowTiles(builder, tile, dest,
                      [&](OpBuilder &b, Rows rows, Value into) {
                        return emitFloatRows(b, panel, rows, weights, into);
                      });
}

Value PackedLinearEmitter::emit(OpBuilder &builder) {
  auto type = cast<RankedTensorType>(op.getResult().getType());
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, op.getInput());
  Value dest = op.getInit();
  if (!dest) {
    SmallVector<OpFoldResult> destSizes(sizes);
    destSizes.back() = builder.getIndexAttr(type.getShape().back());
    dest =
        tensor::EmptyOp::create(builder, loc, destSizes, type.getElementType());
  }
  if (type.hasStaticShape() && type.getNumElements() == 0)
    return dest;
  extents.assign(sizes.begin(), std::prev(sizes.end()));
  rowCount = index(builder, 1);
  if (staticRows)
    rowCount = index(builder, *staticRows);
  else
    for (OpFoldResult extent : extents)
      if (!isConstantIntValue(extent, 1)) {
        Value next = getValueOrCreateConstantIndexOp(builder, loc, extent);
        rowCount =
            getConstantIntValue(rowCount) == 1
                ? next
                : Value(arith::MulIOp::create(builder, loc, rowCount, next));
      }
  input = op.getInput();
  values = op.getValues();
  scales = op.getScales();
  mins = op.getMins();
  if (scales || op.hasPairs()) {
    SmallVector<ReassociationIndices> joined = {{0}, {1}, {2, 3}};
    values = tensor::CollapseShapeOp::create(builder, loc, values, joined);
  }
  if (scales) {
    // What sums are for: mins and zero points.
    if (!op.getInputScales() && staticRows == 1 && (mins || zeroPoint))
      emitGroupSums(builder);
  }
  Value panels = builder.createOrFold<tensor::DimOp>(loc, op.getValues(), 0);
  auto loop = scf::ForOp::create(
      builder, loc, index(builder, 0), panels, index(builder, 1), dest,
      [&](OpBuilder &b, Location, Value panel, ValueRange carried) {
        Panel place = {panel, scale(b, panel, panelWidth)};
        scf::YieldOp::create(b, loc, emitPanel(b, place, carried.front()));
      });
  return loop.getResult(0);
}

namespace {
struct LowerPackedLinearPass
    : weir::impl::LowerPackedLinearBase<LowerPackedLinearPass> {
  using LowerPackedLinearBase::LowerPackedLinearBase;

  void runOnOperation() override {
    if (vectorBits < 128 || !llvm::isPowerOf2_64(vectorBits)) {
      emitError(getOperation()->getLoc())
          << "weir-lower-packed-linear has vector-bits="
          << vectorBits.getValue() << ", expected a power of two from 128 on";
      return signalPassFailure();
    }
    MicroKernelTarget target;
    target.vectorBits = vectorBits;
    target.registers = vectorBits >= 512 ? 32 : 16;
    target.hasFMA = fma;
    target.hasVNNI = vnni;
    target.hasBF16 = bf16;
    target.hasByteShuffle = byteShuffle;

    SmallVector<PackedLinearOp> ops;
    getOperation()->walk([&](PackedLinearOp op) { ops.push_back(op); });
    for (PackedLinearOp op : ops) {
      if (failed(PackedLinearEmitter::check(op, target)))
        return signalPassFailure();
      OpBuilder builder(op);
      Value value = PackedLinearEmitter(op, target).emit(builder);
      if (value.getType() != op.getResult().getType())
        value = tensor::CastOp::create(builder, op.getLoc(),
                                       op.getResult().getType(), value);
      op.replaceAllUsesWith(value);
      op.erase();
    }
  }
};
} // namespace
