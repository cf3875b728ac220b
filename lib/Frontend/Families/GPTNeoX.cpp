//===- GPTNeoX.cpp - The GPT-NeoX families -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention and perceptron side by side, each behind its own centred norm, a
// quarter of each head rotated, and query, key and value of a head next to each
// other in one matrix (arXiv:2204.06745). The Japanese one has its parts one
// after the other, and no biases but one of the last layer's attention.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {{"rms_norm_eps", "layer_norm_eps"}};

/// Keys of a model whose own begin with `model`.
static DecoderKeys getKeys(ModelBuilder &builder, const std::string &name) {
  if (builder.getCheckpoint().format() == Checkpoint::Format::GGUF) {
    DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
    keys.mlp.gate.clear();
    return keys;
  }
  DecoderKeys keys;
  std::string model =
      getModelPrefix(builder.getCheckpoint(), name, "embed_in.weight");
  std::string layer = keys.layer = model + "layers.*.";
  keys.embed = model + "embed_in";
  keys.finalNorm = model + "final_layer_norm";
  keys.head = "embed_out";
  keys.attentionNorm = layer + "input_layernorm";
  keys.mlpNorm = layer + "post_attention_layernorm";
  keys.fused = layer + "attention.query_key_value";
  keys.output = layer + "attention.dense";
  keys.mlp = {layer + "mlp.dense_h_to_4h", layer + "mlp.dense_4h_to_h", ""};
  return keys;
}

static ModelFacts buildGPTNeoX(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  reader.setSpellings(spellings);
  DecoderConfig config;
  config.vocabSize = 50432;
  config.hidden = 6144;
  config.inner = 24576;
  config.layers = 44;
  config.heads = 64;
  config.eps = 1e-5;
  config.activation = "gelu";
  config.mlpBias = true;
  config.norm.centred = true;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  config.fusedLayout = FusedLayout::Groups;
  config.rotaryOptions.allowsPartial = true;
  config.rotaryOptions.defaultPart = 0.25;
  config.rotaryOptions.baseKey = "rotary_emb_base";
  config.rotaryOptions.partKey = "rotary_pct";
  config.bos = 0;
  config.eos = 2;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", true));
  config.parallel = reader.getBool("use_parallel_residual", true);
  // Of training, and how far it was.
  reader.ignore(
      {"attention_probs_dropout_prob", "hidden_dropout_prob", "num_steps"});
  DecoderKeys keys = getKeys(builder, "gpt_neox.");
  return buildDecoder(builder, reader, request, keys, config);
}

static ModelFacts buildGPTNeoXJapanese(ModelBuilder &builder,
                                       ConfigReader &reader,
                                       const FamilyRequest &request) {
  reader.setSpellings(spellings);
  DecoderConfig config;
  config.hidden = 2560;
  config.eps = 1e-5;
  config.activation = "gelu";
  config.tied = true;
  config.norm.centred = true;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  config.fusedLayout = FusedLayout::Groups;
  config.rotaryOptions.allowsPartial = true;
  config.rotaryOptions.baseKey = "rotary_emb_base";
  config.rotaryOptions.partKey = "rotary_pct";
  config.bos = 31996;
  config.eos = 31999;
  readDecoder(reader, builder, request, config);
  config.inner =
      config.hidden * reader.getSize("intermediate_multiple_size", 4);
  config.outputBiases.assign(config.layers, false);
  config.outputBiases.back() = true;
  DecoderKeys keys = getKeys(builder, "gpt_neox_japanese.");
  keys.outputBias = keys.layer + "attention.dense_bias";
  return buildDecoder(builder, reader, request, keys, config);
}

static constexpr llvm::StringLiteral ignorable[] = {
    ".rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias"};

namespace weir {
void registerGPTNeoXFamily(FamilyTable &table) {
  table.add({"gpt_neox", "GPTNeoXForCausalLM", "GPTNeoXModel", "gptneox",
             ignorable, buildGPTNeoX});
}

void registerGPTNeoXJapaneseFamily(FamilyTable &table) {
  table.add({"gpt_neox_japanese", "GPTNeoXJapaneseForCausalLM",
             "GPTNeoXJapaneseModel", "", ignorable, buildGPTNeoXJapanese});
}
} // namespace weir
