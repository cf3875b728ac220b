//===- Qwen2Moe.cpp - The Qwen2-MoE family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Qwen2 with experts in some layers beside a gated one for all tokens, and a
// window in every other layer where the configuration wants windows.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildQwen2Moe(ModelBuilder &builder, ConfigReader &reader,
                                const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 151936;
  config.hidden = 2048;
  config.inner = 5632;
  config.layers = 24;
  config.heads = 16;
  config.kvHeads = 16;
  config.trainedLength = 32768;
  readDecoder(reader, builder, request, config);
  readLayerWindows(reader, config, [](int64_t layer, int64_t first) {
    return (layer + 1) % 2 != 0 && layer < first;
  });
  bool bias = reader.getBool("qkv_bias", true);
  config.queryBias = config.keyBias = config.valueBias = bias;
  reader.expect("mlp_bias", false, "the family has no such biases");
  reader.expect("use_mrope", false, "positions of texts are single numbers");
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  config.experts =
      readQwenSharedExperts(reader, keys.layer + "mlp.", {60, 4, 1408}, 5632);
  config.experts->activation = config.activation;
  if (reader.isGGUF())
    setGGUFExperts(reader, keys.layer, *config.experts);
  else
    config.sparse = readSparseLayers(reader, config.layers);
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerQwen2MoeFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"qwen2_moe", "Qwen2MoeForCausalLM", "Qwen2MoeModel", "qwen2moe",
             ignorable, buildQwen2Moe});
}
} // namespace weir
