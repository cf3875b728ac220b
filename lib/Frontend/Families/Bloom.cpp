//===- Bloom.cpp - The BLOOM family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Biases that grow with the distance in place of positions, a norm of
// embeddings, and query, key and value of a head next to each other in one
// matrix (arXiv:2211.05100).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {
    {"num_hidden_layers", "n_layer"},
    {"num_attention_heads", "n_head"},
    {"rms_norm_eps", "layer_norm_epsilon"},
    {"max_position_embeddings", "seq_length"}};

static ModelFacts buildBloom(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  reader.setSpellings(spellings);
  readOlderHidden(reader);
  DecoderConfig config;
  config.vocabSize = 250880;
  config.hidden = 64;
  config.inner = 0;
  config.layers = 2;
  config.heads = 8;
  config.eps = 1e-5;
  config.activation = "gelu_pytorch_tanh";
  config.mlpBias = true;
  config.tied = true;
  config.norm.centred = true;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  config.rotates = false;
  config.fusedLayout = FusedLayout::Groups;
  config.bos = 1;
  config.eos = 2;
  config.setAttentionBias(true);
  readDecoder(reader, builder, request, config);
  config.slopes = getSlopes(config.heads);
  config.addsToNorms =
      reader.getBool("apply_residual_connection_post_layernorm", false);
  // How products are cut into parts, and how it was trained.
  reader.ignore({"slow_but_exact", "attention_softmax_in_fp32",
                 "bias_dropout_fusion", "masked_softmax_fusion", "offset_alibi",
                 "skip_bias_add", "skip_bias_add_qkv", "unk"});
  std::string model = getModelPrefix(builder.getCheckpoint(), "transformer.",
                                     "word_embeddings.weight");
  if (reader.isGGUF()) {
    DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
    keys.mlp.gate.clear();
    keys.embedNorm = "token_embd_norm";
    return buildDecoder(builder, reader, request, keys, config);
  }
  DecoderKeys keys = getBloomKeys(model);
  keys.embedNorm = model + "word_embeddings_layernorm";
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerBloomFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"bloom", "BloomForCausalLM", "BloomModel", "bloom", ignorable,
             buildBloom});
}
} // namespace weir
