//===- Qwen3Moe.cpp - The Qwen3-MoE family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Qwen3 with experts in some layers, and a window in all of them or none.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildQwen3Moe(ModelBuilder &builder, ConfigReader &reader,
                                const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 151936;
  config.hidden = 2048;
  config.inner = 6144;
  config.layers = 24;
  config.kvHeads = 4;
  config.trainedLength = 32768;
  config.queryKeyNorm = QueryKeyNorm::Head;
  readDecoder(reader, builder, request, config);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  if (reader.isGGUF()) {
    ExpertDefaults defaults = {128, 8, 768};
    defaults.normalized = true;
    config.experts = readQwenExperts(reader, "", defaults);
    setGGUFExperts(reader, keys.layer, *config.experts);
    return buildDecoder(builder, reader, request, keys, config);
  }
  std::optional<int64_t> window = 4096;
  if (reader.has("sliding_window") || reader.isNull("sliding_window"))
    window = reader.getOptionalInt("sliding_window");
  if (reader.getBool("use_sliding_window", false) && window)
    config.windows.assign(config.layers, window);
  // Read into the configuration and never used.
  reader.ignore({"sliding_window", "max_window_layers"});
  config.setAttentionBias(reader.getBool("attention_bias", false));
  config.experts = readQwenExperts(reader, keys.layer + "mlp.", {128, 8, 768});
  config.experts->activation = config.activation;
  config.sparse = readSparseLayers(reader, config.layers);
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerQwen3MoeFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"qwen3_moe", "Qwen3MoeForCausalLM", "Qwen3MoeModel", "qwen3moe",
             ignorable, buildQwen3Moe});
}
} // namespace weir
