//===- ExpertGrid.cpp - Experts by blocks of a grid -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The form for many small processors that share no cache, and for a host that
// does not know how many tokens an expert has. Pairs of a token and a slot are
// sorted by expert by operations that are parallel in all they write:
//
//   hist[c, e]  = pairs of expert e in chunk c of 256 pairs
//   total[e]    = sum over c of hist[c, e]
//   starts[e]   = sum over e' < e of total[e']
//   row(pair)   = starts[e] + sum over c' < c of hist[c', e]
//                 + pairs of e in front of it in its chunk c
//
// Rows of one expert are cut into blocks. How many there are is known only from
// the counts; that they are no more than pairs / rows, and one for each expert,
// is known in front. Loops go to that bound, and a block behind the last one
// has no rows. Block b belongs to the expert whose first block is the last at
// or before b, which a sum over the experts finds.
//
// Then each operation of the body that needs a param is a parallel loop over
// blocks, and over columns as its schedule says, with the whole of its rows as
// its result. What lies between does not know of experts.
//
// One token has its pairs in order and a block for each.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/TilingInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include "weir/IR/ExpertBlocks.h"
#include "weir/IR/ReferenceBuilders.h"

using namespace mlir;
using namespace weir;

/// Pairs that are counted together: their ranks among each other take this many
/// steps, and those of chunks as many as there are chunks.
static constexpr int64_t PairsPerChunk = 256;

namespace {
/// Builds the grid form of one `weir.experts`.
class ExpertGrid {
public:
  ExpertGrid(OpBuilder &builder, ExpertsOp op, int64_t rowsPerBlock)
      : builder(builder), op(op), loc(op.getLoc()), blocks(builder, op),
        rowsPerBlock(rowsPerBlock), experts(op.getExpertCount()) {}

  Value build();

private:
  /// The rows of a block, and their expert.
  struct Span {
    Value expert;
    OpFoldResult first, count;
  };

  Value index(OpBuilder &b, int64_t number) const {
    return buildIndex(b, loc, number);
  }
  /// Entry `at` of a table, as an index.
  Value read(OpBuilder &b, Value table, Value at) const {
    return buildReadIndex(b, loc, table, at);
  }
  /// The expert of `pair`; their number for none.
  Value expertOf(OpBuilder &b, Value pair) const {
    return arith::MinUIOp::create(b, loc, blocks.readExpert(b, pair),
                                  index(b, experts));
  }

  /// A table of i32 of extents `sizes`: sums of `term` over further loops of
  /// extents `reduced`. The term gets the indices of all loops, and the element
  /// of `input`, where there is one, at those that `inputAxes` says.
  Value buildTable(
      ArrayRef<OpFoldResult> sizes, ArrayRef<OpFoldResult> reduced, Value input,
      ArrayRef<unsigned> inputAxes,
      llvm::function_ref<Value(OpBuilder &, ValueRange, Value)> term) const;
  void sortPairs();
  Value rowOf(OpBuilder &b, Value pair) const;
  Value gather();
  Span getSpan(OpBuilder &b, Value block) const;
  void mapParamValues(OpBuilder &b, Value expert, IRMapping &mapping) const;
  void buildOnBlocks(Operation &inner);

  OpBuilder &builder;
  ExpertsOp op;
  Location loc;
  ExpertBlocks blocks;
  int64_t rowsPerBlock, experts;
  /// How many pairs and blocks there are at most, and one token's are.
  OpFoldResult pairs, blockCount;
  bool single = false;
  /// The tables above, and of blocks: `[experts + 1]` the first of each expert,
  /// `[blocks]` the expert of each.
  Value histogram, starts, rows, firstBlocks, blockExperts;
  /// What the body's values are on all rows.
  IRMapping whole;
  /// Values of the body that depend on rows, or else on params.
  llvm::SmallPtrSet<Value, 16> ofRows, ofParams;
  /// What makes the latter, in order.
  SmallVector<Operation *> paramOps;
};
} // namespace

Value ExpertGrid::buildTable(
    ArrayRef<OpFoldResult> sizes, ArrayRef<OpFoldResult> reduced, Value input,
    ArrayRef<unsigned> inputAxes,
    llvm::function_ref<Value(OpBuilder &, ValueRange, Value)> term) const {
  unsigned loops = sizes.size() + reduced.size();
  SmallVector<unsigned> outer, inner;
  for (unsigned axis = 0; axis < loops; ++axis)
    (axis < sizes.size() ? outer : inner).push_back(axis);
  // No element of it is read: it says how far the sums go.
  SmallVector<Value> inputs{
      tensor::EmptyOp::create(builder, loc, reduced, builder.getI8Type())};
  SmallVector<AffineMap> maps{getAxesMap(builder, loops, inner)};
  if (input) {
    inputs.push_back(input);
    maps.push_back(getAxesMap(builder, loops, inputAxes));
  }
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(0));
  return buildReduction(builder, loc, sizes, zero,
                        getAxesMap(builder, loops, outer), inputs, maps,
                        [&](OpBuilder &b, Location l, ValueRange in) -> Value {
                          SmallVector<Value> at;
                          for (unsigned axis = 0; axis < loops; ++axis)
                            at.push_back(linalg::IndexOp::create(b, l, axis));
                          Value value = term(b, at, input ? in[1] : Value());
                          return arith::AddIOp::create(b, l, in.back(), value);
                        });
}

/// 1 where `condition` holds, `value` if there is one, and else 0.
static Value countIf(OpBuilder &b, Location loc, Value condition,
                     Value value = {}) {
  if (!value)
    return arith::ExtUIOp::create(b, loc, b.getI32Type(), condition);
  Value zero = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0));
  return arith::SelectOp::create(b, loc, condition, value, zero);
}

static Value isLess(OpBuilder &b, Location loc, Value x, Value y) {
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, x, y);
}

void ExpertGrid::sortPairs() {
  Value pairCount = getValueOrCreateConstantIndexOp(builder, loc, pairs);
  AffineExpr extent = builder.getAffineDimExpr(0);
  OpFoldResult chunks = affine::makeComposedFoldedAffineApply(
      builder, loc, extent.ceilDiv(PairsPerChunk), {pairs});
  OpFoldResult chunk = builder.getIndexAttr(PairsPerChunk);
  // One more for pairs of no expert, which come behind all others.
  OpFoldResult entries = builder.getIndexAttr(experts + 1);

  // Whether pair `number` of `chunk` is in front of `end` and of `expert`.
  auto matches = [&](OpBuilder &b, Value chunkNumber, Value number, Value end,
                     Value expert) -> Value {
    Value pair = arith::AddIOp::create(
        b, loc,
        arith::MulIOp::create(b, loc, chunkNumber, index(b, PairsPerChunk)),
        number);
    Value last = arith::SubIOp::create(b, loc, pairCount, index(b, 1));
    Value there = arith::MinUIOp::create(b, loc, pair, last);
    Value same = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                       expertOf(b, there), expert);
    return arith::AndIOp::create(b, loc, same, isLess(b, loc, pair, end));
  };
  histogram = buildTable(
      {chunks, entries}, {chunk}, {}, {},
      [&](OpBuilder &b, ValueRange at, Value) {
        return countIf(b, loc, matches(b, at[0], at[2], pairCount, at[1]));
      });
  Value totals =
      buildTable({entries}, {chunks}, histogram, {1, 0},
                 [&](OpBuilder &, ValueRange, Value count) { return count; });
  starts =
      buildTable({entries}, {entries}, totals, {1},
                 [&](OpBuilder &b, ValueRange at, Value count) {
                   return countIf(b, loc, isLess(b, loc, at[1], at[0]), count);
                 });
  Value before =
      buildTable({chunks, entries}, {chunks}, histogram, {2, 1},
                 [&](OpBuilder &b, ValueRange at, Value count) {
                   return countIf(b, loc, isLess(b, loc, at[2], at[0]), count);
                 });
  auto chunkOf = [&](OpBuilder &b, Value pair) -> Value {
    return arith::DivUIOp::create(b, loc, pair, index(b, PairsPerChunk));
  };
  Value ranks = buildTable({pairs}, {chunk}, {}, {},
                           [&](OpBuilder &b, ValueRange at, Value) {
                             return countIf(b, loc,
                                            matches(b, chunkOf(b, at[0]), at[1],
                                                    at[0], expertOf(b, at[0])));
                           });
  rows = buildElementwise(
      builder, loc, {pairs}, builder.getI32Type(), ranks,
      builder.getMultiDimIdentityMap(1),
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value pair = linalg::IndexOp::create(b, l, 0);
        Value expert = expertOf(b, pair);
        Value first = tensor::ExtractOp::create(b, l, starts, expert);
        Value passed = tensor::ExtractOp::create(
            b, l, before, ValueRange{chunkOf(b, pair), expert});
        return arith::AddIOp::create(
            b, l, in[0], arith::AddIOp::create(b, l, first, passed));
      });

  // Blocks.
  Value share = arith::ConstantOp::create(
      builder, loc, builder.getI32IntegerAttr(rowsPerBlock));
  firstBlocks =
      buildTable({entries}, {entries}, totals, {1},
                 [&](OpBuilder &b, ValueRange at, Value count) {
                   Value taken =
                       arith::CeilDivUIOp::create(b, loc, count, share);
                   return countIf(b, loc, isLess(b, loc, at[1], at[0]), taken);
                 });
  blockExperts = buildTable(
      {blockCount}, {entries}, firstBlocks, {1},
      [&](OpBuilder &b, ValueRange at, Value first) {
        Value block = arith::IndexCastOp::create(b, loc, b.getI32Type(), at[0]);
        Value begun = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ule,
                                            first, block);
        // The first expert begins with block 0.
        Value later = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne,
                                            at[1], index(b, 0));
        return countIf(b, loc, arith::AndIOp::create(b, loc, begun, later));
      });
}

Value ExpertGrid::rowOf(OpBuilder &b, Value pair) const {
  return single ? pair : read(b, rows, pair);
}

Value ExpertGrid::gather() {
  auto type = cast<RankedTensorType>(op.getInput().getType());
  SmallVector<OpFoldResult> extents{
      pairs, builder.getIndexAttr(type.getShape().back())};
  Value into =
      tensor::EmptyOp::create(builder, loc, extents, type.getElementType());
  auto forall = scf::ForallOp::create(builder, loc, ArrayRef(pairs), into,
                                      /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(forall.getTerminator());
  Value pair = forall.getInductionVars().front();
  Value row = rowOf(builder, pair), input = blocks.readInput(builder, pair);
  builder.setInsertionPointToEnd(forall.getTerminator().getBody());
  SmallVector<OpFoldResult> offsets{row, builder.getIndexAttr(0)},
      sizes{builder.getIndexAttr(1), extents.back()},
      strides(2, builder.getIndexAttr(1));
  tensor::ParallelInsertSliceOp::create(builder, loc, input,
                                        forall.getRegionIterArgs().front(),
                                        offsets, sizes, strides);
  return forall.getResult(0);
}

ExpertGrid::Span ExpertGrid::getSpan(OpBuilder &b, Value block) const {
  if (single)
    return {blocks.clampExpert(b, blocks.readExpert(b, block)), block,
            b.getIndexAttr(1)};
  Value expert = blocks.clampExpert(b, read(b, blockExperts, block));
  Value next = arith::AddIOp::create(b, loc, expert, index(b, 1));
  Value end = read(b, starts, next), share = index(b, rowsPerBlock);
  Value number =
      arith::SubIOp::create(b, loc, block, read(b, firstBlocks, expert));
  Value first =
      arith::AddIOp::create(b, loc, read(b, starts, expert),
                            arith::MulIOp::create(b, loc, number, share));
  first = arith::MinSIOp::create(b, loc, first, end);
  Value rest = arith::SubIOp::create(b, loc, end, first);
  return {expert, first,
          arith::MinSIOp::create(b, loc, rest, share).getResult()};
}

void ExpertGrid::mapParamValues(OpBuilder &b, Value expert,
                                IRMapping &mapping) const {
  blocks.mapParams(b, expert, mapping);
  for (Operation *inner : paramOps)
    b.clone(*inner, mapping);
}

/// The values of the body that `inner` and what is inside of it use.
static SmallVector<Value> getUsedValues(Operation &inner) {
  SmallVector<Value> used(inner.getOperands());
  llvm::SetVector<Value> above;
  getUsedValuesDefinedAbove(inner.getRegions(), above);
  llvm::append_range(used, above);
  return used;
}

/// The extents of a tile of `size` columns at `first`.
static OpFoldResult cutColumns(OpBuilder &b, Location loc, Value first,
                               int64_t columns, int64_t size) {
  if (columns % size == 0)
    return b.getIndexAttr(size);
  AffineExpr at = b.getAffineDimExpr(0);
  AffineMap map = AffineMap::get(
      1, 0,
      {b.getAffineConstantExpr(size), b.getAffineConstantExpr(columns) - at},
      b.getContext());
  return affine::makeComposedFoldedAffineMin(b, loc, map, {first});
}

void ExpertGrid::buildOnBlocks(Operation &inner) {
  auto schedule = inner.getAttrOfType<ScheduleAttr>("schedule");
  auto type = cast<RankedTensorType>(inner.getResult(0).getType());
  // Cut along columns too where that is said how.
  bool tiled = schedule && isa<TilingInterface>(inner) &&
               schedule.getTiles().size() == 2 && type.getRank() == 2;
  int64_t columns = tiled ? type.getDimSize(1) : 1,
          columnTile = tiled ? schedule.getTiles()[1] : 1;
  SmallVector<Value> outputs;
  for (Type result : inner.getResultTypes()) {
    SmallVector<OpFoldResult> sizes{pairs};
    for (int64_t extent :
         cast<RankedTensorType>(result).getShape().drop_front())
      sizes.push_back(builder.getIndexAttr(extent));
    outputs.push_back(tensor::EmptyOp::create(
        builder, loc, sizes, cast<RankedTensorType>(result).getElementType()));
  }
  SmallVector<OpFoldResult> lower(2, builder.getIndexAttr(0)),
      upper{blockCount, builder.getIndexAttr(columns)},
      steps{builder.getIndexAttr(1), builder.getIndexAttr(columnTile)};
  auto forall = scf::ForallOp::create(builder, loc, lower, upper, steps,
                                      outputs, /*mapping=*/std::nullopt);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(forall.getTerminator());
    Span span = getSpan(builder, forall.getInductionVars()[0]);
    IRMapping mapping = whole;
    mapParamValues(builder, span.expert, mapping);
    SmallVector<Value> tiles;
    SmallVector<OpFoldResult> offsets{span.first}, sizes{span.count};
    if (tiled) {
      Value first = forall.getInductionVars()[1];
      offsets.push_back(first);
      sizes.push_back(cutColumns(builder, loc, first, columns, columnTile));
      Operation *clone = builder.clone(inner, mapping);
      FailureOr<TilingResult> tile =
          cast<TilingInterface>(clone).generateResultTileValue(builder, 0,
                                                               offsets, sizes);
      if (succeeded(tile))
        tiles = tile->tiledValues;
      clone->erase();
    } else {
      for (Value used : getUsedValues(inner))
        if (ofRows.contains(used) && isa<RankedTensorType>(used.getType())) {
          Value all = whole.lookup(used);
          auto allType = cast<RankedTensorType>(all.getType());
          SmallVector<OpFoldResult> at(allType.getRank(),
                                       builder.getIndexAttr(0)),
              extents = tensor::getMixedSizes(builder, loc, all),
              strides(allType.getRank(), builder.getIndexAttr(1));
          at.front() = span.first;
          extents.front() = span.count;
          Value part = tensor::ExtractSliceOp::create(builder, loc, all, at,
                                                      extents, strides);
          mapping.map(
              used, tensor::CastOp::create(builder, loc, used.getType(), part));
        }
      llvm::append_range(tiles, builder.clone(inner, mapping)->getResults());
    }
    builder.setInsertionPointToEnd(forall.getTerminator().getBody());
    for (auto [tile, output] : llvm::zip(tiles, forall.getRegionIterArgs())) {
      auto outputType = cast<RankedTensorType>(output.getType());
      SmallVector<OpFoldResult> at(offsets), extents(sizes),
          strides(outputType.getRank(), builder.getIndexAttr(1));
      for (int64_t axis = at.size(); axis < outputType.getRank(); ++axis) {
        at.push_back(builder.getIndexAttr(0));
        extents.push_back(builder.getIndexAttr(outputType.getDimSize(axis)));
      }
      tensor::ParallelInsertSliceOp::create(builder, loc, tile, output, at,
                                            extents, strides);
    }
  }
  for (auto [result, output] :
       llvm::zip(inner.getResults(), forall.getResults())) {
    Value value = output;
    if (value.getType() != result.getType())
      value = tensor::CastOp::create(builder, loc, result.getType(), value);
    whole.map(result, value);
  }
}

Value ExpertGrid::build() {
  AffineExpr extent = builder.getAffineDimExpr(0);
  int64_t slots = op.getSlotCount();
  pairs = affine::makeComposedFoldedAffineApply(builder, loc, extent * slots,
                                                {blocks.getTokenCount()});
  single = getConstantIntValue(blocks.getTokenCount()) == 1;
  blockCount = pairs;
  if (!single) {
    AffineMap bounds =
        AffineMap::get(1, 0, {extent, extent.ceilDiv(rowsPerBlock) + experts},
                       builder.getContext());
    blockCount =
        affine::makeComposedFoldedAffineMin(builder, loc, bounds, {pairs});
    sortPairs();
  }
  Block &body = op.getBody().front();
  Value input = gather();
  Type rowsType = body.getArgument(0).getType();
  if (input.getType() != rowsType)
    input = tensor::CastOp::create(builder, loc, rowsType, input);
  whole.map(body.getArgument(0), input);
  ofRows.insert(body.getArgument(0));
  ofParams.insert_range(op.getParamArguments());
  for (Operation &inner : body.without_terminator()) {
    auto needs = [&](const llvm::SmallPtrSet<Value, 16> &values) {
      return llvm::any_of(getUsedValues(inner),
                          [&](Value used) { return values.contains(used); });
    };
    bool rowsNeeded = needs(ofRows), paramsNeeded = needs(ofParams);
    if (rowsNeeded)
      ofRows.insert_range(inner.getResults());
    else if (paramsNeeded)
      ofParams.insert_range(inner.getResults());
    if (rowsNeeded && paramsNeeded)
      buildOnBlocks(inner);
    else if (paramsNeeded)
      paramOps.push_back(&inner);
    else
      builder.clone(inner, whole);
  }
  Value outputs = whole.lookup(body.getTerminator()->getOperand(0));
  return blocks.buildSums(builder, outputs, [&](OpBuilder &b, Value pair) {
    return rowOf(b, pair);
  });
}

Value weir::buildExpertGrid(OpBuilder &builder, ExpertsOp op, int64_t rows) {
  return ExpertGrid(builder, op, rows).build();
}
