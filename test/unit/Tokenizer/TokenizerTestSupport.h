//===- TokenizerTestSupport.h - Small tokenizers for tests ------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TEST_UNIT_TOKENIZER_TOKENIZERTESTSUPPORT_H
#define WEIR_TEST_UNIT_TOKENIZER_TOKENIZERTESTSUPPORT_H

#include "weir-rt/Tokenizer.h"
#include "weir/Frontend/TokenizerSpec.h"
#include <gtest/gtest.h>

namespace weir::test {

using Ids = std::vector<int32_t>;

/// A tokenizer together with the blob it refers to.
struct LoadedTokenizer {
  std::vector<uint8_t> blob;
  std::unique_ptr<rt::Tokenizer> tokenizer;

  const rt::Tokenizer *operator->() const { return tokenizer.get(); }
};

/// Loads an imported tokenizer; a failure fails the test.
inline LoadedTokenizer load(llvm::Expected<TokenizerSpec> spec) {
  LoadedTokenizer result;
  if (!spec) {
    ADD_FAILURE() << llvm::toString(spec.takeError());
    return result;
  }
  result.blob = serializeTokenizer(*spec);
  std::string error;
  result.tokenizer =
      rt::Tokenizer::create(result.blob.data(), result.blob.size(), error);
  EXPECT_TRUE(result.tokenizer) << error;
  return result;
}

/// The message of an import that must fail.
inline std::string failure(llvm::Expected<TokenizerSpec> spec) {
  if (spec)
    return "(no error)";
  return llvm::toString(spec.takeError());
}

/// A tokenizer.json around a model, with further members.
inline std::string json(const std::string &model, const std::string &rest) {
  return "{\"model\": " + model + (rest.empty() ? "" : ", " + rest) + "}";
}

/// Byte-level BPE: 'a', 'b', 'c', a space, "ab", "abc", " a".
inline const char byteModel[] =
    R"({"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "Ġ": 3, "ab": 4,
        "abc": 5, "Ġa": 6}, "merges": ["a b", ["ab", "c"], "Ġ a"]})";

/// BPE with byte fallback for the bytes of U+00E9.
inline const char fallbackModel[] =
    R"({"type": "BPE", "unk_token": "<unk>", "byte_fallback": true,
        "fuse_unk": true, "vocab": {"<unk>": 0, "▁": 1, "h": 2, "i": 3,
        "▁hi": 4, "hi": 5, "<0xC3>": 6, "<0xA9>": 7},
        "merges": ["h i", "▁ hi"]})";

} // namespace weir::test

#endif // WEIR_TEST_UNIT_TOKENIZER_TOKENIZERTESTSUPPORT_H
