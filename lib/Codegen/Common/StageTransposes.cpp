//===- StageTransposes.cpp - Transposes within loops over time --*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A scan over tensors that have time last reads a number of each row at a step.
// Transposing the tensors as a whole makes steps read rows that lie side by
// side, but each number goes through memory three times more. A block of steps
// instead takes a line of a cache of each row, transposes it into a tile that
// stays in the cache, and goes through that.
//
//===----------------------------------------------------------------------===//

#include "SliceReads.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "weir/Codegen/Passes.h"

namespace weir {
#define GEN_PASS_DEF_STAGETRANSPOSES
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// Steps of a block: as many f32 as a line of a cache holds.
static constexpr int64_t BlockSteps = 16;

namespace {
/// A row of a transposed tensor that a step reads.
struct Input {
  tensor::ExtractSliceOp slice;
  linalg::TransposeOp transpose;
  unsigned timeAxis;
};

/// A row that a step writes of a tensor that is transposed later.
struct Output {
  /// Which of the loop's results the tensor is.
  unsigned number;
  tensor::InsertSliceOp row;
  /// The place of the tensor in the result of the parallel loop.
  tensor::ExtractSliceOp begun;
  tensor::ParallelInsertSliceOp written;
  linalg::TransposeOp transpose;
  /// Of `transpose`, which goes before its tiles are built.
  ArrayRef<int64_t> permutation;
  unsigned timeAxis;
};

/// Offsets and sizes, with strides of one.
struct Place {
  SmallVector<OpFoldResult> offsets, sizes;

  /// The axes in the order of a transpose's result. Of its operand, given that
  /// of its result, with `inverted`.
  Place permuted(ArrayRef<int64_t> permutation, bool inverted) const {
    Place result = *this;
    for (auto [axis, source] : llvm::enumerate(permutation)) {
      size_t from = inverted ? axis : source, to = inverted ? source : axis;
      result.offsets[to] = offsets[from];
      result.sizes[to] = sizes[from];
    }
    return result;
  }

  RankedTensorType getType(Type element) const {
    SmallVector<int64_t> shape;
    for (OpFoldResult size : sizes)
      shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
    return RankedTensorType::get(shape, element);
  }
};

/// The steps of one point of a parallel loop.
class StepStager {
public:
  StepStager(scf::ForallOp points, scf::ForOp steps)
      : points(points), steps(steps), builder(steps), loc(steps.getLoc()) {}

  /// Stages what can be.
  void run();

private:
  /// The axis along which a place of rows goes with the steps, if all else of
  /// it is known in front of them.
  std::optional<unsigned> findTime(OffsetSizeAndStrideOpInterface place);
  std::optional<Input> matchInput(tensor::ExtractSliceOp slice);
  std::optional<Output> matchOutput(unsigned number);
  bool isOutside(OpFoldResult value) {
    auto dynamic = dyn_cast<Value>(value);
    return !dynamic || steps.isDefinedOutsideOfLoop(dynamic);
  }

  /// Moves arithmetic on indices that no step changes in front of the steps.
  void hoistIndices();
  void turnResults();
  void buildBlocks();
  /// `count` rows of a tile, whose sizes are `rows` along all other axes.
  Place getTilePlace(ArrayRef<OpFoldResult> rows, unsigned timeAxis,
                     OpFoldResult count);
  Value buildTile(Type element, const Place &place, unsigned timeAxis);
  Value extract(Value tensor, const Place &place);
  /// What a block reads of `input` from step `begin` on, transposed.
  Value buildInput(Input &input, Value begin, OpFoldResult count);
  /// `tensor` with `tile` transposed into it, from step `begin` on.
  Value buildOutput(Output &output, Value tile, Value tensor, Value begin,
                    OpFoldResult count);
  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }

  scf::ForallOp points;
  scf::ForOp steps;
  OpBuilder builder;
  Location loc;
  SmallVector<Input> inputs;
  SmallVector<Output> outputs;
};
} // namespace

std::optional<unsigned>
StepStager::findTime(OffsetSizeAndStrideOpInterface place) {
  std::optional<unsigned> time;
  SmallVector<OpFoldResult> offsets = place.getMixedOffsets();
  for (auto [axis, offset] : llvm::enumerate(offsets)) {
    bool isTime = offset == OpFoldResult(steps.getInductionVar());
    std::optional<int64_t> size =
        getConstantIntValue(place.getMixedSizes()[axis]);
    if (!size || (isTime && (time || size != 1)) ||
        (!isTime && !isOutside(offset)))
      return std::nullopt;
    if (isTime)
      time = axis;
  }
  return place.hasUnitStride() ? time : std::nullopt;
}

std::optional<Input> StepStager::matchInput(tensor::ExtractSliceOp slice) {
  auto transpose = slice.getSource().getDefiningOp<linalg::TransposeOp>();
  if (!transpose || !transpose.hasPureTensorSemantics() ||
      !points.isDefinedOutsideOfLoop(slice.getSource()) ||
      !readsApart(slice, points))
    return std::nullopt;
  for (Operation *user : slice.getSource().getUsers())
    if (user != slice && !isa<tensor::DimOp>(user))
      return std::nullopt;
  std::optional<unsigned> time = findTime(slice);
  ArrayRef<int64_t> permutation = transpose.getPermutation();
  if (!time || permutation[*time] != slice.getSourceType().getRank() - 1)
    return std::nullopt;
  return Input{slice, transpose, *time};
}

/// The one use of `value` by an operation of type `OpT`.
template <typename OpT>
static OpT getOnlyUser(Value value) {
  return value.hasOneUse() ? dyn_cast<OpT>(*value.user_begin()) : OpT();
}

std::optional<Output> StepStager::matchOutput(unsigned number) {
  Output output;
  output.number = number;
  BlockArgument carried = steps.getRegionIterArg(number);
  output.row = getOnlyUser<tensor::InsertSliceOp>(carried);
  output.begun =
      steps.getInitArgs()[number].getDefiningOp<tensor::ExtractSliceOp>();
  output.written =
      getOnlyUser<tensor::ParallelInsertSliceOp>(steps.getResult(number));
  if (!output.row || output.row.getDest() != carried ||
      steps.getYieldedValues()[number] != output.row.getResult() ||
      !output.row->hasOneUse() || !output.begun || !output.written ||
      !output.begun->hasOneUse() ||
      output.begun.getMixedOffsets() != output.written.getMixedOffsets() ||
      output.begun.getMixedSizes() != output.written.getMixedSizes() ||
      !output.begun.hasUnitStride() || !output.written.hasUnitStride() ||
      output.begun.getType().getRank() !=
          output.begun.getSourceType().getRank())
    return std::nullopt;

  // Only these two touch the result of the parallel loop.
  auto shared = dyn_cast<BlockArgument>(output.begun.getSource());
  if (!shared || shared.getOwner()->getParentOp() != points ||
      output.written.getDest() != shared ||
      llvm::range_size(shared.getUses()) != 2)
    return std::nullopt;
  OpOperand *init = points.getTiedOpOperand(shared);
  Value result = points.getTiedOpResult(init);
  output.transpose = getOnlyUser<linalg::TransposeOp>(result);
  std::optional<unsigned> time = findTime(output.row);
  if (!init->get().getDefiningOp<tensor::EmptyOp>() || !time ||
      !output.transpose || output.transpose.getInput() != result ||
      !output.transpose.hasPureTensorSemantics() ||
      output.transpose->getBlock() != points->getBlock() ||
      output.transpose.getPermutation().back() != *time)
    return std::nullopt;
  output.permutation = output.transpose.getPermutation();
  output.timeAxis = *time;
  return output;
}

void StepStager::hoistIndices() {
  for (Operation &op : llvm::make_early_inc_range(*steps.getBody()))
    if (isPure(&op) && op.getNumResults() == 1 &&
        op.getResult(0).getType().isIndex() &&
        llvm::all_of(op.getOperands(), [&](Value operand) {
          return steps.isDefinedOutsideOfLoop(operand);
        }))
      op.moveBefore(steps);
}

/// Makes what transposes give the results of the parallel loop.
void StepStager::turnResults() {
  if (outputs.empty())
    return;
  SmallVector<Value> inits(points.getOutputs());
  builder.setInsertionPoint(points);
  for (Output &output : outputs) {
    auto shared = cast<BlockArgument>(output.begun.getSource());
    Value &init = inits[points.getTiedOpOperand(shared)->getOperandNumber() -
                        points.getOutputsMutable()[0].getOperandNumber()];
    SmallVector<OpFoldResult> sizes,
        before = tensor::getMixedSizes(builder, loc, init);
    for (int64_t axis : output.permutation)
      sizes.push_back(before[axis]);
    init = tensor::EmptyOp::create(
        builder, loc, sizes,
        cast<RankedTensorType>(init.getType()).getElementType());
  }
  auto turned = scf::ForallOp::create(
      builder, points.getLoc(), points.getMixedLowerBound(),
      points.getMixedUpperBound(), points.getMixedStep(), inits,
      points.getMapping());
  turned.getRegion().takeBody(points.getRegion());
  for (auto [argument, init] :
       llvm::zip_equal(turned.getRegionIterArgs(), inits))
    argument.setType(init.getType());
  for (Output &output : outputs) {
    auto shared = cast<BlockArgument>(output.begun.getSource());
    Value result = turned.getTiedOpResult(turned.getTiedOpOperand(shared));
    Place place{output.begun.getMixedOffsets(), output.begun.getMixedSizes()};
    place = place.permuted(output.permutation, /*inverted=*/false);
    SmallVector<OpFoldResult> ones(place.sizes.size(), builder.getIndexAttr(1));
    builder.setInsertionPoint(output.begun);
    output.begun = tensor::ExtractSliceOp::create(
        builder, loc, shared, place.offsets, place.sizes, ones);
    builder.setInsertionPoint(output.written);
    tensor::ParallelInsertSliceOp::create(builder, loc,
                                          output.written.getSource(), shared,
                                          place.offsets, place.sizes, ones);
    output.written.erase();
    output.transpose.getResult()[0].replaceAllUsesWith(result);
    output.transpose.erase();
  }
  for (auto [before, after] :
       llvm::zip_equal(points.getResults(), turned.getResults()))
    before.replaceAllUsesWith(after);
  points.erase();
  points = turned;
}

Place StepStager::getTilePlace(ArrayRef<OpFoldResult> rows, unsigned timeAxis,
                               OpFoldResult count) {
  Place place;
  place.offsets.assign(rows.size(), builder.getIndexAttr(0));
  llvm::append_range(place.sizes, rows);
  place.sizes[timeAxis] = count;
  return place;
}

Value StepStager::extract(Value tensor, const Place &place) {
  auto type = cast<RankedTensorType>(tensor.getType());
  return tensor::ExtractSliceOp::create(
      builder, loc, place.getType(type.getElementType()), tensor, place.offsets,
      place.sizes,
      SmallVector<OpFoldResult>(place.sizes.size(), builder.getIndexAttr(1)));
}

Value StepStager::buildTile(Type element, const Place &place,
                            unsigned timeAxis) {
  // The last block may be shorter, but tiles have the same place in memory.
  SmallVector<OpFoldResult> sizes(place.sizes);
  sizes[timeAxis] = builder.getIndexAttr(BlockSteps);
  Value tile = tensor::EmptyOp::create(builder, loc, sizes, element);
  return sizes == place.sizes ? tile : extract(tile, place);
}

Value StepStager::buildInput(Input &input, Value begin, OpFoldResult count) {
  Place place{input.slice.getMixedOffsets(), input.slice.getMixedSizes()};
  place.offsets[input.timeAxis] = begin;
  place.sizes[input.timeAxis] = count;
  ArrayRef<int64_t> permutation = input.transpose.getPermutation();
  Value part = extract(input.transpose.getInput(),
                       place.permuted(permutation, /*inverted=*/true));
  Value tile = buildTile(input.slice.getType().getElementType(),
                         getTilePlace(place.sizes, input.timeAxis, count),
                         input.timeAxis);
  return linalg::TransposeOp::create(builder, loc, part, tile, permutation)
      .getResult()[0];
}

Value StepStager::buildOutput(Output &output, Value tile, Value tensor,
                              Value begin, OpFoldResult count) {
  Place place{output.row.getMixedOffsets(), output.row.getMixedSizes()};
  place.offsets[output.timeAxis] = begin;
  place.sizes[output.timeAxis] = count;
  place = place.permuted(output.permutation, /*inverted=*/false);
  Value part =
      linalg::TransposeOp::create(builder, loc, tile, extract(tensor, place),
                                  output.permutation)
          .getResult()[0];
  return tensor::InsertSliceOp::create(
      builder, loc, part, tensor, place.offsets, place.sizes,
      SmallVector<OpFoldResult>(place.sizes.size(), builder.getIndexAttr(1)));
}

void StepStager::buildBlocks() {
  builder.setInsertionPoint(steps);
  std::optional<int64_t> first = getConstantIntValue(steps.getLowerBound());
  std::optional<int64_t> last = getConstantIntValue(steps.getUpperBound());
  bool isEven = first && last && (*last - *first) % BlockSteps == 0;
  SmallVector<Value> inits(steps.getInitArgs());
  for (Output &output : outputs)
    inits[output.number] = output.begun;
  auto noBody = [](OpBuilder &, Location, Value, ValueRange) {};
  auto blocks = scf::ForOp::create(builder, loc, steps.getLowerBound(),
                                   steps.getUpperBound(), constant(BlockSteps),
                                   inits, noBody);

  builder.setInsertionPointToEnd(blocks.getBody());
  Value begin = blocks.getInductionVar();
  Value count = constant(BlockSteps);
  if (!isEven)
    count = arith::MinSIOp::create(
        builder, loc, count,
        arith::SubIOp::create(builder, loc, steps.getUpperBound(), begin));
  OpFoldResult rows = getAsOpFoldResult(count);
  llvm::SmallDenseMap<Operation *, std::pair<Value, unsigned>> tiles;
  for (Input &input : inputs)
    tiles[input.slice] = {buildInput(input, begin, rows), input.timeAxis};
  SmallVector<Value> carried(blocks.getRegionIterArgs());
  for (Output &output : outputs)
    carried[output.number] = buildTile(
        output.row.getSourceType().getElementType(),
        getTilePlace(output.row.getMixedSizes(), output.timeAxis, rows),
        output.timeAxis);
  auto within = scf::ForOp::create(builder, loc, constant(0), count,
                                   constant(1), carried, noBody);

  builder.setInsertionPointToEnd(within.getBody());
  Value step = within.getInductionVar();
  OpFoldResult one = builder.getIndexAttr(1);
  IRMapping mapping;
  mapping.map(steps.getInductionVar(),
              arith::AddIOp::create(builder, loc, begin, step).getResult());
  mapping.map(steps.getRegionIterArgs(), within.getRegionIterArgs());
  for (Output &output : outputs)
    tiles[output.row] = {within.getRegionIterArg(output.number),
                         output.timeAxis};
  for (Operation &op : steps.getBody()->without_terminator()) {
    auto staged = tiles.find(&op);
    if (staged == tiles.end()) {
      builder.clone(op, mapping);
      continue;
    }
    auto [tile, timeAxis] = staged->second;
    Place place =
        getTilePlace(cast<OffsetSizeAndStrideOpInterface>(op).getMixedSizes(),
                     timeAxis, one);
    place.offsets[timeAxis] = step;
    SmallVector<OpFoldResult> ones(place.sizes.size(), one);
    Value row;
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
      row = tensor::ExtractSliceOp::create(builder, op.getLoc(),
                                           slice.getType(), tile, place.offsets,
                                           place.sizes, ones);
    else
      row = tensor::InsertSliceOp::create(
          builder, op.getLoc(),
          mapping.lookup(cast<tensor::InsertSliceOp>(op).getSource()), tile,
          place.offsets, place.sizes, ones);
    mapping.map(op.getResult(0), row);
  }
  scf::YieldOp::create(
      builder, loc,
      llvm::map_to_vector(steps.getYieldedValues(), [&](Value value) {
        return mapping.lookupOrDefault(value);
      }));

  builder.setInsertionPointAfter(within);
  SmallVector<Value> results(within.getResults());
  for (Output &output : outputs)
    results[output.number] =
        buildOutput(output, results[output.number],
                    blocks.getRegionIterArg(output.number), begin, rows);
  scf::YieldOp::create(builder, loc, results);
  for (auto [before, after] :
       llvm::zip_equal(steps.getResults(), blocks.getResults()))
    before.replaceAllUsesWith(after);
  steps.erase();
}

/// Lets the extents of what `transpose` makes be known without it.
static void replaceExtents(linalg::TransposeOp transpose) {
  Value result = transpose->getResult(0);
  for (Operation *user : llvm::make_early_inc_range(result.getUsers()))
    if (auto extent = dyn_cast<tensor::DimOp>(user))
      extent.getSourceMutable().assign(transpose.getInit());
}

void StepStager::run() {
  if (getConstantIntValue(steps.getStep()) != 1)
    return;
  hoistIndices();
  for (auto slice : steps.getBody()->getOps<tensor::ExtractSliceOp>())
    if (std::optional<Input> input = matchInput(slice))
      inputs.push_back(*input);
  for (unsigned number = 0; number < steps.getNumResults(); ++number)
    if (std::optional<Output> output = matchOutput(number))
      outputs.push_back(*output);
  if (inputs.empty() && outputs.empty())
    return;
  SmallVector<Operation *> unused;
  for (Input &input : inputs) {
    replaceExtents(input.transpose);
    unused.push_back(input.transpose);
  }
  for (Output &output : outputs)
    unused.push_back(output.begun);
  turnResults();
  buildBlocks();
  for (Operation *op : unused)
    op->erase();
}

namespace {
struct StageTransposesPass
    : weir::impl::StageTransposesBase<StageTransposesPass> {
  using StageTransposesBase::StageTransposesBase;

  void runOnOperation() override {
    SmallVector<scf::ForOp> loops;
    getOperation()->walk([&](scf::ForOp loop) {
      if (isa<scf::ForallOp>(loop->getParentOp()))
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops)
      StepStager(cast<scf::ForallOp>(loop->getParentOp()), loop).run();
  }
};
} // namespace
