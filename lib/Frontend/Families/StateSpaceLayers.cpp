//===- StateSpaceLayers.cpp - Layers with a state -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StateSpaceLayers.h"
#include "ScanBodies.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace weir;

//===----------------------------------------------------------------------===//
// Scans
//===----------------------------------------------------------------------===//

static RankedTensorType getType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

Value weir::selectiveScan(ModelBuilder &b, Value x, Value step, Value rate,
                          Value input, Value output) {
  ArrayRef<int64_t> shape = getType(rate).getShape();
  int64_t features = shape.front();
  OpBuilder &builder = b.getBuilder();
  Value zero = buildSplat(builder, b.getLoc(), shape, 0);
  return buildScan(b, {x, step, input, output}, zero, {{features}},
                   [&](OpBuilder &at, Location loc, ValueRange now,
                       ValueRange before) -> SmallVector<Value> {
                     Value after =
                         buildMap(
                             at, loc, shape, 1,
                             {{now[0], {0}},
                              {now[1], {0}},
                              {now[2], {1}},
                              {rate, {0, 1}},
                              {before[0], {0, 1}}},
                             [](OpBuilder &n, Location l,
                                ValueRange in) -> SmallVector<Value> {
                               auto mul = [&](Value lhs, Value rhs) -> Value {
                                 return arith::MulFOp::create(n, l, lhs, rhs);
                               };
                               Value factor =
                                   math::ExpOp::create(n, l, mul(in[1], in[3]));
                               Value fresh = mul(mul(in[1], in[0]), in[2]);
                               return {arith::AddFOp::create(
                                   n, l, mul(factor, in[4]), fresh)};
                             })
                             .front();
                     Value sums = buildSplat(at, loc, {features}, 0);
                     Value read = buildProductSum(at, loc, {after, {0, 1}},
                                                  {now[3], {1}}, sums);
                     return {read, after};
                   })
      .front();
}

Value weir::diagonalScan(ModelBuilder &b, Value x, Value factor) {
  int64_t features = getType(x).getShape().back();
  Value zero = buildSplat(b.getBuilder(), b.getLoc(), {features}, 0);
  return buildScan(b, {x, factor}, zero, {{features}},
                   [&](OpBuilder &at, Location loc, ValueRange now,
                       ValueRange before) -> SmallVector<Value> {
                     Value after =
                         buildMap(
                             at, loc, {features}, 1,
                             {{now[0], {0}}, {now[1], {0}}, {before[0], {0}}},
                             [](OpBuilder &n, Location l,
                                ValueRange in) -> SmallVector<Value> {
                               Value old =
                                   arith::MulFOp::create(n, l, in[1], in[2]);
                               return {arith::AddFOp::create(n, l, old, in[0])};
                             })
                             .front();
                     return {after, after};
                   })
      .front();
}

/// 1 for the levels that `isIn` holds for, given a level and the number of
/// zeros that the position ends with; else 0.
static Value markLevels(OpBuilder &at, Location loc, Value position,
                        int64_t levels, arith::CmpIPredicate isIn) {
  return buildMap(
             at, loc, {levels}, 1, {{position, {}}},
             [&](OpBuilder &n, Location l,
                 ValueRange in) -> SmallVector<Value> {
               Type type = n.getF32Type();
               Value zeros = math::CountTrailingZerosOp::create(n, l, in[0]);
               Value level = arith::IndexCastOp::create(
                   n, l, in[0].getType(), linalg::IndexOp::create(n, l, 0));
               Value holds = arith::CmpIOp::create(n, l, isIn, level, zeros);
               return {arith::UIToFPOp::create(n, l, type, holds)};
             })
      .front();
}

Value weir::logLinearScan(ModelBuilder &b, const RecurrenceInputs &inputs,
                          Value scales, Value positions) {
  int64_t heads = getType(inputs.value).getDimSize(2);
  int64_t share = heads / getType(inputs.key).getDimSize(2);
  int64_t levels = getType(scales).getShape().back();
  int64_t keys = getType(inputs.key).getShape().back();
  int64_t values = getType(inputs.value).getShape().back();
  Value none =
      buildSplat(b.getBuilder(), b.getLoc(), {levels, heads, keys, values}, 0);
  return buildScan(
             b,
             {repeatHeads(b, inputs.query, share),
              repeatHeads(b, inputs.key, share), inputs.value,
              exp(b, inputs.decay), scales, positions},
             none, {{heads, values}},
             [&](OpBuilder &at, Location loc, ValueRange now,
                 ValueRange before) -> SmallVector<Value> {
               Value position = now[5];
               Value joined = markLevels(at, loc, position, levels,
                                         arith::CmpIPredicate::sle);
               // Loops are heads, keys, values and levels.
               Value sum = buildProductSum(
                   at, loc, {before[0], {3, 0, 1, 2}}, {joined, {3}},
                   buildSplat(at, loc, {heads, keys, values}, 0));
               Value after =
                   buildMap(
                       at, loc, {levels, heads, keys, values}, 1,
                       {{before[0], {0, 1, 2, 3}},
                        {sum, {1, 2, 3}},
                        {now[1], {1, 2}},
                        {now[2], {1, 3}},
                        {now[3], {1}},
                        {position, {}}},
                       [&](OpBuilder &n, Location l,
                           ValueRange in) -> SmallVector<Value> {
                         auto integer = [&](int64_t value) -> Value {
                           return arith::ConstantIntOp::create(n, l, value, 32);
                         };
                         Value level = arith::IndexCastOp::create(
                             n, l, n.getI32Type(),
                             linalg::IndexOp::create(n, l, 0));
                         Value next = arith::AddIOp::create(
                             n, l,
                             math::CountTrailingZerosOp::create(n, l, in[5]),
                             integer(1));
                         auto is = [&](arith::CmpIPredicate kind, Value than) {
                           return arith::CmpIOp::create(n, l, kind, level, than)
                               .getResult();
                         };
                         Value zero = arith::ConstantOp::create(
                             n, l, n.getFloatAttr(in[0].getType(), 0));
                         Value old = arith::SelectOp::create(
                             n, l, is(arith::CmpIPredicate::eq, next), in[1],
                             in[0]);
                         old = arith::SelectOp::create(
                             n, l, is(arith::CmpIPredicate::slt, next), zero,
                             old);
                         old = arith::MulFOp::create(n, l, old, in[4]);
                         Value own = arith::MulFOp::create(n, l, in[2], in[3]);
                         return {arith::SelectOp::create(
                             n, l, is(arith::CmpIPredicate::eq, integer(0)),
                             own, old)};
                       })
                       .front();
               Value seen = buildProductSum(
                   at, loc, {after, {3, 0, 1, 2}}, {now[4], {0, 3}},
                   buildSplat(at, loc, {heads, keys, values}, 0));
               // Loops are heads, values and keys.
               Value read =
                   buildProductSum(at, loc, {seen, {0, 2, 1}}, {now[0], {0, 2}},
                                   buildSplat(at, loc, {heads, values}, 0));
               return {read, after};
             })
      .front();
}

Value weir::weightedMean(ModelBuilder &b, Value key, Value value, Value decay,
                         Value first) {
  int64_t features = getType(key).getShape().back();
  OpBuilder &builder = b.getBuilder();
  Value zero = buildSplat(builder, b.getLoc(), {features}, 0);
  // No exponent is below this, and sums of two of them are still finite.
  Value lowest = buildSplat(builder, b.getLoc(), {features}, -1e38f);
  auto element = [](OpBuilder &n, Location l,
                    ValueRange in) -> SmallVector<Value> {
    auto add = [&](Value lhs, Value rhs) -> Value {
      return arith::AddFOp::create(n, l, lhs, rhs);
    };
    auto mul = [&](Value lhs, Value rhs) -> Value {
      return arith::MulFOp::create(n, l, lhs, rhs);
    };
    auto max = [&](Value lhs, Value rhs) -> Value {
      return arith::MaximumFOp::create(n, l, lhs, rhs);
    };
    auto expSub = [&](Value lhs, Value rhs) -> Value {
      return math::ExpOp::create(n, l, arith::SubFOp::create(n, l, lhs, rhs));
    };
    Value key = in[0], value = in[1], sum = in[4], weights = in[5];
    Value top = in[6];
    Value newest = add(key, in[3]);
    Value outTop = max(top, newest);
    Value oldPart = expSub(top, outTop), newPart = expSub(newest, outTop);
    Value mean =
        arith::DivFOp::create(n, l, add(mul(oldPart, sum), mul(newPart, value)),
                              add(mul(oldPart, weights), newPart));
    Value aged = add(top, in[2]);
    Value nextTop = max(aged, key);
    Value kept = expSub(aged, nextTop), added = expSub(key, nextTop);
    return {mean, add(mul(kept, sum), mul(added, value)),
            add(mul(kept, weights), added), nextTop};
  };
  return buildScan(b, {key, value}, {zero, zero, lowest}, {{features}},
                   [&](OpBuilder &at, Location loc, ValueRange now,
                       ValueRange before) {
                     return buildMap(at, loc, {features}, 4,
                                     {{now[0], {0}},
                                      {now[1], {0}},
                                      {decay, {0}},
                                      {first, {0}},
                                      {before[0], {0}},
                                      {before[1], {0}},
                                      {before[2], {0}}},
                                     element);
                   })
      .front();
}

ExponentialGates weir::exponentialGates(ModelBuilder &b, Value forget,
                                        Value input) {
  int64_t heads = getType(forget).getShape().back();
  Value zero = buildSplat(b.getBuilder(), b.getLoc(), {heads}, 0);
  auto element = [](OpBuilder &n, Location l,
                    ValueRange in) -> SmallVector<Value> {
    Value aged = arith::AddFOp::create(n, l, in[0], in[2]);
    Value top = arith::MaximumFOp::create(n, l, aged, in[1]);
    Value kept = arith::SubFOp::create(n, l, aged, top);
    Value fresh =
        math::ExpOp::create(n, l, arith::SubFOp::create(n, l, in[1], top));
    Value floor = math::ExpOp::create(n, l, arith::NegFOp::create(n, l, top));
    return {kept, fresh, floor, top};
  };
  SmallVector<int64_t> shape = {heads};
  SmallVector<Value> gates = buildScan(
      b, {forget, input}, zero, {shape, shape, shape},
      [&](OpBuilder &at, Location loc, ValueRange now, ValueRange before) {
        return buildMap(at, loc, shape, 4,
                        {{now[0], {0}}, {now[1], {0}}, {before[0], {0}}},
                        element);
      });
  return {gates[0], gates[1], gates[2]};
}

//===----------------------------------------------------------------------===//
// Over features
//===----------------------------------------------------------------------===//

Value weir::blockLinear(ModelBuilder &b, Value input, Value weight) {
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  RankedTensorType type = getType(input);
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = getType(weight).getShape().back();
  SmallVector<OpFoldResult> extents =
      tensor::getMixedSizes(builder, loc, input);
  extents.back() = builder.getIndexAttr(shape.back());
  Value empty =
      tensor::EmptyOp::create(builder, loc, extents, type.getElementType());
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0));
  Value sums = linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
  AffineExpr batch, time, block, out, in;
  bindDims(&b.getContext(), batch, time, block, out, in);
  SmallVector<AffineMap> maps = {
      AffineMap::get(5, 0, {batch, time, block, in}, &b.getContext()),
      AffineMap::get(5, 0, {block, in, out}, &b.getContext()),
      AffineMap::get(5, 0, {batch, time, block, out}, &b.getContext())};
  SmallVector<utils::IteratorType> loops(5, utils::IteratorType::parallel);
  loops.back() = utils::IteratorType::reduction;
  return linalg::GenericOp::create(
             builder, loc, TypeRange(sums.getType()), ValueRange{input, weight},
             ValueRange(sums), maps, loops,
             [](OpBuilder &n, Location l, ValueRange args) {
               Value part = arith::MulFOp::create(n, l, args[0], args[1]);
               Value sum = arith::AddFOp::create(n, l, args[2], part);
               linalg::YieldOp::create(n, l, sum);
             })
      .getResult(0);
}

Value weir::clamp(ModelBuilder &b, Value input, double low, double high) {
  return b.map(input, [&](OpBuilder &n, Location l, ValueRange in) -> Value {
    auto number = [&](double value) -> Value {
      return arith::ConstantOp::create(n, l,
                                       n.getFloatAttr(in[0].getType(), value));
    };
    Value above = arith::MaximumFOp::create(n, l, in[0], number(low));
    return arith::MinimumFOp::create(n, l, above, number(high));
  });
}

Value weir::negativeExp(ModelBuilder &b, Value input) {
  return b.map(input, [](OpBuilder &n, Location l, ValueRange in) -> Value {
    return arith::NegFOp::create(n, l, math::ExpOp::create(n, l, in[0]));
  });
}

Value weir::activatedConv(ModelBuilder &b, Value input, Value weight,
                          Value bias, StringRef activation) {
  if (activation == "silu" || activation == "swish")
    return shortConv(b, input, weight, bias, ConvActivation::SiLU);
  return b.activation(shortConv(b, input, weight, bias, ConvActivation::None),
                      activation);
}

//===----------------------------------------------------------------------===//
// Language models
//===----------------------------------------------------------------------===//

int64_t weir::readLayers(ConfigReader &reader, StringRef key,
                         int64_t fallback) {
  int64_t layers = reader.getSize(key, fallback);
  int64_t tensors = reader.getCheckpoint().tensors().size();
  if (layers <= tensors)
    return layers;
  reader.emitError(key) << "key '" << reader.getSpelling(key) << "' is "
                        << layers << " when the checkpoint has " << tensors
                        << " tensors";
  return 1;
}

double weir::readEpsilon(ConfigReader &reader, StringRef key, double fallback) {
  if (reader.isGGUF() && !reader.has(key))
    reader.emitError(key) << "key '" << reader.getSpelling(key)
                          << "' is missing, expected a number";
  double eps = reader.getFloat(key, fallback);
  if (eps >= 0)
    return eps;
  reader.emitError(key) << "key '" << reader.getSpelling(key) << "' is " << eps
                        << ", expected no negative number";
  return fallback;
}

std::string weir::setMambaKeys(const Checkpoint &checkpoint,
                               MixerModel &model) {
  bool bare = !checkpoint.lookup("backbone.norm_f.weight") &&
              checkpoint.lookup("norm_f.weight");
  std::string prefix = bare ? "" : "backbone.";
  // The first checkpoints had one embedding.
  bool old = checkpoint.lookup(prefix + "embedding.weight");
  model.embed = prefix + (old ? "embedding" : "embeddings");
  model.norm = prefix + "layers.*.norm";
  model.finalNorm = prefix + "norm_f";
  model.head = "lm_head";
  return prefix + "layers.*.mixer.";
}

void weir::setMambaKeysOfGGUF(const Checkpoint &checkpoint, MixerModel &model) {
  model.embed = "token_embd";
  model.norm = "blk.*.attn_norm";
  model.finalNorm = "output_norm";
  model.head = "output";
  model.vocabSize = countTableRows(checkpoint, model.embed, model.vocabSize);
  model.tied = !checkpoint.lookup("output.weight");
}

Value weir::convKernel(ModelBuilder &b, StringRef key, int64_t features,
                       int64_t width, bool flat) {
  if (flat)
    return b.weight(key, {features, width});
  Param stored = b.param(key, {features, 1, width});
  return b.read(b.reshape(stored, {features, width}));
}

void weir::buildMixerModel(ModelBuilder &b, const FamilyRequest &request,
                           const MixerModel &model,
                           function_ref<Value(Value)> mixer) {
  TokenTables tables =
      resolveTables(b.getCheckpoint(), model.embed + ".weight",
                    model.head + ".weight", model.tied && request.hasHead);
  Value ids = b.beginForward();
  b.setScope(model.embed);
  Value x = b.embedding(ids, tables.embedding, model.vocabSize, model.hidden);
  SmallVector<int32_t> order(model.layers, 0);
  x = b.stack(x, order, [&](int32_t, Value input) {
    b.setScope(model.norm);
    return b.add(input, mixer(b.rmsNorm(input, model.norm, model.eps)));
  });
  b.setScope(model.finalNorm);
  x = b.rmsNorm(x, model.finalNorm, model.eps);
  if (request.hasHead)
    x = b.linear(x, b.weight(tables.head, {model.vocabSize, model.hidden}),
                 Value());
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", x);
}
