//===- Falcon.cpp - The Falcon family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention and perceptron side by side, heads that share keys and values in
// one of three ways, and a rotation or biases that grow with the distance
// (arXiv:2311.16867).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {
    {"hidden_act", "activation"},
    {"intermediate_size", "ffn_hidden_size"},
    {"rms_norm_eps", "layer_norm_epsilon"}};

/// Reads how many heads share a key and how the matrix lies.
static void readHeads(ConfigReader &reader, DecoderConfig &config, bool isNew) {
  bool multiQuery = reader.getBool("multi_query", true);
  int64_t given = reader.getSize("num_kv_heads", config.heads);
  if (isNew) {
    config.fusedLayout = FusedLayout::Groups;
    config.kvHeads = given;
    if (config.heads % given)
      reader.emitError("num_kv_heads")
          << "key 'num_attention_heads' is " << config.heads
          << ", expected a multiple of the " << given << " of 'num_kv_heads'";
  } else if (multiQuery) {
    config.kvHeads = 1;
  } else {
    config.fusedLayout = FusedLayout::Groups;
    reader.expect("num_kv_heads", config.heads,
                  "each head has its own key unless 'multi_query' or "
                  "'new_decoder_architecture' is true");
  }
}

/// Reads which norms there are.
static void readNorms(ConfigReader &reader, DecoderConfig &config, bool isNew,
                      DecoderKeys &keys) {
  config.parallel = reader.getBool("parallel_attn", true);
  int64_t norms = reader.getSize("num_ln_in_parallel_attn", isNew ? 2 : 1);
  if (isNew && !config.parallel)
    reader.emitError("parallel_attn")
        << "key 'parallel_attn' is false, expected true with "
           "'new_decoder_architecture'";
  if (norms > 2 || (norms == 2 && config.parallel && !isNew))
    reader.emitError("num_ln_in_parallel_attn")
        << "key 'num_ln_in_parallel_attn' is " << norms << ", expected 1"
        << (isNew ? " or 2" : "");
  if (config.parallel && isNew && norms == 2) {
    keys.attentionNorm = keys.layer + "ln_attn";
    keys.mlpNorm = keys.layer + "ln_mlp";
  } else if (config.parallel) {
    keys.mlpNorm.clear();
  }
}

/// `value` as bf16 holds it.
static float roundToBF16(float value) {
  llvm::APFloat number(value);
  bool inexact;
  number.convert(llvm::APFloat::BFloat(), llvm::APFloat::rmNearestTiesToEven,
                 &inexact);
  return number.convertToFloat();
}

/// The model of a GGUF file, whose converter knows those without a bias on
/// scores: attention and perceptron in parallel behind one norm or two.
static ModelFacts buildGGUF(ModelBuilder &builder, ConfigReader &reader,
                            const FamilyRequest &request,
                            DecoderConfig &config) {
  config.parallel = true;
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.mlp.gate.clear();
  keys.mlpNorm.clear();
  std::string second = keys.layer + "attn_norm_2";
  if (hasLayerTensor(builder.getCheckpoint(), second + ".weight")) {
    keys.mlpNorm = keys.attentionNorm;
    keys.attentionNorm = second;
  }
  return buildDecoder(builder, reader, request, keys, config);
}

static ModelFacts buildFalcon(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  reader.setSpellings(spellings);
  readOlderHidden(reader);
  DecoderConfig config;
  config.vocabSize = 65024;
  config.hidden = 4544;
  config.inner = 0;
  config.heads = 71;
  config.eps = 1e-5;
  config.activation = "gelu";
  config.tied = true;
  config.norm.centred = true;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  config.bos = 11;
  config.eos = 11;
  config.rotates = !reader.getBool("alibi", false);
  readDecoder(reader, builder, request, config);
  if (reader.isGGUF())
    return buildGGUF(builder, reader, request, config);
  reader.expect("apply_residual_connection_post_layernorm", false,
                "parts are added to what norms read");
  // What a rotation would be like says nothing where there is none.
  if (!config.rotates) {
    reader.ignore({"rope_parameters", "rope_scaling", "rope_theta"});
    // Once: transformers' eager attention adds them twice, its others once.
    config.roundsSlopes = true;
    for (float slope : getSlopes(config.heads))
      config.slopes.push_back(roundToBF16(slope));
  }
  bool bias = reader.getBool("bias", false);
  config.setAttentionBias(bias);
  config.mlpBias = bias;
  bool isNew = reader.getBool("new_decoder_architecture", false);
  readHeads(reader, config, isNew);
  std::string model = getModelPrefix(builder.getCheckpoint(), "transformer.",
                                     "word_embeddings.weight");
  DecoderKeys keys = getBloomKeys(model);
  readNorms(reader, config, isNew, keys);
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerFalconFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"falcon", "FalconForCausalLM", "FalconModel", "falcon", ignorable,
             buildFalcon});
}
} // namespace weir
