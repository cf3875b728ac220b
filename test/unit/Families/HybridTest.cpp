//===- HybridTest.cpp - Families of two kinds of mixers -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace weir;
namespace json = llvm::json;

namespace {

/// Qwen3-Next: a layer of gated DeltaNet, with 4 heads of values for 2 of keys,
/// and a layer of attention.
SmallModel makeQwen3Next() {
  SmallModel model;
  model.config =
      json::Object{{"architectures", json::Array{"Qwen3NextForCausalLM"}},
                   {"hidden_size", 8},
                   {"intermediate_size", 12},
                   {"num_hidden_layers", 2},
                   {"num_attention_heads", 2},
                   {"num_key_value_heads", 1},
                   {"head_dim", 8},
                   {"linear_num_key_heads", 2},
                   {"linear_num_value_heads", 4},
                   {"linear_key_head_dim", 3},
                   {"linear_value_head_dim", 5},
                   {"full_attention_interval", 2},
                   {"num_experts", 0},
                   {"vocab_size", 10}};
  model.addTensor("model.embed_tokens.weight", {10, 8});
  for (int i = 0; i < 2; ++i) {
    std::string layer = "model.layers." + std::to_string(i) + ".";
    model.addTensor(layer + "input_layernorm.weight", {8});
    model.addTensor(layer + "post_attention_layernorm.weight", {8});
    model.addTensor(layer + "mlp.gate_proj.weight", {12, 8});
    model.addTensor(layer + "mlp.up_proj.weight", {12, 8});
    model.addTensor(layer + "mlp.down_proj.weight", {8, 12});
  }
  std::string delta = "model.layers.0.linear_attn.";
  model.addTensor(delta + "in_proj_qkvz.weight", {52, 8});
  model.addTensor(delta + "in_proj_ba.weight", {8, 8});
  model.addTensor(delta + "conv1d.weight", {32, 1, 4});
  model.addTensor(delta + "A_log", {4});
  model.addTensor(delta + "dt_bias", {4});
  model.addTensor(delta + "norm.weight", {5});
  model.addTensor(delta + "out_proj.weight", {8, 20});
  std::string attention = "model.layers.1.self_attn.";
  model.addTensor(attention + "q_proj.weight", {32, 8});
  model.addTensor(attention + "k_proj.weight", {8, 8});
  model.addTensor(attention + "v_proj.weight", {8, 8});
  model.addTensor(attention + "q_norm.weight", {8});
  model.addTensor(attention + "k_norm.weight", {8});
  model.addTensor(attention + "o_proj.weight", {8, 16});
  model.addTensor("model.norm.weight", {8});
  model.addTensor("lm_head.weight", {10, 8});
  return model;
}

/// One layer of MiniMax's lightning attention with 2 heads of 4, whose slopes
/// are not stored.
SmallModel makeMiniMax() {
  SmallModel model;
  model.config =
      json::Object{{"architectures", json::Array{"MiniMaxForCausalLM"}},
                   {"hidden_size", 8},
                   {"intermediate_size", 12},
                   {"num_hidden_layers", 1},
                   {"num_attention_heads", 2},
                   {"num_key_value_heads", 1},
                   {"layer_types", json::Array{"linear_attention"}},
                   {"num_local_experts", 1},
                   {"num_experts_per_tok", 1},
                   {"vocab_size", 10}};
  model.addTensor("model.embed_tokens.weight", {10, 8});
  std::string layer = "model.layers.0.";
  model.addTensor(layer + "input_layernorm.weight", {8});
  model.addTensor(layer + "post_attention_layernorm.weight", {8});
  std::string mixer = layer + "self_attn.";
  model.addTensor(mixer + "qkv_proj.weight", {24, 8});
  model.addTensor(mixer + "output_gate.weight", {8, 8});
  model.addTensor(mixer + "norm.weight", {8});
  model.addTensor(mixer + "out_proj.weight", {8, 8});
  std::string moe = layer + "block_sparse_moe.";
  model.addTensor(moe + "gate.weight", {1, 8});
  model.addTensor(moe + "experts.0.w1.weight", {12, 8});
  model.addTensor(moe + "experts.0.w2.weight", {8, 12});
  model.addTensor(moe + "experts.0.w3.weight", {12, 8});
  model.addTensor("model.norm.weight", {8});
  model.addTensor("lm_head.weight", {10, 8});
  return model;
}

} // namespace

TEST(ImportHybrid, qwen3Next) {
  SmallModel model = makeQwen3Next();
  // Heads that look further ahead are no part of the model, and a quarter of
  // each head is rotated.
  model.addTensor("mtp.fc.weight", {8, 16});
  expectModule(importSmall(model),
               {"order [0, 1]", "weir.recurrence", "dims(2)", "offset(1.0"});
  model.addTensor("model.mtp", {1});
  expectError(importSmall(model), {"does not read: 'model.mtp'"});
}

TEST(ImportHybrid, qwen3NextErrors) {
  auto expect = [](StringRef key, json::Value value, StringRef text) {
    SmallModel model = makeQwen3Next();
    model.config[key] = std::move(value);
    expectError(importSmall(model), {text});
  };
  expect("num_experts", 16, "model.layers.0.mlp.gate.weight");
  expect("mlp_only_layers", 1, "key 'mlp_only_layers' is no list of layers");
  expect("mlp_only_layers", json::Array{"all"},
         "key 'mlp_only_layers' is no list of layers");
  expect("layer_types", json::Array{"linear_attention"},
         "key 'layer_types' is no list of 2 names");
  expect("layer_types", json::Array{"full_attention", "attention"},
         "names 'attention', expected linear_attention or full_attention");
  expect("linear_num_key_heads", 3,
         "key 'linear_num_key_heads' is 3, expected a divisor of the 4 heads");
  expect("num_key_value_heads", 3,
         "key 'num_key_value_heads' is 3, expected a divisor of the 2 heads");
}

TEST(ImportHybrid, qwen3NextExpertsElsewhere) {
  SmallModel model = makeQwen3Next();
  model.config["num_experts"] = 4;
  model.config["num_experts_per_tok"] = 2;
  model.config["moe_intermediate_size"] = 6;
  model.config["shared_expert_intermediate_size"] = 5;
  model.config["mlp_only_layers"] = json::Array{0};
  std::string block = "model.layers.1.mlp.";
  model.addTensor(block + "gate.weight", {4, 8});
  model.addTensor(block + "experts.gate_up_proj", {4, 12, 8});
  model.addTensor(block + "experts.down_proj", {4, 8, 6});
  model.addTensor(block + "shared_expert.gate_proj.weight", {5, 8});
  model.addTensor(block + "shared_expert.up_proj.weight", {5, 8});
  model.addTensor(block + "shared_expert.down_proj.weight", {8, 5});
  model.addTensor(block + "shared_expert_gate.weight", {1, 8});
  // A layer has experts or a perceptron, and what the other one would read is
  // left over.
  expectError(importSmall(model),
              {"does not read: 'model.layers.1.mlp.gate_proj.weight'"});
  StringRef experts = "does not read: 'model.layers.1.mlp.gate.weight'";
  model.config["mlp_only_layers"] = json::Array{0, 1};
  expectError(importSmall(model), {experts});
  model.config["mlp_only_layers"] = json::Array{};
  model.config["decoder_sparse_step"] = 3;
  expectError(importSmall(model), {experts});
}

TEST(ImportHybrid, miniMaxSlopes) {
  // Of the only layer, whose slopes are those of ALiBi.
  expectModule(importSmall(makeMiniMax()), {"slope_rate", "0.0625006"});
  SmallModel model = makeMiniMax();
  model.addTensor("model.layers.0.self_attn.slope_rate", {2, 1, 1});
  model.addTensor("model.layers.0.self_attn.key_decay", {2, 256, 1});
  expectModule(importSmall(model), {"slope_rate"});
}

TEST(ImportHybrid, miniMaxErrors) {
  SmallModel model = makeMiniMax();
  model.config["num_local_experts"] = 2;
  model.config["num_experts_per_tok"] = 3;
  expectError(importSmall(model),
              {"key 'num_experts_per_tok' is 3, expected no more than the 2 of "
               "'num_local_experts'"});
}

TEST(ImportHybrid, kimiLinearErrors) {
  auto expect = [](StringRef key, json::Value value, StringRef text) {
    SmallModel model;
    model.config =
        json::Object{{"architectures", json::Array{"KimiLinearForCausalLM"}},
                     {"num_hidden_layers", 2}};
    for (int i = 0; i < 2; ++i)
      model.addTensor("tensor" + std::to_string(i), {1});
    model.config[key] = std::move(value);
    expectError(importSmall(model), {text});
  };
  expect("num_expert_group", 3,
         "key 'num_expert_group' is 3, expected a divisor of the 256 experts "
         "with groups of 2 or more");
  expect("topk_group", 5,
         "key 'topk_group' is 5, expected at most the 1 of 'n_group'");
  expect("num_experts_per_token", 300,
         "key 'num_experts_per_token' is 300, expected no more than the 256");
  expect("mlp_layer_types", json::Array{"dense"},
         "key 'mlp_layer_types' is no list of 2 names");
  expect("num_key_value_heads", 8, "keys and values are made for each head");
  expect("mla_use_nope", false, "nothing is rotated in this family");
  expect("linear_attn_config", 3, "key 'linear_attn_config' is no object");
  expect("linear_attn_config", json::Object{{"num_heads", 0}},
         "key 'linear_attn_config.num_heads' is no positive whole number");
  expect("linear_attn_config",
         json::Object{{"full_attn_layers", json::Array{1}},
                      {"kda_layers", json::Array{3}}},
         "key 'linear_attn_config' does not say what layer 2 of 2 is");
}
