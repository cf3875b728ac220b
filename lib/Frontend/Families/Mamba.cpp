//===- Mamba.cpp - The Mamba and Falcon Mamba families -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Selective state spaces (arXiv:2312.00752): a convolution, a scan whose step
// sizes, inputs and outputs are projections of its input, and a gate. Falcon
// Mamba (arXiv:2410.05355) normalises these three, without weights. GGUF files
// of both have one architecture, and -exp(A_log) in place of A_log.
//
//===----------------------------------------------------------------------===//

#include "StateSpaceLayers.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

/// Keys of a mixer, without ".weight" but for those that have none.
struct MixerKeys {
  std::string input, conv, selection, step, rate, skip, output;
};

struct MambaConfig {
  MixerModel model;
  MixerKeys keys;
  int64_t inner, state, rank, width;
  bool bias, convBias;
  std::string activation = "silu";
  /// The epsilon of the norms of step, input and output, or none.
  std::optional<double> innerEps;
  /// Whether rates are stored as they are, not as logarithms.
  bool plainRates;
};

} // namespace

/// GGUF's names of the keys below.
static constexpr ConfigAlias ggufAliases[] = {
    {"hidden_size", "embedding_length"},
    {"num_hidden_layers", "block_count"},
    {"layer_norm_epsilon", "attention.layer_norm_rms_epsilon"},
    {"conv_kernel", "ssm.conv_kernel"},
    {"intermediate_size", "ssm.inner_size"},
    {"state_size", "ssm.state_size"},
    {"time_step_rank", "ssm.time_step_rank"},
    {"inner_norms", "ssm.dt_b_c_rms"},
    {"group_count", "ssm.group_count"},
    {"max_position_embeddings", "context_length"},
    {"feed_forward_length", "feed_forward_length"},
    {"head_count", "attention.head_count"},
    {"vocab_size", "vocab_size"},
};

/// The step's rank, which is a sixteenth of the hidden size when it is "auto".
static int64_t readRank(ConfigReader &reader, int64_t hidden) {
  const llvm::json::Value *value = reader.get("time_step_rank");
  if (!value && !reader.isGGUF())
    return (hidden + 15) / 16;
  if (value && value->getAsString() == StringRef("auto"))
    return (hidden + 15) / 16;
  return reader.getSize("time_step_rank", 1);
}

static void readGGUF(ConfigReader &reader, MambaConfig &config) {
  const Checkpoint &checkpoint = reader.getCheckpoint();
  setMambaKeysOfGGUF(checkpoint, config.model);
  config.keys = {"blk.*.ssm_in", "blk.*.ssm_conv1d", "blk.*.ssm_x",
                 "blk.*.ssm_dt", "blk.*.ssm_a",      "blk.*.ssm_d",
                 "blk.*.ssm_out"};
  // The table is the authority, and the lengths say nothing of a recurrence.
  reader.ignore({"vocab_size", "max_position_embeddings", "feed_forward_length",
                 "head_count", "group_count"});
  config.inner = reader.getSize("intermediate_size", 1);
  config.bias = checkpoint.lookup("blk.0.ssm_in.bias");
  config.convBias = checkpoint.lookup("blk.0.ssm_conv1d.bias");
  config.plainRates = true;
  // One epsilon serves all norms.
  if (reader.getBool("inner_norms", false))
    config.innerEps = config.model.eps;
}

static void readHuggingFace(ConfigReader &reader, MambaConfig &config,
                            bool innerNorms) {
  std::string mixer = setMambaKeys(reader.getCheckpoint(), config.model);
  config.keys = {mixer + "in_proj", mixer + "conv1d", mixer + "x_proj",
                 mixer + "dt_proj", mixer + "A_log",  mixer + "D",
                 mixer + "out_proj"};
  config.model.vocabSize = reader.getSize("vocab_size", 50280);
  config.model.tied = reader.getBool("tie_word_embeddings", true);
  double expand = reader.getFloat("expand", 2);
  // A size that is given goes before the factor, as in transformers.
  config.inner = reader.getSize(
      "intermediate_size",
      static_cast<int64_t>(expand * static_cast<double>(config.model.hidden)));
  config.bias = reader.getBool("use_bias", false);
  config.convBias = reader.getBool("use_conv_bias", true);
  config.activation = reader.getString("hidden_act", "silu");
  config.plainRates = false;
  if (innerNorms)
    config.innerEps = readEpsilon(reader, "mixer_rms_eps", 1e-6);
  // How weights are initialised, how scans are done in training, and names of
  // the first implementation, which transformers disregards.
  reader.ignore({"rescale_prenorm_residual", "residual_in_fp32",
                 "time_step_floor", "time_step_init_scheme", "time_step_max",
                 "time_step_min", "time_step_scale", "use_associative_scan",
                 "use_mambapy", "use_falcon_mambapy", "d_inner", "d_model",
                 "n_layer", "fused_add_norm", "pad_vocab_size_multiple",
                 "rms_norm", "ssm_cfg"});
}

static MambaConfig readConfig(ConfigReader &reader, bool innerNorms) {
  if (reader.isGGUF())
    reader.setAliases("mamba", ggufAliases);
  MambaConfig config;
  config.model.hidden = reader.getSize("hidden_size", 768);
  config.model.layers = readLayers(reader, "num_hidden_layers", 32);
  config.model.eps = readEpsilon(reader, "layer_norm_epsilon", 1e-5);
  config.state = reader.getSize("state_size", 16);
  config.width = reader.getSize("conv_kernel", 4);
  config.rank = readRank(reader, config.model.hidden);
  if (reader.isGGUF())
    readGGUF(reader, config);
  else
    readHuggingFace(reader, config, innerNorms);
  return config;
}

static Value buildMixer(ModelBuilder &b, const MambaConfig &config, Value x) {
  const MixerKeys &keys = config.keys;
  int64_t inner = config.inner, rank = config.rank, state = config.state;
  auto normed = [&](Value value) {
    return config.innerEps ? rmsNorm(b, value, Value(), *config.innerEps)
                           : value;
  };
  b.setScope(keys.input);
  Value both = b.linear(x, keys.input, 2 * inner, config.bias);
  Value gate = sliceFeatures(b, both, inner, inner);
  b.setScope(keys.conv);
  Value weight = convKernel(b, keys.conv + ".weight", inner, config.width,
                            /*flat=*/config.plainRates);
  Value bias =
      config.convBias ? b.weight(keys.conv + ".bias", {inner}) : Value();
  Value u = activatedConv(b, sliceFeatures(b, both, 0, inner), weight, bias,
                          config.activation);
  b.setScope(keys.selection);
  Value selected = b.linear(u, keys.selection, rank + 2 * state);
  Value step = normed(sliceFeatures(b, selected, 0, rank));
  Value input = normed(sliceFeatures(b, selected, rank, state));
  Value output = normed(sliceFeatures(b, selected, rank + state, state));
  b.setScope(keys.step);
  step = softplus(b, b.linear(step, keys.step, inner, /*bias=*/true));
  b.setScope(keys.rate);
  Value rate = b.weight(keys.rate, {inner, state});
  if (!config.plainRates)
    rate = negativeExp(b, rate);
  Value y = selectiveScan(b, u, step, rate, input, output);
  y = b.add(y, b.mul(u, b.weight(keys.skip, {inner})));
  b.setScope(keys.output);
  return b.linear(b.mul(y, b.activation(gate, "silu")), keys.output,
                  config.model.hidden, config.bias);
}

static ModelFacts buildAny(ModelBuilder &b, ConfigReader &reader,
                           const FamilyRequest &request, bool innerNorms) {
  MambaConfig config = readConfig(reader, innerNorms);
  ModelFacts facts;
  facts.vocabSize = config.model.vocabSize;
  facts.maxLength = ModelFacts::unlimited;
  facts.bos = facts.eos = 0;
  reader.finish();
  if (!reader.hasFailed())
    buildMixerModel(b, request, config.model,
                    [&](Value x) { return buildMixer(b, config, x); });
  return facts;
}

static ModelFacts buildMamba(ModelBuilder &b, ConfigReader &reader,
                             const FamilyRequest &request) {
  return buildAny(b, reader, request, /*innerNorms=*/false);
}

static ModelFacts buildFalconMamba(ModelBuilder &b, ConfigReader &reader,
                                   const FamilyRequest &request) {
  return buildAny(b, reader, request, /*innerNorms=*/true);
}

void weir::registerMambaFamily(FamilyTable &table) {
  table.add(
      {"mamba", "MambaForCausalLM", "MambaModel", "mamba", {}, buildMamba});
}

void weir::registerFalconMambaFamily(FamilyTable &table) {
  table.add({"falcon_mamba",
             "FalconMambaForCausalLM",
             "FalconMambaModel",
             "",
             {},
             buildFalconMamba});
}
