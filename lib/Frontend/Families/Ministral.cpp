//===- Ministral.cpp - The Ministral family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Mistral with windows on layers that a list names.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildMinistral(ModelBuilder &builder, ConfigReader &reader,
                                 const FamilyRequest &request) {
  DecoderConfig config;
  config.inner = 14336;
  config.kvHeads = 8;
  config.trainedLength = 4096 * 32;
  config.bos = 1;
  config.eos = 2;
  readDecoder(reader, builder, request, config);
  readLayerTypes(reader, config, 4096, [](int64_t) { return true; });
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerMinistralFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"ministral", "MinistralForCausalLM", "MinistralModel", "",
             ignorable, buildMinistral});
}
} // namespace weir
