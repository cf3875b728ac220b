//===- Mixtral.cpp - The Mixtral family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Mistral with experts in every layer (arXiv:2401.04088).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildMixtral(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  DecoderConfig config;
  config.bos = 1;
  config.eos = 2;
  config.inner = 14336;
  config.kvHeads = 8;
  config.trainedLength = 4096 * 32;
  config.eps = 1e-5;
  readDecoder(reader, builder, request, config);
  if (std::optional<int64_t> window = reader.getOptionalInt("sliding_window"))
    config.windows.assign(config.layers, window);
  ExpertsSpec &experts = config.experts.emplace();
  readExpertCounts(reader, experts.router, 8, 2);
  ignoreTrainingOfExperts(reader);
  experts.inner = config.inner;
  experts.activation = config.activation;
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  readMixtralKeys(builder.getCheckpoint(), keys.layer, experts);
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerMixtralFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"mixtral", "MixtralForCausalLM", "MixtralModel", "", ignorable,
             buildMixtral});
}
} // namespace weir
