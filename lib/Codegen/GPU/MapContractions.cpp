//===- MapContractions.cpp - Contractions in tiles of registers -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A mixer's tile holds contractions of buffers that are in shared memory
// mostly: scores of queries and keys, sums of values, products of a chunk. Two
// of the parallel loops, one that some factor does not depend on and one that
// another factor does not, are the rows and the columns of tiles. A thread has
// the sums of one tile in registers, and loads of each factor what a step of
// the reduction needs of it once, instead of once for each sum.
//
// Columns of a tile lie side by side where the factor's and the result's rows
// are aligned so that vectors can be loaded; elsewhere neighbouring threads
// have neighbouring columns. Either way a warp meets no bank twice in them.
//
// Where factors may be rounded, a warp has a tile of matrices instead, 16 rows
// by 8 columns each. Its lanes load the elements that the fragments of mma.sync
// have, and round them.
//
//===----------------------------------------------------------------------===//

#include "ContractionPlan.h"
#include "KernelAttrs.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "weir/Codegen/GPUPasses.h"
#include "llvm/Support/MathExtras.h"

namespace weir {
#define GEN_PASS_DEF_MAPCONTRACTIONS
#include "weir/Codegen/GPUPasses.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

namespace {
/// Writes what each thread does of a contraction.
class ContractionEmitter {
public:
  ContractionEmitter(gpu::LaunchOp launch, Contraction &contraction,
                     const ContractionPlan &plan)
      : launch(launch), contraction(contraction), op(contraction.op),
        plan(plan), builder(op), loc(op.getLoc()) {}

  void build();

private:
  using Values = SmallVector<Value>;

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  Value add(Value a, Value b) {
    return builder.createOrFold<arith::AddIOp>(loc, a, b);
  }
  Value mul(Value a, Value b) {
    return builder.createOrFold<arith::MulIOp>(loc, a, b);
  }
  Value div(Value a, Value b) {
    return builder.createOrFold<arith::DivUIOp>(loc, a, b);
  }
  Value rem(Value a, Value b) {
    return builder.createOrFold<arith::RemUIOp>(loc, a, b);
  }
  Value isLess(Value a, Value b) {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, a, b);
  }

  /// Calls `body` with the indices of each tile that this thread, or its warp,
  /// has, the columns' last: outer loops, then numbers of tiles.
  void buildTiles(llvm::function_ref<void(ArrayRef<Value>)> body);
  /// Loops over the reduction in steps of `step` that hand on `sums`.
  Values buildDepth(Values sums, int64_t step,
                    llvm::function_ref<Values(ValueRange, ValueRange)> body);
  /// The indices of `count` rows or columns of tile `tile`.
  Values placeTile(Value tile, Value tiles, int64_t count, bool wide);
  /// `at`, or the last index where that is past the end.
  Value clamp(Value at, unsigned loop);
  /// Whether no tile of `size` reaches past the end of `loop`.
  bool isEven(unsigned loop, int64_t size);
  Values getPlace(OpOperand &operand, ArrayRef<Value> ivs);
  Value loadAt(OpOperand &operand, ArrayRef<Value> ivs) {
    return memref::LoadOp::create(builder, loc, operand.get(),
                                  getPlace(operand, ivs));
  }
  /// Stores `sum`, with `adds` added to what was there, where all of `ivs` are
  /// within the loops: what is past the end is another thread's.
  void storeAt(ArrayRef<Value> ivs, Value sum, bool adds);

  void buildRegisterTile(ArrayRef<Value> tile);
  /// The elements of `operand` at a step for each row and column of a tile; one
  /// value for all where it does not depend on them.
  void loadFactor(OpOperand &operand, Values ivs,
                  SmallVectorImpl<Values> &elements);
  Values multiplyElements(ArrayRef<Value> ivs, ValueRange sums);

  void buildMatrixTile(ArrayRef<Value> tile);
  /// An element of a fragment, rounded; zero behind the reduction's end.
  Value loadRounded(OpOperand &operand, ArrayRef<Value> ivs);

  gpu::LaunchOp launch;
  Contraction &contraction;
  linalg::GenericOp op;
  const ContractionPlan &plan;
  OpBuilder builder;
  Location loc;
  /// Extents of all loops, and numbers of tiles along rows and columns.
  Values extents;
  Value rowTiles, columnTiles;
  /// Of the tile at hand, within the loops.
  Values rowAt, columnAt;
};
} // namespace

bool ContractionEmitter::isEven(unsigned loop, int64_t size) {
  std::optional<int64_t> extent = getConstantIntValue(extents[loop]);
  return extent && *extent % size == 0;
}

Value ContractionEmitter::clamp(Value at, unsigned loop) {
  Value last =
      builder.createOrFold<arith::SubIOp>(loc, extents[loop], index(1));
  return builder.createOrFold<arith::MinSIOp>(loc, at, last);
}

ContractionEmitter::Values ContractionEmitter::getPlace(OpOperand &operand,
                                                        ArrayRef<Value> ivs) {
  Values at;
  for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults())
    at.push_back(ivs[cast<AffineDimExpr>(expr).getPosition()]);
  return at;
}

void ContractionEmitter::buildTiles(
    llvm::function_ref<void(ArrayRef<Value>)> body) {
  Values counts;
  for (unsigned loop : contraction.outer)
    counts.push_back(extents[loop]);
  counts.push_back(rowTiles);
  counts.push_back(columnTiles);
  Value total = counts.front();
  for (Value count : ArrayRef(counts).drop_front())
    total = mul(total, count);
  Value first = launch.getThreadIds().x, step = launch.getBlockSizeX();
  if (plan.rounding != Rounding::None) {
    first = div(first, index(WarpSize));
    step = div(step, index(WarpSize));
  }
  auto loop = scf::ForOp::create(builder, loc, first, total, step);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value rest = loop.getInductionVar();
  Values tile(counts.size());
  for (unsigned axis = counts.size() - 1; axis > 0; --axis) {
    tile[axis] = rem(rest, counts[axis]);
    rest = div(rest, counts[axis]);
  }
  tile.front() = rest;
  body(tile);
}

ContractionEmitter::Values ContractionEmitter::placeTile(Value tile,
                                                         Value tiles,
                                                         int64_t count,
                                                         bool wide) {
  Values at;
  for (int64_t i = 0; i < count; ++i)
    at.push_back(wide ? add(mul(tile, index(count)), index(i))
                      : add(tile, mul(tiles, index(i))));
  return at;
}

ContractionEmitter::Values ContractionEmitter::buildDepth(
    Values sums, int64_t step,
    llvm::function_ref<Values(ValueRange, ValueRange)> body) {
  Values first, last, steps;
  for (unsigned loop : contraction.depth) {
    first.push_back(index(0));
    last.push_back(extents[loop]);
    steps.push_back(index(step));
  }
  scf::LoopNest nest =
      scf::buildLoopNest(builder, loc, first, last, steps, sums,
                         [&](OpBuilder &inner, Location, ValueRange at,
                             ValueRange carried) -> scf::ValueVector {
                           OpBuilder::InsertionGuard guard(builder);
                           builder.setInsertionPoint(inner.getInsertionBlock(),
                                                     inner.getInsertionPoint());
                           Values next = body(at, carried);
                           inner.setInsertionPoint(builder.getInsertionBlock(),
                                                   builder.getInsertionPoint());
                           return scf::ValueVector(next.begin(), next.end());
                         });
  return Values(nest.results.begin(), nest.results.end());
}

void ContractionEmitter::storeAt(ArrayRef<Value> ivs, Value sum, bool adds) {
  OpBuilder::InsertionGuard guard(builder);
  for (auto [loop, size] : {std::pair(contraction.rows, plan.rows),
                            std::pair(contraction.columns, plan.columns)}) {
    if (isEven(loop, size))
      continue;
    auto within =
        scf::IfOp::create(builder, loc, isLess(ivs[loop], extents[loop]));
    builder.setInsertionPointToStart(within.thenBlock());
  }
  OpOperand &result = *op.getDpsInitOperand(0);
  if (adds)
    sum = arith::AddFOp::create(builder, loc, loadAt(result, ivs), sum);
  memref::StoreOp::create(builder, loc, sum, result.get(),
                          getPlace(result, ivs));
}

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

void ContractionEmitter::loadFactor(OpOperand &operand, Values ivs,
                                    SmallVectorImpl<Values> &elements) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  bool byRow = map.isFunctionOfDim(contraction.rows),
       byColumn = map.isFunctionOfDim(contraction.columns);
  bool wideRow = plan.wideRows && endsWith(map, contraction.rows),
       wideColumn = plan.wideColumns && endsWith(map, contraction.columns);
  elements.assign(plan.rows, Values(plan.columns));
  auto loadVector = [&](int64_t count) {
    return vector::LoadOp::create(
        builder, loc, VectorType::get(count, builder.getF32Type()),
        operand.get(), getPlace(operand, ivs), /*nontemporal=*/false,
        llvm::MaybeAlign(4 * count));
  };
  for (int64_t r = 0; r < plan.rows; ++r)
    for (int64_t c = 0; c < plan.columns; ++c) {
      Value &element = elements[r][c];
      if ((r > 0 && !byRow) || (c > 0 && !byColumn)) {
        element = elements[byRow ? r : 0][byColumn ? c : 0];
        continue;
      }
      if (element)
        continue;
      ivs[contraction.rows] = rowAt[r];
      ivs[contraction.columns] = columnAt[c];
      if (wideColumn && c == 0) {
        Value all = loadVector(plan.columns);
        for (int64_t i = 0; i < plan.columns; ++i)
          elements[r][i] = vector::ExtractOp::create(builder, loc, all, i);
      } else if (wideRow && r == 0) {
        Value all = loadVector(plan.rows);
        for (int64_t i = 0; i < plan.rows; ++i)
          elements[i][c] = vector::ExtractOp::create(builder, loc, all, i);
      } else {
        element = loadAt(operand, ivs);
      }
    }
}

ContractionEmitter::Values
ContractionEmitter::multiplyElements(ArrayRef<Value> ivs, ValueRange sums) {
  SmallVector<SmallVector<Values>> factors;
  for (OpOperand *input : op.getDpsInputOperands()) {
    SmallVector<Values> elements;
    if (isa<MemRefType>(input->get().getType()))
      loadFactor(*input, Values(ivs), elements);
    else
      elements.assign(plan.rows, Values(plan.columns, input->get()));
    factors.push_back(elements);
  }
  Values results;
  Values at(ivs);
  Block *body = op.getBlock();
  for (int64_t r = 0; r < plan.rows; ++r)
    for (int64_t c = 0; c < plan.columns; ++c) {
      at[contraction.rows] = rowAt[r];
      at[contraction.columns] = columnAt[c];
      IRMapping mapping;
      for (auto [number, elements] : llvm::enumerate(factors))
        mapping.map(body->getArgument(number), elements[r][c]);
      mapping.map(body->getArguments().back(), sums[r * plan.columns + c]);
      for (Operation &inner : body->without_terminator()) {
        if (auto loop = dyn_cast<linalg::IndexOp>(inner))
          mapping.map(loop.getResult(), at[loop.getDim()]);
        else
          builder.clone(inner, mapping);
      }
      results.push_back(
          mapping.lookupOrDefault(body->getTerminator()->getOperand(0)));
    }
  return results;
}

void ContractionEmitter::buildRegisterTile(ArrayRef<Value> tile) {
  Values ivs(op.getNumLoops());
  for (auto [loop, at] : llvm::zip(contraction.outer, tile))
    ivs[loop] = at;
  Value rowTile = tile[tile.size() - 2], columnTile = tile.back();
  Values rows = placeTile(rowTile, rowTiles, plan.rows, plan.wideRows),
         columns =
             placeTile(columnTile, columnTiles, plan.columns, plan.wideColumns);
  rowAt = rows;
  columnAt = columns;
  // What is past the end is computed of the last element, and not stored.
  if (!isEven(contraction.rows, plan.rows))
    for (Value &at : rowAt)
      at = clamp(at, contraction.rows);
  if (!isEven(contraction.columns, plan.columns))
    for (Value &at : columnAt)
      at = clamp(at, contraction.columns);
  Values sums;
  OpOperand &result = *op.getDpsInitOperand(0);
  // Of a tile cut short, what was there before is another thread's in part.
  bool even = isEven(contraction.rows, plan.rows) &&
              isEven(contraction.columns, plan.columns);
  bool adds = !contraction.fill && !even;
  if (contraction.fill || adds) {
    Value zero =
        arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0.0f));
    sums.assign(plan.rows * plan.columns, zero);
  } else {
    SmallVector<Values> elements;
    loadFactor(result, ivs, elements);
    for (const Values &row : elements)
      llvm::append_range(sums, row);
  }
  sums = buildDepth(sums, 1, [&](ValueRange at, ValueRange carried) {
    Values all(ivs);
    for (auto [loop, step] : llvm::zip(contraction.depth, at))
      all[loop] = step;
    return multiplyElements(all, carried);
  });
  bool wide = plan.wideColumns &&
              endsWith(op.getMatchingIndexingMap(&result), contraction.columns);
  for (int64_t r = 0; r < plan.rows; ++r) {
    ivs[contraction.rows] = rows[r];
    if (!wide || !even) {
      for (int64_t c = 0; c < plan.columns; ++c) {
        ivs[contraction.columns] = columns[c];
        storeAt(ivs, sums[r * plan.columns + c], adds);
      }
      continue;
    }
    ivs[contraction.columns] = columns.front();
    auto type = VectorType::get(plan.columns, builder.getF32Type());
    Value all = vector::FromElementsOp::create(
        builder, loc, type,
        ArrayRef(sums).slice(r * plan.columns, plan.columns));
    vector::StoreOp::create(builder, loc, all, result.get(),
                            getPlace(result, ivs), /*nontemporal=*/false,
                            llvm::MaybeAlign(4 * plan.columns));
  }
}

//===----------------------------------------------------------------------===//
// Matrices
//===----------------------------------------------------------------------===//

Value ContractionEmitter::loadRounded(OpOperand &operand, ArrayRef<Value> ivs) {
  unsigned depth = contraction.depth.front();
  Values at(ivs);
  at[depth] = clamp(at[depth], depth);
  Value element = loadAt(operand, at);
  if (!isEven(depth, plan.rounding == Rounding::BF16 ? 16 : 8)) {
    Value zero = arith::ConstantOp::create(
        builder, loc, builder.getFloatAttr(element.getType(), 0.0));
    element = arith::SelectOp::create(
        builder, loc, isLess(ivs[depth], extents[depth]), element, zero);
  }
  if (plan.rounding == Rounding::BF16 && element.getType().isBF16())
    return element;
  if (!element.getType().isF32())
    element =
        arith::ExtFOp::create(builder, loc, builder.getF32Type(), element);
  if (plan.rounding == Rounding::BF16)
    return arith::TruncFOp::create(builder, loc, builder.getBF16Type(),
                                   element);
  Value bits = NVVM::ConvertFloatToTF32Op::create(
      builder, loc, builder.getI32Type(), element, NVVM::FPRoundingMode::RNA,
      NVVM::SaturationMode::NONE, /*relu=*/false);
  return arith::BitcastOp::create(builder, loc, builder.getF32Type(), bits);
}

void ContractionEmitter::buildMatrixTile(ArrayRef<Value> tile) {
  bool pairs = plan.rounding == Rounding::BF16;
  int64_t perWord = pairs ? 2 : 1, matrices = plan.columns / MatrixColumns;
  Values ivs(op.getNumLoops());
  for (auto [loop, at] : llvm::zip(contraction.outer, tile))
    ivs[loop] = at;
  Value lane = rem(launch.getThreadIds().x, index(WarpSize));
  Value group = div(lane, index(4)), word = rem(lane, index(4));
  Value row = add(mul(tile[tile.size() - 2], index(plan.rows)), group);
  Value column = mul(tile.back(), index(plan.columns));
  // The factor that has the rows is the first of the product.
  OpOperand *first = op.getDpsInputOperand(0),
            *second = op.getDpsInputOperand(1);
  if (!op.getMatchingIndexingMap(first).isFunctionOfDim(contraction.rows))
    std::swap(first, second);
  auto at = [&](unsigned loop, Value place) {
    Values there(ivs);
    there[loop] = place;
    return there;
  };
  auto sumType = VectorType::get({2, 2}, builder.getF32Type());
  // Where element (half, i) of the sums of matrix n is.
  auto place = [&](int64_t n, int64_t half, int64_t i) {
    Values there(ivs);
    there[contraction.rows] = add(row, index(8 * half));
    there[contraction.columns] =
        add(column, add(mul(word, index(2)), index(n * MatrixColumns + i)));
    return there;
  };
  Value zeros =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(sumType));
  Values sums(matrices, zeros);
  Type element = pairs ? Type(builder.getBF16Type()) : builder.getF32Type();
  // Words `word` and `word + 4` of a step, each of one or two elements.
  auto loadWord = [&](OpOperand &operand, Values there, Value step,
                      int64_t half, Value into, int64_t position) {
    for (int64_t i = 0; i < perWord; ++i) {
      there[contraction.depth.front()] = add(
          step, add(mul(word, index(perWord)), index(4 * perWord * half + i)));
      into = vector::InsertOp::create(builder, loc, loadRounded(operand, there),
                                      into, ArrayRef<int64_t>{position, i});
    }
    return into;
  };
  sums =
      buildDepth(sums, 8 * perWord, [&](ValueRange step, ValueRange carried) {
        auto inputType = VectorType::get({4, perWord}, element);
        Value input = arith::ConstantOp::create(builder, loc,
                                                builder.getZeroAttr(inputType));
        for (int64_t half = 0; half < 2; ++half)
          for (int64_t lower = 0; lower < 2; ++lower) {
            Value there = clamp(add(row, index(8 * lower)), contraction.rows);
            input = loadWord(*first, at(contraction.rows, there), step[0], half,
                             input, 2 * half + lower);
          }
        auto weightType = VectorType::get({2, perWord}, element);
        Values next;
        for (int64_t n = 0; n < matrices; ++n) {
          Value there = clamp(add(add(column, group), index(n * MatrixColumns)),
                              contraction.columns);
          Value weights = arith::ConstantOp::create(
              builder, loc, builder.getZeroAttr(weightType));
          for (int64_t half = 0; half < 2; ++half)
            weights = loadWord(*second, at(contraction.columns, there), step[0],
                               half, weights, half);
          next.push_back(
              nvgpu::MmaSyncOp::create(builder, loc, input, weights, carried[n],
                                       ArrayRef<int64_t>{16, 8, pairs ? 16 : 8},
                                       /*tf32Enabled=*/!pairs));
        }
        return next;
      });
  for (int64_t n = 0; n < matrices; ++n)
    for (int64_t half = 0; half < 2; ++half)
      for (int64_t i = 0; i < 2; ++i) {
        Values there = place(n, half, i);
        Value sum = vector::ExtractOp::create(builder, loc, sums[n],
                                              ArrayRef<int64_t>{half, i});
        storeAt(there, sum, !contraction.fill);
      }
}

void ContractionEmitter::build() {
  auto region = scf::ExecuteRegionOp::create(builder, loc, TypeRange());
  region->setAttr(ByThreadAttrName, builder.getUnitAttr());
  builder.createBlock(&region.getRegion());
  for (const Range &range :
       cast<linalg::LinalgOp>(*op).createLoopRanges(builder, loc))
    extents.push_back(
        getValueOrCreateConstantIndexOp(builder, loc, range.size));
  rowTiles = builder.createOrFold<arith::CeilDivSIOp>(
      loc, extents[contraction.rows], index(plan.rows));
  columnTiles = builder.createOrFold<arith::CeilDivSIOp>(
      loc, extents[contraction.columns], index(plan.columns));
  buildTiles([&](ArrayRef<Value> tile) {
    plan.rounding == Rounding::None ? buildRegisterTile(tile)
                                    : buildMatrixTile(tile);
  });
  scf::YieldOp::create(builder, loc);
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct MapContractionsPass
    : weir::impl::MapContractionsBase<MapContractionsPass> {
  using MapContractionsBase::MapContractionsBase;

  void runOnOperation() override {
    Rounding to = rounding == "tf32"   ? Rounding::TF32
                  : rounding == "bf16" ? Rounding::BF16
                                       : Rounding::None;
    getOperation()->walk([&](gpu::LaunchOp launch) {
      auto sharedBy = launch->getAttrOfType<StringAttr>(SharedByAttrName);
      std::optional<int64_t> threads =
          getConstantIntValue(launch.getBlockSizeX());
      if (!sharedBy || sharedBy.getValue() != "block" || !threads)
        return;
      SmallVector<linalg::GenericOp> generics;
      launch.walk([&](linalg::GenericOp op) { generics.push_back(op); });
      for (linalg::GenericOp op : generics) {
        std::optional<Contraction> contraction = matchContraction(op);
        if (!contraction)
          continue;
        std::optional<ContractionPlan> plan =
            planContraction(*contraction, *threads, to);
        if (!plan)
          continue;
        ContractionEmitter(launch, *contraction, *plan).build();
        op.erase();
        if (contraction->fill)
          contraction->fill.erase();
      }
    });
  }
};
} // namespace
