//===- RecurrenceReference.cpp - The plain recurrence -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One token after another, one update after another, as the op's description
// has it. Within a token everything is on loops (row, head, key feature, value
// feature); of a query or key head, head h reads number h / (H / G).
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

/// The loops within a token.
enum Loop : unsigned { Row, Head, KeyFeature, ValueFeature, LoopCount };

namespace {
/// Builds one token's part of a recurrence.
class TokenBuilder {
public:
  TokenBuilder(RecurrenceOp op, OpBuilder &builder)
      : op(op), builder(builder), loc(op.getLoc()),
        type(getAccumulatorType(
            cast<RankedTensorType>(op.getQuery().getType()).getElementType())) {
    OpFoldResult batch =
        tensor::getMixedSize(builder, loc, op.getQuery(), BatchAxis);
    state = {batch, builder.getIndexAttr(op.getHeads()),
             builder.getIndexAttr(op.getKeyDim()),
             builder.getIndexAttr(op.getValueDim())};
  }

  Value buildInit();
  /// The result of token `time`, `[B, H, V]`, and the state behind it.
  std::pair<Value, Value> build(Value time, Value before);

private:
  using Body = function_ref<Value(OpBuilder &, Location, ValueRange)>;

  Value zero() { return buildFloat(builder, loc, type, 0); }
  /// An operand at `time` (and update `update`), without these axes.
  Value at(Value operand, Value time, std::optional<int64_t> update);
  /// `operand`, `[B, G, X]`, repeated for the heads that share a key head.
  Value repeat(Value operand);
  AffineMap axes(ArrayRef<unsigned> loops) {
    return getAxesMap(builder, LoopCount, loops);
  }
  Value map(ArrayRef<unsigned> result, ValueRange inputs,
            ArrayRef<AffineMap> maps, Body body);
  /// sum over key features of vector * state, `[B, H, V]`.
  Value contract(Value vector, Value matrix);
  Value decay(Value time, Value before);
  Value update(Value time, int64_t number, Value current, Value before);
  /// `into + key (x) value`.
  Value addOuter(Value into, Value key, Value value);

  RecurrenceOp op;
  OpBuilder &builder;
  Location loc;
  FloatType type;
  SmallVector<OpFoldResult> state;
};
} // namespace

Value TokenBuilder::buildInit() {
  if (op.getInit())
    return op.getInit();
  Value empty = tensor::EmptyOp::create(builder, loc, state, type);
  return linalg::FillOp::create(builder, loc, zero(), empty).getResult(0);
}

Value TokenBuilder::at(Value operand, Value time,
                       std::optional<int64_t> update) {
  auto source = cast<RankedTensorType>(operand.getType());
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, operand);
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  SmallVector<int64_t> shape(source.getShape());
  sizes[TimeAxis] = builder.getIndexAttr(1);
  offsets[TimeAxis] = time;
  if (update) {
    sizes[2] = builder.getIndexAttr(1);
    offsets[2] = builder.getIndexAttr(*update);
    shape.erase(shape.begin() + 2);
  }
  shape.erase(shape.begin() + TimeAxis);
  return tensor::ExtractSliceOp::create(
      builder, loc, RankedTensorType::get(shape, source.getElementType()),
      operand, offsets, sizes, strides);
}

Value TokenBuilder::repeat(Value operand) {
  int64_t share = op.getHeads() / op.getKeyHeads();
  if (share == 1)
    return operand;
  auto source = cast<RankedTensorType>(operand.getType());
  SmallVector<OpFoldResult> sizes{
      state[Row], builder.getIndexAttr(op.getKeyHeads()),
      builder.getIndexAttr(share),
      builder.getIndexAttr(source.getShape().back())};
  Value repeated = buildElementwise(
      builder, loc, sizes, source.getElementType(), operand,
      getAxesMap(builder, 4, {0, 1, 3}),
      [](OpBuilder &, Location, ValueRange in) { return in[0]; });
  SmallVector<ReassociationIndices> joined{{0}, {1, 2}, {3}};
  return tensor::CollapseShapeOp::create(builder, loc, repeated, joined);
}

Value TokenBuilder::map(ArrayRef<unsigned> result, ValueRange inputs,
                        ArrayRef<AffineMap> maps, Body body) {
  // buildElementwise counts its own loops: those of `result`, in order.
  SmallVector<OpFoldResult> sizes;
  SmallVector<AffineExpr> places(LoopCount, builder.getAffineConstantExpr(0));
  for (auto [number, loop] : llvm::enumerate(result)) {
    sizes.push_back(state[loop]);
    places[loop] = builder.getAffineDimExpr(number);
  }
  SmallVector<AffineMap> own;
  for (AffineMap map : maps)
    own.push_back(map.replaceDimsAndSymbols(places, {}, result.size(), 0));
  return buildElementwise(builder, loc, sizes, type, inputs, own,
                          [&](OpBuilder &b, Location l, ValueRange in) {
                            SmallVector<Value> wide;
                            for (Value value : in)
                              wide.push_back(convertFloat(b, l, value, type));
                            return body(b, l, wide);
                          });
}

Value TokenBuilder::contract(Value vector, Value matrix) {
  return buildReduction(
      builder, loc, {state[Row], state[Head], state[ValueFeature]}, zero(),
      axes({Row, Head, ValueFeature}), {vector, matrix},
      {axes({Row, Head, KeyFeature}),
       axes({Row, Head, KeyFeature, ValueFeature})},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value wide = convertFloat(b, l, in[0], type);
        Value product = arith::MulFOp::create(b, l, wide, in[1]);
        return arith::AddFOp::create(b, l, in[2], product);
      });
}

Value TokenBuilder::decay(Value time, Value before) {
  Value logs = op.getDecay();
  if (!logs)
    return before;
  SmallVector<unsigned> places{Head};
  if (op.hasChannelDecay())
    places.push_back(KeyFeature);
  if (!op.hasFixedDecay()) {
    logs = at(logs, time, std::nullopt);
    places.insert(places.begin(), Row);
  }
  AffineMap all = axes({Row, Head, KeyFeature, ValueFeature});
  return map({Row, Head, KeyFeature, ValueFeature}, {before, logs},
             {all, axes(places)},
             [](OpBuilder &b, Location l, ValueRange in) -> Value {
               Value factor = math::ExpOp::create(b, l, in[1]);
               return arith::MulFOp::create(b, l, factor, in[0]);
             });
}

Value TokenBuilder::addOuter(Value into, Value key, Value value) {
  return map({Row, Head, KeyFeature, ValueFeature}, {into, key, value},
             {axes({Row, Head, KeyFeature, ValueFeature}),
              axes({Row, Head, KeyFeature}), axes({Row, Head, ValueFeature})},
             [](OpBuilder &b, Location l, ValueRange in) -> Value {
               Value product = arith::MulFOp::create(b, l, in[1], in[2]);
               return arith::AddFOp::create(b, l, in[0], product);
             });
}

Value TokenBuilder::update(Value time, int64_t number, Value current,
                           Value before) {
  bool several = cast<RankedTensorType>(op.getKey().getType()).getRank() == 5;
  auto part = [&](Value operand) {
    return at(operand, time,
              several ? std::optional<int64_t>(number) : std::nullopt);
  };
  Value key = repeat(part(op.getKey()));
  Value value = part(op.getValue());
  if (!op.hasCorrection())
    return addOuter(current, key, value);
  Value readKey = op.getReadKey() ? repeat(part(op.getReadKey())) : key;
  Value read = contract(
      readKey, op.getReads() == RecurrenceRead::Previous ? before : current);
  if (!op.getBeta())
    return addOuter(addOuter(current, key, value),
                    repeat(part(op.getWriteKey())), read);
  AffineMap values = axes({Row, Head, ValueFeature});
  Value error =
      map({Row, Head, ValueFeature}, {value, read, part(op.getBeta())},
          {values, values, axes({Row, Head})},
          [](OpBuilder &b, Location l, ValueRange in) -> Value {
            Value difference = arith::SubFOp::create(b, l, in[0], in[1]);
            return arith::MulFOp::create(b, l, in[2], difference);
          });
  return addOuter(current, key, error);
}

std::pair<Value, Value> TokenBuilder::build(Value time, Value before) {
  Value after = decay(time, before);
  for (int64_t number = 0; number < op.getUpdates(); ++number)
    after = update(time, number, after, before);
  Value query = repeat(at(op.getQuery(), time, std::nullopt));
  double scale = op.getScale().convertToDouble();
  AffineMap values = axes({Row, Head, ValueFeature});
  if (!op.getBonus()) {
    Value sum = contract(query, after);
    Value result = map({Row, Head, ValueFeature}, sum, values,
                       [&](OpBuilder &b, Location l, ValueRange in) -> Value {
                         return arith::MulFOp::create(
                             b, l, in[0], buildFloat(b, l, type, scale));
                       });
    return {result, after};
  }
  Value key = repeat(at(op.getKey(), time, std::nullopt));
  Value weight = buildReduction(
      builder, loc, {state[Row], state[Head]}, zero(),
      getAxesMap(builder, 3, {0, 1}), {query, key, op.getBonus()},
      {getAxesMap(builder, 3, {0, 1, 2}), getAxesMap(builder, 3, {0, 1, 2}),
       getAxesMap(builder, 3, {1, 2})},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value product = convertFloat(b, l, in[0], type);
        for (Value factor : in.slice(1, 2))
          product = arith::MulFOp::create(b, l, product,
                                          convertFloat(b, l, factor, type));
        return arith::AddFOp::create(b, l, in[3], product);
      });
  Value sum = contract(query, before);
  Value result = map({Row, Head, ValueFeature},
                     {sum, weight, at(op.getValue(), time, std::nullopt)},
                     {values, axes({Row, Head}), values},
                     [&](OpBuilder &b, Location l, ValueRange in) -> Value {
                       Value own = arith::MulFOp::create(b, l, in[1], in[2]);
                       Value total = arith::AddFOp::create(b, l, in[0], own);
                       return arith::MulFOp::create(
                           b, l, total, buildFloat(b, l, type, scale));
                     });
  return {result, after};
}

/// Keeps, in rows whose length ends at or before `time`, `otherwise`.
static Value buildWhereValid(OpBuilder &builder, Location loc, Value lengths,
                             Value time, Value valid, Value otherwise) {
  auto type = cast<RankedTensorType>(valid.getType());
  unsigned rank = type.getRank();
  AffineMap all = builder.getMultiDimIdentityMap(rank);
  SmallVector<Value> inputs{lengths, valid};
  SmallVector<AffineMap> maps{getAxesMap(builder, rank, {0}), all};
  if (otherwise) {
    inputs.push_back(otherwise);
    maps.push_back(all);
  }
  return buildElementwise(
      builder, loc, tensor::getMixedSizes(builder, loc, valid),
      type.getElementType(), inputs, maps,
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value length =
            arith::IndexCastOp::create(b, l, b.getIndexType(), in[0]);
        Value holds = arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt,
                                            time, length);
        Value other =
            otherwise ? in[2] : buildFloat(b, l, type.getElementType(), 0);
        return arith::SelectOp::create(b, l, holds, in[1], other);
      });
}

FailureOr<SmallVector<Value>> RecurrenceOp::buildReference(OpBuilder &builder) {
  Location loc = getLoc();
  auto resultType = cast<RankedTensorType>(getResult().getType());
  if (!isa<FloatType>(resultType.getElementType()))
    return failure();
  TokenBuilder token(*this, builder);
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, getQuery());
  sizes[2] = builder.getIndexAttr(getHeads());
  sizes[3] = builder.getIndexAttr(getValueDim());
  Value empty =
      tensor::EmptyOp::create(builder, loc, sizes, resultType.getElementType());
  Value end = getValueOrCreateConstantIndexOp(builder, loc, sizes[TimeAxis]);
  SmallVector<OpFoldResult> offsets(4, builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(4, builder.getIndexAttr(1));
  SmallVector<OpFoldResult> tokenSizes(sizes);
  tokenSizes[TimeAxis] = builder.getIndexAttr(1);
  auto loop = scf::ForOp::create(
      builder, loc, buildIndex(builder, loc, 0), end,
      buildIndex(builder, loc, 1), ValueRange{empty, token.buildInit()},
      [&](OpBuilder &b, Location l, Value time, ValueRange carried) {
        // The token's builder follows into the loop.
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPointToEnd(b.getInsertionBlock());
        auto [result, state] = token.build(time, carried[1]);
        if (getLengths()) {
          result = buildWhereValid(builder, l, getLengths(), time, result, {});
          state = buildWhereValid(builder, l, getLengths(), time, state,
                                  carried[1]);
        }
        Type element = resultType.getElementType();
        auto wide = cast<RankedTensorType>(result.getType());
        if (wide.getElementType() != element)
          result = buildElementwise(
              builder, l, tensor::getMixedSizes(builder, l, result), element,
              result, builder.getMultiDimIdentityMap(3),
              [&](OpBuilder &nested, Location at, ValueRange in) {
                return convertFloat(nested, at, in[0], element);
              });
        offsets[TimeAxis] = time;
        Value results = tensor::InsertSliceOp::create(
            builder, l, result, carried[0], offsets, tokenSizes, strides);
        scf::YieldOp::create(builder, l, ValueRange{results, state});
      });
  return SmallVector<Value>(loop.getResults());
}
