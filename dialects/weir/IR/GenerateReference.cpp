//===- GenerateReference.cpp - Plain definitions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A draw never sorts: tokens are taken one after another in rank order, each
// found by a look at the whole row, until enough are taken. One such walk finds
// the sum of the top k, one how many tokens top_p keeps, one the token drawn.
//
// A decode loop holds all tokens of all rows in one tensor that each round
// writes a token per row into. A step function is called once for the prompt,
// in front of the loop, and then for the token of the round before.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/GenerateCallee.h"
#include "weir/IR/ReferenceBuilders.h"
#include <limits>

using namespace mlir;
using namespace weir;

//===----------------------------------------------------------------------===//
// SampleOp
//===----------------------------------------------------------------------===//

namespace {

/// A token and its logit.
struct RankedToken {
  Value logit;
  Value id;
};

/// Where a walk through the ranked tokens ended.
struct Walk {
  Value id;    ///< the last token taken, -1 for none
  Value count; ///< tokens taken
  Value mass;  ///< sum of their weights
};

/// Builds what is said of one row of logits.
struct RowBuilder {
  Value logits, row, vocabulary;
  FloatType type; ///< of weights and sums
  double temperature;
  Value maximum; ///< the greatest logit, once known

  Value read(OpBuilder &b, Location loc, Value id) const {
    Value logit = tensor::ExtractOp::create(b, loc, logits, {row, id});
    return convertFloat(b, loc, logit, type);
  }
  Value infinity(OpBuilder &b, Location loc, bool negative) const {
    double value = std::numeric_limits<double>::infinity();
    return buildFloat(b, loc, type, negative ? -value : value);
  }
  RankedToken findFirst(OpBuilder &b, Location loc) const;
  RankedToken findNext(OpBuilder &b, Location loc, RankedToken last) const;
  Value buildWeight(OpBuilder &b, Location loc, Value logit) const;
  Value buildSum(OpBuilder &b, Location loc) const;
  Walk walk(OpBuilder &b, Location loc, Value countLimit, Value massLimit,
            arith::CmpFPredicate goesOn) const;
};

} // namespace

/// The token of the first rank.
RankedToken RowBuilder::findFirst(OpBuilder &b, Location loc) const {
  return findNext(
      b, loc, {infinity(b, loc, /*negative=*/false), buildIndex(b, loc, -1)});
}

/// The token ranked right behind `last`; its id is -1 where there is none.
RankedToken RowBuilder::findNext(OpBuilder &b, Location loc,
                                 RankedToken last) const {
  SmallVector<Value> none{infinity(b, loc, /*negative=*/true),
                          buildIndex(b, loc, -1)};
  auto loop = scf::ForOp::create(
      b, loc, buildIndex(b, loc, 0), vocabulary, buildIndex(b, loc, 1), none,
      [&](OpBuilder &b, Location loc, Value id, ValueRange best) {
        // sample_c4: ordered comparisons are false of what is no number.
        Value logit = read(b, loc, id);
        Value isLess = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT,
                                             logit, last.logit);
        Value isEqual = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ,
                                              logit, last.logit);
        Value isLater = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt,
                                              id, last.id);
        Value isBehind = arith::OrIOp::create(
            b, loc, isLess, arith::AndIOp::create(b, loc, isEqual, isLater));
        Value isBetter = arith::CmpFOp::create(
            b, loc, arith::CmpFPredicate::OGT, logit, best[0]);
        Value take = arith::AndIOp::create(b, loc, isBehind, isBetter);
        Value newLogit = arith::SelectOp::create(b, loc, take, logit, best[0]);
        Value newId = arith::SelectOp::create(b, loc, take, id, best[1]);
        scf::YieldOp::create(b, loc, ValueRange{newLogit, newId});
      });
  return {loop.getResult(0), loop.getResult(1)};
}

Value RowBuilder::buildWeight(OpBuilder &b, Location loc, Value logit) const {
  Value behind = arith::SubFOp::create(b, loc, logit, maximum);
  return math::ExpOp::create(
      b, loc,
      arith::DivFOp::create(b, loc, behind,
                            buildFloat(b, loc, type, temperature)));
}

/// The sum of all weights.
Value RowBuilder::buildSum(OpBuilder &b, Location loc) const {
  auto loop = scf::ForOp::create(
      b, loc, buildIndex(b, loc, 0), vocabulary, buildIndex(b, loc, 1),
      buildFloat(b, loc, type, 0),
      [&](OpBuilder &b, Location loc, Value id, ValueRange sum) {
        Value logit = read(b, loc, id);
        Value isVisible =
            arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, logit,
                                  infinity(b, loc, /*negative=*/true));
        Value more =
            arith::AddFOp::create(b, loc, sum[0], buildWeight(b, loc, logit));
        scf::YieldOp::create(b, loc,
                             ValueRange{arith::SelectOp::create(
                                 b, loc, isVisible, more, sum[0])});
      });
  return loop.getResult(0);
}

/// Takes tokens in rank order, at most `countLimit` and while `mass goesOn
/// massLimit`, mass being the sum of the weights taken.
Walk RowBuilder::walk(OpBuilder &b, Location loc, Value countLimit,
                      Value massLimit, arith::CmpFPredicate goesOn) const {
  Value minusOne = buildIndex(b, loc, -1);
  SmallVector<Value> start{infinity(b, loc, /*negative=*/false), minusOne,
                           buildIndex(b, loc, 0), buildFloat(b, loc, type, 0)};
  SmallVector<Type> types = llvm::to_vector(ValueRange(start).getTypes());
  auto loop = scf::WhileOp::create(
      b, loc, types, start,
      [&](OpBuilder &b, Location loc, ValueRange now) {
        Value within = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt,
                                             now[2], countLimit);
        Value below = arith::CmpFOp::create(b, loc, goesOn, now[3], massLimit);
        scf::ConditionOp::create(
            b, loc, arith::AndIOp::create(b, loc, within, below), now);
      },
      [&](OpBuilder &b, Location loc, ValueRange now) {
        RankedToken next = findNext(b, loc, {now[0], now[1]});
        Value isFound = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge,
                                              next.id, buildIndex(b, loc, 0));
        Value count =
            arith::AddIOp::create(b, loc, now[2], buildIndex(b, loc, 1));
        Value mass = arith::AddFOp::create(b, loc, now[3],
                                           buildWeight(b, loc, next.logit));
        // Behind the last token the walk has nowhere to go.
        auto choose = [&](Value found, Value otherwise) -> Value {
          return arith::SelectOp::create(b, loc, isFound, found, otherwise);
        };
        scf::YieldOp::create(
            b, loc,
            ValueRange{choose(next.logit, now[0]), choose(next.id, now[1]),
                       choose(count, countLimit), choose(mass, now[3])});
      });
  return {loop.getResult(1), loop.getResult(2), loop.getResult(3)};
}

/// The token drawn from `row`, as an index.
static Value buildDraw(OpBuilder &b, Location loc, SampleOp op,
                       RowBuilder &row) {
  RankedToken first = row.findFirst(b, loc);
  if (!op.getUniform())
    return first.id;
  row.maximum = first.logit;
  Value infinity = row.infinity(b, loc, /*negative=*/false);
  Value count = row.vocabulary, sum;
  if (op.getTopK() > 0) {
    count =
        arith::MinSIOp::create(b, loc, count, buildIndex(b, loc, op.getTopK()));
    sum = row.walk(b, loc, count, infinity, arith::CmpFPredicate::OLT).mass;
  } else {
    sum = row.buildSum(b, loc);
  }
  double topP = op.getTopP().convertToDouble();
  if (topP < 1) {
    Value limit =
        arith::MulFOp::create(b, loc, sum, buildFloat(b, loc, row.type, topP));
    Walk kept = row.walk(b, loc, count, limit, arith::CmpFPredicate::OLT);
    count = kept.count;
    sum = kept.mass;
  }
  Value uniform = convertFloat(
      b, loc, tensor::ExtractOp::create(b, loc, op.getUniform(), row.row),
      row.type);
  Value limit = arith::MulFOp::create(b, loc, uniform, sum);
  Walk drawn = row.walk(b, loc, count, limit, arith::CmpFPredicate::OLE);
  // sample_c5: no weight is a number beside an infinite logit.
  Value isInfinite = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ,
                                           row.maximum, infinity);
  return arith::SelectOp::create(b, loc, isInfinite, first.id, drawn.id);
}

FailureOr<SmallVector<Value>> SampleOp::buildReference(OpBuilder &builder) {
  Location loc = getLoc();
  auto type = cast<RankedTensorType>(getLogits().getType());
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, getLogits());
  RowBuilder row;
  row.logits = getLogits();
  row.vocabulary = getValueOrCreateConstantIndexOp(builder, loc, sizes[1]);
  // sample_c6
  row.type = getAccumulatorType(type.getElementType());
  row.temperature = getTemperature().convertToDouble();
  Type i32 = builder.getI32Type();
  Value empty = tensor::EmptyOp::create(
      builder, loc, ArrayRef<OpFoldResult>(sizes).take_front(), i32);
  Value rows = getValueOrCreateConstantIndexOp(builder, loc, sizes[0]);
  auto loop = scf::ForOp::create(
      builder, loc, buildIndex(builder, loc, 0), rows,
      buildIndex(builder, loc, 1), empty,
      [&](OpBuilder &b, Location loc, Value number, ValueRange carried) {
        row.row = number;
        Value id = buildDraw(b, loc, *this, row);
        id = arith::IndexCastOp::create(b, loc, i32, id);
        scf::YieldOp::create(b, loc,
                             ValueRange{tensor::InsertOp::create(
                                 b, loc, id, carried[0], number)});
      });
  return SmallVector<Value>(loop.getResults());
}

//===----------------------------------------------------------------------===//
// GenerateOp
//===----------------------------------------------------------------------===//

namespace {

/// What goes from round to round.
struct DecodeState {
  Value tokens; ///< all rows with room for all tokens
  Value counts; ///< tokens in each row
  Value live;   ///< i32 for each row: 1 while it goes on, else 0
  SmallVector<Value> slots;

  explicit DecodeState(ValueRange carried)
      : tokens(carried[0]), counts(carried[1]), live(carried[2]),
        slots(carried.drop_front(3)) {}
  SmallVector<Value> getCarried() const {
    SmallVector<Value> carried{tokens, counts, live};
    llvm::append_range(carried, slots);
    return carried;
  }
};

/// Builds the parts of a decode loop.
struct DecodeBuilder {
  GenerateOp op;
  GenerateCallee callee;
  Location loc;

  Value getRows(OpBuilder &b) {
    return b.createOrFold<tensor::DimOp>(loc, op.getIds(), BatchAxis);
  }
  DecodeState buildStart(OpBuilder &b);
  Value buildEmptySlot(OpBuilder &b, RankedTensorType type, Value capacity);
  Value callModel(OpBuilder &b, Value tokens, Value lengths,
                  DecodeState &state);
  Value countLiveRows(OpBuilder &b, const DecodeState &state);
  Value buildLastTokens(OpBuilder &b, const DecodeState &state);
  void playRound(OpBuilder &b, Value logits, Value round, DecodeState &state);
};

} // namespace

/// Replaces `op`, which was made to be a part of another definition, by its
/// own.
static FailureOr<Value> buildPart(OpBuilder &builder, ReferenceInterface op) {
  FailureOr<SmallVector<Value>> values = op.buildReference(builder);
  op->erase();
  if (failed(values))
    return failure();
  return values->front();
}

/// A vector with an entry for each row, made of entries of `inputs` and written
/// over `into`; `body` gets the latter's entry last.
static Value buildRows(OpBuilder &builder, Location loc, ValueRange inputs,
                       Value into, BuildBody body) {
  SmallVector<AffineMap> maps(inputs.size() + 1,
                              builder.getMultiDimIdentityMap(1));
  return linalg::GenericOp::create(
             builder, loc, into.getType(), inputs, into, maps,
             utils::IteratorType::parallel,
             [&](OpBuilder &b, Location l, ValueRange arguments) {
               linalg::YieldOp::create(b, l, body(b, l, arguments));
             })
      .getResult(0);
}

static Value buildInteger(OpBuilder &builder, Location loc, int64_t number) {
  return arith::ConstantIntOp::create(builder, loc, number, 32);
}

/// The rows of the prompt with room behind them, and empty slots.
DecodeState DecodeBuilder::buildStart(OpBuilder &b) {
  Type i32 = b.getI32Type();
  Value zero = buildInteger(b, loc, 0);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, op.getIds());
  SmallVector<OpFoldResult> rows{sizes[BatchAxis]};
  AffineMap identity = b.getMultiDimIdentityMap(1);
  Value counts = buildElementwise(
      b, loc, rows, i32, op.getLengths(), identity,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        return arith::MaxSIOp::create(b, l, arguments[0], zero);
      });
  // generate_c5
  Value live = buildElementwise(
      b, loc, rows, i32, op.getLengths(), identity,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value hasPrompt = arith::CmpIOp::create(b, l, arith::CmpIPredicate::sgt,
                                                arguments[0], zero);
        return arith::ExtUIOp::create(b, l, i32, hasPrompt);
      });

  // generate_c6: behind the tokens of a row lies `pad`.
  Value pad = buildInteger(b, loc, op.getPadAttr().getInt());
  Value prompt = buildElementwise(
      b, loc, sizes, i32, {op.getIds(), op.getLengths()},
      {b.getMultiDimIdentityMap(2), getAxesMap(b, 2, BatchAxis)},
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value t = arith::IndexCastOp::create(
            b, l, i32, linalg::IndexOp::create(b, l, TimeAxis));
        Value isToken = arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt,
                                              t, arguments[1]);
        return arith::SelectOp::create(b, l, isToken, arguments[0], pad);
      });
  Value time = getValueOrCreateConstantIndexOp(b, loc, sizes[TimeAxis]);
  Value capacity = b.createOrFold<arith::AddIOp>(
      loc, time, buildIndex(b, loc, op.getMaxNew()));
  auto type = cast<RankedTensorType>(op.getTokens().getType());
  SmallVector<Value> dynamic;
  if (type.isDynamicDim(BatchAxis))
    dynamic.push_back(getRows(b));
  if (type.isDynamicDim(TimeAxis))
    dynamic.push_back(capacity);
  Value room = tensor::EmptyOp::create(b, loc, type, dynamic);
  room = linalg::FillOp::create(b, loc, pad, room).getResult(0);
  SmallVector<OpFoldResult> zeros(2, b.getIndexAttr(0));
  SmallVector<OpFoldResult> ones(2, b.getIndexAttr(1));
  Value tokens =
      tensor::InsertSliceOp::create(b, loc, prompt, room, zeros, sizes, ones);

  DecodeState state({tokens, counts, live});
  for (unsigned slot : callee.slots)
    state.slots.push_back(buildEmptySlot(
        b, cast<RankedTensorType>(callee.function.getArgumentTypes()[slot]),
        capacity));
  return state;
}

/// A slot of type `type` before the first token. Its first dynamic extent is
/// the batch and its second, where it has one, the capacity.
Value DecodeBuilder::buildEmptySlot(OpBuilder &b, RankedTensorType type,
                                    Value capacity) {
  SmallVector<Value> sizes{getRows(b), capacity};
  sizes.resize(type.getNumDynamicDims());
  Value empty = tensor::EmptyOp::create(b, loc, type, sizes);
  Value zero =
      arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
  return linalg::FillOp::create(b, loc, zero, empty).getResult(0);
}

/// The logits behind the last of `tokens` of each row, `[batch, vocabulary]`;
/// a step function updates the slots of `state`.
Value DecodeBuilder::callModel(OpBuilder &b, Value tokens, Value lengths,
                               DecodeState &state) {
  FunctionOpInterface function = callee.function;
  StringRef attrName = WeirDialect::getSlotAttrName();
  auto toType = [&](Value value, Type type) -> Value {
    if (value.getType() == type)
      return value;
    return tensor::CastOp::create(b, loc, type, value);
  };
  SmallVector<Value> arguments(function.getNumArguments());
  arguments[*callee.tokens] = tokens;
  arguments[*callee.lengths] = lengths;
  for (auto [number, slot] : llvm::zip_equal(callee.slots, state.slots))
    arguments[number] = slot;
  for (auto [argument, type] :
       llvm::zip_equal(arguments, function.getArgumentTypes()))
    argument = toType(argument, type);
  auto call = func::CallOp::create(b, loc, op.getCalleeAttr(),
                                   function.getResultTypes(), arguments);
  for (auto [number, slot] : llvm::zip_equal(callee.slots, state.slots))
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      if (function.getResultAttr(i, attrName) ==
          function.getArgAttr(number, attrName))
        slot = call.getResult(i);

  Value logits = call.getResult(*callee.logits);
  auto type = cast<RankedTensorType>(logits.getType());
  if (type.getDimSize(TimeAxis) != 1)
    logits = *buildPart(b, SelectLastOp::create(b, loc, logits, lengths));
  SmallVector<ReassociationIndices> axes{{0, 1}, {2}};
  return tensor::CollapseShapeOp::create(b, loc, callee.getRowLogitsType(),
                                         logits, axes);
}

/// How many rows go on, as an index.
Value DecodeBuilder::countLiveRows(OpBuilder &b, const DecodeState &state) {
  Value zero = buildIndex(b, loc, 0);
  auto loop = scf::ForOp::create(
      b, loc, zero, getRows(b), buildIndex(b, loc, 1), zero,
      [&](OpBuilder &b, Location l, Value row, ValueRange count) {
        Value live = buildReadIndex(b, l, state.live, row);
        scf::YieldOp::create(
            b, l, ValueRange{arith::AddIOp::create(b, l, count.front(), live)});
      });
  return loop.getResult(0);
}

/// The last token of each row, `[batch, 1]`.
Value DecodeBuilder::buildLastTokens(OpBuilder &b, const DecodeState &state) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, op.getIds());
  sizes[TimeAxis] = b.getIndexAttr(1);
  return buildElementwise(
      b, loc, sizes, b.getI32Type(), {}, {},
      [&](OpBuilder &b, Location l, ValueRange) -> Value {
        Value row = linalg::IndexOp::create(b, l, BatchAxis);
        Value count = buildReadIndex(b, l, state.counts, row);
        Value one = buildIndex(b, l, 1);
        Value last = arith::SubIOp::create(
            b, l, arith::MaxSIOp::create(b, l, count, one), one);
        return tensor::ExtractOp::create(b, l, state.tokens, {row, last});
      });
}

/// Chooses a token for each row and puts it at the end of those that go on.
void DecodeBuilder::playRound(OpBuilder &b, Value logits, Value round,
                              DecodeState &state) {
  Value next;
  if (op.getChoose().empty()) {
    next = *buildPart(b, SampleOp::create(b, loc, logits));
  } else {
    next = inlineRegion(b, op.getChoose(), {logits, round}).front();
  }
  auto rows = cast<RankedTensorType>(state.counts.getType());
  if (next.getType() != rows)
    next = tensor::CastOp::create(b, loc, rows, next);

  // Every row gets its token where its tokens end.
  AffineMap identity = b.getMultiDimIdentityMap(2);
  AffineMap perRow = getAxesMap(b, 2, BatchAxis);
  state.tokens =
      linalg::GenericOp::create(
          b, loc, state.tokens.getType(), {next, state.counts, state.live},
          state.tokens, {perRow, perRow, perRow, identity},
          SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
          [&](OpBuilder &b, Location l, ValueRange arguments) {
            Type i32 = b.getI32Type();
            Value t = arith::IndexCastOp::create(
                b, l, i32, linalg::IndexOp::create(b, l, TimeAxis));
            Value isEnd = arith::CmpIOp::create(b, l, arith::CmpIPredicate::eq,
                                                t, arguments[1]);
            Value isLive =
                arith::TruncIOp::create(b, l, b.getI1Type(), arguments[2]);
            Value writes = arith::AndIOp::create(b, l, isEnd, isLive);
            Value token = arith::SelectOp::create(b, l, writes, arguments[0],
                                                  arguments[3]);
            linalg::YieldOp::create(b, l, token);
          })
          .getResult(0);
  state.counts = buildRows(
      b, loc, state.live, state.counts,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        return arith::AddIOp::create(b, l, arguments[1], arguments[0]);
      });
  // generate_c6
  state.live = buildRows(
      b, loc, next, state.live,
      [&](OpBuilder &b, Location l, ValueRange arguments) -> Value {
        Value live = arguments[1];
        for (int32_t eos : op.getEos().value_or(ArrayRef<int32_t>())) {
          Value goesOn =
              arith::CmpIOp::create(b, l, arith::CmpIPredicate::ne,
                                    arguments[0], buildInteger(b, l, eos));
          live = arith::AndIOp::create(
              b, l, live, arith::ExtUIOp::create(b, l, b.getI32Type(), goesOn));
        }
        return live;
      });
}

FailureOr<SmallVector<Value>> GenerateOp::buildReference(OpBuilder &builder) {
  Location loc = getLoc();
  std::string mismatch;
  FailureOr<GenerateCallee> callee = findGenerateCallee(*this, mismatch);
  if (failed(callee))
    return failure();
  DecodeBuilder decode{*this, *callee, loc};
  DecodeState state = decode.buildStart(builder);
  // generate_c7
  bool streams = !callee->wholeSequence;
  Value first = buildIndex(builder, loc, streams ? 1 : 0);
  Value one = buildIndex(builder, loc, 1);
  if (streams) {
    Value logits = decode.callModel(builder, getIds(), state.counts, state);
    decode.playRound(builder, logits, buildIndex(builder, loc, 0), state);
  }
  auto loop = scf::ForOp::create(
      builder, loc, first, buildIndex(builder, loc, getMaxNew()), one,
      state.getCarried(),
      [&](OpBuilder &b, Location l, Value round, ValueRange carried) {
        // Rounds behind the end of the last row cost nothing.
        auto choice = scf::IndexSwitchOp::create(
            b, l, TypeRange(carried),
            decode.countLiveRows(b, DecodeState(carried)),
            /*cases=*/ArrayRef<int64_t>{0},
            /*caseRegionsCount=*/1);
        OpBuilder::InsertionGuard guard(b);
        b.createBlock(&choice.getCaseRegions().front());
        scf::YieldOp::create(b, l, carried);
        b.createBlock(&choice.getDefaultRegion());
        DecodeState now(carried);
        Value logits = streams
                           ? decode.callModel(b, decode.buildLastTokens(b, now),
                                              now.live, now)
                           : decode.callModel(b, now.tokens, now.counts, now);
        decode.playRound(b, logits, round, now);
        scf::YieldOp::create(b, l, now.getCarried());
        b.setInsertionPointAfter(choice);
        scf::YieldOp::create(b, l, choice.getResults());
      });
  return SmallVector<Value>(loop.getResults().take_front(2));
}
