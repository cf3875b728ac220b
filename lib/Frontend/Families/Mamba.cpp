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
#include "StateSpaceMixers.h"

using namespace mlir;
using namespace weir;

namespace {

struct MambaConfig {
  MixerModel model;
  MambaSpec mixer;
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

static void readGGUF(ConfigReader &reader, MambaConfig &config) {
  const Checkpoint &checkpoint = reader.getCheckpoint();
  setMambaKeysOfGGUF(checkpoint, config.model);
  MambaSpec &mixer = config.mixer;
  setMambaMixerKeysOfGGUF(mixer);
  // The table is the authority, and the lengths say nothing of a recurrence.
  reader.ignore({"vocab_size", "max_position_embeddings", "feed_forward_length",
                 "head_count", "group_count"});
  mixer.inner = reader.getSize("intermediate_size", 1);
  mixer.bias = checkpoint.lookup("blk.0.ssm_in.bias");
  mixer.convBias = checkpoint.lookup("blk.0.ssm_conv1d.bias");
  // One epsilon serves all norms.
  if (reader.getBool("inner_norms", false))
    mixer.innerEps = config.model.eps;
}

static void readHuggingFace(ConfigReader &reader, MambaConfig &config,
                            bool innerNorms) {
  MambaSpec &mixer = config.mixer;
  setMambaMixerKeys(mixer, setMambaKeys(reader.getCheckpoint(), config.model));
  config.model.vocabSize = reader.getSize("vocab_size", 50280);
  config.model.tied = reader.getBool("tie_word_embeddings", true);
  double expand = reader.getFloat("expand", 2);
  // A size that is given goes before the factor, as in transformers.
  config.mixer.inner = reader.getSize(
      "intermediate_size",
      static_cast<int64_t>(expand * static_cast<double>(config.model.hidden)));
  config.mixer.bias = reader.getBool("use_bias", false);
  config.mixer.convBias = reader.getBool("use_conv_bias", true);
  config.mixer.activation = reader.getString("hidden_act", "silu");
  if (innerNorms)
    config.mixer.innerEps = readEpsilon(reader, "mixer_rms_eps", 1e-6);
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
  config.model.hidden = config.mixer.hidden =
      reader.getSize("hidden_size", 768);
  config.model.layers = readLayers(reader, "num_hidden_layers", 32);
  config.model.eps = readEpsilon(reader, "layer_norm_epsilon", 1e-5);
  config.mixer.state = reader.getSize("state_size", 16);
  config.mixer.width = reader.getSize("conv_kernel", 4);
  config.mixer.rank =
      readStepRank(reader, "time_step_rank", config.model.hidden);
  if (reader.isGGUF())
    readGGUF(reader, config);
  else
    readHuggingFace(reader, config, innerNorms);
  return config;
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
                    [&](Value x) { return mambaMixer(b, config.mixer, x); });
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

namespace weir {
void registerMambaFamily(FamilyTable &table) {
  table.add(
      {"mamba", "MambaForCausalLM", "MambaModel", "mamba", {}, buildMamba});
}

void registerFalconMambaFamily(FamilyTable &table) {
  table.add({"falcon_mamba",
             "FalconMambaForCausalLM",
             "FalconMambaModel",
             "",
             {},
             buildFalconMamba});
}
} // namespace weir
