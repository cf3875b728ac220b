//===- MaskSimplificationTest.cpp - Shorter masks of the same pairs -------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RandomMasks.h"

using namespace weir;

namespace {

/// Simplifies random masks and compares them with what they were.
struct MaskSimplificationTest : public RandomMasks {
  MaskSimplificationTest() : RandomMasks(7) {}

  /// Compares masks over `queries` x `keys` pairs.
  static void expectSame(MaskAttrInterface mask, MaskAttrInterface simple,
                         int64_t queries, int64_t keys) {
    for (int64_t q = 0; q < queries; ++q)
      for (int64_t k = 0; k < keys; ++k)
        ASSERT_EQ(mask.isVisible(q, k), simple.isVisible(q, k))
            << toText(mask) << " became " << toText(simple) << ", which differ "
            << "at query " << q << " and key " << k;
  }
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
