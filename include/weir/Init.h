//===- weir/Init.h - Register all dialects and passes -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_INIT_H
#define WEIR_INIT_H

#include "mlir/IR/DialectRegistry.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "weir/Codegen/GPUPasses.h"
#include "weir/Codegen/Passes.h"
#include "weir/Codegen/VerifyStages.h"
#include "weir/IR/Weir.h"
#include "weir/Transforms/Passes.h"

namespace weir {

/// Registers the weir dialect and all upstream dialects, with the interfaces
/// that bufferisation and lowering attach to them.
inline void registerAllDialects(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<WeirDialect>();
}

/// Registers Weir's passes, and upstream's, by their names.
inline void registerAllPasses() {
  mlir::registerAllPasses();
  registerWeirTransformsPasses();
  registerWeirCodegenPasses();
  registerWeirCPUPasses();
  registerWeirGPUPasses();
  registerWeirStagePasses();
}

} // namespace weir

#endif // WEIR_INIT_H
