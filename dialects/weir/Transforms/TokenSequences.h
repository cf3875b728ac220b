//===- weir/Transforms/TokenSequences.h - Lists of tokens -------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TRANSFORMS_TOKENSEQUENCES_H
#define WEIR_TRANSFORMS_TOKENSEQUENCES_H

#include "AxisFlow.h"

namespace weir {

/// Which tokens the values of a whole-sequence function are of: those of its
/// arguments, or those that a weir.list_tokens lists. A sequence is named by
/// the places of its list; that of the arguments has no name, and is null.
///
/// weir.gather_tokens goes from one to another. All other ops stay within the
/// sequence of their operands, for in a step the same position of a block is
/// another token of each.
class TokenSequences {
public:
  /// Finds them, or sets `refusal` where tokens of several are mixed. `flow` is
  /// that of time through `function`.
  static mlir::FailureOr<TokenSequences>
  compute(mlir::func::FuncOp function, const AxisFlow &flow,
          std::optional<AxisRefusal> &refusal);

  /// The sequence of the operands of `op`.
  mlir::Value getSequence(mlir::Operation *op) const;

private:
  class Walker;

  /// The sequence of each value with time; none for what tokens of any sequence
  /// may fill.
  llvm::DenseMap<mlir::Value, mlir::Value> sequences;
};

} // namespace weir

#endif // WEIR_TRANSFORMS_TOKENSEQUENCES_H
