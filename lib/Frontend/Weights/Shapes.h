//===- Shapes.h - Arithmetic on shapes of weights -------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Private to the weight expressions.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_WEIGHTS_SHAPES_H
#define WEIR_LIB_FRONTEND_WEIGHTS_SHAPES_H

#include "weir/Frontend/ElementTypes.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/FormatVariadic.h"

namespace weir {

/// "[2, 3]".
inline std::string describeShape(llvm::ArrayRef<int64_t> shape) {
  return llvm::formatv("[{0:$[, ]}]",
                       llvm::make_range(shape.begin(), shape.end()));
}

/// The product of extents known to fit.
inline int64_t multiply(llvm::ArrayRef<int64_t> extents) {
  int64_t product = 1;
  for (int64_t extent : extents)
    product *= extent;
  return product;
}

/// The elements between neighbours along each axis.
inline llvm::SmallVector<int64_t, 4> getStrides(llvm::ArrayRef<int64_t> shape) {
  llvm::SmallVector<int64_t, 4> strides(shape.size(), 1);
  for (size_t i = shape.size(); i > 1; --i)
    strides[i - 2] = strides[i - 1] * shape[i - 1];
  return strides;
}

/// Fails when the elements of a derived shape cannot be counted.
inline llvm::Error checkShape(llvm::ArrayRef<int64_t> shape) {
  llvm::Expected<int64_t> bytes = getStorageBytes(StorageType::F32, shape);
  return bytes ? llvm::Error::success() : bytes.takeError();
}

} // namespace weir

#endif // WEIR_LIB_FRONTEND_WEIGHTS_SHAPES_H
