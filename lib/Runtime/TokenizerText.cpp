//===- TokenizerText.cpp - Text as tokenizers see it ----------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TokenizerText.h"
#include <array>
#include <unicode/uchar.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

using namespace weir::rt::tok;

void weir::rt::tok::appendCodePoint(char32_t c, std::u16string &out) {
  if (c < 0x10000) {
    out.push_back(char16_t(c));
    return;
  }
  out.push_back(U16_LEAD(c));
  out.push_back(U16_TRAIL(c));
}

std::u16string weir::rt::tok::toUtf16(std::string_view bytes) {
  std::u16string out;
  out.reserve(bytes.size());
  const auto *data = reinterpret_cast<const uint8_t *>(bytes.data());
  for (size_t i = 0, e = bytes.size(); i < e;) {
    if (data[i] < 0x80) {
      out.push_back(data[i++]);
      continue;
    }
    // ICU's indices are 32 bits wide: look at one character at a time.
    int32_t used = 0;
    int32_t available = int32_t(std::min<size_t>(e - i, 4));
    UChar32 c = 0;
    U8_NEXT(data + i, used, available, c);
    if (c < 0) {
      out.push_back(char16_t(0xdc00 + data[i++]));
      continue;
    }
    appendCodePoint(c, out);
    i += used;
  }
  return out;
}

char32_t weir::rt::tok::nextCodePoint(std::u16string_view text, size_t &i) {
  char32_t c = text[i++];
  if (U16_IS_LEAD(c) && i < text.size() && U16_IS_TRAIL(text[i]))
    c = U16_GET_SUPPLEMENTARY(c, text[i++]);
  return c;
}

char32_t weir::rt::tok::previousCodePoint(std::u16string_view text, size_t &i) {
  char32_t c = text[--i];
  if (U16_IS_TRAIL(c) && i > 0 && U16_IS_LEAD(text[i - 1])) {
    --i;
    c = U16_GET_SUPPLEMENTARY(text[i], c);
  }
  return c;
}

void weir::rt::tok::appendBytes(std::u16string_view text, std::string &out) {
  out.reserve(out.size() + text.size());
  for (size_t i = 0; i < text.size();) {
    char32_t c = nextCodePoint(text, i);
    if (c < 0x80) {
      out.push_back(char(c));
    } else if (c >= 0xdc80 && c <= 0xdcff) {
      out.push_back(char(c - 0xdc00));
    } else {
      char buffer[4];
      int32_t length = 0;
      U8_APPEND_UNSAFE(buffer, length, c);
      out.append(buffer, length);
    }
  }
}

size_t weir::rt::tok::characterBytes(std::string_view bytes) {
  const auto *data = reinterpret_cast<const uint8_t *>(bytes.data());
  if (data[0] < 0x80)
    return 1;
  int32_t used = 0;
  int32_t available = int32_t(std::min<size_t>(bytes.size(), 4));
  UChar32 c = 0;
  U8_NEXT(data, used, available, c);
  return c < 0 ? 1 : used;
}

namespace {
/// The stand-in of each byte: itself where it prints, else the next unused code
/// point from U+0100 on.
struct ByteAlphabet {
  constexpr ByteAlphabet() {
    char16_t next = 0x100;
    for (unsigned b = 0; b != 256; ++b) {
      bool prints = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b != 0xad);
      symbols[b] = prints ? char16_t(b) : next++;
    }
  }
  char16_t symbols[256] = {};
};
} // namespace

std::u16string weir::rt::tok::mapBytes(std::u16string_view text) {
  static constexpr ByteAlphabet alphabet;
  std::string bytes;
  appendBytes(text, bytes);
  std::u16string out;
  out.reserve(bytes.size());
  for (char b : bytes)
    out.push_back(alphabet.symbols[uint8_t(b)]);
  return out;
}

bool weir::rt::tok::isWhitespace(char32_t c) { return u_isUWhiteSpace(c); }

bool weir::rt::tok::isWordCharacter(char32_t c) {
  return u_hasBinaryProperty(c, UCHAR_ALPHABETIC) ||
         (U_GET_GC_MASK(c) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) ||
         u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL);
}

bool weir::rt::tok::isNumeric(char32_t c) {
  return U_GET_GC_MASK(c) & U_GC_N_MASK;
}

bool weir::rt::tok::isPunctuation(char32_t c) {
  if (c < 0x80)
    return (c >= 0x21 && c <= 0x2f) || (c >= 0x3a && c <= 0x40) ||
           (c >= 0x5b && c <= 0x60) || (c >= 0x7b && c <= 0x7e);
  return U_GET_GC_MASK(c) & U_GC_P_MASK;
}

void weir::rt::tok::forEachMatch(
    const icu::RegexPattern &pattern, std::u16string_view text,
    const std::function<void(size_t, size_t)> &match) {
  UErrorCode status = U_ZERO_ERROR;
  icu::UnicodeString subject(false, text.data(), int32_t(text.size()));
  std::unique_ptr<icu::RegexMatcher> matcher(pattern.matcher(subject, status));
  if (U_FAILURE(status))
    return;
  // Long runs of one alternative may backtrack far; the heap is the limit.
  matcher->setStackLimit(0, status);
  int32_t previousEnd = -1;
  while (matcher->find(status) && U_SUCCESS(status)) {
    int32_t start = matcher->start(status), end = matcher->end(status);
    // Oniguruma finds no empty match where the last match ended.
    if (start == end && start == previousEnd)
      continue;
    previousEnd = end;
    match(start, end);
  }
}

std::unique_ptr<icu::RegexPattern>
weir::rt::tok::compileRegex(std::u16string_view pattern, std::string &error) {
  UErrorCode status = U_ZERO_ERROR;
  UParseError where;
  icu::UnicodeString text(pattern.data(), int32_t(pattern.size()));
  std::unique_ptr<icu::RegexPattern> result(icu::RegexPattern::compile(
      text, UREGEX_MULTILINE | UREGEX_UNIX_LINES, where, status));
  if (U_SUCCESS(status) && result)
    return result;
  error = "the regular expression '";
  appendBytes(pattern, error);
  error += "' is not accepted at offset ";
  error += std::to_string(where.offset);
  error += ": ";
  error += u_errorName(status);
  return nullptr;
}
