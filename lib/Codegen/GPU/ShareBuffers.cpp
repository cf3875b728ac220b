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

/// The bytes `buffer` takes at most, or failure behind an error.
static FailureOr<int64_t> boundBytes(memref::AllocOp buffer) {
  MemRefType type = buffer.getType();
  if (!type.getLayout().isIdentity() ||
      !type.getElementType().isIntOrIndexOrFloat())
    return buffer.emitOpError("is of type ")
           << type << ", expected numbers in rows to keep in shared memory";
  int64_t bytes = type.getElementType().isIndex()
                      ? 8
                      : llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  for (int64_t extent : type.getShape())
    bytes *= ShapedType::isDynamic(extent) ? 1 : extent;
  for (auto [i, extent] : llvm::enumerate(buffer.getDynamicSizes())) {
    std::optional<int64_t> bound = findExtentBound(extent);
    if (!bound)
      return buffer.emitOpError("has an extent without a bound, number ")
             << i << " of the dynamic ones; shared memory needs one: give "
             << "tiles that bound it by schedule(<...>)";
    bytes *= *bound;
  }
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

/// Shares the buffers made inside of `loop`, which no loop of its kind holds.
static LogicalResult shareIn(scf::ForallOp loop, int64_t limit) {
  SmallVector<memref::AllocOp> buffers;
  loop->walk([&](memref::AllocOp buffer) {
    if (!buffer.getType().getMemorySpace())
      buffers.push_back(buffer);
  });
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
          return failed(shareIn(loop, limit)) ? WalkResult::interrupt()
                                              : WalkResult::skip();
        });
    if (walk.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
