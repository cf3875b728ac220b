//===- weir/IR/WeirInterfaces.h - What mixers and masks can do -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRINTERFACES_H
#define WEIR_IR_WEIRINTERFACES_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>
#include <string>

namespace weir {

/// The past of an operand that an op reads; see StreamingInterface.
struct HistoryNeed {
  enum class Kind {
    Pointwise, ///< only the position itself
    Last,      ///< the last `count` positions, the present one included
    All,       ///< every position so far
    Refused    ///< the op cannot stream; `reason` says why
  };

  static HistoryNeed pointwise() { return {Kind::Pointwise, 1, {}}; }
  static HistoryNeed last(int64_t count) { return {Kind::Last, count, {}}; }
  static HistoryNeed all() { return {Kind::All, 0, {}}; }
  static HistoryNeed refused(std::string reason) {
    return {Kind::Refused, 0, std::move(reason)};
  }

  Kind kind;
  int64_t count;
  std::string reason;
};

/// What an op may ask for while it builds its streaming step. All values belong
/// to the step function under construction.
class StreamingContext {
public:
  virtual ~StreamingContext() = default;

  /// The block of new positions of a value of the whole-sequence function, or
  /// the value itself when it has no time axis.
  virtual mlir::Value lookup(mlir::Value forwardValue) = 0;

  /// The history of `forwardValue` as a buffer `[batch, capacity, ...]` that
  /// already holds the block of new positions; entry j holds the greatest
  /// position congruent to j modulo the capacity. One history serves all
  /// readers of a value.
  virtual mlir::FailureOr<mlir::Value> getHistory(mlir::Value forwardValue,
                                                  const HistoryNeed &need) = 0;

  /// The history of `result`, a result of the op whose step is being built, as
  /// it is before this block: entries at and behind the present positions are
  /// not to be read. The block is appended behind the step, so that readers of
  /// the result share the history.
  virtual mlir::FailureOr<mlir::Value> getPast(mlir::Value result,
                                               const HistoryNeed &need) = 0;

  /// A tensor `[batch, ...]` carried from step to step, zero at the start:
  /// its value before this block. `name` tells carries of one op apart.
  virtual mlir::FailureOr<mlir::Value>
  getCarry(mlir::Operation *op, llvm::StringRef name,
           mlir::RankedTensorType type) = 0;

  /// Sets the value of a carry behind this block.
  virtual void setCarry(mlir::Operation *op, llvm::StringRef name,
                        mlir::Value value) = 0;

  /// Tokens each row has seen before this block, of the sequence that the op's
  /// operands belong to: `[batch]` of i32.
  virtual mlir::Value getOffset() = 0;

  /// Valid tokens of each row of that sequence in this block: `[batch]` of i32.
  virtual mlir::Value getLengths() = 0;

  /// Begins the sequence of the tokens at `forwardPlaces`, a result of the
  /// `weir.list_tokens` whose step is being built: `offset` and `lengths` are
  /// those of ops on these tokens.
  virtual void startSequence(mlir::Value forwardPlaces, mlir::Value offset,
                             mlir::Value lengths) = 0;
};

/// The step of an op that treats positions one by one: a clone on the block.
mlir::FailureOr<llvm::SmallVector<mlir::Value>>
buildPointwiseStep(mlir::OpBuilder &builder, mlir::Operation *op,
                   StreamingContext &context);

/// The loops of a block map.
struct BlockDomain {
  /// Extents of the parallel loops, outermost first.
  llvm::SmallVector<mlir::OpFoldResult> parallel;
};

/// Where a tile lies in a tensor.
struct TilePlace {
  llvm::SmallVector<mlir::OpFoldResult> offsets;
  llvm::SmallVector<mlir::OpFoldResult> sizes;
};

/// What ranges of time that run side by side cost; see BlockMapInterface.
struct RangeCost {
  /// What summarising a block takes, in percent of a step on it.
  int64_t summaryPercent = 100;
  /// Blocks below which a range does not pay for its own.
  int64_t leastBlocks = 1;
};

/// The farthest visible key behind and ahead of a query; none is unbounded.
struct MaskReach {
  std::optional<int64_t> behind;
  std::optional<int64_t> ahead;
};

class MaskAttrInterface;

/// The reach that the predicate of `mask` has.
MaskReach getReach(MaskAttrInterface mask);

} // namespace weir

#include "weir/IR/WeirAttrInterfaces.h.inc"

#endif // WEIR_IR_WEIRINTERFACES_H
