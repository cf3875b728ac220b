//===- NormOps.cpp - Normalisations over features -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

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
