//===- TokenizerJsonModel.cpp - The model of a tokenizer.json -------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TokenizerImport.h"
#include "llvm/Support/ConvertUTF.h"

using namespace weir;
using namespace weir::rt::tok;
using llvm::json::Object;

TokenizerToken &weir::tokenAt(TokenizerSpec &spec, int64_t id) {
  if (size_t(id) >= spec.tokens.size())
    spec.tokens.resize(size_t(id) + 1);
  return spec.tokens[size_t(id)];
}

llvm::Error weir::addMerge(TokenizerSpec &spec, const VocabMap &vocab,
                           llvm::StringRef left, llvm::StringRef right,
                           size_t prefixBytes) {
  std::string joined = (left + right.drop_front(prefixBytes)).str();
  uint32_t ids[3];
  llvm::StringRef texts[] = {left, right, joined};
  for (int i = 0; i != 3; ++i) {
    auto it = vocab.find(texts[i]);
    if (it == vocab.end())
      return tokenizerError("merge {0} of the tokenizer ('{1}' and '{2}') "
                            "needs the token '{3}', which the vocabulary does "
                            "not have",
                            spec.merges.size(), left, right, texts[i]);
    ids[i] = uint32_t(it->second);
  }
  spec.merges.push_back({ids[0], ids[1], ids[2]});
  return llvm::Error::success();
}

/// Reads a vocabulary that maps texts to ids.
static llvm::Error importVocab(const Object &model, TokenizerSpec &spec,
                               VocabMap &vocab) {
  const Object *entries = model.getObject("vocab");
  if (!entries)
    return tokenizerError("the tokenizer's model has no object \"vocab\"");
  for (const auto &entry : *entries) {
    llvm::StringRef text = entry.first;
    auto id = entry.second.getAsInteger();
    if (!id || *id < 0 || *id > maxTokenId)
      return tokenizerError("the token '{0}' has an id that is not a number "
                            "from 0 to {1}",
                            text, maxTokenId);
    TokenizerToken &token = tokenAt(spec, *id);
    if (token.flags)
      return tokenizerError("the tokens '{0}' and '{1}' have the same id {2}",
                            token.text, text, *id);
    token.text = text.str();
    token.flags = TokenPresent | TokenInModel;
    vocab[text] = int32_t(*id);
  }
  return llvm::Error::success();
}

/// Reads "unk_token".
static llvm::Error importUnk(const Object &model, TokenizerSpec &spec,
                             const VocabMap &vocab, bool required) {
  auto unk = model.getString("unk_token");
  if (!unk && !required)
    return llvm::Error::success();
  if (!unk)
    return tokenizerError("the tokenizer's model has no \"unk_token\"");
  auto it = vocab.find(*unk);
  if (it == vocab.end())
    return tokenizerError("the unknown token '{0}' is not in the vocabulary",
                          *unk);
  spec.unk = it->second;
  return llvm::Error::success();
}

static llvm::Error importFlag(const Object &model, llvm::StringRef key,
                              ModelFlag flag, llvm::StringRef what,
                              TokenizerSpec &spec) {
  auto set = getBool(model, key, false, what);
  if (!set)
    return set.takeError();
  if (*set)
    spec.modelFlags |= flag;
  return llvm::Error::success();
}

static llvm::Error importBPE(const Object &model, TokenizerSpec &spec,
                             VocabMap &vocab) {
  llvm::StringRef what = "model BPE";
  spec.model = ModelKind::BPE;
  if (llvm::Error error =
          checkKeys(model, what,
                    {"dropout", "unk_token", "continuing_subword_prefix",
                     "end_of_word_suffix", "fuse_unk", "byte_fallback",
                     "ignore_merges", "vocab", "merges"}))
    return error;
  if (model.getNumber("dropout").value_or(0) != 0)
    return tokenizerError("the {0} has a dropout, which makes its results "
                          "random and is not supported",
                          what);
  if (llvm::Error error = importVocab(model, spec, vocab))
    return error;
  if (llvm::Error error = importUnk(model, spec, vocab, /*required=*/false))
    return error;
  if (llvm::Error error =
          importFlag(model, "fuse_unk", ModelFuseUnk, what, spec))
    return error;
  if (llvm::Error error =
          importFlag(model, "byte_fallback", ModelByteFallback, what, spec))
    return error;
  if (llvm::Error error =
          importFlag(model, "ignore_merges", ModelIgnoreMerges, what, spec))
    return error;
  spec.subwordPrefix =
      model.getString("continuing_subword_prefix").value_or("").str();
  spec.wordSuffix = model.getString("end_of_word_suffix").value_or("").str();

  const llvm::json::Array *merges = model.getArray("merges");
  if (!merges)
    return tokenizerError("the {0} has no list \"merges\"", what);
  spec.merges.reserve(merges->size());
  for (const llvm::json::Value &value : *merges) {
    std::optional<llvm::StringRef> left, right;
    if (auto text = value.getAsString()) {
      auto [first, second] = text->split(' ');
      if (!first.empty() && !second.empty() && !second.contains(' ')) {
        left = first;
        right = second;
      }
    } else if (const llvm::json::Array *pair = value.getAsArray();
               pair && pair->size() == 2) {
      left = (*pair)[0].getAsString();
      right = (*pair)[1].getAsString();
    }
    if (!left || !right)
      return tokenizerError("merge {0} of the tokenizer is not a pair of "
                            "tokens",
                            spec.merges.size());
    if (llvm::Error error =
            addMerge(spec, vocab, *left, *right, spec.subwordPrefix.size()))
      return error;
  }
  return llvm::Error::success();
}

static llvm::Error importWordPiece(const Object &model, TokenizerSpec &spec,
                                   VocabMap &vocab) {
  spec.model = ModelKind::WordPiece;
  if (llvm::Error error = checkKeys(model, "model WordPiece",
                                    {"unk_token", "continuing_subword_prefix",
                                     "max_input_chars_per_word", "vocab"}))
    return error;
  if (llvm::Error error = importVocab(model, spec, vocab))
    return error;
  spec.subwordPrefix =
      model.getString("continuing_subword_prefix").value_or("##").str();
  int64_t longest = model.getInteger("max_input_chars_per_word").value_or(100);
  spec.maxWordChars =
      uint32_t(std::min<int64_t>(std::max<int64_t>(longest, 0), UINT32_MAX));
  return importUnk(model, spec, vocab, /*required=*/true);
}

static llvm::Error importWordLevel(const Object &model, TokenizerSpec &spec,
                                   VocabMap &vocab) {
  spec.model = ModelKind::WordLevel;
  if (llvm::Error error =
          checkKeys(model, "model WordLevel", {"unk_token", "vocab"}))
    return error;
  if (llvm::Error error = importVocab(model, spec, vocab))
    return error;
  // A name that is not in the vocabulary only matters for unknown words.
  if (auto unk = model.getString("unk_token"))
    if (auto it = vocab.find(*unk); it != vocab.end())
      spec.unk = it->second;
  return llvm::Error::success();
}

static llvm::Error importUnigram(const Object &model, TokenizerSpec &spec,
                                 VocabMap &vocab) {
  llvm::StringRef what = "model Unigram";
  spec.model = ModelKind::Unigram;
  // Unknown characters in a row always make one token.
  spec.modelFlags |= ModelFuseUnk;
  if (llvm::Error error = checkKeys(
          model, what,
          {"unk_id", "vocab", "byte_fallback", "alpha", "nbest_size"}))
    return error;
  for (llvm::StringRef key : {"alpha", "nbest_size"})
    if (const llvm::json::Value *value = model.get(key);
        value && !value->getAsNull())
      return tokenizerError("the {0} samples its result (\"{1}\" is set), "
                            "which is not supported",
                            what, key);
  if (llvm::Error error =
          importFlag(model, "byte_fallback", ModelByteFallback, what, spec))
    return error;
  const llvm::json::Array *entries = model.getArray("vocab");
  if (!entries || int64_t(entries->size()) > maxTokenId)
    return tokenizerError("the {0} has no list \"vocab\" of at most {1} tokens",
                          what, maxTokenId);
  for (const llvm::json::Value &entry : *entries) {
    const llvm::json::Array *pair = entry.getAsArray();
    auto text =
        pair && pair->size() == 2 ? (*pair)[0].getAsString() : std::nullopt;
    auto score = text ? (*pair)[1].getAsNumber() : std::nullopt;
    if (!score)
      return tokenizerError("token {0} of the {1} is not a text and its score",
                            spec.tokens.size(), what);
    vocab[*text] = int32_t(spec.tokens.size());
    TokenizerToken token;
    token.text = text->str();
    token.score = *score;
    token.flags = TokenPresent | TokenInModel;
    spec.tokens.push_back(std::move(token));
  }
  if (auto unk = model.getInteger("unk_id")) {
    if (*unk < 0 || *unk >= int64_t(spec.tokens.size()))
      return tokenizerError("\"unk_id\" of the {0} is {1} in a vocabulary of "
                            "{2}",
                            what, *unk, spec.tokens.size());
    spec.unk = int32_t(*unk);
  }
  return llvm::Error::success();
}

llvm::Error weir::importModel(const Object &model, TokenizerSpec &spec,
                              VocabMap &vocab) {
  llvm::StringRef type;
  if (auto named = model.getString("type"))
    type = *named;
  else if (model.getArray("merges"))
    type = "BPE"; // Files from before models had a type.
  else if (model.getArray("vocab"))
    type = "Unigram";
  else
    type = model.get("max_input_chars_per_word") ? "WordPiece" : "WordLevel";
  if (type == "BPE")
    return importBPE(model, spec, vocab);
  if (type == "WordPiece")
    return importWordPiece(model, spec, vocab);
  if (type == "WordLevel")
    return importWordLevel(model, spec, vocab);
  if (type == "Unigram")
    return importUnigram(model, spec, vocab);
  return tokenizerError("the tokenizer's model {0} is not supported: expected "
                        "BPE, Unigram, WordLevel or WordPiece",
                        type);
}
