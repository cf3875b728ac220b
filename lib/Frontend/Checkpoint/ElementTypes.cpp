//===- ElementTypes.cpp - Stored element types ----------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One table describes the types; one function per type decodes a run of
// blocks. Loads go through unaligned little-endian reads, which are plain loads
// on the hosts that matter, so the loops vectorise.
//
//===----------------------------------------------------------------------===//

#include "weir/Frontend/ElementTypes.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace llvm;
using namespace weir;

namespace {

/// What is known of a type. `safetensors` is empty and `gguf` is -1 where the
/// format lacks it.
struct TypeInfo {
  StorageType type;
  StringLiteral name;
  int64_t elements;
  int64_t bytes;
  StringLiteral safetensors;
  int gguf;
};

} // namespace

/// In the order of the enumeration.
static constexpr TypeInfo typeTable[] = {
    {StorageType::F64, "F64", 1, 8, "F64", 28},
    {StorageType::F32, "F32", 1, 4, "F32", 0},
    {StorageType::F16, "F16", 1, 2, "F16", 1},
    {StorageType::BF16, "BF16", 1, 2, "BF16", 30},
    {StorageType::I64, "I64", 1, 8, "I64", 27},
    {StorageType::I32, "I32", 1, 4, "I32", 26},
    {StorageType::I16, "I16", 1, 2, "I16", 25},
    {StorageType::I8, "I8", 1, 1, "I8", 24},
    {StorageType::U64, "U64", 1, 8, "U64", -1},
    {StorageType::U32, "U32", 1, 4, "U32", -1},
    {StorageType::U16, "U16", 1, 2, "U16", -1},
    {StorageType::U8, "U8", 1, 1, "U8", -1},
    {StorageType::Bool, "BOOL", 1, 1, "BOOL", -1},
    {StorageType::F8_E4M3, "F8_E4M3", 1, 1, "F8_E4M3", -1},
    {StorageType::F8_E5M2, "F8_E5M2", 1, 1, "F8_E5M2", -1},
    {StorageType::F8_E8M0, "F8_E8M0", 1, 1, "F8_E8M0", -1},
    {StorageType::F4_E2M1, "F4_E2M1", 2, 1, "", -1},
    {StorageType::Q4_0, "Q4_0", 32, 18, "", 2},
    {StorageType::Q4_1, "Q4_1", 32, 20, "", 3},
    {StorageType::Q5_0, "Q5_0", 32, 22, "", 6},
    {StorageType::Q5_1, "Q5_1", 32, 24, "", 7},
    {StorageType::Q8_0, "Q8_0", 32, 34, "", 8},
    {StorageType::Q8_1, "Q8_1", 32, 36, "", 9},
    {StorageType::Q2_K, "Q2_K", 256, 84, "", 10},
    {StorageType::Q3_K, "Q3_K", 256, 110, "", 11},
    {StorageType::Q4_K, "Q4_K", 256, 144, "", 12},
    {StorageType::Q5_K, "Q5_K", 256, 176, "", 13},
    {StorageType::Q6_K, "Q6_K", 256, 210, "", 14},
    {StorageType::Q8_K, "Q8_K", 256, 292, "", 15},
    {StorageType::IQ1_S, "IQ1_S", 256, 50, "", 19},
    {StorageType::IQ1_M, "IQ1_M", 256, 56, "", 29},
    {StorageType::IQ2_XXS, "IQ2_XXS", 256, 66, "", 16},
    {StorageType::IQ2_XS, "IQ2_XS", 256, 74, "", 17},
    {StorageType::IQ2_S, "IQ2_S", 256, 82, "", 22},
    {StorageType::IQ3_XXS, "IQ3_XXS", 256, 98, "", 18},
    {StorageType::IQ3_S, "IQ3_S", 256, 110, "", 21},
    {StorageType::IQ4_NL, "IQ4_NL", 32, 18, "", 20},
    {StorageType::IQ4_XS, "IQ4_XS", 256, 136, "", 23},
    {StorageType::TQ1_0, "TQ1_0", 256, 54, "", 34},
    {StorageType::TQ2_0, "TQ2_0", 256, 66, "", 35},
    {StorageType::MXFP4, "MXFP4", 32, 17, "", 39},
    {StorageType::NVFP4, "NVFP4", 64, 36, "", 40},
    {StorageType::Q1_0, "Q1_0", 128, 18, "", 41},
};

static const TypeInfo &getInfo(StorageType type) {
  const TypeInfo &info = typeTable[static_cast<size_t>(type)];
  assert(info.type == type && "the table must follow the enumeration");
  return info;
}

StringRef weir::getStorageTypeName(StorageType type) {
  return getInfo(type).name;
}

int64_t weir::getElementsPerBlock(StorageType type) {
  return getInfo(type).elements;
}

int64_t weir::getBytesPerBlock(StorageType type) { return getInfo(type).bytes; }

std::optional<StorageType>
weir::getStorageTypeFromSafetensors(StringRef dtype) {
  if (!dtype.empty())
    for (const TypeInfo &info : typeTable)
      if (info.safetensors == dtype)
        return info.type;
  return std::nullopt;
}

std::optional<StorageType> weir::getStorageTypeFromGGUF(uint32_t id) {
  for (const TypeInfo &info : typeTable)
    if (info.gguf >= 0 && static_cast<uint32_t>(info.gguf) == id)
      return info.type;
  return std::nullopt;
}

Expected<int64_t> weir::getStorageBytes(StorageType type,
                                        ArrayRef<int64_t> shape) {
  const TypeInfo &info = getInfo(type);
  auto describe = [&] {
    std::string text =
        formatv("shape [{0:$[, ]}]", make_range(shape.begin(), shape.end()));
    return text;
  };
  int64_t innermost = shape.empty() ? 1 : shape.back();
  if (innermost % info.elements != 0)
    return createStringError(
        formatv("{0}: expected the innermost extent to be a multiple of {1}, "
                "the block size of {2}",
                describe(), info.elements, info.name));
  // A zero extent makes the tensor empty, but must not hide an overflow of the
  // others: later arithmetic multiplies them in other orders.
  int64_t product = 1;
  bool empty = false;
  for (int64_t extent : shape) {
    if (extent < 0)
      return createStringError(
          formatv("{0}: expected extents that are not negative", describe()));
    empty |= extent == 0;
    if (extent != 0 && MulOverflow(product, extent, product))
      return createStringError(
          formatv("{0}: too many elements for 64 bits", describe()));
  }
  if (empty)
    return 0;
  int64_t bytes;
  if (MulOverflow(product / info.elements, info.bytes, bytes))
    return createStringError(
        formatv("{0}: too many bytes for 64 bits", describe()));
  return bytes;
}

//===----------------------------------------------------------------------===//
// Plain types
//===----------------------------------------------------------------------===//

template <typename T>
static T load(const uint8_t *bytes) {
  return support::endian::read<T, endianness::little>(bytes);
}

static float bitsToFloat(uint32_t bits) { return llvm::bit_cast<float>(bits); }

/// Shifting the magnitude into place leaves the exponent short by the
/// difference of the biases, which one exact multiplication repairs; that also
/// normalises subnormals. Only infinities and NaNs need a select.
static float halfToFloat(uint16_t half) {
  uint32_t magnitude = half & 0x7fff;
  uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  float finite = bitsToFloat(magnitude << 13) * 0x1p112f;
  uint32_t bits = llvm::bit_cast<uint32_t>(finite);
  bits = magnitude >= 0x7c00 ? (magnitude << 13) | 0x7f800000u : bits;
  return bitsToFloat(bits | sign);
}

/// As `halfToFloat`; all exponents are of finite values, all ones is NaN.
static float e4m3ToFloat(uint8_t byte) {
  uint32_t magnitude = byte & 0x7f;
  uint32_t sign = static_cast<uint32_t>(byte & 0x80) << 24;
  float finite = bitsToFloat(magnitude << 20) * 0x1p120f;
  uint32_t bits = llvm::bit_cast<uint32_t>(finite);
  bits = magnitude == 0x7f ? 0x7fc00000u : bits;
  return bitsToFloat(bits | sign);
}

template <typename T>
static void decodeNumbers(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t i = 0, e = out.size(); i != e; ++i)
    out[i] = static_cast<float>(load<T>(in + i * sizeof(T)));
}

/// Rounds from f64 by hand, since the conversion of a number beyond the range
/// of f32 is undefined in the language.
static void decodeF64(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t i = 0, e = out.size(); i != e; ++i) {
    double value = load<double>(in + i * 8);
    // Half an ulp above the largest float: from here on rounding overflows.
    if (value >= 0x1.ffffffp127)
      out[i] = bitsToFloat(0x7f800000u);
    else if (value <= -0x1.ffffffp127)
      out[i] = bitsToFloat(0xff800000u);
    else
      out[i] = static_cast<float>(value);
  }
}

static void decodeF32(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t i = 0, e = out.size(); i != e; ++i)
    out[i] = bitsToFloat(load<uint32_t>(in + i * 4));
}

static void decodeF16(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t i = 0, e = out.size(); i != e; ++i)
    out[i] = halfToFloat(load<uint16_t>(in + i * 2));
}

static void decodeBF16(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t i = 0, e = out.size(); i != e; ++i)
    out[i] =
        bitsToFloat(static_cast<uint32_t>(load<uint16_t>(in + i * 2)) << 16);
}

static void decodeBool(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t i = 0, e = out.size(); i != e; ++i)
    out[i] = in[i] != 0 ? 1.0f : 0.0f;
}

static void decodeE4M3(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t i = 0, e = out.size(); i != e; ++i)
    out[i] = e4m3ToFloat(in[i]);
}

/// E5M2 is the upper half of F16.
static void decodeE5M2(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t i = 0, e = out.size(); i != e; ++i)
    out[i] = halfToFloat(static_cast<uint16_t>(in[i] << 8));
}

float weir::decodeE4M3(uint8_t bits) { return e4m3ToFloat(bits); }

float weir::decodeE2M1(uint8_t bits) {
  static constexpr float magnitudes[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  float magnitude = magnitudes[bits & 7];
  return bits & 8 ? -magnitude : magnitude;
}

float weir::decodeE8M0(uint8_t byte) {
  if (byte == 255)
    return bitsToFloat(0x7fc00000u);
  // The least is a subnormal f32.
  return bitsToFloat(byte == 0 ? 0x00400000u
                               : static_cast<uint32_t>(byte) << 23);
}

static void decodeExponents(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t i = 0, e = out.size(); i != e; ++i)
    out[i] = decodeE8M0(in[i]);
}

static void decodeF4(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t i = 0, e = out.size(); i != e; ++i)
    out[i] = decodeE2M1(in[i / 2] >> (i % 2 * 4));
}

//===----------------------------------------------------------------------===//
// Blocks of 32: f16 scale (and f16 offset), then the quants. Four-bit quants of
// elements i and i + 16 share byte i, the first in the low half.
//===----------------------------------------------------------------------===//

static void decodeQ8_0(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t b = 0, e = out.size() / 32; b != e; ++b, in += 34) {
    float *y = out.data() + b * 32;
    float d = halfToFloat(load<uint16_t>(in));
    for (int i = 0; i < 32; ++i)
      y[i] = d * static_cast<int8_t>(in[2 + i]);
  }
}

static void decodeQ4_0(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t b = 0, e = out.size() / 32; b != e; ++b, in += 18) {
    float *y = out.data() + b * 32;
    float d = halfToFloat(load<uint16_t>(in));
    for (int i = 0; i < 16; ++i) {
      y[i] = d * ((in[2 + i] & 15) - 8);
      y[i + 16] = d * ((in[2 + i] >> 4) - 8);
    }
  }
}

static void decodeQ4_1(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t b = 0, e = out.size() / 32; b != e; ++b, in += 20) {
    float *y = out.data() + b * 32;
    float d = halfToFloat(load<uint16_t>(in));
    float m = halfToFloat(load<uint16_t>(in + 2));
    for (int i = 0; i < 16; ++i) {
      y[i] = d * (in[4 + i] & 15) + m;
      y[i + 16] = d * (in[4 + i] >> 4) + m;
    }
  }
}

/// The fifth bits are bit i of a word, for element i.
static void decodeQ5_0(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t b = 0, e = out.size() / 32; b != e; ++b, in += 22) {
    float *y = out.data() + b * 32;
    float d = halfToFloat(load<uint16_t>(in));
    uint32_t high = load<uint32_t>(in + 2);
    for (int i = 0; i < 16; ++i) {
      int low = (in[6 + i] & 15) | ((high >> i) & 1) << 4;
      int upper = (in[6 + i] >> 4) | ((high >> (i + 16)) & 1) << 4;
      y[i] = d * (low - 16);
      y[i + 16] = d * (upper - 16);
    }
  }
}

static void decodeQ5_1(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t b = 0, e = out.size() / 32; b != e; ++b, in += 24) {
    float *y = out.data() + b * 32;
    float d = halfToFloat(load<uint16_t>(in));
    float m = halfToFloat(load<uint16_t>(in + 2));
    uint32_t high = load<uint32_t>(in + 4);
    for (int i = 0; i < 16; ++i) {
      int low = (in[8 + i] & 15) | ((high >> i) & 1) << 4;
      int upper = (in[8 + i] >> 4) | ((high >> (i + 16)) & 1) << 4;
      y[i] = d * low + m;
      y[i + 16] = d * upper + m;
    }
  }
}

/// An exponent in place of the f16 scale.
static void decodeMXFP4(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t b = 0, e = out.size() / 32; b != e; ++b, in += 17) {
    float *y = out.data() + b * 32;
    float scale = decodeE8M0(in[0]);
    for (int i = 0; i < 16; ++i) {
      y[i] = scale * decodeE2M1(in[1 + i] & 15);
      y[i + 16] = scale * decodeE2M1(in[1 + i] >> 4);
    }
  }
}

//===----------------------------------------------------------------------===//
// Blocks of 256, cut into groups with quantised scales of their own
//===----------------------------------------------------------------------===//

/// The six-bit scale and offset of group `j` of 8, packed in 12 bytes: the
/// first four of each are the low bits of bytes j and j + 4, the others are
/// put together from bytes 8..11 and the spare top bits.
static void getScaleAndMin(const uint8_t *packed, int j, int &scale, int &min) {
  if (j < 4) {
    scale = packed[j] & 63;
    min = packed[j + 4] & 63;
    return;
  }
  scale = (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4;
  min = (packed[j + 4] >> 4) | (packed[j] >> 6) << 4;
}

static void decodeQ4_K(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t b = 0, e = out.size() / 256; b != e; ++b, in += 144) {
    float *y = out.data() + b * 256;
    float d = halfToFloat(load<uint16_t>(in));
    float dmin = halfToFloat(load<uint16_t>(in + 2));
    for (int pair = 0; pair < 4; ++pair, y += 64) {
      const uint8_t *q = in + 16 + pair * 32;
      int scale, min;
      getScaleAndMin(in + 4, 2 * pair, scale, min);
      float d0 = d * scale, m0 = dmin * min;
      getScaleAndMin(in + 4, 2 * pair + 1, scale, min);
      float d1 = d * scale, m1 = dmin * min;
      for (int i = 0; i < 32; ++i) {
        y[i] = d0 * (q[i] & 15) - m0;
        y[i + 32] = d1 * (q[i] >> 4) - m1;
      }
    }
  }
}

static void decodeQ5_K(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t b = 0, e = out.size() / 256; b != e; ++b, in += 176) {
    float *y = out.data() + b * 256;
    float d = halfToFloat(load<uint16_t>(in));
    float dmin = halfToFloat(load<uint16_t>(in + 2));
    const uint8_t *high = in + 16;
    for (int pair = 0; pair < 4; ++pair, y += 64) {
      const uint8_t *q = in + 48 + pair * 32;
      int scale, min;
      getScaleAndMin(in + 4, 2 * pair, scale, min);
      float d0 = d * scale, m0 = dmin * min;
      getScaleAndMin(in + 4, 2 * pair + 1, scale, min);
      float d1 = d * scale, m1 = dmin * min;
      for (int i = 0; i < 32; ++i) {
        int bits = high[i] >> (2 * pair);
        y[i] = d0 * ((q[i] & 15) | (bits & 1) << 4) - m0;
        y[i + 32] = d1 * ((q[i] >> 4) | (bits & 2) << 3) - m1;
      }
    }
  }
}

static void decodeQ6_K(const uint8_t *in, MutableArrayRef<float> out) {
  for (size_t b = 0, e = out.size() / 256; b != e; ++b, in += 210) {
    float d = halfToFloat(load<uint16_t>(in + 208));
    for (int half = 0; half < 2; ++half) {
      float *y = out.data() + b * 256 + half * 128;
      const uint8_t *low = in + half * 64;
      const uint8_t *high = in + 128 + half * 32;
      // Eight signed scales, one per 16 elements.
      const uint8_t *scales = in + 192 + half * 8;
      for (int group = 0; group < 2; ++group) {
        float s[4];
        for (int k = 0; k < 4; ++k)
          s[k] = d * static_cast<int8_t>(scales[group + 2 * k]);
        for (int i = group * 16; i < group * 16 + 16; ++i) {
          int h = high[i];
          y[i] = s[0] * (((low[i] & 15) | (h & 3) << 4) - 32);
          y[i + 32] = s[1] * (((low[i + 32] & 15) | (h >> 2 & 3) << 4) - 32);
          y[i + 64] = s[2] * (((low[i] >> 4) | (h >> 4 & 3) << 4) - 32);
          y[i + 96] = s[3] * (((low[i + 32] >> 4) | (h >> 6 & 3) << 4) - 32);
        }
      }
    }
  }
}

//===----------------------------------------------------------------------===//
// Dispatch
//===----------------------------------------------------------------------===//

using Decoder = void (*)(const uint8_t *, MutableArrayRef<float>);

/// Null for types that are only named.
static Decoder getDecoder(StorageType type) {
  switch (type) {
  case StorageType::F64:
    return decodeF64;
  case StorageType::F32:
    return decodeF32;
  case StorageType::F16:
    return decodeF16;
  case StorageType::BF16:
    return decodeBF16;
  case StorageType::I64:
    return decodeNumbers<int64_t>;
  case StorageType::I32:
    return decodeNumbers<int32_t>;
  case StorageType::I16:
    return decodeNumbers<int16_t>;
  case StorageType::I8:
    return decodeNumbers<int8_t>;
  case StorageType::U64:
    return decodeNumbers<uint64_t>;
  case StorageType::U32:
    return decodeNumbers<uint32_t>;
  case StorageType::U16:
    return decodeNumbers<uint16_t>;
  case StorageType::U8:
    return decodeNumbers<uint8_t>;
  case StorageType::Bool:
    return decodeBool;
  case StorageType::F8_E4M3:
    return decodeE4M3;
  case StorageType::F8_E5M2:
    return decodeE5M2;
  case StorageType::F8_E8M0:
    return decodeExponents;
  case StorageType::F4_E2M1:
    return decodeF4;
  case StorageType::Q4_0:
    return decodeQ4_0;
  case StorageType::Q4_1:
    return decodeQ4_1;
  case StorageType::Q5_0:
    return decodeQ5_0;
  case StorageType::Q5_1:
    return decodeQ5_1;
  case StorageType::Q8_0:
    return decodeQ8_0;
  case StorageType::MXFP4:
    return decodeMXFP4;
  case StorageType::Q4_K:
    return decodeQ4_K;
  case StorageType::Q5_K:
    return decodeQ5_K;
  case StorageType::Q6_K:
    return decodeQ6_K;
  default:
    return nullptr;
  }
}

bool weir::isDecodable(StorageType type) { return getDecoder(type) != nullptr; }

Error weir::decodeToF32(StorageType type, ArrayRef<uint8_t> bytes,
                        MutableArrayRef<float> out) {
  Decoder decoder = getDecoder(type);
  if (!decoder)
    return createStringError(formatv(
        "cannot decode weights stored as {0}, expected one of F64, "
        "F32, F16, BF16, F8, an integer type, Q4_0, Q4_1, Q5_0, "
        "Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, MXFP4; convert the file to one of these",
        getStorageTypeName(type)));
  const TypeInfo &info = getInfo(type);
  if (out.size() % info.elements != 0 || bytes.size() % info.bytes != 0 ||
      out.size() / info.elements != bytes.size() / info.bytes)
    return createStringError(
        formatv("{0} bytes of {1} do not decode to {2} elements", bytes.size(),
                info.name, out.size()));
  decoder(bytes.data(), out);
  return Error::success();
}

bool weir::isRepackable(StorageType type) {
  return type == StorageType::Q8_0 || type == StorageType::Q4_0 ||
         type == StorageType::Q4_1 || type == StorageType::MXFP4 ||
         type == StorageType::F8_E4M3;
}

Error weir::unpackBlocks(StorageType type, ArrayRef<uint8_t> bytes,
                         MutableArrayRef<int8_t> quants,
                         MutableArrayRef<float> scales,
                         MutableArrayRef<float> mins) {
  if (!isRepackable(type) || !isBlockType(type))
    return createStringError(
        formatv("cannot take blocks of {0} apart, expected Q8_0, Q4_0, Q4_1 or "
                "MXFP4",
                getStorageTypeName(type)));
  size_t stride = getBytesPerBlock(type);
  size_t count = bytes.size() / stride;
  bool hasMins = type == StorageType::Q4_1;
  if (bytes.size() % stride != 0 || quants.size() != count * 32 ||
      scales.size() != count || (hasMins && mins.size() != count))
    return createStringError(formatv(
        "{0} bytes of {1} do not fill {2} quants and {3} scales", bytes.size(),
        getStorageTypeName(type), quants.size(), scales.size()));
  const uint8_t *in = bytes.data();
  for (size_t b = 0; b != count; ++b, in += stride) {
    int8_t *q = quants.data() + b * 32;
    int bias = 8;
    const uint8_t *packed = in + 2;
    if (type == StorageType::MXFP4) {
      scales[b] = decodeE8M0(in[0]);
      bias = 0;
      packed = in + 1;
    } else {
      scales[b] = halfToFloat(load<uint16_t>(in));
    }
    if (type == StorageType::Q8_0) {
      std::memcpy(q, in + 2, 32);
      continue;
    }
    if (hasMins) {
      mins[b] = halfToFloat(load<uint16_t>(in + 2));
      bias = 0;
      packed = in + 4;
    }
    for (int i = 0; i < 16; ++i) {
      q[i] = static_cast<int8_t>((packed[i] & 15) - bias);
      q[i + 16] = static_cast<int8_t>((packed[i] >> 4) - bias);
    }
  }
  return Error::success();
}
