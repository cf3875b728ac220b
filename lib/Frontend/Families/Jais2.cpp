//===- Jais2.cpp - The Jais 2 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with norms by mean and variance, biases everywhere, and squared
// rectifiers in place of gates.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {{"rms_norm_eps", "layer_norm_eps"}};

static ModelFacts buildJais2(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  reader.setSpellings(spellings);
  DecoderConfig config;
  config.vocabSize = 150272;
  config.hidden = 3328;
  config.inner = 26624;
  config.heads = 26;
  config.trainedLength = 8192;
  config.eps = 1e-5;
  config.activation = "relu2";
  config.norm.centred = true;
  config.bos = 0;
  config.eos = 150024;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", true));
  config.mlpBias = reader.getBool("mlp_bias", true);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.mlp.gate.clear();
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerJais2Family(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add(
      {"jais2", "Jais2ForCausalLM", "Jais2Model", "", ignorable, buildJais2});
}
} // namespace weir
