//===- MaskSimplificationTest.cpp - Shorter masks of the same pairs -------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/MLIRContext.h"
#include "weir/IR/Weir.h"
#include "gtest/gtest.h"
#include <random>

using namespace weir;

namespace {

/// Simplifies random masks and compares them with what they were.
struct MaskSimplificationTest : public testing::Test {
  MaskSimplificationTest() { context.loadDialect<WeirDialect>(); }

  int64_t draw(int64_t below) {
    return static_cast<int64_t>(generator() % static_cast<uint64_t>(below));
  }

  /// A mask of connectives nested at most `depth` deep.
  MaskAttrInterface makeMask(int depth) {
    switch (draw(depth == 0 ? 4 : 8)) {
    case 0:
      return FullMaskAttr::get(&context);
    case 1:
      return CausalMaskAttr::get(&context);
    case 2:
      return WindowMaskAttr::get(&context, 1 + draw(6), std::nullopt);
    case 3:
      return WindowMaskAttr::get(&context, draw(6), draw(6));
    case 4:
      return NotMaskAttr::get(&context, makeMask(depth - 1));
    case 5:
    case 6:
      return AndMaskAttr::get(&context, makeMask(depth - 1),
                              makeMask(depth - 1));
    default:
      return OrMaskAttr::get(&context, makeMask(depth - 1),
                             makeMask(depth - 1));
    }
  }

  static std::string toText(MaskAttrInterface mask) {
    std::string text;
    llvm::raw_string_ostream os(text);
    mask.printMask(os);
    return text;
  }

  /// Compares masks over `queries` x `keys` pairs.
  static void expectSame(MaskAttrInterface mask, MaskAttrInterface simple,
                         int64_t queries, int64_t keys) {
    for (int64_t q = 0; q < queries; ++q)
      for (int64_t k = 0; k < keys; ++k)
        ASSERT_EQ(mask.isVisible(q, k), simple.isVisible(q, k))
            << toText(mask) << " became " << toText(simple) << ", which differ "
            << "at query " << q << " and key " << k;
  }

  mlir::MLIRContext context;
  std::mt19937_64 generator{7};
};

} // namespace

TEST_F(MaskSimplificationTest, showsTheSamePairs) {
  for (int i = 0; i < 4000; ++i) {
    MaskAttrInterface mask = makeMask(4);
    MaskAttrInterface simple = simplifyMask(mask);
    expectSame(mask, simple, 16, 16);
    EXPECT_EQ(simple, simplifyMask(simple)) << toText(mask);
  }
}

TEST_F(MaskSimplificationTest, showsTheSamePairsOfFewPositions) {
  for (int i = 0; i < 4000; ++i) {
    MaskAttrInterface mask = makeMask(4);
    int64_t queries = 1 + draw(7), keys = 1 + draw(7);
    MaskReach extent{queries - 1, keys - 1};
    MaskAttrInterface simple = simplifyMask(mask, extent);
    expectSame(mask, simple, queries, keys);
    EXPECT_EQ(simple, simplifyMask(simple, extent)) << toText(mask);
  }
}

TEST_F(MaskSimplificationTest, reachOfWhatIsSimpleHolds) {
  for (int i = 0; i < 4000; ++i) {
    MaskAttrInterface mask = makeMask(3);
    MaskReach reach = simplifyMask(mask).getReach();
    for (int64_t q = 0; q < 16; ++q)
      for (int64_t k = 0; k < 16; ++k)
        if (mask.isVisible(q, k)) {
          ASSERT_TRUE(!reach.behind || q - k <= *reach.behind) << toText(mask);
          ASSERT_TRUE(!reach.ahead || k - q <= *reach.ahead) << toText(mask);
        }
  }
}
