//===- BitNet.cpp - The BitNet family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with norms of what the last matrices of attention and perceptron read
// (arXiv:2504.12285). Weights that are stored as ternary numbers are not
// supported.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildBitNet(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 128256;
  config.hidden = 2560;
  config.inner = 6912;
  config.layers = 30;
  config.heads = 20;
  config.kvHeads = 5;
  config.eps = 1e-5;
  config.activation = "relu2";
  config.rotaryOptions.defaultBase = 500000;
  config.bos = 128000;
  config.eos = 128001;
  if (reader.has("quantization_config"))
    reader.emitError("quantization_config")
        << "linear layers of ternary numbers and rounded activations are not "
           "supported, expected a checkpoint with plain numbers";
  reader.ignore({"quantization_config"});
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.attentionInnerNorm = keys.layer + "self_attn.attn_sub_norm";
  keys.mlpInnerNorm = keys.layer + "mlp.ffn_sub_norm";
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerBitNetFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"bitnet", "BitNetForCausalLM", "BitNetModel", "", ignorable,
             buildBitNet});
}
} // namespace weir
