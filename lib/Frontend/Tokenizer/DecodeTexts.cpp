//===- DecodeTexts.cpp - What tokens decode to ----------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Decoders work on the list of tokens, but what they make of one token depends
// only on whether it is the first. So they are run here, on every token of the
// vocabulary, and the runtime only looks up bytes.
//
//===----------------------------------------------------------------------===//

#include "TokenizerImport.h"
#include "weir-rt/Tokenizer.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ConvertUTF.h"
#include <array>

using namespace weir;
using namespace weir::rt::tok;

/// The byte each code point of the byte-level alphabet stands for, or -1.
static std::array<int16_t, 0x144> makeByteAlphabet() {
  std::array<int16_t, 0x144> bytes;
  bytes.fill(-1);
  unsigned next = 0x100;
  for (unsigned b = 0; b != 256; ++b) {
    bool prints = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b != 0xad);
    bytes[prints ? b : next++] = int16_t(b);
  }
  return bytes;
}

std::string weir::decodeByteLevel(llvm::StringRef text) {
  static const std::array<int16_t, 0x144> bytes = makeByteAlphabet();
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned c = uint8_t(text[i]);
    if (c >= 0xc2 && c <= 0xdf && i + 1 < text.size())
      c = (c & 0x1f) << 6 | (uint8_t(text[++i]) & 0x3f);
    else if (c >= 0x80)
      return text.str();
    if (c >= bytes.size() || bytes[c] < 0)
      return text.str();
    out.push_back(char(bytes[c]));
  }
  return out;
}

std::optional<uint8_t> weir::parseByteToken(llvm::StringRef text) {
  unsigned value;
  if (text.size() != 6 || !text.consume_front("<0x") ||
      !text.consume_back(">") || text.getAsInteger(16, value))
    return std::nullopt;
  return uint8_t(value);
}

namespace {
/// The kinds of decoders, in the order of their names.
enum class DecoderKind {
  ByteFallback,
  ByteLevel,
  Fuse,
  Metaspace,
  Replace,
  Strip,
  WordPiece
};

/// One decoder of the chain.
struct DecoderStep {
  DecoderKind kind;
  std::string a, b;
  int64_t start = 0, stop = 0;
  bool flag = false;
};
} // namespace

static std::string replaceAll(llvm::StringRef text, llvm::StringRef from,
                              llvm::StringRef to) {
  std::string out;
  while (true) {
    size_t at = from.empty() ? llvm::StringRef::npos : text.find(from);
    out += text.take_front(at);
    if (at == llvm::StringRef::npos)
      return out;
    out += to;
    text = text.drop_front(at + from.size());
  }
}

/// Removes the spaces that English spelling does not have.
static std::string cleanUp(std::string text) {
  static const std::pair<const char *, const char *> rules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (auto [from, to] : rules)
    text = replaceAll(text, from, to);
  return text;
}

/// Runs one decoder over one token.
static std::string runDecoder(const DecoderStep &step, llvm::StringRef text,
                              bool first) {
  switch (step.kind) {
  case DecoderKind::ByteLevel:
    return decodeByteLevel(text);
  case DecoderKind::ByteFallback:
    if (std::optional<uint8_t> byte = parseByteToken(text))
      return std::string(1, char(*byte));
    return text.str();
  case DecoderKind::Fuse:
    return text.str();
  case DecoderKind::Replace:
    return replaceAll(text, step.a, step.b);
  case DecoderKind::Metaspace:
    return replaceAll(text, step.a, first && step.flag ? "" : " ");
  case DecoderKind::Strip:
    for (int64_t i = 0; i < step.start && text.consume_front(step.a); ++i)
      ;
    for (int64_t i = 0; i < step.stop && text.consume_back(step.a); ++i)
      ;
    return text.str();
  case DecoderKind::WordPiece: {
    std::string word = text.str();
    if (!first && !text.consume_front(step.a))
      word = (" " + text).str();
    else if (!first)
      word = text.str();
    return step.flag ? cleanUp(std::move(word)) : word;
  }
  }
  llvm_unreachable("all decoders handled");
}

/// Reads one decoder, or the decoders of a sequence, into `steps`.
static llvm::Error readDecoder(const llvm::json::Object &object,
                               std::vector<DecoderStep> &steps) {
  auto type = componentType(object, "decoder");
  if (!type)
    return type.takeError();
  std::string what = ("decoder " + *type).str();
  if (*type == "Sequence") {
    auto parts = getSequence(object, "decoders", what);
    if (!parts)
      return parts.takeError();
    for (const llvm::json::Object *part : *parts)
      if (llvm::Error error = readDecoder(*part, steps))
        return error;
    return llvm::Error::success();
  }
  if (*type == "ByteFallback" || *type == "ByteLevel" || *type == "Fuse") {
    steps.push_back({*type == "Fuse"        ? DecoderKind::Fuse
                     : *type == "ByteLevel" ? DecoderKind::ByteLevel
                                            : DecoderKind::ByteFallback,
                     "", ""});
    return llvm::Error::success();
  }
  if (*type == "Metaspace") {
    auto replacement = getString(object, "replacement", what);
    if (!replacement)
      return replacement.takeError();
    DecoderStep step{DecoderKind::Metaspace, replacement->str(), ""};
    auto prefix = getBool(object, "add_prefix_space", true, what);
    if (!prefix)
      return prefix.takeError();
    auto scheme = object.getString("prepend_scheme");
    step.flag = scheme ? *scheme != "never" && *prefix : *prefix;
    steps.push_back(std::move(step));
    return llvm::Error::success();
  }
  if (*type == "Replace") {
    const llvm::json::Object *pattern = object.getObject("pattern");
    auto literal = pattern ? pattern->getString("String") : std::nullopt;
    if (!literal)
      return tokenizerError("the {0} has a pattern that is not a string, which "
                            "is not supported",
                            what);
    auto content = getString(object, "content", what);
    if (!content)
      return content.takeError();
    steps.push_back({DecoderKind::Replace, literal->str(), content->str()});
    return llvm::Error::success();
  }
  if (*type == "Strip") {
    auto content = getString(object, "content", what);
    if (!content)
      return content.takeError();
    steps.push_back({DecoderKind::Strip, content->str(), "",
                     object.getInteger("start").value_or(0),
                     object.getInteger("stop").value_or(0)});
    return llvm::Error::success();
  }
  if (*type == "WordPiece") {
    auto prefix = getString(object, "prefix", what);
    if (!prefix)
      return prefix.takeError();
    auto cleanup = getBool(object, "cleanup", true, what);
    if (!cleanup)
      return cleanup.takeError();
    steps.push_back(
        {DecoderKind::WordPiece, prefix->str(), "", 0, 0, *cleanup});
    return llvm::Error::success();
  }
  return tokenizerError("the {0} is not supported: expected ByteFallback, "
                        "ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip "
                        "or WordPiece",
                        what);
}

/// What decoders see of added tokens that were normalised before they were
/// looked for, by id; empty for all other tokens. The normalizers are the
/// runtime's own.
static llvm::Error normalizeAddedTokens(const TokenizerSpec &spec,
                                        std::vector<std::string> &texts) {
  texts.resize(spec.tokens.size());
  if (spec.normalizers.empty())
    return llvm::Error::success();
  TokenizerSpec normalizersOnly;
  normalizersOnly.normalizers = spec.normalizers;
  std::vector<uint8_t> blob = serializeTokenizer(normalizersOnly);
  std::string error;
  auto normalizer = rt::Tokenizer::create(blob.data(), blob.size(), error);
  if (!normalizer)
    return tokenizerError("the normalizers are not supported: {0}", error);
  for (const TokenizerAddedToken &token : spec.addedTokens)
    if (token.flags & AddedNormalized)
      texts[token.id] = normalizer->normalize(token.text);
  return llvm::Error::success();
}

llvm::Error weir::importDecoder(const llvm::json::Object *decoder,
                                TokenizerSpec &spec) {
  std::vector<DecoderStep> steps;
  if (decoder)
    if (llvm::Error error = readDecoder(*decoder, steps))
      return error;

  // What follows Fuse sees the whole text. Of that, only what can be done token
  // by token can be done while tokens arrive.
  auto fuse = llvm::find_if(steps, [](const DecoderStep &step) {
    return step.kind == DecoderKind::Fuse;
  });
  for (auto it = fuse; it != steps.end(); ++it) {
    bool strips = it->kind == DecoderKind::Strip && it->stop == 0 &&
                  !spec.stripLeft && it->start >= 0 && it->start < 1 << 20;
    bool replaces =
        it->kind == DecoderKind::Replace && !spec.stripLeft &&
        llvm::getNumBytesForUTF8(it->a.empty() ? 0 : it->a[0]) == it->a.size();
    if (it->kind != DecoderKind::Fuse && !strips && !replaces)
      return tokenizerError("a decoder after Fuse is not supported unless it "
                            "is a Strip of the start or a Replace of one "
                            "character");
    if (strips) {
      spec.stripLeft = uint32_t(it->start);
      spec.stripText = it->a;
    }
  }

  std::vector<std::string> normalized;
  if (llvm::Error error = normalizeAddedTokens(spec, normalized))
    return error;
  for (const auto &[id, token] : llvm::enumerate(spec.tokens)) {
    if (!(token.flags & TokenPresent))
      continue;
    for (bool first : {false, true}) {
      std::string text = normalized[id].empty() ? token.text : normalized[id];
      // Without a decoder tokens are words.
      if (!decoder && !first)
        text.insert(0, 1, ' ');
      for (auto it = steps.begin(); it != steps.end(); ++it)
        if (it < fuse || it->kind != DecoderKind::Strip)
          text = runDecoder(*it, text, first);
      (first ? token.decodedFirst : token.decoded) = std::move(text);
    }
  }
  return llvm::Error::success();
}
