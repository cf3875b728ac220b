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
LogicalResult CausalConvOp::verify() { return success(); }
FailureOr<SmallVector<Value>> CausalConvOp::buildReference(OpBuilder &) {
  return failure();
}
HistoryNeed CausalConvOp::getHistoryNeed(OpOperand &) {
  return HistoryNeed::pointwise();
}
FailureOr<SmallVector<Value>> CausalConvOp::buildStep(OpBuilder &,
                                                      StreamingContext &) {
  return failure();
}
LogicalResult ShiftOp::verify() { return success(); }
FailureOr<SmallVector<Value>> ShiftOp::buildReference(OpBuilder &) {
  return failure();
}
HistoryNeed ShiftOp::getHistoryNeed(OpOperand &) {
  return HistoryNeed::pointwise();
}
FailureOr<SmallVector<Value>> ShiftOp::buildStep(OpBuilder &,
                                                 StreamingContext &) {
  return failure();
}
LogicalResult ScanOp::verifyRegions() { return success(); }
