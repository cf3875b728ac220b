//===- PackedLinearEmitter.cpp - Pieces shared by the kernels -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Vectors here are always one register of one dimension, each its own SSA
// value: chains of insertions into larger vectors do not survive
// canonicalisation as registers.
//
//===----------------------------------------------------------------------===//

#include "PackedLinearEmitter.h"

using namespace mlir;
using namespace weir;

PackedLinearEmitter::PackedLinearEmitter(PackedLinearOp op,
                                         const MicroKernelTarget &target)
    : op(op), target(target), loc(op.getLoc()) {
  auto type = cast<RankedTensorType>(op.getInput().getType());
  auto result = cast<RankedTensorType>(op.getResult().getType());
  reduction = op.getReduction();
  ArrayRef<int64_t> leading = type.getShape().drop_back();
  if (!ShapedType::isDynamicShape(leading)) {
    staticRows = 1;
    for (int64_t extent : leading)
      *staticRows *= extent;
  }
  panelWidth = op.getPanel();
  int64_t columns = result.getShape().back();
  wholePanels = !ShapedType::isDynamic(columns) && columns % panelWidth == 0;
  lanes = target.getLanes();
  vectors = panelWidth / lanes;
  bits = op.getBits();
  group = op.getGroup();
  Builder builder(op.getContext());
  floats = VectorType::get({lanes}, builder.getF32Type());
  integers = VectorType::get({lanes}, builder.getI32Type());
  zeroPoint = op.getCode() == PackCode::E4M3 ? 0
              : op.getCode() == PackCode::E2M1
                  ? LargestDoubledE2M1
                  : int64_t(1) << (bits - 1 < 32 ? bits - 1 : 0);
}

LogicalResult PackedLinearEmitter::check(PackedLinearOp op,
                                         const MicroKernelTarget &target) {
  auto type = cast<RankedTensorType>(op.getInput().getType());
  if (op.getInputScales()) {
    if (!target.hasVNNI)
      return op.emitOpError("has inputs of i8 when the target has no VNNI; "
                            "compile with --compute=f32");
  } else if (op.hasPairs()) {
    if (!target.hasBF16)
      return op.emitOpError("has pairs of bf16 when the target has no "
                            "AVX512-BF16; compile with --compute=f32");
  } else if (!type.getElementType().isF32()) {
    return op.emitOpError("has inputs of ")
           << type.getElementType()
           << ", expected f32; keep activations in f32 or lower this op by "
              "weir-lower-to-reference";
  }
  Type element =
      cast<RankedTensorType>(op.getValues().getType()).getElementType();
  if (!element.isF32() && !element.isBF16() && !element.isF16() &&
      !element.isInteger(8))
    return op.emitOpError("has weights of ")
           << element << ", expected f32, f16, bf16 or quants";
  for (Value part : {op.getScales(), op.getMins()}) {
    if (!part)
      continue;
    Type scale = cast<RankedTensorType>(part.getType()).getElementType();
    if (!scale.isF32() && !scale.isF16() && !scale.isInteger(8))
      return op.emitOpError("has scales or mins of ")
             << scale << ", expected f32, f16 or exponents of i8";
  }
  if (op.getPanel() % target.getLanes() != 0)
    return op.emitOpError("has panels of ")
           << op.getPanel() << " columns, expected a multiple of the "
           << target.getLanes() << " lanes of a vector; run weir-pack-weights "
           << "for the same target";
  int64_t vectors = op.getPanel() / target.getLanes();
  if (vectors * 2 > target.registers / 2)
    return op.emitOpError("has panels of ")
           << op.getPanel() << " columns, too many for " << target.registers
           << " registers of " << target.getLanes()
           << " lanes; run weir-pack-weights for the same target";
  if (element.isInteger(8) && (op.getGroup() % target.getLanes() != 0 ||
                               op.getReduction() % op.getGroup() != 0))
    return op.emitOpError("has groups of ")
           << op.getGroup() << " in a reduction of " << op.getReduction()
           << ", expected whole groups of a multiple of " << target.getLanes();
  return success();
}

Value PackedLinearEmitter::index(OpBuilder &builder, int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value PackedLinearEmitter::add(OpBuilder &builder, Value lhs, int64_t rhs) {
  if (rhs == 0)
    return lhs;
  return arith::AddIOp::create(builder, loc, lhs, index(builder, rhs));
}

Value PackedLinearEmitter::scale(OpBuilder &builder, Value lhs, int64_t rhs) {
  if (rhs == 1)
    return lhs;
  return arith::MulIOp::create(builder, loc, lhs, index(builder, rhs));
}

Value PackedLinearEmitter::splat(OpBuilder &builder, float value) {
  return arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(floats, builder.getF32FloatAttr(value)));
}

Value PackedLinearEmitter::splatInt(OpBuilder &builder, int32_t value) {
  return arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(integers, builder.getI32IntegerAttr(value)));
}

Value PackedLinearEmitter::broadcast(OpBuilder &builder, Value scalar) {
  return vector::BroadcastOp::create(
      builder, loc, VectorType::get({lanes}, scalar.getType()), scalar);
}

Value PackedLinearEmitter::multiplyAdd(OpBuilder &builder, Value lhs, Value rhs,
                                       Value acc) {
  if (target.hasFMA)
    return vector::FMAOp::create(builder, loc, lhs, rhs, acc);
  Value product = arith::MulFOp::create(builder, loc, lhs, rhs);
  return arith::AddFOp::create(builder, loc, product, acc);
}

/// Reads `count` neighbours on the last axis; without `inBounds`, zero for
/// those that do not exist.
Value PackedLinearEmitter::readVector(OpBuilder &builder, Value tensor,
                                      ValueRange at, int64_t count,
                                      bool inBounds) {
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  Value padding =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(element));
  return vector::TransferReadOp::create(
      builder, loc, VectorType::get({count}, element), tensor, at, padding,
      ArrayRef<bool>(inBounds));
}

/// Reads a register of floats of any width as f32.
Value PackedLinearEmitter::readFloats(OpBuilder &builder, Value tensor,
                                      ValueRange at) {
  Value vector = readVector(builder, tensor, at, lanes);
  if (vector.getType() == floats)
    return vector;
  return arith::ExtFOp::create(builder, loc, floats, vector);
}

/// Writes `vector` on the last axis; without `inBounds`, as far as there is
/// room.
Value PackedLinearEmitter::writeVector(OpBuilder &builder, Value vector,
                                       Value tensor, ValueRange at,
                                       bool inBounds) {
  return vector::TransferWriteOp::create(builder, loc, vector, tensor, at,
                                         ArrayRef<bool>(inBounds))
      .getResult();
}

/// The indices of an element in `row`.
SmallVector<Value> PackedLinearEmitter::at(ArrayRef<Value> row, Value column) {
  SmallVector<Value> indices(row);
  indices.push_back(column);
  return indices;
}

/// An element of `tensor`, whose axes before the last are those of the rows.
Value PackedLinearEmitter::extract(OpBuilder &builder, Value tensor,
                                   ArrayRef<Value> row, Value column) {
  return tensor::ExtractOp::create(builder, loc, tensor, at(row, column));
}

/// Accumulators of `rows` rows, row-major: the bias, or zero.
PackedLinearEmitter::Vectors
PackedLinearEmitter::emitInitial(OpBuilder &builder, const Panel &panel,
                                 int64_t rows) {
  Vectors row;
  for (int64_t v = 0; v != vectors; ++v) {
    if (!op.getBias()) {
      row.push_back(splat(builder, 0.0f));
      continue;
    }
    Value column = add(builder, panel.column, v * lanes);
    Value part = readVector(builder, op.getBias(), column, lanes, wholePanels);
    if (part.getType() != floats)
      part = arith::ExtFOp::create(builder, loc, floats, part);
    row.push_back(part);
  }
  Vectors all;
  for (int64_t r = 0; r != rows; ++r)
    llvm::append_range(all, row);
  return all;
}

/// Writes the accumulators of `rows`, row-major, less the padding.
Value PackedLinearEmitter::emitStores(OpBuilder &builder, const Panel &panel,
                                      Rows rows, ArrayRef<Value> accumulators,
                                      Value dest) {
  for (auto [r, row] : llvm::enumerate(rows))
    for (int64_t v = 0; v != vectors; ++v)
      dest = writeVector(builder, accumulators[r * vectors + v], dest,
                         at(row, add(builder, panel.column, v * lanes)),
                         wholePanels);
  return dest;
}
