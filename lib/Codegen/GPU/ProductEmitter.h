//===- ProductEmitter.h - Writes products of a block ------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_CODEGEN_GPU_PRODUCTEMITTER_H
#define WEIR_LIB_CODEGEN_GPU_PRODUCTEMITTER_H

#include "ProductTiles.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

namespace weir {

/// Rows of the weight's tile: single steps of the reduction, or pairs.
inline constexpr int64_t WeightRows = 32;

/// Writes the loops of one product in front of it.
class ProductEmitter {
public:
  ProductEmitter(mlir::gpu::LaunchOp launch, PackedProduct &product,
                 const ProductPlan &plan);

  /// Tiles are shared by all blocks if `byGrid`; else each block computes all.
  void build(bool byGrid);

protected:
  using Values = llvm::SmallVector<mlir::Value>;

  /// Begins the region that says what a thread does, and reads extents.
  void beginRegion();
  /// A loop over the tiles of the result, by which `body` changes `count`, an
  /// index, from a tile to the next.
  void buildTileLoop(bool byGrid, mlir::Value count,
                     llvm::function_ref<mlir::Value(mlir::Value)> body);
  /// Clones what the first indices of the weight are computed of.
  void findPanelIndices();
  /// The indices of row number `row` on the axes before the last.
  Values splitRow(mlir::Value row);
  void addToResult(mlir::Value row, mlir::Value column, mlir::Value sum);

  // Arithmetic on indices.
  mlir::Value index(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, int64_t b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, int64_t b);
  mlir::Value div(mlir::Value a, int64_t b);
  mlir::Value rem(mlir::Value a, int64_t b);
  mlir::Value exclusive(mlir::Value a, mlir::Value b);
  mlir::Value min(mlir::Value a, mlir::Value b);
  mlir::Value max(mlir::Value a, mlir::Value b);
  mlir::Value isLess(mlir::Value a, mlir::Value b);
  void buildIf(mlir::Value condition, llvm::function_ref<void()> body);
  /// A shared buffer.
  mlir::Value allocate(llvm::ArrayRef<int64_t> shape, mlir::Type element);

  mlir::gpu::LaunchOp launch;
  PackedProduct &product;
  const ProductPlan &plan;
  mlir::OpBuilder builder;
  mlir::Location loc;
  int64_t inputBytes, weightBytes; ///< of an element
  mlir::Value thread;
  /// Extents of the axes before the last, their product, and the last one of
  /// the result.
  Values rowExtents;
  mlir::Value rowCount, columnCount;
  mlir::Value inputTile, weightTile, sumTile;
  /// The tile at hand.
  mlir::Value firstRow, firstColumn, tileColumn;
  Values panelIndices;

private:
  // Loops and copies (ProductTiles.cpp).
  void buildTile();
  /// Begins the copies of `step`, if there is one; gives their group.
  mlir::Value beginStep(mlir::Value step);
  void copyInput(mlir::Value step, mlir::Value stage);
  void copyWeight(mlir::Value step, mlir::Value stage);
  void sharePieces(int64_t pieces, llvm::function_ref<void(mlir::Value)> copy);
  /// Where an element of a tile lies in its row.
  mlir::Value placeInput(mlir::Value row, mlir::Value column);
  mlir::Value placeWeight(mlir::Value row, mlir::Value word);
  /// Adds to the result at `row` of the tile, from `column` of it on, as far
  /// as these are there.
  void storeRow(mlir::Value row, mlir::Value column, mlir::ValueRange sums);

  // What is multiplied from the tiles (ProductSums.cpp).
  Values startSums();
  Values multiplyStep(mlir::Value stage, mlir::ValueRange sums);
  void storeSums(mlir::ValueRange sums);
  Values multiplyFloats(mlir::Value stage, mlir::Value depth,
                        mlir::ValueRange sums);
  Values multiplyMatrices(mlir::Value stage, mlir::Value word,
                          mlir::ValueRange sums);
  mlir::Value loadInputMatrix(mlir::Value stage, mlir::Value word, int64_t row);
  mlir::Value loadWeightMatrix(mlir::Value stage, mlir::Value word,
                               int64_t column);
  /// `vector`, of f32, rounded to tf32.
  mlir::Value roundToTF32(mlir::Value vector);
  void storeSplitSums(mlir::ValueRange sums);
  mlir::Value extract(mlir::Value vector, llvm::ArrayRef<int64_t> at);
  mlir::Value loadVector(mlir::Value tile, mlir::ValueRange at, int64_t count);
  /// Rows of a tile that a thread sums, without matrices.
  int64_t getThreadRows();

  Values copies;
};

} // namespace weir

#endif // WEIR_LIB_CODEGEN_GPU_PRODUCTEMITTER_H
