//===- weir/Codegen/GPUPasses.h - Code generation for GPUs ------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_CODEGEN_GPUPASSES_H
#define WEIR_CODEGEN_GPUPASSES_H

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
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

#define GEN_PASS_DECL
#include "weir/Codegen/GPUPasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "weir/Codegen/GPUPasses.h.inc"

} // namespace weir

#endif // WEIR_CODEGEN_GPUPASSES_H
