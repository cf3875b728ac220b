//===- Dots1.cpp - The dots.llm1 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Qwen3's attention, with windows in the last layers, and DeepSeek-V3's
// mixtures (arXiv:2506.05767).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildDots1(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 152064;
  config.hidden = 4608;
  config.inner = 10944;
  config.layers = 62;
  config.queryKeyNorm = QueryKeyNorm::Head;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  int64_t first = reader.getInt("max_window_layers", 62);
  // Nothing follows from it: the list of layers, or their number, says which.
  reader.ignore({"use_sliding_window"});
  readLayerTypes(reader, config, 4096,
                 [&](int64_t layer) { return layer >= first; });
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  int64_t dense = reader.getInt("first_k_dense_replace", 0);
  for (int64_t layer = 0; layer < config.layers; ++layer)
    config.sparse.push_back(layer >= dense);
  if (llvm::is_contained(config.sparse, true)) {
    DeepseekDefaults defaults = {/*experts=*/1, /*perToken=*/1,
                                 /*inner=*/1408};
    defaults.normalized = false;
    config.experts =
        readDeepseekExperts(reader, builder, keys.layer + "mlp.", defaults);
    config.experts->activation = config.activation;
  } else {
    ignoreDeepseekExperts(reader);
  }
  if (reader.isGGUF() && config.experts)
    setGGUFExperts(reader, keys.layer, *config.experts);
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerDots1Family(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"dots1", "Dots1ForCausalLM", "Dots1Model", "dots1", ignorable,
             buildDots1});
}
} // namespace weir
