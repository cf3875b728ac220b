//===- weir/Codegen/Passes.h - Code generation passes -----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_CODEGEN_PASSES_H
#define WEIR_CODEGEN_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir {
namespace arith {
class ArithDialect;
} // namespace arith
namespace bufferization {
class BufferizationDialect;
} // namespace bufferization
namespace func {
class FuncDialect;
} // namespace func
namespace linalg {
class LinalgDialect;
} // namespace linalg
namespace memref {
class MemRefDialect;
} // namespace memref
} // namespace mlir

namespace weir {

#define GEN_PASS_DECL
#include "weir/Codegen/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "weir/Codegen/Passes.h.inc"

} // namespace weir

#endif // WEIR_CODEGEN_PASSES_H
