//===- Albert.cpp - The ALBERT family ---------------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// BERT whose layers share their weights, in groups, between tables of fewer
// features (arXiv:1909.11942).
//
//===----------------------------------------------------------------------===//

#include "Bert.h"

using namespace mlir;
using namespace weir;

/// Reads the groups, of several layers each, that stand for the model's layers
/// in turn.
static void readGroups(ConfigReader &reader, DecoderConfig &config) {
  int64_t groups = reader.getSize("num_hidden_groups", 1);
  int64_t inner = reader.getSize("inner_group_num", 1);
  if (groups > config.layers || inner > 64) {
    reader.emitError("num_hidden_groups")
        << "key 'num_hidden_groups' is " << groups << " and 'inner_group_num' "
        << inner << ", expected at most the " << config.layers
        << " of 'num_hidden_layers' and 64";
    return;
  }
  double size = static_cast<double>(config.layers) / groups;
  for (int64_t layer = 0; layer < config.layers; ++layer)
    for (int64_t i = 0; i < inner; ++i)
      config.sharedLayers.push_back(
          std::to_string(static_cast<int64_t>(layer / size)) +
          ".albert_layers." + std::to_string(i));
  config.layers *= inner;
  config.windows.assign(config.layers, std::nullopt);
}

static ModelFacts buildAlbert(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  DecoderConfig config = getBertDefaults();
  config.vocabSize = 30000;
  config.hidden = 4096;
  config.inner = 16384;
  config.heads = 64;
  config.activation = "gelu_new";
  config.bos = 2;
  config.eos = 3;
  config.sharesLayers = true;
  config.projectsSum = true;
  DecoderKeys keys = readBert(reader, builder, request, config, "albert.");
  config.causal = false;
  config.embedding = reader.getSize("embedding_size", 128);
  readGroups(reader, config);
  // Of training, and of files that say what later ones do not.
  reader.ignore({"classifier_dropout_prob", "down_scale_factor", "gap_size",
                 "layers_to_keep", "net_structure_type", "num_memory_blocks"});

  std::string model = getModelPrefix(builder.getCheckpoint(), "albert.",
                                     "embeddings.word_embeddings.weight");
  keys.projectIn = model + "encoder.embedding_hidden_mapping_in";
  std::string layer = keys.layer = model + "encoder.albert_layer_groups.*.";
  keys.query = layer + "attention.query";
  keys.key = layer + "attention.key";
  keys.value = layer + "attention.value";
  keys.output = layer + "attention.dense";
  keys.attentionNorm = layer + "attention.LayerNorm";
  keys.mlp = {layer + "ffn", layer + "ffn_output", ""};
  keys.mlpNorm = layer + "full_layer_layer_norm";
  setHead(builder, keys, "predictions.dense", "predictions.LayerNorm",
          "predictions.decoder", "predictions.bias");
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerAlbertFamily(FamilyTable &table) {
  table.add({"albert", "AlbertForMaskedLM", "AlbertModel", "",
             getBertIgnorable(), buildAlbert});
}
} // namespace weir
