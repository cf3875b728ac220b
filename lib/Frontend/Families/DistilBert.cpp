//===- DistilBert.cpp - The DistilBERT family -------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// BERT with fewer layers and no segments (arXiv:1910.01108).
//
//===----------------------------------------------------------------------===//

#include "Bert.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {{"hidden_size", "dim"},
                                            {"num_attention_heads", "n_heads"},
                                            {"num_hidden_layers", "n_layers"},
                                            {"intermediate_size", "hidden_dim"},
                                            {"hidden_act", "activation"}};

static ModelFacts buildDistilBert(ModelBuilder &builder, ConfigReader &reader,
                                  const FamilyRequest &request) {
  reader.setSpellings(spellings);
  DecoderConfig config = getBertDefaults();
  config.vocabSize = 30522;
  config.layers = 6;
  config.causal = false;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(true);
  config.mlpBias = config.headBias = config.transformBias = true;
  config.transformActivation = config.activation;
  // Positions that are sinusoids are stored like those that are learned.
  reader.ignore({"dropout", "qa_dropout", "seq_classif_dropout",
                 "sinusoidal_pos_embds", "tie_weights_"});

  DecoderKeys keys;
  std::string model = getModelPrefix(builder.getCheckpoint(), "distilbert.",
                                     "embeddings.word_embeddings.weight");
  std::string layer = keys.layer = model + "transformer.layer.*.";
  keys.embed = model + "embeddings.word_embeddings";
  keys.positions = model + "embeddings.position_embeddings";
  keys.embedNorm = model + "embeddings.LayerNorm";
  keys.query = layer + "attention.q_lin";
  keys.key = layer + "attention.k_lin";
  keys.value = layer + "attention.v_lin";
  keys.output = layer + "attention.out_lin";
  keys.attentionNorm = layer + "sa_layer_norm";
  keys.mlp = {layer + "ffn.lin1", layer + "ffn.lin2", ""};
  keys.mlpNorm = layer + "output_layer_norm";
  keys.transform = "vocab_transform";
  keys.transformNorm = "vocab_layer_norm";
  keys.head = "vocab_projector";
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerDistilBertFamily(FamilyTable &table) {
  table.add({"distilbert", "DistilBertForMaskedLM", "DistilBertModel", "",
             getBertIgnorable(), buildDistilBert});
}
} // namespace weir
