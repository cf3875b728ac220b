//===- weir/Transforms/CutEncoder.h - An encoder and its reader -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TRANSFORMS_CUTENCODER_H
#define WEIR_TRANSFORMS_CUTENCODER_H

#include "AxisFlow.h"

namespace weir {

/// A whole-sequence function of several sequences, cut into what is computed
/// once of all but the decoded one, and the rest.
struct EncoderCut {
  /// Takes the inputs of the other sequences and gives the memories. In no
  /// module yet.
  mlir::func::FuncOp encode;
  /// Takes the inputs of the decoded sequence and, behind them, the memories;
  /// gives what the function gives. In no module yet.
  mlir::func::FuncOp decode;
  /// One of the kind `memory` for each result of `encode`, in no module yet.
  llvm::SmallVector<SlotOp> memories;
};

/// The number of the sequence that an argument or result with `attributes`
/// belongs to; they may be null.
int64_t getSequence(mlir::DictionaryAttr attributes);

/// Cuts `forward`, whose results belong to the sequence `decoded`
/// (docs/adr/014). On failure `refusal` says what is in the way.
mlir::FailureOr<EncoderCut> cutEncoder(mlir::func::FuncOp forward,
                                       int64_t decoded,
                                       std::optional<AxisRefusal> &refusal);

} // namespace weir

#endif // WEIR_TRANSFORMS_CUTENCODER_H
