//===- FlaConfig.cpp - Options of flash-linear-attention -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fla.h"
#include <cmath>

using namespace mlir;
using namespace weir;
namespace json = llvm::json;

std::string weir::readChoice(ConfigReader &reader, StringRef key,
                             StringRef fallback, ArrayRef<StringRef> names) {
  std::string value = reader.getString(key, fallback);
  if (llvm::is_contained(names, value))
    return value;
  InFlightDiagnostic diagnostic = reader.emitError(key)
                                  << "key '" << key << "' has the value '"
                                  << value << "', expected one of ";
  llvm::interleaveComma(names, diagnostic);
  return fallback.str();
}

void weir::expectMultiple(ConfigReader &reader, StringRef key, int64_t value,
                          int64_t divisor, StringRef what) {
  if (divisor > 0 && value % divisor == 0)
    return;
  reader.emitError(key) << what << " is " << value
                        << ", expected a multiple of the " << divisor
                        << " of key '" << key << "'";
}

int64_t weir::readFlaWidth(ConfigReader &reader, StringRef key, int64_t size,
                           double fallback) {
  double width = size * reader.getFloat(key, fallback);
  double rounded = std::nearbyint(width);
  if (rounded >= 1 && rounded < (int64_t(1) << 31) &&
      std::abs(width - rounded) <= 1e-9 * rounded)
    return static_cast<int64_t>(rounded);
  reader.emitError(key) << "key '" << key << "' makes " << size << " features "
                        << width << ", expected a positive whole number";
  return size;
}

double FlaHeads::getScale() const {
  return 1.0 / std::sqrt(static_cast<double>(keyDim));
}

FlaHeads weir::readFlaHeads(ConfigReader &reader, int64_t headDim,
                            int64_t heads, double expandValues, bool grouped) {
  FlaHeads result;
  result.heads = reader.getSize("num_heads", heads);
  result.valueHeads =
      grouped ? reader.getSize("num_v_heads", result.heads) : result.heads;
  result.keyDim = reader.getSize("head_dim", headDim);
  result.valueDim =
      readFlaWidth(reader, "expand_v", result.keyDim, expandValues);
  if (reader.getBool("use_short_conv", true))
    result.convWidth = reader.getSize("conv_size", 4);
  reader.ignore({"conv_size"});
  if (grouped)
    expectMultiple(reader, "num_heads", result.valueHeads, result.heads,
                   "the number of value heads");
  return result;
}

FlaSlots weir::readFlaSlots(ConfigReader &reader, const FlaConfig &config,
                            double expandKeys) {
  FlaSlots result;
  result.heads = reader.getSize("num_heads", 4);
  // The library takes the second spelling and writes the first.
  auto getWidth = [&](StringRef key, StringRef old, double fallback) {
    double width = reader.getFloat(old, fallback);
    return readFlaWidth(reader, key, config.hidden, width);
  };
  result.keys = getWidth("expand_k", "exapnd_k", expandKeys);
  result.values = getWidth("expand_v", "exapnd_v", 1.0);
  expectMultiple(reader, "num_heads", result.keys, result.heads,
                 "the features of all keys");
  expectMultiple(reader, "num_heads", result.values, result.heads,
                 "the features of all values");
  if (reader.getBool("use_short_conv", false))
    result.convWidth = reader.getSize("conv_size", 4);
  int64_t slots = reader.isNull("num_slots") ? result.keys / result.heads : 64;
  result.slots = reader.getSize("num_slots", std::max<int64_t>(slots, 1));
  reader.ignore({"conv_size"});
  return result;
}

//===----------------------------------------------------------------------===//
// Attention at chosen layers
//===----------------------------------------------------------------------===//

namespace {

/// Reads one entry of `attn`, or of a key like it.
class AttentionEntry {
public:
  AttentionEntry(ConfigReader &reader, StringRef key, const json::Object &entry)
      : reader(reader), key(key), entry(entry) {}

  /// Without a key for it, the window is `window`.
  FlaAttention read(const FlaConfig &config,
                    std::optional<int64_t> window = std::nullopt);
  /// Marks the entry's layers as its own.
  void assign(int32_t index, FlaConfig &config);

private:
  InFlightDiagnostic error(StringRef name) {
    return reader.emitError(key) << "key '" << key << "." << name << "' ";
  }
  int64_t getSize(StringRef name, std::optional<int64_t> fallback);

  bool getBool(StringRef name);

  ConfigReader &reader;
  StringRef key;
  const json::Object &entry;
};

} // namespace

/// The value of a key, where it is not null.
static const json::Value *getValue(const json::Object &object, StringRef key) {
  const json::Value *value = object.get(key);
  return value && value->kind() != json::Value::Null ? value : nullptr;
}

int64_t AttentionEntry::getSize(StringRef name,
                                std::optional<int64_t> fallback) {
  const json::Value *value = getValue(entry, name);
  if (!value && fallback)
    return *fallback;
  auto number = value ? value->getAsInteger() : std::nullopt;
  if (number && *number > 0 && *number < (int64_t(1) << 31))
    return *number;
  error(name) << "is no positive whole number";
  return 1;
}

bool AttentionEntry::getBool(StringRef name) {
  const json::Value *value = getValue(entry, name);
  if (!value)
    return false;
  if (auto flag = value->getAsBoolean())
    return *flag;
  error(name) << "is not true or false";
  return false;
}

FlaAttention AttentionEntry::read(const FlaConfig &config,
                                  std::optional<int64_t> window) {
  FlaAttention result;
  result.heads = getSize("num_heads", std::nullopt);
  result.kvHeads = getSize("num_kv_heads", result.heads);
  if (!entry.get("window_size"))
    result.window = window;
  else if (getValue(entry, "window_size"))
    result.window = getSize("window_size", std::nullopt);
  result.bias = getBool("qkv_bias");
  // Of attention in place of mixers the library does not read this.
  bool isAlone = key != "attn";
  if (isAlone)
    result.headNorm = getBool("qk_norm");
  if (const json::Value *value = getValue(entry, "rope_theta")) {
    auto number = value->getAsNumber();
    if (number && *number > 0 && std::isfinite(*number))
      result.ropeBase = *number;
    else
      error("rope_theta") << "is no positive number";
  }
  if (config.hidden % result.heads)
    error("num_heads") << "is " << result.heads << ", expected a divisor of "
                       << "the hidden size " << config.hidden;
  else if (config.hidden / result.heads % 2)
    error("num_heads") << "makes heads of " << config.hidden / result.heads
                       << " features, expected an even number to rotate";
  if (result.heads % result.kvHeads)
    error("num_kv_heads") << "is " << result.kvHeads
                          << ", expected a divisor of the " << result.heads
                          << " heads";
  static constexpr StringLiteral known[] = {"layers",     "num_heads",
                                            "qkv_bias",   "num_kv_heads",
                                            "rope_theta", "window_size"};
  std::vector<StringRef> left;
  for (const auto &[name, value] : entry)
    if (!llvm::is_contained(known, StringRef(name)) &&
        !(name == "qk_norm" && (isAlone || config.hasIdleNorms)))
      left.push_back(name);
  llvm::sort(left);
  for (StringRef name : left)
    error(name) << "is not understood and may change the model's results; "
                   "remove it if it does not";
  return result;
}

void AttentionEntry::assign(int32_t index, FlaConfig &config) {
  const json::Array *list = entry.getArray("layers");
  if (!list) {
    error("layers") << "is no list of layers";
    return;
  }
  for (const json::Value &value : *list) {
    auto layer = value.getAsInteger();
    if (!layer || *layer < 0 || *layer >= config.layers) {
      error("layers") << "names no layer of 0 to " << config.layers - 1;
      return;
    }
    if (config.attentionOf[*layer] >= 0) {
      error("layers") << "names layer " << *layer << " twice";
      return;
    }
    config.attentionOf[*layer] = index;
  }
}

static void readAttention(ConfigReader &reader, FlaConfig &config) {
  const json::Value *value = reader.get("attn");
  if (!value)
    return;
  SmallVector<const json::Object *> entries;
  if (const json::Object *entry = value->getAsObject())
    entries.push_back(entry);
  else if (const json::Array *list = value->getAsArray())
    for (const json::Value &element : *list)
      entries.push_back(element.getAsObject());
  else
    entries.push_back(nullptr);
  if (llvm::is_contained(entries, nullptr)) {
    reader.emitError("attn")
        << "key 'attn' is no object or list of objects that say which layers "
           "have attention";
    return;
  }
  for (const json::Object *object : entries) {
    AttentionEntry entry(reader, "attn", *object);
    entry.assign(config.attention.size(), config);
    config.attention.push_back(entry.read(config));
  }
}

FlaAttention weir::readFlaEntry(ConfigReader &reader, StringRef key,
                                const FlaConfig &config, int64_t window) {
  const json::Value *value = reader.get(key);
  const json::Object *object = value ? value->getAsObject() : nullptr;
  if (object)
    return AttentionEntry(reader, key, *object).read(config, window);
  reader.emitError(key) << "key '" << key << "' is no object that describes "
                        << "attention";
  return {};
}

//===----------------------------------------------------------------------===//
// Keys of all models
//===----------------------------------------------------------------------===//

void weir::readFlaBase(ConfigReader &reader, FlaConfig &config) {
  config.vocabSize = reader.getSize("vocab_size", config.vocabSize);
  config.hidden = reader.getSize("hidden_size", config.hidden);
  config.layers = reader.getSize("num_hidden_layers", config.layers);
  config.trainedLength =
      reader.getSize("max_position_embeddings", config.trainedLength);
  config.tied = reader.getBool("tie_word_embeddings", config.tied);
  config.eps = reader.getFloat("norm_eps", config.eps);
  if (!(config.eps >= 0))
    reader.emitError("norm_eps") << "key 'norm_eps' is " << config.eps
                                 << ", expected no negative number";
  config.fuseNorm = reader.getBool("fuse_norm", config.fuseNorm);
  // How sums are arranged, and what training minimises.
  reader.ignore({"attn_mode", "fuse_cross_entropy", "fuse_linear_cross_entropy",
                 "use_l2warp", "hidden_ratio", "intermediate_size"});
  int64_t tensors = reader.getCheckpoint().tensors().size();
  if (config.layers > tensors) {
    reader.emitError("num_hidden_layers")
        << "key 'num_hidden_layers' is " << config.layers
        << " when the checkpoint has " << tensors << " tensors";
    config.layers = 1;
  }
  if (!reader.isNull("hidden_ratio"))
    config.ratio = reader.getFloat("hidden_ratio", config.ratio);
  else
    config.ratio = config.nullRatio;
  if (!(config.ratio > 0 && config.ratio < 1e6))
    reader.emitError("hidden_ratio") << "key 'hidden_ratio' is " << config.ratio
                                     << ", expected a positive number";
  config.attentionOf.assign(config.layers, -1);
  readAttention(reader, config);
}

void weir::readFla(ConfigReader &reader, FlaConfig &config) {
  readFlaBase(reader, config);
  // Two thirds, for the gate, rounded up to whole blocks of 256.
  auto inner = static_cast<int64_t>(config.hidden * config.ratio * 2 / 3);
  inner = (inner + 255) / 256 * 256;
  config.inner = reader.has("intermediate_size")
                     ? reader.getSize("intermediate_size", inner)
                     : inner;
  config.activation =
      readChoice(reader, "hidden_act", config.activation, {"swish", "powlu"});
  config.affine = !reader.isNull("elementwise_affine") &&
                  reader.getBool("elementwise_affine", true);
  reader.ignore({"elementwise_affine", "fuse_swiglu"});
  config.residualBlock = reader.getOptionalInt("attnres_block_size");
  if (config.residualBlock && *config.residualBlock != 1 &&
      (*config.residualBlock < 2 || *config.residualBlock % 2))
    reader.emitError("attnres_block_size")
        << "key 'attnres_block_size' is " << *config.residualBlock
        << ", expected 1 or an even number";
}
