//===- AttentionTiling.cpp - Attention as a block map -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;
