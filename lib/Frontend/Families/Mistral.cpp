//===- Mistral.cpp - The Mistral family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with a window on every layer. Its GGUF files have Llama's architecture.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildMistral(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  DecoderConfig config;
  config.bos = 1;
  config.eos = 2;
  config.inner = 14336;
  config.kvHeads = 8;
  config.trainedLength = 4096 * 32;
  readDecoder(reader, builder, request, config);
  // A window of null is none; an absent one is the default.
  if (!reader.isNull("sliding_window"))
    config.windows.assign(config.layers,
                          reader.getSize("sliding_window", 4096));
  reader.expect("attention_bias", false, "the family has no such biases");
  reader.expect("mlp_bias", false, "the family has no such biases");
  ModelFacts facts =
      buildDecoder(builder, reader, request,
                   getDecoderKeys(builder.getCheckpoint()), config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

namespace weir {
void registerMistralFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"mistral", "MistralForCausalLM", "MistralModel", "", ignorable,
             buildMistral});
}
} // namespace weir
