//===- weir/IR/GenerateCallee.h - The model of a decode loop -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_GENERATECALLEE_H
#define WEIR_IR_GENERATECALLEE_H

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "weir/IR/Weir.h"

namespace weir {

/// The function a decode loop asks for logits, and what its arguments and
/// results are.
struct GenerateCallee {
  mlir::FunctionOpInterface function;
  /// Whether it takes whole sequences; otherwise blocks of new tokens.
  bool wholeSequence = false;
  /// Numbers of the arguments and, for `logits`, of the result.
  std::optional<unsigned> tokens, lengths, logits;
  /// Numbers of the arguments that bring the state in.
  llvm::SmallVector<unsigned> slots;

  /// The logits of one position of each row: `[batch, vocabulary]`.
  mlir::RankedTensorType getRowLogitsType();
};

/// The callee of `op`; fails with `mismatch` set when it is no model, worded
/// to follow "cannot ask @callee for tokens: ".
mlir::FailureOr<GenerateCallee> findGenerateCallee(GenerateOp op,
                                                   std::string &mismatch);

/// The same with symbol tables at hand.
mlir::FailureOr<GenerateCallee>
findGenerateCallee(GenerateOp op, mlir::SymbolTableCollection &tables,
                   std::string &mismatch);

} // namespace weir

#endif // WEIR_IR_GENERATECALLEE_H
