//===- MiniCPM3.cpp - The MiniCPM3 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Latent attention (arXiv:2405.04434) in front of dense perceptrons, with the
// factors of MiniCPM (arXiv:2404.06395): of embeddings, of what a layer's parts
// add, which follows from the depth, and of logits, which follows from the
// width.
//
//===----------------------------------------------------------------------===//

#include "HybridModel.h"
#include "LatentAttention.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

struct MiniCPM3Config : HybridModel {
  int64_t inner;
  LatentHeads latent;
  RotarySpec rotary;
  bool mlpBias = false;
};

/// Builds the layers.
class MiniCPM3Graph {
public:
  MiniCPM3Graph(ModelBuilder &builder, const MiniCPM3Config &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids);
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  Value buildAttention(Value x);

  ModelBuilder &b;
  const MiniCPM3Config &config;
  Value positions, frequencies;
};

} // namespace

void MiniCPM3Graph::begin(Value ids) {
  positions = b.positions(ids);
  frequencies = b.frequencies(config.rotary);
}

Value MiniCPM3Graph::buildAttention(Value x) {
  std::string keys = config.layer + "self_attn.";
  Value mixed = latentAttention(b, x, keys, config.latent, [&](Value heads) {
    return b.rotary(heads, positions, frequencies, config.rotary);
  });
  return b.linear(b.mergeHeads(mixed), keys + "o_proj", config.hidden,
                  config.latent.bias);
}

Value MiniCPM3Graph::buildLayer(const HybridLayer &, Value x) {
  return preNormLayer(
      b, config, x, [&](Value normed) { return buildAttention(normed); },
      [&](Value normed) {
        return hybridMLP(b, config, normed, config.inner, "mlp.",
                         config.mlpBias);
      });
}

/// The number under `key`, `fallback` where it is absent and `neutral` where it
/// is null.
static double readFactor(ConfigReader &reader, llvm::StringRef key,
                         double fallback, double neutral) {
  return reader.isNull(key) ? neutral : reader.getFloat(key, fallback);
}

static ModelFacts buildMiniCPM3(ModelBuilder &b, ConfigReader &reader,
                                const FamilyRequest &request) {
  MiniCPM3Config config;
  config.vocabSize = 73448;
  config.hidden = 2560;
  config.layers = 62;
  config.length = 32768;
  config.eps = 1e-5;
  config.tied = true;
  readHybridModel(reader, config);
  config.order.assign(config.layers, {TokenMixer::Attention});
  config.inner = reader.getSize("intermediate_size", 6400);
  config.mlpBias = reader.getBool("mlp_bias", false);

  config.latent = {40, 64, 32, 1, 256, 768, false, 1.0};
  int64_t heads = reader.getSize("num_attention_heads", config.latent.heads);
  config.latent.valueDim = std::max<int64_t>(config.hidden / heads, 1);
  readLatentHeads(reader, config.latent);
  RotaryOptions options;
  options.headDim = config.latent.sharedDim;
  options.trainedLength = config.length;
  options.maxLength = request.maxLength.value_or(config.length);
  config.rotary = readRotary(reader, b, options);
  config.latent.scale *= readScoreFactor(reader);
  // What follows from other numbers.
  reader.ignore({"head_dim"});

  config.embeddingScale = reader.getFloat("scale_emb", 12);
  double root = std::sqrt(static_cast<double>(config.layers));
  config.residualScale = readFactor(reader, "scale_depth", 1.4, root) / root;
  double width = static_cast<double>(config.hidden);
  config.logitScale = readFactor(reader, "dim_model_base", 256, width) / width;
  ModelFacts facts =
      buildHybridModel<MiniCPM3Graph>(b, reader, request, config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

namespace weir {
void registerMiniCPM3Family(FamilyTable &table) {
  table.add({"minicpm3",
             "MiniCPM3ForCausalLM",
             "MiniCPM3Model",
             "",
             {},
             buildMiniCPM3});
}
} // namespace weir
