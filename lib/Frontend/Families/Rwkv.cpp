//===- Rwkv.cpp - The RWKV-4 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// RWKV-4 (arXiv:2305.13048): weighted means over the past and a perceptron,
// both of mixtures of a token and the one before it. transformers halves the
// hidden state every so many layers, and later results with it, which the
// epsilons of the norms tell from the model as it was trained.
//
//===----------------------------------------------------------------------===//

#include "StateSpaceLayers.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

struct RwkvConfig {
  int64_t vocabSize, hidden, inner, attention, layers, rescaleEvery;
  double eps;
  bool tied;
  /// What keys of blocks begin with; `*` is the layer.
  std::string model, block;
};

/// Builds the layers.
class RwkvGraph {
public:
  RwkvGraph(ModelBuilder &builder, const RwkvConfig &config)
      : b(builder), config(config) {}

  Value buildLayer(Value x);

private:
  /// `x` mixed with the token before it by the weights `key`.
  Value mix(Value x, Value before, const std::string &key);
  Value buildAttention(Value x);
  Value buildPerceptron(Value x);
  /// A factor of 2 to the power that `exponent` gives for a layer.
  Value rescale(Value x, StringRef name,
                function_ref<int64_t(int64_t)> exponent);

  ModelBuilder &b;
  const RwkvConfig &config;
};

} // namespace

Value RwkvGraph::mix(Value x, Value before, const std::string &key) {
  Param weight = b.param(key, {1, 1, config.hidden});
  return lerp(b, before, x, b.read(b.reshape(weight, {config.hidden})));
}

Value RwkvGraph::buildAttention(Value x) {
  std::string keys = config.block + "attention.";
  b.setScope(keys);
  Value before = shift(b, x);
  auto project = [&](const std::string &name) {
    return b.linear(mix(x, before, keys + "time_mix_" + name), keys + name,
                    config.attention);
  };
  Value receptance = sigmoid(b, project("receptance"));
  Value decay =
      negativeExp(b, b.weight(keys + "time_decay", {config.attention}));
  Value first = b.weight(keys + "time_first", {config.attention});
  Value key = project("key"), value = project("value");
  Value mean = weightedMean(b, key, value, decay, first);
  return b.linear(b.mul(receptance, mean), keys + "output", config.hidden);
}

Value RwkvGraph::buildPerceptron(Value x) {
  std::string keys = config.block + "feed_forward.";
  b.setScope(keys);
  Value before = shift(b, x);
  Value key = b.linear(mix(x, before, keys + "time_mix_key"), keys + "key",
                       config.inner);
  Value receptance = b.linear(mix(x, before, keys + "time_mix_receptance"),
                              keys + "receptance", config.hidden);
  Value value =
      b.linear(b.activation(key, "relu2"), keys + "value", config.hidden);
  return b.mul(sigmoid(b, receptance), value);
}

Value RwkvGraph::rescale(Value x, StringRef name,
                         function_ref<int64_t(int64_t)> exponent) {
  if (config.rescaleEvery <= 0 || config.rescaleEvery > config.layers)
    return x;
  Param factor = b.layerScalars(config.block + name.str(), [&](int64_t layer) {
    return std::ldexp(1.0f, static_cast<int>(exponent(layer)));
  });
  return b.mul(x, b.read(factor));
}

Value RwkvGraph::buildLayer(Value x) {
  int64_t every = config.rescaleEvery;
  auto outputs = [&](int64_t layer) { return -(layer / every); };
  auto residual = [&](int64_t layer) {
    return (layer + 1) % every == 0 ? -1 : 0;
  };
  b.setScope(config.block + "ln1");
  Value attention =
      buildAttention(b.layerNorm(x, config.block + "ln1", config.eps));
  x = b.add(x, rescale(attention, "output_scale", outputs));
  b.setScope(config.block + "ln2");
  Value inner =
      buildPerceptron(b.layerNorm(x, config.block + "ln2", config.eps));
  x = b.add(x, rescale(inner, "output_scale", outputs));
  return rescale(x, "residual_scale", residual);
}

static RwkvConfig readConfig(ConfigReader &reader) {
  RwkvConfig config;
  config.vocabSize = reader.getSize("vocab_size", 50277);
  config.hidden = reader.getSize("hidden_size", 4096);
  config.layers = readLayers(reader, "num_hidden_layers", 32);
  config.attention = reader.getSize("attention_hidden_size", config.hidden);
  config.inner = reader.getSize("intermediate_size", 4 * config.hidden);
  config.eps = readEpsilon(reader, "layer_norm_epsilon", 1e-5);
  config.rescaleEvery = reader.getInt("rescale_every", 6);
  config.tied = reader.getBool("tie_word_embeddings", false);
  // The longest sequence that a kernel was made for: the recurrence has none.
  reader.ignore({"context_length", "max_position_embeddings"});
  bool bare = !reader.getCheckpoint().lookup("rwkv.ln_out.weight") &&
              reader.getCheckpoint().lookup("ln_out.weight");
  config.model = bare ? "" : "rwkv.";
  config.block = config.model + "blocks.*.";
  return config;
}

static ModelFacts buildRwkv(ModelBuilder &b, ConfigReader &reader,
                            const FamilyRequest &request) {
  RwkvConfig config = readConfig(reader);
  ModelFacts facts;
  facts.vocabSize = config.vocabSize;
  facts.maxLength = ModelFacts::unlimited;
  facts.bos = facts.eos = 0;
  reader.finish();
  if (reader.hasFailed())
    return facts;

  std::string embed = config.model + "embeddings.weight";
  TokenTables tables = resolveTables(b.getCheckpoint(), embed, "head.weight",
                                     config.tied && request.hasHead);
  Value ids = b.beginForward();
  b.setScope(embed);
  Value x = b.embedding(ids, tables.embedding, config.vocabSize, config.hidden);
  // The first layer's own norm.
  x = b.layerNorm(x, config.model + "blocks.0.pre_ln", config.eps);
  RwkvGraph graph(b, config);
  SmallVector<int32_t> order(config.layers, 0);
  x = b.stack(x, order,
              [&](int32_t, Value input) { return graph.buildLayer(input); });
  b.setScope(config.model + "ln_out");
  // This norm has torch's epsilon, whatever the configuration says.
  x = b.layerNorm(x, config.model + "ln_out", 1e-5);
  if (request.hasHead)
    x = b.linear(x, b.weight(tables.head, {config.vocabSize, config.hidden}),
                 Value());
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", x);
  return facts;
}

namespace weir {
void registerRwkvFamily(FamilyTable &table) {
  table.add({"rwkv", "RwkvForCausalLM", "RwkvModel", "", {}, buildRwkv});
}
} // namespace weir
