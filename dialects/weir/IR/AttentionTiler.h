//===- AttentionTiler.h - What attention on tiles is made of -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The parts of a visit to a block of keys: scores and masks
// (AttentionScores.cpp), weights and sums (AttentionWeights.cpp), and blocks
// that a list names (AttentionLists.cpp).
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_ATTENTIONTILER_H
#define WEIR_IR_ATTENTIONTILER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/TileClasses.h"
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

/// What the builders of attention's tiles share: extents, types and short forms
/// of arith.
struct AttentionTiler {
  /// Positions in the list of a point's invariants.
  enum Invariant : unsigned {
    QueryTile,     ///< scaled queries, [D, M] (flash) or [M, D] (row)
    FirstQuery,    ///< absolute position of the tile's first query
    LastQuery,     ///< absolute position of the tile's last valid query
    FirstKey,      ///< first entry of the key axis to visit
    EndKey,        ///< entry behind the last one to visit
    RingBase,      ///< position of entry 0; only with an offset
    RingLast,      ///< entry of the newest position; only with an offset
    InvariantCount ///< entries with an offset
  };

  /// Positions in the carry, and in a transfer.
  enum Carry : unsigned { Maximum, Sum, Accumulator };

  AttentionTiler(AttentionOp op, mlir::OpBuilder &builder,
                 ScheduleAttr schedule);

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

  /// An entry of an i32 tensor, as an index.
  mlir::Value getIndex(mlir::Value tensor, mlir::ValueRange place) {
    mlir::Value entry =
        mlir::tensor::ExtractOp::create(builder, loc, tensor, place);
    return mlir::arith::IndexCastOp::create(builder, loc,
                                            builder.getIndexType(), entry);
  }
  mlir::Value getTileIndex(mlir::Value ordinal);
  /// First query of the tile at `point`, counted within the block, and the
  /// number of queries in the tile.
  std::pair<mlir::Value, mlir::Value> getQueries(mlir::ValueRange point);
  mlir::Value getFirstHead(mlir::ValueRange point) {
    return mul(point[1], group);
  }
  mlir::Value getKeyHead(mlir::ValueRange point);
  mlir::Value buildQueryTile(mlir::ValueRange point, mlir::Value first,
                             mlir::Value count);

  // AttentionScores.cpp
  /// The run of keys and values at `first`, where it lies.
  KeyBlock getRun(mlir::ValueRange point, mlir::Value first, mlir::Value count);
  /// Rows of keys or values, `[count, dim]`, where they lie.
  mlir::Value getRows(mlir::Value tensor, mlir::ValueRange point,
                      mlir::Value first, mlir::Value count);
  /// The position of row `row` of `block`.
  mlir::Value getKeyPosition(const KeyBlock &block, mlir::Value row,
                             mlir::ValueRange invariants);
  /// Scores seen as [keys, G, bq] (flash) or [G, bq, keys] (row).
  mlir::Value expandScores(mlir::Value scores, mlir::Value count);
  mlir::Value collapseScores(mlir::Value scores);
  /// Applies `update` to each score in place; it gets the score, the values of
  /// the region's index arguments, and the entry of the key.
  mlir::Value
  updateScores(mlir::Value scores, const KeyBlock &block,
               mlir::ValueRange point, mlir::ValueRange invariants,
               llvm::function_ref<mlir::Value(mlir::Value, mlir::ValueRange,
                                              mlir::Value)>
                   update);
  /// The scores of a block with the bias of its keys.
  mlir::Value addKeyBias(mlir::Value scores, const KeyBlock &block,
                         mlir::ValueRange point, mlir::ValueRange invariants);
  /// Key lengths that hide keys inside the range of entries visited.
  bool hidesByLength() { return op.getOffset() && op.getKeyLengths(); }
  /// Whether some key within the range of entries may be hidden from a query.
  bool hasMask();
  /// What the mask says of a run as a whole.
  TileClass classify(const KeyBlock &block, mlir::ValueRange point,
                     mlir::ValueRange invariants);
  /// The scores with those hidden that the mask hides.
  mlir::Value buildMasked(mlir::Value scores, const KeyBlock &block,
                          mlir::ValueRange point, mlir::ValueRange invariants);
  /// The scores of a block. What the mask hides is hidden unless `isFull`, an
  /// i1, says that it hides nothing; null where there is nothing to hide.
  mlir::Value buildScores(const KeyBlock &block, mlir::Value isFull,
                          mlir::ValueRange point, mlir::ValueRange invariants);

  // AttentionWeights.cpp
  /// A score that gives no weight.
  mlir::Value hiddenScore();
  /// The carry behind `block`, whose scores are `scores`.
  llvm::SmallVector<mlir::Value> buildUpdate(mlir::Value scores,
                                             const KeyBlock &block,
                                             mlir::ValueRange carry);
  /// What each column's accumulator is multiplied with in the end, [G, bq].
  mlir::Value buildInverse(mlir::ValueRange carry, mlir::ValueRange point);
  /// The logarithm of what it is divided by, but for the maximum, [G, bq].
  mlir::Value buildLogSums(mlir::ValueRange carry, mlir::ValueRange point);

  // AttentionLists.cpp
  /// Entries of a list that are taken at once.
  int64_t getEntriesPerStep();
  /// The carry behind the entries of step `index`.
  llvm::SmallVector<mlir::Value> buildListStep(mlir::ValueRange point,
                                               mlir::Value index,
                                               mlir::ValueRange invariants,
                                               mlir::ValueRange carry);

  AttentionOp op;
  mlir::OpBuilder &builder;
  mlir::Location loc;
  bool flash;
  int64_t queries, keys;
  /// Points along the heads, and query heads of each.
  int64_t heads, group;
  int64_t dim, valueDim, columns;
  mlir::Type element, compute;

private:
  /// The keys that entry `number` of the list names: the first, and how many;
  /// none for an entry that is no block.
  std::pair<mlir::Value, mlir::Value> getListed(mlir::ValueRange point,
                                                mlir::Value number,
                                                mlir::ValueRange invariants);
  KeyBlock gather(mlir::ValueRange point, mlir::Value first, mlir::Value last,
                  mlir::ValueRange invariants);
  /// What a block makes of the carry but for the accumulator.
  struct Weights {
    mlir::Value weights;
    /// What the accumulator is multiplied with, [M], or null.
    mlir::Value rescale;
    mlir::Value maximum, sum;
  };
  Weights buildSoftmax(mlir::Value scores, mlir::ValueRange carry);
  Weights buildStickBreaking(mlir::Value scores, mlir::Value count,
                             mlir::ValueRange carry);
  Weights buildIndependent(mlir::Value scores, mlir::ValueRange carry);
  mlir::Value buildSigmoid(mlir::Value scores);
  mlir::Value buildInverse(mlir::Value sum);
  /// The same where sinks join the sums; both are [G, bq].
  mlir::Value buildInverse(mlir::Value maximum, mlir::Value sum,
                           mlir::ValueRange point);
  /// The sinks of a point's heads, [G].
  mlir::Value getSinks(mlir::ValueRange point);
  /// Numbers of columns as [G, bq].
  mlir::Value expandColumns(mlir::Value columns);
  /// The larger one of a maximum and a sink, and the sum with the sink as it is
  /// when that is subtracted from all exponents.
  std::pair<mlir::Value, mlir::Value> addSink(mlir::OpBuilder &builder,
                                              mlir::Value maximum,
                                              mlir::Value sum,
                                              mlir::Value sink);
};

} // namespace weir

#endif // WEIR_IR_ATTENTIONTILER_H
