//===- FloatBits.h - 16-bit floats as they are stored ---------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rounding to nearest, ties to even, one number at a time and cheap enough for
// inner loops. Private to the packing of weights.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_WEIGHTS_FLOATBITS_H
#define WEIR_LIB_FRONTEND_WEIGHTS_FLOATBITS_H

#include "llvm/ADT/bit.h"

#include <cstdint>

namespace weir {

/// The nearest bf16. NaNs stay NaNs: rounding could carry out of them.
inline uint16_t toBF16(float value) {
  uint32_t bits = llvm::bit_cast<uint32_t>(value);
  uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
  bool isNaN = (bits & 0x7fffffff) > 0x7f800000;
  return static_cast<uint16_t>((isNaN ? bits | 0x400000 : rounded) >> 16);
}

/// The nearest f16.
inline uint16_t toF16(float value) {
  uint32_t bits = llvm::bit_cast<uint32_t>(value);
  uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  uint32_t result;
  if (magnitude > 0x7f800000u) {
    result = 0x7e00;
  } else if (magnitude >= 0x477ff000u) {
    // 65520 and more round beyond the largest, 65504.
    result = 0x7c00;
  } else if (magnitude < 0x38800000u) {
    // Below 2^-14 all spacing is 2^-24, which is that of f32 from 1/2 on, so
    // the addition rounds and leaves the count in the last bits.
    result = llvm::bit_cast<uint32_t>(llvm::bit_cast<float>(magnitude) + 0.5f) -
             0x3f000000u;
  } else {
    // The exponents' biases differ by 112.
    result =
        (magnitude + 0xfff + (magnitude >> 13 & 1) - (uint32_t(112) << 23)) >>
        13;
  }
  return static_cast<uint16_t>(sign | result);
}

} // namespace weir

#endif // WEIR_LIB_FRONTEND_WEIGHTS_FLOATBITS_H
