//===- FlaTest.cpp - Import of models of flash-linear-attention -----------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Models.h"

using namespace llvm;
using namespace weir;

/// Gated linear attention with two layers.
static SmallModel makeGLA() {
  SmallModel model;
  model.config = json::Object{{"architectures", json::Array{"GLAForCausalLM"}},
                              {"vocab_size", 10},
                              {"hidden_size", 8},
                              {"intermediate_size", 12},
                              {"num_hidden_layers", 2},
                              {"num_heads", 2}};
  model.addTensor("model.embeddings.weight", {10, 8});
  model.addTensor("model.norm.weight", {8});
  model.addTensor("lm_head.weight", {10, 8});
  for (StringRef layer : {"model.layers.0.", "model.layers.1."}) {
    auto add = [&](StringRef name, std::vector<int64_t> shape) {
      model.addTensor((layer + name).str(), std::move(shape));
    };
    add("attn_norm.weight", {8});
    add("mlp_norm.weight", {8});
    add("attn.q_proj.weight", {4, 8});
    add("attn.k_proj.weight", {4, 8});
    add("attn.v_proj.weight", {8, 8});
    add("attn.g_proj.weight", {8, 8});
    add("attn.o_proj.weight", {8, 8});
    add("attn.gk_proj.0.weight", {16, 8});
    add("attn.gk_proj.1.weight", {4, 16});
    add("attn.gk_proj.1.bias", {4});
    add("attn.g_norm_swish_gate.weight", {4});
    add("mlp.gate_proj.weight", {12, 8});
    add("mlp.up_proj.weight", {12, 8});
    add("mlp.down_proj.weight", {8, 12});
  }
  return model;
}

TEST(ImportFla, gla) {
  expectModule(importSmall(makeGLA()),
               {"weir.recurrence", "decay(", "order [0, 0]", "weir.rms_norm"});
}

TEST(ImportFla, attentionAtALayer) {
  SmallModel model = makeGLA();
  model.config["attn"] = json::Object{
      {"layers", json::Array{1}}, {"num_heads", 2}, {"window_size", 3}};
  for (StringRef name : {"g_proj", "gk_proj.0", "gk_proj.1",
                         "g_norm_swish_gate", "q_proj", "k_proj"})
    model.dropTensor(("model.layers.1.attn." + name + ".weight").str());
  model.dropTensor("model.layers.1.attn.gk_proj.1.bias");
  model.addTensor("model.layers.1.attn.q_proj.weight", {8, 8});
  model.addTensor("model.layers.1.attn.k_proj.weight", {8, 8});
  expectModule(importSmall(model),
               {"order [0, 1]", "weir.recurrence", "window<3>"});
}

TEST(ImportFla, wrongAttention) {
  auto expect = [](json::Value attn, std::vector<StringRef> texts) {
    SmallModel model = makeGLA();
    model.config["attn"] = std::move(attn);
    for (StringRef text : texts)
      expectError(importSmall(model), {text});
  };
  expect("all", {"key 'attn' is no object or list of objects"});
  expect(json::Object{{"layers", json::Array{2}}, {"num_heads", 2}},
         {"key 'attn.layers' names no layer of 0 to 1"});
  expect(json::Object{{"layers", json::Array{1, 1}}, {"num_heads", 2}},
         {"key 'attn.layers' names layer 1 twice"});
  expect(json::Object{{"layers", 1}, {"num_heads", 2}},
         {"key 'attn.layers' is no list of layers"});
  expect(json::Object{{"layers", json::Array{1}}},
         {"key 'attn.num_heads' is no positive whole number"});
  expect(json::Object{{"layers", json::Array{1}},
                      {"num_heads", 3},
                      {"num_kv_heads", 2},
                      {"qkv_bias", 1},
                      {"rope_theta", -1},
                      {"qk_norm", true}},
         {"expected a divisor of the hidden size 8",
          "expected a divisor of the 3 heads", "is not true or false",
          "key 'attn.rope_theta' is no positive number",
          "key 'attn.qk_norm' is not understood"});
  expect(json::Object{{"layers", json::Array{1}}, {"num_heads", 8}},
         {"makes heads of 1 features, expected an even number to rotate"});
}

TEST(ImportFla, wrongOptions) {
  auto expect = [](StringRef key, json::Value value, StringRef text) {
    SmallModel model = makeGLA();
    model.config[key] = std::move(value);
    expectError(importSmall(model), {text});
  };
  expect("hidden_act", "gelu", "expected one of swish, powlu");
  expect("hidden_act", "powlu", "the output gate has no other");
  expect("num_heads", 3,
         "the features of all keys is 4, expected a multiple of the 3");
  expect("num_kv_heads", 3,
         "the number of heads is 2, expected a multiple of the 3");
  expect("expand_k", 0.3, "expected a positive whole number");
  expect("norm_eps", -1, "expected no negative number");
  expect("hidden_ratio", -1, "expected a positive number");
  expect("attnres_block_size", 3, "expected 1 or an even number");
  expect("feature_map", "none",
         "names the activation 'none', expected one of relu");
  expect("num_hidden_layers", 100, "when the checkpoint has");
  expect("gate_logit_normalizer", 8, "is not understood");
  expect("use_short_conv", true, "q_conv1d.weight");
  expect("vocab_size", 11, "has extents [10, 8], expected [11, 8]");
}

/// Expects an error for a model of hidden size 8 whose `key` is `value`.
static void expectRefusal(StringRef architecture, StringRef key,
                          json::Value value, StringRef text) {
  SmallModel model;
  model.config = json::Object{{"architectures", json::Array{architecture}},
                              {"hidden_size", 8},
                              {"num_hidden_layers", 1}};
  model.addTensor("tensor", {1});
  model.config[key] = std::move(value);
  expectError(importSmall(model), {text});
}

TEST(ImportFla, wrongHeads) {
  expectRefusal("DeltaFormerForCausalLM", "num_kv_heads", 4,
                "key 'num_kv_heads' is 4, expected the 8 heads of queries");
  expectRefusal("PaTHAttentionForCausalLM", "num_heads", 3,
                "the hidden size is 8, expected a multiple of the 3");
}

TEST(ImportFla, wrongSharedKeys) {
  StringRef name = "RodimusForCausalLM";
  expectRefusal(name, "block_type", "plus",
                "expected one of rodimus, rodimus_plus");
  expectRefusal(name, "ska_attn", nullptr,
                "key 'ska_attn' is no object that describes attention");
  expectRefusal(name, "ska_attn", json::Object{{"qk_norm", 1}},
                "key 'ska_attn.num_heads' is no positive whole number");
  expectRefusal(name, "ska_attn",
                json::Object{{"num_heads", 2}, {"qk_norm", 1}},
                "key 'ska_attn.qk_norm' is not true or false");
}

TEST(ImportFla, wrongLevels) {
  StringRef name = "LogLinearMamba2ForCausalLM";
  expectRefusal(name, "attnres_block_size", 2,
                "key 'attnres_block_size' is 2, expected null");
  expectRefusal(name, "dt_limit", json::Array{0.5, 2},
                "to 2.000000e+00, expected 0 to Infinity");
  expectRefusal(name, "dt_limit", 1, "key 'dt_limit' is no list of two");
  expectRefusal(name, "hidden_act", "relu", "expected one of silu, swish");
  expectRefusal(name, "head_dim", 5, "key 'num_heads' gives 3 heads of 5");
}

TEST(ImportFla, wrongSlots) {
  expectRefusal(
      "GSAForCausalLM", "expand_v", 2,
      "key 'expand_v' makes 16 features of values, expected the hidden "
      "size 8 that they are normalised by");
  expectRefusal("GSAForCausalLM", "feature_map", "elu",
                "expected one of swish, relu, t2r");
  expectRefusal("ABCForCausalLM", "num_heads", 3,
                "the features of all keys is 4, expected a multiple of the 3");
  expectRefusal("ABCForCausalLM", "num_heads", 4,
                "keys have 1 features, expected an even number to rotate");
  expectRefusal("LightNetForCausalLM", "expand_ratio", nullptr,
                "keys 'expand_ratio' and 'num_heads' are both null");
  expectRefusal("LightNetForCausalLM", "num_heads", 3,
                "the hidden size is 8, expected a multiple of the 3");
  expectRefusal(
      "MesaNetForCausalLM", "max_cg_step_training", -1,
      "key 'max_cg_step_training' is -1, expected no negative number");
}
