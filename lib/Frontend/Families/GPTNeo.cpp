//===- GPTNeo.cpp - The GPT-Neo family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// GPT-2 with windows on some of its layers and scores that are not scaled.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {
    {"num_hidden_layers", "num_layers"},
    {"num_attention_heads", "num_heads"},
    {"rms_norm_eps", "layer_norm_epsilon"},
    {"hidden_act", "activation_function"}};

/// Reads `attention_types`, which is like `[[["global", "local"], 12]]`: lists
/// of kinds and how often each comes.
static void readKinds(ConfigReader &reader, DecoderConfig &config) {
  std::optional<int64_t> window = reader.getSize("window_size", 256);
  // The same written out.
  reader.ignore({"attention_layers"});
  llvm::json::Value fallback = llvm::json::Array{
      llvm::json::Array{llvm::json::Array{"global", "local"}, 12}};
  const llvm::json::Value *value = reader.get("attention_types");
  const llvm::json::Array *groups = (value ? *value : fallback).getAsArray();
  std::vector<std::optional<int64_t>> windows;
  bool understood = groups != nullptr;
  for (const llvm::json::Value &group :
       groups ? *groups : llvm::json::Array()) {
    const llvm::json::Array *pair = group.getAsArray();
    const llvm::json::Array *names =
        pair && pair->size() == 2 ? (*pair)[0].getAsArray() : nullptr;
    std::optional<int64_t> count =
        names ? (*pair)[1].getAsInteger() : std::nullopt;
    understood = count && *count >= 0 && *count <= config.layers;
    for (int64_t i = 0; understood && i < *count; ++i)
      for (const llvm::json::Value &name : *names) {
        StringRef kind = name.getAsString().value_or("");
        understood &= kind == "global" || kind == "local";
        windows.push_back(kind == "local" ? window : std::nullopt);
      }
    if (!understood)
      break;
  }
  if (!understood)
    reader.emitError("attention_types")
        << "key 'attention_types' is no list of pairs, each a list of 'global' "
           "and 'local' and how often it comes";
  else if (static_cast<int64_t>(windows.size()) != config.layers)
    reader.emitError("attention_types")
        << "key 'attention_types' names " << windows.size()
        << " layers, expected " << config.layers;
  else
    config.windows = windows;
}

static ModelFacts buildGPTNeo(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  reader.setSpellings(spellings);
  DecoderConfig config;
  config.vocabSize = 50257;
  config.hidden = 2048;
  config.inner = 0;
  config.layers = 24;
  config.heads = 16;
  config.eps = 1e-5;
  config.activation = "gelu_new";
  config.outputBias = true;
  config.mlpBias = true;
  config.tied = true;
  config.attentionScale = 1;
  config.norm.centred = true;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  config.rotates = false;
  config.bos = 50256;
  config.eos = 50256;
  readDecoder(reader, builder, request, config);
  readKinds(reader, config);
  ignoreSummaryHead(reader);
  DecoderKeys keys = getGPTKeys(builder.getCheckpoint());
  std::string attention = keys.layer + "attn.attention.";
  keys.query = attention + "q_proj";
  keys.key = attention + "k_proj";
  keys.value = attention + "v_proj";
  keys.output = attention + "out_proj";
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerGPTNeoFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {
      ".attn.attention.bias", ".attn.attention.masked_bias"};
  table.add({"gpt_neo", "GPTNeoForCausalLM", "GPTNeoModel", "", ignorable,
             buildGPTNeo});
}
} // namespace weir
