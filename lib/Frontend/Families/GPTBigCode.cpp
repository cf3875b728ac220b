//===- GPTBigCode.cpp - The GPTBigCode family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// GPT-2 whose heads share a key and a value (arXiv:2301.03988).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildGPTBigCode(ModelBuilder &builder, ConfigReader &reader,
                                  const FamilyRequest &request) {
  reader.setSpellings(getGPTSpellings());
  DecoderConfig config;
  config.vocabSize = 50257;
  config.hidden = 768;
  config.inner = 0;
  config.layers = 12;
  config.heads = 12;
  config.trainedLength = 1024;
  config.eps = 1e-5;
  config.activation = "gelu_pytorch_tanh";
  config.mlpBias = true;
  config.tied = true;
  config.norm.centred = true;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  config.rotates = false;
  config.bos = 50256;
  config.eos = 50256;
  config.setAttentionBias(true);
  readDecoder(reader, builder, request, config);
  if (reader.getBool("multi_query", true))
    config.kvHeads = 1;
  else
    config.fusedLayout = FusedLayout::Groups;
  if (!reader.getBool("scale_attn_weights", true))
    config.attentionScale = 1;
  // Widths of the softmax, and how it once ran.
  reader.ignore({"attention_softmax_in_fp32", "scale_attention_softmax_in_fp32",
                 "num_key_value_heads", "inference_runner",
                 "validate_runner_input", "pre_allocate_kv_cache",
                 "max_sequence_length", "max_batch_size", "pad_key_length"});
  ignoreSummaryHead(reader);
  DecoderKeys keys = getGPTKeys(builder.getCheckpoint());
  keys.fused = keys.layer + "attn.c_attn";
  keys.output = keys.layer + "attn.c_proj";
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerGPTBigCodeFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".attn.bias",
                                                      ".attn.masked_bias"};
  table.add({"gpt_bigcode", "GPTBigCodeForCausalLM", "GPTBigCodeModel", "",
             ignorable, buildGPTBigCode});
}
} // namespace weir
