//===- SimtFragments.h - Matrices spread over a warp ------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_SIMTFRAGMENTS_H
#define LIB_RUNTIME_SIMTFRAGMENTS_H

#include <cstdint>

namespace weir::rt {

/// Lanes of a warp.
inline constexpr int32_t kWarp = 32;

/// Registers of A, B and C that a lane passes to `mma.sync`.
inline constexpr int32_t kMmaRegisters = 10;

/// Multiplies the fragments of all lanes of a warp; `lanes[i]` are the
/// registers of lane `i`, as weir_simt_mma takes them, and `kind` is a
/// weir_simt_mma_kind.
void multiplyFragments(int32_t kind, int32_t *const lanes[kWarp]);

/// The byte in its row (of 16 bytes) and the row that lane `lane` gets element
/// `element` (0 or 1) of an 8x8 matrix of 16 bits from, by `ldmatrix`.
struct MatrixPlace {
  int32_t row, byte;
};
MatrixPlace placeOfElement(int32_t lane, int32_t element, bool transposed);

} // namespace weir::rt

#endif // LIB_RUNTIME_SIMTFRAGMENTS_H
