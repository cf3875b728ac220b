//===- TokenizerImpl.h - Parts of a loaded tokenizer ------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_RUNTIME_TOKENIZERIMPL_H
#define WEIR_LIB_RUNTIME_TOKENIZERIMPL_H

#include "TokenizerText.h"
#include "weir-rt/TokenizerBlob.h"
#include <unordered_map>
#include <vector>

namespace weir::rt::tok {

/// A list of strings inside the blob.
struct StringTable {
  uint32_t size = 0;
  const uint8_t *offsets = nullptr; ///< size + 1 little-endian numbers
  const char *pool = nullptr;

  /// The string at `i`, which is below `size`.
  std::string_view operator[](uint32_t i) const;
};

/// One normalizer or pre-tokenizer.
struct Step {
  uint32_t kind = 0;
  uint32_t option = 0;
  std::u16string a, b;
  std::string_view raw; ///< `a` as it is in the blob, which may be binary
  std::unique_ptr<icu::RegexPattern> regex;
};

/// A stretch of text on its way to tokens, or already one token.
struct Piece {
  std::u16string text;
  bool first = false; ///< begins where the whole text begins
  int32_t token = -1; ///< not -1: an added token
};

/// Finds the ids of strings. Open addressing over the table's own strings.
class StringIndex {
public:
  /// Indexes the strings of `table` that have one of `mask` in `flags`. Of
  /// equal strings the last counts.
  void build(const StringTable &table, const uint8_t *flags, uint8_t mask);
  /// The id of `text`, or -1.
  int32_t find(std::string_view text) const;

private:
  StringTable strings;
  std::vector<int32_t> slots;
};

/// Finds the strings that a text starts with.
class PrefixIndex {
public:
  /// Sorts the strings of `table` that have one of `mask` in `flags`.
  void build(const StringTable &table, const uint8_t *flags, uint8_t mask);
  /// Calls `found(length)` for each, the shortest first.
  template <typename Found>
  void forEachPrefix(std::string_view text, Found found) const {
    size_t low = 0, high = sorted.size();
    for (size_t depth = 0; depth != text.size(); ++depth) {
      narrow(depth, text[depth], low, high);
      if (low == high)
        return;
      if (strings[sorted[low]].size() == depth + 1)
        found(depth + 1);
    }
  }

private:
  /// Keeps those of [low, high), equal up to `depth`, that have `c` there.
  void narrow(size_t depth, char c, size_t &low, size_t &high) const;

  StringTable strings;
  std::vector<uint32_t> sorted;
};

/// Finds what becomes of two adjacent tokens.
class MergeIndex {
public:
  struct Merge {
    uint64_t pair = ~uint64_t(0);
    uint32_t rank = 0;
    uint32_t result = 0;
  };
  /// Makes room for `count` merges.
  void reserve(uint32_t count);
  /// The last merge of a pair counts.
  void insert(uint32_t left, uint32_t right, uint32_t rank, uint32_t result);
  /// The merge of a pair, or null.
  const Merge *find(uint32_t left, uint32_t right) const;

private:
  size_t slot(uint64_t pair) const;
  std::vector<Merge> slots;
};

/// Finds added tokens in text: the longest of those that start leftmost.
class AddedTrie {
public:
  struct Token {
    uint32_t id = 0;
    uint32_t flags = 0;
  };
  /// Adds a string (not empty). Of equal strings the first counts.
  void insert(std::u16string_view text, Token token);
  bool empty() const { return tokens.empty(); }
  /// Cuts `piece` into added tokens and the text between them.
  void split(Piece piece, std::vector<Piece> &out) const;

private:
  /// The longest string at `at`: its token's index and its length; -1 if none.
  int32_t longest(std::u16string_view text, size_t at, size_t &length) const;

  std::vector<Token> tokens;
  std::vector<int32_t> endsAt = {-1};           ///< node to token index
  std::unordered_map<uint64_t, uint32_t> edges; ///< node, unit to node
  std::vector<bool> starts; ///< units some string begins with
};

/// The model: what cuts one word into tokens.
struct Model {
  ModelKind kind = ModelKind::BPE;
  uint32_t flags = 0;
  int32_t unk = -1;
  uint32_t maxWordChars = 0; ///< WordPiece: longer words are unknown
  std::string_view prefix;   ///< of the tokens inside a word
  std::string_view suffix;   ///< of the last token of a word

  StringTable texts;
  const uint8_t *scores = nullptr; ///< little-endian doubles, or null
  StringIndex index;               ///< tokens the model may produce
  PrefixIndex prefixes;            ///< likewise, for Unigram
  MergeIndex merges;
  std::vector<int32_t> byteTokens; ///< 256 ids or -1, with byte fallback
  std::vector<int32_t> charTokens; ///< ids of code points below its size
  double minScore = 0;
  uint32_t longestToken = 0; ///< bytes

  /// Fills in what is derived from the vocabulary.
  void prepare(const uint8_t *tokenFlags);
  /// Appends the tokens of `word`.
  void encode(std::string_view word, std::vector<int32_t> &out) const;
  /// The score of token `id`.
  double score(uint32_t id) const;

private:
  void encodeBPE(std::string_view word, std::vector<int32_t> &out) const;
  void encodeScored(std::string_view word, std::vector<int32_t> &out) const;
  void encodeWordPiece(std::string_view word, std::vector<int32_t> &out) const;
  void encodeUnigram(std::string_view word, std::vector<int32_t> &out) const;
  /// Appends the byte tokens of `text`, or nothing (and false) unless all
  /// exist.
  bool appendByteTokens(std::string_view text, std::vector<int32_t> &out) const;
};

/// Everything behind `Tokenizer`.
struct TokenizerImpl {
  Model model;
  const uint8_t *tokenFlags = nullptr;
  StringIndex allTokens;
  StringTable decodeTexts;
  StringTable decodeFirst; ///< empty: the first token reads like the others
  uint32_t stripLeft = 0;  ///< strings dropped at the start when decoding
  std::string_view stripText;
  std::vector<Step> normalizers;
  std::vector<Step> preTokenizers;
  AddedTrie rawAdded;
  AddedTrie normalizedAdded;
  std::vector<int32_t> prefix, suffix;

  /// Reads a blob. False, with the reason in `error`, if it is malformed.
  bool load(const uint8_t *blob, size_t size, std::string &error);
};

/// Runs the normalizers over a piece of text.
void normalize(const std::vector<Step> &steps, std::u16string &text);

/// Runs the pre-tokenizers over the pieces that are not tokens yet.
void preTokenize(const std::vector<Step> &steps, std::vector<Piece> &pieces);

/// Whether SentencePiece's character map is well formed; else says why not.
bool checkPrecompiled(std::string_view map, std::string &error);

} // namespace weir::rt::tok

#endif // WEIR_LIB_RUNTIME_TOKENIZERIMPL_H
