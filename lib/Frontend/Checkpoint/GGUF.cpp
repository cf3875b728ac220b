//===- GGUF.cpp - The GGUF format -----------------------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Versions 2 and 3, little endian: magic, version, counts of tensors and of
// metadata; the metadata as (key, type, value); the tensor infos as (name,
// rank, extents innermost first, type, offset); padding up to the alignment;
// the data. A cursor that cannot leave the file reads it all. Counts are
// compared with what the rest of the file has room for before anything is
// allocated for them.
//
//===----------------------------------------------------------------------===//

#include "Formats.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace llvm;
using namespace weir;

using Type = GGUFArray::Type;

/// Deeper arrays have no use, and reading them is recursive.
static constexpr unsigned maxArrayNesting = 8;

/// Twice what any writer produces.
static constexpr uint32_t maxRank = 8;

/// Bytes of a number or bool; 0 for strings and arrays.
static uint64_t getScalarBytes(Type type) {
  switch (type) {
  case Type::U8:
  case Type::I8:
  case Type::Bool:
    return 1;
  case Type::U16:
  case Type::I16:
    return 2;
  case Type::U32:
  case Type::I32:
  case Type::F32:
    return 4;
  case Type::U64:
  case Type::I64:
  case Type::F64:
    return 8;
  case Type::String:
  case Type::Array:
    return 0;
  }
  llvm_unreachable("checked when read");
}

namespace {

/// Reads a file front to back, within its bounds.
class Cursor {
public:
  Cursor(ArrayRef<uint8_t> bytes, StringRef fileName)
      : bytes(bytes), fileName(fileName) {}

  uint64_t position() const { return offset; }
  uint64_t remaining() const { return bytes.size() - offset; }

  /// An error at the present position.
  template <typename... Args>
  Error fail(const char *format, Args &&...args) const {
    std::string text = formatv(false, format, args...);
    return fileError(fileName, "byte {0}: {1}", offset, text);
  }

  /// The next `count` bytes; `what` is for the message.
  Error take(uint64_t count, ArrayRef<uint8_t> &result, const char *what) {
    if (count > remaining())
      return fail("truncated: {0} takes {1} bytes, {2} are left", what, count,
                  remaining());
    result = bytes.slice(offset, count);
    offset += count;
    return Error::success();
  }

  template <typename T>
  Error take(T &result, const char *what) {
    ArrayRef<uint8_t> raw;
    if (Error error = take(sizeof(T), raw, what))
      return error;
    result = support::endian::read<T, endianness::little>(raw.data());
    return Error::success();
  }

  Error takeString(StringRef &result, const char *what) {
    uint64_t length;
    ArrayRef<uint8_t> raw;
    if (Error error = take(length, what))
      return error;
    if (Error error = take(length, raw, what))
      return error;
    result = StringRef(reinterpret_cast<const char *>(raw.data()), raw.size());
    return Error::success();
  }

  Error takeType(Type &result, const char *what) {
    uint32_t raw;
    if (Error error = take(raw, what))
      return error;
    if (raw > static_cast<uint32_t>(Type::F64))
      return fail("{0} is {1}, expected 0 to 12", what, raw);
    result = static_cast<Type>(raw);
    return Error::success();
  }

  /// The element type, count and elements of an array.
  Error takeArray(GGUFArray &result, unsigned nesting = 1);

private:
  ArrayRef<uint8_t> bytes;
  StringRef fileName;
  uint64_t offset = 0;
};

} // namespace

Error Cursor::takeArray(GGUFArray &result, unsigned nesting) {
  if (nesting > maxArrayNesting)
    return fail("arrays nested deeper than {0} levels", maxArrayNesting);
  if (Error error = takeType(result.type, "the type of array elements"))
    return error;
  if (Error error = take(result.count, "the length of an array"))
    return error;
  // Strings begin with a length, arrays with a type and a length.
  uint64_t smallest = result.type == Type::String ? 8
                      : result.type == Type::Array
                          ? 12
                          : getScalarBytes(result.type);
  if (result.count > remaining() / smallest)
    return fail("an array claims {0} elements, {1} bytes are left",
                result.count, remaining());
  if (uint64_t size = getScalarBytes(result.type))
    return take(result.count * size, result.bytes, "an array");
  for (uint64_t i = 0; i != result.count; ++i) {
    if (result.type == Type::String) {
      StringRef element;
      if (Error error = takeString(element, "a string in an array"))
        return error;
      result.strings.push_back(element);
      continue;
    }
    GGUFArray element;
    if (Error error = takeArray(element, nesting + 1))
      return error;
    result.arrays.push_back(std::move(element));
  }
  return Error::success();
}

/// Calls `use` with the elements of an array of numbers or bools, typed.
template <typename Fn>
static void visitNumbers(const GGUFArray &array, Fn use) {
  auto visit = [&](auto zero) {
    using T = decltype(zero);
    for (uint64_t i = 0; i != array.count; ++i)
      use(support::endian::read<T, endianness::little>(array.bytes.data() +
                                                       i * sizeof(T)));
  };
  switch (array.type) {
  case Type::U8:
  case Type::Bool:
    return visit(uint8_t());
  case Type::I8:
    return visit(int8_t());
  case Type::U16:
    return visit(uint16_t());
  case Type::I16:
    return visit(int16_t());
  case Type::U32:
    return visit(uint32_t());
  case Type::I32:
    return visit(int32_t());
  case Type::U64:
    return visit(uint64_t());
  case Type::I64:
    return visit(int64_t());
  case Type::F32:
    return visit(float());
  case Type::F64:
    return visit(double());
  case Type::String:
  case Type::Array:
    return;
  }
}

const GGUFArray *GGUFMetadata::getArray(StringRef key) const {
  auto it = arrays.find(key);
  return it == arrays.end() ? nullptr : &it->second;
}

std::optional<ArrayRef<StringRef>>
GGUFMetadata::getStrings(StringRef key) const {
  const GGUFArray *array = getArray(key);
  if (!array || array->type != Type::String)
    return std::nullopt;
  return ArrayRef<StringRef>(array->strings);
}

std::optional<std::vector<int64_t>>
GGUFMetadata::getIntegers(StringRef key) const {
  const GGUFArray *array = getArray(key);
  if (!array || getScalarBytes(array->type) == 0 || array->type == Type::F32 ||
      array->type == Type::F64)
    return std::nullopt;
  std::vector<int64_t> result;
  result.reserve(array->count);
  visitNumbers(*array, [&](auto value) {
    if constexpr (std::is_integral_v<decltype(value)>)
      result.push_back(static_cast<int64_t>(value));
  });
  return result;
}

std::optional<std::vector<float>> GGUFMetadata::getFloats(StringRef key) const {
  const GGUFArray *array = getArray(key);
  if (!array || getScalarBytes(array->type) == 0)
    return std::nullopt;
  if (array->type == Type::F64) {
    // Through the decoder, which rounds what exceeds f32 to infinity.
    std::vector<float> result(array->count);
    cantFail(decodeToF32(StorageType::F64, array->bytes, result));
    return result;
  }
  std::vector<float> result;
  result.reserve(array->count);
  visitNumbers(
      *array, [&](auto value) { result.push_back(static_cast<float>(value)); });
  return result;
}

std::vector<StringRef> GGUFMetadata::getArrayKeys() const {
  std::vector<StringRef> keys(arrays.keys().begin(), arrays.keys().end());
  llvm::sort(keys);
  return keys;
}

std::optional<StringRef> GGUFMetadata::getString(StringRef key) const {
  auto it = strings.find(key);
  if (it == strings.end())
    return std::nullopt;
  return it->second;
}

namespace weir {

/// A GGUF file, opened.
class GGUFCheckpoint : public Checkpoint {
public:
  GGUFCheckpoint(StringRef path, std::unique_ptr<MemoryBuffer> file)
      : Checkpoint(Format::GGUF, path), buffer(std::move(file)) {}

  /// Reads everything but the data of tensors.
  Error load();

  const GGUFMetadata *ggufMetadata() const override { return &metadata; }

private:
  /// A tensor info, and where its data claims to begin.
  struct Entry {
    TensorInfo tensor;
    uint64_t offset = 0;
    uint64_t bytes = 0;
  };

  Error loadMetadata(Cursor &cursor, uint64_t count);
  Error loadEntry(Cursor &cursor, uint64_t alignment, Entry &entry);
  /// Bounds and overlaps of the data, which gives the tensors their bytes.
  Error placeTensors(std::vector<Entry> entries, uint64_t dataBegin);

  std::unique_ptr<MemoryBuffer> buffer;
  GGUFMetadata metadata;
};

} // namespace weir

/// JSON's form of a floating point value: see Checkpoint::config.
static json::Value toJson(double value) {
  if (std::isnan(value))
    return nullptr;
  if (std::isinf(value))
    return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

Error GGUFCheckpoint::loadMetadata(Cursor &cursor, uint64_t count) {
  for (uint64_t i = 0; i != count; ++i) {
    StringRef key;
    Type type;
    if (Error error = cursor.takeString(key, "a metadata key"))
      return error;
    if (!json::isUTF8(key))
      return cursor.fail("metadata key {0} is not UTF-8", quoted(key));
    if (configuration.get(key) || metadata.arrays.contains(key))
      return cursor.fail("metadata key {0} occurs twice", quoted(key));
    if (Error error = cursor.takeType(type, "the type of a metadata value"))
      return error;
    if (type == Type::Array) {
      if (Error error = cursor.takeArray(metadata.arrays[key]))
        return error;
      continue;
    }
    if (type == Type::String) {
      StringRef value;
      if (Error error = cursor.takeString(value, "a metadata string"))
        return error;
      metadata.strings[key] = value;
      configuration[key] =
          json::isUTF8(value) ? value.str() : json::fixUTF8(value);
      continue;
    }
    // A scalar is an array of one.
    GGUFArray scalar;
    scalar.type = type;
    scalar.count = 1;
    if (Error error =
            cursor.take(getScalarBytes(type), scalar.bytes, "a metadata value"))
      return error;
    json::Value value = nullptr;
    visitNumbers(scalar, [&](auto number) {
      if constexpr (std::is_floating_point_v<decltype(number)>)
        value = toJson(number);
      else
        value = number;
    });
    if (type == Type::Bool)
      value = scalar.bytes[0] != 0;
    configuration[key] = std::move(value);
  }
  return Error::success();
}

Error GGUFCheckpoint::loadEntry(Cursor &cursor, uint64_t alignment,
                                Entry &entry) {
  StringRef name;
  if (Error error = cursor.takeString(name, "the name of a tensor"))
    return error;
  entry.tensor.name = name.str();
  uint32_t rank, type;
  if (Error error = cursor.take(rank, "the rank of a tensor"))
    return error;
  if (rank > maxRank)
    return cursor.fail("tensor {0} has rank {1}, expected at most {2}",
                       quoted(name), rank, maxRank);
  for (uint32_t i = 0; i != rank; ++i) {
    uint64_t extent;
    if (Error error = cursor.take(extent, "the extent of a tensor"))
      return error;
    if (extent > static_cast<uint64_t>(INT64_MAX))
      return cursor.fail("tensor {0} has an extent of {1}, expected at most "
                         "2^63 - 1",
                         quoted(name), extent);
    entry.tensor.shape.push_back(static_cast<int64_t>(extent));
  }
  std::reverse(entry.tensor.shape.begin(), entry.tensor.shape.end());
  if (Error error = cursor.take(type, "the type of a tensor"))
    return error;
  std::optional<StorageType> storage = getStorageTypeFromGGUF(type);
  if (!storage)
    return cursor.fail("tensor {0} has type number {1}, which is unknown; "
                       "requantise the model to a common type such as Q8_0",
                       quoted(name), type);
  entry.tensor.type = *storage;
  if (Error error = cursor.take(entry.offset, "the offset of a tensor"))
    return error;
  if (entry.offset % alignment != 0)
    return cursor.fail("tensor {0} is misaligned: offset {1}, expected a "
                       "multiple of {2}",
                       quoted(name), entry.offset, alignment);
  Expected<int64_t> bytes = getStorageBytes(*storage, entry.tensor.shape);
  if (!bytes)
    return cursor.fail("tensor {0}: {1}", quoted(name),
                       toString(bytes.takeError()));
  entry.bytes = *bytes;
  return Error::success();
}

Error GGUFCheckpoint::placeTensors(std::vector<Entry> entries,
                                   uint64_t dataBegin) {
  ArrayRef<uint8_t> file = getBytes(*buffer);
  ArrayRef<uint8_t> data;
  if (dataBegin <= file.size())
    data = file.drop_front(dataBegin);
  for (Entry &entry : entries) {
    if (entry.offset > data.size() || entry.bytes > data.size() - entry.offset)
      return fileError(path(),
                       "tensor {0} takes {1} bytes from byte {2} of the data, "
                       "which has {3}; the file may be truncated",
                       quoted(entry.tensor.name), entry.bytes, entry.offset,
                       data.size());
    entry.tensor.bytes = data.slice(entry.offset, entry.bytes);
  }
  std::vector<const Entry *> order;
  for (const Entry &entry : entries)
    if (entry.bytes != 0)
      order.push_back(&entry);
  llvm::sort(order, [](const Entry *a, const Entry *b) {
    return std::tie(a->offset, a->tensor.name) <
           std::tie(b->offset, b->tensor.name);
  });
  for (size_t i = 1; i < order.size(); ++i)
    if (order[i - 1]->offset + order[i - 1]->bytes > order[i]->offset)
      return fileError(path(), "the data of tensors {0} and {1} overlap",
                       quoted(order[i - 1]->tensor.name),
                       quoted(order[i]->tensor.name));
  for (Entry &entry : entries)
    if (Error error = addTensor(std::move(entry.tensor), path()))
      return error;
  return Error::success();
}

Error GGUFCheckpoint::load() {
  Cursor cursor(getBytes(*buffer), path());
  ArrayRef<uint8_t> magic;
  uint32_t version;
  uint64_t numTensors, numKeys;
  if (Error error = cursor.take(4, magic, "the magic number"))
    return error;
  if (Error error = cursor.take(version, "the version"))
    return error;
  if (version != 2 && version != 3) {
    uint32_t swapped = llvm::byteswap(version);
    if (swapped == 2 || swapped == 3)
      return fileError(path(),
                       "a big-endian GGUF file, expected little endian; "
                       "convert it with gguf's convert-endian script");
    return fileError(path(),
                     "GGUF version {0}, expected 2 or 3; convert the model "
                     "again with a current converter",
                     version);
  }
  if (Error error = cursor.take(numTensors, "the number of tensors"))
    return error;
  if (Error error = cursor.take(numKeys, "the number of metadata keys"))
    return error;
  // The least a metadata entry takes: length of the key, type, one byte.
  if (numKeys > cursor.remaining() / 13)
    return cursor.fail("claims {0} metadata keys, {1} bytes are left", numKeys,
                       cursor.remaining());
  if (Error error = loadMetadata(cursor, numKeys))
    return error;

  uint64_t alignment = 32;
  if (const json::Value *value = configuration.get("general.alignment")) {
    std::optional<int64_t> given = value->getAsInteger();
    if (!given || *given <= 0 || *given > (1 << 30) ||
        !isPowerOf2_64(static_cast<uint64_t>(*given)))
      return fileError(path(),
                       "general.alignment is {0}, expected a power of "
                       "two up to 2^30",
                       quoted(formatv("{0}", *value).str()));
    alignment = static_cast<uint64_t>(*given);
  }
  if (const json::Value *value = configuration.get("split.count"))
    if (std::optional<int64_t> count = value->getAsInteger();
        count && *count > 1)
      return fileError(path(),
                       "one of {0} parts of a split model, expected a single "
                       "file; join them with llama-gguf-split --merge",
                       *count);

  // The least a tensor info takes: length of the name, rank, type, offset.
  if (numTensors > cursor.remaining() / 24)
    return cursor.fail("claims {0} tensors, {1} bytes are left", numTensors,
                       cursor.remaining());
  std::vector<Entry> entries;
  for (uint64_t i = 0; i != numTensors; ++i) {
    entries.emplace_back();
    if (Error error = loadEntry(cursor, alignment, entries.back()))
      return error;
  }
  return placeTensors(std::move(entries),
                      alignTo(cursor.position(), alignment));
}

Expected<std::unique_ptr<Checkpoint>>
weir::openGGUF(StringRef path, std::unique_ptr<MemoryBuffer> buffer) {
  auto checkpoint = std::make_unique<GGUFCheckpoint>(path, std::move(buffer));
  if (Error error = checkpoint->load())
    return error;
  return checkpoint;
}
