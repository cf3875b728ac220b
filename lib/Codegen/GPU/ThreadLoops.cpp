//===- ThreadLoops.cpp - Operations on buffers by threads -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The parallel loops of an operation are counted through as one, its last axis
// fastest, and a thread takes every n-th step: neighbouring threads touch
// neighbouring elements. Loops that are summed over run inside, with the sums
// in registers. Where there are few results, a warp takes one: its lanes begin
// with the neutral element, take every 32nd step, and add up by shuffles.
//
//===----------------------------------------------------------------------===//

#include "ThreadLoops.h"
#include "KernelAttrs.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace weir;

/// Results above which threads are busy with one each.
static constexpr int64_t FewResults = 64;
/// Elements that make a warp worth it for one result.
static constexpr int64_t ManyElements = 32;

static Value constant(OpBuilder &builder, Location loc, int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

/// The product of `extents`, 1 for none.
static Value multiply(OpBuilder &builder, Location loc, ValueRange extents) {
  Value product;
  for (Value extent : extents)
    product = product
                  ? builder.createOrFold<arith::MulIOp>(loc, product, extent)
                  : extent;
  return product ? product : constant(builder, loc, 1);
}

/// The indices of step `number` of loops of `extents`, the last one fastest.
static SmallVector<Value> split(OpBuilder &builder, Location loc, Value number,
                                ArrayRef<Value> extents) {
  SmallVector<Value> indices(extents.size());
  for (int64_t axis = extents.size() - 1; axis > 0; --axis) {
    indices[axis] = arith::RemUIOp::create(builder, loc, number, extents[axis]);
    number = arith::DivUIOp::create(builder, loc, number, extents[axis]);
  }
  if (!extents.empty())
    indices[0] = number;
  return indices;
}

namespace {
/// One operation of linalg, and the loops made of it.
class LinalgLoops {
public:
  LinalgLoops(OpBuilder &builder, linalg::LinalgOp op, const ThreadPlace &place)
      : builder(builder), op(op), place(place), loc(op.getLoc()) {}

  LogicalResult build();
  /// Sorts the loops by their kinds.
  void findLoops();
  /// Whether results are a warp's, and not a thread's.
  bool wantsWarps();

private:
  LogicalResult check();
  /// Finds the operations that combine results with elements, one per result;
  /// false where a warp cannot share them.
  bool findCombiners();
  void buildByThread();
  void buildByWarp();

  /// The element of `operand` at the loop indices `ivs`.
  Value load(OpBuilder &b, OpOperand *operand, ArrayRef<Value> ivs);
  void store(OpBuilder &b, OpOperand *operand, ArrayRef<Value> ivs,
             Value value);
  SmallVector<Value> getPlace(OpBuilder &b, OpOperand *operand,
                              ArrayRef<Value> ivs);
  /// The body at `ivs`, with results so far.
  SmallVector<Value> buildBody(OpBuilder &b, ArrayRef<Value> ivs,
                               ValueRange results);
  /// All loop indices of those of the parallel and of the reduced ones.
  SmallVector<Value> join(ArrayRef<Value> parallel, ArrayRef<Value> reduced);
  /// The results so far of the loop indices `ivs`; none where the body does not
  /// read them.
  SmallVector<Value> loadResults(OpBuilder &b, ArrayRef<Value> ivs);
  /// One step of the reduced loops: stores what each element has of its own,
  /// and gives what is carried on from `carried`.
  SmallVector<Value> buildStep(OpBuilder &b, ArrayRef<Value> ivs,
                               ValueRange carried);
  /// The results that are summed up.
  SmallVector<OpOperand *> getSums();

  OpBuilder &builder;
  linalg::LinalgOp op;
  const ThreadPlace &place;
  Location loc;
  SmallVector<unsigned> parallelLoops, reducedLoops;
  SmallVector<Value> parallelExtents, reducedExtents;
  /// Of each result, whether every step of all loops has a place of its own in
  /// it, as where exponentials are kept and added up at once.
  SmallVector<bool> perElement;
  /// Of the results that are summed up.
  SmallVector<Operation *> combiners;
};
} // namespace

LogicalResult LinalgLoops::check() {
  if (!op.hasPureBufferSemantics())
    return op.emitOpError("works on tensors inside of a kernel, expected "
                          "buffers");
  for (OpOperand &init : op.getDpsInitsMutable()) {
    AffineMap map = op.getMatchingIndexingMap(&init);
    const auto *loop = llvm::find_if(
        reducedLoops, [&](unsigned i) { return map.isFunctionOfDim(i); });
    if (loop != reducedLoops.end() && !map.isPermutation())
      return op.emitOpError("has a result whose place depends on loop ")
             << *loop
             << ", which is reduced over, and not on all loops: threads would "
                "write the same places; expected that loop to be parallel";
  }
  return success();
}

SmallVector<Value> LinalgLoops::getPlace(OpBuilder &b, OpOperand *operand,
                                         ArrayRef<Value> ivs) {
  AffineMap map = op.getMatchingIndexingMap(operand);
  SmallVector<Value> at;
  for (AffineExpr expr : map.getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      at.push_back(ivs[dim.getPosition()]);
    else
      at.push_back(affine::AffineApplyOp::create(
          b, loc, AffineMap::get(map.getNumDims(), 0, expr), ivs));
  }
  return at;
}

Value LinalgLoops::load(OpBuilder &b, OpOperand *operand, ArrayRef<Value> ivs) {
  if (!isa<MemRefType>(operand->get().getType()))
    return operand->get();
  return memref::LoadOp::create(b, loc, operand->get(),
                                getPlace(b, operand, ivs));
}

void LinalgLoops::store(OpBuilder &b, OpOperand *operand, ArrayRef<Value> ivs,
                        Value value) {
  memref::StoreOp::create(b, loc, value, operand->get(),
                          getPlace(b, operand, ivs));
}

SmallVector<Value> LinalgLoops::buildBody(OpBuilder &b, ArrayRef<Value> ivs,
                                          ValueRange results) {
  Block *body = op.getBlock();
  IRMapping mapping;
  unsigned inputs = op.getNumDpsInputs();
  for (OpOperand *input : op.getDpsInputOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(input);
    if (!argument.use_empty())
      mapping.map(argument, load(b, input, ivs));
  }
  for (auto [i, result] : llvm::enumerate(results))
    if (result)
      mapping.map(body->getArgument(inputs + i), result);
  for (Operation &inner : body->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(inner))
      mapping.map(index.getResult(), ivs[index.getDim()]);
    else
      b.clone(inner, mapping);
  }
  SmallVector<Value> yielded;
  for (Value value : body->getTerminator()->getOperands())
    yielded.push_back(mapping.lookupOrDefault(value));
  return yielded;
}

SmallVector<Value> LinalgLoops::join(ArrayRef<Value> parallel,
                                     ArrayRef<Value> reduced) {
  SmallVector<Value> ivs(op.getNumLoops());
  for (auto [loop, index] : llvm::zip(parallelLoops, parallel))
    ivs[loop] = index;
  for (auto [loop, index] : llvm::zip(reducedLoops, reduced))
    ivs[loop] = index;
  return ivs;
}

SmallVector<Value> LinalgLoops::loadResults(OpBuilder &b, ArrayRef<Value> ivs) {
  SmallVector<Value> results;
  for (OpOperand &init : op.getDpsInitsMutable())
    results.push_back(
        op.payloadUsesValueFromOperand(&init) ? load(b, &init, ivs) : Value());
  return results;
}

SmallVector<OpOperand *> LinalgLoops::getSums() {
  SmallVector<OpOperand *> sums;
  for (auto [init, each] : llvm::zip(op.getDpsInitsMutable(), perElement))
    if (!each)
      sums.push_back(&init);
  return sums;
}

SmallVector<Value> LinalgLoops::buildStep(OpBuilder &b, ArrayRef<Value> ivs,
                                          ValueRange carried) {
  SmallVector<Value> before;
  unsigned next = 0;
  for (auto [init, each] : llvm::zip(op.getDpsInitsMutable(), perElement)) {
    if (!each)
      before.push_back(carried[next++]);
    else
      before.push_back(op.payloadUsesValueFromOperand(&init)
                           ? load(b, &init, ivs)
                           : Value());
  }
  SmallVector<Value> after = buildBody(b, ivs, before), sums;
  for (auto [init, each, value] :
       llvm::zip(op.getDpsInitsMutable(), perElement, after)) {
    if (each)
      store(b, &init, ivs, value);
    else
      sums.push_back(value);
  }
  return sums;
}

void LinalgLoops::buildByThread() {
  scf::ForOp::create(
      builder, loc, place.thread, multiply(builder, loc, parallelExtents),
      place.threads, ValueRange(),
      [&](OpBuilder &b, Location l, Value number, ValueRange) {
        SmallVector<Value> outer = split(b, l, number, parallelExtents);
        SmallVector<Value> zeros(reducedLoops.size(), constant(b, l, 0));
        SmallVector<Value> ones(reducedLoops.size(), constant(b, l, 1));
        SmallVector<Value> ivs = join(outer, zeros);
        if (reducedLoops.empty()) {
          SmallVector<Value> results = buildBody(b, ivs, loadResults(b, ivs));
          for (auto [init, result] :
               llvm::zip(op.getDpsInitsMutable(), results))
            store(b, &init, ivs, result);
        } else {
          SmallVector<Value> start;
          for (OpOperand *sum : getSums())
            start.push_back(load(b, sum, ivs));
          scf::LoopNest nest = scf::buildLoopNest(
              b, l, zeros, reducedExtents, ones, start,
              [&](OpBuilder &inner, Location, ValueRange reduced,
                  ValueRange carried) -> scf::ValueVector {
                SmallVector<Value> all =
                    join(outer, SmallVector<Value>(reduced));
                return buildStep(inner, all, carried);
              });
          for (auto [sum, result] : llvm::zip(getSums(), nest.results))
            store(b, sum, ivs, result);
        }
        scf::YieldOp::create(b, l);
      });
}

bool LinalgLoops::findCombiners() {
  Block *body = op.getBlock();
  unsigned inputs = op.getNumDpsInputs();
  for (auto [i, yielded] :
       llvm::enumerate(body->getTerminator()->getOperands())) {
    if (perElement[i])
      continue;
    BlockArgument soFar = body->getArgument(inputs + i);
    Operation *combiner = yielded.getDefiningOp();
    if (!combiner || combiner->getBlock() != body || !soFar.hasOneUse() ||
        *soFar.getUsers().begin() != combiner ||
        combiner->getNumOperands() != 2 ||
        !isa<arith::AddFOp, arith::AddIOp, arith::MulFOp, arith::MulIOp,
             arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp,
             arith::MinNumFOp, arith::MaxSIOp, arith::MinSIOp, arith::MaxUIOp,
             arith::MinUIOp, arith::AndIOp, arith::OrIOp>(combiner) ||
        !arith::getNeutralElement(combiner) ||
        yielded.getType().getIntOrFloatBitWidth() != 32)
      return false;
    combiners.push_back(combiner);
  }
  return !combiners.empty();
}

bool LinalgLoops::wantsWarps() {
  if (reducedLoops.empty())
    return false;
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  auto count = [&](ArrayRef<unsigned> loops, int64_t dynamic) {
    int64_t product = 1;
    for (unsigned loop : loops)
      product *= ShapedType::isDynamic(ranges[loop]) ? dynamic : ranges[loop];
    return product;
  };
  // Of dynamic extents one knows nothing: few rows of many elements are the
  // common case.
  return count(parallelLoops, 1) <= FewResults &&
         count(reducedLoops, ManyElements) >= ManyElements && findCombiners();
}

void LinalgLoops::buildByWarp() {
  Value width = constant(builder, loc, WarpSize);
  Value lane = arith::RemUIOp::create(builder, loc, place.thread, width);
  Value warp = arith::DivUIOp::create(builder, loc, place.thread, width);
  Value warps = arith::DivUIOp::create(builder, loc, place.threads, width);
  Value elements = multiply(builder, loc, reducedExtents);
  SmallVector<OpOperand *> sums = getSums();
  scf::ForOp::create(
      builder, loc, warp, multiply(builder, loc, parallelExtents), warps,
      ValueRange(), [&](OpBuilder &b, Location l, Value number, ValueRange) {
        SmallVector<Value> outer = split(b, l, number, parallelExtents);
        SmallVector<Value> neutral;
        for (Operation *combiner : combiners)
          neutral.push_back(arith::ConstantOp::create(
              b, l, *arith::getNeutralElement(combiner)));
        auto loop = scf::ForOp::create(
            b, l, lane, elements, width, neutral,
            [&](OpBuilder &inner, Location, Value step, ValueRange carried) {
              SmallVector<Value> all =
                  join(outer, split(inner, loc, step, reducedExtents));
              scf::YieldOp::create(inner, loc, buildStep(inner, all, carried));
            });
        auto combine = [&](Operation *combiner, Value x, Value y) {
          Operation *clone = b.clone(*combiner);
          clone->setOperands({x, y});
          return clone->getResult(0);
        };
        SmallVector<Value> totals(loop.getResults());
        for (auto [combiner, total] : llvm::zip(combiners, totals))
          for (int64_t distance = WarpSize / 2; distance > 0; distance /= 2) {
            auto other = gpu::ShuffleOp::create(b, l, total, distance, WarpSize,
                                                gpu::ShuffleMode::XOR);
            total = combine(combiner, total, other.getShuffleResult());
          }
        SmallVector<Value> zeros(reducedLoops.size(), constant(b, l, 0));
        SmallVector<Value> ivs = join(outer, zeros);
        Value first = arith::CmpIOp::create(b, l, arith::CmpIPredicate::eq,
                                            lane, constant(b, l, 0));
        auto only = scf::IfOp::create(b, l, first);
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPoint(only.thenBlock()->getTerminator());
        for (auto [sum, combiner, total] : llvm::zip(sums, combiners, totals))
          store(b, sum, ivs, combine(combiner, load(b, sum, ivs), total));
        b.setInsertionPointAfter(only);
        scf::YieldOp::create(b, l);
      });
}

void LinalgLoops::findLoops() {
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray()))
    (kind == utils::IteratorType::parallel ? parallelLoops : reducedLoops)
        .push_back(loop);
  for (OpOperand &init : op.getDpsInitsMutable()) {
    AffineMap map = op.getMatchingIndexingMap(&init);
    perElement.push_back(llvm::any_of(
        reducedLoops, [&](unsigned i) { return map.isFunctionOfDim(i); }));
  }
}

LogicalResult LinalgLoops::build() {
  findLoops();
  SmallVector<Range> ranges = op.createLoopRanges(builder, loc);
  for (auto [loops, extents] : {std::pair(&parallelLoops, &parallelExtents),
                                std::pair(&reducedLoops, &reducedExtents)})
    for (unsigned loop : *loops)
      extents->push_back(
          getValueOrCreateConstantIndexOp(builder, loc, ranges[loop].size));
  if (failed(check()))
    return failure();
  if (wantsWarps())
    buildByWarp();
  else
    buildByThread();
  return success();
}

LogicalResult weir::buildThreadLoops(OpBuilder &builder, Operation *op,
                                     const ThreadPlace &place) {
  if (auto copy = dyn_cast<memref::CopyOp>(op)) {
    linalg::GenericOp generic = linalg::makeMemRefCopyOp(
        builder, copy.getLoc(), copy.getSource(), copy.getTarget());
    LogicalResult result = LinalgLoops(builder, generic, place).build();
    generic.erase();
    return result;
  }
  return LinalgLoops(builder, cast<linalg::LinalgOp>(op), place).build();
}

AffineMap weir::findThreadMap(Operation *op, Value operand) {
  if (isa<memref::CopyOp>(op))
    return AffineMap::getMultiDimIdentityMap(
        cast<MemRefType>(operand.getType()).getRank(), op->getContext());
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp)
    return {};
  OpBuilder builder(op);
  LinalgLoops loops(builder, linalgOp, ThreadPlace());
  loops.findLoops();
  if (loops.wantsWarps())
    return {};
  AffineMap found;
  for (OpOperand &use : op->getOpOperands()) {
    if (use.get() != operand)
      continue;
    AffineMap map = linalgOp.getMatchingIndexingMap(&use);
    llvm::SmallBitVector reduced(map.getNumDims());
    for (auto [loop, kind] : llvm::enumerate(linalgOp.getIteratorTypesArray()))
      if (kind != utils::IteratorType::parallel) {
        if (map.isFunctionOfDim(loop))
          return {};
        reduced.set(loop);
      }
    map = projectDims(map, reduced, /*compressDimsFlag=*/true);
    if (!map.isPermutation() || (found && found != map))
      return {};
    found = map;
  }
  return found;
}
