//===- weir/Compiler/RegisterPipelines.h - Stages in weir-opt --*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_COMPILER_REGISTERPIPELINES_H
#define WEIR_COMPILER_REGISTERPIPELINES_H

namespace weir {

/// Registers the pipeline of each stage as `weir-<stage>-pipeline`, with the
/// fields of its options struct as options.
void registerPipelines();

} // namespace weir

#endif // WEIR_COMPILER_REGISTERPIPELINES_H
