//===- LatentAttention.h - Keys and values of few features -----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Multi-head latent attention (arXiv:2405.04434): keys and values of all heads
// are projections of a few normalised features, and a part of the keys, which
// may be rotated, is one for all heads.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_LATENTATTENTION_H
#define WEIR_LIB_FRONTEND_FAMILIES_LATENTATTENTION_H

#include "weir/Frontend/Family.h"
#include "weir/Frontend/ModelBuilder.h"

namespace weir {

/// The options of such a layer.
struct LatentHeads {
  int64_t heads = 1;
  /// Features of a head's query and key that are its own, those that may be
  /// rotated, and those of its value.
  int64_t ownDim = 1, sharedDim = 1, valueDim = 1;
  /// Features that keys and values are made of, and queries, or none.
  int64_t rank = 1;
  std::optional<int64_t> queryRank;
  /// Whether the projections to few features, and the last one, have biases.
  bool bias = false;
  /// Scores, and the features that keys and values are made of, are multiplied
  /// by these.
  double scale = 1.0, latentScale = 1.0;

  int64_t getKeyDim() const { return ownDim + sharedDim; }
};

/// Reads `num_attention_heads`, `qk_nope_head_dim` and their like, and sets the
/// usual scale. The numbers in `heads` are the defaults.
void readLatentHeads(ConfigReader &reader, LatentHeads &heads);

/// What scores are multiplied by besides where the rotation is stretched and
/// says `mscale_all_dim`.
double readScoreFactor(ConfigReader &reader);

/// Rotates the shared part of queries or keys, or leaves it as it is.
using RotateFn = llvm::function_ref<mlir::Value(mlir::Value)>;

/// The keys that each query attends to, a list for all heads with a block for
/// each, made of the few features that queries are made of, or null for all.
using ChooseKeysFn = llvm::function_ref<mlir::Value(mlir::Value)>;

/// What the heads of such a layer give, `[batch, time, heads, values]`. Weights
/// begin with `prefix`; the output's projection is left to the caller.
mlir::Value latentAttention(ModelBuilder &builder, mlir::Value input,
                            const std::string &prefix, const LatentHeads &heads,
                            RotateFn rotate, ChooseKeysFn chooseKeys = nullptr);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_LATENTATTENTION_H
