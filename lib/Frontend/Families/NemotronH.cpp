//===- NemotronH.cpp - The Nemotron-H family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Nemotron-H (arXiv:2504.03624): layers of one part each, which is Mamba-2,
// attention without positions, a perceptron without a gate, or a mixture of
// such, which may work on fewer features than the model has.
//
//===----------------------------------------------------------------------===//

#include "HeadAttention.h"
#include "HybridModel.h"
#include "SparseDecoder.h"
#include "StateSpaceMixers.h"

using namespace mlir;
using namespace weir;

namespace {

struct NemotronConfig : HybridModel {
  int64_t inner;
  AttentionHeads heads;
  Mamba2Spec mixer;
  ExpertsSpec experts;
  /// Features that experts work on, where these are not the model's.
  std::optional<int64_t> latent;
  bool mlpBias = false;
};

/// Builds the layers.
class NemotronGraph {
public:
  NemotronGraph(ModelBuilder &builder, const NemotronConfig &config)
      : b(builder), config(config), mixer(config.layer + "mixer.") {}

  /// Layers share nothing.
  void begin(Value) {}
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  Value buildPart(const HybridLayer &kind, Value x);
  Value buildPerceptron(const std::string &prefix, int64_t inner, Value x);
  Value buildExpertsPart(Value x);

  ModelBuilder &b;
  const NemotronConfig &config;
  /// What keys of a layer's part begin with.
  std::string mixer;
};

} // namespace

Value NemotronGraph::buildPerceptron(const std::string &prefix, int64_t inner,
                                     Value x) {
  return b.mlp(x, {prefix + "up_proj", prefix + "down_proj", ""}, inner,
               config.activation, config.mlpBias);
}

Value NemotronGraph::buildExpertsPart(Value x) {
  const ExpertsSpec &spec = config.experts;
  Routing routing = buildRouting(b, x, spec.router);
  Value input = x;
  if (config.latent)
    input =
        b.linear(x, mixer + "fc1_latent_proj", *config.latent, config.mlpBias);
  Value mixed = buildExperts(b, input, routing, spec);
  if (config.latent)
    mixed = b.linear(mixed, mixer + "fc2_latent_proj", config.hidden,
                     config.mlpBias);
  return b.add(mixed,
               buildPerceptron(mixer + "shared_experts.", spec.sharedInner, x));
}

Value NemotronGraph::buildPart(const HybridLayer &kind, Value x) {
  if (kind.mixer == TokenMixer::Linear)
    return mamba2Mixer(b, config.mixer, x);
  if (kind.mixer == TokenMixer::Attention)
    return headAttention(b, x, mixer, config.heads, {});
  if (kind.feedForward == FeedForward::Experts)
    return buildExpertsPart(x);
  return buildPerceptron(mixer, config.inner, x);
}

Value NemotronGraph::buildLayer(const HybridLayer &kind, Value x) {
  std::string norm = config.layer + "norm";
  b.setScope(norm);
  return b.add(x, buildPart(kind, b.rmsNorm(x, norm, config.eps)));
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

/// Layers of one part.
static constexpr HybridLayer linear = {TokenMixer::Linear, FeedForward::None};
static constexpr HybridLayer attention = {TokenMixer::Attention,
                                          FeedForward::None};
static constexpr HybridLayer dense = {TokenMixer::None, FeedForward::Dense};
static constexpr HybridLayer sparse = {TokenMixer::None, FeedForward::Experts};

/// Reads what layers are: a list of names, or, as it was first, a text with a
/// letter for each. Their number follows, whatever is said about it.
static void readLayers(ConfigReader &reader, NemotronConfig &config) {
  for (StringRef key : {"layer_types", "layers_block_type"}) {
    const llvm::json::Value *value = reader.get(key);
    const llvm::json::Array *list = value ? value->getAsArray() : nullptr;
    if (!list)
      continue;
    config.layers = static_cast<int64_t>(list->size());
    readLayerNames(reader, config,
                   {{"linear_attention", linear},
                    {"mamba", linear},
                    {"full_attention", attention},
                    {"attention", attention},
                    {"moe", sparse},
                    {"mlp", dense}});
    reader.ignore({"hybrid_override_pattern"});
    return;
  }
  if (!reader.has("hybrid_override_pattern")) {
    config.order = {linear, sparse, attention, dense};
    return;
  }
  for (char letter : reader.getString("hybrid_override_pattern", ""))
    switch (letter) {
    case 'M':
      config.order.push_back(linear);
      break;
    case '*':
      config.order.push_back(attention);
      break;
    case 'E':
      config.order.push_back(sparse);
      break;
    case '-':
      config.order.push_back(dense);
      break;
    default:
      reader.emitError("hybrid_override_pattern")
          << "key 'hybrid_override_pattern' has the letter '"
          << StringRef(&letter, 1) << "', expected M, *, E or -";
      return;
    }
}

static void readMixer(ConfigReader &reader, NemotronConfig &config) {
  Mamba2Spec &mixer = config.mixer;
  setMamba2MixerKeys(mixer, config.layer + "mixer.");
  mixer.hidden = config.hidden;
  mixer.eps = config.eps;
  mixer.heads = reader.getSize("mamba_num_heads", 128);
  int64_t dim = reader.getSize("mamba_head_dim", 64);
  mixer.inner = mixer.heads * dim;
  mixer.state = reader.getSize("ssm_state_size", 128);
  // The first checkpoints' spellings go before the later ones.
  mixer.groups =
      reader.getSize("mamba_n_groups", reader.getSize("n_groups", 8));
  mixer.width =
      reader.getSize("mamba_d_conv", reader.getSize("conv_kernel", 4));
  mixer.convBias =
      reader.getBool("mamba_conv_bias", reader.getBool("use_conv_bias", true));
  mixer.stepMin =
      reader.getFloat("mamba_dt_min", reader.getFloat("time_step_min", 0.001));
  mixer.bias = mixer.outputBias = reader.getBool("use_bias", false);
  mixer.activation = reader.getString("mamba_hidden_act", "silu");
  checkMamba2Heads(reader, mixer, dim, "mamba_num_heads", "n_groups");
  // How weights are drawn, how sequences are cut, and limits of steps that
  // transformers does not look at.
  reader.ignore({"chunk_size", "expand", "mamba_chunk_size",
                 "mamba_dt_init_floor", "mamba_dt_limit", "mamba_dt_max",
                 "mamba_expand", "mamba_proj_bias", "mamba_ssm_cache_dtype",
                 "rescale_prenorm_residual", "residual_in_fp32",
                 "time_step_floor", "time_step_limit", "time_step_max",
                 "time_step_rank", "use_mamba_kernels"});
}

static void readExperts(ConfigReader &reader, ModelBuilder &b,
                        NemotronConfig &config) {
  // Without experts, what is said about them has no effect.
  reader.ignore({"moe_latent_size", "moe_shared_expert_intermediate_size",
                 "moe_shared_expert_overlap"});
  if (!llvm::is_contained(config.order, sparse)) {
    ignoreDeepseekExperts(reader);
    return;
  }
  ExpertsSpec &experts = config.experts;
  experts =
      readDeepseekExperts(reader, b, config.layer + "mixer.", {8, 2, 7688});
  experts.gated = false;
  experts.activation = config.activation;
  experts.sharedInner =
      reader.getSize("moe_shared_expert_intermediate_size", 7688);
  if (reader.has("moe_latent_size"))
    config.latent = reader.getSize("moe_latent_size", 1);
}

static ModelFacts buildNemotronH(ModelBuilder &b, ConfigReader &reader,
                                 const FamilyRequest &request) {
  NemotronConfig config;
  config.vocabSize = 131072;
  config.hidden = 4096;
  config.length = 4096;
  config.epsKey = "layer_norm_epsilon";
  config.eps = 1e-5;
  config.embed = "embeddings";
  config.finalNorm = "norm_f";
  readLayers(reader, config);
  auto layers = static_cast<int64_t>(config.order.size());
  config.layers = layers;
  readHybridModel(reader, config);
  config.layers = layers;
  config.inner = reader.getSize("intermediate_size", 21504);
  config.activation = reader.getString("mlp_hidden_act", "relu2");
  config.mlpBias = reader.getBool("mlp_bias", false);
  config.heads.heads = 32;
  config.heads.kvHeads = 8;
  readAttentionHeads(reader, config.heads, config.hidden);
  config.heads.dim = reader.getSize("head_dim", 128);
  config.heads.setUsualScale();
  readMixer(reader, config);
  readExperts(reader, b, config);
  // Attention has neither biases nor positions nor windows, whatever is said;
  // heads that predict more than the next token are no part of the model.
  reader.ignore({"attention_bias", "hidden_act", "mtp_hybrid_override_pattern",
                 "mtp_layers_block_type", "norm_eps", "num_logits_to_keep",
                 "partial_rotary_factor", "rms_norm_eps", "rope_theta",
                 "sliding_window"});
  markLaterHeads(b.getCheckpoint(), config, "mtp.");
  ModelFacts facts =
      buildHybridModel<NemotronGraph>(b, reader, request, config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

namespace weir {
void registerNemotronHFamily(FamilyTable &table) {
  table.add({"nemotron_h",
             "NemotronHForCausalLM",
             "NemotronHModel",
             "",
             {},
             buildNemotronH});
}
} // namespace weir
