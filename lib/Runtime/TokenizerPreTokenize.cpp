//===- TokenizerPreTokenize.cpp - Cut text into words ---------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TokenizerImpl.h"

using namespace weir::rt::tok;

namespace {
/// A stretch of a piece, matched by a pattern or between matches.
struct Range {
  size_t start, end;
  bool match;
};
} // namespace

/// Ranges that cover `text`, with `match` set on each code point that `test`
/// accepts.
template <typename Test>
static std::vector<Range> matchCharacters(std::u16string_view text, Test test) {
  std::vector<Range> ranges;
  size_t previous = 0;
  for (size_t i = 0; i < text.size();) {
    size_t start = i;
    if (!test(nextCodePoint(text, i)))
      continue;
    if (previous < start)
      ranges.push_back({previous, start, false});
    ranges.push_back({start, i, true});
    previous = i;
  }
  if (previous < text.size())
    ranges.push_back({previous, text.size(), false});
  return ranges;
}

static std::vector<Range> matchLiteral(std::u16string_view text,
                                       std::u16string_view literal) {
  std::vector<Range> ranges;
  size_t previous = 0;
  if (!literal.empty())
    for (size_t at = text.find(literal); at != text.npos;
         at = text.find(literal, previous)) {
      if (previous < at)
        ranges.push_back({previous, at, false});
      previous = at + literal.size();
      ranges.push_back({at, previous, true});
    }
  if (previous < text.size())
    ranges.push_back({previous, text.size(), false});
  return ranges;
}

static std::vector<Range> matchRegex(std::u16string_view text,
                                     const icu::RegexPattern &regex) {
  std::vector<Range> ranges;
  size_t previous = 0;
  forEachMatch(regex, text, [&](size_t start, size_t end) {
    if (previous != start)
      ranges.push_back({previous, start, false});
    ranges.push_back({start, end, true});
    previous = end;
  });
  if (previous < text.size())
    ranges.push_back({previous, text.size(), false});
  return ranges;
}

/// Joins or drops ranges as the behaviour asks.
static std::vector<Range> applyBehaviour(std::vector<Range> ranges,
                                         SplitBehaviour behaviour) {
  std::vector<Range> out;
  bool previousMatch = false;
  switch (behaviour) {
  case SplitBehaviour::Isolated:
    return ranges;
  case SplitBehaviour::Removed:
    for (const Range &range : ranges)
      if (!range.match)
        out.push_back(range);
    return out;
  case SplitBehaviour::Contiguous:
    for (const Range &range : ranges) {
      if (!out.empty() && out.back().match == range.match)
        out.back().end = range.end;
      else
        out.push_back(range);
    }
    return out;
  case SplitBehaviour::MergedWithPrevious:
    for (const Range &range : ranges) {
      if (range.match && !previousMatch && !out.empty())
        out.back().end = range.end;
      else
        out.push_back(range);
      previousMatch = range.match;
    }
    return out;
  case SplitBehaviour::MergedWithNext:
    for (auto it = ranges.rbegin(); it != ranges.rend(); ++it) {
      if (it->match && !previousMatch && !out.empty())
        out.back().start = it->start;
      else
        out.push_back(*it);
      previousMatch = it->match;
    }
    return {out.rbegin(), out.rend()};
  }
  return ranges;
}

/// Appends the text of each range as a piece of its own.
static void cut(Piece &piece, const std::vector<Range> &ranges,
                std::vector<Piece> &out) {
  std::u16string_view text = piece.text;
  for (const Range &range : ranges) {
    if (range.start >= range.end)
      continue;
    Piece part;
    part.text = text.substr(range.start, range.end - range.start);
    part.first = piece.first && range.start == 0;
    out.push_back(std::move(part));
  }
}

static std::vector<Range> invertIf(std::vector<Range> ranges, bool invert) {
  if (invert)
    for (Range &range : ranges)
      range.match = !range.match;
  return ranges;
}

static void splitFixedLength(Piece &piece, uint32_t length,
                             std::vector<Piece> &out) {
  std::vector<Range> ranges;
  std::u16string_view text = piece.text;
  for (size_t i = 0; i < text.size();) {
    size_t start = i;
    for (uint32_t n = 0; n != length && i < text.size(); ++n)
      nextCodePoint(text, i);
    ranges.push_back({start, i, false});
  }
  cut(piece, ranges, out);
}

static void runMetaspace(const Step &step, Piece &piece,
                         std::vector<Piece> &out) {
  std::u16string text;
  for (char16_t c : piece.text) {
    if (c == u' ')
      text += step.a;
    else
      text.push_back(c);
  }
  auto scheme = PrependScheme(step.option & 0xff);
  bool prepend = scheme == PrependScheme::Always ||
                 (scheme == PrependScheme::First && piece.first);
  if (prepend && text.compare(0, step.a.size(), step.a) != 0)
    text.insert(0, step.a);
  piece.text = std::move(text);
  if (step.option & metaspaceSplit)
    cut(piece,
        applyBehaviour(matchLiteral(piece.text, step.a),
                       SplitBehaviour::MergedWithNext),
        out);
  else
    out.push_back(std::move(piece));
}

static void runStep(const Step &step, Piece &piece, std::vector<Piece> &out) {
  auto behaviour = SplitBehaviour(step.option & 0xff);
  bool invert = step.option & splitInvert;
  switch (PreTokenizerKind(step.kind)) {
  case PreTokenizerKind::SplitLiteral:
    return cut(
        piece,
        applyBehaviour(invertIf(matchLiteral(piece.text, step.a), invert),
                       behaviour),
        out);
  case PreTokenizerKind::SplitRegex:
    return cut(
        piece,
        applyBehaviour(invertIf(matchRegex(piece.text, *step.regex), invert),
                       behaviour),
        out);
  case PreTokenizerKind::Digits:
    return cut(piece,
               applyBehaviour(matchCharacters(piece.text, isNumeric),
                              step.option ? SplitBehaviour::Isolated
                                          : SplitBehaviour::Contiguous),
               out);
  case PreTokenizerKind::Punctuation:
    return cut(
        piece,
        applyBehaviour(matchCharacters(piece.text, isPunctuation), behaviour),
        out);
  case PreTokenizerKind::WhitespaceSplit:
    return cut(piece,
               applyBehaviour(matchCharacters(piece.text, isWhitespace),
                              SplitBehaviour::Removed),
               out);
  case PreTokenizerKind::BertPunctuation:
    return cut(piece, matchCharacters(piece.text, isPunctuation), out);
  case PreTokenizerKind::ByteLevel:
    piece.text = mapBytes(piece.text);
    out.push_back(std::move(piece));
    return;
  case PreTokenizerKind::Metaspace:
    return runMetaspace(step, piece, out);
  case PreTokenizerKind::FixedLength:
    return splitFixedLength(piece, step.option, out);
  case PreTokenizerKind::PrefixSpace:
    if (piece.text.empty() || piece.text[0] != u' ')
      piece.text.insert(0, 1, u' ');
    out.push_back(std::move(piece));
    return;
  }
}

void weir::rt::tok::preTokenize(const std::vector<Step> &steps,
                                std::vector<Piece> &pieces) {
  for (const Step &step : steps) {
    std::vector<Piece> out;
    out.reserve(pieces.size());
    for (Piece &piece : pieces) {
      if (piece.token >= 0)
        out.push_back(std::move(piece));
      else if (!piece.text.empty())
        runStep(step, piece, out);
    }
    pieces = std::move(out);
  }
}
