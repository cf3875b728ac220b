//===- DeviceCode.h - Kernels of a model --------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_COMPILER_DEVICECODE_H
#define WEIR_LIB_COMPILER_DEVICECODE_H

#include "weir/Compiler/Compiler.h"

namespace weir {

/// Whether functions launch kernels with these options.
bool hasKernels(const CompileOptions &options);

/// The architectures of `options`, as they were listed.
llvm::SmallVector<llvm::StringRef> getGPUArchs(const CompileOptions &options);

/// Bytes of shared memory that a block may have on each of them.
int64_t getSharedBytes(const CompileOptions &options);

/// Whether kernels may use what sm_90a alone has: all architectures are that.
bool usesWarpgroups(const CompileOptions &options);

/// Turns the kernels of `module`, which is at the stage `lowered`, into code of
/// the target: functions of the host for the emulator, images for a GPU.
/// Nothing of `gpu` is left in it.
mlir::FailureOr<DeviceInterface> buildDeviceCode(mlir::ModuleOp module,
                                                 const CompileOptions &options);

/// PTX of the kernels of `module`, for the one architecture of `options`.
mlir::FailureOr<std::string> buildPTX(mlir::ModuleOp module,
                                      const CompileOptions &options);

} // namespace weir

#endif // WEIR_LIB_COMPILER_DEVICECODE_H
