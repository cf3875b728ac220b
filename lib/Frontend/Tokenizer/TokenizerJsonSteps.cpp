//===- TokenizerJsonSteps.cpp - Normalizers, pre- and post-processors -----===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TokenizerImport.h"
#include "llvm/Support/Base64.h"
#include "llvm/Support/ConvertUTF.h"

using namespace weir;
using namespace weir::rt::tok;
using llvm::json::Object;

const char weir::gpt2Pattern[] =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

//===----------------------------------------------------------------------===//
// Fields
//===----------------------------------------------------------------------===//

llvm::Expected<llvm::StringRef> weir::componentType(const Object &object,
                                                    llvm::StringRef what) {
  if (auto type = object.getString("type"))
    return *type;
  return tokenizerError("a {0} of the tokenizer has no \"type\"", what);
}

llvm::Error weir::checkKeys(const Object &object, llvm::StringRef what,
                            llvm::ArrayRef<llvm::StringRef> known) {
  for (const auto &entry : object) {
    llvm::StringRef key = entry.first;
    if (key != "type" && !llvm::is_contained(known, key))
      return tokenizerError("the {0} has the option \"{1}\", which is not "
                            "supported",
                            what, key);
  }
  return llvm::Error::success();
}

llvm::Expected<bool> weir::getBool(const Object &object, llvm::StringRef key,
                                   bool fallback, llvm::StringRef what) {
  const llvm::json::Value *value = object.get(key);
  if (!value || value->getAsNull())
    return fallback;
  if (auto flag = value->getAsBoolean())
    return *flag;
  return tokenizerError("\"{0}\" of the {1} is not a boolean", key, what);
}

llvm::Expected<llvm::StringRef> weir::getString(const Object &object,
                                                llvm::StringRef key,
                                                llvm::StringRef what) {
  if (auto text = object.getString(key))
    return *text;
  return tokenizerError("the {0} has no string \"{1}\"", what, key);
}

llvm::Expected<std::vector<const Object *>>
weir::getSequence(const Object &object, llvm::StringRef key,
                  llvm::StringRef what) {
  const llvm::json::Array *array = object.getArray(key);
  if (!array)
    return tokenizerError("the {0} has no list \"{1}\"", what, key);
  std::vector<const Object *> parts;
  for (const llvm::json::Value &value : *array) {
    const Object *part = value.getAsObject();
    if (!part)
      return tokenizerError("the {0} lists something that is not an object",
                            what);
    parts.push_back(part);
  }
  return parts;
}

/// A pattern: {"String": text} or {"Regex": expression}. The expression is
/// translated for the runtime.
static llvm::Expected<std::pair<std::string, bool>>
getPattern(const Object &object, llvm::StringRef what) {
  if (const Object *pattern = object.getObject("pattern")) {
    if (auto literal = pattern->getString("String"))
      return std::make_pair(literal->str(), false);
    if (auto regex = pattern->getString("Regex")) {
      auto translated = translateRegex(*regex);
      if (!translated)
        return translated.takeError();
      return std::make_pair(std::move(*translated), true);
    }
  }
  return tokenizerError("the {0} has no pattern \"String\" or \"Regex\"", what);
}

static llvm::Expected<SplitBehaviour> getBehaviour(const Object &object,
                                                   llvm::StringRef fallback,
                                                   llvm::StringRef what) {
  llvm::StringRef name = object.getString("behavior").value_or(fallback);
  if (name == "Removed")
    return SplitBehaviour::Removed;
  if (name == "Isolated")
    return SplitBehaviour::Isolated;
  if (name == "MergedWithPrevious")
    return SplitBehaviour::MergedWithPrevious;
  if (name == "MergedWithNext")
    return SplitBehaviour::MergedWithNext;
  if (name == "Contiguous")
    return SplitBehaviour::Contiguous;
  return tokenizerError("the {0} has the behavior \"{1}\": expected Removed, "
                        "Isolated, MergedWithPrevious, MergedWithNext or "
                        "Contiguous",
                        what, name);
}

//===----------------------------------------------------------------------===//
// Normalizers
//===----------------------------------------------------------------------===//

/// Normalizers that have no options.
static std::optional<NormalizerKind> plainNormalizer(llvm::StringRef type) {
  if (type == "NFC")
    return NormalizerKind::NFC;
  if (type == "NFD")
    return NormalizerKind::NFD;
  if (type == "NFKC")
    return NormalizerKind::NFKC;
  if (type == "NFKD")
    return NormalizerKind::NFKD;
  if (type == "Lowercase")
    return NormalizerKind::Lowercase;
  if (type == "StripAccents")
    return NormalizerKind::StripAccents;
  if (type == "Nmt")
    return NormalizerKind::Nmt;
  if (type == "ByteLevel")
    return NormalizerKind::ByteLevel;
  return std::nullopt;
}

static llvm::Error importBertNormalizer(const Object &object,
                                        llvm::StringRef what,
                                        TokenizerSpec &spec) {
  if (llvm::Error error = checkKeys(
          object, what,
          {"clean_text", "handle_chinese_chars", "strip_accents", "lowercase"}))
    return error;
  auto clean = getBool(object, "clean_text", true, what);
  if (!clean)
    return clean.takeError();
  auto han = getBool(object, "handle_chinese_chars", true, what);
  if (!han)
    return han.takeError();
  auto lower = getBool(object, "lowercase", true, what);
  if (!lower)
    return lower.takeError();
  auto accents = getBool(object, "strip_accents", *lower, what);
  if (!accents)
    return accents.takeError();
  if (*clean)
    spec.normalizers.push_back({NormalizerKind::BertCleanText});
  if (*han)
    spec.normalizers.push_back({NormalizerKind::BertSpaceHan});
  if (*accents) {
    spec.normalizers.push_back({NormalizerKind::NFD});
    spec.normalizers.push_back({NormalizerKind::StripNonspacing});
  }
  if (*lower)
    spec.normalizers.push_back({NormalizerKind::Lowercase});
  return llvm::Error::success();
}

llvm::Error weir::importNormalizer(const Object &object, TokenizerSpec &spec) {
  auto type = componentType(object, "normalizer");
  if (!type)
    return type.takeError();
  std::string what = ("normalizer " + *type).str();
  if (*type == "Sequence") {
    auto parts = getSequence(object, "normalizers", what);
    if (!parts)
      return parts.takeError();
    for (const Object *part : *parts)
      if (llvm::Error error = importNormalizer(*part, spec))
        return error;
    return llvm::Error::success();
  }
  if (auto kind = plainNormalizer(*type)) {
    spec.normalizers.push_back({*kind});
    return checkKeys(object, what, {});
  }
  if (*type == "BertNormalizer")
    return importBertNormalizer(object, what, spec);
  if (*type == "Strip") {
    auto left = getBool(object, "strip_left", true, what);
    if (!left)
      return left.takeError();
    auto right = getBool(object, "strip_right", true, what);
    if (!right)
      return right.takeError();
    spec.normalizers.push_back(
        {NormalizerKind::Strip, uint32_t(*left) | uint32_t(*right) << 1});
    return checkKeys(object, what, {"strip_left", "strip_right"});
  }
  if (*type == "Replace") {
    auto pattern = getPattern(object, what);
    if (!pattern)
      return pattern.takeError();
    auto content = getString(object, "content", what);
    if (!content)
      return content.takeError();
    spec.normalizers.push_back({pattern->second
                                    ? NormalizerKind::ReplaceRegex
                                    : NormalizerKind::ReplaceLiteral,
                                0, pattern->first, content->str()});
    return checkKeys(object, what, {"pattern", "content"});
  }
  if (*type == "Prepend") {
    auto prepend = getString(object, "prepend", what);
    if (!prepend)
      return prepend.takeError();
    spec.normalizers.push_back({NormalizerKind::Prepend, 0, prepend->str()});
    return checkKeys(object, what, {"prepend"});
  }
  if (*type == "Precompiled") {
    auto encoded = getString(object, "precompiled_charsmap", what);
    if (!encoded)
      return encoded.takeError();
    std::vector<char> map;
    if (llvm::Error error = llvm::decodeBase64(*encoded, map))
      return tokenizerError("the {0} is not base64: {1}", what,
                            llvm::toString(std::move(error)));
    spec.normalizers.push_back(
        {NormalizerKind::Precompiled, 0, std::string(map.begin(), map.end())});
    return checkKeys(object, what, {"precompiled_charsmap"});
  }
  return tokenizerError(
      "the {0} is not supported: expected BertNormalizer, ByteLevel, "
      "Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, "
      "Sequence, Strip or StripAccents",
      what);
}

//===----------------------------------------------------------------------===//
// Pre-tokenizers
//===----------------------------------------------------------------------===//

void weir::addByteLevel(TokenizerSpec &spec, bool prefixSpace, bool useRegex) {
  if (prefixSpace)
    spec.preTokenizers.push_back({PreTokenizerKind::PrefixSpace});
  if (useRegex)
    spec.preTokenizers.push_back({PreTokenizerKind::SplitRegex,
                                  uint32_t(SplitBehaviour::Isolated),
                                  gpt2Pattern});
  spec.preTokenizers.push_back({PreTokenizerKind::ByteLevel});
}

static llvm::Error importMetaspace(const Object &object, llvm::StringRef what,
                                   TokenizerSpec &spec) {
  if (llvm::Error error = checkKeys(object, what,
                                    {"replacement", "prepend_scheme", "split",
                                     "add_prefix_space", "str_rep"}))
    return error;
  auto replacement = getString(object, "replacement", what);
  if (!replacement)
    return replacement.takeError();
  if (replacement->empty() ||
      llvm::getNumBytesForUTF8((*replacement)[0]) != replacement->size())
    return tokenizerError("the {0} has the replacement \"{1}\" where one "
                          "character is expected",
                          what, *replacement);
  auto split = getBool(object, "split", true, what);
  if (!split)
    return split.takeError();
  // The older spelling of the scheme.
  auto prefix = getBool(object, "add_prefix_space", true, what);
  if (!prefix)
    return prefix.takeError();
  llvm::StringRef name =
      object.getString("prepend_scheme").value_or(*prefix ? "always" : "never");
  if (!*prefix)
    name = "never";
  PrependScheme scheme;
  if (name == "always")
    scheme = PrependScheme::Always;
  else if (name == "first")
    scheme = PrependScheme::First;
  else if (name == "never")
    scheme = PrependScheme::Never;
  else
    return tokenizerError("the {0} has the prepend_scheme \"{1}\": expected "
                          "always, first or never",
                          what, name);
  spec.preTokenizers.push_back(
      {PreTokenizerKind::Metaspace,
       uint32_t(scheme) | (*split ? metaspaceSplit : 0), replacement->str()});
  return llvm::Error::success();
}

static llvm::Error importSplit(const Object &object, llvm::StringRef what,
                               TokenizerSpec &spec) {
  auto pattern = getPattern(object, what);
  if (!pattern)
    return pattern.takeError();
  if (!object.getString("behavior"))
    return tokenizerError("the {0} has no string \"behavior\"", what);
  auto behaviour = getBehaviour(object, "", what);
  if (!behaviour)
    return behaviour.takeError();
  auto invert = getBool(object, "invert", false, what);
  if (!invert)
    return invert.takeError();
  spec.preTokenizers.push_back(
      {pattern->second ? PreTokenizerKind::SplitRegex
                       : PreTokenizerKind::SplitLiteral,
       uint32_t(*behaviour) | (*invert ? splitInvert : 0), pattern->first});
  return checkKeys(object, what, {"pattern", "behavior", "invert"});
}

llvm::Error weir::importPreTokenizer(const Object &object,
                                     TokenizerSpec &spec) {
  auto type = componentType(object, "pre-tokenizer");
  if (!type)
    return type.takeError();
  std::string what = ("pre-tokenizer " + *type).str();
  std::vector<TokenizerPreTokenizer> &steps = spec.preTokenizers;
  if (*type == "Sequence") {
    auto parts = getSequence(object, "pretokenizers", what);
    if (!parts)
      return parts.takeError();
    for (const Object *part : *parts)
      if (llvm::Error error = importPreTokenizer(*part, spec))
        return error;
    return llvm::Error::success();
  }
  if (*type == "ByteLevel") {
    auto prefix = getBool(object, "add_prefix_space", true, what);
    if (!prefix)
      return prefix.takeError();
    auto regex = getBool(object, "use_regex", true, what);
    if (!regex)
      return regex.takeError();
    addByteLevel(spec, *prefix, *regex);
    // Offsets are not reported, so their trimming has no effect.
    return checkKeys(object, what,
                     {"add_prefix_space", "trim_offsets", "use_regex"});
  }
  if (*type == "Metaspace")
    return importMetaspace(object, what, spec);
  if (*type == "Split")
    return importSplit(object, what, spec);
  if (*type == "Digits") {
    auto individual = getBool(object, "individual_digits", false, what);
    if (!individual)
      return individual.takeError();
    steps.push_back({PreTokenizerKind::Digits, uint32_t(*individual)});
    return checkKeys(object, what, {"individual_digits"});
  }
  if (*type == "Punctuation") {
    auto behaviour = getBehaviour(object, "Isolated", what);
    if (!behaviour)
      return behaviour.takeError();
    steps.push_back({PreTokenizerKind::Punctuation, uint32_t(*behaviour)});
    return checkKeys(object, what, {"behavior"});
  }
  if (*type == "Whitespace") {
    steps.push_back({PreTokenizerKind::SplitRegex,
                     uint32_t(SplitBehaviour::Removed) | splitInvert,
                     R"(\w+|[^\w\s]+)"});
    return checkKeys(object, what, {});
  }
  if (*type == "WhitespaceSplit") {
    steps.push_back({PreTokenizerKind::WhitespaceSplit});
    return checkKeys(object, what, {});
  }
  if (*type == "BertPreTokenizer") {
    steps.push_back({PreTokenizerKind::WhitespaceSplit});
    steps.push_back({PreTokenizerKind::BertPunctuation});
    return checkKeys(object, what, {});
  }
  if (*type == "CharDelimiterSplit") {
    auto delimiter = getString(object, "delimiter", what);
    if (!delimiter)
      return delimiter.takeError();
    steps.push_back({PreTokenizerKind::SplitLiteral,
                     uint32_t(SplitBehaviour::Removed), delimiter->str()});
    return checkKeys(object, what, {"delimiter"});
  }
  if (*type == "FixedLength") {
    int64_t length = object.getInteger("length").value_or(5);
    if (length < 1 || length > UINT32_MAX)
      return tokenizerError("the {0} has the length {1}", what, length);
    steps.push_back({PreTokenizerKind::FixedLength, uint32_t(length)});
    return checkKeys(object, what, {"length"});
  }
  return tokenizerError(
      "the {0} is not supported: expected BertPreTokenizer, ByteLevel, "
      "CharDelimiterSplit, Digits, FixedLength, Metaspace, Punctuation, "
      "Sequence, Split, Whitespace or WhitespaceSplit",
      what);
}

//===----------------------------------------------------------------------===//
// Post-processors
//===----------------------------------------------------------------------===//

/// The id of a ["text", id] pair.
static llvm::Expected<int32_t>
getTokenPair(const Object &object, llvm::StringRef key, llvm::StringRef what) {
  if (const llvm::json::Array *pair = object.getArray(key))
    if (pair->size() == 2)
      if (auto id = (*pair)[1].getAsInteger();
          id && *id >= 0 && *id <= maxTokenId)
        return int32_t(*id);
  return tokenizerError("\"{0}\" of the {1} is not a token and its id", key,
                        what);
}

static llvm::Error importTemplate(const Object &object, llvm::StringRef what,
                                  TokenizerSpec &spec) {
  auto pieces = getSequence(object, "single", what);
  if (!pieces)
    return pieces.takeError();
  const Object *special = object.getObject("special_tokens");
  std::vector<int32_t> before, after;
  bool seen = false;
  for (const Object *piece : *pieces) {
    if (const Object *sequence = piece->getObject("Sequence")) {
      if (seen || sequence->getString("id") != llvm::StringRef("A"))
        return tokenizerError("the {0} does not hold the text exactly once",
                              what);
      seen = true;
      continue;
    }
    const Object *token = piece->getObject("SpecialToken");
    auto name = token ? token->getString("id") : std::nullopt;
    const Object *entry = name && special ? special->getObject(*name) : nullptr;
    const llvm::json::Array *ids = entry ? entry->getArray("ids") : nullptr;
    if (!ids)
      return tokenizerError("the {0} names a special token without ids", what);
    for (const llvm::json::Value &value : *ids) {
      auto id = value.getAsInteger();
      if (!id || *id < 0 || *id > maxTokenId)
        return tokenizerError("the {0} gives '{1}' an id that is no token",
                              what, *name);
      (seen ? after : before).push_back(int32_t(*id));
    }
  }
  if (!seen)
    return tokenizerError("the {0} does not hold the text exactly once", what);
  spec.prefix.insert(spec.prefix.begin(), before.begin(), before.end());
  spec.suffix.insert(spec.suffix.end(), after.begin(), after.end());
  return llvm::Error::success();
}

llvm::Error weir::importPostProcessor(const Object &object,
                                      TokenizerSpec &spec) {
  auto type = componentType(object, "post-processor");
  if (!type)
    return type.takeError();
  std::string what = ("post-processor " + *type).str();
  if (*type == "Sequence") {
    auto parts = getSequence(object, "processors", what);
    if (!parts)
      return parts.takeError();
    for (const Object *part : *parts)
      if (llvm::Error error = importPostProcessor(*part, spec))
        return error;
    return llvm::Error::success();
  }
  // Concerns offsets alone.
  if (*type == "ByteLevel")
    return llvm::Error::success();
  if (*type == "TemplateProcessing")
    return importTemplate(object, what, spec);
  if (*type == "BertProcessing" || *type == "RobertaProcessing") {
    auto cls = getTokenPair(object, "cls", what);
    if (!cls)
      return cls.takeError();
    auto sep = getTokenPair(object, "sep", what);
    if (!sep)
      return sep.takeError();
    spec.prefix.insert(spec.prefix.begin(), *cls);
    spec.suffix.push_back(*sep);
    return llvm::Error::success();
  }
  return tokenizerError("the {0} is not supported: expected BertProcessing, "
                        "ByteLevel, RobertaProcessing, Sequence or "
                        "TemplateProcessing",
                        what);
}
