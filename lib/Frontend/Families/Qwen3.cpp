//===- Qwen3.cpp - The Qwen3 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with norms on the heads of query and key, and a window on some layers.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildQwen3(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 151936;
  config.inner = 22016;
  config.kvHeads = 32;
  config.headDim = 128;
  config.trainedLength = 32768;
  config.queryKeyNorm = QueryKeyNorm::Head;
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  readDecoder(reader, builder, request, config);
  readLayerWindows(reader, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  reader.expect("mlp_bias", false, "the family has no such biases");
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerQwen3Family(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"qwen3", "Qwen3ForCausalLM", "Qwen3Model", "qwen3", ignorable,
             buildQwen3});
}
} // namespace weir
