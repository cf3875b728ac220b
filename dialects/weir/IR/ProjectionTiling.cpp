//===- ProjectionTiling.cpp - Tiles of packed products -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile of a product reads the whole reduction: rows of the input and whole
// panels of the weight. Quantisation is cut along rows alone, which keeps its
// groups whole.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

/// The slice of `tensor` at `offsets` of extents `sizes`.
static Value slice(OpBuilder &builder, Location loc, Value tensor,
                   ArrayRef<OpFoldResult> offsets,
                   ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> strides(offsets.size(), builder.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(builder, loc, tensor, offsets, sizes,
                                        strides);
}

/// The slice of `tensor` along its first axes, whole on the others.
static Value sliceLeading(OpBuilder &builder, Location loc, Value tensor,
                          ArrayRef<OpFoldResult> offsets,
                          ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> allSizes =
      tensor::getMixedSizes(builder, loc, tensor);
  SmallVector<OpFoldResult> allOffsets(allSizes.size(),
                                       builder.getIndexAttr(0));
  llvm::copy(offsets, allOffsets.begin());
  llvm::copy(sizes, allSizes.begin());
  return slice(builder, loc, tensor, allOffsets, allSizes);
}

/// The loops over all of `tensor`.
static SmallVector<Range> getDomain(OpBuilder &builder, Location loc,
                                    ArrayRef<OpFoldResult> sizes) {
  SmallVector<Range> domain;
  for (OpFoldResult size : sizes)
    domain.push_back({builder.getIndexAttr(0), size, builder.getIndexAttr(1)});
  return domain;
}

/// What a tiled op is to the tiling drivers.
static TilingResult makeTilingResult(Operation *op, ValueRange inputs) {
  TilingResult result;
  result.tiledOps = {op};
  result.tiledValues.assign(op->result_begin(), op->result_end());
  for (Value input : inputs)
    if (Operation *producer = input.getDefiningOp())
      result.generatedSlices.push_back(producer);
  return result;
}

//===----------------------------------------------------------------------===//
// weir.packed_linear
//===----------------------------------------------------------------------===//

/// The extents of the result.
static SmallVector<OpFoldResult> getResultSizes(OpBuilder &builder,
                                                PackedLinearOp op) {
  if (op.getInit())
    return tensor::getMixedSizes(builder, op.getLoc(), op.getInit());
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, op.getLoc(), op.getInput());
  sizes.back() = builder.getIndexAttr(
      cast<RankedTensorType>(op.getResult().getType()).getShape().back());
  return sizes;
}

LogicalResult
PackedLinearOp::reifyResultShapes(OpBuilder &builder,
                                  ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(getResultSizes(builder, *this));
  return success();
}

SmallVector<utils::IteratorType> PackedLinearOp::getLoopIteratorTypes() {
  return SmallVector<utils::IteratorType>(
      cast<RankedTensorType>(getResult().getType()).getRank(),
      utils::IteratorType::parallel);
}

SmallVector<Range> PackedLinearOp::getIterationDomain(OpBuilder &builder) {
  return getDomain(builder, getLoc(), getResultSizes(builder, *this));
}

FailureOr<TilingResult>
PackedLinearOp::getTiledImplementation(OpBuilder &builder,
                                       ArrayRef<OpFoldResult> offsets,
                                       ArrayRef<OpFoldResult> sizes) {
  Location loc = getLoc();
  int64_t panel = getPanel();
  std::optional<int64_t> first = getConstantIntValue(offsets.back());
  if (first && *first % panel != 0)
    return emitOpError("cannot be cut at column ")
           << *first << ", expected a multiple of its panels of " << panel;
  AffineExpr column = builder.getAffineDimExpr(0);
  OpFoldResult firstPanel = affine::makeComposedFoldedAffineApply(
      builder, loc, column.floorDiv(panel), {offsets.back()});
  OpFoldResult panels = affine::makeComposedFoldedAffineApply(
      builder, loc, column.ceilDiv(panel), {sizes.back()});
  ArrayRef<OpFoldResult> rowOffsets = offsets.drop_back();
  ArrayRef<OpFoldResult> rowSizes = sizes.drop_back();

  auto cutRows = [&](Value tensor) {
    return tensor ? sliceLeading(builder, loc, tensor, rowOffsets, rowSizes)
                  : Value();
  };
  auto cutPanels = [&](Value tensor) {
    return tensor ? sliceLeading(builder, loc, tensor, firstPanel, panels)
                  : Value();
  };
  Value input = cutRows(getInput());
  Value inputScales = cutRows(getInputScales());
  Value inputSums = cutRows(getInputSums());
  Value values = cutPanels(getValues());
  Value scales = cutPanels(getScales());
  Value mins = cutPanels(getMins());
  Value bias = getBias() ? slice(builder, loc, getBias(), {offsets.back()},
                                 {sizes.back()})
                         : Value();
  Type element = cast<RankedTensorType>(getResult().getType()).getElementType();
  Value init =
      getInit() ? slice(builder, loc, getInit(), offsets, sizes)
                : Value(tensor::EmptyOp::create(builder, loc, sizes, element));
  auto tiled =
      PackedLinearOp::create(builder, loc, init.getType(), input, values,
                             scales, mins, bias, inputScales, inputSums, init,
                             getBits(), getGroup(), getCode(), ScheduleAttr());
  return makeTilingResult(tiled, {input, inputScales, inputSums});
}

LogicalResult PackedLinearOp::getResultTilePosition(
    OpBuilder &, unsigned, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  resultOffsets.assign(offsets.begin(), offsets.end());
  resultSizes.assign(sizes.begin(), sizes.end());
  return success();
}

FailureOr<TilingResult>
PackedLinearOp::generateResultTileValue(OpBuilder &builder, unsigned,
                                        ArrayRef<OpFoldResult> offsets,
                                        ArrayRef<OpFoldResult> sizes) {
  return getTiledImplementation(builder, offsets, sizes);
}

//===----------------------------------------------------------------------===//
// weir.quantize
//===----------------------------------------------------------------------===//

LogicalResult
QuantizeOp::reifyResultShapes(OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, getLoc(), getInput());
  shapes.push_back(sizes);
  sizes.back() = builder.getIndexAttr(
      cast<RankedTensorType>(getScales().getType()).getShape().back());
  shapes.push_back(sizes);
  shapes.push_back(sizes);
  return success();
}

SmallVector<utils::IteratorType> QuantizeOp::getLoopIteratorTypes() {
  return SmallVector<utils::IteratorType>(
      cast<RankedTensorType>(getInput().getType()).getRank() - 1,
      utils::IteratorType::parallel);
}

SmallVector<Range> QuantizeOp::getIterationDomain(OpBuilder &builder) {
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, getLoc(), getInput());
  return getDomain(builder, getLoc(), ArrayRef(sizes).drop_back());
}

FailureOr<TilingResult>
QuantizeOp::getTiledImplementation(OpBuilder &builder,
                                   ArrayRef<OpFoldResult> offsets,
                                   ArrayRef<OpFoldResult> sizes) {
  Value input = sliceLeading(builder, getLoc(), getInput(), offsets, sizes);
  auto tiled = QuantizeOp::create(builder, getLoc(), input, getGroup());
  return makeTilingResult(tiled, input);
}

LogicalResult QuantizeOp::getResultTilePosition(
    OpBuilder &builder, unsigned result, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  resultOffsets.assign(offsets.begin(), offsets.end());
  resultSizes.assign(sizes.begin(), sizes.end());
  resultOffsets.push_back(builder.getIndexAttr(0));
  resultSizes.push_back(builder.getIndexAttr(
      cast<RankedTensorType>(getResult(result).getType()).getShape().back()));
  return success();
}
