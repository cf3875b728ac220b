//===- TileClasses.h - What a predicate says of a tile ----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A predicate over index values, evaluated on ranges of its arguments: interval
// arithmetic, as IR. Docs: docs/adr/011-masks.md.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_TILECLASSES_H
#define WEIR_IR_TILECLASSES_H

#include "weir/IR/IndexForms.h"
#include "weir/IR/Weir.h"

namespace weir {

/// The range of an index value in a tile, both ends included.
struct TileRange {
  mlir::Value least;
  mlir::Value greatest;
};

/// What is known of a predicate on all combinations of its arguments in a tile;
/// both are an i1. `any` is false only where no combination satisfies it, `all`
/// is true only where each does. A tile without combinations may be any.
struct TileClass {
  mlir::Value any;
  mlir::Value all;
};

/// The largest positions, and numbers of heads and rows, that predicates are
/// proved for.
inline constexpr int64_t GreatestPosition = INT32_MAX;

/// The predicate of a mask in a block of its own, to be looked at.
struct MaskPredicate {
  explicit MaskPredicate(MaskAttrInterface mask);

  mlir::Block body;
  mlir::Value query, key, predicate;
};

/// Emits the class of `predicate`, an i1 computed from `arguments` within their
/// ranges. Values that come from elsewhere may be anything, unless constant.
TileClass
buildTileClass(mlir::OpBuilder &builder, mlir::Location loc,
               mlir::Value predicate,
               llvm::ArrayRef<std::pair<mlir::Value, TileRange>> arguments);

/// Emits the class of `mask` on a tile of positions.
TileClass buildTileClass(mlir::OpBuilder &builder, mlir::Location loc,
                         MaskAttrInterface mask, TileRange queries,
                         TileRange keys);

/// Emits the class of pairs that both classes are about.
TileClass buildBoth(mlir::OpBuilder &builder, mlir::Location loc, TileClass lhs,
                    TileClass rhs);

/// How far from its query a key lies that satisfies `predicate`, an i1 computed
/// from the positions `query` and `key` and from others.
MaskReach getReach(mlir::Value predicate, mlir::Value query, mlir::Value key);

/// How far keys lie that both masks show, or either.
MaskReach getReachOfBoth(const MaskReach &lhs, const MaskReach &rhs);
MaskReach getReachOfEither(const MaskReach &lhs, const MaskReach &rhs);

} // namespace weir

#endif // WEIR_IR_TILECLASSES_H
