//===- Main.cpp - Entry point of standalone executables -------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kept apart from the runtime library, since it refers to the symbol that only
// a compiled model defines.
//
//===----------------------------------------------------------------------===//

#include "weir-rt/Runtime.h"

int main(int argc, char **argv) { return weir_main(&weir_model, argc, argv); }
