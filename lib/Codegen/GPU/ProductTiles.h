//===- ProductTiles.h - Products by tiles of shared memory ------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_CODEGEN_GPU_PRODUCTTILES_H
#define WEIR_LIB_CODEGEN_GPU_PRODUCTTILES_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace weir {

/// Columns of a panel, and of a tile.
inline constexpr int64_t ProductColumns = 64;
/// Rows of a tile at most.
inline constexpr int64_t ProductRows = 32;
/// Rows of a tile of a warpgroup at most.
inline constexpr int64_t WarpgroupRows = 128;
/// Threads of a block that computes products.
inline constexpr int64_t ProductThreads = 128;
/// Threads of a block of which a warpgroup multiplies and another warp copies.
inline constexpr int64_t WarpgroupThreads = ProductThreads + 32;

/// `result[..., n] += sum_k input[..., k] * weight[n / 64, k, n % 64]`, as the
/// plain definition of `weir.packed_linear` on buffers says it. Pairs are
/// `weight[n / 64, k / 2, n % 64, k % 2]`.
struct PackedProduct {
  mlir::linalg::GenericOp op;
  /// How the body reads the weight, and its panel's number within the op, of
  /// which the first indices of `load` are computed.
  mlir::memref::LoadOp load;
  mlir::Value panel;
  bool pairs = false;
  /// What makes the result zero before, if that is known.
  mlir::linalg::FillOp fill;
  /// The extent of the reduction.
  int64_t reduction = 0;

  mlir::Value getInput() { return op.getDpsInputs()[0]; }
  mlir::Value getResult() { return op.getDpsInits()[0]; }
  mlir::Type getInputType() {
    return mlir::cast<mlir::MemRefType>(getInput().getType()).getElementType();
  }
  mlir::Type getWeightType() { return load.getMemRefType().getElementType(); }
};

/// `op` as such a product, or none, with the reason in `why` if it is nearly
/// one.
std::optional<PackedProduct> matchPackedProduct(mlir::linalg::GenericOp op,
                                                std::string &why);

/// How a block computes a product.
struct ProductPlan {
  /// By `mma.sync`; its factors rounded to tf32 where they are of f32.
  bool matrices = false;
  /// Rows of a tile.
  int64_t rows = 0;
  /// Whether one tile is all there can be.
  bool single = false;
  /// Whether threads share the reduction, and add up in the end.
  bool splits = false;
  /// Elements of the reduction in a step, and how many steps there are.
  int64_t depth = 0, steps = 0;
  /// Steps whose operands are in shared memory at once.
  int64_t stages = 0;
  /// Bytes of the input that a thread copies at once.
  int64_t inputBytes = 0;

  /// Shared memory for the operands' tiles and for sums.
  int64_t getInputTileBytes() const { return stages * rows * 128; }
  int64_t getWeightTileBytes(int64_t weightBytes) const;
  int64_t getSumBytes() const;
};

/// Sees whether one tile of `plan`, of at most `rows` rows, is all there can be
/// of `product`; gives the bound of its rows, if it has one.
std::optional<int64_t> boundTile(PackedProduct &product, int64_t rows,
                                 ProductPlan &plan);

/// Bytes of one of the 32 rows of a weight's tile.
int64_t getWeightRowBytes(PackedProduct &product);

/// The plan for `product` with at most `bytes` of shared memory, or none.
std::optional<ProductPlan> planProduct(PackedProduct &product, int64_t bytes,
                                       int64_t stages, bool tf32);

/// Writes in front of `product.op` what the threads of `launch` do of it, for
/// weir-distribute-threads to leave as it is.
void buildProduct(mlir::gpu::LaunchOp launch, PackedProduct &product,
                  const ProductPlan &plan);

/// The plan for `product` by a warpgroup, `wgmma` and copies of boxes (sm_90a),
/// or none, with the reason in `why`.
std::optional<ProductPlan> planWarpgroupProduct(mlir::gpu::LaunchOp launch,
                                                PackedProduct &product,
                                                int64_t bytes, int64_t stages,
                                                std::string &why);

/// The same as `buildProduct` of such a plan; the launch has WarpgroupThreads.
void buildWarpgroupProduct(mlir::gpu::LaunchOp launch, PackedProduct &product,
                           const ProductPlan &plan);

} // namespace weir

#endif // WEIR_LIB_CODEGEN_GPU_PRODUCTTILES_H
