//===- weir/IR/Cost.h - What an op costs -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_COST_H
#define WEIR_IR_COST_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"
#include <string>

namespace weir {

/// Where on the way through a sequence an op is looked at.
struct CostPoint {
  int64_t batch = 1;
  /// New positions of each row.
  int64_t time = 1;
  /// Positions each row has seen before them.
  int64_t context = 0;
};

/// What one execution of an op takes.
struct OpCost {
  /// Multiplications, additions and the like.
  double flops = 0;
  /// Bytes of weights read.
  double weightBytes = 0;
  /// Bytes of state read or written.
  double stateBytes = 0;

  OpCost &operator+=(const OpCost &other) {
    flops += other.flops;
    weightBytes += other.weightBytes;
    stateBytes += other.stateBytes;
    return *this;
  }
  OpCost operator*(double times) const {
    return {flops * times, weightBytes * times, stateBytes * times};
  }
};

/// Elements of a tensor of type `type` at `point`.
double getElements(mlir::Type type, const CostPoint &point);

/// Bytes of a tensor of type `type` at `point`.
double getBytes(mlir::Type type, const CostPoint &point);

/// Bytes of those operands of `op` that are weights.
double getWeightOperandBytes(mlir::Operation *op);

/// Gives the ops of the dialect their costs.
void attachCostModels(mlir::MLIRContext *context);

} // namespace weir

#include "weir/IR/WeirCostInterface.h.inc"

#endif // WEIR_IR_COST_H
