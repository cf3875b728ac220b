//===- ModelTable.cpp - The table a compiled model exports -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds constants with the layouts of include/weir-rt/ModelDesc.h, and the
// entry points. An entry point `void (void **argv)` loads its descriptors'
// addresses and calls MLIR's C wrapper, which takes the storage of the results
// first and then one pointer per argument.
//
//===----------------------------------------------------------------------===//

#include "weir/Target/ModelTable.h"
#include "weir-rt/ModelDesc.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/IntrinsicsX86.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace {
/// Emits constants into one module.
class TableEmitter {
public:
  TableEmitter(Module &module, bool flushSubnormals)
      : module(module), flushSubnormals(flushSubnormals),
        i32(Type::getInt32Ty(module.getContext())),
        i64(Type::getInt64Ty(module.getContext())),
        pointer(PointerType::get(module.getContext(), 0)) {}

  Expected<Constant *> emitFunction(const weir::FunctionInterface &function);
  Constant *emitSlot(const weir::SlotInterface &slot);
  void emitModel(const weir::ModelInterface &model, Constant *functions,
                 Constant *slots, Constant *device);
  Constant *emitArray(ArrayRef<Constant *> elements);
  /// The address of the table of kernels.
  Expected<Constant *> emitDevice(const weir::DeviceInterface &device);

private:
  Constant *number32(int64_t value) {
    return ConstantInt::get(i32, value, /*isSigned=*/true, true);
  }
  Constant *number64(int64_t value) { return ConstantInt::get(i64, value); }
  /// A private constant's address.
  Constant *place(Constant *value) {
    return new GlobalVariable(module, value->getType(), /*isConstant=*/true,
                              GlobalValue::PrivateLinkage, value, "weir_table");
  }
  Constant *text(StringRef value) {
    return place(ConstantDataArray::getString(module.getContext(), value));
  }
  Constant *structure(ArrayRef<Constant *> fields) {
    return ConstantStruct::getAnon(module.getContext(), fields);
  }
  Constant *emitValue(const weir::ValueInterface &value);
  Expected<Function *> emitEntry(const weir::FunctionInterface &function,
                                 StringRef wrapped, bool returnsBytes);

  Value *setControl(IRBuilder<> &builder);
  void loadControl(IRBuilder<> &builder, Value *from);

  Module &module;
  bool flushSubnormals;
  Type *i32, *i64;
  PointerType *pointer;
};
} // namespace

Constant *TableEmitter::emitArray(ArrayRef<Constant *> elements) {
  if (elements.empty())
    return ConstantPointerNull::get(pointer);
  auto *type = ArrayType::get(elements.front()->getType(), elements.size());
  return place(ConstantArray::get(type, elements));
}

Constant *TableEmitter::emitValue(const weir::ValueInterface &value) {
  Constant *shape =
      place(ConstantDataArray::get(module.getContext(), ArrayRef(value.shape)));
  Constant *axes =
      place(ConstantDataArray::get(module.getContext(), ArrayRef(value.axes)));
  return structure({text(value.name), shape, axes, number32(value.dtype),
                    number32(value.shape.size()), number32(value.role),
                    number32(value.slot), number32(value.sequence), number32(0),
                    number64(value.limit)});
}

/// Makes results that are no normal numbers zeros, from here on: a processor
/// takes a hundred times as long for them, and steep decays make many. Threads
/// of OpenMP take this over from the one that starts them. Returns where what
/// held before is kept.
Value *TableEmitter::setControl(IRBuilder<> &builder) {
  constexpr uint32_t flushToZero = 1u << 15;
  Value *before = builder.CreateAlloca(i32);
  builder.CreateIntrinsic(Intrinsic::x86_sse_stmxcsr, {before});
  Value *control = builder.CreateAlloca(i32);
  builder.CreateStore(
      builder.CreateOr(builder.CreateLoad(i32, before), flushToZero), control);
  loadControl(builder, control);
  return before;
}

void TableEmitter::loadControl(IRBuilder<> &builder, Value *from) {
  builder.CreateIntrinsic(Intrinsic::x86_sse_ldmxcsr, {from});
}

Expected<Function *>
TableEmitter::emitEntry(const weir::FunctionInterface &function,
                        StringRef wrapped, bool returnsBytes) {
  Function *wrapper = module.getFunction(("_mlir_ciface_" + wrapped).str());
  size_t numArgs = function.args.size();
  bool returnsResults = !returnsBytes && !function.results.empty();
  if (!wrapper || wrapper->arg_size() != numArgs + returnsResults)
    return createStringError(
        inconvertibleErrorCode(),
        "internal: the wrapper of '" + wrapped + "' takes " +
            Twine(wrapper ? wrapper->arg_size() : 0) +
            " arguments where its table has " + Twine(numArgs) +
            "; a state slot may have been copied instead of updated in place");
  auto *type = FunctionType::get(
      returnsBytes ? i64 : Type::getVoidTy(module.getContext()), {pointer},
      false);
  Function *entry = Function::Create(type, GlobalValue::InternalLinkage,
                                     "weir_entry_" + wrapped, module);
  IRBuilder<> builder(BasicBlock::Create(module.getContext(), "entry", entry));
  auto load = [&](size_t i) {
    Value *address =
        builder.CreateConstInBoundsGEP1_64(pointer, entry->getArg(0), i);
    return builder.CreateLoad(pointer, address);
  };
  SmallVector<Value *> arguments;
  if (returnsResults)
    arguments.push_back(load(numArgs));
  for (size_t i = 0; i < numArgs; ++i)
    arguments.push_back(load(i));
  bool flush = flushSubnormals && !returnsBytes;
  Value *before = flush ? setControl(builder) : nullptr;
  CallInst *result = builder.CreateCall(wrapper, arguments);
  if (flush) {
    // Arithmetic must not move in front of the change.
    result->setIsNoInline();
    loadControl(builder, before);
  }
  if (returnsBytes)
    builder.CreateRet(result);
  else
    builder.CreateRetVoid();
  return entry;
}

Expected<Constant *>
TableEmitter::emitFunction(const weir::FunctionInterface &function) {
  SmallVector<Constant *> args, results;
  for (const weir::ValueInterface &value : function.args)
    args.push_back(emitValue(value));
  for (const weir::ValueInterface &value : function.results)
    results.push_back(emitValue(value));
  Expected<Function *> invoke =
      emitEntry(function, function.name, /*returnsBytes=*/false);
  if (!invoke)
    return invoke.takeError();
  Expected<Function *> bytes =
      emitEntry(function, function.name + "__arena", /*returnsBytes=*/true);
  if (!bytes)
    return bytes.takeError();
  return structure({text(function.name), emitArray(args), emitArray(results),
                    *invoke, *bytes, number32(args.size()),
                    number32(results.size()), number32(function.method),
                    number32(0), number64(function.time)});
}

Constant *TableEmitter::emitSlot(const weir::SlotInterface &slot) {
  const weir::ValueInterface &value = slot.value;
  Constant *shape =
      place(ConstantDataArray::get(module.getContext(), ArrayRef(value.shape)));
  Constant *axes =
      place(ConstantDataArray::get(module.getContext(), ArrayRef(value.axes)));
  return structure({text(value.name), shape, axes, number32(value.dtype),
                    number32(value.shape.size()), number32(slot.kind),
                    number32(0), number64(slot.lookback)});
}

Expected<Constant *>
TableEmitter::emitDevice(const weir::DeviceInterface &device) {
  SmallVector<Constant *> kernels, images;
  for (const weir::KernelInterface &kernel : device.kernels) {
    Constant *emulated = ConstantPointerNull::get(pointer);
    if (kernel.emulated) {
      Function *function = module.getFunction(kernel.name);
      if (!function)
        return createStringError("internal: no code for the kernel '" +
                                 kernel.name + "'");
      emulated = function;
    }
    Constant *shared = ConstantPointerNull::get(pointer);
    if (!kernel.shared.empty())
      shared = place(
          ConstantDataArray::get(module.getContext(), ArrayRef(kernel.shared)));
    kernels.push_back(structure({text(kernel.name), emulated, shared,
                                 number32(kernel.shared.size()), number32(0)}));
  }
  for (const weir::ImageInterface &image : device.images)
    // With the zero that ends a text.
    images.push_back(structure({text(image.arch), text(image.data),
                                number64(image.data.size()),
                                number32(image.kind), number32(0)}));
  return place(structure({number32(device.kind), number32(kernels.size()),
                          number32(images.size()), number32(0),
                          emitArray(kernels), emitArray(images)}));
}

void TableEmitter::emitModel(const weir::ModelInterface &model,
                             Constant *functions, Constant *slots,
                             Constant *device) {
  auto bytes = [&](ArrayRef<uint8_t> data) -> Constant * {
    if (data.empty())
      return ConstantPointerNull::get(pointer);
    return place(ConstantDataArray::get(module.getContext(), data));
  };
  auto numbers = [&](ArrayRef<int32_t> list) -> Constant * {
    if (list.empty())
      return ConstantPointerNull::get(pointer);
    return place(ConstantDataArray::get(module.getContext(), list));
  };
  Constant *tokens =
      structure({number32(model.bos), number32(model.pad), numbers(model.eos),
                 number32(model.eos.size()), number32(model.addBos),
                 number32(model.decoderStart), number32(model.forcedBos),
                 number32(model.forcedEos), number32(model.suppressed.size()),
                 numbers(model.suppressed)});
  Constant *table = structure(
      {number32(WEIR_ABI_VERSION), number32(model.functions.size()),
       number32(model.slots.size()), number32(model.maxBlock), text(model.name),
       text("weir " WEIR_VERSION), text(model.target), text(model.options),
       functions, slots, number64(model.maxLength), number64(model.vocabSize),
       number64(model.weightsBytes), number64(model.weightsId),
       bytes(model.tokenizer), number64(model.tokenizer.size()), tokens,
       device});
  new GlobalVariable(module, table->getType(), /*isConstant=*/true,
                     GlobalValue::ExternalLinkage, table, "weir_model");
}

Error weir::emitModelTable(Module &module, const ModelInterface &interface) {
  TableEmitter emitter(module, interface.flushSubnormals);
  SmallVector<Constant *> functions, slots;
  for (const FunctionInterface &function : interface.functions) {
    Expected<Constant *> entry = emitter.emitFunction(function);
    if (!entry)
      return entry.takeError();
    functions.push_back(*entry);
  }
  for (const SlotInterface &slot : interface.slots)
    slots.push_back(emitter.emitSlot(slot));
  Expected<Constant *> device =
      ConstantPointerNull::get(PointerType::get(module.getContext(), 0));
  if (interface.device)
    device = emitter.emitDevice(*interface.device);
  if (!device)
    return device.takeError();
  emitter.emitModel(interface, emitter.emitArray(functions),
                    emitter.emitArray(slots), *device);
  return Error::success();
}
