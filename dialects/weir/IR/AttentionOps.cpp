//===- AttentionOps.cpp - Softmax attention -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "weir/IR/ConstantOperands.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/ShapeChecks.h"
#include "weir/IR/TileClasses.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

int64_t AttentionOp::getGroupSize() {
  auto query = cast<RankedTensorType>(getQuery().getType());
  auto key = cast<RankedTensorType>(getKey().getType());
  return query.getDimSize(2) / key.getDimSize(2);
}

void AttentionOp::build(OpBuilder &builder, OperationState &state, Value query,
                        Value key, Value value, MaskAttr mask, double scale,
                        bool withLogSums) {
  auto type = cast<RankedTensorType>(query.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = cast<RankedTensorType>(value.getType()).getShape().back();
  Properties &properties = state.getOrAddProperties<Properties>();
  properties.mask = mask;
  properties.scale = builder.getF64FloatAttr(scale);
  properties.block_size = properties.query_block = builder.getI64IntegerAttr(1);
  properties.normalize = AttentionNormalizeAttr::get(
      builder.getContext(), AttentionNormalize::Softmax);
  properties.operandSegmentSizes = {1, 1, 1, 0, 0, 0, 0, 0, 0, 0};
  state.addOperands({query, key, value});
  state.addTypes(type.clone(shape));
  if (withLogSums)
    state.addTypes(
        RankedTensorType::get(type.getShape().drop_back(),
                              getAccumulatorType(type.getElementType())));
  state.addRegion();
  state.addRegion();
}

int64_t AttentionOp::getListedHeads() {
  int64_t heads = cast<RankedTensorType>(getKey().getType()).getDimSize(2);
  if (!getBlockList())
    return heads;
  return std::max(
      heads, cast<RankedTensorType>(getBlockList().getType()).getDimSize(2));
}

MaskReach AttentionOp::getReach() {
  MaskReach reach = getMask().getExpression().getReach();
  if (getWhere().empty())
    return reach;
  Block &body = getWhere().front();
  return getReachOfBoth(
      reach, weir::getReach(body.getTerminator()->getOperand(0),
                            body.getArgument(2), body.getArgument(3)));
}

bool AttentionOp::isReachExact() {
  return getWhere().empty() && getBand(getMask().getExpression());
}

/// What is known of `path`.
static LogicalResult verifyPath(AttentionOp op) {
  if (!op.getPathKey())
    return success();
  auto key = cast<RankedTensorType>(op.getKey().getType());
  // attention_c16
  auto path = cast<RankedTensorType>(op.getPathKey().getType());
  bool matches =
      path.getRank() == 4 && path.getElementType() == key.getElementType() &&
      llvm::all_of(llvm::seq(4), [&](int axis) {
        return mayBeEqual(path.getDimSize(axis), key.getDimSize(axis));
      });
  if (!matches)
    return op.emitOpError("has a path of type ")
           << path << ", expected that of the key, " << key;
  auto beta = cast<RankedTensorType>(op.getPathBeta().getType());
  matches = beta.getRank() == 3 &&
            (beta.getElementType() == key.getElementType() ||
             beta.getElementType().isF32()) &&
            llvm::all_of(llvm::seq(3), [&](int axis) {
              return mayBeEqual(beta.getDimSize(axis), key.getDimSize(axis));
            });
  if (!matches)
    return op.emitOpError("has factors of its path of type ")
           << beta << ", expected [batch, key time, " << key.getDimSize(2)
           << " key heads] of " << key.getElementType() << " or f32";
  // attention_c17
  const char *other = op.getBlockList()    ? "a block list"
                      : op.getKeyLengths() ? "key lengths"
                      : op.getNormalize() == AttentionNormalize::StickBreaking
                          ? "normalize(stick_breaking)"
                          : nullptr;
  if (other)
    return op.emitOpError("has a path with ") << other << ", expected none";
  return success();
}

LogicalResult AttentionOp::verify() {
  auto query = cast<RankedTensorType>(getQuery().getType());
  auto key = cast<RankedTensorType>(getKey().getType());
  auto value = cast<RankedTensorType>(getValue().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  // attention_c1
  for (auto [type, name] : {std::pair(query, "query"), std::pair(key, "key"),
                            std::pair(value, "value")}) {
    if (type.getRank() != 4 || type.isDynamicDim(2) || type.isDynamicDim(3))
      return emitOpError("has a ") << name << " of type " << type
                                   << ", expected [batch, time, heads, dim] "
                                      "with static heads and dim";
    if (type.getElementType() != query.getElementType())
      return emitOpError("has a ")
             << name << " of type " << type << " when the query is " << query;
  }
  if (query.getDimSize(3) != key.getDimSize(3))
    return emitOpError("has query heads of ")
           << query.getDimSize(3) << " features and key heads of "
           << key.getDimSize(3);
  if (key.getDimSize(2) != value.getDimSize(2) ||
      !mayBeEqual(key.getDimSize(1), value.getDimSize(1)))
    return emitOpError("has a key of type ")
           << key << " and a value of type " << value
           << ", which differ in heads or time";
  if (!mayBeEqual(query.getDimSize(0), key.getDimSize(0)) ||
      !mayBeEqual(query.getDimSize(0), value.getDimSize(0)))
    return emitOpError("has batches of ")
           << query.getDimSize(0) << " queries and " << key.getDimSize(0)
           << " keys";
  auto expected =
      RankedTensorType::get({query.getDimSize(0), query.getDimSize(1),
                             query.getDimSize(2), value.getDimSize(3)},
                            query.getElementType());
  if (result != expected)
    return emitOpError("has result type ")
           << result << ", expected " << expected;
  // attention_c2
  if (key.getDimSize(2) == 0 || query.getDimSize(2) % key.getDimSize(2))
    return emitOpError("has ")
           << query.getDimSize(2) << " query heads, expected a multiple of the "
           << key.getDimSize(2) << " key heads";
  // attention_c3
  for (Value rows : {getOffset(), getKeyLengths()}) {
    if (!rows)
      continue;
    auto type = cast<RankedTensorType>(rows.getType());
    if (type.getRank() != 1 || !type.getElementType().isSignlessInteger(32) ||
        !mayBeEqual(type.getDimSize(0), query.getDimSize(0)))
      return emitOpError("has an offset or key lengths of type ")
             << type << ", expected [batch] of i32";
  }
  // attention_c8
  if (getSinks()) {
    auto type = cast<RankedTensorType>(getSinks().getType());
    auto expected =
        RankedTensorType::get(query.getDimSize(2), query.getElementType());
    if (type != expected)
      return emitOpError("has sinks of type ")
             << type << ", expected " << expected;
  }
  // attention_c9
  if (getKeyBias()) {
    auto type = cast<RankedTensorType>(getKeyBias().getType());
    bool matches = type.getRank() == 3 &&
                   mayBeEqual(type.getDimSize(0), query.getDimSize(0)) &&
                   mayBeEqual(type.getDimSize(1), key.getDimSize(1)) &&
                   type.getDimSize(2) == query.getDimSize(2) &&
                   (type.getElementType() == query.getElementType() ||
                    type.getElementType().isF32());
    if (!matches)
      return emitOpError("has a key bias of type ")
             << type << ", expected [batch, key time, " << query.getDimSize(2)
             << " query heads] of " << query.getElementType() << " or f32";
  }
  // attention_c11
  bool isSoftmax = getNormalize() == AttentionNormalize::Softmax;
  if (getSinks() && !isSoftmax)
    return emitOpError("has sinks with normalize(")
           << stringifyAttentionNormalize(getNormalize())
           << "), expected softmax";
  if (getBlockList() && getNormalize() == AttentionNormalize::StickBreaking)
    return emitOpError("has a block list with normalize(stick_breaking), "
                       "expected another normalization");
  // attention_c14
  auto blockSize = static_cast<int64_t>(getBlockSize());
  auto queryBlock = static_cast<int64_t>(getQueryBlock());
  if (blockSize < 1 || queryBlock < 1)
    return emitOpError("has blocks of ")
           << blockSize << " keys and " << queryBlock
           << " queries, expected positive ones";
  if (!getBlockList() && (blockSize != 1 || queryBlock != 1))
    return emitOpError("has blocks of ")
           << blockSize << " keys and " << queryBlock
           << " queries without a block list";
  // attention_c15
  if (getLogSums()) {
    auto expected =
        RankedTensorType::get(query.getShape().drop_back(),
                              getAccumulatorType(query.getElementType()));
    if (getLogSums().getType() != expected)
      return emitOpError("has logarithms of sums of type ")
             << getLogSums().getType() << ", expected " << expected;
    if (!isSoftmax)
      return emitOpError("has logarithms of sums with normalize(")
             << stringifyAttentionNormalize(getNormalize())
             << "), expected softmax";
  }
  // attention_c12
  if (getBlockList()) {
    auto type = cast<RankedTensorType>(getBlockList().getType());
    int64_t time = query.getDimSize(1);
    int64_t rows =
        ShapedType::isDynamic(time) ? time : llvm::divideCeil(time, queryBlock);
    if (type.getRank() != 4 || !type.getElementType().isSignlessInteger(32) ||
        !mayBeEqual(type.getDimSize(0), query.getDimSize(0)) ||
        !mayBeEqual(type.getDimSize(1), rows) || type.isDynamicDim(2) ||
        type.isDynamicDim(3))
      return emitOpError("has a block list of type ")
             << type << ", expected [batch, rows of queries, lists, entries] "
             << "of i32 with static lists and entries";
    int64_t lists = type.getDimSize(2), heads = key.getDimSize(2);
    if (lists == 0 || query.getDimSize(2) % lists != 0 ||
        (lists % heads != 0 && heads % lists != 0))
      return emitOpError("has ")
             << lists << " lists for " << query.getDimSize(2)
             << " query heads and " << heads
             << " key heads, expected a divisor of the former, and a divisor "
                "or a multiple of the latter";
  }
  return verifyPath(*this);
}

LogicalResult AttentionOp::verifyRegions() {
  // attention_c10
  if (!getWhere().empty()) {
    Block &body = getWhere().front();
    bool matches = body.getNumArguments() == 4 &&
                   llvm::all_of(body.getArgumentTypes(),
                                [](Type type) { return type.isIndex(); });
    if (!matches)
      return emitOpError("has a region where with arguments (")
             << body.getArgumentTypes()
             << "), expected (index, index, index, index)";
    auto yield = dyn_cast<YieldOp>(body.getTerminator());
    if (!yield || yield.getNumOperands() != 1 ||
        !yield.getOperand(0).getType().isInteger(1))
      return emitOpError("has a region where that does not yield one i1");
  }
  // attention_c7
  if (getScore().empty())
    return success();
  Block &body = getScore().front();
  Type element = cast<RankedTensorType>(getQuery().getType()).getElementType();
  bool matches =
      body.getNumArguments() == 5 && body.getArgument(0).getType() == element &&
      llvm::all_of(body.getArguments().drop_front(),
                   [](Value index) { return index.getType().isIndex(); });
  if (!matches)
    return emitOpError("has a score region with arguments (")
           << body.getArgumentTypes() << "), expected (" << element
           << ", index, index, index, index)";
  auto yield = dyn_cast<YieldOp>(body.getTerminator());
  if (!yield || yield.getNumOperands() != 1 ||
      yield.getOperand(0).getType() != element)
    return emitOpError("has a score region that does not yield one ")
           << element;
  return success();
}

//===----------------------------------------------------------------------===//
// Canonical form
//===----------------------------------------------------------------------===//

/// How far keys can lie from queries in tensors of these types.
static MaskReach getExtent(AttentionOp op) {
  int64_t queries =
      cast<RankedTensorType>(op.getQuery().getType()).getDimSize(TimeAxis);
  int64_t keys =
      cast<RankedTensorType>(op.getKey().getType()).getDimSize(TimeAxis);
  MaskReach extent;
  // The newest entry of a buffer belongs to the last query, so that nothing
  // lies farther ahead than the other queries of the block.
  if (op.getOffset()) {
    if (!ShapedType::isDynamic(queries))
      extent.ahead = std::max<int64_t>(queries - 1, 0);
    return extent;
  }
  if (!ShapedType::isDynamic(queries))
    extent.behind = std::max<int64_t>(queries - 1, 0);
  if (!ShapedType::isDynamic(keys))
    extent.ahead = std::max<int64_t>(keys - 1, 0);
  return extent;
}

/// Whether the score region hands every score on as it is. The region sees
/// scores rounded to the element type, which changes wider ones.
static bool isScoreIdle(AttentionOp op) {
  if (op.getScore().empty())
    return false;
  Block &body = op.getScore().front();
  return body.getTerminator()->getOperand(0) == body.getArgument(0) &&
         (body.getArgument(0).getType().isF32() ||
          body.getArgument(0).getType().isF64());
}

/// Whether the region `where` shows every pair.
static bool isWhereIdle(AttentionOp op) {
  return !op.getWhere().empty() &&
         matchPattern(op.getWhere().front().getTerminator()->getOperand(0),
                      m_One());
}

LogicalResult AttentionOp::canonicalize(AttentionOp op,
                                        PatternRewriter &rewriter) {
  MaskAttrInterface mask = op.getMask().getExpression();
  MaskAttrInterface simple = simplifyMask(mask, getExtent(op));
  if (simple != mask) {
    rewriter.modifyOpInPlace(
        op, [&] { op.setMaskAttr(MaskAttr::get(op.getContext(), simple)); });
    return success();
  }
  if (isScoreIdle(op)) {
    rewriter.modifyOpInPlace(
        op, [&] { rewriter.eraseBlock(&op.getScore().front()); });
    return success();
  }
  if (isWhereIdle(op)) {
    rewriter.modifyOpInPlace(
        op, [&] { rewriter.eraseBlock(&op.getWhere().front()); });
    return success();
  }
  int64_t queries =
      cast<RankedTensorType>(op.getQuery().getType()).getDimSize(TimeAxis);
  int64_t keys =
      cast<RankedTensorType>(op.getKey().getType()).getDimSize(TimeAxis);
  // Without history every entry of the buffer is where it would be anyway.
  if (op.getOffset() && !ShapedType::isDynamic(keys) && queries == keys &&
      isConstantOf(op.getOffset(),
                   [](const APInt &entry) { return entry.isZero(); })) {
    rewriter.modifyOpInPlace(op, [&] { op.getOffsetMutable().clear(); });
    return success();
  }
  // Lengths that hide no key; behind an offset positions may be any number.
  if (op.getKeyLengths() && !op.getOffset() && !ShapedType::isDynamic(keys) &&
      isConstantOf(op.getKeyLengths(), [&](const APInt &entry) {
        return entry.getSExtValue() >= keys;
      })) {
    rewriter.modifyOpInPlace(op, [&] { op.getKeyLengthsMutable().clear(); });
    return success();
  }
  return rewriter.notifyMatchFailure(op, "is canonical");
}
