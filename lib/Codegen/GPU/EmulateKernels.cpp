//===- EmulateKernels.cpp - Kernels for the emulator ------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel moves to the module of the host and gets the signature of the
// emulator (include/weir-rt/Simt.h): the block it runs in, and the places of
// its arguments. Shared memory becomes plain memory that the emulator hands
// out, so its address space leaves all types in the end; which accesses go
// there is settled before.
//
//===----------------------------------------------------------------------===//

#include "KernelAttrs.h"
#include "WarpgroupCode.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "weir-rt/Simt.h"
#include "weir/Codegen/GPUPasses.h"
#include "llvm/ADT/TypeSwitch.h"

namespace weir {
#define GEN_PASS_DEF_EMULATEKERNELS
#include "weir/Codegen/GPUPasses.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// Words that an operation passes to the emulator and gets from it, at most.
static constexpr int64_t ScratchWords =
    MostWarpgroupColumns / 2 + WarpgroupFactors;

static bool isShared(Value value) {
  auto type = dyn_cast<LLVM::LLVMPointerType>(value.getType());
  return type && type.getAddressSpace() == SharedSpace;
}

namespace {
/// Rewrites the kernels of one module.
class KernelEmulator {
public:
  explicit KernelEmulator(ModuleOp module)
      : module(module), context(module.getContext()), builder(context),
        layout(module), pointer(LLVM::LLVMPointerType::get(context)) {}

  LogicalResult emulate(gpu::GPUModuleOp kernels);

private:
  LogicalResult emulateKernel(LLVM::LLVMFuncOp function);
  /// Loads arguments from their places; gives back the block.
  Value changeSignature(LLVM::LLVMFuncOp kernel);
  LogicalResult rewrite(Operation *op);
  LogicalResult rewriteShuffle(NVVM::ShflOp shuffle);
  void rewriteRegister(Operation *op, int32_t which);
  LogicalResult rewriteMatrices(NVVM::LdMatrixOp load);
  LogicalResult rewriteProduct(NVVM::MmaOp product);
  void rewriteCopy(NVVM::CpAsyncOp copy);
  void rewriteRounding(NVVM::ConvertFloatToTF32Op rounding);
  void rewriteBox(NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp copy);
  LogicalResult rewriteFence(NVVM::FenceProxyOp fence);
  void rewriteWarpgroupCode(LLVM::InlineAsmOp code, const WarpgroupCode &what);
  /// Whether `op` is about barriers in memory or warpgroups; rewrites it.
  std::optional<LogicalResult> rewriteWarpgroup(Operation *op);
  /// Whether `op` begins or awaits copies, or is about matrices; rewrites it.
  std::optional<LogicalResult> rewriteMatrixCode(Operation *op);
  /// Memory of the thread for what it passes to the emulator, and a place in
  /// it.
  Value getScratch();
  Value getScratchPlace(Location loc, int32_t word);
  /// The words that were left in memory of the thread, as the result of `op`.
  void takeResults(Operation *op, int32_t firstWord);
  LogicalResult rewriteShared(LLVM::AddressOfOp address);
  /// Puts a check in front of an access of `type` to shared memory.
  void checkAccess(Operation *op, StringRef function, Value address, Type type,
                   int64_t alignment);
  /// Puts a check in front of an access of other memory if it is one of a
  /// vector.
  void checkVector(Operation *op, Value address, Type type, int64_t alignment);
  /// Takes the address space of shared memory out of all types.
  void flatten(LLVM::LLVMFuncOp kernel);

  /// An address of shared memory as one of the host.
  Value flat(Location loc, Value address) {
    return LLVM::AddrSpaceCastOp::create(builder, loc, pointer, address);
  }
  Value number(Location loc, int64_t value) {
    return LLVM::ConstantOp::create(builder, loc,
                                    builder.getI32IntegerAttr(value));
  }
  /// A text that says where `op` is from.
  Value describe(Operation *op);
  LLVM::CallOp call(Location loc, StringRef name, Type result,
                    ValueRange arguments);

  ModuleOp module;
  MLIRContext *context;
  OpBuilder builder;
  DataLayout layout;
  LLVM::LLVMPointerType pointer;
  Value block;
  /// The kernel at hand, and memory on its stack.
  LLVM::LLVMFuncOp kernel;
  Value scratch;
  /// Operations of the kernel at hand at which threads meet.
  int64_t sites = 0;
  /// Of the kernel at hand, by the buffers' names.
  llvm::MapVector<StringAttr, int64_t> shared;
  llvm::StringMap<LLVM::GlobalOp> texts;
};
} // namespace

LLVM::CallOp KernelEmulator::call(Location loc, StringRef name, Type result,
                                  ValueRange arguments) {
  auto function = module.lookupSymbol<LLVM::LLVMFuncOp>(name);
  if (!function) {
    SmallVector<Type> types(arguments.getTypes());
    auto type = LLVM::LLVMFunctionType::get(
        result ? result : LLVM::LLVMVoidType::get(context), types);
    OpBuilder end = OpBuilder::atBlockEnd(module.getBody());
    function = LLVM::LLVMFuncOp::create(end, module.getLoc(), name, type);
  }
  return LLVM::CallOp::create(builder, loc, function, arguments);
}

/// `loc` as a person would write it, as far as it has a line.
static std::string printLocation(Location loc) {
  if (auto file = loc->findInstanceOf<FileLineColLoc>())
    return (file.getFilename().strref() + ":" + Twine(file.getLine()) + ":" +
            Twine(file.getColumn()))
        .str();
  if (auto name = loc->findInstanceOf<NameLoc>())
    return name.getName().str();
  return "a place without a line";
}

Value KernelEmulator::describe(Operation *op) {
  std::string text = printLocation(op->getLoc());
  LLVM::GlobalOp &global = texts[text];
  if (!global) {
    OpBuilder start = OpBuilder::atBlockBegin(module.getBody());
    std::string bytes = text;
    bytes.push_back(0);
    auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), bytes.size());
    global = LLVM::GlobalOp::create(
        start, module.getLoc(), type, /*isConstant=*/true,
        LLVM::Linkage::Internal,
        "weir_simt_where_" + std::to_string(texts.size()),
        builder.getStringAttr(bytes));
  }
  return LLVM::AddressOfOp::create(builder, op->getLoc(), global);
}

Value KernelEmulator::changeSignature(LLVM::LLVMFuncOp kernel) {
  Block &entry = kernel.getBody().front();
  Location loc = kernel.getLoc();
  unsigned count = entry.getNumArguments();
  Value inside = entry.addArgument(pointer, loc);
  Value places = entry.addArgument(pointer, loc);
  builder.setInsertionPointToStart(&entry);
  for (unsigned i = 0; i < count; ++i) {
    BlockArgument argument = entry.getArgument(i);
    // A map of a tensor is used where it lies.
    bool byValue = static_cast<bool>(
        kernel.getArgAttr(i, LLVM::LLVMDialect::getByValAttrName()));
    Value entryPlace =
        LLVM::GEPOp::create(builder, loc, pointer, pointer, places,
                            ArrayRef<LLVM::GEPArg>{int32_t(i)});
    Value place = LLVM::LoadOp::create(builder, loc, pointer, entryPlace);
    argument.replaceAllUsesWith(
        byValue ? place
                : LLVM::LoadOp::create(builder, loc, argument.getType(), place)
                      .getResult());
  }
  entry.eraseArguments(0, count);
  kernel.setFunctionType(LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(context), {pointer, pointer}));
  for (NamedAttribute attribute :
       llvm::to_vector(kernel->getDiscardableAttrs()))
    kernel->removeDiscardableAttr(attribute.getName());
  kernel.removeArgAttrsAttr();
  return inside;
}

void KernelEmulator::rewriteRegister(Operation *op, int32_t which) {
  Location loc = op->getLoc();
  auto result = call(loc, "weir_simt_register", builder.getI32Type(),
                     {block, number(loc, which)});
  op->replaceAllUsesWith(result->getResults());
  op->erase();
}

LogicalResult KernelEmulator::rewriteShuffle(NVVM::ShflOp shuffle) {
  Location loc = shuffle.getLoc();
  Type i32 = builder.getI32Type(), type = shuffle.getVal().getType();
  if (shuffle.getReturnValueAndIsValid() || type.getIntOrFloatBitWidth() != 32)
    return shuffle.emitOpError(
        "has no emulation: expected a shuffle of 32 bits "
        "that gives the value alone");
  Value bits = shuffle.getVal();
  if (type != i32)
    bits = LLVM::BitcastOp::create(builder, loc, i32, bits);
  Value result = call(loc, "weir_simt_shuffle", i32,
                      {block, shuffle.getThreadMask(), bits,
                       shuffle.getOffset(), shuffle.getMaskAndClamp(),
                       number(loc, static_cast<int64_t>(shuffle.getKind())),
                       number(loc, sites++), describe(shuffle)})
                     .getResult();
  if (type != i32)
    result = LLVM::BitcastOp::create(builder, loc, type, result);
  shuffle.getRes().replaceAllUsesWith(result);
  shuffle.erase();
  return success();
}

LogicalResult KernelEmulator::rewriteShared(LLVM::AddressOfOp address) {
  auto kernels = address->getParentOfType<gpu::GPUModuleOp>();
  auto global = kernels.lookupSymbol<LLVM::GlobalOp>(address.getGlobalName());
  if (!global)
    return address.emitOpError("refers to nothing in its module");
  int64_t alignment = global.getAlignment().value_or(1);
  if (alignment < SharedAlignment)
    return global.emitOpError("is aligned to ")
           << alignment << " bytes, expected " << SharedAlignment
           << " of a shared buffer; weir-lower-kernels says so of its own";
  alignment = alignment < TileAlignment ? SharedAlignment : TileAlignment;
  Location loc = address.getLoc();
  StringAttr name = global.getSymNameAttr();
  auto index = std::distance(shared.begin(), shared.find(name));
  shared.insert(
      {name, static_cast<int64_t>(
                 layout.getTypeSize(global.getType()).getFixedValue())});
  Value start = call(loc, "weir_simt_shared", pointer,
                     {block, number(loc, index), number(loc, alignment)})
                    .getResult();
  auto type = LLVM::LLVMPointerType::get(context, SharedSpace);
  auto cast = LLVM::AddrSpaceCastOp::create(builder, loc, type, start);
  address.replaceAllUsesWith(cast.getResult());
  address.erase();
  return success();
}

void KernelEmulator::checkAccess(Operation *op, StringRef function,
                                 Value address, Type type, int64_t alignment) {
  Location loc = op->getLoc();
  int64_t bytes = layout.getTypeSize(type).getFixedValue();
  if (alignment == 0)
    alignment = layout.getTypeABIAlignment(type);
  Value flat = LLVM::AddrSpaceCastOp::create(builder, loc, pointer, address);
  call(loc, function, {},
       {block, flat, number(loc, bytes), number(loc, alignment),
        number(loc, sites++), describe(op)});
}

void KernelEmulator::checkVector(Operation *op, Value address, Type type,
                                 int64_t alignment) {
  // Single numbers are aligned by the types of the buffers they are in.
  if (!isa<VectorType>(type))
    return;
  Location loc = op->getLoc();
  if (alignment == 0)
    alignment = layout.getTypeABIAlignment(type);
  Value flat = address;
  if (flat.getType() != pointer)
    flat = LLVM::AddrSpaceCastOp::create(builder, loc, pointer, flat);
  call(loc, "weir_simt_global", {},
       {block, flat, number(loc, layout.getTypeSize(type).getFixedValue()),
        number(loc, alignment), describe(op)});
}

//===----------------------------------------------------------------------===//
// Matrices and copies
//===----------------------------------------------------------------------===//

Value KernelEmulator::getScratch() {
  if (scratch)
    return scratch;
  OpBuilder head = OpBuilder::atBlockBegin(&kernel.getBody().front());
  Location loc = kernel.getLoc();
  Value words =
      LLVM::ConstantOp::create(head, loc, head.getI32IntegerAttr(ScratchWords));
  return scratch = LLVM::AllocaOp::create(head, loc, pointer,
                                          builder.getI32Type(), words);
}

Value KernelEmulator::getScratchPlace(Location loc, int32_t word) {
  return LLVM::GEPOp::create(builder, loc, pointer, builder.getI32Type(),
                             getScratch(), ArrayRef<LLVM::GEPArg>{word});
}

void KernelEmulator::takeResults(Operation *op, int32_t firstWord) {
  Location loc = op->getLoc();
  Type type = op->getResult(0).getType();
  auto load = [&](Type element, int32_t word) -> Value {
    return LLVM::LoadOp::create(builder, loc, element,
                                getScratchPlace(loc, word));
  };
  Value result;
  if (auto structure = dyn_cast<LLVM::LLVMStructType>(type)) {
    result = LLVM::PoisonOp::create(builder, loc, type);
    for (auto [i, element] : llvm::enumerate(structure.getBody()))
      result = LLVM::InsertValueOp::create(builder, loc, result,
                                           load(element, firstWord + i), i);
  } else {
    result = load(type, firstWord);
  }
  op->getResult(0).replaceAllUsesWith(result);
  op->erase();
}

LogicalResult KernelEmulator::rewriteMatrices(NVVM::LdMatrixOp load) {
  Location loc = load.getLoc();
  auto shape = load.getShape();
  if (shape.getM() != 8 || shape.getN() != 8 ||
      load.getEltType() != NVVM::LdStMatrixEltType::B16)
    return load.emitOpError("has no emulation: expected matrices of 8x8 "
                            "elements of 16 bits");
  Value flat =
      LLVM::AddrSpaceCastOp::create(builder, loc, pointer, load.getPtr());
  bool transposed = load.getLayout() == NVVM::MMALayout::col;
  call(loc, "weir_simt_ldmatrix", {},
       {block, flat, number(loc, load.getNum()), number(loc, transposed),
        getScratchPlace(loc, 0), number(loc, sites++), describe(load)});
  takeResults(load, 0);
  return success();
}

LogicalResult KernelEmulator::rewriteProduct(NVVM::MmaOp product) {
  Location loc = product.getLoc();
  auto shape = product.getShape();
  auto types = product.getMultiplicandAPtxType();
  int32_t kind = -1, depth = 16;
  if (types == NVVM::MMATypes::bf16)
    kind = WEIR_SIMT_MMA_BF16;
  else if (types == NVVM::MMATypes::f16)
    kind = WEIR_SIMT_MMA_F16;
  else if (types == NVVM::MMATypes::tf32) {
    kind = WEIR_SIMT_MMA_TF32;
    depth = 8;
  }
  if (kind < 0 || product.getMultiplicandBPtxType() != types ||
      shape.getM() != 16 || shape.getN() != 8 || shape.getK() != depth ||
      product.getOperandC().size() != 4 ||
      !product.getOperandC()[0].getType().isF32())
    return product.emitOpError("has no emulation: expected m16n8k16 of bf16 or "
                               "f16, or m16n8k8 of tf32, with sums of f32");
  int32_t word = 0;
  for (Value operand : product->getOperands())
    LLVM::StoreOp::create(builder, loc, operand, getScratchPlace(loc, word++));
  call(loc, "weir_simt_mma", {},
       {block, number(loc, kind), getScratchPlace(loc, 0), number(loc, sites++),
        describe(product)});
  takeResults(product, 6);
  return success();
}

void KernelEmulator::rewriteCopy(NVVM::CpAsyncOp copy) {
  Location loc = copy.getLoc();
  auto flatten = [&](Value address) -> Value {
    return LLVM::AddrSpaceCastOp::create(builder, loc, pointer, address);
  };
  Value bytes = number(loc, copy.getSize());
  Value taken = copy.getCpSize() ? copy.getCpSize() : bytes;
  call(loc, "weir_simt_copy", {},
       {block, flatten(copy.getDst()), flatten(copy.getSrc()), bytes, taken,
        number(loc, sites++), describe(copy)});
  copy.erase();
}

void KernelEmulator::rewriteRounding(NVVM::ConvertFloatToTF32Op rounding) {
  Location loc = rounding.getLoc();
  Value bits = LLVM::BitcastOp::create(builder, loc, builder.getI32Type(),
                                       rounding.getSrc());
  auto rounded = call(loc, "weir_simt_tf32", builder.getI32Type(), bits);
  rounding.getRes().replaceAllUsesWith(rounded.getResult());
  rounding.erase();
}

std::optional<LogicalResult> KernelEmulator::rewriteMatrixCode(Operation *op) {
  Location loc = op->getLoc();
  if (auto load = dyn_cast<NVVM::LdMatrixOp>(op))
    return rewriteMatrices(load);
  if (auto product = dyn_cast<NVVM::MmaOp>(op))
    return rewriteProduct(product);
  if (auto copy = dyn_cast<NVVM::CpAsyncOp>(op)) {
    rewriteCopy(copy);
    return success();
  }
  if (auto rounding = dyn_cast<NVVM::ConvertFloatToTF32Op>(op)) {
    rewriteRounding(rounding);
    return success();
  }
  if (isa<NVVM::CpAsyncCommitGroupOp>(op)) {
    call(loc, "weir_simt_commit", {}, block);
    op->erase();
    return success();
  }
  if (auto wait = dyn_cast<NVVM::CpAsyncWaitGroupOp>(op)) {
    call(loc, "weir_simt_wait", {}, {block, number(loc, wait.getN())});
    op->erase();
    return success();
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Barriers in memory and warpgroups
//===----------------------------------------------------------------------===//

void KernelEmulator::rewriteBox(
    NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp copy) {
  Location loc = copy.getLoc();
  int32_t word = 0;
  for (Value coordinate : copy.getCoordinates())
    LLVM::StoreOp::create(builder, loc, coordinate,
                          getScratchPlace(loc, word++));
  call(loc, "weir_simt_copy_box", {},
       {block, flat(loc, copy.getDstMem()), copy.getTmaDescriptor(),
        getScratchPlace(loc, 0), number(loc, word), flat(loc, copy.getMbar()),
        describe(copy)});
  copy.erase();
}

LogicalResult KernelEmulator::rewriteFence(NVVM::FenceProxyOp fence) {
  if (fence.getKind() != NVVM::ProxyKind::async &&
      fence.getKind() != NVVM::ProxyKind::async_shared)
    return fence.emitOpError("has no emulation, expected a fence of the "
                             "asynchronous proxy");
  call(fence.getLoc(), "weir_simt_fence", {},
       {block, number(fence.getLoc(), WEIR_SIMT_FENCE_ASYNC)});
  fence.erase();
  return success();
}

void KernelEmulator::rewriteWarpgroupCode(LLVM::InlineAsmOp code,
                                          const WarpgroupCode &what) {
  Location loc = code.getLoc();
  int32_t word = 0;
  auto count = static_cast<unsigned>(what.sums);
  Value registers = getScratchPlace(loc, 0);
  for (Value operand : code.getOperands().take_front(
           what.wait ? count : count + WarpgroupFactors))
    LLVM::StoreOp::create(builder, loc, operand, getScratchPlace(loc, word++));
  if (what.wait)
    call(loc, "weir_simt_wgmma_wait", {},
         {block, number(loc, what.groups), registers, number(loc, count),
          number(loc, sites++), describe(code)});
  else
    call(loc, "weir_simt_wgmma", {},
         {block, number(loc, 2 * what.sums), registers,
          code.getOperands().back(), number(loc, sites++), describe(code)});
  takeResults(code, 0);
}

std::optional<LogicalResult> KernelEmulator::rewriteWarpgroup(Operation *op) {
  Location loc = op->getLoc();
  auto replace = [&](StringRef name, ValueRange arguments) {
    SmallVector<Value> all{block};
    llvm::append_range(all, arguments);
    call(loc, name, {}, all);
    op->erase();
    return success();
  };
  if (auto sync = dyn_cast<NVVM::SyncWarpOp>(op))
    return replace("weir_simt_sync_warp",
                   {sync.getMask(), number(loc, sites++), describe(op)});
  if (auto init = dyn_cast<NVVM::MBarrierInitOp>(op))
    return replace("weir_simt_mbarrier_init",
                   {flat(loc, init.getAddr()), init.getCount(), describe(op)});
  if (auto inval = dyn_cast<NVVM::MBarrierInvalOp>(op))
    return replace("weir_simt_mbarrier_inval",
                   {flat(loc, inval.getAddr()), describe(op)});
  if (auto arrive = dyn_cast<NVVM::MBarrierArriveOp>(op);
      arrive && arrive->getNumResults() == 0) {
    Value count = arrive.getCount() ? arrive.getCount() : number(loc, 1);
    return replace(
        "weir_simt_mbarrier_arrive",
        {flat(loc, arrive.getAddr()), count, number(loc, 0), describe(op)});
  }
  if (auto arrive = dyn_cast<NVVM::MBarrierArriveExpectTxOp>(op);
      arrive && arrive->getNumResults() == 0)
    return replace("weir_simt_mbarrier_arrive",
                   {flat(loc, arrive.getAddr()), number(loc, 1),
                    arrive.getTxcount(), describe(op)});
  if (auto wait = dyn_cast<NVVM::MBarrierTryWaitOp>(op);
      wait && wait.getStateOrPhase().getType().isInteger(32)) {
    Value done = call(loc, "weir_simt_mbarrier_try_wait", builder.getI32Type(),
                      {block, flat(loc, wait.getAddr()), wait.getStateOrPhase(),
                       describe(op)})
                     .getResult();
    Value is = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ne, done,
                                    number(loc, 0));
    wait.getRes().replaceAllUsesWith(is);
    op->erase();
    return success();
  }
  if (isa<NVVM::FenceMbarrierInitOp>(op))
    return replace("weir_simt_fence", {number(loc, WEIR_SIMT_FENCE_INIT)});
  if (auto fence = dyn_cast<NVVM::FenceProxyOp>(op))
    return rewriteFence(fence);
  if (auto copy = dyn_cast<NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp>(op);
      copy && copy.getIm2colOffsets().empty() && !copy.getMulticastMask() &&
      !copy.getPredicate()) {
    rewriteBox(copy);
    return success();
  }
  if (isa<NVVM::WgmmaFenceAlignedOp>(op))
    return replace("weir_simt_wgmma_fence",
                   {number(loc, sites++), describe(op)});
  if (isa<NVVM::WgmmaGroupSyncAlignedOp>(op))
    return replace("weir_simt_wgmma_commit",
                   {number(loc, sites++), describe(op)});
  if (auto code = dyn_cast<LLVM::InlineAsmOp>(op)) {
    std::optional<WarpgroupCode> what = matchWarpgroupCode(code);
    if (!what)
      return op->emitOpError("has no emulation, expected wgmma of bf16 with A "
                             "in registers, or a wait for it");
    rewriteWarpgroupCode(code, *what);
    return success();
  }
  return std::nullopt;
}

LogicalResult KernelEmulator::rewrite(Operation *op) {
  builder.setInsertionPoint(op);
  Location loc = op->getLoc();
  if (auto load = dyn_cast<LLVM::LoadOp>(op)) {
    if (isShared(load.getAddr()))
      checkAccess(op, "weir_simt_load", load.getAddr(), load.getType(),
                  load.getAlignment().value_or(0));
    else
      checkVector(op, load.getAddr(), load.getType(),
                  load.getAlignment().value_or(0));
    return success();
  }
  if (auto store = dyn_cast<LLVM::StoreOp>(op)) {
    if (isShared(store.getAddr()))
      checkAccess(op, "weir_simt_store", store.getAddr(),
                  store.getValue().getType(), store.getAlignment().value_or(0));
    else
      checkVector(op, store.getAddr(), store.getValue().getType(),
                  store.getAlignment().value_or(0));
    return success();
  }
  if (auto address = dyn_cast<LLVM::AddressOfOp>(op))
    return isShared(address) ? rewriteShared(address) : success();
  if (auto shuffle = dyn_cast<NVVM::ShflOp>(op))
    return rewriteShuffle(shuffle);
  if (isa<NVVM::Barrier0Op>(op)) {
    call(loc, "weir_simt_barrier", {},
         {block, number(loc, sites++), describe(op)});
    op->erase();
    return success();
  }
  if (std::optional<LogicalResult> done = rewriteMatrixCode(op))
    return *done;
  if (std::optional<LogicalResult> done = rewriteWarpgroup(op))
    return *done;
  int32_t which =
      llvm::TypeSwitch<Operation *, int32_t>(op)
          .Case<NVVM::ThreadIdXOp>([](auto) { return WEIR_SIMT_TID; })
          .Case<NVVM::BlockIdXOp>([](auto) { return WEIR_SIMT_CTAID; })
          .Case<NVVM::BlockDimXOp>([](auto) { return WEIR_SIMT_NTID; })
          .Case<NVVM::GridDimXOp>([](auto) { return WEIR_SIMT_NCTAID; })
          .Case<NVVM::LaneIdOp>([](auto) { return WEIR_SIMT_LANEID; })
          .Default([](Operation *) { return -1; });
  if (which >= 0) {
    rewriteRegister(op, which);
    return success();
  }
  bool touchesShared =
      llvm::any_of(op->getOperands(), isShared) && !isMemoryEffectFree(op);
  if (touchesShared || isa<NVVM::NVVMDialect>(op->getDialect()))
    return op->emitOpError("has no emulation; expected loads and stores of "
                           "shared memory, barriers of a block and in memory, "
                           "shuffles, copies to shared memory, matrices and "
                           "numbers of threads and blocks along x");
  return success();
}

void KernelEmulator::flatten(LLVM::LLVMFuncOp kernel) {
  kernel.walk([](LLVM::AddrSpaceCastOp cast) {
    cast.replaceAllUsesWith(cast.getArg());
    cast.erase();
  });
  AttrTypeReplacer replacer;
  replacer.addReplacement(
      [&](LLVM::LLVMPointerType type) -> std::optional<Type> {
        if (type.getAddressSpace() != SharedSpace &&
            type.getAddressSpace() != SharedClusterSpace &&
            type.getAddressSpace() != GlobalSpace)
          return std::nullopt;
        return pointer;
      });
  replacer.recursivelyReplaceElementsIn(kernel, /*replaceAttrs=*/true,
                                        /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
}

LogicalResult KernelEmulator::emulateKernel(LLVM::LLVMFuncOp function) {
  kernel = function;
  scratch = {};
  shared.clear();
  sites = 0;
  block = changeSignature(kernel);
  SmallVector<Operation *> operations;
  kernel.walk([&](Operation *op) { operations.push_back(op); });
  for (Operation *op : operations)
    if (op != kernel && failed(rewrite(op)))
      return failure();
  flatten(kernel);
  SmallVector<int64_t> sizes;
  for (auto &[name, bytes] : shared)
    sizes.push_back(bytes);
  kernel->setAttr(SharedAttrName, builder.getDenseI64ArrayAttr(sizes));
  return success();
}

LogicalResult KernelEmulator::emulate(gpu::GPUModuleOp kernels) {
  for (auto kernel : kernels.getOps<LLVM::LLVMFuncOp>())
    if (!kernel.isExternal() && failed(emulateKernel(kernel)))
      return failure();
  SymbolTable host(module), own(kernels);
  for (Operation &op :
       llvm::make_early_inc_range(kernels.getBody()->getOperations())) {
    if (auto global = dyn_cast<LLVM::GlobalOp>(op);
        global && global.getAddrSpace() == SharedSpace) {
      op.erase();
      continue;
    }
    auto symbol = dyn_cast<SymbolOpInterface>(op);
    if (symbol && host.lookup(symbol.getName()) &&
        failed(own.rename(&op,
                          (kernels.getName() + "_" + symbol.getName()).str())))
      return op.emitOpError("has the name of something of the host's");
    op.moveBefore(kernels);
  }
  kernels.erase();
  return success();
}

namespace {
struct EmulateKernelsPass : weir::impl::EmulateKernelsBase<EmulateKernelsPass> {
  void runOnOperation() override {
    for (auto kernels :
         llvm::make_early_inc_range(getOperation().getOps<gpu::GPUModuleOp>()))
      if (failed(KernelEmulator(getOperation()).emulate(kernels)))
        return signalPassFailure();
  }
};
} // namespace
