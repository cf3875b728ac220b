//===- GPTNeoX.cpp - The GPT-NeoX family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention and perceptron side by side, each behind its own centred norm, a
// quarter of each head rotated, and query, key and value of a head next to each
// other in one matrix (arXiv:2204.06745).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {{"rms_norm_eps", "layer_norm_eps"}};

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
  DecoderKeys keys;
  std::string model =
      getModelPrefix(builder.getCheckpoint(), "gpt_neox.", "embed_in.weight");
  std::string layer = keys.layer = model + "layers.*.";
  keys.embed = model + "embed_in";
  keys.finalNorm = model + "final_layer_norm";
  keys.head = "embed_out";
  keys.attentionNorm = layer + "input_layernorm";
  keys.mlpNorm = layer + "post_attention_layernorm";
  keys.fused = layer + "attention.query_key_value";
  keys.output = layer + "attention.dense";
  keys.mlp = {layer + "mlp.dense_h_to_4h", layer + "mlp.dense_4h_to_h", ""};
  return buildDecoder(builder, reader, request, keys, config);
}

void weir::registerGPTNeoXFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {
      ".rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias"};
  table.add({"gpt_neox", "GPTNeoXForCausalLM", "GPTNeoXModel", "", ignorable,
             buildGPTNeoX});
}
