//===- RecurrenceChunk.h - A chunk of a recurrence -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_RECURRENCECHUNK_H
#define WEIR_IR_RECURRENCECHUNK_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/Builders.h"
#include "weir/IR/Weir.h"

namespace weir {

/// Where a chunk lies: row of the batch, value head, first value feature, first
/// token, and how many of its tokens are valid; then the token that results
/// begin with, null where that is the first of all.
struct ChunkPlace {
  mlir::Value row, head, feature, token, count;
  mlir::Value base = {};
};

/// Builds what a chunk of tokens does to the state of one head.
///
/// All tiles have static extents: rows are the updates of the chunk's tokens,
/// and those of tokens that are missing are zero, which changes neither the
/// state nor what other rows give.
class ChunkBuilder {
public:
  /// `tokens` of a chunk, `columns` of the value features. In a `whole` chunk
  /// no token is missing, and operands are read where they are.
  ChunkBuilder(RecurrenceOp op, mlir::OpBuilder &builder, int64_t tokens,
               int64_t columns, bool whole);

  /// Tiles of what heads with one key head share; null where the op has none.
  struct Keys {
    mlir::Value query, key, readKey, writeKey;
    /// Products of queries and read keys with what is written, `[rows, rows]`;
    /// null where the decay by channel is part of them.
    mlir::Value queryKey, queryWriteKey, readKeyKey, readWriteKey;
  };
  /// Those of the head of `place`.
  Keys loadKeys(const ChunkPlace &place);

  /// The results of the chunk's tokens, written to `into`, `[rows, columns]`,
  /// of which the last of each token's updates counts, and the state behind it,
  /// an update of `state`, `[K, columns]`.
  std::pair<mlir::Value, mlir::Value> build(const ChunkPlace &place,
                                            const Keys &keys, mlir::Value state,
                                            mlir::Value into);

  /// What the chunk's tokens do to any state, as a transfer behind that of
  /// `transfer` (RecurrenceTransfer.cpp).
  llvm::SmallVector<mlir::Value> summarise(const ChunkPlace &place,
                                           const Keys &keys,
                                           mlir::ValueRange transfer);
  /// `state` behind the tokens of `transfer`, an update of it.
  mlir::Value apply(mlir::ValueRange transfer, mlir::Value state);

  /// Shared with the loops around.
  mlir::Value constant(int64_t value) {
    return mlir::arith::ConstantIndexOp::create(builder, loc, value);
  }
  mlir::FloatType getType() const { return type; }
  int64_t getTokens() const { return tokens; }

private:
  using Body = llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location,
                                              mlir::ValueRange)>;
  /// A tile and the loops that index it.
  struct Operand {
    mlir::Value tile;
    llvm::SmallVector<unsigned> loops;
  };
  /// Sums of logs of decay, `[rows]` or `[rows, K]` by channel, and what
  /// rounding took from them: between two rows deep in a chunk of hard gates
  /// the difference is small where the sums are not.
  struct Logs {
    mlir::Value high, low;
    explicit operator bool() const { return static_cast<bool>(high); }
  };
  /// A tile of keys or queries, and what products of matrices take of it.
  struct Rows {
    mlir::Value plain;
    /// Of what reads: times exp of the sums of logs, as the state is read. Of
    /// what is written, in a mild chunk: times exp of the negated sums.
    mlir::Value gated;
    /// What `gated` is times besides.
    double scale;
  };
  /// What a head's chunk adds to its state: outer products of rows of keys and
  /// values, with the products of its queries and those keys.
  struct Addend {
    Rows keys;
    mlir::Value values, queryProducts;
  };
  /// Which pairs of rows a matrix of scores keeps.
  enum class Triangle { Strict, Inclusive };

  /// Whether keys and values have an axis of updates.
  bool hasUpdateAxis() {
    return mlir::cast<mlir::RankedTensorType>(op.getKey().getType())
               .getRank() == 5;
  }
  mlir::Value zero();
  mlir::Value minusInfinity();
  mlir::Value empty(llvm::ArrayRef<int64_t> shape);
  mlir::Value zeros(llvm::ArrayRef<int64_t> shape);
  /// `body` of each element; `outputs` are updated.
  mlir::Value update(llvm::ArrayRef<Operand> inputs, const Operand &output,
                     llvm::ArrayRef<mlir::utils::IteratorType> iterators,
                     Body body);
  /// A new tile of shape `shape`.
  mlir::Value map(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<Operand> inputs,
                  Body body);
  /// `into + lhs * rhs`, `lhs` transposed where `transposed`.
  mlir::Value multiplyAdd(mlir::Value lhs, bool transposed, mlir::Value rhs,
                          mlir::Value into);
  mlir::Value transpose(mlir::Value tile);

  /// The rows of `operand`, `[B, T, H, X]` (with R in front of H, where it has
  /// that axis), as `[rows, X]`; X is 1 for operands without features. Without
  /// the axis, a token's values go to its update `only`.
  mlir::Value load(mlir::Value operand, const ChunkPlace &place,
                   bool hasUpdates, bool hasFeatures, mlir::Value head,
                   mlir::Value feature, int64_t features, int64_t only);
  /// The same of a whole chunk of one update a token, where it is.
  mlir::Value loadWhole(mlir::Value operand, const ChunkPlace &place,
                        bool hasUpdates, mlir::Value head, mlir::Value feature,
                        int64_t features);
  /// `[rows]`.
  mlir::Value loadBeta(const ChunkPlace &place, bool hasUpdates);
  /// `[rows]`, or `[rows, K]` by channel.
  mlir::Value loadDecay(const ChunkPlace &place);
  /// Drops the axis of one feature that a decay by head was read with.
  mlir::Value byHead(mlir::Value tile);
  /// The loops of logs of decay within (row, feature).
  llvm::SmallVector<unsigned> logLoops() {
    return byChannel ? llvm::SmallVector<unsigned>{0, 1}
                     : llvm::SmallVector<unsigned>{0};
  }
  /// Sets `sums`, `before` and `total`.
  void accumulateByHead(mlir::Value logs);
  void accumulateByChannel(mlir::Value logs);
  /// The same without what rounding takes, which a mild chunk does not miss.
  /// Returns whether the chunk is one: no sum is so low that its inverse would
  /// overflow.
  mlir::Value accumulateMild(mlir::Value logs);
  /// `tile` with `[features]` as row `row`.
  mlir::Value putRow(mlir::Value from, mlir::Value tile, mlir::Value row);

  /// The values, of `types`, that `body` builds once the members below are set,
  /// twice where whether the chunk is mild is seen when running.
  llvm::SmallVector<mlir::Value>
  buildWithSums(const ChunkPlace &place, mlir::TypeRange types,
                llvm::function_ref<llvm::SmallVector<mlir::Value>()> body);
  /// What `build` returns, from loaded tiles and the members below; results
  /// are written to `into`.
  std::pair<mlir::Value, mlir::Value>
  buildRows(const ChunkPlace &place, const Keys &keys, mlir::Value value,
            mlir::Value beta, mlir::Value state, mlir::Value into);
  /// What `summarise` returns, from loaded tiles and the members below.
  llvm::SmallVector<mlir::Value> summariseRows(const Keys &keys,
                                               mlir::Value value,
                                               mlir::Value beta,
                                               mlir::ValueRange transfer);
  /// The state behind the chunk.
  mlir::Value advance(mlir::Value state, llvm::ArrayRef<Addend> added);
  /// The addends of a chunk, corrected.
  llvm::SmallVector<Addend> buildAddends(const Keys &keys, mlir::Value value,
                                         mlir::Value beta, mlir::Value state);
  /// `x y^T`, or null if the decay has to be part of it.
  mlir::Value multiplyKeys(mlir::Value x, mlir::Value y);
  Rows readAt(mlir::Value tile, const Logs &at, double scale);
  Rows writtenAt(mlir::Value tile);
  /// `state * exp(total)`; sets `totalFactor`.
  mlir::Value decayState(mlir::Value state);
  /// `tile * exp(total)` by channel.
  mlir::Value finish(mlir::Value tile);
  /// `tile * exp(logs) * scale`, row by row.
  mlir::Value gate(mlir::Value tile, mlir::Value logs, double scale);
  /// `tile * exp(total - logs)`.
  mlir::Value gateToEnd(mlir::Value tile);
  /// `sum_k x[i, k] y[j, k] exp(at[i, k] - sums[j, k])` where the triangle
  /// keeps (i, j), else 0; `products` are those without decay, if known.
  mlir::Value score(const Rows &x, const Logs &at, const Rows &y,
                    mlir::Value products, Triangle triangle);
  mlir::Value scoreByDifferences(const Rows &x, const Logs &at, const Rows &y,
                                 Triangle triangle);
  /// The triangle of `scores`, times `scale`.
  mlir::Value keepTriangle(mlir::Value scores, Triangle triangle, double scale);
  /// Solves `result = right + lower * result`.
  mlir::Value solve(mlir::Value lower, mlir::Value right);
  mlir::Value substitute(mlir::Value lower, mlir::Value block,
                         mlir::Value first);
  mlir::Value addBonus(mlir::Value scores, const Rows &query, const Rows &key,
                       const ChunkPlace &place);

  RecurrenceOp op;
  mlir::OpBuilder &builder;
  mlir::Location loc;
  mlir::FloatType type;
  int64_t tokens, columns, updates;
  bool whole;
  int64_t rows, keyDim;
  bool byChannel;

  /// Of the chunk being built, null without decay: the sums up to each row, it
  /// included; without it; and the last of them, numbers or `[K]` by channel.
  Logs sums, before, total;
  /// exp(total), a number or `[K]`.
  mlir::Value totalFactor;
  /// Whether gates go into the factors of products.
  bool mild = false;
};

} // namespace weir

#endif // WEIR_IR_RECURRENCECHUNK_H
