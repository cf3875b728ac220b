//===- GPTJ.cpp - The GPT-J and CodeGen families -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention and perceptron side by side behind one centred norm, and a rotation
// of the first features of each head. CodeGen has query, key and value in one
// matrix, in four parts as it was trained on as many cores (arXiv:2203.13474).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

/// Reads what both have.
static DecoderConfig readConfig(ConfigReader &reader, ModelBuilder &builder,
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
  config.rotates = true;
  config.rotary.layout = RotaryLayout::Interleaved;
  return config;
}

/// An error unless `config` rotates whole pairs of features of a head; `value`
/// is how many the key has.
static void checkRotation(ConfigReader &reader, const DecoderConfig &config,
                          const std::string &value) {
  if (config.rotary.dims > *config.headDim || config.rotary.dims % 2)
    reader.emitError("rotary_dim")
        << "key 'rotary_dim' is " << value
        << ", expected an even number of at most the " << *config.headDim
        << " features of a head";
}

/// The keys that both have alike.
static DecoderKeys getKeys(Checkpoint &checkpoint) {
  DecoderKeys keys = getGPTKeys(checkpoint);
  keys.positions.clear();
  keys.mlpNorm.clear();
  keys.mlp = {keys.layer + "mlp.fc_in", keys.layer + "mlp.fc_out", ""};
  return keys;
}

static ModelFacts buildGPTJ(ModelBuilder &builder, ConfigReader &reader,
                            const FamilyRequest &request) {
  DecoderConfig config = readConfig(reader, builder, request);
  // Absent and null differ: without a number all features are rotated at once,
  // which is the same for one head alone.
  bool rotatesAll = reader.isNull("rotary_dim");
  config.rotary.dims =
      rotatesAll ? config.hidden : reader.getSize("rotary_dim", 64);
  checkRotation(reader, config,
                rotatesAll ? "null" : std::to_string(config.rotary.dims));
  reader.ignore(
      {"rotary_dim", "rotary", "scale_attn_weights", "tokenizer_class"});
  ignoreSummaryHead(reader);
  DecoderKeys keys = getKeys(builder.getCheckpoint());
  for (auto [key, name] :
       {std::pair(&keys.query, "q_proj"), std::pair(&keys.key, "k_proj"),
        std::pair(&keys.value, "v_proj"), std::pair(&keys.output, "out_proj")})
    *key = keys.layer + "attn." + name;
  return buildDecoder(builder, reader, request, keys, config);
}

static ModelFacts buildCodeGen(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  DecoderConfig config = readConfig(reader, builder, request);
  config.fusedLayout = FusedLayout::Quarters;
  config.rotary.dims = reader.getSize("rotary_dim", 64);
  checkRotation(reader, config, std::to_string(config.rotary.dims));
  if (config.heads % 4)
    reader.emitError("num_attention_heads")
        << "key '" << reader.getSpelling("num_attention_heads") << "' is "
        << config.heads << ", expected a multiple of 4";
  // How many positions were trained with, which stands there twice.
  reader.ignore({"n_ctx", "scale_attn_weights"});
  ignoreSummaryHead(reader);
  DecoderKeys keys = getKeys(builder.getCheckpoint());
  keys.fused = keys.layer + "attn.qkv_proj";
  keys.output = keys.layer + "attn.out_proj";
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerGPTJFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {
      ".attn.bias", ".attn.masked_bias", ".attn.embed_positions"};
  table.add({"gptj", "GPTJForCausalLM", "GPTJModel", "", ignorable, buildGPTJ});
}

void registerCodeGenFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {
      ".attn.causal_mask", ".attn.bias", ".attn.masked_bias",
      ".attn.embed_positions"};
  table.add({"codegen", "CodeGenForCausalLM", "CodeGenModel", "", ignorable,
             buildCodeGen});
}
} // namespace weir
