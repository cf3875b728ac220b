//===- TokenizerJson.cpp - Hugging Face's tokenizer.json ------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TokenizerImport.h"
#include "weir/Frontend/Checkpoint.h"

using namespace weir;
using namespace weir::rt::tok;
using llvm::json::Object;

/// Reads one entry of "added_tokens", or of "added_tokens_decoder" where the
/// key gives the id.
static llvm::Error importAddedToken(const Object &object, int64_t id,
                                    TokenizerSpec &spec, VocabMap &vocab,
                                    llvm::StringMap<size_t> &seen) {
  llvm::StringRef what = "added token";
  auto content = getString(object, "content", what);
  if (!content)
    return content.takeError();
  if (content->empty() || seen.count(*content))
    return llvm::Error::success();
  // The model's own idea of the id wins, as it does on loading there.
  if (auto it = vocab.find(*content); it != vocab.end())
    id = it->second;
  if (id < 0 || id > maxTokenId)
    return tokenizerError("the added token '{0}' has the id {1}: expected 0 to "
                          "{2}",
                          *content, id, maxTokenId);
  TokenizerAddedToken added;
  added.id = uint32_t(id);
  added.text = content->str();
  auto special = getBool(object, "special", false, what);
  if (!special)
    return special.takeError();
  std::pair<const char *, AddedFlag> flags[] = {
      {"lstrip", AddedLStrip},
      {"rstrip", AddedRStrip},
      {"single_word", AddedSingleWord},
      {"normalized", AddedNormalized}};
  for (auto [key, flag] : flags) {
    auto set = getBool(object, key, flag == AddedNormalized && !*special, what);
    if (!set)
      return set.takeError();
    if (*set)
      added.flags |= flag;
  }

  TokenizerToken &token = tokenAt(spec, id);
  if ((token.flags & TokenPresent) && token.text != added.text &&
      !(token.flags & TokenInModel))
    return tokenizerError("the added tokens '{0}' and '{1}' have the same id "
                          "{2}",
                          token.text, added.text, id);
  token.text = added.text;
  token.flags |= TokenPresent;
  if (*special)
    token.flags |= TokenSpecial;
  seen[added.text] = spec.addedTokens.size();
  spec.addedTokens.push_back(std::move(added));
  return llvm::Error::success();
}

/// Moves special tokens to the front: where normalisation makes two added
/// tokens equal, the first is found.
static void orderAddedTokens(TokenizerSpec &spec) {
  std::vector<TokenizerAddedToken> ordered;
  for (bool special : {true, false})
    for (TokenizerAddedToken &token : spec.addedTokens)
      if (bool(spec.tokens[token.id].flags & TokenSpecial) == special)
        ordered.push_back(std::move(token));
  spec.addedTokens = std::move(ordered);
}

/// The id of a special token in tokenizer_config.json: a text, or an object
/// with "content". -1 if it is absent or not in the vocabulary.
static int32_t findSpecial(const Object &config, llvm::StringRef key,
                           const TokenizerSpec &spec) {
  auto text = config.getString(key);
  if (const Object *object = config.getObject(key))
    text = object->getString("content");
  return text ? spec.findToken(*text) : -1;
}

/// Applies tokenizer_config.json.
static llvm::Error importConfig(llvm::StringRef text, TokenizerSpec &spec,
                                VocabMap &vocab,
                                llvm::StringMap<size_t> &seen) {
  llvm::Expected<llvm::json::Value> parsed =
      parsePythonJson(text, "tokenizer_config.json");
  if (!parsed)
    return parsed.takeError();
  const Object *config = parsed->getAsObject();
  if (!config)
    return tokenizerError("tokenizer_config.json is not an object");
  if (const Object *tokens = config->getObject("added_tokens_decoder"))
    for (const auto &entry : *tokens) {
      int64_t id;
      const Object *token = entry.second.getAsObject();
      if (!token || llvm::StringRef(entry.first).getAsInteger(10, id))
        return tokenizerError("\"added_tokens_decoder\" in "
                              "tokenizer_config.json does not map ids to "
                              "tokens at '{0}'",
                              llvm::StringRef(entry.first));
      if (llvm::Error error = importAddedToken(*token, id, spec, vocab, seen))
        return error;
    }
  spec.bos = findSpecial(*config, "bos_token", spec);
  spec.eos = findSpecial(*config, "eos_token", spec);
  spec.pad = findSpecial(*config, "pad_token", spec);

  auto addBos = config->getBoolean("add_bos_token");
  auto addEos = config->getBoolean("add_eos_token");
  if (!addBos && !addEos)
    return llvm::Error::success();
  spec.prefix.clear();
  spec.suffix.clear();
  if (addBos.value_or(false) && spec.bos >= 0)
    spec.prefix.push_back(spec.bos);
  if (addEos.value_or(false) && spec.eos >= 0)
    spec.suffix.push_back(spec.eos);
  return llvm::Error::success();
}

llvm::Expected<TokenizerSpec>
weir::importTokenizerJson(llvm::StringRef text, llvm::StringRef configText) {
  llvm::Expected<llvm::json::Value> parsed =
      parsePythonJson(text, "tokenizer.json");
  if (!parsed)
    return parsed.takeError();
  const Object *root = parsed->getAsObject();
  const Object *model = root ? root->getObject("model") : nullptr;
  if (!model)
    return tokenizerError("tokenizer.json has no object \"model\"");

  TokenizerSpec spec;
  VocabMap vocab;
  llvm::StringMap<size_t> seen;
  if (llvm::Error error = importModel(*model, spec, vocab))
    return std::move(error);
  if (const llvm::json::Array *added = root->getArray("added_tokens"))
    for (const llvm::json::Value &value : *added) {
      const Object *token = value.getAsObject();
      if (!token)
        return tokenizerError("\"added_tokens\" of tokenizer.json lists "
                              "something that is not an object");
      if (llvm::Error error = importAddedToken(
              *token, token->getInteger("id").value_or(-1), spec, vocab, seen))
        return std::move(error);
    }

  using Importer = llvm::Error (*)(const Object &, TokenizerSpec &);
  std::pair<const char *, Importer> parts[] = {
      {"normalizer", importNormalizer},
      {"pre_tokenizer", importPreTokenizer},
      {"post_processor", importPostProcessor}};
  for (auto [key, import] : parts) {
    const llvm::json::Value *value = root->get(key);
    if (!value || value->getAsNull())
      continue;
    const Object *object = value->getAsObject();
    if (!object)
      return tokenizerError("\"{0}\" of tokenizer.json is not an object", key);
    if (llvm::Error error = import(*object, spec))
      return std::move(error);
  }
  if (!configText.empty())
    if (llvm::Error error = importConfig(configText, spec, vocab, seen))
      return std::move(error);
  for (int32_t id : llvm::concat<const int32_t>(spec.prefix, spec.suffix))
    if (size_t(id) >= spec.tokens.size())
      return tokenizerError("the post-processor adds token {0}, which the "
                            "vocabulary of {1} does not have",
                            id, spec.tokens.size());
  orderAddedTokens(spec);
  spec.addBos =
      spec.bos >= 0 && !spec.prefix.empty() && spec.prefix.front() == spec.bos;
  if (llvm::Error error = importDecoder(root->getObject("decoder"), spec))
    return std::move(error);
  return std::move(spec);
}
