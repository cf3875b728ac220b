//===- weir/Transforms/Passes.h - Passes of the weir dialect -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TRANSFORMS_PASSES_H
#define WEIR_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir {
namespace arith {
class ArithDialect;
} // namespace arith
namespace linalg {
class LinalgDialect;
} // namespace linalg
namespace math {
class MathDialect;
} // namespace math
namespace scf {
class SCFDialect;
} // namespace scf
namespace tensor {
class TensorDialect;
} // namespace tensor
} // namespace mlir

namespace weir {

#define GEN_PASS_DECL
#include "weir/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "weir/Transforms/Passes.h.inc"

} // namespace weir

#endif // WEIR_TRANSFORMS_PASSES_H
