//===- HunYuanMoe.cpp - The Hunyuan mixtures -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention whose heads are normalised behind their rotation, and in every
// layer experts beside a perceptron of the same size for all tokens. Layers may
// differ in how many experts a token goes to.
//
//===----------------------------------------------------------------------===//

#include "SparseDecoder.h"

using namespace mlir;
using namespace weir;

/// Reads how many experts a token goes to: a number, or one for each layer,
/// whose variants these become.
static void readPerToken(ConfigReader &reader, SparseDecoder &config) {
  StringRef key = reader.has("moe_topk") ? "moe_topk" : "num_experts_per_tok";
  const llvm::json::Value *value = reader.get(key);
  const llvm::json::Array *list = value ? value->getAsArray() : nullptr;
  SmallVector<int64_t> numbers(config.layers, 1);
  if (!list)
    numbers.assign(config.layers, reader.getSize(key, 1));
  else if (static_cast<int64_t>(list->size()) != config.layers)
    reader.emitError(key) << "key '" << key << "' is no list of "
                          << config.layers << " numbers";
  else
    for (auto [number, entry] : llvm::zip_equal(numbers, *list))
      number = entry.getAsInteger().value_or(0);
  for (auto [layer, number] : llvm::zip_equal(config.order, numbers)) {
    if (number < 1 || number > config.experts.router.experts) {
      reader.emitError(key)
          << "key '" << key << "' sends tokens to " << number
          << " experts, expected 1 to the " << config.experts.router.experts
          << " of 'num_experts'";
      return;
    }
    const auto *known = llvm::find(config.perToken, number);
    layer.variant = known - config.perToken.begin();
    if (known == config.perToken.end())
      config.perToken.push_back(number);
  }
}

static ModelFacts buildGGUF(ModelBuilder &b, ConfigReader &reader,
                            const FamilyRequest &request) {
  DecoderConfig config;
  config.queryKeyNorm = QueryKeyNorm::Head;
  config.normsRotated = true;
  readDecoder(reader, b, request, config);
  DecoderKeys keys = getDecoderKeys(b.getCheckpoint());
  ExpertsSpec &experts = config.experts.emplace();
  readExpertCounts(reader, experts.router, 1, 1);
  experts.inner = config.inner;
  setGGUFExperts(reader, keys.layer, experts);
  return buildDecoder(b, reader, request, keys, config);
}

static ModelFacts buildHunYuanMoe(ModelBuilder &b, ConfigReader &reader,
                                  const FamilyRequest &request) {
  if (reader.isGGUF())
    return buildGGUF(b, reader, request);
  SparseDecoder config;
  config.vocabSize = 290943;
  config.hidden = 4096;
  config.layers = 32;
  config.length = 2048;
  config.eps = 1e-5;
  readHybridModel(reader, config);
  config.inner = reader.getSize("intermediate_size", 11008);
  AttentionHeads heads;
  heads.heads = 32;
  // As many as query heads, if nothing is said.
  heads.kvHeads = reader.getSize("num_attention_heads", 32);
  readAttentionHeads(reader, heads, config.hidden);
  heads.bias = heads.outputBias = reader.getBool("attention_bias", false);
  heads.queryNorm = "query_layernorm";
  heads.keyNorm = "key_layernorm";
  heads.normsBehind = true;
  heads.eps = config.eps;
  RotaryOptions rotary;
  rotary.trainedLength = config.length;
  rotary.readsAlpha = true;
  readHeadRotary(reader, b, request, heads, rotary);

  config.order.assign(config.layers,
                      {TokenMixer::Attention, FeedForward::Experts});
  ExpertsSpec &experts = config.experts;
  std::string block = config.layer + "mlp.";
  experts.router.key = block + "gate.wg";
  experts.router.experts = reader.getSize(
      reader.has("num_local_experts") ? "num_local_experts" : "num_experts", 1);
  experts.keys.prefix = block + "experts.";
  experts.inner = experts.sharedInner = config.inner;
  experts.activation = config.activation;
  std::string shared = block + "shared_mlp.";
  experts.shared = {shared + "up_proj", shared + "down_proj",
                    shared + "gate_proj"};
  ignoreTrainingOfExperts(reader);
  readPerToken(reader, config);
  config.heads.assign(std::max<size_t>(config.perToken.size(), 1), heads);
  ignoreHunYuanOptions(reader);
  reader.ignore({"capacity_factor", "group_limited_greedy", "mlp_bias",
                 "moe_drop_tokens", "moe_intermediate_size",
                 "moe_layer_num_skipped", "moe_random_routing_dropped_token",
                 "norm_topk_prob", "num_shared_expert", "routed_scaling_factor",
                 "use_mixed_mlp_moe"});
  ModelFacts facts = buildSparseDecoder(b, reader, request, config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

namespace weir {
void registerHunYuanMoeFamily(FamilyTable &table) {
  table.add({"hunyuan_v1_moe",
             "HunYuanMoEV1ForCausalLM",
             "HunYuanMoEV1Model",
             "hunyuan-moe",
             {},
             buildHunYuanMoe});
}
} // namespace weir
