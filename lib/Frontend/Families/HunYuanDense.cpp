//===- HunYuanDense.cpp - The dense HunYuan family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with norms of heads behind their rotation, whose base grows by a given
// factor.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildHunYuanDense(ModelBuilder &builder, ConfigReader &reader,
                                    const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 290943;
  config.eps = 1e-5;
  config.queryKeyNorm = QueryKeyNorm::Head;
  config.normsRotated = true;
  config.rotaryOptions.readsAlpha = true;
  config.bos = 1;
  config.eos = 2;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  // Tokens, and how weights were split.
  reader.ignore({"eod_token_id", "sep_token_id", "im_start_id", "im_end_id"});
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.queryNorm = keys.layer + "self_attn.query_layernorm";
  keys.keyNorm = keys.layer + "self_attn.key_layernorm";
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerHunYuanDenseFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"hunyuan_v1_dense", "HunYuanDenseV1ForCausalLM",
             "HunYuanDenseV1Model", "", ignorable, buildHunYuanDense});
}
} // namespace weir
