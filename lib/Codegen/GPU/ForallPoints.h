//===- ForallPoints.h - Points of parallel loops, in a row ------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_CODEGEN_GPU_FORALLPOINTS_H
#define WEIR_LIB_CODEGEN_GPU_FORALLPOINTS_H

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace weir {

/// The points of a parallel loop without results, numbered one by one.
class ForallPoints {
public:
  /// Counts them at the place of `builder`, in front of `loop`.
  ForallPoints(mlir::OpBuilder &builder, mlir::scf::ForallOp loop);

  mlir::Value getCount() const { return count; }

  /// Moves what the loop does at point number `point` behind the place of
  /// `builder`, in front of the terminator of the block there. The last index
  /// changes from one point to the next. Erases the loop.
  void moveBody(mlir::OpBuilder &builder, mlir::Value point);

private:
  mlir::scf::ForallOp loop;
  llvm::SmallVector<mlir::Value> first, step, counts;
  mlir::Value count;
};

} // namespace weir

#endif // WEIR_LIB_CODEGEN_GPU_FORALLPOINTS_H
