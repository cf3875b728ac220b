//===- Checkpoint.cpp - Trained models on disk ----------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the formats have in common: the table of tensors, and telling the
// formats apart.
//
//===----------------------------------------------------------------------===//

#include "Formats.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace weir;

std::string weir::quoted(StringRef text) {
  constexpr size_t limit = 200;
  std::string result = "'";
  raw_string_ostream os(result);
  printEscapedString(text.take_front(limit), os);
  if (text.size() > limit)
    os << "...";
  os << "'";
  return result;
}

std::string weir::formatShape(ArrayRef<int64_t> shape) {
  std::string result = "[";
  raw_string_ostream os(result);
  interleaveComma(shape, os);
  os << "]";
  return result;
}

Expected<std::unique_ptr<MemoryBuffer>> weir::mapFile(StringRef path) {
  sys::fs::file_status status;
  if (std::error_code ec = sys::fs::status(path, status))
    return fileError(path, "cannot open: {0}", ec.message());
  // Opening a pipe would block, a device may never end.
  if (status.type() != sys::fs::file_type::regular_file)
    return fileError(path, "expected a regular file");
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(
      path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (std::error_code ec = buffer.getError())
    return fileError(path, "cannot read: {0}", ec.message());
  return std::move(*buffer);
}

int64_t TensorInfo::getNumElements() const {
  int64_t product = 1;
  for (int64_t extent : shape)
    product *= extent;
  return product;
}

std::vector<float> TensorInfo::readScales(int64_t row) const {
  int64_t rows = shape[shape.size() - 2];
  int64_t perRow = divideCeil(shape.back(), scaleBlock[1]);
  int64_t first =
      row / rows * divideCeil(rows, scaleBlock[0]) + row % rows / scaleBlock[0];
  int64_t bytes = getBytesPerBlock(scaleType);
  std::vector<float> result(perRow);
  cantFail(decodeToF32(
      scaleType, scales.slice(first * perRow * bytes, perRow * bytes), result));
  return result;
}

Checkpoint::~Checkpoint() = default;

std::optional<StringRef> Checkpoint::textFile(StringRef) const {
  return std::nullopt;
}

Error Checkpoint::addTensor(TensorInfo tensor, StringRef fileName) {
  auto [it, inserted] = tensorIndex.try_emplace(tensor.name, tensorList.size());
  if (!inserted)
    return fileError(fileName,
                     "tensor {0} is defined twice, expected distinct names",
                     quoted(tensor.name));
  tensorList.push_back(std::move(tensor));
  used.push_back(false);
  return Error::success();
}

void Checkpoint::joinScales(const TensorInfo &tensor, const TensorInfo &scales,
                            std::array<int64_t, 2> block) {
  TensorInfo &joined = tensorList[&tensor - tensorList.data()];
  joined.scales = scales.bytes;
  joined.scaleType = scales.type;
  joined.scaleBlock = block;
  used.set(&scales - tensorList.data());
}

const TensorInfo *Checkpoint::lookup(StringRef name) const {
  auto it = tensorIndex.find(name);
  return it == tensorIndex.end() ? nullptr : &tensorList[it->second];
}

Expected<const TensorInfo *> Checkpoint::use(StringRef name) {
  auto it = tensorIndex.find(name);
  if (it != tensorIndex.end()) {
    used.set(it->second);
    return &tensorList[it->second];
  }
  // Names differ by a prefix as a rule ("model." or not), so the nearest one
  // tells what is wrong.
  const TensorInfo *nearest = nullptr;
  unsigned best = std::max<size_t>(name.size() / 2, 8);
  for (const TensorInfo &tensor : tensorList) {
    unsigned distance = name.edit_distance(tensor.name, true, best);
    if (distance < best) {
      best = distance;
      nearest = &tensor;
    }
  }
  if (nearest)
    return fileError(path(), "no tensor named {0}; the nearest is {1}",
                     quoted(name), quoted(nearest->name));
  return fileError(path(), "no tensor named {0} among {1}", quoted(name),
                   tensorList.size());
}

void Checkpoint::markUsed(StringRef name) {
  auto it = tensorIndex.find(name);
  if (it != tensorIndex.end())
    used.set(it->second);
}

std::vector<StringRef> Checkpoint::unusedTensors() const {
  std::vector<StringRef> names;
  for (size_t i = 0, e = tensorList.size(); i != e; ++i)
    if (!used.test(i))
      names.push_back(tensorList[i].name);
  return names;
}

Expected<std::unique_ptr<Checkpoint>> weir::openCheckpoint(StringRef path) {
  if (sys::fs::is_directory(path))
    return openHuggingFace(path);
  Expected<std::unique_ptr<MemoryBuffer>> buffer = mapFile(path);
  if (!buffer)
    return buffer.takeError();
  StringRef text = (*buffer)->getBuffer();
  if (text.starts_with("GGUF"))
    return openGGUF(path, std::move(*buffer));
  StringRef name = sys::path::filename(path);
  if (name.ends_with(".safetensors") || name.ends_with(".json"))
    return fileError(path,
                     "expected a directory or a GGUF file; give the directory "
                     "that holds this file and its config.json");
  return fileError(path,
                   "not a model: expected a Hugging Face directory or a file "
                   "that begins with 'GGUF', found {0}",
                   quoted(text.take_front(4)));
}
