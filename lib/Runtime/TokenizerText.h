//===- TokenizerText.h - Text as tokenizers see it --------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Text is held in UTF-16, which is what ICU's regular expressions work on. A
// byte of the input that belongs to no UTF-8 character becomes the lone
// surrogate U+DC00 + byte, which no valid text contains, so that the way back
// to bytes restores it.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_RUNTIME_TOKENIZERTEXT_H
#define WEIR_LIB_RUNTIME_TOKENIZERTEXT_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unicode/regex.h>

namespace weir::rt::tok {

/// UTF-8, or nearly so, to UTF-16 with escaped bytes.
std::u16string toUtf16(std::string_view bytes);

/// Appends the bytes that `text` stands for.
void appendBytes(std::u16string_view text, std::string &out);

/// Appends a code point to UTF-16 text.
void appendCodePoint(char32_t c, std::u16string &out);

/// The code point at `i`, which moves past it. Lone surrogates are themselves.
char32_t nextCodePoint(std::u16string_view text, size_t &i);

/// The code point that ends at `i`, which moves before it.
char32_t previousCodePoint(std::u16string_view text, size_t &i);

/// Bytes of the UTF-8 character at the start of `bytes` (not empty); 1 where
/// there is no valid character.
size_t characterBytes(std::string_view bytes);

/// Replaces each byte by its printable stand-in: the byte-level alphabet that
/// GPT-2 introduced.
std::u16string mapBytes(std::u16string_view text);

/// White_Space of Unicode.
bool isWhitespace(char32_t c);
/// Letters, marks, decimal digits, connectors and joiners.
bool isWordCharacter(char32_t c);
/// A code point of general category N.
bool isNumeric(char32_t c);
/// ASCII punctuation and symbols, or general category P.
bool isPunctuation(char32_t c);

/// Calls `match(start, end)` for each match of `pattern` in `text`, from left
/// to right.
void forEachMatch(const icu::RegexPattern &pattern, std::u16string_view text,
                  const std::function<void(size_t, size_t)> &match);

/// Compiles a pattern in the dialect of Hugging Face tokenizers (Oniguruma: the
/// anchors are those of lines). Null, with the reason in `error`, if ICU
/// refuses it.
std::unique_ptr<icu::RegexPattern> compileRegex(std::u16string_view pattern,
                                                std::string &error);

} // namespace weir::rt::tok

#endif // WEIR_LIB_RUNTIME_TOKENIZERTEXT_H
