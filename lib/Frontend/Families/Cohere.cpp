//===- Cohere.cpp - The Cohere families -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention and perceptron side by side behind one centred norm, a rotation of
// neighbours, and scaled logits. The second has windows on three layers of
// four, and these alone rotate.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {{"rms_norm_eps", "layer_norm_eps"}};

/// What both share.
static DecoderConfig getDefaults(ConfigReader &reader) {
  reader.setSpellings(spellings);
  DecoderConfig config;
  config.vocabSize = 256000;
  config.hidden = 8192;
  config.inner = 22528;
  config.layers = 40;
  config.heads = 64;
  config.trainedLength = 8192;
  config.eps = 1e-5;
  config.tied = true;
  config.bos = 5;
  config.eos = 255001;
  config.parallel = true;
  config.norm.centred = true;
  config.norm.bias = false;
  config.rotary.layout = RotaryLayout::Interleaved;
  return config;
}

static ModelFacts finish(ModelBuilder &builder, ConfigReader &reader,
                         const FamilyRequest &request, DecoderConfig &config) {
  config.setAttentionBias(reader.getBool("attention_bias", false));
  config.logitScale = reader.getFloat("logit_scale", 0.0625);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.mlpNorm.clear();
  return buildDecoder(builder, reader, request, keys, config);
}

static ModelFacts buildCohere(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  DecoderConfig config = getDefaults(reader);
  config.rotaryOptions.defaultBase = 5e5;
  readDecoder(reader, builder, request, config);
  if (reader.getBool("use_qk_norm", false))
    config.queryKeyNorm = QueryKeyNorm::EachHead;
  return finish(builder, reader, request, config);
}

static ModelFacts buildCohere2(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  DecoderConfig config = getDefaults(reader);
  config.readsHeadDim = false;
  readDecoder(reader, builder, request, config);
  // It is the hidden size divided by the heads whatever is said.
  reader.ignore({"head_dim"});
  readLayerPattern(reader, config, 4096, 4);
  for (std::optional<int64_t> window : config.windows)
    config.unrotated.push_back(!window);
  // Of the cache, and of files from before the list of layers.
  reader.ignore({"cache_implementation", "order_of_interleaved_layers",
                 "position_embedding_type", "rotary_pct",
                 "use_gated_activation", "use_embedding_sharing",
                 "use_parallel_block", "use_parallel_embedding",
                 "use_qk_norm"});
  return finish(builder, reader, request, config);
}

static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};

void weir::registerCohereFamily(FamilyTable &table) {
  table.add({"cohere", "CohereForCausalLM", "CohereModel", "", ignorable,
             buildCohere});
}

void weir::registerCohere2Family(FamilyTable &table) {
  table.add({"cohere2", "Cohere2ForCausalLM", "Cohere2Model", "", ignorable,
             buildCohere2});
}
