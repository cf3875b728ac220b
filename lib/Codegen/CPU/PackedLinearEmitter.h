//===- PackedLinearEmitter.h - Micro-kernels of packed weights -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_CODEGEN_CPU_PACKEDLINEAREMITTER_H
#define WEIR_LIB_CODEGEN_CPU_PACKEDLINEAREMITTER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "weir/IR/Weir.h"

namespace weir {

/// How quantised weights meet float activations.
enum class QuantCompute {
  Float,  ///< weights become f32
  Integer ///< activations become int8, by groups, for integer dot products
};

/// What the micro-kernels need to know of the machine and the caller's plan.
struct MicroKernelTarget {
  /// Width of a vector register.
  int64_t vectorBits = 512;
  /// Vector registers there are.
  int64_t registers = 32;
  /// Whether multiply-add is one instruction; without it `vector.fma` would
  /// become a library call for every lane.
  bool hasFMA = true;
  QuantCompute compute = QuantCompute::Float;
  /// Pieces that an op with `parallel` is cut into.
  int64_t chunks = 4;

  /// f32 elements of a register.
  int64_t getLanes() const { return vectorBits / 32; }
};

/// A tensor seen as a matrix: all axes but the last are rows.
struct MatrixView {
  mlir::Value tensor;
  /// The axis that counts rows; the others before the last have extent 1.
  int64_t rowAxis = 0;
  int64_t rank = 2;
};

/// Writes the loops and vector operations of one `weir.packed_linear` on static
/// extents. Every method builds at its builder's insertion point; those that
/// take a destination tensor return its new value.
class PackedLinearEmitter {
public:
  PackedLinearEmitter(PackedLinearOp op, const MicroKernelTarget &target);

  /// Whether the op has a form the kernels cover; an error at the op if not.
  static llvm::LogicalResult check(PackedLinearOp op,
                                   const MicroKernelTarget &target);

  /// The value of the op's result.
  mlir::Value emit(mlir::OpBuilder &builder);

private:
  using Vectors = llvm::SmallVector<mlir::Value, 32>;

  /// The columns of one panel that exist, and where they go.
  struct Panel {
    mlir::Value index;  ///< which panel
    mlir::Value column; ///< column of the destination it begins at
    int64_t columns;    ///< columns, at most the panel's width
  };
  /// Neighbouring rows computed together.
  struct Rows {
    mlir::Value first;
    int64_t count;
  };
  using RowsFn =
      llvm::function_ref<mlir::Value(mlir::OpBuilder &, Rows, mlir::Value)>;
  /// The `v`-th vector of weights at step `k` of the reduction.
  using WeightsFn =
      llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Value, int64_t)>;

  // Loops (LowerPackedLinear.cpp).
  MatrixView viewAsMatrix(mlir::OpBuilder &builder, mlir::Value tensor);
  mlir::Value emitPanels(mlir::OpBuilder &builder, mlir::Value begin,
                         mlir::Value end, mlir::Value dest);
  mlir::Value emitParallelPanels(mlir::OpBuilder &builder, int64_t count,
                                 mlir::Value dest);
  mlir::Value emitPanel(mlir::OpBuilder &builder, Panel panel,
                        mlir::Value dest);
  mlir::Value emitRowTiles(mlir::OpBuilder &builder, int64_t tile,
                           mlir::Value dest, RowsFn kernel);

  // Float weights (FloatKernel.cpp).
  mlir::Value emitFloatRows(mlir::OpBuilder &builder, Panel panel, Rows rows,
                            WeightsFn weights, mlir::Value dest);

  // Quantised weights (QuantKernel.cpp).
  void emitGroupSums(mlir::OpBuilder &builder);
  void emitQuantizedInput(mlir::OpBuilder &builder);
  mlir::Value emitDequantizedPanel(mlir::OpBuilder &builder, Panel panel);
  mlir::Value emitQuantRow(mlir::OpBuilder &builder, Panel panel,
                           mlir::Value dest);
  mlir::Value emitIntegerRows(mlir::OpBuilder &builder, Panel panel, Rows rows,
                              mlir::Value dest);

  // Pieces shared by the kernels.
  mlir::Value index(mlir::OpBuilder &builder, int64_t value);
  mlir::Value add(mlir::OpBuilder &builder, mlir::Value lhs, int64_t rhs);
  mlir::Value scale(mlir::OpBuilder &builder, mlir::Value lhs, int64_t rhs);
  mlir::Value splat(mlir::OpBuilder &builder, float value);
  mlir::Value splatInt(mlir::OpBuilder &builder, int32_t value);
  mlir::Value broadcast(mlir::OpBuilder &builder, mlir::Value scalar);
  mlir::Value multiplyAdd(mlir::OpBuilder &builder, mlir::Value lhs,
                          mlir::Value rhs, mlir::Value acc);
  mlir::Value readVector(mlir::OpBuilder &builder, mlir::Value tensor,
                         mlir::ValueRange at, int64_t count);
  mlir::Value readFloats(mlir::OpBuilder &builder, mlir::Value tensor,
                         mlir::ValueRange at);
  mlir::Value writeVector(mlir::OpBuilder &builder, mlir::Value vector,
                          mlir::Value tensor, mlir::ValueRange at);
  llvm::SmallVector<mlir::Value> at(mlir::OpBuilder &builder,
                                    const MatrixView &view, mlir::Value row,
                                    mlir::Value column);
  int64_t countVectors(const Panel &panel) const;
  Vectors emitInitial(mlir::OpBuilder &builder, const Panel &panel,
                      int64_t rows);
  mlir::Value emitStores(mlir::OpBuilder &builder, const Panel &panel,
                         Rows rows, mlir::ArrayRef<mlir::Value> accumulators,
                         mlir::Value dest);

  PackedLinearOp op;
  MicroKernelTarget target;
  mlir::Location loc;
  int64_t rows, reduction, features, panels, panelWidth, lanes, bits, group;
  mlir::VectorType floats, integers;
  MatrixView input, result;
  /// Weights; quants with their last two axes joined.
  mlir::Value values, scales, mins;
  /// Without mins, the quant that stands for zero.
  int64_t zeroPoint;
  /// Sums of the input's groups `[rows, K/group]`, f32: of the input itself, or
  /// of its quantised values times their scale.
  mlir::Value groupSums;
  /// The input in int8: four neighbours along K in each i32 `[rows, K/4]`,
  /// scales `[rows, K/group]`, and, without mins, what quants' zero point adds
  /// to each group's dot product, `[rows, K/group]` of i32.
  mlir::Value inputQuants, inputScales, inputOffsets;
};

} // namespace weir

#endif // WEIR_LIB_CODEGEN_CPU_PACKEDLINEAREMITTER_H
