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
