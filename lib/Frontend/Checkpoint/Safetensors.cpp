//===- Safetensors.cpp - The safetensors format ---------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A file is a 64-bit length, a JSON header of that length, and the data. The
// header maps each name to `{dtype, shape, data_offsets: [begin, end]}`,
// offsets from the start of the data. The format asks that tensors fill the
// data without gaps; holding files to it also catches truncated ones.
//
//===----------------------------------------------------------------------===//

#include "Formats.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"

using namespace llvm;
using namespace weir;

/// The bound of the reference implementation.
static constexpr uint64_t maxHeaderBytes = 100'000'000;

/// Reads one entry of the header; `data` is the data of the file.
static Expected<TensorInfo> readEntry(StringRef name, const json::Value &value,
                                      ArrayRef<uint8_t> data,
                                      StringRef fileName) {
  auto fail = [&](const char *format, auto &&...args) {
    std::string text = formatv(false, format, args...);
    return fileError(fileName, "tensor {0}: {1}", quoted(name), text);
  };
  const json::Object *entry = value.getAsObject();
  if (!entry)
    return fail("expected an object with dtype, shape and data_offsets");
  std::optional<StringRef> dtype = entry->getString("dtype");
  if (!dtype)
    return fail("expected a string as dtype");
  TensorInfo tensor;
  tensor.name = name.str();
  std::optional<StorageType> type = getStorageTypeFromSafetensors(*dtype);
  if (!type)
    return fail("unknown dtype {0}, expected one of F64, F32, F16, BF16, I64, "
                "I32, I16, I8, U64, U32, U16, U8, BOOL, F8_E4M3, F8_E5M2",
                quoted(*dtype));
  tensor.type = *type;
  const json::Array *shape = entry->getArray("shape");
  if (!shape)
    return fail("expected an array as shape");
  for (const json::Value &item : *shape) {
    std::optional<int64_t> extent = item.getAsInteger();
    if (!extent || *extent < 0)
      return fail("expected extents from 0 to 2^63 - 1 in its shape");
    tensor.shape.push_back(*extent);
  }
  const json::Array *offsets = entry->getArray("data_offsets");
  std::optional<int64_t> begin, end;
  if (offsets && offsets->size() == 2) {
    begin = (*offsets)[0].getAsInteger();
    end = (*offsets)[1].getAsInteger();
  }
  if (!begin || !end || *begin < 0 || *end < *begin)
    return fail("expected data_offsets [begin, end] with 0 <= begin <= end");
  if (static_cast<uint64_t>(*end) > data.size())
    return fail("its data ends at byte {0}, but the file has {1} bytes of "
                "data; it may be truncated",
                *end, data.size());
  Expected<int64_t> bytes = getStorageBytes(tensor.type, tensor.shape);
  if (!bytes)
    return fail("{0}", toString(bytes.takeError()));
  if (*bytes != *end - *begin)
    return fail("{0} elements of shape {1} take {2} bytes, but its "
                "data_offsets span {3}",
                getStorageTypeName(tensor.type), formatShape(tensor.shape),
                *bytes, *end - *begin);
  tensor.bytes = data.slice(*begin, *bytes);
  return tensor;
}

/// Reports the name that makes the header longer than its parsed form.
static Error checkDuplicates(StringRef header, size_t numParsed,
                             StringRef fileName) {
  std::vector<StringRef> keys = getOutermostKeys(header);
  if (keys.size() == numParsed)
    return Error::success();
  StringSet<> seen;
  for (StringRef key : keys)
    if (!seen.insert(key).second)
      return fileError(fileName,
                       "tensor {0} is defined twice, expected distinct names",
                       quoted(key));
  return fileError(fileName, "a tensor is defined twice under two spellings");
}

Expected<std::vector<TensorInfo>>
weir::readSafetensors(const MemoryBuffer &buffer, StringRef fileName) {
  ArrayRef<uint8_t> file = getBytes(buffer);
  if (file.size() < 8)
    return fileError(fileName,
                     "{0} bytes long, expected a safetensors file of at least "
                     "8; it may be truncated",
                     file.size());
  uint64_t length =
      support::endian::read<uint64_t, endianness::little>(file.data());
  if (length > file.size() - 8 || length > maxHeaderBytes)
    return fileError(fileName,
                     "not a safetensors file or truncated: its header claims "
                     "{0} bytes, {1} follow",
                     length, file.size() - 8);
  StringRef header = buffer.getBuffer().substr(8, length);
  ArrayRef<uint8_t> data = file.drop_front(8 + length);
  Expected<json::Value> value = parsePythonJson(header, fileName);
  if (!value)
    return value.takeError();
  const json::Object *object = value->getAsObject();
  if (!object)
    return fileError(fileName, "expected a JSON object as header");
  if (Error error = checkDuplicates(header, object->size(), fileName))
    return error;

  std::vector<TensorInfo> tensors;
  for (const auto &[key, entry] : *object) {
    if (StringRef(key) == "__metadata__")
      continue;
    Expected<TensorInfo> tensor = readEntry(key, entry, data, fileName);
    if (!tensor)
      return tensor.takeError();
    tensors.push_back(std::move(*tensor));
  }
  // Empty tensors first where others begin; names make the order total.
  llvm::sort(tensors, [](const TensorInfo &a, const TensorInfo &b) {
    return std::make_tuple(a.bytes.data(), a.bytes.size(), StringRef(a.name)) <
           std::make_tuple(b.bytes.data(), b.bytes.size(), StringRef(b.name));
  });
  const uint8_t *end = data.data();
  for (const TensorInfo &tensor : tensors) {
    if (tensor.bytes.data() != end)
      return fileError(
          fileName,
          "tensor {0} begins at byte {1} of the data, expected {2}, "
          "where the one before ends: they {3}",
          quoted(tensor.name), tensor.bytes.data() - data.data(),
          end - data.data(),
          tensor.bytes.data() < end ? "overlap" : "leave a gap");
    end = tensor.bytes.end();
  }
  if (end != data.end())
    return fileError(fileName,
                     "its tensors end at byte {0} of the data, but {1} bytes "
                     "follow",
                     end - data.data(), data.end() - end);
  return tensors;
}

//===----------------------------------------------------------------------===//
// A file by itself
//===----------------------------------------------------------------------===//

namespace {

/// A safetensors file, opened as a Hugging Face directory that holds no other.
class SafetensorsCheckpoint : public Checkpoint {
public:
  explicit SafetensorsCheckpoint(StringRef path)
      : Checkpoint(Format::HuggingFace, path) {}

  Error load() {
    Expected<std::unique_ptr<MemoryBuffer>> mapped = mapFile(path());
    if (!mapped)
      return mapped.takeError();
    buffer = std::move(*mapped);
    Expected<std::vector<TensorInfo>> tensors =
        readSafetensors(*buffer, path());
    if (!tensors)
      return tensors.takeError();
    for (TensorInfo &tensor : *tensors)
      if (Error error = addTensor(std::move(tensor), path()))
        return error;
    return Error::success();
  }

private:
  /// Mapped, kept as tensors refer to it.
  std::unique_ptr<MemoryBuffer> buffer;
};

} // namespace

Expected<std::unique_ptr<Checkpoint>> weir::openWeights(StringRef path) {
  if (!path.ends_with(".safetensors") || sys::fs::is_directory(path))
    return openCheckpoint(path);
  auto checkpoint = std::make_unique<SafetensorsCheckpoint>(path);
  if (Error error = checkpoint->load())
    return error;
  return checkpoint;
}
