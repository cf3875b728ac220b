//===- weir-rt/TokenizerBlob.h - Numbers of the tokenizer blob --*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The numbers that the writer (lib/Frontend/Tokenizer) and the reader
// (lib/Runtime/Tokenizer.cpp) of a tokenizer blob share. The layout is in
// docs/adr/002-tokenizer-blob.md. Values are part of the format: append only,
// and change `blobVersion` with anything else.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_RT_TOKENIZERBLOB_H
#define WEIR_RT_TOKENIZERBLOB_H

#include <cstdint>

namespace weir::rt::tok {

/// "WTOK", read as a little-endian number.
constexpr uint32_t blobMagic = 0x4b4f5457;
/// Changes with every incompatible change of the layout.
constexpr uint32_t blobVersion = 1;

/// How a word is cut into tokens.
enum class ModelKind : uint32_t {
  BPE = 0,       ///< merges in the order of their rank
  WordPiece = 1, ///< longest match first
  Unigram = 2,   ///< best path by scores
  WordLevel = 3, ///< the word is the token
  ScoredBPE = 4  ///< merges in the order of the scores of their results
};
constexpr uint32_t numModelKinds = 5;

/// Bits of the model's options.
enum ModelFlag : uint32_t {
  ModelByteFallback = 1, ///< unknown characters become tokens "<0xNN>"
  ModelFuseUnk = 2,      ///< adjacent unknowns become one token
  ModelIgnoreMerges = 4  ///< a word of the vocabulary is never cut
};

/// Steps that rewrite text before it is cut. `a` and `b` are the step's
/// strings, `option` its number.
enum class NormalizerKind : uint32_t {
  NFC = 0,
  NFD = 1,
  NFKC = 2,
  NFKD = 3,
  Lowercase = 4,
  Strip = 5,            ///< option: bit 0 left, bit 1 right
  StripAccents = 6,     ///< removes all marks
  ReplaceLiteral = 7,   ///< a by b
  ReplaceRegex = 8,     ///< matches of a by b
  Prepend = 9,          ///< a, unless the text is empty
  ByteLevel = 10,       ///< bytes to their printable stand-ins
  BertCleanText = 11,   ///< drops control characters, unifies white space
  BertSpaceHan = 12,    ///< spaces round Han characters
  StripNonspacing = 13, ///< removes nonspacing marks
  Precompiled = 14,     ///< a: SentencePiece's character map
  Nmt = 15              ///< SentencePiece's clean-up for translation
};
constexpr uint32_t numNormalizerKinds = 16;

/// Steps that cut text into words.
enum class PreTokenizerKind : uint32_t {
  SplitLiteral = 0, ///< a; option: SplitBehaviour, bit 8: inverted
  SplitRegex = 1,   ///< likewise
  Digits = 2,       ///< option 1: each digit alone
  Punctuation = 3,  ///< option: SplitBehaviour
  WhitespaceSplit = 4,
  BertPunctuation = 5, ///< ASCII symbols count as punctuation; isolated
  ByteLevel = 6,       ///< maps bytes to their stand-ins, cuts nothing
  Metaspace = 7,       ///< a: replacement; option: PrependScheme, bit 8: splits
  FixedLength = 8,     ///< option: characters a piece, not 0
  PrefixSpace = 9      ///< a space before a piece that has none
};
constexpr uint32_t numPreTokenizerKinds = 10;

/// What becomes of the text a splitting pattern matched.
enum class SplitBehaviour : uint32_t {
  Removed = 0,
  Isolated = 1,
  MergedWithPrevious = 2,
  MergedWithNext = 3,
  Contiguous = 4
};
constexpr uint32_t numSplitBehaviours = 5;

/// Set in a split's option to swap matches and gaps.
constexpr uint32_t splitInvert = 0x100;

/// When Metaspace puts its replacement before a piece.
enum class PrependScheme : uint32_t {
  Always = 0,
  First = 1, ///< only at the start of the text
  Never = 2
};
/// Set in Metaspace's option when it also cuts before each replacement.
constexpr uint32_t metaspaceSplit = 0x100;

/// Bits of one token.
enum TokenFlag : uint32_t {
  TokenPresent = 1, ///< clear: the id is unused
  TokenInModel = 2, ///< the model may produce it
  TokenSpecial = 4  ///< not shown when decoding
};

/// Bits of one added token: a string recognised before the model runs.
enum AddedFlag : uint32_t {
  AddedLStrip = 1,     ///< takes the white space before it
  AddedRStrip = 2,     ///< takes the white space after it
  AddedSingleWord = 4, ///< not inside a word
  AddedNormalized = 8  ///< looked for after normalisation
};

} // namespace weir::rt::tok

#endif // WEIR_RT_TOKENIZERBLOB_H
