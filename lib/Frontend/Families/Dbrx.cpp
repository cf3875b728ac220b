//===- Dbrx.cpp - The DBRX family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bounded queries, keys and values out of one matrix, and experts whose weights
// are divided by one of their norms. What is said about attention and about
// experts stands in two objects.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "weir/Frontend/LinearLayers.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {
    {"hidden_size", "d_model"},
    {"num_attention_heads", "n_heads"},
    {"num_hidden_layers", "n_layers"},
    {"max_position_embeddings", "max_seq_len"}};

/// `input`, of no negative numbers, to the power of `exponent`.
static Value power(ModelBuilder &b, Value input, double exponent) {
  return b.map(input, [&](OpBuilder &n, Location l, ValueRange in) -> Value {
    Value number = arith::ConstantOp::create(
        n, l, n.getFloatAttr(in[0].getType(), exponent));
    return math::PowFOp::create(n, l, in[0], number);
  });
}

/// Reads `attn_config`.
static void readAttention(ConfigReader &reader, DecoderConfig &config) {
  ConfigReader attention(reader, "attn_config");
  config.kvHeads = attention.getSize("kv_n_heads", 1);
  if (attention.has("clip_qkv"))
    config.clip = attention.getFloat("clip_qkv", 0);
  // The first checkpoints have the base here, and no other.
  config.rotaryOptions.defaultBase = attention.getFloat("rope_theta", 10000);
  attention.finish();
}

/// Reads `ffn_config`; keys of weights begin with `block`.
static ExpertsSpec readExperts(ConfigReader &outer, const std::string &block) {
  ConfigReader reader(outer, "ffn_config");
  ExpertsSpec spec;
  RouterSpec &router = spec.router;
  readExpertCounts(reader, router, {"moe_num_experts"}, 4, {"moe_top_k"}, 1);
  router.key = block + "router.layer";
  spec.inner = reader.getSize("ffn_hidden_size", 3584);
  spec.keys.prefix = block + "experts.mlp.";
  spec.keys.gate = "w1";
  spec.keys.up = "v1";
  spec.keys.down = "w2";
  spec.keys.joinsRows = true;
  ConfigReader activation(reader, "ffn_act_fn");
  spec.activation = activation.getString("name", "silu");
  activation.finish();

  constexpr StringLiteral orderKey = "moe_normalize_expert_weights";
  double order = reader.getFloat(orderKey, 1);
  if (reader.isNull(orderKey)) {
    router.weighting = RouteWeighting::Scores;
  } else if (!(order > 0)) {
    reader.emitError(orderKey) << "key '" << orderKey << "' is " << order
                               << ", expected the order of a norm, above 0";
  } else if (order != 1) {
    router.weighting = RouteWeighting::Scores;
    router.reweigh = [order](ModelBuilder &b, Value, const Routing &routing) {
      Value sum = sumFeatures(b, power(b, routing.weights, order));
      return divideRows(b, routing.weights, power(b, sum, 1 / order), 0);
    };
  }
  // Of training, and what the whole model says.
  reader.ignore({"hidden_size", "moe_jitter_eps", "moe_loss_weight"});
  reader.finish();
  return spec;
}

static ModelFacts buildDbrx(ModelBuilder &builder, ConfigReader &reader,
                            const FamilyRequest &request) {
  reader.setSpellings(spellings);
  DecoderConfig config;
  config.hidden = 2048;
  config.layers = 24;
  config.heads = 16;
  // That of torch, which no configuration says.
  config.eps = 1e-5;
  config.norm.centred = true;
  config.norm.bias = false;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  if (!reader.isGGUF())
    readAttention(reader, config);
  readDecoder(reader, builder, request, config);
  reader.ignore({"num_key_value_heads", "output_router_logits"});
  DecoderKeys keys;
  if (reader.isGGUF()) {
    if (reader.has("clip_qkv"))
      config.clip = reader.getFloat("clip_qkv", 0);
    keys = getDecoderKeys(builder.getCheckpoint());
    keys.mlpNorm = keys.layer + "attn_output_norm";
    ExpertsSpec &experts = config.experts.emplace();
    readExpertCounts(reader, experts.router, 4, 1);
    experts.inner = config.inner;
    setGGUFExperts(reader, keys.layer, experts);
    return buildDecoder(builder, reader, request, keys, config);
  }
  std::string model =
      getModelPrefix(builder.getCheckpoint(), "transformer.", "wte.weight");
  std::string layer = keys.layer = model + "blocks.*.";
  keys.embed = model + "wte";
  keys.finalNorm = model + "norm_f";
  keys.head = "lm_head";
  keys.attentionNorm = layer + "norm_attn_norm.norm_1";
  keys.mlpNorm = layer + "norm_attn_norm.norm_2";
  keys.fused = layer + "norm_attn_norm.attn.Wqkv";
  keys.output = layer + "norm_attn_norm.attn.out_proj";
  config.experts = readExperts(reader, layer + "ffn.");
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerDbrxFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add(
      {"dbrx", "DbrxForCausalLM", "DbrxModel", "dbrx", ignorable, buildDbrx});
}
} // namespace weir
