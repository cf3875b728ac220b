//===- RouteReference.cpp - Plain definitions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The best of some keys is found as many times as experts are chosen, each time
// among those ranked behind the one before: smaller, or equal with a larger
// index. Nothing is crossed out, so that no value of a key is special.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/RouteScores.h"
#include <limits>

using namespace mlir;
using namespace weir;

namespace {
/// Numbers in rows along the last axis, and what is built from them.
class Rows {
public:
  Rows(OpBuilder &builder, Location loc, Value values)
      : builder(builder), loc(loc), values(values),
        sizes(tensor::getMixedSizes(builder, loc, values)),
        element(cast<RankedTensorType>(values.getType()).getElementType()),
        full(builder.getMultiDimIdentityMap(sizes.size())),
        lead(full.dropResult(sizes.size() - 1)) {}

  /// The rows' numbers one by one.
  Value map(BuildBody body, Type type = {}) {
    return buildElementwise(builder, loc, sizes, type ? type : element, values,
                            full, body);
  }
  /// The same with one number of each row, given last.
  Value mapWith(Value numbers, BuildBody body) {
    return buildElementwise(builder, loc, sizes, element, {values, numbers},
                            {full, lead}, body);
  }
  /// A number for each row.
  Value reduce(double init, BuildBody body) {
    return buildReduction(builder, loc, getLead(),
                          buildFloat(builder, loc, element, init), lead, values,
                          full, body);
  }
  Value max() {
    return reduce(-std::numeric_limits<double>::infinity(),
                  [](OpBuilder &b, Location l, ValueRange in) -> Value {
                    return arith::MaximumFOp::create(b, l, in[1], in[0]);
                  });
  }
  Value sum() {
    return reduce(0, [](OpBuilder &b, Location l, ValueRange in) -> Value {
      return arith::AddFOp::create(b, l, in[1], in[0]);
    });
  }
  Value softmax();

  /// The indices, of i32, and the numbers of the `count` best of each row.
  std::pair<Value, Value> best(int64_t count);

private:
  ArrayRef<OpFoldResult> getLead() { return ArrayRef(sizes).drop_back(); }

  OpBuilder &builder;
  Location loc;
  Value values;
  SmallVector<OpFoldResult> sizes;
  Type element;
  /// Maps of the rows' numbers and of one number a row.
  AffineMap full, lead;
};
} // namespace

Value Rows::softmax() {
  Value powers =
      mapWith(max(), [](OpBuilder &b, Location l, ValueRange in) -> Value {
        return math::ExpOp::create(b, l,
                                   arith::SubFOp::create(b, l, in[0], in[1]));
      });
  Rows rows(builder, loc, powers);
  return rows.mapWith(rows.sum(),
                      [](OpBuilder &b, Location l, ValueRange in) -> Value {
                        return arith::DivFOp::create(b, l, in[0], in[1]);
                      });
}

std::pair<Value, Value> Rows::best(int64_t count) {
  Type i32 = builder.getI32Type();
  auto integer = [&](OpBuilder &b, int64_t number) -> Value {
    return arith::ConstantIntOp::create(b, loc, number, 32);
  };
  auto filled = [&](ArrayRef<OpFoldResult> extents, Value number) -> Value {
    Value empty =
        tensor::EmptyOp::create(builder, loc, extents, number.getType());
    return linalg::FillOp::create(builder, loc, number, empty).getResult(0);
  };
  double infinity = std::numeric_limits<double>::infinity();
  int64_t extent = cast<RankedTensorType>(values.getType()).getShape().back();
  unsigned axis = sizes.size() - 1;
  SmallVector<OpFoldResult> slots(sizes);
  slots.back() = builder.getIndexAttr(count);

  // Whether an entry is ranked behind the one chosen before.
  auto isBehind = [&](OpBuilder &b, Location l, Value key, Value index,
                      Value lastKey, Value lastIndex) -> Value {
    Value below =
        arith::CmpFOp::create(b, l, arith::CmpFPredicate::OLT, key, lastKey);
    Value same =
        arith::CmpFOp::create(b, l, arith::CmpFPredicate::OEQ, key, lastKey);
    Value later = arith::CmpIOp::create(b, l, arith::CmpIPredicate::sgt, index,
                                        lastIndex);
    return arith::OrIOp::create(b, l, below,
                                arith::AndIOp::create(b, l, same, later));
  };
  auto indexOf = [=](OpBuilder &b, Location l) -> Value {
    return arith::IndexCastOp::create(b, l, b.getI32Type(),
                                      linalg::IndexOp::create(b, l, axis));
  };

  SmallVector<Value> inits{
      tensor::EmptyOp::create(builder, loc, slots, i32),
      tensor::EmptyOp::create(builder, loc, slots, element),
      filled(getLead(), integer(builder, -1)),
      filled(getLead(), buildFloat(builder, loc, element, infinity))};
  Value least = buildFloat(builder, loc, element, -infinity);
  Value none = integer(builder, extent);
  auto loop = scf::ForOp::create(
      builder, loc, buildIndex(builder, loc, 0),
      buildIndex(builder, loc, count), buildIndex(builder, loc, 1), inits,
      [&](OpBuilder &b, Location, Value slot, ValueRange carried) {
        Value lastIndex = carried[2], lastKey = carried[3];
        Value key = buildReduction(
            b, loc, getLead(), least, lead, {values, lastIndex, lastKey},
            {full, lead, lead},
            [&](OpBuilder &b, Location l, ValueRange in) -> Value {
              Value behind = isBehind(b, l, in[0], indexOf(b, l), in[2], in[1]);
              return arith::MaximumFOp::create(
                  b, l, in[3],
                  arith::SelectOp::create(b, l, behind, in[0], least));
            });
        Value index = buildReduction(
            b, loc, getLead(), none, lead, {values, lastIndex, lastKey, key},
            {full, lead, lead, lead},
            [&](OpBuilder &b, Location l, ValueRange in) -> Value {
              Value at = indexOf(b, l);
              Value behind = isBehind(b, l, in[0], at, in[2], in[1]);
              Value same = arith::CmpFOp::create(
                  b, l, arith::CmpFPredicate::OEQ, in[0], in[3]);
              Value found = arith::AndIOp::create(b, l, behind, same);
              return arith::MinSIOp::create(
                  b, l, in[4], arith::SelectOp::create(b, l, found, at, none));
            });
        SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0)),
            strides(sizes.size(), b.getIndexAttr(1)), extents(sizes);
        offsets.back() = slot;
        extents.back() = b.getIndexAttr(1);
        SmallVector<Value> next;
        for (auto [part, into] :
             llvm::zip(SmallVector<Value>{index, key}, carried))
          next.push_back(tensor::InsertSliceOp::create(
              b, loc, part, into, offsets, extents, strides));
        llvm::append_values(next, index, key);
        scf::YieldOp::create(b, loc, next);
      });
  return {loop.getResult(0), loop.getResult(1)};
}

/// `keys` with minus infinity for experts that `groups` rules out.
static Value limitToGroups(OpBuilder &builder, Location loc, Value keys,
                           RouteGroupsAttr groups) {
  auto type = cast<RankedTensorType>(keys.getType());
  int64_t rank = type.getRank(), count = groups.getCount();
  SmallVector<int64_t> shape(type.getShape().drop_back());
  llvm::append_values(shape, count, type.getShape().back() / count);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, keys);
  sizes.pop_back();
  for (int64_t extent : ArrayRef(shape).take_back(2))
    sizes.push_back(builder.getIndexAttr(extent));
  SmallVector<ReassociationIndices> split;
  for (int64_t axis = 0; axis < rank; ++axis)
    split.push_back({axis});
  split.back().push_back(rank);
  Value apart = tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), keys,
      split, sizes);

  Rows rows(builder, loc, apart);
  Value score = groups.getScore() == RouteGroupScore::Max
                    ? rows.max()
                    : Rows(builder, loc, rows.best(2).second).sum();
  Value chosen = Rows(builder, loc, score).best(groups.getChosen()).first;

  // Loops are those of `apart`, then the chosen groups.
  unsigned loops = rank + 2;
  auto lead = llvm::to_vector(llvm::seq<unsigned>(0, rank - 1));
  SmallVector<unsigned> chosenAxes(lead);
  chosenAxes.push_back(rank + 1);
  AffineMap full = builder.getMultiDimIdentityMap(loops).dropResult(rank + 1);
  Value least = buildFloat(builder, loc, type.getElementType(),
                           -std::numeric_limits<double>::infinity());
  Value limited = buildReduction(
      builder, loc, sizes, least, full, {apart, chosen},
      {full, getAxesMap(builder, loops, chosenAxes)},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value group = arith::IndexCastOp::create(
            b, l, b.getI32Type(), linalg::IndexOp::create(b, l, rank - 1));
        Value same =
            arith::CmpIOp::create(b, l, arith::CmpIPredicate::eq, group, in[1]);
        return arith::SelectOp::create(b, l, same, in[0], in[2]);
      });
  return tensor::CollapseShapeOp::create(builder, loc, type, limited, split);
}

/// `values` as floats of type `to`.
static Value convertRows(OpBuilder &builder, Location loc, Value values,
                         Type to) {
  if (cast<RankedTensorType>(values.getType()).getElementType() == to)
    return values;
  return Rows(builder, loc, values)
      .map([&](OpBuilder &b, Location l,
               ValueRange in) { return convertFloat(b, l, in[0], to); },
           to);
}

Value weir::buildRankable(OpBuilder &builder, Location loc, Value score) {
  Value unknown = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::UNO,
                                        score, score);
  Value least = buildFloat(builder, loc, score.getType(),
                           -std::numeric_limits<double>::infinity());
  return arith::SelectOp::create(builder, loc, unknown, least, score);
}

Value weir::buildRouteScores(OpBuilder &builder, Location loc, RouteScore score,
                             Value logits) {
  Type element = cast<RankedTensorType>(logits.getType()).getElementType();
  logits = convertRows(builder, loc, logits, getAccumulatorType(element));
  Rows rows(builder, loc, logits);
  switch (score) {
  case RouteScore::Raw:
    return logits;
  case RouteScore::Softmax:
    return rows.softmax();
  case RouteScore::Sigmoid:
    return rows.map([](OpBuilder &b, Location l, ValueRange in) -> Value {
      return buildSigmoid(b, l, in[0]);
    });
  }
  llvm_unreachable("all scores are covered");
}

/// What experts with the scores `chosen` weigh.
static Value buildWeights(OpBuilder &builder, RouteOp op, Value chosen) {
  Location loc = op.getLoc();
  Rows rows(builder, loc, chosen);
  Type type = cast<RankedTensorType>(chosen.getType()).getElementType();
  double eps = op.getEps().convertToDouble();
  switch (op.getWeighting()) {
  case RouteWeighting::Scores:
    return chosen;
  case RouteWeighting::Softmax:
    return rows.softmax();
  case RouteWeighting::Normalized:
    return rows.mapWith(
        rows.sum(), [&](OpBuilder &b, Location l, ValueRange in) -> Value {
          Value sum =
              arith::AddFOp::create(b, l, in[1], buildFloat(b, l, type, eps));
          return arith::DivFOp::create(b, l, in[0], sum);
        });
  }
  llvm_unreachable("all weightings are covered");
}

FailureOr<SmallVector<Value>> RouteOp::buildReference(OpBuilder &builder) {
  Location loc = getLoc();
  Type element = cast<RankedTensorType>(getLogits().getType()).getElementType();
  FloatType type = getAccumulatorType(element);
  Value scores = buildRouteScores(builder, loc, getScore(), getLogits());

  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, getLogits());
  unsigned rank = sizes.size();
  AffineMap full = builder.getMultiDimIdentityMap(rank);
  SmallVector<Value> inputs{scores};
  SmallVector<AffineMap> maps{full};
  if (getBias()) {
    inputs.push_back(getBias());
    maps.push_back(getAxesMap(builder, rank, {rank - 1}));
  }
  Value keys =
      buildElementwise(builder, loc, sizes, type, inputs, maps,
                       [&](OpBuilder &b, Location l, ValueRange in) -> Value {
                         Value key = in[0];
                         if (getBias())
                           key = arith::AddFOp::create(
                               b, l, key, convertFloat(b, l, in[1], type));
                         return buildRankable(b, l, key);
                       });
  if (RouteGroupsAttr groups = getGroupsAttr())
    keys = limitToGroups(builder, loc, keys, groups);
  std::pair<Value, Value> best = Rows(builder, loc, keys).best(getTopK());
  Value indices = best.first, chosenKeys = best.second;

  sizes.back() = builder.getIndexAttr(getTopK());
  Value chosen =
      buildElementwise(builder, loc, sizes, type, indices, full,
                       [&](OpBuilder &b, Location l, ValueRange in) -> Value {
                         SmallVector<Value> place;
                         for (unsigned axis = 0; axis + 1 < rank; ++axis)
                           place.push_back(linalg::IndexOp::create(b, l, axis));
                         place.push_back(arith::IndexCastOp::create(
                             b, l, b.getIndexType(), in[0]));
                         return tensor::ExtractOp::create(b, l, scores, place);
                       });
  Value weights = buildWeights(builder, *this, chosen);
  double scale = getScale().convertToDouble();
  if (scale != 1)
    weights = Rows(builder, loc, weights)
                  .map([&](OpBuilder &b, Location l, ValueRange in) -> Value {
                    return arith::MulFOp::create(b, l, in[0],
                                                 buildFloat(b, l, type, scale));
                  });
  if (std::optional<APFloat> threshold = getThreshold()) {
    double least = threshold->convertToDouble();
    auto keep = [&](Value values, Value other) -> Value {
      return buildElementwise(
          builder, loc, sizes, other.getType(), {values, chosenKeys},
          {full, full}, [&](OpBuilder &b, Location l, ValueRange in) -> Value {
            Value reaches =
                arith::CmpFOp::create(b, l, arith::CmpFPredicate::OGE, in[1],
                                      buildFloat(b, l, type, least));
            return arith::SelectOp::create(b, l, reaches, in[0], other);
          });
    };
    indices = keep(indices, arith::ConstantIntOp::create(builder, loc, -1, 32));
    weights = keep(weights, buildFloat(builder, loc, type, 0));
  }
  return SmallVector<Value>{indices,
                            convertRows(builder, loc, weights, element)};
}
