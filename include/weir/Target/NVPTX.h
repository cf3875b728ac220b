//===- weir/Target/NVPTX.h - Code for NVIDIA GPUs ---------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TARGET_NVPTX_H
#define WEIR_TARGET_NVPTX_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>

namespace mlir {
class Operation;
} // namespace mlir

namespace weir {

/// Refuses an architecture that no code can be generated for, such as "sm_42".
llvm::Error checkGPUArch(llvm::StringRef arch);

/// Bytes of shared memory that a block may ask for on `arch`.
int64_t getSharedBytes(llvm::StringRef arch);

/// PTX of `kernels`, a module in the LLVM and NVVM dialects, for `arch`.
llvm::Expected<std::string> emitPTX(mlir::Operation *kernels,
                                    llvm::StringRef arch);

/// Machine code for `arch`, by the ptxas found on the machine; none where there
/// is none. The error has its words. `ptx` is what was assembled in the end:
/// kernels that spilled say there that they may take more registers.
llvm::Expected<std::optional<std::string>> assemblePTX(std::string &ptx,
                                                       llvm::StringRef arch);

} // namespace weir

#endif // WEIR_TARGET_NVPTX_H
