//===- SlotMemory.h - Memories of a fixed number of slots ------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What attention with bounded memory (arXiv:2110.02488), gated slot attention
// (arXiv:2409.07146) and LightNet share: shares of a running sum, and attention
// over slots that decay. Heads are `[batch, time, heads, features]`.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_SLOTMEMORY_H
#define WEIR_LIB_FRONTEND_FAMILIES_SLOTMEMORY_H

#include "weir/Frontend/LinearLayers.h"

namespace weir {

/// What a token writes into slots, and what is left of them before.
struct SlotGates {
  /// The logarithm of what is left, and the share of the new, of the extents
  /// `[batch, time, heads, slots]`.
  mlir::Value decay, share;
};

/// Gates by which slots hold means so far, weighed by `exp(logits)`. The sum is
/// kept as a logarithm, so logits may be large.
SlotGates runningShares(ModelBuilder &builder, mlir::Value logits);

/// Attention over slots of keys and values that `gates` write.
mlir::Value slotAttention(ModelBuilder &builder, mlir::Value query,
                          mlir::Value key, mlir::Value value,
                          const SlotGates &gates);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_SLOTMEMORY_H
