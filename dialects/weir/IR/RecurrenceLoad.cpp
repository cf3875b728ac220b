//===- RecurrenceLoad.cpp - Tiles of a recurrence's operands -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a chunk reads. Of a whole chunk with one update a token, queries, keys
// and values are read where they are; else they are copied into tiles of their
// own, with zeros for the tokens, and the updates, that are missing.
//
//===----------------------------------------------------------------------===//

#include "RecurrenceChunk.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ReferenceBuilders.h"

using namespace mlir;
using namespace weir;
using utils::IteratorType;

Value ChunkBuilder::loadWhole(Value operand, const ChunkPlace &place,
                              bool hasUpdates, Value head, Value feature,
                              int64_t features) {
  Attribute zeroIndex = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  SmallVector<OpFoldResult> offsets{place.row, place.token};
  SmallVector<OpFoldResult> sizes{one, builder.getIndexAttr(tokens)};
  if (hasUpdates) {
    offsets.push_back(zeroIndex);
    sizes.push_back(one);
  }
  offsets.append({head, feature});
  sizes.append({one, builder.getIndexAttr(features)});
  auto source = cast<RankedTensorType>(operand.getType());
  Value slice = tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get({tokens, features}, source.getElementType()),
      operand, offsets, sizes, SmallVector<OpFoldResult>(sizes.size(), one));
  if (source.getElementType() == type)
    return slice;
  return map({tokens, features}, {{slice, {0, 1}}},
             [&](OpBuilder &b, Location l, ValueRange in) {
               return convertFloat(b, l, in[0], type);
             });
}

Value ChunkBuilder::load(Value operand, const ChunkPlace &place,
                         bool hasUpdates, bool hasFeatures, Value head,
                         Value feature, int64_t features, int64_t only) {
  if (whole && updates == 1 && hasFeatures)
    return loadWhole(operand, place, hasUpdates, head, feature, features);
  auto source = cast<RankedTensorType>(operand.getType());
  Attribute zeroIndex = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  // [count, X] or [count, R, X] of the operand.
  SmallVector<OpFoldResult> offsets{place.row, place.token};
  SmallVector<OpFoldResult> sizes{one, place.count};
  SmallVector<int64_t> shape{ShapedType::kDynamic};
  if (hasUpdates) {
    offsets.push_back(zeroIndex);
    sizes.push_back(builder.getIndexAttr(updates));
    shape.push_back(updates);
  }
  offsets.push_back(head);
  sizes.push_back(one);
  shape.push_back(features);
  if (hasFeatures) {
    offsets.push_back(feature);
    sizes.push_back(builder.getIndexAttr(features));
  }
  Value slice = tensor::ExtractSliceOp::create(
      builder, loc, RankedTensorType::get(shape, source.getElementType()),
      operand, offsets, sizes, SmallVector<OpFoldResult>(sizes.size(), one));

  // The same part of the tile.
  bool hasAxis = updates > 1 || hasUpdates;
  SmallVector<int64_t> tileShape{tokens};
  SmallVector<OpFoldResult> tileOffsets{zeroIndex}, tileSizes{place.count};
  if (hasAxis) {
    tileShape.push_back(updates);
    tileOffsets.push_back(builder.getIndexAttr(hasUpdates ? 0 : only));
    tileSizes.push_back(builder.getIndexAttr(hasUpdates ? updates : 1));
  }
  tileShape.push_back(features);
  tileOffsets.push_back(zeroIndex);
  tileSizes.push_back(builder.getIndexAttr(features));
  SmallVector<OpFoldResult> tileStrides(tileShape.size(), one);
  // A buffer of its own: zeros of another tile would have to be copied.
  Value tile = bufferization::AllocTensorOp::create(
      builder, loc, RankedTensorType::get(tileShape, type), ValueRange());
  if (hasAxis && !hasUpdates) {
    tile = linalg::FillOp::create(builder, loc, zero(), tile).getResult(0);
  } else {
    // Zeros behind the last token only.
    SmallVector<OpFoldResult> restOffsets(tileOffsets), restSizes(tileSizes);
    restOffsets[0] = place.count;
    restSizes[0] =
        arith::SubIOp::create(builder, loc, constant(tokens), place.count)
            .getResult();
    Value rest = tensor::ExtractSliceOp::create(
        builder, loc, RankedTensorType::get(shape, type), tile, restOffsets,
        restSizes, tileStrides);
    rest = linalg::FillOp::create(builder, loc, zero(), rest).getResult(0);
    tile = tensor::InsertSliceOp::create(builder, loc, rest, tile, restOffsets,
                                         restSizes, tileStrides);
  }
  Value part = tensor::ExtractSliceOp::create(
      builder, loc, RankedTensorType::get(shape, type), tile, tileOffsets,
      tileSizes, tileStrides);
  auto loops = llvm::to_vector(llvm::seq<unsigned>(0, shape.size()));
  Value filled =
      update({{slice, loops}}, {part, loops},
             SmallVector<IteratorType>(shape.size(), IteratorType::parallel),
             [&](OpBuilder &b, Location l, ValueRange in) -> Value {
               return convertFloat(b, l, in[0], type);
             });
  tile = tensor::InsertSliceOp::create(builder, loc, filled, tile, tileOffsets,
                                       tileSizes, tileStrides);
  if (!hasAxis)
    return tile;
  SmallVector<ReassociationIndices> joined{{0, 1}, {2}};
  return tensor::CollapseShapeOp::create(builder, loc, tile, joined);
}

Value ChunkBuilder::loadDecay(const ChunkPlace &place) {
  Value decay = op.getDecay();
  int64_t features = byChannel ? keyDim : 1;
  if (!op.hasFixedDecay())
    return byHead(load(decay, place, /*hasUpdates=*/false, byChannel,
                       place.head, constant(0), features, /*only=*/0));
  // The same for all tokens, at their first update; none behind the last.
  SmallVector<OpFoldResult> offsets{place.head}, sizes{builder.getIndexAttr(1)};
  if (byChannel) {
    offsets.push_back(builder.getIndexAttr(0));
    sizes.push_back(builder.getIndexAttr(keyDim));
  }
  Value logs = tensor::ExtractSliceOp::create(
      builder, loc,
      RankedTensorType::get(
          {features}, cast<RankedTensorType>(decay.getType()).getElementType()),
      decay, offsets, sizes,
      SmallVector<OpFoldResult>(sizes.size(), builder.getIndexAttr(1)));
  Value end =
      arith::MulIOp::create(builder, loc, place.count, constant(updates));
  return byHead(map(
      {rows, features}, {{logs, {1}}},
      [&](OpBuilder &b, Location l, ValueRange in) -> Value {
        Value row = linalg::IndexOp::create(b, l, 0);
        Value holds =
            arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt, row, end);
        if (updates > 1) {
          Value number = arith::RemSIOp::create(
              b, l, row, arith::ConstantIndexOp::create(b, l, updates));
          Value first =
              arith::CmpIOp::create(b, l, arith::CmpIPredicate::eq, number,
                                    arith::ConstantIndexOp::create(b, l, 0));
          holds = arith::AndIOp::create(b, l, holds, first);
        }
        return arith::SelectOp::create(b, l, holds,
                                       convertFloat(b, l, in[0], type),
                                       buildFloat(b, l, type, 0));
      }));
}

Value ChunkBuilder::byHead(Value tile) {
  if (byChannel)
    return tile;
  SmallVector<ReassociationIndices> joined{{0, 1}};
  return tensor::CollapseShapeOp::create(builder, loc, tile, joined);
}

Value ChunkBuilder::loadBeta(const ChunkPlace &place, bool hasUpdates) {
  Value tile = load(op.getBeta(), place, hasUpdates, /*hasFeatures=*/false,
                    place.head, Value(), 1, 0);
  SmallVector<ReassociationIndices> joined{{0, 1}};
  return tensor::CollapseShapeOp::create(builder, loc, tile, joined);
}

ChunkBuilder::Keys ChunkBuilder::loadKeys(const ChunkPlace &place) {
  Value none = constant(0);
  int64_t share = op.getHeads() / op.getKeyHeads();
  Value head = share == 1 ? place.head
                          : Value(arith::DivUIOp::create(
                                builder, loc, place.head, constant(share)));
  auto loadKey = [&](Value operand) {
    return load(operand, place, hasUpdateAxis(), true, head, none, keyDim, 0);
  };
  Keys keys;
  keys.query =
      load(op.getQuery(), place, false, true, head, none, keyDim, updates - 1);
  keys.key = loadKey(op.getKey());
  keys.queryKey = multiplyKeys(keys.query, keys.key);
  if (!op.hasCorrection())
    return keys;
  keys.readKey = op.getReadKey() ? loadKey(op.getReadKey()) : keys.key;
  keys.readKeyKey = multiplyKeys(keys.readKey, keys.key);
  if (op.getBeta())
    return keys;
  keys.writeKey = loadKey(op.getWriteKey());
  keys.queryWriteKey = multiplyKeys(keys.query, keys.writeKey);
  keys.readWriteKey = multiplyKeys(keys.readKey, keys.writeKey);
  return keys;
}
