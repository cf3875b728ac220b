//===- weir/Compiler/Remarks.h - Show what was optimised -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_COMPILER_REMARKS_H
#define WEIR_COMPILER_REMARKS_H

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace weir {

/// Prints every remark of passes whose category (the pass) matches the regular
/// expression `filter` to `os`, one a line, as
/// `FILE:LINE:COLUMN: remark: missed [pass:name] reason`. What several
/// functions have alike is printed once. Passes then run on one thread, so that
/// lines come in the module's order. Fails when `filter` is no expression.
llvm::Error enableRemarks(mlir::MLIRContext &context, llvm::StringRef filter,
                          llvm::raw_ostream &os);

} // namespace weir

#endif // WEIR_COMPILER_REMARKS_H
