//===- TinyDialect.cpp - The dialect and its op -*- C++ -*-===//

#include "Tiny.h"

using namespace mlir;

#include "TinyDialect.cpp.inc"

#define GET_OP_CLASSES
#include "TinyOps.cpp.inc"

void tiny::TinyDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "TinyOps.cpp.inc"
      >();
}

weir::HistoryNeed tiny::DoubleOp::getHistoryNeed(OpOperand &) {
  return weir::HistoryNeed::pointwise();
}

FailureOr<SmallVector<Value>>
tiny::DoubleOp::buildStep(OpBuilder &builder, weir::StreamingContext &context) {
  return weir::buildPointwiseStep(builder, *this, context);
}

bool tiny::DoubleOp::isTimePointwise() { return true; }

FailureOr<SmallVector<Value>>
tiny::DoubleOp::buildReference(OpBuilder &builder) {
  Value input = getInput();
  return SmallVector<Value>{linalg::AddOp::create(builder, getLoc(),
                                                  ValueRange{input, input},
                                                  ValueRange{input})
                                .getResult(0)};
}
