//===- ShareBuffers.cpp - Buffers in shared memory --------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The memory space is part of a buffer's type, and so of all views of it: these
// are followed from the allocation on and retyped one by one.
//
//===----------------------------------------------------------------------===//

#include "ForallPoints.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "weir/Codegen/ExtentBounds.h"
#include "weir/Codegen/GPUPasses.h"
#include "llvm/Support/MathExtras.h"

namespace weir {
#define GEN_PASS_DEF_SHAREBUFFERS
#include "weir/Codegen/GPUPasses.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// What the places of buffers in the arena are multiples of.
static constexpr int64_t PartAlignment = 64;

/// The bytes of an element of `type`.
static int64_t getElementBytes(MemRefType type) {
  return type.getElementType().isIndex()
             ? 8
             : llvm::divideCeil(type.getElementTypeBitWidth(), 8);
}

/// Whether one extent of `buffer` may be any, which none of shared memory can.
static bool isUnbounded(memref::AllocOp buffer) {
  return llvm::any_of(buffer.getDynamicSizes(),
                      [](Value extent) { return !findExtentBound(extent); });
}

/// The bytes `buffer` takes at most, or failure behind an error.
static FailureOr<int64_t> boundBytes(memref::AllocOp buffer) {
  MemRefType type = buffer.getType();
  if (!type.getLayout().isIdentity() ||
      !type.getElementType().isIntOrIndexOrFloat())
    return buffer.emitOpError("is of type ")
           << type << ", expected numbers in rows to keep in shared memory";
  int64_t bytes = getElementBytes(type);
  for (int64_t extent : type.getShape())
    bytes *= ShapedType::isDynamic(extent) ? 1 : extent;
  for (Value extent : buffer.getDynamicSizes())
    bytes *= *findExtentBound(extent);
  return static_cast<int64_t>(llvm::alignTo(bytes, SharedAlignment));
}

/// Gives all views of `view` the memory space that it has itself.
static LogicalResult retypeViews(Value view, Attribute space) {
  SmallVector<Value> open{view};
  while (!open.empty()) {
    Value buffer = open.pop_back_val();
    for (OpOperand &use : llvm::make_early_inc_range(buffer.getUses())) {
      Operation *user = use.getOwner();
      if (isa<memref::DeallocOp>(user)) {
        user->erase();
        continue;
      }
      if (isa<RegionBranchTerminatorOpInterface>(user) ||
          isa<LoopLikeOpInterface>(user) || isa<CallOpInterface>(user) ||
          isa<BranchOpInterface>(user))
        return user->emitOpError("hands on a buffer that a block shares; "
                                 "weir-carry-in-place leaves none");
      if (!isa<ViewLikeOpInterface>(user))
        continue;
      for (Value result : user->getResults())
        if (auto type = dyn_cast<MemRefType>(result.getType())) {
          result.setType(MemRefType::get(type.getShape(), type.getElementType(),
                                         type.getLayout(), space));
          open.push_back(result);
        }
    }
  }
  return success();
}

/// Moves `buffer`, of at most `bytes`, to shared memory.
static LogicalResult share(memref::AllocOp buffer, int64_t bytes) {
  OpBuilder builder(buffer);
  Location loc = buffer.getLoc();
  auto space = gpu::AddressSpaceAttr::get(builder.getContext(),
                                          gpu::AddressSpace::Workgroup);
  auto memoryType = MemRefType::get({bytes}, builder.getI8Type(),
                                    MemRefLayoutAttrInterface(), space);
  Value memory = memref::AllocOp::create(builder, loc, memoryType);
  MemRefType type = buffer.getType();
  auto viewType = MemRefType::get(type.getShape(), type.getElementType(),
                                  MemRefLayoutAttrInterface(), space);
  Value start = arith::ConstantIndexOp::create(builder, loc, 0);
  Value view = memref::ViewOp::create(builder, loc, viewType, memory, start,
                                      buffer.getDynamicSizes());
  buffer.getResult().replaceAllUsesWith(view);
  buffer.erase();
  return retypeViews(view, space);
}

/// Puts a loop of at most `parts` points in place of `loop`, which take its
/// points in turn: memory is needed for as many as are at work at a time.
static scf::ForallOp takeTurns(scf::ForallOp loop, int64_t parts) {
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  ForallPoints points(builder, loop);
  Value most = arith::ConstantIndexOp::create(builder, loc, parts);
  Value count =
      builder.createOrFold<arith::MinSIOp>(loc, points.getCount(), most);
  auto outer = scf::ForallOp::create(
      builder, loc, ArrayRef<OpFoldResult>{getAsOpFoldResult(count)},
      ValueRange(), std::nullopt);
  builder.setInsertionPointToStart(outer.getBody());
  auto inner = scf::ForOp::create(builder, loc, outer.getInductionVar(0),
                                  points.getCount(), count);
  builder.setInsertionPointToStart(inner.getBody());
  points.moveBody(builder, inner.getInductionVar());
  return outer;
}

/// Gives each point of `loop`, made by `takeTurns`, a part of one buffer in
/// front of it in place of `buffer`, which may be of any size.
static LogicalResult spreadOut(memref::AllocOp buffer, scf::ForallOp loop) {
  OpBuilder before(loop), builder(buffer);
  Location loc = buffer.getLoc();
  MemRefType type = buffer.getType();
  Value bytes =
      arith::ConstantIndexOp::create(before, loc, getElementBytes(type));
  unsigned number = 0;
  for (int64_t extent : type.getShape()) {
    Value size;
    if (!ShapedType::isDynamic(extent)) {
      size = arith::ConstantIndexOp::create(before, loc, extent);
    } else {
      size = buffer.getDynamicSizes()[number];
      if (loop->isAncestor(size.getParentRegion()->getParentOp())) {
        std::optional<int64_t> bound = findExtentBound(size);
        if (!bound)
          return buffer.emitOpError("has an extent without a bound that is "
                                    "known inside of the loop alone, number ")
                 << number << " of the dynamic ones; give tiles that bound it "
                 << "by schedule(<...>)";
        size = arith::ConstantIndexOp::create(before, loc, *bound);
      }
      ++number;
    }
    bytes = before.createOrFold<arith::MulIOp>(loc, bytes, size);
  }
  // Parts are aligned as buffers of their own are.
  Value line = arith::ConstantIndexOp::create(before, loc, PartAlignment);
  bytes = before.createOrFold<arith::MulIOp>(
      loc, before.createOrFold<arith::CeilDivSIOp>(loc, bytes, line), line);
  Value parts = loop.getUpperBound(before).front();
  Value all = memref::AllocOp::create(
      before, loc, MemRefType::get({ShapedType::kDynamic}, before.getI8Type()),
      before.createOrFold<arith::MulIOp>(loc, bytes, parts));
  Value start =
      arith::MulIOp::create(builder, loc, loop.getInductionVar(0), bytes);
  Value view = memref::ViewOp::create(builder, loc, type, all, start,
                                      buffer.getDynamicSizes());
  remark::missed(
      loc,
      remark::RemarkOpts::name("ShareBuffer").category("weir-share-buffers"))
      << "a buffer of each block is not in shared memory: one of its extents "
         "has no bound";
  for (Operation *user : llvm::make_early_inc_range(buffer->getUsers()))
    if (isa<memref::DeallocOp>(user))
      user->erase();
  buffer.getResult().replaceAllUsesWith(view);
  buffer.erase();
  return success();
}

/// Shares the buffers made inside of `loop`, which no loop of its kind holds.
static LogicalResult shareIn(scf::ForallOp loop, int64_t limit, int64_t parts) {
  SmallVector<memref::AllocOp> buffers, unbounded;
  loop->walk([&](memref::AllocOp buffer) {
    if (buffer.getType().getMemorySpace())
      return;
    bool plain = buffer.getType().getLayout().isIdentity();
    (plain && isUnbounded(buffer) ? unbounded : buffers).push_back(buffer);
  });
  if (!unbounded.empty())
    loop = takeTurns(loop, parts);
  for (memref::AllocOp buffer : unbounded)
    if (failed(spreadOut(buffer, loop)))
      return failure();
  int64_t total = 0;
  SmallVector<int64_t> sizes;
  for (memref::AllocOp buffer : buffers) {
    FailureOr<int64_t> bytes = boundBytes(buffer);
    if (failed(bytes))
      return failure();
    sizes.push_back(*bytes);
    total += *bytes;
  }
  if (total > limit) {
    InFlightDiagnostic diagnostic =
        loop.emitOpError("has buffers of ")
        << total << " bytes that its block would share, expected at most "
        << limit << "; give smaller tiles by schedule(<...>)";
    for (auto [buffer, bytes] : llvm::zip(buffers, sizes))
      diagnostic.attachNote(buffer.getLoc())
          << bytes << " bytes for " << buffer.getType();
    return diagnostic;
  }
  for (auto [buffer, bytes] : llvm::zip(buffers, sizes))
    if (failed(share(buffer, bytes)))
      return failure();
  return success();
}

namespace {
struct ShareBuffersPass : weir::impl::ShareBuffersBase<ShareBuffersPass> {
  using ShareBuffersBase::ShareBuffersBase;

  void runOnOperation() override {
    WalkResult walk =
        getOperation().walk<WalkOrder::PreOrder>([&](scf::ForallOp loop) {
          return failed(shareIn(loop, limit, parts)) ? WalkResult::interrupt()
                                                     : WalkResult::skip();
        });
    if (walk.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
