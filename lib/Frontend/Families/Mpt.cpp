//===- Mpt.cpp - The MPT family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Biases that grow with the distance in place of positions, and norms and
// products without biases.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {
    {"hidden_size", "d_model"},
    {"num_attention_heads", "n_heads"},
    {"num_hidden_layers", "n_layers"},
    {"max_position_embeddings", "max_seq_len"},
    {"rms_norm_eps", "layer_norm_epsilon"}};

/// The slopes of heads that are no power of two are every other one of the next
/// power's, the later ones first.
static std::vector<float> getPowerSlopes(int64_t heads) {
  int64_t power = llvm::PowerOf2Ceil(heads);
  std::vector<float> all = getSlopes(power);
  if (power == heads)
    return all;
  std::vector<float> slopes;
  for (int64_t first : {1, 0})
    for (int64_t i = first; i < power; i += 2)
      slopes.push_back(all[i]);
  slopes.resize(heads);
  return slopes;
}

/// Reads `attn_config`.
static void readAttention(ConfigReader &reader, DecoderConfig &config) {
  const llvm::json::Value *value = reader.get("attn_config");
  if (!value)
    return;
  const llvm::json::Object *object = value->getAsObject();
  if (!object) {
    reader.emitError("attn_config") << "key 'attn_config' is no object";
    return;
  }
  for (auto [key, place] : {std::pair("clip_qkv", &config.clip),
                            std::pair("softmax_scale", &config.attentionScale)})
    if (const llvm::json::Value *entry = object->get(key)) {
      std::optional<double> number = entry->getAsNumber();
      if (!number && entry->kind() != llvm::json::Value::Null)
        reader.emitError("attn_config")
            << "key '" << key << "' of 'attn_config' is no number";
      *place = number;
    }
  if (config.clip == 0.0)
    config.clip = std::nullopt;
}

static ModelFacts buildMpt(ModelBuilder &builder, ConfigReader &reader,
                           const FamilyRequest &request) {
  reader.setSpellings(spellings);
  DecoderConfig config;
  config.vocabSize = 50368;
  config.hidden = 2048;
  config.inner = 0;
  config.layers = 24;
  config.heads = 16;
  config.eps = 1e-5;
  config.activation = "gelu";
  config.tied = true;
  config.norm.centred = true;
  config.norm.bias = false;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  config.rotates = false;
  readDecoder(reader, builder, request, config);
  readAttention(reader, config);
  config.slopes = getPowerSlopes(config.heads);
  // transformers reads none of these: it has one kind of norm, of attention and
  // of perceptron.
  reader.ignore({"emb_init_std", "emb_init_uniform_lim", "embedding_fraction",
                 "expansion_ratio", "init_config", "init_device",
                 "learned_pos_emb", "logit_scale", "no_bias", "norm_type",
                 "tokenizer_name", "use_pad_tok_in_ffn", "verbose"});
  DecoderKeys keys;
  if (reader.isGGUF()) {
    double bias = reader.getFloat("alibi_bias_max", 0);
    if (bias != 8)
      reader.emitError("alibi_bias_max")
          << "key '" << reader.getSpelling("alibi_bias_max") << "' is " << bias
          << ", expected 8, the only one that transformers has";
    if (reader.has("clip_qkv"))
      config.clip = reader.getFloat("clip_qkv", 0);
    keys = getDecoderKeys(builder.getCheckpoint());
    keys.mlp.gate.clear();
    return buildDecoder(builder, reader, request, keys, config);
  }
  std::string model =
      getModelPrefix(builder.getCheckpoint(), "transformer.", "wte.weight");
  std::string layer = keys.layer = model + "blocks.*.";
  keys.embed = model + "wte";
  keys.finalNorm = model + "norm_f";
  keys.head = "lm_head";
  keys.attentionNorm = layer + "norm_1";
  keys.mlpNorm = layer + "norm_2";
  keys.fused = layer + "attn.Wqkv";
  keys.output = layer + "attn.out_proj";
  keys.mlp = {layer + "ffn.up_proj", layer + "ffn.down_proj", ""};
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerMptFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"mpt", "MptForCausalLM", "MptModel", "mpt", ignorable, buildMpt});
}
} // namespace weir
