//===- ContractionPlan.cpp - Contractions and their tiles -------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ContractionPlan.h"
#include "BufferFacts.h"
#include "KernelAttrs.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace weir;

/// What the extent of a loop counts as where nothing bounds it.
static constexpr int64_t ManyElements = 128;

//===----------------------------------------------------------------------===//
// Recognition
//===----------------------------------------------------------------------===//

bool weir::endsWith(AffineMap map, unsigned loop) {
  if (map.getNumResults() == 0)
    return false;
  auto last = dyn_cast<AffineDimExpr>(map.getResults().back());
  return last && last.getPosition() == loop;
}

/// Whether the body of `op` adds a product of its two factors, of f32 or of
/// narrower floats that are extended to it.
static bool isPlainProduct(linalg::GenericOp op) {
  Block *body = op.getBlock();
  auto extensions = body->getOps<arith::ExtFOp>();
  auto size = 3 + std::distance(extensions.begin(), extensions.end());
  if (op.getNumDpsInputs() != 2 ||
      static_cast<int64_t>(body->getOperations().size()) != size)
    return false;
  auto widen = [](Value factor) -> Value {
    if (factor.getType().isF32())
      return factor;
    if (!factor.hasOneUse() || !isa<FloatType>(factor.getType()))
      return nullptr;
    auto wide = dyn_cast<arith::ExtFOp>(*factor.getUsers().begin());
    return wide && wide.getType().isF32() ? wide.getResult() : Value();
  };
  auto sum =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  Value total = body->getArgument(2);
  if (!sum || (sum.getLhs() != total && sum.getRhs() != total))
    return false;
  Value term = sum.getLhs() == total ? sum.getRhs() : sum.getLhs();
  auto product = term.getDefiningOp<arith::MulFOp>();
  Value a = widen(body->getArgument(0)), b = widen(body->getArgument(1));
  return product && a && b &&
         ((product.getLhs() == a && product.getRhs() == b) ||
          (product.getLhs() == b && product.getRhs() == a));
}

/// The loops whose indices `value`, computed in the body of `op`, depends on.
static llvm::SmallBitVector findLoops(linalg::GenericOp op, Value value) {
  llvm::SmallBitVector loops(op.getNumLoops());
  llvm::SetVector<Value> open;
  open.insert(value);
  for (unsigned i = 0; i < open.size(); ++i) {
    Value next = open[i];
    if (next.getParentBlock() != op.getBlock())
      continue;
    if (auto argument = dyn_cast<BlockArgument>(next)) {
      AffineMap map =
          op.getMatchingIndexingMap(op.getMatchingOpOperand(argument));
      for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
        if (map.isFunctionOfDim(loop))
          loops.set(loop);
      continue;
    }
    Operation *source = next.getDefiningOp();
    if (auto index = dyn_cast<linalg::IndexOp>(source))
      loops.set(index.getDim());
    open.insert_range(source->getOperands());
  }
  return loops;
}

/// The loops that each factor of `op` depends on: inputs, and elements that its
/// body loads, as those of a quantised weight.
static SmallVector<llvm::SmallBitVector> findFactors(linalg::GenericOp op) {
  SmallVector<llvm::SmallBitVector> factors;
  for (OpOperand *input : op.getDpsInputOperands())
    factors.push_back(findLoops(op, op.getMatchingBlockArgument(input)));
  for (auto load : op.getBlock()->getOps<memref::LoadOp>())
    factors.push_back(findLoops(op, load.getResult()));
  return factors;
}

std::optional<Contraction> weir::matchContraction(linalg::GenericOp op) {
  if (!op.hasPureBufferSemantics() || op.getNumDpsInits() != 1 ||
      op.getNumReductionLoops() == 0 || op.getNumParallelLoops() < 2)
    return std::nullopt;
  auto sum = op.getBlock()
                 ->getTerminator()
                 ->getOperand(0)
                 .getDefiningOp<arith::AddFOp>();
  Value total = op.getBlock()->getArguments().back();
  if (!sum || !sum.getType().isF32() || !total.hasOneUse() ||
      *total.getUsers().begin() != sum)
    return std::nullopt;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (!llvm::all_of(maps,
                    [](AffineMap map) { return map.isProjectedPermutation(); }))
    return std::nullopt;
  Contraction found;
  found.op = op;
  found.fill = findZeroFill(op);
  SmallVector<unsigned> parallel;
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray()))
    (kind == utils::IteratorType::parallel ? parallel : found.depth)
        .push_back(loop);
  SmallVector<llvm::SmallBitVector> factors = findFactors(op);
  // Whether a step's element of some factor serves all of the loop `over`.
  auto isShared = [&](unsigned along, unsigned over) {
    return llvm::any_of(factors, [&](const llvm::SmallBitVector &loops) {
      return loops.test(along) && !loops.test(over) &&
             llvm::any_of(found.depth,
                          [&](unsigned loop) { return loops.test(loop); });
    });
  };
  found.columns = parallel.back();
  auto last = dyn_cast<AffineDimExpr>(maps.back().getResults().back());
  if (last)
    found.columns = last.getPosition();
  auto rows = llvm::find_if(llvm::reverse(parallel), [&](unsigned loop) {
    return loop != found.columns && isShared(loop, found.columns) &&
           isShared(found.columns, loop);
  });
  if (rows == llvm::reverse(parallel).end())
    return std::nullopt;
  found.rows = *rows;
  for (unsigned loop : parallel)
    if (loop != found.rows && loop != found.columns)
      found.outer.push_back(loop);
  found.plain = isPlainProduct(op);
  return found;
}

//===----------------------------------------------------------------------===//
// Plans
//===----------------------------------------------------------------------===//

/// The largest extent of `loop`, as an operand bounds it.
static int64_t boundLoop(linalg::GenericOp op, unsigned loop) {
  int64_t bound = op.getStaticLoopRanges()[loop];
  if (!ShapedType::isDynamic(bound))
    return bound;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [axis, expr] : llvm::enumerate(map.getResults()))
      if (auto dim = dyn_cast<AffineDimExpr>(expr);
          dim && dim.getPosition() == loop)
        if (auto known = boundExtent(operand.get(), axis))
          return *known;
  }
  return ManyElements;
}

/// Whether `count` elements along `loop` can be loaded as vectors, of each
/// operand that has them side by side, of which there is one.
static bool isWide(linalg::GenericOp op, unsigned loop, int64_t count) {
  int64_t extent = op.getStaticLoopRanges()[loop];
  if (count == 1 || ShapedType::isDynamic(extent) || extent % count != 0)
    return false;
  bool any = false;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!endsWith(op.getMatchingIndexingMap(&operand), loop))
      continue;
    auto type = cast<MemRefType>(operand.get().getType());
    if (!type.getElementType().isF32() ||
        findRowAlignment(operand.get(), 16) < 4 * count)
      return false;
    any = true;
  }
  return any;
}

std::optional<ContractionPlan>
weir::planContraction(const Contraction &contraction, int64_t threads,
                      Rounding rounding) {
  linalg::GenericOp op = contraction.op;
  int64_t rows = boundLoop(op, contraction.rows),
          columns = boundLoop(op, contraction.columns), outer = 1;
  for (unsigned loop : contraction.outer)
    outer *= boundLoop(op, loop);
  auto countTiles = [&](int64_t height, int64_t width) {
    return outer * static_cast<int64_t>(llvm::divideCeil(rows, height) *
                                        llvm::divideCeil(columns, width));
  };
  ContractionPlan plan;
  if (rounding != Rounding::None && contraction.plain &&
      contraction.depth.size() == 1 && rows >= MatrixRows / 2 &&
      columns >= MatrixColumns) {
    plan.rounding = rounding;
    plan.rows = MatrixRows;
    plan.columns = MatrixColumns;
    // More columns share a matrix of the first factor while all warps are busy.
    while (plan.columns < 4 * MatrixColumns &&
           countTiles(plan.rows, 2 * plan.columns) >= threads / WarpSize)
      plan.columns *= 2;
    return plan;
  }
  // With more sums, ptxas spills what attention keeps over its loops.
  static constexpr std::pair<int64_t, int64_t> Sizes[] = {
      {4, 2}, {2, 4}, {2, 2}};
  for (auto [height, width] : Sizes)
    if (countTiles(height, width) >= threads) {
      plan.rows = height;
      plan.columns = width;
      plan.wideRows = height <= 4 && isWide(op, contraction.rows, height);
      plan.wideColumns = isWide(op, contraction.columns, width);
      return plan;
    }
  return std::nullopt;
}
