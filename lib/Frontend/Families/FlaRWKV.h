//===- FlaRWKV.h - RWKV in flash-linear-attention --------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What RWKV-6 and RWKV-7 share: blocks of a time mixer and a channel mixer with
// layer norms, and one more norm behind the embedding.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_FLARWKV_H
#define WEIR_LIB_FRONTEND_FAMILIES_FLARWKV_H

#include "Fla.h"

namespace weir {

/// The options of both.
struct RWKVConfig : FlaConfig {
  /// Whether the embedding is normalised, and whether norms have a bias.
  bool normFirst = true, normBias = true;
};

/// Reads them. `ratio` is what the channel mixer takes for one that is null.
void readRWKV(ConfigReader &reader, RWKVConfig &config, double ratio);

/// The mixers of a layer.
struct RWKVMixers {
  /// Mixes time. `first` is what the first layer hands to the others, or null;
  /// `isFirst` tells that layer, which changes it.
  llvm::function_ref<mlir::Value(mlir::Value input, llvm::StringRef prefix,
                                 mlir::Value &first, bool isFirst)>
      time;
  /// Mixes channels.
  llvm::function_ref<mlir::Value(mlir::Value input, llvm::StringRef prefix)>
      channels;
  /// Features of `first`; 0 for none.
  int64_t firstFeatures = 0;
};

/// Finishes the reading and builds the model, unless the configuration was
/// wrong.
ModelFacts buildRWKV(ModelBuilder &builder, ConfigReader &reader,
                     const FamilyRequest &request, const RWKVConfig &config,
                     const RWKVMixers &mixers);

/// A product in two steps with an activation between them: weights
/// `key`.lora.0 and `key`.lora.2.
struct LowRank {
  std::string key;
  int64_t rank = 0, features = 0;
  /// Empty for none.
  llvm::StringRef activation;
  bool bias = true;
};
mlir::Value lowRank(ModelBuilder &builder, mlir::Value input,
                    const LowRank &matrix);

/// What RWKV-7's time mixer makes of a token, `[batch, time, features]`, before
/// its heads are mixed.
struct RWKV7Token {
  int64_t heads = 1;
  /// `decay` is in front of its sigmoid, `rate` behind. `gate` may be null.
  mlir::Value query, decay, key, value, rate, gate;
  /// Per feature: what of a key is taken out of the state, and how far the rest
  /// is replaced by the rate; `[heads, features]`: how much of its own value a
  /// token reads.
  mlir::Value removal, replacement, own;
  /// Scale and shift of the heads' norm, or null for none.
  mlir::Value normScale, normShift;
  double removalEps = 1e-24, normEps = 64e-5;
};
/// Mixes heads, up to the output's projection.
mlir::Value mixRWKV7(ModelBuilder &builder, const RWKV7Token &token);

/// The models in the layout of GGUF files.
ModelFacts buildRWKV6OfGGUF(ModelBuilder &builder, ConfigReader &reader,
                            const FamilyRequest &request);
ModelFacts buildRWKV7OfGGUF(ModelBuilder &builder, ConfigReader &reader,
                            const FamilyRequest &request);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_FLARWKV_H
