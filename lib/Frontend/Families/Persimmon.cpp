//===- Persimmon.cpp - The Persimmon family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rotations of half of a head's features, norms of heads with biases, and
// squared rectifiers.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {{"rms_norm_eps", "layer_norm_eps"}};

static ModelFacts buildPersimmon(ModelBuilder &builder, ConfigReader &reader,
                                 const FamilyRequest &request) {
  reader.setSpellings(spellings);
  DecoderConfig config;
  config.vocabSize = 262144;
  config.inner = 16384;
  config.layers = 36;
  config.heads = 64;
  config.trainedLength = 16384;
  config.eps = 1e-5;
  config.activation = "relu2";
  config.mlpBias = true;
  config.norm.centred = config.headNorm.centred = true;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  config.fusedLayout = FusedLayout::Groups;
  config.rotaryOptions.allowsPartial = true;
  config.rotaryOptions.defaultPart = 0.5;
  config.bos = 1;
  config.eos = 2;
  readDecoder(reader, builder, request, config);
  reader.expect("num_key_value_heads", config.heads,
                "each head has its own key");
  config.setAttentionBias(true);
  if (reader.getBool("qk_layernorm", true))
    config.queryKeyNorm = QueryKeyNorm::Head;
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  std::string model =
      getModelPrefix(builder.getCheckpoint(), "model.", "embed_tokens.weight");
  keys.finalNorm = model + "final_layernorm";
  keys.fused = keys.layer + "self_attn.query_key_value";
  keys.output = keys.layer + "self_attn.dense";
  keys.queryNorm = keys.layer + "self_attn.q_layernorm";
  keys.keyNorm = keys.layer + "self_attn.k_layernorm";
  keys.mlp = {keys.layer + "mlp.dense_h_to_4h",
              keys.layer + "mlp.dense_4h_to_h", ""};
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerPersimmonFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"persimmon", "PersimmonForCausalLM", "PersimmonModel", "",
             ignorable, buildPersimmon});
}
} // namespace weir
