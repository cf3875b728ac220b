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
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "weir/Frontend/LinearLayers.h"
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

/// `positions` and `summand`, numbers of i32.
static Value shiftPositions(ModelBuilder &b, Value positions, int64_t summand) {
  return b.map(positions,
               [&](OpBuilder &n, Location l, ValueRange in) -> Value {
                 Value number = arith::ConstantOp::create(
                     n, l, n.getIntegerAttr(in[0].getType(), summand));
                 return arith::AddIOp::create(n, l, in[0], number);
               });
}

/// Adds to `tokens` the sines of their positions times falling frequencies,
/// then the cosines, and a zero where features are odd; nothing at the position
/// that is numbered as padding is.
static Value addPositions(ModelBuilder &b, Value tokens, Value positions,
                          std::optional<int64_t> padding) {
  int64_t features = cast<RankedTensorType>(tokens.getType()).getDimSize(2);
  int64_t half = features / 2;
  // Pairs (0, 1) turned backwards.
  RotarySpec spec;
  spec.dims = 2 * half;
  spec.backwards = true;
  double count = static_cast<double>(half);
  spec.base = std::pow(10000.0, count / (count - 1));
  Value pairs = concatFeatures(
      b, {fillLike(b, tokens, half, 0), fillLike(b, tokens, half, 1)});
  Value turned = b.mergeHeads(b.rotary(b.splitHeads(pairs, 1),
                                       shiftPositions(b, positions, offset),
                                       b.frequencies(spec), spec));
  if (features % 2)
    turned = concatFeatures(b, {turned, fillLike(b, tokens, 1, 0)});
  Value sum = b.add(tokens, turned);
  if (!padding || *padding < offset)
    return sum;
  return b.chooseRows(shiftPositions(b, positions, offset - *padding), sum,
                      tokens);
}

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
  std::optional<int64_t> padding;
  if (!reader.isNull("pad_token_id"))
    padding = reader.getInt("pad_token_id", 1);
  config.addPositions = [&](Value tokens, Value positions) {
    return addPositions(builder, tokens, positions, padding);
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
