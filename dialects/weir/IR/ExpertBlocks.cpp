//===- ExpertBlocks.cpp - Parts of weir.experts -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/ExpertBlocks.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "weir/IR/ReferenceBuilders.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weir;

/// `tensor` with all axes but its last `kept` joined into one.
static Value joinLeading(OpBuilder &builder, Location loc, Value tensor,
                         int64_t kept) {
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  if (rank == kept + 1)
    return tensor;
  SmallVector<ReassociationIndices> groups(1);
  for (int64_t axis = 0; axis < rank - kept; ++axis)
    groups.front().push_back(axis);
  for (int64_t axis = rank - kept; axis < rank; ++axis)
    groups.push_back({axis});
  return tensor::CollapseShapeOp::create(builder, loc, tensor, groups);
}

ExpertBlocks::ExpertBlocks(OpBuilder &builder, ExpertsOp op)
    : op(op), loc(op.getLoc()),
      input(joinLeading(builder, loc, op.getInput(), 1)),
      indices(joinLeading(builder, loc, op.getIndices(), 0)),
      weights(joinLeading(builder, loc, op.getWeights(), 0)),
      tokenCount(tensor::getMixedSize(builder, loc, input, 0)) {}

Value ExpertBlocks::getTokens(OpBuilder &builder) const {
  return getValueOrCreateConstantIndexOp(builder, loc, tokenCount);
}

Value ExpertBlocks::getPair(OpBuilder &builder, Value token, Value slot) const {
  Value slots = buildIndex(builder, loc, ExpertsOp(op).getSlotCount());
  return arith::AddIOp::create(
      builder, loc, arith::MulIOp::create(builder, loc, token, slots), slot);
}

Value ExpertBlocks::getToken(OpBuilder &builder, Value pair) const {
  Value slots = buildIndex(builder, loc, ExpertsOp(op).getSlotCount());
  return arith::DivUIOp::create(builder, loc, pair, slots);
}

Value ExpertBlocks::readExpert(OpBuilder &builder, Value pair) const {
  return buildReadIndex(builder, loc, indices, pair);
}

Value ExpertBlocks::readWeight(OpBuilder &builder, Value pair) const {
  return tensor::ExtractOp::create(builder, loc, weights, pair);
}

Value ExpertBlocks::readToken(OpBuilder &builder, Value token) const {
  auto type = cast<RankedTensorType>(input.getType());
  SmallVector<OpFoldResult> offsets{token, builder.getIndexAttr(0)},
      sizes{builder.getIndexAttr(1), builder.getIndexAttr(type.getDimSize(1))},
      strides(2, builder.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(builder, loc, input, offsets, sizes,
                                        strides);
}

Value ExpertBlocks::clampExpert(OpBuilder &builder, Value expert) const {
  Value last = buildIndex(builder, loc, ExpertsOp(op).getExpertCount() - 1);
  return arith::MinUIOp::create(builder, loc, expert, last);
}

Value ExpertBlocks::readInput(OpBuilder &builder, Value pair) const {
  Value row = readToken(builder, getToken(builder, pair));
  if (!ExpertsOp(op).getWeighInput())
    return row;
  auto type = cast<RankedTensorType>(row.getType());
  Value into = tensor::EmptyOp::create(builder, loc, type.getShape(),
                                       type.getElementType());
  return scaleRow(builder, row, readWeight(builder, pair), into);
}

/// The slice of `param` that belongs to `expert`.
static Value sliceParam(OpBuilder &builder, Location loc, Value param,
                        Value expert) {
  auto type = cast<RankedTensorType>(param.getType());
  SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0)),
      strides(type.getRank(), builder.getIndexAttr(1)), sizes;
  offsets.front() = expert;
  for (int64_t extent : type.getShape())
    sizes.push_back(builder.getIndexAttr(extent));
  sizes.front() = builder.getIndexAttr(1);
  auto slice = RankedTensorType::get(type.getShape().drop_front(),
                                     type.getElementType());
  return tensor::ExtractSliceOp::create(builder, loc, slice, param, offsets,
                                        sizes, strides);
}

void ExpertBlocks::mapParams(OpBuilder &builder, Value expert,
                             IRMapping &mapping) const {
  for (auto [param, argument] : llvm::zip_equal(
           ExpertsOp(op).getParams(), ExpertsOp(op).getParamArguments()))
    mapping.map(argument, sliceParam(builder, loc, param, expert));
}

//===----------------------------------------------------------------------===//
// The body on one row
//===----------------------------------------------------------------------===//

/// Whether `op` keeps its meaning when the rows of its operands, their first
/// axis, are known to be one.
static bool canRefine(Operation &op) {
  for (Type type : op.getResultTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type);
        tensor && ShapedType::isDynamicShape(
                      tensor.getShape().drop_front(tensor.getRank() ? 1 : 0)))
      return false;
  if (auto streaming = dyn_cast<StreamingInterface>(op))
    return streaming.isTimePointwise() && op.getNumRegions() == 0;
  return isMemoryEffectFree(&op) &&
         (isa<tensor::EmptyOp, tensor::DimOp, tensor::ExtractSliceOp,
              linalg::LinalgOp, YieldOp>(op) ||
          (isa<arith::ArithDialect>(op.getDialect()) &&
           llvm::none_of(op.getResultTypes(), llvm::IsaPred<ShapedType>)) ||
          op.hasTrait<OpTrait::ConstantLike>());
}

/// Clones `op`, whose operands in `mapping` may have one row instead of any
/// number.
static void cloneRefined(OpBuilder &builder, Operation &op,
                         IRMapping &mapping) {
  Location loc = op.getLoc();
  auto mapSizes = [&](ArrayRef<OpFoldResult> sizes) {
    SmallVector<OpFoldResult> mapped;
    for (OpFoldResult size : sizes) {
      auto value = dyn_cast<Value>(size);
      mapped.push_back(value ? getAsOpFoldResult(mapping.lookupOrDefault(value))
                             : size);
    }
    return mapped;
  };
  Operation *clone =
      llvm::TypeSwitch<Operation *, Operation *>(&op)
          .Case<tensor::DimOp>([&](tensor::DimOp op) -> Operation * {
            Value source = mapping.lookupOrDefault(op.getSource());
            std::optional<int64_t> axis = op.getConstantIndex();
            auto type = cast<RankedTensorType>(source.getType());
            if (!axis || type.isDynamicDim(*axis))
              return builder.clone(*op, mapping);
            return arith::ConstantIndexOp::create(builder, loc,
                                                  type.getDimSize(*axis));
          })
          .Case<tensor::EmptyOp>([&](tensor::EmptyOp op) {
            return tensor::EmptyOp::create(builder, loc,
                                           mapSizes(op.getMixedSizes()),
                                           op.getType().getElementType());
          })
          .Case<tensor::ExtractSliceOp>([&](tensor::ExtractSliceOp op) {
            SmallVector<OpFoldResult> sizes = mapSizes(op.getMixedSizes());
            auto full = tensor::ExtractSliceOp::inferResultType(
                op.getSourceType(), sizes);
            auto type = op.getType();
            // Without a dropped axis the type follows from the extents.
            if (type.getRank() == full.getRank())
              type = full;
            return tensor::ExtractSliceOp::create(
                builder, loc, type, mapping.lookupOrDefault(op.getSource()),
                mapSizes(op.getMixedOffsets()), sizes,
                mapSizes(op.getMixedStrides()));
          })
          .Default([&](Operation *op) {
            bool refined = llvm::any_of(op->getOperands(), [&](Value operand) {
              return mapping.lookupOrDefault(operand).getType() !=
                     operand.getType();
            });
            Operation *clone = builder.clone(*op, mapping);
            if (auto structured = dyn_cast<linalg::LinalgOp>(clone)) {
              for (auto [result, init] :
                   llvm::zip(clone->getResults(), structured.getDpsInits()))
                result.setType(init.getType());
              return clone;
            }
            if (!refined)
              return clone;
            for (Value result : clone->getResults()) {
              auto type = dyn_cast<RankedTensorType>(result.getType());
              if (!type || type.getRank() == 0 || !type.isDynamicDim(0))
                continue;
              SmallVector<int64_t> shape(type.getShape());
              shape.front() = 1;
              result.setType(type.clone(shape));
            }
            return clone;
          });
  mapping.map(op.getResults(), clone->getResults());
}

Value ExpertBlocks::buildBody(OpBuilder &builder, Value rows, Value expert,
                              bool refine) const {
  Block &body = ExpertsOp(op).getBody().front();
  auto type = cast<RankedTensorType>(rows.getType());
  bool single = !type.isDynamicDim(0);
  refine &= single && llvm::all_of(body, canRefine);
  if (single && !refine)
    rows = tensor::CastOp::create(builder, loc, body.getArgument(0).getType(),
                                  rows);
  IRMapping mapping;
  mapping.map(body.getArgument(0), rows);
  mapParams(builder, expert, mapping);
  for (Operation &inner : body.without_terminator()) {
    if (refine)
      cloneRefined(builder, inner, mapping);
    else
      builder.clone(inner, mapping);
  }
  Value result = mapping.lookupOrDefault(body.getTerminator()->getOperand(0));
  auto resultType = cast<RankedTensorType>(result.getType());
  if (!single || !resultType.isDynamicDim(0))
    return result;
  auto one = RankedTensorType::get({1, resultType.getDimSize(1)},
                                   resultType.getElementType());
  return tensor::CastOp::create(builder, loc, one, result);
}

SmallVector<OpFoldResult>
ExpertBlocks::getResultSizes(OpBuilder &builder) const {
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, ExpertsOp(op).getInput());
  sizes.back() = builder.getIndexAttr(
      cast<RankedTensorType>(ExpertsOp(op).getResult().getType())
          .getShape()
          .back());
  return sizes;
}

ExpertBlocks::Place ExpertBlocks::getPlace(OpBuilder &builder,
                                           Value token) const {
  SmallVector<OpFoldResult> extents = getResultSizes(builder);
  int64_t rank = extents.size();
  Place place;
  place.offsets.assign(rank, builder.getIndexAttr(0));
  place.sizes.assign(rank, builder.getIndexAttr(1));
  place.strides.assign(rank, builder.getIndexAttr(1));
  place.sizes.back() = extents.back();
  for (int64_t axis = rank - 2; axis > 0; --axis) {
    Value extent = getValueOrCreateConstantIndexOp(builder, loc, extents[axis]);
    place.offsets[axis] =
        arith::RemUIOp::create(builder, loc, token, extent).getResult();
    token = arith::DivUIOp::create(builder, loc, token, extent);
  }
  place.offsets.front() = token;
  return place;
}

Value ExpertBlocks::readPlace(OpBuilder &builder, Value tensor,
                              const Place &place) const {
  auto type = cast<RankedTensorType>(tensor.getType());
  return tensor::ExtractSliceOp::create(
      builder, loc, type.clone({1, type.getShape().back()}), tensor,
      place.offsets, place.sizes, place.strides);
}

//===----------------------------------------------------------------------===//
// Rows and sums
//===----------------------------------------------------------------------===//

SmallVector<Value> weir::buildCarryingLoop(
    OpBuilder &builder, Location loc, Value first, Value last, Value step,
    ValueRange carried,
    function_ref<SmallVector<Value>(OpBuilder &, Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(
      builder, loc, first, last, step, carried,
      [&](OpBuilder &b, Location l, Value index, ValueRange arguments) {
        scf::YieldOp::create(b, l, body(b, index, arguments));
      });
  return SmallVector<Value>(loop.getResults());
}

Value weir::sliceRows(OpBuilder &builder, Location loc, Value tensor,
                      OpFoldResult first, OpFoldResult count, int64_t columns) {
  SmallVector<OpFoldResult> offsets{first, builder.getIndexAttr(0)},
      sizes{count, builder.getIndexAttr(columns)},
      strides(2, builder.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(builder, loc, tensor, offsets, sizes,
                                        strides);
}

/// `row * factor`, written over `into`; both are `[1, ...]`.
Value ExpertBlocks::scaleRow(OpBuilder &builder, Value row, Value factor,
                             Value into) const {
  AffineMap all = builder.getMultiDimIdentityMap(2);
  return linalg::GenericOp::create(
             builder, loc, into.getType(), row, into,
             ArrayRef<AffineMap>{all, all},
             SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
             [&](OpBuilder &n, Location l, ValueRange in) {
               Value product = arith::MulFOp::create(n, l, in[0], factor);
               linalg::YieldOp::create(n, l, product);
             })
      .getResult(0);
}

Value ExpertBlocks::addTerm(OpBuilder &b, Value row, Value pair,
                            Value into) const {
  Value valid = arith::CmpIOp::create(
      b, loc, arith::CmpIPredicate::ult, readExpert(b, pair),
      buildIndex(b, loc, ExpertsOp(op).getExpertCount()));
  Value weight = ExpertsOp(op).getWeighInput() ? Value() : readWeight(b, pair);
  Type sumType = cast<RankedTensorType>(into.getType()).getElementType();
  AffineMap all = b.getMultiDimIdentityMap(2);
  return linalg::GenericOp::create(
             b, loc, into.getType(), row, into, ArrayRef<AffineMap>{all, all},
             SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
             [&](OpBuilder &n, Location l, ValueRange in) {
               Value term = convertFloat(n, l, in[0], sumType);
               if (weight)
                 term = arith::MulFOp::create(
                     n, l, term, convertFloat(n, l, weight, sumType));
               Value sum = arith::AddFOp::create(n, l, in[1], term);
               Value next = arith::SelectOp::create(n, l, valid, sum, in[1]);
               linalg::YieldOp::create(n, l, next);
             })
      .getResult(0);
}

Value ExpertBlocks::buildSums(
    OpBuilder &builder, Value outputs,
    function_ref<Value(OpBuilder &, Value)> rowOf) const {
  auto type = cast<RankedTensorType>(outputs.getType());
  FloatType sumType = getAccumulatorType(type.getElementType());
  int64_t features = type.getShape().back();
  Value sums =
      tensor::EmptyOp::create(builder, loc, getResultSizes(builder), sumType);
  auto combine = scf::ForallOp::create(builder, loc,
                                       ArrayRef<OpFoldResult>{tokenCount}, sums,
                                       /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(combine.getTerminator());
  Value token = combine.getInductionVars().front();
  Place place = getPlace(builder, token);
  Value own = readPlace(builder, combine.getRegionIterArgs().front(), place);
  own = linalg::FillOp::create(builder, loc,
                               buildFloat(builder, loc, sumType, 0), own)
            .getResult(0);
  own = buildCarryingLoop(
            builder, loc, buildIndex(builder, loc, 0),
            buildIndex(builder, loc, ExpertsOp(op).getSlotCount()),
            buildIndex(builder, loc, 1), own,
            [&](OpBuilder &b, Value slot, ValueRange carried) {
              Value pair = getPair(b, token, slot);
              Value row = sliceRows(b, loc, outputs, rowOf(b, pair),
                                    b.getIndexAttr(1), features);
              return SmallVector<Value>{addTerm(b, row, pair, carried.front())};
            })
            .front();
  builder.setInsertionPointToEnd(combine.getTerminator().getBody());
  tensor::ParallelInsertSliceOp::create(
      builder, loc, own, combine.getRegionIterArgs().front(), place.offsets,
      place.sizes, place.strides);
  builder.setInsertionPointAfter(combine);
  return combine.getResult(0);
}
