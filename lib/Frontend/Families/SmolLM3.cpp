//===- SmolLM3.cpp - The SmolLM3 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama in which some layers do not rotate; these have a window where there is
// one.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

/// Reads which layers do not rotate: those with 0 in a list, or every so many.
static void readUnrotated(ConfigReader &reader, DecoderConfig &config) {
  int64_t interval = reader.getSize("no_rope_layer_interval", 4);
  for (int64_t layer = 0; layer < config.layers; ++layer)
    config.unrotated.push_back((layer + 1) % interval == 0);
  const llvm::json::Value *value = reader.get("no_rope_layers");
  if (!value)
    return;
  const llvm::json::Array *list = value->getAsArray();
  if (!list || static_cast<int64_t>(list->size()) != config.layers) {
    reader.emitError("no_rope_layers")
        << "key 'no_rope_layers' is no list of " << config.layers << " numbers";
    return;
  }
  for (auto [layer, entry] : llvm::enumerate(*list)) {
    std::optional<int64_t> rotates = entry.getAsInteger();
    if (!rotates) {
      reader.emitError("no_rope_layers")
          << "key 'no_rope_layers' has no number for layer " << layer;
      return;
    }
    config.unrotated[layer] = *rotates == 0;
  }
}

static ModelFacts buildSmolLM3(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 128256;
  config.hidden = 2048;
  config.layers = 36;
  config.heads = 16;
  config.kvHeads = 4;
  config.trainedLength = 32768;
  config.tied = true;
  config.rotaryOptions.defaultBase = 2e6;
  config.bos = 128000;
  config.eos = 128001;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  config.mlpBias = reader.getBool("mlp_bias", false);
  if (reader.isGGUF()) {
    // The interval is the family's, and pairs are neighbours.
    for (int64_t layer = 0; layer < config.layers; ++layer)
      config.unrotated.push_back((layer + 1) % 4 == 0);
    config.rotary.layout = RotaryLayout::Interleaved;
  } else {
    readUnrotated(reader, config);
  }
  bool windowed = reader.getBool("use_sliding_window", false);
  readLayerTypes(reader, config, std::nullopt, [&](int64_t layer) {
    return windowed && config.unrotated[layer];
  });
  // Of families that this one was made from.
  reader.ignore({"max_window_layers"});
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerSmolLM3Family(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"smollm3", "SmolLM3ForCausalLM", "SmolLM3Model", "smollm3",
             ignorable, buildSmolLM3});
}
} // namespace weir
