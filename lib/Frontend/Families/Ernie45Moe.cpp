//===- Ernie45Moe.cpp - The ERNIE 4.5 mixtures -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention whose heads are rotated by neighbouring pairs, and experts in some
// layers, weighed by a softmax and chosen with a bias, beside experts for all
// tokens.
//
//===----------------------------------------------------------------------===//

#include "SparseDecoder.h"
#include "weir/Frontend/LinearLayers.h"

using namespace mlir;
using namespace weir;

/// Reads which layers have experts; whether any has.
static bool readLayers(ConfigReader &reader, SparseDecoder &config) {
  int64_t first = reader.getInt("moe_layer_start_index", 1);
  int64_t last = reader.getInt("moe_layer_end_index", -1);
  int64_t interval = reader.getSize("moe_layer_interval", 1);
  if (last == -1)
    last = config.layers - 1;
  config.order.assign(config.layers, {TokenMixer::Attention});
  return chooseFeedForwards(config, [&](int64_t layer) {
    return (layer + 1) % interval == 0 && layer >= first && layer <= last;
  });
}

static void readExperts(ConfigReader &reader, ModelBuilder &b,
                        SparseDecoder &config) {
  ExpertsSpec &experts = config.experts;
  RouterSpec &router = experts.router;
  std::string block = config.layer + "mlp.";
  router.key = block + "gate";
  std::string bias = "moe_statics.e_score_correction_bias";
  router.bias = block + bias;
  if (!hasLayerTensor(b.getCheckpoint(), router.bias))
    router.bias = block + "gate." + bias;
  readExpertCounts(reader, router, {"moe_num_experts", "num_experts"}, 64,
                   {"moe_k", "num_experts_per_tok"}, 6);
  experts.keys.prefix = block + "experts.";
  experts.inner = reader.getSize("moe_intermediate_size", 1536);
  experts.activation = config.activation;
  experts.sharedInner =
      experts.inner * reader.getInt("moe_num_shared_experts", 2);
  std::string shared = block + "shared_experts.";
  experts.shared = {shared + "up_proj", shared + "down_proj",
                    shared + "gate_proj"};
  experts.sharedBias = config.mlpBias;
  // Weights are divided by their sum, or by this where that is larger, which a
  // small one is not.
  double least = reader.getFloat("moe_norm_min", 1e-12);
  if (least <= 1e-6)
    return;
  router.weighting = RouteWeighting::Scores;
  router.reweigh = [least](ModelBuilder &b, Value, const Routing &routing) {
    Value sum = clampMin(b, sumFeatures(b, routing.weights), least);
    return divideRows(b, routing.weights, sum, 0);
  };
}

static ModelFacts buildGGUF(ModelBuilder &b, ConfigReader &reader,
                            const FamilyRequest &request) {
  DecoderConfig config;
  config.rotaryOptions.defaultBase = 500000.0;
  readDecoder(reader, b, request, config);
  config.rotary.layout = RotaryLayout::Interleaved;
  DecoderKeys keys = getDecoderKeys(b.getCheckpoint());
  ExpertsSpec &experts = config.experts.emplace();
  readExpertCounts(reader, experts.router, 64, 6);
  setGGUFExperts(reader, keys.layer, experts);
  // Which layers have experts shows in their tensors.
  reader.ignore({"moe_layer_interval"});
  return buildDecoder(b, reader, request, keys, config);
}

static ModelFacts buildErnie(ModelBuilder &b, ConfigReader &reader,
                             const FamilyRequest &request) {
  if (reader.isGGUF())
    return buildGGUF(b, reader, request);
  SparseDecoder config;
  config.vocabSize = 103424;
  config.hidden = 2560;
  config.layers = 28;
  config.length = 131072;
  config.eps = 1e-5;
  config.tied = true;
  readHybridModel(reader, config);
  config.inner = reader.getSize("intermediate_size", 12288);
  bool bias = reader.getBool("use_bias", false);
  config.mlpBias = config.headBias = bias;
  AttentionHeads &heads = config.heads.emplace_back();
  heads.heads = 20;
  heads.kvHeads = 4;
  readAttentionHeads(reader, heads, config.hidden);
  heads.bias = heads.outputBias = bias;
  RotaryOptions rotary;
  rotary.trainedLength = config.length;
  rotary.defaultBase = 500000.0;
  readHeadRotary(reader, b, request, heads, rotary);
  heads.rotary->layout = RotaryLayout::Interleaved;
  if (readLayers(reader, config))
    readExperts(reader, b, config);
  // What is said about experts that there are none of, about limits that this
  // library does not have, and about heads that predict more than the next
  // token.
  reader.expect("compression_ratio", 1, "positions are not compressed");
  reader.ignore({"moe_capacity", "moe_gate", "moe_intermediate_size", "moe_k",
                 "moe_norm_min", "moe_num_experts", "moe_num_shared_experts",
                 "moe_use_aux_free", "num_experts", "num_experts_per_tok",
                 "num_nextn_predict_layers"});
  ignoreTrainingOfExperts(reader);
  markLaterHeads(b.getCheckpoint(), config, config.model + "mtp");
  ModelFacts facts = buildSparseDecoder(b, reader, request, config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

namespace weir {
void registerErnie45MoeFamily(FamilyTable &table) {
  table.add({"ernie4_5_moe",
             "Ernie4_5_MoeForCausalLM",
             "Ernie4_5_MoeModel",
             "ernie4_5-moe",
             {},
             buildErnie});
}
} // namespace weir
