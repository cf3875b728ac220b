//===- Phi3.cpp - The Phi-3 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with query, key and value in one matrix, and gate and up in another
// (arXiv:2404.14219).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildPhi3(ModelBuilder &builder, ConfigReader &reader,
                            const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 32064;
  config.hidden = 3072;
  config.inner = 8192;
  config.trainedLength = 4096;
  config.eps = 1e-5;
  config.bos = 1;
  config.eos = 32000;
  config.rotaryOptions.allowsPartial = true;
  config.rotaryOptions.hasOldLongRope = true;
  readDecoder(reader, builder, request, config);
  readWindow(reader, config);
  reader.expect("attention_bias", false, "the family has no such biases");
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  bool isGGUF = reader.isGGUF();
  keys.fused = keys.layer + (isGGUF ? "attn_qkv" : "self_attn.qkv_proj");
  keys.gateUp = keys.layer + (isGGUF ? "ffn_up" : "mlp.gate_up_proj");
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerPhi3Family(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add(
      {"phi3", "Phi3ForCausalLM", "Phi3Model", "phi3", ignorable, buildPhi3});
}
} // namespace weir
