//===- Diagnostics.h - Diagnostics without a place -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TOOLS_WEIRC_DIAGNOSTICS_H
#define WEIR_TOOLS_WEIRC_DIAGNOSTICS_H

#include "mlir/IR/Diagnostics.h"

namespace weir {

/// Prints a diagnostic that has no place in a file: with the part of the model
/// that its location names, if any. Others are left, and the result is a
/// failure.
llvm::LogicalResult printUnplaced(mlir::Diagnostic &diagnostic);

} // namespace weir

#endif // WEIR_TOOLS_WEIRC_DIAGNOSTICS_H
