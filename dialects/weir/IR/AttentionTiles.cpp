//===- AttentionTiles.cpp - Products on tiles -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionTiles.h"

using namespace mlir;
using namespace weir;
using utils::IteratorType;

AttentionTiles::AttentionTiles(OpBuilder &builder, Location loc, bool flash,
                               int64_t columns, Type element,
                               AttentionNormalize normalize)
    : builder(builder), loc(loc), flash(flash), columns(columns),
      element(element),
      // attention_c6, delta_values_c6
      compute(element.isF64() ? Type(builder.getF64Type())
                              : Type(builder.getF32Type())),
      normalize(normalize) {}

Value AttentionTiles::convert(OpBuilder &b, Value value, Type type) {
  if (value.getType() == type)
    return value;
  if (value.getType().getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
    return arith::ExtFOp::create(b, loc, type, value);
  return arith::TruncFOp::create(b, loc, type, value);
}

AffineMap AttentionTiles::map(unsigned dims, ArrayRef<unsigned> axes) {
  SmallVector<AffineExpr> results;
  for (unsigned axis : axes)
    results.push_back(builder.getAffineDimExpr(axis));
  return AffineMap::get(dims, 0, results, builder.getContext());
}

Value AttentionTiles::multiply(Value left, ArrayRef<unsigned> leftAxes,
                               Value right, ArrayRef<unsigned> rightAxes,
                               Value into) {
  constexpr auto parallel = IteratorType::parallel;
  return generic({left, right}, into,
                 {map(3, leftAxes), map(3, rightAxes), map(3, {0, 1})},
                 {parallel, parallel, IteratorType::reduction},
                 [&](OpBuilder &b, Location l, ValueRange args) {
                   Value product =
                       arith::MulFOp::create(b, l, convert(b, args[0], compute),
                                             convert(b, args[1], compute));
                   Value sum = arith::AddFOp::create(b, l, args[2], product);
                   linalg::YieldOp::create(b, l, sum);
                 })
      .getResult(0);
}

Value AttentionTiles::getRows(Value tensor, OpFoldResult row,
                              OpFoldResult first, OpFoldResult head,
                              Value count) {
  auto type = cast<RankedTensorType>(tensor.getType());
  OpFoldResult one = builder.getIndexAttr(1);
  return tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get({ShapedType::kDynamic, type.getDimSize(3)},
                            type.getElementType()),
      tensor,
      SmallVector<OpFoldResult>{row, first, head, builder.getIndexAttr(0)},
      SmallVector<OpFoldResult>{one, count, one,
                                builder.getIndexAttr(type.getDimSize(3))},
      SmallVector<OpFoldResult>(4, one));
}

Value AttentionTiles::padRows(Value rows, Value count, int64_t height,
                              double scale) {
  int64_t width = cast<RankedTensorType>(rows.getType()).getDimSize(1);
  Value tile = fill(zero(), empty({height, width}));
  Value factor = scale == 1 ? Value() : number(scale);
  SmallVector<OpFoldResult> zeros(2, builder.getIndexAttr(0));
  SmallVector<OpFoldResult> ones(2, builder.getIndexAttr(1));
  SmallVector<OpFoldResult> sizes{count, builder.getIndexAttr(width)};
  Value part =
      tensor::ExtractSliceOp::create(builder, loc, tile, zeros, sizes, ones);
  AffineMap all = map(2, {0, 1});
  part = generic(rows, part, {all, all},
                 SmallVector<IteratorType>(2, IteratorType::parallel),
                 [&](OpBuilder &b, Location l, ValueRange args) {
                   Value wide = convert(b, args[0], compute);
                   if (factor)
                     wide = arith::MulFOp::create(b, l, wide, factor);
                   linalg::YieldOp::create(b, l, wide);
                 })
             .getResult(0);
  return tensor::InsertSliceOp::create(builder, loc, part, tile, zeros, sizes,
                                       ones);
}

Value AttentionTiles::takeRow(Value tile, Value row) {
  auto type = cast<RankedTensorType>(tile.getType());
  OpFoldResult one = builder.getIndexAttr(1);
  OpFoldResult width = builder.getIndexAttr(type.getDimSize(1));
  return tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get({type.getDimSize(1)}, type.getElementType()), tile,
      ArrayRef<OpFoldResult>{row, builder.getIndexAttr(0)},
      ArrayRef<OpFoldResult>{one, width}, ArrayRef<OpFoldResult>{one, one});
}

Value AttentionTiles::transpose(Value tile) {
  ArrayRef<int64_t> shape = cast<RankedTensorType>(tile.getType()).getShape();
  return generic(tile, empty({shape[1], shape[0]}),
                 {map(2, {1, 0}), map(2, {0, 1})},
                 SmallVector<IteratorType>(2, IteratorType::parallel),
                 [](OpBuilder &b, Location l, ValueRange args) {
                   linalg::YieldOp::create(b, l, args[0]);
                 })
      .getResult(0);
}

Value AttentionTiles::buildProducts(Value rows, Value queryTile, Value count,
                                    int64_t keys) {
  // A buffer of static size.
  SmallVector<int64_t> shape{keys, columns};
  SmallVector<OpFoldResult> sizes{count, builder.getIndexAttr(columns)};
  if (!flash) {
    std::swap(shape[0], shape[1]);
    std::swap(sizes[0], sizes[1]);
  }
  SmallVector<OpFoldResult> zeros(2, builder.getIndexAttr(0));
  SmallVector<OpFoldResult> ones(2, builder.getIndexAttr(1));
  Value scores = tensor::ExtractSliceOp::create(builder, loc, empty(shape),
                                                zeros, sizes, ones);
  scores = fill(zero(), scores);
  if (flash)
    return multiply(rows, {0, 2}, queryTile, {2, 1}, scores);
  return multiply(queryTile, {0, 2}, rows, {1, 2}, scores);
}
