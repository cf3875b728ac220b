//===- Opt.cpp - The OPT family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Learned positions, and norms in front of a layer's parts or, in one size,
// behind them (arXiv:2205.01068).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {
    {"intermediate_size", "ffn_dim"}, {"hidden_act", "activation_function"}};

static ModelFacts buildOpt(ModelBuilder &builder, ConfigReader &reader,
                           const FamilyRequest &request) {
  reader.setSpellings(spellings);
  DecoderConfig config;
  config.vocabSize = 50272;
  config.hidden = 768;
  config.inner = 3072;
  config.layers = 12;
  config.heads = 12;
  config.eps = 1e-5;
  config.activation = "relu";
  config.tied = true;
  config.norm.centred = true;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  config.rotates = false;
  config.positionOffset = 2;
  config.bos = 2;
  config.eos = 2;
  readDecoder(reader, builder, request, config);
  // The epsilon is no option.
  config.eps = 1e-5;
  bool bias = reader.getBool("enable_bias", true);
  config.setAttentionBias(bias);
  config.mlpBias = bias;
  config.norm.weight = reader.getBool("layer_norm_elementwise_affine", true);
  config.normsSums = !reader.getBool("do_layer_norm_before", true);
  config.embedding = reader.getSize("word_embed_proj_dim", config.hidden);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  std::string model = getModelPrefix(builder.getCheckpoint(), "model.",
                                     "decoder.embed_tokens.weight") +
                      "decoder.";
  std::string layer = keys.layer = model + "layers.*.";
  keys.embed = model + "embed_tokens";
  keys.positions = model + "embed_positions";
  keys.finalNorm =
      config.normsSums || reader.getBool("_remove_final_layer_norm", false)
          ? ""
          : model + "final_layer_norm";
  reader.ignore({"_remove_final_layer_norm", "activation_dropout", "dropout"});
  if (config.embedding != config.hidden) {
    keys.projectIn = model + "project_in";
    keys.projectOut = model + "project_out";
  }
  keys.attentionNorm = layer + "self_attn_layer_norm";
  keys.mlpNorm = layer + "final_layer_norm";
  keys.query = layer + "self_attn.q_proj";
  keys.key = layer + "self_attn.k_proj";
  keys.value = layer + "self_attn.v_proj";
  keys.output = layer + "self_attn.out_proj";
  keys.mlp = {layer + "fc1", layer + "fc2", ""};
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerOptFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"opt", "OPTForCausalLM", "OPTModel", "", ignorable, buildOpt});
}
} // namespace weir
