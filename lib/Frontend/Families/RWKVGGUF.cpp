//===- RWKVGGUF.cpp - RWKV-6 and RWKV-7 in GGUF files -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The same mixers as in the layout of flash-linear-attention, whose weights are
// joined otherwise: shares of the token before for all projections are one
// tensor, and sizes in between are those of the tensors. QRWKV-6 and ARWKV-7
// (arXiv:2501.15570) have these mixers, changed, in the place of attention in
// Qwen2, and its norms and perceptrons.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "FlaRWKV.h"
#include "StateSpaceLayers.h"
#include <cmath>

using namespace mlir;
using namespace weir;

/// GGUF's names of the keys below.
static constexpr ConfigAlias ggufAliases[] = {
    {"hidden_size", "embedding_length"},
    {"num_hidden_layers", "block_count"},
    {"max_position_embeddings", "context_length"},
    {"intermediate_size", "feed_forward_length"},
    {"layer_norm_epsilon", "attention.layer_norm_epsilon"},
    {"head_count", "attention.head_count"},
    {"head_size", "wkv.head_size"},
    {"rescale_every", "rescale_every_n_layers"},
    {"mix_rank", "time_mix_extra_dim"},
    {"decay_rank", "time_decay_extra_dim"},
    {"token_shifts", "token_shift_count"},
    {"decay_lora", "attention.decay_lora_rank"},
    {"rate_lora", "attention.iclr_lora_rank"},
    {"value_lora", "attention.value_residual_mix_lora_rank"},
    {"gate_lora", "attention.gate_lora_rank"},
    {"vocab_size", "vocab_size"},
};

/// The same of models made from Qwen2, whose norms are others.
static constexpr ConfigAlias qwenAliases[] = {
    {"layer_norm_epsilon", "attention.layer_norm_rms_epsilon"},
    {"other_epsilon", "attention.layer_norm_epsilon"},
    {"kv_heads", "attention.head_count_kv"},
};

/// Norms of heads have this epsilon, whatever the file says of others.
static constexpr double headEps = 64e-5;

namespace {

/// The sizes of such a model.
struct GGUFConfig {
  int64_t vocabSize = 0, hidden = 0, layers = 0, inner = 0, headSize = 1;
  int64_t length = 0, rescaleEvery = 0;
  /// Whether norms and perceptrons are Qwen2's, and how many heads of keys and
  /// values there are then.
  bool isQwen = false;
  int64_t kvHeads = 1;
  double eps = 1e-5;

  int64_t getHeads() const { return hidden / headSize; }
};

/// Builds the layers.
class GGUFGraph {
public:
  GGUFGraph(ModelBuilder &builder, const GGUFConfig &config)
      : b(builder), config(config) {}

  Value norm(Value x, StringRef key) {
    return config.isQwen ? b.rmsNorm(x, key.str(), config.eps)
                         : b.layerNorm(x, key, config.eps);
  }
  /// What the halves of a layer read of `x`.
  Value beginTimeMix(Value x) {
    b.setScope("blk.*.time_mix");
    return norm(x, "blk.*.attn_norm");
  }
  Value beginChannelMix(Value x) {
    b.setScope(config.isQwen ? "blk.*.ffn" : "blk.*.channel_mix");
    return norm(x, config.isQwen ? "blk.*.ffn_norm" : "blk.*.attn_norm_2");
  }
  Value mixTime6(Value x);
  /// Qwen2's perceptron in models of its kind, as in version 7.
  Value mixChannels6(Value x);
  /// `first` is the first layer's value, which that layer sets.
  Value mixTime7(Value x, Value &first, bool isFirst);
  Value mixChannels7(Value x);
  /// Halves hidden states behind each so many layers.
  Value rescale(Value x);

private:
  Value feedForward(Value x) {
    return b.mlp(x, {key("ffn_up"), key("ffn_down"), key("ffn_gate")},
                 config.inner, "silu");
  }
  std::string key(StringRef name) const { return ("blk.*." + name).str(); }
  /// The tensor `name`.weight, however many axes of one it has, as `shape`.
  Param reshaped(StringRef name, ArrayRef<int64_t> shape);
  /// Row `index` of `rows` rows of the hidden size.
  Value row(StringRef name, int64_t rows, int64_t index, StringRef label);
  /// The rows of a matrix, or 1 where it is missing.
  int64_t getRows(StringRef name);
  /// `second(act(first(x)))`, of the tensors `name`1 and `name`2.
  Value lowRank(Value x, StringRef name, StringRef activation);
  Value project(Value x, StringRef name, int64_t features) {
    return b.linear(x, key(name), features);
  }
  /// The same with a bias, where there is one, and with heads apart.
  Value projectHeads(Value x, StringRef name, int64_t count);
  /// What is left of `input` where a state decays by the logarithm `decay`.
  Value keepRest(Value input, Value decay) {
    return b.add(input, b.scale(b.mul(input, exp(b, decay)), -1.0));
  }

  ModelBuilder &b;
  const GGUFConfig &config;
};

} // namespace

Param GGUFGraph::reshaped(StringRef name, ArrayRef<int64_t> shape) {
  std::string tensor = key(name) + ".weight";
  auto extents = b.getExtents(tensor);
  auto count = [](ArrayRef<int64_t> sizes) {
    int64_t product = 1;
    for (int64_t size : sizes)
      product *= size;
    return product;
  };
  if (!extents || *extents == shape || count(*extents) != count(shape))
    return b.param(tensor, shape);
  return b.reshape(b.param(tensor, *extents), shape);
}

Value GGUFGraph::row(StringRef name, int64_t rows, int64_t index,
                     StringRef label) {
  Param all = reshaped(name, {rows, config.hidden});
  return b.read(b.reshape(b.slice(all, 0, index, 1, label), {config.hidden}));
}

int64_t GGUFGraph::getRows(StringRef name) {
  auto extents = b.getExtents(key(name) + ".weight");
  return extents && !extents->empty() ? extents->front() : 1;
}

Value GGUFGraph::lowRank(Value x, StringRef name, StringRef activation) {
  std::string first = (name + "1").str(), second = (name + "2").str();
  Value narrow = project(x, first, getRows(first));
  if (!activation.empty())
    narrow = b.activation(narrow, activation);
  return project(narrow, second, config.hidden);
}

Value GGUFGraph::projectHeads(Value x, StringRef name, int64_t count) {
  bool bias = b.hasTensor(key(name) + ".bias");
  return b.splitHeads(b.linear(x, key(name), count * config.headSize, bias),
                      count);
}

Value GGUFGraph::rescale(Value x) {
  int64_t every = config.rescaleEvery;
  if (every <= 0 || every > config.layers)
    return x;
  Param factor = b.layerScalars(key("rescale"), [&](int64_t layer) {
    return (layer + 1) % every == 0 ? 0.5f : 1.0f;
  });
  return b.mul(x, b.read(factor));
}

//===----------------------------------------------------------------------===//
// RWKV-6
//===----------------------------------------------------------------------===//

Value GGUFGraph::mixTime6(Value x) {
  int64_t hidden = config.hidden, heads = config.getHeads();
  Value before = shift(b, x);
  auto flat = [&](StringRef name) { return b.read(reshaped(name, {hidden})); };
  Value mean = lerp(b, x, before, flat("time_mix_lerp_x"));
  int64_t rank = std::max<int64_t>(getRows("time_mix_w1") / 5, 1);
  Value mix = b.activation(project(mean, "time_mix_w1", 5 * rank), "tanh");
  Param matrix = reshaped("time_mix_w2", {5, hidden, rank});
  bool isFused = b.hasTensor(key("time_mix_lerp_fused.weight"));
  // How much of the token before goes into each of the five depends on both.
  auto mixed = [&](int64_t index, const std::string &name) {
    Param part = b.reshape(b.slice(matrix, 0, index, 1, name), {hidden, rank});
    Value share = isFused ? row("time_mix_lerp_fused", 5, index, name)
                          : flat("time_mix_lerp_" + name);
    Value bent = b.linear(sliceFeatures(b, mix, index * rank, rank),
                          b.read(part), share);
    return lerp(b, x, before, bent);
  };
  RecurrenceInputs in;
  Value decay = lowRank(mixed(0, "w"), "time_mix_decay_w", "tanh");
  decay = b.add(decay, flat("time_mix_decay"));
  in.decay = b.splitHeads(b.scale(exp(b, decay), -1.0), heads);
  int64_t kvHeads = config.isQwen ? config.kvHeads : heads;
  in.key = projectHeads(mixed(1, "k"), "time_mix_key", kvHeads);
  in.value = projectHeads(mixed(2, "v"), "time_mix_value", kvHeads);
  in.query = projectHeads(mixed(3, "r"), "time_mix_receptance", heads);
  Value gate = project(mixed(4, "g"), "time_mix_gate", hidden);
  if (config.isQwen) {
    in.key = keepRest(repeatHeads(b, in.key, heads / kvHeads), in.decay);
    in.value = repeatHeads(b, in.value, heads / kvHeads);
    in.scale = 1.0 / std::sqrt(static_cast<double>(config.headSize));
    Value out = b.mergeHeads(recurrence(b, in));
    return project(b.mul(out, sigmoid(b, gate)), "time_mix_output", hidden);
  }
  in.bonus = b.read(reshaped("time_mix_first", {heads, config.headSize}));
  gate = b.activation(gate, "silu");
  Value out = groupNorm(b, recurrence(b, in), flat("time_mix_ln"),
                        b.weight(key("time_mix_ln.bias"), {hidden}), headEps);
  return project(b.mul(out, gate), "time_mix_output", hidden);
}

Value GGUFGraph::mixChannels6(Value x) {
  if (config.isQwen)
    return feedForward(x);
  Value before = shift(b, x);
  auto mixed = [&](StringRef name) {
    return lerp(b, x, before, b.read(reshaped(name, {config.hidden})));
  };
  Value inner =
      project(mixed("channel_mix_lerp_k"), "channel_mix_key", config.inner);
  Value value =
      project(b.activation(inner, "relu2"), "channel_mix_value", config.hidden);
  Value open = project(mixed("channel_mix_lerp_r"), "channel_mix_receptance",
                       config.hidden);
  return b.mul(value, sigmoid(b, open));
}

//===----------------------------------------------------------------------===//
// RWKV-7
//===----------------------------------------------------------------------===//

Value GGUFGraph::mixTime7(Value x, Value &first, bool isFirst) {
  int64_t hidden = config.hidden, heads = config.getHeads();
  Value before = shift(b, x);
  auto flat = [&](StringRef name) { return b.read(reshaped(name, {hidden})); };
  bool isGated = b.hasTensor(key("time_mix_g1.weight"));
  auto mixed = [&](int64_t index, StringRef name) {
    return lerp(b, x, before,
                row("time_mix_lerp_fused", isGated ? 6 : 5, index, name));
  };
  auto biased = [&](Value input, const std::string &name,
                    StringRef activation) {
    return b.add(lowRank(input, name, activation), flat(name + "0"));
  };
  RWKV7Token token;
  token.heads = heads;
  token.query = project(mixed(0, "r"), "time_mix_receptance", hidden);
  token.decay = biased(mixed(1, "w"), "time_mix_w", "tanh");
  token.key = project(mixed(2, "k"), "time_mix_key", hidden);
  Value xv = mixed(3, "v");
  token.value = project(xv, "time_mix_value", hidden);
  if (isFirst)
    first = token.value;
  else
    token.value =
        lerp(b, token.value, first, sigmoid(b, biased(xv, "time_mix_v", "")));
  token.rate = sigmoid(b, biased(mixed(4, "a"), "time_mix_a", ""));
  if (isGated)
    token.gate = lowRank(mixed(5, "g"), "time_mix_g", "sigmoid");
  token.removal = flat("time_mix_k_k");
  token.replacement = flat("time_mix_k_a");
  token.own = b.read(reshaped("time_mix_r_k", {heads, config.headSize}));
  if (b.hasTensor(key("time_mix_ln.weight"))) {
    token.normScale = flat("time_mix_ln");
    token.normShift = b.weight(key("time_mix_ln.bias"), {hidden});
  }
  token.normEps = headEps;
  return project(mixRWKV7(b, token), "time_mix_output", hidden);
}

Value GGUFGraph::mixChannels7(Value x) {
  if (config.isQwen)
    return feedForward(x);
  Value share = b.read(reshaped("channel_mix_lerp_k", {config.hidden}));
  Value inner =
      project(lerp(b, x, shift(b, x), share), "channel_mix_key", config.inner);
  return project(b.activation(inner, "relu2"), "channel_mix_value",
                 config.hidden);
}

//===----------------------------------------------------------------------===//
// The model
//===----------------------------------------------------------------------===//

static GGUFConfig readConfig(ConfigReader &reader, StringRef architecture,
                             bool isQwen = false) {
  reader.setAliases(architecture, ggufAliases);
  GGUFConfig config;
  config.isQwen = isQwen;
  if (isQwen)
    reader.setAliases(architecture, qwenAliases);
  config.hidden = reader.getSize("hidden_size", 1);
  config.layers = readLayers(reader, "num_hidden_layers", 1);
  config.inner = reader.getSize("intermediate_size", 1);
  config.headSize = reader.getSize("head_size", 1);
  config.length = reader.getSize("max_position_embeddings", 1);
  config.eps = readEpsilon(reader, "layer_norm_epsilon", 1e-5);
  config.rescaleEvery = reader.getInt("rescale_every", 0);
  if (config.hidden % config.headSize)
    reader.emitError("head_size")
        << "key '" << reader.getSpelling("head_size") << "' is "
        << config.headSize << ", expected a divisor of the " << config.hidden
        << " features of hidden states";
  int64_t heads = std::max<int64_t>(config.getHeads(), 1);
  config.kvHeads = reader.getInt("kv_heads", 0);
  if (config.kvHeads == 0)
    config.kvHeads = heads;
  if (config.kvHeads < 0 || heads % config.kvHeads) {
    reader.emitError("kv_heads")
        << "key '" << reader.getSpelling("kv_heads") << "' is "
        << config.kvHeads << ", expected a divisor of the " << heads
        << " heads";
    config.kvHeads = heads;
  }
  // The tensors are the authority on what they are sizes of.
  reader.ignore({"decay_lora", "decay_rank", "gate_lora", "head_count",
                 "mix_rank", "other_epsilon", "rate_lora", "token_shifts",
                 "value_lora", "vocab_size"});
  config.vocabSize =
      countTableRows(reader.getCheckpoint(), "token_embd", config.vocabSize);
  return config;
}

/// Builds a layer of the first kind, or of the others.
using LayerFn = function_ref<SmallVector<Value>(GGUFGraph &, ValueRange, bool)>;

static ModelFacts build(ModelBuilder &b, ConfigReader &reader,
                        const FamilyRequest &request, const GGUFConfig &config,
                        bool carriesFirst, LayerFn layer) {
  ModelFacts facts;
  facts.vocabSize = config.vocabSize;
  facts.maxLength = ModelFacts::unlimited;
  reader.finish();
  if (reader.hasFailed())
    return facts;
  TokenTables tables =
      resolveTables(b.getCheckpoint(), "token_embd.weight", "output.weight",
                    !b.getCheckpoint().lookup("output.weight"));
  GGUFGraph graph(b, config);
  Value ids = b.beginForward();
  b.setScope("token_embd");
  Value x = b.embedding(ids, tables.embedding, config.vocabSize, config.hidden);
  if (!config.isQwen)
    x = graph.norm(x, "token_embd_norm");
  SmallVector<Value> carried = {x};
  SmallVector<int32_t> order(config.layers, 0);
  if (carriesFirst) {
    carried.push_back(fillLike(b, carried.front(), config.hidden, 0.0));
    std::fill(order.begin() + 1, order.end(), 1);
  }
  x = b.stack(carried, order, [&](int32_t kind, ValueRange inputs) {
         return layer(graph, inputs, kind == 0);
       }).front();
  b.setScope("output_norm");
  x = graph.norm(x, "output_norm");
  if (request.hasHead)
    x = b.linear(x, b.weight(tables.head, {config.vocabSize, config.hidden}),
                 Value());
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", x);
  return facts;
}

static ModelFacts buildVersion6(ModelBuilder &b, ConfigReader &reader,
                                const FamilyRequest &request,
                                const GGUFConfig &config) {
  return build(
      b, reader, request, config, /*carriesFirst=*/false,
      [&](GGUFGraph &graph, ValueRange inputs, bool) -> SmallVector<Value> {
        Value x = inputs.front();
        Value normed = graph.beginTimeMix(x);
        x = b.add(x, graph.mixTime6(normed));
        normed = graph.beginChannelMix(x);
        return {graph.rescale(b.add(x, graph.mixChannels6(normed)))};
      });
}

static ModelFacts buildVersion7(ModelBuilder &b, ConfigReader &reader,
                                const FamilyRequest &request,
                                const GGUFConfig &config) {
  // The first layer has no value to mix its own with, but files have some.
  for (StringRef name : {"v0", "v1", "v2"})
    b.getCheckpoint().markUsed(("blk.0.time_mix_" + name + ".weight").str());
  return build(b, reader, request, config, /*carriesFirst=*/true,
               [&](GGUFGraph &graph, ValueRange inputs,
                   bool isFirst) -> SmallVector<Value> {
                 Value x = inputs[0], first = inputs[1];
                 Value normed = graph.beginTimeMix(x);
                 x = b.add(x, graph.mixTime7(normed, first, isFirst));
                 normed = graph.beginChannelMix(x);
                 return {b.add(x, graph.mixChannels7(normed)), first};
               });
}

ModelFacts weir::buildRWKV6OfGGUF(ModelBuilder &b, ConfigReader &reader,
                                  const FamilyRequest &request) {
  return buildVersion6(b, reader, request, readConfig(reader, "rwkv6"));
}

ModelFacts weir::buildRWKV7OfGGUF(ModelBuilder &b, ConfigReader &reader,
                                  const FamilyRequest &request) {
  return buildVersion7(b, reader, request, readConfig(reader, "rwkv7"));
}

static ModelFacts buildQRWKV6(ModelBuilder &b, ConfigReader &reader,
                              const FamilyRequest &request) {
  return buildVersion6(b, reader, request,
                       readConfig(reader, "rwkv6qwen2", /*isQwen=*/true));
}

static ModelFacts buildARWKV7(ModelBuilder &b, ConfigReader &reader,
                              const FamilyRequest &request) {
  return buildVersion7(b, reader, request,
                       readConfig(reader, "arwkv7", /*isQwen=*/true));
}

namespace weir {
void registerRWKVQwenFamilies(FamilyTable &table) {
  // transformers has neither, so that these are files of GGUF alone.
  table.add({"", "", "", "rwkv6qwen2", {}, buildQRWKV6});
  table.add({"", "", "", "arwkv7", {}, buildARWKV7});
}
} // namespace weir
