//===- Cwm.cpp - The CWM family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with windows on three layers of four (Code World Model,
// arXiv:2510.02387).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildCwm(ModelBuilder &builder, ConfigReader &reader,
                           const FamilyRequest &request) {
  static const llvm::json::Object rope{
      {"rope_type", "llama3"},  {"rope_theta", 1000000.0},
      {"factor", 16.0},         {"original_max_position_embeddings", 8192},
      {"low_freq_factor", 1.0}, {"high_freq_factor", 4.0}};
  DecoderConfig config;
  config.vocabSize = 128256;
  config.hidden = 6144;
  config.inner = 21504;
  config.layers = 64;
  config.heads = 48;
  config.kvHeads = 8;
  config.headDim = 128;
  config.trainedLength = 131072;
  config.eps = 1e-5;
  config.rotaryOptions.defaultBase = 1000000;
  config.rotaryOptions.defaults = &rope;
  config.bos = 128000;
  config.eos = 128001;
  readDecoder(reader, builder, request, config);
  config.mlpBias = reader.getBool("mlp_bias", false);
  readLayerTypes(reader, config, 8192,
                 [](int64_t layer) { return layer % 4 != 0; });
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerCwmFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"cwm", "CwmForCausalLM", "CwmModel", "", ignorable, buildCwm});
}
} // namespace weir
