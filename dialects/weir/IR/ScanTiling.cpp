//===- ScanTiling.cpp - A scan as a block map -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A point of the parallel loops is a row of the batch and a tile of each
// element-wise class of axes (ScanAxes.h); the carried loop goes through time,
// a token a block. The carry is the outputs' destinations and the states, each
// of which lies in its own destination from its initial value on.
//
// The tiles of form `scan` are the extents kept of the classes, which they
// divide; form `parallel` has one more, the ranges of time that run side by
// side (ScanTransfer.cpp). The region is cloned with the axes of its types cut.
// An operation that makes the next state writes it over the one before where no
// other reads that any more, so that a state that is small enough stays in the
// nearest cache from token to token.
//
//===----------------------------------------------------------------------===//

#include "ScanTiler.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/ScanAffinity.h"

using namespace mlir;
using namespace weir;
using utils::IteratorType;

Value ScanTiler::extract(Value argument, Value source,
                         ArrayRef<OpFoldResult> lead, ValueRange point) {
  auto type = cast<RankedTensorType>(axes.getTileType(argument, tiles));
  if (source.getType() == type)
    return source;
  TilePlace place = getPlace(argument, lead, point);
  SmallVector<OpFoldResult> strides(place.sizes.size(), index(1));
  return tensor::ExtractSliceOp::create(builder, loc, type, source,
                                        place.offsets, place.sizes, strides);
}

Value ScanTiler::insert(unsigned result, Value part, Value into,
                        ArrayRef<OpFoldResult> lead) {
  TilePlace place = getPlace(getYielded(result), lead, {});
  SmallVector<OpFoldResult> strides(place.sizes.size(), index(1));
  return tensor::InsertSliceOp::create(builder, loc, part, into, place.offsets,
                                       place.sizes, strides);
}

Value ScanTiler::getOperand(OpOperand &operand, IRMapping &mapping) {
  Value value = operand.get();
  if (!ScanAxes::isFree(value))
    return mapping.lookupOrDefault(value);
  auto type = cast<RankedTensorType>(axes.getTileType(operand, tiles));
  if (auto constant = value.getDefiningOp<arith::ConstantOp>())
    return arith::ConstantOp::create(
        builder, loc,
        cast<DenseElementsAttr>(constant.getValue()).resizeSplat(type));
  return tensor::EmptyOp::create(builder, loc, type.getShape(),
                                 type.getElementType());
}

void ScanTiler::cloneOp(Operation &inner, IRMapping &mapping) {
  // Free values are made where they are read.
  if (inner.getNumResults() == 1 && ScanAxes::isFree(inner.getResult(0)))
    return;
  SmallVector<Value> operands;
  for (OpOperand &operand : inner.getOpOperands())
    operands.push_back(getOperand(operand, mapping));
  // Regions, whose axes stay whole, read them as they are.
  IRMapping nested(mapping);
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(inner.getRegions(), captured);
  for (Value value : captured)
    if (ScanAxes::isFree(value) && !nested.contains(value))
      nested.map(value, builder.clone(*value.getDefiningOp())->getResult(0));
  Operation *clone = builder.clone(inner, nested);
  clone->setOperands(operands);
  for (auto [from, to] :
       llvm::zip_equal(inner.getResults(), clone->getResults())) {
    to.setType(axes.getTileType(from, tiles));
    mapping.map(from, to);
  }
}

void ScanTiler::updateInPlace(Value state, Value next) {
  auto maker = next.getDefiningOp<linalg::GenericOp>();
  if (!maker || next.getType() != state.getType() ||
      maker->getBlock() != builder.getInsertionBlock())
    return;
  OpOperand *init = maker.getTiedOpOperand(cast<OpResult>(next));
  AffineMap written = maker.getMatchingIndexingMap(init);
  if (!init->get().getDefiningOp<tensor::EmptyOp>() || !written.isPermutation())
    return;
  for (OpOperand &use : state.getUses()) {
    Operation *reader = use.getOwner();
    if (reader == maker) {
      if (!maker.isDpsInput(&use) ||
          maker.getMatchingIndexingMap(&use) != written)
        return;
      continue;
    }
    // What other operations make of a state may be the state itself.
    auto structured = dyn_cast<linalg::LinalgOp>(reader);
    if (reader->getBlock() != maker->getBlock() ||
        !reader->isBeforeInBlock(maker) ||
        !(structured ? structured.isDpsInput(&use)
                     : isa<tensor::ExtractOp>(reader)))
      return;
  }
  // The operation reads what it writes over as that.
  SmallVector<Attribute> maps(maker.getIndexingMaps().getValue());
  for (unsigned input = maker.getNumDpsInputs(); input-- > 0;) {
    if (maker.getInputs()[input] != state)
      continue;
    BlockArgument read = maker.getBody()->getArgument(input);
    read.replaceAllUsesWith(maker.getMatchingBlockArgument(init));
    maker.getBody()->eraseArgument(input);
    maker.getInputsMutable().erase(input);
    maps.erase(maps.begin() + input);
    init = maker.getTiedOpOperand(cast<OpResult>(next));
  }
  maker.setIndexingMapsAttr(builder.getArrayAttr(maps));
  init->set(state);
}

SmallVector<Value> ScanTiler::buildStep(IRMapping &mapping) {
  Block &body = op.getBody().front();
  for (Operation &inner : body.without_terminator())
    cloneOp(inner, mapping);
  SmallVector<Value> yielded;
  for (OpOperand &operand : body.getTerminator()->getOpOperands())
    yielded.push_back(getOperand(operand, mapping));
  size_t outputs = op.getOutputs().size();
  for (auto [number, argument] : llvm::enumerate(op.getStateArguments())) {
    Value state = mapping.lookup(argument);
    // A state that is yielded is read behind all operations.
    if (!llvm::is_contained(yielded, state))
      updateInPlace(state, yielded[outputs + number]);
  }
  return yielded;
}

//===----------------------------------------------------------------------===//
// BlockMapInterface
//===----------------------------------------------------------------------===//

FailureOr<BlockDomain> ScanOp::getBlockDomain(OpBuilder &builder,
                                              ScheduleAttr schedule) {
  ArrayRef<int64_t> tiles = schedule.getTiles();
  ArrayRef<int64_t> extents;
  ScanAxes axes(*this);
  extents = axes.getExtents();
  StringRef form = schedule.getForm().getValue();
  if (form != "scan" && form != "parallel")
    return emitOpError("has a schedule of form \"")
           << form << "\", expected \"scan\" or \"parallel\"";
  if (form == "parallel") {
    std::string obstacle = ScanAffinity(*this).explainObstacle();
    if (!obstacle.empty())
      return emitOpError("has a schedule of form \"parallel\", expected "
                         "\"scan\": ")
             << obstacle;
    if (tiles.empty() || tiles.back() < 2)
      return emitOpError("has a schedule of form \"parallel\" with tiles [")
             << tiles << "], expected at least two ranges of time at the end";
    tiles = tiles.drop_back();
  }
  if (tiles.size() != extents.size())
    return emitOpError("has a schedule of ")
           << tiles.size() << " tiles, expected one for each of "
           << extents.size() << " element-wise axes";
  BlockDomain domain;
  domain.parallel = {
      tensor::getMixedSize(builder, getLoc(), getInputs().front(), BatchAxis)};
  for (auto [tile, extent] : llvm::zip_equal(tiles, extents)) {
    if (tile < 1 || extent % tile != 0)
      return emitOpError("has a schedule with a tile of ")
             << tile << ", expected a divisor of " << extent;
    domain.parallel.push_back(builder.getIndexAttr(extent / tile));
  }
  return domain;
}

SmallVector<Value> ScanOp::buildDestinations(OpBuilder &builder) {
  Location loc = getLoc();
  SmallVector<OpFoldResult> sequence =
      tensor::getMixedSizes(builder, loc, getInputs().front());
  SmallVector<Value> places;
  for (auto [number, result] : llvm::enumerate(getResults())) {
    auto type = cast<RankedTensorType>(result.getType());
    SmallVector<OpFoldResult> sizes{sequence[BatchAxis]};
    if (number < getOutputs().size())
      sizes.push_back(sequence[TimeAxis]);
    for (int64_t extent : type.getShape().drop_front(sizes.size()))
      sizes.push_back(builder.getIndexAttr(extent));
    places.push_back(
        tensor::EmptyOp::create(builder, loc, sizes, type.getElementType()));
  }
  return places;
}

/// The first token of the range of `point`. In reverse, ranges count from the
/// last token of all.
static Value buildBase(OpBuilder &builder, ScanOp op, ScanTiler &tiler,
                       ValueRange point) {
  Location loc = op.getLoc();
  if (!op.getReverse())
    return point[tiler.getRanged()];
  Value time = getValueOrCreateConstantIndexOp(builder, loc, tiler.getTime());
  return arith::SubIOp::create(builder, loc, time,
                               point[tiler.getRanged() + 1]);
}

SmallVector<TilePlace> ScanOp::getResultTiles(OpBuilder &builder,
                                              ScheduleAttr schedule,
                                              ValueRange point) {
  ScanTiler tiler(*this, builder, schedule);
  SmallVector<TilePlace> places;
  for (unsigned result = 0; result < getNumResults(); ++result) {
    SmallVector<OpFoldResult> lead{point[0]};
    bool timed = result < getOutputs().size();
    if (timed)
      lead.push_back(tiler.index(0));
    TilePlace place = tiler.getPlace(tiler.getYielded(result), lead, point);
    if (timed && tiler.isRanged(point)) {
      place.offsets[TimeAxis] = buildBase(builder, *this, tiler, point);
      place.sizes[TimeAxis] =
          arith::SubIOp::create(builder, getLoc(), point[tiler.getRanged() + 1],
                                point[tiler.getRanged()])
              .getResult();
    } else if (timed) {
      place.sizes[TimeAxis] = tiler.getTime();
    }
    places.push_back(std::move(place));
  }
  return places;
}

SmallVector<Value> ScanOp::buildInvariants(OpBuilder &builder,
                                           ScheduleAttr schedule,
                                           ValueRange point) {
  Location loc = getLoc();
  ScanTiler tiler(*this, builder, schedule);
  Value end = getValueOrCreateConstantIndexOp(builder, loc, tiler.getTime());
  if (getLengths())
    end = arith::MinSIOp::create(
        builder, loc, end,
        buildReadIndex(builder, loc, getLengths(), point[0]));
  SmallVector<Value> invariants{end};
  for (auto [argument, param] :
       llvm::zip_equal(getParamArguments(), getParams()))
    invariants.push_back(isa<RankedTensorType>(param.getType())
                             ? tiler.extract(argument, param, {}, point)
                             : Value(param));
  if (tiler.isRanged(point))
    invariants.push_back(buildBase(builder, *this, tiler, point));
  return invariants;
}

std::pair<Value, Value> ScanOp::buildCarriedRange(OpBuilder &builder,
                                                  ScheduleAttr schedule,
                                                  ValueRange point,
                                                  ValueRange invariants) {
  Location loc = getLoc();
  ScanTiler tiler(*this, builder, schedule);
  Value end = invariants[EndOfRow];
  if (!tiler.isRanged(point))
    return {buildIndex(builder, loc, 0), end};
  Value first = point[tiler.getRanged()], last = point[tiler.getRanged() + 1];
  if (!getReverse())
    return {first, arith::MinSIOp::create(builder, loc, last, end)};
  Value time = getValueOrCreateConstantIndexOp(builder, loc, tiler.getTime());
  Value behind = arith::SubIOp::create(builder, loc, time, end);
  return {arith::MaxSIOp::create(builder, loc, first, behind), last};
}

/// The outputs' destinations, with zeros for tokens that a row has not.
static SmallVector<Value> buildOutputs(OpBuilder &builder, ScanOp op,
                                       ScanTiler &tiler, ValueRange point,
                                       ValueRange invariants,
                                       ValueRange destinations) {
  Location loc = op.getLoc();
  SmallVector<Value> outputs;
  for (Value output : destinations.take_front(op.getOutputs().size())) {
    if (!op.getLengths()) {
      outputs.push_back(output);
      continue;
    }
    // scan_c4
    auto type = cast<RankedTensorType>(output.getType());
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(builder, loc, output);
    SmallVector<OpFoldResult> offsets(sizes.size(), tiler.index(0));
    SmallVector<OpFoldResult> strides(sizes.size(), tiler.index(1));
    Value time = getValueOrCreateConstantIndexOp(builder, loc, sizes[TimeAxis]);
    Value end = invariants[EndOfRow];
    if (tiler.isRanged(point)) {
      end = arith::SubIOp::create(builder, loc, end, invariants.back());
      end = arith::MaxSIOp::create(builder, loc, end,
                                   buildIndex(builder, loc, 0));
      end = arith::MinSIOp::create(builder, loc, end, time);
    }
    offsets[TimeAxis] = end;
    sizes[TimeAxis] =
        arith::SubIOp::create(builder, loc, time, end).getResult();
    Value rest = tensor::ExtractSliceOp::create(builder, loc, output, offsets,
                                                sizes, strides);
    Value none = arith::ConstantOp::create(
        builder, loc, builder.getZeroAttr(type.getElementType()));
    rest = linalg::FillOp::create(builder, loc, none, rest).getResult(0);
    outputs.push_back(tensor::InsertSliceOp::create(builder, loc, rest, output,
                                                    offsets, sizes, strides));
  }
  return outputs;
}

SmallVector<Value> ScanOp::buildInit(OpBuilder &builder, ScheduleAttr schedule,
                                     ValueRange point, ValueRange invariants,
                                     ValueRange destinations) {
  Location loc = getLoc();
  ScanTiler tiler(*this, builder, schedule);
  SmallVector<Value> carry =
      buildOutputs(builder, *this, tiler, point, invariants, destinations);
  for (auto [number, argument] : llvm::enumerate(getStateArguments())) {
    SmallVector<OpFoldResult> row;
    if (isBatched(number))
      row.push_back(point[0]);
    Value from = tiler.extract(argument, getStates()[number], row, point);
    Value into =
        tiler.extract(argument, destinations[getOutputs().size() + number],
                      tiler.index(0), {});
    carry.push_back(
        linalg::CopyOp::create(builder, loc, from, into).getResult(0));
  }
  return carry;
}

SmallVector<Value> ScanOp::buildResume(OpBuilder &builder,
                                       ScheduleAttr schedule, ValueRange point,
                                       ValueRange invariants,
                                       ValueRange destinations,
                                       ArrayRef<Value> tiles) {
  Location loc = getLoc();
  ScanTiler tiler(*this, builder, schedule);
  SmallVector<Value> carry =
      buildOutputs(builder, *this, tiler, point, invariants, destinations);
  for (auto [number, argument] : llvm::enumerate(getStateArguments())) {
    unsigned result = getOutputs().size() + number;
    Value from = tiler.extract(argument, tiles[result], tiler.index(0), {});
    Value into =
        tiler.extract(argument, destinations[result], tiler.index(0), {});
    carry.push_back(
        linalg::CopyOp::create(builder, loc, from, into).getResult(0));
  }
  return carry;
}

Value ScanTiler::mapArguments(ValueRange point, Value index,
                              ValueRange invariants, IRMapping &mapping) {
  OpFoldResult token = index;
  if (op.getReverse()) {
    Value end = isRanged(point)
                    ? getValueOrCreateConstantIndexOp(builder, loc, getTime())
                    : invariants[EndOfRow];
    Value last =
        arith::SubIOp::create(builder, loc, end, buildIndex(builder, loc, 1));
    token = arith::SubIOp::create(builder, loc, last, index).getResult();
  }
  for (auto [argument, input] :
       llvm::zip_equal(op.getInputArguments(), op.getInputs()))
    mapping.map(argument, extract(argument, input, {point[0], token}, point));
  for (auto [argument, param] :
       llvm::zip_equal(op.getParamArguments(),
                       invariants.slice(FirstParam, op.getParams().size())))
    mapping.map(argument, param);
  return cast<Value>(token);
}

SmallVector<Value> ScanOp::buildStepOnBlock(OpBuilder &builder,
                                            ScheduleAttr schedule,
                                            ValueRange point, Value index,
                                            ValueRange invariants,
                                            ValueRange carry) {
  ScanTiler tiler(*this, builder, schedule);
  IRMapping mapping;
  Value token = tiler.mapArguments(point, index, invariants, mapping);
  size_t outputs = getOutputs().size();
  for (auto [argument, state] :
       llvm::zip_equal(getStateArguments(), carry.drop_front(outputs)))
    mapping.map(argument, state);
  SmallVector<Value> next = tiler.buildStep(mapping);
  if (tiler.isRanged(point))
    token = arith::SubIOp::create(builder, getLoc(), token, invariants.back());
  for (size_t output = 0; output < outputs; ++output)
    next[output] = tiler.insert(output, next[output], carry[output],
                                {tiler.index(0), token});
  return next;
}

SmallVector<Value> ScanOp::buildFinish(OpBuilder &builder,
                                       ScheduleAttr schedule, ValueRange,
                                       ValueRange, ValueRange destinations,
                                       ValueRange carry) {
  ScanTiler tiler(*this, builder, schedule);
  SmallVector<Value> tiles(carry);
  for (size_t result = getOutputs().size(); result < tiles.size(); ++result)
    tiles[result] = tiler.insert(result, carry[result], destinations[result],
                                 tiler.index(0));
  return tiles;
}
