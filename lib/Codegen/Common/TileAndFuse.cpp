//===- TileAndFuse.cpp - Spread work over threads, fused by tiles -*- C++ -*-=//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each block is walked backwards, so that consumers come before what they
// consume. An operation becomes the root of a parallel loop in two cases:
//
// - Products. A scheduled `weir.packed_linear`, or an element-wise operation
//   with such a product (or several) behind operands that nobody else reads:
//   an activation, a gate, a residual addition. The root is cut along its
//   columns as the product's schedule says, and along its rows when these are
//   many, and the products are computed inside, tile by tile.
// - Rows. Any other operation that has much to do and whose outer loops are
//   parallel is cut along these, with the operations in front of it that
//   nobody else reads: a norm with its reductions, for instance.
//
// Products whose schedule is not parallel are cut likewise, into a plain loop:
// experts' bodies run on one thread, and threads share the experts.
//
// An operation with little to do, such as everything between the products of a
// decoding step, stays as it is: entering a parallel loop costs microseconds.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/TileUsingInterface.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Iterators.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "weir/Codegen/Passes.h"
#include "weir/IR/Weir.h"
#include "llvm/ADT/SetVector.h"

namespace weir {
#define GEN_PASS_DEF_TILEANDFUSE
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// Elements that lie side by side in what a transpose reads.
static constexpr int64_t TurnedRows = 256;

namespace {
/// How rows are cut.
struct RowLimits {
  /// Elements from which on an operation is worth a parallel loop of its own.
  int64_t worth;
  /// Elements of a tile.
  int64_t elements;
};

/// A root, what is computed inside its tiles, and their extents.
struct TilePlan {
  TilingInterface root;
  llvm::SmallPtrSet<Operation *, 8> fused;
  /// One per loop of the root; 0 leaves a loop whole.
  SmallVector<int64_t> tiles;
  /// Whether threads share the tiles; otherwise they are a plain loop.
  bool parallel = true;
};
} // namespace

/// Whether `op` computes each element of its one result from elements of its
/// operands at the same or fewer indices.
static bool isElementwise(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  return generic && generic.hasPureTensorSemantics() &&
         generic.getNumParallelLoops() == generic.getNumLoops() &&
         generic.getNumDpsInits() == 1 &&
         generic.getMatchingIndexingMap(generic.getDpsInitOperand(0))
             .isIdentity() &&
         generic.getBody()->getOps<tensor::ExtractOp>().empty();
}

/// The products behind `root` that its tiles can compute, in `plan.fused` with
/// the element-wise operations between.
static void collectProducts(Operation *root, TilePlan &plan,
                            SmallVectorImpl<PackedLinearOp> &products) {
  if (auto product = dyn_cast<PackedLinearOp>(root)) {
    products.push_back(product);
    return;
  }
  if (!isElementwise(root))
    return;
  SmallVector<linalg::GenericOp> open{cast<linalg::GenericOp>(root)};
  while (!open.empty()) {
    linalg::GenericOp generic = open.pop_back_val();
    for (OpOperand *operand : generic.getDpsInputOperands()) {
      Operation *producer = operand->get().getDefiningOp();
      if (!producer || !operand->get().hasOneUse() ||
          producer->getBlock() != root->getBlock() ||
          !generic.getMatchingIndexingMap(operand).isIdentity())
        continue;
      auto product = dyn_cast<PackedLinearOp>(producer);
      if (product && product.getSchedule()) {
        products.push_back(product);
        plan.fused.insert(product);
      } else if (isElementwise(producer)) {
        plan.fused.insert(producer);
        open.push_back(cast<linalg::GenericOp>(producer));
      }
    }
  }
}

/// The plan for `op` as the root of products, or none.
static std::optional<TilePlan> planProducts(Operation *op) {
  TilePlan plan{dyn_cast<TilingInterface>(op), {}, {}};
  if (!plan.root)
    return std::nullopt;
  SmallVector<PackedLinearOp> products;
  collectProducts(op, plan, products);
  if (products.empty())
    return std::nullopt;
  ScheduleAttr schedule = products.front().getScheduleAttr();
  // The op may be wrapped in nothing else: what it is cut into must suit all.
  if (!schedule || schedule.getTiles().size() != 2 ||
      llvm::any_of(products, [&](PackedLinearOp product) {
        return product.getScheduleAttr() != schedule ||
               product.getPanel() != products.front().getPanel();
      }))
    return std::nullopt;
  ArrayRef<int64_t> shape =
      cast<RankedTensorType>(op->getResult(0).getType()).getShape();
  int64_t rowTile = schedule.getTiles()[0];
  plan.tiles.assign(shape.size(), 0);
  plan.tiles.back() = schedule.getTiles()[1];
  plan.parallel = schedule.getParallel();
  // What runs on one thread has as many rows as its surroundings gave it.
  if (!plan.parallel)
    return plan;
  // Rows are the axes before the last; the innermost of them is cut, outer
  // ones are taken one by one.
  bool cut = false;
  for (int64_t axis = shape.size() - 2; axis >= 0; --axis) {
    if (shape[axis] == 1)
      continue;
    if (cut)
      plan.tiles[axis] = 1;
    else if (ShapedType::isDynamic(shape[axis]) || shape[axis] > rowTile)
      plan.tiles[axis] = rowTile;
    cut = true;
  }
  return plan;
}

/// Adds to `plan` the operations in front of its root that it alone reads and
/// that can be cut along rows with it.
static void collectRowProducers(TilePlan &plan) {
  SmallVector<Operation *> open{plan.root};
  while (!open.empty()) {
    Operation *op = open.pop_back_val();
    for (Value operand : op->getOperands()) {
      auto producer = operand.getDefiningOp<linalg::LinalgOp>();
      if (!producer || plan.fused.contains(producer) ||
          producer->getBlock() != plan.root->getBlock() ||
          !producer.hasPureTensorSemantics())
        continue;
      bool readElsewhere =
          llvm::any_of(producer->getUsers(), [&](Operation *user) {
            return user != plan.root && !plan.fused.contains(user);
          });
      if (readElsewhere)
        continue;
      plan.fused.insert(producer);
      open.push_back(producer);
    }
  }
}

/// Whether `op` is element-wise and reads an operand whose rows run along
/// `loop`, which is not the last one.
static bool isTurned(linalg::LinalgOp op, unsigned loop) {
  return op.getNumParallelLoops() == op.getNumLoops() &&
         llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *operand) {
           AffineMap map = op.getMatchingIndexingMap(operand);
           return loop + 1 < op.getNumLoops() && map.isPermutation() &&
                  map.getResults().back() ==
                      getAffineDimExpr(loop, map.getContext());
         });
}

/// The plan for `op` as an operation cut along rows, or none.
static std::optional<TilePlan> planRows(Operation *op,
                                        const RowLimits &limits) {
  auto root = dyn_cast<TilingInterface>(op);
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!root || isa<linalg::FillOp>(op) ||
      (linalgOp && !linalgOp.hasPureTensorSemantics()) ||
      op->getNumResults() == 0)
    return std::nullopt;
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  SmallVector<utils::IteratorType> iterators = root.getLoopIteratorTypes();
  if (!type || type.getRank() == 0 || iterators.empty())
    return std::nullopt;
  SmallVector<int64_t> loops(type.getShape());
  if (linalgOp)
    loops = linalgOp.getStaticLoopRanges();
  // Dynamic extents count as many.
  int64_t elements = 1;
  for (int64_t extent : loops)
    elements *= ShapedType::isDynamic(extent) ? limits.worth : extent;
  if (elements < limits.worth)
    return std::nullopt;

  // The outer parallel loops, up to two that are more than one step: the
  // inner one is cut so that a tile has enough to do.
  TilePlan plan{root, {}, SmallVector<int64_t>(iterators.size(), 0)};
  SmallVector<unsigned> cut;
  unsigned last = iterators.size();
  for (unsigned i = 0; i < iterators.size() && cut.size() < 2; ++i) {
    if (iterators[i] != utils::IteratorType::parallel || i >= loops.size())
      break;
    if (loops[i] == 1)
      continue;
    cut.push_back(i);
    last = i;
    if (!ShapedType::isDynamic(loops[i]))
      break;
  }
  if (cut.empty())
    return std::nullopt;
  int64_t inner = 1;
  for (int64_t extent : ArrayRef(loops).drop_front(last + 1))
    inner *= ShapedType::isDynamic(extent) ? 1 : std::max<int64_t>(extent, 1);
  for (unsigned loop : cut)
    plan.tiles[loop] = 1;
  plan.tiles[last] = std::max<int64_t>(1, limits.elements / inner);
  // Rows of the operand run along this loop, those of the result along the last
  // one: of both, pieces long enough to be fetched ahead.
  if (linalgOp && isTurned(linalgOp, last)) {
    plan.tiles[last] = TurnedRows;
    plan.tiles[iterators.size() - 1] =
        std::max<int64_t>(1, limits.elements / TurnedRows);
  }
  collectRowProducers(plan);
  return plan;
}

/// Replaces the root of `plan` by a parallel loop over its tiles.
static LogicalResult tile(RewriterBase &rewriter, TilePlan &plan) {
  scf::SCFTilingOptions tiling;
  tiling.setLoopType(plan.parallel ? scf::SCFTilingOptions::LoopType::ForallOp
                                   : scf::SCFTilingOptions::LoopType::ForOp);
  tiling.setTileSizes(
      getAsIndexOpFoldResult(rewriter.getContext(), plan.tiles));
  scf::SCFTileAndFuseOptions options;
  options.setTilingOptions(tiling);
  options.setFusionControlFn(
      [&](tensor::ExtractSliceOp, OpResult producer,
          bool) -> std::optional<scf::SCFTileAndFuseOptions::ControlFnResult> {
        Operation *op = producer.getOwner();
        if (!plan.fused.contains(op) && !isa<linalg::FillOp>(op))
          return std::nullopt;
        return scf::SCFTileAndFuseOptions::ControlFnResult{};
      });
  rewriter.setInsertionPoint(plan.root);
  FailureOr<scf::SCFTileAndFuseResult> tiled =
      scf::tileConsumerAndFuseProducersUsingSCF(rewriter, plan.root, options);
  if (failed(tiled))
    return plan.root->emitOpError("could not be cut into tiles");
  for (Value result : plan.root->getResults())
    if (Value replacement = tiled->replacements.lookup(result))
      rewriter.replaceAllUsesWith(result, replacement);
  // Slices of what was fused are left over and would keep it alive.
  for (LoopLikeOpInterface loop : tiled->loops)
    loop->walk<WalkOrder::PostOrder, ReverseIterator>([&](Operation *op) {
      if (op != loop && isOpTriviallyDead(op))
        rewriter.eraseOp(op);
    });
  return success();
}

/// Tiles what is worth it in `block`, and removes what became unused. Outside
/// of functions and layers, with `inner`, that is products alone.
static LogicalResult tileBlock(RewriterBase &rewriter, Block &block,
                               const RowLimits &limits, bool inner) {
  // Later operations first; tiles that a step makes are not visited.
  SmallVector<Operation *> order;
  for (Operation &op : llvm::reverse(block))
    order.push_back(&op);
  for (Operation *op : order) {
    if (isOpTriviallyDead(op)) {
      rewriter.eraseOp(op);
      continue;
    }
    std::optional<TilePlan> plan = planProducts(op);
    if (!plan && !inner)
      plan = planRows(op, limits);
    if (!plan)
      continue;
    if (failed(tile(rewriter, *plan)))
      return failure();
    if (isOpTriviallyDead(op))
      rewriter.eraseOp(op);
  }
  return success();
}

namespace {
struct TileAndFusePass : weir::impl::TileAndFuseBase<TileAndFusePass> {
  using TileAndFuseBase::TileAndFuseBase;

  void runOnOperation() override {
    // Blocks that run on one thread: functions and layers.
    SmallVector<Block *> blocks;
    getOperation()->walk([&](Operation *op) {
      if (isa<func::FuncOp, StackOp>(op))
        for (Region &region : op->getRegions())
          for (Block &block : region)
            blocks.push_back(&block);
      return isa<scf::ForallOp>(op) ? WalkResult::skip()
                                    : WalkResult::advance();
    });
    // Loops that an op with products in its region became.
    llvm::SetVector<Block *> inner;
    getOperation()->walk([&](PackedLinearOp product) {
      ScheduleAttr schedule = product.getScheduleAttr();
      if (schedule && !llvm::is_contained(blocks, product->getBlock()) &&
          (!schedule.getParallel() ||
           !product->getParentOfType<scf::ForallOp>()))
        inner.insert(product->getBlock());
    });
    IRRewriter rewriter(&getContext());
    RowLimits limits = {worth, elements};
    for (Block *block : inner)
      if (failed(tileBlock(rewriter, *block, limits, /*inner=*/true)))
        return signalPassFailure();
    for (Block *block : blocks)
      if (failed(tileBlock(rewriter, *block, limits, /*inner=*/false)))
        return signalPassFailure();
  }
};
} // namespace
