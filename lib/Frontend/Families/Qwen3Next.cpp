//===- Qwen3Next.cpp - The Qwen3-Next and Qwen3.5 families -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layers of gated DeltaNet (arXiv:2412.06464) and layers of attention whose
// output is gated and whose heads are rotated in part. Qwen3-Next projects what
// belongs to one head of keys by neighbouring rows; Qwen3.5, for which
// positions in text are those of any other model, has a matrix for each thing,
// and experts in all layers or in none.
//
//===----------------------------------------------------------------------===//

#include "HeadAttention.h"
#include "HybridModel.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

struct QwenConfig : HybridModel {
  int64_t inner, heads, kvHeads, headDim;
  bool isGGUF = false;
  DeltaHeads delta;
  bool attentionBias;
  /// The mixtures of layers that have them.
  ExpertsSpec experts;
  /// Whether positions may be several, as of images.
  bool hasSections = false;
  RotarySpec rotary;
};

/// What a delta rule reads of a layer's input.
struct DeltaParts {
  /// Query, key and value, one behind the other.
  Value mixed;
  /// Opens the output, says how much is written, and how fast it decays.
  Value gate, beta, step;
};

/// Builds the layers.
class QwenGraph {
public:
  QwenGraph(ModelBuilder &builder, const QwenConfig &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids);
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  Value buildAttention(Value x);
  Value buildDelta(Value x);
  Value buildGGUFDelta(Value x);
  /// What follows the mixer of a layer.
  Value buildFeedForward(FeedForward kind, Value x);
  /// What a delta rule reads of `x` by a matrix for each thing.
  DeltaParts projectParts(Value x);
  /// The same by matrices whose rows belong to one head of keys after another.
  DeltaParts projectGroups(Value x);
  /// The same of a GGUF file, whose converter joins what heads of keys have of
  /// each but for the two narrow ones.
  DeltaParts projectGGUF(Value x);
  /// Rows of the narrow matrix `key`, at `offset` of each head of keys.
  Value cutNarrow(const std::string &key, int64_t offset, StringRef name);
  /// The key of attention that transformers calls `name`.
  std::string getAttentionKey(StringRef name) const;

  ModelBuilder &b;
  const QwenConfig &config;
  Value positions, frequencies;
};

} // namespace

void QwenGraph::begin(Value ids) {
  positions = b.positions(ids);
  frequencies = b.frequencies(config.rotary);
}

std::string QwenGraph::getAttentionKey(StringRef name) const {
  if (!config.isGGUF)
    return config.layer + "self_attn." + name.str();
  auto [part, kind] = name.split('_');
  return config.layer + "attn_" + (part == "o" ? "output" : part.str()) +
         (kind == "norm" ? "_norm" : "");
}

Value QwenGraph::buildAttention(Value x) {
  bool bias = config.attentionBias;
  int64_t dim = config.headDim, features = config.heads * dim;
  // Rows of a head's query are followed by those of its gate.
  auto getPart = [&](int64_t index, StringRef name) {
    auto cut = [&](StringRef suffix, ArrayRef<int64_t> shape) {
      std::string key = getAttentionKey("q_proj") + suffix.str();
      return b.read(cutGroups(b, b.param(key, shape), config.heads, index * dim,
                              dim, name));
    };
    Value weight = cut(".weight", {2 * features, config.hidden});
    return b.linear(x, weight, bias ? cut(".bias", {2 * features}) : Value());
  };
  auto getHeads = [&](const std::string &name) {
    return b.splitHeads(
        b.linear(x, getAttentionKey(name), config.kvHeads * dim, bias),
        config.kvHeads);
  };
  auto normalise = [&](Value heads, const std::string &name) {
    Value normed =
        b.rmsNorm(heads, getAttentionKey(name), config.eps, config.normOffset);
    return b.rotary(normed, positions, frequencies, config.rotary);
  };
  Value query =
      normalise(b.splitHeads(getPart(0, "query"), config.heads), "q_norm");
  Value key = normalise(getHeads("k_proj"), "k_norm");
  AttentionOptions options;
  options.mask = b.causalMask();
  options.scale = 1.0 / std::sqrt(static_cast<double>(dim));
  Value mixed =
      b.mergeHeads(b.attention(query, key, getHeads("v_proj"), options));
  mixed = b.mul(mixed, sigmoid(b, getPart(1, "gate")));
  return b.linear(mixed, getAttentionKey("o_proj"), config.hidden, bias);
}

DeltaParts QwenGraph::projectParts(Value x) {
  std::string keys = config.layer + "linear_attn.in_proj_";
  const DeltaHeads &heads = config.delta;
  return {b.linear(x, keys + "qkv", heads.getFeatures()),
          b.linear(x, keys + "z", heads.getValueFeatures()),
          b.linear(x, keys + "b", heads.values),
          b.linear(x, keys + "a", heads.values)};
}

Value QwenGraph::cutNarrow(const std::string &key, int64_t offset,
                           StringRef name) {
  const DeltaHeads &heads = config.delta;
  Param narrow = b.param(key + ".weight", {2 * heads.values, config.hidden});
  return b.read(cutGroups(b, narrow, heads.keys, offset,
                          heads.values / heads.keys, name));
}

DeltaParts QwenGraph::projectGGUF(Value x) {
  const DeltaHeads &heads = config.delta;
  std::string narrow = config.layer + "ssm_ba";
  int64_t shared = heads.values / heads.keys;
  return {b.linear(x, config.layer + "attn_qkv", heads.getFeatures()),
          b.linear(x, config.layer + "attn_gate", heads.getValueFeatures()),
          b.linear(x, cutNarrow(narrow, 0, "b"), Value()),
          b.linear(x, cutNarrow(narrow, shared, "a"), Value())};
}

DeltaParts QwenGraph::projectGroups(Value x) {
  std::string keys = config.layer + "linear_attn.in_proj_";
  const DeltaHeads &heads = config.delta;
  int64_t shared = heads.values / heads.keys, dim = heads.keyDim;
  int64_t values = shared * heads.valueDim;
  Param wide =
      b.param(keys + "qkvz.weight",
              {heads.getFeatures() + heads.getValueFeatures(), config.hidden});
  auto cut = [&](int64_t offset, int64_t size, StringRef name) {
    return cutGroups(b, wide, heads.keys, offset, size, name);
  };
  Param mixed = b.concat(
      keys + "qkv.weight", 0,
      {cut(0, dim, "q"), cut(dim, dim, "k"), cut(2 * dim, values, "v")});
  return {b.linear(x, b.read(mixed), Value()),
          b.linear(x, b.read(cut(2 * dim + values, values, "z")), Value()),
          b.linear(x, cutNarrow(keys + "ba", 0, "b"), Value()),
          b.linear(x, cutNarrow(keys + "ba", shared, "a"), Value())};
}

Value QwenGraph::buildDelta(Value x) {
  if (config.isGGUF)
    return buildGGUFDelta(x);
  std::string keys = config.layer + "linear_attn.";
  const DeltaHeads &heads = config.delta;
  DeltaParts parts = b.hasTensor(keys + "in_proj_qkvz.weight")
                         ? projectGroups(x)
                         : projectParts(x);
  RecurrenceInputs inputs = deltaInputs(
      b, parts.mixed, deltaKernels(b, keys, heads), heads, config.activation);
  inputs.decay =
      rateDecay(b, parts.step, b.weight(keys + "A_log", {heads.values}),
                b.weight(keys + "dt_bias", {heads.values}));
  inputs.beta = sigmoid(b, parts.beta);
  Value normed = b.rmsNorm(recurrence(b, inputs), keys + "norm", config.eps);
  Value gate = b.activation(parts.gate, "silu");
  return b.linear(b.mul(b.mergeHeads(normed), gate), keys + "out_proj",
                  config.hidden);
}

Value QwenGraph::buildGGUFDelta(Value x) {
  const DeltaHeads &heads = config.delta;
  std::string keys = config.layer + "ssm_";
  DeltaParts parts = projectGGUF(x);
  Value kernels =
      b.weight(keys + "conv1d.weight", {heads.getFeatures(), heads.convWidth});
  RecurrenceInputs inputs =
      deltaInputs(b, parts.mixed, kernels, heads, config.activation);
  // The converter has made the rates of their logarithms.
  Value step = softplus(
      b, b.add(parts.step, b.weight(keys + "dt.bias", {heads.values})));
  inputs.decay = b.mul(step, b.weight(keys + "a", {heads.values}));
  inputs.beta = sigmoid(b, parts.beta);
  Value normed = b.rmsNorm(recurrence(b, inputs), keys + "norm", config.eps);
  Value gate = b.activation(parts.gate, "silu");
  return b.linear(b.mul(b.mergeHeads(normed), gate), keys + "out",
                  config.hidden);
}

Value QwenGraph::buildFeedForward(FeedForward kind, Value x) {
  if (kind == FeedForward::Experts)
    return buildMixture(b, x, config.experts);
  return hybridMLP(b, config, x, config.inner);
}

Value QwenGraph::buildLayer(const HybridLayer &kind, Value x) {
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

/// Reads what both families have. The numbers in `config` are the defaults.
static void readConfig(ConfigReader &reader, ModelBuilder &b,
                       const FamilyRequest &request, QwenConfig &config) {
  config.length = 32768;
  config.normOffset = 1;
  readHybridModel(reader, config);
  config.inner = reader.getSize("intermediate_size", config.inner);
  config.heads = reader.getSize("num_attention_heads", 16);
  config.kvHeads = reader.getSize("num_key_value_heads", config.kvHeads);
  config.headDim = reader.getSize("head_dim", 256);
  config.attentionBias = reader.getBool("attention_bias", false);
  DeltaHeads &delta = config.delta;
  delta.keys = reader.getSize("linear_num_key_heads", 16);
  delta.values = reader.getSize("linear_num_value_heads", 32);
  delta.keyDim = reader.getSize("linear_key_head_dim", 128);
  delta.valueDim = reader.getSize("linear_value_head_dim", 128);
  delta.convWidth = reader.getSize("linear_conv_kernel_dim", 4);
  int64_t interval = reader.getSize("full_attention_interval", 4);
  readLayerTypes(reader, config, [&](int64_t i) {
    return (i + 1) % interval ? TokenMixer::Linear : TokenMixer::Attention;
  });
  expectShared(reader, "num_key_value_heads", config.heads, config.kvHeads);
  expectShared(reader, "linear_num_key_heads", delta.values, delta.keys);
  RotaryOptions options;
  options.headDim = config.headDim;
  options.trainedLength = config.length;
  options.maxLength = request.maxLength.value_or(config.length);
  options.allowsPartial = true;
  options.hasSections = config.hasSections;
  // Null is not the default, but means no part.
  options.defaultPart = reader.isNull("partial_rotary_factor") ? 1.0 : 0.25;
  config.rotary = readRotary(reader, b, options);
  // Keys of earlier models, which these do not look at, and the type of the
  // state that other programs keep.
  reader.ignore({"mamba_ssm_dtype", "max_window_layers", "sliding_window",
                 "use_sliding_window"});
  // Heads that predict more than the next token are no part of the model.
  for (const auto &tensor : reader.getCheckpoint().tensors())
    if (StringRef(tensor.name).starts_with("mtp."))
      b.getCheckpoint().markUsed(tensor.name);
}

/// Reads which layers have experts, and what else is said about those.
static void readExperts(ConfigReader &reader, QwenConfig &config) {
  std::vector<bool> sparse = readSparseLayers(reader, config.layers);
  // Without experts, what is said about them has no effect.
  if (reader.getInt("num_experts", 512) == 0 ||
      !llvm::is_contained(sparse, true)) {
    reader.ignore({"moe_intermediate_size", "norm_topk_prob",
                   "num_experts_per_tok", "shared_expert_intermediate_size"});
    ignoreTrainingOfExperts(reader);
    return;
  }
  config.experts = readQwenSharedExperts(
      reader, config.layer + "mlp.", {512, 10, 512, /*normalized=*/true}, 512);
  config.experts.activation = config.activation;
  for (auto [layer, hasExperts] : llvm::zip(config.order, sparse))
    if (hasExperts)
      layer.feedForward = FeedForward::Experts;
}

/// Reads a GGUF file, whose tensors tell which layers have which mixer. The
/// converter has added one to the weights of norms.
static void readGGUF(ConfigReader &reader, ModelBuilder &b,
                     const FamilyRequest &request, QwenConfig &config) {
  config.isGGUF = true;
  readHybridModel(reader, config);
  Checkpoint &checkpoint = b.getCheckpoint();
  config.layers = dropLaterLayers(reader, checkpoint, config.layers);
  config.order.resize(config.layers);
  config.feedForwardNorm = "post_attention_norm";
  for (auto [i, layer] : llvm::enumerate(config.order))
    if (checkpoint.lookup("blk." + std::to_string(i) + ".ssm_conv1d.weight"))
      layer.mixer = TokenMixer::Linear;
  reader.getIntegers("recurrent_layers");
  reader.ignore({"full_attention_interval"});
  AttentionHeads heads;
  readAttentionHeads(reader, heads, config.hidden);
  config.heads = heads.heads;
  config.kvHeads = heads.kvHeads;
  config.headDim = heads.dim;
  config.attentionBias = false;
  config.inner = reader.has("intermediate_size")
                     ? reader.getSize("intermediate_size", 1)
                     : 1;
  DeltaHeads &delta = config.delta;
  delta.keys = reader.getSize("ssm_groups", 1);
  delta.values = reader.getSize("ssm_heads", 1);
  delta.keyDim = reader.getSize("ssm_state", 1);
  int64_t features = reader.getSize("ssm_inner", 1);
  delta.valueDim = std::max<int64_t>(features / delta.values, 1);
  delta.convWidth = reader.getSize("ssm_width", 1);
  expectShared(reader, "ssm_groups", delta.values, delta.keys);
  expectShared(reader, "ssm_heads", features, delta.values);
  RotaryOptions rotary;
  rotary.trainedLength = config.length;
  readHeadRotary(reader, b, request, heads, rotary);
  config.rotary = *heads.rotary;
}

static ModelFacts buildQwen3NextOfGGUF(ModelBuilder &b, ConfigReader &reader,
                                       const FamilyRequest &request) {
  QwenConfig config;
  readGGUF(reader, b, request, config);
  ExpertDefaults defaults = {512, 10, 512};
  defaults.normalized = true;
  config.experts = readQwenSharedExperts(reader, "", defaults, 512);
  setGGUFExperts(reader, config.layer, config.experts);
  return buildHybridModel<QwenGraph>(b, reader, request, config);
}

static ModelFacts buildQwen3Next(ModelBuilder &b, ConfigReader &reader,
                                 const FamilyRequest &request) {
  if (reader.isGGUF())
    return buildQwen3NextOfGGUF(b, reader, request);
  QwenConfig config;
  config.vocabSize = 151936;
  config.hidden = 2048;
  config.inner = 5632;
  config.layers = 48;
  config.kvHeads = 2;
  readConfig(reader, b, request, config);
  readExperts(reader, config);
  return buildHybridModel<QwenGraph>(b, reader, request, config);
}

/// Builds Qwen3.5; `tied`, where it is given, goes before what `reader` says of
/// tables.
static ModelFacts buildLater(ModelBuilder &b, ConfigReader &reader,
                             const FamilyRequest &request, bool hasExperts,
                             std::optional<bool> tied) {
  QwenConfig config;
  config.vocabSize = 248320;
  config.hidden = hasExperts ? 2048 : 4096;
  config.inner = 12288;
  config.layers = hasExperts ? 40 : 32;
  config.kvHeads = hasExperts ? 2 : 4;
  config.hasSections = true;
  readConfig(reader, b, request, config);
  config.tied = tied.value_or(config.tied);
  if (hasExperts) {
    config.experts = readQwenSharedExperts(
        reader, config.layer + "mlp.", {256, 8, 512, /*normalized=*/true}, 512);
    config.experts.activation = config.activation;
    // Weights are renormalised whatever is said.
    config.experts.router.weighting = RouteWeighting::Normalized;
    for (HybridLayer &layer : config.order)
      layer.feedForward = FeedForward::Experts;
  }
  return buildHybridModel<QwenGraph>(b, reader, request, config);
}

/// Builds the part for text of a model that also sees images.
static ModelFacts buildWrapped(ModelBuilder &b, ConfigReader &reader,
                               const FamilyRequest &request, bool hasExperts) {
  bool tied = reader.getBool("tie_word_embeddings", false);
  return buildTextPart(b, reader, {"model.visual.", "visual.", "mtp."},
                       [&](ConfigReader &text) {
                         return buildLater(b, text, request, hasExperts, tied);
                       });
}

static ModelFacts buildQwen35(ModelBuilder &b, ConfigReader &reader,
                              const FamilyRequest &request) {
  return buildLater(b, reader, request, /*hasExperts=*/false, std::nullopt);
}

static ModelFacts buildQwen35Moe(ModelBuilder &b, ConfigReader &reader,
                                 const FamilyRequest &request) {
  return buildLater(b, reader, request, /*hasExperts=*/true, std::nullopt);
}

static ModelFacts buildQwen35Wrapper(ModelBuilder &b, ConfigReader &reader,
                                     const FamilyRequest &request) {
  return buildWrapped(b, reader, request, /*hasExperts=*/false);
}

static ModelFacts buildQwen35MoeWrapper(ModelBuilder &b, ConfigReader &reader,
                                        const FamilyRequest &request) {
  return buildWrapped(b, reader, request, /*hasExperts=*/true);
}

namespace weir {
void registerQwen3NextFamily(FamilyTable &table) {
  table.add({"qwen3_next",
             "Qwen3NextForCausalLM",
             "Qwen3NextModel",
             "qwen3next",
             {},
             buildQwen3Next});
}

void registerQwen35Family(FamilyTable &table) {
  table.add({"qwen3_5_text",
             "Qwen3_5ForCausalLM",
             "Qwen3_5TextModel",
             "",
             {},
             buildQwen35});
}

void registerQwen35MoeFamily(FamilyTable &table) {
  table.add({"qwen3_5_moe_text",
             "Qwen3_5MoeForCausalLM",
             "Qwen3_5MoeTextModel",
             "",
             {},
             buildQwen35Moe});
}

void registerQwen35WrapperFamily(FamilyTable &table) {
  table.add({"qwen3_5",
             "Qwen3_5ForConditionalGeneration",
             "Qwen3_5Model",
             "",
             {},
             buildQwen35Wrapper});
}

void registerQwen35MoeWrapperFamily(FamilyTable &table) {
  table.add({"qwen3_5_moe",
             "Qwen3_5MoeForConditionalGeneration",
             "Qwen3_5MoeModel",
             "",
             {},
             buildQwen35MoeWrapper});
}
} // namespace weir
