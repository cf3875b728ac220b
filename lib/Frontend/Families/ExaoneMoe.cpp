//===- ExaoneMoe.cpp - The EXAONE-MoE family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layers of attention with a window, whose heads are rotated, and layers
// without either; behind the first, DeepSeek's mixtures.
//
//===----------------------------------------------------------------------===//

#include "SparseDecoder.h"

using namespace mlir;
using namespace weir;

/// Which of the layers' variants sees a window.
static constexpr int64_t windowed = 1;

static void readHeads(ConfigReader &reader, ModelBuilder &b,
                      const FamilyRequest &request, SparseDecoder &config) {
  AttentionHeads heads;
  heads.heads = heads.kvHeads = 32;
  readAttentionHeads(reader, heads, config.hidden);
  heads.queryNorm = "q_norm";
  heads.keyNorm = "k_norm";
  heads.eps = config.eps;
  RotaryOptions rotary;
  rotary.trainedLength = config.length;
  readHeadRotary(reader, b, request, heads, rotary);
  config.heads.assign(2, heads);
  if (reader.isNull("sliding_window"))
    return;
  // Where there are windows, layers that see everything have no positions.
  config.heads.front().rotary = std::nullopt;
  config.heads[windowed].window = reader.getSize("sliding_window", 4096);
}

static void readLayers(ConfigReader &reader, SparseDecoder &config) {
  int64_t period = reader.getSize("sliding_window_pattern", 4);
  bool hasWindows = !reader.isNull("sliding_window");
  static constexpr HybridLayer full = {TokenMixer::Attention,
                                       FeedForward::Dense};
  static constexpr HybridLayer near = {TokenMixer::Attention,
                                       FeedForward::Dense, windowed};
  if (!readLayerNames(reader, config,
                      {{"full_attention", full}, {"sliding_attention", near}}))
    for (auto [i, layer] : llvm::enumerate(config.order))
      layer = (static_cast<int64_t>(i) + 1) % period ? near : full;
  if (!hasWindows && llvm::is_contained(config.order, near))
    reader.emitError("sliding_window")
        << "key 'sliding_window' is null when layers have windows";
}

static ModelFacts buildExaoneMoe(ModelBuilder &b, ConfigReader &reader,
                                 const FamilyRequest &request) {
  SparseDecoder config;
  config.vocabSize = 102400;
  config.hidden = 4096;
  config.layers = 32;
  config.length = 2048;
  config.eps = 1e-5;
  readHybridModel(reader, config);
  config.inner = reader.getSize("intermediate_size", 16384);
  readHeads(reader, b, request, config);
  readLayers(reader, config);
  if (readFeedForwardTypes(reader, config, /*denseLayers=*/1)) {
    std::string block = config.layer + "mlp.";
    config.experts = readDeepseekExperts(reader, b, block,
                                         {64, 8, 1024, /*shared=*/1,
                                          /*groups=*/1, /*chosen=*/1,
                                          /*scale=*/2.5});
    config.experts.activation = config.activation;
    std::string bias = block + "e_score_correction_bias";
    if (hasLayerTensor(b.getCheckpoint(), bias))
      config.experts.router.bias = bias;
  } else {
    ignoreDeepseekExperts(reader);
  }
  markLaterHeads(b.getCheckpoint(), config, "mtp.");
  ModelFacts facts = buildSparseDecoder(b, reader, request, config);
  facts.bos = 1;
  facts.eos = 53;
  return facts;
}

namespace weir {
void registerExaoneMoeFamily(FamilyTable &table) {
  table.add({"exaone_moe",
             "ExaoneMoeForCausalLM",
             "ExaoneMoeModel",
             "",
             {},
             buildExaoneMoe});
}
} // namespace weir
