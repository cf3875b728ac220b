//===- ProductTiles.cpp - Products by tiles of shared memory ----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A loop over tiles of the result, and in it one over steps of the reduction. A
// step needs 128 bytes of each row of the input, and 32 rows of the weight's
// panel. Its copies to shared memory begin `stages - 1` steps before; threads
// wait for their own, meet, begin those of a later step, and multiply.
//
// 16 bytes of a row are a piece. Where lanes read pieces of several rows at
// once, pieces lie permuted: piece p of row r of the input at p ^ (r % 8). Of
// the weight's words as matrices read them, four neighbouring rows by eight
// columns, word w of row r lies at w ^ (r % 4 * 8).
//
//===----------------------------------------------------------------------===//

#include "ProductTiles.h"
#include "KernelAttrs.h"
#include "ProductEmitter.h"

using namespace mlir;
using namespace weir;

ProductEmitter::ProductEmitter(gpu::LaunchOp launch, PackedProduct &product,
                               const ProductPlan &plan)
    : launch(launch), product(product), plan(plan), builder(product.op),
      loc(product.op.getLoc()) {
  inputBytes = product.getInputType().getIntOrFloatBitWidth() / 8;
  weightBytes = product.getWeightType().getIntOrFloatBitWidth() / 8;
}

Value ProductEmitter::index(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}
Value ProductEmitter::add(Value a, Value b) {
  return builder.createOrFold<arith::AddIOp>(loc, a, b);
}
Value ProductEmitter::add(Value a, int64_t b) { return add(a, index(b)); }
Value ProductEmitter::sub(Value a, Value b) {
  return builder.createOrFold<arith::SubIOp>(loc, a, b);
}
Value ProductEmitter::mul(Value a, int64_t b) {
  return builder.createOrFold<arith::MulIOp>(loc, a, index(b));
}
Value ProductEmitter::div(Value a, int64_t b) {
  return builder.createOrFold<arith::DivUIOp>(loc, a, index(b));
}
Value ProductEmitter::rem(Value a, int64_t b) {
  return builder.createOrFold<arith::RemUIOp>(loc, a, index(b));
}
Value ProductEmitter::exclusive(Value a, Value b) {
  return builder.createOrFold<arith::XOrIOp>(loc, a, b);
}
Value ProductEmitter::min(Value a, Value b) {
  return builder.createOrFold<arith::MinSIOp>(loc, a, b);
}
Value ProductEmitter::max(Value a, Value b) {
  return builder.createOrFold<arith::MaxSIOp>(loc, a, b);
}
Value ProductEmitter::isLess(Value a, Value b) {
  return builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, a,
                                             b);
}

void ProductEmitter::buildIf(Value condition, llvm::function_ref<void()> body) {
  auto branch = scf::IfOp::create(builder, loc, condition);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  body();
}

Value ProductEmitter::allocate(ArrayRef<int64_t> shape, Type element) {
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  for (int64_t extent : shape)
    bytes *= extent;
  auto space = gpu::AddressSpaceAttr::get(builder.getContext(),
                                          gpu::AddressSpace::Workgroup);
  auto memory = MemRefType::get({bytes}, builder.getI8Type(),
                                MemRefLayoutAttrInterface(), space);
  auto type =
      MemRefType::get(shape, element, MemRefLayoutAttrInterface(), space);
  return memref::ViewOp::create(builder, loc, type,
                                launch.addWorkgroupAttribution(memory, loc),
                                index(0), ValueRange());
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

/// Calls `copy` with the number of each piece that the thread takes of
/// `pieces`.
void ProductEmitter::sharePieces(int64_t pieces,
                                 llvm::function_ref<void(Value)> copy) {
  for (int64_t first = 0; first < pieces; first += ProductThreads) {
    Value piece = add(thread, first);
    if (first + ProductThreads <= pieces)
      copy(piece);
    else
      buildIf(isLess(piece, index(pieces)), [&] { copy(piece); });
  }
}

SmallVector<Value> ProductEmitter::splitRow(Value row) {
  SmallVector<Value> indices(rowExtents.size(), index(0));
  SmallVector<unsigned> large;
  auto shape = cast<MemRefType>(product.getInput().getType()).getShape();
  for (unsigned axis = 0; axis < rowExtents.size(); ++axis)
    if (shape[axis] != 1)
      large.push_back(axis);
  while (large.size() > 1) {
    unsigned axis = large.pop_back_val();
    indices[axis] = arith::RemUIOp::create(builder, loc, row, rowExtents[axis]);
    row = arith::DivUIOp::create(builder, loc, row, rowExtents[axis]);
  }
  if (!large.empty())
    indices[large.front()] = row;
  return indices;
}

Value ProductEmitter::placeInput(Value row, Value column) {
  int64_t perPiece = 16 / inputBytes;
  Value piece = exclusive(div(column, perPiece), rem(row, 8));
  return add(mul(piece, perPiece), rem(column, perPiece));
}

Value ProductEmitter::placeWeight(Value row, Value word) {
  return plan.matrices ? exclusive(word, mul(rem(row, 4), 8)) : word;
}

void ProductEmitter::copyInput(Value step, Value stage) {
  int64_t elements = plan.inputBytes / inputBytes;
  int64_t perRow = plan.depth / elements;
  sharePieces(plan.rows * perRow, [&](Value number) {
    Value row = div(number, perRow);
    Value column = mul(rem(number, perRow), elements);
    Value from = add(mul(step, plan.depth), column);
    Value source = add(firstRow, row);
    // Rows and columns that are not there are zeros.
    Value taken = min(max(sub(index(product.reduction), from), index(0)),
                      index(elements));
    taken = arith::SelectOp::create(builder, loc, isLess(source, rowCount),
                                    taken, index(0));
    SmallVector<Value> at = splitRow(min(source, sub(rowCount, index(1))));
    at.push_back(arith::SelectOp::create(
        builder, loc, isLess(from, index(product.reduction)), from, index(0)));
    copies.push_back(nvgpu::DeviceAsyncCopyOp::create(
        builder, loc, nvgpu::DeviceAsyncTokenType::get(builder.getContext()),
        inputTile, ValueRange{stage, row, placeInput(row, column)},
        product.getInput(), at, builder.getIndexAttr(elements), taken,
        plan.inputBytes == 16 ? builder.getUnitAttr() : UnitAttr()));
  });
}

void ProductEmitter::copyWeight(Value step, Value stage) {
  int64_t rowBytes = getWeightRowBytes(product);
  int64_t perRow = rowBytes / 16, elements = 16 / weightBytes;
  int64_t rows = product.pairs ? product.reduction / 2 : product.reduction;
  sharePieces(WeightRows * perRow, [&](Value number) {
    Value row = div(number, perRow);
    Value word = mul(rem(number, perRow), 4);
    Value from = add(mul(step, WeightRows), row);
    Value there = isLess(from, index(rows));
    Value taken =
        arith::SelectOp::create(builder, loc, there, index(elements), index(0));
    SmallVector<Value> at(panelIndices);
    at.push_back(arith::SelectOp::create(builder, loc, there, from, index(0)));
    int64_t perWord = 4 / weightBytes;
    // A pair is a word.
    at.push_back(product.pairs ? word : mul(word, perWord));
    if (product.pairs)
      at.push_back(index(0));
    copies.push_back(nvgpu::DeviceAsyncCopyOp::create(
        builder, loc, nvgpu::DeviceAsyncTokenType::get(builder.getContext()),
        weightTile,
        ValueRange{stage, row, mul(placeWeight(row, word), perWord)},
        product.load.getMemRef(), at, builder.getIndexAttr(elements), taken,
        builder.getUnitAttr()));
  });
}

Value ProductEmitter::beginStep(Value step) {
  Value stage = rem(step, plan.stages);
  copies.clear();
  buildIf(isLess(step, index(plan.steps)), [&] {
    copyInput(step, stage);
    copyWeight(step, stage);
  });
  // Groups are counted: one for each step, even one that is none.
  return nvgpu::DeviceAsyncCreateGroupOp::create(
      builder, loc, nvgpu::DeviceAsyncTokenType::get(builder.getContext()),
      ValueRange());
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

void ProductEmitter::findPanelIndices() {
  panelIndices.clear();
  IRMapping mapping;
  mapping.map(product.panel, tileColumn);
  Block *body = product.op.getBlock();
  unsigned count = product.load.getIndices().size() - (product.pairs ? 3 : 2);
  llvm::SetVector<Operation *> needed;
  SmallVector<Value> open(product.load.getIndices().take_front(count));
  while (!open.empty()) {
    Value value = open.pop_back_val();
    Operation *source = value.getDefiningOp();
    if (value == product.panel || !source || source->getBlock() != body ||
        !needed.insert(source))
      continue;
    llvm::append_range(open, source->getOperands());
  }
  for (Operation &op : body->without_terminator())
    if (needed.contains(&op))
      builder.clone(op, mapping);
  for (Value index : product.load.getIndices().take_front(count))
    panelIndices.push_back(mapping.lookupOrDefault(index));
}

void ProductEmitter::buildTile() {
  findPanelIndices();
  Value group;
  for (int64_t step = 0; step + 1 < plan.stages; ++step)
    group = beginStep(index(step));
  auto loop = scf::ForOp::create(builder, loc, index(0), index(plan.steps),
                                 index(1), startSums());
  {
    OpBuilder::InsertionGuard guard(builder);
    Block *body = loop.getBody();
    if (!body->empty() && body->back().hasTrait<OpTrait::IsTerminator>())
      body->back().erase();
    builder.setInsertionPointToStart(body);
    Value step = loop.getInductionVar();
    nvgpu::DeviceAsyncWaitOp::create(
        builder, loc, group,
        builder.getI32IntegerAttr(static_cast<int32_t>(plan.stages) - 2));
    gpu::BarrierOp::create(builder, loc);
    beginStep(add(step, plan.stages - 1));
    SmallVector<Value> sums =
        multiplyStep(rem(step, plan.stages), loop.getRegionIterArgs());
    scf::YieldOp::create(builder, loc, sums);
  }
  storeSums(loop.getResults());
}

void ProductEmitter::addToResult(Value row, Value column, Value sum) {
  SmallVector<Value> at = splitRow(row);
  at.push_back(column);
  if (!product.fill) {
    Value before =
        memref::LoadOp::create(builder, loc, product.getResult(), at);
    sum = arith::AddFOp::create(builder, loc, before, sum);
  }
  memref::StoreOp::create(builder, loc, sum, product.getResult(), at);
}

void ProductEmitter::storeRow(Value row, Value column, ValueRange sums) {
  row = add(firstRow, row);
  buildIf(isLess(row, rowCount), [&] {
    for (unsigned i = 0; i < sums.size(); ++i) {
      Value at = add(add(firstColumn, column), i);
      buildIf(isLess(at, columnCount), [&] { addToResult(row, at, sums[i]); });
    }
  });
}

void ProductEmitter::beginRegion() {
  auto region = scf::ExecuteRegionOp::create(builder, loc, TypeRange());
  region->setAttr(ByThreadAttrName, builder.getUnitAttr());
  builder.createBlock(&region.getRegion());
  thread = launch.getThreadIds().x;
  Value input = product.getInput(), result = product.getResult();
  auto type = cast<MemRefType>(input.getType());
  rowCount = index(1);
  for (int64_t axis = 0; axis + 1 < type.getRank(); ++axis) {
    rowExtents.push_back(builder.createOrFold<memref::DimOp>(loc, input, axis));
    rowCount =
        builder.createOrFold<arith::MulIOp>(loc, rowCount, rowExtents.back());
  }
  columnCount =
      builder.createOrFold<memref::DimOp>(loc, result, type.getRank() - 1);
}

void ProductEmitter::buildTileLoop(bool byGrid, Value count,
                                   llvm::function_ref<Value(Value)> body) {
  Value rowTiles =
      builder.createOrFold<arith::CeilDivSIOp>(loc, rowCount, index(plan.rows));
  Value columnTiles = builder.createOrFold<arith::CeilDivSIOp>(
      loc, columnCount, index(ProductColumns));
  Value tiles = builder.createOrFold<arith::MulIOp>(loc, rowTiles, columnTiles);
  Value first = byGrid ? launch.getBlockIds().x : index(0);
  Value step = byGrid ? launch.getGridSizeX() : index(1);
  auto loop = scf::ForOp::create(builder, loc, first, tiles, step,
                                 count ? ValueRange(count) : ValueRange());
  OpBuilder::InsertionGuard guard(builder);
  Block *block = loop.getBody();
  if (!block->empty() && block->back().hasTrait<OpTrait::IsTerminator>())
    block->back().erase();
  builder.setInsertionPointToStart(block);
  Value tile = loop.getInductionVar();
  tileColumn = arith::RemUIOp::create(builder, loc, tile, columnTiles);
  firstColumn = mul(tileColumn, ProductColumns);
  firstRow =
      mul(arith::DivUIOp::create(builder, loc, tile, columnTiles), plan.rows);
  Value next = body(count ? loop.getRegionIterArg(0) : Value());
  scf::YieldOp::create(builder, loc, next ? ValueRange(next) : ValueRange());
}

void ProductEmitter::build(bool byGrid) {
  beginRegion();
  inputTile =
      allocate({plan.stages, plan.rows, plan.depth}, product.getInputType());
  weightTile = allocate(
      {plan.stages, WeightRows, getWeightRowBytes(product) / weightBytes},
      product.getWeightType());
  if (plan.splits)
    sumTile = allocate({ProductThreads / 16, plan.rows, ProductColumns},
                       builder.getF32Type());

  if (plan.single && !byGrid) {
    tileColumn = firstColumn = firstRow = index(0);
    // An expert's block may have no rows; known extents fold the branch away.
    if (getConstantIntValue(rowCount))
      buildTile();
    else
      buildIf(isLess(index(0), rowCount), [&] { buildTile(); });
  } else {
    buildTileLoop(byGrid, Value(), [&](Value) {
      buildTile();
      // The next tile's copies go where this one's were.
      gpu::BarrierOp::create(builder, loc);
      return Value();
    });
  }
  scf::YieldOp::create(builder, loc);
}

void weir::buildProduct(gpu::LaunchOp launch, PackedProduct &product,
                        const ProductPlan &plan) {
  auto sharedBy = launch->getAttrOfType<StringAttr>(SharedByAttrName);
  ProductEmitter(launch, product, plan).build(sharedBy.getValue() == "grid");
}
