//===- NormOps.cpp - Normalisations over features -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/PatternMatch.h"
#include "weir/IR/ConstantOperands.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

/// Checks the parts that all normalisations share.
static LogicalResult verifyNorm(Operation *op, Value input, Value weight,
                                Value bias, double eps) {
  auto type = cast<RankedTensorType>(input.getType());
  if (type.getRank() < 1 || type.isDynamicDim(type.getRank() - 1))
    return op->emitOpError("normalises ")
           << type << ", expected a static last axis";
  // rms_norm_c2, layer_norm_c2
  for (Value part : {weight, bias}) {
    if (!part)
      continue;
    auto partType = cast<RankedTensorType>(part.getType());
    if (partType.getRank() != 1 ||
        partType.getDimSize(0) != type.getShape().back())
      return op->emitOpError("has a weight or bias of type ")
             << partType << " for " << type.getShape().back() << " features";
  }
  // rms_norm_c3, layer_norm_c3
  if (!(eps >= 0))
    return op->emitOpError("has eps ") << eps << ", expected at least 0";
  return success();
}

LogicalResult RMSNormOp::verify() {
  return verifyNorm(*this, getInput(), getWeight(), Value(),
                    getEps().convertToDouble());
}

LogicalResult LayerNormOp::verify() {
  return verifyNorm(*this, getInput(), getWeight(), getBias(),
                    getEps().convertToDouble());
}

//===----------------------------------------------------------------------===//
// Canonical form
//===----------------------------------------------------------------------===//

// Multiplying by one is exact. Adding a bias of zero is not, since it makes a
// result of minus zero a plain one: it stays.

LogicalResult RMSNormOp::canonicalize(RMSNormOp op, PatternRewriter &rewriter) {
  double offset = op.getOffset().convertToDouble();
  bool scalesByOne =
      op.getWeight() && ((offset == 0 && isConstantFloat(op.getWeight(), 1)) ||
                         (offset == 1 && isConstantFloat(op.getWeight(), 0)));
  if (!scalesByOne && (op.getWeight() || offset == 0))
    return rewriter.notifyMatchFailure(op, "the weight has an effect");
  rewriter.modifyOpInPlace(op, [&] {
    op.getWeightMutable().clear();
    op.setOffset(APFloat(0.0));
  });
  return success();
}

LogicalResult LayerNormOp::canonicalize(LayerNormOp op,
                                        PatternRewriter &rewriter) {
  if (!isConstantFloat(op.getWeight(), 1))
    return rewriter.notifyMatchFailure(op, "the weight has an effect");
  rewriter.modifyOpInPlace(op, [&] { op.getWeightMutable().clear(); });
  return success();
}
