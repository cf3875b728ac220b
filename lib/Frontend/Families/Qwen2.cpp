//===- Qwen2.cpp - The Qwen2 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with biases on query, key and value, and a window on some layers.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildQwen2(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 151936;
  config.inner = 22016;
  config.kvHeads = 32;
  config.trainedLength = 32768;
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  readDecoder(reader, builder, request, config);
  readLayerWindows(reader, config);
  config.queryBias = config.keyBias = config.valueBias = true;
  reader.expect("attention_bias", true, "the family always has these biases");
  reader.expect("mlp_bias", false, "the family has no such biases");
  reader.expect("use_mrope", false, "positions of texts are single numbers");
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerQwen2Family(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"qwen2", "Qwen2ForCausalLM", "Qwen2Model", "qwen2", ignorable,
             buildQwen2});
}
} // namespace weir
