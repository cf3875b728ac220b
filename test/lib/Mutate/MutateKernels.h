//===- MutateKernels.h - Kernels with a fault put in ------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TEST_LIB_MUTATE_MUTATEKERNELS_H
#define WEIR_TEST_LIB_MUTATE_MUTATEKERNELS_H

namespace weir {

/// Registers `test-mutate-kernels`.
void registerMutateKernels();

} // namespace weir

#endif // WEIR_TEST_LIB_MUTATE_MUTATEKERNELS_H
