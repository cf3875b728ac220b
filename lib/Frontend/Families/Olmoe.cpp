//===- Olmoe.cpp - The OLMoE family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with experts in every layer, norms over all features of query and key,
// and a bound on queries, keys and values (arXiv:2409.02060).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildOlmoe(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 50304;
  config.hidden = 2048;
  config.inner = 2048;
  config.layers = 16;
  config.heads = 16;
  config.trainedLength = 4096;
  config.eps = 1e-5;
  config.queryKeyNorm = QueryKeyNorm::Projection;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  if (reader.has("clip_qkv"))
    config.clip = reader.getFloat("clip_qkv", 0);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  config.experts =
      readQwenExperts(reader, keys.layer + "mlp.", {64, 8, config.inner});
  config.experts->activation = config.activation;
  if (reader.isGGUF())
    setGGUFExperts(reader, keys.layer, *config.experts);
  ModelFacts facts = buildDecoder(builder, reader, request, keys, config);
  facts.eos = 50279;
  return facts;
}

namespace weir {
void registerOlmoeFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"olmoe", "OlmoeForCausalLM", "OlmoeModel", "olmoe", ignorable,
             buildOlmoe});
}
} // namespace weir
