//===- RandomMasks.h - Masks drawn for tests ----------------------*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TEST_UNIT_IR_RANDOMMASKS_H
#define WEIR_TEST_UNIT_IR_RANDOMMASKS_H

#include "mlir/IR/MLIRContext.h"
#include "weir/IR/Weir.h"
#include "gtest/gtest.h"
#include <random>

namespace weir {

/// Draws masks, the same in every run.
struct RandomMasks : testing::Test {
  explicit RandomMasks(uint64_t seed) : generator(seed) {
    context.loadDialect<WeirDialect>();
  }

  /// A number from 0 on and below `below`.
  int64_t draw(int64_t below) {
    return static_cast<int64_t>(generator() % static_cast<uint64_t>(below));
  }

  static constexpr int64_t NumLeaves = 7;

  /// A leaf of kind `kind`, with numbers of a few.
  MaskAttrInterface makeLeaf(int64_t kind) {
    switch (kind) {
    case 0:
      return FullMaskAttr::get(&context);
    case 1:
      return CausalMaskAttr::get(&context);
    case 2:
      return WindowMaskAttr::get(&context, 1 + draw(6), std::nullopt);
    case 3:
      return WindowMaskAttr::get(&context, draw(6), draw(6));
    case 4:
      return FirstMaskAttr::get(&context, 1 + draw(12));
    case 5:
      return DilatedMaskAttr::get(&context, 1 + draw(5));
    default:
      return ChunkMaskAttr::get(&context, 1 + draw(9));
    }
  }

  /// A mask of connectives nested at most `depth` deep.
  MaskAttrInterface makeMask(int depth) {
    int64_t kind = draw(depth == 0 ? NumLeaves : NumLeaves + 5);
    if (kind < NumLeaves)
      return makeLeaf(kind);
    MaskAttrInterface lhs = makeMask(depth - 1);
    if (kind == NumLeaves)
      return NotMaskAttr::get(&context, lhs);
    MaskAttrInterface rhs = makeMask(depth - 1);
    if (kind < NumLeaves + 3)
      return AndMaskAttr::get(&context, lhs, rhs);
    return OrMaskAttr::get(&context, lhs, rhs);
  }

  static std::string toText(MaskAttrInterface mask) {
    std::string text;
    llvm::raw_string_ostream os(text);
    mask.printMask(os);
    return text;
  }

  mlir::MLIRContext context;
  std::mt19937_64 generator;
};

} // namespace weir

#endif // WEIR_TEST_UNIT_IR_RANDOMMASKS_H
