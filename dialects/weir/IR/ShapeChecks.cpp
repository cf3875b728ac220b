//===- ShapeChecks.cpp - Types that may agree at run time -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/ShapeChecks.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;

bool weir::mayBeEqual(int64_t lhs, int64_t rhs) {
  return ShapedType::isDynamic(lhs) || ShapedType::isDynamic(rhs) || lhs == rhs;
}

bool weir::mayHaveShape(RankedTensorType type, ArrayRef<int64_t> shape) {
  return type.getRank() == static_cast<int64_t>(shape.size()) &&
         llvm::all_of(llvm::zip(type.getShape(), shape), [](auto extents) {
           return mayBeEqual(std::get<0>(extents), std::get<1>(extents));
         });
}

LogicalResult weir::expectTensor(Operation *op, Value value, StringRef name,
                                 ArrayRef<int64_t> shape, Type element) {
  if (!value)
    return success();
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (type && mayHaveShape(type, shape) && type.getElementType() == element)
    return success();
  return op->emitOpError("has ")
         << name << " of type " << value.getType() << ", expected "
         << RankedTensorType::get(shape, element);
}
