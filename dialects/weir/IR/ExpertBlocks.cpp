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
  for (auto [param, argument] : llvm::zip_equal(
           ExpertsOp(op).getParams(), ExpertsOp(op).getParamArguments()))
    mapping.map(argument, sliceParam(builder, loc, param, expert));
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
