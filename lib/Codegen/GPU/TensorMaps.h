//===- TensorMaps.h - Maps of tensors that kernels copy by ------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_CODEGEN_GPU_TENSORMAPS_H
#define WEIR_LIB_CODEGEN_GPU_TENSORMAPS_H

#include "ProductTiles.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace weir {

/// Bytes of a map, and what it is aligned to.
inline constexpr int64_t TensorMapBytes = 128;
inline constexpr int64_t TensorMapAlignment = 64;

/// The rows of a product's input as a part of a whole buffer in rows.
struct MappedRows {
  /// A buffer from outside of the launch, without gaps.
  mlir::Value root;
  /// Where the input begins on the axes before the last; none: at the start.
  llvm::SmallVector<mlir::OpFoldResult> offsets;
};

/// The input of `product` as such, or none, with the reason in `why`.
std::optional<MappedRows> findMappedRows(mlir::gpu::LaunchOp launch,
                                         PackedProduct &product,
                                         std::string &why);

/// Whether the weight of `product`, in pairs, can be copied by boxes of 32
/// pairs of a panel; if not, with the reason in `why`.
bool isMappedWeight(mlir::gpu::LaunchOp launch, PackedProduct &product,
                    std::string &why);

/// Makes the host encode, in front of `launch`, a map of a buffer of bf16: a
/// pointer that the kernel gets the map by. Axes of the buffer before the last
/// are one, and a box is 64 elements by `rows`.
mlir::Value buildRowsMap(mlir::gpu::LaunchOp launch, mlir::Value buffer,
                         int64_t rows);

/// The same of a weight in pairs: boxes are 64 elements, two of these, and
/// `rows` pairs of a panel. The axes of the map, the first that of neighbours,
/// are halves of a row of 64 pairs, the halves, pairs, and the axes in front.
mlir::Value buildPairsMap(mlir::gpu::LaunchOp launch, mlir::Value weight,
                          int64_t rows);

} // namespace weir

#endif // WEIR_LIB_CODEGEN_GPU_TENSORMAPS_H
