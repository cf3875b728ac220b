//===- Ministral3.cpp - The Ministral 3 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Mistral whose queries grow with the logarithm of their position, as Llama 4's
// do, beside rotations stretched by yarn (arXiv:2309.00071).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildMinistral3(ModelBuilder &builder, ConfigReader &reader,
                                  const FamilyRequest &request) {
  static const llvm::json::Object rope{
      {"type", "yarn"},
      {"rope_theta", 1000000.0},
      {"factor", 16.0},
      {"original_max_position_embeddings", 16384},
      {"beta_fast", 32.0},
      {"beta_slow", 1.0},
      {"mscale_all_dim", 1.0},
      {"mscale", 1.0},
      {"llama_4_scaling_beta", 0.1}};
  DecoderConfig config;
  config.vocabSize = 131072;
  config.inner = 14336;
  config.layers = 34;
  config.kvHeads = 8;
  config.headDim = 128;
  config.trainedLength = 262144;
  config.eps = 1e-5;
  config.rotaryOptions.defaults = &rope;
  config.rotaryOptions.readsGrowth = true;
  config.bos = 1;
  config.eos = 2;
  readDecoder(reader, builder, request, config);
  readWindow(reader, config);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerMinistral3Family(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"ministral3", "Ministral3ForCausalLM", "Ministral3Model", "",
             ignorable, buildMinistral3});
}
} // namespace weir
