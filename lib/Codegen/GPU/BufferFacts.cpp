//===- BufferFacts.cpp - What is known of buffers in kernels -*- C++ -*-= ===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BufferFacts.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "weir/Codegen/ExtentBounds.h"

using namespace mlir;
using namespace weir;

int64_t weir::findRowAlignment(Value buffer, int64_t most) {
  auto type = cast<MemRefType>(buffer.getType());
  int64_t bytes = type.getElementTypeBitWidth() / 8;
  int64_t divisor = most;
  auto meet = [&](int64_t elements) {
    divisor = std::min(divisor, std::max<int64_t>(1, (elements * bytes) &
                                                         -(elements * bytes)));
  };
  // Strides of a buffer in rows are products of the extents behind.
  auto meetStrides = [&](MemRefType of) {
    SmallVector<int64_t> strides;
    int64_t offset;
    if (failed(of.getStridesAndOffset(strides, offset)) || strides.empty() ||
        strides.back() != 1)
      return meet(1);
    int64_t inner = 1;
    for (int64_t axis = of.getRank() - 2; axis >= 0; --axis) {
      if (!ShapedType::isDynamic(strides[axis]))
        inner = strides[axis];
      // A stride that is not static is a multiple of the one behind it, as
      // views of buffers in rows have them.
      meet(of.getShape()[axis] == 1 ? most / bytes : inner);
    }
    if (!ShapedType::isDynamic(offset) && offset != 0)
      meet(offset);
  };
  while (true) {
    meetStrides(cast<MemRefType>(buffer.getType()));
    Operation *source = buffer.getDefiningOp();
    if (auto view = dyn_cast_or_null<memref::SubViewOp>(source)) {
      // Steps along the last axis are elements; along others, rows.
      if (getConstantIntValue(view.getMixedOffsets().back()) == std::nullopt)
        meet(1);
      else
        meet(*getConstantIntValue(view.getMixedOffsets().back())
                 ? *getConstantIntValue(view.getMixedOffsets().back())
                 : most / bytes);
      if (view.getSourceType().getRank() != view.getType().getRank() &&
          view.getDroppedDims().test(view.getSourceType().getRank() - 1))
        meet(1);
      buffer = view.getSource();
      continue;
    }
    if (isa_and_nonnull<memref::CollapseShapeOp, memref::ExpandShapeOp,
                        memref::CastOp>(source)) {
      buffer = source->getOperand(0);
      continue;
    }
    // Places in the arena and of arguments are multiples of 64 bytes.
    bool begins = !source || isa<memref::ViewOp>(source);
    if (!begins || !cast<MemRefType>(buffer.getType()).getLayout().isIdentity())
      meet(1);
    return divisor;
  }
}

std::optional<int64_t> weir::boundExtent(Value buffer, int64_t axis) {
  auto type = cast<MemRefType>(buffer.getType());
  if (!type.isDynamicDim(axis))
    return type.getDimSize(axis);
  if (auto whole = buffer.getDefiningOp<memref::ViewOp>())
    return findExtentBound(whole.getSizes()[type.getDynamicDimIndex(axis)]);
  auto view = buffer.getDefiningOp<memref::SubViewOp>();
  if (!view || view.getType().getRank() != view.getSourceType().getRank())
    return std::nullopt;
  auto size = dyn_cast<Value>(view.getMixedSizes()[axis]);
  return size ? findExtentBound(size) : std::nullopt;
}

linalg::FillOp weir::findZeroFill(linalg::GenericOp op) {
  Operation *before = op->getPrevNode();
  while (before && isMemoryEffectFree(before) && before->getNumRegions() == 0)
    before = before->getPrevNode();
  auto fill = dyn_cast_or_null<linalg::FillOp>(before);
  return fill && fill.getOutputs()[0] == op.getDpsInits()[0] &&
                 matchPattern(fill.getInputs()[0], m_AnyZeroFloat())
             ? fill
             : linalg::FillOp();
}
