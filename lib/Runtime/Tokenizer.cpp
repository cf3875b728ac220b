//===- Tokenizer.cpp - Text to token ids and back -------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Encoding: added tokens are found in the raw text, the text between them is
// normalised and searched again for those that want normalised text, what is
// left is cut into words, and the model cuts the words into tokens.
//
//===----------------------------------------------------------------------===//

#include "weir-rt/Tokenizer.h"
#include "TokenizerImpl.h"
#include <cmath>

using namespace weir::rt;
using namespace weir::rt::tok;

//===----------------------------------------------------------------------===//
// Reading the blob
//===----------------------------------------------------------------------===//

namespace {
/// Reads a blob front to back. After the first failure everything reads as
/// empty and `error` stays.
class Reader {
public:
  Reader(const uint8_t *data, size_t size, std::string &error)
      : data(data), size(size), error(error) {}

  bool failed() const { return bad; }

  bool fail(const std::string &message) {
    if (!bad)
      error = "tokenizer blob: " + message;
    bad = true;
    return false;
  }

  /// `count` entries of `width` bytes, or null.
  const uint8_t *bytes(uint64_t count, uint64_t width, const char *what) {
    uint64_t left = size - at;
    if (bad || count > left / width) {
      fail(std::string("cut short: ") + std::to_string(left) +
           " bytes left where " + what + " needs " + std::to_string(count) +
           " times " + std::to_string(width));
      return nullptr;
    }
    const uint8_t *result = data + at;
    at += size_t(count * width);
    return result;
  }

  uint32_t u32(const char *what) {
    const uint8_t *p = bytes(1, 4, what);
    return p ? load(p) : 0;
  }

  static uint32_t load(const uint8_t *p) {
    return p[0] | p[1] << 8 | p[2] << 16 | uint32_t(p[3]) << 24;
  }

  std::string_view string(const char *what) {
    uint32_t length = u32(what);
    const uint8_t *p = bytes(length, 1, what);
    return p ? std::string_view(reinterpret_cast<const char *>(p), length)
             : std::string_view();
  }

  StringTable strings(const char *what) {
    StringTable table;
    uint32_t count = u32(what);
    const uint8_t *offsets = bytes(uint64_t(count) + 1, 4, what);
    if (!offsets)
      return table;
    uint32_t previous = load(offsets);
    if (previous != 0)
      fail(std::string(what) + " start at offset " + std::to_string(previous) +
           " where 0 is expected");
    for (uint64_t i = 1; i <= count; ++i) {
      uint32_t offset = load(offsets + i * 4);
      if (offset < previous)
        fail(std::string(what) + ": the offsets decrease");
      previous = offset;
    }
    const uint8_t *pool = bytes(previous, 1, what);
    if (!pool || bad)
      return table;
    table.size = count;
    table.offsets = offsets;
    table.pool = reinterpret_cast<const char *>(pool);
    return table;
  }

  /// A number below `limit`.
  uint32_t below(uint32_t limit, const char *what) {
    uint32_t value = u32(what);
    if (!bad && value >= limit) {
      fail(std::string(what) + " is " + std::to_string(value) +
           " where less than " + std::to_string(limit) + " is expected");
      return 0;
    }
    return value;
  }

  bool atEnd() const { return at == size; }

private:
  const uint8_t *data;
  size_t size;
  size_t at = 0;
  bool bad = false;
  std::string &error;
};
} // namespace

/// Reads normalizers or pre-tokenizers, without their regular expressions.
static std::vector<Step> readSteps(Reader &reader, uint32_t numKinds,
                                   const char *what) {
  std::vector<Step> steps;
  uint32_t count = reader.u32(what);
  for (uint32_t i = 0; i != count && !reader.failed(); ++i) {
    Step step;
    step.kind = reader.below(numKinds, what);
    step.option = reader.u32(what);
    step.raw = reader.string(what);
    step.a = toUtf16(step.raw);
    step.b = toUtf16(reader.string(what));
    steps.push_back(std::move(step));
  }
  return steps;
}

static std::vector<int32_t> readTokens(Reader &reader, uint32_t vocab,
                                       const char *what) {
  std::vector<int32_t> tokens;
  uint32_t count = reader.u32(what);
  for (uint32_t i = 0; i != count && !reader.failed(); ++i)
    tokens.push_back(int32_t(reader.below(vocab, what)));
  return tokens;
}

/// Checks the normalizers and compiles their patterns.
static bool prepareNormalizers(std::vector<Step> &steps, Reader &reader) {
  std::string error;
  for (Step &step : steps) {
    if (step.kind == uint32_t(NormalizerKind::ReplaceRegex)) {
      step.regex = compileRegex(step.a, error);
      if (!step.regex)
        return reader.fail(error);
    }
    if (step.kind == uint32_t(NormalizerKind::Precompiled) &&
        !checkPrecompiled(step.raw, error))
      return reader.fail(error);
  }
  return true;
}

/// Checks the pre-tokenizers and compiles their patterns.
static bool preparePreTokenizers(std::vector<Step> &steps, Reader &reader) {
  for (Step &step : steps) {
    uint32_t option = step.option & 0xff;
    auto kind = PreTokenizerKind(step.kind);
    bool splits = kind == PreTokenizerKind::SplitLiteral ||
                  kind == PreTokenizerKind::SplitRegex ||
                  kind == PreTokenizerKind::Punctuation;
    if (splits && option >= numSplitBehaviours)
      return reader.fail("unknown split behaviour " + std::to_string(option));
    if (kind == PreTokenizerKind::Metaspace &&
        (option > uint32_t(PrependScheme::Never) || step.a.empty()))
      return reader.fail("malformed Metaspace pre-tokenizer");
    if (kind == PreTokenizerKind::FixedLength && step.option == 0)
      return reader.fail("pieces of length 0");
    std::string error;
    if (kind == PreTokenizerKind::SplitRegex) {
      step.regex = compileRegex(step.a, error);
      if (!step.regex)
        return reader.fail(error);
    }
  }
  return true;
}

bool TokenizerImpl::load(const uint8_t *blob, size_t size, std::string &error) {
  Reader reader(blob, size, error);
  uint32_t magic = reader.u32("the header");
  uint32_t version = reader.u32("the header");
  if (reader.failed())
    return false;
  if (magic != blobMagic)
    return reader.fail("does not start with 'WTOK'");
  if (version != blobVersion)
    return reader.fail("version " + std::to_string(version) +
                       " where this runtime reads version " +
                       std::to_string(blobVersion));

  model.kind = ModelKind(reader.below(numModelKinds, "the model's kind"));
  model.flags = reader.u32("the model's flags");
  model.unk = int32_t(reader.u32("the unknown token"));
  model.maxWordChars = reader.u32("the longest word");
  model.prefix = reader.string("the subword prefix");
  model.suffix = reader.string("the word suffix");

  model.texts = reader.strings("token texts");
  uint32_t vocab = model.texts.size;
  // Ids are int32_t in the interface.
  if (vocab > uint32_t(INT32_MAX))
    return reader.fail("more tokens than ids");
  tokenFlags = reader.bytes(vocab, 1, "token flags");
  uint32_t numScores = reader.u32("token scores");
  if (numScores)
    model.scores = reader.bytes(numScores, 8, "token scores");
  decodeTexts = reader.strings("decoded texts");
  decodeFirst = reader.strings("decoded first texts");
  stripLeft = reader.u32("the strip count");
  stripText = reader.string("the stripped text");
  if (reader.failed())
    return false;
  if (decodeTexts.size != vocab ||
      (decodeFirst.size && decodeFirst.size != vocab) ||
      (numScores && numScores != vocab))
    return reader.fail("its tables differ in length");
  bool needsScores =
      model.kind == ModelKind::Unigram || model.kind == ModelKind::ScoredBPE;
  if (needsScores && vocab && !numScores)
    return reader.fail("the model needs scores and there are none");
  for (uint32_t i = 0; i != numScores; ++i)
    if (!std::isfinite(model.score(i)))
      return reader.fail("the score of token " + std::to_string(i) +
                         " is not finite");
  if (model.unk < -1 || model.unk >= int32_t(vocab))
    return reader.fail("the unknown token is " + std::to_string(model.unk) +
                       " in a vocabulary of " + std::to_string(vocab));

  uint32_t numMerges = reader.u32("merges");
  const uint8_t *merges = reader.bytes(numMerges, 12, "merges");
  if (reader.failed())
    return false;
  model.merges.reserve(numMerges);
  for (uint32_t rank = 0; rank != numMerges; ++rank) {
    const uint8_t *merge = merges + size_t(rank) * 12;
    uint32_t left = Reader::load(merge), right = Reader::load(merge + 4),
             result = Reader::load(merge + 8);
    if (left >= vocab || right >= vocab || result >= vocab)
      return reader.fail("merge " + std::to_string(rank) +
                         " names a token outside the vocabulary");
    model.merges.insert(left, right, rank, result);
  }

  normalizers = readSteps(reader, numNormalizerKinds, "a normalizer");
  preTokenizers = readSteps(reader, numPreTokenizerKinds, "a pre-tokenizer");
  if (reader.failed() || !prepareNormalizers(normalizers, reader) ||
      !preparePreTokenizers(preTokenizers, reader))
    return false;

  uint32_t numAdded = reader.u32("added tokens");
  for (uint32_t i = 0; i != numAdded && !reader.failed(); ++i) {
    AddedTrie::Token token;
    token.id = reader.below(vocab, "an added token's id");
    token.flags = reader.u32("an added token's flags");
    std::u16string text = toUtf16(reader.string("an added token's text"));
    if (token.flags & AddedNormalized) {
      tok::normalize(normalizers, text);
      normalizedAdded.insert(text, token);
    } else {
      rawAdded.insert(text, token);
    }
  }
  prefix = readTokens(reader, vocab, "a leading special token");
  suffix = readTokens(reader, vocab, "a trailing special token");
  if (reader.failed())
    return false;
  if (!reader.atEnd())
    return reader.fail("bytes follow its end");
  model.prepare(tokenFlags);
  allTokens.build(model.texts, tokenFlags, TokenPresent);
  return true;
}

//===----------------------------------------------------------------------===//
// The interface
//===----------------------------------------------------------------------===//

Tokenizer::Tokenizer(std::unique_ptr<TokenizerImpl> impl)
    : impl(std::move(impl)) {}

Tokenizer::~Tokenizer() = default;

std::unique_ptr<Tokenizer> Tokenizer::create(const uint8_t *blob, size_t size,
                                             std::string &error) {
  auto impl = std::make_unique<TokenizerImpl>();
  if (!impl->load(blob, size, error))
    return nullptr;
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(impl)));
}

std::vector<int32_t> Tokenizer::encode(std::string_view text,
                                       bool addSpecial) const {
  std::vector<int32_t> out;
  if (addSpecial)
    out = impl->prefix;

  Piece whole;
  whole.text = toUtf16(text);
  whole.first = true;
  std::vector<Piece> raw, pieces;
  if (!whole.text.empty())
    impl->rawAdded.split(std::move(whole), raw);
  for (Piece &piece : raw) {
    if (piece.token >= 0) {
      pieces.push_back(std::move(piece));
      continue;
    }
    tok::normalize(impl->normalizers, piece.text);
    impl->normalizedAdded.split(std::move(piece), pieces);
  }
  preTokenize(impl->preTokenizers, pieces);

  std::string word;
  for (const Piece &piece : pieces) {
    if (piece.token >= 0) {
      out.push_back(piece.token);
      continue;
    }
    word.clear();
    appendBytes(piece.text, word);
    impl->model.encode(word, out);
  }
  if (addSpecial)
    out.insert(out.end(), impl->suffix.begin(), impl->suffix.end());
  return out;
}

int32_t Tokenizer::vocabSize() const { return int32_t(impl->model.texts.size); }

bool Tokenizer::isSpecial(int32_t token) const {
  return token >= 0 && token < vocabSize() &&
         (impl->tokenFlags[token] & TokenSpecial);
}

int32_t Tokenizer::tokenId(std::string_view text) const {
  return impl->allTokens.find(text);
}

std::string Tokenizer::normalize(std::string_view text) const {
  std::u16string units = toUtf16(text);
  tok::normalize(impl->normalizers, units);
  std::string out;
  appendBytes(units, out);
  return out;
}

/// Whether a token adds text at all.
static bool shows(const TokenizerImpl &impl, int32_t token, bool showSpecial) {
  if (token < 0 || uint32_t(token) >= impl.model.texts.size)
    return false;
  uint8_t flags = impl.tokenFlags[token];
  return (flags & TokenPresent) && (showSpecial || !(flags & TokenSpecial));
}

void Tokenizer::decode(int32_t token, std::string &out,
                       bool showSpecial) const {
  if (shows(*impl, token, showSpecial))
    out += impl->decodeTexts[token];
}

std::string Tokenizer::decode(const std::vector<int32_t> &tokens,
                              bool showSpecial) const {
  std::string out;
  Decoder decoder(*this, showSpecial);
  for (int32_t token : tokens)
    decoder.append(token, out);
  return out;
}

Decoder::Decoder(const Tokenizer &tokenizer, bool showSpecial)
    : tokenizer(tokenizer), showSpecial(showSpecial) {
  reset();
}

void Decoder::reset() {
  first = true;
  stripLeft = tokenizer.impl->stripLeft;
}

void Decoder::append(int32_t token, std::string &out) {
  const TokenizerImpl &impl = *tokenizer.impl;
  if (!shows(impl, token, showSpecial))
    return;
  const StringTable &texts =
      first && impl.decodeFirst.size ? impl.decodeFirst : impl.decodeTexts;
  first = false;
  std::string_view text = texts[token];
  while (stripLeft && !text.empty()) {
    if (impl.stripText.empty() ||
        text.compare(0, impl.stripText.size(), impl.stripText) != 0) {
      stripLeft = 0;
      break;
    }
    text.remove_prefix(impl.stripText.size());
    --stripLeft;
  }
  out += text;
}
