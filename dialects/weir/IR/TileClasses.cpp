//===- TileClasses.cpp - What a predicate says of a tile --------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/TileClasses.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weir;
using Predicate = arith::CmpIPredicate;

namespace {

/// Evaluates one predicate on one tile.
class TileClassifier {
public:
  TileClassifier(OpBuilder &builder, Location loc)
      : builder(builder), loc(loc) {}

  void addArgument(Value argument, TileRange range) {
    forms.addArgument(argument, {0, GreatestPosition},
                      /*isFixed=*/range.least == range.greatest);
    ranges[argument] = range;
  }
  TileClass classify(Value predicate);

private:
  TileClass find(Value predicate);
  TileClass classifyComparison(arith::CmpIOp comparison);
  /// The class of whether two predicates differ.
  TileClass classifyDifference(TileClass lhs, TileClass rhs);
  TileClass negate(TileClass inner) {
    return {negate(inner.all), negate(inner.any)};
  }
  TileClass makeConstant(bool value) {
    return {constant(value), constant(value)};
  }
  TileClass makeUnknown() { return {constant(true), constant(false)}; }

  /// The range of a symbol, which is an argument or has bounds.
  TileRange getRange(Value symbol);
  TileRange findRange(Operation *op);
  /// The least and the greatest of what `extract`, which is readable, reads.
  TileRange readRange(tensor::ExtractOp extract);
  TileRange getRange(const IndexForm &form);
  TileRange getOperandRange(Operation *op, unsigned number) {
    return getRange(*forms.get(op->getOperand(number)));
  }
  /// Where the least of `form`'s terms and constant may be: `form` is at least
  /// the difference of the two values, and reaches it; or at most, with
  /// `greatest`.
  std::pair<Value, Value> getExtreme(const IndexForm &form, bool greatest);
  /// Whether the least (greatest) value of `form` stands so to zero.
  Value compareToZero(const IndexForm &form, bool greatest,
                      Predicate predicate) {
    auto [lhs, rhs] = getExtreme(form, greatest);
    return compare(predicate, lhs, rhs);
  }

  Value constant(bool value) {
    return arith::ConstantIntOp::create(builder, loc, value, 1);
  }
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  template <typename OpTy>
  Value make(Value lhs, Value rhs) {
    return builder.createOrFold<OpTy>(loc, lhs, rhs);
  }
  Value negate(Value bit) { return make<arith::XOrIOp>(bit, constant(true)); }
  Value compare(Predicate predicate, Value lhs, Value rhs) {
    return builder.createOrFold<arith::CmpIOp>(loc, predicate, lhs, rhs);
  }
  Value select(Value condition, Value lhs, Value rhs) {
    return builder.createOrFold<arith::SelectOp>(loc, condition, lhs, rhs);
  }

  OpBuilder &builder;
  Location loc;
  IndexForms forms;
  llvm::DenseMap<Value, TileRange> ranges;
  llvm::DenseMap<Value, TileClass> classes;
};

} // namespace

//===----------------------------------------------------------------------===//
// Ranges
//===----------------------------------------------------------------------===//

std::pair<Value, Value> TileClassifier::getExtreme(const IndexForm &form,
                                                   bool greatest) {
  Value lhs, rhs;
  auto addTo = [&](Value &side, Value term) {
    side = side ? make<arith::AddIOp>(side, term) : term;
  };
  for (auto [symbol, coefficient] : form.terms) {
    TileRange range = getRange(symbol);
    bool isPositive = coefficient > 0;
    Value end = isPositive == greatest ? range.greatest : range.least;
    int64_t factor = isPositive ? coefficient : -coefficient;
    if (factor != 1)
      end = make<arith::MulIOp>(end, index(factor));
    addTo(isPositive ? lhs : rhs, end);
  }
  if (form.constant > 0)
    addTo(lhs, index(form.constant));
  if (form.constant < 0)
    addTo(rhs, index(-form.constant));
  return {lhs ? lhs : index(0), rhs ? rhs : index(0)};
}

TileRange TileClassifier::getRange(const IndexForm &form) {
  auto getEnd = [&](bool greatest) {
    auto [lhs, rhs] = getExtreme(form, greatest);
    return make<arith::SubIOp>(lhs, rhs);
  };
  return {getEnd(false), getEnd(true)};
}

TileRange TileClassifier::getRange(Value symbol) {
  auto known = ranges.find(symbol);
  if (known != ranges.end())
    return known->second;
  TileRange range = findRange(symbol.getDefiningOp());
  ranges[symbol] = range;
  return range;
}

TileRange TileClassifier::readRange(tensor::ExtractOp extract) {
  SmallVector<Value> indices;
  std::optional<unsigned> varying;
  TileRange along;
  for (auto [axis, index] : llvm::enumerate(extract.getIndices())) {
    IndexForm form = *forms.get(index);
    TileRange range = getRange(form);
    indices.push_back(range.least);
    if (!forms.isFixed(form)) {
      varying = axis;
      along = range;
    }
  }
  Type type = builder.getIndexType();
  auto read = [&](OpBuilder &b, Location l) -> Value {
    Value entry = tensor::ExtractOp::create(b, l, extract.getTensor(), indices);
    if (entry.getType().isInteger(1))
      return arith::IndexCastUIOp::create(b, l, type, entry);
    return arith::IndexCastOp::create(b, l, type, entry);
  };
  if (!varying) {
    Value entry = read(builder, loc);
    return {entry, entry};
  }
  Value end = make<arith::AddIOp>(along.greatest, index(1));
  auto loop = scf::ForOp::create(
      builder, loc, along.least, end, index(1),
      ValueRange{index(INT64_MAX), index(INT64_MIN)},
      [&](OpBuilder &b, Location l, Value at, ValueRange extremes) {
        indices[*varying] = at;
        Value entry = read(b, l);
        Value least = arith::MinSIOp::create(b, l, extremes[0], entry);
        Value greatest = arith::MaxSIOp::create(b, l, extremes[1], entry);
        scf::YieldOp::create(b, l, ValueRange{least, greatest});
      });
  return {loop.getResult(0), loop.getResult(1)};
}

/// `op` is one of those that IndexForms has bounds for.
TileRange TileClassifier::findRange(Operation *op) {
  return llvm::TypeSwitch<Operation *, TileRange>(op)
      .Case<arith::DivSIOp, arith::DivUIOp, arith::FloorDivSIOp,
            arith::CeilDivSIOp, arith::CeilDivUIOp>([&](auto division) {
        using Division = decltype(division);
        TileRange range = getOperandRange(op, 0);
        Value divisor = getOperandRange(op, 1).least;
        return TileRange{make<Division>(range.least, divisor),
                         make<Division>(range.greatest, divisor)};
      })
      .Case<arith::RemSIOp, arith::RemUIOp>([&](auto) {
        // As long as the quotient is the same, the remainder grows with the
        // number; otherwise it may be any.
        TileRange range = getOperandRange(op, 0);
        Value divisor = getOperandRange(op, 1).least;
        Value isOne =
            compare(Predicate::eq, make<arith::DivSIOp>(range.least, divisor),
                    make<arith::DivSIOp>(range.greatest, divisor));
        IndexBounds bounds = forms.get(op->getResult(0))->bounds;
        return TileRange{
            select(isOne, make<arith::RemSIOp>(range.least, divisor),
                   index(bounds.least)),
            select(isOne, make<arith::RemSIOp>(range.greatest, divisor),
                   index(bounds.greatest))};
      })
      .Case<arith::MinSIOp, arith::MaxSIOp>([&](auto extreme) {
        using Extreme = decltype(extreme);
        TileRange lhs = getOperandRange(op, 0), rhs = getOperandRange(op, 1);
        return TileRange{make<Extreme>(lhs.least, rhs.least),
                         make<Extreme>(lhs.greatest, rhs.greatest)};
      })
      .Case([&](arith::SelectOp choice) {
        TileClass condition = classify(choice.getCondition());
        TileRange lhs = getOperandRange(op, 1), rhs = getOperandRange(op, 2);
        auto choose = [&](Value a, Value b, Value either) {
          return select(condition.all, a, select(condition.any, either, b));
        };
        return TileRange{
            choose(lhs.least, rhs.least,
                   make<arith::MinSIOp>(lhs.least, rhs.least)),
            choose(lhs.greatest, rhs.greatest,
                   make<arith::MaxSIOp>(lhs.greatest, rhs.greatest))};
      })
      .Case([&](tensor::ExtractOp extract) { return readRange(extract); })
      .Case([&](tensor::DimOp extent) {
        Value size = builder.createOrFold<tensor::DimOp>(
            loc, extent.getSource(), *extent.getConstantIndex());
        return TileRange{size, size};
      })
      .Case([&](arith::MulIOp) {
        TileRange lhs = getOperandRange(op, 0), rhs = getOperandRange(op, 1);
        Value ends[] = {make<arith::MulIOp>(lhs.least, rhs.least),
                        make<arith::MulIOp>(lhs.least, rhs.greatest),
                        make<arith::MulIOp>(lhs.greatest, rhs.least),
                        make<arith::MulIOp>(lhs.greatest, rhs.greatest)};
        TileRange range{ends[0], ends[0]};
        for (Value end : llvm::drop_begin(ends)) {
          range.least = make<arith::MinSIOp>(range.least, end);
          range.greatest = make<arith::MaxSIOp>(range.greatest, end);
        }
        return range;
      });
}

//===----------------------------------------------------------------------===//
// Classes
//===----------------------------------------------------------------------===//

/// The comparison of signed numbers that `predicate` is for numbers that are
/// not negative.
static Predicate getSigned(Predicate predicate) {
  switch (predicate) {
  case Predicate::ult:
    return Predicate::slt;
  case Predicate::ule:
    return Predicate::sle;
  case Predicate::ugt:
    return Predicate::sgt;
  case Predicate::uge:
    return Predicate::sge;
  default:
    return predicate;
  }
}

TileClass TileClassifier::classifyComparison(arith::CmpIOp comparison) {
  Value lhs = comparison.getLhs(), rhs = comparison.getRhs();
  if (lhs.getType().isInteger(1)) {
    TileClass differ = classifyDifference(classify(lhs), classify(rhs));
    if (comparison.getPredicate() == Predicate::ne)
      return differ;
    return comparison.getPredicate() == Predicate::eq ? negate(differ)
                                                      : makeUnknown();
  }
  std::optional<IndexForm> form = forms.getDifference(lhs, rhs);
  if (!form)
    return makeUnknown();
  Predicate predicate = getSigned(comparison.getPredicate());
  if (predicate != comparison.getPredicate() &&
      (forms.get(lhs)->bounds.least < 0 || forms.get(rhs)->bounds.least < 0))
    return makeUnknown();
  switch (predicate) {
  case Predicate::slt:
  case Predicate::sle:
    return {compareToZero(*form, /*greatest=*/false, predicate),
            compareToZero(*form, /*greatest=*/true, predicate)};
  case Predicate::sgt:
  case Predicate::sge:
    return {compareToZero(*form, /*greatest=*/true, predicate),
            compareToZero(*form, /*greatest=*/false, predicate)};
  default:
    break;
  }
  auto contains = [&](bool all) {
    return make<arith::AndIOp>(
        compareToZero(*form, /*greatest=*/all, Predicate::sle),
        compareToZero(*form, /*greatest=*/!all, Predicate::sge));
  };
  TileClass equal{contains(/*all=*/false), contains(/*all=*/true)};
  return predicate == Predicate::eq ? equal : negate(equal);
}

TileClass TileClassifier::classifyDifference(TileClass lhs, TileClass rhs) {
  auto join = [&](Value a, Value b, Value c, Value d) {
    return make<arith::OrIOp>(make<arith::AndIOp>(a, negate(b)),
                              make<arith::AndIOp>(negate(c), d));
  };
  return {join(lhs.any, rhs.all, lhs.all, rhs.any),
          join(lhs.all, rhs.any, lhs.any, rhs.all)};
}

TileClass TileClassifier::find(Value predicate) {
  APInt number;
  if (matchPattern(predicate, m_ConstantInt(&number)))
    return makeConstant(!number.isZero());
  Operation *op = predicate.getDefiningOp();
  if (!op)
    return makeUnknown();
  return llvm::TypeSwitch<Operation *, TileClass>(op)
      .Case([&](arith::CmpIOp comparison) {
        return classifyComparison(comparison);
      })
      .Case([&](arith::AndIOp both) {
        return buildBoth(builder, loc, classify(both.getLhs()),
                         classify(both.getRhs()));
      })
      .Case([&](arith::OrIOp either) {
        TileClass lhs = classify(either.getLhs());
        TileClass rhs = classify(either.getRhs());
        return TileClass{make<arith::OrIOp>(lhs.any, rhs.any),
                         make<arith::OrIOp>(lhs.all, rhs.all)};
      })
      .Case([&](arith::XOrIOp difference) {
        return classifyDifference(classify(difference.getLhs()),
                                  classify(difference.getRhs()));
      })
      .Case([&](arith::SelectOp choice) {
        TileClass condition = classify(choice.getCondition());
        TileClass lhs = classify(choice.getTrueValue());
        TileClass rhs = classify(choice.getFalseValue());
        // Some pair satisfies the condition and what it chooses, or neither is
        // known; all do if whatever may be chosen is satisfied by all.
        Value any = make<arith::OrIOp>(
            make<arith::AndIOp>(condition.any, lhs.any),
            make<arith::AndIOp>(negate(condition.all), rhs.any));
        Value all = make<arith::AndIOp>(
            make<arith::OrIOp>(negate(condition.any), lhs.all),
            make<arith::OrIOp>(condition.all, rhs.all));
        return TileClass{any, all};
      })
      .Case([&](tensor::ExtractOp extract) {
        if (!forms.isReadable(extract))
          return makeUnknown();
        TileRange range = readRange(extract);
        return TileClass{compare(Predicate::ne, range.greatest, index(0)),
                         compare(Predicate::ne, range.least, index(0))};
      })
      .Default([&](Operation *) { return makeUnknown(); });
}

TileClass TileClassifier::classify(Value predicate) {
  auto known = classes.find(predicate);
  if (known != classes.end())
    return known->second;
  TileClass found = find(predicate);
  classes[predicate] = found;
  return found;
}

TileClass
weir::buildTileClass(OpBuilder &builder, Location loc, Value predicate,
                     ArrayRef<std::pair<Value, TileRange>> arguments) {
  TileClassifier classifier(builder, loc);
  for (auto [argument, range] : arguments)
    classifier.addArgument(argument, range);
  return classifier.classify(predicate);
}

TileClass weir::buildTileClass(OpBuilder &builder, Location loc,
                               MaskAttrInterface mask, TileRange queries,
                               TileRange keys) {
  MaskPredicate of(mask);
  return buildTileClass(builder, loc, of.predicate,
                        {{of.query, queries}, {of.key, keys}});
}

TileClass weir::buildBoth(OpBuilder &builder, Location loc, TileClass lhs,
                          TileClass rhs) {
  return {builder.createOrFold<arith::AndIOp>(loc, lhs.any, rhs.any),
          builder.createOrFold<arith::AndIOp>(loc, lhs.all, rhs.all)};
}
