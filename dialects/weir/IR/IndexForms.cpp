//===- IndexForms.cpp - Index values as affine forms ------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/IndexForms.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace weir;

int64_t IndexForm::getCoefficient(Value symbol) const {
  for (auto [term, coefficient] : terms)
    if (term == symbol)
      return coefficient;
  return 0;
}

//===----------------------------------------------------------------------===//
// Bounds
//===----------------------------------------------------------------------===//

/// What values of `type` can hold; `index` has 64 bits.
static std::optional<IndexBounds> getTypeBounds(Type type) {
  if (type.isIndex())
    return IndexBounds{INT64_MIN, INT64_MAX};
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer || integer.getWidth() > 64 || integer.getWidth() < 2)
    return std::nullopt;
  return IndexBounds{llvm::minIntN(integer.getWidth()),
                     llvm::maxIntN(integer.getWidth())};
}

static bool fits(const IndexBounds &bounds, Type type) {
  std::optional<IndexBounds> all = getTypeBounds(type);
  return all && all->least <= bounds.least && bounds.greatest <= all->greatest;
}

/// The bounds of `factor * bounds`, unless they overflow.
static std::optional<IndexBounds> scale(const IndexBounds &bounds,
                                        int64_t factor) {
  int64_t a, b;
  if (llvm::MulOverflow(bounds.least, factor, a) ||
      llvm::MulOverflow(bounds.greatest, factor, b))
    return std::nullopt;
  return IndexBounds{std::min(a, b), std::max(a, b)};
}

static std::optional<IndexBounds> add(const IndexBounds &lhs,
                                      const IndexBounds &rhs) {
  IndexBounds sum;
  if (llvm::AddOverflow(lhs.least, rhs.least, sum.least) ||
      llvm::AddOverflow(lhs.greatest, rhs.greatest, sum.greatest))
    return std::nullopt;
  return sum;
}

std::optional<IndexBounds> IndexForms::findBounds(Operation *op) {
  if (auto extent = dyn_cast<tensor::DimOp>(op))
    return extent.getConstantIndex() ? std::optional(IndexBounds{0, INT64_MAX})
                                     : std::nullopt;
  if (auto extract = dyn_cast<tensor::ExtractOp>(op))
    return isReadable(extract) && !extract.getType().isIndex()
               ? getTypeBounds(extract.getType())
               : std::nullopt;
  SmallVector<IndexBounds> operands;
  for (Value operand : op->getOperands()) {
    if (operand.getType().isInteger(1)) {
      operands.emplace_back(); // The condition of a choice.
      continue;
    }
    std::optional<IndexForm> form = get(operand);
    if (!form)
      return std::nullopt;
    operands.push_back(form->bounds);
  }
  auto by =
      [&](int64_t (*divide)(int64_t, int64_t)) -> std::optional<IndexBounds> {
    const IndexBounds &divisor = operands[1];
    if (divisor.least != divisor.greatest || divisor.least < 1)
      return std::nullopt;
    return IndexBounds{divide(operands[0].least, divisor.least),
                       divide(operands[0].greatest, divisor.least)};
  };
  auto truncated = [](int64_t a, int64_t b) { return a / b; };
  auto floored = [](int64_t a, int64_t b) {
    return llvm::divideFloorSigned(a, b);
  };
  auto ceiled = [](int64_t a, int64_t b) {
    return llvm::divideCeilSigned(a, b);
  };
  using Bounds = std::optional<IndexBounds>;
  return llvm::TypeSwitch<Operation *, Bounds>(op)
      .Case([&](arith::DivSIOp) { return by(truncated); })
      .Case([&](arith::FloorDivSIOp) { return by(floored); })
      .Case([&](arith::CeilDivSIOp) { return by(ceiled); })
      .Case<arith::DivUIOp, arith::CeilDivUIOp>([&](auto division) -> Bounds {
        if (operands[0].least < 0)
          return std::nullopt;
        return isa<arith::DivUIOp>(division) ? by(truncated) : by(ceiled);
      })
      .Case<arith::RemSIOp, arith::RemUIOp>([&](auto remainder) -> Bounds {
        const IndexBounds &divisor = operands[1];
        bool isNegative = operands[0].least < 0;
        if (divisor.least != divisor.greatest || divisor.least < 1 ||
            (isNegative && isa<arith::RemUIOp>(remainder)))
          return std::nullopt;
        return IndexBounds{
            isNegative ? std::max(operands[0].least, 1 - divisor.least) : 0,
            std::clamp<int64_t>(operands[0].greatest, 0, divisor.least - 1)};
      })
      .Case([&](arith::MinSIOp) {
        return IndexBounds{
            std::min(operands[0].least, operands[1].least),
            std::min(operands[0].greatest, operands[1].greatest)};
      })
      .Case([&](arith::MaxSIOp) {
        return IndexBounds{
            std::max(operands[0].least, operands[1].least),
            std::max(operands[0].greatest, operands[1].greatest)};
      })
      .Case([&](arith::SelectOp) {
        return IndexBounds{
            std::min(operands[1].least, operands[2].least),
            std::max(operands[1].greatest, operands[2].greatest)};
      })
      .Case([&](arith::MulIOp) -> Bounds {
        Bounds low = scale(operands[0], operands[1].least);
        Bounds high = scale(operands[0], operands[1].greatest);
        if (!low || !high)
          return std::nullopt;
        return IndexBounds{std::min(low->least, high->least),
                           std::max(low->greatest, high->greatest)};
      })
      .Default([](Operation *) { return std::nullopt; });
}

//===----------------------------------------------------------------------===//
// Forms
//===----------------------------------------------------------------------===//

void IndexForms::addArgument(Value argument, IndexBounds bounds, bool isFixed) {
  symbols[argument] = bounds;
  forms[argument] = IndexForm{{{argument, 1}}, 0, bounds};
  if (isFixed)
    fixed.insert(argument);
}

bool IndexForms::isFixed(const IndexForm &form) const {
  return llvm::all_of(
      form.terms, [&](const auto &term) { return fixed.contains(term.first); });
}

bool IndexForms::isReadable(tensor::ExtractOp extract) {
  unsigned numVarying = 0;
  for (Value index : extract.getIndices()) {
    std::optional<IndexForm> form = get(index);
    if (!form)
      return false;
    numVarying += !isFixed(*form);
  }
  return numVarying <= 1;
}

std::optional<IndexForm> IndexForms::combine(const IndexForm &lhs,
                                             const IndexForm &rhs,
                                             int64_t factor) {
  IndexForm sum = lhs;
  int64_t product;
  if (llvm::MulOverflow(rhs.constant, factor, product) ||
      llvm::AddOverflow(sum.constant, product, sum.constant))
    return std::nullopt;
  for (auto [symbol, coefficient] : rhs.terms) {
    if (llvm::MulOverflow(coefficient, factor, product))
      return std::nullopt;
    auto *at = llvm::find_if(sum.terms, [symbol = symbol](const auto &term) {
      return term.first == symbol;
    });
    if (at == sum.terms.end())
      sum.terms.emplace_back(symbol, product);
    else if (llvm::AddOverflow(at->second, product, at->second))
      return std::nullopt;
  }
  llvm::erase_if(sum.terms, [](const auto &term) { return term.second == 0; });
  std::optional<IndexBounds> bounds = IndexBounds{sum.constant, sum.constant};
  for (auto [symbol, coefficient] : sum.terms) {
    std::optional<IndexBounds> scaled =
        scale(symbols.lookup(symbol), coefficient);
    if (scaled)
      bounds = add(*bounds, *scaled);
    if (!scaled || !bounds)
      return std::nullopt;
  }
  sum.bounds = *bounds;
  return sum;
}

std::optional<IndexForm> IndexForms::find(Value value) {
  APInt number;
  if (matchPattern(value, m_ConstantInt(&number)) &&
      number.getSignificantBits() <= 64) {
    int64_t constant = number.getSExtValue();
    return IndexForm{{}, constant, {constant, constant}};
  }
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumResults() != 1 || !getTypeBounds(value.getType()))
    return std::nullopt;
  // Conversions keep the number if it fits.
  if (isa<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtSIOp,
          arith::ExtUIOp, arith::TruncIOp>(op)) {
    std::optional<IndexForm> form;
    if (getTypeBounds(op->getOperand(0).getType()))
      form = get(op->getOperand(0));
    bool isUnsigned = isa<arith::IndexCastUIOp, arith::ExtUIOp>(op);
    if (form && isUnsigned && form->bounds.least < 0)
      return std::nullopt;
    return form;
  }
  if (isa<arith::AddIOp, arith::SubIOp, arith::MulIOp>(op)) {
    std::optional<IndexForm> lhs = get(op->getOperand(0));
    std::optional<IndexForm> rhs = get(op->getOperand(1));
    if (!lhs || !rhs)
      return std::nullopt;
    if (isa<arith::AddIOp>(op))
      return combine(*lhs, *rhs, 1);
    if (isa<arith::SubIOp>(op))
      return combine(*lhs, *rhs, -1);
    if (rhs->isConstant())
      return combine({}, *lhs, rhs->constant);
    if (lhs->isConstant())
      return combine({}, *rhs, lhs->constant);
  }
  std::optional<IndexBounds> bounds = findBounds(op);
  if (!bounds)
    return std::nullopt;
  symbols[value] = *bounds;
  if (isa<tensor::DimOp>(op))
    fixed.insert(value);
  return IndexForm{{{value, 1}}, 0, *bounds};
}

std::optional<IndexForm> IndexForms::get(Value value) {
  auto known = forms.find(value);
  if (known != forms.end())
    return known->second;
  std::optional<IndexForm> form = find(value);
  if (form && !fits(form->bounds, value.getType()))
    form.reset();
  forms[value] = form;
  return form;
}

std::optional<IndexForm> IndexForms::getDifference(Value lhs, Value rhs) {
  std::optional<IndexForm> left = get(lhs), right = get(rhs);
  if (!left || !right)
    return std::nullopt;
  return combine(*left, *right, -1);
}
