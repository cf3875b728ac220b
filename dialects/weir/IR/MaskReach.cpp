//===- MaskReach.cpp - How far a predicate sees -----------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A comparison whose form is a multiple of key minus query, and a constant,
// bounds the distance of the two on one side or on both. Two positions that a
// division maps to the same number are closer than the divisor.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "weir/IR/TileClasses.h"

using namespace mlir;
using namespace weir;
using Predicate = arith::CmpIPredicate;

MaskPredicate::MaskPredicate(MaskAttrInterface mask) {
  OpBuilder builder(mask.getContext());
  builder.setInsertionPointToEnd(&body);
  Location loc = builder.getUnknownLoc();
  query = body.addArgument(builder.getIndexType(), loc);
  key = body.addArgument(builder.getIndexType(), loc);
  predicate = mask.buildPredicate(builder, loc, query, key);
}

MaskReach weir::getReachOfBoth(const MaskReach &lhs, const MaskReach &rhs) {
  auto nearer = [](std::optional<int64_t> a, std::optional<int64_t> b) {
    return a && b ? std::min(*a, *b) : a ? a : b;
  };
  return {nearer(lhs.behind, rhs.behind), nearer(lhs.ahead, rhs.ahead)};
}

MaskReach weir::getReachOfEither(const MaskReach &lhs, const MaskReach &rhs) {
  auto farther = [](std::optional<int64_t> a, std::optional<int64_t> b) {
    return a && b ? std::optional<int64_t>(std::max(*a, *b)) : std::nullopt;
  };
  return {farther(lhs.behind, rhs.behind), farther(lhs.ahead, rhs.ahead)};
}

namespace {

/// Finds the reach of predicates of one pair of positions.
class ReachFinder {
public:
  ReachFinder(Value query, Value key) : query(query), key(key) {
    forms.addArgument(query, {0, GreatestPosition});
    forms.addArgument(key, {0, GreatestPosition});
  }

  /// The reach of `predicate`, or of its negation.
  MaskReach find(Value predicate, bool isNegated);

private:
  MaskReach findComparison(arith::CmpIOp comparison, bool isNegated);
  /// The divisor, if one side is the query's position divided by it and the
  /// other the key's.
  std::optional<int64_t> getSharedDivisor(Value lhs, Value rhs);

  Value query, key;
  IndexForms forms;
};

} // namespace

std::optional<int64_t> ReachFinder::getSharedDivisor(Value lhs, Value rhs) {
  auto getDivisor = [&](Value quotient, Value position) {
    std::optional<int64_t> divisor;
    APInt number;
    Operation *op = quotient.getDefiningOp();
    if (isa_and_nonnull<arith::DivSIOp, arith::DivUIOp, arith::FloorDivSIOp>(
            op) &&
        op->getOperand(0) == position &&
        matchPattern(op->getOperand(1), m_ConstantInt(&number)) &&
        number.isStrictlyPositive())
      divisor = number.getSExtValue();
    return divisor;
  };
  for (auto [a, b] : {std::pair(lhs, rhs), std::pair(rhs, lhs)}) {
    std::optional<int64_t> divisor = getDivisor(a, query);
    if (divisor && divisor == getDivisor(b, key))
      return divisor;
  }
  return std::nullopt;
}

MaskReach ReachFinder::findComparison(arith::CmpIOp comparison,
                                      bool isNegated) {
  Predicate predicate = comparison.getPredicate();
  if (isNegated)
    predicate = arith::invertPredicate(predicate);
  Value lhs = comparison.getLhs(), rhs = comparison.getRhs();
  if (predicate == Predicate::eq)
    if (std::optional<int64_t> divisor = getSharedDivisor(lhs, rhs))
      return {*divisor - 1, *divisor - 1};
  std::optional<IndexForm> form = forms.getDifference(lhs, rhs);
  if (!form || form->terms.size() != 2)
    return {};
  int64_t factor = form->getCoefficient(key);
  if (factor == 0 || form->getCoefficient(query) != -factor)
    return {};
  // factor * (key - query) + constant, compared with zero.
  bool isPositive = factor > 0;
  int64_t size = isPositive ? factor : -factor;
  MaskReach reach;
  // size * (key - query) <= limit, or size * (query - key) <= limit.
  auto bound = [&](bool isAhead, int64_t limit) {
    (isAhead ? reach.ahead : reach.behind) =
        llvm::divideFloorSigned(limit, size);
  };
  bool isEqual = predicate == Predicate::eq;
  if (isEqual || predicate == Predicate::sle)
    bound(isPositive, -form->constant);
  if (predicate == Predicate::slt)
    bound(isPositive, -form->constant - 1);
  if (isEqual || predicate == Predicate::sge)
    bound(!isPositive, form->constant);
  if (predicate == Predicate::sgt)
    bound(!isPositive, form->constant - 1);
  return reach;
}

MaskReach ReachFinder::find(Value predicate, bool isNegated) {
  APInt number;
  if (matchPattern(predicate, m_ConstantInt(&number)))
    return number.isZero() == isNegated ? MaskReach{} : MaskReach{-1, -1};
  Operation *op = predicate.getDefiningOp();
  if (!op)
    return {};
  if (auto comparison = dyn_cast<arith::CmpIOp>(op))
    return findComparison(comparison, isNegated);
  if (isa<arith::AndIOp, arith::OrIOp>(op)) {
    MaskReach lhs = find(op->getOperand(0), isNegated);
    MaskReach rhs = find(op->getOperand(1), isNegated);
    return isa<arith::AndIOp>(op) != isNegated ? getReachOfBoth(lhs, rhs)
                                               : getReachOfEither(lhs, rhs);
  }
  if (isa<arith::XOrIOp>(op))
    for (unsigned side : {0, 1})
      if (matchPattern(op->getOperand(side), m_ConstantInt(&number)))
        return find(op->getOperand(1 - side), isNegated != !number.isZero());
  return {};
}

MaskReach weir::getReach(Value predicate, Value query, Value key) {
  return ReachFinder(query, key).find(predicate, /*isNegated=*/false);
}

MaskReach weir::getReach(MaskAttrInterface mask) {
  MaskPredicate of(mask);
  return getReach(of.predicate, of.query, of.key);
}
