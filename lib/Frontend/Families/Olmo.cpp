//===- Olmo.cpp - The OLMo families -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with norms that have no weights and a bound on query, key and value
// (arXiv:2402.00838); in the later two (arXiv:2501.00656) with norms of query,
// key and what layers add instead, and in the third with windows on three
// layers of four.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

/// The sizes that all three have where their configuration does not say.
static DecoderConfig getDefaults() {
  DecoderConfig config;
  config.vocabSize = 50304;
  config.eps = 1e-5;
  config.eos = 50279;
  return config;
}

static ModelFacts buildOlmo(ModelBuilder &builder, ConfigReader &reader,
                            const FamilyRequest &request) {
  DecoderConfig config = getDefaults();
  config.norm.centred = true;
  config.norm.weight = false;
  readDecoder(reader, builder, request, config);
  // The epsilon is no option.
  config.eps = 1e-5;
  config.setAttentionBias(reader.getBool("attention_bias", false));
  if (reader.has("clip_qkv"))
    config.clip = reader.getFloat("clip_qkv", 0);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  if (reader.isGGUF()) {
    // The converter permutes query and key so that pairs are neighbours.
    config.rotary.layout = RotaryLayout::Interleaved;
  }
  return buildDecoder(builder, reader, request, keys, config);
}

/// The later two.
static ModelFacts buildLater(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request,
                             DecoderConfig &config) {
  config.setAttentionBias(reader.getBool("attention_bias", false));
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  setPostNorms(builder.getCheckpoint(), keys);
  return buildDecoder(builder, reader, request, keys, config);
}

static ModelFacts buildOlmo2(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  DecoderConfig config = getDefaults();
  config.queryKeyNorm = QueryKeyNorm::Projection;
  readDecoder(reader, builder, request, config);
  // Files of the third have this architecture too: windows, whose layers'
  // rotation is not stretched.
  if (reader.isGGUF() && reader.has("sliding_window")) {
    RotarySpec &near = config.windowRotary.emplace();
    near.base = reader.getFloat("rope_local_base_freq", config.rotary.base);
    near.dims = config.rotary.dims;
    readLayerTypes(reader, config, std::nullopt,
                   [](int64_t layer) { return (layer + 1) % 4 != 0; });
  }
  return buildLater(builder, reader, request, config);
}

static ModelFacts buildOlmo3(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  DecoderConfig config = getDefaults();
  config.queryKeyNorm = QueryKeyNorm::Projection;
  RotaryOptions &rotary = config.rotaryOptions;
  rotary.layerType = "full_attention";
  rotary.defaultBase = 5e5;
  readDecoder(reader, builder, request, config);
  RotaryOptions near = rotary;
  near.layerType = "sliding_attention";
  near.readsScaling = false;
  config.windowRotary = readRotary(reader, builder, near);
  readLayerTypes(reader, config, 4096,
                 [](int64_t layer) { return (layer + 1) % 4 != 0; });
  return buildLater(builder, reader, request, config);
}

static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};

namespace weir {
void registerOlmoFamily(FamilyTable &table) {
  table.add(
      {"olmo", "OlmoForCausalLM", "OlmoModel", "olmo", ignorable, buildOlmo});
}

void registerOlmo2Family(FamilyTable &table) {
  table.add({"olmo2", "Olmo2ForCausalLM", "Olmo2Model", "olmo2", ignorable,
             buildOlmo2});
}

void registerOlmo3Family(FamilyTable &table) {
  table.add(
      {"olmo3", "Olmo3ForCausalLM", "Olmo3Model", "", ignorable, buildOlmo3});
}
} // namespace weir
