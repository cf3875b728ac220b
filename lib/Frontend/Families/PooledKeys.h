//===- PooledKeys.h - One key for several tokens ---------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Keys that stand for windows of tokens: each feature is the mean of the
// tokens', weighed by a softmax of gates over the window. They stand at the
// window's last token, as `weir.select_blocks` has it; elsewhere stands what is
// known of the window so far.
//
// A stream remembers of the present window, for each feature, the largest gate,
// the sum of exponentials and that of weighed features; where windows overlap,
// the same of the window before.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_POOLEDKEYS_H
#define WEIR_LIB_FRONTEND_FAMILIES_POOLEDKEYS_H

#include "weir/Frontend/ModelBuilder.h"

namespace weir {

/// Where tokens stand in windows of a length, `[batch, time]` of i32.
struct WindowPlaces {
  int64_t length = 1;
  /// The token's place in its window, and the position of the window's first.
  mlir::Value place, start;
};

/// Finds out where tokens at `positions` stand.
WindowPlaces findPlaces(ModelBuilder &builder, mlir::Value positions,
                        int64_t length);

/// Pools `input`, `[batch, time, features]`, by `gates` of the same shape.
mlir::Value poolWindows(ModelBuilder &builder, mlir::Value input,
                        mlir::Value gates, const WindowPlaces &places);

/// The same where a window counts its own tokens' last half of the features and
/// the first half of those of the window before; the result has half as many.
mlir::Value poolOverlapping(ModelBuilder &builder, mlir::Value input,
                            mlir::Value gates, const WindowPlaces &places);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_POOLEDKEYS_H
