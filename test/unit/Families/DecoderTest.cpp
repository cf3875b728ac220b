//===- DecoderTest.cpp - Options of decoders ------------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What families of decoders refuse; what they compute is compared with
// transformers in the execution tests. Configurations are refused in front of
// weights, so that a model of any family will do.
//
//===----------------------------------------------------------------------===//

#include "Models.h"

using namespace llvm;
using namespace weir;

using Keys = std::initializer_list<std::pair<const char *, json::Value>>;

/// A model that is of a family by name, with keys added.
static SmallModel makeDecoder(StringRef architecture, Keys keys) {
  SmallModel model = makeLlama(architecture);
  for (const auto &[key, value] : keys)
    model.config[key] = value;
  return model;
}

static void expectRefusal(StringRef architecture, Keys keys,
                          StringRef message) {
  expectError(importSmall(makeDecoder(architecture, keys)), {message});
}

TEST(Decoder, windows) {
  expectRefusal(
      "MinistralForCausalLM",
      {{"sliding_window", nullptr},
       {"layer_types", json::Array{"sliding_attention", "full_attention"}}},
      "gives layer 0 a window when 'sliding_window' is null");
  expectModule(importSmall(makeDecoder("MinistralForCausalLM",
                                       {{"sliding_window", nullptr}})),
               {"order [0, 0]", "mask(<causal>)"});
  expectModule(importSmall(makeDecoder("MinistralForCausalLM", {})),
               {"order [0, 0]", "window<4096>"});
}

TEST(Decoder, rotationsOfKindsOfLayers) {
  json::Value base = json::Object{{"rope_theta", 500.0}};
  expectRefusal(
      "Gemma3ForCausalLM",
      {{"rope_parameters", json::Object{{"chunked_attention", base}}}},
      "has an entry 'chunked_attention', expected full_attention and "
      "sliding_attention");
  expectRefusal("Gemma3ForCausalLM",
                {{"rope_parameters", json::Object{{"full_attention", 4}}}},
                "'rope_parameters.full_attention' is no object");
  base = json::Object{{"base", 3}};
  expectRefusal(
      "Olmo3ForCausalLM",
      {{"rope_parameters", json::Object{{"sliding_attention", base}}}},
      "key 'base' of 'rope_parameters.sliding_attention'");
}

TEST(Decoder, gemma) {
  for (StringRef name : {"GemmaForCausalLM", "Gemma2ForCausalLM"})
    expectRefusal(name, {{"use_bidirectional_attention", true}},
                  "is up to the implementation of attention");
  expectRefusal("Gemma2ForCausalLM", {{"attn_logit_softcapping", -1}},
                "'attn_logit_softcapping' is -1.0");
  expectRefusal("Gemma3ForCausalLM", {{"final_logit_softcapping", 0}},
                "expected a positive number or null");
  expectRefusal("Gemma3ForCausalLM", {{"query_pre_attn_scalar", 0}},
                "'query_pre_attn_scalar' is 0.0");
}

TEST(Decoder, gptOss) {
  expectRefusal(
      "GptOssForCausalLM",
      {{"quantization_config", json::Object{{"quant_method", "awq"}}}},
      "those with quant_method 'mxfp4' or 'fp8' can be read");
  expectRefusal("GptOssForCausalLM",
                {{"quantization_config",
                  json::Object{{"quant_method", "fp8"}, {"fmt", "e5m2"}}}},
                "'fmt' of 'quantization_config' is \"e5m2\", expected 'e4m3'");
}

TEST(Decoder, spellings) {
  // Either name is understood, but not both at once.
  expectRefusal("GPTJForCausalLM", {{"n_embd", 8}, {"rotary_dim", 3}},
                "'hidden_size' with the value 8 is not understood");
  expectRefusal("GPTJForCausalLM", {{"rotary_dim", 3}},
                "'rotary_dim' is 3, expected an even number of at most the 4");
  expectRefusal("GPTJForCausalLM", {{"rotary_dim", nullptr}},
                "'rotary_dim' is null");
}

TEST(Decoder, gptNeo) {
  expectRefusal("GPTNeoForCausalLM", {{"attention_types", "local"}},
                "'attention_types' is no list of pairs");
  json::Value pair = json::Array{json::Array{"global", "near"}, 1};
  expectRefusal("GPTNeoForCausalLM", {{"attention_types", json::Array{pair}}},
                "'attention_types' is no list of pairs");
  pair = json::Array{json::Array{"global", "local"}, 2};
  expectRefusal("GPTNeoForCausalLM", {{"attention_types", json::Array{pair}}},
                "names 4 layers, expected 2");
}

TEST(Decoder, smolLM3) {
  expectRefusal("SmolLM3ForCausalLM", {{"no_rope_layers", json::Array{1}}},
                "'no_rope_layers' is no list of 2 numbers");
  expectRefusal("SmolLM3ForCausalLM",
                {{"no_rope_layers", json::Array{1, "yes"}}},
                "has no number for layer 1");
}

TEST(Decoder, falcon) {
  expectRefusal("FalconForCausalLM",
                {{"new_decoder_architecture", true}, {"parallel_attn", false}},
                "'parallel_attn' is false");
  expectRefusal("FalconForCausalLM", {{"num_ln_in_parallel_attn", 2}},
                "'num_ln_in_parallel_attn' is 2, expected 1");
  expectRefusal("FalconForCausalLM",
                {{"new_decoder_architecture", true}, {"num_kv_heads", 3}},
                "expected a multiple of the 3");
  expectRefusal("FalconForCausalLM",
                {{"multi_query", false}, {"num_kv_heads", 1}},
                "each head has its own key");
}

TEST(Decoder, mpt) {
  expectRefusal("MptForCausalLM", {{"attn_config", 1}},
                "'attn_config' is no object");
  expectRefusal("MptForCausalLM",
                {{"attn_config", json::Object{{"clip_qkv", "6"}}}},
                "key 'clip_qkv' of 'attn_config' is no number");
}

TEST(Decoder, growingQueries) {
  expectRefusal("Ministral3ForCausalLM",
                {{"rope_parameters", json::Object{{"rope_theta", 500.0}}}},
                "'rope_parameters' lacks 'llama_4_scaling_beta'");
  expectRefusal(
      "MistralForCausalLM",
      {{"rope_parameters", json::Object{{"llama_4_scaling_beta", 1}}}},
      "key 'llama_4_scaling_beta' of 'rope_parameters'");
}

TEST(Decoder, windowsOfOneSide) {
  expectRefusal("ModernBertDecoderForCausalLM", {{"local_attention", 1}},
                "'local_attention' is 1, expected 2 or more");
  expectRefusal(
      "CwmForCausalLM",
      {{"sliding_window", nullptr},
       {"layer_types", json::Array{"sliding_attention", "full_attention"}}},
      "gives layer 0 a window when 'sliding_window' is null");
}

TEST(Decoder, bitNet) {
  expectRefusal(
      "BitNetForCausalLM",
      {{"quantization_config", json::Object{{"quant_method", "bitnet"}}}},
      "linear layers of ternary numbers");
}

TEST(Decoder, codeGen) {
  expectRefusal("CodeGenForCausalLM", {{"rotary_dim", 2}},
                "is 2, expected a multiple of 4");
  expectRefusal("CodeGenForCausalLM", {{"rotary_dim", 6}},
                "expected an even number of at most the 4");
}

TEST(Decoder, openAIGPT) {
  expectRefusal("OpenAIGPTLMHeadModel", {{"afn", "gelu_new"}},
                "'afn' is 'gelu_new', expected relu, silu, gelu or swish");
}

TEST(Decoder, otherAttention) {
  expectRefusal("DiffLlamaForCausalLM", {{"num_key_value_heads", 1}},
                "'num_key_value_heads' is 1, expected an even number");
  expectRefusal("DogeForCausalLM", {{"is_moe", true}},
                "chosen by numbers of other tokens");
  expectRefusal("DogeForCausalLM",
                {{"sliding_window", 8}, {"keep_window_size", 4}},
                "keys chosen within a window are not supported");
  expectRefusal("MiMoV2FlashForCausalLM", {{"num_key_value_heads", 2}},
                "expected a divisor of the 2 heads");
  expectRefusal("HrmTextForCausalLM", {{"H_cycles", 4096}},
                "expected at most 4096 steps in all");
}
