//===- WarpgroupProducts.cpp - Products by warpgroups -----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block is a warpgroup, which multiplies, and one thread of another warp,
// which copies. What is A to `wgmma`, of 64 rows, are the 64 columns of a
// panel: a word of a weight in pairs is a register of A as it is, so that lanes
// load words from shared memory. B, whose columns are rows of the input, is
// read from there by the hardware.
//
// A stage has 64 steps of the reduction: 128 bytes of each row of the input,
// and 32 rows of the panel. Each has two barriers in memory. `full` ends a
// phase when the copies of both boxes are there, `empty` when all four warps
// have multiplied. The copier waits for `empty`, announces the bytes and begins
// the copies; the others wait for `full`. Neither waits for the other
// otherwise, nor do tiles of the result: stages go on from one to the next.
//
// Boxes are permuted by hardware: sixteen-byte piece p of row r of 128 bytes
// lies at p ^ (r % 8). Rows of the panel are two of these, so that the lanes of
// a warp, which load four pairs of eight columns, need each bank once.
//
//===----------------------------------------------------------------------===//

#include "KernelAttrs.h"
#include "ProductEmitter.h"
#include "TensorMaps.h"
#include "WarpgroupCode.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weir;

/// Words of a stage of a panel, and of a step of a product's 16 along it.
static constexpr int64_t StageWords = WeightRows * ProductColumns;
static constexpr int64_t StepWords = 8 * ProductColumns;
/// Steps of the reduction of a product, and products of a stage.
static constexpr int64_t StageProducts = 4;
/// Bytes of a row of a box, and of steps of one product of it.
static constexpr int64_t BoxRowBytes = 128;
static constexpr int64_t ProductBytes = BoxRowBytes / StageProducts;
/// Rows of the input for which a warpgroup is not worth it.
static constexpr int64_t FewRows = 8;
/// Warps that multiply.
static constexpr int64_t Multipliers = ProductThreads / WarpSize;

namespace {
/// Writes the loops of one product in front of it.
class WarpgroupEmitter : public ProductEmitter {
public:
  WarpgroupEmitter(gpu::LaunchOp launch, PackedProduct &product,
                   const ProductPlan &plan, MappedRows rows)
      : ProductEmitter(launch, product, plan), rows(std::move(rows)) {}

  void build(bool byGrid);

private:
  void buildBarriers();
  void endBarriers();
  /// The tile at hand, whose first stage is number `count` of all.
  void buildTile(Value count);
  void buildCopies(Value count);
  void buildProducts(Value count);
  Values multiplyStage(Value stage, ValueRange sums);
  void storeSums(ValueRange sums);

  Value toInt(Value index, unsigned bits) {
    return arith::IndexCastOp::create(builder, loc,
                                      builder.getIntegerType(bits), index);
  }
  /// The address of a shared buffer and of byte `offset` of it.
  Value getAddress(Value buffer, Value offset);
  Value getPointer(Value buffer, Value offset);
  Value getFull(Value stage) { return getPointer(barrierTile, mul(stage, 8)); }
  Value getEmpty(Value stage) {
    return getPointer(barrierTile, mul(add(stage, plan.stages), 8));
  }
  /// Waits for the end of the phase of a barrier whose parity is that of
  /// `round`.
  void waitForPhase(Value barrier, Value round);
  void copyBox(Value tile, Value offset, Value map, ArrayRef<Value> place,
               Value barrier);
  /// The row of the tensor that the tile at hand begins at.
  Value findFirstRow();

  MappedRows rows;
  Value inputMap, weightMap;
  Value barrierTile;
};
} // namespace

Value WarpgroupEmitter::getAddress(Value buffer, Value offset) {
  Value start =
      memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, buffer);
  return toInt(add(start, offset), 64);
}

Value WarpgroupEmitter::getPointer(Value buffer, Value offset) {
  auto type = LLVM::LLVMPointerType::get(builder.getContext(), SharedSpace);
  return LLVM::IntToPtrOp::create(builder, loc, type,
                                  getAddress(buffer, offset));
}

//===----------------------------------------------------------------------===//
// Barriers in memory
//===----------------------------------------------------------------------===//

void WarpgroupEmitter::buildBarriers() {
  Value first = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                      thread, index(0));
  buildIf(first, [&] {
    auto begin = [&](Value barrier, int64_t arrivals) {
      NVVM::MBarrierInitOp::create(builder, loc, barrier,
                                   toInt(index(arrivals), 32), Value());
    };
    for (int64_t stage = 0; stage < plan.stages; ++stage) {
      begin(getFull(index(stage)), 1);
      begin(getEmpty(index(stage)), Multipliers);
    }
    NVVM::FenceMbarrierInitOp::create(builder, loc);
  });
  gpu::BarrierOp::create(builder, loc);
}

void WarpgroupEmitter::endBarriers() {
  gpu::BarrierOp::create(builder, loc);
  Value first = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                      thread, index(0));
  buildIf(first, [&] {
    for (int64_t stage = 0; stage < plan.stages; ++stage) {
      NVVM::MBarrierInvalOp::create(builder, loc, getFull(index(stage)));
      NVVM::MBarrierInvalOp::create(builder, loc, getEmpty(index(stage)));
    }
  });
}

void WarpgroupEmitter::waitForPhase(Value barrier, Value round) {
  Value parity = toInt(rem(round, 2), 32);
  scf::WhileOp::create(
      builder, loc, TypeRange(), ValueRange(),
      [&](OpBuilder &b, Location l, ValueRange) {
        Value done = NVVM::MBarrierTryWaitOp::create(b, l, b.getI1Type(),
                                                     barrier, parity, Value());
        Value yes = arith::ConstantIntOp::create(b, l, 1, 1);
        Value again = arith::XOrIOp::create(b, l, done, yes);
        scf::ConditionOp::create(b, l, again, ValueRange());
      },
      [&](OpBuilder &b, Location l, ValueRange) {
        scf::YieldOp::create(b, l);
      });
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

Value WarpgroupEmitter::findFirstRow() {
  Value row = index(0);
  for (auto [axis, offset] : llvm::enumerate(rows.offsets)) {
    if (axis > 0)
      row = builder.createOrFold<arith::MulIOp>(
          loc, row, builder.createOrFold<memref::DimOp>(loc, rows.root, axis));
    row = add(row, getValueOrCreateConstantIndexOp(builder, loc, offset));
  }
  return add(row, firstRow);
}

void WarpgroupEmitter::copyBox(Value tile, Value offset, Value map,
                               ArrayRef<Value> place, Value barrier) {
  auto cluster =
      LLVM::LLVMPointerType::get(builder.getContext(), SharedClusterSpace);
  Value target = LLVM::AddrSpaceCastOp::create(builder, loc, cluster,
                                               getPointer(tile, offset));
  Values coordinates;
  for (Value number : place)
    coordinates.push_back(toInt(number, 32));
  NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
      builder, loc, target, map, coordinates, barrier, ValueRange(), Value(),
      Value(), NVVM::TMALoadMode::TILE, /*isCTAOnly=*/false,
      NVVM::CTAGroupKindAttr(), Value());
}

void WarpgroupEmitter::buildCopies(Value count) {
  findPanelIndices();
  Value row = findFirstRow();
  auto loop =
      scf::ForOp::create(builder, loc, index(0), index(plan.steps), index(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value step = loop.getInductionVar();
  Value number = add(count, step);
  Value stage = rem(number, plan.stages);
  // In the first round nobody has to be done: the phase in front of the first
  // one counts as complete.
  waitForPhase(getEmpty(stage), add(div(number, plan.stages), 1));
  Value full = getFull(stage);
  int64_t inputBytes = plan.rows * BoxRowBytes, panelBytes = StageWords * 4;
  NVVM::MBarrierArriveExpectTxOp::create(
      builder, loc, Type(), full, toInt(index(inputBytes + panelBytes), 32),
      NVVM::MemScopeKind::CTA, /*relaxed=*/false, Value());
  copyBox(inputTile, mul(stage, inputBytes), inputMap,
          {mul(step, plan.depth), row}, full);
  Values place = {index(0), index(0), mul(step, WeightRows)};
  llvm::append_range(place, llvm::reverse(panelIndices));
  copyBox(weightTile, mul(stage, panelBytes), weightMap, place, full);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

ProductEmitter::Values WarpgroupEmitter::multiplyStage(Value stage,
                                                       ValueRange sums) {
  Value warp = div(thread, WarpSize), lane = rem(thread, WarpSize);
  Value group = div(lane, 4), member = rem(lane, 4);
  // A panel's row is two rows of a box; columns of a warp are in one of them.
  Value half = div(warp, 2);
  Value turn = add(mul(member, 2), half);
  Values factors;
  Value places[2];
  for (int64_t lower = 0; lower < 2; ++lower) {
    Value piece = add(add(mul(rem(warp, 2), 4), div(group, 4)), 2 * lower);
    Value inRow = add(mul(exclusive(piece, turn), 4), rem(group, 4));
    places[lower] = add(
        add(mul(member, ProductColumns), mul(half, ProductColumns / 2)), inRow);
  }
  for (int64_t product = 0; product < StageProducts; ++product)
    for (int64_t i = 0; i < WarpgroupFactors; ++i)
      factors.push_back(memref::LoadOp::create(
          builder, loc, weightTile,
          ValueRange{stage, add(places[i % 2],
                                product * StepWords + i / 2 * StepWords / 2)}));
  NVVM::WgmmaFenceAlignedOp::create(builder, loc);
  Values results(sums);
  for (int64_t product = 0; product < StageProducts; ++product) {
    // The start, in units of 16 bytes; 1024 bytes from eight rows to the next;
    // pieces permuted as boxes of 128 bytes.
    constexpr int64_t layout =
        int64_t(1) << 62 | int64_t(1024 / 16) << 32 | int64_t(1) << 16;
    Value offset =
        add(mul(stage, plan.rows * BoxRowBytes), product * ProductBytes);
    auto number = [&](int64_t value) -> Value {
      return arith::ConstantIntOp::create(builder, loc, value, 64);
    };
    Value start = arith::AndIOp::create(
        builder, loc, getAddress(inputTile, offset), number(0x3ffff));
    start = arith::ShRUIOp::create(builder, loc, start, number(4));
    Value descriptor =
        arith::OrIOp::create(builder, loc, start, number(layout));
    results = emitWarpgroupProduct(
        builder, loc, results,
        ValueRange(factors).slice(product * WarpgroupFactors, WarpgroupFactors),
        descriptor);
  }
  NVVM::WgmmaGroupSyncAlignedOp::create(builder, loc);
  return emitWarpgroupWait(builder, loc, results, 0);
}

void WarpgroupEmitter::buildProducts(Value count) {
  Value zero = arith::ConstantOp::create(
      builder, loc, builder.getZeroAttr(builder.getF32Type()));
  auto loop = scf::ForOp::create(builder, loc, index(0), index(plan.steps),
                                 index(1), Values(plan.rows / 2, zero));
  {
    OpBuilder::InsertionGuard guard(builder);
    Block *body = loop.getBody();
    if (!body->empty() && body->back().hasTrait<OpTrait::IsTerminator>())
      body->back().erase();
    builder.setInsertionPointToStart(body);
    Value number = add(count, loop.getInductionVar());
    Value stage = rem(number, plan.stages);
    waitForPhase(getFull(stage), div(number, plan.stages));
    Values sums = multiplyStage(stage, loop.getRegionIterArgs());
    // One lane arrives for all, which have loaded their words before.
    NVVM::SyncWarpOp::create(
        builder, loc, arith::ConstantIntOp::create(builder, loc, -1, 32));
    Value first = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        rem(thread, WarpSize), index(0));
    buildIf(first, [&] {
      NVVM::MBarrierArriveOp::create(builder, loc, Type(), getEmpty(stage),
                                     Value(), NVVM::MemScopeKind::CTA,
                                     /*relaxed=*/false);
    });
    scf::YieldOp::create(builder, loc, sums);
  }
  storeSums(loop.getResults());
}

void WarpgroupEmitter::storeSums(ValueRange sums) {
  Value warp = div(thread, WarpSize), lane = rem(thread, WarpSize);
  Value group = div(lane, 4), member = rem(lane, 4);
  for (int64_t lower = 0; lower < 2; ++lower) {
    Value column = add(firstColumn, add(add(mul(warp, 16), group), 8 * lower));
    buildIf(isLess(column, columnCount), [&] {
      for (int64_t i = 0; i < plan.rows / 4; ++i) {
        // Four sums of eight rows of the input: two of a column, two of the
        // column eight behind.
        int64_t eight = i / 2, next = i % 2;
        Value row = add(add(firstRow, mul(member, 2)), eight * 8 + next);
        Value sum = sums[eight * 4 + lower * 2 + next];
        buildIf(isLess(row, rowCount), [&] { addToResult(row, column, sum); });
      }
    });
  }
}

void WarpgroupEmitter::buildTile(Value count) {
  auto roles = scf::IfOp::create(builder, loc, TypeRange(),
                                 isLess(thread, index(ProductThreads)),
                                 /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(roles.thenBlock());
  buildProducts(count);
  builder.setInsertionPointToStart(roles.elseBlock());
  Value copier = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                       thread, index(ProductThreads));
  buildIf(copier, [&] { buildCopies(count); });
}

void WarpgroupEmitter::build(bool byGrid) {
  inputMap = buildRowsMap(launch, rows.root, plan.rows);
  weightMap = buildPairsMap(launch, product.load.getMemRef(), WeightRows);
  beginRegion();
  inputTile =
      allocate({plan.stages, plan.rows, plan.depth}, product.getInputType());
  weightTile = allocate({plan.stages, StageWords}, builder.getI32Type());
  barrierTile = allocate({2 * plan.stages}, builder.getI64Type());
  buildBarriers();
  Value zero = index(0);
  auto buildOne = [&] {
    tileColumn = firstColumn = firstRow = index(0);
    buildTile(zero);
  };
  if (plan.single && !byGrid) {
    // An expert's block may have no rows; known extents fold the branch away.
    if (getConstantIntValue(rowCount))
      buildOne();
    else
      buildIf(isLess(zero, rowCount), buildOne);
  } else {
    buildTileLoop(byGrid, zero, [&](Value count) {
      buildTile(count);
      return add(count, plan.steps);
    });
  }
  endBarriers();
  scf::YieldOp::create(builder, loc);
}

//===----------------------------------------------------------------------===//
// Plans
//===----------------------------------------------------------------------===//

std::optional<ProductPlan>
weir::planWarpgroupProduct(gpu::LaunchOp launch, PackedProduct &product,
                           int64_t bytes, int64_t stages, std::string &why) {
  if (!product.pairs || !product.getInputType().isBF16() ||
      !product.getWeightType().isBF16()) {
    why = "its factors are not both bf16";
    return std::nullopt;
  }
  if (!findMappedRows(launch, product, why) ||
      !isMappedWeight(launch, product, why))
    return std::nullopt;
  ProductPlan plan;
  std::optional<int64_t> bound = boundTile(product, WarpgroupRows, plan);
  if (bound && *bound <= FewRows) {
    why = "with so few rows it is memory that takes the time";
    return std::nullopt;
  }
  plan.rows =
      llvm::alignTo(std::min(bound.value_or(WarpgroupRows), WarpgroupRows), 8);
  plan.matrices = true;
  plan.depth = BoxRowBytes / 2;
  plan.steps = llvm::divideCeil(product.reduction, plan.depth);
  for (plan.stages = std::min(stages, std::max<int64_t>(2, plan.steps));
       plan.stages >= 2; --plan.stages)
    if (plan.stages * (plan.rows * BoxRowBytes + StageWords * 4 + 16) <= bytes)
      return plan;
  why = "too little shared memory for two stages";
  return std::nullopt;
}

void weir::buildWarpgroupProduct(gpu::LaunchOp launch, PackedProduct &product,
                                 const ProductPlan &plan) {
  std::string why;
  std::optional<MappedRows> rows = findMappedRows(launch, product, why);
  auto sharedBy = launch->getAttrOfType<StringAttr>(SharedByAttrName);
  WarpgroupEmitter(launch, product, plan, std::move(*rows))
      .build(sharedBy.getValue() == "grid");
}
