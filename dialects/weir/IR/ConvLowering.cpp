//===- ConvLowering.cpp - Short memories without branches -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A convolution of width W is an element-wise operation on W slices of its
// input, each a token further on, which vectorises along features and is cut
// along time like any other. That holds from token W - 1 on. The tokens before
// it read a window, W - 1 tokens of the past and as many of the input side by
// side: the one thing that is copied. A block of up to W - 1 tokens, as in
// decoding, has only those.
//
// What is handed on is copied token by token, whole rows of features at once:
// where it begins depends on each row's length.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

namespace {
/// Slices along time of tensors `[B, T, ...]`, for one op.
class TimeSlicer {
public:
  TimeSlicer(OpBuilder &builder, Location loc) : builder(builder), loc(loc) {}

  Value toValue(OpFoldResult extent) {
    return getValueOrCreateConstantIndexOp(builder, loc, extent);
  }
  /// The smaller of an extent and a number.
  OpFoldResult min(OpFoldResult extent, int64_t number);
  OpFoldResult sub(OpFoldResult lhs, OpFoldResult rhs);
  OpFoldResult index(int64_t number) { return builder.getIndexAttr(number); }

  /// `count` tokens of `tensor` from `first` on.
  Value extract(Value tensor, OpFoldResult first, OpFoldResult count);
  /// `tensor` with those tokens replaced by `tokens`.
  Value insert(Value tokens, Value tensor, OpFoldResult first,
               OpFoldResult count);
  /// Row `row` at axis 0 of a matrix, as a vector.
  Value extractRow(Value matrix, int64_t row);
  Value zeros(Value tensor);

  /// `into`, `[B, L, ...]`, with the last L tokens of each row: of those of
  /// `input` up to the row's length, and before them those of `past`, or what
  /// `into` holds where `past` is null.
  Value buildTail(Value input, Value past, Value lengths, Value into);

private:
  /// Token `from` of row `row` of `source` in place of token `to` of `into`.
  Value copyToken(Value source, Value into, Value row, Value from, Value to);

  OpBuilder &builder;
  Location loc;
};

/// Builds the results of one convolution.
class ConvBuilder {
public:
  ConvBuilder(CausalConvOp op, OpBuilder &builder)
      : op(op), builder(builder), loc(op.getLoc()), slicer(builder, loc),
        element(getElementTypeOrSelf(op.getInput())), width(op.getWidth()),
        sizes(tensor::getMixedSizes(builder, loc, op.getInput())) {}

  Value buildResult();
  Value buildTail();

private:
  Value buildTaps();
  Value buildWindow(OpFoldResult count);
  /// `count` tokens of the result from `first` on, from the slices of `source`
  /// at 0, 1, ..., written over `into`.
  Value buildTokens(Value source, Value taps, OpFoldResult first,
                    OpFoldResult count, Value into);

  CausalConvOp op;
  OpBuilder &builder;
  Location loc;
  TimeSlicer slicer;
  Type element;
  int64_t width;
  SmallVector<OpFoldResult> sizes;
};
} // namespace

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

OpFoldResult TimeSlicer::min(OpFoldResult extent, int64_t number) {
  if (std::optional<int64_t> known = getConstantIntValue(extent))
    return index(std::min(*known, number));
  return arith::MinSIOp::create(builder, loc, toValue(extent),
                                toValue(index(number)))
      .getResult();
}

OpFoldResult TimeSlicer::sub(OpFoldResult lhs, OpFoldResult rhs) {
  std::optional<int64_t> from = getConstantIntValue(lhs);
  std::optional<int64_t> by = getConstantIntValue(rhs);
  if (from && by)
    return index(*from - *by);
  return arith::SubIOp::create(builder, loc, toValue(lhs), toValue(rhs))
      .getResult();
}

Value TimeSlicer::extract(Value tensor, OpFoldResult first,
                          OpFoldResult count) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, tensor);
  SmallVector<OpFoldResult> offsets(sizes.size(), index(0));
  SmallVector<OpFoldResult> strides(sizes.size(), index(1));
  offsets[TimeAxis] = first;
  sizes[TimeAxis] = count;
  return tensor::ExtractSliceOp::create(builder, loc, tensor, offsets, sizes,
                                        strides);
}

Value TimeSlicer::insert(Value tokens, Value tensor, OpFoldResult first,
                         OpFoldResult count) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, tensor);
  SmallVector<OpFoldResult> offsets(sizes.size(), index(0));
  SmallVector<OpFoldResult> strides(sizes.size(), index(1));
  offsets[TimeAxis] = first;
  sizes[TimeAxis] = count;
  return tensor::InsertSliceOp::create(builder, loc, tokens, tensor, offsets,
                                       sizes, strides);
}

Value TimeSlicer::extractRow(Value matrix, int64_t row) {
  auto type = cast<RankedTensorType>(matrix.getType());
  return tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get(type.getShape().drop_front(),
                            type.getElementType()),
      matrix, SmallVector<OpFoldResult>{index(row), index(0)},
      SmallVector<OpFoldResult>{index(1), index(type.getDimSize(1))},
      SmallVector<OpFoldResult>{index(1), index(1)});
}

Value TimeSlicer::zeros(Value tensor) {
  Value zero = buildFloat(builder, loc, getElementTypeOrSelf(tensor), 0);
  return linalg::FillOp::create(builder, loc, zero, tensor).getResult(0);
}

Value TimeSlicer::copyToken(Value source, Value into, Value row, Value from,
                            Value to) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, into);
  SmallVector<OpFoldResult> offsets(sizes.size(), index(0));
  SmallVector<OpFoldResult> strides(sizes.size(), index(1));
  sizes[BatchAxis] = sizes[TimeAxis] = index(1);
  offsets[BatchAxis] = row;
  offsets[TimeAxis] = from;
  Value token = tensor::ExtractSliceOp::create(builder, loc, source, offsets,
                                               sizes, strides);
  offsets[TimeAxis] = to;
  return tensor::InsertSliceOp::create(builder, loc, token, into, offsets,
                                       sizes, strides);
}

Value TimeSlicer::buildTail(Value input, Value past, Value lengths,
                            Value into) {
  Value zero = buildIndex(builder, loc, 0), one = buildIndex(builder, loc, 1);
  Value rows = toValue(tensor::getMixedSize(builder, loc, into, BatchAxis));
  Value length = toValue(tensor::getMixedSize(builder, loc, into, TimeAxis));
  Value time = toValue(tensor::getMixedSize(builder, loc, input, TimeAxis));
  OpBuilder::InsertionGuard guard(builder);
  auto perRow = scf::ForOp::create(builder, loc, zero, rows, one, into);
  builder.setInsertionPointToStart(perRow.getBody());
  Value row = perRow.getInductionVar();
  Value count = lengths ? buildReadIndex(builder, loc, lengths, row) : time;
  auto perToken = scf::ForOp::create(builder, loc, zero, length, one,
                                     perRow.getRegionIterArg(0));
  scf::YieldOp::create(builder, loc, perToken.getResults());
  builder.setInsertionPointToStart(perToken.getBody());
  Value to = perToken.getInductionVar(), held = perToken.getRegionIterArg(0);
  Value behind = arith::AddIOp::create(builder, loc, count, to);
  Value from = arith::SubIOp::create(builder, loc, behind, length);
  Value isNew = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge,
                                      from, zero);
  auto choice = scf::IfOp::create(builder, loc, into.getType(), isNew,
                                  /*withElseRegion=*/true);
  scf::YieldOp::create(builder, loc, choice.getResults());
  builder.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(builder, loc, copyToken(input, held, row, from, to));
  builder.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(builder, loc,
                       past ? copyToken(past, held, row, behind, to) : held);
  return perRow.getResult(0);
}

//===----------------------------------------------------------------------===//
// Convolution
//===----------------------------------------------------------------------===//

/// The weights as `[W, D]`, so that those of a tap lie side by side.
Value ConvBuilder::buildTaps() {
  return buildElementwise(
      builder, loc, {slicer.index(width), sizes[2]}, element, op.getWeight(),
      getAxesMap(builder, 2, {1, 0}),
      [](OpBuilder &, Location, ValueRange in) { return in[0]; });
}

/// W - 1 tokens of the past and the first `count` of the input.
Value ConvBuilder::buildWindow(OpFoldResult count) {
  SmallVector<OpFoldResult> window(sizes);
  OpFoldResult past = slicer.index(width - 1);
  int64_t fresh = getConstantIntValue(count).value_or(width - 1);
  window[TimeAxis] = slicer.index(width - 1 + fresh);
  Value tokens = tensor::EmptyOp::create(builder, loc, window, element);
  if (!op.getInit())
    tokens = slicer.zeros(tokens);
  else
    tokens = slicer.insert(
        slicer.extract(op.getInit(),
                       slicer.index(op.getTailLength() - (width - 1)), past),
        tokens, slicer.index(0), past);
  return slicer.insert(slicer.extract(op.getInput(), slicer.index(0), count),
                       tokens, past, count);
}

Value ConvBuilder::buildTokens(Value source, Value taps, OpFoldResult first,
                               OpFoldResult count, Value into) {
  AffineMap all = builder.getMultiDimIdentityMap(3);
  AffineMap features = getAxesMap(builder, 3, {2});
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  auto read = [&](Value value, AffineMap map) {
    inputs.push_back(value);
    maps.push_back(map);
  };
  for (int64_t tap = 0; tap < width; ++tap) {
    read(slicer.extract(source, slicer.index(tap), count), all);
    read(slicer.extractRow(taps, tap), features);
  }
  if (op.getBias())
    read(op.getBias(), features);
  if (op.getLengths())
    read(op.getLengths(), getAxesMap(builder, 3, {BatchAxis}));
  maps.push_back(all);
  Value start = slicer.toValue(first);
  auto body = [&](OpBuilder &b, Location l, ValueRange in) {
    FloatType type = getAccumulatorType(element);
    Value sum;
    auto add = [&](Value term) {
      sum = sum ? arith::AddFOp::create(b, l, sum, term) : term;
    };
    for (int64_t tap = 0; tap < width; ++tap)
      add(arith::MulFOp::create(b, l, convertFloat(b, l, in[2 * tap], type),
                                convertFloat(b, l, in[2 * tap + 1], type)));
    if (op.getBias())
      add(convertFloat(b, l, in[2 * width], type));
    Value value = convertFloat(b, l, op.buildActivation(b, l, sum), element);
    if (op.getLengths()) {
      Value length = arith::IndexCastOp::create(b, l, b.getIndexType(),
                                                in.drop_back().back());
      Value at = arith::AddIOp::create(
          b, l, linalg::IndexOp::create(b, l, TimeAxis), start);
      Value holds =
          arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt, at, length);
      value = arith::SelectOp::create(b, l, holds, value,
                                      buildFloat(b, l, element, 0));
    }
    linalg::YieldOp::create(b, l, value);
  };
  return linalg::GenericOp::create(
             builder, loc, into.getType(), inputs, into, maps,
             SmallVector<utils::IteratorType>(3, utils::IteratorType::parallel),
             body)
      .getResult(0);
}

Value ConvBuilder::buildResult() {
  OpFoldResult time = sizes[TimeAxis];
  OpFoldResult early = slicer.min(time, width - 1);
  OpFoldResult rest = slicer.sub(time, early);
  Value taps = buildTaps();
  Value result = tensor::EmptyOp::create(builder, loc, sizes, element);
  auto write = [&](Value source, OpFoldResult first, OpFoldResult count) {
    Value place = slicer.extract(result, first, count);
    Value tokens = buildTokens(source, taps, first, count, place);
    result = slicer.insert(tokens, result, first, count);
  };
  if (width > 1)
    write(buildWindow(early), slicer.index(0), early);
  if (!isConstantIntValue(rest, 0))
    write(op.getInput(), early, rest);
  return result;
}

Value ConvBuilder::buildTail() {
  SmallVector<OpFoldResult> tail(sizes);
  tail[TimeAxis] = slicer.index(op.getTailLength());
  Value into = tensor::EmptyOp::create(builder, loc, tail, element);
  if (!op.getInit())
    into = slicer.zeros(into);
  return slicer.buildTail(op.getInput(), op.getInit(), op.getLengths(), into);
}

FailureOr<SmallVector<Value>> CausalConvOp::buildLowering(OpBuilder &builder) {
  ConvBuilder conv(*this, builder);
  Value result = conv.buildResult();
  return SmallVector<Value>{result, conv.buildTail()};
}

//===----------------------------------------------------------------------===//
// Shift
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<Value>> ShiftOp::buildLowering(OpBuilder &builder) {
  Location loc = getLoc();
  TimeSlicer slicer(builder, loc);
  auto type = cast<RankedTensorType>(getInput().getType());
  Type element = type.getElementType();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, getInput());

  // The past as one token.
  SmallVector<OpFoldResult> tokenSizes(sizes);
  tokenSizes[TimeAxis] = slicer.index(1);
  Value token = tensor::EmptyOp::create(builder, loc, tokenSizes, element);
  auto tokenType = cast<RankedTensorType>(token.getType());
  SmallVector<ReassociationIndices> split{{BatchAxis, TimeAxis}};
  for (int64_t axis = 2; axis < type.getRank(); ++axis)
    split.push_back({axis});
  Value past = getInit()
                   ? tensor::ExpandShapeOp::create(builder, loc, tokenType,
                                                   getInit(), split, tokenSizes)
                         .getResult()
                   : Value();
  Value before = past ? past : slicer.zeros(token);

  OpFoldResult time = sizes[TimeAxis];
  OpFoldResult early = slicer.min(time, 1);
  OpFoldResult rest = slicer.sub(time, early);
  Value result = tensor::EmptyOp::create(builder, loc, sizes, element);
  result = slicer.insert(slicer.extract(before, slicer.index(0), early), result,
                         slicer.index(0), early);
  if (!isConstantIntValue(rest, 0))
    result = slicer.insert(slicer.extract(getInput(), slicer.index(0), rest),
                           result, early, rest);

  Value tail =
      slicer.buildTail(getInput(), past, getLengths(), past ? token : before);
  Value last = tensor::CollapseShapeOp::create(builder, loc, tail, split);
  return SmallVector<Value>{result, last};
}
