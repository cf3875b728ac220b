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
namespace LLVM {
class LLVMDialect;
} // namespace LLVM
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
namespace affine {
class AffineDialect;
} // namespace affine
namespace math {
class MathDialect;
} // namespace math
namespace scf {
class SCFDialect;
} // namespace scf
namespace tensor {
class TensorDialect;
} // namespace tensor
namespace vector {
class VectorDialect;
} // namespace vector
} // namespace mlir

namespace weir {

#define GEN_PASS_DECL
#include "weir/Codegen/CPUPasses.h.inc"
#define GEN_PASS_DECL
#include "weir/Codegen/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "weir/Codegen/CPUPasses.h.inc"
#define GEN_PASS_REGISTRATION
#include "weir/Codegen/Passes.h.inc"

} // namespace weir

#endif // WEIR_CODEGEN_PASSES_H
