//===- Xglm.cpp - The XGLM family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pre-norm layers with biases, scaled embeddings, and positions told by sines
// and cosines (arXiv:2112.10668).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Sinusoids.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {
    {"hidden_size", "d_model"},
    {"intermediate_size", "ffn_dim"},
    {"num_hidden_layers", "num_layers"},
    {"num_attention_heads", "attention_heads"},
    {"hidden_act", "activation_function"}};

/// What positions count from.
static constexpr int64_t offset = 2;

static ModelFacts buildXglm(ModelBuilder &builder, ConfigReader &reader,
                            const FamilyRequest &request) {
  reader.setSpellings(spellings);
  DecoderConfig config;
  config.vocabSize = 256008;
  config.hidden = 1024;
  config.inner = 4096;
  config.layers = 24;
  config.heads = 16;
  config.activation = "gelu";
  config.tied = true;
  config.norm.centred = true;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  config.rotates = false;
  config.mlpBias = true;
  config.bos = 0;
  config.eos = 2;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(true);
  // The epsilon is no option.
  config.eps = 1e-5;
  if (reader.getBool("scale_embedding", true))
    config.embeddingScale = std::sqrt(static_cast<double>(config.hidden));
  if (config.hidden < 4)
    reader.emitError("hidden_size")
        << "key '" << reader.getSpelling("hidden_size") << "' is "
        << config.hidden << ", expected at least 4 features of positions";
  // Numbers begin behind those of other tokens for padding.
  std::optional<int64_t> padding;
  if (!reader.isNull("pad_token_id"))
    padding = reader.getInt("pad_token_id", 1);
  if (padding && *padding < offset)
    padding.reset();
  config.addPositions = [&](Value tokens, Value positions) {
    return addSinusoids(builder, tokens,
                        shiftNumbers(builder, positions, offset), padding);
  };
  reader.ignore({"activation_dropout", "dropout"});
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  std::string model =
      getModelPrefix(builder.getCheckpoint(), "model.", "embed_tokens.weight");
  keys.finalNorm = model + "layer_norm";
  keys.attentionNorm = keys.layer + "self_attn_layer_norm";
  keys.mlpNorm = keys.layer + "final_layer_norm";
  keys.output = keys.layer + "self_attn.out_proj";
  keys.mlp = {keys.layer + "fc1", keys.layer + "fc2", ""};
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerXglmFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {
      "embed_positions.weights"};
  table.add({"xglm", "XGLMForCausalLM", "XGLMModel", "", ignorable, buildXglm});
}
} // namespace weir
