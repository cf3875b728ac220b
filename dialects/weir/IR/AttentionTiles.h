//===- AttentionTiles.h - The softmax on tiles -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What ops that read keys by blocks share: products of a tile of queries with a
// block of keys, what scores weigh, and sums of values (AttentionTiles.cpp,
// AttentionWeights.cpp).
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_ATTENTIONTILES_H
#define WEIR_IR_ATTENTIONTILES_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/Weir.h"

namespace weir {

/// Keys and values that a tile of queries is taken with at once.
struct KeyBlock {
  /// `[count, dim]`.
  mlir::Value key, value;
  mlir::Value count;
  /// The entry of the key axis that comes first, where the block is a run.
  mlir::Value first;
  /// The entry of each row, `[rows]` of index, where it is gathered.
  mlir::Value entries;
};

/// Builds tiles of `columns` query vectors, and short forms of arith. Tiles are
/// transposed in `flash` forms: scores are [keys, columns], else [columns,
/// keys].
struct AttentionTiles {
  /// Positions in the carry, and in a transfer.
  enum Carry : unsigned { Maximum, Sum, Accumulator };

  AttentionTiles(mlir::OpBuilder &builder, mlir::Location loc, bool flash,
                 int64_t columns, mlir::Type element,
                 AttentionNormalize normalize);

  mlir::Value constant(int64_t value) {
    return mlir::arith::ConstantIndexOp::create(builder, loc, value);
  }
  mlir::Value constant(const llvm::APFloat &value) {
    return mlir::arith::ConstantOp::create(
        builder, loc, mlir::FloatAttr::get(compute, value));
  }
  mlir::Value number(double value) {
    return mlir::arith::ConstantOp::create(
        builder, loc, builder.getFloatAttr(compute, value));
  }
  mlir::Value zero() { return number(0.0); }
  const llvm::fltSemantics &semantics() {
    return llvm::cast<mlir::FloatType>(compute).getFloatSemantics();
  }
  mlir::Value lowest() {
    return constant(llvm::APFloat::getLargest(semantics(), /*Negative=*/true));
  }
  mlir::Value minusInfinity() {
    return constant(llvm::APFloat::getInf(semantics(), /*Negative=*/true));
  }
  mlir::Value add(mlir::Value a, mlir::Value b) {
    return mlir::arith::AddIOp::create(builder, loc, a, b);
  }
  mlir::Value sub(mlir::Value a, mlir::Value b) {
    return mlir::arith::SubIOp::create(builder, loc, a, b);
  }
  mlir::Value mul(mlir::Value a, int64_t b) {
    return b == 1 ? a
                  : mlir::arith::MulIOp::create(builder, loc, a, constant(b));
  }
  mlir::Value divide(mlir::Value a, int64_t b) {
    return b == 1 ? a
                  : mlir::arith::DivSIOp::create(builder, loc, a, constant(b));
  }
  /// The next multiple of `b`, for `a` at least zero.
  mlir::Value roundUp(mlir::Value a, int64_t b) {
    return mul(mlir::arith::CeilDivSIOp::create(builder, loc, a, constant(b)),
               b);
  }
  mlir::Value min(mlir::Value a, mlir::Value b) {
    return mlir::arith::MinSIOp::create(builder, loc, a, b);
  }
  mlir::Value max(mlir::Value a, mlir::Value b) {
    return mlir::arith::MaxSIOp::create(builder, loc, a, b);
  }
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b) {
    return mlir::arith::SelectOp::create(builder, loc, condition, a, b);
  }
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value a,
                      mlir::Value b) {
    return mlir::arith::CmpIOp::create(builder, loc, predicate, a, b);
  }
  mlir::Value getDim(mlir::Value tensor, int64_t axis) {
    return builder.createOrFold<mlir::tensor::DimOp>(loc, tensor, axis);
  }
  mlir::Value empty(llvm::ArrayRef<int64_t> shape) {
    return mlir::tensor::EmptyOp::create(builder, loc, shape, compute);
  }
  mlir::Value fill(mlir::Value value, mlir::Value tensor) {
    return mlir::linalg::FillOp::create(builder, loc, value, tensor)
        .getResult(0);
  }
  /// Converts between the element and the compute type.
  mlir::Value convert(mlir::OpBuilder &b, mlir::Value value, mlir::Type type);
  mlir::AffineMap map(unsigned dims, llvm::ArrayRef<unsigned> axes);
  using Body = llvm::function_ref<void(mlir::OpBuilder &, mlir::Location,
                                       mlir::ValueRange)>;
  mlir::linalg::GenericOp
  generic(mlir::ValueRange inputs, mlir::ValueRange outputs,
          llvm::ArrayRef<mlir::AffineMap> maps,
          llvm::ArrayRef<mlir::utils::IteratorType> iterators, Body body) {
    return mlir::linalg::GenericOp::create(builder, loc, outputs.getTypes(),
                                           inputs, outputs, maps, iterators,
                                           body);
  }
  /// `into` plus a product of matrices, whose loops are rows, columns and what
  /// is summed; the axes say by which of them `left` and `right` are indexed.
  mlir::Value multiply(mlir::Value left, llvm::ArrayRef<unsigned> leftAxes,
                       mlir::Value right, llvm::ArrayRef<unsigned> rightAxes,
                       mlir::Value into);

  /// An entry of an i32 tensor, as an index.
  mlir::Value getIndex(mlir::Value tensor, mlir::ValueRange place) {
    mlir::Value entry =
        mlir::tensor::ExtractOp::create(builder, loc, tensor, place);
    return mlir::arith::IndexCastOp::create(builder, loc,
                                            builder.getIndexType(), entry);
  }
  /// Rows of one head of `[batch, time, heads, dim]`, `[count, dim]`, where
  /// they lie.
  mlir::Value getRows(mlir::Value tensor, mlir::OpFoldResult row,
                      mlir::OpFoldResult first, mlir::OpFoldResult head,
                      mlir::Value count);
  /// The `count` rows `rows` as the first of `height`, times `scale`; zeros
  /// follow.
  mlir::Value padRows(mlir::Value rows, mlir::Value count, int64_t height,
                      double scale = 1);
  /// Row `row` of `tile`, `[width]`.
  mlir::Value takeRow(mlir::Value tile, mlir::Value row);
  mlir::Value transpose(mlir::Value tile);
  /// Products of the `count` rows `rows`, of at most `keys`, with the queries
  /// of `queryTile`, as scores lie.
  mlir::Value buildProducts(mlir::Value rows, mlir::Value queryTile,
                            mlir::Value count, int64_t keys);

  // AttentionWeights.cpp
  /// A carry before the first block.
  llvm::SmallVector<mlir::Value> buildCarry(int64_t valueDim);
  /// A score that gives no weight.
  mlir::Value hiddenScore();
  /// What a block makes of the carry but for the accumulator.
  struct Weights {
    mlir::Value weights;
    /// What the accumulator is multiplied with, [columns], or null.
    mlir::Value rescale;
    mlir::Value maximum, sum;
  };
  Weights buildSoftmax(mlir::Value scores, mlir::ValueRange carry);
  /// The accumulator of `carry`, rescaled.
  mlir::Value rescaleAccumulator(const Weights &made, mlir::ValueRange carry);
  /// The carry behind `block`, whose scores are `scores`.
  llvm::SmallVector<mlir::Value> buildUpdate(mlir::Value scores,
                                             const KeyBlock &block,
                                             mlir::ValueRange carry);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  bool flash;
  /// Query vectors of a tile.
  int64_t columns;
  mlir::Type element, compute;
  AttentionNormalize normalize;

private:
  Weights buildStickBreaking(mlir::Value scores, mlir::Value count,
                             mlir::ValueRange carry);
  Weights buildIndependent(mlir::Value scores, mlir::ValueRange carry);
  mlir::Value buildSigmoid(mlir::Value scores);
};

} // namespace weir

#endif // WEIR_IR_ATTENTIONTILES_H
