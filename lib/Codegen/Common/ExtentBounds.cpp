//===- ExtentBounds.cpp - What extents are at most -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Codegen/ExtentBounds.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"

using namespace mlir;

/// An upper bound of `value` that its own minima and maxima give. The systems
/// of inequalities below lose it where what else is in a minimum has a division
/// behind it.
static std::optional<int64_t> findPlainBound(Value value) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return constant;
  auto both = [&](Operation *op, bool least) -> std::optional<int64_t> {
    std::optional<int64_t> lhs = findPlainBound(op->getOperand(0));
    std::optional<int64_t> rhs = findPlainBound(op->getOperand(1));
    if (lhs && rhs)
      return least ? std::min(*lhs, *rhs) : std::max(*lhs, *rhs);
    if (!least)
      return std::nullopt;
    return lhs ? lhs : rhs;
  };
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
