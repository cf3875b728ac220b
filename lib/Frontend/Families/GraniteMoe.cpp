//===- GraniteMoe.cpp - The Granite-MoE family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with experts in every layer, the chosen ones weighed by a softmax among
// them, and factors of embeddings, scores, residuals and logits.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildGraniteMoe(ModelBuilder &builder, ConfigReader &reader,
                                  const FamilyRequest &request) {
  DecoderConfig config;
  readDecoder(reader, builder, request, config);
  bool bias = reader.getBool("attention_bias", false);
  config.queryBias = config.keyBias = config.valueBias = bias;
  config.outputBias = bias;
  config.attentionScale = reader.getFloat("attention_multiplier", 1);
  config.embeddingScale = reader.getFloat("embedding_multiplier", 1);
  config.residualScale = reader.getFloat("residual_multiplier", 1);
  config.logitScale = 1 / reader.getFloat("logits_scaling", 1);
  ExpertsSpec &experts = config.experts.emplace();
  readExpertCounts(reader, experts.router, 8, 2);
  ignoreTrainingOfExperts(reader);
  experts.router.score = RouteScore::Raw;
  experts.router.weighting = RouteWeighting::Softmax;
  experts.inner = config.inner;
  experts.activation = config.activation;
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  std::string block = keys.layer + "block_sparse_moe.";
  // As transformers has written it at different times.
  if (hasLayerTensor(builder.getCheckpoint(), block + "input_linear.weight")) {
    experts.router.key = block + "router.layer";
    experts.keys.prefix = block;
    experts.keys.gateUp = "input_linear";
    experts.keys.downAll = "output_linear";
  } else {
    experts.router.key = block + "router";
    experts.keys.prefix = block + "experts.";
  }
  ModelFacts facts = buildDecoder(builder, reader, request, keys, config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

void weir::registerGraniteMoeFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"granitemoe", "GraniteMoeForCausalLM", "GraniteMoeModel", "",
             ignorable, buildGraniteMoe});
}
