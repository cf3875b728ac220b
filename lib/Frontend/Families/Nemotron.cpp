//===- Nemotron.cpp - The Nemotron family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Centred norms whose weights count from one, half of each head rotated, and a
// perceptron of squared ReLUs without a gate (arXiv:2402.16819).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {{"rms_norm_eps", "norm_eps"}};

static ModelFacts buildNemotron(ModelBuilder &builder, ConfigReader &reader,
                                const FamilyRequest &request) {
  reader.setSpellings(spellings);
  DecoderConfig config;
  config.vocabSize = 256000;
  config.hidden = 6144;
  config.inner = 24576;
  config.heads = 48;
  config.trainedLength = 4096;
  config.eps = 1e-5;
  config.activation = "relu2";
  config.norm.centred = true;
  config.norm.offset = 1;
  config.rotaryOptions.allowsPartial = true;
  config.rotaryOptions.defaultPart = 0.5;
  config.bos = 2;
  config.eos = 3;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  config.mlpBias = reader.getBool("mlp_bias", false);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.mlp.gate.clear();
  // The converter to GGUF has added it.
  if (reader.isGGUF())
    config.norm.offset = 0;
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerNemotronFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"nemotron", "NemotronForCausalLM", "NemotronModel", "nemotron",
             ignorable, buildNemotron});
}
} // namespace weir
