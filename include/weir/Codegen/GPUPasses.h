//===- weir/Codegen/GPUPasses.h - Code generation for GPUs ------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_CODEGEN_GPUPASSES_H
#define WEIR_CODEGEN_GPUPASSES_H

#include "mlir/Pass/Pass.h"

namespace weir {

/// Bytes that shared buffers are aligned to: what a thread's widest access
/// wants.
inline constexpr int64_t SharedAlignment = 16;
/// The same of tiles that boxes are copied to: their permutation repeats behind
/// as many.
inline constexpr int64_t TileAlignment = 1024;

/// The attribute of a kernel that lists the bytes of its shared buffers, of
/// which an emulated one has several.
inline constexpr llvm::StringLiteral SharedAttrName = "weir.shared";

// The dialects of a pass are included where it is defined: NVVM's classes take
// long to read, and whoever runs passes needs none.
#define GEN_PASS_DECL
#include "weir/Codegen/GPUPasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "weir/Codegen/GPUPasses.h.inc"

} // namespace weir

#endif // WEIR_CODEGEN_GPUPASSES_H
