//===- TokenizerGGUFTest.cpp - Importing the tokenizer of a GGUF file -----===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TokenizerTestSupport.h"

using namespace weir;
using namespace weir::test;

namespace {

GGUFTokenizerMetadata byteLevel() {
  GGUFTokenizerMetadata m;
  m.model = "gpt2";
  m.pre = "smollm";
  m.tokens = {"<|im_start|>", "a", "b", "Ġ", "1", "ab", "Ġab", "11", "<u>"};
  m.tokenTypes = {3, 1, 1, 1, 1, 1, 1, 1, 4};
  m.merges = {"a b", "Ġ ab", "1 1"};
  m.bos = 0;
  return m;
}

GGUFTokenizerMetadata scored() {
  GGUFTokenizerMetadata m;
  m.model = "llama";
  m.tokens = {"<unk>", "<s>", "</s>", "<0xC3>", "<0xA9>", "▁",
              "a",     "b",   "▁a",   "ab",     "▁ab"};
  m.scores = {0, 0, 0, 0, 0, -9, -9, -9, -1, -2, -3};
  m.tokenTypes = {2, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1};
  return m;
}

TEST(TokenizerGGUF, NamedPreTokenizer) {
  auto t = load(importGGUFTokenizer(byteLevel()));
  // Digits stay apart although a merge would join them.
  EXPECT_EQ(t->encode("ab ab11<u><|im_start|>", false),
            (Ids{5, 6, 4, 4, 8, 0}));
  EXPECT_EQ(t->encode("a", true), (Ids{1}));
  EXPECT_EQ(t->decode(Ids{0, 5, 6, 8}), "ab ab<u>");
}

TEST(TokenizerGGUF, BosByRequestOrByFamily) {
  GGUFTokenizerMetadata m = byteLevel();
  m.addBos = true;
  EXPECT_EQ(load(importGGUFTokenizer(m))->encode("a", true), (Ids{0, 1}));
  m.addBos.reset();
  m.pre = "llama-bpe";
  EXPECT_EQ(load(importGGUFTokenizer(m))->encode("a", true), (Ids{0, 1}));
}

TEST(TokenizerGGUF, MergesByScore) {
  auto t = load(importGGUFTokenizer(scored()));
  // "▁a" has the better score than "ab", and "▁ab" is still reached from it.
  EXPECT_EQ(t->encode("ab", true), (Ids{1, 10}));
  EXPECT_EQ(t->encode("aé", false), (Ids{8, 3, 4}));
  EXPECT_EQ(t->encode("a\xc3", false), (Ids{8, 3}));
  EXPECT_EQ(t->encode("a?", false), (Ids{8, 0}));
  EXPECT_EQ(t->decode(Ids{1, 10, 10}), "ab ab");
}

TEST(TokenizerGGUF, NoSpacePrefix) {
  GGUFTokenizerMetadata m = scored();
  m.addSpacePrefix = false;
  auto t = load(importGGUFTokenizer(m));
  EXPECT_EQ(t->encode("ab ab", false), (Ids{9, 10}));
  EXPECT_EQ(t->decode(Ids{10}), " ab");
}

TEST(TokenizerGGUF, Errors) {
  auto contains = [](const std::string &text, const char *part) {
    return text.find(part) != std::string::npos;
  };
  GGUFTokenizerMetadata m = byteLevel();
  m.model = "rwkv";
  EXPECT_EQ(failure(importGGUFTokenizer(m)),
            "tokenizer.ggml.model is 'rwkv': expected gpt2 or llama");
  m = byteLevel();
  m.pre = "unheard-of";
  EXPECT_TRUE(contains(failure(importGGUFTokenizer(m)),
                       "tokenizer.ggml.pre is 'unheard-of'"));
  m = byteLevel();
  m.merges.push_back("q r");
  EXPECT_TRUE(contains(failure(importGGUFTokenizer(m)), "needs the token 'q'"));
  m = byteLevel();
  m.bos = 99;
  EXPECT_EQ(failure(importGGUFTokenizer(m)),
            "tokenizer.ggml.bos_token_id is 99 in a vocabulary of 9");
  m = scored();
  m.scores.pop_back();
  EXPECT_EQ(failure(importGGUFTokenizer(m)),
            "tokenizer.ggml.scores has 10 entries where "
            "tokenizer.ggml.tokens has 11");
}

/// Every pattern in the table of names compiles.
TEST(TokenizerGGUF, AllNamedPreTokenizersLoad) {
  for (const char *pre : {"",
                          "default",
                          "gpt-2",
                          "llama-bpe",
                          "dbrx",
                          "qwen2",
                          "smollm",
                          "starcoder",
                          "refact",
                          "command-r",
                          "falcon",
                          "deepseek-llm",
                          "deepseek-coder",
                          "deepseek-v3",
                          "tekken",
                          "gpt-4o",
                          "bloom",
                          "viking",
                          "bailingmoe",
                          "seed-coder"}) {
    GGUFTokenizerMetadata m = byteLevel();
    m.pre = pre;
    auto t = load(importGGUFTokenizer(m));
    ASSERT_TRUE(t.tokenizer) << pre;
    EXPECT_EQ(t->encode("ab ab", false), (Ids{5, 6})) << pre;
  }
}

} // namespace
