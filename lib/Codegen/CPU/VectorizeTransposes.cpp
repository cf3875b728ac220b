//===- VectorizeTransposes.cpp - Matrices turned in registers ---*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block has as many rows and columns as a vector has numbers. It is turned
// four columns at a time. Four vectors take these of all rows, a row in each
// lane of four numbers: with blocks of 16, those of rows 0, 4, 8 and 12 in the
// first vector, of rows 1, 5, 9 and 13 in the second. Two rounds of shuffles
// within the lanes, two instructions a column, turn the 4 x 4 numbers that lie
// in the same lane of all four.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "weir/Codegen/Passes.h"

namespace weir {
#define GEN_PASS_DEF_VECTORIZETRANSPOSES
#include "weir/Codegen/CPUPasses.h.inc"
} // namespace weir

using namespace mlir;

/// Numbers of a part of a vector within which most instructions shuffle.
static constexpr int64_t LaneSize = 4;

namespace {
/// An operation that turns matrices: the axis along which the source's numbers
/// lie side by side is not that of the result's.
struct Transpose {
  linalg::LinalgOp op;
  /// The source's places in terms of the result's axes.
  AffineMap places;
  /// The last axis of the source, and that of the result.
  unsigned sourceAxis, resultAxis;
  /// Rows and columns of a block.
  int64_t blockSize;

  Value getSource() { return op.getDpsInputOperand(0)->get(); }

  /// Where the source has what the result has at `at`.
  SmallVector<Value> getPlace(ArrayRef<Value> at) const {
    SmallVector<Value> place;
    for (AffineExpr axis : places.getResults())
      place.push_back(at[cast<AffineDimExpr>(axis).getPosition()]);
    return place;
  }
};
} // namespace

/// Whether the body of `op` works on one number at a time, so that it works on
/// vectors too.
static bool isPointwise(linalg::LinalgOp op) {
  Block &body = *op.getBlock();
  return body.getArgument(1).use_empty() &&
         llvm::all_of(body.without_terminator(), [](Operation &inner) {
           return OpTrait::hasElementwiseMappableTraits(&inner) &&
                  inner.getNumResults() == 1 &&
                  inner.getResult(0).getType().isIntOrFloat();
         });
}

static std::optional<Transpose> matchTranspose(linalg::LinalgOp op,
                                               int64_t blockSize) {
  if (!isa<linalg::GenericOp, linalg::TransposeOp>(op.getOperation()) ||
      !op.hasPureTensorSemantics() || op.getNumLoops() < 2 ||
      op.getNumParallelLoops() != op.getNumLoops() ||
      op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1)
    return std::nullopt;
  unsigned rank = op.getNumLoops();
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  auto source =
      dyn_cast<RankedTensorType>(op.getDpsInputOperand(0)->get().getType());
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (!source || source.getRank() < 2 || !source.getElementType().isF32() ||
      !maps[0].isProjectedPermutation() || !maps[1].isIdentity() ||
      !isPointwise(op))
    return std::nullopt;
  Transpose match{op, maps[0], maps[0].getDimPosition(source.getRank() - 1),
                  rank - 1, blockSize};
  if (match.sourceAxis == match.resultAxis ||
      !maps[0].isFunctionOfDim(match.resultAxis))
    return std::nullopt;
  for (unsigned axis : {match.sourceAxis, match.resultAxis})
    if (!type.isDynamicDim(axis) && type.getDimSize(axis) < blockSize)
      return std::nullopt;
  return match;
}

/// The numbers `vector`, as the body of `op` makes them.
static Value emitBody(OpBuilder &builder, linalg::LinalgOp op,
                      TypedValue<VectorType> vector) {
  Block &body = *op.getBlock();
  IRMapping mapping;
  mapping.map(body.getArgument(0), vector);
  auto widen = [&](Type type) { return vector.getType().clone(type); };
  auto find = [&](Value value) -> Value {
    if (mapping.contains(value))
      return mapping.lookup(value);
    Value splat = vector::BroadcastOp::create(builder, op.getLoc(),
                                              widen(value.getType()), value);
    mapping.map(value, splat);
    return splat;
  };
  for (Operation &inner : body.without_terminator()) {
    // A constant of the body is a number until something reads it.
    if (inner.hasTrait<OpTrait::ConstantLike>()) {
      mapping.map(inner.getResult(0), find(builder.clone(inner)->getResult(0)));
      continue;
    }
    SmallVector<Value> operands =
        llvm::map_to_vector(inner.getOperands(), find);
    Operation *wide = builder.create(
        inner.getLoc(), inner.getName().getIdentifier(), operands,
        {widen(inner.getResult(0).getType())}, inner.getAttrs());
    mapping.map(inner.getResult(0), wide->getResult(0));
  }
  return find(body.getTerminator()->getOperand(0));
}

/// Turns the block of the source at `at`, places of the result's axes, into
/// that of `into`.
static Value emitBlock(OpBuilder &builder, Transpose transpose, Value into,
                       ArrayRef<Value> at) {
  Location loc = transpose.op.getLoc();
  int64_t blockSize = transpose.blockSize;
  Value source = transpose.getSource();
  auto laneType = VectorType::get({LaneSize}, builder.getF32Type());
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0));
  auto behind = [&](Value index, int64_t number) -> Value {
    if (number == 0)
      return index;
    return arith::AddIOp::create(
        builder, loc, index,
        arith::ConstantIndexOp::create(builder, loc, number));
  };
  // The block's rows are those of the source.
  auto place = [&](int64_t row, int64_t column) {
    SmallVector<Value> indices(at);
    Value &along = indices[transpose.resultAxis],
          &across = indices[transpose.sourceAxis];
    along = behind(along, row);
    across = behind(across, column);
    return indices;
  };
  // `mask` tells for each number of a lane which of the lanes of `a` and `b`
  // it is, those of `b` counted from LaneSize on.
  auto shuffle = [&](Value a, Value b, ArrayRef<int64_t> mask) {
    SmallVector<int64_t> all;
    for (int64_t lane = 0; lane < blockSize; lane += LaneSize)
      for (int64_t number : mask)
        all.push_back(number < LaneSize ? lane + number
                                        : blockSize + lane + number - LaneSize);
    return vector::ShuffleOp::create(builder, loc, a, b, all).getVector();
  };
  auto join = [&](Value a, Value b) -> Value {
    int64_t size = cast<VectorType>(a.getType()).getDimSize(0);
    return vector::ShuffleOp::create(builder, loc, a, b,
                                     llvm::to_vector(llvm::seq(2 * size)));
  };

  for (int64_t part = 0; part < blockSize; part += LaneSize) {
    SmallVector<Value> rows;
    for (int64_t i = 0; i < LaneSize; ++i) {
      SmallVector<Value> lanes;
      for (int64_t lane = 0; lane < blockSize; lane += LaneSize)
        lanes.push_back(vector::TransferReadOp::create(
            builder, loc, laneType, source,
            transpose.getPlace(place(lane + i, part)), zero,
            ArrayRef<bool>{true}));
      while (lanes.size() > 1) {
        for (size_t pair = 0; pair < lanes.size() / 2; ++pair)
          lanes[pair] = join(lanes[2 * pair], lanes[2 * pair + 1]);
        lanes.truncate(lanes.size() / 2);
      }
      rows.push_back(lanes.front());
    }
    Value low = shuffle(rows[0], rows[1], {0, 4, 1, 5});
    Value high = shuffle(rows[0], rows[1], {2, 6, 3, 7});
    Value lowRest = shuffle(rows[2], rows[3], {0, 4, 1, 5});
    Value highRest = shuffle(rows[2], rows[3], {2, 6, 3, 7});
    TypedValue<VectorType> columns[] = {shuffle(low, lowRest, {0, 1, 4, 5}),
                                        shuffle(low, lowRest, {2, 3, 6, 7}),
                                        shuffle(high, highRest, {0, 1, 4, 5}),
                                        shuffle(high, highRest, {2, 3, 6, 7})};
    for (auto [i, written] : llvm::enumerate(columns))
      into = vector::TransferWriteOp::create(
                 builder, loc, emitBody(builder, transpose.op, written), into,
                 place(0, part + i), ArrayRef<bool>{true})
                 .getResult();
  }
  return into;
}

/// What `op` does with the result's `sizes` places from `offsets` on, written
/// to `into`: by the operation as it is.
static Value emitPart(OpBuilder &builder, Transpose transpose, Value into,
                      ArrayRef<OpFoldResult> offsets,
                      ArrayRef<OpFoldResult> sizes) {
  Location loc = transpose.op.getLoc();
  auto take = [&](Value tensor, ArrayRef<OpFoldResult> first,
                  ArrayRef<OpFoldResult> extents) -> Value {
    SmallVector<OpFoldResult> ones(first.size(), builder.getIndexAttr(1));
    return tensor::ExtractSliceOp::create(builder, loc, tensor, first, extents,
                                          ones);
  };
  SmallVector<OpFoldResult> sourceOffsets, sourceSizes;
  for (AffineExpr axis : transpose.places.getResults()) {
    unsigned position = cast<AffineDimExpr>(axis).getPosition();
    sourceOffsets.push_back(offsets[position]);
    sourceSizes.push_back(sizes[position]);
  }
  Value from = take(transpose.getSource(), sourceOffsets, sourceSizes);
  Value old = take(into, offsets, sizes);
  Operation *part =
      mlir::clone(builder, transpose.op, {old.getType()}, {from, old});
  SmallVector<OpFoldResult> ones(offsets.size(), builder.getIndexAttr(1));
  return tensor::InsertSliceOp::create(builder, loc, part->getResult(0), into,
                                       offsets, sizes, ones);
}

/// The loops over matrices, then over blocks of each; what is left of extents
/// that are no multiples of a block, number by number.
static Value emitTranspose(OpBuilder &builder, Transpose transpose) {
  Location loc = transpose.op.getLoc();
  int64_t blockSize = transpose.blockSize;
  Value result = transpose.op.getDpsInits()[0];
  auto type = cast<RankedTensorType>(result.getType());
  unsigned rank = type.getRank();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  auto isBlock = [&](unsigned axis) {
    return axis == transpose.sourceAxis || axis == transpose.resultAxis;
  };
  // Extents, and how far blocks reach.
  SmallVector<OpFoldResult> extents =
      tensor::getMixedSizes(builder, loc, result);
  SmallVector<OpFoldResult> whole = extents;
  for (unsigned axis : {transpose.sourceAxis, transpose.resultAxis}) {
    if (!type.isDynamicDim(axis)) {
      whole[axis] =
          builder.getIndexAttr(type.getDimSize(axis) / blockSize * blockSize);
      continue;
    }
    Value extent = cast<Value>(extents[axis]);
    Value rest =
        arith::RemSIOp::create(builder, loc, extent, constant(blockSize));
    whole[axis] = arith::SubIOp::create(builder, loc, extent, rest).getResult();
  }
  // Matrices first; rows of the source outside of its columns.
  SmallVector<unsigned> order;
  for (unsigned axis = 0; axis < rank; ++axis)
    if (!isBlock(axis))
      order.push_back(axis);
  order.append({transpose.resultAxis, transpose.sourceAxis});
  SmallVector<Value> first(rank, constant(0)), last, step;
  for (unsigned axis : order) {
    last.push_back(getValueOrCreateConstantIndexOp(builder, loc, whole[axis]));
    step.push_back(constant(isBlock(axis) ? blockSize : 1));
  }
  scf::LoopNest nest = scf::buildLoopNest(
      builder, loc, first, last, step, ValueRange(result),
      [&](OpBuilder &b, Location, ValueRange places, ValueRange carried) {
        SmallVector<Value> at(rank);
        for (auto [axis, place] : llvm::zip(order, places))
          at[axis] = place;
        return scf::ValueVector{emitBlock(b, transpose, carried[0], at)};
      });
  result = nest.results[0];

  SmallVector<OpFoldResult> sizes = extents;
  for (unsigned axis : {transpose.sourceAxis, transpose.resultAxis}) {
    if (isEqualConstantIntOrValue(whole[axis], extents[axis]))
      continue;
    SmallVector<OpFoldResult> offsets(rank, builder.getIndexAttr(0));
    offsets[axis] = whole[axis];
    sizes[axis] =
        type.isDynamicDim(axis)
            ? OpFoldResult(arith::SubIOp::create(builder, loc,
                                                 cast<Value>(extents[axis]),
                                                 cast<Value>(whole[axis]))
                               .getResult())
            : builder.getIndexAttr(type.getDimSize(axis) % blockSize);
    result = emitPart(builder, transpose, result, offsets, sizes);
    // The other axis's rest has this one's blocks.
    sizes[axis] = whole[axis];
  }
  return result;
}

namespace {
struct VectorizeTransposesPass
    : weir::impl::VectorizeTransposesBase<VectorizeTransposesPass> {
  using VectorizeTransposesBase::VectorizeTransposesBase;

  void runOnOperation() override {
    int64_t blockSize = vectorBits / 32;
    if (blockSize <= LaneSize)
      return;
    SmallVector<Transpose> transposes;
    getOperation()->walk([&](linalg::LinalgOp op) {
      if (std::optional<Transpose> transpose = matchTranspose(op, blockSize))
        transposes.push_back(*transpose);
    });
    for (Transpose &transpose : transposes) {
      OpBuilder builder(transpose.op);
      transpose.op->getResult(0).replaceAllUsesWith(
          emitTranspose(builder, transpose));
      transpose.op.erase();
    }
  }
};
} // namespace
