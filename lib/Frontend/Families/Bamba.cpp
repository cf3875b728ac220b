//===- Bamba.cpp - The Bamba and Granite hybrid families -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layers of Mamba-2 and layers of attention. Bamba rotates half of each head;
// Granite's hybrids, with or without rotation, have experts beside a perceptron
// for all tokens, or the latter alone, and factors of embeddings, scores,
// residuals and logits.
//
//===----------------------------------------------------------------------===//

#include "HeadAttention.h"
#include "HybridModel.h"
#include "StateSpaceMixers.h"

using namespace mlir;
using namespace weir;

namespace {

struct BambaConfig : HybridModel {
  int64_t inner;
  AttentionHeads heads;
  /// What keys of attention begin with.
  std::string attention;
  Mamba2Spec mixer;
  bool mlpBias = false;
  /// Granite's mixtures, whose expert for all tokens stands alone in layers
  /// that are dense.
  std::optional<ExpertsSpec> experts;
};

/// Builds the layers.
class BambaGraph {
public:
  BambaGraph(ModelBuilder &builder, const BambaConfig &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids) {
    rotary = buildRotaryValues(b, ids, config.heads.rotary);
  }
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  /// What follows the mixer of a layer.
  Value buildFeedForward(FeedForward kind, Value x);

  ModelBuilder &b;
  const BambaConfig &config;
  RotaryValues rotary;
};

} // namespace

Value BambaGraph::buildFeedForward(FeedForward kind, Value x) {
  if (!config.experts)
    return hybridMLP(b, config, x, config.inner, "feed_forward.",
                     config.mlpBias);
  const ExpertsSpec &experts = *config.experts;
  if (kind == FeedForward::Experts)
    return buildMixture(b, x, experts);
  return fusedMLP(b, x, experts.sharedGateUp, experts.shared.down,
                  experts.sharedInner, experts.activation);
}

Value BambaGraph::buildLayer(const HybridLayer &kind, Value x) {
  return preNormLayer(
      b, config, x,
      [&](Value normed) {
        return kind.mixer == TokenMixer::Linear
                   ? mamba2Mixer(b, config.mixer, normed)
                   : headAttention(b, normed, config.attention, config.heads,
                                   rotary);
      },
      [&](Value normed) { return buildFeedForward(kind.feedForward, normed); });
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

/// Reads what both families have. The numbers in `config` are the defaults.
static void readConfig(ConfigReader &reader, BambaConfig &config) {
  readHybridModel(reader, config);
  config.inner = reader.getSize("intermediate_size", config.inner);
  readAttentionHeads(reader, config.heads, config.hidden);
  config.attention = config.layer + "self_attn.";
  config.heads.bias = config.heads.outputBias =
      reader.getBool("attention_bias", false);
  Mamba2Spec &mixer = config.mixer;
  mixer.hidden = config.hidden;
  mixer.eps = config.eps;
  mixer.activation = config.activation;
  mixer.inner = static_cast<int64_t>(reader.getFloat("mamba_expand", 2) *
                                     static_cast<double>(config.hidden));
  mixer.heads = 128;
  mixer.state = 256;
  readHybridMamba2(reader, mixer, config.layer + "mamba.");
}

static ModelFacts buildModel(ModelBuilder &b, ConfigReader &reader,
                             const FamilyRequest &request,
                             const BambaConfig &config) {
  ModelFacts facts = buildHybridModel<BambaGraph>(b, reader, request, config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

static ModelFacts buildBamba(ModelBuilder &b, ConfigReader &reader,
                             const FamilyRequest &request) {
  BambaConfig config;
  config.vocabSize = 128000;
  config.hidden = 4096;
  config.inner = 14336;
  config.layers = 32;
  config.length = 262144;
  config.eps = 1e-5;
  config.heads.heads = 32;
  config.heads.kvHeads = 8;
  config.finalNorm = "final_layernorm";
  config.feedForwardNorm = "pre_ff_layernorm";
  readConfig(reader, config);
  config.order.assign(config.layers, {TokenMixer::Linear});
  readAttentionLayers(reader, config, "attn_layer_indices");
  config.mlpBias = reader.getBool("mlp_bias", false);
  // The library writes this part in place of any other.
  reader.expect("partial_rotary_factor", 0.5, "half of each head is rotated");
  RotaryOptions rotary;
  rotary.trainedLength = config.length;
  rotary.allowsPartial = true;
  rotary.defaultPart = 0.5;
  readHeadRotary(reader, b, request, config.heads, rotary);
  // What matters in training, and for how many positions logits are wanted.
  reader.ignore({"num_logits_to_keep", "z_loss_coefficient"});
  return buildModel(b, reader, request, config);
}

/// Reads what follows mixers in Granite's hybrids.
static void readGranite(ConfigReader &reader, BambaConfig &config) {
  ExpertsSpec &experts = config.experts.emplace();
  bool hasExperts = reader.getInt("num_local_experts", 8) > 0;
  if (hasExperts)
    experts = readGraniteExperts(reader, config.layer, config.inner,
                                 config.activation);
  // Without experts, what is said about them has no effect.
  reader.ignore({"num_experts_per_tok"});
  ignoreTrainingOfExperts(reader);
  std::string shared = config.layer + "shared_mlp.";
  experts.activation = config.activation;
  experts.sharedInner = reader.getSize("shared_intermediate_size", 1024);
  experts.sharedGateUp = shared + "input_linear";
  experts.shared.down = shared + "output_linear";
  chooseFeedForwards(config, [&](int64_t) { return hasExperts; });
}

/// The factors that scores, embeddings, residuals and logits are scaled by.
static void readFactors(ConfigReader &reader, BambaConfig &config) {
  if (!reader.isGGUF() || reader.has("attention_multiplier"))
    config.heads.scale = reader.getFloat("attention_multiplier", 1);
  config.embeddingScale = reader.getFloat("embedding_multiplier", 1);
  config.residualScale = reader.getFloat("residual_multiplier", 1);
  config.logitScale = 1 / reader.getFloat("logits_scaling", 1);
}

/// Reads the mixers of a GGUF file, whose tensors tell which biases there are.
static void readGGUFMixers(ConfigReader &reader, BambaConfig &config) {
  const Checkpoint &checkpoint = reader.getCheckpoint();
  auto hasBias = [&](const std::string &key) {
    return hasLayerTensor(checkpoint, key + ".bias");
  };
  config.attention = config.layer;
  config.heads.output = "attn_output";
  config.heads.bias = hasBias(config.layer + "attn_q");
  config.heads.outputBias = hasBias(config.layer + "attn_output");
  Mamba2Spec &mixer = config.mixer;
  setMamba2MixerKeysOfGGUF(mixer);
  mixer.hidden = config.hidden;
  mixer.eps = config.eps;
  mixer.inner = reader.getSize("ssm_inner", 1);
  mixer.heads = reader.getSize("ssm_heads", 1);
  mixer.groups = reader.getSize("ssm_groups", 1);
  mixer.state = reader.getSize("ssm_state", 1);
  mixer.width = reader.getSize("ssm_width", 1);
  mixer.convBias = hasBias(mixer.conv);
  mixer.bias = hasBias(mixer.input);
  mixer.outputBias = hasBias(mixer.output);
  checkMamba2Heads(reader, mixer,
                   std::max<int64_t>(mixer.inner / mixer.heads, 1), "ssm_heads",
                   "ssm_groups");
}

/// The model of a GGUF file.
static ModelFacts buildGGUF(ModelBuilder &b, ConfigReader &reader,
                            const FamilyRequest &request) {
  BambaConfig config;
  readHybridModel(reader, config);
  readAttentionHeads(reader, config.heads, config.hidden);
  readGGUFMixers(reader, config);
  config.inner = reader.getSize("intermediate_size", 1);
  readFactors(reader, config);
  if (reader.getBool("rope_finetuned", true)) {
    RotaryOptions rotary;
    rotary.trainedLength = config.length;
    readHeadRotary(reader, b, request, config.heads, rotary);
    config.heads.rotary->layout = RotaryLayout::Interleaved;
    // The converter permutes whole heads, so that parts are none.
    reader.expect("rope_dims", config.heads.dim, "whole heads are rotated");
  } else {
    reader.ignore({"rope_dims", "rope_theta", "rope_type"});
  }
  if (llvm::any_of(config.order, [](const HybridLayer &layer) {
        return layer.feedForward == FeedForward::Experts;
      })) {
    ExpertsSpec &experts = config.experts.emplace();
    readExpertCounts(reader, experts.router, 8, 2);
    experts.router.score = RouteScore::Raw;
    experts.router.weighting = RouteWeighting::Softmax;
    experts.inner = config.inner;
    setGGUFExperts(reader, config.layer, experts);
  } else {
    // The perceptron is the expert for all tokens, and its size that one's.
    if (const TensorInfo *up = b.getCheckpoint().lookup("blk.0.ffn_up.weight");
        up && !up->shape.empty())
      config.inner = up->shape[0];
    reader.expect("num_experts", 0, "no layer has a router");
    reader.ignore({"num_experts_per_tok", "shared_intermediate_size"});
  }
  return buildModel(b, reader, request, config);
}

static ModelFacts buildGraniteHybrid(ModelBuilder &b, ConfigReader &reader,
                                     const FamilyRequest &request) {
  if (reader.isGGUF())
    return buildGGUF(b, reader, request);
  BambaConfig config;
  config.vocabSize = 32000;
  config.hidden = 4096;
  config.inner = 11008;
  config.layers = 32;
  config.length = 2048;
  config.heads.heads = 32;
  // As many as query heads, if nothing is said.
  config.heads.kvHeads = reader.getSize("num_attention_heads", 32);
  readConfig(reader, config);
  if (!readLayerNames(reader, config,
                      {{"linear_attention", {TokenMixer::Linear}},
                       {"mamba", {TokenMixer::Linear}},
                       {"full_attention", {TokenMixer::Attention}},
                       {"attention", {TokenMixer::Attention}}}))
    config.order.assign(config.layers, {TokenMixer::Linear});
  readGranite(reader, config);
  readFactors(reader, config);
  if (reader.getString("position_embedding_type", "nope") == "rope") {
    RotaryOptions rotary;
    rotary.trainedLength = config.length;
    readHeadRotary(reader, b, request, config.heads, rotary);
  }
  // A rotation that may not be wanted, and how weights are drawn.
  reader.ignore({"init_method", "normalization_function", "rope_parameters",
                 "rope_scaling", "rope_theta"});
  return buildModel(b, reader, request, config);
}

namespace weir {
void registerBambaFamily(FamilyTable &table) {
  table.add({"bamba", "BambaForCausalLM", "BambaModel", "", {}, buildBamba});
}

void registerGraniteMoeHybridFamily(FamilyTable &table) {
  table.add({"granitemoehybrid",
             "GraniteMoeHybridForCausalLM",
             "GraniteMoeHybridModel",
             "granitehybrid",
             {},
             buildGraniteHybrid});
}
} // namespace weir
