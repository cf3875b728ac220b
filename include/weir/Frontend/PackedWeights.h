//===- weir/Frontend/PackedWeights.h - Weights for kernels -----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `#weir.pack` means, in numbers: matrices of weights rearranged into the
// panels that micro-kernels read, as floats or quantised in groups. Groups that
// the checkpoint stores quantised come through unchanged.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_FRONTEND_PACKEDWEIGHTS_H
#define WEIR_FRONTEND_PACKEDWEIGHTS_H

#include "weir/Frontend/WeightSource.h"

namespace weir {

/// The tensors a packed matrix is made of, numbered as in the dialect.
enum class PackedPart : uint8_t { Values, Quants, Scales, Mins, Pairs };

/// What the bits of quants mean, numbered as in the dialect.
enum class PackedCode : uint8_t { Affine, E2M1, E4M3 };

/// How matrices are packed, and which part of the result is meant. Layouts are
/// those of `#weir.pack`. All parts of one matrix are packed with the same
/// numbers here, or they do not fit each other.
struct PackedLayout {
  PackedPart part = PackedPart::Values;
  /// Output features side by side; N is padded to a multiple with zeros.
  int64_t panel = 1;
  /// 4 or 8 of each quant; not looked at for `Values` and `Pairs`.
  int64_t bits = 32;
  /// Neighbours along K that share a scale, a multiple of 8. Stored blocks are
  /// kept when it is their 32; of E4M3, 32, 64 or 128. Not looked at for
  /// `Values` and `Pairs`.
  int64_t group = 32;
  /// Whether quants have a min beside their scale; without, their zero point is
  /// in the middle.
  bool hasMins = false;
  /// E2M1 goes with 4 bits, E4M3 with 8, both without mins. Only what is stored
  /// in E4M3 is packed so.
  PackedCode code = PackedCode::Affine;
  /// The type of `Values` (F32, F16, BF16), of `Pairs` (BF16), or of scales and
  /// mins (F32, F16; of E2M1 F8_E8M0, of E4M3 F32).
  /// Quants depend on it too, as they make up for rounding of the scales.
  StorageType floats = StorageType::F32;
};

/// Bytes of the packed form of a source of `shape`, `[..., N, K]`. Fails when
/// the layout is impossible or does not fit the shape.
llvm::Expected<int64_t> getPackedBytes(const PackedLayout &layout,
                                       llvm::ArrayRef<int64_t> shape);

/// Packs all matrices of `source`, in several threads. `out` has exactly
/// `getPackedBytes` bytes. Besides what that function and reading fail on,
/// fails when values to quantise or stored scales are not finite, or scales
/// overflow F16.
llvm::Error packWeights(const WeightRef &source, const PackedLayout &layout,
                        llvm::MutableArrayRef<uint8_t> out);

/// Writes `values` as F32, F16 or BF16, rounded to nearest with ties to even,
/// to unaligned memory of their exact size. Fails on other types and sizes.
llvm::Error encodeFloats(StorageType type, llvm::ArrayRef<float> values,
                         llvm::MutableArrayRef<uint8_t> out);

} // namespace weir

#endif // WEIR_FRONTEND_PACKEDWEIGHTS_H
