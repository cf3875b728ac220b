//===- ProjectionReference.cpp - Plain definitions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
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

/// What number `bits` are, one of a sign, `exponentBits` of exponent and
/// `fractionBits` of fraction, in units of the least but zero: a whole number.
static Value buildWholeFloat(OpBuilder &builder, Location loc, Value bits,
                             int64_t exponentBits, int64_t fractionBits) {
  auto integer = [&](int64_t value) -> Value {
    return arith::ConstantIntOp::create(builder, loc, value, 32);
  };
  auto take = [&](int64_t mask) -> Value {
    return arith::AndIOp::create(builder, loc, bits, integer(mask));
  };
  int64_t one = int64_t(1) << fractionBits, sign = one << exponentBits;
  Value fraction = take(one - 1);
  Value exponent = arith::ShRUIOp::create(builder, loc, take(sign - one),
                                          integer(fractionBits));
  // Without an exponent there is no leading one, and the least exponent counts.
  Value isSubnormal = arith::CmpIOp::create(
      builder, loc, arith::CmpIPredicate::eq, exponent, integer(0));
  Value significand =
      arith::OrIOp::create(builder, loc, fraction, integer(one));
  Value scaled = arith::ShRUIOp::create(
      builder, loc, arith::ShLIOp::create(builder, loc, significand, exponent),
      integer(1));
  Value size =
      arith::SelectOp::create(builder, loc, isSubnormal, fraction, scaled);
  Value isNegative = arith::CmpIOp::create(
      builder, loc, arith::CmpIPredicate::ne, take(sign), integer(0));
  return arith::SelectOp::create(
      builder, loc, isNegative,
      arith::SubIOp::create(builder, loc, integer(0), size), size);
}

/// The scale `scale`, a float or an exponent, as a `type`.
static Value buildScale(OpBuilder &builder, Location loc, Value scale,
                        FloatType type) {
  if (!scale.getType().isInteger(8))
    return convertFloat(builder, loc, scale, type);
  Value exponent =
      arith::ExtUIOp::create(builder, loc, builder.getI32Type(), scale);
  Value bits =
      arith::ShLIOp::create(builder, loc, exponent,
                            arith::ConstantIntOp::create(builder, loc, 23, 32));
  Value power =
      arith::BitcastOp::create(builder, loc, builder.getF32Type(), bits);
  return convertFloat(builder, loc, power, type);
}

/// The weight of output feature `n` and input feature `k`.
static Value buildReadPacked(OpBuilder &builder, Location loc,
                             PackedLinearOp op, FloatType type, Value n,
                             Value k) {
  Value width = buildIndex(builder, loc, op.getPanel());
  Value panel = arith::DivUIOp::create(builder, loc, n, width);
  Value lane = arith::RemUIOp::create(builder, loc, n, width);
  if (op.hasPairs()) {
    Value two = buildIndex(builder, loc, 2);
    Value pair = arith::DivUIOp::create(builder, loc, k, two);
    Value place = arith::RemUIOp::create(builder, loc, k, two);
    return convertFloat(
        builder, loc,
        tensor::ExtractOp::create(builder, loc, op.getValues(),
                                  ValueRange{panel, pair, lane, place}),
        type);
  }
  if (isFloatTensor(op.getValues()))
    return convertFloat(builder, loc,
                        tensor::ExtractOp::create(builder, loc, op.getValues(),
                                                  ValueRange{panel, k, lane}),
                        type);
  Value bits = buildReadQuant(builder, loc, op, panel, lane, k);
  Value group = arith::DivUIOp::create(builder, loc, k,
                                       buildIndex(builder, loc, op.getGroup()));
  Value scale =
      buildScale(builder, loc,
                 tensor::ExtractOp::create(builder, loc, op.getScales(),
                                           ValueRange{panel, group, lane}),
                 type);
  if (op.getCode() != PackCode::Affine) {
    bool isE2M1 = op.getCode() == PackCode::E2M1;
    Value whole = arith::SIToFPOp::create(
        builder, loc, type,
        buildWholeFloat(builder, loc, bits, /*exponentBits=*/isE2M1 ? 2 : 4,
                        /*fractionBits=*/isE2M1 ? 1 : 3));
    Value number = arith::MulFOp::create(
        builder, loc, whole,
        buildFloat(builder, loc, type, isE2M1 ? 0.5 : 0x1p-9));
    return arith::MulFOp::create(builder, loc, number, scale);
  }
  Value quant = arith::UIToFPOp::create(builder, loc, type, bits);
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

/// The element of `op`'s input at the loops of the product, as a `type`.
static Value buildReadInput(OpBuilder &builder, Location loc, PackedLinearOp op,
                            FloatType type, Value element, Value k,
                            ArrayRef<Value> row) {
  if (!op.getInputScales())
    return convertFloat(builder, loc, element, type);
  Value group = arith::DivUIOp::create(builder, loc, k,
                                       buildIndex(builder, loc, op.getGroup()));
  SmallVector<Value> place(row);
  place.push_back(group);
  Value scale =
      tensor::ExtractOp::create(builder, loc, op.getInputScales(), place);
  Value quant = arith::SIToFPOp::create(builder, loc, type, element);
  return arith::MulFOp::create(builder, loc, quant, scale);
}

FailureOr<SmallVector<Value>>
PackedLinearOp::buildReference(OpBuilder &builder) {
  if (getBias() && !isFloatTensor(getBias()))
    return failure();
  Location loc = getLoc();
  auto resultType = cast<RankedTensorType>(getResult().getType());
  Type element = resultType.getElementType();
  FloatType type = getAccumulatorType(element);
  ProductShape shape(builder, loc, getInput(), 1);
  unsigned rank = shape.sizes.size();
  shape.sizes.back() =
      getInit()
          ? tensor::getMixedSize(builder, loc, getInit(), rank - 1)
          : OpFoldResult(builder.getIndexAttr(resultType.getShape().back()));
  // The reduction's extent is in the input alone.
  Value sums = buildReduction(
      builder, loc, shape.sizes, buildFloat(builder, loc, type, 0),
      shape.result, getInput(), shape.input,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        SmallVector<Value> row;
        for (unsigned axis = 0; axis + 1 < rank; ++axis)
          row.push_back(linalg::IndexOp::create(b, l, axis));
        Value n = linalg::IndexOp::create(b, l, rank - 1);
        Value k = linalg::IndexOp::create(b, l, rank);
        Value w = buildReadPacked(b, l, *this, type, n, k);
        Value x = buildReadInput(b, l, *this, type, arguments[0], k, row);
        return arith::AddFOp::create(b, l, arguments[1],
                                     arith::MulFOp::create(b, l, x, w));
      });
  return SmallVector<Value>{
      buildBiasAndRound(builder, loc, sums, getBias(), element)};
}

FailureOr<SmallVector<Value>> QuantizeOp::buildReference(OpBuilder &builder) {
  Location loc = getLoc();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, getInput());
  unsigned rank = sizes.size();
  auto type = cast<RankedTensorType>(getInput().getType());
  int64_t groups = type.getShape().back() / getGroup();
  FloatType f32 = builder.getF32Type();
  Type i8 = builder.getI8Type(), i32 = builder.getI32Type();

  // Everything runs on [..., groups, group].
  SmallVector<ReassociationIndices> split;
  for (unsigned axis = 0; axis + 1 < rank; ++axis)
    split.push_back({axis});
  split.push_back({rank - 1, rank});
  SmallVector<int64_t> shape(type.getShape().drop_back());
  shape.append({groups, static_cast<int64_t>(getGroup())});
  SmallVector<OpFoldResult> splitSizes(ArrayRef(sizes).drop_back());
  splitSizes.push_back(builder.getIndexAttr(groups));
  splitSizes.push_back(builder.getIndexAttr(getGroup()));
  Value grouped = tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get(shape, f32), getInput(), split,
      splitSizes);
  ArrayRef<OpFoldResult> perGroup = ArrayRef(splitSizes).drop_back();
  AffineMap full = builder.getMultiDimIdentityMap(rank + 1);
  AffineMap byGroup = full.dropResult(rank);
  AffineMap identity = builder.getMultiDimIdentityMap(rank);

  Value largest = buildReduction(
      builder, loc, perGroup, buildFloat(builder, loc, f32, 0), byGroup,
      grouped, full, [](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value size = math::AbsFOp::create(b, l, in[0]);
        return arith::MaximumFOp::create(b, l, size, in[1]);
      });
  Value scales =
      buildElementwise(builder, loc, perGroup, f32, largest, identity,
                       [&](OpBuilder &b, Location l, ValueRange in) -> Value {
                         return arith::MulFOp::create(
                             b, l, in[0], buildFloat(b, l, f32, 1.0 / 127));
                       });
  Value inverses = buildElementwise(
      builder, loc, perGroup, f32, largest, identity,
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        // quantize_c3: of a group that is all but zero it would overflow.
        Value usable =
            arith::CmpFOp::create(b, l, arith::CmpFPredicate::OGE, in[0],
                                  buildFloat(b, l, f32, 1e-30));
        Value inverse =
            arith::DivFOp::create(b, l, buildFloat(b, l, f32, 127), in[0]);
        return arith::SelectOp::create(b, l, usable, inverse,
                                       buildFloat(b, l, f32, 0));
      });
  Value groupedQuants = buildElementwise(
      builder, loc, splitSizes, i8, {grouped, inverses}, {full, byGroup},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value scaled = arith::MulFOp::create(b, l, in[0], in[1]);
        Value rounded = math::RoundEvenOp::create(b, l, scaled);
        Value number = arith::FPToSIOp::create(b, l, i32, rounded);
        return arith::TruncIOp::create(b, l, i8, number);
      });
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(0));
  Value sums = buildReduction(
      builder, loc, perGroup, zero, byGroup, groupedQuants, full,
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        return arith::AddIOp::create(
            b, l, arith::ExtSIOp::create(b, l, i32, in[0]), in[1]);
      });
  Value quants =
      tensor::CollapseShapeOp::create(builder, loc, groupedQuants, split);
  return SmallVector<Value>{quants, scales, sums};
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
