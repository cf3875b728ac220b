//===- Glm4Moe.cpp - The GLM-4.5 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// GLM-4.5 (arXiv:2508.06471): attention that rotates a part of its heads, with
// or without norms of these, and behind the first layers DeepSeek's mixtures.
//
//===----------------------------------------------------------------------===//

#include "SparseDecoder.h"

using namespace mlir;
using namespace weir;

/// The model of a GGUF file, whose last layers predict more than the next token
/// and are no part of it.
static ModelFacts buildGGUF(ModelBuilder &b, ConfigReader &reader,
                            const FamilyRequest &request) {
  DecoderConfig config;
  config.rotaryOptions.allowsPartial = true;
  readDecoder(reader, b, request, config);
  Checkpoint &checkpoint = b.getCheckpoint();
  DecoderKeys keys = getDecoderKeys(checkpoint);
  keys.mlpNorm = keys.layer + "post_attention_norm";
  if (hasLayerTensor(checkpoint, keys.queryNorm + ".weight"))
    config.queryKeyNorm = QueryKeyNorm::Head;
  config.layers = dropLaterLayers(reader, checkpoint, config.layers);
  config.windows.resize(config.layers);
  config.experts = readDeepseekExperts(reader, b, "", {128, 8, 1408});
  setGGUFExperts(reader, keys.layer, *config.experts);
  return buildDecoder(b, reader, request, keys, config);
}

static ModelFacts buildGlm4Moe(ModelBuilder &b, ConfigReader &reader,
                               const FamilyRequest &request) {
  if (reader.isGGUF())
    return buildGGUF(b, reader, request);
  SparseDecoder config;
  config.vocabSize = 151552;
  config.hidden = 4096;
  config.layers = 46;
  config.length = 131072;
  config.eps = 1e-5;
  readHybridModel(reader, config);
  config.inner = reader.getSize("intermediate_size", 10944);
  AttentionHeads &heads = config.heads.emplace_back();
  heads.heads = 96;
  heads.kvHeads = 8;
  readAttentionHeads(reader, heads, config.hidden);
  heads.bias = reader.getBool("attention_bias", false);
  if (reader.getBool("use_qk_norm", false)) {
    heads.queryNorm = "q_norm";
    heads.keyNorm = "k_norm";
    heads.eps = config.eps;
  }
  RotaryOptions rotary;
  rotary.trainedLength = config.length;
  rotary.allowsPartial = true;
  // Null is not the default, but means no part.
  rotary.defaultPart = reader.isNull("partial_rotary_factor") ? 1.0 : 0.5;
  readHeadRotary(reader, b, request, heads, rotary);
  config.order.assign(config.layers, {TokenMixer::Attention});
  int64_t dense = reader.getInt("first_k_dense_replace", 1);
  if (chooseFeedForwards(config,
                         [&](int64_t layer) { return layer >= dense; })) {
    config.experts =
        readDeepseekExperts(reader, b, config.layer + "mlp.", {128, 8, 1408});
    config.experts.activation = config.activation;
  } else {
    ignoreDeepseekExperts(reader);
  }
  markLaterHeads(b.getCheckpoint(), config, "");
  return buildSparseDecoder(b, reader, request, config);
}

namespace weir {
void registerGlm4MoeFamily(FamilyTable &table) {
  table.add({"glm4_moe",
             "Glm4MoeForCausalLM",
             "Glm4MoeModel",
             "glm4moe",
             {},
             buildGlm4Moe});
}
} // namespace weir
