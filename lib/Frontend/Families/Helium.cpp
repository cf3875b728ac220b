//===- Helium.cpp - The Helium family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama whose rotation pairs neighbours.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildHelium(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 48000;
  config.hidden = 2560;
  config.inner = 7040;
  config.layers = 24;
  config.heads = 20;
  config.kvHeads = 20;
  config.headDim = 128;
  config.trainedLength = 4096;
  config.eps = 1e-8;
  config.rotaryOptions.defaultBase = 1e5;
  config.rotary.layout = RotaryLayout::Interleaved;
  config.bos = 1;
  config.eos = 2;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  config.outputBias = false;
  config.mlpBias = reader.getBool("mlp_bias", false);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerHeliumFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"helium", "HeliumForCausalLM", "HeliumModel", "", ignorable,
             buildHelium});
}
} // namespace weir
