//===- Starcoder2.cpp - The StarCoder2 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Centred norms, a perceptron without a gate, biases everywhere and a window
// (arXiv:2402.19173).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {{"rms_norm_eps", "norm_epsilon"}};

static ModelFacts buildStarcoder2(ModelBuilder &builder, ConfigReader &reader,
                                  const FamilyRequest &request) {
  reader.setSpellings(spellings);
  DecoderConfig config;
  config.vocabSize = 49152;
  config.hidden = 3072;
  config.inner = 12288;
  config.layers = 30;
  config.heads = 24;
  config.kvHeads = 2;
  config.trainedLength = 4096;
  config.eps = 1e-5;
  config.activation = "gelu_pytorch_tanh";
  config.tied = true;
  config.norm.centred = true;
  config.bos = 50256;
  config.eos = 50256;
  readDecoder(reader, builder, request, config);
  // What is left of GPTBigCode's options, which are none here.
  reader.expect("mlp_type", "default", "the family has one perceptron");
  reader.expect("norm_type", "layer_norm", "norms are centred");
  reader.expect("scale_attn_weights", true, "scores are scaled");
  reader.ignore({"attention_softmax_in_fp32", "layer_norm_epsilon",
                 "scale_attention_softmax_in_fp32"});
  bool bias = reader.getBool("use_bias", true);
  config.setAttentionBias(bias);
  config.mlpBias = bias;
  readWindow(reader, config);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  if (reader.isGGUF())
    keys.mlp.gate.clear();
  else
    keys.mlp = {keys.layer + "mlp.c_fc", keys.layer + "mlp.c_proj", ""};
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerStarcoder2Family(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"starcoder2", "Starcoder2ForCausalLM", "Starcoder2Model",
             "starcoder2", ignorable, buildStarcoder2});
}
} // namespace weir
