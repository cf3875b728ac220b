//===- StateSpaceTest.cpp - Families with states -*- C++ -*-===//
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

/// One layer of Mamba-2 with 2 heads of 8 in one group.
SmallModel makeMamba2() {
  SmallModel model;
  model.config =
      json::Object{{"architectures", json::Array{"Mamba2ForCausalLM"}},
                   {"hidden_size", 8},
                   {"num_hidden_layers", 1},
                   {"num_heads", 2},
                   {"head_dim", 8},
                   {"n_groups", 1},
                   {"state_size", 3},
                   {"vocab_size", 10}};
  model.addTensor("backbone.embeddings.weight", {10, 8});
  std::string layer = "backbone.layers.0.";
  model.addTensor(layer + "norm.weight", {8});
  model.addTensor(layer + "mixer.in_proj.weight", {40, 8});
  model.addTensor(layer + "mixer.conv1d.weight", {22, 1, 4});
  model.addTensor(layer + "mixer.conv1d.bias", {22});
  for (const char *name : {"dt_bias", "A_log", "D"})
    model.addTensor(layer + "mixer." + name, {2});
  model.addTensor(layer + "mixer.norm.weight", {16});
  model.addTensor(layer + "mixer.out_proj.weight", {8, 16});
  model.addTensor("backbone.norm_f.weight", {8});
  model.addTensor("lm_head.weight", {10, 8});
  return model;
}

/// One layer of Mamba, or of Falcon Mamba.
SmallModel makeMamba(StringRef architecture = "MambaForCausalLM") {
  SmallModel model;
  model.config = json::Object{{"architectures", json::Array{architecture}},
                              {"hidden_size", 8},
                              {"num_hidden_layers", 1},
                              {"state_size", 3},
                              {"vocab_size", 10}};
  model.addTensor("backbone.embeddings.weight", {10, 8});
  std::string layer = "backbone.layers.0.";
  model.addTensor(layer + "norm.weight", {8});
  model.addTensor(layer + "mixer.in_proj.weight", {32, 8});
  model.addTensor(layer + "mixer.conv1d.weight", {16, 1, 4});
  model.addTensor(layer + "mixer.conv1d.bias", {16});
  model.addTensor(layer + "mixer.x_proj.weight", {7, 16});
  model.addTensor(layer + "mixer.dt_proj.weight", {16, 1});
  model.addTensor(layer + "mixer.dt_proj.bias", {16});
  model.addTensor(layer + "mixer.A_log", {16, 3});
  model.addTensor(layer + "mixer.D", {16});
  model.addTensor(layer + "mixer.out_proj.weight", {8, 16});
  model.addTensor("backbone.norm_f.weight", {8});
  return model;
}

} // namespace

TEST(StateSpace, mamba2) {
  SmallModel model = makeMamba2();
  std::string text =
      expectModule(importSmall(model), {"weir.recurrence", "weir.causal_conv"});
  // Any length will do.
  EXPECT_EQ(text.find("max_length"), std::string::npos);
  EXPECT_EQ(text.find("arith.minimumf"), std::string::npos);
  ImportOptions options;
  options.maxLength = 77;
  expectModule(importSmall(model, options), {"max_length = 77"});
}

TEST(StateSpace, mamba2StepLimits) {
  SmallModel model = makeMamba2();
  model.config["time_step_limit"] =
      json::Array{0.0, json::Object{{"__float__", "Infinity"}}};
  std::string text = expectModule(importSmall(model));
  EXPECT_EQ(text.find("arith.minimumf"), std::string::npos);
  model.config["time_step_limit"] = json::Array{0.25, "Infinity"};
  expectModule(importSmall(model), {"2.500000e-01", "arith.minimumf"});
  model.config["time_step_limit"] = json::Array{"-Infinity", 0.5};
  expectModule(importSmall(model), {"5.000000e-01", "arith.minimumf"});
  for (json::Value wrong : {json::Value(0.5), json::Value(json::Array{0.5}),
                            json::Value(json::Array{0.0, "NaN"})}) {
    model.config["time_step_limit"] = wrong;
    expectError(importSmall(model),
                {"key 'time_step_limit' is no list of two numbers"});
  }
}

TEST(StateSpace, mamba2Sizes) {
  SmallModel model = makeMamba2();
  model.config["expand"] = 3;
  expectError(importSmall(model), {"key 'num_heads' gives 2 heads of 8 "
                                   "features, expected 24 features in all"});
  model = makeMamba2();
  model.config["n_groups"] = 4;
  expectError(importSmall(model),
              {"key 'n_groups' is 4, expected a divisor of the 2 heads"});
  model = makeMamba2();
  model.config["layer_norm_epsilon"] = -1;
  model.config["num_hidden_layers"] = 100;
  expectError(importSmall(model),
              {"key 'layer_norm_epsilon' is -1.0",
               "expected no negative number",
               "key 'num_hidden_layers' is 100 when the checkpoint has 12 "
               "tensors"});
  model = makeMamba2();
  model.config["use_mup"] = true;
  expectError(importSmall(model), {"key 'use_mup' with the value true"});
  model = makeMamba2();
  model.dropTensor("backbone.layers.0.mixer.A_log");
  expectError(importSmall(model),
              {"no tensor named 'backbone.layers.0.mixer.A_log'"});
  model.addTensor("backbone.layers.0.mixer.A_log", {3});
  expectError(importSmall(model), {"A_log' has extents [3], expected [2]"});
}

TEST(StateSpace, mamba) {
  SmallModel model = makeMamba();
  expectModule(importSmall(model), {"weir.scan", "weir.causal_conv"});
  // As the first checkpoints were saved, and base models are.
  model.dropTensor("backbone.embeddings.weight");
  model.addTensor("backbone.embedding.weight", {10, 8});
  model.config["time_step_rank"] = "auto";
  expectModule(importSmall(model), {"weir.param @backbone.embedding.weight"});
  model = makeMamba("MambaModel");
  for (auto &tensor : model.tensors)
    tensor.first = tensor.first.substr(StringRef("backbone.").size());
  expectModule(importSmall(model), {"last_hidden_state"});
}

TEST(StateSpace, mambaActivation) {
  SmallModel model = makeMamba();
  model.config["hidden_act"] = "gelu";
  std::string text = expectModule(importSmall(model), {"math.erf"});
  EXPECT_EQ(text.find("activation(silu)"), std::string::npos);
  model.config["hidden_act"] = "snake";
  expectError(importSmall(model), {"activation 'snake'"});
}

TEST(StateSpace, falconMambaHasInnerNorms) {
  SmallModel model = makeMamba("FalconMambaForCausalLM");
  model.config["mixer_rms_eps"] = 0.25;
  expectModule(importSmall(model), {"eps(2.500000e-01)"});
  model.config["mixer_rms_eps"] = -0.25;
  expectError(importSmall(model), {"key 'mixer_rms_eps' is -2.500000e-01"});
  // Mamba has no such key.
  model = makeMamba();
  model.config["mixer_rms_eps"] = 0.25;
  expectError(importSmall(model), {"key 'mixer_rms_eps' with the value 0.25"});
}

TEST(StateSpace, rwkv) {
  SmallModel model;
  model.config = json::Object{{"architectures", json::Array{"RwkvForCausalLM"}},
                              {"hidden_size", 8},
                              {"intermediate_size", 12},
                              {"num_hidden_layers", 2},
                              {"vocab_size", 10}};
  model.addTensor("rwkv.embeddings.weight", {10, 8});
  auto addNorm = [&](const std::string &name) {
    model.addTensor(name + ".weight", {8});
    model.addTensor(name + ".bias", {8});
  };
  addNorm("rwkv.blocks.0.pre_ln");
  for (int layer = 0; layer < 2; ++layer) {
    std::string block = "rwkv.blocks." + std::to_string(layer) + ".";
    addNorm(block + "ln1");
    addNorm(block + "ln2");
    for (const char *name : {"key", "value", "receptance", "output"})
      model.addTensor(block + "attention." + name + ".weight", {8, 8});
    for (const char *name : {"key", "value", "receptance"})
      model.addTensor(block + "attention.time_mix_" + name, {1, 1, 8});
    for (const char *name : {"time_decay", "time_first"})
      model.addTensor(block + "attention." + name, {8});
    std::string inner = block + "feed_forward.";
    model.addTensor(inner + "time_mix_key", {1, 1, 8});
    model.addTensor(inner + "time_mix_receptance", {1, 1, 8});
    model.addTensor(inner + "key.weight", {12, 8});
    model.addTensor(inner + "value.weight", {8, 12});
    model.addTensor(inner + "receptance.weight", {8, 8});
  }
  addNorm("rwkv.ln_out");
  model.addTensor("head.weight", {10, 8});

  // 6 layers have to be there for the first rescaling.
  std::string text =
      expectModule(importSmall(model), {"weir.shift", "weir.scan"});
  EXPECT_EQ(text.find("output_scale"), std::string::npos);
  model.config["rescale_every"] = 1;
  expectModule(importSmall(model),
               {"output_scale : tensor<2xf32> = dense<[1.000000e+00, "
                "5.000000e-01]>",
                "residual_scale : tensor<2xf32> = dense<5.000000e-01>"});
  model.config["time_shift"] = 2;
  expectError(importSmall(model), {"key 'time_shift' with the value 2"});
}

TEST(StateSpace, recurrentGemmaErrors) {
  SmallModel model;
  model.config =
      json::Object{{"architectures", json::Array{"RecurrentGemmaForCausalLM"}},
                   {"hidden_size", 8},
                   {"num_hidden_layers", 3},
                   {"num_attention_heads", 2},
                   {"num_key_value_heads", 3},
                   {"lru_width", 9},
                   {"logits_soft_cap", 0},
                   {"block_types", json::Array{"recurrent", "convolution"}},
                   {"rope_parameters",
                    json::Object{{"rope_type", "linear"}, {"factor", 2.0}}}};
  for (int i = 0; i < 3; ++i)
    model.addTensor("tensor" + std::to_string(i), {1});
  expectError(importSmall(model),
              {"expected a multiple of the 3 of 'num_key_value_heads'",
               "key 'lru_width' is 9, expected a multiple of the 2 heads",
               "key 'logits_soft_cap' is 0.0",
               "names 'convolution', expected recurrent or attention",
               "expected the type 'default'"});
  model.config["block_types"] = json::Array{};
  expectError(importSmall(model), {"key 'block_types' is no list of names"});
  model.config["block_types"] = json::Array{"recurrent"};
  for (int i = 3; i < 200; ++i)
    model.addTensor("tensor" + std::to_string(i), {1});
  model.config["num_hidden_layers"] = 150;
  expectError(importSmall(model), {"key 'num_hidden_layers' is 150, expected "
                                   "at most 100 times the 1 entries"});
}

TEST(StateSpace, xlstmErrors) {
  SmallModel model;
  model.config =
      json::Object{{"architectures", json::Array{"xLSTMForCausalLM"}},
                   {"hidden_size", 8},
                   {"embedding_dim", 9},
                   {"num_hidden_layers", 1},
                   {"num_heads", 3},
                   {"gate_soft_cap", -1},
                   {"weight_mode", "split"},
                   {"inference_state_dtype", "bfloat16"}};
  model.addTensor("lm_head.weight", {1});
  expectError(importSmall(model),
              {"key 'embedding_dim' is 9, expected the 8 of 'hidden_size'",
               "'qk_dim_factor' gives 4 features, expected a positive multiple "
               "of the 3 heads",
               "'v_dim_factor' gives 8 features", "key 'gate_soft_cap' is -1.0",
               "'split', expected single or fused", "states are kept in f32"});
}

/// One layer of Mamba-2 in a file, whose numbers are zeros.
static GGUFBuilder makeMamba2GGUF() {
  GGUFBuilder b;
  b.addKey("general.architecture", 8, ggufString("mamba2"));
  for (auto [key, value] :
       {std::pair("block_count", 1), std::pair("context_length", 1 << 20),
        std::pair("embedding_length", 8), std::pair("feed_forward_length", 0),
        std::pair("attention.head_count", 0), std::pair("ssm.conv_kernel", 4),
        std::pair("ssm.inner_size", 16), std::pair("ssm.state_size", 3),
        std::pair("ssm.time_step_rank", 2), std::pair("ssm.group_count", 1)})
    b.addKey(std::string("mamba2.") + key, 4,
             bytesOf<uint32_t>(static_cast<uint32_t>(value)));
  auto tensor = [&](StringRef name, std::vector<uint64_t> extents) {
    uint64_t count = 1;
    for (uint64_t extent : extents)
      count *= extent;
    b.addTensor(name, extents, 0, std::string(4 * count, '\0'));
  };
  tensor("token_embd.weight", {8, 10});
  tensor("output_norm.weight", {8});
  tensor("blk.0.attn_norm.weight", {8});
  tensor("blk.0.ssm_in.weight", {8, 40});
  tensor("blk.0.ssm_conv1d.weight", {4, 22});
  tensor("blk.0.ssm_conv1d.bias", {22});
  tensor("blk.0.ssm_dt.bias", {2});
  tensor("blk.0.ssm_a", {1, 2});
  tensor("blk.0.ssm_d", {1, 2});
  tensor("blk.0.ssm_norm.weight", {16, 1});
  tensor("blk.0.ssm_out.weight", {16, 8});
  return b;
}

TEST(StateSpace, ggufMamba2) {
  TempDir dir;
  GGUFBuilder builder = makeMamba2GGUF();
  expectError(importPath(dir.write("model.gguf", builder.build())),
              {"key 'mamba2.attention.layer_norm_rms_epsilon' is missing"});
  builder.addKey("mamba2.attention.layer_norm_rms_epsilon", 6, bytesOf(0.001f));
  expectModule(importPath(dir.write("model.gguf", builder.build())),
               {"weir.recurrence", "#weir.checkpoint<\"blk.*.ssm_a\", [0]>"});
  builder.addKey("mamba2.ssm.dt_b_c_rms", 7, std::string(1, '\1'));
  expectError(importPath(dir.write("model.gguf", builder.build())),
              {"key 'mamba2.ssm.dt_b_c_rms' with the value true"});
}

TEST(StateSpace, ggufRWKV) {
  GGUFBuilder builder;
  auto addSize = [&](StringRef key, uint32_t value) {
    builder.addKey(key.str(), 4, bytesOf(value));
  };
  builder.addKey("general.architecture", 8, ggufString("rwkv7"));
  addSize("rwkv7.embedding_length", 8);
  addSize("rwkv7.block_count", 1);
  addSize("rwkv7.feed_forward_length", 12);
  addSize("rwkv7.context_length", 64);
  addSize("rwkv7.wkv.head_size", 3);
  builder.addTensor("token_embd.weight", {8, 10}, 0,
                    std::string(8 * 10 * 4, 0));
  TempDir dir;
  expectError(importPath(dir.write("model.gguf", builder.build())),
              {"key 'rwkv7.wkv.head_size' is 3, expected a divisor of the 8 "
               "features of hidden states",
               "key 'rwkv7.attention.layer_norm_epsilon' is missing"});
}

TEST(StateSpace, olmoHybridErrors) {
  SmallModel model;
  model.config =
      json::Object{{"architectures", json::Array{"OlmoHybridForCausalLM"}},
                   {"hidden_size", 8},
                   {"num_hidden_layers", 2},
                   {"num_attention_heads", 2},
                   {"num_key_value_heads", 3},
                   {"linear_num_key_heads", 4},
                   {"layer_types", json::Array{"linear_attention"}}};
  for (int i = 0; i < 2; ++i)
    model.addTensor("tensor" + std::to_string(i), {1});
  expectError(
      importSmall(model),
      {"key 'num_key_value_heads' is 3, expected a divisor of the 2 heads",
       "key 'linear_num_key_heads' is 4, expected a divisor of the 2 heads",
       "key 'layer_types' is no list of 2 names"});
  model.config["layer_types"] =
      json::Array{"linear_attention", "sliding_attention"};
  expectError(importSmall(model), {"names 'sliding_attention', expected "
                                   "linear_attention or full_attention"});
  // Kernels may be cut anyhow, but all rows have to be there.
  model.config =
      json::Object{{"architectures", json::Array{"OlmoHybridForCausalLM"}},
                   {"hidden_size", 8},
                   {"num_hidden_layers", 2},
                   {"num_attention_heads", 2},
                   {"linear_key_head_dim", 3},
                   {"vocab_size", 10},
                   {"intermediate_size", 12}};
  for (const char *part : {"q", "k", "v"})
    model.addTensor(std::string("model.layers.0.linear_attn.") + part +
                        "_conv1d.weight",
                    {7, 1, 4});
  expectError(importSmall(model),
              {"the kernels of query, key and value have 21 rows in all, "
               "expected 24"});
}
