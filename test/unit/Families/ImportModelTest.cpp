//===- ImportModelTest.cpp - Import of each family ------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "weir/Frontend/ModelBuilder.h"

using namespace llvm;
using namespace weir;

//===----------------------------------------------------------------------===//
// Families
//===----------------------------------------------------------------------===//

TEST(ImportModel, llama) {
  expectModule(
      importSmall(makeLlama()),
      {"weir.param @model.layers.self_attn.k_proj.weight : tensor<2x4x8xf32> = "
       "#weir.checkpoint<\"model.layers.*.self_attn.k_proj.weight\", [0, 1]>",
       "order [0, 0]", "layout(half)", "mask(<causal>)",
       "tensor<?x?x10xf32> {weir.name = \"logits\"}", "max_length = 4096"});
}

TEST(ImportModel, baseModelHasNoHead) {
  // Base models are saved without the prefix.
  SmallModel model = makeLlama("LlamaModel", "");
  model.dropTensor("lm_head.weight");
  expectModule(importSmall(model),
               {"tensor<?x?x8xf32> {weir.name = \"last_hidden_state\"}",
                "@layers.mlp.up_proj.weight"});
  // The whole model's checkpoint serves too.
  expectModule(importSmall(makeLlama("LlamaModel")), {"last_hidden_state"});
}

TEST(ImportModel, biases) {
  SmallModel model = makeLlama();
  model.config["attention_bias"] = true;
  for (StringRef layer : {"0", "1"})
    for (auto [name, size] : {std::pair("q", 8), std::pair("k", 4),
                              std::pair("v", 4), std::pair("o", 8)})
      model.addTensor(
          formatv("model.layers.{0}.self_attn.{1}_proj.bias", layer, name)
              .str(),
          {size});
  expectModule(importSmall(model), {"@model.layers.self_attn.o_proj.bias"});
  // Without the key they are left over.
  model.config.erase("attention_bias");
  expectError(importSmall(model), {"8 tensors that the model does not read",
                                   "'model.layers.0.self_attn.q_proj.bias'"});
}

TEST(ImportModel, tiedTables) {
  SmallModel model = makeLlama();
  model.config["tie_word_embeddings"] = true;
  // Both are stored and differ, so they are not tied.
  expectModule(importSmall(model), {"weir.param @lm_head.weight"});
  model.dropTensor("lm_head.weight");
  std::string text = expectModule(importSmall(model));
  EXPECT_EQ(text.find("lm_head"), std::string::npos);
  // Only the head is stored.
  model = makeLlama();
  model.config["tie_word_embeddings"] = true;
  model.dropTensor("model.embed_tokens.weight");
  text = expectModule(importSmall(model), {"weir.weight @lm_head.weight"});
  EXPECT_EQ(text.find("embed_tokens"), std::string::npos);
}

TEST(ImportModel, mistralWindow) {
  SmallModel model = makeLlama("MistralForCausalLM");
  model.config["sliding_window"] = 5;
  expectModule(importSmall(model), {"mask(<causal and window<5>>)"});
  model.config["sliding_window"] = nullptr;
  expectModule(importSmall(model), {"mask(<causal>)"});
  // Absent is the default.
  model.config.erase("sliding_window");
  expectModule(importSmall(model), {"window<4096>"});
}

/// Qwen2, whose query, key and value have biases.
static SmallModel makeQwen2() {
  SmallModel model = makeLlama("Qwen2ForCausalLM");
  for (StringRef layer : {"0", "1"})
    for (auto [name, size] :
         {std::pair("q", 8), std::pair("k", 4), std::pair("v", 4)})
      model.addTensor(
          formatv("model.layers.{0}.self_attn.{1}_proj.bias", layer, name)
              .str(),
          {size});
  return model;
}

TEST(ImportModel, layersOfTwoKinds) {
  SmallModel model = makeQwen2();
  model.config["use_sliding_window"] = true;
  model.config["sliding_window"] = 6;
  model.config["max_window_layers"] = 1;
  expectModule(importSmall(model),
               {"order [0, 1]", "mask(<causal>)",
                "mask(<causal and window<6>>)",
                "@model.layers.mlp.up_proj.weight_0 : tensor<1x12x8xf32> = "
                "#weir.checkpoint<\"model.layers.*.mlp.up_proj.weight\", [0]>",
                "@model.layers.mlp.up_proj.weight_1"});
  model.config["layer_types"] =
      json::Array{"sliding_attention", "sliding_attention"};
  expectModule(importSmall(model), {"order [0, 0]", "window<6>"});
  model.config["layer_types"] = json::Array{"full_attention", "convolution"};
  expectError(importSmall(model), {"'convolution' for layer 1"});
  model.config["layer_types"] = json::Array{"full_attention"};
  expectError(importSmall(model), {"no list of 2 names"});
  model.config["layer_types"] =
      json::Array{"sliding_attention", "full_attention"};
  model.config["use_sliding_window"] = false;
  expectError(importSmall(model), {"'use_sliding_window' is not true"});
}

TEST(ImportModel, qwen3HeadNorms) {
  SmallModel model = makeLlama("Qwen3ForCausalLM");
  model.config["head_dim"] = 4;
  expectError(importSmall(model), {"self_attn.q_norm.weight"});
  for (StringRef layer : {"0", "1"})
    for (StringRef name : {"q", "k"})
      model.addTensor(
          formatv("model.layers.{0}.self_attn.{1}_norm.weight", layer, name)
              .str(),
          {4});
  expectModule(importSmall(model), {"tensor<?x?x2x4xf32>"});
}

TEST(ImportModel, gpt2) {
  SmallModel model = makeGPT2();
  expectModule(
      importSmall(model),
      {"#weir.transpose<@h.attn.c_attn.weight, [0, 2, 1]>",
       "#weir.slice<@h.attn.c_attn.weight.transposed, axis = 1, offset = 16, "
       "size = 8>",
       "math.tanh", "max_length = 16"});
  model.config["scale_attn_by_inverse_layer_idx"] = true;
  model.config["scale_attn_weights"] = false;
  expectModule(importSmall(model),
               {"dense<[1.000000e+00, 5.000000e-01]>", "scale(1.000000e+00)"});
  model.config["activation_function"] = "gelu_quadratic";
  expectError(importSmall(model),
              {"'gelu_quadratic'", "the known ones are gelu, "});
}

TEST(ImportModel, activations) {
  for (StringRef name : getActivationNames()) {
    SmallModel model = makeLlama();
    model.config["hidden_act"] = name;
    expectModule(importSmall(model));
  }
}

//===----------------------------------------------------------------------===//
// GGUF
//===----------------------------------------------------------------------===//

/// A file of zeros with one layer of the architecture.
static GGUFBuilder makeGGUF(StringRef architecture) {
  GGUFBuilder b;
  b.addKey("general.architecture", 8, ggufString(architecture));
  auto number = [&](StringRef key, uint32_t value) {
    b.addKey((architecture + "." + key).str(), 4, bytesOf(value));
  };
  number("block_count", 1);
  number("context_length", 32);
  number("embedding_length", 8);
  number("feed_forward_length", 12);
  number("attention.head_count", 2);
  b.addKey((architecture + ".attention.layer_norm_rms_epsilon").str(), 6,
           bytesOf(0.001f));
  auto tensor = [&](StringRef name, std::vector<uint64_t> extents) {
    uint64_t count = 1;
    for (uint64_t extent : extents)
      count *= extent;
    b.addTensor(name, extents, 0, std::string(4 * count, '\0'));
  };
  tensor("token_embd.weight", {8, 10});
  tensor("output_norm.weight", {8});
  for (StringRef name : {"attn_norm", "ffn_norm"})
    tensor(("blk.0." + name + ".weight").str(), {8});
  for (StringRef name : {"attn_q", "attn_k", "attn_v", "attn_output"})
    tensor(("blk.0." + name + ".weight").str(), {8, 8});
  tensor("blk.0.ffn_up.weight", {8, 12});
  tensor("blk.0.ffn_gate.weight", {8, 12});
  tensor("blk.0.ffn_down.weight", {12, 8});
  return b;
}

static ImportResult importGGUF(const GGUFBuilder &builder,
                               const ImportOptions &options = {}) {
  TempDir dir;
  return importPath(dir.write("model.gguf", builder.build()), options);
}

TEST(ImportModel, ggufLlama) {
  GGUFBuilder builder = makeGGUF("llama");
  builder.addKey("tokenizer.ggml.bos_token_id", 4, bytesOf<uint32_t>(1));
  builder.addKey("tokenizer.ggml.eos_token_id", 4, bytesOf<uint32_t>(2));
  builder.addKey("tokenizer.ggml.eot_token_id", 4, bytesOf<uint32_t>(7));
  expectModule(importGGUF(builder),
               {"layout(interleaved)", "bos = 1 : i64", "eos = [2, 7]",
                "vocab_size = 10", "max_length = 4096",
                "#weir.checkpoint<\"blk.*.attn_q.weight\", [0]>"});
}

TEST(ImportModel, ggufRopeFactors) {
  GGUFBuilder builder = makeGGUF("llama");
  builder.addTensor("rope_freqs.weight", {2}, 0, bytesOf<float>({1, 8}));
  expectModule(importGGUF(builder), {"kind = longrope", "1.000000e+00, "
                                                        "8.000000e+00"});
  builder = makeGGUF("llama");
  builder.addTensor("rope_freqs.weight", {3}, 0, bytesOf<float>({1, 8, 8}));
  expectError(importGGUF(builder), {"has 3 numbers, expected 2"});
}

TEST(ImportModel, ggufKeysNotUnderstood) {
  GGUFBuilder builder = makeGGUF("llama");
  builder.addKey("llama.attn_logit_softcapping", 6, bytesOf(30.0f));
  expectError(importGGUF(builder),
              {"key 'llama.attn_logit_softcapping' with the value 30"});
  // Of a family that has no experts, and of one whose files may have some.
  builder = makeGGUF("qwen2");
  builder.addKey("qwen2.expert_count", 4, bytesOf<uint32_t>(8));
  expectError(importGGUF(builder), {"mixture of experts"});
  builder = makeGGUF("llama");
  builder.addKey("llama.expert_count", 4, bytesOf<uint32_t>(8));
  expectError(importGGUF(builder),
              {"key 'llama.expert_used_count' is missing"});
  // An array of two flags.
  builder = makeGGUF("llama");
  builder.addKey("llama.attention.sliding_window_pattern", 9,
                 bytesOf<uint32_t>(7) + bytesOf<uint64_t>(2) +
                     std::string("\1\0", 2));
  expectError(importGGUF(builder),
              {"key 'llama.attention.sliding_window_pattern', an array, is not "
               "understood"});
  expectError(importGGUF(makeGGUF("grok")),
              {"architecture 'grok' is not supported", "gpt-oss", "granite",
               "phi3, phi2, qwen2"});
}

TEST(ImportModel, ggufQwen2) {
  GGUFBuilder builder = makeGGUF("qwen2");
  for (StringRef name : {"attn_q", "attn_k", "attn_v"})
    builder.addTensor(("blk.0." + name + ".bias").str(), {8}, 0,
                      std::string(32, '\0'));
  expectModule(importGGUF(builder), {"layout(half)", "@blk.attn_q.bias"});
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

TEST(ImportModel, unknownArchitecture) {
  SmallModel model = makeLlama("LlamaForSequenceClassification");
  expectError(importSmall(model),
              {"architecture 'LlamaForSequenceClassification' is not supported",
               "LlamaForCausalLM, LlamaModel"});
  model.config.erase("architectures");
  expectError(importSmall(model), {"names no architecture"});
  model.config["model_type"] = "llama";
  expectModule(importSmall(model));
}

TEST(ImportModel, unknownKey) {
  SmallModel model = makeLlama();
  model.config["logit_scale"] = 0.5;
  expectError(importSmall(model), {"key 'logit_scale' with the value 0.5"});
  // Without a value it says nothing.
  model.config["logit_scale"] = nullptr;
  expectModule(importSmall(model));
  model.config["quantization_config"] = json::Object{{"bits", 4}};
  expectError(importSmall(model), {"'quantization_config'", "to GGUF"});
}

TEST(ImportModel, wrongValues) {
  SmallModel model = makeLlama();
  model.config["hidden_size"] = "eight";
  model.config["num_hidden_layers"] = 0;
  expectError(importSmall(model),
              {"key 'hidden_size' has the value \"eight\", expected a positive "
               "whole number",
               "key 'num_hidden_layers'"});
  model = makeLlama();
  model.config["num_key_value_heads"] = 3;
  expectError(importSmall(model), {"expected a multiple of the 3"});
  model = makeLlama();
  model.config["num_hidden_layers"] = 1000000;
  expectError(importSmall(model), {"is 1000000 when the checkpoint has"});
  model = makeLlama();
  model.config["rms_norm_eps"] = -1.0;
  expectError(importSmall(model), {"'rms_norm_eps' is "});
  model = makeLlama();
  model.config["hidden_act"] = "snake";
  expectError(importSmall(model), {"activation 'snake'"});
}

TEST(ImportModel, wrongTensors) {
  SmallModel model = makeLlama();
  model.dropTensor("model.layers.1.mlp.up_proj.weight");
  model.dropTensor("model.norm.weight");
  model.addTensor("model.norm.weight", {9});
  expectError(importSmall(model),
              {"no tensor named 'model.layers.1.mlp.up_proj.weight'",
               "'model.norm.weight' has extents [9], expected [8]"});
  model = makeLlama();
  model.addTensor("model.layers.0.self_attn.rotary_emb.inv_freq", {2});
  expectModule(importSmall(model));
  model.addTensor("model.layers.2.mlp.up_proj.weight", {12, 8});
  expectError(importSmall(model), {"1 tensors that the model does not read: "
                                   "'model.layers.2.mlp.up_proj.weight'"});
}

//===----------------------------------------------------------------------===//
// weir.model
//===----------------------------------------------------------------------===//

TEST(ImportModel, specialTokens) {
  SmallModel model = makeLlama();
  // The family's own, where the configuration is silent.
  expectModule(importSmall(model), {"bos = 1 : i64", "eos = [2]"});
  model.config["eos_token_id"] = nullptr;
  model.config["bos_token_id"] = nullptr;
  expectModule(importSmall(model), {"bos = -1 : i64", "eos = []"});
  model.generationConfig = R"({"eos_token_id": [7, 3, 99], "pad_token_id": 4})";
  expectModule(importSmall(model), {"eos = [3, 7]", "pad = 4 : i64"});
}

TEST(ImportModel, maxLength) {
  ImportOptions options;
  options.maxLength = 100;
  expectModule(importSmall(makeLlama(), options), {"max_length = 100"});
  expectError(importSmall(makeGPT2(), options),
              {"of 100 was asked for, expected at most 16"});
  options.maxLength = 9;
  expectModule(importSmall(makeGPT2(), options), {"max_length = 9"});
  options.maxLength = 0;
  expectError(importSmall(makeLlama(), options), {"positive number"});
  // Later positions would have other angles.
  SmallModel dynamic = makeLlama();
  dynamic.config["rope_scaling"] =
      json::Object{{"rope_type", "dynamic"}, {"factor", 2.0}};
  expectModule(importSmall(dynamic), {"max_length = 64"});
}

TEST(ImportModel, tokenizerBlob) {
  TempDir dir;
  makeLlama().write(dir);
  std::unique_ptr<Checkpoint> checkpoint = openOrFail(dir.path());
  auto blob = importTokenizerBlob(*checkpoint);
  ASSERT_TRUE(static_cast<bool>(blob));
  EXPECT_TRUE(blob->empty());
}
