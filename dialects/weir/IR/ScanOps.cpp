//===- ScanOps.cpp - Loops over time -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

LogicalResult ScanOp::verify() { return success(); }
FailureOr<SmallVector<Value>> ScanOp::buildReference(OpBuilder &) {
  return failure();
}
HistoryNeed ScanOp::getHistoryNeed(OpOperand &) {
  return HistoryNeed::pointwise();
}
FailureOr<SmallVector<Value>> ScanOp::buildStep(OpBuilder &,
                                                StreamingContext &) {
  return failure();
}
LogicalResult ScanOp::verifyRegions() { return success(); }
