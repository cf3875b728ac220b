//===- weir-rt/Tokenizer.h - Text to token ids and back ---------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The runtime half of tokenization. It executes the blob the compiler wrote
// (docs/adr/002-tokenizer-blob.md, weir/Frontend/TokenizerSpec.h) and knows
// neither JSON nor GGUF. Uses no exceptions and no LLVM.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_RT_TOKENIZER_H
#define WEIR_RT_TOKENIZER_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::rt {

namespace tok {
struct TokenizerImpl;
} // namespace tok

/// A tokenizer loaded from a blob. Immutable once made: any number of threads
/// may call its methods at the same time.
class Tokenizer {
public:
  /// Loads a tokenizer, or returns null and says in `error` what is wrong with
  /// the blob. `blob` is referred to, not copied: it must outlive the result.
  static std::unique_ptr<Tokenizer> create(const uint8_t *blob, size_t size,
                                           std::string &error);
  ~Tokenizer();
  Tokenizer(const Tokenizer &) = delete;
  Tokenizer &operator=(const Tokenizer &) = delete;

  /// Token ids of `text`. Special tokens written out in the text are
  /// recognised; `addSpecial` adds those that surround every sequence of this
  /// model (a leading BOS, say). `text` need not be valid UTF-8: a byte that
  /// belongs to no character is kept as that byte where the model can express
  /// bytes, and is an unknown character elsewhere.
  std::vector<int32_t> encode(std::string_view text, bool addSpecial) const;

  /// Appends the bytes of one token, as it reads in the middle of a sequence;
  /// nothing for special tokens unless `showSpecial`, nor for ids outside the
  /// vocabulary. A token may hold part of a UTF-8 character. Use `Decoder` for
  /// whole sequences, whose first token may read differently.
  void decode(int32_t token, std::string &out, bool showSpecial = false) const;

  /// Bytes of a whole sequence.
  std::string decode(const std::vector<int32_t> &tokens,
                     bool showSpecial = false) const;

  /// One more than the largest token id.
  int32_t vocabSize() const;

  /// Whether `token` is a special (control) token.
  bool isSpecial(int32_t token) const;

  /// The id of the token spelt `text` in the vocabulary file ("<|im_end|>"), or
  /// -1. Byte-level vocabularies spell a space as U+0120, and so on.
  int32_t tokenId(std::string_view text) const;

  /// The text the vocabulary is applied to: `text` after the normalizers, as
  /// far as no added token interrupts it.
  std::string normalize(std::string_view text) const;

private:
  friend class Decoder;
  explicit Tokenizer(std::unique_ptr<tok::TokenizerImpl> impl);

  std::unique_ptr<tok::TokenizerImpl> impl;
};

/// Turns a stream of tokens into bytes, one token at a time. Differs from
/// calling `Tokenizer::decode` on each by what depends on the position: models
/// in the manner of SentencePiece drop the space before the first word.
class Decoder {
public:
  /// Starts a sequence. `tokenizer` must outlive the decoder.
  explicit Decoder(const Tokenizer &tokenizer, bool showSpecial = false);

  /// Appends the bytes of the next token to `out`.
  void append(int32_t token, std::string &out);

  /// Starts a new sequence.
  void reset();

private:
  const Tokenizer &tokenizer;
  bool showSpecial;
  bool first = true;
  uint32_t stripLeft = 0;
};

} // namespace weir::rt

#endif // WEIR_RT_TOKENIZER_H
