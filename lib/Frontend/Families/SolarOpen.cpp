//===- SolarOpen.cpp - The Solar Open family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama's attention, and DeepSeek-V3's mixtures in every layer.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildSolarOpen(ModelBuilder &builder, ConfigReader &reader,
                                 const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 196608;
  config.layers = 48;
  config.heads = 64;
  config.kvHeads = 8;
  config.headDim = 128;
  config.trainedLength = 131072;
  config.eps = 1e-5;
  config.rotaryOptions.defaultBase = 1000000;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  config.outputBias = false;
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  config.experts =
      readDeepseekExperts(reader, builder, keys.layer + "mlp.", {128, 8, 1280});
  config.experts->activation = config.activation;
  // What GLM's mixtures say that these do not look at.
  reader.ignore({"first_k_dense_replace", "intermediate_size", "use_qk_norm"});
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerSolarOpenFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"solar_open", "SolarOpenForCausalLM", "SolarOpenModel", "",
             ignorable, buildSolarOpen});
}
} // namespace weir
