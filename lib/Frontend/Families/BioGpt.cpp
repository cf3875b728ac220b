//===- BioGpt.cpp - The BioGPT family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// OPT with scaled embeddings (arXiv:2210.10341).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include <cmath>

using namespace mlir;
using namespace weir;

static ModelFacts buildBioGpt(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 42384;
  config.hidden = 1024;
  config.inner = 4096;
  config.layers = 24;
  config.heads = 16;
  config.trainedLength = 1024;
  config.activation = "gelu";
  config.tied = true;
  config.norm.centred = true;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  config.rotates = false;
  config.positionOffset = 2;
  config.mlpBias = true;
  config.bos = 0;
  config.eos = 2;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(true);
  // The epsilon is none that is said.
  config.eps = 1e-5;
  reader.ignore({"layer_norm_eps"});
  if (reader.getBool("scale_embedding", true))
    config.embeddingScale = std::sqrt(static_cast<double>(config.hidden));
  reader.ignore({"activation_dropout", "attention_probs_dropout_prob",
                 "hidden_dropout_prob"});
  DecoderKeys keys;
  std::string model =
      getModelPrefix(builder.getCheckpoint(), "biogpt.", "embed_tokens.weight");
  std::string layer = keys.layer = model + "layers.*.";
  keys.embed = model + "embed_tokens";
  keys.positions = model + "embed_positions";
  keys.finalNorm = model + "layer_norm";
  keys.head = "output_projection";
  keys.attentionNorm = layer + "self_attn_layer_norm";
  keys.mlpNorm = layer + "final_layer_norm";
  keys.query = layer + "self_attn.q_proj";
  keys.key = layer + "self_attn.k_proj";
  keys.value = layer + "self_attn.v_proj";
  keys.output = layer + "self_attn.out_proj";
  keys.mlp = {layer + "fc1", layer + "fc2", ""};
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerBioGptFamily(FamilyTable &table) {
  table.add(
      {"biogpt", "BioGptForCausalLM", "BioGptModel", "", {}, buildBioGpt});
}
} // namespace weir
