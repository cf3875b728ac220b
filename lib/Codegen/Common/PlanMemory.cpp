//===- PlanMemory.cpp - Give every buffer its place in an arena -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The arena is [shared buffers][private buffers of thread 0][of thread 1]...
// A buffer is private when a parallel loop encloses it. Sizes are computed at
// the head of the function from the extents of its arguments: the operations
// that compute an allocation's extents are cloned there, and once more into
// `@<name>__arena`. The number of threads comes from the runtime, which also
// tells a thread its number.
//
//===----------------------------------------------------------------------===//

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "weir/Codegen/ExtentBounds.h"
#include "weir/Codegen/Passes.h"
#include "weir/IR/Weir.h"

namespace weir {
#define GEN_PASS_DEF_PLANMEMORY
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// Alignment of buffers: a cache line, so that threads do not share one.
static constexpr int64_t BufferAlignment = 64;

/// Runtime functions the generated code calls (lib/Runtime/Threads.cpp).
static constexpr StringLiteral ThreadCountName = "weir_rt_num_threads";
static constexpr StringLiteral ThreadIndexName = "weir_rt_thread_index";

/// The extent of axis `axis` of `buffer`, found behind reshapes and casts as
/// far as that goes.
static Value buildExtent(OpBuilder &builder, Location loc, Value buffer,
                         int64_t axis) {
  auto type = cast<MemRefType>(buffer.getType());
  if (!type.isDynamicDim(axis))
    return arith::ConstantIndexOp::create(builder, loc, type.getDimSize(axis));
  if (auto alloc = buffer.getDefiningOp<memref::AllocOp>())
    return alloc.getDynamicSizes()[type.getDynamicDimIndex(axis)];
  if (auto cast = buffer.getDefiningOp<memref::CastOp>();
      cast && isa<MemRefType>(cast.getSource().getType()))
    return buildExtent(builder, loc, cast.getSource(), axis);
  if (auto view = buffer.getDefiningOp<memref::SubViewOp>()) {
    llvm::SmallBitVector dropped = view.getDroppedDims();
    for (auto [number, size] : llvm::enumerate(view.getMixedSizes()))
      if (!dropped[number] && axis-- == 0)
        return getValueOrCreateConstantIndexOp(builder, loc, size);
  }
  if (auto collapse = buffer.getDefiningOp<memref::CollapseShapeOp>()) {
    Value product;
    for (int64_t source : collapse.getReassociationIndices()[axis]) {
      Value extent = buildExtent(builder, loc, collapse.getSrc(), source);
      product = product ? arith::MulIOp::create(builder, loc, product, extent)
                        : extent;
    }
    return product;
  }
  return memref::DimOp::create(builder, loc, buffer, axis);
}

/// Replaces extents of reshaped buffers by extents of what they are made of.
static void resolveExtents(func::FuncOp function) {
  function.walk([](memref::DimOp dim) {
    std::optional<int64_t> axis = dim.getConstantIndex();
    if (!axis || !dim.getSource().getDefiningOp<memref::CollapseShapeOp>())
      return;
    OpBuilder builder(dim);
    dim.replaceAllUsesWith(
        buildExtent(builder, dim.getLoc(), dim.getSource(), *axis));
    dim.erase();
  });
}

namespace {
/// The buffers of one function, and the code that computes their places.
class ArenaPlan {
public:
  explicit ArenaPlan(func::FuncOp function) : function(function) {}

  /// Finds the buffers and checks that they can be planned.
  LogicalResult collect();

  /// Replaces the buffers by views of `arena`.
  void apply(Value arena);

  /// Builds `@<name>__arena` behind the function.
  void buildSizeFunction();

private:
  /// Emits the computation of all sizes on the arguments `arguments`, at the
  /// builder's insertion point. Fills `offsets` with one value per buffer, each
  /// relative to its part of the arena, and returns the bytes of the two parts.
  std::pair<Value, Value> emitSizes(OpBuilder &builder, ValueRange arguments,
                                    SmallVectorImpl<Value> &offsets);

  func::FuncOp function;
  SmallVector<memref::AllocOp> buffers;
  SmallVector<bool> isPrivate;
  /// Of each buffer, the bounds of its dynamic extents where these are not
  /// known themselves.
  SmallVector<SmallVector<std::optional<int64_t>>> bounds;
};
} // namespace

/// The innermost parallel loop around `op`, for which one buffer must become
/// one per thread, or null.
static Operation *getParallelLoop(Operation *op) {
  while ((op = op->getParentOp()))
    if (isa<scf::ParallelOp, scf::ForallOp>(op))
      return op;
  return nullptr;
}

/// The parallel loop around `op` that is in no other one.
static Operation *getOutermostLoop(Operation *op) {
  Operation *outermost = nullptr;
  while ((op = getParallelLoop(op)))
    outermost = op;
  return outermost;
}

/// The operation that keeps `extent` from following from the extents of the
/// arguments of `entry` alone; null when nothing does, or when it is an
/// argument of another block itself.
static FailureOr<Operation *> findObstacle(Value extent, Block &entry) {
  if (auto argument = dyn_cast<BlockArgument>(extent);
      argument && argument.getOwner() != &entry)
    return failure();
  SetVector<Operation *> slice;
  BackwardSliceOptions options;
  options.inclusive = true;
  options.omitBlockArguments = true;
  if (failed(getBackwardSlice(extent, &slice, options)))
    return failure();
  for (Operation *op : slice) {
    bool pure = isMemoryEffectFree(op) && op->getNumRegions() == 0;
    for (Value operand : op->getOperands())
      if (auto argument = dyn_cast<BlockArgument>(operand))
        pure &= argument.getOwner() == &entry;
    if (!pure)
      return op;
  }
  return nullptr;
}

/// How `extent` of `buffer` is known before the function runs: as a computation
/// on the extents of the arguments (no value), or by a bound, such as that of a
/// tile cut short at the end.
static FailureOr<std::optional<int64_t>>
boundExtent(memref::AllocOp buffer, Value extent, Block &entry) {
  FailureOr<Operation *> obstacle = findObstacle(extent, entry);
  if (succeeded(obstacle) && !*obstacle)
    return std::optional<int64_t>();
  if (std::optional<int64_t> bound = findExtentBound(extent))
    return bound;
  if (failed(obstacle))
    return buffer.emitOpError("has an extent that depends on a loop counter; "
                              "expected one that follows from the extents of "
                              "the function's arguments, or is bounded");
  InFlightDiagnostic diagnostic = buffer.emitOpError(
      "has an extent that depends on data or on a loop; expected one that "
      "follows from the extents of the function's arguments, or is bounded");
  diagnostic.attachNote((*obstacle)->getLoc())
      << "through this operation: " << **obstacle;
  return diagnostic;
}

LogicalResult ArenaPlan::collect() {
  Block &entry = function.getBody().front();
  WalkResult walk = function.walk([&](memref::AllocOp buffer) {
    // What a block of a GPU shares lies in no arena.
    if (buffer.getType().getMemorySpace())
      return WalkResult::advance();
    SmallVector<std::optional<int64_t>> extentBounds;
    for (Value extent : buffer.getDynamicSizes()) {
      FailureOr<std::optional<int64_t>> bound =
          boundExtent(buffer, extent, entry);
      if (failed(bound))
        return WalkResult::interrupt();
      extentBounds.push_back(*bound);
    }
    bounds.push_back(std::move(extentBounds));
    for (Operation *user : buffer->getUsers())
      if (isa<scf::YieldOp>(user) && isa<scf::ForOp>(user->getParentOp())) {
        buffer.emitOpError("outlives an iteration of the loop it is made in; "
                           "run weir-carry-in-place before bufferisation");
        return WalkResult::interrupt();
      }
    buffers.push_back(buffer);
    isPrivate.push_back(getParallelLoop(buffer) != nullptr);
    return WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

std::pair<Value, Value> ArenaPlan::emitSizes(OpBuilder &builder,
                                             ValueRange arguments,
                                             SmallVectorImpl<Value> &offsets) {
  Location loc = function.getLoc();
  IRMapping mapping;
  mapping.map(function.getArguments().take_front(arguments.size()), arguments);
  // Loops run one after the other, and each has a thread's part to itself. What
  // lies where does not depend on other loops either, so that methods of a
  // model may have kernels in common.
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  llvm::SmallMapVector<Operation *, Value, 8> ends;
  ends[nullptr] = zero;
  for (auto [buffer, isPrivateBuffer, extentBounds] :
       llvm::zip(buffers, isPrivate, bounds)) {
    MemRefType type = buffer.getType();
    int64_t bytes = type.getElementType().isIndex()
                        ? 8
                        : llvm::divideCeil(type.getElementTypeBitWidth(), 8);
    for (int64_t extent : type.getShape())
      bytes *= ShapedType::isDynamic(extent) ? 1 : extent;
    Value size = arith::ConstantIndexOp::create(
        builder, loc,
        buffer.getDynamicSizes().empty() ? llvm::alignTo(bytes, BufferAlignment)
                                         : bytes);
    for (auto [extent, bound] :
         llvm::zip(buffer.getDynamicSizes(), extentBounds)) {
      Value factor;
      if (bound) {
        factor = arith::ConstantIndexOp::create(builder, loc, *bound);
      } else {
        SetVector<Operation *> slice;
        BackwardSliceOptions options;
        options.inclusive = true;
        (void)getBackwardSlice(extent, &slice, options);
        for (Operation *op : slice)
          if (!mapping.contains(op->getResult(0)))
            builder.clone(*op, mapping);
        factor = mapping.lookupOrDefault(extent);
      }
      size = arith::MulIOp::create(builder, loc, size, factor);
    }
    if (!buffer.getDynamicSizes().empty()) {
      Value slack =
          arith::ConstantIndexOp::create(builder, loc, BufferAlignment - 1);
      Value mask =
          arith::ConstantIndexOp::create(builder, loc, -BufferAlignment);
      size = arith::AndIOp::create(
          builder, loc, arith::AddIOp::create(builder, loc, size, slack), mask);
    }
    Value &end = ends[isPrivateBuffer ? getOutermostLoop(buffer) : nullptr];
    if (!end)
      end = zero;
    offsets.push_back(end);
    end = builder.createOrFold<arith::AddIOp>(loc, end, size);
  }
  Value privateBytes = zero;
  for (auto [loop, end] : ends)
    if (loop)
      privateBytes =
          builder.createOrFold<arith::MaxUIOp>(loc, privateBytes, end);
  return {ends.lookup(nullptr), privateBytes};
}

/// The runtime function `name`, which takes nothing and returns an index.
static func::FuncOp getRuntimeFunction(ModuleOp module, StringRef name) {
  if (auto function = module.lookupSymbol<func::FuncOp>(name))
    return function;
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto type = builder.getFunctionType({}, builder.getIndexType());
  auto function = func::FuncOp::create(builder, module.getLoc(), name, type);
  function.setPrivate();
  return function;
}

/// The part of `arena` that belongs to the thread running `loop`. It is found
/// once at the head of the loop's body, so that buffers within have constant
/// distances from each other, from which LLVM sees that they do not overlap.
static Value buildThreadArena(Operation *loop, Value arena, Value sharedBytes,
                              Value privateBytes) {
  func::FuncOp threadIndex =
      getRuntimeFunction(loop->getParentOfType<ModuleOp>(), ThreadIndexName);
  OpBuilder builder = OpBuilder::atBlockBegin(&loop->getRegion(0).front());
  Location loc = loop->getLoc();
  Value thread = func::CallOp::create(builder, loc, threadIndex)->getResult(0);
  Value start = arith::MulIOp::create(builder, loc, thread, privateBytes);
  start = arith::AddIOp::create(builder, loc, start, sharedBytes);
  return memref::ViewOp::create(builder, loc, cast<MemRefType>(arena.getType()),
                                arena, start, ValueRange{privateBytes});
}

void ArenaPlan::apply(Value arena) {
  OpBuilder builder = OpBuilder::atBlockBegin(&function.getBody().front());
  SmallVector<Value> offsets;
  auto [sharedBytes, privateBytes] =
      emitSizes(builder, function.getArguments().drop_back(), offsets);
  llvm::SmallDenseMap<Operation *, Value> threadArenas;
  for (auto [i, buffer] : llvm::enumerate(buffers)) {
    Value from = arena;
    if (Operation *loop = getParallelLoop(buffer)) {
      Value &threadArena = threadArenas[loop];
      if (!threadArena)
        threadArena = buildThreadArena(loop, arena, sharedBytes, privateBytes);
      from = threadArena;
    }
    builder.setInsertionPoint(buffer);
    Value view =
        memref::ViewOp::create(builder, buffer.getLoc(), buffer.getType(), from,
                               offsets[i], buffer.getDynamicSizes());
    buffer.replaceAllUsesWith(view);
  }
}

void ArenaPlan::buildSizeFunction() {
  OpBuilder builder(&function.getBody());
  builder.setInsertionPointAfter(function);
  auto type = builder.getFunctionType(function.getArgumentTypes(),
                                      builder.getI64Type());
  std::string name = (function.getName() + "__arena").str();
  Location loc = function.getLoc();
  auto size = func::FuncOp::create(builder, loc, name, type);
  builder.setInsertionPointToStart(size.addEntryBlock());
  SmallVector<Value> offsets;
  auto [total, privateBytes] = emitSizes(builder, size.getArguments(), offsets);
  if (llvm::is_contained(isPrivate, true)) {
    func::FuncOp count = getRuntimeFunction(
        function->getParentOfType<ModuleOp>(), ThreadCountName);
    Value threads = func::CallOp::create(builder, loc, count)->getResult(0);
    total = arith::AddIOp::create(
        builder, loc, total,
        arith::MulIOp::create(builder, loc, threads, privateBytes));
  }
  Value bytes =
      arith::IndexCastOp::create(builder, loc, builder.getI64Type(), total);
  func::ReturnOp::create(builder, loc, bytes);
}

namespace {
struct PlanMemoryPass : weir::impl::PlanMemoryBase<PlanMemoryPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    OpBuilder builder(&getContext());
    auto arenaType =
        MemRefType::get({ShapedType::kDynamic}, builder.getI8Type());
    NamedAttribute role(builder.getStringAttr(WeirDialect::getRoleAttrName()),
                        builder.getStringAttr("arena"));
    for (auto function :
         llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
      if (function.isExternal() || !function.isPublic())
        continue;
      unsigned position = function.getNumArguments();
      resolveExtents(function);
      ArenaPlan plan(function);
      if (failed(function.insertArgument(position, arenaType,
                                         builder.getDictionaryAttr(role),
                                         function.getLoc())) ||
          failed(plan.collect()))
        return signalPassFailure();
      plan.buildSizeFunction();
      plan.apply(function.getArgument(position));
      function.walk([](memref::AllocOp buffer) {
        if (!buffer.getType().getMemorySpace())
          buffer.erase();
      });
      function.walk([](memref::DeallocOp dealloc) { dealloc.erase(); });
    }
  }
};
} // namespace
