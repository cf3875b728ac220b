//===- ChooseTokens.cpp - Experts that choose tokens ------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// By definition a token is chosen when fewer tokens than an expert takes rank
// in front of it, which compares all with all. The optimised code never sorts:
// it finds the score of the last token taken bit by bit, counting the tokens
// that reach a candidate, and among tokens of that very score the last position
// in the same way. That takes one pass over the scores for each bit.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/RouteScores.h"

using namespace mlir;
using namespace weir;

namespace {

/// The scores of a choice, and what both of its forms make of them. Values of a
/// pair of token and expert are `[B, T, E]`, of an expert `[B, E]`.
class TokenChoice {
public:
  TokenChoice(OpBuilder &builder, ChooseTokensOp op);

  /// The results, of whether each pair is chosen: not 0, of i32.
  SmallVector<Value> buildResults(Value chosen);
  Value buildByRank();
  Value buildByBits();

private:
  Value mapPairs(Type type, ValueRange inputs, ArrayRef<AffineMap> maps,
                 BuildBody body) {
    return buildElementwise(builder, loc, sizes, type, inputs, maps, body);
  }
  Value number(OpBuilder &b, Type type, int64_t value) {
    return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, value));
  }
  /// Whether the token of a pair is there; `count` is its row's.
  Value isThere(OpBuilder &b, Value count) {
    Value position = arith::IndexCastOp::create(
        b, loc, b.getI32Type(), linalg::IndexOp::create(b, loc, 1));
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, position,
                                 count);
  }
  Value isSet(OpBuilder &b, Value flag) {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, flag,
                                 number(b, i32, 0));
  }
  Value buildOrdered();
  Value findLast(Value values, Value wanted);
  Value countReached(Value values, Value least, arith::CmpIPredicate how);

  OpBuilder &builder;
  ChooseTokensOp op;
  Location loc;
  Type i32;
  SmallVector<OpFoldResult> sizes, expertSizes;
  AffineMap pair, row, expert;
  Value scores, keys;
  /// Of each row: how many tokens there are, and how many an expert takes.
  Value counts, limits;
};

} // namespace

TokenChoice::TokenChoice(OpBuilder &builder, ChooseTokensOp op)
    : builder(builder), op(op), loc(op.getLoc()), i32(builder.getI32Type()),
      sizes(tensor::getMixedSizes(builder, loc, op.getLogits())),
      expertSizes{sizes[0], sizes[2]}, pair(builder.getMultiDimIdentityMap(3)),
      row(getAxesMap(builder, 3, {0})), expert(getAxesMap(builder, 3, {0, 2})) {
  scores = buildRouteScores(builder, loc, op.getScore(), op.getLogits());
  Type type = cast<RankedTensorType>(scores.getType()).getElementType();
  keys = mapPairs(type, scores, pair,
                  [](OpBuilder &b, Location l, ValueRange in) -> Value {
                    return buildRankable(b, l, in[0]);
                  });
  Value time = getValueOrCreateConstantIndexOp(builder, loc, sizes[1]);
  SmallVector<Value> lengths;
  if (op.getLengths())
    lengths.push_back(op.getLengths());
  SmallVector<AffineMap> maps(lengths.size(), builder.getDimIdentityMap());
  counts = buildElementwise(
      builder, loc, sizes[0], i32, lengths, maps,
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value all = arith::IndexCastOp::create(b, l, i32, time);
        if (in.empty())
          return all;
        Value some = arith::MaxSIOp::create(b, l, in[0], number(b, i32, 0));
        return arith::MinSIOp::create(b, l, some, all);
      });
  limits = buildElementwise(
      builder, loc, sizes[0], i32, counts, builder.getDimIdentityMap(),
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Type i64 = b.getI64Type();
        Value many = arith::MulIOp::create(
            b, l, arith::ExtSIOp::create(b, l, i64, in[0]),
            number(b, i64, op.getTaken()));
        Value up =
            arith::AddIOp::create(b, l, many, number(b, i64, op.getOf() - 1));
        return arith::TruncIOp::create(
            b, l, i32,
            arith::DivUIOp::create(b, l, up, number(b, i64, op.getOf())));
      });
}

SmallVector<Value> TokenChoice::buildResults(Value chosen) {
  Value indices = mapPairs(
      i32, chosen, pair, [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value expert = arith::IndexCastOp::create(
            b, l, i32, linalg::IndexOp::create(b, l, 2));
        return arith::SelectOp::create(b, l, isSet(b, in[0]), expert,
                                       number(b, i32, -1));
      });
  Type element =
      cast<RankedTensorType>(op.getWeights().getType()).getElementType();
  Value weights =
      mapPairs(element, {chosen, scores}, {pair, pair},
               [&](OpBuilder &b, Location l, ValueRange in) -> Value {
                 Value weight = convertFloat(b, l, in[1], element);
                 return arith::SelectOp::create(b, l, isSet(b, in[0]), weight,
                                                buildFloat(b, l, element, 0));
               });
  return {indices, weights};
}

Value TokenChoice::buildByRank() {
  // Loops are those of the pairs, then the tokens each is compared with.
  auto axes = [&](ArrayRef<unsigned> of) { return getAxesMap(builder, 4, of); };
  Value ranks = buildReduction(
      builder, loc, sizes, number(builder, i32, 0), axes({0, 1, 2}),
      {keys, keys, counts}, {axes({0, 1, 2}), axes({0, 3, 2}), axes({0})},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value mine = linalg::IndexOp::create(b, l, 1);
        Value other = linalg::IndexOp::create(b, l, 3);
        Value above = arith::CmpFOp::create(b, l, arith::CmpFPredicate::OGT,
                                            in[1], in[0]);
        Value same = arith::CmpFOp::create(b, l, arith::CmpFPredicate::OEQ,
                                           in[1], in[0]);
        Value earlier =
            arith::CmpIOp::create(b, l, arith::CmpIPredicate::ult, other, mine);
        Value there = arith::CmpIOp::create(
            b, l, arith::CmpIPredicate::slt,
            arith::IndexCastOp::create(b, l, i32, other), in[2]);
        Value inFront = arith::AndIOp::create(
            b, l, there,
            arith::OrIOp::create(b, l, above,
                                 arith::AndIOp::create(b, l, same, earlier)));
        return arith::AddIOp::create(
            b, l, in[3], arith::ExtUIOp::create(b, l, i32, inFront));
      });
  return mapPairs(i32, {ranks, counts, limits}, {pair, row, row},
                  [&](OpBuilder &b, Location l, ValueRange in) -> Value {
                    Value fits = arith::CmpIOp::create(
                        b, l, arith::CmpIPredicate::slt, in[0], in[2]);
                    return arith::ExtUIOp::create(
                        b, l, i32,
                        arith::AndIOp::create(b, l, fits, isThere(b, in[1])));
                  });
}

/// Unsigned numbers in the order of keys, and 0 for tokens that are not there.
Value TokenChoice::buildOrdered() {
  unsigned width =
      cast<RankedTensorType>(keys.getType()).getElementTypeBitWidth();
  Type type = builder.getIntegerType(width);
  return mapPairs(
      type, {keys, counts}, {pair, row},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        // Both zeros are one number.
        Value zero = buildFloat(b, l, in[0].getType(), 0);
        Value isZero =
            arith::CmpFOp::create(b, l, arith::CmpFPredicate::OEQ, in[0], zero);
        Value key = arith::SelectOp::create(b, l, isZero, zero, in[0]);
        Value bits = arith::BitcastOp::create(b, l, type, key);
        // All bits of a negative number are turned round, the sign of others.
        Value sign =
            arith::ShRSIOp::create(b, l, bits, number(b, type, width - 1));
        Value top = arith::ConstantOp::create(
            b, l, b.getIntegerAttr(type, APInt::getSignMask(width)));
        Value ordered = arith::XOrIOp::create(
            b, l, bits, arith::OrIOp::create(b, l, sign, top));
        return arith::SelectOp::create(b, l, isThere(b, in[1]), ordered,
                                       number(b, type, 0));
      });
}

/// How many `values` of each expert are at least (or above) `least`.
Value TokenChoice::countReached(Value values, Value least,
                                arith::CmpIPredicate how) {
  return buildReduction(
      builder, loc, expertSizes, number(builder, i32, 0), expert,
      {values, least}, {pair, expert},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value reaches = arith::CmpIOp::create(b, l, how, in[0], in[1]);
        return arith::AddIOp::create(
            b, l, in[2], arith::ExtUIOp::create(b, l, i32, reaches));
      });
}

/// The largest number that at least `wanted` of an expert's unsigned `values`
/// reach; all ones where none are wanted.
Value TokenChoice::findLast(Value values, Value wanted) {
  unsigned width =
      cast<RankedTensorType>(values.getType()).getElementTypeBitWidth();
  Type type = builder.getIntegerType(width);
  AffineMap own = builder.getMultiDimIdentityMap(2);
  auto mapExperts = [&](Type to, ValueRange inputs, BuildBody body) {
    return buildElementwise(builder, loc, expertSizes, to, inputs,
                            SmallVector<AffineMap>(inputs.size(), own), body);
  };
  Value none = mapExperts(type, {}, [&](OpBuilder &b, Location, ValueRange) {
    return number(b, type, 0);
  });
  auto loop = scf::ForOp::create(builder, loc, buildIndex(builder, loc, 0),
                                 buildIndex(builder, loc, width),
                                 buildIndex(builder, loc, 1), none);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value place =
      arith::IndexCastOp::create(builder, loc, type, loop.getInductionVar());
  Value bit = arith::ShRUIOp::create(
      builder, loc,
      arith::ConstantOp::create(
          builder, loc,
          builder.getIntegerAttr(type, APInt::getSignMask(width))),
      place);
  Value before = loop.getRegionIterArg(0);
  Value candidate = mapExperts(
      type, before, [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        return arith::OrIOp::create(b, l, in[0], bit);
      });
  Value reached = countReached(values, candidate, arith::CmpIPredicate::uge);
  Value next = mapExperts(
      type, {before, reached, wanted},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value enough = arith::CmpIOp::create(b, l, arith::CmpIPredicate::sge,
                                             in[1], in[2]);
        return arith::SelectOp::create(
            b, l, enough, arith::OrIOp::create(b, l, in[0], bit), in[0]);
      });
  scf::YieldOp::create(builder, loc, next);
  return loop.getResult(0);
}

Value TokenChoice::buildByBits() {
  Value ordered = buildOrdered();
  AffineMap own = builder.getMultiDimIdentityMap(2);
  AffineMap rowOfExpert = own.dropResult(1);
  Value wanted = buildElementwise(
      builder, loc, expertSizes, i32, limits, rowOfExpert,
      [](OpBuilder &, Location, ValueRange in) { return in[0]; });
  Value last = findLast(ordered, wanted);
  // Of those of the last score, as many as are still wanted.
  Value above = countReached(ordered, last, arith::CmpIPredicate::ugt);
  Value left = buildElementwise(
      builder, loc, expertSizes, i32, {wanted, above}, {own, own},
      [](OpBuilder &b, Location l, ValueRange in) -> Value {
        return arith::SubIOp::create(b, l, in[0], in[1]);
      });
  Value time = getValueOrCreateConstantIndexOp(builder, loc, sizes[1]);
  // Earlier positions are the larger numbers.
  auto distance = [&](OpBuilder &b, Location l, Value key, Value end) -> Value {
    Value same =
        arith::CmpIOp::create(b, l, arith::CmpIPredicate::eq, key, end);
    Value behind =
        arith::SubIOp::create(b, l, time, linalg::IndexOp::create(b, l, 1));
    return arith::SelectOp::create(
        b, l, same, arith::IndexCastOp::create(b, l, i32, behind),
        number(b, i32, 0));
  };
  Value distances =
      mapPairs(i32, {ordered, last}, {pair, expert},
               [&](OpBuilder &b, Location l, ValueRange in) -> Value {
                 return distance(b, l, in[0], in[1]);
               });
  Value farthest = findLast(distances, left);
  return mapPairs(
      i32, {ordered, last, distances, farthest}, {pair, expert, pair, expert},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value isAbove = arith::CmpIOp::create(b, l, arith::CmpIPredicate::ugt,
                                              in[0], in[1]);
        Value isEarly = arith::CmpIOp::create(b, l, arith::CmpIPredicate::uge,
                                              in[2], in[3]);
        return arith::ExtUIOp::create(
            b, l, i32, arith::OrIOp::create(b, l, isAbove, isEarly));
      });
}

FailureOr<SmallVector<Value>>
ChooseTokensOp::buildReference(OpBuilder &builder) {
  TokenChoice choice(builder, *this);
  return choice.buildResults(choice.buildByRank());
}

FailureOr<SmallVector<Value>>
ChooseTokensOp::buildLowering(OpBuilder &builder) {
  TokenChoice choice(builder, *this);
  return choice.buildResults(choice.buildByBits());
}

bool ChooseTokensOp::hasOwnLowering() { return true; }
