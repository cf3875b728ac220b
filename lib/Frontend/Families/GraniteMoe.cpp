//===- GraniteMoe.cpp - The Granite-MoE families -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with experts in every layer, the chosen ones weighed by a softmax among
// them, and factors of embeddings, scores, residuals and logits; in two of the
// families, an expert for all tokens besides, and in one of these windows and a
// logit per head that no key stands for.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildAny(ModelBuilder &builder, ConfigReader &reader,
                           const FamilyRequest &request, bool hasSharedExpert,
                           bool hasWindows = false) {
  DecoderConfig config;
  config.bos = 1;
  config.eos = 2;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  readGraniteFactors(reader, config);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  config.experts =
      readGraniteExperts(reader, keys.layer, config.inner, config.activation);
  if (reader.isGGUF()) {
    setGraniteGGUF(reader, config);
    setGGUFExperts(reader, keys.layer, *config.experts);
  } else if (hasSharedExpert) {
    std::string shared = keys.layer + "shared_mlp.";
    config.experts->sharedInner = reader.getInt("shared_intermediate_size", 0);
    config.experts->sharedGateUp = shared + "input_linear";
    config.experts->shared.down = shared + "output_linear";
  }
  if (hasWindows) {
    readGraniteWindows(reader, config);
    keys.sinks = keys.layer + "self_attn.sinks";
  }
  return buildDecoder(builder, reader, request, keys, config);
}

static ModelFacts buildGraniteMoe(ModelBuilder &builder, ConfigReader &reader,
                                  const FamilyRequest &request) {
  return buildAny(builder, reader, request, /*hasSharedExpert=*/false);
}

static ModelFacts buildGraniteMoeShared(ModelBuilder &builder,
                                        ConfigReader &reader,
                                        const FamilyRequest &request) {
  return buildAny(builder, reader, request, /*hasSharedExpert=*/true);
}

static ModelFacts buildGraniteMoeSwa(ModelBuilder &builder,
                                     ConfigReader &reader,
                                     const FamilyRequest &request) {
  return buildAny(builder, reader, request, /*hasSharedExpert=*/true,
                  /*hasWindows=*/true);
}

static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};

namespace weir {
void registerGraniteMoeFamily(FamilyTable &table) {
  table.add({"granitemoe", "GraniteMoeForCausalLM", "GraniteMoeModel",
             "granitemoe", ignorable, buildGraniteMoe});
}

void registerGraniteMoeSharedFamily(FamilyTable &table) {
  table.add({"granitemoeshared", "GraniteMoeSharedForCausalLM",
             "GraniteMoeSharedModel", "", ignorable, buildGraniteMoeShared});
}

void registerGraniteMoeSwaFamily(FamilyTable &table) {
  table.add({"granitemoe_swa", "GraniteMoeSWAForCausalLM", "GraniteMoeSWAModel",
             "", ignorable, buildGraniteMoeSwa});
}
} // namespace weir
