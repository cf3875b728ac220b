//===- MaskAttrs.cpp - The mask algebra, and other attributes ---*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Each leaf of the algebra is a few lines here: its predicate for a pair of
// numbers, the same predicate as IR, and its text. What a mask says of tiles
// and how far it reaches follow from the predicate (TileClasses.h). The text of
// `#weir.mask<...>` is a small expression grammar:
//
//   or    := and (`or` and)*
//   and   := unary (`and` unary)*
//   unary := `not` unary | `(` or `)` | leaf
//   leaf  := `full` | `causal` | `window` `<` int (`,` int)? `>`
//          | (`first` | `dilated` | `chunk`) `<` int `>`
//
// The connectives are words because MLIR's lexer has no `&`.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/DialectImplementation.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace weir;

#define GET_ATTRDEF_CLASSES
#include "weir/IR/WeirAttrs.cpp.inc"

void WeirDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "weir/IR/WeirAttrs.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Leaves
//===----------------------------------------------------------------------===//

static Value buildTrue(OpBuilder &builder, Location loc) {
  return arith::ConstantIntOp::create(builder, loc, 1, 1);
}

static Value buildCompare(OpBuilder &builder, Location loc,
                          arith::CmpIPredicate predicate, Value lhs,
                          Value rhs) {
  return arith::CmpIOp::create(builder, loc, predicate, lhs, rhs);
}

bool FullMaskAttr::isVisible(int64_t, int64_t) const { return true; }
Value FullMaskAttr::buildPredicate(OpBuilder &builder, Location loc, Value,
                                   Value) const {
  return buildTrue(builder, loc);
}
void FullMaskAttr::printMask(raw_ostream &os) const { os << "full"; }

bool CausalMaskAttr::isVisible(int64_t q, int64_t k) const { return k <= q; }
Value CausalMaskAttr::buildPredicate(OpBuilder &builder, Location loc, Value q,
                                     Value k) const {
  return buildCompare(builder, loc, arith::CmpIPredicate::sle, k, q);
}
void CausalMaskAttr::printMask(raw_ostream &os) const { os << "causal"; }

/// Keys behind the query that a window shows: `window<n>` counts the query's
/// own position as one of the n, `window<l, r>` does not.
static int64_t getKeysBehind(WindowMaskAttr window) {
  return window.getRight() ? window.getLeft() : window.getLeft() - 1;
}

bool WindowMaskAttr::isVisible(int64_t q, int64_t k) const {
  return q - k <= getKeysBehind(*this) && (!getRight() || k - q <= *getRight());
}
Value WindowMaskAttr::buildPredicate(OpBuilder &builder, Location loc, Value q,
                                     Value k) const {
  Value behind = arith::SubIOp::create(builder, loc, q, k);
  Value left =
      arith::ConstantIndexOp::create(builder, loc, getKeysBehind(*this));
  Value visible =
      buildCompare(builder, loc, arith::CmpIPredicate::sle, behind, left);
  if (!getRight())
    return visible;
  Value right = arith::ConstantIndexOp::create(builder, loc, -*getRight());
  return arith::AndIOp::create(
      builder, loc, visible,
      buildCompare(builder, loc, arith::CmpIPredicate::sge, behind, right));
}
void WindowMaskAttr::printMask(raw_ostream &os) const {
  os << "window<" << getLeft();
  if (getRight())
    os << ", " << *getRight();
  os << '>';
}

bool FirstMaskAttr::isVisible(int64_t, int64_t k) const {
  return k < getCount();
}
Value FirstMaskAttr::buildPredicate(OpBuilder &builder, Location loc, Value,
                                    Value k) const {
  return buildCompare(builder, loc, arith::CmpIPredicate::slt, k,
                      buildIndex(builder, loc, getCount()));
}
void FirstMaskAttr::printMask(raw_ostream &os) const {
  os << "first<" << getCount() << '>';
}

bool DilatedMaskAttr::isVisible(int64_t q, int64_t k) const {
  return (q - k) % getStep() == 0;
}
Value DilatedMaskAttr::buildPredicate(OpBuilder &builder, Location loc, Value q,
                                      Value k) const {
  Value behind = arith::SubIOp::create(builder, loc, q, k);
  Value rest = arith::RemSIOp::create(builder, loc, behind,
                                      buildIndex(builder, loc, getStep()));
  return buildCompare(builder, loc, arith::CmpIPredicate::eq, rest,
                      buildIndex(builder, loc, 0));
}
void DilatedMaskAttr::printMask(raw_ostream &os) const {
  os << "dilated<" << getStep() << '>';
}

bool ChunkMaskAttr::isVisible(int64_t q, int64_t k) const {
  return q / getLength() == k / getLength();
}
Value ChunkMaskAttr::buildPredicate(OpBuilder &builder, Location loc, Value q,
                                    Value k) const {
  Value length = buildIndex(builder, loc, getLength());
  return buildCompare(builder, loc, arith::CmpIPredicate::eq,
                      arith::DivSIOp::create(builder, loc, q, length),
                      arith::DivSIOp::create(builder, loc, k, length));
}
void ChunkMaskAttr::printMask(raw_ostream &os) const {
  os << "chunk<" << getLength() << '>';
}

//===----------------------------------------------------------------------===//
// Connectives
//===----------------------------------------------------------------------===//

bool AndMaskAttr::isVisible(int64_t q, int64_t k) const {
  return getLhs().isVisible(q, k) && getRhs().isVisible(q, k);
}
Value AndMaskAttr::buildPredicate(OpBuilder &builder, Location loc, Value q,
                                  Value k) const {
  return arith::AndIOp::create(builder, loc,
                               getLhs().buildPredicate(builder, loc, q, k),
                               getRhs().buildPredicate(builder, loc, q, k));
}

/// Prints an operand of `and` or `not`, in brackets when it binds less tightly.
static void printTight(MaskAttrInterface mask, raw_ostream &os, bool unary) {
  bool brackets = isa<OrMaskAttr>(mask) || (unary && isa<AndMaskAttr>(mask));
  os << (brackets ? "(" : "");
  mask.printMask(os);
  os << (brackets ? ")" : "");
}

void AndMaskAttr::printMask(raw_ostream &os) const {
  printTight(getLhs(), os, /*unary=*/false);
  os << " and ";
  printTight(getRhs(), os, /*unary=*/isa<AndMaskAttr>(getRhs()));
}

bool OrMaskAttr::isVisible(int64_t q, int64_t k) const {
  return getLhs().isVisible(q, k) || getRhs().isVisible(q, k);
}
Value OrMaskAttr::buildPredicate(OpBuilder &builder, Location loc, Value q,
                                 Value k) const {
  return arith::OrIOp::create(builder, loc,
                              getLhs().buildPredicate(builder, loc, q, k),
                              getRhs().buildPredicate(builder, loc, q, k));
}
void OrMaskAttr::printMask(raw_ostream &os) const {
  getLhs().printMask(os);
  os << " or ";
  bool brackets = isa<OrMaskAttr>(getRhs());
  os << (brackets ? "(" : "");
  getRhs().printMask(os);
  os << (brackets ? ")" : "");
}

bool NotMaskAttr::isVisible(int64_t q, int64_t k) const {
  return !getMask().isVisible(q, k);
}
Value NotMaskAttr::buildPredicate(OpBuilder &builder, Location loc, Value q,
                                  Value k) const {
  return arith::XOrIOp::create(builder, loc,
                               getMask().buildPredicate(builder, loc, q, k),
                               buildTrue(builder, loc));
}
void NotMaskAttr::printMask(raw_ostream &os) const {
  os << "not ";
  printTight(getMask(), os, /*unary=*/true);
}

//===----------------------------------------------------------------------===//
// The text form
//===----------------------------------------------------------------------===//

static FailureOr<MaskAttrInterface> parseOr(AsmParser &parser);

static FailureOr<MaskAttrInterface> parseLeaf(AsmParser &parser) {
  MLIRContext *context = parser.getContext();
  SMLoc loc = parser.getCurrentLocation();
  StringRef keyword;
  if (parser.parseKeyword(&keyword))
    return failure();
  if (keyword == "full")
    return cast<MaskAttrInterface>(FullMaskAttr::get(context));
  if (keyword == "causal")
    return cast<MaskAttrInterface>(CausalMaskAttr::get(context));
  if (keyword == "window") {
    int64_t left, right;
    if (parser.parseLess() || parser.parseInteger(left))
      return failure();
    std::optional<int64_t> bound;
    if (succeeded(parser.parseOptionalComma())) {
      if (parser.parseInteger(right))
        return failure();
      bound = right;
    }
    if (parser.parseGreater())
      return failure();
    if (left < (bound ? 0 : 1) || (bound && *bound < 0)) {
      parser.emitError(loc)
          << "a window shows at least one key, found window<" << left << '>';
      return failure();
    }
    return cast<MaskAttrInterface>(WindowMaskAttr::get(context, left, bound));
  }
  if (keyword == "first" || keyword == "dilated" || keyword == "chunk") {
    int64_t number;
    if (parser.parseLess() || parser.parseInteger(number) ||
        parser.parseGreater())
      return failure();
    if (number < 1) {
      parser.emitError(loc) << keyword << " takes a number from 1, found "
                            << keyword << '<' << number << '>';
      return failure();
    }
    if (keyword == "first")
      return cast<MaskAttrInterface>(FirstMaskAttr::get(context, number));
    if (keyword == "dilated")
      return cast<MaskAttrInterface>(DilatedMaskAttr::get(context, number));
    return cast<MaskAttrInterface>(ChunkMaskAttr::get(context, number));
  }
  parser.emitError(loc) << "unknown mask '" << keyword
                        << "', expected full, causal, window, first, dilated "
                           "or chunk";
  return failure();
}

static FailureOr<MaskAttrInterface> parseUnary(AsmParser &parser) {
  if (succeeded(parser.parseOptionalLParen())) {
    FailureOr<MaskAttrInterface> mask = parseOr(parser);
    if (failed(mask) || parser.parseRParen())
      return failure();
    return mask;
  }
  if (succeeded(parser.parseOptionalKeyword("not"))) {
    FailureOr<MaskAttrInterface> mask = parseUnary(parser);
    if (failed(mask))
      return failure();
    return cast<MaskAttrInterface>(
        NotMaskAttr::get(parser.getContext(), *mask));
  }
  return parseLeaf(parser);
}

/// Parses `operand (word operand)*` into left-associated connectives.
template <typename ConnectiveAttr>
static FailureOr<MaskAttrInterface>
parseConnective(AsmParser &parser, StringRef word,
                FailureOr<MaskAttrInterface> (*parseOperand)(AsmParser &)) {
  FailureOr<MaskAttrInterface> mask = parseOperand(parser);
  while (succeeded(mask) && succeeded(parser.parseOptionalKeyword(word))) {
    FailureOr<MaskAttrInterface> rhs = parseOperand(parser);
    if (failed(rhs))
      return failure();
    mask = cast<MaskAttrInterface>(
        ConnectiveAttr::get(parser.getContext(), *mask, *rhs));
  }
  return mask;
}

static FailureOr<MaskAttrInterface> parseAnd(AsmParser &parser) {
  return parseConnective<AndMaskAttr>(parser, "and", parseUnary);
}

static FailureOr<MaskAttrInterface> parseOr(AsmParser &parser) {
  return parseConnective<OrMaskAttr>(parser, "or", parseAnd);
}

Attribute MaskAttr::parse(AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  FailureOr<MaskAttrInterface> mask = parseOr(parser);
  if (failed(mask) || parser.parseGreater())
    return {};
  return MaskAttr::get(parser.getContext(), *mask);
}

void MaskAttr::print(AsmPrinter &printer) const {
  printer << '<';
  getExpression().printMask(printer.getStream());
  printer << '>';
}

//===----------------------------------------------------------------------===//
// Checkpoint keys
//===----------------------------------------------------------------------===//

Attribute CheckpointAttr::parse(AsmParser &parser, Type) {
  std::string key;
  if (parser.parseLess() || parser.parseString(&key))
    return {};
  DenseI64ArrayAttr layers;
  int64_t experts = 0;
  if (succeeded(parser.parseOptionalComma())) {
    SmallVector<int64_t> numbers;
    if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
          return parser.parseInteger(numbers.emplace_back());
        }))
      return {};
    layers = DenseI64ArrayAttr::get(parser.getContext(), numbers);
    if (succeeded(parser.parseOptionalComma()) &&
        (parser.parseKeyword("experts") || parser.parseEqual() ||
         parser.parseInteger(experts)))
      return {};
  }
  if (parser.parseGreater())
    return {};
  return CheckpointAttr::get(parser.getContext(),
                             StringAttr::get(parser.getContext(), key), layers,
                             experts);
}

void CheckpointAttr::print(AsmPrinter &printer) const {
  printer << '<' << getKey();
  if (DenseI64ArrayAttr layers = getLayers()) {
    printer << ", [";
    llvm::interleaveComma(layers.asArrayRef(), printer.getStream());
    printer << ']';
  }
  if (getExperts())
    printer << ", experts = " << getExperts();
  printer << '>';
}

SmallVector<std::string> CheckpointAttr::getKeys() const {
  if (!getLayers())
    return {getKey().str()};
  SmallVector<std::string> keys;
  auto [before, after] = getKey().getValue().split('*');
  for (int64_t layer : getLayers().asArrayRef()) {
    std::string key = (before + llvm::Twine(layer) + after).str();
    auto [front, back] = StringRef(key).split('*');
    for (int64_t expert = 0; expert < getExperts(); ++expert)
      keys.push_back((front + llvm::Twine(expert) + back).str());
    if (getExperts() == 0)
      keys.push_back(key);
  }
  return keys;
}
