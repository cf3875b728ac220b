//===- HeadAttention.h - Attention of grouped heads -----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The attention that hybrid models have beside their other mixers: a matrix for
// each of query, key, value and output, groups of heads that share keys, and
// rotation or none.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_HEADATTENTION_H
#define WEIR_LIB_FRONTEND_FAMILIES_HEADATTENTION_H

#include "weir/Frontend/Family.h"
#include "weir/Frontend/ModelBuilder.h"
#include <cmath>

namespace weir {

/// The options of such a layer.
struct AttentionHeads {
  int64_t heads = 1, kvHeads = 1, dim = 1;
  /// Features of the result.
  int64_t hidden = 1;
  /// Biases of query, key and value, and of the output.
  bool bias = false, outputBias = false;
  std::string output = "o_proj";
  /// Norms of each head of query and key, or nothing.
  std::string queryNorm, keyNorm;
  double eps = 1e-6;
  /// Whether these come behind the rotation.
  bool normsBehind = false;
  /// Keys, values and scores are multiplied by these.
  double keyScale = 1, valueScale = 1, scale = 1;
  /// Features of a head's value; none: as many as of its key.
  std::optional<int64_t> valueDim;
  /// A logit per head beside those of the keys, or nothing.
  std::string sinks;
  std::optional<int64_t> window;
  /// None where nothing is rotated.
  std::optional<RotarySpec> rotary;

  /// Scores are divided by the root of the features.
  void setUsualScale() { scale = 1.0 / std::sqrt(static_cast<double>(dim)); }
};

/// Reads `num_attention_heads`, `num_key_value_heads`, of which null means as
/// many, and `head_dim`, of which null or, unless there is a default, nothing
/// means the hidden size divided by the heads; sets the usual scale. The
/// numbers in `heads` are the other defaults.
void readAttentionHeads(ConfigReader &reader, AttentionHeads &heads,
                        int64_t hidden,
                        std::optional<int64_t> headDim = std::nullopt);

/// Reads rotary parameters for heads of that size.
void readHeadRotary(ConfigReader &reader, ModelBuilder &builder,
                    const FamilyRequest &request, AttentionHeads &heads,
                    RotaryOptions options);

/// What rotations of all layers share; empty where nothing is rotated.
struct RotaryValues {
  mlir::Value positions, frequencies;
};
RotaryValues buildRotaryValues(ModelBuilder &builder, mlir::Value ids,
                               const std::optional<RotarySpec> &rotary);

/// Changes the projection `name` of the input, q_proj, k_proj or v_proj.
using ProjectFn = llvm::function_ref<mlir::Value(llvm::StringRef name,
                                                 mlir::Value projected)>;

/// Such a layer, whose keys begin with `prefix`.
mlir::Value headAttention(
    ModelBuilder &builder, mlir::Value input, const std::string &prefix,
    const AttentionHeads &heads, const RotaryValues &rotary,
    ProjectFn adapt = [](llvm::StringRef, mlir::Value projected) {
      return projected;
    });

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_HEADATTENTION_H
