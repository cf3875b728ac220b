//===- weir/Frontend/LinearLayers.h - Recurrent layers ---------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What linear attention and other recurrent layers are made of, as functions
// on ModelBuilder. Hidden states are `[batch, time, features]` or, split into
// heads, `[batch, time, heads, features]`.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_FRONTEND_LINEARLAYERS_H
#define WEIR_FRONTEND_LINEARLAYERS_H

#include "weir/Frontend/ModelBuilder.h"

namespace weir {

//===----------------------------------------------------------------------===//
// Over time
//===----------------------------------------------------------------------===//

/// The operands of `weir.recurrence`; null for those it goes without.
struct RecurrenceInputs {
  mlir::Value query, key, value;
  /// The logarithm of a factor per head, or per head and key feature.
  mlir::Value decay;
  mlir::Value beta, readKey, writeKey, bonus;
  double scale = 1.0;
  RecurrenceRead reads = RecurrenceRead::Decayed;
};

/// What the recurrence gives for each token, `[batch, time, heads, values]`.
mlir::Value recurrence(ModelBuilder &builder, const RecurrenceInputs &inputs);

/// A convolution along time with `weight`, `[features, width]`; `bias` may be
/// null.
mlir::Value shortConv(ModelBuilder &builder, mlir::Value input,
                      mlir::Value weight, mlir::Value bias,
                      ConvActivation activation = ConvActivation::SiLU);
/// Reads `key`.weight, `[features, 1, width]` as torch stores it, and, with
/// `bias`, `key`.bias.
mlir::Value shortConv(ModelBuilder &builder, mlir::Value input,
                      llvm::StringRef key, int64_t width, bool bias = false,
                      ConvActivation activation = ConvActivation::SiLU);

/// The token before each token, and zeros before the first.
mlir::Value shift(ModelBuilder &builder, mlir::Value input);

//===----------------------------------------------------------------------===//
// Over features
//===----------------------------------------------------------------------===//

/// `x / sqrt(sum(x^2) + eps)` over the last axis.
mlir::Value l2Norm(ModelBuilder &builder, mlir::Value input, double eps);
/// `x / sqrt(mean(x^2) + eps)` over the last axis, times `weight` unless null.
mlir::Value rmsNorm(ModelBuilder &builder, mlir::Value input,
                    mlir::Value weight, double eps);
/// Normalises each head of `[batch, time, heads, features]` by its own mean and
/// variance; `weight` and `bias`, `[heads * features]`, may be null. The result
/// is `[batch, time, heads * features]`.
mlir::Value groupNorm(ModelBuilder &builder, mlir::Value input,
                      mlir::Value weight, mlir::Value bias, double eps);
/// Sums over the last axis, which the result lacks.
mlir::Value sumFeatures(ModelBuilder &builder, mlir::Value input);
/// exp(x) over the sum of exp(x), along the last axis.
mlir::Value softmaxFeatures(ModelBuilder &builder, mlir::Value input);
/// `input` times `factors`, which lack the last axis.
mlir::Value scaleRows(ModelBuilder &builder, mlir::Value input,
                      mlir::Value factors);
/// Heads, `[batch, time, heads, features]`, times `factors`, `[heads]`.
mlir::Value scaleHeads(ModelBuilder &builder, mlir::Value input,
                       mlir::Value factors);
/// `input` divided by `divisors + eps`; divisors lack the last axis.
mlir::Value divideRows(ModelBuilder &builder, mlir::Value input,
                       mlir::Value divisors, double eps);

/// Features [offset, offset + size).
mlir::Value sliceFeatures(ModelBuilder &builder, mlir::Value input,
                          int64_t offset, int64_t size);
/// Features one behind the other.
mlir::Value concatFeatures(ModelBuilder &builder, mlir::ValueRange inputs);
/// Features rotated to the right by `count`: the last ones come first.
mlir::Value rollFeatures(ModelBuilder &builder, mlir::Value input,
                         int64_t count);
/// A tensor of the extents of `input` but `features` of the last axis, all
/// `value`.
mlir::Value fillLike(ModelBuilder &builder, mlir::Value input, int64_t features,
                     double value);

/// Each head `times` times, one behind the other: head h comes from head
/// `h / times`.
mlir::Value repeatHeads(ModelBuilder &builder, mlir::Value input,
                        int64_t times);
/// The last axis split in two, whatever the rank.
mlir::Value splitLast(ModelBuilder &builder, mlir::Value input, int64_t inner);

//===----------------------------------------------------------------------===//
// Element by element
//===----------------------------------------------------------------------===//

mlir::Value sub(ModelBuilder &builder, mlir::Value lhs, mlir::Value rhs);
mlir::Value abs(ModelBuilder &builder, mlir::Value input);
mlir::Value exp(ModelBuilder &builder, mlir::Value input);
mlir::Value sigmoid(ModelBuilder &builder, mlir::Value input);
/// log(1 + exp(x)).
mlir::Value softplus(ModelBuilder &builder, mlir::Value input);
/// log(1 / (1 + exp(-x))).
mlir::Value logSigmoid(ModelBuilder &builder, mlir::Value input);
/// x + 1 where x is positive, else exp(x).
mlir::Value eluPlusOne(ModelBuilder &builder, mlir::Value input);
/// `factor * x + summand`.
mlir::Value scaleAndShift(ModelBuilder &builder, mlir::Value input,
                          double factor, double summand);
/// The larger of x and `limit`.
mlir::Value clampMin(ModelBuilder &builder, mlir::Value input, double limit);
/// `from + weight * (to - from)`; `weight` may be of lower rank.
mlir::Value lerp(ModelBuilder &builder, mlir::Value from, mlir::Value to,
                 mlir::Value weight);
/// `-exp(logRate) * softplus(x + bias)`, the logarithm of a decay with one rate
/// and bias per feature (Mamba and what followed it); `bias` may be null.
mlir::Value rateDecay(ModelBuilder &builder, mlir::Value input,
                      mlir::Value logRate, mlir::Value bias);
/// The logarithm of a decay with one rate a head and one number a channel,
/// `[batch, time, heads, keys]`: `-exp(logRate) * softplus(x)`, or, with a
/// bound, `bound * sigmoid(exp(logRate) * x)`.
mlir::Value channelDecay(ModelBuilder &builder, mlir::Value input,
                         mlir::Value logRate, std::optional<double> bound);

} // namespace weir

#endif // WEIR_FRONTEND_LINEARLAYERS_H
