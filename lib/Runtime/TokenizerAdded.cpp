//===- TokenizerAdded.cpp - Tokens recognised in raw text -----------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TokenizerImpl.h"

using namespace weir::rt::tok;

static uint64_t edge(uint32_t node, char16_t unit) {
  return uint64_t(node) << 16 | unit;
}

void AddedTrie::insert(std::u16string_view text, Token token) {
  if (text.empty())
    return;
  if (starts.empty())
    starts.resize(0x10000);
  starts[text[0]] = true;
  uint32_t node = 0;
  for (char16_t unit : text) {
    auto [it, added] = edges.try_emplace(edge(node, unit), endsAt.size());
    if (added)
      endsAt.push_back(-1);
    node = it->second;
  }
  if (endsAt[node] >= 0)
    return;
  endsAt[node] = int32_t(tokens.size());
  tokens.push_back(token);
}

int32_t AddedTrie::longest(std::u16string_view text, size_t at,
                           size_t &length) const {
  int32_t found = -1;
  uint32_t node = 0;
  if (!starts[text[at]])
    return -1;
  for (size_t i = at; i != text.size(); ++i) {
    auto it = edges.find(edge(node, text[i]));
    if (it == edges.end())
      break;
    node = it->second;
    if (endsAt[node] >= 0) {
      found = endsAt[node];
      length = i + 1 - at;
    }
  }
  return found;
}

void AddedTrie::split(Piece piece, std::vector<Piece> &out) const {
  if (empty()) {
    out.push_back(std::move(piece));
    return;
  }
  std::u16string_view text = piece.text;
  auto appendText = [&](size_t start, size_t end) {
    if (start >= end)
      return;
    Piece part;
    part.text = text.substr(start, end - start);
    part.first = piece.first && start == 0;
    out.push_back(std::move(part));
  };
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    size_t length = 0;
    int32_t number = longest(text, at, length);
    if (number < 0) {
      ++at;
      continue;
    }
    size_t start = at, end = at + length;
    at = end;
    const Token &token = tokens[number];
    if (token.flags & AddedSingleWord) {
      size_t before = start, after = end;
      if (start > 0 && isWordCharacter(previousCodePoint(text, before)))
        continue;
      if (end < text.size() && isWordCharacter(nextCodePoint(text, after)))
        continue;
    }
    if (token.flags & AddedLStrip)
      for (size_t i = start; start > done;) {
        if (!isWhitespace(previousCodePoint(text, i)))
          break;
        start = i;
      }
    if (token.flags & AddedRStrip)
      for (size_t i = end; i < text.size();) {
        if (!isWhitespace(nextCodePoint(text, i)))
          break;
        end = i;
      }
    // White space taken by the token before may have held this one.
    if (start < done)
      continue;
    appendText(done, start);
    Piece match;
    match.token = int32_t(token.id);
    out.push_back(std::move(match));
    done = end;
  }
  appendText(done, text.size());
}
