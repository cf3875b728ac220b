//===- ProjectionReference.cpp - Plain definitions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

/// Adds `bias`, where given, to the sums `sums` along the last axis and rounds
/// them to `element`.
static Value buildBiasAndRound(OpBuilder &builder, Location loc, Value sums,
                               Value bias, Type element) {
  auto sumType = cast<RankedTensorType>(sums.getType());
  if (!bias && sumType.getElementType() == element)
    return sums;
  unsigned rank = sumType.getRank();
  SmallVector<Value> inputs{sums};
  SmallVector<AffineMap> maps{builder.getMultiDimIdentityMap(rank)};
  if (bias) {
    inputs.push_back(bias);
    maps.push_back(getAxesMap(builder, rank, rank - 1));
  }
  return buildElementwise(
      builder, loc, tensor::getMixedSizes(builder, loc, sums), element, inputs,
      maps, [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value sum = arguments[0];
        if (bias)
          sum = arith::AddFOp::create(
              b, l, sum, convertFloat(b, l, arguments[1], sum.getType()));
        return convertFloat(b, l, sum, element);
      });
}

namespace {

/// The extents and maps of `result[..., n] = sum_k input[..., k] * ...`: loops
/// are the leading axes, n and k.
struct ProductShape {
  ProductShape(OpBuilder &builder, Location loc, Value input, int64_t features)
      : sizes(tensor::getMixedSizes(builder, loc, input)) {
    unsigned rank = sizes.size();
    sizes.back() = builder.getIndexAttr(features);
    result = builder.getMultiDimIdentityMap(rank + 1).dropResult(rank);
    this->input = builder.getMultiDimIdentityMap(rank + 1).dropResult(rank - 1);
    weight = getAxesMap(builder, rank + 1, {rank - 1, rank});
  }

  SmallVector<OpFoldResult> sizes;
  AffineMap input, weight, result;
};

} // namespace

FailureOr<SmallVector<Value>> LinearOp::buildReference(OpBuilder &builder) {
  for (Value operand : getOperands())
    if (!isFloatTensor(operand))
      return failure();
  Location loc = getLoc();
  Type element = cast<RankedTensorType>(getInput().getType()).getElementType();
  FloatType type = getAccumulatorType(element);
  int64_t features =
      cast<RankedTensorType>(getWeight().getType()).getDimSize(0);
  ProductShape shape(builder, loc, getInput(), features);
  Value sums = buildReduction(
      builder, loc, shape.sizes, buildFloat(builder, loc, type, 0),
      shape.result, {getInput(), getWeight()}, {shape.input, shape.weight},
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value x = convertFloat(b, l, arguments[0], type);
        Value w = convertFloat(b, l, arguments[1], type);
        return arith::AddFOp::create(b, l, arguments[2],
                                     arith::MulFOp::create(b, l, x, w));
      });
  return SmallVector<Value>{
      buildBiasAndRound(builder, loc, sums, getBias(), element)};
}

/// The unsigned quant of output `panel`, `lane` and input feature `k`; see
/// `#weir.pack` for the layouts.
static Value buildReadQuant(OpBuilder &builder, Location loc, PackedLinearOp op,
                            Value panel, Value lane, Value k) {
  Value four = buildIndex(builder, loc, 4);
  int64_t perEntry = op.getBits() == 8 ? 4 : 8;
  Value count = buildIndex(builder, loc, perEntry);
  Value group = arith::DivUIOp::create(builder, loc, k, count);
  Value inGroup = arith::RemUIOp::create(builder, loc, k, count);
  Value byte = arith::RemUIOp::create(builder, loc, inGroup, four);
  Value quant = tensor::ExtractOp::create(builder, loc, op.getValues(),
                                          ValueRange{panel, group, lane, byte});
  quant = arith::ExtUIOp::create(builder, loc, builder.getI32Type(), quant);
  if (op.getBits() == 8)
    return quant;
  Value half = arith::DivUIOp::create(builder, loc, inGroup, four);
  Value shift = arith::MulIOp::create(builder, loc, half, four);
  shift = arith::IndexCastOp::create(builder, loc, builder.getI32Type(), shift);
  quant = arith::ShRUIOp::create(builder, loc, quant, shift);
  Value nibble = arith::ConstantIntOp::create(builder, loc, 15, 32);
  return arith::AndIOp::create(builder, loc, quant, nibble);
}

/// The weight of output feature `n` and input feature `k`.
static Value buildReadPacked(OpBuilder &builder, Location loc,
                             PackedLinearOp op, FloatType type, Value n,
                             Value k) {
  Value width = buildIndex(builder, loc, op.getPanel());
  Value panel = arith::DivUIOp::create(builder, loc, n, width);
  Value lane = arith::RemUIOp::create(builder, loc, n, width);
  if (isFloatTensor(op.getValues()))
    return convertFloat(builder, loc,
                        tensor::ExtractOp::create(builder, loc, op.getValues(),
                                                  ValueRange{panel, k, lane}),
                        type);
  Value quant = arith::UIToFPOp::create(
      builder, loc, type, buildReadQuant(builder, loc, op, panel, lane, k));
  Value group = arith::DivUIOp::create(builder, loc, k,
                                       buildIndex(builder, loc, op.getGroup()));
  Value scale =
      convertFloat(builder, loc,
                   tensor::ExtractOp::create(builder, loc, op.getScales(),
                                             ValueRange{panel, group, lane}),
                   type);
  if (!op.getMins()) {
    double middle = int64_t(1) << (op.getBits() - 1);
    quant = arith::SubFOp::create(builder, loc, quant,
                                  buildFloat(builder, loc, type, middle));
    return arith::MulFOp::create(builder, loc, quant, scale);
  }
  Value min =
      convertFloat(builder, loc,
                   tensor::ExtractOp::create(builder, loc, op.getMins(),
                                             ValueRange{panel, group, lane}),
                   type);
  return arith::AddFOp::create(
      builder, loc, arith::MulFOp::create(builder, loc, quant, scale), min);
}

FailureOr<SmallVector<Value>>
PackedLinearOp::buildReference(OpBuilder &builder) {
  for (Value operand : {getInput(), getScales(), getMins(), getBias()})
    if (operand && !isFloatTensor(operand))
      return failure();
  Location loc = getLoc();
  Type element = cast<RankedTensorType>(getInput().getType()).getElementType();
  FloatType type = getAccumulatorType(element);
  int64_t features =
      cast<RankedTensorType>(getResult().getType()).getShape().back();
  ProductShape shape(builder, loc, getInput(), features);
  unsigned rank = shape.sizes.size();
  Value sums = buildReduction(
      builder, loc, shape.sizes, buildFloat(builder, loc, type, 0),
      shape.result, getInput(), shape.input,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value n = linalg::IndexOp::create(b, l, rank - 1);
        Value k = linalg::IndexOp::create(b, l, rank);
        Value w = buildReadPacked(b, l, *this, type, n, k);
        Value x = convertFloat(b, l, arguments[0], type);
        return arith::AddFOp::create(b, l, arguments[1],
                                     arith::MulFOp::create(b, l, x, w));
      });
  return SmallVector<Value>{
      buildBiasAndRound(builder, loc, sums, getBias(), element)};
}

FailureOr<SmallVector<Value>> EmbeddingOp::buildReference(OpBuilder &builder) {
  if (!isFloatTensor(getTable()) || !isFloatTensor(getResult()))
    return failure();
  Location loc = getLoc();
  Type element = cast<RankedTensorType>(getResult().getType()).getElementType();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, getIds());
  sizes.push_back(tensor::getMixedSize(builder, loc, getTable(), 1));
  unsigned rank = sizes.size();
  AffineMap tokens = builder.getMultiDimIdentityMap(rank).dropResult(rank - 1);
  Value rows = tensor::DimOp::create(builder, loc, getTable(), 0);
  Value result = buildElementwise(
      builder, loc, sizes, element, getIds(), tokens,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value id =
            arith::IndexCastOp::create(b, l, b.getIndexType(), arguments[0]);
        Value last = arith::SubIOp::create(b, l, rows, buildIndex(b, l, 1));
        id = arith::MaxSIOp::create(b, l, id, buildIndex(b, l, 0));
        id = arith::MinSIOp::create(b, l, id, last);
        Value feature = linalg::IndexOp::create(b, l, rank - 1);
        Value entry = tensor::ExtractOp::create(b, l, getTable(),
                                                ValueRange{id, feature});
        return convertFloat(b, l, entry, element);
      });
  return SmallVector<Value>{result};
}
