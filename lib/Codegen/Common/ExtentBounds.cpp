//===- ExtentBounds.cpp - What extents are at most -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Codegen/ExtentBounds.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"

using namespace mlir;

/// The value that is the extent of `tensor` along `axis`, where the operations
/// that made it say so; the tensor's own where they do not.
static Value traceExtent(Value tensor, int64_t axis) {
  while (true) {
    if (auto result = dyn_cast<OpResult>(tensor)) {
      Operation *op = result.getOwner();
      if (auto destinations = dyn_cast<DestinationStyleOpInterface>(op)) {
        tensor = destinations.getTiedOpOperand(result)->get();
        continue;
      }
      if (auto loop = dyn_cast<LoopLikeOpInterface>(op)) {
        OpOperand *init = loop.getTiedLoopInit(result);
        if (!init)
          return {};
        tensor = init->get();
        continue;
      }
      if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
        tensor = insert.getDest();
        continue;
      }
      if (auto empty = dyn_cast<tensor::EmptyOp>(op))
        return dyn_cast<Value>(empty.getMixedSizes()[axis]);
      if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
        llvm::SmallBitVector dropped = slice.getDroppedDims();
        for (auto [from, size] : llvm::enumerate(slice.getMixedSizes()))
          if (!dropped.test(from) && axis-- == 0)
            return dyn_cast<Value>(size);
      }
      return {};
    }
    auto argument = cast<BlockArgument>(tensor);
    auto loop =
        dyn_cast<LoopLikeOpInterface>(argument.getOwner()->getParentOp());
    OpOperand *init = loop ? loop.getTiedLoopInit(argument) : nullptr;
    if (!init)
      return {};
    tensor = init->get();
  }
}

/// An upper bound of `value` that its own minima and maxima give. The systems
/// of inequalities below lose it where what else is in a minimum has a division
/// behind it.
static std::optional<int64_t> findPlainBound(Value value) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return constant;
  if (auto dim = value.getDefiningOp<tensor::DimOp>())
    if (std::optional<int64_t> axis = dim.getConstantIndex())
      if (Value extent = traceExtent(dim.getSource(), *axis))
        return findPlainBound(extent);
  auto both = [&](Operation *op, bool least) -> std::optional<int64_t> {
    std::optional<int64_t> lhs = findPlainBound(op->getOperand(0));
    std::optional<int64_t> rhs = findPlainBound(op->getOperand(1));
    if (lhs && rhs)
      return least ? std::min(*lhs, *rhs) : std::max(*lhs, *rhs);
    if (!least)
      return std::nullopt;
    return lhs ? lhs : rhs;
  };
  // What is left of a tile of c that begins at x or later: e - max(x, e - c).
  if (auto rest = value.getDefiningOp<arith::SubIOp>())
    if (auto begin = rest.getRhs().getDefiningOp<arith::MaxSIOp>())
      for (Value choice : begin->getOperands())
        if (auto whole = choice.getDefiningOp<arith::SubIOp>())
          if (whole.getLhs() == rest.getLhs())
            return findPlainBound(whole.getRhs());
  if (auto min = value.getDefiningOp<arith::MinSIOp>())
    return both(min, /*least=*/true);
  if (auto max = value.getDefiningOp<arith::MaxSIOp>())
    return both(max, /*least=*/false);
  return std::nullopt;
}

std::optional<int64_t> weir::findExtentBound(Value extent) {
  if (std::optional<int64_t> plain = findPlainBound(extent);
      plain && *plain >= 0)
    return plain;
  FailureOr<int64_t> bound = ValueBoundsConstraintSet::computeConstantBound(
      presburger::BoundType::UB, extent, /*stopCondition=*/nullptr,
      /*closedUB=*/true);
  if (succeeded(bound) && *bound >= 0)
    return *bound;
  return std::nullopt;
}
