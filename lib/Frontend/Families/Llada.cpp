//===- Llada.cpp - The LLaDA family -----------------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama whose positions see both sides, a denoiser of masked tokens
// (arXiv:2502.09992), under names of its own.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include <cmath>

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {
    {"hidden_size", "d_model"},
    {"intermediate_size", "mlp_hidden_size"},
    {"num_hidden_layers", "n_layers"},
    {"num_attention_heads", "n_heads"},
    {"num_key_value_heads", "n_kv_heads"},
    {"max_position_embeddings", "max_sequence_length"},
    {"hidden_act", "activation_type"},
    {"tie_word_embeddings", "weight_tying"}};

/// Refuses what its code allows and no model has.
static void refuseOthers(ConfigReader &reader) {
  reader.expect("block_type", "llama", "blocks are other than Llama's");
  reader.expect("layer_norm_type", "rms", "norms are centred");
  reader.expect("layer_norm_with_affine", true, "norms have no weights");
  reader.expect("bias_for_layer_norm", false, "norms have biases");
  reader.expect("attention_layer_norm", false, "query and key are normalised");
  reader.expect("alibi", false, "positions are slopes");
  reader.expect("rope", true, "positions are learned");
  reader.expect("block_group_size", 1, "blocks are stored in groups");
}

static ModelFacts buildLlada(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  reader.setSpellings(spellings);
  DecoderConfig config;
  config.vocabSize = 50257;
  config.hidden = reader.getSize("hidden_size", 768);
  config.inner = reader.getSize("mlp_ratio", 4) * config.hidden;
  config.layers = 12;
  config.heads = 12;
  config.trainedLength = 1024;
  config.eps = 1e-5;
  config.causal = false;
  config.readsHeadDim = false;
  // Without a number of them it tells one from as many as query heads.
  if (reader.getBool("multi_query_attention", false) &&
      !reader.has("num_key_value_heads")) {
    config.kvHeads = 1;
    config.readsKVHeads = false;
    reader.ignore({"num_key_value_heads"});
  }
  readDecoder(reader, builder, request, config);
  // Rows of the tables, which may be padded.
  config.vocabSize = reader.getSize("embedding_size", config.vocabSize);
  bool bias = reader.getBool("include_bias", false);
  config.setAttentionBias(bias);
  config.mlpBias = config.headBias = bias;
  if (reader.getBool("include_qkv_bias", false))
    config.queryBias = config.keyBias = config.valueBias = true;
  if (reader.getBool("input_emb_norm", false))
    config.embeddingScale = std::sqrt(static_cast<double>(config.hidden));
  if (reader.getBool("scale_logits", false))
    config.logitScale = 1 / std::sqrt(static_cast<double>(config.hidden));
  if (reader.has("clip_qkv"))
    config.clip = reader.getFloat("clip_qkv", 0);
  refuseOthers(reader);
  reader.ignore({"alibi_bias_max", "attention_layer_norm_with_affine",
                 "flash_attention", "init_cutoff_factor", "init_device",
                 "init_fn", "mask_token_id", "precision",
                 "rope_full_precision"});

  DecoderKeys keys;
  std::string model = getModelPrefix(builder.getCheckpoint(),
                                     "model.transformer.", "wte.weight");
  std::string layer = keys.layer = model + "blocks.*.";
  keys.embed = model + "wte";
  keys.finalNorm = model + "ln_f";
  keys.head = model + "ff_out";
  keys.attentionNorm = layer + "attn_norm";
  keys.mlpNorm = layer + "ff_norm";
  keys.query = layer + "q_proj";
  keys.key = layer + "k_proj";
  keys.value = layer + "v_proj";
  keys.output = layer + "attn_out";
  keys.mlp = {layer + "up_proj", layer + "ff_out", layer + "ff_proj"};
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerLladaFamily(FamilyTable &table) {
  table.add({"llada", "LLaDAModelLM", "LLaDAModel", "", {}, buildLlada});
}
} // namespace weir
