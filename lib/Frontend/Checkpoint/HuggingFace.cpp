//===- HuggingFace.cpp - Hugging Face directories -------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A directory holds config.json, weights in one safetensors file or in shards
// that an index lists, and the files of the tokenizer.
//
//===----------------------------------------------------------------------===//

#include "Formats.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace weir;

namespace {

/// A directory, opened.
class HuggingFaceCheckpoint : public Checkpoint {
public:
  explicit HuggingFaceCheckpoint(StringRef path)
      : Checkpoint(Format::HuggingFace, path) {}

  /// Reads everything; what is left unset on failure is never looked at.
  Error load();

  std::optional<StringRef> textFile(StringRef name) const override;

private:
  std::string getPath(StringRef name) const {
    SmallString<256> result = path();
    sys::path::append(result, name);
    return std::string(result);
  }

  /// The names of the regular files in the directory, sorted.
  Expected<std::vector<std::string>> listFiles() const;
  /// Reads config.json.
  Error loadConfig();
  /// Adds all tensors of one file.
  Error loadWeights(StringRef name);
  /// Adds all tensors of the shards that an index lists.
  Error loadIndex(StringRef name);
  /// Adds all weights there are.
  Error loadAllWeights(ArrayRef<std::string> files);
  /// Brings quantised weights and their scales together, as the configuration
  /// says they are stored.
  Error joinAllScales();
  /// Adds a tensor `X` for each pair of `X_blocks` and `X_scales`, which are
  /// MXFP4.
  Error joinBlocks();
  /// Gives each tensor `X` of F8_E4M3 its `X_scale_inv` or `X_scale`, for
  /// blocks of `block` rows and columns unless there is one for all of it or
  /// for each row.
  Error joinFactors(std::optional<std::array<int64_t, 2>> block);

  /// Mapped weights, kept as tensors refer to them.
  std::vector<std::unique_ptr<MemoryBuffer>> shards;
  StringMap<std::unique_ptr<MemoryBuffer>> textFiles;
};

} // namespace

/// Files an importer or a tokenizer may ask for.
static constexpr StringLiteral textFileNames[] = {
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "processor_config.json",
    "preprocessor_config.json",
};

std::optional<StringRef> HuggingFaceCheckpoint::textFile(StringRef name) const {
  auto it = textFiles.find(name);
  if (it == textFiles.end())
    return std::nullopt;
  return it->second->getBuffer();
}

Expected<std::vector<std::string>> HuggingFaceCheckpoint::listFiles() const {
  std::vector<std::string> names;
  std::error_code ec;
  for (sys::fs::directory_iterator it(path(), ec), end; it != end && !ec;
       it.increment(ec))
    if (sys::fs::is_regular_file(it->path()))
      names.push_back(sys::path::filename(it->path()).str());
  if (ec)
    return fileError(path(), "cannot list the directory: {0}", ec.message());
  llvm::sort(names);
  return names;
}

Error HuggingFaceCheckpoint::loadConfig() {
  std::string file = getPath("config.json");
  Expected<std::unique_ptr<MemoryBuffer>> buffer = mapFile(file);
  if (!buffer)
    return buffer.takeError();
  Expected<json::Value> value = parsePythonJson((*buffer)->getBuffer(), file);
  if (!value)
    return value.takeError();
  json::Object *object = value->getAsObject();
  if (!object)
    return fileError(file, "expected a JSON object");
  configuration = std::move(*object);
  return Error::success();
}

Error HuggingFaceCheckpoint::loadWeights(StringRef name) {
  std::string file = getPath(name);
  Expected<std::unique_ptr<MemoryBuffer>> buffer = mapFile(file);
  if (!buffer)
    return buffer.takeError();
  Expected<std::vector<TensorInfo>> tensors = readSafetensors(**buffer, file);
  if (!tensors)
    return tensors.takeError();
  shards.push_back(std::move(*buffer));
  for (TensorInfo &tensor : *tensors)
    if (Error error = addTensor(std::move(tensor), file))
      return error;
  return Error::success();
}

Error HuggingFaceCheckpoint::loadIndex(StringRef name) {
  std::string file = getPath(name);
  Expected<std::unique_ptr<MemoryBuffer>> buffer = mapFile(file);
  if (!buffer)
    return buffer.takeError();
  Expected<json::Value> value = parsePythonJson((*buffer)->getBuffer(), file);
  if (!value)
    return value.takeError();
  const json::Object *object = value->getAsObject();
  const json::Object *map = object ? object->getObject("weight_map") : nullptr;
  if (!map)
    return fileError(file, "expected an object with an object 'weight_map'");

  // Sorted, so that tensors come in the same order on every machine.
  std::vector<std::pair<StringRef, StringRef>> entries;
  for (const auto &[key, shard] : *map) {
    std::optional<StringRef> shardName = shard.getAsString();
    if (!shardName)
      return fileError(file, "weight_map of {0}: expected a file name",
                       quoted(key));
    // An index must not reach outside its directory.
    if (shardName->empty() || shardName->contains('\0') ||
        sys::path::filename(*shardName) != *shardName || *shardName == "..")
      return fileError(
          file, "weight_map of {0}: expected a plain file name, found {1}",
          quoted(key), quoted(*shardName));
    entries.emplace_back(key, *shardName);
  }
  llvm::sort(entries, [](const auto &a, const auto &b) {
    return std::tie(a.second, a.first) < std::tie(b.second, b.first);
  });
  size_t firstOfShard = 0;
  for (size_t i = 0, e = entries.size(); i != e; ++i) {
    auto [tensor, shard] = entries[i];
    if (i == 0 || entries[i - 1].second != shard) {
      if (!sys::fs::exists(getPath(shard)))
        return fileError(file,
                         "shard {0} is missing, expected it beside the "
                         "index; download it",
                         quoted(shard));
      firstOfShard = tensors().size();
      if (Error error = loadWeights(shard))
        return error;
    }
    // The tensor must be in this very shard, not in one before.
    const TensorInfo *found = lookup(tensor);
    if (!found || static_cast<size_t>(found - tensors().data()) < firstOfShard)
      return fileError(file, "tensor {0} is missing from shard {1}",
                       quoted(tensor), quoted(shard));
  }
  return Error::success();
}

Error HuggingFaceCheckpoint::joinAllScales() {
  const json::Object *quantization =
      configuration.getObject("quantization_config");
  std::optional<StringRef> method =
      quantization ? quantization->getString("quant_method") : std::nullopt;
  if (method == "mxfp4")
    return joinBlocks();
  if (method != "fp8")
    return Error::success();
  const json::Value *stated = quantization->get("weight_block_size");
  if (!stated || stated->kind() == json::Value::Null)
    return joinFactors(std::nullopt);
  const json::Array *extents = stated->getAsArray();
  std::optional<int64_t> rows, cols;
  if (extents && extents->size() == 2) {
    rows = (*extents)[0].getAsInteger();
    cols = (*extents)[1].getAsInteger();
  }
  // Packed weights have a scale for up to 128 columns.
  if (!rows || !cols || *rows < 1 || *cols < 1 || *cols % 128 != 0)
    return fileError(getPath("config.json"),
                     "weight_block_size of quantization_config is {0}, "
                     "expected [rows, columns] with a positive number of rows "
                     "and a multiple of 128 columns",
                     *stated);
  return joinFactors(std::array<int64_t, 2>{*rows, *cols});
}

Error HuggingFaceCheckpoint::joinFactors(
    std::optional<std::array<int64_t, 2>> block) {
  for (const TensorInfo &tensor : tensors()) {
    if (tensor.type != StorageType::F8_E4M3)
      continue;
    std::string name = tensor.name + "_scale_inv";
    const TensorInfo *scales = lookup(name);
    if (!scales)
      scales = lookup(tensor.name + "_scale");
    if (!scales)
      return fileError(path(),
                       "tensor {0} of F8_E4M3 has no {1} beside it, expected "
                       "one as quant_method is fp8",
                       quoted(tensor.name), quoted(name));
    ArrayRef<int64_t> shape = tensor.shape, found = scales->shape;
    if (shape.size() < 2)
      return fileError(path(),
                       "tensor {0} of F8_E4M3 is {1}, expected matrices [..., "
                       "rows, columns]",
                       quoted(tensor.name), formatShape(shape));
    int64_t rows = shape.drop_back().back(), cols = shape.back();
    SmallVector<int64_t, 4> expected(shape);
    bool isSingle = scales->getNumElements() == 1 && shape.size() == 2;
    std::array<int64_t, 2> extents = block.value_or(std::array<int64_t, 2>{
        isSingle ? std::max<int64_t>(rows, 1) : 1, std::max<int64_t>(cols, 1)});
    expected[shape.size() - 2] = divideCeil(rows, extents[0]);
    expected.back() = divideCeil(cols, extents[1]);
    // A single number has any number of axes.
    bool fits = found == ArrayRef<int64_t>(expected) || (!block && isSingle);
    if (!fits || !is_contained({StorageType::F32, StorageType::BF16,
                                StorageType::F16, StorageType::F8_E8M0},
                               scales->type))
      return fileError(
          path(),
          "tensor {0} is {1} {2} beside {3} of shape {4}, expected floats {5} "
          "{6}",
          quoted(scales->name), getStorageTypeName(scales->type),
          formatShape(found), quoted(tensor.name), formatShape(shape),
          formatShape(expected),
          block ? "for blocks of " + formatShape(*block)
                : "for each row, or one");
    joinScales(tensor, *scales, extents);
  }
  // What activations would be scaled by if they were quantised too.
  for (const TensorInfo &tensor : tensors()) {
    StringRef name = tensor.name;
    if (name.ends_with(".activation_scale") || name.ends_with(".input_scale"))
      markUsed(name);
  }
  return Error::success();
}

Error HuggingFaceCheckpoint::joinBlocks() {
  std::vector<TensorInfo> joined;
  for (const TensorInfo &blocks : tensors()) {
    StringRef name = blocks.name;
    if (!name.consume_back("_blocks"))
      continue;
    std::string scalesName = (name + "_scales").str();
    const TensorInfo *scales = lookup(scalesName);
    if (!scales)
      return fileError(path(), "tensor {0} has no {1} beside it",
                       quoted(blocks.name), quoted(scalesName));
    ArrayRef<int64_t> shape = blocks.shape;
    constexpr int64_t pairs = QuantizedRows::blockSize / 2;
    if (blocks.type != StorageType::U8 || scales->type != StorageType::U8 ||
        shape.size() < 2 || shape.back() != pairs ||
        shape.drop_back() != ArrayRef<int64_t>(scales->shape))
      return fileError(
          path(),
          "tensors {0} and {1} are {2} {3} and {4} {5}, expected U8 [..., "
          "blocks, {6}] and U8 [..., blocks]",
          quoted(blocks.name), quoted(scalesName),
          getStorageTypeName(blocks.type), formatShape(shape),
          getStorageTypeName(scales->type), formatShape(scales->shape), pairs);
    TensorInfo tensor;
    tensor.name = name.str();
    tensor.type = StorageType::F4_E2M1;
    tensor.shape.assign(shape.begin(), shape.end() - 1);
    tensor.shape.back() *= QuantizedRows::blockSize;
    tensor.bytes = blocks.bytes;
    tensor.scales = scales->bytes;
    joined.push_back(std::move(tensor));
  }
  for (TensorInfo &tensor : joined) {
    markUsed(tensor.name + "_blocks");
    markUsed(tensor.name + "_scales");
    if (Error error = addTensor(std::move(tensor), path()))
      return error;
  }
  return Error::success();
}

Error HuggingFaceCheckpoint::load() {
  Expected<std::vector<std::string>> files = listFiles();
  if (!files)
    return files.takeError();
  if (Error error = loadAllWeights(*files))
    return error;
  return joinAllScales();
}

Error HuggingFaceCheckpoint::loadAllWeights(ArrayRef<std::string> files) {
  auto has = [&](StringRef name) {
    return std::binary_search(files.begin(), files.end(), name);
  };
  auto withSuffix = [&](ArrayRef<StringRef> suffixes) {
    std::vector<StringRef> found;
    for (StringRef name : files)
      if (llvm::any_of(suffixes, [&](StringRef suffix) {
            return name.ends_with(suffix);
          }))
        found.push_back(name);
    return found;
  };
  auto list = [](ArrayRef<StringRef> names) {
    std::string text;
    for (StringRef name : names.take_front(4))
      text += (text.empty() ? "" : ", ") + quoted(name);
    return names.size() > 4 ? text + ", ..." : text;
  };

  if (!has("config.json")) {
    std::vector<StringRef> gguf = withSuffix({".gguf"});
    if (!gguf.empty())
      return fileError(path(),
                       "no config.json in this directory, but {0}; give the "
                       "GGUF file itself",
                       list(gguf));
    return fileError(path(), "no config.json in this directory, expected one "
                             "as in a Hugging Face checkpoint");
  }
  if (Error error = loadConfig())
    return error;
  for (StringRef name : textFileNames) {
    if (!has(name))
      continue;
    Expected<std::unique_ptr<MemoryBuffer>> buffer = mapFile(getPath(name));
    if (!buffer)
      return buffer.takeError();
    textFiles[name] = std::move(*buffer);
  }

  if (has("model.safetensors"))
    return loadWeights("model.safetensors");
  if (has("model.safetensors.index.json"))
    return loadIndex("model.safetensors.index.json");
  std::vector<StringRef> indices = withSuffix({".safetensors.index.json"});
  if (indices.size() == 1)
    return loadIndex(indices.front());
  if (indices.size() > 1)
    return fileError(path(),
                     "several indices of weights: {0}; name the one to read "
                     "model.safetensors.index.json",
                     list(indices));
  std::vector<StringRef> weights = withSuffix({".safetensors"});
  if (weights.size() == 1)
    return loadWeights(weights.front());
  if (weights.size() > 1)
    return fileError(path(),
                     "several weights files and no index: {0}; name the one to "
                     "read model.safetensors, or add the index",
                     list(weights));
  std::vector<StringRef> others = withSuffix(
      {".bin", ".bin.index.json", ".pt", ".pth", ".ckpt", ".h5", ".msgpack"});
  if (!others.empty())
    return fileError(path(),
                     "weights only in {0}, expected safetensors; convert them "
                     "by loading the model in Python and calling "
                     "save_pretrained(dir, safe_serialization=True)",
                     list(others));
  return fileError(path(), "no weights in this directory, expected "
                           "model.safetensors or an index of shards");
}

Expected<std::unique_ptr<Checkpoint>> weir::openHuggingFace(StringRef path) {
  auto checkpoint = std::make_unique<HuggingFaceCheckpoint>(path);
  if (Error error = checkpoint->load())
    return error;
  return checkpoint;
}
