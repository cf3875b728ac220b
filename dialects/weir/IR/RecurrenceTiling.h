//===- RecurrenceTiling.h - A recurrence as a block map -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What steps on blocks and summaries of them share.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_RECURRENCETILING_H
#define WEIR_IR_RECURRENCETILING_H

#include "RecurrenceChunk.h"

namespace weir {

/// Positions in the list of a point's invariants.
enum Invariant : unsigned {
  End,     ///< tokens of the sequence
  Valid,   ///< tokens that change the state
  Feature, ///< first value feature of the point
  Head,    ///< first head of the point
  Base     ///< first token of the point's range, if it has one
};

/// Where in a point the first block of its range is, if it has one; the block
/// behind the last follows.
constexpr unsigned Ranged = 3;

/// Positions in the carry.
enum Carry : unsigned { Result, State };

/// Heads of a point.
int64_t getHeadTile(ScheduleAttr schedule);

/// Builds values of a chunk at `place`, of which `present` tokens have a
/// result; in a `whole` one no token is missing.
using BlockBuilder = llvm::function_ref<llvm::SmallVector<mlir::Value>(
    const ChunkPlace &place, mlir::Value present, bool whole)>;

/// The values, of `types`, that `block` builds for block `index`, twice where
/// whether tokens are missing is seen when running.
llvm::SmallVector<mlir::Value>
buildOnBlock(mlir::OpBuilder &builder, RecurrenceOp op, ScheduleAttr schedule,
             mlir::ValueRange point, mlir::Value index,
             mlir::ValueRange invariants, mlir::TypeRange types,
             BlockBuilder block);

} // namespace weir

#endif // WEIR_IR_RECURRENCETILING_H
