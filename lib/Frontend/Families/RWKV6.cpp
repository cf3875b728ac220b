//===- RWKV6.cpp - RWKV-6 in flash-linear-attention -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// arXiv:2404.05892, in the layout of flash-linear-attention.
//
//===----------------------------------------------------------------------===//

#include "FlaRWKV.h"

using namespace mlir;
using namespace weir;

namespace {

/// The options of RWKV-6, and its mixers.
struct RWKV6 {
  RWKV6(ModelBuilder &builder, ConfigReader &reader);

  Value mixTime(Value x, StringRef prefix);
  Value mixChannels(Value x, StringRef prefix);

  ModelBuilder &b;
  RWKVConfig config;
  int64_t heads, keys, values;
  int64_t mixRank, decayRank;
};

} // namespace

RWKV6::RWKV6(ModelBuilder &builder, ConfigReader &reader) : b(builder) {
  readRWKV(reader, config, 3.5);
  heads = reader.getSize("num_heads", 4);
  keys = readFlaWidth(reader, "expand_k", config.hidden, 0.5);
  values = readFlaWidth(reader, "expand_v", config.hidden, 1.0);
  mixRank = reader.getSize("proj_low_rank_dim", 32);
  decayRank = reader.getSize("gate_low_rank_dim", 64);
  expectMultiple(reader, "num_heads", keys, heads, "the features of all keys");
  expectMultiple(reader, "num_heads", values, heads,
                 "the features of all values");
}

Value RWKV6::mixTime(Value x, StringRef prefix) {
  auto key = [&](StringRef name) { return (prefix + name).str(); };
  Value before = shift(b, x);
  Value mean =
      lerp(b, x, before, b.weight(key("x_proj.0.mu"), {config.hidden}));
  Value mix =
      b.activation(b.linear(mean, key("x_proj.0.linear"), 5 * mixRank), "tanh");
  // How much of the token before goes into each of the five depends on both.
  Param matrix = b.param(key("x_proj.2.weight"), {config.hidden, 5 * mixRank});
  Param bias = b.param(key("x_bias"), {5, config.hidden});
  auto mixed = [&](int64_t index, StringRef name) {
    Param part = b.slice(matrix, 1, index * mixRank, mixRank, name);
    Param shift = b.reshape(b.slice(bias, 0, index, 1, name), {config.hidden});
    Value share = b.linear(sliceFeatures(b, mix, index * mixRank, mixRank),
                           b.read(part), b.read(shift));
    return lerp(b, x, before, share);
  };
  RecurrenceInputs in;
  in.query =
      b.splitHeads(b.linear(mixed(0, "r"), key("r_proj.linear"), keys), heads);
  Value decay = lowRank(b, mixed(1, "w"),
                        {key("w_proj.linear"), decayRank, keys, "tanh"});
  in.decay = b.splitHeads(b.scale(exp(b, decay), -1.0), heads);
  in.key =
      b.splitHeads(b.linear(mixed(2, "k"), key("k_proj.linear"), keys), heads);
  in.value = b.splitHeads(b.linear(mixed(3, "v"), key("v_proj.linear"), values),
                          heads);
  in.bonus = b.weight(key("bonus"), {heads, keys / heads});
  Value gate = b.activation(
      b.linear(mixed(4, "g"), key("g_proj.linear"), values), "silu");
  Value out =
      groupNorm(b, recurrence(b, in), b.weight(key("g_norm.weight"), {values}),
                b.weight(key("g_norm.bias"), {values}), config.eps);
  return b.linear(b.mul(out, gate), key("o_proj"), config.hidden);
}

Value RWKV6::mixChannels(Value x, StringRef prefix) {
  auto key = [&](StringRef name) { return (prefix + name).str(); };
  Value before = shift(b, x);
  auto project = [&](StringRef name, int64_t features) {
    Value share = b.weight(key(name) + ".mu", {config.hidden});
    return b.linear(lerp(b, x, before, share), key(name) + ".linear", features);
  };
  Value hidden = flaActivation(b, project("key", config.inner),
                               config.activation, "hidden_act");
  Value value = b.linear(hidden, key("value"), config.hidden);
  return b.mul(value, sigmoid(b, project("receptance", config.hidden)));
}

static ModelFacts buildRWKV6(ModelBuilder &b, ConfigReader &reader,
                             const FamilyRequest &request) {
  if (reader.isGGUF())
    return buildRWKV6OfGGUF(b, reader, request);
  RWKV6 family(b, reader);
  auto time = [&](Value x, StringRef prefix, Value &, bool) {
    return family.mixTime(x, prefix);
  };
  auto channels = [&](Value x, StringRef prefix) {
    return family.mixChannels(x, prefix);
  };
  return buildRWKV(b, reader, request, family.config,
                   {time, channels, /*firstFeatures=*/0});
}

namespace weir {
void registerRWKV6Family(FamilyTable &table) {
  table.add(
      {"rwkv6", "RWKV6ForCausalLM", "RWKV6Model", "rwkv6", {}, buildRWKV6});
}
} // namespace weir
