//===- ModernBert.cpp - The ModernBERT families -------------------*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An encoder (arXiv:2412.13663): pre-norm layers with rotary attention to both
// sides, some to all positions and others to those near, with a base each; a
// gated perceptron in one matrix; and no norm in front of the first attention,
// which reads what the embedding's norm gives. The decoder (arXiv:2507.11412)
// sees what is before it alone, and has a matrix each for query, key and value.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {
    {"hidden_act", "hidden_activation"},
    {"rms_norm_eps", "norm_eps"},
    {"sliding_window", "local_attention"}};

/// Reads what the encoder and the decoder share, without the windows.
static void readModernBert(ConfigReader &reader, ModelBuilder &builder,
                           const FamilyRequest &request,
                           DecoderConfig &config) {
  // It stands in files of the decoder, half of the other, and is not read.
  reader.ignore({"sliding_window"});
  reader.setSpellings(spellings);
  config.vocabSize = 50368;
  config.hidden = 768;
  config.inner = 1152;
  config.layers = 22;
  config.heads = 12;
  config.trainedLength = 8192;
  config.eps = 1e-5;
  config.activation = "gelu";
  config.tied = true;
  config.bos = 50281;
  config.eos = 50282;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  config.norm.centred = true;
  config.rotaryOptions.layerType = "full_attention";
  config.rotaryOptions.baseKey = "global_rope_theta";
  config.rotaryOptions.defaultBase = 160000;
  readDecoder(reader, builder, request, config);
  RotaryOptions near = config.rotaryOptions;
  near.layerType = "sliding_attention";
  near.baseKey = "local_rope_theta";
  near.defaultBase = 1e4;
  config.windowRotary = readRotary(reader, builder, near);
  config.norm.bias = reader.getBool("norm_bias", false);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  config.mlpBias = reader.getBool("mlp_bias", false);
  config.headBias = reader.getBool("decoder_bias", true);
  config.transformBias = reader.getBool("classifier_bias", false);
  config.transformActivation =
      reader.getString("classifier_activation", "gelu");
  int64_t every = reader.getSize("global_attn_every_n_layers", 3);
  readLayerTypes(reader, config, 128,
                 [&](int64_t layer) { return layer % every != 0; });
  config.unnormed.assign(config.layers, false);
  config.unnormed.front() = true;
  // Of training, of other heads, and of how it is computed.
  reader.ignore({"classifier_dropout", "classifier_pooling", "cls_token_id",
                 "deterministic_flash_attn", "initializer_cutoff_factor",
                 "mlp_dropout", "position_embedding_type", "reference_compile",
                 "repad_logits_with_grad", "sparse_pred_ignore_index",
                 "sparse_prediction"});
}

/// Keys of both but those of query, key and value and the head's.
static DecoderKeys getKeys(ModelBuilder &builder) {
  DecoderKeys keys;
  std::string model = getModelPrefix(builder.getCheckpoint(), "model.",
                                     "embeddings.tok_embeddings.weight");
  std::string layer = keys.layer = model + "layers.*.";
  keys.embed = model + "embeddings.tok_embeddings";
  keys.embedNorm = model + "embeddings.norm";
  keys.finalNorm = model + "final_norm";
  keys.head = "decoder";
  keys.attentionNorm = layer + "attn_norm";
  keys.mlpNorm = layer + "mlp_norm";
  keys.output = layer + "attn.Wo";
  keys.gateUp = layer + "mlp.Wi";
  keys.mlp.down = layer + "mlp.Wo";
  return keys;
}

static ModelFacts buildModernBert(ModelBuilder &builder, ConfigReader &reader,
                                  const FamilyRequest &request) {
  DecoderConfig config;
  config.causal = false;
  readModernBert(reader, builder, request, config);
  // The window counts both sides.
  for (std::optional<int64_t> &window : config.windows)
    if (window)
      window = *window / 2 + 1;
  DecoderKeys keys = getKeys(builder);
  keys.fused = keys.layer + "attn.Wqkv";
  keys.transform = "head.dense";
  keys.transformNorm = "head.norm";
  return buildDecoder(builder, reader, request, keys, config);
}

static ModelFacts buildModernBertDecoder(ModelBuilder &builder,
                                         ConfigReader &reader,
                                         const FamilyRequest &request) {
  DecoderConfig config;
  readModernBert(reader, builder, request, config);
  // Half of the encoder's window, which is the side that is seen.
  for (std::optional<int64_t> &window : config.windows) {
    if (window == 1)
      reader.emitError("sliding_window")
          << "key 'local_attention' is 1, expected 2 or more: its half is what "
             "layers see";
    if (window)
      window = *window / 2;
  }
  DecoderKeys keys = getKeys(builder);
  keys.query = keys.layer + "attn.q_proj";
  keys.key = keys.layer + "attn.k_proj";
  keys.value = keys.layer + "attn.v_proj";
  keys.transform = "lm_head.dense";
  keys.transformNorm = "lm_head.norm";
  return buildDecoder(builder, reader, request, keys, config);
}

static constexpr llvm::StringLiteral ignorable[] = {".inv_freq"};

namespace weir {
void registerModernBertFamily(FamilyTable &table) {
  table.add({"modernbert", "ModernBertForMaskedLM", "ModernBertModel", "",
             ignorable, buildModernBert});
}

void registerModernBertDecoderFamily(FamilyTable &table) {
  table.add({"modernbert-decoder", "ModernBertDecoderForCausalLM",
             "ModernBertDecoderModel", "", ignorable, buildModernBertDecoder});
}
} // namespace weir
