//===- Glm.cpp - The GLM families -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with gate and up in one matrix, and neighbours of half of each head
// rotated. The fourth has norms of what layers add as well.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

/// The keys both share, and what they are where the configuration is silent.
static DecoderConfig readGlm(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 151552;
  config.inner = 13696;
  config.layers = 40;
  config.kvHeads = 2;
  config.headDim = 128;
  config.trainedLength = 131072;
  config.eps = 0.00000015625;
  config.eos = 151329;
  config.rotaryOptions.allowsPartial = true;
  config.rotaryOptions.defaultPart = 0.5;
  config.rotary.layout = RotaryLayout::Interleaved;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", true));
  config.outputBias = false;
  return config;
}

static ModelFacts buildGlm(ModelBuilder &builder, ConfigReader &reader,
                           const FamilyRequest &request) {
  DecoderConfig config = readGlm(builder, reader, request);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.gateUp = keys.layer + "mlp.gate_up_proj";
  return buildDecoder(builder, reader, request, keys, config);
}

static ModelFacts buildGlm4(ModelBuilder &builder, ConfigReader &reader,
                            const FamilyRequest &request) {
  DecoderConfig config = readGlm(builder, reader, request);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  if (reader.isGGUF()) {
    keys.gateUp = keys.layer + "ffn_up";
    keys.attentionPostNorm = keys.layer + "post_attention_norm";
    keys.mlpPostNorm = keys.layer + "post_ffw_norm";
  } else {
    keys.gateUp = keys.layer + "mlp.gate_up_proj";
    keys.attentionPostNorm = keys.layer + "post_self_attn_layernorm";
    keys.mlpPostNorm = keys.layer + "post_mlp_layernorm";
  }
  return buildDecoder(builder, reader, request, keys, config);
}

static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};

namespace weir {
void registerGlmFamily(FamilyTable &table) {
  table.add({"glm", "GlmForCausalLM", "GlmModel", "", ignorable, buildGlm});
}

void registerGlm4Family(FamilyTable &table) {
  table.add(
      {"glm4", "Glm4ForCausalLM", "Glm4Model", "glm4", ignorable, buildGlm4});
}
} // namespace weir
