//===- PrefetchBlocks.cpp - Fetch the next block's rows ---------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A head's rows lie far apart, with those of other heads between them, so that
// a processor's own prefetching takes what this thread does not need and misses
// what it does. Where a loop goes through a buffer by blocks of such rows, each
// step asks for those of the next one, into the second-level cache: a block's
// work takes far longer than they need.
//
// Behind the last block this asks for what nobody reads, which does no harm.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "weir/Codegen/Passes.h"

namespace weir {
#define GEN_PASS_DEF_PREFETCHBLOCKS
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;

/// Bytes of a line of a cache.
static constexpr int64_t LineBytes = 64;

namespace {
/// The rows that a subview takes of a buffer, a block a step of a loop.
struct RowBlock {
  memref::SubViewOp view;
  /// The axis the loop goes along, and rows a step.
  unsigned axis;
  int64_t rows;
  /// Elements of a row, which lie side by side, and of a line.
  int64_t width, line;
};
} // namespace

/// Whether `value` is the index of a loop around `view` times `rows`, and the
/// loop leaves `buffer` as it is.
static bool isBlock(Value value, int64_t rows, memref::SubViewOp view) {
  auto product = value.getDefiningOp<arith::MulIOp>();
  auto index =
      product ? dyn_cast<BlockArgument>(product.getLhs()) : BlockArgument();
  if (!index || getConstantIntValue(product.getRhs()) != rows)
    return false;
  auto loop = dyn_cast<scf::ForOp>(index.getOwner()->getParentOp());
  return loop && loop.getInductionVar() == index &&
         loop.isDefinedOutsideOfLoop(view.getSource());
}

/// What `view` is, if it is a block of rows that do not lie side by side.
static std::optional<RowBlock> matchBlock(memref::SubViewOp view) {
  MemRefType source = view.getSourceType();
  SmallVector<int64_t> strides;
  int64_t offset;
  if (!source.getElementType().isIntOrFloat() || !view.hasUnitStride() ||
      failed(source.getStridesAndOffset(strides, offset)) || strides.empty() ||
      strides.back() != 1 || !view.getType().hasStaticShape())
    return std::nullopt;
  SmallVector<OpFoldResult> offsets = view.getMixedOffsets();
  ArrayRef<int64_t> sizes = view.getStaticSizes();
  RowBlock block{view, 0, 0, sizes.back(), 0};
  block.line = LineBytes * 8 / source.getElementTypeBitWidth();
  for (unsigned axis = 0; axis + 1 < sizes.size(); ++axis) {
    if (sizes[axis] == 1)
      continue;
    auto first = dyn_cast<Value>(offsets[axis]);
    if (block.rows || !first || !isBlock(first, sizes[axis], view))
      return std::nullopt;
    block.axis = axis;
    block.rows = sizes[axis];
  }
  if (!block.rows || strides[block.axis] == block.width ||
      block.width < block.line)
    return std::nullopt;
  return block;
}

static void prefetchNext(const RowBlock &block) {
  memref::SubViewOp view = block.view;
  OpBuilder builder(view);
  Location loc = view.getLoc();
  auto constant = [&](int64_t number) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, number);
  };
  SmallVector<Value> first =
      getValueOrCreateConstantIndexOp(builder, loc, view.getMixedOffsets());
  first[block.axis] = arith::AddIOp::create(builder, loc, first[block.axis],
                                            constant(block.rows));
  scf::ForOp::create(
      builder, loc, constant(0), constant(block.rows), constant(1), {},
      [&](OpBuilder &b, Location l, Value row, ValueRange) {
        SmallVector<Value> place(first);
        place[block.axis] = arith::AddIOp::create(b, l, first[block.axis], row);
        for (int64_t at = 0; at < block.width; at += block.line) {
          place.back() = arith::AddIOp::create(
              b, l, first.back(), arith::ConstantIndexOp::create(b, l, at));
          memref::PrefetchOp::create(b, l, view.getSource(), place,
                                     /*isWrite=*/false, /*localityHint=*/2,
                                     /*isDataCache=*/true);
        }
        scf::YieldOp::create(b, l);
      });
}

namespace {
struct PrefetchBlocksPass : weir::impl::PrefetchBlocksBase<PrefetchBlocksPass> {
  void runOnOperation() override {
    SmallVector<RowBlock> blocks;
    getOperation()->walk([&](memref::SubViewOp view) {
      if (std::optional<RowBlock> block = matchBlock(view))
        blocks.push_back(*block);
    });
    for (const RowBlock &block : blocks)
      prefetchNext(block);
  }
};
} // namespace
