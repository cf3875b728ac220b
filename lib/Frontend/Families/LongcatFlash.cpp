//===- LongcatFlash.cpp - The LongCat-Flash family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layers of twice latent attention and a perceptron, past whose second half
// what experts make of the first half's is led (arXiv:2509.01322). Some experts
// give back what they get.
//
//===----------------------------------------------------------------------===//

#include "HybridModel.h"
#include "LatentAttention.h"
#include <cmath>

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {
    {"num_hidden_layers", "num_layers"},
    {"intermediate_size", "ffn_hidden_size"},
    {"moe_intermediate_size", "expert_ffn_hidden_size"}};

namespace {

struct LongcatConfig : HybridModel {
  int64_t inner = 1;
  LatentHeads latent;
  RotarySpec rotary;
  ExpertsSpec experts;
};

/// Builds the layers.
class LongcatGraph {
public:
  LongcatGraph(ModelBuilder &builder, const LongcatConfig &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids);
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  Value buildNorm(Value x, const std::string &name);
  Value buildAttention(Value x, const std::string &half);

  ModelBuilder &b;
  const LongcatConfig &config;
  Value positions, frequencies;
};

} // namespace

void LongcatGraph::begin(Value ids) {
  positions = b.positions(ids);
  frequencies = b.frequencies(config.rotary);
}

Value LongcatGraph::buildNorm(Value x, const std::string &name) {
  b.setScope(config.layer + name);
  return b.rmsNorm(x, config.layer + name, config.eps);
}

Value LongcatGraph::buildAttention(Value x, const std::string &half) {
  std::string keys = config.layer + "self_attn." + half + ".";
  Value mixed = latentAttention(b, x, keys, config.latent, [&](Value heads) {
    return b.rotary(heads, positions, frequencies, config.rotary);
  });
  return b.linear(b.mergeHeads(mixed), keys + "o_proj", config.hidden,
                  config.latent.bias);
}

Value LongcatGraph::buildLayer(const HybridLayer &, Value x) {
  Value shortcut;
  for (const std::string half : {"0", "1"}) {
    Value normed = buildNorm(x, "input_layernorm." + half);
    x = b.add(x, buildAttention(normed, half));
    normed = buildNorm(x, "post_attention_layernorm." + half);
    if (!shortcut)
      shortcut = buildMixture(b, normed, config.experts);
    x = b.add(x,
              hybridMLP(b, config, normed, config.inner, "mlps." + half + "."));
  }
  return b.add(x, shortcut);
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

static void readExperts(ConfigReader &reader, ModelBuilder &b,
                        LongcatConfig &config) {
  ExpertsSpec &experts = config.experts;
  RouterSpec &router = experts.router;
  std::string block = config.layer + "mlp.";
  readExpertCounts(reader, router, {"n_routed_experts", "num_local_experts"},
                   512, {"moe_topk", "num_experts_per_tok"}, 12);
  int64_t computed = router.experts;
  // Null means none, which is not the default.
  int64_t others = reader.isNull("zero_expert_num") ? 0 : 256;
  experts.identities =
      std::max<int64_t>(0, reader.getInt("zero_expert_num", others));
  router.experts += experts.identities;
  router.key = block + "router.classifier";
  router.bias = block + "router.e_score_correction_bias";
  router.weighting = RouteWeighting::Scores;
  router.scale = reader.getFloat("routed_scaling_factor", 6);
  experts.inner = reader.getSize("moe_intermediate_size", 2048);
  experts.activation = config.activation;
  experts.keys.prefix = block + "experts.";
  ignoreTrainingOfExperts(reader);
  // What transformers makes and does not use: the router's bias, and matrices
  // of experts that give back what they get.
  reader.ignore({"router_bias"});
  Checkpoint &checkpoint = b.getCheckpoint();
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    std::string mlp =
        config.model + "layers." + std::to_string(layer) + ".mlp.";
    checkpoint.markUsed(mlp + "router.classifier.bias");
    for (int64_t i = computed; i < router.experts; ++i)
      for (const char *name : {".gate_proj.weight", ".up_proj.weight"})
        checkpoint.markUsed(mlp + "experts." + std::to_string(i) + name);
  }
}

static ModelFacts buildLongcat(ModelBuilder &b, ConfigReader &reader,
                               const FamilyRequest &request) {
  // Twice the number of layers.
  reader.ignore({"num_hidden_layers"});
  reader.setSpellings(spellings);
  LongcatConfig config;
  config.vocabSize = 131072;
  config.hidden = 6144;
  config.layers = 28;
  config.length = 131072;
  config.eps = 1e-5;
  readHybridModel(reader, config);
  config.order.assign(config.layers, {TokenMixer::Attention});
  config.inner = reader.getSize("intermediate_size", 12288);
  LatentHeads &latent = config.latent;
  latent = {64, 128, 64, 128, 512, 1536, false, 1.0};
  readLatentHeads(reader, latent);
  if (!latent.queryRank) {
    reader.emitError("q_lora_rank")
        << "key 'q_lora_rank' is null, expected a positive number";
    latent.queryRank = 1;
  }
  double hidden = config.hidden;
  latent.scale *=
      readScoreFactor(reader) * std::sqrt(hidden / *latent.queryRank);
  latent.latentScale = std::sqrt(hidden / latent.rank);
  RotaryOptions options;
  options.headDim = latent.sharedDim;
  options.trainedLength = config.length;
  options.maxLength = request.maxLength.value_or(config.length);
  options.defaultBase = 10000000;
  config.rotary = readRotary(reader, b, options);
  config.rotary.layout = RotaryLayout::Interleaved;
  readExperts(reader, b, config);
  // What follows from other numbers, and what later heads say.
  reader.expect("attention_method", "MLA", "keys and values are latent");
  reader.expect("router_dtype", "float32", "routers compute in f32");
  reader.ignore({"head_dim", "mla_scale_kv_lora", "mla_scale_q_lora",
                 "nextn_use_scmoe", "num_nextn_predict_layers",
                 "zero_expert_type"});
  for (const TensorInfo &tensor : b.getCheckpoint().tensors())
    if (StringRef(tensor.name).starts_with("model.mtp"))
      b.getCheckpoint().markUsed(tensor.name);
  ModelFacts facts = buildHybridModel<LongcatGraph>(b, reader, request, config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

namespace weir {
void registerLongcatFlashFamily(FamilyTable &table) {
  table.add({"longcat_flash",
             "LongcatFlashForCausalLM",
             "LongcatFlashModel",
             "",
             {},
             buildLongcat});
}
} // namespace weir
