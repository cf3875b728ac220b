//===- TileBlockMaps.cpp - Block maps become loops over tiles -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One rewrite for all mixers: a parallel loop over the points of the op's
// domain, in it a sequential loop that hands the carry on, and the op's own
// builders for what happens to a block. Each point writes its tile of each
// result; the tiles are disjoint, so that no result is ever copied as a whole.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/Codegen/Passes.h"
#include "weir/IR/Weir.h"

namespace weir {
#define GEN_PASS_DEF_TILEBLOCKMAPS
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// Replaces `map` by loops. Fails, with an error, if it has no schedule or one
/// it cannot follow.
static LogicalResult tileBlockMap(BlockMapInterface map) {
  Operation *op = map;
  Location loc = op->getLoc();
  auto schedule = op->getAttrOfType<ScheduleAttr>("schedule");
  if (!schedule)
    return op->emitOpError("has no schedule; run weir-select-schedule first or "
                           "write one by hand");
  OpBuilder builder(op);
  FailureOr<BlockDomain> domain = map.getBlockDomain(builder, schedule);
  if (failed(domain))
    return failure();
  SmallVector<Value> outputs = map.buildDestinations(builder);

  auto forall = scf::ForallOp::create(builder, loc, domain->parallel, outputs,
                                      /*mapping=*/std::nullopt);
  builder.setInsertionPoint(forall.getTerminator());
  SmallVector<Value> point(forall.getInductionVars());
  SmallVector<TilePlace> places = map.getResultTiles(builder, schedule, point);
  auto getStrides = [&](const TilePlace &place) {
    return SmallVector<OpFoldResult>(place.sizes.size(),
                                     builder.getIndexAttr(1));
  };
  SmallVector<Value> destinations;
  for (auto [output, place] : llvm::zip(forall.getRegionIterArgs(), places))
    destinations.push_back(tensor::ExtractSliceOp::create(
        builder, loc, output, place.offsets, place.sizes, getStrides(place)));
  SmallVector<Value> invariants = map.buildInvariants(builder, schedule, point);
  SmallVector<Value> init =
      map.buildInit(builder, schedule, point, invariants, destinations);
  auto [first, last] =
      map.buildCarriedRange(builder, schedule, point, invariants);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  auto loop =
      scf::ForOp::create(builder, loc, first, last, one, init,
                         [&](OpBuilder &, Location, Value, ValueRange) {});
  builder.setInsertionPointToEnd(loop.getBody());
  scf::YieldOp::create(builder, loc,
                       map.buildStepOnBlock(builder, schedule, point,
                                            loop.getInductionVar(), invariants,
                                            loop.getRegionIterArgs()));
  builder.setInsertionPoint(forall.getTerminator());
  SmallVector<Value> tiles = map.buildFinish(
      builder, schedule, point, invariants, destinations, loop.getResults());
  builder.setInsertionPointToEnd(forall.getTerminator().getBody());
  for (auto [tile, output, place] :
       llvm::zip(tiles, forall.getRegionIterArgs(), places))
    tensor::ParallelInsertSliceOp::create(builder, loc, tile, output,
                                          place.offsets, place.sizes,
                                          getStrides(place));
  op->replaceAllUsesWith(forall.getResults());
  op->erase();
  return success();
}

namespace {
struct TileBlockMapsPass : weir::impl::TileBlockMapsBase<TileBlockMapsPass> {
  void runOnOperation() override {
    SmallVector<BlockMapInterface> maps;
    getOperation()->walk([&](BlockMapInterface map) { maps.push_back(map); });
    for (BlockMapInterface map : maps)
      if (failed(tileBlockMap(map)))
        return signalPassFailure();
  }
};
} // namespace
