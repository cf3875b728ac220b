//===- Tiny.h - A dialect outside Weir's tree -------------------*- C++ -*-===//

#ifndef TINY_H
#define TINY_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Pass/Pass.h"
#include "weir/IR/Weir.h"

#include "TinyDialect.h.inc"

#define GET_OP_CLASSES
#include "TinyOps.h.inc"

namespace tiny {
#define GEN_PASS_DECL
#include "TinyPasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "TinyPasses.h.inc"
} // namespace tiny

#endif // TINY_H
