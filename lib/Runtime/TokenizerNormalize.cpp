//===- TokenizerNormalize.cpp - Rewrite text before it is cut -------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TokenizerImpl.h"
#include <cstring>
#include <unicode/brkiter.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

using namespace weir::rt::tok;

/// Applies one of Unicode's normal forms. Lone surrogates pass unchanged.
static void normalForm(NormalizerKind kind, std::u16string &text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2 *form =
      kind == NormalizerKind::NFC   ? icu::Normalizer2::getNFCInstance(status)
      : kind == NormalizerKind::NFD ? icu::Normalizer2::getNFDInstance(status)
      : kind == NormalizerKind::NFKC
          ? icu::Normalizer2::getNFKCInstance(status)
          : icu::Normalizer2::getNFKDInstance(status);
  if (U_FAILURE(status))
    return;
  icu::UnicodeString source(false, text.data(), int32_t(text.size()));
  icu::UnicodeString result = form->normalize(source, status);
  if (U_SUCCESS(status))
    text.assign(result.getBuffer(), result.length());
}

/// Rebuilds `text` from what `map` appends for each code point.
template <typename Map>
static void mapCharacters(std::u16string &text, Map map) {
  std::u16string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();)
    map(nextCodePoint(text, i), out);
  text = std::move(out);
}

/// Removes the code points `test` accepts.
template <typename Test>
static void removeCharacters(std::u16string &text, Test test) {
  mapCharacters(text, [&](char32_t c, std::u16string &out) {
    if (!test(c))
      appendCodePoint(c, out);
  });
}

static void lowercase(std::u16string &text) {
  mapCharacters(text, [](char32_t c, std::u16string &out) {
    // The one code point whose lower case is two, whatever the context.
    if (c == 0x130)
      out += u"i\u0307";
    else
      appendCodePoint(u_tolower(c), out);
  });
}

static void strip(uint32_t sides, std::u16string &text) {
  std::u16string_view view = text;
  size_t start = 0, end = view.size();
  if (sides & 1)
    for (size_t i = 0; start < end && isWhitespace(nextCodePoint(view, i));)
      start = i;
  if (sides & 2)
    for (size_t i = end;
         start < end && isWhitespace(previousCodePoint(view, i));)
      end = i;
  text = std::u16string(view.substr(start, end - start));
}

static void replaceLiteral(const Step &step, std::u16string &text) {
  if (step.a.empty())
    return;
  std::u16string out;
  size_t previous = 0;
  for (size_t at = text.find(step.a); at != text.npos;
       at = text.find(step.a, previous)) {
    out.append(text, previous, at - previous);
    out += step.b;
    previous = at + step.a.size();
  }
  out.append(text, previous, text.npos);
  text = std::move(out);
}

static void replaceRegex(const Step &step, std::u16string &text) {
  std::u16string out;
  size_t previous = 0;
  forEachMatch(*step.regex, text, [&](size_t start, size_t end) {
    out.append(text, previous, start - previous);
    out += step.b;
    previous = end;
  });
  out.append(text, previous, text.npos);
  text = std::move(out);
}

/// The clean-up BERT does: control characters go, and what white space is left
/// becomes spaces.
static void bertCleanText(std::u16string &text) {
  mapCharacters(text, [](char32_t c, std::u16string &out) {
    bool kept = c == '\t' || c == '\n' || c == '\r';
    bool control =
        U_GET_GC_MASK(c) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK);
    if (c == 0 || c == 0xfffd || (control && !kept))
      return;
    appendCodePoint(isWhitespace(c) ? U' ' : c, out);
  });
}

/// Han ideographs as BERT defines them: not kana, not hangul.
static bool isHan(char32_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
         (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
         (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

/// SentencePiece's clean-up: some controls go, exotic white space becomes
/// spaces.
static void nmt(std::u16string &text) {
  mapCharacters(text, [](char32_t c, std::u16string &out) {
    if ((c >= 0x1 && c <= 0x8) || c == 0xb || (c >= 0xe && c <= 0x1f) ||
        c == 0x7f || c == 0x8f || c == 0x9f)
      return;
    bool space = c == 0x9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 ||
                 (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 ||
                 c == 0x2581 || c == 0xfeff || c == 0xfffd;
    appendCodePoint(space ? U' ' : c, out);
  });
}

//===----------------------------------------------------------------------===//
// SentencePiece's character map: the bytes of a double-array trie, whose leaves
// are offsets into the zero-terminated replacements that follow it.
//===----------------------------------------------------------------------===//

namespace {
/// A view of such a map.
struct CharacterMap {
  const uint8_t *units = nullptr;
  uint32_t numUnits = 0;
  std::string_view replacements;

  uint32_t unit(uint32_t i) const {
    const uint8_t *p = units + size_t(i) * 4;
    return p[0] | p[1] << 8 | p[2] << 16 | uint32_t(p[3]) << 24;
  }

  /// The offset from a unit to its children.
  static uint32_t offset(uint32_t unit) {
    return (unit >> 10) << ((unit & (1u << 9)) >> 6);
  }

  bool parse(std::string_view map) {
    if (map.size() < 4)
      return false;
    const auto *p = reinterpret_cast<const uint8_t *>(map.data());
    uint32_t bytes = p[0] | p[1] << 8 | p[2] << 16 | uint32_t(p[3]) << 24;
    if (bytes % 4 || bytes == 0 || bytes > map.size() - 4)
      return false;
    units = p + 4;
    numUnits = bytes / 4;
    replacements = map.substr(4 + size_t(bytes));
    return true;
  }

  /// The replacement of the shortest entry that starts `text`.
  bool find(std::string_view text, std::string_view &replacement) const {
    uint32_t node = 0;
    uint32_t value = unit(0);
    node ^= offset(value);
    for (char c : text) {
      node ^= uint8_t(c);
      if (uint8_t(c) == 0 || node >= numUnits)
        return false;
      value = unit(node);
      if ((value & ((1u << 31) | 0xff)) != uint8_t(c))
        return false;
      node ^= offset(value);
      if (value >> 8 & 1) {
        if (node >= numUnits)
          return false;
        uint32_t at = unit(node) & ((1u << 31) - 1);
        if (at > replacements.size())
          return false;
        replacement = replacements.substr(at);
        replacement = replacement.substr(0, replacement.find('\0'));
        return true;
      }
    }
    return false;
  }
};
} // namespace

static std::unique_ptr<icu::BreakIterator> graphemes(UErrorCode &status) {
  return std::unique_ptr<icu::BreakIterator>(
      icu::BreakIterator::createCharacterInstance(icu::Locale::getRoot(),
                                                  status));
}

bool weir::rt::tok::checkPrecompiled(std::string_view map, std::string &error) {
  if (CharacterMap parsed; !parsed.parse(map)) {
    error = "the precompiled character map is malformed";
    return false;
  }
  UErrorCode status = U_ZERO_ERROR;
  graphemes(status);
  if (U_SUCCESS(status))
    return true;
  error = "ICU cannot find graphemes: ";
  error += u_errorName(status);
  return false;
}

static void precompiled(const Step &step, std::u16string &text) {
  CharacterMap map;
  UErrorCode status = U_ZERO_ERROR;
  std::unique_ptr<icu::BreakIterator> breaks = graphemes(status);
  if (!map.parse(step.raw) || U_FAILURE(status))
    return;
  icu::UnicodeString subject(false, text.data(), int32_t(text.size()));
  breaks->setText(subject);

  std::u16string out;
  std::u16string_view view = text;
  std::string bytes;
  std::string_view replacement;
  auto append = [&](std::u16string_view part) {
    bytes.clear();
    appendBytes(part, bytes);
    if (map.find(bytes, replacement))
      out += toUtf16(replacement);
    else
      out += part;
  };
  for (int32_t start = breaks->first(), end = breaks->next();
       end != icu::BreakIterator::DONE; start = end, end = breaks->next()) {
    std::u16string_view grapheme = view.substr(start, end - start);
    bytes.clear();
    appendBytes(grapheme, bytes);
    // Longer graphemes are looked up character by character, as the models
    // were trained.
    if (bytes.size() < 6 && map.find(bytes, replacement)) {
      out += toUtf16(replacement);
      continue;
    }
    for (size_t i = 0; i < grapheme.size();) {
      size_t from = i;
      nextCodePoint(grapheme, i);
      append(grapheme.substr(from, i - from));
    }
  }
  text = std::move(out);
}

void weir::rt::tok::normalize(const std::vector<Step> &steps,
                              std::u16string &text) {
  for (const Step &step : steps) {
    auto kind = NormalizerKind(step.kind);
    switch (kind) {
    case NormalizerKind::NFC:
    case NormalizerKind::NFD:
    case NormalizerKind::NFKC:
    case NormalizerKind::NFKD:
      normalForm(kind, text);
      break;
    case NormalizerKind::Lowercase:
      lowercase(text);
      break;
    case NormalizerKind::Strip:
      strip(step.option, text);
      break;
    case NormalizerKind::StripAccents:
      removeCharacters(text, [](char32_t c) {
        return (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0;
      });
      break;
    case NormalizerKind::ReplaceLiteral:
      replaceLiteral(step, text);
      break;
    case NormalizerKind::ReplaceRegex:
      replaceRegex(step, text);
      break;
    case NormalizerKind::Prepend:
      if (!text.empty())
        text.insert(0, step.a);
      break;
    case NormalizerKind::ByteLevel:
      text = mapBytes(text);
      break;
    case NormalizerKind::BertCleanText:
      bertCleanText(text);
      break;
    case NormalizerKind::BertSpaceHan:
      mapCharacters(text, [](char32_t c, std::u16string &out) {
        bool han = isHan(c);
        if (han)
          out.push_back(u' ');
        appendCodePoint(c, out);
        if (han)
          out.push_back(u' ');
      });
      break;
    case NormalizerKind::StripNonspacing:
      removeCharacters(
          text, [](char32_t c) { return u_charType(c) == U_NON_SPACING_MARK; });
      break;
    case NormalizerKind::Precompiled:
      precompiled(step, text);
      break;
    case NormalizerKind::Nmt:
      nmt(text);
      break;
    }
  }
}
