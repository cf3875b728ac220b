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

/// Magnitudes of e2m1 numbers, doubled, by their three bits.
inline constexpr int8_t DoubledE2M1[] = {0, 1, 2, 3, 4, 6, 8, 12};
inline constexpr int64_t LargestDoubledE2M1 = 12;

/// What the micro-kernels need to know of the machine and the caller's plan.
struct MicroKernelTarget {
  /// Width of a vector register.
  int64_t vectorBits = 512;
  /// Vector registers there are.
  int64_t registers = 32;
  /// Whether multiply-add is one instruction; without it `vector.fma` would
  /// become a library call for every lane.
  bool hasFMA = true;
  /// Whether unsigned by signed bytes multiply and add in one instruction, of
  /// AVX512-VNNI (`avx512`) or AVX-VNNI.
  bool hasVNNI = true;
  /// Whether pairs of bf16 multiply and add in one instruction (AVX512-BF16).
  bool hasBF16 = true;
  /// Whether bytes of a vector are looked up among 16 in one instruction.
  bool hasByteShuffle = true;

  /// f32 elements of a register.
  int64_t getLanes() const { return vectorBits / 32; }
};

/// Writes the loops and vector operations of one `weir.packed_linear`. Rows,
/// which are all axes of the input but the last, and columns may be dynamic;
/// the reduction is static. Every method builds at its builder's insertion
/// point; those that take a destination tensor return its new value.
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

  /// A panel of the weight, and the column of the result it begins at.
  struct Panel {
    mlir::Value index, column;
  };
  /// Rows computed together, each by its indices on the axes before the last.
  using Rows = llvm::ArrayRef<llvm::SmallVector<mlir::Value>>;
  using RowsFn =
      llvm::function_ref<mlir::Value(mlir::OpBuilder &, Rows, mlir::Value)>;
  /// The `v`-th vector of weights at step `k` of the reduction.
  using WeightsFn =
      llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Value, int64_t)>;

  // Loops (LowerPackedLinear.cpp).
  mlir::Value emitPanel(mlir::OpBuilder &builder, Panel panel,
                        mlir::Value dest);
  mlir::Value emitRowTiles(mlir::OpBuilder &builder, int64_t largest,
                           mlir::Value dest, RowsFn kernel);
  llvm::SmallVector<mlir::Value> getRow(mlir::OpBuilder &builder,
                                        mlir::Value row);

  // Float weights (FloatKernel.cpp).
  mlir::Value emitFloatRows(mlir::OpBuilder &builder, Panel panel, Rows rows,
                            WeightsFn weights, mlir::Value dest);
  mlir::Value readSpread(mlir::OpBuilder &builder,
                         llvm::ArrayRef<mlir::Value> row, mlir::Value step);
  mlir::Value multiplyStep(mlir::OpBuilder &builder, mlir::Value spread,
                           mlir::Value weights, mlir::Value sum);

  // What quants are (QuantCodes.cpp).
  /// Words of a byte for each quant, of words of halves of a byte: those of the
  /// first four, and of the next.
  std::pair<mlir::Value, mlir::Value> splitHalves(mlir::OpBuilder &builder,
                                                  mlir::Value words);
  /// Each byte of `words`, an e2m1 number, as twice it plus `zeroPoint`.
  mlir::Value decodeE2M1(mlir::OpBuilder &builder, mlir::Value words);
  /// The quants of `words`, one vector of integers for each step of the
  /// reduction.
  Vectors unpackQuants(mlir::OpBuilder &builder, mlir::Value words);
  /// The same as floats, for code that multiplies them so; of e4m3, the
  /// numbers themselves.
  Vectors unpackFloats(mlir::OpBuilder &builder, mlir::Value words);
  /// What the quants at `at` are multiplied by.
  mlir::Value readScales(mlir::OpBuilder &builder, mlir::ValueRange at);

  // Quantised weights and float inputs (QuantKernel.cpp).
  void emitGroupSums(mlir::OpBuilder &builder);
  mlir::Value emitDequantizedPanel(mlir::OpBuilder &builder, Panel panel);
  mlir::Value emitQuantRow(mlir::OpBuilder &builder, Panel panel, Rows rows,
                           mlir::Value dest);

  // Quantised weights and inputs (IntegerKernel.cpp).
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
                         mlir::ValueRange at, int64_t count,
                         bool inBounds = true);
  mlir::Value readFloats(mlir::OpBuilder &builder, mlir::Value tensor,
                         mlir::ValueRange at);
  mlir::Value writeVector(mlir::OpBuilder &builder, mlir::Value vector,
                          mlir::Value tensor, mlir::ValueRange at,
                          bool inBounds = true);
  llvm::SmallVector<mlir::Value> at(llvm::ArrayRef<mlir::Value> row,
                                    mlir::Value column);
  mlir::Value extract(mlir::OpBuilder &builder, mlir::Value tensor,
                      llvm::ArrayRef<mlir::Value> row, mlir::Value column);
  Vectors emitInitial(mlir::OpBuilder &builder, const Panel &panel,
                      int64_t rows);
  mlir::Value emitStores(mlir::OpBuilder &builder, const Panel &panel,
                         Rows rows, mlir::ArrayRef<mlir::Value> accumulators,
                         mlir::Value dest);

  PackedLinearOp op;
  MicroKernelTarget target;
  mlir::Location loc;
  /// Vectors in a panel.
  int64_t vectors;
  int64_t reduction, panelWidth, lanes, bits, group;
  mlir::VectorType floats, integers;
  /// The number of rows, when it is static.
  std::optional<int64_t> staticRows;
  /// Extents of the axes before the last, and their product.
  llvm::SmallVector<mlir::OpFoldResult> extents;
  mlir::Value rowCount;
  /// Whether all columns of the last panel are known to exist.
  bool wholePanels;
  mlir::Value input;
  /// Weights; quants with their last two axes joined.
  mlir::Value values, scales, mins;
  /// Without mins, the quant that stands for zero; of e2m1, the number that
  /// makes all of them, doubled, no negative ones; of e4m3, 0.
  int64_t zeroPoint;
  /// Sums of a single row's groups, `[K/group]` of f32.
  mlir::Value groupSums;
};

} // namespace weir

#endif // WEIR_LIB_CODEGEN_CPU_PACKEDLINEAREMITTER_H
