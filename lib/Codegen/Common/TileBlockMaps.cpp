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
// Where blocks write their own parts of results, parts are ranges of time. The
// first of n + 1 ranges starts from a known carry: in the first parallel loop
// it is computed at once, beside the transfers of the next n - 1. Its length is
// such that all take as long. In the second loop the other n ranges apply the
// transfers in front of them to the carry behind the first, and are computed.
// With a summary that takes a share r of a step this is (1 + r) / (n + r) of
// what one thread would take, against 2 / (n + 1) were all ranges alike.
//
// Rows that a schedule did not know of may fill the threads by themselves, and
// a short sequence is not worth it. That is seen when running: then the first
// range is all of time, and the second loop has nothing to compute.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
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
  BlockMapTiler(BlockMapInterface map, ScheduleAttr schedule, bool mapped)
      : map(map), schedule(schedule), mapped(mapped),
        builder(map.getOperation()), loc(map->getLoc()) {}

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
  /// Time cut into a first range of `first` blocks and others of `share`.
  struct Ranges {
    Value blocks, first, share;
  };
  /// None where it is known that all of time is in the first range.
  std::optional<Ranges> cutTime(const BlockDomain &domain, int64_t others);
  /// The blocks of range `number`, which is not the first.
  std::pair<Value, Value> getRange(const Ranges &ranges, Value number);
  /// A place for each result of `others` ranges: those that are not written by
  /// blocks have one for each.
  SmallVector<Value> buildRangeOutputs(int64_t others);
  /// Where range `number` of `point` has its tile of each result.
  SmallVector<TilePlace> getRangePlaces(ValueRange point, Value number);
  /// The type of the tile of result `number` at `place`, without the axis of
  /// ranges.
  RankedTensorType getRangeTileType(unsigned number, Value tensor,
                                    const TilePlace &place);
  Value extractRangeTile(unsigned number, Value tensor, const TilePlace &place);
  /// Where a range computes its tile of each result: what blocks write in its
  /// place, and the rest apart, so that threads do not write to one line of a
  /// cache at every block.
  SmallVector<Value> buildRangeTiles(ValueRange tensors,
                                     ArrayRef<TilePlace> places);
  void insertTiles(ValueRange tiles, ValueRange tensors,
                   ArrayRef<TilePlace> places);
  SmallVector<Value> buildFirstRanges(const BlockDomain &domain,
                                      const Ranges &ranges, int64_t others);
  SmallVector<Value> buildOtherRanges(const BlockDomain &domain,
                                      const Ranges &ranges, int64_t others,
                                      ValueRange before);
  /// A place for the transfer of each part of each point, of which there are
  /// `extents`.
  SmallVector<Value> buildTransferOutputs(ArrayRef<OpFoldResult> extents);
  /// The transfer of the blocks of `point`'s part or range.
  SmallVector<Value> buildTransfer(ValueRange point, ValueRange invariants,
                                   Value first, Value last);
  void runRanges(const BlockDomain &domain, const Ranges &ranges,
                 int64_t others);
  /// Where the transfer of `part` of `point` lies in `transfers`.
  TilePlace getTransferPlace(ValueRange point, Value part,
                             RankedTensorType type);
  /// That transfer.
  SmallVector<Value> extractTransfer(ValueRange transfers, ValueRange point,
                                     Value part);
  SmallVector<OpFoldResult> getStrides(const TilePlace &place) {
    return SmallVector<OpFoldResult>(place.sizes.size(),
                                     builder.getIndexAttr(1));
  }

  /// What the axes of a parallel loop are mapped to, if that is said at all.
  std::optional<ArrayAttr> getMapping(unsigned axes);

  BlockMapInterface map;
  ScheduleAttr schedule;
  /// Whether points are blocks of a GPU.
  bool mapped;
  OpBuilder builder;
  Location loc;
};
} // namespace

std::optional<ArrayAttr> BlockMapTiler::getMapping(unsigned axes) {
  // As many axes as GPUs have names for; a loop with a mapping is not folded
  // away where it has one point.
  constexpr unsigned mostAxes = 10;
  if (!mapped || axes > mostAxes)
    return std::nullopt;
  SmallVector<Attribute> mapping;
  for (unsigned axis = 0; axis < axes; ++axis)
    mapping.push_back(gpu::GPUBlockMappingAttr::get(
        builder.getContext(),
        static_cast<gpu::MappingId>(
            static_cast<unsigned>(gpu::MappingId::LinearDim0) + axis)));
  return builder.getArrayAttr(mapping);
}

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

SmallVector<Value> BlockMapTiler::extractTransfer(ValueRange transfers,
                                                  ValueRange point,
                                                  Value part) {
  SmallVector<Value> transfer;
  for (auto [tensor, type] :
       llvm::zip_equal(transfers, map.getTransferTypes(schedule))) {
    TilePlace place = getTransferPlace(point, part, type);
    transfer.push_back(tensor::ExtractSliceOp::create(
        builder, loc, type, tensor, place.offsets, place.sizes,
        getStrides(place)));
  }
  return transfer;
}

SmallVector<Value> BlockMapTiler::buildTransfer(ValueRange point,
                                                ValueRange invariants,
                                                Value first, Value last) {
  SmallVector<Value> init =
      map.buildTransferInit(builder, schedule, point, invariants);
  // Not where it goes to: there, parts of several threads lie side by side.
  for (Value &tensor : init)
    tensor = bufferization::AllocTensorOp::create(
        builder, loc, cast<RankedTensorType>(tensor.getType()), ValueRange(),
        /*copy=*/tensor);
  return buildFold(first, last, init, [&](Value index, ValueRange transfer) {
    return map.buildSummary(builder, schedule, point, index, invariants,
                            transfer);
  });
}

SmallVector<Value>
BlockMapTiler::buildTransferOutputs(ArrayRef<OpFoldResult> extents) {
  SmallVector<Value> outputs;
  for (RankedTensorType type : map.getTransferTypes(schedule)) {
    SmallVector<OpFoldResult> sizes(extents);
    for (int64_t extent : type.getShape())
      sizes.push_back(builder.getIndexAttr(extent));
    outputs.push_back(
        tensor::EmptyOp::create(builder, loc, sizes, type.getElementType()));
  }
  return outputs;
}

/// The transfers of all parts of all points, side by side.
SmallVector<Value> BlockMapTiler::buildTransfers(const BlockDomain &domain,
                                                 int64_t parts) {
  SmallVector<OpFoldResult> extents(domain.parallel);
  extents.push_back(builder.getIndexAttr(parts));
  SmallVector<RankedTensorType> types = map.getTransferTypes(schedule);
  SmallVector<Value> outputs = buildTransferOutputs(extents);
  auto forall = scf::ForallOp::create(builder, loc, extents, outputs,
                                      getMapping(extents.size()));
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
  SmallVector<Value> transfer = buildTransfer(point, invariants, begin, end);
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
  SmallVector<Value> whole = buildFold(
      constant(0), constant(parts),
      map.buildTransferInit(builder, schedule, point, invariants),
      [&](Value part, ValueRange earlier) {
        return map.buildComposition(builder, schedule, earlier,
                                    extractTransfer(transfers, point, part));
      });
  return map.buildApplication(builder, schedule, whole, init);
}

//===----------------------------------------------------------------------===//
// Ranges of time
//===----------------------------------------------------------------------===//

std::optional<BlockMapTiler::Ranges>
BlockMapTiler::cutTime(const BlockDomain &domain, int64_t others) {
  RangeCost cost = map.getRangeCost(schedule);
  int64_t percent = cost.summaryPercent, unit = 100 * others + percent;
  Value blocks = map.buildBlockCount(builder, schedule);
  // Rows take turns at the ranges: n rows take n times as long as one, while
  // without ranges they would take as long as one.
  Value rows = constant(1);
  for (OpFoldResult extent : domain.parallel)
    if (auto value = dyn_cast<Value>(extent))
      rows = builder.createOrFold<arith::MulIOp>(loc, rows, value);
  Value isFew = builder.createOrFold<arith::CmpIOp>(
      loc, arith::CmpIPredicate::slt,
      builder.createOrFold<arith::MulIOp>(loc, rows, constant(100 + percent)),
      constant(unit));
  Value isLong = builder.createOrFold<arith::CmpIOp>(
      loc, arith::CmpIPredicate::sge, blocks,
      constant(cost.leastBlocks * (others + 1)));
  Value pays = builder.createOrFold<arith::AndIOp>(loc, isFew, isLong);
  if (getConstantIntValue(pays) == 0)
    return std::nullopt;
  Value lead = arith::CeilDivSIOp::create(
      builder, loc,
      arith::MulIOp::create(builder, loc, blocks, constant(percent)),
      constant(unit));
  Value first = arith::SelectOp::create(builder, loc, pays, lead, blocks);
  Value rest = arith::SubIOp::create(builder, loc, blocks, first);
  Value share =
      arith::CeilDivSIOp::create(builder, loc, rest, constant(others));
  return Ranges{blocks, first, share};
}

std::pair<Value, Value> BlockMapTiler::getRange(const Ranges &ranges,
                                                Value number) {
  Value before = arith::SubIOp::create(builder, loc, number, constant(1));
  before = arith::MulIOp::create(builder, loc, before, ranges.share);
  Value begin = arith::AddIOp::create(builder, loc, ranges.first, before);
  Value end = arith::AddIOp::create(builder, loc, begin, ranges.share);
  return {arith::MinSIOp::create(builder, loc, begin, ranges.blocks),
          arith::MinSIOp::create(builder, loc, end, ranges.blocks)};
}

SmallVector<Value> BlockMapTiler::buildRangeOutputs(int64_t others) {
  SmallVector<Value> outputs = map.buildDestinations(builder);
  for (auto [number, output] : llvm::enumerate(outputs)) {
    if (map.isWrittenByBlocks(number))
      continue;
    SmallVector<OpFoldResult> sizes{builder.getIndexAttr(others)};
    llvm::append_range(sizes, tensor::getMixedSizes(builder, loc, output));
    output = tensor::EmptyOp::create(
        builder, loc, sizes,
        cast<RankedTensorType>(output.getType()).getElementType());
  }
  return outputs;
}

SmallVector<TilePlace> BlockMapTiler::getRangePlaces(ValueRange point,
                                                     Value number) {
  SmallVector<TilePlace> places = map.getResultTiles(builder, schedule, point);
  for (auto [result, place] : llvm::enumerate(places)) {
    if (map.isWrittenByBlocks(result))
      continue;
    place.offsets.insert(place.offsets.begin(), number);
    place.sizes.insert(place.sizes.begin(), builder.getIndexAttr(1));
  }
  return places;
}

RankedTensorType BlockMapTiler::getRangeTileType(unsigned number, Value tensor,
                                                 const TilePlace &place) {
  SmallVector<int64_t> shape;
  for (OpFoldResult size :
       ArrayRef(place.sizes).drop_front(map.isWrittenByBlocks(number) ? 0 : 1))
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  return RankedTensorType::get(
      shape, cast<RankedTensorType>(tensor.getType()).getElementType());
}

Value BlockMapTiler::extractRangeTile(unsigned number, Value tensor,
                                      const TilePlace &place) {
  return tensor::ExtractSliceOp::create(
      builder, loc, getRangeTileType(number, tensor, place), tensor,
      place.offsets, place.sizes, getStrides(place));
}

SmallVector<Value> BlockMapTiler::buildRangeTiles(ValueRange tensors,
                                                  ArrayRef<TilePlace> places) {
  SmallVector<Value> tiles;
  for (unsigned number = 0; number < places.size(); ++number)
    if (map.isWrittenByBlocks(number))
      tiles.push_back(
          extractRangeTile(number, tensors[number], places[number]));
    else
      tiles.push_back(bufferization::AllocTensorOp::create(
          builder, loc,
          getRangeTileType(number, tensors[number], places[number]),
          ValueRange()));
  return tiles;
}

void BlockMapTiler::insertTiles(ValueRange tiles, ValueRange tensors,
                                ArrayRef<TilePlace> places) {
  for (auto [tile, tensor, place] : llvm::zip_equal(tiles, tensors, places))
    tensor::ParallelInsertSliceOp::create(builder, loc, tile, tensor,
                                          place.offsets, place.sizes,
                                          getStrides(place));
}

/// The first range of each point, as results, and the transfers of the others
/// but the last.
SmallVector<Value> BlockMapTiler::buildFirstRanges(const BlockDomain &domain,
                                                   const Ranges &ranges,
                                                   int64_t others) {
  SmallVector<OpFoldResult> extents(domain.parallel);
  extents.push_back(builder.getIndexAttr(others));
  SmallVector<Value> outputs = buildRangeOutputs(others);
  size_t results = outputs.size();
  SmallVector<RankedTensorType> types = map.getTransferTypes(schedule);
  llvm::append_range(outputs, buildTransferOutputs(extents));
  auto forall = scf::ForallOp::create(builder, loc, extents, outputs,
                                      getMapping(extents.size()));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(forall.getTerminator());
  SmallVector<Value> point(forall.getInductionVars());
  Value number = point.pop_back_val();
  Value none = constant(0);
  Value isFirst = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        number, none);
  auto choose = [&](Value ofFirst, Value ofOthers) -> Value {
    return arith::SelectOp::create(builder, loc, isFirst, ofFirst, ofOthers);
  };
  // Of each point of this loop one of the two is empty.
  SmallVector<Value> computed(point), summarised(point);
  computed.append({none, choose(ranges.first, none)});
  auto [begin, end] = getRange(ranges, number);
  summarised.append({choose(none, begin), choose(none, end)});

  SmallVector<TilePlace> places = getRangePlaces(computed, number);
  ValueRange arguments = forall.getRegionIterArgs();
  SmallVector<Value> destinations =
      buildRangeTiles(arguments.take_front(results), places);
  SmallVector<Value> invariants =
      map.buildInvariants(builder, schedule, computed);
  SmallVector<Value> carry =
      buildCarry(computed, invariants, destinations, /*transfers=*/{}, 1);
  SmallVector<Value> tiles = map.buildFinish(builder, schedule, computed,
                                             invariants, destinations, carry);
  invariants = map.buildInvariants(builder, schedule, summarised);
  auto [first, last] =
      map.buildCarriedRange(builder, schedule, summarised, invariants);
  llvm::append_range(tiles, buildTransfer(summarised, invariants, first, last));
  for (RankedTensorType type : types)
    places.push_back(getTransferPlace(point, number, type));
  builder.setInsertionPointToEnd(forall.getTerminator().getBody());
  insertTiles(tiles, arguments, places);
  return SmallVector<Value>(forall.getResults());
}

/// All results, given what `buildFirstRanges` returned.
SmallVector<Value> BlockMapTiler::buildOtherRanges(const BlockDomain &domain,
                                                   const Ranges &ranges,
                                                   int64_t others,
                                                   ValueRange before) {
  SmallVector<OpFoldResult> extents(domain.parallel);
  extents.push_back(builder.getIndexAttr(others));
  SmallVector<Value> outputs = buildRangeOutputs(others);
  for (auto [number, output] : llvm::enumerate(outputs))
    if (map.isWrittenByBlocks(number))
      output = before[number];
  ValueRange firsts = before.take_front(outputs.size());
  ValueRange transfers = before.drop_front(outputs.size());
  auto forall = scf::ForallOp::create(builder, loc, extents, outputs,
                                      getMapping(extents.size()));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(forall.getTerminator());
  SmallVector<Value> point(forall.getInductionVars());
  Value number = point.pop_back_val();
  Value next = arith::AddIOp::create(builder, loc, number, constant(1));
  SmallVector<Value> ranged(point);
  auto [begin, end] = getRange(ranges, next);
  ranged.append({begin, end});
  SmallVector<TilePlace> places = getRangePlaces(ranged, number);
  SmallVector<Value> destinations =
      buildRangeTiles(forall.getRegionIterArgs(), places);
  SmallVector<Value> invariants =
      map.buildInvariants(builder, schedule, ranged);

  // The carry behind the first range, then behind those between.
  SmallVector<TilePlace> begun = getRangePlaces(ranged, constant(0));
  SmallVector<Value> tiles(begun.size());
  for (unsigned result = 0; result < begun.size(); ++result)
    if (!map.isWrittenByBlocks(result))
      tiles[result] = extractRangeTile(result, firsts[result], begun[result]);
  SmallVector<Value> carry = map.buildResume(builder, schedule, ranged,
                                             invariants, destinations, tiles);
  carry = buildFold(
      constant(1), next, carry, [&](Value earlier, ValueRange carried) {
        return map.buildApplication(builder, schedule,
                                    extractTransfer(transfers, point, earlier),
                                    carried);
      });
  auto [first, last] =
      map.buildCarriedRange(builder, schedule, ranged, invariants);
  carry = buildFold(first, last, carry, [&](Value index, ValueRange carried) {
    return map.buildStepOnBlock(builder, schedule, ranged, index, invariants,
                                carried);
  });
  tiles = map.buildFinish(builder, schedule, ranged, invariants, destinations,
                          carry);
  builder.setInsertionPointToEnd(forall.getTerminator().getBody());
  insertTiles(tiles, forall.getRegionIterArgs(), places);
  return SmallVector<Value>(forall.getResults());
}

void BlockMapTiler::runRanges(const BlockDomain &domain, const Ranges &ranges,
                              int64_t others) {
  SmallVector<Value> before = buildFirstRanges(domain, ranges, others);
  SmallVector<Value> results = buildOtherRanges(domain, ranges, others, before);
  for (auto [number, result] : llvm::enumerate(results)) {
    if (map.isWrittenByBlocks(number))
      continue;
    // That of the last range.
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(builder, loc, result);
    SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
    SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
    offsets[0] = builder.getIndexAttr(others - 1);
    sizes[0] = builder.getIndexAttr(1);
    result = tensor::ExtractSliceOp::create(
        builder, loc, cast<RankedTensorType>(map->getResultTypes()[number]),
        result, offsets, sizes, strides);
  }
  map->replaceAllUsesWith(results);
  map->erase();
}

LogicalResult BlockMapTiler::run() {
  FailureOr<BlockDomain> domain = map.getBlockDomain(builder, schedule);
  if (failed(domain))
    return failure();
  int64_t parts = map.getCarriedParts(schedule);
  bool isRanged = parts > 1 && map.isWrittenByBlocks(0);
  if (isRanged)
    if (std::optional<Ranges> ranges = cutTime(*domain, parts - 1)) {
      runRanges(*domain, *ranges, parts - 1);
      return success();
    }
  SmallVector<Value> transfers;
  if (parts > 1 && !isRanged && !map.getTransferTypes(schedule).empty())
    transfers = buildTransfers(*domain, parts);
  SmallVector<Value> outputs = map.buildDestinations(builder);

  auto forall = scf::ForallOp::create(builder, loc, domain->parallel, outputs,
                                      getMapping(domain->parallel.size()));
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
static LogicalResult tileBlockMap(BlockMapInterface map, bool mapped) {
  auto schedule = map->getAttrOfType<ScheduleAttr>("schedule");
  if (!schedule)
    return map->emitOpError("has no schedule; run weir-select-schedule first "
                            "or write one by hand");
  return BlockMapTiler(map, schedule, mapped).run();
}

namespace {
struct TileBlockMapsPass : weir::impl::TileBlockMapsBase<TileBlockMapsPass> {
  using TileBlockMapsBase::TileBlockMapsBase;

  void runOnOperation() override {
    SmallVector<BlockMapInterface> maps;
    getOperation()->walk([&](BlockMapInterface map) { maps.push_back(map); });
    for (BlockMapInterface map : maps)
      if (failed(tileBlockMap(map, blocks)))
        return signalPassFailure();
  }
};
} // namespace
