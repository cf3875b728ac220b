//===- FlexOlmo.cpp - The FlexOlmo family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// OLMo 2 with OLMoE's experts, which were trained apart (arXiv:2507.07024).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildFlexOlmo(ModelBuilder &builder, ConfigReader &reader,
                                const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 100352;
  config.trainedLength = 4096;
  config.eos = 100257;
  config.queryKeyNorm = QueryKeyNorm::Projection;
  config.rotaryOptions.defaultBase = 500000;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  setPostNorms(builder.getCheckpoint(), keys);
  config.experts =
      readQwenExperts(reader, keys.layer + "mlp.", {7, 5, config.inner});
  config.experts->activation = config.activation;
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerFlexOlmoFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"flex_olmo", "FlexOlmoForCausalLM", "FlexOlmoModel", "", ignorable,
             buildFlexOlmo});
}
} // namespace weir
