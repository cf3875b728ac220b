//===- KernelAttrs.h - What passes on kernels agree on ----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_CODEGEN_GPU_KERNELATTRS_H
#define WEIR_LIB_CODEGEN_GPU_KERNELATTRS_H

#include "llvm/ADT/StringRef.h"

namespace weir {

/// Threads that go in step.
inline constexpr int64_t WarpSize = 32;

/// The address space of shared memory in the LLVM dialect.
inline constexpr unsigned SharedSpace = 3;
/// That of shared memory as the blocks of a cluster see it.
inline constexpr unsigned SharedClusterSpace = 7;
/// That of the memory that all blocks reach.
inline constexpr unsigned GlobalSpace = 1;

/// Set on a `gpu.launch` whose body does not say yet which thread does what:
/// "block" where each block does all of it, "grid" where all blocks share one
/// operation.
inline constexpr llvm::StringLiteral SharedByAttrName = "weir.shared_by";

/// Set on a region of a launch that says itself what a thread does.
inline constexpr llvm::StringLiteral ByThreadAttrName = "weir.by_thread";

} // namespace weir

#endif // WEIR_LIB_CODEGEN_GPU_KERNELATTRS_H
