//===- BufferFacts.h - What is known of buffers in kernels -*- C++ -*-= ===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_CODEGEN_GPU_BUFFERFACTS_H
#define WEIR_LIB_CODEGEN_GPU_BUFFERFACTS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include <optional>

namespace weir {

/// The largest power of two, up to `most`, that the place of the elements of
/// `buffer`, in bytes, are multiples of: of rows, that is, of the last axis.
int64_t findRowAlignment(mlir::Value buffer, int64_t most);

/// What the extent of `buffer` along `axis` is at most, if that is known.
std::optional<int64_t> boundExtent(mlir::Value buffer, int64_t axis);

/// What fills the result of `op` with zeros right in front of it, if it is.
mlir::linalg::FillOp findZeroFill(mlir::linalg::GenericOp op);

} // namespace weir

#endif // WEIR_LIB_CODEGEN_GPU_BUFFERFACTS_H
