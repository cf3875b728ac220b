//===- weir/Transforms/Passes.h - Passes of the dialect ---------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TRANSFORMS_PASSES_H
#define WEIR_TRANSFORMS_PASSES_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"
#include "weir/IR/Weir.h"

namespace weir {

#define GEN_PASS_DECL
#include "weir/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "weir/Transforms/Passes.h.inc"

} // namespace weir

#endif // WEIR_TRANSFORMS_PASSES_H
