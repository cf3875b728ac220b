//===- Electra.cpp - The ELECTRA family -------------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// BERT between tables of other features than the layers' (arXiv:2003.10555); of
// its two models the one that generates.
//
//===----------------------------------------------------------------------===//

#include "Bert.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildElectra(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  DecoderConfig config = getBertDefaults();
  config.vocabSize = 30522;
  config.hidden = 256;
  config.inner = 1024;
  config.heads = 4;
  DecoderKeys keys = readBert(reader, builder, request, config, "electra.");
  config.embedding = reader.getSize("embedding_size", 128);
  config.projectsSum = true;
  config.transformActivation = "gelu";
  if (config.embedding != config.hidden)
    keys.projectIn = getModelPrefix(builder.getCheckpoint(), "electra.",
                                    "embeddings.word_embeddings.weight") +
                     "embeddings_project";
  keys.transform = "generator_predictions.dense";
  keys.transformNorm = "generator_predictions.LayerNorm";
  keys.head = "generator_lm_head";
  ignoreSummaryHead(reader);
  reader.ignore({"summary_last_dropout"});
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerElectraFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral decoders[] = {"ElectraForCausalLM"};
  table.add({"electra", "ElectraForMaskedLM", "ElectraModel", "",
             getBertIgnorable(), buildElectra, decoders});
}
} // namespace weir
