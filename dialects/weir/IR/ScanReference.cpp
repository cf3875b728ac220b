//===- ScanReference.cpp - Plain definitions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

namespace {
/// Where one entry of the leading axes lies in a tensor.
struct Entry {
  Entry(OpBuilder &builder, Location loc, Value tensor, ValueRange index)
      : sizes(tensor::getMixedSizes(builder, loc, tensor)),
        offsets(sizes.size(), builder.getIndexAttr(0)),
        strides(sizes.size(), builder.getIndexAttr(1)) {
    for (auto [axis, at] : llvm::enumerate(index)) {
      offsets[axis] = at;
      sizes[axis] = builder.getIndexAttr(1);
    }
  }
  SmallVector<OpFoldResult> sizes, offsets, strides;
};
} // namespace

/// The entry of `tensor` at `index`, without the leading axes.
static Value buildExtract(OpBuilder &builder, Location loc, Value tensor,
                          ValueRange index) {
  Entry entry(builder, loc, tensor, index);
  auto type = cast<RankedTensorType>(tensor.getType());
  return tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get(type.getShape().drop_front(index.size()),
                            type.getElementType()),
      tensor, entry.offsets, entry.sizes, entry.strides);
}

/// `tensor` with `part` in place of that entry.
static Value buildInsert(OpBuilder &builder, Location loc, Value part,
                         Value tensor, ValueRange index) {
  Entry entry(builder, loc, tensor, index);
  return tensor::InsertSliceOp::create(
      builder, loc, part, tensor, entry.offsets, entry.sizes, entry.strides);
}

/// A tensor of the type of `result`, of `batch` rows and `time` tokens, whose
/// contents are not read unless `zero`.
static Value buildPlace(OpBuilder &builder, Location loc, Value result,
                        OpFoldResult batch, std::optional<OpFoldResult> time,
                        bool zero) {
  auto type = cast<RankedTensorType>(result.getType());
  SmallVector<OpFoldResult> sizes{batch};
  if (time)
    sizes.push_back(*time);
  for (int64_t extent : type.getShape().drop_front(sizes.size()))
    sizes.push_back(builder.getIndexAttr(extent));
  Value empty =
      tensor::EmptyOp::create(builder, loc, sizes, type.getElementType());
  // Static extents of the result that the inputs do not know.
  if (empty.getType() != type)
    empty = tensor::CastOp::create(builder, loc, type, empty);
  if (!zero)
    return empty;
  Value none = arith::ConstantOp::create(
      builder, loc, builder.getZeroAttr(type.getElementType()));
  return linalg::FillOp::create(builder, loc, none, empty).getResult(0);
}

/// The step of row `row` at token `time`. `carried` are the outputs so far,
/// whole, and the states of the row.
static SmallVector<Value> buildToken(ScanOp op, OpBuilder &builder,
                                     Location loc, Value row, Value time,
                                     ValueRange carried) {
  IRMapping mapping;
  for (auto [argument, input] :
       llvm::zip_equal(op.getInputArguments(), op.getInputs()))
    mapping.map(argument, buildExtract(builder, loc, input, {row, time}));
  size_t outputs = op.getOutputs().size();
  for (auto [argument, state] :
       llvm::zip_equal(op.getStateArguments(), carried.drop_front(outputs)))
    mapping.map(argument, state);
  for (auto [argument, param] :
       llvm::zip_equal(op.getParamArguments(), op.getParams()))
    mapping.map(argument, param);
  Block &body = op.getBody().front();
  for (Operation &inner : body.without_terminator())
    builder.clone(inner, mapping);
  SmallVector<Value> next;
  for (auto [number, value] :
       llvm::enumerate(body.getTerminator()->getOperands())) {
    Value yielded = mapping.lookupOrDefault(value);
    next.push_back(number < outputs ? buildInsert(builder, loc, yielded,
                                                  carried[number], {row, time})
                                    : yielded);
  }
  return next;
}

FailureOr<SmallVector<Value>> ScanOp::buildReference(OpBuilder &builder) {
  Location loc = getLoc();
  OpFoldResult batch =
      tensor::getMixedSize(builder, loc, getInputs().front(), BatchAxis);
  OpFoldResult time =
      tensor::getMixedSize(builder, loc, getInputs().front(), TimeAxis);
  Value zero = buildIndex(builder, loc, 0), one = buildIndex(builder, loc, 1);
  Value rows = getValueOrCreateConstantIndexOp(builder, loc, batch);
  Value tokens = getValueOrCreateConstantIndexOp(builder, loc, time);
  size_t outputs = getOutputs().size();
  SmallVector<Value> places;
  for (Value output : getOutputs())
    places.push_back(buildPlace(builder, loc, output, batch, time,
                                /*zero=*/bool(getLengths())));
  for (Value state : getFinalStates())
    places.push_back(buildPlace(builder, loc, state, batch, std::nullopt,
                                /*zero=*/false));

  OpBuilder::InsertionGuard guard(builder);
  auto perRow = scf::ForOp::create(builder, loc, zero, rows, one, places);
  builder.setInsertionPointToStart(perRow.getBody());
  Value row = perRow.getInductionVar();
  Value end = tokens;
  if (getLengths())
    end = arith::MinSIOp::create(
        builder, loc, end, buildReadIndex(builder, loc, getLengths(), row));
  SmallVector<Value> inits(perRow.getRegionIterArgs().take_front(outputs));
  for (auto [number, state] : llvm::enumerate(getStates()))
    inits.push_back(isBatched(number) ? buildExtract(builder, loc, state, row)
                                      : Value(state));
  auto perToken = scf::ForOp::create(
      builder, loc, zero, end, one, inits,
      [&](OpBuilder &b, Location l, Value index, ValueRange carried) {
        Value at = index;
        if (getReverse()) {
          Value last = arith::SubIOp::create(b, l, end, one);
          at = arith::SubIOp::create(b, l, last, index);
        }
        scf::YieldOp::create(b, l, buildToken(*this, b, l, row, at, carried));
      });
  SmallVector<Value> next(perToken.getResults().take_front(outputs));
  for (auto [state, place] :
       llvm::zip_equal(perToken.getResults().drop_front(outputs),
                       perRow.getRegionIterArgs().drop_front(outputs)))
    next.push_back(buildInsert(builder, loc, state, place, row));
  scf::YieldOp::create(builder, loc, next);
  return SmallVector<Value>(perRow.getResults());
}
