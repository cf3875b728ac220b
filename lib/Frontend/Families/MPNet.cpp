//===- MPNet.cpp - The MPNet family -----------------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// RoBERTa without segments, with biases of distances (arXiv:2004.09297).
//
//===----------------------------------------------------------------------===//

#include "Bert.h"
#include "RelativeBias.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildMPNet(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  DecoderConfig config = getBertDefaults();
  config.vocabSize = 30527;
  config.bos = 0;
  config.eos = 2;
  DecoderKeys keys = readBert(reader, builder, request, config, "mpnet.");
  config.causal = false;
  config.tokenTables.clear();
  // Whatever the token for padding is.
  config.positionOffset = 2;
  config.skipsPadding = true;
  config.trainedLength -= config.positionOffset;
  setRobertaHead(builder, keys, config);
  keys.query = keys.layer + "attention.attn.q";
  keys.key = keys.layer + "attention.attn.k";
  keys.value = keys.layer + "attention.attn.v";
  keys.output = keys.layer + "attention.attn.o";
  keys.attentionNorm = keys.layer + "attention.LayerNorm";

  // The table may have more rows than are used.
  int64_t rows = reader.getSize("relative_attention_num_buckets", 32);
  RelativeBias bias;
  bias.heads = config.heads;
  bias.rows = rows;
  bias.key = getModelPrefix(builder.getCheckpoint(), "mpnet.",
                            "embeddings.word_embeddings.weight") +
             "encoder.relative_attention_bias.weight";
  if (rows < bias.buckets || config.trainedLength < 1)
    reader.emitError("relative_attention_num_buckets")
        << "key 'relative_attention_num_buckets' is " << rows
        << ", expected at least " << bias.buckets
        << ", and more than two positions";
  config.prepareAttention = [&builder, bias](Value) {
    return buildRelativeBias(builder, bias);
  };
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerMPNetFamily(FamilyTable &table) {
  table.add({"mpnet", "MPNetForMaskedLM", "MPNetModel", "", getBertIgnorable(),
             buildMPNet});
}
} // namespace weir
