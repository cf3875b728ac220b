//===- Afmoe.cpp - The AFMoE family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layers of attention with a window, whose heads are rotated, and layers
// without either; what heads give is opened and closed by the input
// (arXiv:2505.06708), and parts have norms on both sides. Behind the first
// layers, experts chosen by sigmoids with a bias that does not weigh.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include <cmath>

using namespace mlir;
using namespace weir;

static void readExperts(ConfigReader &reader, DecoderConfig &config,
                        const std::string &block) {
  int64_t dense = reader.getInt("num_dense_layers", 1);
  for (int64_t layer = 0; layer < config.layers; ++layer)
    config.sparse.push_back(layer >= dense);
  ExpertsSpec &experts = config.experts.emplace();
  RouterSpec &router = experts.router;
  readExpertCounts(reader, router, 64, 6);
  ignoreTrainingOfExperts(reader);
  router.key = block + "router.gate";
  router.bias = block + "expert_bias";
  router.score = RouteScore::Sigmoid;
  router.eps = 1e-20;
  router.scale = reader.getFloat("route_scale", 1);
  experts.inner = reader.getSize("moe_intermediate_size", 1408);
  experts.activation = config.activation;
  experts.keys.prefix = block + "experts.";
  experts.sharedInner = experts.inner * reader.getInt("num_shared_experts", 2);
  std::string shared = block + "shared_experts.";
  experts.shared = {shared + "up_proj", shared + "down_proj",
                    shared + "gate_proj"};
}

static ModelFacts buildAfmoe(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 200192;
  config.hidden = 2048;
  config.inner = 6144;
  config.heads = 16;
  config.headDim = 128;
  config.trainedLength = 16384;
  config.eps = 1e-5;
  config.queryKeyNorm = QueryKeyNorm::Head;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  int64_t period = reader.getSize("global_attn_every_n_layers", 4);
  readLayerTypes(reader, config, 1024,
                 [&](int64_t layer) { return (layer + 1) % period != 0; });
  for (std::optional<int64_t> window : config.windows)
    config.unrotated.push_back(!window);
  if (reader.getBool("mup_enabled", false))
    config.embeddingScale = std::sqrt(static_cast<double>(config.hidden));
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.opening = keys.layer + "self_attn.gate_proj";
  keys.attentionPostNorm = keys.layer + "post_attention_layernorm";
  keys.mlpNorm = keys.layer + "pre_mlp_layernorm";
  keys.mlpPostNorm = keys.layer + "post_mlp_layernorm";
  readExperts(reader, config, keys.layer + "mlp.");
  // What early checkpoints say of the one way to route that there is.
  reader.expect("route_norm", true, "weights of experts are normalised");
  reader.ignore({"load_balance_coeff", "n_group", "num_expert_groups",
                 "num_limited_groups", "score_func", "topk_group",
                 "use_grouped_mm"});
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerAfmoeFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add(
      {"afmoe", "AfmoeForCausalLM", "AfmoeModel", "", ignorable, buildAfmoe});
}
} // namespace weir
