//===- Sinusoids.h - Sines and cosines of positions ---------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_SINUSOIDS_H
#define WEIR_LIB_FRONTEND_FAMILIES_SINUSOIDS_H

#include "weir/Frontend/ModelBuilder.h"
#include <optional>

namespace weir {

/// `numbers` and `summand`, of i32.
mlir::Value shiftNumbers(ModelBuilder &builder, mlir::Value numbers,
                         int64_t summand);

/// Adds to `tokens`, `[batch, time, features]` of 4 features or more, the sines
/// of `numbers`, `[batch, time]` of i32, times falling frequencies, then the
/// cosines, and a zero where features are odd (tensor2tensor's form of
/// arXiv:1706.03762, without a table and so without a longest sequence);
/// nothing where the number is `without`.
mlir::Value addSinusoids(ModelBuilder &builder, mlir::Value tokens,
                         mlir::Value numbers, std::optional<int64_t> without);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_SINUSOIDS_H
