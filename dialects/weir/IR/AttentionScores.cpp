//===- AttentionScores.cpp - Scores and masks of a block of keys -*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionTiler.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "weir/IR/ReferenceBuilders.h"

using namespace mlir;
using namespace weir;
using utils::IteratorType;

KeyBlock AttentionTiler::getRun(ValueRange point, Value first, Value count) {
  return {getRows(op.getKey(), point, first, count),
          getRows(op.getValue(), point, first, count), count, first, Value()};
}

Value AttentionTiler::getRows(Value tensor, ValueRange point, Value first,
                              Value count) {
  return AttentionTiles::getRows(tensor, point[0], first, getKeyHead(point),
                                 count);
}

/// The entry of the key axis that row `row` of `block` is.
static Value getEntry(AttentionTiler &t, const KeyBlock &block, Value row) {
  if (!block.entries)
    return t.add(block.first, row);
  return tensor::ExtractOp::create(t.builder, t.loc, block.entries, row);
}

Value AttentionTiler::getKeyPosition(const KeyBlock &block, Value row,
                                     ValueRange invariants) {
  Value entry = getEntry(*this, block, row);
  if (!op.getOffset())
    return entry;
  // Entries behind the newest one are a round older.
  Value newer = add(invariants[RingBase], entry);
  Value older = sub(newer, getDim(op.getKey(), 1));
  return select(compare(arith::CmpIPredicate::sle, entry, invariants[RingLast]),
                newer, older);
}

Value AttentionTiler::expandScores(Value scores, Value count) {
  SmallVector<int64_t> shape;
  SmallVector<OpFoldResult> sizes;
  SmallVector<ReassociationIndices> split;
  OpFoldResult groups = builder.getIndexAttr(group);
  OpFoldResult rows = builder.getIndexAttr(queries);
  if (flash) {
    shape = {ShapedType::kDynamic, group, queries};
    sizes = {count, groups, rows};
    split = {{0}, {1, 2}};
  } else {
    shape = {group, queries, ShapedType::kDynamic};
    sizes = {groups, rows, count};
    split = {{0, 1}, {2}};
  }
  return tensor::ExpandShapeOp::create(builder, loc,
                                       RankedTensorType::get(shape, compute),
                                       scores, split, sizes);
}

Value AttentionTiler::collapseScores(Value scores) {
  SmallVector<ReassociationIndices> merged =
      flash ? SmallVector<ReassociationIndices>{{0}, {1, 2}}
            : SmallVector<ReassociationIndices>{{0, 1}, {2}};
  return tensor::CollapseShapeOp::create(builder, loc, scores, merged);
}

Value AttentionTiler::updateScores(
    Value scores, const KeyBlock &block, ValueRange point,
    ValueRange invariants,
    llvm::function_ref<Value(Value, ValueRange, Value)> update) {
  Value expanded = expandScores(scores, block.count);
  unsigned keyAxis = flash ? 0 : 2;
  unsigned groupAxis = flash ? 1 : 0, queryAxis = flash ? 2 : 1;
  Value firstHead = getFirstHead(point);
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  if (places) {
    inputs.push_back(places);
    maps.push_back(map(3, {queryAxis}));
  }
  maps.push_back(map(3, {0, 1, 2}));
  auto updated = generic(
      inputs, expanded, maps,
      SmallVector<IteratorType>(3, IteratorType::parallel),
      [&](OpBuilder &b, Location l, ValueRange args) {
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPoint(b.getInsertionBlock(), b.getInsertionPoint());
        auto index = [&](unsigned axis) -> Value {
          return linalg::IndexOp::create(builder, loc, axis);
        };
        Value row = index(keyAxis);
        Value head = add(firstHead, index(groupAxis));
        Value place = places ? args[0] : index(queryAxis);
        Value query = add(invariants[FirstQuery], place);
        Value key = getKeyPosition(block, row, invariants);
        Value result = update(args.back(), {point[0], head, query, key},
                              getEntry(*this, block, row));
        linalg::YieldOp::create(builder, loc, result);
      });
  return collapseScores(updated.getResult(0));
}

Value AttentionTiler::addKeyBias(Value scores, const KeyBlock &block,
                                 ValueRange point, ValueRange invariants) {
  if (block.entries)
    return updateScores(
        scores, block, point, invariants,
        [&](Value score, ValueRange at, Value entry) -> Value {
          Value bias = tensor::ExtractOp::create(
              builder, loc, op.getKeyBias(), ValueRange{at[0], entry, at[1]});
          return arith::AddFOp::create(builder, loc, score,
                                       convert(builder, bias, compute));
        });
  Type type =
      cast<RankedTensorType>(op.getKeyBias().getType()).getElementType();
  Value bias = tensor::ExtractSliceOp::create(
      builder, loc, RankedTensorType::get({ShapedType::kDynamic, group}, type),
      op.getKeyBias(),
      SmallVector<OpFoldResult>{point[0], block.first, getFirstHead(point)},
      SmallVector<OpFoldResult>{builder.getIndexAttr(1), block.count,
                                builder.getIndexAttr(group)},
      SmallVector<OpFoldResult>(3, builder.getIndexAttr(1)));
  auto sum =
      generic(bias, expandScores(scores, block.count),
              {flash ? map(3, {0, 1}) : map(3, {2, 0}), map(3, {0, 1, 2})},
              SmallVector<IteratorType>(3, IteratorType::parallel),
              [&](OpBuilder &b, Location l, ValueRange args) {
                Value sum = arith::AddFOp::create(b, l, args[1],
                                                  convert(b, args[0], compute));
                linalg::YieldOp::create(b, l, sum);
              });
  return collapseScores(sum.getResult(0));
}

bool AttentionTiler::hasMask() {
  return !isa<FullMaskAttr>(op.getMask().getExpression()) ||
         !op.getWhere().empty() || hidesByLength();
}

TileClass AttentionTiler::classify(const KeyBlock &block, ValueRange point,
                                   ValueRange invariants) {
  MaskAttrInterface mask = op.getMask().getExpression();
  TileRange queryRange{invariants[FirstQuery], invariants[LastQuery]};
  TileRange keyRange{block.first,
                     sub(add(block.first, block.count), constant(1))};
  TileClass all = buildTileClass(builder, loc, mask, queryRange, keyRange);
  if (!op.getWhere().empty()) {
    Block &body = op.getWhere().front();
    Value firstHead = getFirstHead(point);
    TileRange headRange{firstHead, add(firstHead, constant(group - 1))};
    all = buildBoth(builder, loc, all,
                    buildTileClass(builder, loc,
                                   body.getTerminator()->getOperand(0),
                                   {{body.getArgument(0), {point[0], point[0]}},
                                    {body.getArgument(1), headRange},
                                    {body.getArgument(2), queryRange},
                                    {body.getArgument(3), keyRange}}));
  }
  if (op.getOffset()) {
    // Classes are about positions, which are those of the entries only while
    // the buffer has not wrapped.
    Value wrapped =
        compare(arith::CmpIPredicate::ne, invariants[RingBase], constant(0));
    Value plain =
        compare(arith::CmpIPredicate::eq, invariants[RingBase], constant(0));
    all.any = arith::OrIOp::create(builder, loc, all.any, wrapped);
    all.all = arith::AndIOp::create(builder, loc, all.all, plain);
  }
  return all;
}

Value AttentionTiler::buildMasked(Value scores, const KeyBlock &block,
                                  ValueRange point, ValueRange invariants) {
  MaskAttrInterface mask = op.getMask().getExpression();
  // In a buffer that has wrapped the key lengths are no range of entries.
  Value length =
      hidesByLength() ? getIndex(op.getKeyLengths(), point[0]) : Value();
  Value hidden = hiddenScore();
  return updateScores(
      scores, block, point, invariants,
      [&](Value score, ValueRange at, Value) -> Value {
        Value visible = mask.buildPredicate(builder, loc, at[2], at[3]);
        if (!op.getWhere().empty())
          visible = arith::AndIOp::create(
              builder, loc, visible,
              inlineRegion(builder, op.getWhere(), at).front());
        if (length)
          // attention_c4
          visible = arith::AndIOp::create(
              builder, loc, visible,
              compare(arith::CmpIPredicate::slt, at[3], length));
        return select(visible, score, hidden);
      });
}

Value AttentionTiler::buildScores(const KeyBlock &block, Value scores,
                                  Value isFull, ValueRange point,
                                  ValueRange invariants) {
  if (op.getKeyBias())
    scores = addKeyBias(scores, block, point, invariants);
  if (!op.getScore().empty())
    scores = updateScores(
        scores, block, point, invariants,
        [&](Value score, ValueRange at, Value) {
          SmallVector<Value> arguments{convert(builder, score, element)};
          llvm::append_range(arguments, at);
          return convert(
              builder, inlineRegion(builder, op.getScore(), arguments).front(),
              compute);
        });
  if (!isFull)
    return scores;
  auto choice = scf::IfOp::create(builder, loc, scores.getType(), isFull,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(builder, loc, scores);
  builder.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(builder, loc,
                       buildMasked(scores, block, point, invariants));
  return choice.getResult(0);
}
