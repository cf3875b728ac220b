//===- SeedOss.cpp - The Seed-OSS family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with biases on query, key and value.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildSeedOss(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 155136;
  config.inner = 27648;
  config.layers = 64;
  config.heads = 80;
  config.kvHeads = 8;
  config.headDim = 128;
  config.trainedLength = 524288;
  config.bos = 0;
  config.eos = 2;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", true));
  config.outputBias = reader.getBool("attention_out_bias", false);
  config.mlpBias = reader.getBool("mlp_bias", false);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  if (reader.isGGUF())
    keys.mlpNorm = keys.layer + "post_attention_norm";
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerSeedOssFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"seed_oss", "SeedOssForCausalLM", "SeedOssModel", "seed_oss",
             ignorable, buildSeedOss});
}
} // namespace weir
