//===- MutateKernels.cpp - Kernels with a fault put in ----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each kind of fault has places in a kernel of the stage `lowered`: operations
// that it can be put into. The pass puts one fault into one place, or lists how
// many places there are.
//
//===----------------------------------------------------------------------===//

#include "MutateKernels.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;

namespace {
constexpr unsigned SharedSpace = 3;

/// A kind of fault: whether an operation is a place of it, and what it does
/// there.
struct Kind {
  StringRef name;
  bool (*matches)(Operation *);
  void (*mutate)(Operation *);
};
} // namespace

static bool isShared(Value address) {
  auto type = dyn_cast<LLVM::LLVMPointerType>(address.getType());
  return type && type.getAddressSpace() == SharedSpace;
}

static void erase(Operation *op) { op->erase(); }

/// Moves operand `number` of `op`, an address, by `bytes`.
static void shift(Operation *op, unsigned number, int32_t bytes) {
  OpBuilder builder(op);
  Value address = op->getOperand(number);
  op->setOperand(number,
                 LLVM::GEPOp::create(builder, op->getLoc(), address.getType(),
                                     builder.getI8Type(), address,
                                     ArrayRef<LLVM::GEPArg>{bytes}));
}

static void swapOperands(Operation *op, unsigned a, unsigned b) {
  Value first = op->getOperand(a);
  op->setOperand(a, op->getOperand(b));
  op->setOperand(b, first);
}

/// What a value of `type` in memory takes, for numbers and vectors of them.
static int32_t countBytes(Type type) {
  int64_t count = 1;
  if (auto vector = dyn_cast<VectorType>(type)) {
    count = vector.getNumElements();
    type = vector.getElementType();
  }
  return static_cast<int32_t>(
      count * (type.isIntOrFloat() ? type.getIntOrFloatBitWidth() / 8 : 8));
}

/// The buffer that an address of it is taken of, in the module of kernels.
static LLVM::GlobalOp findBuffer(LLVM::AddressOfOp address) {
  return address->getParentOfType<gpu::GPUModuleOp>()
      .lookupSymbol<LLVM::GlobalOp>(address.getGlobalName());
}

template <typename OpT>
static bool isOp(Operation *op) {
  return isa<OpT>(op);
}

/// Whether `op` is code of an instruction that begins with `name`.
static bool isCode(Operation *op, StringRef name) {
  auto code = dyn_cast<LLVM::InlineAsmOp>(op);
  return code && code.getAsmString().starts_with(name);
}
static bool isGroupProduct(Operation *op) {
  return isCode(op, "wgmma.mma_async");
}
static bool isGroupWait(Operation *op) {
  return isCode(op, "wgmma.wait_group");
}

/// Adds `value` to operand `number` of `op`, a number.
static void addTo(Operation *op, unsigned number, int64_t value) {
  OpBuilder builder(op);
  Value before = op->getOperand(number);
  Value term = LLVM::ConstantOp::create(
      builder, op->getLoc(), builder.getIntegerAttr(before.getType(), value));
  op->setOperand(number,
                 LLVM::AddOp::create(builder, op->getLoc(), before, term));
}

/// Has what `op`, code that changes values, gives be what it takes.
static void skipCode(Operation *op) {
  for (Operation *user : llvm::make_early_inc_range(op->getUsers())) {
    auto taken = cast<LLVM::ExtractValueOp>(user);
    taken.replaceAllUsesWith(op->getOperand(taken.getPosition().front()));
    taken.erase();
  }
  op->erase();
}

static const Kind Kinds[] = {
    {"drop-phase-wait", isOp<NVVM::MBarrierTryWaitOp>,
     [](Operation *op) {
       OpBuilder builder(op);
       Value done = LLVM::ConstantOp::create(builder, op->getLoc(),
                                             builder.getBoolAttr(true));
       op->getResult(0).replaceAllUsesWith(done);
       op->erase();
     }},
    {"shift-parity", isOp<NVVM::MBarrierTryWaitOp>,
     [](Operation *op) { addTo(op, 1, 1); }},
    {"drop-expect", isOp<NVVM::MBarrierArriveExpectTxOp>,
     [](Operation *op) {
       OpBuilder builder(op);
       NVVM::MBarrierArriveOp::create(builder, op->getLoc(), Type(),
                                      op->getOperand(0), Value(),
                                      NVVM::MemScopeKind::CTA, false);
       op->erase();
     }},
    {"expect-less", isOp<NVVM::MBarrierArriveExpectTxOp>,
     [](Operation *op) { addTo(op, 1, -128); }},
    {"drop-arrival", isOp<NVVM::MBarrierArriveOp>, erase},
    {"shift-barrier", isOp<NVVM::MBarrierArriveOp>,
     [](Operation *op) { shift(op, 0, 8); }},
    {"change-arrivals", isOp<NVVM::MBarrierInitOp>,
     [](Operation *op) {
       OpBuilder builder(op);
       op->setOperand(1,
                      LLVM::ConstantOp::create(builder, op->getLoc(),
                                               builder.getI32IntegerAttr(2)));
     }},
    {"drop-init-fence", isOp<NVVM::FenceMbarrierInitOp>, erase},
    {"drop-warp-sync", isOp<NVVM::SyncWarpOp>, erase},
    {"drop-box", isOp<NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp>, erase},
    {"shift-box-target", isOp<NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp>,
     [](Operation *op) { shift(op, 0, 128); }},
    {"shift-box-row", isOp<NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp>,
     [](Operation *op) { addTo(op, 3, 1); }},
    {"shift-box-column", isOp<NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp>,
     [](Operation *op) { addTo(op, 2, 8); }},
    {"drop-group-fence", isOp<NVVM::WgmmaFenceAlignedOp>, erase},
    {"drop-group-commit", isOp<NVVM::WgmmaGroupSyncAlignedOp>, erase},
    {"drop-group-wait", isGroupWait, skipCode},
    {"weaken-group-wait", isGroupWait,
     [](Operation *op) {
       cast<LLVM::InlineAsmOp>(op).setAsmString(
           "wgmma.wait_group.sync.aligned 1;");
     }},
    {"drop-group-product", isGroupProduct, skipCode},
    {"shift-descriptor", isGroupProduct,
     [](Operation *op) { addTo(op, op->getNumOperands() - 1, 1); }},
    {"change-swizzle", isGroupProduct,
     [](Operation *op) {
       addTo(op, op->getNumOperands() - 1, int64_t(1) << 62);
     }},
    {"change-stride", isGroupProduct,
     [](Operation *op) {
       addTo(op, op->getNumOperands() - 1, int64_t(32) << 32);
     }},
    {"swap-group-rows", isGroupProduct,
     [](Operation *op) {
       unsigned first = op->getNumOperands() - 5;
       swapOperands(op, first, first + 1);
     }},
    {"swap-group-halves", isGroupProduct,
     [](Operation *op) {
       unsigned first = op->getNumOperands() - 5;
       swapOperands(op, first, first + 2);
     }},
    {"swap-group-sums", isGroupProduct,
     [](Operation *op) { swapOperands(op, 0, 2); }},
    {"drop-barrier", isOp<NVVM::Barrier0Op>, erase},
    {"drop-wait", isOp<NVVM::CpAsyncWaitGroupOp>, erase},
    {"weaken-wait", isOp<NVVM::CpAsyncWaitGroupOp>,
     [](Operation *op) {
       auto wait = cast<NVVM::CpAsyncWaitGroupOp>(op);
       wait.setN(wait.getN() + 1);
     }},
    {"drop-commit", isOp<NVVM::CpAsyncCommitGroupOp>, erase},
    {"drop-copy", isOp<NVVM::CpAsyncOp>, erase},
    {"shift-copy-target", isOp<NVVM::CpAsyncOp>,
     [](Operation *op) { shift(op, 0, 16); }},
    {"shift-copy-source", isOp<NVVM::CpAsyncOp>,
     [](Operation *op) {
       shift(op, 1, static_cast<int32_t>(cast<NVVM::CpAsyncOp>(op).getSize()));
     }},
    {"shift-load",
     [](Operation *op) {
       auto load = dyn_cast<LLVM::LoadOp>(op);
       return load && isShared(load.getAddr());
     },
     [](Operation *op) {
       shift(op, 0, countBytes(op->getResult(0).getType()));
     }},
    {"shift-store",
     [](Operation *op) {
       auto store = dyn_cast<LLVM::StoreOp>(op);
       return store && isShared(store.getAddr());
     },
     [](Operation *op) {
       shift(op, 1, countBytes(op->getOperand(0).getType()));
     }},
    {"shift-matrix", isOp<NVVM::LdMatrixOp>,
     [](Operation *op) { shift(op, 0, 16); }},
    {"transpose-matrix", isOp<NVVM::LdMatrixOp>,
     [](Operation *op) {
       cast<NVVM::LdMatrixOp>(op).setLayout(NVVM::MMALayout::col);
     }},
    {"swap-rows", isOp<NVVM::MmaOp>,
     [](Operation *op) { swapOperands(op, 0, 1); }},
    {"swap-halves", isOp<NVVM::MmaOp>,
     [](Operation *op) { swapOperands(op, 4, 5); }},
    {"swap-sums", isOp<NVVM::MmaOp>,
     [](Operation *op) { swapOperands(op, 6, 8); }},
    {"swap-lanes", isOp<NVVM::LaneIdOp>,
     [](Operation *op) {
       OpBuilder builder(op->getContext());
       builder.setInsertionPointAfter(op);
       Value lane = op->getResult(0);
       Value one = LLVM::ConstantOp::create(
           builder, op->getLoc(), builder.getIntegerAttr(lane.getType(), 1));
       Value other = LLVM::XOrOp::create(builder, op->getLoc(), lane, one);
       lane.replaceAllUsesExcept(other, other.getDefiningOp());
     }},
    {"drop-shuffle", isOp<NVVM::ShflOp>,
     [](Operation *op) {
       auto shuffle = cast<NVVM::ShflOp>(op);
       shuffle.getRes().replaceAllUsesWith(shuffle.getVal());
       op->erase();
     }},
    {"shorten-buffer",
     [](Operation *op) {
       auto address = dyn_cast<LLVM::AddressOfOp>(op);
       return address && isShared(address.getResult());
     },
     [](Operation *op) {
       LLVM::GlobalOp buffer = findBuffer(cast<LLVM::AddressOfOp>(op));
       auto type = cast<LLVM::LLVMArrayType>(buffer.getGlobalType());
       int64_t bytes = static_cast<int64_t>(type.getNumElements());
       buffer.setGlobalType(LLVM::LLVMArrayType::get(
           type.getElementType(), std::max<int64_t>(4, bytes - bytes / 4)));
     }},
};

namespace {
struct MutateKernels : PassWrapper<MutateKernels, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(MutateKernels)

  MutateKernels() = default;
  MutateKernels(const MutateKernels &other) : PassWrapper(other) {}

  StringRef getArgument() const override { return "test-mutate-kernels"; }
  StringRef getDescription() const override {
    return "put a fault into a lowered kernel";
  }
  void runOnOperation() override;

  Option<std::string> kernel{*this, "kernel",
                             llvm::cl::desc("Kernel to put the fault into")};
  Option<std::string> kind{*this, "kind", llvm::cl::desc("Kind of the fault")};
  Option<unsigned> place{*this, "place", llvm::cl::desc("Number of the place"),
                         llvm::cl::init(0)};
  Option<bool> list{*this, "list",
                    llvm::cl::desc("Print kernels, kinds and their places on "
                                   "standard error, and change nothing"),
                    llvm::cl::init(false)};
};
} // namespace

void MutateKernels::runOnOperation() {
  for (auto kernels : getOperation().getOps<gpu::GPUModuleOp>())
    for (auto function : kernels.getOps<LLVM::LLVMFuncOp>()) {
      if (!list && function.getName() != kernel)
        continue;
      for (const Kind &candidate : Kinds) {
        if (!list && candidate.name != kind)
          continue;
        SmallVector<Operation *> places;
        function.walk([&](Operation *op) {
          if (candidate.matches(op))
            places.push_back(op);
        });
        if (list) {
          if (!places.empty())
            llvm::errs() << function.getName() << " " << candidate.name << " "
                         << places.size() << "\n";
          continue;
        }
        if (place >= places.size()) {
          function.emitError() << "has " << places.size() << " places for "
                               << kind << ", none of number " << place;
          return signalPassFailure();
        }
        candidate.mutate(places[place]);
        return;
      }
    }
  if (list)
    return;
  getOperation().emitError() << "has no kernel '" << kernel
                             << "', or there is no kind '" << kind << "'";
  signalPassFailure();
}

void weir::registerMutateKernels() { PassRegistration<MutateKernels>(); }
