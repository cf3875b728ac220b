//===- StableLm.cpp - The StableLM family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with centred norms and a quarter of each head rotated, and options:
// norms of heads with weights of their own, attention and perceptron side by
// side (arXiv:2402.17834).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {{"rms_norm_eps", "layer_norm_eps"}};

static ModelFacts buildStableLm(ModelBuilder &builder, ConfigReader &reader,
                                const FamilyRequest &request) {
  reader.setSpellings(spellings);
  DecoderConfig config;
  config.vocabSize = 50304;
  config.hidden = 2560;
  config.inner = 6912;
  config.kvHeads = 32;
  config.trainedLength = 4096;
  config.eps = 1e-5;
  config.norm.centred = true;
  config.readsHeadDim = false;
  config.rotaryOptions.allowsPartial = true;
  config.rotaryOptions.defaultPart = 0.25;
  config.bos = 0;
  config.eos = 0;
  readDecoder(reader, builder, request, config);
  reader.expect("rotary_scaling_factor", 1, "positions are not scaled by it");
  config.setAttentionBias(reader.getBool("use_qkv_bias", false));
  config.outputBias = false;
  if (reader.getBool("qk_layernorm", false))
    config.queryKeyNorm = QueryKeyNorm::EachHead;
  config.parallel = reader.getBool("use_parallel_residual", false);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  if (!reader.isGGUF()) {
    keys.queryNorm = keys.layer + "self_attn.q_layernorm.norms.*";
    keys.keyNorm = keys.layer + "self_attn.k_layernorm.norms.*";
  } else if (hasLayerTensor(builder.getCheckpoint(),
                            keys.queryNorm + ".weight")) {
    config.queryKeyNorm = QueryKeyNorm::EachHead;
  }
  if (config.parallel)
    keys.mlpNorm.clear();
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerStableLmFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"stablelm", "StableLmForCausalLM", "StableLmModel", "stablelm",
             ignorable, buildStableLm});
}
} // namespace weir
