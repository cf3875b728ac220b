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

#include "mlir/IR/IRMapping.h"
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
  /// An expert that exists in place of one that does not, whose term is left
  /// out.
  mlir::Value clampExpert(mlir::OpBuilder &builder, mlir::Value expert) const;
  /// The token's features, `[1, D]`.
  mlir::Value readToken(mlir::OpBuilder &builder, mlir::Value token) const;

  /// The input of the body for `pair`, `[1, D]`.
  mlir::Value readInput(mlir::OpBuilder &builder, mlir::Value pair) const;
  /// The slice of each of `params` that belongs to `expert`, and where the
  /// region's arguments for them go.
  void mapParams(mlir::OpBuilder &builder, mlir::Value expert,
                 mlir::IRMapping &mapping) const;

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

  /// `into + weight * row`, or `into` where `pair` has no expert; rows are
  /// `[1, D']`.
  mlir::Value addTerm(mlir::OpBuilder &builder, mlir::Value row,
                      mlir::Value pair, mlir::Value into) const;
  /// The result: of each token, the sum of its pairs' rows in the order of
  /// slots. Row `rowOf(pair)` of `outputs` belongs to `pair`.
  mlir::Value
  buildSums(mlir::OpBuilder &builder, mlir::Value outputs,
            llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Value)>
                rowOf) const;

private:
  mlir::Value scaleRow(mlir::OpBuilder &builder, mlir::Value row,
                       mlir::Value factor, mlir::Value into) const;

  ExpertsOp op;
  mlir::Location loc;
  /// `[tokens, D]`, and of each pair.
  mlir::Value input, indices, weights;
  mlir::OpFoldResult tokenCount;
};

/// A loop from `first` to `last` that hands `carried` on.
llvm::SmallVector<mlir::Value>
buildCarryingLoop(mlir::OpBuilder &builder, mlir::Location loc,
                  mlir::Value first, mlir::Value last, mlir::Value step,
                  mlir::ValueRange carried,
                  llvm::function_ref<llvm::SmallVector<mlir::Value>(
                      mlir::OpBuilder &, mlir::Value, mlir::ValueRange)>
                      body);

/// `count` rows of `tensor` from `first` on, of `columns` features.
mlir::Value sliceRows(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::Value tensor, mlir::OpFoldResult first,
                      mlir::OpFoldResult count, int64_t columns);

/// `op` by blocks of `rows` rows of one expert: each operation of its region
/// becomes a parallel loop over all experts' blocks, and columns where its
/// schedule cuts them, or an operation on all rows where it needs no param.
mlir::Value buildExpertGrid(mlir::OpBuilder &builder, ExpertsOp op,
                            int64_t rows);

} // namespace weir

#endif // WEIR_IR_EXPERTBLOCKS_H
