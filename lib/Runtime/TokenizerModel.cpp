//===- TokenizerModel.cpp - Cut words into tokens -------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Byte-pair encoding keeps the symbols of a word in a linked list and the
// possible merges in a heap, so that a word of n characters takes O(n log n)
// however long it is. Entries of the heap go stale when a neighbour is merged
// first; they are recognised when they come up.
//
//===----------------------------------------------------------------------===//

#include "TokenizerImpl.h"
#include <algorithm>
#include <cstring>
#include <limits>

using namespace weir::rt::tok;

static uint32_t readU32(const uint8_t *p) {
  return p[0] | p[1] << 8 | p[2] << 16 | uint32_t(p[3]) << 24;
}

std::string_view StringTable::operator[](uint32_t i) const {
  uint32_t start = readU32(offsets + size_t(i) * 4);
  uint32_t end = readU32(offsets + size_t(i) * 4 + 4);
  return {pool + start, end - start};
}

//===----------------------------------------------------------------------===//
// Hash tables
//===----------------------------------------------------------------------===//

static size_t hashString(std::string_view text) {
  return std::hash<std::string_view>()(text);
}

/// A power of two with room for `count` entries at half load.
static size_t tableSize(size_t count) {
  size_t size = 16;
  while (size < count * 2)
    size *= 2;
  return size;
}

void StringIndex::build(const StringTable &table, const uint8_t *flags,
                        uint8_t mask) {
  strings = table;
  slots.assign(tableSize(table.size), -1);
  for (uint32_t i = 0; i != table.size; ++i) {
    if (!(flags[i] & mask))
      continue;
    std::string_view text = table[i];
    size_t at = hashString(text) & (slots.size() - 1);
    while (slots[at] >= 0 && table[slots[at]] != text)
      at = (at + 1) & (slots.size() - 1);
    slots[at] = int32_t(i);
  }
}

int32_t StringIndex::find(std::string_view text) const {
  if (slots.empty())
    return -1;
  size_t at = hashString(text) & (slots.size() - 1);
  while (slots[at] >= 0 && strings[slots[at]] != text)
    at = (at + 1) & (slots.size() - 1);
  return slots[at];
}

void PrefixIndex::build(const StringTable &table, const uint8_t *flags,
                        uint8_t mask) {
  strings = table;
  for (uint32_t i = 0; i != table.size; ++i)
    if ((flags[i] & mask) && !table[i].empty())
      sorted.push_back(i);
  std::sort(sorted.begin(), sorted.end(),
            [&](uint32_t a, uint32_t b) { return table[a] < table[b]; });
}

void PrefixIndex::narrow(size_t depth, char c, size_t &low,
                         size_t &high) const {
  // The strings too short come first, in order with the bytes of the others.
  auto byteAt = [&](uint32_t id) {
    std::string_view text = strings[id];
    return depth < text.size() ? int(uint8_t(text[depth])) : -1;
  };
  auto begin = sorted.begin() + low, end = sorted.begin() + high;
  auto first =
      std::lower_bound(begin, end, int(uint8_t(c)), [&](uint32_t id, int byte) {
        return byteAt(id) < byte;
      });
  auto last =
      std::upper_bound(first, end, int(uint8_t(c)), [&](int byte, uint32_t id) {
        return byte < byteAt(id);
      });
  low = first - sorted.begin();
  high = last - sorted.begin();
}

void MergeIndex::reserve(uint32_t count) {
  slots.assign(tableSize(count), Merge());
}

size_t MergeIndex::slot(uint64_t pair) const {
  uint64_t hash = pair * 0x9e3779b97f4a7c15ull;
  size_t at = (hash ^ hash >> 32) & (slots.size() - 1);
  while (slots[at].pair != pair && slots[at].pair != ~uint64_t(0))
    at = (at + 1) & (slots.size() - 1);
  return at;
}

void MergeIndex::insert(uint32_t left, uint32_t right, uint32_t rank,
                        uint32_t result) {
  uint64_t pair = uint64_t(left) << 32 | right;
  slots[slot(pair)] = {pair, rank, result};
}

const MergeIndex::Merge *MergeIndex::find(uint32_t left, uint32_t right) const {
  if (slots.empty())
    return nullptr;
  const Merge &merge = slots[slot(uint64_t(left) << 32 | right)];
  return merge.pair == ~uint64_t(0) ? nullptr : &merge;
}

//===----------------------------------------------------------------------===//
// Preparation
//===----------------------------------------------------------------------===//

double Model::score(uint32_t id) const {
  uint64_t bits = readU32(scores + size_t(id) * 8) |
                  uint64_t(readU32(scores + size_t(id) * 8 + 4)) << 32;
  double value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

void Model::prepare(const uint8_t *tokenFlags) {
  index.build(texts, tokenFlags, TokenInModel);
  minScore = std::numeric_limits<double>::infinity();
  for (uint32_t i = 0; i != texts.size; ++i) {
    if (!(tokenFlags[i] & TokenInModel))
      continue;
    longestToken = std::max<uint32_t>(longestToken, texts[i].size());
    if (scores)
      minScore = std::min(minScore, score(i));
  }
  if (kind == ModelKind::Unigram)
    prefixes.build(texts, tokenFlags, TokenInModel);
  // Most characters are below U+0180: all of a byte-level vocabulary's are.
  charTokens.assign(0x180, -1);
  for (char32_t c = 0; c != charTokens.size(); ++c) {
    std::u16string unit(1, char16_t(c));
    std::string bytes;
    appendBytes(unit, bytes);
    charTokens[c] = index.find(bytes);
  }
  byteTokens.assign(256, -1);
  if (flags & ModelByteFallback)
    for (unsigned b = 0; b != 256; ++b) {
      static const char digits[] = "0123456789ABCDEF";
      char name[] = {'<', '0', 'x', digits[b >> 4], digits[b & 15], '>'};
      byteTokens[b] = index.find({name, sizeof(name)});
    }
}

bool Model::appendByteTokens(std::string_view text,
                             std::vector<int32_t> &out) const {
  if (!(flags & ModelByteFallback))
    return false;
  for (char b : text)
    if (byteTokens[uint8_t(b)] < 0)
      return false;
  for (char b : text)
    out.push_back(byteTokens[uint8_t(b)]);
  return true;
}

//===----------------------------------------------------------------------===//
// Byte-pair encoding by rank
//===----------------------------------------------------------------------===//

namespace {
/// One symbol of a word; merged ones are marked dead.
struct Symbol {
  int32_t token;
  int32_t previous, next;
};

/// A merge that was possible when it was pushed.
struct Candidate {
  uint32_t rank;
  uint32_t position;
  uint32_t result;
  /// The heap's top is the lowest rank, and of equals the leftmost.
  bool operator<(const Candidate &other) const {
    if (rank != other.rank)
      return rank > other.rank;
    return position > other.position;
  }
};
} // namespace

static constexpr int32_t deadToken = -1;

/// Merges the symbols until no merge applies.
static void mergeByRank(const MergeIndex &merges,
                        std::vector<Symbol> &symbols) {
  std::vector<Candidate> heap;
  auto consider = [&](int32_t left) {
    int32_t right = symbols[left].next;
    if (right < 0)
      return false;
    const MergeIndex::Merge *merge =
        merges.find(symbols[left].token, symbols[right].token);
    if (!merge)
      return false;
    heap.push_back({merge->rank, uint32_t(left), merge->result});
    return true;
  };
  for (size_t i = 0; i + 1 < symbols.size(); ++i)
    consider(int32_t(i));
  std::make_heap(heap.begin(), heap.end());
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    Candidate top = heap.back();
    heap.pop_back();
    Symbol &left = symbols[top.position];
    if (left.token == deadToken || left.next < 0)
      continue;
    Symbol &right = symbols[left.next];
    const MergeIndex::Merge *merge = merges.find(left.token, right.token);
    if (!merge || merge->result != top.result)
      continue;
    left.token = int32_t(top.result);
    right.token = deadToken;
    left.next = right.next;
    if (left.next >= 0)
      symbols[left.next].previous = int32_t(top.position);
    if (left.previous >= 0 && consider(left.previous))
      std::push_heap(heap.begin(), heap.end());
    if (consider(int32_t(top.position)))
      std::push_heap(heap.begin(), heap.end());
  }
}

void Model::encodeBPE(std::string_view word, std::vector<int32_t> &out) const {
  if (flags & ModelIgnoreMerges)
    if (int32_t id = index.find(word); id >= 0) {
      out.push_back(id);
      return;
    }

  std::vector<int32_t> tokens;
  tokens.reserve(word.size());
  bool pendingUnk = false;
  std::string decorated;
  for (size_t i = 0; i < word.size();) {
    size_t length = characterBytes(word.substr(i));
    std::string_view symbol = word.substr(i, length);
    bool first = i == 0, last = i + length == word.size();
    i += length;
    int32_t id;
    if ((!first && !prefix.empty()) || (last && !suffix.empty())) {
      decorated.assign(first ? std::string_view() : prefix);
      decorated += symbol;
      if (last)
        decorated += suffix;
      symbol = decorated;
      id = index.find(symbol);
    } else if (length == 1 && uint8_t(symbol[0]) < 0x80) {
      id = charTokens[uint8_t(symbol[0])];
    } else if (char32_t c; length == 2 &&
                           (c = (symbol[0] & 0x1f) << 6 | (symbol[1] & 0x3f)) <
                               charTokens.size()) {
      id = charTokens[c];
    } else {
      id = index.find(symbol);
    }

    if (id >= 0) {
      if (pendingUnk)
        tokens.push_back(unk);
      pendingUnk = false;
      tokens.push_back(id);
      continue;
    }
    if (appendByteTokens(symbol, tokens) || unk < 0)
      continue;
    if (pendingUnk && !(flags & ModelFuseUnk))
      tokens.push_back(unk);
    pendingUnk = true;
  }
  if (pendingUnk)
    tokens.push_back(unk);

  std::vector<Symbol> symbols(tokens.size());
  for (size_t i = 0, e = tokens.size(); i != e; ++i)
    symbols[i] = {tokens[i], int32_t(i) - 1, i + 1 == e ? -1 : int32_t(i) + 1};
  mergeByRank(merges, symbols);
  for (const Symbol &symbol : symbols)
    if (symbol.token != deadToken)
      out.push_back(symbol.token);
}

//===----------------------------------------------------------------------===//
// Byte-pair encoding by score
//===----------------------------------------------------------------------===//

namespace {
/// A span of the word; merged ones are empty.
struct Span {
  size_t start, length;
  int32_t previous, next;
};

/// A merge of two spans that was possible when it was pushed.
struct ScoredCandidate {
  double score;
  int32_t left, right;
  size_t length;
  /// The heap's top is the highest score, and of equals the leftmost.
  bool operator<(const ScoredCandidate &other) const {
    if (score != other.score)
      return score < other.score;
    return left > other.left;
  }
};
} // namespace

void Model::encodeScored(std::string_view word,
                         std::vector<int32_t> &out) const {
  std::vector<Span> spans;
  for (size_t i = 0; i < word.size();) {
    size_t length = characterBytes(word.substr(i));
    int32_t number = int32_t(spans.size());
    spans.push_back({i, length, number - 1, number + 1});
    i += length;
  }
  if (!spans.empty())
    spans.back().next = -1;

  std::vector<ScoredCandidate> heap;
  auto consider = [&](int32_t left, int32_t right) {
    if (left < 0 || right < 0)
      return false;
    size_t length = spans[left].length + spans[right].length;
    if (length > longestToken)
      return false;
    int32_t id = index.find(word.substr(spans[left].start, length));
    if (id < 0)
      return false;
    heap.push_back({score(id), left, right, length});
    return true;
  };
  for (size_t i = 0; i + 1 < spans.size(); ++i)
    consider(int32_t(i), int32_t(i) + 1);
  std::make_heap(heap.begin(), heap.end());
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    ScoredCandidate top = heap.back();
    heap.pop_back();
    Span &left = spans[top.left];
    Span &right = spans[top.right];
    if (!left.length || !right.length ||
        left.length + right.length != top.length)
      continue;
    left.length += right.length;
    right.length = 0;
    left.next = right.next;
    if (left.next >= 0)
      spans[left.next].previous = top.left;
    if (consider(left.previous, top.left))
      std::push_heap(heap.begin(), heap.end());
    if (consider(top.left, left.next))
      std::push_heap(heap.begin(), heap.end());
  }
  for (const Span &span : spans) {
    if (!span.length)
      continue;
    std::string_view text = word.substr(span.start, span.length);
    if (int32_t id = index.find(text); id >= 0)
      out.push_back(id);
    else if (!appendByteTokens(text, out) && unk >= 0)
      out.push_back(unk);
  }
}

//===----------------------------------------------------------------------===//
// Longest match first
//===----------------------------------------------------------------------===//

void Model::encodeWordPiece(std::string_view word,
                            std::vector<int32_t> &out) const {
  uint32_t chars = 0;
  for (size_t i = 0; i < word.size(); ++chars)
    i += characterBytes(word.substr(i));
  size_t mark = out.size();
  bool bad = chars > maxWordChars;
  std::string candidate;
  for (size_t start = 0; start < word.size() && !bad;) {
    std::string_view inside = start ? prefix : std::string_view();
    candidate.assign(inside);
    candidate += word.substr(start);
    int32_t id = -1;
    // Bytes that end inside a character find no token: vocabularies are text.
    while (candidate.size() > inside.size() && (id = index.find(candidate)) < 0)
      candidate.pop_back();
    bad = id < 0;
    out.push_back(id);
    start += candidate.size() - inside.size();
  }
  if (!bad)
    return;
  out.resize(mark);
  if (unk >= 0)
    out.push_back(unk);
}

//===----------------------------------------------------------------------===//
// Best path
//===----------------------------------------------------------------------===//

void Model::encodeUnigram(std::string_view word,
                          std::vector<int32_t> &out) const {
  struct Node {
    double score = 0;
    size_t start = std::string_view::npos;
    int32_t token = -1;
  };
  constexpr double unkPenalty = 10;
  std::vector<Node> best(word.size() + 1);
  auto offer = [&](size_t end, Node node) {
    Node &target = best[end];
    if (target.start == std::string_view::npos || node.score > target.score)
      target = node;
  };
  for (size_t start = 0; start < word.size();) {
    double score = best[start].score;
    size_t char0 = characterBytes(word.substr(start));
    bool known = false;
    prefixes.forEachPrefix(word.substr(start), [&](size_t length) {
      int32_t id = index.find(word.substr(start, length));
      offer(start + length, {this->score(id) + score, start, id});
      known |= length == char0;
    });
    if (!known)
      offer(start + char0, {minScore - unkPenalty + score, start, unk});
    start += char0;
  }

  // From the end: the parts, with runs of unknowns in one.
  std::vector<std::string_view> parts;
  bool inUnk = false;
  for (size_t end = word.size(); end > 0;) {
    const Node &node = best[end];
    bool isUnk = (flags & ModelFuseUnk) && node.token == unk;
    std::string_view part = word.substr(node.start, end - node.start);
    if (isUnk && inUnk)
      parts.back() = {part.data(), part.size() + parts.back().size()};
    else
      parts.push_back(part);
    inUnk = isUnk;
    end = node.start;
  }
  for (auto it = parts.rbegin(); it != parts.rend(); ++it) {
    if (int32_t id = index.find(*it); id >= 0)
      out.push_back(id);
    else if (!appendByteTokens(*it, out) && unk >= 0)
      out.push_back(unk);
  }
}

void Model::encode(std::string_view word, std::vector<int32_t> &out) const {
  if (word.empty())
    return;
  switch (kind) {
  case ModelKind::BPE:
    return encodeBPE(word, out);
  case ModelKind::ScoredBPE:
    return encodeScored(word, out);
  case ModelKind::WordPiece:
    return encodeWordPiece(word, out);
  case ModelKind::Unigram:
    return encodeUnigram(word, out);
  case ModelKind::WordLevel:
    if (int32_t id = index.find(word); id >= 0)
      out.push_back(id);
    else if (unk >= 0)
      out.push_back(unk);
    return;
  }
}
