//===- weir/Frontend/ElementTypes.h - Stored element types -----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The element types checkpoints store weights in, and their decoding to f32.
// Some are blocks: a fixed number of neighbouring elements of the innermost
// axis share scales and are stored together.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_FRONTEND_ELEMENTTYPES_H
#define WEIR_FRONTEND_ELEMENTTYPES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace weir {

/// Element types of safetensors and GGUF files. All can be named and measured;
/// `isDecodable` tells which can be read.
enum class StorageType : uint8_t {
  F64,
  F32,
  F16,
  BF16,
  I64,
  I32,
  I16,
  I8,
  U64,
  U32,
  U16,
  U8,
  Bool,
  F8_E4M3, ///< the "fn" kind: no infinities, one NaN per sign
  F8_E5M2,
  F8_E8M0, ///< an exponent alone: 2^(byte - 127), and 255 is NaN
  F4_E2M1, ///< two to a byte, the first in the low half
  // GGUF block types.
  Q4_0,
  Q4_1,
  Q5_0,
  Q5_1,
  Q8_0,
  Q8_1,
  Q2_K,
  Q3_K,
  Q4_K,
  Q5_K,
  Q6_K,
  Q8_K,
  IQ1_S,
  IQ1_M,
  IQ2_XXS,
  IQ2_XS,
  IQ2_S,
  IQ3_XXS,
  IQ3_S,
  IQ4_NL,
  IQ4_XS,
  TQ1_0,
  TQ2_0,
  MXFP4,
  NVFP4,
  Q1_0
};

/// The name used in messages: the one the file formats use, e.g. "BF16".
llvm::StringRef getStorageTypeName(StorageType type);

/// Neighbouring elements stored together; 1 for plain types.
int64_t getElementsPerBlock(StorageType type);

/// Bytes of one block; for plain types the size of an element.
int64_t getBytesPerBlock(StorageType type);

/// Whether elements share scales in blocks.
inline bool isBlockType(StorageType type) {
  return getElementsPerBlock(type) != 1;
}

/// Whether `decodeToF32` reads this type.
bool isDecodable(StorageType type);

/// The type a safetensors header calls `dtype`, e.g. "F8_E4M3".
std::optional<StorageType> getStorageTypeFromSafetensors(llvm::StringRef dtype);

/// The type numbered `id` in GGUF tensor infos.
std::optional<StorageType> getStorageTypeFromGGUF(uint32_t id);

/// Bytes of a row-major tensor of this type and shape. Fails when an extent is
/// negative, the product overflows, or blocks do not divide the innermost axis.
llvm::Expected<int64_t> getStorageBytes(StorageType type,
                                        llvm::ArrayRef<int64_t> shape);

/// Decodes whole blocks. `bytes` need not be aligned and must hold exactly
/// `out.size()` elements. Integers and f64 round to the nearest f32. Fails for
/// types that are not decodable and on a size mismatch.
llvm::Error decodeToF32(StorageType type, llvm::ArrayRef<uint8_t> bytes,
                        llvm::MutableArrayRef<float> out);

/// Blocks of 32 with one scale and perhaps one offset, taken apart: element `i`
/// of a block is `scale * quant[i] + min`; of MXFP4, `scale` times the e2m1
/// number whose bits are `quant[i]`, and of F8_E4M3 the e4m3 number.
struct QuantizedRows {
  /// Elements that share a scale, along the innermost axis.
  static constexpr int64_t blockSize = 32;

  /// Q8_0 and F8_E4M3 (quants in [-128, 127]), Q4_0 ([-8, 7]), Q4_1 or MXFP4
  /// ([0, 15]).
  StorageType type = StorageType::Q8_0;
  int64_t numRows = 0;
  /// A multiple of `blockSize`.
  int64_t numCols = 0;
  std::vector<int8_t> quants; ///< [numRows, numCols]
  std::vector<float> scales;  ///< [numRows, numCols / blockSize]
  std::vector<float> mins;    ///< as `scales` for Q4_1, else empty
};

/// Whether `QuantizedRows` can hold this type without requantising.
bool isRepackable(StorageType type);

/// Takes the blocks of Q8_0, Q4_0, Q4_1 or MXFP4 apart. `bytes` holds whole
/// blocks; `quants` gets 32 entries per block, `scales` one, and so does `mins`
/// for Q4_1 (it may be empty for the others).
llvm::Error unpackBlocks(StorageType type, llvm::ArrayRef<uint8_t> bytes,
                         llvm::MutableArrayRef<int8_t> quants,
                         llvm::MutableArrayRef<float> scales,
                         llvm::MutableArrayRef<float> mins);

/// The number of MXFP4 (OCP Microscaling, e2m1) whose four bits are `bits`.
float decodeE2M1(uint8_t bits);

/// The number of e4m3, of the "fn" kind (OCP 8-bit floating point), whose bits
/// are `bits`: subnormals are numbers, 0x7f and 0xff are no number.
float decodeE4M3(uint8_t bits);

/// The scale of MXFP4 whose exponent is `byte`.
float decodeE8M0(uint8_t byte);

/// Quantises rows of `numCols` to int8, symmetric: scale = max|x| / 127. Fails
/// when blocks do not divide the rows or a value is not finite.
llvm::Expected<QuantizedRows> quantizeInt8(llvm::ArrayRef<float> values,
                                           int64_t numCols);

/// Quantises rows of `numCols` to 0..15 between each block's minimum and
/// maximum. Fails as `quantizeInt8` does, and when these are further apart
/// than f32 reaches.
llvm::Expected<QuantizedRows> quantizeInt4(llvm::ArrayRef<float> values,
                                           int64_t numCols);

/// The values that `quantized` stands for, row-major.
std::vector<float> dequantize(const QuantizedRows &quantized);

/// Rounds to the nearest value of `type`, ties to even, and gives it as f32.
/// `type` is F32, F64 (both leave the value), F16 or BF16.
llvm::Error roundThrough(StorageType type, llvm::MutableArrayRef<float> values);

} // namespace weir

#endif // WEIR_FRONTEND_ELEMENTTYPES_H
