//===- MiniMaxM2.cpp - The MiniMax-M2 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention whose queries and keys are normalised before they are cut into
// heads and rotated in part, and Mixtral's experts in every layer, weighed by
// sigmoids and chosen with a bias.
//
//===----------------------------------------------------------------------===//

#include "SparseDecoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildGGUF(ModelBuilder &b, ConfigReader &reader,
                            const FamilyRequest &request) {
  DecoderConfig config;
  config.queryKeyNorm = QueryKeyNorm::Projection;
  readDecoder(reader, b, request, config);
  DecoderKeys keys = getDecoderKeys(b.getCheckpoint());
  ExpertsSpec &experts = config.experts.emplace();
  readExpertCounts(reader, experts.router, 256, 8);
  experts.router.score = RouteScore::Sigmoid;
  experts.inner = config.inner;
  setGGUFExperts(reader, keys.layer, experts);
  return buildDecoder(b, reader, request, keys, config);
}

static ModelFacts buildMiniMaxM2(ModelBuilder &b, ConfigReader &reader,
                                 const FamilyRequest &request) {
  if (reader.isGGUF())
    return buildGGUF(b, reader, request);
  SparseDecoder config;
  config.vocabSize = 200064;
  config.hidden = 3072;
  config.layers = 62;
  config.length = 196608;
  readHybridModel(reader, config);
  config.inner = reader.getSize("intermediate_size", 1536);
  config.projectionNorms = true;
  AttentionHeads &heads = config.heads.emplace_back();
  heads.heads = 48;
  heads.kvHeads = 8;
  readAttentionHeads(reader, heads, config.hidden);
  heads.dim = reader.getSize("head_dim", 128);
  heads.setUsualScale();
  RotaryOptions rotary;
  rotary.trainedLength = config.length;
  rotary.allowsPartial = true;
  rotary.defaultBase = 5000000.0;
  // The first checkpoints give the number of rotated features.
  rotary.defaultPart =
      static_cast<double>(reader.getSize("rotary_dim", heads.dim)) /
      static_cast<double>(heads.dim);
  readHeadRotary(reader, b, request, heads, rotary);
  config.order.assign(config.layers,
                      {TokenMixer::Attention, FeedForward::Experts});
  ExpertsSpec &experts = config.experts;
  readExpertCounts(reader, experts.router, 256, 8);
  ignoreTrainingOfExperts(reader);
  experts.router.score = RouteScore::Sigmoid;
  experts.inner = config.inner;
  experts.activation = config.activation;
  readMixtralKeys(b.getCheckpoint(), config.layer, experts);
  StringRef block = experts.router.key;
  block.consume_back("gate");
  experts.router.bias = block.str() + "e_score_correction_bias";
  // What the first checkpoints say of parts that are always so, and of heads
  // that predict more than the next token.
  reader.ignore({"attn_type_list", "mtp_transformer_layers", "num_mtp_modules",
                 "qk_norm_type", "scoring_func", "shared_intermediate_size",
                 "shared_moe_mode", "use_mtp", "use_qk_norm",
                 "use_routing_bias"});
  markLaterHeads(b.getCheckpoint(), config, "");
  ModelFacts facts = buildSparseDecoder(b, reader, request, config);
  facts.bos = 200034;
  facts.eos = 200020;
  return facts;
}

namespace weir {
void registerMiniMaxM2Family(FamilyTable &table) {
  table.add({"minimax_m2",
             "MiniMaxM2ForCausalLM",
             "MiniMaxM2Model",
             "minimax-m2",
             {},
             buildMiniMaxM2});
}
} // namespace weir
