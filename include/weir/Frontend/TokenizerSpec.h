//===- weir/Frontend/TokenizerSpec.h - Tokenizers of trained models -*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The compiler half of tokenization: reads the tokenizer that comes with a
// model (Hugging Face's tokenizer.json, or the metadata of a GGUF file) into
// one plain description, and writes that as the blob the runtime executes
// (docs/adr/002-tokenizer-blob.md). What the runtime could not do faithfully is
// an error here, which names the component.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_FRONTEND_TOKENIZERSPEC_H
#define WEIR_FRONTEND_TOKENIZERSPEC_H

#include "weir-rt/TokenizerBlob.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir {

class Checkpoint;

/// One entry of the vocabulary, at the index that is its id.
struct TokenizerToken {
  /// As spelt in the vocabulary.
  std::string text;
  /// The bytes it decodes to inside a sequence, and at the start of one.
  std::string decoded, decodedFirst;
  /// The log probability (Unigram) or priority (ScoredBPE).
  double score = 0;
  /// `rt::tok::TokenFlag` bits; 0 for an id that is not used.
  uint8_t flags = 0;
};

/// One normalizer or pre-tokenizer; the fields' meanings depend on the kind.
template <typename Kind>
struct TokenizerStep {
  TokenizerStep(Kind kind, uint32_t option = 0, std::string a = "",
                std::string b = "")
      : kind(kind), option(option), a(std::move(a)), b(std::move(b)) {}

  Kind kind;
  uint32_t option;
  std::string a, b;
};

using TokenizerNormalizer = TokenizerStep<rt::tok::NormalizerKind>;
using TokenizerPreTokenizer = TokenizerStep<rt::tok::PreTokenizerKind>;

/// Two adjacent tokens that become one. The index in the list is the rank.
struct TokenizerMerge {
  uint32_t left, right, result;
};

/// A token recognised in the text before the model sees it.
struct TokenizerAddedToken {
  uint32_t id = 0;
  /// `rt::tok::AddedFlag` bits.
  uint32_t flags = 0;
  std::string text;
};

/// A tokenizer, whatever file it came from.
struct TokenizerSpec {
  rt::tok::ModelKind model = rt::tok::ModelKind::BPE;
  /// `rt::tok::ModelFlag` bits.
  uint32_t modelFlags = 0;
  /// The token of what the vocabulary cannot express, or -1.
  int32_t unk = -1;
  /// WordPiece: words of more characters than this are unknown.
  uint32_t maxWordChars = 0;
  /// What tokens inside a word, and the last of a word, are spelt with.
  std::string subwordPrefix, wordSuffix;

  std::vector<TokenizerToken> tokens;
  std::vector<TokenizerMerge> merges;
  std::vector<TokenizerNormalizer> normalizers;
  std::vector<TokenizerPreTokenizer> preTokenizers;
  std::vector<TokenizerAddedToken> addedTokens;
  /// Put round every sequence on request.
  std::vector<int32_t> prefix, suffix;
  /// Decoding drops up to this many `stripText` at the start of a sequence.
  uint32_t stripLeft = 0;
  std::string stripText;

  /// What the files say of these; -1 where they say nothing. They are not part
  /// of the blob: see `weir_special_tokens` in weir-rt/ModelDesc.h.
  int32_t bos = -1, eos = -1, pad = -1;
  /// Whether text given as a prompt starts with `bos`.
  bool addBos = false;

  /// The id of the token spelt `text`, or -1. Linear in the vocabulary.
  int32_t findToken(llvm::StringRef text) const;
};

/// Reads the text of a tokenizer.json, and of the tokenizer_config.json beside
/// it unless that is empty: it names the special tokens, and `add_bos_token` or
/// `add_eos_token` there replace the post-processor, as in transformers.
llvm::Expected<TokenizerSpec>
importTokenizerJson(llvm::StringRef text, llvm::StringRef configText = "");

/// The `tokenizer.ggml.*` keys of a GGUF file. Absent keys are empty.
struct GGUFTokenizerMetadata {
  std::string model; ///< tokenizer.ggml.model: "gpt2", "llama"
  std::string pre;   ///< tokenizer.ggml.pre: the pre-tokenizer's name
  std::vector<std::string> tokens;
  std::vector<float> scores;
  std::vector<int32_t> tokenTypes;    ///< tokenizer.ggml.token_type
  std::vector<std::string> merges;    ///< "left right"
  std::optional<int64_t> bos;         ///< tokenizer.ggml.bos_token_id
  std::optional<int64_t> eos;         ///< tokenizer.ggml.eos_token_id
  std::optional<int64_t> unk;         ///< tokenizer.ggml.unknown_token_id
  std::optional<int64_t> pad;         ///< tokenizer.ggml.padding_token_id
  std::optional<bool> addBos;         ///< tokenizer.ggml.add_bos_token
  std::optional<bool> addEos;         ///< tokenizer.ggml.add_eos_token
  std::optional<bool> addSpacePrefix; ///< tokenizer.ggml.add_space_prefix
};

/// Reads the tokenizer of a GGUF file.
llvm::Expected<TokenizerSpec>
importGGUFTokenizer(const GGUFTokenizerMetadata &metadata);

/// The `tokenizer.ggml.*` keys of an open GGUF file.
GGUFTokenizerMetadata readGGUFTokenizerMetadata(const Checkpoint &checkpoint);

/// Reads the tokenizer that comes with a checkpoint, of either format; nothing
/// if there is none.
llvm::Expected<std::optional<TokenizerSpec>>
importTokenizer(const Checkpoint &checkpoint);

/// Writes the blob `rt::Tokenizer::create` reads.
std::vector<uint8_t> serializeTokenizer(const TokenizerSpec &spec);

} // namespace weir

#endif // WEIR_FRONTEND_TOKENIZERSPEC_H
