//===- weir-opt.cpp - Run passes over a module -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "weir/Compiler/RegisterPipelines.h"
#include "weir/Init.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  weir::registerAllDialects(registry);
  weir::registerAllPasses();
  weir::registerPipelines();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "weir pass driver\n", registry));
}
