//===- StoredTypes.h - How the checkpoint stores weights -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_COMPILER_STOREDTYPES_H
#define WEIR_LIB_COMPILER_STOREDTYPES_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace weir {

class Checkpoint;

/// Sets `stored` on each `weir.param` of `module` whose checkpoint tensors all
/// have one type: its name in lower case, e.g. "q4_1". Packing keeps what is
/// stored where it can, and has no checkpoint to look at. Fails when a tensor
/// is missing or misshapen.
llvm::Error annotateStoredTypes(mlir::ModuleOp module, Checkpoint &checkpoint);

} // namespace weir

#endif // WEIR_LIB_COMPILER_STOREDTYPES_H
