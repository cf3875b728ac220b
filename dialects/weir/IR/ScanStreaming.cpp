//===- ScanStreaming.cpp - What a loop over time remembers -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The step is the op itself between carry and carry. Carries are zero at the
// start, so where a state may begin otherwise a row that has seen no token
// takes its initial state in place of the carry.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

HistoryNeed ScanOp::getHistoryNeed(OpOperand &) {
  if (getReverse())
    return HistoryNeed::refused(
        "this scan goes from the last token to the first");
  if (getLengths())
    return HistoryNeed::refused("this scan has lengths already");
  // The past is in the carry.
  return HistoryNeed::pointwise();
}

/// Whether all of `state` is known to be plus zero.
static bool isZero(Value state) {
  if (auto fill = state.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.value(), m_PosZeroFloat()) ||
           matchPattern(fill.value(), m_Zero());
  return matchPattern(state, m_PosZeroFloat()) || matchPattern(state, m_Zero());
}

/// `carry`, or in rows of offset 0 the state `initial`.
static Value buildBefore(OpBuilder &builder, Location loc, Value carry,
                         Value initial, Value offset) {
  auto type = cast<RankedTensorType>(carry.getType());
  unsigned rank = type.getRank();
  AffineMap all = builder.getMultiDimIdentityMap(rank);
  bool batched = cast<RankedTensorType>(initial.getType()).getRank() == rank;
  auto axes = llvm::to_vector(llvm::seq<unsigned>(batched ? 0 : 1, rank));
  return buildElementwise(
      builder, loc, tensor::getMixedSizes(builder, loc, carry),
      type.getElementType(), {carry, initial, offset},
      {all, getAxesMap(builder, rank, axes), getAxesMap(builder, rank, {0})},
      [](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value none = arith::ConstantOp::create(b, l, b.getI32IntegerAttr(0));
        Value fresh =
            arith::CmpIOp::create(b, l, arith::CmpIPredicate::eq, in[2], none);
        return arith::SelectOp::create(b, l, fresh, in[1], in[0]);
      });
}

FailureOr<SmallVector<Value>> ScanOp::buildStep(OpBuilder &builder,
                                                StreamingContext &context) {
  SmallVector<Value> states;
  auto nameOf = [](size_t number) { return "state" + std::to_string(number); };
  for (auto [number, pair] :
       llvm::enumerate(llvm::zip_equal(getStates(), getFinalStates()))) {
    auto [initial, after] = pair;
    FailureOr<Value> carry = context.getCarry(
        *this, nameOf(number), cast<RankedTensorType>(after.getType()));
    if (failed(carry))
      return failure();
    states.push_back(isZero(initial) ? *carry
                                     : buildBefore(builder, getLoc(), *carry,
                                                   context.lookup(initial),
                                                   context.getOffset()));
  }
  IRMapping mapping;
  for (Value operand : getOperands())
    mapping.map(operand, context.lookup(operand));
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(getBody(), captured);
  for (Value value : captured)
    mapping.map(value, context.lookup(value));
  auto step = cast<ScanOp>(builder.clone(**this, mapping));
  step.getStatesMutable().assign(states);
  step.getLengthsMutable().assign(context.getLengths());
  for (auto [number, state] : llvm::enumerate(step.getFinalStates()))
    context.setCarry(*this, nameOf(number), state);
  return SmallVector<Value>(step.getResults());
}
