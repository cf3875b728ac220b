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
/// `Interface`, or its constant form, where it is `Wanted`.
template <typename Interface, typename Wanted>
using If =
    std::enable_if_t<std::is_same_v<std::remove_const_t<Interface>, Wanted>>;

/// Whether `T` has a `visitFields` of its own.
template <typename T>
constexpr bool HasFields =
    std::is_same_v<T, ValueInterface> || std::is_same_v<T, FunctionInterface> ||
    std::is_same_v<T, SlotInterface> || std::is_same_v<T, ModelInterface>;
} // namespace

/// Shows `visit` each field of an interface with its key, for writing (of
/// constant ones) and for reading alike.
template <typename Visitor, typename T>
static If<T, ValueInterface> visitFields(Visitor &visit, T &value) {
  visit("name", value.name);
  visit("shape", value.shape);
  visit("axes", value.axes);
  visit("dtype", value.dtype);
  visit("role", value.role);
  visit("slot", value.slot);
  visit("sequence", value.sequence);
  visit("limit", value.limit);
}
template <typename Visitor, typename T>
static If<T, FunctionInterface> visitFields(Visitor &visit, T &function) {
  visit("name", function.name);
  visit("args", function.args);
  visit("results", function.results);
  visit("method", function.method);
  visit("time", function.time);
}
template <typename Visitor, typename T>
static If<T, SlotInterface> visitFields(Visitor &visit, T &slot) {
  visit("value", slot.value);
  visit("kind", slot.kind);
  visit("lookback", slot.lookback);
}
template <typename Visitor, typename T>
static If<T, ModelInterface> visitFields(Visitor &visit, T &model) {
  visit("name", model.name);
  visit("functions", model.functions);
  visit("slots", model.slots);
  visit("max_block", model.maxBlock);
  visit("max_length", model.maxLength);
  visit("vocab_size", model.vocabSize);
  visit("bos", model.bos);
  visit("pad", model.pad);
  visit("add_bos", model.addBos);
  visit("eos", model.eos);
  visit.optional("decoder_start", model.decoderStart);
  visit.optional("forced_bos", model.forcedBos);
  visit.optional("forced_eos", model.forcedEos);
  visit.optional("suppressed", model.suppressed);
}

namespace {
/// Turns the fields it is shown into entries of a dictionary.
class FieldWriter {
public:
  explicit FieldWriter(MLIRContext *context) : builder(context) {}

  template <typename T>
  void operator()(StringRef key, const T &field) {
    entries.push_back(builder.getNamedAttr(key, write(field)));
  }
  /// One that may be missing.
  template <typename T>
  void optional(StringRef key, const T &field) {
    (*this)(key, field);
  }
  DictionaryAttr finish() { return builder.getDictionaryAttr(entries); }

private:
  Attribute write(const std::string &text) {
    return builder.getStringAttr(text);
  }
  template <typename Integer>
  std::enable_if_t<std::is_integral_v<Integer>, Attribute>
  write(Integer number) {
    return builder.getI64IntegerAttr(number);
  }
  Attribute write(const SmallVector<int64_t> &numbers) {
    return builder.getDenseI64ArrayAttr(numbers);
  }
  Attribute write(const SmallVector<int32_t> &numbers) {
    return builder.getDenseI32ArrayAttr(numbers);
  }
  template <typename T>
  std::enable_if_t<HasFields<T>, Attribute> write(const T &interface) {
    FieldWriter writer(builder.getContext());
    visitFields(writer, interface);
    return writer.finish();
  }
  template <typename T>
  Attribute write(const std::vector<T> &list) {
    SmallVector<Attribute> elements;
    for (const T &element : list)
      elements.push_back(write(element));
    return builder.getArrayAttr(elements);
  }

  Builder builder;
  SmallVector<NamedAttribute> entries;
};

/// Fills the fields it is shown from a dictionary. What is missing or of
/// another kind is noted in `error`, the first of it, and left alone.
class FieldReader {
public:
  FieldReader(DictionaryAttr from, std::string &error)
      : from(from), error(error) {}

  template <typename T>
  void operator()(StringRef key, T &field) {
    Attribute attribute = from ? from.get(key) : Attribute();
    if ((!attribute || !read(attribute, field)) && error.empty())
      error = ("has no proper '" + key + "'").str();
  }
  /// One that may be missing.
  template <typename T>
  void optional(StringRef key, T &field) {
    if (from && from.contains(key))
      (*this)(key, field);
  }

private:
  bool read(Attribute attribute, std::string &into) {
    auto text = dyn_cast<StringAttr>(attribute);
    if (text)
      into = text.str();
    return bool(text);
  }
  template <typename Integer>
  std::enable_if_t<std::is_integral_v<Integer>, bool> read(Attribute attribute,
                                                           Integer &into) {
    auto number = dyn_cast<IntegerAttr>(attribute);
    if (number)
      into = static_cast<Integer>(number.getInt());
    return bool(number);
  }
  template <typename Integer>
  bool read(Attribute attribute, SmallVectorImpl<Integer> &into) {
    auto numbers =
        dyn_cast<mlir::detail::DenseArrayAttrImpl<Integer>>(attribute);
    if (numbers)
      into.assign(numbers.asArrayRef().begin(), numbers.asArrayRef().end());
    return bool(numbers);
  }
  template <typename T>
  std::enable_if_t<HasFields<T>, bool> read(Attribute attribute, T &interface) {
    auto fields = dyn_cast<DictionaryAttr>(attribute);
    FieldReader reader(fields, error);
    visitFields(reader, interface);
    return bool(fields);
  }
  template <typename T>
  bool read(Attribute attribute, std::vector<T> &list) {
    auto elements = dyn_cast<ArrayAttr>(attribute);
    if (elements)
      for (Attribute element : elements)
        if (!read(element, list.emplace_back()))
          return false;
    return bool(elements);
  }

  DictionaryAttr from;
  std::string &error;
};
} // namespace

/// Whether all values have an axis for each extent.
static bool hasAxesOfRank(const ModelInterface &interface) {
  auto fits = [](const ValueInterface &value) {
    return value.axes.size() == value.shape.size();
  };
  return llvm::all_of(
             interface.slots,
             [&](const SlotInterface &slot) { return fits(slot.value); }) &&
         llvm::all_of(interface.functions,
                      [&](const FunctionInterface &function) {
                        return llvm::all_of(function.args, fits) &&
                               llvm::all_of(function.results, fits);
                      });
}

DictionaryAttr weir::getInterfaceAttr(MLIRContext *context,
                                      const ModelInterface &interface) {
  FieldWriter writer(context);
  visitFields(writer, interface);
  return writer.finish();
}

llvm::Error weir::readInterfaceAttr(DictionaryAttr attribute,
                                    ModelInterface &interface) {
  std::string error;
  FieldReader reader(attribute, error);
  visitFields(reader, interface);
  if (error.empty() && !hasAxesOfRank(interface))
    error = "has a value with axes for another rank";
  if (error.empty())
    return llvm::Error::success();
  return llvm::createStringError(error +
                                 ", expected what the compiler wrote there");
}
