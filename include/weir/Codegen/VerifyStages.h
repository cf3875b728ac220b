//===- weir/Codegen/VerifyStages.h - Contracts between stages --*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_CODEGEN_VERIFYSTAGES_H
#define WEIR_CODEGEN_VERIFYSTAGES_H

#include "mlir/Pass/Pass.h"

namespace weir {

#define GEN_PASS_DECL
#include "weir/Codegen/StagePasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "weir/Codegen/StagePasses.h.inc"

} // namespace weir

#endif // WEIR_CODEGEN_VERIFYSTAGES_H
