//===- TileClassesTest.cpp - What predicates say of tiles -----------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Classes of tiles with constant bounds fold to constants, which are compared
// with the predicate on every pair of the tile.
//
//===----------------------------------------------------------------------===//

#include "weir/IR/TileClasses.h"
#include "RandomMasks.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weir;

namespace {

struct Tile {
  int64_t firstQuery, lastQuery, firstKey, lastKey;
};

/// A class whose bits are known.
struct KnownClass {
  bool any, all;
};

struct TileClassesTest : public RandomMasks {
  TileClassesTest()
      : RandomMasks(11), builder(&context), loc(builder.getUnknownLoc()) {
    reset();
  }

  /// Starts a predicate of `query` and `key`.
  void reset() {
    body = std::make_unique<Block>();
    builder.setInsertionPointToEnd(body.get());
    query = body->addArgument(builder.getIndexType(), loc);
    key = body->addArgument(builder.getIndexType(), loc);
  }

  Tile drawTile() {
    int64_t q = draw(20), k = draw(20);
    return {q, q + draw(6), k, k + draw(6)};
  }

  Value index(int64_t number) {
    return arith::ConstantIndexOp::create(builder, loc, number);
  }

  static bool isTrue(Value bit) {
    APInt number;
    bool isKnown = matchPattern(bit, m_ConstantInt(&number));
    EXPECT_TRUE(isKnown) << "a class of constants did not fold";
    return isKnown && !number.isZero();
  }

  KnownClass classify(Value predicate, const Tile &tile) {
    TileRange queries{index(tile.firstQuery), index(tile.lastQuery)};
    TileRange keys{index(tile.firstKey), index(tile.lastKey)};
    TileClass found = buildTileClass(builder, loc, predicate,
                                     {{query, queries}, {key, keys}});
    return {isTrue(found.any), isTrue(found.all)};
  }

  /// What `value` is for one pair, by folding.
  Attribute evaluate(Value value, int64_t q, int64_t k) {
    if (value == query || value == key)
      return builder.getIndexAttr(value == query ? q : k);
    auto result = cast<OpResult>(value);
    SmallVector<Attribute> operands;
    for (Value operand : result.getOwner()->getOperands())
      operands.push_back(evaluate(operand, q, k));
    SmallVector<OpFoldResult> folded;
    if (failed(result.getOwner()->fold(operands, folded)) || folded.empty()) {
      ADD_FAILURE() << "an operation on constants did not fold";
      return builder.getBoolAttr(false);
    }
    if (auto operand = dyn_cast<Value>(folded.front()))
      return evaluate(operand, q, k);
    return cast<Attribute>(folded.front());
  }

  /// Expects of a class that it is not wrong.
  static void expectSound(const KnownClass &found, bool any, bool all) {
    EXPECT_TRUE(found.any || !any) << "a visible pair in an empty tile";
    EXPECT_TRUE(!found.all || all) << "a hidden pair in a full tile";
  }

  /// Whether some and all pairs of the tile are visible.
  static KnownClass count(const Tile &tile,
                          llvm::function_ref<bool(int64_t, int64_t)> visible) {
    KnownClass seen{false, true};
    for (int64_t q = tile.firstQuery; q <= tile.lastQuery; ++q)
      for (int64_t k = tile.firstKey; k <= tile.lastKey; ++k) {
        seen.any |= visible(q, k);
        seen.all &= visible(q, k);
      }
    return seen;
  }

  /// A number computed from the positions, of `index` or i16, which wraps.
  Value makeNumber(int depth, bool isNarrow);
  Value makePredicate(int depth);

  OpBuilder builder;
  Location loc;
  std::unique_ptr<Block> body;
  Value query, key;
};

Value TileClassesTest::makeNumber(int depth, bool isNarrow) {
  Type type = isNarrow ? Type(builder.getI16Type()) : builder.getIndexType();
  auto constant = [&](int64_t number) -> Value {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getIntegerAttr(type, number));
  };
  if (depth == 0 || draw(5) == 0) {
    if (draw(3) == 0)
      return constant(draw(2) ? draw(9) - 4 : draw(20000));
    Value position = draw(2) ? query : key;
    return isNarrow
               ? Value(arith::IndexCastOp::create(builder, loc, type, position))
               : position;
  }
  Value lhs = makeNumber(depth - 1, isNarrow);
  Value divisor = constant(1 + draw(7));
  switch (draw(13)) {
  case 0:
    return arith::DivSIOp::create(builder, loc, lhs, divisor);
  case 1:
    return arith::FloorDivSIOp::create(builder, loc, lhs, divisor);
  case 2:
    return arith::CeilDivSIOp::create(builder, loc, lhs, divisor);
  case 3:
    return arith::DivUIOp::create(builder, loc, lhs, divisor);
  case 4:
    return arith::RemSIOp::create(builder, loc, lhs, divisor);
  case 5:
    return arith::RemUIOp::create(builder, loc, lhs, divisor);
  case 6:
    return arith::SelectOp::create(builder, loc, makePredicate(depth - 1), lhs,
                                   makeNumber(depth - 1, isNarrow));
  default:
    break;
  }
  Value rhs = makeNumber(depth - 1, isNarrow);
  switch (draw(6)) {
  case 0:
    return arith::MinSIOp::create(builder, loc, lhs, rhs);
  case 1:
    return arith::MaxSIOp::create(builder, loc, lhs, rhs);
  case 2:
    return arith::MulIOp::create(builder, loc, lhs, rhs);
  case 3:
    return arith::SubIOp::create(builder, loc, lhs, rhs);
  case 4:
    // Unknown to the analysis.
    return arith::XOrIOp::create(builder, loc, lhs, rhs);
  default:
    return arith::AddIOp::create(builder, loc, lhs, rhs);
  }
}

Value TileClassesTest::makePredicate(int depth) {
  if (depth > 0 && draw(3) == 0) {
    Value lhs = makePredicate(depth - 1), rhs = makePredicate(depth - 1);
    switch (draw(5)) {
    case 0:
      return arith::AndIOp::create(builder, loc, lhs, rhs);
    case 1:
      return arith::OrIOp::create(builder, loc, lhs, rhs);
    case 2:
      return arith::XOrIOp::create(builder, loc, lhs, rhs);
    case 3:
      return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, lhs,
                                   rhs);
    default:
      return arith::SelectOp::create(builder, loc, makePredicate(depth - 1),
                                     lhs, rhs);
    }
  }
  auto predicate = static_cast<arith::CmpIPredicate>(draw(10));
  bool isNarrow = draw(2);
  int inner = std::max(depth - 1, 0);
  return arith::CmpIOp::create(builder, loc, predicate,
                               makeNumber(inner, isNarrow),
                               makeNumber(inner, isNarrow));
}

} // namespace

TEST_F(TileClassesTest, leavesAreExact) {
  for (int i = 0; i < 3000; ++i) {
    reset();
    MaskAttrInterface mask = makeLeaf(i % NumLeaves);
    Tile tile = drawTile();
    KnownClass found =
        classify(mask.buildPredicate(builder, loc, query, key), tile);
    KnownClass seen =
        count(tile, [&](int64_t q, int64_t k) { return mask.isVisible(q, k); });
    EXPECT_EQ(found.any, seen.any) << toText(mask);
    EXPECT_EQ(found.all, seen.all) << toText(mask);
  }
}

TEST_F(TileClassesTest, masksAreSound) {
  for (int i = 0; i < 2000; ++i) {
    reset();
    MaskAttrInterface mask = makeMask(4);
    Value predicate = mask.buildPredicate(builder, loc, query, key);
    for (int tiles = 0; tiles < 4; ++tiles) {
      Tile tile = drawTile();
      KnownClass seen = count(
          tile, [&](int64_t q, int64_t k) { return mask.isVisible(q, k); });
      expectSound(classify(predicate, tile), seen.any, seen.all);
    }
  }
}

TEST_F(TileClassesTest, predicatesAreSound) {
  int empty = 0, full = 0;
  for (int i = 0; i < 4000; ++i) {
    reset();
    Value predicate = makePredicate(4);
    for (int tiles = 0; tiles < 3; ++tiles) {
      Tile tile = drawTile();
      KnownClass found = classify(predicate, tile);
      KnownClass seen = count(tile, [&](int64_t q, int64_t k) {
        return cast<IntegerAttr>(evaluate(predicate, q, k)).getValue() != 0;
      });
      expectSound(found, seen.any, seen.all);
      empty += !found.any;
      full += found.all;
    }
  }
  // The analysis is of use.
  EXPECT_GT(empty, 800);
  EXPECT_GT(full, 800);
}

TEST_F(TileClassesTest, tilesOfOnePairAreExactWhereNothingIsUnknown) {
  for (int i = 0; i < 1000; ++i) {
    reset();
    MaskAttrInterface mask = makeMask(4);
    int64_t q = draw(30), k = draw(30);
    KnownClass found =
        classify(mask.buildPredicate(builder, loc, query, key), {q, q, k, k});
    EXPECT_EQ(found.any, mask.isVisible(q, k));
    EXPECT_EQ(found.all, mask.isVisible(q, k));
  }
}

TEST_F(TileClassesTest, extentsAreKnown) {
  context.loadDialect<tensor::TensorDialect>();
  Value tensor = tensor::EmptyOp::create(builder, loc, ArrayRef<int64_t>{21},
                                         builder.getI32Type());
  // The positions in the last of blocks of four.
  Value extent = tensor::DimOp::create(builder, loc, tensor, 0);
  Value end = arith::SubIOp::create(builder, loc, extent, index(1));
  Value last = arith::DivSIOp::create(builder, loc, end, index(4));
  Value block = arith::DivSIOp::create(builder, loc, key, index(4));
  Value predicate = arith::CmpIOp::create(
      builder, loc, arith::CmpIPredicate::eq, block, last);
  EXPECT_FALSE(classify(predicate, {0, 3, 16, 19}).any);
  EXPECT_TRUE(classify(predicate, {0, 3, 20, 20}).all);
  KnownClass both = classify(predicate, {0, 3, 18, 20});
  EXPECT_TRUE(both.any);
  EXPECT_FALSE(both.all);
}

TEST_F(TileClassesTest, reachHolds) {
  for (int i = 0; i < 4000; ++i) {
    MaskAttrInterface mask = makeMask(3);
    MaskReach reach = mask.getReach();
    for (int64_t q = 0; q < 16; ++q)
      for (int64_t k = 0; k < 16; ++k)
        if (mask.isVisible(q, k)) {
          ASSERT_TRUE(!reach.behind || q - k <= *reach.behind);
          ASSERT_TRUE(!reach.ahead || k - q <= *reach.ahead);
        }
  }
}

TEST_F(TileClassesTest, reachOfPredicatesHolds) {
  int bounded = 0;
  for (int i = 0; i < 4000; ++i) {
    reset();
    Value predicate = makePredicate(2);
    MaskReach reach = getReach(predicate, query, key);
    bounded += reach.behind || reach.ahead;
    for (int64_t q = 0; q < 12; ++q)
      for (int64_t k = 0; k < 12; ++k)
        if (cast<IntegerAttr>(evaluate(predicate, q, k)).getValue() != 0) {
          ASSERT_TRUE(!reach.behind || q - k <= *reach.behind);
          ASSERT_TRUE(!reach.ahead || k - q <= *reach.ahead);
        }
  }
  EXPECT_GT(bounded, 20);
}

TEST_F(TileClassesTest, reachOfLeaves) {
  auto expect = [&](MaskAttrInterface mask, std::optional<int64_t> behind,
                    std::optional<int64_t> ahead) {
    EXPECT_EQ(mask.getReach().behind, behind);
    EXPECT_EQ(mask.getReach().ahead, ahead);
  };
  expect(FullMaskAttr::get(&context), std::nullopt, std::nullopt);
  expect(CausalMaskAttr::get(&context), std::nullopt, 0);
  expect(WindowMaskAttr::get(&context, 4, std::nullopt), 3, std::nullopt);
  expect(WindowMaskAttr::get(&context, 4, 2), 4, 2);
  expect(FirstMaskAttr::get(&context, 4), std::nullopt, std::nullopt);
  expect(DilatedMaskAttr::get(&context, 4), std::nullopt, std::nullopt);
  expect(ChunkMaskAttr::get(&context, 4), 3, 3);
  expect(NotMaskAttr::get(&context, CausalMaskAttr::get(&context)), -1,
         std::nullopt);
  expect(NotMaskAttr::get(&context, FullMaskAttr::get(&context)), -1, -1);
}
