//===- ListTokens.cpp - Sequences of chosen tokens --------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// By definition the rank of a chosen token is the number of those in front of
// it, which compares all with all, and a place is looked for among all ranks.
// The optimised code goes through the tokens of a row once, in order: some
// integers a token, next to the products of a layer for one of several. A token
// alone is its own definition.
//
// A step lists the chosen tokens of its block. How many a row has had is
// carried, and is where the block begins in the shorter sequence.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/ShapeChecks.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

LogicalResult ListTokensOp::verify() {
  auto indices = cast<RankedTensorType>(getIndices().getType());
  Type i32 = IntegerType::get(getContext(), 32);
  // list_tokens_c1
  if (indices.getRank() != 3 || indices.getDimSize(2) != 1 ||
      indices.getElementType() != i32)
    return emitOpError("has indices of type ")
           << indices << ", expected [B, T, 1] of i32";
  // list_tokens_c2
  if (failed(expectTensor(*this, getLengths(), "lengths",
                          indices.getShape().take_front(), i32)))
    return failure();
  // list_tokens_c4
  std::optional<int64_t> taken = getTaken(), of = getOf();
  if (taken.has_value() != of.has_value())
    return emitOpError("has one of taken and of, expected both or none");
  if (taken && (*taken < 1 || *taken > *of))
    return emitOpError("takes ")
           << *taken << " of " << *of << " tokens, expected 1 to " << *of;
  // list_tokens_c3
  int64_t rows = indices.getDimSize(0), time = indices.getDimSize(1);
  int64_t places = time;
  if (taken && !ShapedType::isDynamic(time))
    places = llvm::divideCeil(time * *taken, *of);
  if (failed(expectTensor(*this, getPlaces(), "places", {rows, places}, i32)) ||
      failed(expectTensor(*this, getRanks(), "ranks", {rows, time}, i32)))
    return failure();
  return expectTensor(*this, getCounts(), "counts", {rows}, i32);
}

LogicalResult GatherTokensOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  auto places = cast<RankedTensorType>(getPlaces().getType());
  // gather_tokens_c1
  if (input.getRank() < 2 || !input.getElementType().isIntOrFloat())
    return emitOpError("has input of type ")
           << input << ", expected [B, T, ...] of floats or integers";
  // gather_tokens_c2
  if (places.getRank() != 2 ||
      !mayBeEqual(places.getDimSize(0), input.getDimSize(0)) ||
      !places.getElementType().isSignlessInteger(32))
    return emitOpError("has places of type ")
           << places << ", expected [B, K] of i32 for an input of " << input;
  // gather_tokens_c3
  SmallVector<int64_t> shape(input.getShape());
  shape[TimeAxis] = places.getDimSize(1);
  return expectTensor(*this, getResult(), "result", shape,
                      input.getElementType());
}

//===----------------------------------------------------------------------===//
// Lists
//===----------------------------------------------------------------------===//

/// How many tokens each row lists at most.
static OpFoldResult buildPlaceCount(OpBuilder &builder, ListTokensOp op,
                                    OpFoldResult time) {
  if (!op.getTaken())
    return time;
  auto number = [&](int64_t value) {
    return buildIndex(builder, op.getLoc(), value);
  };
  Value tokens = getValueOrCreateConstantIndexOp(builder, op.getLoc(), time);
  Value many = arith::MulIOp::create(builder, op.getLoc(), tokens,
                                     number(*op.getTaken()));
  Value up = arith::AddIOp::create(builder, op.getLoc(), many,
                                   number(*op.getOf() - 1));
  return arith::DivUIOp::create(builder, op.getLoc(), up, number(*op.getOf()))
      .getResult();
}

/// Casts `values` to the types of the results of `op`.
static SmallVector<Value> castToResults(OpBuilder &builder, Operation *op,
                                        ArrayRef<Value> values) {
  SmallVector<Value> results;
  for (auto [value, result] : llvm::zip_equal(values, op->getResults()))
    results.push_back(value.getType() == result.getType()
                          ? value
                          : tensor::CastOp::create(builder, op->getLoc(),
                                                   result.getType(), value));
  return results;
}

FailureOr<SmallVector<Value>> ListTokensOp::buildReference(OpBuilder &builder) {
  Location loc = getLoc();
  Type i32 = builder.getI32Type();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, getIndices());
  OpFoldResult rows = sizes[0], time = sizes[1];
  OpFoldResult places = buildPlaceCount(builder, *this, time);
  auto number = [&](OpBuilder &b, int64_t value) -> Value {
    return arith::ConstantIntOp::create(b, loc, value, 32);
  };
  auto positionOf = [&](OpBuilder &b, unsigned loop) -> Value {
    return arith::IndexCastOp::create(b, loc, i32,
                                      linalg::IndexOp::create(b, loc, loop));
  };
  auto compare = [&](OpBuilder &b, arith::CmpIPredicate how, Value lhs,
                     Value rhs) -> Value {
    return arith::CmpIOp::create(b, loc, how, lhs, rhs);
  };
  auto toNumber = [&](OpBuilder &b, Value condition) -> Value {
    return arith::ExtUIOp::create(b, loc, i32, condition);
  };
  AffineMap token = builder.getMultiDimIdentityMap(2);
  AffineMap row = getAxesMap(builder, 2, {0});

  SmallVector<Value> inputs{getIndices()};
  SmallVector<AffineMap> maps{
      AffineMap::get(2, 0,
                     {builder.getAffineDimExpr(0), builder.getAffineDimExpr(1),
                      builder.getAffineConstantExpr(0)},
                     getContext())};
  if (getLengths()) {
    inputs.push_back(getLengths());
    maps.push_back(row);
  }
  Value chosen = buildElementwise(
      builder, loc, {rows, time}, i32, inputs, maps,
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value is = compare(b, arith::CmpIPredicate::sge, in[0], number(b, 0));
        if (in.size() > 1) {
          Value there =
              compare(b, arith::CmpIPredicate::slt, positionOf(b, 1), in[1]);
          is = arith::AndIOp::create(b, l, is, there);
        }
        return toNumber(b, is);
      });

  // Loops are those of the tokens, then the tokens each is compared with.
  auto axes = [&](ArrayRef<unsigned> of) { return getAxesMap(builder, 3, of); };
  Value before = buildReduction(
      builder, loc, {rows, time}, number(builder, 0), axes({0, 1}), {chosen},
      {axes({0, 2})}, [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value isBefore = compare(b, arith::CmpIPredicate::slt, positionOf(b, 2),
                                 positionOf(b, 1));
        Value counted =
            arith::SelectOp::create(b, l, isBefore, in[0], number(b, 0));
        return arith::AddIOp::create(b, l, in[1], counted);
      });
  Value limit = arith::IndexCastOp::create(
      builder, loc, i32, getValueOrCreateConstantIndexOp(builder, loc, places));
  Value ranks = buildElementwise(
      builder, loc, {rows, time}, i32, {chosen, before}, {token, token},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value is = compare(b, arith::CmpIPredicate::ne, in[0], number(b, 0));
        Value fits = compare(b, arith::CmpIPredicate::slt, in[1], limit);
        return arith::SelectOp::create(
            b, l, arith::AndIOp::create(b, l, is, fits), in[1], number(b, -1));
      });
  Value counts = buildReduction(
      builder, loc, {rows}, number(builder, 0), row, {ranks}, {token},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value is = compare(b, arith::CmpIPredicate::sge, in[0], number(b, 0));
        return arith::AddIOp::create(b, l, in[1], toNumber(b, is));
      });
  Value found = buildReduction(
      builder, loc, {rows, places}, number(builder, -1), axes({0, 1}), {ranks},
      {axes({0, 2})}, [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value is =
            compare(b, arith::CmpIPredicate::eq, in[0], positionOf(b, 1));
        return arith::SelectOp::create(b, l, is, positionOf(b, 2), in[1]);
      });
  return castToResults(builder, *this, {found, ranks, counts});
}

FailureOr<SmallVector<Value>> ListTokensOp::buildLowering(OpBuilder &builder) {
  Location loc = getLoc();
  // Nothing is in front of a single token. Loops over one would be undone, and
  // leave a GPU's host with numbers to read.
  if (cast<RankedTensorType>(getIndices().getType()).getDimSize(1) == 1)
    return buildReference(builder);
  Type i32 = builder.getI32Type();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, getIndices());
  OpFoldResult rows = sizes[0], time = sizes[1];
  OpFoldResult places = buildPlaceCount(builder, *this, time);
  auto number = [&](OpBuilder &b, int64_t value) -> Value {
    return arith::ConstantIntOp::create(b, loc, value, 32);
  };
  auto filled = [&](ArrayRef<OpFoldResult> extents, int64_t value) -> Value {
    Value empty = tensor::EmptyOp::create(builder, loc, extents, i32);
    return linalg::FillOp::create(builder, loc, number(builder, value), empty)
        .getResult(0);
  };
  SmallVector<Value> inits{filled({rows, places}, -1), filled({rows, time}, -1),
                           filled({rows}, 0)};
  Value zero = buildIndex(builder, loc, 0), one = buildIndex(builder, loc, 1);
  Value rowCount = getValueOrCreateConstantIndexOp(builder, loc, rows);
  Value tokens = getValueOrCreateConstantIndexOp(builder, loc, time);
  Value limit = arith::IndexCastOp::create(
      builder, loc, i32, getValueOrCreateConstantIndexOp(builder, loc, places));

  // One token, of which all writes but that of a new place are repeated.
  auto buildToken = [&](OpBuilder &b, Location l, Value row, Value t,
                        ValueRange carried) {
    Value index =
        tensor::ExtractOp::create(b, l, getIndices(), ValueRange{row, t, zero});
    Value count = tensor::ExtractOp::create(b, l, carried[2], row);
    Value is = arith::CmpIOp::create(b, l, arith::CmpIPredicate::sge, index,
                                     number(b, 0));
    Value fits =
        arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt, count, limit);
    is = arith::AndIOp::create(b, l, is, fits);
    Value position = arith::IndexCastOp::create(b, l, i32, t);
    if (getLengths()) {
      Value length = tensor::ExtractOp::create(b, l, getLengths(), row);
      is = arith::AndIOp::create(
          b, l, is,
          arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt, position,
                                length));
    }
    Value last = arith::SubIOp::create(b, l, limit, number(b, 1));
    Value at = arith::IndexCastOp::create(
        b, l, b.getIndexType(), arith::MinSIOp::create(b, l, count, last));
    Value old =
        tensor::ExtractOp::create(b, l, carried[0], ValueRange{row, at});
    Value place = arith::SelectOp::create(b, l, is, position, old);
    Value rank = arith::SelectOp::create(b, l, is, count, number(b, -1));
    Value next = arith::AddIOp::create(b, l, count,
                                       arith::ExtUIOp::create(b, l, i32, is));
    return SmallVector<Value>{
        tensor::InsertOp::create(b, l, place, carried[0], ValueRange{row, at}),
        tensor::InsertOp::create(b, l, rank, carried[1], ValueRange{row, t}),
        tensor::InsertOp::create(b, l, next, carried[2], row)};
  };
  auto loop = scf::ForOp::create(
      builder, loc, zero, rowCount, one, inits,
      [&](OpBuilder &b, Location l, Value row, ValueRange outer) {
        auto inner = scf::ForOp::create(
            b, l, zero, tokens, one, outer,
            [&](OpBuilder &b, Location l, Value t, ValueRange carried) {
              scf::YieldOp::create(b, l, buildToken(b, l, row, t, carried));
            });
        scf::YieldOp::create(b, l, inner.getResults());
      });
  return castToResults(builder, *this, SmallVector<Value>(loop.getResults()));
}

bool ListTokensOp::hasOwnLowering() { return true; }

HistoryNeed ListTokensOp::getHistoryNeed(OpOperand &) {
  if (getTaken())
    return HistoryNeed::refused(
        "this lists " + std::to_string(*getTaken()) + " of " +
        std::to_string(*getOf()) +
        " tokens of a whole sequence; to decode, let each token decide by "
        "itself (weir.route with a threshold) and list all that are chosen");
  return HistoryNeed::pointwise();
}

FailureOr<SmallVector<Value>>
ListTokensOp::buildStep(OpBuilder &builder, StreamingContext &context) {
  Location loc = getLoc();
  auto countType =
      RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
  FailureOr<Value> before = context.getCarry(*this, "listed", countType);
  if (failed(before))
    return failure();
  auto step = ListTokensOp::create(
      builder, loc,
      TypeRange{getPlaces().getType(), getRanks().getType(), countType},
      context.lookup(getIndices()), context.getLengths(), IntegerAttr(),
      IntegerAttr());
  auto combine = [&](Value lhs, Value rhs, bool isSum) {
    AffineMap own = builder.getDimIdentityMap();
    return buildElementwise(
        builder, loc, tensor::getMixedSizes(builder, loc, lhs),
        builder.getI32Type(), {lhs, rhs}, {own, own},
        [&](OpBuilder &b, Location l, ValueRange in) -> Value {
          if (isSum)
            return arith::AddIOp::create(b, l, in[0], in[1]);
          return arith::SubIOp::create(b, l, in[0], in[1]);
        });
  };
  Value total = combine(*before, step.getCounts(), /*isSum=*/true);
  // The carry is overwritten in place: what is asked for behind that is
  // computed from the new one.
  Value offset = combine(total, step.getCounts(), /*isSum=*/false);
  context.setCarry(*this, "listed", total);
  context.startSequence(getPlaces(), offset, step.getCounts());
  return SmallVector<Value>{step.getPlaces(), step.getRanks(), total};
}

//===----------------------------------------------------------------------===//
// Gathering
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<Value>>
GatherTokensOp::buildReference(OpBuilder &builder) {
  Location loc = getLoc();
  auto type = cast<RankedTensorType>(getInput().getType());
  unsigned rank = type.getRank();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, getInput());
  Value time = getValueOrCreateConstantIndexOp(builder, loc, sizes[TimeAxis]);
  sizes[TimeAxis] = tensor::getMixedSize(builder, loc, getPlaces(), TimeAxis);
  Value result = buildElementwise(
      builder, loc, sizes, type.getElementType(), getPlaces(),
      getAxesMap(builder, rank, {0, 1}),
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        SmallVector<Value> at;
        for (unsigned axis = 0; axis < rank; ++axis)
          at.push_back(linalg::IndexOp::create(b, l, axis));
        Value place = arith::IndexCastOp::create(b, l, b.getIndexType(), in[0]);
        // A negative number is a large one without a sign.
        Value is =
            arith::CmpIOp::create(b, l, arith::CmpIPredicate::ult, place, time);
        at[TimeAxis] =
            arith::SelectOp::create(b, l, is, place, buildIndex(b, l, 0));
        Value element = tensor::ExtractOp::create(b, l, getInput(), at);
        Value none = arith::ConstantOp::create(
            b, l, b.getZeroAttr(type.getElementType()));
        return arith::SelectOp::create(b, l, is, element, none);
      });
  return castToResults(builder, *this, result);
}

bool GatherTokensOp::hasOwnLowering() { return true; }

HistoryNeed GatherTokensOp::getHistoryNeed(OpOperand &) {
  return HistoryNeed::pointwise();
}

FailureOr<SmallVector<Value>>
GatherTokensOp::buildStep(OpBuilder &builder, StreamingContext &context) {
  return buildPointwiseStep(builder, *this, context);
}
