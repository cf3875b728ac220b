//===- SparseDecoder.h - Decoders with experts ----------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Decoders of ordinary attention some of whose layers have experts chosen by
// sigmoids or with a bias that does not weigh. Layers may differ in their
// windows and rotations. Families fill in the configuration.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_SPARSEDECODER_H
#define WEIR_LIB_FRONTEND_FAMILIES_SPARSEDECODER_H

#include "HeadAttention.h"
#include "HybridModel.h"

namespace weir {

/// What such a decoder computes.
struct SparseDecoder : HybridModel {
  int64_t inner = 1;
  /// The kinds of attention, one for each `variant` of the layers.
  std::vector<AttentionHeads> heads;
  /// Whether all features of query and key are normalised together.
  bool projectionNorms = false;
  bool mlpBias = false;
  ExpertsSpec experts;
  /// How many experts a token goes to in each variant of the layers, where
  /// these differ in it.
  llvm::SmallVector<int64_t> perToken;
};

/// Finishes the reading and builds the model, unless the configuration was
/// wrong.
ModelFacts buildSparseDecoder(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request,
                              const SparseDecoder &config);

/// Marks tensors of heads that predict more than the next token: those of
/// layers behind the last, and those whose names begin with `prefix`, unless it
/// is empty.
void markLaterHeads(Checkpoint &checkpoint, const HybridModel &model,
                    llvm::StringRef prefix);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_SPARSEDECODER_H
