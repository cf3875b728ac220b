//===- DType.h - Element types and their conversion -------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_DTYPE_H
#define LIB_RUNTIME_DTYPE_H

#include "weir-rt/ModelDesc.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::rt {

/// Bytes of one element, or 0 when `dtype` is none of weir_dtype.
size_t dtypeSize(int32_t dtype);

/// The name `safetensors` gives to an element type, e.g. "BF16".
const char *dtypeName(int32_t dtype);

/// Looks a `safetensors` type name up; false when Weir has no such type.
bool dtypeFromName(const std::string &name, int32_t &dtype);

/// Whether `dtype` is one of the floating point types.
bool isFloatType(int32_t dtype);

/// IEEE binary16 to binary32, exact.
float halfToFloat(uint16_t bits);

/// binary32 to IEEE binary16, to nearest even.
uint16_t floatToHalf(float value);

/// bfloat16 to binary32, exact.
float bfloatToFloat(uint16_t bits);

/// binary32 to bfloat16, to nearest even.
uint16_t floatToBFloat(float value);

/// Converts `count` elements. Integers are range checked; floating point values
/// never become integers, since that loses them silently. The pointers need no
/// alignment. `error` says which element does not fit.
bool convertElements(const void *from, int32_t fromType, void *to,
                     int32_t toType, size_t count, std::string &error);

/// Multiplies extents; false on a negative extent or when the product of
/// extents and `elementBytes` does not fit in an int64_t.
bool byteSize(const std::vector<int64_t> &shape, size_t elementBytes,
              int64_t &bytes);

/// A shape as shown in messages, e.g. "[2, 37, ?]".
std::string shapeToString(const int64_t *shape, int32_t rank);
inline std::string shapeToString(const std::vector<int64_t> &shape) {
  return shapeToString(shape.data(), static_cast<int32_t>(shape.size()));
}

} // namespace weir::rt

#endif // LIB_RUNTIME_DTYPE_H
