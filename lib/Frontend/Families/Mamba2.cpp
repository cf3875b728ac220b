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
#include <cmath>
#include <limits>

using namespace mlir;
using namespace weir;

namespace {

/// Keys of a mixer, without ".weight" but for those that have none.
struct MixerKeys {
  std::string input, conv, stepBias, rate, skip, norm, output;
};

struct Mamba2Config {
  MixerModel model;
  MixerKeys keys;
  int64_t inner, state, heads, headDim, groups, width;
  bool bias, convBias;
  std::string activation = "silu";
  /// Steps are held within these.
  double stepMin = 0, stepMax = std::numeric_limits<double>::infinity();
  /// Whether tensors are laid out as in GGUF files.
  bool isGGUF;

  int64_t getConvFeatures() const { return inner + 2 * groups * state; }
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

/// A number as Python's JSON or that of transformers writes it, which has
/// spellings for infinities; none for anything else.
static std::optional<double> readNumber(const llvm::json::Value &value) {
  if (auto number = value.getAsNumber())
    return *number;
  auto text = value.getAsString();
  if (const llvm::json::Object *object = value.getAsObject())
    text = object->getString("__float__");
  if (text == StringRef("Infinity"))
    return std::numeric_limits<double>::infinity();
  if (text == StringRef("-Infinity"))
    return -std::numeric_limits<double>::infinity();
  return std::nullopt;
}

static void readStepLimits(ConfigReader &reader, Mamba2Config &config) {
  const llvm::json::Value *value = reader.get("time_step_limit");
  if (!value)
    return;
  const llvm::json::Array *list = value->getAsArray();
  std::optional<double> low, high;
  if (list && list->size() == 2) {
    low = readNumber((*list)[0]);
    high = readNumber((*list)[1]);
  }
  if (!low || !high) {
    reader.emitError("time_step_limit")
        << "key 'time_step_limit' is no list of two numbers";
    return;
  }
  config.stepMin = *low;
  config.stepMax = *high;
}

static void readGGUF(ConfigReader &reader, Mamba2Config &config) {
  const Checkpoint &checkpoint = reader.getCheckpoint();
  setMambaKeysOfGGUF(checkpoint, config.model);
  config.keys = {"blk.*.ssm_in", "blk.*.ssm_conv1d", "blk.*.ssm_dt.bias",
                 "blk.*.ssm_a",  "blk.*.ssm_d",      "blk.*.ssm_norm",
                 "blk.*.ssm_out"};
  // The table is the authority, and the lengths say nothing of a recurrence.
  reader.ignore({"vocab_size", "max_position_embeddings", "feed_forward_length",
                 "head_count"});
  config.inner = reader.getSize("intermediate_size", 1);
  config.heads = reader.getSize("num_heads", 1);
  config.groups = reader.getSize("n_groups", 1);
  config.headDim = std::max<int64_t>(config.inner / config.heads, 1);
  config.bias = checkpoint.lookup("blk.0.ssm_in.bias");
  config.convBias = checkpoint.lookup("blk.0.ssm_conv1d.bias");
}

static void readHuggingFace(ConfigReader &reader, Mamba2Config &config) {
  std::string mixer = setMambaKeys(reader.getCheckpoint(), config.model);
  config.keys = {mixer + "in_proj", mixer + "conv1d", mixer + "dt_bias",
                 mixer + "A_log",   mixer + "D",      mixer + "norm",
                 mixer + "out_proj"};
  config.model.vocabSize = reader.getSize("vocab_size", 32768);
  config.model.tied = reader.getBool("tie_word_embeddings", false);
  config.heads = reader.getSize("num_heads", 128);
  config.headDim = reader.getSize("head_dim", 64);
  config.groups = reader.getSize("n_groups", 8);
  double expand = reader.getFloat("expand", 2);
  config.inner =
      static_cast<int64_t>(expand * static_cast<double>(config.model.hidden));
  config.bias = reader.getBool("use_bias", false);
  config.convBias = reader.getBool("use_conv_bias", true);
  config.activation = reader.getString("hidden_act", "silu");
  readStepLimits(reader, config);
  // How weights are initialised and sequences are cut; what the original has
  // switches for and transformers does always, or never.
  reader.ignore({"chunk_size", "intermediate_size", "norm_before_gate",
                 "rescale_prenorm_residual", "residual_in_fp32", "rms_norm",
                 "time_step_floor", "time_step_init_scheme", "time_step_max",
                 "time_step_min", "time_step_rank", "time_step_scale",
                 "use_associative_scan"});
}

static Mamba2Config readConfig(ConfigReader &reader) {
  if (reader.isGGUF())
    reader.setAliases("mamba2", ggufAliases);
  Mamba2Config config;
  config.isGGUF = reader.isGGUF();
  config.model.hidden = reader.getSize("hidden_size", 4096);
  config.model.layers = readLayers(reader, "num_hidden_layers", 64);
  config.model.eps = readEpsilon(reader, "layer_norm_epsilon", 1e-5);
  config.state = reader.getSize("state_size", 128);
  config.width = reader.getSize("conv_kernel", 4);
  if (reader.isGGUF())
    readGGUF(reader, config);
  else
    readHuggingFace(reader, config);
  if (config.heads * config.headDim != config.inner)
    reader.emitError("num_heads")
        << "key '" << reader.getSpelling("num_heads") << "' gives "
        << config.heads << " heads of " << config.headDim
        << " features, expected " << config.inner << " features in all";
  else if (config.heads % config.groups || config.inner % config.groups)
    reader.emitError("n_groups")
        << "key '" << reader.getSpelling("n_groups") << "' is " << config.groups
        << ", expected a divisor of the " << config.heads << " heads";
  return config;
}

/// A vector of a number per head.
static Value readHeads(ModelBuilder &b, const Mamba2Config &config,
                       StringRef key) {
  if (!config.isGGUF)
    return b.weight(key, {config.heads});
  return b.read(b.reshape(b.param(key, {config.heads, 1}), {config.heads}));
}

/// `norm(y * silu(gate))`, group by group.
static Value buildGatedNorm(ModelBuilder &b, const Mamba2Config &config,
                            Value y, Value gate) {
  b.setScope(config.keys.norm);
  std::string key = config.keys.norm + ".weight";
  int64_t size = config.inner / config.groups;
  Value weight = config.isGGUF
                     ? b.read(b.reshape(b.param(key, {config.groups, size}),
                                        {config.inner}))
                     : b.weight(key, {config.inner});
  y = b.mul(y, b.activation(gate, "silu"));
  if (config.groups == 1)
    return rmsNorm(b, y, weight, config.model.eps);
  Value normed =
      rmsNorm(b, b.splitHeads(y, config.groups), Value(), config.model.eps);
  return b.mul(b.mergeHeads(normed), weight);
}

static Value buildMixer(ModelBuilder &b, const Mamba2Config &config, Value x) {
  const MixerKeys &keys = config.keys;
  int64_t inner = config.inner, heads = config.heads;
  int64_t features = config.getConvFeatures();
  int64_t shared = config.groups * config.state;
  b.setScope(keys.input);
  Value all = b.linear(x, keys.input, inner + features + heads, config.bias);
  Value gate = sliceFeatures(b, all, 0, inner);
  Value step = sliceFeatures(b, all, inner + features, heads);
  b.setScope(keys.conv);
  Value weight = convKernel(b, keys.conv + ".weight", features, config.width,
                            /*flat=*/config.isGGUF);
  Value bias =
      config.convBias ? b.weight(keys.conv + ".bias", {features}) : Value();
  Value mixed = activatedConv(b, sliceFeatures(b, all, inner, features), weight,
                              bias, config.activation);
  b.setScope(keys.rate);
  Value values = b.splitHeads(sliceFeatures(b, mixed, 0, inner), heads);
  step = softplus(b, b.add(step, b.weight(keys.stepBias, {heads})));
  // Steps are positive already.
  if (config.stepMin > 0 || std::isfinite(config.stepMax))
    step = clamp(b, step, config.stepMin, config.stepMax);
  Value rate = readHeads(b, config, keys.rate);
  if (!config.isGGUF)
    rate = negativeExp(b, rate);
  RecurrenceInputs inputs;
  inputs.query = b.splitHeads(sliceFeatures(b, mixed, inner + shared, shared),
                              config.groups);
  inputs.key =
      b.splitHeads(sliceFeatures(b, mixed, inner, shared), config.groups);
  inputs.value = scaleRows(b, values, step);
  inputs.decay = b.mul(step, rate);
  Value y = recurrence(b, inputs);
  y = b.add(y, scaleHeads(b, values, readHeads(b, config, keys.skip)));
  y = buildGatedNorm(b, config, b.mergeHeads(y), gate);
  b.setScope(keys.output);
  return b.linear(y, keys.output, config.model.hidden, config.bias);
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
                    [&](Value x) { return buildMixer(b, config, x); });
  return facts;
}

void weir::registerMamba2Family(FamilyTable &table) {
  table.add({"mamba2",
             "Mamba2ForCausalLM",
             "Mamba2Model",
             "mamba2",
             {},
             buildMamba2});
}
