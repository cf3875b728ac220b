//===- Arcee.cpp - The Arcee family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with a perceptron of squared ReLUs and no gate.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildArcee(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  DecoderConfig config;
  config.hidden = 2560;
  config.inner = 18432;
  config.trainedLength = 4096;
  config.eps = 1e-5;
  config.activation = "relu2";
  config.bos = 128000;
  config.eos = 128001;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  config.mlpBias = reader.getBool("mlp_bias", false);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.mlp.gate.clear();
  // The converter permutes query and key so that pairs are neighbours.
  if (reader.isGGUF())
    config.rotary.layout = RotaryLayout::Interleaved;
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerArceeFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"arcee", "ArceeForCausalLM", "ArceeModel", "arcee", ignorable,
             buildArcee});
}
} // namespace weir
