//===- WeirInterfaces.cpp - What mixers and masks can do -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/WeirInterfaces.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

#include "weir/IR/WeirAttrInterfaces.cpp.inc"
#include "weir/IR/WeirOpInterfaces.cpp.inc"

FailureOr<SmallVector<Value>>
weir::buildPointwiseStep(OpBuilder &builder, Operation *op,
                         StreamingContext &context) {
  IRMapping mapping;
  llvm::SetVector<Value> read(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), read);
  for (Value value : read)
    mapping.map(value, context.lookup(value));
  Operation *step = builder.clone(*op, mapping);
  return SmallVector<Value>(step->getResults());
}
