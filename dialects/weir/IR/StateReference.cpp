//===- StateReference.cpp - Plain definitions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

FailureOr<SmallVector<Value>> AppendOp::buildReference(OpBuilder &builder) {
  Location loc = getLoc();
  Value block = getBlock();
  auto blockType = cast<RankedTensorType>(block.getType());
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, block);
  OpFoldResult zeroAttr = builder.getIndexAttr(0);
  OpFoldResult oneAttr = builder.getIndexAttr(1);
  int64_t lead = getLayer() ? 1 : 0;
  Value zero = buildIndex(builder, loc, 0);
  Value one = buildIndex(builder, loc, 1);
  Value rows = getValueOrCreateConstantIndexOp(builder, loc, sizes[BatchAxis]);
  Value time = getValueOrCreateConstantIndexOp(builder, loc, sizes[TimeAxis]);
  Value capacity =
      tensor::DimOp::create(builder, loc, getSlot(), lead + TimeAxis);

  // One entry of the block, as it is cut out and put in.
  SmallVector<OpFoldResult> entrySizes(sizes);
  entrySizes[BatchAxis] = entrySizes[TimeAxis] = oneAttr;
  SmallVector<OpFoldResult> placeSizes(lead, oneAttr);
  llvm::append_range(placeSizes, entrySizes);
  SmallVector<OpFoldResult> entryStrides(blockType.getRank(), oneAttr);
  SmallVector<OpFoldResult> placeStrides(blockType.getRank() + lead, oneAttr);

  auto buildRow = [&](OpBuilder &b, Location l, Value row, Value slot) {
    Value offset = buildReadIndex(b, l, getOffset(), row);
    Value end = time;
    if (getLengths())
      end = arith::MinSIOp::create(b, l, end,
                                   buildReadIndex(b, l, getLengths(), row));
    auto loop = scf::ForOp::create(
        b, l, zero, end, one, slot,
        [&](OpBuilder &b, Location l, Value t, ValueRange carried) {
          Value position = arith::AddIOp::create(b, l, offset, t);
          Value place = arith::RemUIOp::create(b, l, position, capacity);
          SmallVector<OpFoldResult> from(blockType.getRank(), zeroAttr);
          from[BatchAxis] = row;
          from[TimeAxis] = t;
          SmallVector<OpFoldResult> to;
          if (getLayer())
            to.push_back(getLayer());
          llvm::append_range(to, from);
          to[lead + TimeAxis] = place;
          Value entry = tensor::ExtractSliceOp::create(
              b, l, block, from, entrySizes, entryStrides);
          Value filled = tensor::InsertSliceOp::create(
              b, l, entry, carried[0], to, placeSizes, placeStrides);
          scf::YieldOp::create(b, l, filled);
        });
    return loop.getResult(0);
  };
  auto loop = scf::ForOp::create(
      builder, loc, zero, rows, one, getSlot(),
      [&](OpBuilder &b, Location l, Value row, ValueRange carried) {
        scf::YieldOp::create(b, l, buildRow(b, l, row, carried[0]));
      });
  return SmallVector<Value>(loop.getResults());
}

FailureOr<SmallVector<Value>> SelectLastOp::buildReference(OpBuilder &builder) {
  Location loc = getLoc();
  auto type = cast<RankedTensorType>(getInput().getType());
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, getInput());
  sizes[TimeAxis] = builder.getIndexAttr(1);
  Value result = buildElementwise(
      builder, loc, sizes, type.getElementType(), {}, {},
      [&](OpBuilder &b, Location l, ValueRange) -> Value {
        SmallVector<Value> place;
        for (int64_t axis = 0; axis < type.getRank(); ++axis)
          place.push_back(linalg::IndexOp::create(b, l, axis));
        Value length = buildReadIndex(b, l, getLengths(), place[BatchAxis]);
        Value one = buildIndex(b, l, 1);
        length = arith::MaxSIOp::create(b, l, length, one);
        place[TimeAxis] = arith::SubIOp::create(b, l, length, one);
        return tensor::ExtractOp::create(b, l, getInput(), place);
      });
  return SmallVector<Value>{result};
}
