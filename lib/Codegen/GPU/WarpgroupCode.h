//===- WarpgroupCode.h - Products of warpgroups as code ---------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_CODEGEN_GPU_WARPGROUPCODE_H
#define WEIR_LIB_CODEGEN_GPU_WARPGROUPCODE_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include <optional>

namespace weir {

/// Columns of a product of a warpgroup at most, a multiple of 8.
inline constexpr int64_t MostWarpgroupColumns = 256;
/// Registers of A of a lane.
inline constexpr int64_t WarpgroupFactors = 4;

// The NVVM dialect has `wgmma.mma_async` with both factors in shared memory
// alone, and a wait that says nothing of registers: without that, the back end
// might read sums before. Both are text here, which the emulator knows again.

/// `wgmma.mma_async` of m64nNk16 of bf16: adds to `sums`, N / 2 values of f32,
/// the products of `factors`, four words of A, and B as `descriptor` (i64)
/// tells of it. Results may be used behind a wait alone.
llvm::SmallVector<mlir::Value> emitWarpgroupProduct(mlir::OpBuilder &builder,
                                                    mlir::Location loc,
                                                    mlir::ValueRange sums,
                                                    mlir::ValueRange factors,
                                                    mlir::Value descriptor);

/// `wgmma.wait_group`: `sums` as they are when all but the last `groups` groups
/// of products have ended.
llvm::SmallVector<mlir::Value> emitWarpgroupWait(mlir::OpBuilder &builder,
                                                 mlir::Location loc,
                                                 mlir::ValueRange sums,
                                                 int64_t groups);

/// What is known of such code.
struct WarpgroupCode {
  bool wait = false;
  /// Sums, and of a wait groups that may be under way.
  int64_t sums = 0, groups = 0;
};

/// `code` as one of the above, or none.
std::optional<WarpgroupCode> matchWarpgroupCode(mlir::LLVM::InlineAsmOp code);

} // namespace weir

#endif // WEIR_LIB_CODEGEN_GPU_WARPGROUPCODE_H
