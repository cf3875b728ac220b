//===- WeightsWriter.h - Write the packed weights file -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_COMPILER_WEIGHTSWRITER_H
#define WEIR_LIB_COMPILER_WEIGHTSWRITER_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace weir {

class Checkpoint;

/// Writes the file that `weir_model_desc::weights_id` refers to: every
/// `weir.param` of `module` that has an `offset`, in its packed form. Returns
/// the id, a hash of the payload. `path` is left alone on failure.
llvm::Expected<uint64_t> writeWeights(mlir::ModuleOp module,
                                      Checkpoint *checkpoint,
                                      llvm::StringRef path);

} // namespace weir

#endif // WEIR_LIB_COMPILER_WEIGHTSWRITER_H
