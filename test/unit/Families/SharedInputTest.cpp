//===- SharedInputTest.cpp - State spaces and attention --------*- C++ -*-===//
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

/// A configuration of `architecture` with two layers, and tensors enough for
/// them; errors of configurations come before those of tensors.
SmallModel makeTwoLayers(StringRef architecture) {
  SmallModel model;
  model.config = json::Object{{"architectures", json::Array{architecture}},
                              {"hidden_size", 8},
                              {"num_hidden_layers", 2},
                              {"num_attention_heads", 2},
                              {"num_key_value_heads", 1},
                              {"vocab_size", 10}};
  model.addTensor("model.embed_tokens.weight", {10, 8});
  model.addTensor("model.final_layernorm.weight", {8});
  return model;
}

void expectConfigError(StringRef architecture, StringRef key, json::Value value,
                       StringRef text) {
  SmallModel model = makeTwoLayers(architecture);
  model.config[key] = std::move(value);
  expectError(importSmall(model), {text});
}

} // namespace

TEST(ImportSharedInput, jambaErrors) {
  auto expect = [](StringRef key, json::Value value, StringRef text) {
    expectConfigError("JambaForCausalLM", key, std::move(value), text);
  };
  expect("attn_layer_offset", 8,
         "key 'attn_layer_offset' is 8, expected a number from 0 to below the "
         "8 of 'attn_layer_period'");
  expect("num_experts_per_tok", 17,
         "key 'num_experts_per_tok' is 17, expected no more than the 16");
  expect("num_key_value_heads", 3, "expected a divisor of the 2 heads");
  expect("mamba_dt_rank", "all", "key 'mamba_dt_rank'");
}

TEST(ImportSharedInput, falconErrors) {
  auto expect = [](StringRef key, json::Value value, StringRef text) {
    expectConfigError("FalconH1ForCausalLM", key, std::move(value), text);
  };
  expect("ssm_multipliers", json::Array{1, 2},
         "key 'ssm_multipliers' is no list of 5 numbers");
  expect("mlp_multipliers", 2, "key 'mlp_multipliers' is no list of 2 numbers");
  expect("mamba_d_head", 3,
         "key 'mamba_n_heads' gives 128 heads of 3 features, expected 1024");
  expect("mamba_n_groups", 3, "expected a divisor of the 128 heads");
}

TEST(ImportSharedInput, zambaErrors) {
  auto expect = [](StringRef key, json::Value value, StringRef text) {
    for (StringRef name : {"ZambaForCausalLM", "Zamba2ForCausalLM"})
      expectConfigError(name, key, json::Value(value), text);
  };
  expect("attention_hidden_size", 8,
         "key 'attention_hidden_size' has the value 8, but only 16");
  expect("layers_block_type", json::Array{"hybrid"},
         "key 'layers_block_type' is no list of 2 names");
  expect("layers_block_type", json::Array{"hybrid", "full_attention"},
         "names 'full_attention', expected linear_attention, mamba or hybrid");
  expectConfigError("ZambaForCausalLM", "n_mamba_heads", 3,
                    "expected a divisor of the 16 inner features");
  expectConfigError("Zamba2ForCausalLM", "mamba_ngroups", 3,
                    "expected a divisor of the 8 heads");
}

TEST(ImportSharedInput, bambaErrors) {
  auto expect = [](StringRef key, json::Value value, StringRef text) {
    expectConfigError("BambaForCausalLM", key, std::move(value), text);
  };
  expect("attn_layer_indices", 1,
         "key 'attn_layer_indices' is no list of layers");
  expect("partial_rotary_factor", 1.0,
         "key 'partial_rotary_factor' has the value 1");
  expect("mamba_n_heads", 3, "key 'mamba_n_heads' gives 3 heads of 5 features");
  expectConfigError("GraniteMoeHybridForCausalLM", "layer_types",
                    json::Array{"mamba", "conv"},
                    "names 'conv', expected linear_attention, mamba, "
                    "full_attention or attention");
}

TEST(ImportSharedInput, nemotronErrors) {
  auto expect = [](StringRef key, json::Value value, StringRef text) {
    expectConfigError("NemotronHForCausalLM", key, std::move(value), text);
  };
  expect("hybrid_override_pattern", "ME+",
         "key 'hybrid_override_pattern' has the letter '+', expected M, *, E "
         "or -");
  expect("layers_block_type", json::Array{"moe", "conv"}, "names 'conv'");
  expect("n_group", 8, "expected a divisor of the 8 experts with groups of 2");
}

TEST(ImportSharedInput, lfmErrors) {
  expectConfigError("Lfm2ForCausalLM", "full_attn_idxs", json::Array{"all"},
                    "key 'full_attn_idxs' is no list of layers");
  expectConfigError("Lfm2MoeForCausalLM", "num_experts", 4,
                    "key 'layer_types' is missing, expected a list of names");
}

TEST(ImportSharedInput, deepseekErrors) {
  auto expect = [](StringRef key, json::Value value, StringRef text) {
    SmallModel model = makeTwoLayers("DeepseekV2ForCausalLM");
    model.config.erase("num_key_value_heads");
    model.config["topk_method"] = "group_limited_greedy";
    model.config["num_experts_per_tok"] = 4;
    model.config["n_group"] = 8;
    model.config["topk_group"] = 2;
    model.config[key] = std::move(value);
    expectError(importSmall(model), {text});
  };
  expect("topk_method", "noaux_tc", "key 'topk_method' is 'noaux_tc'");
  expect("num_experts_per_tok", nullptr,
         "key 'num_experts_per_tok' is missing");
  expect("num_experts_per_tok", 17,
         "key 'topk_group' is 2, expected at most the 8 of 'n_group' and "
         "groups that have the 17 experts of a token");
  expect("n_group", 5, "key 'n_group' is 5, expected a divisor of the 64");
}

TEST(ImportSharedInput, sparseDecoderErrors) {
  expectConfigError("ExaoneMoeForCausalLM", "layer_types",
                    json::Array{"sliding_attention", "conv"},
                    "expected full_attention or sliding_attention");
  expectConfigError("MiniMaxM2ForCausalLM", "rotary_dim", 130,
                    "rotary embedding of 130 features in heads of 128");
  expectConfigError("Glm4MoeForCausalLM", "mlp_layer_types", json::Array{},
                    "key 'mlp_layer_types'");
}

TEST(ImportSharedInput, deepseekV4Errors) {
  auto expect = [](StringRef key, json::Value value, StringRef text) {
    expectConfigError("DeepseekV4ForCausalLM", key, std::move(value), text);
  };
  expect("layer_types", json::Array{"sliding_attention", "conv"},
         "key 'layer_types' names 'conv' for layer 1");
  expect("compress_ratios", json::Array{4},
         "key 'compress_ratios' is no list with an entry for each of the 2 "
         "layers");
  expect("compress_ratios", json::Array{4, 5},
         "key 'compress_ratios' has 5 for layer 1, expected 0, 4 or 128");
  expect("mlp_layer_types", json::Array{"moe", "dense"},
         "names 'dense' for layer 1, expected hash_moe or moe");
  expect("o_groups", 3,
         "key 'o_groups' is 3, expected a divisor of the 1024 features");
  expect("index_head_dim", 12,
         "key 'index_head_dim' is 12, expected at least the 64 features");
  expect("hidden_act", "prelu",
         "key 'hidden_act' names the activation 'prelu'");
}

TEST(ImportSharedInput, minimaxM3Errors) {
  auto expect = [](StringRef key, json::Value value, StringRef text) {
    SmallModel model = makeTwoLayers("MiniMaxM3VLForCausalLM");
    model.config["layer_types"] =
        json::Array{"full_attention", "minimax_m3_sparse"};
    model.config["index_n_heads"] = 2;
    model.config[key] = std::move(value);
    expectError(importSmall(model), {text});
  };
  expect("layer_types", json::Array{"full_attention", "conv"},
         "key 'layer_types' names 'conv' for layer 1");
  expect("index_n_heads", 3,
         "key 'index_n_heads' is 3, expected a divisor of the 2 heads");
  expect("index_local_blocks", 17,
         "key 'index_local_blocks' is 17, expected no more than the 16");
  expect("index_head_dim", 12,
         "key 'index_head_dim' is 12, expected at least the 128 features");
  expect("sparse_attention_config",
         json::Object{{"sparse_attention_freq", json::Array{1}}},
         "is no list with an entry for each of the 2 layers");
  expect("index_block_size", 0,
         "key 'index_block_size' is 0, expected 1 or more");
}
