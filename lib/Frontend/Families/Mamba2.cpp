//===- Mamba2.cpp - The Mamba-2 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Structured state spaces (arXiv:2405.21060): linear attention whose heads
// decay by a factor each, keys and queries shared by groups of heads, all of
// them out of one convolution. GGUF files have -exp(A_log) in place of A_log.
//
//===----------------------------------------------------------------------===//

#include "StateSpaceLayers.h"
#include "StateSpaceMixers.h"

using namespace mlir;
using namespace weir;

namespace {

struct Mamba2Config {
  MixerModel model;
  Mamba2Spec mixer;
  int64_t headDim = 1;
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
    {"num_heads", "ssm.time_step_rank"},
    {"n_groups", "ssm.group_count"},
    {"max_position_embeddings", "context_length"},
    {"feed_forward_length", "feed_forward_length"},
    {"head_count", "attention.head_count"},
    {"vocab_size", "vocab_size"},
};

static void readGGUF(ConfigReader &reader, Mamba2Config &config) {
  const Checkpoint &checkpoint = reader.getCheckpoint();
  setMambaKeysOfGGUF(checkpoint, config.model);
  Mamba2Spec &mixer = config.mixer;
  setMamba2MixerKeysOfGGUF(mixer);
  // The table is the authority, and the lengths say nothing of a recurrence.
  reader.ignore({"vocab_size", "max_position_embeddings", "feed_forward_length",
                 "head_count"});
  mixer.inner = reader.getSize("intermediate_size", 1);
  mixer.heads = reader.getSize("num_heads", 1);
  mixer.groups = reader.getSize("n_groups", 1);
  config.headDim = std::max<int64_t>(mixer.inner / mixer.heads, 1);
  mixer.bias = mixer.outputBias = checkpoint.lookup("blk.0.ssm_in.bias");
  mixer.convBias = checkpoint.lookup("blk.0.ssm_conv1d.bias");
}

static void readHuggingFace(ConfigReader &reader, Mamba2Config &config) {
  Mamba2Spec &mixer = config.mixer;
  setMamba2MixerKeys(mixer, setMambaKeys(reader.getCheckpoint(), config.model));
  config.model.vocabSize = reader.getSize("vocab_size", 32768);
  config.model.tied = reader.getBool("tie_word_embeddings", false);
  mixer.heads = reader.getSize("num_heads", 128);
  config.headDim = reader.getSize("head_dim", 64);
  mixer.groups = reader.getSize("n_groups", 8);
  double expand = reader.getFloat("expand", 2);
  mixer.inner =
      static_cast<int64_t>(expand * static_cast<double>(config.model.hidden));
  mixer.bias = mixer.outputBias = reader.getBool("use_bias", false);
  mixer.convBias = reader.getBool("use_conv_bias", true);
  mixer.activation = reader.getString("hidden_act", "silu");
  readStepLimits(reader, mixer);
  // How weights are initialised and sequences are cut; what the original has
  // switches for and transformers does always, or never.
  reader.ignore({"chunk_size", "fused_add_norm", "intermediate_size",
                 "norm_before_gate", "pad_vocab_size_multiple",
                 "rescale_prenorm_residual", "residual_in_fp32", "rms_norm",
                 "time_step_floor", "time_step_init_scheme", "time_step_max",
                 "time_step_min", "time_step_rank", "time_step_scale",
                 "use_associative_scan"});
}

static Mamba2Config readConfig(ConfigReader &reader) {
  if (reader.isGGUF())
    reader.setAliases("mamba2", ggufAliases);
  Mamba2Config config;
  config.model.hidden = config.mixer.hidden =
      reader.getSize("hidden_size", 4096);
  config.model.layers = readLayers(reader, "num_hidden_layers", 64);
  config.model.eps = config.mixer.eps =
      readEpsilon(reader, "layer_norm_epsilon", 1e-5);
  config.mixer.state = reader.getSize("state_size", 128);
  config.mixer.width = reader.getSize("conv_kernel", 4);
  if (reader.isGGUF())
    readGGUF(reader, config);
  else
    readHuggingFace(reader, config);
  checkMamba2Heads(reader, config.mixer, config.headDim, "num_heads",
                   "n_groups");
  return config;
}

static ModelFacts buildMamba2(ModelBuilder &b, ConfigReader &reader,
                              const FamilyRequest &request) {
  Mamba2Config config = readConfig(reader);
  ModelFacts facts;
  facts.vocabSize = config.model.vocabSize;
  facts.maxLength = ModelFacts::unlimited;
  facts.bos = 0;
  facts.eos = 2;
  reader.finish();
  if (!reader.hasFailed())
    buildMixerModel(b, request, config.model,
                    [&](Value x) { return mamba2Mixer(b, config.mixer, x); });
  return facts;
}

namespace weir {
void registerMamba2Family(FamilyTable &table) {
  table.add({"mamba2",
             "Mamba2ForCausalLM",
             "Mamba2Model",
             "mamba2",
             {},
             buildMamba2});
}
} // namespace weir
