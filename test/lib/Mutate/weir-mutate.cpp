//===- weir-mutate.cpp - Puts faults into kernels ---------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MutateKernels.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "weir/Init.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  weir::registerAllDialects(registry);
  weir::registerMutateKernels();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "puts faults into lowered kernels\n", registry));
}
