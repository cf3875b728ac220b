//===- NanoChat.cpp - The nanochat family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with norms that have no weights, of embeddings and, behind a rotation
// that turns the other way, of heads as well; squared rectifiers in place of
// gates, and a bound on logits.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildNanoChat(ModelBuilder &builder, ConfigReader &reader,
                                const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 50304;
  config.hidden = 768;
  config.inner = 8192;
  config.layers = 12;
  config.heads = 6;
  config.activation = "relu2";
  config.norm.weight = config.headNorm.weight = false;
  config.queryKeyNorm = QueryKeyNorm::Head;
  config.normsRotated = true;
  config.bos = 0;
  config.eos = 1;
  readDecoder(reader, builder, request, config);
  config.rotary.backwards = true;
  config.setAttentionBias(reader.getBool("attention_bias", false));
  config.logitCap = readCap(reader, "final_logit_softcapping", 15);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.embedNorm = keys.embed;
  keys.mlp = {keys.layer + "mlp.fc1", keys.layer + "mlp.fc2", ""};
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerNanoChatFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"nanochat", "NanoChatForCausalLM", "NanoChatModel", "", ignorable,
             buildNanoChat});
}
} // namespace weir
