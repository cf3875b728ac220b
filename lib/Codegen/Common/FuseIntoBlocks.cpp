//===- FuseIntoBlocks.cpp - Element-wise work in block maps -----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A gate before a mixer, or a skip behind it, would write a tensor as large as
// the mixer's own only for it to be read again. Both move into the parallel
// loop that a block map became:
//
// - A producer whose result is read in slices there alone is computed slice by
//   slice. Each of its elements must be read at most once, which is seen from
//   the slice's offsets: each of the loop's indices stands in one of them.
// - A consumer that alone reads a result of the loop takes the tile before it
//   is written, in the tile's place.
//
//===----------------------------------------------------------------------===//

#include "SliceReads.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "weir/Codegen/Passes.h"
#include "weir/IR/Weir.h"

namespace weir {
#define GEN_PASS_DEF_FUSEINTOBLOCKS
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;

/// Whether each element of the one result of `op` is computed from elements of
/// its operands at the same or fewer indices, whatever these are.
static bool isElementwise(linalg::GenericOp op) {
  return op.hasPureTensorSemantics() && op.getNumDpsInits() == 1 &&
         op.getNumParallelLoops() == op.getNumLoops() &&
         op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity() &&
         llvm::all_of(
             op.getIndexingMapsArray(),
             [](AffineMap map) { return map.isProjectedPermutation(); }) &&
         !op.hasIndexSemantics() &&
         op.getBody()->getOps<tensor::ExtractOp>().empty() &&
         !op.payloadUsesValueFromOperand(op.getDpsInitOperand(0));
}

namespace {
/// Part of a tensor, with axes of extent 1 that are dropped.
struct Part {
  SmallVector<OpFoldResult> offsets, sizes;
  llvm::SmallBitVector dropped;
};
} // namespace

/// `part` of the result of `op`, computed alone; where `known` is given, it is
/// that part of the operand `known` points to.
static Value buildPart(OpBuilder &builder, linalg::GenericOp op,
                       const Part &part, RankedTensorType type, Value into,
                       OpOperand *known, Value knownPart) {
  Location loc = op.getLoc();
  // Loops that stay, and their new numbers.
  SmallVector<AffineExpr> loops;
  unsigned count = 0;
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    loops.push_back(part.dropped[loop]
                        ? getAffineConstantExpr(0, op.getContext())
                        : getAffineDimExpr(count++, op.getContext()));
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  OpFoldResult one = builder.getIndexAttr(1);
  for (OpOperand *operand : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(operand);
    SmallVector<AffineExpr> kept;
    SmallVector<OpFoldResult> offsets, sizes;
    SmallVector<int64_t> shape;
    for (unsigned axis = 0; axis < map.getNumResults(); ++axis) {
      unsigned loop = map.getDimPosition(axis);
      offsets.push_back(part.offsets[loop]);
      sizes.push_back(part.sizes[loop]);
      if (part.dropped[loop])
        continue;
      kept.push_back(loops[loop]);
      shape.push_back(
          getConstantIntValue(sizes.back()).value_or(ShapedType::kDynamic));
    }
    maps.push_back(AffineMap::get(count, 0, kept, op.getContext()));
    if (operand == known) {
      inputs.push_back(knownPart);
      continue;
    }
    auto source = dyn_cast<RankedTensorType>(operand->get().getType());
    inputs.push_back(source && source.getRank()
                         ? tensor::ExtractSliceOp::create(
                               builder, loc, source.clone(shape),
                               operand->get(), offsets, sizes,
                               SmallVector<OpFoldResult>(sizes.size(), one))
                         : operand->get());
  }
  if (!into) {
    SmallVector<OpFoldResult> sizes;
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
      if (!part.dropped[loop])
        sizes.push_back(part.sizes[loop]);
    into = tensor::EmptyOp::create(builder, loc, sizes, type.getElementType());
  }
  maps.push_back(builder.getMultiDimIdentityMap(count));
  auto generic = linalg::GenericOp::create(
      builder, loc, type, inputs, into, maps,
      SmallVector<utils::IteratorType>(count, utils::IteratorType::parallel));
  IRMapping mapping;
  op.getRegion().cloneInto(&generic.getRegion(), mapping);
  return generic.getResult(0);
}

//===----------------------------------------------------------------------===//
// Producers
//===----------------------------------------------------------------------===//

/// Computes the result of `producer` in the slices that `loop` reads of it.
static bool fuseProducer(RewriterBase &rewriter, linalg::GenericOp producer,
                         scf::ForallOp loop) {
  SmallVector<tensor::ExtractSliceOp> slices;
  for (Operation *user : producer->getUsers()) {
    if (isa<tensor::DimOp>(user))
      continue;
    auto slice = dyn_cast<tensor::ExtractSliceOp>(user);
    if (!slice || !loop->isProperAncestor(slice) || !slice.hasUnitStride() ||
        !weir::readsApart(slice, loop))
      return false;
    slices.push_back(slice);
  }
  // Two slices may overlap, but for those of which only one is ever read.
  for (size_t i = 0; i < slices.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (!insideMutuallyExclusiveRegions(slices[i], slices[j]))
        return false;
  for (tensor::ExtractSliceOp slice : slices) {
    rewriter.setInsertionPoint(slice);
    Part part{slice.getMixedOffsets(), slice.getMixedSizes(),
              slice.getDroppedDims()};
    Value value =
        buildPart(rewriter, producer, part, slice.getType(), {}, nullptr, {});
    rewriter.replaceOp(slice, value);
  }
  return !slices.empty();
}

//===----------------------------------------------------------------------===//
// Consumers
//===----------------------------------------------------------------------===//

/// Lets tiles of `loop` be what `consumer` makes of them.
static bool fuseConsumer(RewriterBase &rewriter, scf::ForallOp loop,
                         OpResult result, DominanceInfo &dominance) {
  if (!result.hasOneUse())
    return false;
  OpOperand &use = *result.use_begin();
  auto consumer = dyn_cast<linalg::GenericOp>(use.getOwner());
  if (!consumer || consumer->getBlock() != loop->getBlock() ||
      !isElementwise(consumer) || !consumer.isDpsInput(&use) ||
      !consumer.getMatchingIndexingMap(&use).isIdentity() ||
      consumer.getResult(0).getType() != result.getType())
    return false;
  for (Value input : consumer.getDpsInputs())
    if (input != result && !dominance.properlyDominates(input, loop))
      return false;
  // Tiles of a loop that goes on with what another one began are not all.
  if (!loop.getOutputs()[result.getResultNumber()]
           .getDefiningOp<tensor::EmptyOp>())
    return false;
  tensor::ParallelInsertSliceOp insertion;
  BlockArgument output = loop.getTiedBlockArgument(
      &loop.getOutputsMutable()[result.getResultNumber()]);
  for (Operation &op : loop.getTerminator().getYieldingOps())
    if (auto insert = dyn_cast<tensor::ParallelInsertSliceOp>(op))
      if (insert.getDest() == output)
        insertion = insertion ? tensor::ParallelInsertSliceOp() : insert;
  if (!insertion || !insertion.hasUnitStride() ||
      insertion.getSourceType().getRank() != insertion.getDestType().getRank())
    return false;
  rewriter.setInsertionPoint(loop.getTerminator());
  Value tile = insertion.getSource();
  Part part{insertion.getMixedOffsets(), insertion.getMixedSizes(),
            llvm::SmallBitVector(consumer.getNumLoops())};
  Value value = buildPart(rewriter, consumer, part, insertion.getSourceType(),
                          tile, &use, tile);
  rewriter.modifyOpInPlace(insertion,
                           [&] { insertion.getSourceMutable().assign(value); });
  rewriter.replaceOp(consumer, result);
  return true;
}

namespace {
struct FuseIntoBlocksPass : weir::impl::FuseIntoBlocksBase<FuseIntoBlocksPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<scf::ForallOp> loops;
    getOperation()->walk([&](scf::ForallOp loop) { loops.push_back(loop); });
    for (scf::ForallOp loop : loops) {
      DominanceInfo dominance(loop->getParentOp());
      for (OpResult result : loop.getResults())
        while (fuseConsumer(rewriter, loop, result, dominance))
          ;
      fuseProducers(rewriter, loop);
    }
  }

  /// Producers nearest to the loop first, so that chains of them follow.
  static void fuseProducers(RewriterBase &rewriter, scf::ForallOp loop) {
    SmallVector<linalg::GenericOp> producers;
    for (Operation &op :
         llvm::make_range(loop->getBlock()->begin(), loop->getIterator()))
      if (auto generic = dyn_cast<linalg::GenericOp>(op))
        producers.push_back(generic);
    for (linalg::GenericOp producer : llvm::reverse(producers))
      if (isElementwise(producer) && !producer->use_empty() &&
          fuseProducer(rewriter, producer, loop) && isOpTriviallyDead(producer))
        rewriter.eraseOp(producer);
  }
};
} // namespace
