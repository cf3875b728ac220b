//===- TokenizerBlobTest.cpp - Damaged tokenizer blobs --------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TokenizerTestSupport.h"
#include <random>

using namespace weir;
using namespace weir::test;

namespace {

/// One tokenizer of each sort, as blobs.
std::vector<std::vector<uint8_t>> blobs() {
  std::vector<std::vector<uint8_t>> result;
  auto add = [&](llvm::Expected<TokenizerSpec> spec) {
    result.push_back(load(std::move(spec)).blob);
  };
  add(importTokenizerJson(
      json(byteModel,
           R"("pre_tokenizer": {"type": "Sequence", "pretokenizers": [
           {"type": "Digits", "individual_digits": true},
           {"type": "ByteLevel", "add_prefix_space": true}]},
         "normalizer": {"type": "NFC"}, "decoder": {"type": "ByteLevel"},
         "added_tokens": [{"id": 7, "content": "<s>", "special": true}])")));
  add(importTokenizerJson(
      json(fallbackModel,
           R"("pre_tokenizer": {"type": "Metaspace", "replacement": "▁"},
              "decoder": {"type": "Metaspace", "replacement": "▁"})")));
  add(importTokenizerJson(
      json(R"({"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0],
               ["a", -1], ["ab", -3]]})",
           R"("normalizer": {"type": "Replace", "content": " ",
              "pattern": {"Regex": " {2,}"}})")));
  return result;
}

/// Uses a tokenizer in every way; it must only survive.
void exercise(const rt::Tokenizer &t) {
  Ids ids = t.encode("ab  12 <s> hi \xc3\xa9\xff", true);
  t.decode(ids, true);
  std::string out;
  for (int32_t id : {-1, 0, 1, t.vocabSize(), INT32_MAX})
    t.decode(id, out);
}

TEST(TokenizerBlob, EveryTruncationIsRefused) {
  for (const std::vector<uint8_t> &blob : blobs())
    for (size_t size = 0; size != blob.size(); ++size) {
      // A copy of the exact size lets a sanitizer see reads past its end.
      std::vector<uint8_t> cut(blob.begin(), blob.begin() + size);
      std::string error;
      EXPECT_FALSE(rt::Tokenizer::create(cut.data(), cut.size(), error));
      EXPECT_EQ(error.rfind("tokenizer blob: ", 0), 0u) << error;
    }
}

TEST(TokenizerBlob, TrailingBytesAreRefused) {
  std::vector<uint8_t> blob = blobs().front();
  blob.push_back(0);
  std::string error;
  EXPECT_FALSE(rt::Tokenizer::create(blob.data(), blob.size(), error));
  EXPECT_EQ(error, "tokenizer blob: bytes follow its end");
}

TEST(TokenizerBlob, DamageNeverCrashes) {
  std::mt19937 random(1);
  for (const std::vector<uint8_t> &blob : blobs())
    for (int round = 0; round != 4000; ++round) {
      std::vector<uint8_t> damaged = blob;
      for (int n = 1 + round % 4; n; --n) {
        static const uint8_t values[] = {0, 1, 2, 0x7f, 0x80, 0xff};
        size_t at = random() % damaged.size();
        damaged[at] = random() % 2 ? values[random() % 6] : uint8_t(random());
      }
      std::string error;
      auto t = rt::Tokenizer::create(damaged.data(), damaged.size(), error);
      if (t)
        exercise(*t);
      else
        EXPECT_FALSE(error.empty());
    }
}

TEST(TokenizerBlob, OtherVersionsAreNamed) {
  std::vector<uint8_t> blob = blobs().front();
  blob[4] = 9;
  std::string error;
  EXPECT_FALSE(rt::Tokenizer::create(blob.data(), blob.size(), error));
  EXPECT_EQ(error, "tokenizer blob: version 9 where this runtime reads "
                   "version 1");
  blob[0] = 'x';
  EXPECT_FALSE(rt::Tokenizer::create(blob.data(), blob.size(), error));
  EXPECT_EQ(error, "tokenizer blob: does not start with 'WTOK'");
}

} // namespace
