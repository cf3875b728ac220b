//===- Granite.cpp - The Granite family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with factors of embeddings, scores, residuals and logits.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildGranite(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  DecoderConfig config;
  config.bos = 1;
  config.eos = 2;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  config.mlpBias = reader.getBool("mlp_bias", false);
  readGraniteFactors(reader, config);
  setGraniteGGUF(reader, config);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  return buildDecoder(builder, reader, request, keys, config);
}

/// With windows, and a logit per head that no key stands for.
static ModelFacts buildGraniteSwa(ModelBuilder &builder, ConfigReader &reader,
                                  const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 100352;
  config.hidden = 2560;
  config.inner = 8192;
  config.layers = 24;
  config.heads = 20;
  config.kvHeads = 4;
  config.trainedLength = 8192;
  config.eps = 1e-5;
  config.tied = true;
  config.bos = config.eos = 100257;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  config.mlpBias = reader.getBool("mlp_bias", false);
  readGraniteFactors(reader, config);
  readGraniteWindows(reader, config);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.sinks = keys.layer + "self_attn.sinks";
  return buildDecoder(builder, reader, request, keys, config);
}

static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};

namespace weir {
void registerGraniteFamily(FamilyTable &table) {
  table.add({"granite", "GraniteForCausalLM", "GraniteModel", "granite",
             ignorable, buildGranite});
}

void registerGraniteSwaFamily(FamilyTable &table) {
  table.add({"granite_swa", "GraniteSWAForCausalLM", "GraniteSWAModel", "",
             ignorable, buildGraniteSwa});
}
} // namespace weir
