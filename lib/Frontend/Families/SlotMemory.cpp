//===- SlotMemory.cpp - Memories of a fixed number of slots -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SlotMemory.h"
#include "ScanBodies.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace weir;

/// The extents behind batch and time.
static SmallVector<int64_t> getInnerShape(Value value) {
  return SmallVector<int64_t>(
      cast<RankedTensorType>(value.getType()).getShape().drop_front(2));
}

SlotGates weir::runningShares(ModelBuilder &b, Value logits) {
  SmallVector<int64_t> shape = getInnerShape(logits);
  // The logarithm of no sum: what it leaves is nothing, and differences of it
  // are still finite.
  Value lowest = buildSplat(b.getBuilder(), b.getLoc(), shape, -1e30f);
  auto element = [](OpBuilder &n, Location l,
                    ValueRange in) -> SmallVector<Value> {
    auto sub = [&](Value lhs, Value rhs) -> Value {
      return arith::SubFOp::create(n, l, lhs, rhs);
    };
    Value top = arith::MaximumFOp::create(n, l, in[0], in[1]);
    Value low = arith::MinimumFOp::create(n, l, in[0], in[1]);
    Value more =
        math::Log1pOp::create(n, l, math::ExpOp::create(n, l, sub(low, top)));
    Value total = arith::AddFOp::create(n, l, top, more);
    return {sub(in[1], total), math::ExpOp::create(n, l, sub(in[0], total)),
            total};
  };
  SmallVector<Value> gates = buildScan(
      b, logits, lowest, {shape, shape},
      [&](OpBuilder &at, Location loc, ValueRange now, ValueRange before) {
        return buildMap(at, loc, shape, 3,
                        {{now[0], {0, 1}}, {before[0], {0, 1}}}, element);
      });
  return {gates[0], gates[1]};
}

/// Scores of a query and the keys in each slot.
static Value slotScores(ModelBuilder &b, Value query, Value key,
                        const SlotGates &gates) {
  SmallVector<int64_t> slots = getInnerShape(gates.decay);
  SmallVector<int64_t> shape = {slots[0], getInnerShape(key).back(), slots[1]};
  Value empty = buildSplat(b.getBuilder(), b.getLoc(), shape, 0);
  auto element = [](OpBuilder &n, Location l,
                    ValueRange in) -> SmallVector<Value> {
    Value kept =
        arith::MulFOp::create(n, l, math::ExpOp::create(n, l, in[1]), in[0]);
    Value entry = arith::MulFOp::create(n, l, in[2], in[3]);
    return {arith::AddFOp::create(n, l, kept, entry)};
  };
  return buildScan(b, {query, key, gates.decay, gates.share}, empty, {slots},
                   [&](OpBuilder &at, Location loc, ValueRange now,
                       ValueRange before) -> SmallVector<Value> {
                     Value after = buildMap(at, loc, shape, 1,
                                            {{before[0], {0, 1, 2}},
                                             {now[2], {0, 2}},
                                             {now[1], {0, 1}},
                                             {now[3], {0, 2}}},
                                            element)
                                       .front();
                     // Loops over heads, slots and features.
                     Value scores = buildProductSum(
                         at, loc, {after, {0, 2, 1}}, {now[0], {0, 2}},
                         buildSplat(at, loc, slots, 0));
                     return {scores, after};
                   })
      .front();
}

Value weir::slotAttention(ModelBuilder &b, Value query, Value key, Value value,
                          const SlotGates &gates) {
  RecurrenceInputs in;
  in.query = softmaxFeatures(b, slotScores(b, query, key, gates));
  in.key = gates.share;
  in.value = value;
  in.decay = gates.decay;
  return recurrence(b, in);
}
