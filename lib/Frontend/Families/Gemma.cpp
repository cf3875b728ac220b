//===- Gemma.cpp - The Gemma families -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with embeddings scaled by the root of their features and norms whose
// weights count from one. The second (arXiv:2408.00118) has windows on every
// other layer, bounds on scores and logits, and norms behind a layer's parts as
// well. The third (arXiv:2503.19786) has norms of heads in place of the bound
// on scores, more layers with windows, and another rotation in these.
// VaultGemma (arXiv:2510.15001) is the second without norms behind the parts.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include <cmath>

using namespace mlir;
using namespace weir;

/// The key under which later ones name their activation.
static constexpr ConfigAlias laterSpellings[] = {
    {"hidden_act", "hidden_activation"}};

/// What all three share.
static DecoderConfig getDefaults() {
  DecoderConfig config;
  config.vocabSize = 256000;
  config.headDim = 256;
  config.trainedLength = 8192;
  config.activation = "gelu_pytorch_tanh";
  config.tied = true;
  config.bos = 2;
  config.eos = 1;
  config.norm.offset = config.headNorm.offset = 1;
  return config;
}

/// The default sizes of the later two.
static void setLaterDefaults(DecoderConfig &config) {
  config.hidden = 2304;
  config.inner = 9216;
  config.layers = 26;
  config.heads = 8;
  config.kvHeads = 4;
}

static void readGemma(ConfigReader &reader, ModelBuilder &builder,
                      const FamilyRequest &request, DecoderConfig &config) {
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  config.embeddingScale = std::sqrt(static_cast<double>(config.hidden));
  // The converter to GGUF has added it.
  if (reader.isGGUF())
    config.norm.offset = config.headNorm.offset = 0;
}

/// Refuses what these two do with it in some of transformers' implementations
/// of attention and not in others.
static void refuseLookingAhead(ConfigReader &reader) {
  reader.expect("use_bidirectional_attention", false,
                "what it does is up to the implementation of attention");
}

/// Norms in front of and behind both parts.
static void setKeys(ConfigReader &reader, DecoderKeys &keys) {
  if (reader.isGGUF()) {
    keys.attentionPostNorm = keys.layer + "post_attention_norm";
    keys.mlpPostNorm = keys.layer + "post_ffw_norm";
    return;
  }
  keys.attentionPostNorm = keys.layer + "post_attention_layernorm";
  keys.mlpNorm = keys.layer + "pre_feedforward_layernorm";
  keys.mlpPostNorm = keys.layer + "post_feedforward_layernorm";
}

/// Reads what scores are scaled by. GGUF files do not say: there it follows the
/// features of a head, or the hidden size over the heads in the one size that
/// has `wide` layers.
static void readScoreScale(ConfigReader &reader, DecoderConfig &config,
                           int64_t wide) {
  if (reader.isGGUF()) {
    if (config.layers == wide)
      config.attentionScale =
          1 / std::sqrt(static_cast<double>(config.hidden / config.heads));
    return;
  }
  double scalar = reader.getFloat("query_pre_attn_scalar", 256);
  if (!(scalar > 0))
    reader.emitError("query_pre_attn_scalar")
        << "key 'query_pre_attn_scalar' is " << scalar
        << ", expected a positive number";
  config.attentionScale = 1 / std::sqrt(scalar);
}

static ModelFacts buildGemma(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  DecoderConfig config = getDefaults();
  config.hidden = 3072;
  config.inner = 24576;
  config.layers = 28;
  config.heads = 16;
  config.kvHeads = 16;
  readGemma(reader, builder, request, config);
  // The first files name the exact function where they mean the other.
  if (config.activation == "gelu")
    config.activation = "gelu_pytorch_tanh";
  reader.ignore({"hidden_activation"});
  refuseLookingAhead(reader);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  return buildDecoder(builder, reader, request, keys, config);
}

/// The second, and VaultGemma's model.
static void readGemma2(ConfigReader &reader, ModelBuilder &builder,
                       const FamilyRequest &request, DecoderConfig &config) {
  // The first files say the activation and the window twice, under two names.
  reader.ignore({"hidden_act", "sliding_window_size"});
  reader.setSpellings(laterSpellings);
  setLaterDefaults(config);
  readGemma(reader, builder, request, config);
  readScoreScale(reader, config, 46);
  config.scoreCap = readCap(reader, "attn_logit_softcapping", 50);
  config.logitCap = readCap(reader, "final_logit_softcapping", 30);
  readLayerTypes(reader, config, 4096,
                 [](int64_t layer) { return layer % 2 == 0; });
}

static ModelFacts buildGemma2(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  DecoderConfig config = getDefaults();
  readGemma2(reader, builder, request, config);
  refuseLookingAhead(reader);
  // Of the cache that one implementation makes.
  reader.ignore({"cache_implementation"});
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  setKeys(reader, keys);
  return buildDecoder(builder, reader, request, keys, config);
}

static ModelFacts buildVaultGemma(ModelBuilder &builder, ConfigReader &reader,
                                  const FamilyRequest &request) {
  DecoderConfig config = getDefaults();
  readGemma2(reader, builder, request, config);
  reader.ignore({"cache_implementation"});
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.mlpNorm = keys.layer + "pre_feedforward_layernorm";
  return buildDecoder(builder, reader, request, keys, config);
}

static ModelFacts buildGemma3(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  reader.setSpellings(laterSpellings);
  DecoderConfig config = getDefaults();
  setLaterDefaults(config);
  config.vocabSize = 262208;
  config.trainedLength = 131072;
  config.queryKeyNorm = QueryKeyNorm::Head;
  config.rotaryOptions.layerType = "full_attention";
  config.rotaryOptions.defaultBase = 1e6;
  readGemma(reader, builder, request, config);
  RotaryOptions near = config.rotaryOptions;
  near.layerType = "sliding_attention";
  near.baseKey = "rope_local_base_freq";
  near.defaultBase = 1e4;
  near.readsScaling = false;
  if (reader.isGGUF()) {
    RotarySpec &spec = config.windowRotary.emplace();
    spec.base = reader.getFloat(near.baseKey, near.defaultBase);
    spec.dims = *config.headDim;
  } else {
    config.windowRotary = readRotary(reader, builder, near);
  }
  readScoreScale(reader, config, 62);
  config.logitCap = readCap(reader, "final_logit_softcapping", 0);
  readLayerPattern(reader, config, 4096, 6);
  if (reader.getBool("use_bidirectional_attention", false)) {
    config.causal = false;
    // The window counts both sides.
    for (std::optional<int64_t> &window : config.windows)
      if (window)
        window = *window / 2 + 1;
  }
  // No implementation of attention is told of the bound on scores.
  reader.ignore({"attn_logit_softcapping", "cache_implementation"});
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  setKeys(reader, keys);
  return buildDecoder(builder, reader, request, keys, config);
}

static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};

namespace weir {
void registerGemmaFamily(FamilyTable &table) {
  table.add({"gemma", "GemmaForCausalLM", "GemmaModel", "gemma", ignorable,
             buildGemma});
}

void registerGemma2Family(FamilyTable &table) {
  table.add({"gemma2", "Gemma2ForCausalLM", "Gemma2Model", "gemma2", ignorable,
             buildGemma2});
}

void registerVaultGemmaFamily(FamilyTable &table) {
  table.add({"vaultgemma", "VaultGemmaForCausalLM", "VaultGemmaModel", "",
             ignorable, buildVaultGemma});
}

void registerGemma3Family(FamilyTable &table) {
  table.add({"gemma3_text", "Gemma3ForCausalLM", "Gemma3TextModel", "gemma3",
             ignorable, buildGemma3});
}
} // namespace weir
