//===- KimiLinear.cpp - The Kimi Linear and Bailing families -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layers of Kimi delta attention (arXiv:2510.26692), whose states decay by the
// channel, and layers of latent attention. Kimi Linear rotates nothing and
// makes gates in two steps; Bailing's hybrid rotates, has gates of one matrix,
// and closes each head of attention.
//
//===----------------------------------------------------------------------===//

#include "HybridModel.h"
#include "LatentAttention.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

struct KimiConfig : HybridModel {
  int64_t inner;
  LatentHeads latent;
  DeltaHeads delta;
  /// Whether gates are made in two steps.
  bool lowRankGates = false;
  /// The least logarithm of a decay, or none for decays without a bound.
  std::optional<double> lowerBound;
  /// None where nothing is rotated.
  std::optional<RotarySpec> rotary;
  /// Whether heads of attention have a gate each.
  bool gatedHeads = false;
  /// What keys of a mixer begin with, and what its last projection is called.
  std::string mixer, output;
  /// The mixtures of layers that have them.
  ExpertsSpec experts;
};

/// Builds the layers.
class KimiGraph {
public:
  KimiGraph(ModelBuilder &builder, const KimiConfig &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids);
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  Value buildAttention(Value x);
  Value buildDelta(Value x);
  /// What follows the mixer of a layer.
  Value buildFeedForward(FeedForward kind, Value x);
  /// A gate of each feature of the heads, whose keys begin with `prefix`.
  Value buildGate(Value x, const std::string &prefix);
  Value buildDecay(Value x);

  ModelBuilder &b;
  const KimiConfig &config;
  Value positions, frequencies;
};

} // namespace

void KimiGraph::begin(Value ids) {
  if (!config.rotary)
    return;
  positions = b.positions(ids);
  frequencies = b.frequencies(*config.rotary);
}

Value KimiGraph::buildAttention(Value x) {
  auto rotate = [&](Value heads) {
    return config.rotary
               ? b.rotary(heads, positions, frequencies, *config.rotary)
               : heads;
  };
  const LatentHeads &heads = config.latent;
  Value mixed = latentAttention(b, x, config.mixer, heads, rotate);
  if (config.gatedHeads)
    mixed = scaleRows(
        b, mixed,
        sigmoid(b, b.linear(x, config.mixer + "g_proj", heads.heads)));
  return b.linear(b.mergeHeads(mixed), config.output, config.hidden,
                  heads.bias);
}

Value KimiGraph::buildGate(Value x, const std::string &prefix) {
  int64_t features = config.delta.getKeyFeatures();
  if (!config.lowRankGates)
    return b.linear(x, prefix + "_proj", features);
  Value narrow = b.linear(x, prefix + "_a_proj", config.delta.keyDim);
  return b.linear(narrow, prefix + "_b_proj", features);
}

Value KimiGraph::buildDecay(Value x) {
  const DeltaHeads &heads = config.delta;
  // A module of its own where transformers has not written the first names.
  std::string prefix = config.mixer + "forget_gate.";
  if (!b.hasTensor(prefix + "A_log"))
    prefix = config.mixer;
  Value bias = b.weight(prefix + "dt_bias", {heads.getKeyFeatures()});
  Value gate =
      b.splitHeads(b.add(buildGate(x, prefix + "f"), bias), heads.keys);
  std::string key = prefix + "A_log";
  // Kimi Linear stores it with axes for all that it is repeated along.
  Value rate =
      config.lowRankGates
          ? b.read(b.reshape(b.param(key, {1, 1, heads.keys, 1}), {heads.keys}))
          : b.weight(key, {heads.keys});
  return channelDecay(b, gate, rate, config.lowerBound);
}

Value KimiGraph::buildDelta(Value x) {
  const DeltaHeads &heads = config.delta;
  Value mixed =
      b.linear(x, deltaMatrix(b, config.mixer, heads, config.hidden), Value());
  RecurrenceInputs inputs = deltaInputs(
      b, mixed, deltaKernels(b, config.mixer, heads), heads, config.activation);
  inputs.decay = buildDecay(x);
  inputs.beta = sigmoid(b, b.linear(x, config.mixer + "b_proj", heads.keys));
  Value normed =
      b.rmsNorm(recurrence(b, inputs), config.mixer + "o_norm", config.eps);
  Value gate = sigmoid(b, buildGate(x, config.mixer + "g"));
  return b.linear(b.mul(b.mergeHeads(normed), gate), config.output,
                  config.hidden);
}

Value KimiGraph::buildFeedForward(FeedForward kind, Value x) {
  if (kind == FeedForward::Experts)
    return buildMixture(b, x, config.experts);
  // transformers writes them under the name of experts.
  bool isPlain = b.hasTensor(config.layer + "mlp.up_proj.weight");
  return hybridMLP(b, config, x, config.inner,
                   isPlain ? "mlp." : "block_sparse_moe.");
}

Value KimiGraph::buildLayer(const HybridLayer &kind, Value x) {
  return preNormLayer(
      b, config, x,
      [&](Value normed) {
        return kind.mixer == TokenMixer::Linear ? buildDelta(normed)
                                                : buildAttention(normed);
      },
      [&](Value normed) { return buildFeedForward(kind.feedForward, normed); });
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

/// Reads the options of the mixtures, whose keys have the spelling of either
/// library.
static void readExperts(ConfigReader &reader, ModelBuilder &b,
                        KimiConfig &config, const DeepseekDefaults &defaults) {
  const Checkpoint &checkpoint = b.getCheckpoint();
  std::string block = config.layer + "block_sparse_moe.";
  bool isOwn = hasLayerTensor(checkpoint, block + "gate.weight");
  if (!isOwn)
    block = config.layer + "mlp.";
  ExpertsSpec &experts = config.experts;
  experts = readDeepseekExperts(reader, b, block, defaults);
  experts.activation = config.activation;
  if (isOwn) {
    experts.keys.gate = "w1";
    experts.keys.up = "w3";
    experts.keys.down = "w2";
  }
  std::string bias = block + "gate.expert_bias";
  if (hasLayerTensor(checkpoint, bias))
    experts.router.bias = bias;
}

/// Reads what follows the mixers of layers.
static void readFeedForwards(ConfigReader &reader, ModelBuilder &b,
                             KimiConfig &config, int64_t denseLayers,
                             const DeepseekDefaults &defaults) {
  // Without experts, what is said about them has no effect.
  if (readFeedForwardTypes(reader, config, denseLayers))
    readExperts(reader, b, config, defaults);
  else
    ignoreDeepseekExperts(reader);
}

/// Reads what both families have. The numbers in `config` are the defaults.
static void readConfig(ConfigReader &reader, KimiConfig &config) {
  readHybridModel(reader, config);
  // The other spelling of the longest sequence.
  config.length = reader.getSize("model_max_length", config.length);
  config.inner = reader.getSize("intermediate_size", config.inner);
  readLatentHeads(reader, config.latent);
}

/// Reads `linear_attn_config`, as the first checkpoints have it, into the
/// options and into `kinds`, which stay empty where it lists no layers.
static void readLinearConfig(ConfigReader &reader, KimiConfig &config,
                             SmallVectorImpl<TokenMixer> &kinds) {
  const llvm::json::Value *value = reader.get("linear_attn_config");
  if (!value)
    return;
  const llvm::json::Object *object = value->getAsObject();
  if (!object) {
    reader.emitError("linear_attn_config")
        << "key 'linear_attn_config' is no object";
    return;
  }
  for (auto [key, size] :
       {std::pair("head_dim", &config.delta.keyDim),
        std::pair("num_heads", &config.delta.keys),
        std::pair("short_conv_kernel_size", &config.delta.convWidth)}) {
    const llvm::json::Value *entry = object->get(key);
    if (!entry)
      continue;
    auto number = entry->getAsInteger();
    if (number && *number > 0 && *number < (int64_t(1) << 31))
      *size = *number;
    else
      reader.emitError("linear_attn_config")
          << "key 'linear_attn_config." << key
          << "' is no positive whole number";
  }
  const llvm::json::Array *full = object->getArray("full_attn_layers");
  const llvm::json::Array *linear = object->getArray("kda_layers");
  if (!full || !linear)
    return;
  // Layers are counted from one, and each is in one list.
  SmallVector<std::optional<TokenMixer>> named(config.layers);
  for (auto [list, kind] : {std::pair(full, TokenMixer::Attention),
                            std::pair(linear, TokenMixer::Linear)})
    for (const llvm::json::Value &entry : *list) {
      int64_t layer = entry.getAsInteger().value_or(0);
      if (layer >= 1 && layer <= config.layers)
        named[layer - 1] = kind;
    }
  if (llvm::is_contained(named, std::nullopt)) {
    reader.emitError("linear_attn_config")
        << "key 'linear_attn_config' does not say what layer "
        << llvm::find(named, std::nullopt) - named.begin() + 1 << " of "
        << config.layers << " is";
    return;
  }
  for (std::optional<TokenMixer> kind : named)
    kinds.push_back(*kind);
}

static ModelFacts buildKimiLinear(ModelBuilder &b, ConfigReader &reader,
                                  const FamilyRequest &request) {
  KimiConfig config;
  config.vocabSize = 163840;
  config.hidden = 2304;
  config.inner = 9216;
  config.layers = 27;
  config.length = 1048576;
  config.eps = 1e-5;
  config.latent = {32, 128, 64, 128, 512, std::nullopt, false, 1.0};
  config.lowRankGates = true;
  readConfig(reader, config);
  DeltaHeads &delta = config.delta;
  delta.keyDim = reader.getSize("linear_head_dim", 128);
  delta.keys = reader.getSize("linear_num_heads", 32);
  delta.convWidth = reader.getSize("linear_conv_kernel_dim", 4);
  SmallVector<TokenMixer> kinds;
  readLinearConfig(reader, config, kinds);
  delta.valueDim = delta.keyDim;
  delta.values = delta.keys;
  readLayerTypes(reader, config, [&](int64_t i) {
    if (!kinds.empty())
      return kinds[i];
    return i && i % 4 == 0 ? TokenMixer::Attention : TokenMixer::Linear;
  });
  readFeedForwards(reader, b, config, /*denseLayers=*/1,
                   {256, 8, 1024, /*shared=*/1, /*groups=*/1, /*chosen=*/1,
                    /*scale=*/2.446});
  reader.expect("mla_use_nope", true, "nothing is rotated in this family");
  // Those of other models, which this one does not look at.
  reader.ignore({"head_dim", "rope_parameters", "rope_scaling", "rope_theta"});
  config.mixer = config.layer + "self_attn.";
  config.output = config.mixer + "o_proj";
  ModelFacts facts = buildHybridModel<KimiGraph>(b, reader, request, config);
  facts.bos = 163584;
  facts.eos = 163586;
  return facts;
}

static ModelFacts buildBailing(ModelBuilder &b, ConfigReader &reader,
                               const FamilyRequest &request) {
  KimiConfig config;
  config.vocabSize = 157184;
  config.hidden = 2560;
  config.inner = 6144;
  config.layers = 42;
  config.length = 262144;
  config.latent = {32, 128, 64, 128, 512, std::nullopt, false, 1.0};
  config.gatedHeads = true;
  readConfig(reader, config);
  DeltaHeads &delta = config.delta;
  // What transformers writes has the heads' size under its own key, and under
  // the other one that of the rotated part.
  int64_t headDim = reader.getSize("head_dim", 128);
  int64_t width = reader.getSize("short_conv_kernel_size", 4);
  delta.keyDim = delta.valueDim = reader.getSize("linear_head_dim", headDim);
  delta.keys = delta.values =
      reader.getSize("linear_num_heads", config.latent.heads);
  delta.convWidth = reader.getSize("linear_conv_kernel_dim", width);
  if (reader.getBool("kda_safe_gate", true))
    config.lowerBound = reader.getFloat("kda_lower_bound", -5);
  reader.ignore({"kda_lower_bound"});
  int64_t group = reader.getSize("layer_group_size", 6);
  readLayerTypes(reader, config, [&](int64_t i) {
    return (i + 1) % group ? TokenMixer::Linear : TokenMixer::Attention;
  });
  readFeedForwards(reader, b, config, /*denseLayers=*/2,
                   {512, 8, 768, /*shared=*/1, /*groups=*/8, /*chosen=*/4,
                    /*scale=*/2.5});
  RotaryOptions options;
  options.headDim = config.latent.sharedDim;
  options.trainedLength = config.length;
  options.maxLength = request.maxLength.value_or(config.length);
  options.defaultBase = 6000000.0;
  config.rotary = readRotary(reader, b, options);
  config.rotary->layout = RotaryLayout::Interleaved;
  config.latent.scale *= readScoreFactor(reader);
  const Checkpoint &checkpoint = b.getCheckpoint();
  // Base models are saved with some of either library's names.
  config.embed = checkpoint.lookup(config.model + "word_embeddings.weight")
                     ? "word_embeddings"
                     : "embed_tokens";
  bool isOwn =
      hasLayerTensor(checkpoint, config.layer + "attention.dense.weight");
  config.mixer = config.layer + (isOwn ? "attention." : "self_attn.");
  config.output = config.mixer + (isOwn ? "dense" : "o_proj");
  ModelFacts facts = buildHybridModel<KimiGraph>(b, reader, request, config);
  facts.eos = 156895;
  return facts;
}

namespace weir {
void registerKimiLinearFamily(FamilyTable &table) {
  table.add({"kimi_linear",
             "KimiLinearForCausalLM",
             "KimiLinearModel",
             "",
             {},
             buildKimiLinear});
}

void registerBailingHybridFamily(FamilyTable &table) {
  table.add({"bailing_hybrid",
             "BailingHybridForCausalLM",
             "BailingHybridModel",
             "",
             {},
             buildBailing});
}
} // namespace weir
