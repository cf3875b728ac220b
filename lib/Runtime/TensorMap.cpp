//===- TensorMap.cpp - Tensors that hardware copies by boxes --------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorMap.h"

using namespace weir::rt;

std::string TensorMap::findFault() const {
  // The bounds of the CUDA driver API, cuTensorMapEncodeTiled.
  constexpr int64_t kMostSize = int64_t(1) << 32, kMostStride = int64_t(1)
                                                                << 40;
  constexpr int64_t kMostBox = 256, kPiece = 16;
  auto number = [](const char *what, int64_t found, const char *expected) {
    return "map of a tensor: " + std::string(what) + " is " +
           std::to_string(found) + ", expected " + expected;
  };
  if (rank < 1 || rank > kMostAxes)
    return number("the rank", rank, "1 to 5");
  if (base % kPiece != 0)
    return number("the address", base, "a multiple of 16");
  for (int32_t axis = 0; axis < rank; ++axis) {
    if (sizes[axis] < 1 || sizes[axis] > kMostSize)
      return number("an extent", sizes[axis], "1 to 2^32");
    if (box[axis] < 1 || box[axis] > kMostBox)
      return number("an extent of the box", box[axis], "1 to 256");
    if (axis > 0 && (strides[axis] < 1 || strides[axis] >= kMostStride ||
                     strides[axis] % kPiece != 0))
      return number("a stride", strides[axis],
                    "a multiple of 16 bytes below 2^40");
  }
  if (box[0] * 2 != kBoxRowBytes)
    return number("a row of the box", box[0] * 2, "128 bytes");
  return {};
}
