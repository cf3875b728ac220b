//===- Layers.cpp - What layers are made of -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/Frontend/ModelBuilder.h"

using namespace mlir;
using namespace weir;

/// The extent of the last axis, which is static in all sequence tensors.
static int64_t getFeatures(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape().back();
}

RankedTensorType ModelBuilder::withLastExtent(Value value, int64_t extent) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = extent;
  return RankedTensorType::get(shape, type.getElementType());
}

FloatAttr ModelBuilder::constantFloat(double value) {
  return builder.getF64FloatAttr(value);
}

Value ModelBuilder::embedding(Value ids, StringRef key, int64_t rows,
                              int64_t features) {
  return embedding(ids, weight(key, {rows, features}));
}

Value ModelBuilder::embedding(Value ids, Value table) {
  SmallVector<int64_t> shape(cast<RankedTensorType>(ids.getType()).getShape());
  shape.push_back(getFeatures(table));
  return EmbeddingOp::create(builder, loc, getType(shape), ids, table);
}

Value ModelBuilder::rows(ArrayRef<int32_t> numbers, Value table) {
  auto type = RankedTensorType::get({1, static_cast<int64_t>(numbers.size())},
                                    builder.getI32Type());
  Value ids = arith::ConstantOp::create(builder, loc,
                                        DenseElementsAttr::get(type, numbers));
  return embedding(ids, table);
}

Value ModelBuilder::positions(Value ids) {
  return PositionsOp::create(builder, loc, ids);
}

Value ModelBuilder::rmsNorm(Value input, StringRef key, double eps,
                            double offset) {
  Value scale = weight((key + ".weight").str(), {getFeatures(input)});
  return RMSNormOp::create(builder, loc, input.getType(), input, scale,
                           constantFloat(eps), constantFloat(offset));
}

Value ModelBuilder::layerNorm(Value input, StringRef key, double eps,
                              bool bias) {
  int64_t features = getFeatures(input);
  Value scale = weight((key + ".weight").str(), {features});
  Value shift = bias ? weight((key + ".bias").str(), {features}) : Value();
  return layerNorm(input, scale, shift, eps);
}

Value ModelBuilder::layerNorm(Value input, Value scale, Value shift,
                              double eps) {
  return LayerNormOp::create(builder, loc, input.getType(), input, scale, shift,
                             constantFloat(eps));
}

Value ModelBuilder::linear(Value input, Value weight, Value bias) {
  int64_t features =
      cast<RankedTensorType>(weight.getType()).getShape().front();
  return LinearOp::create(builder, loc, withLastExtent(input, features), input,
                          weight, bias, /*schedule=*/ScheduleAttr());
}

Value ModelBuilder::linear(Value input, StringRef key, int64_t features,
                           bool bias) {
  Value matrix =
      weight((key + ".weight").str(), {features, getFeatures(input)});
  return linear(input, matrix,
                bias ? weight((key + ".bias").str(), {features}) : Value());
}

Value ModelBuilder::mlp(Value input, const MLPKeys &keys, int64_t inner,
                        StringRef name, bool bias) {
  Value hidden;
  if (keys.gate.empty()) {
    hidden = activation(linear(input, keys.up, inner, bias), name);
  } else {
    Value gate = activation(linear(input, keys.gate, inner, bias), name);
    hidden = mul(gate, linear(input, keys.up, inner, bias));
  }
  return linear(hidden, keys.down, getFeatures(input), bias);
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

Value ModelBuilder::splitHeads(Value input, int64_t heads) {
  auto type = cast<RankedTensorType>(input.getType());
  int64_t dim = type.getDimSize(2) / heads;
  SmallVector<OpFoldResult> extents = {
      tensor::getMixedSize(builder, loc, input, 0),
      tensor::getMixedSize(builder, loc, input, 1), builder.getIndexAttr(heads),
      builder.getIndexAttr(dim)};
  auto result = RankedTensorType::get(
      {type.getDimSize(0), type.getDimSize(1), heads, dim},
      type.getElementType());
  SmallVector<ReassociationIndices> groups = {{0}, {1}, {2, 3}};
  return tensor::ExpandShapeOp::create(builder, loc, result, input, groups,
                                       extents);
}

Value ModelBuilder::mergeHeads(Value input) {
  SmallVector<ReassociationIndices> groups = {{0}, {1}, {2, 3}};
  return tensor::CollapseShapeOp::create(builder, loc, input, groups);
}

/// Whether the longest row has more than `length` tokens, by what
/// `weir.longest` says.
static Value isLonger(OpBuilder &builder, Location loc, Value longest,
                      int64_t length) {
  Value limit = arith::ConstantIntOp::create(builder, loc, length, 32);
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sgt, longest,
                               limit);
}

Value ModelBuilder::longest() {
  auto type = RankedTensorType::get({}, builder.getI32Type());
  return LongestOp::create(builder, loc, type, function.getArgument(1));
}

Value ModelBuilder::frequencies(const RotarySpec &spec) {
  auto build = [&](RopeScalingAttr scaling) -> Value {
    return RopeFrequenciesOp::create(
        builder, loc, getType({spec.dims / 2}), constantFloat(spec.base),
        builder.getI64IntegerAttr(spec.dims), scaling);
  };
  Value angles = build(spec.scaling);
  if (spec.shortLength && spec.shortScaling != spec.scaling)
    angles = map({angles, build(spec.shortScaling), longest()},
                 [&](OpBuilder &b, Location l, ValueRange in) -> Value {
                   Value isLong = isLonger(b, l, in[2], spec.shortLength);
                   return arith::SelectOp::create(b, l, isLong, in[0], in[1]);
                 });
  return spec.backwards ? scale(angles, -1) : angles;
}

Value ModelBuilder::rotary(Value input, Value positions, Value frequencies,
                           const RotarySpec &spec) {
  auto layout = RotaryLayoutAttr::get(&getContext(), spec.layout);
  if (spec.shortLength && spec.shortScale != spec.scale)
    input = map(
        {input, longest()},
        [&](OpBuilder &b, Location l, ValueRange in) -> Value {
          Value factor = arith::ConstantOp::create(
              b, l,
              b.getFloatAttr(in[0].getType(), spec.shortScale / spec.scale));
          Value scaled = arith::MulFOp::create(b, l, in[0], factor);
          Value isLong = isLonger(b, l, in[1], spec.shortLength);
          return arith::SelectOp::create(b, l, isLong, in[0], scaled);
        });
  return RotaryOp::create(builder, loc, input.getType(), input, positions,
                          frequencies, layout, constantFloat(spec.scale));
}

MaskAttr ModelBuilder::fullMask() {
  return MaskAttr::get(&getContext(), cast<MaskAttrInterface>(Attribute(
                                          FullMaskAttr::get(&getContext()))));
}

MaskAttr ModelBuilder::causalMask() {
  return MaskAttr::get(&getContext(), cast<MaskAttrInterface>(Attribute(
                                          CausalMaskAttr::get(&getContext()))));
}

/// Keys up to the query for which `leaf` holds as well.
static MaskAttr getCausal(MLIRContext *context, Attribute leaf) {
  auto causal =
      cast<MaskAttrInterface>(Attribute(CausalMaskAttr::get(context)));
  auto both = AndMaskAttr::get(context, causal, cast<MaskAttrInterface>(leaf));
  return MaskAttr::get(context, cast<MaskAttrInterface>(Attribute(both)));
}

MaskAttr ModelBuilder::causalBefore() {
  auto itself = cast<MaskAttrInterface>(
      Attribute(WindowMaskAttr::get(&getContext(), 1, std::nullopt)));
  return getCausal(&getContext(), NotMaskAttr::get(&getContext(), itself));
}

MaskAttr ModelBuilder::causalWindow(int64_t window) {
  return getCausal(&getContext(),
                   WindowMaskAttr::get(&getContext(), window, std::nullopt));
}

MaskAttr ModelBuilder::causalChunk(int64_t length) {
  return getCausal(&getContext(), ChunkMaskAttr::get(&getContext(), length));
}

MaskAttr ModelBuilder::openWindow(int64_t window) {
  auto near = WindowMaskAttr::get(&getContext(), window - 1, window - 1);
  return MaskAttr::get(&getContext(), cast<MaskAttrInterface>(Attribute(near)));
}

/// `value`, an f32, as bf16 holds it: to nearest, ties to even, in integers. It
/// is no conversion, so that no fold of one takes it away.
static Value roundToBF16(OpBuilder &builder, Location loc, Value value) {
  Type bits = builder.getI32Type();
  auto number = [&](int32_t n) -> Value {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getI32IntegerAttr(n));
  };
  Value word = arith::BitcastOp::create(builder, loc, bits, value);
  Value high = arith::ShRUIOp::create(builder, loc, word, number(16));
  Value odd = arith::AndIOp::create(builder, loc, high, number(1));
  Value half = arith::AddIOp::create(builder, loc, odd, number(0x7fff));
  Value sum = arith::AddIOp::create(builder, loc, word, half);
  Value kept = arith::AndIOp::create(builder, loc, sum, number(~0xffff));
  return arith::BitcastOp::create(builder, loc, value.getType(), kept);
}

/// What the last arguments of a region stand for.
static AttentionPair getPair(ValueRange arguments) {
  ValueRange pair = arguments.take_back(4);
  return {pair[0], pair[1], pair[2], pair[3]};
}

/// Adds what `options` says of single keys and queries to `op` as a region.
static void buildWhere(OpBuilder &builder, Location loc, AttentionOp op,
                       const AttentionOptions &options) {
  OpBuilder::InsertionGuard guard(builder);
  Block *body = builder.createBlock(
      &op.getWhere(), {}, SmallVector<Type>(4, builder.getIndexType()),
      SmallVector<Location>(4, loc));
  AttentionPair pair = getPair(body->getArguments());
  Value zero = arith::ConstantIntOp::create(builder, loc, 0, 32);
  auto isSet = [&](Value numbers, Value position) -> Value {
    Value number = tensor::ExtractOp::create(builder, loc, numbers,
                                             ValueRange{pair.row, position});
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, number,
                                 zero);
  };
  Value visible = options.where ? options.where(builder, loc, pair)
                                : options.mask.getExpression().buildPredicate(
                                      builder, loc, pair.query, pair.key);
  if (options.shownKeys)
    visible = arith::OrIOp::create(builder, loc, visible,
                                   isSet(options.shownKeys, pair.key));
  if (options.onlyQueries)
    visible = arith::AndIOp::create(builder, loc, visible,
                                    isSet(options.onlyQueries, pair.query));
  YieldOp::create(builder, loc, visible);
}

/// Lets `op` choose the blocks that `options` say it always does.
static void buildAdjust(OpBuilder &builder, Location loc, SelectBlocksOp op,
                        const SelectOptions &options) {
  OpBuilder::InsertionGuard guard(builder);
  Type index = builder.getIndexType();
  Type element =
      cast<RankedTensorType>(op.getQuery().getType()).getElementType();
  Block *body = builder.createBlock(&op.getAdjust(), {},
                                    {element, index, index, index, index},
                                    SmallVector<Location>(5, loc));
  Value query = body->getArgument(3), block = body->getArgument(4);
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  Value isForced;
  auto force = [&](arith::CmpIPredicate predicate, Value lhs, Value rhs) {
    Value holds = arith::CmpIOp::create(builder, loc, predicate, lhs, rhs);
    isForced =
        isForced ? arith::OrIOp::create(builder, loc, isForced, holds) : holds;
  };
  if (options.alwaysBefore) {
    Value own =
        arith::DivUIOp::create(builder, loc, query, number(options.blockSize));
    Value near = arith::AddIOp::create(builder, loc, block,
                                       number(*options.alwaysBefore));
    force(arith::CmpIPredicate::uge, near, own);
  }
  if (options.alwaysFirst)
    force(arith::CmpIPredicate::eq, block, number(0));
  Value always = arith::ConstantOp::create(
      builder, loc,
      FloatAttr::get(
          element,
          APFloat::getInf(cast<FloatType>(element).getFloatSemantics())));
  Value score = arith::SelectOp::create(builder, loc, isForced, always,
                                        body->getArgument(0));
  YieldOp::create(builder, loc, score);
}

Value ModelBuilder::selectBlocks(Value query, Value key,
                                 const SelectOptions &options) {
  auto type = cast<RankedTensorType>(query.getType());
  auto list = RankedTensorType::get(
      {type.getDimSize(0), type.getDimSize(1), options.lists, options.count},
      builder.getI32Type());
  auto op = SelectBlocksOp::create(
      builder, loc, list, query, key, options.weights, /*offset=*/Value(),
      builder.getI64IntegerAttr(options.blockSize),
      constantFloat(options.scale),
      SelectScoreAttr::get(builder.getContext(), options.score),
      SelectPoolAttr::get(builder.getContext(), options.pool),
      /*schedule=*/ScheduleAttr());
  if (options.alwaysBefore || options.alwaysFirst)
    buildAdjust(builder, loc, op, options);
  return op;
}

Value ModelBuilder::attention(Value query, Value key, Value value,
                              const AttentionOptions &options, Value *logSums) {
  auto type = cast<RankedTensorType>(query.getType());
  Value slopes;
  if (!options.slopes.empty())
    slopes = read(constant("attention.slopes", options.slopes,
                           {static_cast<int64_t>(options.slopes.size())}));
  // Padding lies behind a row's tokens, where a query that sees no later keys
  // does not get.
  bool isAttrMask =
      !options.where && !options.shownKeys && !options.onlyQueries;
  bool looksAhead = !isAttrMask;
  if (isAttrMask) {
    MaskReach reach = options.mask.getExpression().getReach();
    looksAhead = !reach.ahead || *reach.ahead > 0;
  }
  auto op = AttentionOp::create(builder, loc, query, key, value,
                                isAttrMask ? options.mask : fullMask(),
                                options.scale, /*withLogSums=*/logSums);
  if (logSums)
    *logSums = op.getLogSums();
  if (looksAhead)
    op.getKeyLengthsMutable().assign(function.getArgument(1));
  if (options.sinks)
    op.getSinksMutable().assign(options.sinks);
  if (options.keyBias)
    op.getKeyBiasMutable().assign(options.keyBias);
  if (options.pathKey) {
    op.getPathKeyMutable().assign(options.pathKey);
    op.getPathBetaMutable().assign(options.pathBeta);
  }
  op.setNormalize(options.normalize);
  if (options.blockList) {
    op.getBlockListMutable().assign(options.blockList);
    op.setBlockSize(options.blockSize);
  }
  if (!isAttrMask)
    buildWhere(builder, loc, op, options);
  if (!slopes && options.softCap == 0 && !options.score)
    return op.getResult();

  OpBuilder::InsertionGuard guard(builder);
  Type index = builder.getIndexType();
  Type element = type.getElementType();
  Block *body = builder.createBlock(&op.getScore(), {},
                                    {element, index, index, index, index},
                                    SmallVector<Location>(5, loc));
  Value score = body->getArgument(0);
  AttentionPair pair = getPair(body->getArguments());
  auto number = [&](double value) -> Value {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getFloatAttr(element, value));
  };
  if (options.softCap != 0) {
    Value cap = number(options.softCap);
    Value part = arith::DivFOp::create(builder, loc, score, cap);
    Value bent = math::TanhOp::create(builder, loc, part);
    score = arith::MulFOp::create(builder, loc, cap, bent);
  }
  if (slopes) {
    Value steps = pair.key;
    Value slope =
        tensor::ExtractOp::create(builder, loc, slopes, ValueRange(pair.head));
    // slope * (key - query): nearer keys weigh more. That the query is taken
    // off cannot be seen behind the softmax, but for rounding.
    if (!options.roundsSlopes)
      steps = arith::SubIOp::create(builder, loc, steps, pair.query);
    steps =
        arith::IndexCastOp::create(builder, loc, builder.getI32Type(), steps);
    steps = arith::SIToFPOp::create(builder, loc, element, steps);
    if (options.roundsSlopes)
      steps = roundToBF16(builder, loc, steps);
    Value bias = arith::MulFOp::create(builder, loc, slope, steps);
    if (options.roundsSlopes)
      bias = arith::MulFOp::create(
          builder, loc, roundToBF16(builder, loc, bias), number(options.scale));
    score = arith::AddFOp::create(builder, loc, score, bias);
  }
  if (options.score)
    score = options.score(builder, loc, score, pair);
  YieldOp::create(builder, loc, ValueRange(score));
  return op.getResult();
}
