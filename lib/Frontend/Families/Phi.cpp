//===- Phi.cpp - The Phi family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention and perceptron side by side behind one centred norm, biases
// everywhere, and half of each head rotated (arXiv:2306.11644).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {{"rms_norm_eps", "layer_norm_eps"}};

static ModelFacts buildPhi(ModelBuilder &builder, ConfigReader &reader,
                           const FamilyRequest &request) {
  reader.setSpellings(spellings);
  DecoderConfig config;
  config.vocabSize = 51200;
  config.hidden = 2048;
  config.inner = 8192;
  config.layers = 24;
  config.eps = 1e-5;
  config.activation = "gelu_new";
  config.mlpBias = true;
  config.headBias = true;
  config.parallel = true;
  config.norm.centred = true;
  config.headNorm.centred = true;
  config.rotaryOptions.allowsPartial = true;
  config.rotaryOptions.defaultPart = 0.5;
  config.bos = 1;
  config.eos = 2;
  config.setAttentionBias(true);
  readDecoder(reader, builder, request, config);
  if (reader.getBool("qk_layernorm", false))
    config.queryKeyNorm = QueryKeyNorm::Head;
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.mlpNorm.clear();
  if (reader.isGGUF()) {
    keys.mlp.gate.clear();
    return buildDecoder(builder, reader, request, keys, config);
  }
  std::string attention = keys.layer + "self_attn.";
  keys.queryNorm = attention + "q_layernorm";
  keys.keyNorm = attention + "k_layernorm";
  keys.output = attention + "dense";
  keys.mlp = {keys.layer + "mlp.fc1", keys.layer + "mlp.fc2", ""};
  keys.finalNorm =
      getModelPrefix(builder.getCheckpoint(), "model.", "embed_tokens.weight") +
      "final_layernorm";
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerPhiFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"phi", "PhiForCausalLM", "PhiModel", "phi2", ignorable, buildPhi});
}
} // namespace weir
