//===- HyperConnection.cpp - Several streams of hidden states -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The matrix of a token is a handful of numbers, which are normalised in one
// element-wise operation on tensors of single entries: in registers, and for
// several tokens at once. Streams are sliced, not moved.
//
//===----------------------------------------------------------------------===//

#include "HyperConnection.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/Frontend/LinearLayers.h"

using namespace mlir;
using namespace weir;

/// Entry `index` of `axis`, which the result lacks.
static Value takeEntry(ModelBuilder &b, Value input, unsigned axis,
                       int64_t index) {
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  auto type = cast<RankedTensorType>(input.getType());
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, input);
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  offsets[axis] = builder.getIndexAttr(index);
  sizes[axis] = builder.getIndexAttr(1);
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + axis);
  return tensor::ExtractSliceOp::create(builder, loc, type.clone(shape), input,
                                        offsets, sizes, strides);
}

namespace {

/// An input of an element-wise operation, and which of its loops its axes are.
struct Input {
  Value value;
  SmallVector<unsigned> axes;
};

} // namespace

/// Applies `element` over loops of the extents `sizes`; gives `results` tensors
/// of these.
static SmallVector<Value>
mapInputs(ModelBuilder &b, ArrayRef<OpFoldResult> sizes, unsigned results,
          ArrayRef<Input> inputs,
          function_ref<SmallVector<Value>(OpBuilder &, Location, ValueRange)>
              element) {
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  unsigned rank = sizes.size();
  SmallVector<Value> values;
  SmallVector<AffineMap> maps;
  for (const Input &input : inputs) {
    SmallVector<AffineExpr> axes;
    for (unsigned axis : input.axes)
      axes.push_back(builder.getAffineDimExpr(axis));
    values.push_back(input.value);
    maps.push_back(AffineMap::get(rank, 0, axes, builder.getContext()));
  }
  Type type =
      cast<RankedTensorType>(inputs.front().value.getType()).getElementType();
  SmallVector<Value> outputs;
  for (unsigned i = 0; i < results; ++i) {
    outputs.push_back(tensor::EmptyOp::create(builder, loc, sizes, type));
    maps.push_back(builder.getMultiDimIdentityMap(rank));
  }
  auto generic = linalg::GenericOp::create(
      builder, loc, ValueRange(outputs).getTypes(), values, outputs, maps,
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      [&](OpBuilder &n, Location l, ValueRange in) {
        linalg::YieldOp::create(n, l, element(n, l, in.drop_back(results)));
      });
  return SmallVector<Value>(generic.getResults());
}

Value weir::expandStreams(ModelBuilder &b, Value input, const HyperSpec &spec) {
  return repeatHeads(b, b.splitHeads(input, 1), spec.streams);
}

/// What a token's streams say of their weights: `count` numbers.
static Value project(ModelBuilder &b, Value streams, const std::string &matrix,
                     int64_t count, const HyperSpec &spec) {
  Value flat = rmsNorm(b, b.mergeHeads(streams), Value(), spec.normEps);
  return b.linear(flat, b.weight(matrix, {count, spec.streams * spec.hidden}),
                  Value());
}

/// The streams' sum, each times its one of `weights`, `[batch, time, streams]`.
static Value sumStreams(ModelBuilder &b, Value streams, Value weights,
                        const HyperSpec &spec) {
  SmallVector<Input> inputs;
  for (int64_t i = 0; i < spec.streams; ++i)
    inputs.push_back({takeEntry(b, streams, 2, i), {0, 1, 2}});
  for (int64_t i = 0; i < spec.streams; ++i)
    inputs.push_back({takeEntry(b, weights, 2, i), {0, 1}});
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(b.getBuilder(), b.getLoc(), inputs[0].value);
  return mapInputs(b, sizes, 1, inputs,
                   [&](OpBuilder &n, Location l,
                       ValueRange in) -> SmallVector<Value> {
                     Value sum;
                     for (int64_t i = 0; i < spec.streams; ++i) {
                       Value part = arith::MulFOp::create(n, l, in[i],
                                                          in[spec.streams + i]);
                       sum = sum ? Value(arith::AddFOp::create(n, l, sum, part))
                                 : part;
                     }
                     return {sum};
                   })
      .front();
}

/// The numbers of a square matrix, row by row, brought near to one whose rows
/// and columns sum to one.
static SmallVector<Value> buildSinkhorn(OpBuilder &n, Location l,
                                        ValueRange logits,
                                        const HyperSpec &spec) {
  int64_t count = spec.streams;
  auto number = [&](double value) -> Value {
    return arith::ConstantOp::create(
        n, l, n.getFloatAttr(logits[0].getType(), value));
  };
  Value eps = number(spec.eps), one = number(1);
  SmallVector<Value> entries(logits);
  // The entries of row or column `line`.
  auto at = [&](bool isRow, int64_t line, int64_t i) -> Value & {
    return entries[isRow ? line * count + i : i * count + line];
  };
  auto fold = [&](bool isRow, int64_t line, auto combine) {
    Value all = at(isRow, line, 0);
    for (int64_t i = 1; i < count; ++i)
      all = combine(all, at(isRow, line, i));
    return all;
  };
  auto add = [&](Value a, Value b) -> Value {
    return arith::AddFOp::create(n, l, a, b);
  };
  auto normalise = [&](bool isRow, Value summand) {
    for (int64_t line = 0; line < count; ++line) {
      Value sum = fold(isRow, line, add);
      if (summand)
        sum = add(sum, summand);
      Value inverse = arith::DivFOp::create(n, l, one, sum);
      for (int64_t i = 0; i < count; ++i)
        at(isRow, line, i) =
            arith::MulFOp::create(n, l, at(isRow, line, i), inverse);
    }
  };
  for (int64_t line = 0; line < count; ++line) {
    Value largest = fold(true, line, [&](Value a, Value b) -> Value {
      return arith::MaximumFOp::create(n, l, a, b);
    });
    for (int64_t i = 0; i < count; ++i)
      at(true, line, i) = math::ExpOp::create(
          n, l, arith::SubFOp::create(n, l, at(true, line, i), largest));
  }
  normalise(/*isRow=*/true, Value());
  for (Value &entry : entries)
    entry = add(entry, eps);
  normalise(/*isRow=*/false, eps);
  for (int64_t i = 1; i < spec.iterations; ++i) {
    normalise(/*isRow=*/true, eps);
    normalise(/*isRow=*/false, eps);
  }
  return entries;
}

HyperWeights weir::connectStreams(ModelBuilder &b, Value streams,
                                  const HyperKeys &keys,
                                  const HyperSpec &spec) {
  int64_t count = spec.streams, all = (2 + count) * count;
  Value projected = project(b, streams, keys.matrix, all, spec);
  // Each kind of weights has one factor.
  Param scale = b.param(keys.scale, {3});
  SmallVector<Param> factors;
  for (auto [kind, size] :
       llvm::enumerate(std::array<int64_t, 3>{count, count, count * count}))
    factors.append(size,
                   b.slice(scale, 0, kind, 1, "part" + std::to_string(kind)));
  Value factor = b.read(b.concat(keys.scale + ".each", 0, factors));
  projected = b.add(b.mul(projected, factor), b.weight(keys.base, {all}));

  HyperWeights weights;
  Value pre = scaleAndShift(
      b, sigmoid(b, sliceFeatures(b, projected, 0, count)), 1, spec.eps);
  weights.input = sumStreams(b, streams, pre, spec);
  weights.post =
      b.scale(sigmoid(b, sliceFeatures(b, projected, count, count)), 2);
  SmallVector<Input> entries;
  for (int64_t i = 0; i < count * count; ++i)
    entries.push_back(
        {sliceFeatures(b, projected, 2 * count + i, 1), {0, 1, 2}});
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(b.getBuilder(), b.getLoc(), entries[0].value);
  SmallVector<Value> mixing =
      mapInputs(b, sizes, count * count, entries,
                [&](OpBuilder &n, Location l, ValueRange in) {
                  return buildSinkhorn(n, l, in, spec);
                });
  for (int64_t from = 0; from < count; ++from)
    weights.rows.push_back(
        concatFeatures(b, ArrayRef(mixing).slice(from * count, count)));
  return weights;
}

Value weir::updateStreams(ModelBuilder &b, Value streams, Value output,
                          const HyperWeights &weights) {
  int64_t count = weights.rows.size();
  SmallVector<Input> inputs{{output, {0, 1, 3}}, {weights.post, {0, 1, 2}}};
  for (int64_t from = 0; from < count; ++from) {
    inputs.push_back({takeEntry(b, streams, 2, from), {0, 1, 3}});
    inputs.push_back({weights.rows[from], {0, 1, 2}});
  }
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(b.getBuilder(), b.getLoc(), streams);
  return mapInputs(b, sizes, 1, inputs,
                   [&](OpBuilder &n, Location l,
                       ValueRange in) -> SmallVector<Value> {
                     Value sum;
                     for (size_t i = 0; i < in.size(); i += 2) {
                       Value part =
                           arith::MulFOp::create(n, l, in[i], in[i + 1]);
                       sum = sum ? Value(arith::AddFOp::create(n, l, sum, part))
                                 : part;
                     }
                     return {sum};
                   })
      .front();
}

Value weir::collapseStreams(ModelBuilder &b, Value streams,
                            const HyperKeys &keys, const HyperSpec &spec) {
  Value projected = project(b, streams, keys.matrix, spec.streams, spec);
  SmallVector<Param> factors(spec.streams, b.param(keys.scale, {1}));
  Value factor = b.read(b.concat(keys.scale + ".each", 0, factors));
  projected =
      b.add(b.mul(projected, factor), b.weight(keys.base, {spec.streams}));
  Value weights = scaleAndShift(b, sigmoid(b, projected), 1, spec.eps);
  return sumStreams(b, streams, weights, spec);
}
