//===- SerializeTokenizer.cpp - Write the tokenizer blob ------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The layout is in docs/adr/002-tokenizer-blob.md; the reader is
// lib/Runtime/Tokenizer.cpp.
//
//===----------------------------------------------------------------------===//

#include "weir/Frontend/TokenizerSpec.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"

using namespace weir;
using namespace weir::rt::tok;

int32_t TokenizerSpec::findToken(llvm::StringRef text) const {
  for (const auto &[id, token] : llvm::enumerate(tokens))
    if ((token.flags & TokenPresent) && token.text == text)
      return int32_t(id);
  return -1;
}

namespace {
/// Appends little-endian numbers and strings.
struct Writer {
  std::vector<uint8_t> bytes;

  void u32(uint32_t value) {
    uint8_t buffer[4];
    llvm::support::endian::write32le(buffer, value);
    bytes.insert(bytes.end(), buffer, buffer + 4);
  }

  void f64(double value) {
    uint8_t buffer[8];
    llvm::support::endian::write64le(buffer, llvm::bit_cast<uint64_t>(value));
    bytes.insert(bytes.end(), buffer, buffer + 8);
  }

  void string(llvm::StringRef text) {
    u32(uint32_t(text.size()));
    bytes.insert(bytes.end(), text.begin(), text.end());
  }

  /// One string of each token.
  void table(llvm::ArrayRef<TokenizerToken> tokens,
             std::string TokenizerToken::*field) {
    u32(uint32_t(tokens.size()));
    uint32_t offset = 0;
    u32(offset);
    for (const TokenizerToken &token : tokens)
      u32(offset += uint32_t((token.*field).size()));
    for (const TokenizerToken &token : tokens)
      bytes.insert(bytes.end(), (token.*field).begin(), (token.*field).end());
  }

  template <typename Kind>
  void steps(llvm::ArrayRef<TokenizerStep<Kind>> steps) {
    u32(uint32_t(steps.size()));
    for (const TokenizerStep<Kind> &step : steps) {
      u32(uint32_t(step.kind));
      u32(step.option);
      string(step.a);
      string(step.b);
    }
  }

  void ids(llvm::ArrayRef<int32_t> ids) {
    u32(uint32_t(ids.size()));
    for (int32_t id : ids)
      u32(uint32_t(id));
  }
};
} // namespace

std::vector<uint8_t> weir::serializeTokenizer(const TokenizerSpec &spec) {
  Writer writer;
  writer.u32(blobMagic);
  writer.u32(blobVersion);
  writer.u32(uint32_t(spec.model));
  writer.u32(spec.modelFlags);
  writer.u32(uint32_t(spec.unk));
  writer.u32(spec.maxWordChars);
  writer.string(spec.subwordPrefix);
  writer.string(spec.wordSuffix);

  writer.table(spec.tokens, &TokenizerToken::text);
  for (const TokenizerToken &token : spec.tokens)
    writer.bytes.push_back(token.flags);
  bool scored =
      spec.model == ModelKind::Unigram || spec.model == ModelKind::ScoredBPE;
  writer.u32(scored ? uint32_t(spec.tokens.size()) : 0);
  if (scored)
    for (const TokenizerToken &token : spec.tokens)
      writer.f64(token.score);
  writer.table(spec.tokens, &TokenizerToken::decoded);
  bool firstDiffers = llvm::any_of(spec.tokens, [](const TokenizerToken &t) {
    return t.decoded != t.decodedFirst;
  });
  if (firstDiffers)
    writer.table(spec.tokens, &TokenizerToken::decodedFirst);
  else
    writer.table({}, &TokenizerToken::decodedFirst);
  writer.u32(spec.stripLeft);
  writer.string(spec.stripText);

  writer.u32(uint32_t(spec.merges.size()));
  for (const TokenizerMerge &merge : spec.merges) {
    writer.u32(merge.left);
    writer.u32(merge.right);
    writer.u32(merge.result);
  }
  writer.steps(llvm::ArrayRef(spec.normalizers));
  writer.steps(llvm::ArrayRef(spec.preTokenizers));
  writer.u32(uint32_t(spec.addedTokens.size()));
  for (const TokenizerAddedToken &token : spec.addedTokens) {
    writer.u32(token.id);
    writer.u32(token.flags);
    writer.string(token.text);
  }
  writer.ids(spec.prefix);
  writer.ids(spec.suffix);
  return std::move(writer.bytes);
}
