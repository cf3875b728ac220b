//===- Zamba.cpp - The Zamba and Zamba2 families -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layers of a state-space mixer, some of which add to the mixer's input what a
// transformer block makes of the hidden states and the embeddings. There are
// few such blocks, which take turns, so that layers share their weights: one in
// Zamba (arXiv:2405.16712), whose mixers are several heads of Mamba; one or
// more in Zamba2 (arXiv:2411.15242), whose mixers are those of Mamba-2, and
// which adapts a block's projections for each use by matrices of low rank.
//
//===----------------------------------------------------------------------===//

#include "HeadAttention.h"
#include "HybridModel.h"
#include "StateSpaceLayers.h"
#include "StateSpaceMixers.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

/// The blocks' adapters of low rank.
struct AdapterSpec {
  int64_t rank = 128;
  /// Whether attention has them; perceptrons do.
  bool inAttention = false;
};

struct ZambaConfig : HybridModel {
  int64_t inner = 1;
  AttentionHeads heads;
  /// What a block's keys begin with, behind those of the layer.
  std::string block;
  /// The layer that holds each block.
  SmallVector<int64_t> holders;
  /// How many uses of any block there are in front of each layer.
  SmallVector<int64_t> uses;
  /// Zamba's mixers: Mamba of several heads.
  MambaSpec mamba;
  int64_t mambaHeads = 1;
  /// Zamba2's mixers and adapters, or none.
  std::optional<Mamba2Spec> mamba2;
  std::optional<AdapterSpec> adapters;
  /// Whether a block's perceptron has biases.
  bool bias = false;
};

/// Builds the layers.
class ZambaGraph {
public:
  ZambaGraph(ModelBuilder &builder, const ZambaConfig &config)
      : b(builder), config(config) {}

  /// Keeps the embeddings and builds what layers share.
  void begin(Value ids, Value embeddings);
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  /// The state-space mixer, whose keys begin with `prefix`.
  Value buildMixer(const std::string &prefix, Value x);
  /// Mamba with several heads, each of which has a selection of its own.
  Value buildMambaHeads(const MambaSpec &spec, Value x);
  /// One head, `x` being its part of the convolution's features.
  Value buildMambaHead(const MambaSpec &spec, int64_t head, Value x);
  /// The transformer block of a layer.
  Value buildBlock(const std::string &prefix, Value x);
  Value buildPerceptron(const std::string &prefix, Value x);
  /// `projected` and what the layer's own matrices `list` make of `x`.
  Value adapt(const std::string &list, Value x, Value projected);

  ModelBuilder &b;
  const ZambaConfig &config;
  Value embeddings;
  RotaryValues rotary;
};

} // namespace

//===----------------------------------------------------------------------===//
// Mixers
//===----------------------------------------------------------------------===//

Value ZambaGraph::buildMambaHead(const MambaSpec &spec, int64_t head, Value x) {
  int64_t dim = spec.inner / config.mambaHeads, heads = config.mambaHeads;
  int64_t rank = spec.rank, state = spec.state;
  auto read = [&](const std::string &key, ArrayRef<int64_t> shape) {
    SmallVector<int64_t> all(shape);
    all.insert(all.begin(), heads);
    Param own = b.slice(b.param(key, all), 0, head, 1, std::to_string(head));
    return b.read(b.reshape(own, shape));
  };
  Value selected =
      b.linear(x, read(spec.selection, {rank + 2 * state, dim}), Value());
  Value step = b.linear(sliceFeatures(b, selected, 0, rank),
                        read(spec.step + "_weight", {dim, rank}),
                        read(spec.step + "_bias", {dim}));
  Value y = selectiveScan(b, x, softplus(b, step),
                          negativeExp(b, read(spec.rate, {dim, state})),
                          sliceFeatures(b, selected, rank, state),
                          sliceFeatures(b, selected, rank + state, state));
  return b.add(y, b.mul(x, read(spec.skip, {dim})));
}

Value ZambaGraph::buildMambaHeads(const MambaSpec &spec, Value x) {
  int64_t inner = spec.inner, dim = inner / config.mambaHeads;
  b.setScope(spec.input);
  // Rows of input and gate alternate.
  auto project = [&](int64_t offset, StringRef name) {
    auto cut = [&](StringRef suffix, ArrayRef<int64_t> shape) {
      Param all = b.param(spec.input + suffix.str(), shape);
      return b.read(cutGroups(b, all, inner, offset, 1, name));
    };
    Value weight = cut(".weight", {2 * inner, spec.hidden});
    return b.linear(x, weight, spec.bias ? cut(".bias", {2 * inner}) : Value());
  };
  b.setScope(spec.conv);
  Value weight =
      convKernel(b, spec.conv + ".weight", inner, spec.width, /*flat=*/false);
  Value bias = spec.convBias ? b.weight(spec.conv + ".bias", {inner}) : Value();
  Value mixed =
      activatedConv(b, project(0, "input"), weight, bias, spec.activation);
  b.setScope(spec.rate);
  SmallVector<Value> heads;
  for (int64_t head = 0; head < config.mambaHeads; ++head)
    heads.push_back(
        buildMambaHead(spec, head, sliceFeatures(b, mixed, head * dim, dim)));
  Value y = heads.size() == 1 ? heads.front() : concatFeatures(b, heads);
  y = b.mul(y, b.activation(project(1, "gate"), "silu"));
  b.setScope(spec.output);
  return b.linear(y, spec.output, spec.hidden, spec.bias);
}

Value ZambaGraph::buildMixer(const std::string &prefix, Value x) {
  if (config.mamba2) {
    Mamba2Spec spec = *config.mamba2;
    setMamba2MixerKeys(spec, prefix);
    return mamba2Mixer(b, spec, x);
  }
  MambaSpec spec = config.mamba;
  setMambaMixerKeys(spec, prefix);
  // These are no modules, so that their names are those of the tensors.
  spec.selection += "_weight";
  return buildMambaHeads(spec, x);
}

//===----------------------------------------------------------------------===//
// Blocks and layers
//===----------------------------------------------------------------------===//

void ZambaGraph::begin(Value ids, Value tokens) {
  embeddings = tokens;
  rotary = buildRotaryValues(b, ids, config.heads.rotary);
}

Value ZambaGraph::adapt(const std::string &list, Value x, Value projected) {
  // Adapters are counted by uses of any block.
  auto read = [&](StringRef name, int64_t rows, int64_t columns) {
    return b.read(
        b.layerParam(list + ".*." + name.str() + ".weight", {rows, columns},
                     [&](int64_t layer) { return config.uses[layer]; }));
  };
  auto getFeatures = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getShape().back();
  };
  int64_t rank = config.adapters->rank;
  Value narrow = b.linear(x, read("0", rank, getFeatures(x)), Value());
  return b.add(
      projected,
      b.linear(narrow, read("1", getFeatures(projected), rank), Value()));
}

Value ZambaGraph::buildPerceptron(const std::string &prefix, Value x) {
  b.setScope(prefix + "down_proj");
  if (!config.adapters)
    return b.mlp(
        x, {prefix + "up_proj", prefix + "down_proj", prefix + "gate_proj"},
        config.inner, config.activation);
  std::string both = prefix + "gate_up_proj";
  Value projected = adapt(both + "_adapter_list", x,
                          b.linear(x, both, 2 * config.inner, config.bias));
  Value gate = sliceFeatures(b, projected, 0, config.inner);
  Value up = sliceFeatures(b, projected, config.inner, config.inner);
  return b.linear(b.mul(b.activation(gate, config.activation), up),
                  prefix + "down_proj", config.hidden, config.bias);
}

Value ZambaGraph::buildBlock(const std::string &prefix, Value x) {
  b.setScope(prefix + "input_layernorm");
  Value both = b.rmsNorm(concatFeatures(b, {x, embeddings}),
                         prefix + "input_layernorm", config.eps);
  std::string keys = prefix + "self_attn.";
  Value seen =
      headAttention(b, both, keys, config.heads, rotary,
                    [&](StringRef name, Value projected) {
                      if (!config.adapters || !config.adapters->inAttention)
                        return projected;
                      // "q_proj" is adapted by "linear_q_adapter_list".
                      return adapt(keys + "linear_" + name.take_front().str() +
                                       "_adapter_list",
                                   both, projected);
                    });
  b.setScope(prefix + "pre_ff_layernorm");
  Value normed = b.rmsNorm(seen, prefix + "pre_ff_layernorm", config.eps);
  return buildPerceptron(prefix + "feed_forward.", normed);
}

Value ZambaGraph::buildLayer(const HybridLayer &kind, Value x) {
  std::string layer = config.layer;
  Value input = x;
  if (kind.mixer == TokenMixer::Both) {
    int64_t holder = config.holders[kind.variant];
    Value block = buildBlock(config.model + "layers." + std::to_string(holder) +
                                 "." + config.block,
                             x);
    input = b.add(x, b.linear(block, layer + "linear", config.hidden));
    layer += "mamba_decoder.";
  }
  b.setScope(layer + "input_layernorm");
  Value normed = b.rmsNorm(input, layer + "input_layernorm", config.eps);
  return b.add(x, buildMixer(layer + "mamba.", normed));
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

/// Reads what both families have. The numbers in `config` are the defaults, and
/// `isHybrid` tells where there is no list which layers have a block.
static void readZamba(ConfigReader &reader, ZambaConfig &config,
                      int64_t kvHeads, function_ref<bool(int64_t)> isHybrid) {
  config.length = 4096;
  config.eps = 1e-5;
  config.tied = true;
  config.activation = "gelu";
  config.finalNorm = "final_layernorm";
  readHybridModel(reader, config);
  static constexpr HybridLayer plain = {TokenMixer::Linear, FeedForward::None};
  static constexpr HybridLayer hybrid = {TokenMixer::Both, FeedForward::None};
  if (!readLayerNames(
          reader, config,
          {{"linear_attention", plain}, {"mamba", plain}, {"hybrid", hybrid}}))
    for (auto [i, layer] : llvm::enumerate(config.order))
      layer = isHybrid(static_cast<int64_t>(i)) ? hybrid : plain;

  // Both read the hidden states and the embeddings, one behind the other.
  int64_t wide = 2 * config.hidden;
  reader.expect("attention_hidden_size", wide,
                "attention reads twice the hidden features");
  AttentionHeads &heads = config.heads;
  heads.heads = reader.getSize("num_attention_heads", heads.heads);
  heads.kvHeads = kvHeads ? kvHeads : heads.heads;
  // What is stored under the library's own name goes first.
  int64_t dim = std::max<int64_t>(wide / heads.heads, 1);
  int64_t named = reader.getSize("attention_head_dim", dim);
  readAttentionHeads(reader, heads, config.hidden);
  heads.dim = reader.getSize("head_dim", named);
  heads.scale = 1.0 / std::sqrt(static_cast<double>(heads.dim) / 2);
  // How scans are computed, how weights are drawn, for how many positions
  // logits are wanted, and what follows from other numbers.
  reader.ignore({"hybrid_layer_ids", "kv_channels", "num_logits_to_keep",
                 "num_query_groups", "time_step_floor", "time_step_max",
                 "use_associative_scan", "use_mamba_kernels",
                 "use_mem_eff_path"});
}

/// Marks the tensors of a layer's block that are those of its holder's block
/// once more.
static void markCopies(Checkpoint &checkpoint, StringRef copy,
                       StringRef holder) {
  for (const TensorInfo &tensor : checkpoint.tensors()) {
    StringRef rest = tensor.name;
    if (!rest.consume_front(copy))
      continue;
    const TensorInfo *held = checkpoint.lookup((holder + rest).str());
    if (held && held->type == tensor.type && held->shape == tensor.shape &&
        held->bytes == tensor.bytes)
      checkpoint.markUsed(tensor.name);
  }
}

/// Marks adapters that a block has for other uses than `use`.
static void markOtherAdapters(Checkpoint &checkpoint, StringRef block,
                              int64_t use) {
  std::string own = "_adapter_list." + std::to_string(use) + ".";
  for (const TensorInfo &tensor : checkpoint.tensors()) {
    StringRef name = tensor.name;
    if (name.starts_with(block) && name.contains("_adapter_list.") &&
        !name.contains(own))
      checkpoint.markUsed(name);
  }
}

/// Says which layer holds each of `blocks` blocks, which take turns. A layer
/// may have a copy of its block. Without tied embeddings transformers ties no
/// blocks either: each layer holds its own.
static void placeBlocks(ModelBuilder &b, ZambaConfig &config, int64_t blocks) {
  Checkpoint &checkpoint = b.getCheckpoint();
  auto getPrefix = [&](int64_t layer) {
    return config.model + "layers." + std::to_string(layer) + "." +
           config.block;
  };
  int64_t use = 0;
  for (auto [i, layer] : llvm::enumerate(config.order)) {
    config.uses.push_back(use);
    if (layer.mixer != TokenMixer::Both)
      continue;
    auto number = static_cast<int64_t>(i);
    layer.variant = config.tied ? use % blocks : use;
    if (layer.variant == static_cast<int64_t>(config.holders.size()))
      config.holders.push_back(number);
    else
      markCopies(checkpoint, getPrefix(number),
                 getPrefix(config.holders[layer.variant]));
    if (!config.tied)
      markOtherAdapters(checkpoint, getPrefix(number), use);
    ++use;
  }
}

static ModelFacts buildModel(ModelBuilder &b, ConfigReader &reader,
                             const FamilyRequest &request,
                             const ZambaConfig &config) {
  ModelFacts facts = buildHybridModel<ZambaGraph>(b, reader, request, config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

static ModelFacts buildZamba(ModelBuilder &b, ConfigReader &reader,
                             const FamilyRequest &request) {
  ZambaConfig config;
  config.vocabSize = 32000;
  config.hidden = 3712;
  config.layers = 76;
  config.heads.heads = 16;
  config.block = "shared_transf.";
  int64_t period = reader.getSize("attn_layer_period", 6);
  int64_t offset = reader.getInt("attn_layer_offset", 4);
  readZamba(reader, config, /*kvHeads=*/16, [&](int64_t layer) {
    return layer < 3 ? layer == 2 : (layer - 3) % period == offset;
  });
  config.inner = reader.getSize("intermediate_size", 14848);
  MambaSpec &mixer = config.mamba;
  readHybridMamba(reader, mixer, config.hidden);
  mixer.activation = reader.getString("hidden_mamba_act", "silu");
  config.mambaHeads = reader.getSize("n_mamba_heads", 2);
  if (mixer.inner % config.mambaHeads)
    reader.emitError("n_mamba_heads")
        << "key 'n_mamba_heads' is " << config.mambaHeads
        << ", expected a divisor of the " << mixer.inner << " inner features";
  reader.ignore({"time_step_min"});
  placeBlocks(b, config, /*blocks=*/1);
  return buildModel(b, reader, request, config);
}

/// Where a model of 54 layers has its blocks.
static bool isZamba2Hybrid(int64_t layer) {
  return layer <= 42 ? layer && layer % 6 == 0 : layer == 47 || layer == 51;
}

static ModelFacts buildZamba2(ModelBuilder &b, ConfigReader &reader,
                              const FamilyRequest &request) {
  ZambaConfig config;
  config.vocabSize = 32000;
  config.hidden = 2560;
  config.layers = 54;
  config.heads.heads = 32;
  config.block = "shared_transformer.";
  readZamba(reader, config, /*kvHeads=*/0, isZamba2Hybrid);
  config.inner = reader.getSize("intermediate_size", 4 * config.hidden);
  if (reader.getBool("use_long_context", false))
    config.length = 16384;
  bool bias = config.bias = reader.getBool("add_bias_linear", false);

  Mamba2Spec &mixer = config.mamba2.emplace();
  mixer.hidden = config.hidden;
  mixer.inner = static_cast<int64_t>(reader.getFloat("mamba_expand", 2) *
                                     static_cast<double>(config.hidden));
  mixer.heads = reader.getSize("n_mamba_heads", 8);
  mixer.groups = reader.getSize("mamba_ngroups", 1);
  mixer.state = reader.getSize("mamba_d_state", 64);
  mixer.width = reader.getSize("mamba_d_conv", 4);
  mixer.bias = mixer.outputBias = bias;
  mixer.stepMin = reader.getFloat("time_step_min", 0.001);
  checkMamba2Heads(
      reader, mixer,
      reader.getSize("mamba_headdim",
                     std::max<int64_t>(mixer.inner / mixer.heads, 1)),
      "n_mamba_heads", "mamba_ngroups");

  AdapterSpec &adapters = config.adapters.emplace();
  adapters.rank = reader.getSize("adapter_rank", 128);
  adapters.inAttention = reader.getBool("use_shared_attention_adapter", false);
  if (reader.getBool("use_mem_rope", false)) {
    RotaryOptions rotary;
    rotary.trainedLength = config.length;
    readHeadRotary(reader, b, request, config.heads, rotary);
  }
  // Convolutions have a bias whatever is said; the rest is how sequences are
  // cut, and a rotation that may not be wanted.
  reader.ignore({"chunk_size", "rope_parameters", "rope_scaling", "rope_theta",
                 "use_conv_bias"});
  placeBlocks(b, config, reader.getSize("num_mem_blocks", 1));
  return buildModel(b, reader, request, config);
}

namespace weir {
void registerZambaFamily(FamilyTable &table) {
  table.add({"zamba", "ZambaForCausalLM", "ZambaModel", "", {}, buildZamba});
}

void registerZamba2Family(FamilyTable &table) {
  table.add(
      {"zamba2", "Zamba2ForCausalLM", "Zamba2Model", "", {}, buildZamba2});
}
} // namespace weir
