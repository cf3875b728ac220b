//===- GPTJ.cpp - The GPT-J family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention and perceptron side by side behind one centred norm, and a rotation
// of the first features of each head.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildGPTJ(ModelBuilder &builder, ConfigReader &reader,
                            const FamilyRequest &request) {
  reader.setSpellings(getGPTSpellings());
  DecoderConfig config;
  config.vocabSize = 50400;
  config.inner = 0;
  config.layers = 28;
  config.heads = 16;
  config.eps = 1e-5;
  config.activation = "gelu_new";
  config.mlpBias = true;
  config.headBias = true;
  config.parallel = true;
  config.norm.centred = true;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  config.rotates = false;
  config.bos = 50256;
  config.eos = 50256;
  readDecoder(reader, builder, request, config);
  // Absent and null differ: without a number all features are rotated at once,
  // which is the same for one head alone.
  config.rotates = true;
  config.rotary.layout = RotaryLayout::Interleaved;
  config.rotary.dims = reader.isNull("rotary_dim")
                           ? config.hidden
                           : reader.getSize("rotary_dim", 64);
  if (config.rotary.dims > *config.headDim || config.rotary.dims % 2)
    reader.emitError("rotary_dim")
        << "key 'rotary_dim' is "
        << (reader.isNull("rotary_dim") ? "null"
                                        : std::to_string(config.rotary.dims))
        << ", expected an even number of at most the " << *config.headDim
        << " features of a head";
  reader.ignore(
      {"rotary_dim", "rotary", "scale_attn_weights", "tokenizer_class"});
  ignoreSummaryHead(reader);
  DecoderKeys keys = getGPTKeys(builder.getCheckpoint());
  keys.positions.clear();
  keys.mlpNorm.clear();
  keys.mlp = {keys.layer + "mlp.fc_in", keys.layer + "mlp.fc_out", ""};
  for (auto [key, name] :
       {std::pair(&keys.query, "q_proj"), std::pair(&keys.key, "k_proj"),
        std::pair(&keys.value, "v_proj"), std::pair(&keys.output, "out_proj")})
    *key = keys.layer + "attn." + name;
  return buildDecoder(builder, reader, request, keys, config);
}

void weir::registerGPTJFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {
      ".attn.bias", ".attn.masked_bias", ".attn.embed_positions"};
  table.add({"gptj", "GPTJForCausalLM", "GPTJModel", "", ignorable, buildGPTJ});
}
