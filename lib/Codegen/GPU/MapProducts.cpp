//===- MapProducts.cpp - Products in kernels by tiles -----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product with a packed weight is found by its body: a sum of the input's
// elements times those of the weight, which the body reads by the column's
// panel and lane. How it is computed is planned, and then written by
// ProductTiles.cpp.
//
//===----------------------------------------------------------------------===//

#include "BufferFacts.h"
#include "KernelAttrs.h"
#include "ProductTiles.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "weir/Codegen/ExtentBounds.h"
#include "weir/Codegen/GPUPasses.h"
#include "llvm/Support/MathExtras.h"

namespace weir {
#define GEN_PASS_DEF_MAPPRODUCTS
#include "weir/Codegen/GPUPasses.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

//===----------------------------------------------------------------------===//
// Recognition
//===----------------------------------------------------------------------===//

/// Whether `value` is the index of loop `loop`.
static bool isLoopIndex(Value value, unsigned loop) {
  auto index = value.getDefiningOp<linalg::IndexOp>();
  return index && index.getDim() == loop;
}

/// Whether `value` is the index of loop `loop` divided by `divisor`, or its
/// remainder.
template <typename OpT>
static bool isPartOfIndex(Value value, unsigned loop, int64_t divisor) {
  auto op = value.getDefiningOp<OpT>();
  return op && isLoopIndex(op.getLhs(), loop) &&
         getConstantIntValue(op.getRhs()) == divisor;
}

/// What `value` was before it was widened to f32.
static Value skipExtension(Value value) {
  auto extension = value.getDefiningOp<arith::ExtFOp>();
  return extension ? extension.getIn() : value;
}

/// The panel's number that `value`, computed in the body of `op`, depends on,
/// null where it does on none; nothing when it depends on other loop indices,
/// on elements, or on two of them.
static std::optional<Value> findPanel(linalg::GenericOp op, Value value,
                                      unsigned columns) {
  Value panel;
  SmallVector<Value> open{value};
  while (!open.empty()) {
    Value next = open.pop_back_val();
    if (next.getParentBlock() != op.getBlock())
      continue;
    Operation *source = next.getDefiningOp();
    if (!source)
      return std::nullopt;
    if (isPartOfIndex<arith::DivUIOp>(next, columns, ProductColumns)) {
      if (panel && panel != next)
        return std::nullopt;
      panel = next;
      continue;
    }
    if (isa<linalg::IndexOp>(source) || !isMemoryEffectFree(source))
      return std::nullopt;
    llvm::append_range(open, source->getOperands());
  }
  return panel;
}

/// The factor that `op` reads from a weight, if it is a sum of products.
static memref::LoadOp findWeightLoad(linalg::GenericOp op) {
  Block *body = op.getBlock();
  auto sum =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!sum || !sum.getType().isF32())
    return {};
  Value total = body->getArgument(1);
  Value term = sum.getLhs() == total ? sum.getRhs() : sum.getLhs();
  auto product = term.getDefiningOp<arith::MulFOp>();
  if (!product || (sum.getLhs() != total && sum.getRhs() != total))
    return {};
  Value input = body->getArgument(0);
  for (auto [x, w] : {std::pair(product.getLhs(), product.getRhs()),
                      std::pair(product.getRhs(), product.getLhs())})
    if (skipExtension(x) == input)
      if (auto load = skipExtension(w).getDefiningOp<memref::LoadOp>())
        return load;
  return {};
}

std::optional<PackedProduct> weir::matchPackedProduct(linalg::GenericOp op,
                                                      std::string &why) {
  unsigned loops = op.getNumLoops();
  if (!op.hasPureBufferSemantics() || op.getNumDpsInputs() != 1 ||
      op.getNumDpsInits() != 1 || op.getNumReductionLoops() != 1 || loops < 2 ||
      op.getIteratorTypesArray().back() != utils::IteratorType::reduction ||
      !isa<MemRefType>(op.getDpsInputs()[0].getType()))
    return std::nullopt;
  unsigned columns = loops - 2, depth = loops - 1;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  AffineMap all = AffineMap::getMultiDimIdentityMap(loops, op.getContext());
  if (maps[0] != all.dropResult(columns) || maps[1] != all.dropResult(depth))
    return std::nullopt;
  PackedProduct product;
  product.op = op;
  product.fill = findZeroFill(op);
  product.load = findWeightLoad(op);
  if (!product.load) {
    bool sumsFloats =
        isa<FloatType>(getElementTypeOrSelf(product.getResult().getType()));
    if (sumsFloats && !op.getBlock()->getOps<memref::LoadOp>().empty())
      why = "what its body reads is no weight of floats";
    return std::nullopt;
  }
  product.reduction =
      cast<MemRefType>(product.getInput().getType()).getShape().back();
  // From here on it is a product with some weight.
  OperandRange at = product.load.getIndices();
  unsigned rank = at.size();
  ArrayRef<int64_t> shape = product.load.getMemRefType().getShape();
  product.pairs =
      rank >= 4 && isPartOfIndex<arith::RemUIOp>(at[rank - 1], depth, 2);
  unsigned lane = product.pairs ? rank - 2 : rank - 1;
  bool packed =
      rank >= 3 && shape[lane] == ProductColumns &&
      isPartOfIndex<arith::RemUIOp>(at[lane], columns, ProductColumns) &&
      (product.pairs ? isPartOfIndex<arith::DivUIOp>(at[lane - 1], depth, 2)
                     : isLoopIndex(at[lane - 1], depth));
  if (packed) {
    for (Value index : at.take_front(lane - 1)) {
      std::optional<Value> panel = findPanel(op, index, columns);
      packed &= panel.has_value() &&
                (!*panel || !product.panel || product.panel == *panel);
      if (packed && *panel)
        product.panel = *panel;
    }
    packed &= product.panel != nullptr;
  }
  if (!packed) {
    why = "its weight is not in panels of 64 columns";
    return std::nullopt;
  }
  auto isShared = [](Value buffer) {
    return gpu::GPUDialect::hasWorkgroupMemoryAddressSpace(
        cast<MemRefType>(buffer.getType()));
  };
  if (ShapedType::isDynamic(product.reduction)) {
    why = "its reduction has no static extent";
    return std::nullopt;
  }
  if (isShared(product.getInput()) || isShared(product.load.getMemRef())) {
    why = "a factor is in shared memory already";
    return std::nullopt;
  }
  return product;
}

//===----------------------------------------------------------------------===//
// Plans
//===----------------------------------------------------------------------===//

int64_t weir::getWeightRowBytes(PackedProduct &product) {
  return ProductColumns * (product.pairs ? 2 : 1) *
         (product.getWeightType().getIntOrFloatBitWidth() / 8);
}

int64_t ProductPlan::getWeightTileBytes(int64_t rowBytes) const {
  return stages * 32 * rowBytes;
}

int64_t ProductPlan::getSumBytes() const {
  return splits ? ProductThreads / 16 * rows * ProductColumns * 4 : 0;
}

/// The number of rows of `product`, if it has a bound.
static std::optional<int64_t> boundRows(PackedProduct &product) {
  Value input = product.getInput();
  int64_t rows = 1;
  for (int64_t axis = 0; axis + 1 < cast<MemRefType>(input.getType()).getRank();
       ++axis) {
    std::optional<int64_t> bound = boundExtent(input, axis);
    if (!bound)
      return std::nullopt;
    rows *= *bound;
  }
  return rows;
}

std::optional<int64_t> weir::boundTile(PackedProduct &product, int64_t rows,
                                       ProductPlan &plan) {
  std::optional<int64_t> bound = boundRows(product);
  Value result = product.getResult();
  std::optional<int64_t> columns =
      boundExtent(result, cast<MemRefType>(result.getType()).getRank() - 1);
  plan.single =
      bound && *bound <= rows && columns && *columns <= ProductColumns;
  return bound;
}

std::optional<ProductPlan> weir::planProduct(PackedProduct &product,
                                             int64_t bytes, int64_t stages,
                                             bool tf32) {
  Type input = product.getInputType(), weight = product.getWeightType();
  ProductPlan plan;
  if (product.pairs) {
    if (!input.isBF16() || !weight.isBF16() || product.reduction % 2)
      return std::nullopt;
    plan.matrices = true;
  } else {
    if (!input.isF32() ||
        !(weight.isF32() || weight.isBF16() || weight.isF16()))
      return std::nullopt;
    plan.matrices = tf32 && weight.isF32();
  }
  int64_t elementBytes = input.getIntOrFloatBitWidth() / 8;
  plan.inputBytes = findRowAlignment(product.getInput(), 16);
  if (plan.inputBytes < 4)
    return std::nullopt;
  int64_t rows = std::min(
      boundTile(product, ProductRows, plan).value_or(ProductRows), ProductRows);
  plan.splits = !plan.matrices && rows <= 4;
  if (!plan.splits)
    rows = llvm::alignTo(rows, plan.matrices ? 16 : 8);
  plan.rows = std::max<int64_t>(rows, 1);
  plan.depth = 128 / elementBytes;
  plan.steps = llvm::divideCeil(product.reduction, plan.depth);
  // A step under way and one at hand is the least there can be.
  for (plan.stages = std::min(stages, std::max<int64_t>(2, plan.steps));
       plan.stages >= 2; --plan.stages) {
    int64_t wanted = plan.getInputTileBytes() +
                     plan.getWeightTileBytes(getWeightRowBytes(product)) +
                     plan.getSumBytes();
    if (wanted <= bytes)
      return plan;
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Stages of a product by warpgroups: with tiles of 128 rows two blocks have
/// room on a multiprocessor.
static constexpr int64_t WarpgroupStages = 4;

namespace {
struct MapProductsPass : weir::impl::MapProductsBase<MapProductsPass> {
  using MapProductsBase::MapProductsBase;

  void runOnOperation() override {
    getOperation()->walk([&](gpu::LaunchOp launch) {
      if (launch->hasAttr(SharedByAttrName))
        mapIn(launch);
    });
  }

private:
  void mapIn(gpu::LaunchOp launch);
  bool mapToWarpgroups(gpu::LaunchOp launch,
                       MutableArrayRef<PackedProduct> products);
  void miss(linalg::GenericOp op, StringRef why) {
    remark::missed(
        op.getLoc(),
        remark::RemarkOpts::name("MapProduct").category("weir-map-products"))
        << "a product is not computed from shared memory: " << why;
  }
};
} // namespace

/// Bytes of shared memory that `launch` has.
static int64_t countSharedBytes(gpu::LaunchOp launch) {
  int64_t bytes = 0;
  for (BlockArgument buffer : launch.getWorkgroupAttributions()) {
    auto type = cast<MemRefType>(buffer.getType());
    bytes +=
        llvm::alignTo(type.getNumElements() *
                          llvm::divideCeil(type.getElementTypeBitWidth(), 8),
                      SharedAlignment);
  }
  return bytes;
}

bool MapProductsPass::mapToWarpgroups(gpu::LaunchOp launch,
                                      MutableArrayRef<PackedProduct> products) {
  // A launch has one number of threads, for all products in it.
  SmallVector<ProductPlan> plans;
  int64_t bytes = (limit - countSharedBytes(launch)) /
                  static_cast<int64_t>(products.size());
  for (PackedProduct &product : products) {
    std::string why;
    std::optional<ProductPlan> plan =
        planWarpgroupProduct(launch, product, bytes, WarpgroupStages, why);
    if (!plan) {
      remark::missed(
          product.op.getLoc(),
          remark::RemarkOpts::name("MapProduct").category("weir-map-products"))
          << "a product is not computed by warpgroups: " << why;
      return false;
    }
    plans.push_back(*plan);
  }
  OpBuilder builder(launch);
  launch.getBlockSizeXMutable().assign(arith::ConstantIndexOp::create(
      builder, launch.getLoc(), WarpgroupThreads));
  for (auto [product, plan] : llvm::zip(products, plans))
    buildWarpgroupProduct(launch, product, plan);
  return true;
}

void MapProductsPass::mapIn(gpu::LaunchOp launch) {
  SmallVector<PackedProduct> products;
  launch.walk([&](linalg::GenericOp op) {
    std::string why;
    std::optional<PackedProduct> product = matchPackedProduct(op, why);
    if (product)
      products.push_back(*product);
    else if (!why.empty())
      miss(op, why);
  });
  if (products.empty())
    return;
  if (getConstantIntValue(launch.getBlockSizeX()) != ProductThreads) {
    miss(products.front().op, "blocks do not have 128 threads");
    return;
  }
  auto finish = [](PackedProduct &product) {
    product.op.erase();
    if (product.fill)
      product.fill.erase();
  };
  if (warpgroups && mapToWarpgroups(launch, products)) {
    llvm::for_each(products, finish);
    return;
  }
  for (PackedProduct &product : products) {
    std::optional<ProductPlan> plan =
        planProduct(product, limit - countSharedBytes(launch), stages, tf32);
    if (!plan) {
      miss(product.op,
           "types of factors, places of rows that are no multiple of 4 "
           "bytes, or too little shared memory");
      continue;
    }
    buildProduct(launch, product, *plan);
    finish(product);
  }
}
