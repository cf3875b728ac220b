//===- VerifyStages.cpp - Check what remains behind a stage -----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A contract is a list of dialects, a test for ops of the weir dialect, and the
// way out that is told with every breach. All ops are visited once; ops of one
// name tend to come in crowds, so only the first of a name is reported.
//
//===----------------------------------------------------------------------===//

#include "weir/Codegen/VerifyStages.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "weir/IR/Weir.h"
#include "llvm/ADT/StringSet.h"

namespace weir {
#define GEN_PASS_DEF_VERIFYFORMED
#define GEN_PASS_DEF_VERIFYSCHEDULED
#define GEN_PASS_DEF_VERIFYTILED
#define GEN_PASS_DEF_VERIFYBUFFERIZED
#define GEN_PASS_DEF_VERIFYLOWERED
#include "weir/Codegen/StagePasses.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

namespace {
/// What may remain behind one stage.
struct StageContract {
  StringLiteral stage;
  /// Dialects whose ops may all remain.
  ArrayRef<StringLiteral> dialects;
  /// Whether an op of the weir dialect may.
  bool (*mayRemain)(Operation *op);
  /// What else is expected of an op; emits an error when it is not so.
  LogicalResult (*check)(Operation *op);
  /// Worded to follow "expected ".
  StringLiteral expected;
};
} // namespace

static constexpr StringLiteral TensorDialects[] = {
    "affine", "amx",    "arith",  "bufferization", "builtin",  "cf",
    "func",   "index",  "linalg", "llvm",          "math",     "memref",
    "scf",    "tensor", "ub",     "vector",        "x86vector"};
static constexpr StringLiteral BufferDialects[] = {
    "affine", "amx",  "arith",  "builtin", "cf", "func",   "index",    "linalg",
    "llvm",   "math", "memref", "scf",     "ub", "vector", "x86vector"};
static constexpr StringLiteral MachineDialects[] = {"gpu", "llvm", "nvvm",
                                                    "omp"};

static LogicalResult accept(Operation *) { return success(); }

/// Ops with a plain definition, and what needs none.
static bool isCompilable(Operation *op) {
  return isa<SymbolOpInterface, ReferenceInterface, WeightOp>(op) ||
         op->hasTrait<OpTrait::IsTerminator>();
}

static LogicalResult checkSchedule(Operation *op) {
  if (!isa<BlockMapInterface>(op) ||
      op->getAttrOfType<ScheduleAttr>("schedule"))
    return success();
  return op->emitOpError("has no schedule behind the stage scheduled, expected "
                         "the one that weir-select-schedule writes, or "
                         "schedule(<form = ..., tiles = [...]>) by hand");
}

/// Whether `function` ends its arguments with the weights file and the arena.
static bool hasHiddenArguments(func::FuncOp function) {
  StringRef roleName = WeirDialect::getRoleAttrName();
  unsigned count = function.getNumArguments();
  auto hasRole = [&](unsigned i, StringRef role) {
    auto attr = function.getArgAttrOfType<StringAttr>(i, roleName);
    return attr && attr.getValue() == role;
  };
  return count >= 2 && hasRole(count - 2, "weights") &&
         hasRole(count - 1, "arena");
}

static LogicalResult checkBuffers(Operation *op) {
  for (Type type : op->getOperandTypes())
    if (isa<TensorType>(type))
      return op->emitOpError("takes a ")
             << type
             << " behind the stage bufferized, expected a memref; an op that "
                "does not implement BufferizableOpInterface keeps its tensors";
  for (Type type : op->getResultTypes())
    if (isa<TensorType>(type))
      return op->emitOpError("gives a ")
             << type << " behind the stage bufferized, expected a memref";
  if (auto function = dyn_cast<func::FuncOp>(op)) {
    for (Type type : function.getArgumentTypes())
      if (isa<TensorType>(type))
        return op->emitOpError("has an argument of type ")
               << type << " behind the stage bufferized, expected a memref";
    // What plans memory adds functions of its own, which read extents alone.
    if (function.isPublic() && !function.isExternal() &&
        !function.getName().ends_with("__arena") &&
        !hasHiddenArguments(function))
      return op->emitOpError("does not end its arguments with the weights file "
                             "and the arena, expected those of "
                             "weir-bind-weights and weir-plan-memory");
    return success();
  }
  // What a block of a GPU shares is no part of the arena.
  if (auto alloc = dyn_cast<memref::AllocOp>(op);
      alloc && alloc.getType().getMemorySpace())
    return success();
  // Scratch memory on the stack is small and costs nothing.
  if (auto effects = dyn_cast<MemoryEffectOpInterface>(op)) {
    SmallVector<MemoryEffects::EffectInstance> instances;
    effects.getEffects(instances);
    for (const MemoryEffects::EffectInstance &effect : instances)
      if (isa<MemoryEffects::Allocate, MemoryEffects::Free>(
              effect.getEffect()) &&
          !isa<SideEffects::AutomaticAllocationScopeResource>(
              effect.getResource()))
        return op->emitOpError("allocates or frees memory behind the stage "
                               "bufferized, expected a view of the arena; "
                               "weir-plan-memory gives one to buffers whose "
                               "size depends on the arguments' extents alone");
  }
  return success();
}

/// Of kernels only the module that holds them is left.
static LogicalResult checkKernels(Operation *op) {
  if (!isa<gpu::GPUDialect>(op->getDialect()) || isa<gpu::GPUModuleOp>(op))
    return success();
  return op->emitOpError("may not remain behind the stage lowered, expected "
                         "kernels in one gpu.module and calls that launch "
                         "them; weir-lower-kernels and weir-lower-launches "
                         "make these");
}

static const StageContract Formed = {
    "formed", TensorDialects, isCompilable, accept,
    "ops of weir with a plain definition or of linalg, tensor, arith, math, "
    "scf and vector; lower it to those first"};
static const StageContract Scheduled = {
    "scheduled", TensorDialects, isCompilable, checkSchedule, Formed.expected};
static const StageContract Unscheduled = {
    "scheduled", TensorDialects, isCompilable, accept, Formed.expected};
static const StageContract Tiled = {
    "tiled", TensorDialects,
    [](Operation *op) { return isa<ParamOp, SlotOp, WeightOp>(op); }, accept,
    "loops and ops on tiles; weir-tile-block-maps, weir-lower-packed-linear "
    "and weir-lower-to-reference make them of ops of the dialect"};
static const StageContract Bufferized = {
    "bufferized", BufferDialects,
    [](Operation *op) { return isa<ParamOp, SlotOp>(op); }, checkBuffers,
    "ops on memrefs; one-shot bufferisation makes them of ops that implement "
    "BufferizableOpInterface"};
static const StageContract Lowered = {
    "lowered", MachineDialects, [](Operation *op) { return isa<ParamOp>(op); },
    checkKernels,
    "the LLVM dialect; the pipeline of this stage has no conversion for it"};

/// Reports every op of `module` that breaks `contract`, one per op name.
static LogicalResult verify(ModuleOp module, const StageContract &contract) {
  llvm::StringSet<> reported;
  auto mayRemain = [&](Operation *op) {
    if (llvm::is_contained(contract.dialects,
                           op->getName().getDialectNamespace()))
      return true;
    return isa<WeirDialect>(op->getDialect()) && contract.mayRemain(op);
  };
  module.walk([&](Operation *op) {
    if (op == module)
      return;
    StringRef name = op->getName().getStringRef();
    if (reported.contains(name))
      return;
    if (!op->getDialect() || !mayRemain(op)) {
      op->emitOpError("may not remain behind the stage ")
          << contract.stage << ", expected " << contract.expected;
      reported.insert(name);
    } else if (failed(contract.check(op))) {
      reported.insert(name);
    }
  });
  return success(reported.empty());
}

namespace {
struct VerifyFormedPass : weir::impl::VerifyFormedBase<VerifyFormedPass> {
  void runOnOperation() override {
    markAllAnalysesPreserved();
    if (failed(verify(getOperation(), Formed)))
      signalPassFailure();
  }
};

struct VerifyScheduledPass
    : weir::impl::VerifyScheduledBase<VerifyScheduledPass> {
  using VerifyScheduledBase::VerifyScheduledBase;
  void runOnOperation() override {
    markAllAnalysesPreserved();
    if (failed(verify(getOperation(), require ? Scheduled : Unscheduled)))
      signalPassFailure();
  }
};

struct VerifyTiledPass : weir::impl::VerifyTiledBase<VerifyTiledPass> {
  void runOnOperation() override {
    markAllAnalysesPreserved();
    if (failed(verify(getOperation(), Tiled)))
      signalPassFailure();
  }
};

struct VerifyBufferizedPass
    : weir::impl::VerifyBufferizedBase<VerifyBufferizedPass> {
  void runOnOperation() override {
    markAllAnalysesPreserved();
    if (failed(verify(getOperation(), Bufferized)))
      signalPassFailure();
  }
};

struct VerifyLoweredPass : weir::impl::VerifyLoweredBase<VerifyLoweredPass> {
  void runOnOperation() override {
    markAllAnalysesPreserved();
    if (failed(verify(getOperation(), Lowered)))
      signalPassFailure();
  }
};
} // namespace
