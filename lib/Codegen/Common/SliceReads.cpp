//===- SliceReads.cpp - What points of a loop read --------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SliceReads.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

/// One more than the largest value of an index that counts from 0 within a
/// point, if it is one.
static std::optional<int64_t> getRange(Value index) {
  auto argument = dyn_cast<BlockArgument>(index);
  if (!argument)
    return std::nullopt;
  auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
  if (!loop || loop.getInductionVar() != index ||
      getConstantIntValue(loop.getLowerBound()) != 0)
    return std::nullopt;
  return getConstantIntValue(loop.getUpperBound());
}

/// The index of `loop` that tells values of `value` apart, if any: `value` is
/// that index, perhaps times a number, perhaps plus less than that number.
static Value getSource(OpFoldResult value, scf::ForallOp loop) {
  auto current = dyn_cast<Value>(value);
  if (!current)
    return {};
  int64_t below = 1;
  if (auto sum = current.getDefiningOp<arith::AddIOp>()) {
    std::optional<int64_t> range = getRange(sum.getRhs());
    if (!range)
      return {};
    below = *range;
    current = sum.getLhs();
  }
  if (auto product = current.getDefiningOp<arith::MulIOp>()) {
    std::optional<int64_t> factor = getConstantIntValue(product.getRhs());
    if (!factor || *factor < below)
      return {};
    below = 1;
    current = product.getLhs();
  }
  return below == 1 && llvm::is_contained(loop.getInductionVars(), current)
             ? current
             : Value();
}

bool weir::readsApart(tensor::ExtractSliceOp slice, scf::ForallOp loop) {
  SmallVector<Value> sources;
  for (OpFoldResult offset : slice.getMixedOffsets())
    sources.push_back(getSource(offset, loop));
  for (auto [index, extent] :
       llvm::zip(loop.getInductionVars(), loop.getMixedUpperBound()))
    if (getConstantIntValue(extent) != 1 && !llvm::is_contained(sources, index))
      return false;
  return true;
}
