//===- InterfaceAttr.cpp - A model's interface as an attribute --*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bufferisation and lowering take the names, roles and types off arguments and
// results. A module that is behind them carries what was read before as one
// dictionary, so that its dump can be compiled on from.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "weir/Target/ModelTable.h"

using namespace mlir;
using namespace weir;

namespace {
/// Turns interfaces into dictionaries.
struct InterfaceWriter {
  Builder builder;

  NamedAttribute number(StringRef key, int64_t value) {
    return builder.getNamedAttr(key, builder.getI64IntegerAttr(value));
  }
  NamedAttribute text(StringRef key, StringRef value) {
    return builder.getNamedAttr(key, builder.getStringAttr(value));
  }
  NamedAttribute numbers(StringRef key, ArrayRef<int64_t> values) {
    return builder.getNamedAttr(key, builder.getDenseI64ArrayAttr(values));
  }
  NamedAttribute numbers(StringRef key, ArrayRef<int32_t> values) {
    return builder.getNamedAttr(key, builder.getDenseI32ArrayAttr(values));
  }
  template <typename Range>
  NamedAttribute list(StringRef key, Range &&values) {
    SmallVector<Attribute> entries;
    for (const auto &value : values)
      entries.push_back(write(value));
    return builder.getNamedAttr(key, builder.getArrayAttr(entries));
  }

  DictionaryAttr write(const ValueInterface &value) {
    return builder.getDictionaryAttr(
        {text("name", value.name), numbers("shape", value.shape),
         numbers("axes", value.axes), number("dtype", value.dtype),
         number("role", value.role), number("slot", value.slot)});
  }
  DictionaryAttr write(const FunctionInterface &function) {
    return builder.getDictionaryAttr(
        {text("name", function.name), list("args", function.args),
         list("results", function.results), number("method", function.method),
         number("time", function.time)});
  }
  DictionaryAttr write(const SlotInterface &slot) {
    return builder.getDictionaryAttr(
        {builder.getNamedAttr("value", write(slot.value)),
         number("kind", slot.kind), number("lookback", slot.lookback)});
  }
  DictionaryAttr write(const ModelInterface &model) {
    return builder.getDictionaryAttr(
        {text("name", model.name), list("functions", model.functions),
         list("slots", model.slots), number("max_block", model.maxBlock),
         number("max_length", model.maxLength),
         number("vocab_size", model.vocabSize), number("bos", model.bos),
         number("pad", model.pad), number("add_bos", model.addBos),
         numbers("eos", ArrayRef<int32_t>(model.eos))});
  }
};

/// Reads them back. What is missing or of another kind is noted in `error`, the
/// first of it, and read as nothing.
struct InterfaceReader {
  std::string error;

  template <typename AttrT>
  AttrT get(DictionaryAttr from, StringRef key) {
    auto attribute = from ? from.getAs<AttrT>(key) : AttrT();
    if (!attribute && error.empty())
      error = ("has no proper '" + key + "'").str();
    return attribute;
  }
  void read(DictionaryAttr from, StringRef key, std::string &into) {
    if (auto attribute = get<StringAttr>(from, key))
      into = attribute.str();
  }
  template <typename Integer>
  std::enable_if_t<std::is_integral_v<Integer>>
  read(DictionaryAttr from, StringRef key, Integer &into) {
    if (auto attribute = get<IntegerAttr>(from, key))
      into = static_cast<Integer>(attribute.getInt());
  }
  void read(DictionaryAttr from, StringRef key, SmallVector<int64_t> &into) {
    if (auto attribute = get<DenseI64ArrayAttr>(from, key))
      into.assign(attribute.asArrayRef().begin(), attribute.asArrayRef().end());
  }
  void read(DictionaryAttr from, StringRef key, SmallVector<int32_t> &into) {
    if (auto attribute = get<DenseI32ArrayAttr>(from, key))
      into.assign(attribute.asArrayRef().begin(), attribute.asArrayRef().end());
  }
  template <typename T>
  void read(DictionaryAttr from, StringRef key, std::vector<T> &into) {
    auto entries = get<ArrayAttr>(from, key);
    if (!entries)
      return;
    for (Attribute entry : entries)
      read(dyn_cast<DictionaryAttr>(entry), into.emplace_back());
  }

  void read(DictionaryAttr from, ValueInterface &value) {
    read(from, "name", value.name);
    read(from, "shape", value.shape);
    read(from, "axes", value.axes);
    read(from, "dtype", value.dtype);
    read(from, "role", value.role);
    read(from, "slot", value.slot);
    if (value.shape.size() != value.axes.size() && error.empty())
      error = "has a value with axes for another rank";
  }
  void read(DictionaryAttr from, FunctionInterface &function) {
    read(from, "name", function.name);
    read(from, "args", function.args);
    read(from, "results", function.results);
    read(from, "method", function.method);
    read(from, "time", function.time);
  }
  void read(DictionaryAttr from, SlotInterface &slot) {
    read(get<DictionaryAttr>(from, "value"), slot.value);
    read(from, "kind", slot.kind);
    read(from, "lookback", slot.lookback);
  }
  void read(DictionaryAttr from, ModelInterface &model) {
    read(from, "name", model.name);
    read(from, "functions", model.functions);
    read(from, "slots", model.slots);
    read(from, "max_block", model.maxBlock);
    read(from, "max_length", model.maxLength);
    read(from, "vocab_size", model.vocabSize);
    read(from, "bos", model.bos);
    read(from, "pad", model.pad);
    read(from, "add_bos", model.addBos);
    read(from, "eos", model.eos);
  }
};
} // namespace

DictionaryAttr weir::getInterfaceAttr(MLIRContext *context,
                                      const ModelInterface &interface) {
  return InterfaceWriter{Builder(context)}.write(interface);
}

llvm::Error weir::readInterfaceAttr(DictionaryAttr attribute,
                                    ModelInterface &interface) {
  InterfaceReader reader;
  reader.read(attribute, interface);
  if (reader.error.empty())
    return llvm::Error::success();
  return llvm::createStringError(reader.error +
                                 ", expected what the compiler wrote there");
}
