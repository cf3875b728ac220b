//===- ReferenceBuilders.cpp - Pieces of plain definitions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/ReferenceBuilders.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace weir;

bool weir::isFloatTensor(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isa<FloatType>(type.getElementType());
}

FloatType weir::getAccumulatorType(Type element) {
  if (element.isF64())
    return cast<FloatType>(element);
  return Float32Type::get(element.getContext());
}

Value weir::convertFloat(OpBuilder &builder, Location loc, Value value,
                         Type type) {
  if (value.getType() == type)
    return value;
  unsigned from = value.getType().getIntOrFloatBitWidth();
  unsigned to = type.getIntOrFloatBitWidth();
  if (from < to)
    return arith::ExtFOp::create(builder, loc, type, value);
  if (from > to)
    return arith::TruncFOp::create(builder, loc, type, value);
  // bf16 and f16 convert by way of f32, which holds both exactly.
  return arith::TruncFOp::create(
      builder, loc, type,
      arith::ExtFOp::create(builder, loc, builder.getF32Type(), value));
}

Value weir::buildFloat(OpBuilder &builder, Location loc, Type type,
                       double number) {
  return arith::ConstantOp::create(builder, loc,
                                   builder.getFloatAttr(type, number));
}

Value weir::buildSigmoid(OpBuilder &builder, Location loc, Value input) {
  Value one = buildFloat(builder, loc, input.getType(), 1);
  Value power = math::ExpOp::create(builder, loc,
                                    arith::NegFOp::create(builder, loc, input));
  return arith::DivFOp::create(builder, loc, one,
                               arith::AddFOp::create(builder, loc, one, power));
}

Value weir::buildFilled(OpBuilder &builder, Location loc,
                        ArrayRef<int64_t> shape, Type element, double number) {
  Value empty = tensor::EmptyOp::create(builder, loc, shape, element);
  Value all = buildFloat(builder, loc, element, number);
  return linalg::FillOp::create(builder, loc, all, empty).getResult(0);
}

SmallVector<Value> weir::inlineRegion(OpBuilder &builder, Region &region,
                                      ValueRange arguments) {
  Block &body = region.front();
  IRMapping mapping;
  mapping.map(body.getArguments(), arguments);
  for (Operation &inner : body.without_terminator())
    builder.clone(inner, mapping);
  SmallVector<Value> yielded;
  for (Value value : body.getTerminator()->getOperands())
    yielded.push_back(mapping.lookupOrDefault(value));
  return yielded;
}

Value weir::buildIndex(OpBuilder &builder, Location loc, int64_t number) {
  return arith::ConstantIndexOp::create(builder, loc, number);
}

Value weir::buildReadIndex(OpBuilder &builder, Location loc, Value vector,
                           Value index) {
  Value entry = tensor::ExtractOp::create(builder, loc, vector, index);
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                    entry);
}

AffineMap weir::getAxesMap(OpBuilder &builder, unsigned loops,
                           ArrayRef<unsigned> axes) {
  SmallVector<AffineExpr> results;
  for (unsigned axis : axes)
    results.push_back(builder.getAffineDimExpr(axis));
  return AffineMap::get(loops, /*symbolCount=*/0, results,
                        builder.getContext());
}

/// Builds the `linalg.generic` that writes to `output` by `resultMap`; loops
/// that do not index the output reduce.
static Value buildGeneric(OpBuilder &builder, Location loc, ValueRange inputs,
                          ArrayRef<AffineMap> maps, Value output,
                          AffineMap resultMap, BuildBody body) {
  SmallVector<AffineMap> allMaps(maps);
  allMaps.push_back(resultMap);
  SmallVector<utils::IteratorType> iterators(resultMap.getNumDims(),
                                             utils::IteratorType::reduction);
  for (unsigned i = 0; i < resultMap.getNumResults(); ++i)
    iterators[resultMap.getDimPosition(i)] = utils::IteratorType::parallel;
  auto generic = linalg::GenericOp::create(
      builder, loc, output.getType(), inputs, output, allMaps, iterators,
      [&](OpBuilder &nested, Location nestedLoc, ValueRange arguments) {
        Value element = body(nested, nestedLoc, arguments);
        linalg::YieldOp::create(nested, nestedLoc, element);
      });
  return generic.getResult(0);
}

Value weir::buildElementwise(OpBuilder &builder, Location loc,
                             ArrayRef<OpFoldResult> sizes, Type element,
                             ValueRange inputs, ArrayRef<AffineMap> maps,
                             BuildBody body) {
  Value output = tensor::EmptyOp::create(builder, loc, sizes, element);
  AffineMap identity = builder.getMultiDimIdentityMap(sizes.size());
  return buildGeneric(
      builder, loc, inputs, maps, output, identity,
      [&](OpBuilder &nested, Location nestedLoc, ValueRange arguments) {
        return body(nested, nestedLoc, arguments.drop_back());
      });
}

Value weir::buildTransposed(OpBuilder &builder, Location loc, Value tensor,
                            ArrayRef<unsigned> order, Type element) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, tensor);
  SmallVector<OpFoldResult> transposed;
  for (unsigned axis : order)
    transposed.push_back(sizes[axis]);
  AffineMap map = inversePermutation(
      AffineMap::getPermutationMap(order, builder.getContext()));
  return buildElementwise(
      builder, loc, transposed, element, tensor, map,
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        return convertFloat(b, l, in[0], element);
      });
}

Value weir::buildConverted(OpBuilder &builder, Location loc, Value tensor,
                           Type element) {
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  SmallVector<unsigned> order =
      llvm::to_vector(llvm::seq<unsigned>(0, static_cast<unsigned>(rank)));
  return buildTransposed(builder, loc, tensor, order, element);
}

Value weir::buildReduction(OpBuilder &builder, Location loc,
                           ArrayRef<OpFoldResult> sizes, Value init,
                           AffineMap resultMap, ValueRange inputs,
                           ArrayRef<AffineMap> maps, BuildBody body) {
  Value empty = tensor::EmptyOp::create(builder, loc, sizes, init.getType());
  Value output = linalg::FillOp::create(builder, loc, init, empty).getResult(0);
  return buildGeneric(builder, loc, inputs, maps, output, resultMap, body);
}
