//===- TokenizerImport.h - Parts of reading tokenizers ----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_TOKENIZER_TOKENIZERIMPORT_H
#define WEIR_LIB_FRONTEND_TOKENIZER_TOKENIZERIMPORT_H

#include "weir/Frontend/TokenizerSpec.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

namespace weir {

/// An error with a formatted message.
template <typename... Args>
llvm::Error tokenizerError(const char *format, Args &&...args) {
  return llvm::createStringError(
      llvm::formatv(format, std::forward<Args>(args)...).str());
}

/// More ids than any vocabulary has: a larger one is a damaged file.
constexpr int64_t maxTokenId = (1 << 24) - 1;

/// The token at `id`, which may have to be made.
TokenizerToken &tokenAt(TokenizerSpec &spec, int64_t id);

/// Ids of the model's tokens by their text.
using VocabMap = llvm::StringMap<int32_t>;

/// Adds a merge of two tokens given by their text; `prefixBytes` are dropped
/// from the right one.
llvm::Error addMerge(TokenizerSpec &spec, const VocabMap &vocab,
                     llvm::StringRef left, llvm::StringRef right,
                     size_t prefixBytes);

/// Translates a pattern from Oniguruma, which Hugging Face uses, to ICU, and
/// checks that ICU accepts it.
llvm::Expected<std::string> translateRegex(llvm::StringRef pattern);

/// The pattern of GPT-2, which the ByteLevel pre-tokenizer stands for.
extern const char gpt2Pattern[];

/// Appends the steps of the ByteLevel pre-tokenizer.
void addByteLevel(TokenizerSpec &spec, bool prefixSpace, bool useRegex);

/// Bytes of a token spelt in the byte-level alphabet; the text itself where it
/// is not in that alphabet.
std::string decodeByteLevel(llvm::StringRef text);

/// The byte a token "<0xNN>" stands for.
std::optional<uint8_t> parseByteToken(llvm::StringRef text);

/// Reads "model" of a tokenizer.json into `spec`, and the ids into `vocab`.
llvm::Error importModel(const llvm::json::Object &model, TokenizerSpec &spec,
                        VocabMap &vocab);

/// Reads "normalizer".
llvm::Error importNormalizer(const llvm::json::Object &normalizer,
                             TokenizerSpec &spec);

/// Reads "pre_tokenizer".
llvm::Error importPreTokenizer(const llvm::json::Object &preTokenizer,
                               TokenizerSpec &spec);

/// Reads "post_processor".
llvm::Error importPostProcessor(const llvm::json::Object &postProcessor,
                                TokenizerSpec &spec);

/// Reads "decoder", null if there is none, and works out what every token of
/// `spec` decodes to.
llvm::Error importDecoder(const llvm::json::Object *decoder,
                          TokenizerSpec &spec);

/// The "type" of a component.
llvm::Expected<llvm::StringRef> componentType(const llvm::json::Object &object,
                                              llvm::StringRef what);

/// Fails if a component has keys other than "type" and those in `known`: an
/// option that is not understood may change the result.
llvm::Error checkKeys(const llvm::json::Object &object, llvm::StringRef what,
                      llvm::ArrayRef<llvm::StringRef> known);

/// A field that must be a boolean, or absent for `fallback`.
llvm::Expected<bool> getBool(const llvm::json::Object &object,
                             llvm::StringRef key, bool fallback,
                             llvm::StringRef what);

/// A field that must be a string.
llvm::Expected<llvm::StringRef> getString(const llvm::json::Object &object,
                                          llvm::StringRef key,
                                          llvm::StringRef what);

/// The components in a "Sequence".
llvm::Expected<std::vector<const llvm::json::Object *>>
getSequence(const llvm::json::Object &object, llvm::StringRef key,
            llvm::StringRef what);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_TOKENIZER_TOKENIZERIMPORT_H
