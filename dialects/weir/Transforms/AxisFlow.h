//===- weir/Transforms/AxisFlow.h - Where time and batch run -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TRANSFORMS_AXISFLOW_H
#define WEIR_TRANSFORMS_AXISFLOW_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "weir/IR/Weir.h"
#include <optional>

namespace weir {

/// Why the time or batch of a function cannot be followed or cut.
struct AxisRefusal {
  mlir::Location loc;
  /// Worded to follow "cannot derive a streaming step: ".
  std::string reason;
  /// The argument the axis comes from, where naming it helps.
  std::optional<mlir::Location> origin;

  /// Emits the refusal as an error that starts with `what`, and a note at the
  /// origin. Returns failure.
  mlir::LogicalResult emit(llvm::StringRef what) const;
};

/// How much of a function is taken on trust.
enum class AxisTrust {
  /// A whole-sequence function: each op must keep positions apart or say by
  /// `StreamingInterface` what it remembers.
  WholeSequence,
  /// A function derived from such a one: ops only need to keep the axis.
  Derived
};

/// Which axis of each value of a function is the batch or time axis.
///
/// The axis starts at the arguments and follows the dataflow through weir ops,
/// structured ops that index it alone and alike in all operands, reshapes that
/// keep it apart, slices that keep it whole and the layers of a stack. All
/// arguments share one extent of it.
class AxisFlow {
public:
  /// Follows `axis` through `function`; on failure `refusal` says where it got
  /// stuck. `module` has the slots; the function may lie outside of it still.
  static mlir::FailureOr<AxisFlow> compute(mlir::func::FuncOp function,
                                           mlir::ModuleOp module,
                                           SequenceAxis axis, AxisTrust trust,
                                           std::optional<AxisRefusal> &refusal);

  /// The same from `seeds`, which have it, through `ops`, which come in order
  /// and are taken on trust.
  static mlir::FailureOr<AxisFlow> follow(mlir::ValueRange seeds,
                                          llvm::ArrayRef<mlir::Operation *> ops,
                                          SequenceAxis axis,
                                          std::optional<AxisRefusal> &refusal);

  /// Whether any argument has the axis.
  bool isPresent() const { return origin.has_value(); }

  /// The axis of `value` that is followed, if it has one.
  std::optional<int64_t> getAxis(mlir::Value value) const;

  /// Whether `value` is an index that holds the extent of the axis.
  bool isExtent(mlir::Value value) const;

  /// The type of `value` when the axis has the static extent `extent`.
  mlir::Type getTypeAtExtent(mlir::Value value, int64_t extent) const;

  /// Where the axis comes from.
  std::optional<mlir::Location> getOrigin() const { return origin; }

private:
  class Walker;

  /// The axis of each value that has one; `extentState` for extents.
  llvm::DenseMap<mlir::Value, int64_t> states;
  std::optional<mlir::Location> origin;
};

/// Clones `op` with the axis that `flow` follows cut to `extent`, and maps its
/// results. Operands not in `mapping` stay. An extent becomes a constant, and
/// the regions of a stack are cloned alike.
void cloneAtExtent(mlir::OpBuilder &builder, mlir::Operation *op,
                   mlir::IRMapping &mapping, const AxisFlow &flow,
                   int64_t extent);

/// Narrows the results with time of a derived `extend` function to the last
/// valid token of each row, `[batch, 1, ...]`. The token is selected as far
/// upstream as ops treat positions one by one and serve nothing else, so that
/// those ops run on one token. `lengths` is `[batch]` of i32.
mlir::LogicalResult narrowToLast(mlir::func::FuncOp function,
                                 mlir::Value lengths,
                                 std::optional<AxisRefusal> &refusal);

} // namespace weir

#endif // WEIR_TRANSFORMS_AXISFLOW_H
