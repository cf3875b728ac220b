//===- MapKernels.cpp - Make kernels of what touches memory -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A walk down the host's control flow. An operation is of one of four kinds:
// parallel (a launch of a block a point), on whole buffers (a launch over its
// elements), sequential with contents of buffers inside (a launch of one
// block), or free of these (the host's). What only some launches need of the
// contents of buffers (single elements, loops that sum such up, and branches
// that choose between views by them) is read in each of them.
//
//===----------------------------------------------------------------------===//

#include "ForallPoints.h"
#include "KernelAttrs.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Utils/MemRefUtils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "weir/Codegen/ExtentBounds.h"
#include "weir/Codegen/GPUPasses.h"
#include "weir/IR/Weir.h"

namespace weir {
#define GEN_PASS_DEF_MAPKERNELS
#include "weir/Codegen/GPUPasses.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// Blocks that share the elements of one operation at most; each takes several
/// turns behind that.
static constexpr int64_t MostBlocks = 1024;

/// Whether `op`, or what is inside of it, reads or writes contents of buffers.
static bool touchesMemory(Operation *op) {
  WalkResult walk = op->walk([](Operation *inner) {
    bool recursive = inner->hasTrait<OpTrait::HasRecursiveMemoryEffects>() &&
                     !isa<MemoryEffectOpInterface>(inner);
    if (recursive || isMemoryEffectFree(inner) ||
        inner->hasTrait<OpTrait::IsTerminator>())
      return WalkResult::advance();
    return WalkResult::interrupt();
  });
  return walk.wasInterrupted();
}

/// Whether `op` runs on the host although launches are inside of it.
static bool holdsParallelWork(Operation *op) {
  WalkResult walk = op->walk([](Operation *inner) {
    return isa<scf::ForallOp, scf::ParallelOp, gpu::LaunchOp>(inner)
               ? WalkResult::interrupt()
               : WalkResult::advance();
  });
  return walk.wasInterrupted();
}

/// Whether `op` writes contents of buffers.
static bool writesMemory(Operation *op) {
  WalkResult walk = op->walk([](Operation *inner) {
    bool reads = isa<memref::LoadOp, memref::GetGlobalOp>(inner) ||
                 inner->hasTrait<OpTrait::HasRecursiveMemoryEffects>() ||
                 inner->hasTrait<OpTrait::IsTerminator>() ||
                 isMemoryEffectFree(inner);
    return reads ? WalkResult::advance() : WalkResult::interrupt();
  });
  return walk.wasInterrupted();
}

/// Whether `op` can be computed again in each launch that uses its results, as
/// a whole with what is inside of it: a loop or a branch that writes nothing.
static bool isRepeatable(Operation *op) {
  return isa<scf::ForOp, scf::IfOp>(op) && op->getNumResults() > 0 &&
         !holdsParallelWork(op) && !writesMemory(op);
}

/// The outermost operation around `op`, or itself, that is repeatable; `op`
/// where there is none.
static Operation *findUnit(Operation *op) {
  Operation *unit = op;
  for (; op && !isa<func::FuncOp>(op); op = op->getParentOp())
    if (isRepeatable(op))
      unit = op;
  return unit;
}

/// The values from outside that `op`, with what is inside of it, uses.
static SmallVector<Value> getUsedValues(Operation *op) {
  llvm::SetVector<Value> used;
  used.insert_range(op->getOperands());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  return used.takeVector();
}

namespace {
/// Maps the functions of one module.
class KernelMapper {
public:
  KernelMapper(MLIRContext *context, int64_t threads)
      : builder(context), threads(threads) {}

  LogicalResult mapFunction(func::FuncOp function);

private:
  LogicalResult mapBlock(Block &block);
  LogicalResult mapOperation(Operation *op);
  LogicalResult mapForall(scf::ForallOp loop);
  void mapWhole(Operation *op);
  void mapSequential(Operation *op);
  LogicalResult sinkLoads(func::FuncOp function);

  Value constant(Location loc, int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  /// A launch of `blocks` blocks at the builder's place, whose body, behind
  /// which the builder is left, is still empty.
  gpu::LaunchOp createLaunch(Location loc, Value blocks,
                             StringRef sharedBy = "block");
  /// How many elements the parallel loops of `op` have, as an index, or at
  /// least how many of them are known to be no more than the host can tell.
  Value countElements(Operation *op);
  Value boundExtent(Location loc, Value extent);

  OpBuilder builder;
  int64_t threads;
};
} // namespace

gpu::LaunchOp KernelMapper::createLaunch(Location loc, Value blocks,
                                         StringRef sharedBy) {
  Value one = constant(loc, 1), width = constant(loc, threads);
  auto launch =
      gpu::LaunchOp::create(builder, loc, blocks, one, one, width, one, one);
  launch->setAttr(SharedByAttrName, builder.getStringAttr(sharedBy));
  builder.setInsertionPointToStart(&launch.getBody().front());
  Operation *end = gpu::TerminatorOp::create(builder, loc);
  builder.setInsertionPoint(end);
  return launch;
}

/// The shared buffers made inside of `launch` become its attributions, which
/// live as long as the block does.
static void attributeBuffers(gpu::LaunchOp launch) {
  launch.walk([&](memref::AllocOp buffer) {
    BlockArgument attribution =
        launch.addWorkgroupAttribution(buffer.getType(), buffer.getLoc());
    buffer.replaceAllUsesWith(Value(attribution));
    buffer.erase();
  });
}

LogicalResult KernelMapper::mapForall(scf::ForallOp loop) {
  if (!loop.getOutputs().empty())
    return loop.emitOpError("still works on tensors, expected buffers");
  Location loc = loop.getLoc();
  builder.setInsertionPoint(loop);
  ForallPoints points(builder, loop);
  gpu::LaunchOp launch = createLaunch(loc, points.getCount());
  points.moveBody(builder, launch.getBlockIds().x);
  attributeBuffers(launch);
  return success();
}

/// Whether `op` loads an element of a constant, which the host has too: the
/// order of layers, say.
static bool readsConstant(Operation *op) {
  auto load = dyn_cast<memref::LoadOp>(op);
  return load && load.getMemRef().getDefiningOp<memref::GetGlobalOp>();
}

/// Whether `op`, or what is inside of it, loads an element that only the device
/// has.
static bool readsContents(Operation *op) {
  WalkResult walk = op->walk([](memref::LoadOp load) {
    return readsConstant(load) ? WalkResult::advance()
                               : WalkResult::interrupt();
  });
  return walk.wasInterrupted();
}

/// Whether `value` is computed from contents of buffers of the device.
static bool dependsOnContents(Value value) {
  llvm::SetVector<Operation *> open;
  auto add = [&](Value next) {
    if (Operation *source = next.getDefiningOp())
      open.insert(source);
  };
  add(value);
  for (unsigned i = 0; i < open.size(); ++i) {
    Operation *op = open[i];
    // An extent is the host's whatever the buffer holds.
    if (auto dim = dyn_cast<memref::DimOp>(op)) {
      if (auto view = dim.getSource().getDefiningOp<memref::SubViewOp>())
        for (Value size : view.getSizes())
          add(size);
      continue;
    }
    if (readsContents(op))
      return true;
    for (Value used : getUsedValues(op))
      add(used);
  }
  return false;
}

Value KernelMapper::boundExtent(Location loc, Value extent) {
  if (!dependsOnContents(extent))
    return extent;
  // Threads go on until they have done all there is: any number of them will
  // do.
  return constant(loc, findExtentBound(extent).value_or(MostBlocks * threads));
}

Value KernelMapper::countElements(Operation *op) {
  Location loc = op->getLoc();
  Value count = constant(loc, 1);
  if (auto copy = dyn_cast<memref::CopyOp>(op)) {
    auto type = cast<MemRefType>(copy.getTarget().getType());
    for (int64_t axis = 0; axis < type.getRank(); ++axis)
      count = builder.createOrFold<arith::MulIOp>(
          loc, count,
          boundExtent(loc, builder.createOrFold<memref::DimOp>(
                               loc, copy.getTarget(), axis)));
    return count;
  }
  auto linalgOp = cast<linalg::LinalgOp>(op);
  SmallVector<Range> ranges = linalgOp.createLoopRanges(builder, loc);
  for (auto [range, kind] : llvm::zip(ranges, linalgOp.getIteratorTypesArray()))
    if (kind == utils::IteratorType::parallel)
      count = builder.createOrFold<arith::MulIOp>(
          loc, count,
          boundExtent(
              loc, getValueOrCreateConstantIndexOp(builder, loc, range.size)));
  // A result of a reduction may take a warp.
  if (linalgOp.getNumReductionLoops() > 0)
    count = builder.createOrFold<arith::MulIOp>(loc, count,
                                                constant(loc, WarpSize));
  return count;
}

void KernelMapper::mapWhole(Operation *op) {
  Location loc = op->getLoc();
  builder.setInsertionPoint(op);
  Value blocks = builder.createOrFold<arith::CeilDivSIOp>(
      loc, countElements(op), constant(loc, threads));
  blocks = builder.createOrFold<arith::MinSIOp>(loc, blocks,
                                                constant(loc, MostBlocks));
  gpu::LaunchOp launch = createLaunch(loc, blocks, "grid");
  op->moveBefore(launch.getBody().front().getTerminator());
}

void KernelMapper::mapSequential(Operation *op) {
  builder.setInsertionPoint(op);
  gpu::LaunchOp launch = createLaunch(op->getLoc(), constant(op->getLoc(), 1));
  op->moveBefore(launch.getBody().front().getTerminator());
  attributeBuffers(launch);
}

LogicalResult KernelMapper::mapOperation(Operation *op) {
  if (isa<gpu::LaunchOp, func::ReturnOp>(op))
    return success();
  if (auto loop = dyn_cast<scf::ForallOp>(op))
    return mapForall(loop);
  if (op->getNumRegions() > 0 && holdsParallelWork(op)) {
    if (!isa<scf::ForOp, scf::IfOp, scf::IndexSwitchOp, scf::WhileOp>(op))
      return op->emitOpError("has parallel work inside and no GPU form, "
                             "expected it in scf.for, scf.if, "
                             "scf.index_switch or scf.while");
    for (Region &region : op->getRegions())
      for (Block &block : region)
        if (failed(mapBlock(block)))
          return failure();
    return success();
  }
  if (!touchesMemory(op) || isa<memref::LoadOp, memref::GetGlobalOp>(op) ||
      isRepeatable(op))
    return success();
  if (isa<linalg::LinalgOp, memref::CopyOp>(op)) {
    mapWhole(op);
    return success();
  }
  if (isa<memref::StoreOp>(op) ||
      (isa<scf::ForOp, scf::IfOp>(op) && op->getNumResults() == 0)) {
    mapSequential(op);
    return success();
  }
  return op->emitOpError("has no GPU form: it touches memory and is no "
                         "parallel loop, no linalg operation and no loop of "
                         "these");
}

LogicalResult KernelMapper::mapBlock(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(block))
    if (!op.hasTrait<OpTrait::IsTerminator>() && failed(mapOperation(&op)))
      return failure();
  return success();
}

/// A launch behind `unit` in its block that writes the buffer that `load`,
/// which is inside of it, reads, which would make a load inside of a launch
/// behind that see another value.
static gpu::LaunchOp findWriter(memref::LoadOp load, Operation *unit) {
  MemrefValue base =
      memref::skipViewLikeOps(cast<MemrefValue>(load.getMemRef()));
  for (Operation *op = unit->getNextNode(); op; op = op->getNextNode()) {
    gpu::LaunchOp found;
    op->walk([&](gpu::LaunchOp launch) {
      launch.walk([&](MemoryEffectOpInterface inner) {
        SmallVector<MemoryEffects::EffectInstance> effects;
        inner.getEffects<MemoryEffects::Write>(effects);
        for (const MemoryEffects::EffectInstance &effect : effects) {
          auto written = dyn_cast_or_null<MemrefValue>(effect.getValue());
          if (!written || memref::skipViewLikeOps(written) == base)
            found = launch;
        }
      });
    });
    if (found)
      return found;
  }
  return {};
}

LogicalResult KernelMapper::sinkLoads(func::FuncOp function) {
  // What is computed of loaded values goes along into the launches: those that
  // use it are found from the last operation on.
  SmallVector<Operation *> hosts;
  llvm::DenseMap<Operation *, unsigned> order;
  function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (isa<gpu::LaunchOp>(op))
      return WalkResult::skip();
    order[op] = hosts.size();
    hosts.push_back(op);
    return isRepeatable(op) ? WalkResult::skip() : WalkResult::advance();
  });
  llvm::SetVector<Operation *> loaded;
  for (Operation *op : hosts) {
    if (isa<memref::GetGlobalOp>(op) ||
        ((isa<memref::LoadOp>(op) || isRepeatable(op)) && readsContents(op)))
      loaded.insert(op);
  }
  llvm::SetVector<Operation *> dependent(loaded);
  for (unsigned i = 0; i < dependent.size(); ++i)
    for (Operation *inner : dependent[i]->getUsers()) {
      if (inner->getParentOfType<gpu::LaunchOp>() || readsConstant(inner))
        continue;
      Operation *user = findUnit(inner);
      bool moves = isRepeatable(user) ||
                   (isMemoryEffectFree(user) && user->getNumRegions() == 0 &&
                    !user->hasTrait<OpTrait::IsTerminator>());
      if (!moves) {
        InFlightDiagnostic diagnostic = user->emitOpError(
            "depends on the contents of a buffer of the device, which the host "
            "does not see; expected extents of arguments alone, or a loop "
            "without parallel work inside");
        diagnostic.attachNote(dependent[i]->getLoc())
            << "through this: " << *dependent[i];
        return diagnostic;
      }
      dependent.insert(user);
    }
  function.walk([&](gpu::LaunchOp launch) {
    // Operands of the body from in front of it, those of a clone last.
    SmallVector<Operation *> needed;
    llvm::SmallPtrSet<Operation *, 8> seen;
    auto need = [&](Value operand) {
      if (Operation *source = operand.getDefiningOp();
          source && dependent.contains(source) && seen.insert(source).second)
        needed.push_back(source);
    };
    launch.walk(
        [&](Operation *op) { llvm::for_each(op->getOperands(), need); });
    for (unsigned i = 0; i < needed.size(); ++i)
      llvm::for_each(getUsedValues(needed[i]), need);
    llvm::sort(needed, [&](Operation *a, Operation *b) {
      return order.lookup(a) < order.lookup(b);
    });
    builder.setInsertionPointToStart(&launch.getBody().front());
    IRMapping mapping;
    for (Operation *op : needed)
      builder.clone(*op, mapping);
    for (Operation *op : needed)
      for (Value result : op->getResults())
        result.replaceUsesWithIf(mapping.lookup(result), [&](OpOperand &use) {
          return launch->isProperAncestor(use.getOwner());
        });
  });
  for (Operation *op : loaded) {
    WalkResult walk = op->walk([&](memref::LoadOp load) {
      gpu::LaunchOp writer = findWriter(load, op);
      if (!writer)
        return WalkResult::advance();
      InFlightDiagnostic diagnostic = load.emitOpError(
          "reads an element that a kernel writes later on, and has no GPU "
          "form outside of a kernel; expected it inside of the loop that "
          "uses it");
      diagnostic.attachNote(writer.getLoc()) << "written here";
      return WalkResult::interrupt();
    });
    if (walk.wasInterrupted())
      return failure();
  }
  for (Operation *op : llvm::reverse(dependent.getArrayRef()))
    if (op->use_empty())
      op->erase();
  return success();
}

LogicalResult KernelMapper::mapFunction(func::FuncOp function) {
  if (!llvm::hasSingleElement(function.getBody()))
    return function.emitOpError("has branches, expected loops of scf");
  if (failed(mapBlock(function.getBody().front())) ||
      failed(sinkLoads(function)))
    return failure();
  auto queue = LLVM::LLVMPointerType::get(function.getContext());
  return function.insertArgument(function.getNumArguments(), queue, {},
                                 function.getLoc());
}

namespace {
struct MapKernelsPass : weir::impl::MapKernelsBase<MapKernelsPass> {
  using MapKernelsBase::MapKernelsBase;

  void runOnOperation() override {
    KernelMapper mapper(&getContext(), threads);
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && failed(mapper.mapFunction(function)))
        return signalPassFailure();
  }
};
} // namespace
