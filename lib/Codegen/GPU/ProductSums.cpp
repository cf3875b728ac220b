//===- ProductSums.cpp - What is multiplied from tiles ----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In f32: sixteen threads have the columns of a tile, four each, and eight
// groups of them its rows, or, where these are few, parts of the reduction. For
// four steps of the reduction a thread loads a vector of each of its rows, and
// a vector of its columns for each step.
//
// By matrices: each of four warps has sixteen columns, and all rows. Rows of
// the input come by `ldmatrix`, which loads 8 rows of 16 bytes at a time,
// whatever they hold; a word of the weight is what a lane needs as it is.
//
//===----------------------------------------------------------------------===//

#include "KernelAttrs.h"
#include "ProductEmitter.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace weir;

/// Columns of a thread, and steps of the reduction it takes at once.
static constexpr int64_t ThreadColumns = 4;
/// Threads that have all columns of a tile.
static constexpr int64_t ColumnThreads = ProductColumns / ThreadColumns;
/// Groups of these in a block.
static constexpr int64_t RowThreads = ProductThreads / ColumnThreads;
/// Columns of a warp; two matrices.
static constexpr int64_t WarpColumns =
    ProductColumns / (ProductThreads / WarpSize);
/// Words of the reduction that matrices are multiplied along at a time.
static constexpr int64_t MatrixWords = 8;

int64_t ProductEmitter::getThreadRows() {
  return plan.splits ? plan.rows : plan.rows / RowThreads;
}

Value ProductEmitter::extract(Value vector, ArrayRef<int64_t> at) {
  return vector::ExtractOp::create(builder, loc, vector, at);
}

Value ProductEmitter::loadVector(Value tile, ValueRange at, int64_t count) {
  Type element = cast<MemRefType>(tile.getType()).getElementType();
  int64_t bytes = count * element.getIntOrFloatBitWidth() / 8;
  return vector::LoadOp::create(builder, loc, VectorType::get(count, element),
                                tile, at, /*nontemporal=*/false,
                                llvm::MaybeAlign(bytes));
}

ProductEmitter::Values ProductEmitter::startSums() {
  SmallVector<int64_t> shape{ThreadColumns};
  int64_t count = getThreadRows();
  if (plan.matrices) {
    shape = {2, 2};
    count = plan.rows / 16 * (WarpColumns / 8);
  }
  auto type = VectorType::get(shape, builder.getF32Type());
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  return Values(count, zero);
}

ProductEmitter::Values ProductEmitter::multiplyStep(Value stage,
                                                    ValueRange sums) {
  if (plan.splits)
    return multiplyFloats(stage, mul(div(thread, ColumnThreads), ThreadColumns),
                          sums);
  int64_t end = WeightRows;
  int64_t width = plan.matrices ? MatrixWords : ThreadColumns;
  auto loop = scf::ForOp::create(builder, loc, index(0), index(end),
                                 index(width), sums);
  OpBuilder::InsertionGuard guard(builder);
  Block *body = loop.getBody();
  if (!body->empty() && body->back().hasTrait<OpTrait::IsTerminator>())
    body->back().erase();
  builder.setInsertionPointToStart(body);
  Value at = loop.getInductionVar();
  scf::YieldOp::create(
      builder, loc,
      plan.matrices ? multiplyMatrices(stage, at, loop.getRegionIterArgs())
                    : multiplyFloats(stage, at, loop.getRegionIterArgs()));
  return Values(loop.getResults());
}

ProductEmitter::Values ProductEmitter::multiplyFloats(Value stage, Value depth,
                                                      ValueRange sums) {
  int64_t rows = getThreadRows();
  Value first = plan.splits ? index(0) : mul(div(thread, ColumnThreads), rows);
  Value column = mul(rem(thread, ColumnThreads), ThreadColumns);
  Values inputs;
  for (int64_t i = 0; i < rows; ++i) {
    Value row = add(first, i);
    inputs.push_back(loadVector(inputTile,
                                ValueRange{stage, row, placeInput(row, depth)},
                                ThreadColumns));
  }
  Values results(sums);
  auto type = VectorType::get(ThreadColumns, builder.getF32Type());
  for (int64_t k = 0; k < ThreadColumns; ++k) {
    Value weights = loadVector(
        weightTile, ValueRange{stage, add(depth, k), column}, ThreadColumns);
    if (weights.getType() != type)
      weights = arith::ExtFOp::create(builder, loc, type, weights);
    for (int64_t i = 0; i < rows; ++i) {
      Value spread = vector::BroadcastOp::create(builder, loc, type,
                                                 extract(inputs[i], k));
      results[i] =
          vector::FMAOp::create(builder, loc, spread, weights, results[i]);
    }
  }
  return results;
}

Value ProductEmitter::roundToTF32(Value vector) {
  auto type = cast<VectorType>(vector.getType());
  for (int64_t i = 0; i < type.getDimSize(0); ++i) {
    Value bits = NVVM::ConvertFloatToTF32Op::create(
        builder, loc, builder.getI32Type(), extract(vector, {i, 0}),
        NVVM::FPRoundingMode::RNA, NVVM::SaturationMode::NONE,
        /*relu=*/false);
    Value rounded =
        arith::BitcastOp::create(builder, loc, builder.getF32Type(), bits);
    vector = vector::InsertOp::create(builder, loc, rounded, vector,
                                      ArrayRef<int64_t>{i, 0});
  }
  return vector;
}

/// Sixteen rows from `row` on by eight words from `word` on.
Value ProductEmitter::loadInputMatrix(Value stage, Value word, int64_t row) {
  int64_t perWord = 4 / inputBytes;
  Value lane = rem(thread, WarpSize);
  // A lane says where a row of one of four matrices is: upper rows, lower rows,
  // and both of the second half of the words.
  Value at = add(rem(lane, 16), row);
  Value column = mul(add(word, mul(div(lane, 16), 4)), perWord);
  auto type = VectorType::get({4, perWord}, product.getInputType());
  Value matrix = nvgpu::LdMatrixOp::create(
      builder, loc, type, inputTile,
      ValueRange{stage, at, placeInput(at, column)}, /*transpose=*/false,
      /*numTiles=*/4);
  return product.pairs ? matrix : roundToTF32(matrix);
}

/// Eight words from `word` on by eight columns from `column` of the warp on.
Value ProductEmitter::loadWeightMatrix(Value stage, Value word,
                                       int64_t column) {
  int64_t perWord = 4 / weightBytes;
  Value lane = rem(thread, WarpSize);
  Value at =
      add(add(mul(div(thread, WarpSize), WarpColumns), div(lane, 4)), column);
  auto type = VectorType::get({2, perWord}, product.getWeightType());
  Value matrix =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  for (int64_t half = 0; half < 2; ++half) {
    Value row = add(add(word, rem(lane, 4)), half * 4);
    Value factors = loadVector(
        weightTile, ValueRange{stage, row, mul(placeWeight(row, at), perWord)},
        perWord);
    matrix = vector::InsertOp::create(builder, loc, factors, matrix, half);
  }
  return product.pairs ? matrix : roundToTF32(matrix);
}

ProductEmitter::Values ProductEmitter::multiplyMatrices(Value stage, Value word,
                                                        ValueRange sums) {
  int64_t rowMatrices = plan.rows / 16, columnMatrices = WarpColumns / 8;
  Values inputs, weights, results;
  for (int64_t m = 0; m < rowMatrices; ++m)
    inputs.push_back(loadInputMatrix(stage, word, m * 16));
  for (int64_t n = 0; n < columnMatrices; ++n)
    weights.push_back(loadWeightMatrix(stage, word, n * 8));
  for (int64_t m = 0; m < rowMatrices; ++m)
    for (int64_t n = 0; n < columnMatrices; ++n)
      results.push_back(nvgpu::MmaSyncOp::create(
          builder, loc, inputs[m], weights[n], sums[m * columnMatrices + n],
          ArrayRef<int64_t>{16, 8, product.pairs ? 16 : 8},
          /*tf32Enabled=*/!product.pairs));
  return results;
}

void ProductEmitter::storeSums(ValueRange sums) {
  if (plan.splits)
    return storeSplitSums(sums);
  if (!plan.matrices) {
    Value first = mul(div(thread, ColumnThreads), getThreadRows());
    Value column = mul(rem(thread, ColumnThreads), ThreadColumns);
    for (auto [i, sum] : llvm::enumerate(sums)) {
      Values single;
      for (int64_t c = 0; c < ThreadColumns; ++c)
        single.push_back(extract(sum, c));
      storeRow(add(first, i), column, single);
    }
    return;
  }
  int64_t columnMatrices = WarpColumns / 8;
  Value lane = rem(thread, WarpSize);
  for (auto [i, sum] : llvm::enumerate(sums)) {
    int64_t m = i / columnMatrices, n = i % columnMatrices;
    Value column =
        add(add(mul(div(thread, WarpSize), WarpColumns), mul(rem(lane, 4), 2)),
            n * 8);
    for (int64_t half = 0; half < 2; ++half)
      storeRow(add(div(lane, 4), m * 16 + half * 8), column,
               ValueRange{extract(sum, {half, 0}), extract(sum, {half, 1})});
  }
}

void ProductEmitter::storeSplitSums(ValueRange sums) {
  Value part = div(thread, ColumnThreads);
  Value column = mul(rem(thread, ColumnThreads), ThreadColumns);
  for (auto [i, sum] : llvm::enumerate(sums))
    vector::StoreOp::create(builder, loc, sum, sumTile,
                            ValueRange{part, index(i), column},
                            /*nontemporal=*/false, llvm::MaybeAlign(16));
  gpu::BarrierOp::create(builder, loc);
  sharePieces(plan.rows * ProductColumns, [&](Value number) {
    Value row = div(number, ProductColumns), at = rem(number, ProductColumns);
    Value total;
    for (int64_t other = 0; other < RowThreads; ++other) {
      Value next = memref::LoadOp::create(builder, loc, sumTile,
                                          ValueRange{index(other), row, at});
      total = total ? arith::AddFOp::create(builder, loc, total, next) : next;
    }
    storeRow(row, at, total);
  });
}
