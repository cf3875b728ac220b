//===- Lfm2.cpp - The LFM2 families -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LFM2 (arXiv:2511.23404): layers of short convolutions between two gates, and
// layers of attention whose heads are normalised. In one of the two families,
// layers behind the first have experts chosen with a bias that does not weigh.
//
//===----------------------------------------------------------------------===//

#include "HeadAttention.h"
#include "HybridModel.h"
#include "StateSpaceLayers.h"

using namespace mlir;
using namespace weir;

namespace {

struct LfmConfig : HybridModel {
  int64_t inner, width;
  bool convBias;
  AttentionHeads heads;
  /// What keys of attention begin with.
  std::string attention;
  ExpertsSpec experts;
};

/// Builds the layers.
class LfmGraph {
public:
  LfmGraph(ModelBuilder &builder, const LfmConfig &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids) {
    rotary = buildRotaryValues(b, ids, config.heads.rotary);
  }
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  Value buildConv(Value x);
  Value buildFeedForward(FeedForward kind, Value x);

  ModelBuilder &b;
  const LfmConfig &config;
  RotaryValues rotary;
};

} // namespace

Value LfmGraph::buildConv(Value x) {
  bool isGGUF = b.getCheckpoint().format() == Checkpoint::Format::GGUF;
  std::string keys = config.layer + (isGGUF ? "shortconv." : "conv.");
  int64_t features = config.hidden;
  Value all = b.linear(x, keys + "in_proj", 3 * features, config.convBias);
  Value before = sliceFeatures(b, all, 0, features);
  Value after = sliceFeatures(b, all, features, features);
  Value value = sliceFeatures(b, all, 2 * features, features);
  Value mixed;
  if (isGGUF)
    mixed = shortConv(b, b.mul(before, value),
                      b.weight(keys + "conv.weight", {features, config.width}),
                      Value(), ConvActivation::None);
  else
    mixed = shortConv(b, b.mul(before, value), keys + "conv", config.width,
                      config.convBias, ConvActivation::None);
  return b.linear(b.mul(after, mixed), keys + "out_proj", features,
                  config.convBias);
}

Value LfmGraph::buildFeedForward(FeedForward kind, Value x) {
  if (kind == FeedForward::Experts)
    return buildMixture(b, x, config.experts);
  if (b.getCheckpoint().format() == Checkpoint::Format::GGUF)
    return hybridMLP(b, config, x, config.inner);
  std::string keys = config.layer + "feed_forward.";
  b.setScope(keys);
  return b.mlp(x, {keys + "w3", keys + "w2", keys + "w1"}, config.inner,
               "silu");
}

Value LfmGraph::buildLayer(const HybridLayer &kind, Value x) {
  return preNormLayer(
      b, config, x,
      [&](Value normed) {
        return kind.mixer == TokenMixer::Linear
                   ? buildConv(normed)
                   : headAttention(b, normed, config.attention, config.heads,
                                   rotary);
      },
      [&](Value normed) { return buildFeedForward(kind.feedForward, normed); });
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

/// Reads the list of layers' names; false where there is none.
static bool readLfmLayers(ConfigReader &reader, LfmConfig &config) {
  return readLayerNames(reader, config,
                        {{"conv", {TokenMixer::Linear}},
                         {"full_attention", {TokenMixer::Attention}}});
}

/// Reads what both families have. The numbers in `config` are the defaults.
static void readConfig(ConfigReader &reader, ModelBuilder &b,
                       const FamilyRequest &request, LfmConfig &config) {
  config.vocabSize = 65536;
  config.layers = 32;
  config.length = 128000;
  config.epsKey = "norm_eps";
  config.eps = 1e-5;
  // The first checkpoints' spellings go before the later ones.
  config.tied = reader.getBool("tie_word_embeddings", true);
  config.finalNorm = "embedding_norm";
  config.mixerNorm = "operator_norm";
  config.feedForwardNorm = "ffn_norm";
  readHybridModel(reader, config);
  // A GGUF file calls the norm behind the layers as if it were in front.
  if (b.getCheckpoint().lookup("token_embd_norm.weight"))
    config.finalNorm = "token_embd_norm";
  config.tied = reader.getBool("tie_embedding", config.tied);
  config.inner = reader.getSize("intermediate_size", config.inner);
  config.width = reader.getSize("conv_L_cache", 3);
  config.convBias = reader.getBool("conv_bias", false);
  AttentionHeads &heads = config.heads;
  heads.heads = 32;
  heads.kvHeads = 8;
  readAttentionHeads(reader, heads, config.hidden);
  bool isGGUF = reader.isGGUF();
  config.attention = config.layer + (isGGUF ? "" : "self_attn.");
  heads.output = isGGUF ? "attn_output" : "out_proj";
  heads.queryNorm = isGGUF ? "attn_q_norm" : "q_layernorm";
  heads.keyNorm = isGGUF ? "attn_k_norm" : "k_layernorm";
  heads.eps = config.eps;
  RotaryOptions rotary;
  rotary.trainedLength = config.length;
  rotary.defaultBase = 1000000.0;
  readHeadRotary(reader, b, request, heads, rotary);
  // What other programs say of sizes that are given by other keys, and of how
  // weights are drawn.
  reader.ignore({"block_dim", "block_mlp_init_scale", "block_norm_eps",
                 "block_out_init_scale", "block_use_swiglu",
                 "block_use_xavier_init", "conv_dim", "conv_dim_out",
                 "conv_use_xavier_init", "num_heads", "theta", "use_pos_enc"});
}

static ModelFacts buildModel(ModelBuilder &b, ConfigReader &reader,
                             const FamilyRequest &request,
                             const LfmConfig &config) {
  ModelFacts facts = buildHybridModel<LfmGraph>(b, reader, request, config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

static ModelFacts buildLfm2(ModelBuilder &b, ConfigReader &reader,
                            const FamilyRequest &request) {
  LfmConfig config;
  config.hidden = 2560;
  config.inner = 12288;
  readConfig(reader, b, request, config);
  if (reader.isGGUF())
    return buildModel(b, reader, request, config);
  config.inner = reader.getSize("block_ff_dim", config.inner);
  // The size of perceptrons is two thirds of what is said, times a factor,
  // rounded up.
  int64_t multiple = reader.getSize("block_multiple_of", 256);
  double factor = reader.getFloat("block_ffn_dim_multiplier", 1);
  if (reader.getBool("block_auto_adjust_ff_dim", true)) {
    config.inner = 2 * config.inner / 3;
    // Null leaves the size as it is.
    if (!reader.isNull("block_ffn_dim_multiplier")) {
      config.inner =
          static_cast<int64_t>(factor * static_cast<double>(config.inner));
      config.inner = (config.inner + multiple - 1) / multiple * multiple;
    }
  }
  // All layers are attention where nothing is said.
  if (!readLfmLayers(reader, config) &&
      !readAttentionLayers(reader, config, "full_attn_idxs"))
    config.order.assign(config.layers, {TokenMixer::Attention});
  reader.ignore({"full_attn_idxs"});
  return buildModel(b, reader, request, config);
}

static ModelFacts buildLfm2Moe(ModelBuilder &b, ConfigReader &reader,
                               const FamilyRequest &request) {
  LfmConfig config;
  config.hidden = 2048;
  config.inner = 7168;
  readConfig(reader, b, request, config);
  if (!reader.isGGUF() && !readLfmLayers(reader, config))
    reader.emitError("layer_types")
        << "key 'layer_types' is missing, expected a list of names";
  ExpertsSpec &experts = config.experts;
  std::string block = config.layer + "feed_forward.";
  experts = readQwenExperts(reader, block, {32, 4, 1792, /*normalized=*/true});
  RouterSpec &router = experts.router;
  router.score = RouteScore::Sigmoid;
  if (router.weighting == RouteWeighting::Normalized)
    router.eps = 1e-6;
  router.scale = reader.getFloat("routed_scaling_factor", 1);
  if (reader.getBool("use_expert_bias", true))
    router.bias = block + "expert_bias";
  experts.keys.gate = "w1";
  experts.keys.up = "w3";
  experts.keys.down = "w2";
  if (reader.isGGUF()) {
    setGGUFExperts(reader, config.layer, experts);
    return buildModel(b, reader, request, config);
  }
  int64_t dense = reader.getInt("num_dense_layers", 2);
  chooseFeedForwards(config, [&](int64_t layer) { return layer >= dense; });
  return buildModel(b, reader, request, config);
}

namespace weir {
void registerLfm2Family(FamilyTable &table) {
  table.add({"lfm2", "Lfm2ForCausalLM", "Lfm2Model", "lfm2", {}, buildLfm2});
}

void registerLfm2MoeFamily(FamilyTable &table) {
  table.add({"lfm2_moe",
             "Lfm2MoeForCausalLM",
             "Lfm2MoeModel",
             "lfm2moe",
             {},
             buildLfm2Moe});
}
} // namespace weir
