//===- PooledKeys.cpp - One key for several tokens -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PooledKeys.h"
#include "ScanBodies.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "weir/Frontend/LinearLayers.h"

using namespace mlir;
using namespace weir;

WindowPlaces weir::findPlaces(ModelBuilder &b, Value positions,
                              int64_t length) {
  Value place =
      b.map(positions, [&](OpBuilder &n, Location l, ValueRange in) -> Value {
        Value size = arith::ConstantIntOp::create(n, l, length, 32);
        return arith::RemSIOp::create(n, l, in[0], size);
      });
  Value start = b.map({positions, place},
                      [](OpBuilder &n, Location l, ValueRange in) -> Value {
                        return arith::SubIOp::create(n, l, in[0], in[1]);
                      });
  return {length, place, start};
}

namespace {

/// What is known of a softmax so far: the largest exponent, the sum of
/// exponentials of differences to it, and that of numbers weighed by these.
struct Pool {
  Value largest, sum, weighed;
};

/// Arithmetic on pools of one feature.
struct PoolBuilder {
  OpBuilder &builder;
  Location loc;

  Value choose(Value condition, Value a, Value b) {
    return arith::SelectOp::create(builder, loc, condition, a, b);
  }
  Pool choose(Value condition, const Pool &a, const Pool &b) {
    return {choose(condition, a.largest, b.largest),
            choose(condition, a.sum, b.sum),
            choose(condition, a.weighed, b.weighed)};
  }
  Value constant(Type type, double value) {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getFloatAttr(type, value));
  }
  /// The lowest number stands for the largest exponent of none, so that no
  /// infinities are subtracted.
  Pool getEmpty(FloatType type) {
    Value lowest = arith::ConstantOp::create(
        builder, loc,
        FloatAttr::get(type, APFloat::getLargest(type.getFloatSemantics(),
                                                 /*Negative=*/true)));
    return {lowest, constant(type, 0), constant(type, 0)};
  }
  /// `pool` and one number more.
  Pool add(const Pool &pool, Value exponent, Value number) {
    Type type = exponent.getType();
    Value isAbove = arith::CmpFOp::create(
        builder, loc, arith::CmpFPredicate::OGT, exponent, pool.largest);
    Value difference =
        arith::SubFOp::create(builder, loc, exponent, pool.largest);
    Value distance = math::AbsFOp::create(builder, loc, difference);
    Value less = math::ExpOp::create(
        builder, loc, arith::NegFOp::create(builder, loc, distance));
    Value one = constant(type, 1);
    Value kept = choose(isAbove, less, one);
    Value share = choose(isAbove, one, less);
    auto join = [&](Value before, Value part) -> Value {
      return arith::AddFOp::create(
          builder, loc, arith::MulFOp::create(builder, loc, before, kept),
          part);
    };
    return {
        choose(isAbove, exponent, pool.largest), join(pool.sum, share),
        join(pool.weighed, arith::MulFOp::create(builder, loc, number, share))};
  }
};

} // namespace

/// Pools `parts` of numbers and their gates, the last of which begins each
/// window with what the one in front of it has of the window before.
static Value poolParts(ModelBuilder &b, ArrayRef<std::pair<Value, Value>> parts,
                       const WindowPlaces &places) {
  int64_t features =
      cast<RankedTensorType>(parts.front().first.getType()).getShape().back();
  SmallVector<int64_t> extents{features};
  OpBuilder &builder = b.getBuilder();
  float lowest = std::numeric_limits<float>::lowest();
  SmallVector<Value> inputs, states;
  for (auto [numbers, gates] : parts) {
    inputs.append({numbers, gates});
    for (float value : {lowest, 0.0f, 0.0f})
      states.push_back(buildSplat(builder, b.getLoc(), extents, value));
  }
  inputs.push_back(places.place);
  auto step = [&](OpBuilder &outer, Location loc, ValueRange now,
                  ValueRange before) -> SmallVector<Value> {
    SmallVector<Indexed> read;
    for (Value tensor : llvm::concat<Value>(SmallVector<Value>(now.drop_back()),
                                            SmallVector<Value>(before)))
      read.push_back({tensor, {0}});
    read.push_back({now.back(), {}});
    return buildMap(
        outer, loc, extents, 1 + before.size(), read,
        [&](OpBuilder &n, Location l, ValueRange in) -> SmallVector<Value> {
          PoolBuilder pools{n, l};
          Value begins =
              arith::CmpIOp::create(n, l, arith::CmpIPredicate::eq, in.back(),
                                    arith::ConstantIntOp::create(n, l, 0, 32));
          Pool fresh = pools.getEmpty(cast<FloatType>(in[0].getType()));
          SmallVector<Value> results(1);
          Pool last;
          for (size_t i = 0; i < parts.size(); ++i) {
            ValueRange state = in.slice(2 * parts.size() + 3 * i, 3);
            Pool old{state[0], state[1], state[2]};
            last = pools.add(pools.choose(begins, fresh, old), in[2 * i + 1],
                             in[2 * i]);
            results.append({last.largest, last.sum, last.weighed});
            fresh = old;
          }
          results[0] = arith::DivFOp::create(n, l, last.weighed, last.sum);
          return results;
        });
  };
  return buildScan(b, inputs, states, {extents}, step).front();
}

Value weir::poolWindows(ModelBuilder &b, Value input, Value gates,
                        const WindowPlaces &places) {
  return poolParts(b, {{input, gates}}, places);
}

Value weir::poolOverlapping(ModelBuilder &b, Value input, Value gates,
                            const WindowPlaces &places) {
  int64_t half = cast<RankedTensorType>(input.getType()).getShape().back() / 2;
  auto cut = [&](int64_t offset) {
    return std::pair(sliceFeatures(b, input, offset, half),
                     sliceFeatures(b, gates, offset, half));
  };
  return poolParts(b, {cut(0), cut(half)}, places);
}
