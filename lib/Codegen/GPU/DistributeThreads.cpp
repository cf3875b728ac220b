//===- DistributeThreads.cpp - Deal out a block to threads ------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a block does is a sequence of operations on buffers in uniform control
// flow. Each operation becomes a loop whose iterations are dealt out to the
// threads (ThreadLoops.cpp). Between two operations that touch one buffer, one
// of which writes it, all threads meet at a barrier, unless both deal out its
// elements alike. Loops begin and end with nothing open that something in them
// would have to wait for, so that steps need no look at each other.
//
//===----------------------------------------------------------------------===//

#include "KernelAttrs.h"
#include "ThreadLoops.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "weir/Codegen/GPUPasses.h"
#include "llvm/ADT/MapVector.h"

namespace weir {
#define GEN_PASS_DEF_DISTRIBUTETHREADS
#include "weir/Codegen/GPUPasses.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

namespace {
/// Which thread touches which element of a buffer: null where that is not
/// known. Operations of one owner need not wait for each other.
using Owner = std::pair<Value, AffineMap>;

/// Buffers touched since all threads last met, and who touched what there.
struct OpenAccesses {
  using Buffers = llvm::SmallMapVector<Value, Owner, 8>;
  Buffers read, written;

  bool empty() const { return read.empty() && written.empty(); }
  void clear() {
    read.clear();
    written.clear();
  }
  static void add(Buffers &buffers, Value buffer, Owner owner) {
    auto [entry, isNew] = buffers.insert({buffer, owner});
    if (!isNew && entry->second != owner)
      entry->second = {};
  }
  void merge(const OpenAccesses &other) {
    for (auto [buffer, owner] : other.read)
      add(read, buffer, owner);
    for (auto [buffer, owner] : other.written)
      add(written, buffer, owner);
  }
  /// Forgets owners by views that are others in each step of `loop`.
  void forgetOwnersIn(scf::ForOp loop) {
    for (Buffers *buffers : {&read, &written})
      for (auto &[buffer, owner] : *buffers)
        if (owner.first &&
            loop.getRegion().isAncestor(owner.first.getParentRegion()))
          owner = {};
  }
  /// Whether what `next` touches has to wait for this.
  bool conflictsWith(const OpenAccesses &next) const {
    auto meets = [](const Buffers &a, const Buffers &b) {
      return llvm::any_of(a, [&](const auto &entry) {
        const auto *other = b.find(entry.first);
        return other != b.end() &&
               (!entry.second.first || entry.second != other->second);
      });
    };
    return meets(written, next.read) || meets(written, next.written) ||
           meets(read, next.written);
  }
};

/// Distributes one launch.
class BlockDistributor {
public:
  BlockDistributor(gpu::LaunchOp launch)
      : launch(launch), builder(launch.getContext()) {}

  LogicalResult run();

private:
  LogicalResult distributeBlock(Block &block);
  LogicalResult distributeOperation(Operation *op);
  LogicalResult distributeLoop(scf::ForOp loop);
  LogicalResult distributeBranch(scf::IfOp branch);
  LogicalResult distributeInner(scf::ForallOp loop);
  /// Places a barrier in front of `op` if one is needed, and notes what it
  /// touches.
  void synchronise(Operation *op, const OpenAccesses &next);
  void placeBarrier(OpBuilder &at, Location loc) {
    gpu::BarrierOp::create(at, loc);
    open.clear();
  }

  gpu::LaunchOp launch;
  OpBuilder builder;
  ThreadPlace place;
  OpenAccesses open;
};
} // namespace

/// The buffers that `view` may be part of, different ones of which do not
/// overlap: what is cut out of the arena or the weights is a buffer of its own.
/// A branch that chooses between views gives several.
static llvm::SmallSetVector<Value, 2> getBuffers(Value view) {
  llvm::SmallSetVector<Value, 2> buffers;
  SmallVector<Value> open{view};
  while (!open.empty()) {
    Value next = open.pop_back_val();
    Operation *op = next.getDefiningOp();
    if (auto branch = dyn_cast_or_null<scf::IfOp>(op)) {
      unsigned number = cast<OpResult>(next).getResultNumber();
      open.push_back(branch.thenYield().getOperand(number));
      open.push_back(branch.elseYield().getOperand(number));
    } else if (auto select = dyn_cast_or_null<arith::SelectOp>(op)) {
      open.push_back(select.getTrueValue());
      open.push_back(select.getFalseValue());
    } else if (auto viewLike = dyn_cast_or_null<ViewLikeOpInterface>(op);
               viewLike && !isa<memref::ViewOp>(op)) {
      open.push_back(viewLike.getViewSource());
    } else {
      buffers.insert(next);
    }
  }
  return buffers;
}

/// Whose the elements of the shared buffer `operand` of `op` are.
static Owner findOwner(Operation *op, Value operand) {
  if (!gpu::GPUDialect::hasWorkgroupMemoryAddressSpace(
          cast<MemRefType>(operand.getType())))
    return {};
  AffineMap map = findThreadMap(op, operand);
  return map ? Owner(operand, map) : Owner();
}

/// What `op`, with what is inside of it, touches.
static OpenAccesses collectAccesses(Operation *op) {
  OpenAccesses accesses;
  op->walk([&](Operation *inner) {
    auto interface = dyn_cast<MemoryEffectOpInterface>(inner);
    if (!interface)
      return;
    SmallVector<MemoryEffects::EffectInstance> effects;
    interface.getEffects(effects);
    for (const MemoryEffects::EffectInstance &effect : effects) {
      Value value = effect.getValue();
      if (!value || !isa<MemRefType>(value.getType()))
        continue;
      auto buffers = getBuffers(value);
      Owner owner = buffers.size() == 1 ? findOwner(inner, value) : Owner();
      for (Value buffer : buffers) {
        if (isa<MemoryEffects::Write>(effect.getEffect()))
          OpenAccesses::add(accesses.written, buffer, owner);
        else if (isa<MemoryEffects::Read>(effect.getEffect()))
          OpenAccesses::add(accesses.read, buffer, owner);
      }
    }
  });
  return accesses;
}

void BlockDistributor::synchronise(Operation *op, const OpenAccesses &next) {
  if (open.conflictsWith(next)) {
    OpBuilder at(op);
    placeBarrier(at, op->getLoc());
  }
  open.merge(next);
}

LogicalResult BlockDistributor::distributeLoop(scf::ForOp loop) {
  // What is open at either end of a step is next to anything in the loop.
  OpenAccesses inside = collectAccesses(loop);
  inside.forgetOwnersIn(loop);
  if (open.conflictsWith(inside)) {
    OpBuilder at(loop);
    placeBarrier(at, loop.getLoc());
  }
  OpenAccesses before = open;
  if (failed(distributeBlock(*loop.getBody())))
    return failure();
  open.forgetOwnersIn(loop);
  if (open.conflictsWith(inside)) {
    OpBuilder at(loop.getBody()->getTerminator());
    placeBarrier(at, loop.getLoc());
  }
  // There may have been no step.
  open.merge(before);
  return success();
}

LogicalResult BlockDistributor::distributeBranch(scf::IfOp branch) {
  OpenAccesses before = open, after;
  for (Region &region : branch->getRegions()) {
    open = before;
    if (!region.empty() && failed(distributeBlock(region.front())))
      return failure();
    after.merge(open);
  }
  open = after;
  return success();
}

LogicalResult BlockDistributor::distributeInner(scf::ForallOp loop) {
  // A parallel loop inside of a block is a sequence of what the block does.
  Location loc = loop.getLoc();
  builder.setInsertionPoint(loop);
  SmallVector<Value> first = loop.getLowerBound(builder),
                     last = loop.getUpperBound(builder),
                     step = loop.getStep(builder);
  scf::LoopNest nest = scf::buildLoopNest(builder, loc, first, last, step);
  Block *body = loop.getBody(), *target = nest.loops.back().getBody();
  body->getTerminator()->erase();
  target->getOperations().splice(target->getTerminator()->getIterator(),
                                 body->getOperations());
  for (auto [argument, inner] : llvm::zip(body->getArguments(), nest.loops))
    argument.replaceAllUsesWith(inner.getInductionVar());
  scf::ForOp outer = nest.loops.front();
  loop.erase();
  return distributeLoop(outer);
}

LogicalResult BlockDistributor::distributeOperation(Operation *op) {
  if (isa<gpu::BarrierOp>(op)) {
    open.clear();
    return success();
  }
  if (op->hasAttr(ByThreadAttrName)) {
    synchronise(op, collectAccesses(op));
    op->removeAttr(ByThreadAttrName);
    return success();
  }
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return distributeLoop(loop);
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return distributeBranch(branch);
  if (auto loop = dyn_cast<scf::ForallOp>(op))
    return distributeInner(loop);
  if (isMemoryEffectFree(op) && op->getNumRegions() == 0)
    return success();
  OpenAccesses next = collectAccesses(op);
  if (isa<memref::LoadOp>(op)) {
    synchronise(op, next);
    return success();
  }
  if (isa<memref::StoreOp>(op)) {
    // All threads know the value; one of them writes it.
    synchronise(op, next);
    builder.setInsertionPoint(op);
    Value zero = arith::ConstantIndexOp::create(builder, op->getLoc(), 0);
    Value first = arith::CmpIOp::create(
        builder, op->getLoc(), arith::CmpIPredicate::eq, place.thread, zero);
    auto only = scf::IfOp::create(builder, op->getLoc(), first);
    op->moveBefore(only.thenBlock()->getTerminator());
    return success();
  }
  if (isa<memref::CopyOp, linalg::LinalgOp>(op)) {
    synchronise(op, next);
    builder.setInsertionPoint(op);
    if (failed(buildThreadLoops(builder, op, place)))
      return failure();
    op->erase();
    return success();
  }
  return op->emitOpError("has no GPU form inside of a parallel loop, expected "
                         "operations of linalg on buffers, loops, branches and "
                         "arithmetic");
}

LogicalResult BlockDistributor::distributeBlock(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(block.without_terminator()))
    if (failed(distributeOperation(&op)))
      return failure();
  return success();
}

LogicalResult BlockDistributor::run() {
  Block &body = launch.getBody().front();
  builder.setInsertionPointToStart(&body);
  Location loc = launch.getLoc();
  place.thread = launch.getThreadIds().x;
  place.threads = launch.getBlockSizeX();
  auto sharedBy = launch->getAttrOfType<StringAttr>(SharedByAttrName);
  launch->removeAttr(SharedByAttrName);
  if (sharedBy.getValue() == "grid") {
    Value before = arith::MulIOp::create(builder, loc, launch.getBlockIds().x,
                                         place.threads);
    place.thread = arith::AddIOp::create(builder, loc, before, place.thread);
    place.threads = arith::MulIOp::create(builder, loc, launch.getGridSizeX(),
                                          place.threads);
  }
  return distributeBlock(body);
}

namespace {
struct DistributeThreadsPass
    : weir::impl::DistributeThreadsBase<DistributeThreadsPass> {
  void runOnOperation() override {
    WalkResult walk = getOperation()->walk([](gpu::LaunchOp launch) {
      // Others say themselves what a thread does.
      if (!launch->hasAttr(SharedByAttrName))
        return WalkResult::advance();
      return failed(BlockDistributor(launch).run()) ? WalkResult::interrupt()
                                                    : WalkResult::advance();
    });
    if (walk.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
