//===- Ernie45.cpp - The ERNIE 4.5 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama whose rotation pairs neighbours, with biases everywhere or nowhere.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildErnie45(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 103424;
  config.hidden = 1024;
  config.inner = 3072;
  config.layers = 18;
  config.heads = 16;
  config.kvHeads = 2;
  config.headDim = 128;
  config.trainedLength = 131072;
  config.eps = 1e-5;
  config.tied = true;
  config.rotaryOptions.defaultBase = 5e5;
  config.rotary.layout = RotaryLayout::Interleaved;
  config.bos = 1;
  config.eos = 2;
  readDecoder(reader, builder, request, config);
  reader.expect("compression_ratio", 1, "positions are not compressed");
  bool bias = reader.getBool("use_bias", false);
  config.setAttentionBias(bias);
  config.mlpBias = bias;
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerErnie45Family(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"ernie4_5", "Ernie4_5ForCausalLM", "Ernie4_5Model", "ernie4_5",
             ignorable, buildErnie45});
}
} // namespace weir
