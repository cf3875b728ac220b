//===- DType.cpp - Element types and their conversion ---------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DType.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace weir::rt;

namespace {
struct TypeInfo {
  const char *name;
  size_t size;
};
} // namespace

/// Indexed by weir_dtype.
static const TypeInfo kTypes[] = {
    {"F32", 4}, {"F64", 8}, {"F16", 2}, {"BF16", 2}, {"I64", 8},
    {"I32", 4}, {"I16", 2}, {"I8", 1},  {"BOOL", 1}, {"U8", 1}};
static constexpr int32_t kNumTypes = sizeof(kTypes) / sizeof(kTypes[0]);

size_t weir::rt::dtypeSize(int32_t dtype) {
  return dtype >= 0 && dtype < kNumTypes ? kTypes[dtype].size : 0;
}

const char *weir::rt::dtypeName(int32_t dtype) {
  return dtype >= 0 && dtype < kNumTypes ? kTypes[dtype].name : "unknown";
}

bool weir::rt::dtypeFromName(const std::string &name, int32_t &dtype) {
  for (int32_t i = 0; i < kNumTypes; ++i)
    if (name == kTypes[i].name) {
      dtype = i;
      return true;
    }
  return false;
}

bool weir::rt::isFloatType(int32_t dtype) {
  return dtype >= WEIR_F32 && dtype <= WEIR_BF16;
}

template <typename To, typename From>
static To bitCast(From value) {
  static_assert(sizeof(To) == sizeof(From), "same size");
  To result;
  std::memcpy(&result, &value, sizeof(To));
  return result;
}

float weir::rt::halfToFloat(uint16_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  uint32_t exponent = (bits >> 10) & 31;
  uint32_t mantissa = bits & 0x3ff;
  if (exponent == 31)
    return bitCast<float>(sign | 0x7f800000 | (mantissa << 13));
  if (exponent != 0)
    return bitCast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  // Zero and subnormals: mantissa * 2^-24 is exact in binary32.
  float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
  return sign ? -magnitude : magnitude;
}

uint16_t weir::rt::floatToHalf(float value) {
  uint32_t bits = bitCast<uint32_t>(value);
  uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return sign | 0x7e00;
  // 65520 is half way between the largest half and the next power of two.
  if (magnitude >= 0x477ff000)
    return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // A subnormal half counts multiples of 2^-24; nearbyint rounds to even.
    float scaled = std::ldexp(bitCast<float>(magnitude), 24);
    return sign | static_cast<uint16_t>(std::nearbyint(scaled));
  }
  uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
  return sign | static_cast<uint16_t>((rounded - 0x38000000) >> 13);
}

float weir::rt::bfloatToFloat(uint16_t bits) {
  return bitCast<float>(static_cast<uint32_t>(bits) << 16);
}

uint16_t weir::rt::floatToBFloat(float value) {
  uint32_t bits = bitCast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

template <typename T>
static T loadAt(const void *data, size_t index) {
  T value;
  std::memcpy(&value, static_cast<const char *>(data) + index * sizeof(T),
              sizeof(T));
  return value;
}

template <typename T>
static void storeAt(void *data, size_t index, T value) {
  std::memcpy(static_cast<char *>(data) + index * sizeof(T), &value, sizeof(T));
}

static double loadFloat(const void *data, int32_t type, size_t index) {
  switch (type) {
  case WEIR_F32:
    return loadAt<float>(data, index);
  case WEIR_F64:
    return loadAt<double>(data, index);
  case WEIR_F16:
    return halfToFloat(loadAt<uint16_t>(data, index));
  default:
    return bfloatToFloat(loadAt<uint16_t>(data, index));
  }
}

static int64_t loadInt(const void *data, int32_t type, size_t index) {
  switch (type) {
  case WEIR_I64:
    return loadAt<int64_t>(data, index);
  case WEIR_I32:
    return loadAt<int32_t>(data, index);
  case WEIR_I16:
    return loadAt<int16_t>(data, index);
  case WEIR_I8:
    return loadAt<int8_t>(data, index);
  default:
    return loadAt<uint8_t>(data, index);
  }
}

static void storeFloat(void *data, int32_t type, size_t index, double value) {
  switch (type) {
  case WEIR_F32:
    return storeAt<float>(data, index, static_cast<float>(value));
  case WEIR_F64:
    return storeAt<double>(data, index, value);
  case WEIR_F16:
    return storeAt<uint16_t>(data, index,
                             floatToHalf(static_cast<float>(value)));
  default:
    return storeAt<uint16_t>(data, index,
                             floatToBFloat(static_cast<float>(value)));
  }
}

/// The values an integer type holds.
static void intRange(int32_t type, int64_t &low, int64_t &high) {
  switch (type) {
  case WEIR_I64:
    low = std::numeric_limits<int64_t>::min();
    high = std::numeric_limits<int64_t>::max();
    return;
  case WEIR_I32:
    low = std::numeric_limits<int32_t>::min();
    high = std::numeric_limits<int32_t>::max();
    return;
  case WEIR_I16:
    low = -32768;
    high = 32767;
    return;
  case WEIR_I8:
    low = -128;
    high = 127;
    return;
  case WEIR_BOOL:
    low = 0;
    high = 1;
    return;
  default:
    low = 0;
    high = 255;
    return;
  }
}

static void storeInt(void *data, int32_t type, size_t index, int64_t value) {
  switch (type) {
  case WEIR_I64:
    return storeAt<int64_t>(data, index, value);
  case WEIR_I32:
    return storeAt<int32_t>(data, index, static_cast<int32_t>(value));
  case WEIR_I16:
    return storeAt<int16_t>(data, index, static_cast<int16_t>(value));
  case WEIR_I8:
    return storeAt<int8_t>(data, index, static_cast<int8_t>(value));
  default:
    return storeAt<uint8_t>(data, index, static_cast<uint8_t>(value));
  }
}

bool weir::rt::convertElements(const void *from, int32_t fromType, void *to,
                               int32_t toType, size_t count,
                               std::string &error) {
  if (!dtypeSize(fromType) || !dtypeSize(toType)) {
    error = "element type " +
            std::to_string(dtypeSize(fromType) ? toType : fromType) +
            " is not known";
    return false;
  }
  if (count == 0)
    return true;
  // A BOOL is checked even when copied: compiled code relies on 0 or 1.
  if (fromType == toType && toType != WEIR_BOOL) {
    std::memcpy(to, from, count * dtypeSize(toType));
    return true;
  }
  if (isFloatType(fromType)) {
    if (!isFloatType(toType)) {
      error = std::string("element type ") + dtypeName(fromType) +
              " cannot become " + dtypeName(toType) + " without loss";
      return false;
    }
    for (size_t i = 0; i < count; ++i)
      storeFloat(to, toType, i, loadFloat(from, fromType, i));
    return true;
  }
  if (isFloatType(toType)) {
    for (size_t i = 0; i < count; ++i)
      storeFloat(to, toType, i,
                 static_cast<double>(loadInt(from, fromType, i)));
    return true;
  }
  int64_t low, high;
  intRange(toType, low, high);
  for (size_t i = 0; i < count; ++i) {
    int64_t value = loadInt(from, fromType, i);
    if (value < low || value > high) {
      error = "element " + std::to_string(i) + " is " + std::to_string(value) +
              ", which " + dtypeName(toType) + " cannot hold";
      return false;
    }
    storeInt(to, toType, i, value);
  }
  return true;
}

bool weir::rt::byteSize(const std::vector<int64_t> &shape, size_t elementBytes,
                        int64_t &bytes) {
  int64_t product = static_cast<int64_t>(elementBytes);
  bool overflow = false;
  for (int64_t extent : shape) {
    if (extent < 0)
      return false;
    // A zero extent makes the tensor empty whatever the others are, but an
    // overflow before it is still refused: such a shape is never meant.
    int64_t next;
    if (__builtin_mul_overflow(product, extent, &next))
      overflow = true;
    else
      product = next;
  }
  bytes = product;
  return !overflow;
}

std::string weir::rt::shapeToString(const int64_t *shape, int32_t rank) {
  std::string text = "[";
  for (int32_t i = 0; i < rank; ++i) {
    if (i)
      text += ", ";
    text += shape[i] == WEIR_DYNAMIC ? "?" : std::to_string(shape[i]);
  }
  return text + "]";
}
