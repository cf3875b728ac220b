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
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  return buildDecoder(builder, reader, request, keys, config);
}

void weir::registerGraniteFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"granite", "GraniteForCausalLM", "GraniteModel", "", ignorable,
             buildGranite});
}
