//===- ConfigReader.cpp - Reading of configurations -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"
#include "weir/Frontend/Family.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace weir;
namespace json = llvm::json;

ConfigReader::ConfigReader(MLIRContext &context, const Checkpoint &checkpoint)
    : context(context), checkpoint(checkpoint) {}

ConfigReader::ConfigReader(ConfigReader &outer, StringRef key)
    : context(outer.context), checkpoint(outer.checkpoint), outer(&outer),
      section(key.str()) {
  static const json::Object empty;
  object = &empty;
  const json::Value *value = outer.get(key);
  if (!value)
    return;
  if (const json::Object *found = value->getAsObject())
    object = found;
  else
    outer.emitTypeError(key, *value, "an object");
}

void ConfigReader::setAliases(StringRef architecture,
                              ArrayRef<ConfigAlias> aliases) {
  prefix = (architecture + ".").str();
  for (const ConfigAlias &alias : aliases)
    spellings[alias.key] = prefix + alias.spelling.str();
}

void ConfigReader::setSpellings(ArrayRef<ConfigAlias> aliases) {
  if (isGGUF())
    return;
  for (const ConfigAlias &alias : aliases)
    spellings[alias.key] = alias.spelling.str();
}

std::string ConfigReader::getSpelling(StringRef key) const {
  auto it = spellings.find(key);
  if (it == spellings.end())
    return key.str();
  const json::Object &config = getObject();
  bool isOther = isGGUF() || config.get(it->second) || !config.get(key);
  return isOther ? it->second : key.str();
}

const json::Value *ConfigReader::find(StringRef key) const {
  const json::Value *value = getObject().get(getSpelling(key));
  return value && value->kind() != json::Value::Null ? value : nullptr;
}

const json::Value *ConfigReader::get(StringRef key) {
  seen.insert(getSpelling(key));
  return find(key);
}

bool ConfigReader::has(StringRef key) const { return find(key); }

bool ConfigReader::isNull(StringRef key) const {
  return !find(key) && getObject().get(getSpelling(key));
}

//===----------------------------------------------------------------------===//
// Diagnostics
//===----------------------------------------------------------------------===//

Location ConfigReader::getLocation(StringRef key) const {
  if (isGGUF())
    return NameLoc::get(StringAttr::get(&context, getSpelling(key)),
                        FileLineColLoc::get(&context, checkpoint.path(), 0, 0));
  llvm::SmallString<256> path = checkpoint.path();
  llvm::sys::path::append(path, "config.json");
  unsigned line = 0, column = 0;
  // Only errors come here, so the file is read again rather than kept.
  if (auto file = llvm::MemoryBuffer::getFile(path)) {
    StringRef text = (*file)->getBuffer();
    SmallVector<std::string> keys{getSpelling(key)};
    for (const ConfigReader *reader = this; reader->outer;
         reader = reader->outer)
      keys.push_back(reader->section);
    size_t place = 0;
    for (const std::string &each : llvm::reverse(keys))
      place = text.find("\"" + each + "\"", place);
    if (place != StringRef::npos) {
      StringRef before = text.take_front(place);
      line = before.count('\n') + 1;
      size_t lineStart = before.rfind('\n');
      column = lineStart == StringRef::npos ? place + 1 : place - lineStart;
    }
  }
  return FileLineColLoc::get(&context, path, line, column);
}

InFlightDiagnostic ConfigReader::emitError(StringRef key) {
  for (ConfigReader *reader = this; reader; reader = reader->outer)
    reader->failed = true;
  return mlir::emitError(getLocation(key));
}

/// A value as text of a sane length.
static std::string describe(const json::Value &value) {
  std::string text = llvm::formatv("{0}", value);
  if (text.size() > 120)
    text = text.substr(0, 120) + "...";
  return text;
}

void ConfigReader::emitTypeError(StringRef key, const json::Value &found,
                                 StringRef expected) {
  emitError(key) << "key '" << getSpelling(key) << "' has the value "
                 << describe(found) << ", expected " << expected;
}

//===----------------------------------------------------------------------===//
// Typed values
//===----------------------------------------------------------------------===//

std::optional<int64_t> ConfigReader::getOptionalInt(StringRef key) {
  const json::Value *value = get(key);
  if (!value)
    return std::nullopt;
  if (auto number = value->getAsInteger())
    return *number;
  emitTypeError(key, *value, "a whole number");
  return std::nullopt;
}

int64_t ConfigReader::getInt(StringRef key, int64_t fallback) {
  return getOptionalInt(key).value_or(fallback);
}

double ConfigReader::getFloat(StringRef key, double fallback) {
  const json::Value *value = get(key);
  if (!value)
    return fallback;
  if (auto number = value->getAsNumber())
    return *number;
  emitTypeError(key, *value, "a number");
  return fallback;
}

bool ConfigReader::getBool(StringRef key, bool fallback) {
  const json::Value *value = get(key);
  if (!value)
    return fallback;
  if (auto flag = value->getAsBoolean())
    return *flag;
  emitTypeError(key, *value, "true or false");
  return fallback;
}

std::string ConfigReader::getString(StringRef key, StringRef fallback) {
  const json::Value *value = get(key);
  if (!value)
    return fallback.str();
  if (auto text = value->getAsString())
    return text->str();
  emitTypeError(key, *value, "a string");
  return fallback.str();
}

std::optional<std::vector<int64_t>> ConfigReader::getIntegers(StringRef key) {
  const GGUFMetadata *metadata = checkpoint.ggufMetadata();
  auto numbers =
      metadata ? metadata->getIntegers(getSpelling(key)) : std::nullopt;
  if (numbers)
    seen.insert(getSpelling(key));
  return numbers;
}

int64_t ConfigReader::getSize(StringRef key, int64_t fallback) {
  // Sizes beyond this are no model's, and products of two of them still fit.
  constexpr int64_t limit = int64_t(1) << 31;
  if (auto layers = getIntegers(key)) {
    if (!layers->empty() && llvm::all_equal(*layers) && layers->front() > 0 &&
        layers->front() < limit)
      return layers->front();
    emitError(key) << "key '" << getSpelling(key)
                   << "' differs between layers, expected one number: such "
                      "models are not supported";
    return fallback;
  }
  const json::Value *value = get(key);
  if (!value && isGGUF()) {
    emitError(key) << "key '" << getSpelling(key)
                   << "' is missing, expected a positive number";
    return fallback;
  }
  if (!value)
    return fallback;
  auto number = value->getAsInteger();
  if (number && *number > 0 && *number < limit)
    return *number;
  emitTypeError(key, *value, "a positive whole number below 2^31");
  return fallback;
}

void ConfigReader::expect(StringRef key, const json::Value &only,
                          StringRef why) {
  const json::Value *value = get(key);
  if (!value || *value == only)
    return;
  emitError(key) << "key '" << getSpelling(key) << "' has the value "
                 << describe(*value) << ", but only " << describe(only)
                 << " is supported: " << why;
}

//===----------------------------------------------------------------------===//
// Keys left over
//===----------------------------------------------------------------------===//

/// Keys of any config.json that say how a model is trained, stored or sampled,
/// or what it is called, and never what it computes.
static constexpr StringLiteral inertKeys[] = {
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_attn_implementation_internal",
    "_commit_hash",
    "_experts_implementation",
    "_name_or_path",
    "_num_labels",
    "architectures",
    "attention_dropout",
    "attn_implementation",
    "attn_pdrop",
    "auto_map",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "chunk_size_feed_forward",
    "classifier_dropout",
    "cross_attention_hidden_size",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dtype",
    "early_stopping",
    "emb_pdrop",
    "embd_pdrop",
    "embed_dropout",
    "embedding_dropout",
    "encoder_no_repeat_ngram_size",
    "eos_token_id",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "gradient_checkpointing",
    "hidden_dropout",
    "id2label",
    "init_std",
    "initializer_range",
    "is_decoder",
    "keys_to_ignore_at_inference",
    "label2id",
    "layerdrop",
    "length_penalty",
    "max_length",
    "min_length",
    "model_type",
    "name_or_path",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_labels",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_past",
    "output_scores",
    "pad_token_id",
    "prefix",
    "pretraining_tp",
    "problem_type",
    "pruned_heads",
    "remove_invalid_values",
    "repetition_penalty",
    "resid_dropout",
    "resid_pdrop",
    "residual_dropout",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers.js_config",
    "transformers_version",
    "typical_p",
    "unk_token_id",
    "unsloth_fixed",
    "unsloth_version",
    "use_bfloat16",
    "use_cache",
};

void ConfigReader::ignore(ArrayRef<StringLiteral> keys) {
  for (StringLiteral key : keys)
    seen.insert(getSpelling(key));
}

void ConfigReader::finish(bool hasEncoder) {
  if (!isGGUF()) {
    if (hasEncoder) {
      ignore({"is_encoder_decoder", "add_cross_attention"});
    } else {
      expect("is_encoder_decoder", false, "the model has an encoder");
      expect("add_cross_attention", false, "the model reads an encoder");
    }
    ignore(inertKeys);
  }
  // Objects are hash maps: sorted, the messages come in the same order always.
  std::vector<StringRef> left;
  auto isLeft = [&](StringRef key) {
    bool foreign = isGGUF() && !key.starts_with(prefix);
    if (foreign && (key.starts_with("general.") || key.starts_with("GGUF.") ||
                    key.starts_with("tokenizer.") ||
                    key.starts_with("quantize.") || key.starts_with("split.")))
      return false;
    return !seen.contains(key);
  };
  for (const auto &entry : getObject())
    if (isLeft(entry.first) && entry.second.kind() != json::Value::Null)
      left.push_back(entry.first);
  llvm::sort(left);
  for (StringRef key : left)
    emitError(key) << "key '" << key << "' with the value "
                   << describe(*getObject().get(key))
                   << " is not understood and may change the model's results; "
                      "remove it if it does not";
  const GGUFMetadata *metadata = checkpoint.ggufMetadata();
  for (StringRef key :
       metadata ? metadata->getArrayKeys() : std::vector<StringRef>())
    if (isLeft(key))
      emitError(key) << "key '" << key
                     << "', an array, is not understood and may change the "
                        "model's results; remove it if it does not";
}
