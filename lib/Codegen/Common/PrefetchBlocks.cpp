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
// A core waits for only some ten lines at once, and work that needs one more
// stands still. So the rows of all buffers are dealt out over the loops of a
// step: each asks for a few before it begins.
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
#include "llvm/ADT/MapVector.h"

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

/// Asks for rows `from` to `to` of the block behind `block`.
static void prefetchNext(OpBuilder &builder, const RowBlock &block,
                         int64_t from, int64_t to) {
  memref::SubViewOp view = block.view;
  Location loc = view.getLoc();
  auto constant = [&](int64_t number) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, number);
  };
  SmallVector<Value> first =
      getValueOrCreateConstantIndexOp(builder, loc, view.getMixedOffsets());
  first[block.axis] = arith::AddIOp::create(builder, loc, first[block.axis],
                                            constant(block.rows));
  scf::ForOp::create(
      builder, loc, constant(from), constant(to), constant(1), {},
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

/// Asks for rows `from` to `to` of all of `blocks`, counted one block after
/// another.
static void prefetchRows(OpBuilder &builder, ArrayRef<RowBlock> blocks,
                         int64_t from, int64_t to) {
  for (const RowBlock &block : blocks) {
    int64_t first = std::max<int64_t>(from, 0);
    int64_t last = std::min(to, block.rows);
    if (first < last)
      prefetchNext(builder, block, first, last);
    from -= block.rows;
    to -= block.rows;
  }
}

/// Loops of `op` that run one after another: one of a loop, of a branch those
/// of the longer way.
static int64_t countLoops(Operation &op) {
  if (isa<scf::ForOp>(op))
    return 1;
  int64_t longest = 0;
  if (isa<scf::IfOp>(op))
    for (Region &region : op.getRegions()) {
      int64_t loops = 0;
      for (Operation &inner : region.getOps())
        loops += countLoops(inner);
      longest = std::max(longest, loops);
    }
  return longest;
}

/// Deals rows `from` to `to` of `blocks` out over the loops from `begin` on,
/// whichever way branches go.
static void dealRows(ArrayRef<RowBlock> blocks, Block *block,
                     Block::iterator begin, int64_t from, int64_t to) {
  int64_t left = 0;
  for (Operation &op : llvm::make_range(begin, block->end()))
    left += countLoops(op);
  if (left == 0) {
    OpBuilder builder(block, begin);
    return prefetchRows(builder, blocks, from, to);
  }
  for (Operation &op :
       llvm::make_early_inc_range(llvm::make_range(begin, block->end()))) {
    int64_t loops = countLoops(op);
    if (loops == 0)
      continue;
    int64_t middle = from + llvm::divideCeil((to - from) * loops, left);
    left -= loops;
    if (auto branch = dyn_cast<scf::IfOp>(op)) {
      if (!branch.elseBlock()) {
        OpBuilder builder(branch.getContext());
        builder.createBlock(&branch.getElseRegion());
        scf::YieldOp::create(builder, op.getLoc());
      }
      for (Region &region : branch->getRegions())
        dealRows(blocks, &region.front(), region.front().begin(), from, middle);
    } else {
      OpBuilder builder(&op);
      prefetchRows(builder, blocks, from, middle);
    }
    from = middle;
  }
}

namespace {
struct PrefetchBlocksPass : weir::impl::PrefetchBlocksBase<PrefetchBlocksPass> {
  void runOnOperation() override {
    // Those of one step stand in one block.
    llvm::MapVector<Block *, SmallVector<RowBlock>> steps;
    getOperation()->walk([&](memref::SubViewOp view) {
      if (std::optional<RowBlock> block = matchBlock(view))
        steps[view->getBlock()].push_back(*block);
    });
    for (auto &[step, blocks] : steps) {
      int64_t rows = 0;
      for (const RowBlock &block : blocks)
        rows += block.rows;
      dealRows(blocks, step, std::next(blocks.back().view->getIterator()), 0,
               rows);
    }
  }
};
} // namespace
