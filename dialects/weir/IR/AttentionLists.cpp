//===- AttentionLists.cpp - Blocks of keys that a list names -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Blocks of a step's size or more are visited where they lie. Smaller ones are
// gathered, as many as make a step, so that products are as large as elsewhere;
// what is no block leaves no gap. Keys outside of the point's range are left
// out, which is all there is to a mask that is a band, for a single query.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiler.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "weir/IR/ReferenceBuilders.h"

using namespace mlir;
using namespace weir;

int64_t AttentionTiler::getEntriesPerStep() {
  return std::max<int64_t>(1, keys / op.getBlockSize());
}

std::pair<Value, Value> AttentionTiler::getListed(ValueRange point,
                                                  Value number,
                                                  ValueRange invariants) {
  auto type = cast<RankedTensorType>(op.getBlockList().getType());
  Value row = divide(getQueries(point).first, op.getQueryBlock());
  Value list = divide(point[1], heads / type.getDimSize(2));
  Value block = getIndex(op.getBlockList(), {point[0], row, list, number});
  Value first = mul(block, op.getBlockSize());
  Value end = min(add(first, constant(op.getBlockSize())), invariants[EndKey]);
  first = max(first, invariants[FirstKey]);
  // attention_c13
  Value isBlock = compare(arith::CmpIPredicate::sge, block, constant(0));
  Value count = max(sub(end, first), constant(0));
  return {first, select(isBlock, count, constant(0))};
}

KeyBlock AttentionTiler::gather(ValueRange point, Value first, Value last,
                                ValueRange invariants) {
  int64_t rows = getEntriesPerStep() * op.getBlockSize();
  auto buffer = [&](ArrayRef<int64_t> shape, Type type) -> Value {
    return tensor::EmptyOp::create(builder, loc, shape, type);
  };
  // Entries are looked at by masks and regions alone.
  bool isLookedAt = hasMask() || !op.getScore().empty() || op.getKeyBias();
  SmallVector<Value> inits{constant(0), buffer({rows, dim}, element),
                           buffer({rows, valueDim}, element)};
  if (isLookedAt)
    inits.push_back(buffer(rows, builder.getIndexType()));
  auto loop =
      scf::ForOp::create(builder, loc, first, last, constant(1), inits,
                         [](OpBuilder &, Location, Value, ValueRange) {});
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(loop.getBody());
    ValueRange before = loop.getRegionIterArgs();
    Value filled = before[0];
    auto [from, count] = getListed(point, loop.getInductionVar(), invariants);
    SmallVector<Value> after{add(filled, count)};
    SmallVector<OpFoldResult> strides(2, builder.getIndexAttr(1));
    for (auto [tensor, into] : {std::pair(op.getKey(), before[1]),
                                std::pair(op.getValue(), before[2])})
      after.push_back(tensor::InsertSliceOp::create(
          builder, loc, getRows(tensor, point, from, count), into,
          SmallVector<OpFoldResult>{filled, builder.getIndexAttr(0)},
          SmallVector<OpFoldResult>{
              count, builder.getIndexAttr(
                         cast<RankedTensorType>(into.getType()).getDimSize(1))},
          strides));
    if (isLookedAt) {
      SmallVector<OpFoldResult> place{filled}, size{count},
          stride{builder.getIndexAttr(1)};
      Value part = tensor::ExtractSliceOp::create(builder, loc, before[3],
                                                  place, size, stride);
      part = generic({}, part, {map(1, {0})}, {utils::IteratorType::parallel},
                     [&, from = from](OpBuilder &b, Location l, ValueRange) {
                       Value row = linalg::IndexOp::create(b, l, 0);
                       Value entry = arith::AddIOp::create(b, l, from, row);
                       linalg::YieldOp::create(b, l, entry);
                     })
                 .getResult(0);
      after.push_back(tensor::InsertSliceOp::create(
          builder, loc, part, before[3], place, size, stride));
    }
    scf::YieldOp::create(builder, loc, after);
  }
  ValueRange done = loop.getResults();
  // No more than the buffer holds, which is a bound that can be seen.
  Value count = min(done[0], constant(rows));
  auto cut = [&](Value buffer, int64_t extent) -> Value {
    return tensor::ExtractSliceOp::create(
        builder, loc, buffer,
        SmallVector<OpFoldResult>(2, builder.getIndexAttr(0)),
        SmallVector<OpFoldResult>{count, builder.getIndexAttr(extent)},
        SmallVector<OpFoldResult>(2, builder.getIndexAttr(1)));
  };
  return {cut(done[1], dim), cut(done[2], valueDim), count, Value(),
          isLookedAt ? done[3] : Value()};
}

SmallVector<Value> AttentionTiler::buildListStep(ValueRange point, Value index,
                                                 ValueRange invariants,
                                                 ValueRange carry) {
  // The range of a single query is what a band shows of the keys.
  bool isMasked = hasMask() && (queries > 1 || !op.isReachExact() ||
                                op.getOffset() || hidesByLength());
  auto list = cast<RankedTensorType>(op.getBlockList().getType());
  int64_t entries = getEntriesPerStep();
  if (entries > 1) {
    Value first = mul(index, entries);
    Value last =
        min(add(first, constant(entries)), constant(list.getDimSize(3)));
    KeyBlock block = gather(point, first, last, invariants);
    Value scores =
        buildScores(block, buildProducts(block, invariants[QueryTile]),
                    /*isFull=*/Value(), point, invariants);
    if (isMasked)
      scores = buildMasked(scores, block, point, invariants);
    return buildUpdate(scores, block, carry);
  }
  auto [first, count] = getListed(point, index, invariants);
  auto loop = scf::ForOp::create(
      builder, loc, first, add(first, count), constant(keys), carry,
      [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(loop.getBody());
  Value begin = loop.getInductionVar();
  Value rest = sub(add(first, count), begin);
  KeyBlock block = getRun(point, begin, min(constant(keys), rest));
  Value isFull = isMasked ? classify(block, point, invariants).all : Value();
  Value scores = buildScores(block, buildProducts(block, invariants[QueryTile]),
                             isFull, point, invariants);
  scf::YieldOp::create(builder, loc,
                       buildUpdate(scores, block, loop.getRegionIterArgs()));
  return SmallVector<Value>(loop.getResults());
}
