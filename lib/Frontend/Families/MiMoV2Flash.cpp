//===- MiMoV2Flash.cpp - The MiMo-V2-Flash family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layers that see everything, and layers with a window that have twice the
// keys, a rotation of their own and a logit per head that no key stands for
// (arXiv:2601.02780). Values have other features than keys. Behind the first
// layer experts, as DeepSeek-V3 has them but for none that sees all tokens.
//
//===----------------------------------------------------------------------===//

#include "SparseDecoder.h"

using namespace mlir;
using namespace weir;

/// Which of the layers' variants sees a window.
static constexpr int64_t windowed = 1;

/// The rotation of a kind of layers. Only unstretched ones have a part of the
/// features for a default.
static void readRotation(ConfigReader &reader, ModelBuilder &b,
                         const FamilyRequest &request, int64_t length,
                         AttentionHeads &heads, StringRef layerType,
                         StringRef baseKey, double base) {
  RotaryOptions rotary;
  rotary.baseKey = baseKey;
  rotary.trainedLength = length;
  rotary.layerType = layerType;
  rotary.readsScaling = false;
  rotary.defaultBase = base;
  rotary.allowsPartial = true;
  const llvm::json::Value *all = reader.get("rope_parameters");
  const llvm::json::Object *kinds = all ? all->getAsObject() : nullptr;
  const llvm::json::Object *own = kinds ? kinds->getObject(layerType) : nullptr;
  bool isPlain =
      !own || own->getString("rope_type").value_or("default") == "default";
  rotary.defaultPart = isPlain ? 0.334 : 1;
  readHeadRotary(reader, b, request, heads, rotary);
}

static void readHeads(ConfigReader &reader, ModelBuilder &b,
                      const FamilyRequest &request, SparseDecoder &config) {
  AttentionHeads full;
  full.heads = 64;
  full.kvHeads = 4;
  readAttentionHeads(reader, full, config.hidden, /*headDim=*/192);
  full.valueDim = reader.getSize("v_head_dim", 128);
  full.bias = reader.getBool("attention_bias", false);
  if (!reader.isNull("attention_value_scale"))
    full.valueScale = reader.getFloat("attention_value_scale", 0.707);
  AttentionHeads near = full;
  near.kvHeads = 2 * full.kvHeads;
  // As the first checkpoints call it, or as transformers does.
  near.sinks = "attention_sink_bias";
  if (!hasLayerTensor(b.getCheckpoint(),
                      config.layer + "self_attn." + near.sinks))
    near.sinks = "sinks";
  near.window = reader.getSize("sliding_window", 129);
  // As the first implementation counts it, without the query's own position.
  if (reader.has("sliding_window_size"))
    near.window = reader.getSize("sliding_window_size", 1) + 1;
  readRotation(reader, b, request, config.length, full, "full_attention",
               "rope_theta", 5e6);
  readRotation(reader, b, request, config.length, near, "sliding_attention",
               "swa_rope_theta", 1e4);
  config.heads = {full, near};
}

static void readLayers(ConfigReader &reader, SparseDecoder &config) {
  static constexpr HybridLayer full = {TokenMixer::Attention,
                                       FeedForward::Dense};
  static constexpr HybridLayer near = {TokenMixer::Attention,
                                       FeedForward::Dense, windowed};
  if (!readLayerNames(reader, config,
                      {{"full_attention", full}, {"sliding_attention", near}}))
    for (auto [i, layer] : llvm::enumerate(config.order))
      layer = i == 0 || (i + 1) % 6 == 0 ? full : near;
  if (llvm::is_contained(config.order, near))
    expectShared(reader, "num_key_value_heads", config.heads.front().heads,
                 config.heads[windowed].kvHeads);
}

static ModelFacts buildMiMoV2Flash(ModelBuilder &b, ConfigReader &reader,
                                   const FamilyRequest &request) {
  SparseDecoder config;
  config.vocabSize = 152576;
  config.hidden = 4096;
  config.layers = 48;
  config.length = 131072;
  config.eps = 1e-5;
  readHybridModel(reader, config);
  config.inner = reader.getSize("intermediate_size", 16384);
  readHeads(reader, b, request, config);
  readLayers(reader, config);
  reader.expect("add_full_attention_sink_bias", false,
                "only layers with a window have sinks");
  reader.expect("add_swa_attention_sink_bias", true,
                "layers with a window have sinks");
  if (readFeedForwardTypes(reader, config, /*denseLayers=*/1)) {
    config.experts = readDeepseekExperts(reader, b, config.layer + "mlp.",
                                         {256, 8, 2048, /*shared=*/0});
    config.experts.sharedInner = 0;
    config.experts.activation = config.activation;
  } else {
    ignoreDeepseekExperts(reader);
  }
  markLaterHeads(b.getCheckpoint(), config, "model.mtp.");
  ModelFacts facts = buildSparseDecoder(b, reader, request, config);
  facts.bos = 1;
  return facts;
}

namespace weir {
void registerMiMoV2FlashFamily(FamilyTable &table) {
  table.add({"mimo_v2_flash",
             "MiMoV2FlashForCausalLM",
             "MiMoV2FlashModel",
             "",
             {},
             buildMiMoV2Flash});
}
} // namespace weir
