//===- TensorMap.h - Tensors that hardware copies by boxes ------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_TENSORMAP_H
#define LIB_RUNTIME_TENSORMAP_H

#include <cstdint>
#include <string>

namespace weir::rt {

/// Axes that a map of a tensor may have.
inline constexpr int32_t kMostAxes = 5;
/// Bytes of a map as kernels get it, and what it is aligned to.
inline constexpr int64_t kTensorMapBytes = 128;
inline constexpr int64_t kTensorMapAlignment = 64;
/// Bytes that the rows of a box have, and after which the permutation of their
/// sixteen-byte pieces in shared memory repeats.
inline constexpr int64_t kBoxRowBytes = 128;
inline constexpr int64_t kSwizzleBytes = 1024;

/// A tensor of bf16 that is copied by boxes, as `cuTensorMapEncodeTiled` takes
/// it: the axis whose elements are neighbours comes first, pieces of the rows
/// of a box are permuted (CU_TENSOR_MAP_SWIZZLE_128B), and what is outside of
/// the tensor is zero.
struct TensorMap {
  int64_t base = 0; ///< the address
  int32_t rank = 0;
  int32_t box[kMostAxes] = {};     ///< elements
  int64_t sizes[kMostAxes] = {};   ///< elements
  int64_t strides[kMostAxes] = {}; ///< bytes; that of the first axis is 2

  /// What `cuTensorMapEncodeTiled` would refuse, or nothing.
  std::string findFault() const;
};

} // namespace weir::rt

#endif // LIB_RUNTIME_TENSORMAP_H
