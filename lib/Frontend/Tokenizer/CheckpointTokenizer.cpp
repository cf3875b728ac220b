//===- CheckpointTokenizer.cpp - The tokenizer beside the weights ---------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Frontend/Checkpoint.h"
#include "weir/Frontend/TokenizerSpec.h"

using namespace weir;

GGUFTokenizerMetadata
weir::readGGUFTokenizerMetadata(const Checkpoint &checkpoint) {
  GGUFTokenizerMetadata result;
  const GGUFMetadata *metadata = checkpoint.ggufMetadata();
  if (!metadata)
    return result;
  llvm::StringRef root = "tokenizer.ggml.";
  auto strings = [&](llvm::StringRef key, std::vector<std::string> &target) {
    if (auto values = metadata->getStrings((root + key).str()))
      target.assign(values->begin(), values->end());
  };
  result.model = metadata->getString((root + "model").str()).value_or("").str();
  result.pre = metadata->getString((root + "pre").str()).value_or("").str();
  strings("tokens", result.tokens);
  strings("merges", result.merges);
  if (auto scores = metadata->getFloats((root + "scores").str()))
    result.scores = std::move(*scores);
  if (auto types = metadata->getIntegers((root + "token_type").str()))
    result.tokenTypes.assign(types->begin(), types->end());

  const llvm::json::Object &scalars = checkpoint.config();
  auto id = [&](llvm::StringRef key) {
    return scalars.getInteger((root + key).str());
  };
  auto flag = [&](llvm::StringRef key) {
    return scalars.getBoolean((root + key).str());
  };
  result.bos = id("bos_token_id");
  result.eos = id("eos_token_id");
  result.unk = id("unknown_token_id");
  result.pad = id("padding_token_id");
  result.addBos = flag("add_bos_token");
  result.addEos = flag("add_eos_token");
  result.addSpacePrefix = flag("add_space_prefix");
  return result;
}

llvm::Expected<std::optional<TokenizerSpec>>
weir::importTokenizer(const Checkpoint &checkpoint) {
  if (checkpoint.format() == Checkpoint::Format::GGUF) {
    GGUFTokenizerMetadata metadata = readGGUFTokenizerMetadata(checkpoint);
    // "no_vocab" is how such files say that there is none.
    if (metadata.model.empty() || metadata.model == "no_vocab" ||
        metadata.model == "none")
      return std::nullopt;
    auto spec = importGGUFTokenizer(metadata);
    if (!spec)
      return spec.takeError();
    return std::move(*spec);
  }
  auto text = checkpoint.textFile("tokenizer.json");
  if (!text)
    return std::nullopt;
  auto spec = importTokenizerJson(
      *text, checkpoint.textFile("tokenizer_config.json").value_or(""));
  if (!spec)
    return spec.takeError();
  return std::move(*spec);
}
