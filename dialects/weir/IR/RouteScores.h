//===- RouteScores.h - What routers make of logits --------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_ROUTESCORES_H
#define WEIR_IR_ROUTESCORES_H

#include "weir/IR/Weir.h"

namespace weir {

/// The scores of all experts, `[..., E]` as `logits` are, in the type that
/// their sums have.
mlir::Value buildRouteScores(mlir::OpBuilder &builder, mlir::Location loc,
                             RouteScore score, mlir::Value logits);

/// What `score` is ranked by: itself, or minus infinity if it is no number.
mlir::Value buildRankable(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::Value score);

} // namespace weir

#endif // WEIR_IR_ROUTESCORES_H
