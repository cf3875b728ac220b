//===- StateSpaceLayers.h - Layers with a state ---------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What state-space models and their relatives have beyond linear attention:
// scans whose steps are written out, and the frame of a language model that is
// nothing but mixers.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_STATESPACELAYERS_H
#define WEIR_LIB_FRONTEND_FAMILIES_STATESPACELAYERS_H

#include "Decoder.h"
#include "weir/Frontend/LinearLayers.h"

namespace weir {

//===----------------------------------------------------------------------===//
// Scans
//===----------------------------------------------------------------------===//

/// Mamba's selective scan (arXiv:2312.00752):
/// `h = exp(step * rate) * h + step * x * input`, `y = h . output`. `x` and
/// `step` are `[batch, time, features]`, `input` and `output`
/// `[batch, time, states]`, `rate` is `[features, states]`.
mlir::Value selectiveScan(ModelBuilder &builder, mlir::Value x,
                          mlir::Value step, mlir::Value rate, mlir::Value input,
                          mlir::Value output);

/// `h = factor * h + x`, feature by feature.
mlir::Value diagonalScan(ModelBuilder &builder, mlir::Value x,
                         mlir::Value factor);

/// Log-linear attention (arXiv:2506.04761): a state for each level of a Fenwick
/// tree over the past. A token empties all levels up to the number of zeros its
/// position ends with into the next one, and level 0 is the token itself. Takes
/// query, key, value and decay by head of `inputs`; `scales` are
/// `[batch, time, heads, levels]`, `positions` `[batch, time]`.
mlir::Value logLinearScan(ModelBuilder &builder, const RecurrenceInputs &inputs,
                          mlir::Value scales, mlir::Value positions);

/// The WKV of RWKV-4 (arXiv:2305.13048), in terms of the running maximum of
/// exponents: the mean of the values so far, weighed by
/// `exp(key + decay * age)`, and by `exp(key + first)` for the newest. `decay`
/// and `first` are `[features]`.
mlir::Value weightedMean(ModelBuilder &builder, mlir::Value key,
                         mlir::Value value, mlir::Value decay,
                         mlir::Value first);

/// The gates of an mLSTM (arXiv:2405.04517) in terms of the running maximum m
/// of their logarithms, which begins with 0.
struct ExponentialGates {
  /// The logarithm of what the state is multiplied by, and what the newest key
  /// is multiplied by.
  mlir::Value decay, input;
  /// exp(-m), below which the normaliser does not fall.
  mlir::Value floor;
};
/// `forget` is the logarithm of the forget gate and `input` that of the input
/// gate, `[batch, time, heads]`.
ExponentialGates exponentialGates(ModelBuilder &builder, mlir::Value forget,
                                  mlir::Value input);

//===----------------------------------------------------------------------===//
// Over features
//===----------------------------------------------------------------------===//

/// `input`, `[batch, time, blocks, in]`, times `weight`, `[blocks, in, out]`:
/// a matrix with blocks on its diagonal.
mlir::Value blockLinear(ModelBuilder &builder, mlir::Value input,
                        mlir::Value weight);
/// The largest number within [low, high].
mlir::Value clamp(ModelBuilder &builder, mlir::Value input, double low,
                  double high);
/// `-exp(x)`.
mlir::Value negativeExp(ModelBuilder &builder, mlir::Value input);
/// A convolution along time and the activation that Hugging Face calls
/// `activation`; `weight` is `[features, width]`, `bias` may be null.
mlir::Value activatedConv(ModelBuilder &builder, mlir::Value input,
                          mlir::Value weight, mlir::Value bias,
                          llvm::StringRef activation);

/// The kernel `key` of a convolution as `[features, width]`; it is stored so if
/// `flat`, else as `[features, 1, width]`.
mlir::Value convKernel(ModelBuilder &builder, llvm::StringRef key,
                       int64_t features, int64_t width, bool flat);

//===----------------------------------------------------------------------===//
// Language models
//===----------------------------------------------------------------------===//

/// Reads a number of layers, which no checkpoint has more of than tensors.
int64_t readLayers(ConfigReader &reader, llvm::StringRef key, int64_t fallback);
/// Reads the epsilon of a normalisation; a GGUF file must have it.
double readEpsilon(ConfigReader &reader, llvm::StringRef key, double fallback);

/// A language model of residual mixers alone, all of one kind.
struct MixerModel {
  /// Keys without ".weight"; `*` is the layer.
  std::string embed, norm, finalNorm, head;
  int64_t vocabSize = 0, hidden = 0, layers = 0;
  double eps = 1e-5;
  bool tied = false;
};

/// Names the weights around the mixers as Mamba's checkpoints of Hugging Face
/// do, and gives what stands in front of a mixer's own.
std::string setMambaKeys(const Checkpoint &checkpoint, MixerModel &model);
/// The same for GGUF files, whose tables are the authority on the vocabulary
/// and on whether there is a head.
void setMambaKeysOfGGUF(const Checkpoint &checkpoint, MixerModel &model);

/// Builds `@forward` of such a model, whose mixer `mixer` builds.
void buildMixerModel(ModelBuilder &builder, const FamilyRequest &request,
                     const MixerModel &model,
                     llvm::function_ref<mlir::Value(mlir::Value)> mixer);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_STATESPACELAYERS_H
