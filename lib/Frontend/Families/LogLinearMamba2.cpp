//===- LogLinearMamba2.cpp - Log-linear Mamba-2 -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Mamba-2 with log-linear attention (arXiv:2506.04761) in the layout of
// flash-linear-attention 0.6: a state for each level of a Fenwick tree over the
// past, and a scale of each for every token. There are 15 levels, for sequences
// of up to 16384 tokens.
//
//===----------------------------------------------------------------------===//

#include "Fla.h"
#include "StateSpaceLayers.h"
#include "StateSpaceMixers.h"
#include <cmath>

using namespace mlir;
using namespace weir;

/// What the library's layers are made for.
static constexpr int64_t longest = 16384, levels = 15;

namespace {
struct LogLinearConfig {
  MixerModel model;
  Mamba2Spec mixer;
  FlaConfig perceptron;
  std::string mlpNorm, mlp;
};
} // namespace

/// Limits of steps, of which the library has none but the usual.
static void checkStepLimits(ConfigReader &reader) {
  Mamba2Spec limits;
  readStepLimits(reader, limits, "dt_limit");
  if (limits.stepMin != 0 || std::isfinite(limits.stepMax))
    reader.emitError("dt_limit")
        << "key 'dt_limit' is " << limits.stepMin << " to " << limits.stepMax
        << ", expected 0 to Infinity";
}

static LogLinearConfig readConfig(ConfigReader &reader) {
  LogLinearConfig config;
  MixerModel &model = config.model;
  Mamba2Spec &mixer = config.mixer;
  std::string prefix = setMambaKeys(reader.getCheckpoint(), model);
  setMamba2MixerKeys(mixer, prefix);
  std::string layer = StringRef(prefix).drop_back(strlen("mixer.")).str();
  model.norm = layer + "mixer_norm";
  config.mlpNorm = layer + "mlp_norm";
  config.mlp = layer + "mlp.";
  mixer.levels = levels;
  mixer.levelScale = prefix + "L";

  model.vocabSize = reader.getSize("vocab_size", 32000);
  model.hidden = mixer.hidden = reader.getSize("hidden_size", 2048);
  model.layers = readLayers(reader, "num_hidden_layers", 48);
  model.eps = mixer.eps = readEpsilon(reader, "norm_eps", 1e-5);
  model.tied = reader.getBool("tie_word_embeddings", false);
  double expand = reader.getFloat("expand", 2);
  mixer.inner =
      static_cast<int64_t>(expand * static_cast<double>(model.hidden));
  int64_t headDim = reader.getSize("head_dim", 64);
  mixer.heads =
      reader.getSize("num_heads", std::max<int64_t>(mixer.inner / headDim, 1));
  mixer.groups = reader.getSize("n_groups", 1);
  mixer.state = reader.getSize("state_size", 128);
  mixer.width = reader.getSize("conv_kernel", 4);
  mixer.bias = mixer.outputBias = reader.getBool("use_bias", false);
  mixer.convBias = reader.getBool("use_conv_bias", true);
  mixer.skipByFeature = reader.getBool("D_has_hdim", false);
  mixer.activation =
      readChoice(reader, "hidden_act", "silu", {"silu", "swish"});
  if (!reader.getBool("rmsnorm", true))
    mixer.gatedNorm = GatedNorm::None;
  else if (reader.getBool("norm_before_gate", false))
    mixer.gatedNorm = GatedNorm::Before;
  checkStepLimits(reader);
  checkMamba2Heads(reader, mixer, headDim, "num_heads", "n_groups");
  if (!reader.isNull("attnres_block_size") && reader.has("attnres_block_size"))
    reader.emitError("attnres_block_size")
        << "key 'attnres_block_size' is "
        << reader.getInt("attnres_block_size", 0)
        << ", expected null: residuals by attention over depth are not read "
           "for this family";
  // Two thirds of four times the hidden size, in whole blocks of 256.
  config.perceptron.hidden = model.hidden;
  config.perceptron.inner = (model.hidden * 4 * 2 / 3 + 255) / 256 * 256;
  // How weights are initialised, sequences are cut and sums are arranged.
  reader.ignore({"A_init_range", "attnres_block_size", "chunk_size",
                 "conv_init", "dt_init_floor", "dt_max", "dt_min",
                 "fuse_cross_entropy", "fuse_linear_cross_entropy", "fuse_norm",
                 "hidden_ratio", "intermediate_size", "max_position_embeddings",
                 "norm_before_gate", "rescale_prenorm_residual",
                 "residual_in_fp32", "time_step_rank", "use_l2warp"});
  return config;
}

static void buildModel(ModelBuilder &b, const FamilyRequest &request,
                       LogLinearConfig &config) {
  const MixerModel &model = config.model;
  TokenTables tables =
      resolveTables(b.getCheckpoint(), model.embed + ".weight",
                    model.head + ".weight", model.tied && request.hasHead);
  Value ids = b.beginForward();
  b.setScope(model.embed);
  Value x = b.embedding(ids, tables.embedding, model.vocabSize, model.hidden);
  config.mixer.positions = b.positions(ids);
  SmallVector<int32_t> order(model.layers, 0);
  x = b.stack(x, order, [&](int32_t, Value input) {
    b.setScope(model.norm);
    Value normed = b.rmsNorm(input, model.norm, model.eps);
    Value mixed = b.add(input, mamba2Mixer(b, config.mixer, normed));
    b.setScope(config.mlpNorm);
    normed = b.rmsNorm(mixed, config.mlpNorm, model.eps);
    return b.add(mixed, flaMLP(b, normed, config.mlp, config.perceptron));
  });
  b.setScope(model.finalNorm);
  x = b.rmsNorm(x, model.finalNorm, model.eps);
  if (request.hasHead)
    x = b.linear(x, b.weight(tables.head, {model.vocabSize, model.hidden}),
                 Value());
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", x);
}

static ModelFacts buildLogLinearMamba2(ModelBuilder &b, ConfigReader &reader,
                                       const FamilyRequest &request) {
  LogLinearConfig config = readConfig(reader);
  ModelFacts facts;
  facts.vocabSize = config.model.vocabSize;
  facts.maxLength = longest;
  facts.bos = 1;
  facts.eos = 2;
  reader.finish();
  if (!reader.hasFailed())
    buildModel(b, request, config);
  return facts;
}

namespace weir {
void registerLogLinearMamba2Family(FamilyTable &table) {
  table.add({"log_linear_mamba2",
             "LogLinearMamba2ForCausalLM",
             "LogLinearMamba2Model",
             "",
             {},
             buildLogLinearMamba2});
}
} // namespace weir
