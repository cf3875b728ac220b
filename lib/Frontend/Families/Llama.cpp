//===- Llama.cpp - The Llama family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

/// Reads the experts that GGUF files of Mixtral have, whose architecture is
/// Llama's, where there are any.
static void readGGUFExperts(ConfigReader &reader, const DecoderKeys &keys,
                            DecoderConfig &config) {
  if (reader.getInt("num_experts", 0) == 0)
    return;
  ExpertsSpec &experts = config.experts.emplace();
  readExpertCounts(reader, experts.router, 8, 2);
  experts.inner = config.inner;
  setGGUFExperts(reader, keys.layer, experts);
}

static ModelFacts buildLlama(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  DecoderConfig config;
  config.bos = 1;
  config.eos = 2;
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  readDecoder(reader, builder, request, config);
  // What files of other trainers say besides.
  reader.expect("is_llama_config", true, "the family has no other");
  reader.expect("rope_interleaved", false,
                "the two of a pair are half of the features apart");
  reader.ignore({"max_sequence_length"});
  if (reader.isGGUF()) {
    readGGUFExperts(reader, keys, config);
    // The converter permutes query and key so that pairs are neighbours.
    config.rotary.layout = RotaryLayout::Interleaved;
  } else {
    config.setAttentionBias(reader.getBool("attention_bias", false));
    config.mlpBias = reader.getBool("mlp_bias", false);
  }
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerLlamaFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"llama", "LlamaForCausalLM", "LlamaModel", "llama", ignorable,
             buildLlama});
}
} // namespace weir
