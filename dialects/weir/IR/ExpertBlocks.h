//===- weir/IR/ExpertBlocks.h - Parts of weir.experts -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the plain definition and the optimised form of `weir.experts` share:
// tokens and pairs of a token and a slot numbered through, and the body built
// for one expert.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_EXPERTBLOCKS_H
#define WEIR_IR_EXPERTBLOCKS_H

#include "weir/IR/Weir.h"

namespace weir {

/// Builds pieces of one `weir.experts`. Pair p is slot p % k of token p / k.
class ExpertBlocks {
public:
  /// Numbers tokens and pairs through, at the builder's insertion point.
  ExpertBlocks(mlir::OpBuilder &builder, ExpertsOp op);

  /// How many tokens there are, as an extent and as a value.
  mlir::OpFoldResult getTokenCount() const { return tokenCount; }
  mlir::Value getTokens(mlir::OpBuilder &builder) const;

  /// The pair of `token` and `slot`.
  mlir::Value getPair(mlir::OpBuilder &builder, mlir::Value token,
                      mlir::Value slot) const;
  /// The token of `pair`.
  mlir::Value getToken(mlir::OpBuilder &builder, mlir::Value pair) const;
  /// The index of `pair`, of type index; no expert's where it is not below
  /// their number as an unsigned integer.
  mlir::Value readExpert(mlir::OpBuilder &builder, mlir::Value pair) const;
  /// The weight of `pair`, of the input's type.
  mlir::Value readWeight(mlir::OpBuilder &builder, mlir::Value pair) const;
  /// The token's features, `[1, D]`.
  mlir::Value readToken(mlir::OpBuilder &builder, mlir::Value token) const;

  /// What `expert`'s body yields for `rows`, which are `[n, D]` or, known to be
  /// one row, `[1, D]`; of the same kind. With `refine`, the operations of the
  /// body are given the static extent where they can be.
  mlir::Value buildBody(mlir::OpBuilder &builder, mlir::Value rows,
                        mlir::Value expert, bool refine = false) const;

  /// Where `token` lies in the result, or a tensor of its extents.
  struct Place {
    llvm::SmallVector<mlir::OpFoldResult> offsets, sizes, strides;
  };
  Place getPlace(mlir::OpBuilder &builder, mlir::Value token) const;
  /// The extents of the result.
  llvm::SmallVector<mlir::OpFoldResult>
  getResultSizes(mlir::OpBuilder &builder) const;
  /// The token at `place` of `tensor`, `[1, D']`.
  mlir::Value readPlace(mlir::OpBuilder &builder, mlir::Value tensor,
                        const Place &place) const;

private:
  ExpertsOp op;
  mlir::Location loc;
  /// `[tokens, D]`, and of each pair.
  mlir::Value input, indices, weights;
  mlir::OpFoldResult tokenCount;
};

} // namespace weir

#endif // WEIR_IR_EXPERTBLOCKS_H
