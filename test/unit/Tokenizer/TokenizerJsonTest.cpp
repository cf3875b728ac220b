//===- TokenizerJsonTest.cpp - Importing tokenizer.json -------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TokenizerTestSupport.h"

using namespace weir;
using namespace weir::test;

namespace {

const char byteLevel[] =
    R"("pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
       "decoder": {"type": "ByteLevel"})";

std::string importError(const std::string &model, const std::string &rest) {
  return failure(importTokenizerJson(json(model, rest)));
}

TEST(TokenizerJson, ByteLevelMergesByRank) {
  auto t = load(importTokenizerJson(json(byteModel, byteLevel)));
  // "ab" merges before the space could take its "a".
  EXPECT_EQ(t->encode("abc a ab", false), (Ids{5, 6, 3, 4}));
  EXPECT_EQ(t->decode(Ids{5, 6, 3, 4}), "abc a ab");
  EXPECT_EQ(t->vocabSize(), 7);
  EXPECT_EQ(t->tokenId("Ġa"), 6);
  EXPECT_EQ(t->tokenId("nope"), -1);
}

TEST(TokenizerJson, ByteLevelDropsBytesItDoesNotHave) {
  auto t = load(importTokenizerJson(json(byteModel, byteLevel)));
  EXPECT_EQ(t->encode("a\xff\x80", false), (Ids{0}));
  EXPECT_TRUE(t->encode("", false).empty());
}

TEST(TokenizerJson, LongWordsTakeNoQuadraticTime) {
  auto t = load(importTokenizerJson(json(byteModel, byteLevel)));
  std::string word;
  for (int i = 0; i != 500000; ++i)
    word += "ab";
  Ids ids = t->encode(word, false);
  EXPECT_EQ(ids.size(), 500000u);
}

TEST(TokenizerJson, ByteFallbackKeepsInvalidBytes) {
  auto t = load(importTokenizerJson(
      json(fallbackModel,
           R"("normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "},
                 "content": "▁"}]},
              "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"},
                 "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})")));
  EXPECT_EQ(t->encode("hi é", false), (Ids{4, 1, 6, 7}));
  EXPECT_EQ(t->encode("hi\xc3", false), (Ids{4, 6}));
  EXPECT_EQ(t->decode(Ids{4, 1, 6, 7}), "hi é");
  // The second word keeps the space that the first one loses.
  std::string out;
  rt::Decoder decoder(*t.tokenizer);
  decoder.append(4, out);
  EXPECT_EQ(out, "hi");
  decoder.append(4, out);
  EXPECT_EQ(out, "hi hi");
  decoder.reset();
  decoder.append(4, out);
  EXPECT_EQ(out, "hi hihi");
}

TEST(TokenizerJson, UnknownsFuseWhereBytesAreMissing) {
  auto t = load(importTokenizerJson(json(fallbackModel, "")));
  EXPECT_EQ(t->encode("zzhizz", false), (Ids{0, 5, 0}));
}

TEST(TokenizerJson, SpecialTokensInTextAndTemplate) {
  auto t = load(importTokenizerJson(json(byteModel, std::string(byteLevel) +
                                                        R"(, "added_tokens": [
                {"id": 7, "content": "<s>", "special": true},
                {"id": 8, "content": "<x>", "special": false,
                 "lstrip": true, "rstrip": true, "normalized": false}],
               "post_processor": {"type": "TemplateProcessing", "single": [
                {"SpecialToken": {"id": "<s>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}}],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [7]}}})")));
  EXPECT_EQ(t->encode("a<s>b  <x>  c", true), (Ids{7, 0, 7, 1, 8, 2}));
  EXPECT_EQ(t->decode(Ids{7, 0, 8}), "a<x>");
  EXPECT_EQ(t->decode(Ids{7, 0, 8}, /*showSpecial=*/true), "<s>a<x>");
  EXPECT_TRUE(t->isSpecial(7));
  EXPECT_FALSE(t->isSpecial(8));
  EXPECT_FALSE(t->isSpecial(-1));
}

TEST(TokenizerJson, ConfigReplacesThePostProcessor) {
  std::string text =
      json(byteModel, std::string(byteLevel) + R"(, "added_tokens": [
        {"id": 7, "content": "<s>", "special": true},
        {"id": 8, "content": "</s>", "special": true}])");
  auto spec = importTokenizerJson(
      text, R"({"bos_token": {"content": "<s>"}, "eos_token": "</s>",
                "pad_token": null, "add_bos_token": true})");
  ASSERT_TRUE(bool(spec));
  EXPECT_EQ(spec->bos, 7);
  EXPECT_EQ(spec->eos, 8);
  EXPECT_EQ(spec->pad, -1);
  EXPECT_TRUE(spec->addBos);
  EXPECT_EQ(spec->prefix, (Ids{7}));
  auto plain = importTokenizerJson(text, R"({"bos_token": "<s>"})");
  ASSERT_TRUE(bool(plain));
  EXPECT_FALSE(plain->addBos);
}

TEST(TokenizerJson, WordPieceTakesTheLongestMatch) {
  auto t = load(
      importTokenizerJson(json(R"({"type": "WordPiece", "unk_token": "[UNK]",
               "continuing_subword_prefix": "##",
               "max_input_chars_per_word": 6,
               "vocab": {"[UNK]": 0, "un": 1, "##able": 2, "##ab": 3}})",
                               R"("pre_tokenizer": {"type": "BertPreTokenizer"},
              "decoder": {"type": "WordPiece", "prefix": "##",
                          "cleanup": true})")));
  EXPECT_EQ(t->encode("unable unab unx unababx", false),
            (Ids{1, 2, 1, 3, 0, 0}));
  EXPECT_EQ(t->encode("\xff", false), (Ids{0}));
  EXPECT_EQ(t->decode(Ids{1, 2, 1}), "unable un");
}

TEST(TokenizerJson, UnigramTakesTheBestPath) {
  auto t = load(importTokenizerJson(
      json(R"({"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0],
               ["a", -1], ["b", -1], ["ab", -3], ["aba", -1.5]]})",
           R"("decoder": {"type": "Fuse"})")));
  EXPECT_EQ(t->encode("ab", false), (Ids{1, 2}));
  EXPECT_EQ(t->encode("ababa", false), (Ids{1, 2, 4}));
  EXPECT_EQ(t->encode("a??b", false), (Ids{1, 0, 2}));
}

TEST(TokenizerJson, UnsupportedComponentsAreNamed) {
  EXPECT_EQ(importError(R"({"type": "Hybrid", "vocab": {}})", ""),
            "the tokenizer's model Hybrid is not supported: expected BPE, "
            "Unigram, WordLevel or WordPiece");
  auto contains = [](const std::string &text, const char *part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(contains(
      importError(byteModel, R"("pre_tokenizer": {"type": "UnicodeScripts"})"),
      "pre-tokenizer UnicodeScripts is not supported"));
  EXPECT_TRUE(
      contains(importError(byteModel, R"("normalizer": {"type": "Magic"})"),
               "normalizer Magic is not supported"));
  EXPECT_TRUE(contains(
      importError(byteModel, R"("normalizer": {"type": "NFC", "new": 1})"),
      "normalizer NFC has the option \"new\""));
  EXPECT_TRUE(contains(importError(byteModel, R"("decoder": {"type": "CTC"})"),
                       "decoder CTC is not supported"));
  EXPECT_TRUE(
      contains(importError(byteModel, R"("post_processor": {"type": "Other"})"),
               "post-processor Other is not supported"));
  EXPECT_TRUE(contains(
      importError(byteModel,
                  R"("pre_tokenizer": {"type": "Split", "behavior": "Isolated",
                "pattern": {"Regex": "(?<!a"}})"),
      "regular expression '(?<!a' is not supported"));
  EXPECT_TRUE(contains(
      importError(
          R"({"type": "BPE", "dropout": 0.1, "vocab": {}, "merges": []})", ""),
      "dropout"));
  EXPECT_TRUE(contains(
      importError(R"({"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]})",
                  ""),
      "needs the token 'b'"));
  EXPECT_TRUE(contains(
      importError(
          R"({"type": "BPE", "vocab": {"a": 4294967296}, "merges": []})", ""),
      "has an id that is not a number"));
}

} // namespace
