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
// A schedule may cut the carried range into parts. Then a first parallel loop,
// over points and parts, finds the transfer of each part, and the loop over the
// points joins those of its parts in order instead of visiting blocks.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
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

namespace {
/// Builds the loops of one block map.
class BlockMapTiler {
public:
  BlockMapTiler(BlockMapInterface map, ScheduleAttr schedule)
      : map(map), schedule(schedule), builder(map.getOperation()),
        loc(map->getLoc()) {}

  /// Replaces the map, or fails with an error.
  LogicalResult run();

private:
  /// A carry, or a transfer, behind block `index`.
  using Step = function_ref<SmallVector<Value>(Value index, ValueRange carry)>;

  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  /// The carry behind the blocks [first, last).
  SmallVector<Value> buildFold(Value first, Value last, ValueRange init,
                               Step step);
  SmallVector<Value> buildTransfers(const BlockDomain &domain, int64_t parts);
  SmallVector<Value> buildCarry(ValueRange point, ValueRange invariants,
                                ValueRange destinations, ValueRange transfers,
                                int64_t parts);
  /// Where the transfer of `part` of `point` lies in `transfers`.
  TilePlace getTransferPlace(ValueRange point, Value part,
                             RankedTensorType type);
  SmallVector<OpFoldResult> getStrides(const TilePlace &place) {
    return SmallVector<OpFoldResult>(place.sizes.size(),
                                     builder.getIndexAttr(1));
  }

  BlockMapInterface map;
  ScheduleAttr schedule;
  OpBuilder builder;
  Location loc;
};
} // namespace

SmallVector<Value> BlockMapTiler::buildFold(Value first, Value last,
                                            ValueRange init, Step step) {
  auto loop =
      scf::ForOp::create(builder, loc, first, last, constant(1), init,
                         [&](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(loop.getBody());
  scf::YieldOp::create(builder, loc,
                       step(loop.getInductionVar(), loop.getRegionIterArgs()));
  return SmallVector<Value>(loop.getResults());
}

TilePlace BlockMapTiler::getTransferPlace(ValueRange point, Value part,
                                          RankedTensorType type) {
  TilePlace place;
  llvm::append_range(place.offsets, point);
  place.offsets.push_back(part);
  place.sizes.assign(place.offsets.size(), builder.getIndexAttr(1));
  place.offsets.append(type.getRank(), builder.getIndexAttr(0));
  for (int64_t extent : type.getShape())
    place.sizes.push_back(builder.getIndexAttr(extent));
  return place;
}

/// The transfers of all parts of all points, side by side.
SmallVector<Value> BlockMapTiler::buildTransfers(const BlockDomain &domain,
                                                 int64_t parts) {
  SmallVector<OpFoldResult> extents(domain.parallel);
  extents.push_back(builder.getIndexAttr(parts));
  SmallVector<RankedTensorType> types = map.getTransferTypes(schedule);
  SmallVector<Value> outputs;
  for (RankedTensorType type : types) {
    SmallVector<OpFoldResult> sizes(extents);
    for (int64_t extent : type.getShape())
      sizes.push_back(builder.getIndexAttr(extent));
    outputs.push_back(
        tensor::EmptyOp::create(builder, loc, sizes, type.getElementType()));
  }
  auto forall = scf::ForallOp::create(builder, loc, extents, outputs,
                                      /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(forall.getTerminator());
  SmallVector<Value> point(forall.getInductionVars());
  Value part = point.pop_back_val();
  SmallVector<Value> invariants = map.buildInvariants(builder, schedule, point);
  auto [first, last] =
      map.buildCarriedRange(builder, schedule, point, invariants);
  // Parts are alike but for the last ones, which may be shorter or empty.
  Value blocks = arith::SubIOp::create(builder, loc, last, first);
  Value share =
      arith::CeilDivSIOp::create(builder, loc, blocks, constant(parts));
  Value begin = arith::AddIOp::create(
      builder, loc, first, arith::MulIOp::create(builder, loc, part, share));
  Value end = arith::MinSIOp::create(
      builder, loc, last, arith::AddIOp::create(builder, loc, begin, share));
  SmallVector<Value> transfer = buildFold(
      begin, end, map.buildTransferInit(builder, schedule, point, invariants),
      [&](Value index, ValueRange transfer) {
        return map.buildSummary(builder, schedule, point, index, invariants,
                                transfer);
      });
  builder.setInsertionPointToEnd(forall.getTerminator().getBody());
  for (auto [tensor, output, type] :
       llvm::zip_equal(transfer, forall.getRegionIterArgs(), types)) {
    TilePlace place = getTransferPlace(point, part, type);
    tensor::ParallelInsertSliceOp::create(builder, loc, tensor, output,
                                          place.offsets, place.sizes,
                                          getStrides(place));
  }
  return SmallVector<Value>(forall.getResults());
}

/// The carry behind all blocks of `point`.
SmallVector<Value> BlockMapTiler::buildCarry(ValueRange point,
                                             ValueRange invariants,
                                             ValueRange destinations,
                                             ValueRange transfers,
                                             int64_t parts) {
  SmallVector<Value> init =
      map.buildInit(builder, schedule, point, invariants, destinations);
  if (transfers.empty()) {
    auto [first, last] =
        map.buildCarriedRange(builder, schedule, point, invariants);
    return buildFold(first, last, init, [&](Value index, ValueRange carry) {
      return map.buildStepOnBlock(builder, schedule, point, index, invariants,
                                  carry);
    });
  }
  SmallVector<RankedTensorType> types = map.getTransferTypes(schedule);
  SmallVector<Value> whole = buildFold(
      constant(0), constant(parts),
      map.buildTransferInit(builder, schedule, point, invariants),
      [&](Value part, ValueRange earlier) {
        SmallVector<Value> later;
        for (auto [tensor, type] : llvm::zip_equal(transfers, types)) {
          TilePlace place = getTransferPlace(point, part, type);
          later.push_back(tensor::ExtractSliceOp::create(
              builder, loc, type, tensor, place.offsets, place.sizes,
              getStrides(place)));
        }
        return map.buildComposition(builder, schedule, earlier, later);
      });
  return map.buildApplication(builder, schedule, whole, init);
}

LogicalResult BlockMapTiler::run() {
  FailureOr<BlockDomain> domain = map.getBlockDomain(builder, schedule);
  if (failed(domain))
    return failure();
  int64_t parts = map.getCarriedParts(schedule);
  SmallVector<Value> transfers;
  if (parts > 1 && !map.getTransferTypes(schedule).empty())
    transfers = buildTransfers(*domain, parts);
  SmallVector<Value> outputs = map.buildDestinations(builder);

  auto forall = scf::ForallOp::create(builder, loc, domain->parallel, outputs,
                                      /*mapping=*/std::nullopt);
  builder.setInsertionPoint(forall.getTerminator());
  SmallVector<Value> point(forall.getInductionVars());
  SmallVector<TilePlace> places = map.getResultTiles(builder, schedule, point);
  SmallVector<Value> destinations;
  for (auto [output, place] : llvm::zip(forall.getRegionIterArgs(), places))
    destinations.push_back(tensor::ExtractSliceOp::create(
        builder, loc, output, place.offsets, place.sizes, getStrides(place)));
  SmallVector<Value> invariants = map.buildInvariants(builder, schedule, point);
  SmallVector<Value> carry =
      buildCarry(point, invariants, destinations, transfers, parts);
  SmallVector<Value> tiles = map.buildFinish(builder, schedule, point,
                                             invariants, destinations, carry);
  builder.setInsertionPointToEnd(forall.getTerminator().getBody());
  for (auto [tile, output, place] :
       llvm::zip(tiles, forall.getRegionIterArgs(), places))
    tensor::ParallelInsertSliceOp::create(builder, loc, tile, output,
                                          place.offsets, place.sizes,
                                          getStrides(place));
  map->replaceAllUsesWith(forall.getResults());
  map->erase();
  return success();
}

/// Replaces `map` by loops. Fails, with an error, if it has no schedule or one
/// it cannot follow.
static LogicalResult tileBlockMap(BlockMapInterface map) {
  auto schedule = map->getAttrOfType<ScheduleAttr>("schedule");
  if (!schedule)
    return map->emitOpError("has no schedule; run weir-select-schedule first "
                            "or write one by hand");
  return BlockMapTiler(map, schedule).run();
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
