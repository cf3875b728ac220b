//===- weir/Codegen/ExtentBounds.h - What extents are at most ---*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_CODEGEN_EXTENTBOUNDS_H
#define WEIR_CODEGEN_EXTENTBOUNDS_H

#include "mlir/IR/Value.h"
#include <optional>

namespace weir {

/// The largest value that `extent`, an index, can have, such as the size of a
/// tile cut short at the end; none where nothing bounds it.
std::optional<int64_t> findExtentBound(mlir::Value extent);

} // namespace weir

#endif // WEIR_CODEGEN_EXTENTBOUNDS_H
