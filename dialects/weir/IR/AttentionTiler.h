//===- AttentionTiler.h - What attention on tiles is made of -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The parts of a visit to a block of keys: scores and masks
// (AttentionScores.cpp), weights and sums (AttentionWeights.cpp), blocks that a
// list names (AttentionLists.cpp), queries that name a block
// (AttentionSorted.cpp), and what lies between keys and queries
// (AttentionPaths.cpp).
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_ATTENTIONTILER_H
#define WEIR_IR_ATTENTIONTILER_H

#include "AttentionTiles.h"
#include "weir/IR/TileClasses.h"

namespace weir {

/// What the builders of attention's tiles share.
struct AttentionTiler : AttentionTiles {
  /// Positions in the list of a point's invariants.
  enum Invariant : unsigned {
    QueryTile,        ///< scaled queries, [D, M] (flash) or [M, D] (row)
    FirstQuery,       ///< absolute position of the tile's first query
    LastQuery,        ///< absolute position of the tile's last valid query
    FirstKey,         ///< first entry of the key axis to visit
    EndKey,           ///< entry behind the last one to visit
    RingBase,         ///< position of entry 0; only with an offset
    RingLast,         ///< entry of the newest position; only with an offset
    InvariantCount,   ///< entries with an offset
    Order = QueryTile ///< sorted: entries of lists by block, as queries
  };

  AttentionTiler(AttentionOp op, mlir::OpBuilder &builder,
                 ScheduleAttr schedule);

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
  /// The products of a block's keys with the queries of `queryTile`.
  mlir::Value buildProducts(const KeyBlock &block, mlir::Value queryTile) {
    return AttentionTiles::buildProducts(block.key, queryTile, block.count,
                                         keys);
  }
  /// The scores of a block from its products. What the mask hides is hidden
  /// unless `isFull`, an i1, says that it hides nothing; null where there is
  /// nothing to hide.
  mlir::Value buildScores(const KeyBlock &block, mlir::Value products,
                          mlir::Value isFull, mlir::ValueRange point,
                          mlir::ValueRange invariants);

  // AttentionWeights.cpp
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

  // AttentionSorted.cpp
  /// Whether the queries of a point are taken block by block of the keys.
  bool isSorted() { return together != 0; }
  /// The queries of a point once for each entry of their lists, in the order of
  /// the blocks that these name, and where each block's end.
  std::pair<mlir::Value, mlir::Value> sortQueries(mlir::ValueRange point,
                                                  mlir::ValueRange invariants);
  /// Blocks of keys that there may be.
  mlir::Value getBlockCount() {
    return mlir::arith::CeilDivSIOp::create(
        builder, loc, getDim(op.getKey(), 1),
        constant(static_cast<int64_t>(op.getBlockSize())));
  }
  /// The carry before the first block, as `row` has it, but with heads and
  /// queries apart.
  llvm::SmallVector<mlir::Value> buildSortedCarry();
  /// Such a carry as `row` has it.
  llvm::SmallVector<mlir::Value> collapseSortedCarry(mlir::ValueRange carry);
  /// The carry behind what the queries that name block `index` see of it.
  llvm::SmallVector<mlir::Value> buildSortedStep(mlir::ValueRange point,
                                                 mlir::Value index,
                                                 mlir::ValueRange invariants,
                                                 mlir::ValueRange carry);

  // AttentionPaths.cpp
  /// The carry behind block `index`, counted from the last one back.
  llvm::SmallVector<mlir::Value> buildPathStep(mlir::ValueRange point,
                                               mlir::Value index,
                                               mlir::ValueRange invariants,
                                               mlir::ValueRange carry);

  AttentionOp op;
  int64_t queries, keys;
  /// Queries of a tile among those of a point that name a block, where these
  /// are sorted; else 0.
  int64_t together = 0;
  /// The place of each query of a tile behind `FirstQuery`, `[queries]` of
  /// index, where it is not its number.
  mlir::Value places;
  /// Points along the heads, and query heads of each.
  int64_t heads, group;
  int64_t dim, valueDim;

private:
  /// The tile of the `count` queries in `order` from `first` on, which are
  /// counted from `origin`, [D, G * queries].
  mlir::Value gatherQueries(mlir::ValueRange point, mlir::Value origin,
                            mlir::Value order, mlir::Value first,
                            mlir::Value count);
  /// `earlier`, a carry of a point, with that of the tile `later`.
  llvm::SmallVector<mlir::Value>
  joinCarries(mlir::ValueRange earlier, mlir::ValueRange later,
              mlir::Value order, mlir::Value first, mlir::Value count);
  /// `values`, as scores of `keys` keys lie, with zeros where the key is behind
  /// its query.
  mlir::Value hideLater(mlir::Value values, const KeyBlock &block,
                        mlir::ValueRange point, mlir::ValueRange invariants);
  mlir::Value solvePath(mlir::Value gram, mlir::Value factors);
  /// The products of a block's keys with the queries of `queryTile`, which have
  /// come back as far as the block's end, and these queries at its beginning.
  std::pair<mlir::Value, mlir::Value> followPath(const KeyBlock &block,
                                                 mlir::Value queryTile,
                                                 mlir::ValueRange point,
                                                 mlir::ValueRange invariants);
  /// The same in the form `row`, one key after another.
  std::pair<mlir::Value, mlir::Value>
  followPathByKey(const KeyBlock &block, mlir::Value queryTile,
                  mlir::ValueRange point, mlir::ValueRange invariants);

  /// The keys that entry `number` of the list names: the first, and how many;
  /// none for an entry that is no block.
  std::pair<mlir::Value, mlir::Value> getListed(mlir::ValueRange point,
                                                mlir::Value number,
                                                mlir::ValueRange invariants);
  KeyBlock gather(mlir::ValueRange point, mlir::Value first, mlir::Value last,
                  mlir::ValueRange invariants);
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
