//===- CompilerParts.h - What parts of the compiler share -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_COMPILER_COMPILERPARTS_H
#define WEIR_LIB_COMPILER_COMPILERPARTS_H

#include "weir/Compiler/Compiler.h"

namespace weir {

/// Where a module that is behind tensors keeps its interface.
inline constexpr llvm::StringLiteral InterfaceAttrName = "weir.interface";

/// The text of `module`, as a dump of a stage has it.
std::string printModule(mlir::ModuleOp module);

/// Takes the attributes of the dialect off `op`, which LLVM IR does not know.
void removeWeirAttributes(mlir::Operation *op);

} // namespace weir

#endif // WEIR_LIB_COMPILER_COMPILERPARTS_H
