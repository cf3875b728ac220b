//===- ModelInterface.cpp - What the runtime is told of a module -*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "weir-rt/ModelDesc.h"
#include "weir/IR/Weir.h"
#include "weir/Target/ModelTable.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace weir;

/// The runtime's code of an element type, or none.
static std::optional<int32_t> getDType(Type type) {
  if (type.isF32())
    return WEIR_F32;
  if (type.isF64())
    return WEIR_F64;
  if (type.isF16())
    return WEIR_F16;
  if (type.isBF16())
    return WEIR_BF16;
  if (type.isSignlessInteger(64) || type.isIndex())
    return WEIR_I64;
  if (type.isSignlessInteger(32))
    return WEIR_I32;
  if (type.isSignlessInteger(16))
    return WEIR_I16;
  if (type.isSignlessInteger(8))
    return WEIR_I8;
  if (type.isSignlessInteger(1))
    return WEIR_BOOL;
  return std::nullopt;
}

/// Fills shape and element type of `value` from `type`.
static LogicalResult readType(Operation *op, Type type, ValueInterface &value) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  std::optional<int32_t> dtype =
      tensor ? getDType(tensor.getElementType()) : std::nullopt;
  if (!dtype)
    return op->emitOpError("has an argument or result of type ")
           << type
           << ", which the runtime cannot pass; expected a ranked tensor of "
              "floats or integers (a scalar is a tensor of rank 0)";
  value.dtype = *dtype;
  for (int64_t extent : tensor.getShape())
    value.shape.push_back(ShapedType::isDynamic(extent) ? WEIR_DYNAMIC
                                                        : extent);
  value.axes.assign(tensor.getRank(), WEIR_AXIS_NONE);
  return success();
}

/// Names the batch and time axes of a value of a sequence function. Those of
/// steps may have fixed extents.
static void labelSequenceAxes(ValueInterface &value, bool isStep) {
  if (value.shape.size() >= 1 && (isStep || value.shape[0] == WEIR_DYNAMIC))
    value.axes[0] = WEIR_AXIS_BATCH;
  if (value.shape.size() >= 2 &&
      (isStep || value.shape[1] == WEIR_DYNAMIC || value.shape[1] == 1))
    value.axes[1] = WEIR_AXIS_TIME;
}

static LogicalResult readSlot(SlotOp slot, SlotInterface &interface) {
  interface.value.name = slot.getSymName().str();
  if (failed(readType(slot, slot.getType(), interface.value)))
    return failure();
  unsigned axis = 0;
  if (slot.getStacked())
    interface.value.axes[axis++] = WEIR_AXIS_LAYER;
  interface.value.axes[axis++] = WEIR_AXIS_BATCH;
  if (slot.getKind() == SlotKind::History)
    interface.value.axes[axis] = WEIR_AXIS_CAPACITY;
  if (slot.getKind() == SlotKind::Memory &&
      axis < interface.value.shape.size() &&
      interface.value.shape[axis] == WEIR_DYNAMIC)
    interface.value.axes[axis] = WEIR_AXIS_SOURCE;
  interface.kind = static_cast<int32_t>(slot.getKind());
  if (slot.getLookback())
    interface.lookback = *slot.getLookback();
  return success();
}

namespace {
/// Reads one function; knows the numbers of the module's slots.
struct FunctionReader {
  llvm::StringMap<int32_t> slotNumbers;

  LogicalResult readValue(func::FuncOp function, Type type,
                          DictionaryAttr attributes, StringRef fallback,
                          ValueInterface &value);
  LogicalResult read(func::FuncOp function, FunctionInterface &interface);
};
} // namespace

LogicalResult FunctionReader::readValue(func::FuncOp function, Type type,
                                        DictionaryAttr attributes,
                                        StringRef fallback,
                                        ValueInterface &value) {
  if (failed(readType(function, type, value)))
    return failure();
  auto name = attributes.getAs<StringAttr>(WeirDialect::getNameAttrName());
  value.name = name ? name.str() : fallback.str();
  if (auto slot =
          attributes.getAs<FlatSymbolRefAttr>(WeirDialect::getSlotAttrName())) {
    auto number = slotNumbers.find(slot.getValue());
    if (number == slotNumbers.end())
      return function.emitOpError("carries ") << slot << ", which is no slot";
    value.role = WEIR_ROLE_SLOT;
    value.slot = number->second;
    value.name = slot.getValue().str();
    return success();
  }
  if (auto role =
          attributes.getAs<StringAttr>(WeirDialect::getRoleAttrName())) {
    if (role.getValue() != "lengths" && role.getValue() != "optional")
      return function.emitOpError("has an argument of role ")
             << role << ", expected \"lengths\" or \"optional\"";
    value.role =
        role.getValue() == "lengths" ? WEIR_ROLE_LENGTHS : WEIR_ROLE_OPTIONAL;
  }
  if (auto sequence =
          attributes.getAs<IntegerAttr>(WeirDialect::getSequenceAttrName()))
    value.sequence = sequence.getInt();
  if (auto limit =
          attributes.getAs<IntegerAttr>(WeirDialect::getLimitAttrName()))
    value.limit = limit.getInt();
  if (auto method =
          function->getAttrOfType<StringAttr>(WeirDialect::getMethodAttrName()))
    labelSequenceAxes(value, method.getValue().starts_with("extend"));
  return success();
}

LogicalResult FunctionReader::read(func::FuncOp function,
                                   FunctionInterface &interface) {
  interface.name = function.getName().str();
  auto method =
      function->getAttrOfType<StringAttr>(WeirDialect::getMethodAttrName());
  interface.method =
      llvm::StringSwitch<int32_t>(method ? method.getValue() : "")
          .Case("", WEIR_METHOD_PLAIN)
          .Case("forward", WEIR_METHOD_FORWARD)
          .Case("encode", WEIR_METHOD_ENCODE)
          .Case("extend", WEIR_METHOD_EXTEND)
          .Case("extend_last", WEIR_METHOD_EXTEND_LAST)
          .Default(-1);
  if (interface.method < 0)
    return function.emitOpError("has method ")
           << method << ", expected forward, encode, extend or extend_last";
  bool extends = interface.method == WEIR_METHOD_EXTEND ||
                 interface.method == WEIR_METHOD_EXTEND_LAST;
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    DictionaryAttr attributes = function.getArgAttrDict(i);
    if (!attributes)
      attributes = DictionaryAttr::get(function.getContext());
    if (failed(readValue(function, type, attributes,
                         ("arg" + llvm::Twine(i)).str(),
                         interface.args.emplace_back())))
      return failure();
    const ValueInterface &value = interface.args.back();
    if (extends && value.role == WEIR_ROLE_DATA && value.shape.size() >= 2 &&
        value.shape[1] != WEIR_DYNAMIC)
      interface.time = value.shape[1];
  }
  for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
    DictionaryAttr attributes = function.getResultAttrDict(i);
    if (!attributes)
      attributes = DictionaryAttr::get(function.getContext());
    ValueInterface value;
    if (failed(readValue(function, type, attributes,
                         ("result" + llvm::Twine(i)).str(), value)))
      return failure();
    // Steps update theirs in place.
    if (value.role != WEIR_ROLE_SLOT || !extends)
      interface.results.push_back(std::move(value));
  }
  return success();
}

LogicalResult weir::readModelInterface(ModuleOp module,
                                       ModelInterface &interface) {
  FunctionReader reader;
  for (auto slot : module.getOps<SlotOp>()) {
    reader.slotNumbers[slot.getSymName()] = interface.slots.size();
    if (failed(readSlot(slot, interface.slots.emplace_back())))
      return failure();
  }
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal() || !function.isPublic())
      continue;
    if (failed(reader.read(function, interface.functions.emplace_back())))
      return failure();
  }
  if (interface.functions.empty())
    return module.emitError("has no public function to compile");

  auto model = module->getAttrOfType<DictionaryAttr>("weir.model");
  if (!model)
    return success();
  auto readInteger = [&](StringRef key, auto &into) {
    if (auto value = model.getAs<IntegerAttr>(key))
      into = value.getInt();
  };
  if (auto name = model.getAs<StringAttr>("name"))
    interface.name = name.str();
  readInteger("vocab_size", interface.vocabSize);
  readInteger("max_length", interface.maxLength);
  readInteger("bos", interface.bos);
  readInteger("pad", interface.pad);
  if (auto addBos = model.getAs<BoolAttr>("add_bos"))
    interface.addBos = addBos.getValue();
  else
    readInteger("add_bos", interface.addBos);
  if (auto eos = model.getAs<ArrayAttr>("eos"))
    for (auto token : eos.getAsRange<IntegerAttr>())
      interface.eos.push_back(token.getInt());
  else if (auto eos = model.getAs<DenseI64ArrayAttr>("eos"))
    interface.eos.append(eos.asArrayRef().begin(), eos.asArrayRef().end());
  else if (auto eos = model.getAs<DenseI32ArrayAttr>("eos"))
    interface.eos.append(eos.asArrayRef().begin(), eos.asArrayRef().end());
  readInteger("decoder_start", interface.decoderStart);
  readInteger("forced_bos", interface.forcedBos);
  readInteger("forced_eos", interface.forcedEos);
  if (auto suppressed = model.getAs<ArrayAttr>("suppressed"))
    for (auto token : suppressed.getAsRange<IntegerAttr>())
      interface.suppressed.push_back(token.getInt());
  return success();
}
