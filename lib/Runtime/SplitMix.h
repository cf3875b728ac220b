//===- SplitMix.h - Random bits from a seed ---------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_SPLITMIX_H
#define LIB_RUNTIME_SPLITMIX_H

#include <cstdint>

namespace weir::rt {

/// SplitMix64 (Steele, Lea and Flood, 2014), for what is drawn in bulk.
class SplitMix {
public:
  explicit SplitMix(uint64_t seed) : state(seed) {}

  uint64_t next() {
    state += 0x9e3779b97f4a7c15;
    uint64_t word = (state ^ state >> 30) * 0xbf58476d1ce4e5b9;
    word = (word ^ word >> 27) * 0x94d049bb133111eb;
    return word ^ word >> 31;
  }

private:
  uint64_t state;
};

} // namespace weir::rt

#endif // LIB_RUNTIME_SPLITMIX_H
