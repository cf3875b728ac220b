//===- OlmoHybrid.cpp - The OLMo Hybrid family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layers of gated DeltaNet (arXiv:2412.06464), normalised before each part, and
// layers of attention, normalised behind each part, with or without rotation.
//
//===----------------------------------------------------------------------===//

#include "StateSpaceLayers.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

/// Kinds of layers, as stacks number them when both are there.
enum class Layer : int32_t { Linear, Attention };

struct OlmoConfig {
  int64_t vocabSize, hidden, inner, layers, heads, kvHeads, headDim, length;
  int64_t keyHeads, valueHeads, keyDim, valueDim, convWidth;
  double eps;
  bool tied, attentionBias, negativeEigenvalues;
  std::string activation;
  /// None where nothing is rotated.
  std::optional<RotarySpec> rotary;
  SmallVector<Layer> kinds;
  /// What keys of the model and of layers begin with; `*` is the layer.
  std::string model, layer;
};

/// Builds the layers.
class OlmoGraph {
public:
  OlmoGraph(ModelBuilder &builder, const OlmoConfig &config, Value ids)
      : b(builder), config(config) {
    if (!config.rotary)
      return;
    positions = b.positions(ids);
    frequencies = b.frequencies(*config.rotary);
  }

  Value buildLayer(Layer kind, Value x);

private:
  Value buildAttention(Value x);
  Value buildDelta(Value x);
  Value buildPerceptron(Value x);
  /// The kernels of query, key and value one behind the other, however they
  /// are cut into tensors: transformers cuts them into three of one size.
  Value readKernels(int64_t features);
  /// The norm `name`, or `old`, as it was called first.
  Value norm(Value x, const std::string &name, const std::string &old);

  ModelBuilder &b;
  const OlmoConfig &config;
  Value positions, frequencies;
};

} // namespace

Value OlmoGraph::norm(Value x, const std::string &name,
                      const std::string &old) {
  bool isOld = b.hasTensor(config.layer + old + ".weight");
  return b.rmsNorm(x, config.layer + (isOld ? old : name), config.eps);
}

Value OlmoGraph::buildAttention(Value x) {
  std::string keys = config.layer + "self_attn.";
  bool bias = config.attentionBias;
  int64_t dim = config.headDim;
  Value query = b.linear(x, keys + "q_proj", config.heads * dim, bias);
  Value key = b.linear(x, keys + "k_proj", config.kvHeads * dim, bias);
  Value value = b.linear(x, keys + "v_proj", config.kvHeads * dim, bias);
  query =
      b.splitHeads(b.rmsNorm(query, keys + "q_norm", config.eps), config.heads);
  key =
      b.splitHeads(b.rmsNorm(key, keys + "k_norm", config.eps), config.kvHeads);
  if (config.rotary) {
    query = b.rotary(query, positions, frequencies, *config.rotary);
    key = b.rotary(key, positions, frequencies, *config.rotary);
  }
  AttentionOptions options;
  options.mask = b.causalMask();
  options.scale = 1.0 / std::sqrt(static_cast<double>(dim));
  Value mixed =
      b.attention(query, key, b.splitHeads(value, config.kvHeads), options);
  return b.linear(b.mergeHeads(mixed), keys + "o_proj", config.hidden, bias);
}

Value OlmoGraph::readKernels(int64_t features) {
  std::string keys = config.layer + "linear_attn.";
  int64_t width = config.convWidth;
  std::string whole = keys + "conv1d.weight";
  if (b.hasTensor(whole))
    return b.read(
        b.reshape(b.param(whole, {features, 1, width}), {features, width}));
  SmallVector<Param> parts;
  int64_t left = features;
  for (auto [name, size] :
       {std::pair("q", config.keyHeads * config.keyDim),
        std::pair("k", config.keyHeads * config.keyDim),
        std::pair("v", config.valueHeads * config.valueDim)}) {
    std::string key = keys + name + "_conv1d.weight";
    auto extents = b.getExtents(key);
    int64_t rows = extents && !extents->empty() ? extents->front() : size;
    left -= rows;
    parts.push_back(b.param(key, {rows, 1, width}));
  }
  if (left != 0)
    b.emitError(keys + "q_conv1d.weight")
        << "the kernels of query, key and value have " << features - left
        << " rows in all, expected " << features;
  Param joined = b.concat(whole, 0, parts);
  return b.read(b.reshape(joined, {features, width}));
}

Value OlmoGraph::buildDelta(Value x) {
  std::string keys = config.layer + "linear_attn.";
  int64_t keySize = config.keyHeads * config.keyDim;
  int64_t valueSize = config.valueHeads * config.valueDim;
  int64_t features = 2 * keySize + valueSize;
  auto getMatrix = [&](const std::string &name, int64_t size) {
    return b.param(keys + name + ".weight", {size, config.hidden});
  };
  Param matrix =
      b.concat(keys + "qkv_proj.weight", 0,
               {getMatrix("q_proj", keySize), getMatrix("k_proj", keySize),
                getMatrix("v_proj", valueSize)});
  Value mixed =
      activatedConv(b, b.linear(x, b.read(matrix), Value()),
                    readKernels(features), Value(), config.activation);
  RecurrenceInputs inputs;
  auto getHeads = [&](int64_t offset, int64_t heads, int64_t dim) {
    return b.splitHeads(sliceFeatures(b, mixed, offset, heads * dim), heads);
  };
  inputs.query = l2Norm(b, getHeads(0, config.keyHeads, config.keyDim), 1e-6);
  inputs.key =
      l2Norm(b, getHeads(keySize, config.keyHeads, config.keyDim), 1e-6);
  inputs.value = getHeads(2 * keySize, config.valueHeads, config.valueDim);
  inputs.decay = rateDecay(b, b.linear(x, keys + "a_proj", config.valueHeads),
                           b.weight(keys + "A_log", {config.valueHeads}),
                           b.weight(keys + "dt_bias", {config.valueHeads}));
  Value beta = sigmoid(b, b.linear(x, keys + "b_proj", config.valueHeads));
  inputs.beta = b.scale(beta, config.negativeEigenvalues ? 2 : 1);
  inputs.scale = 1.0 / std::sqrt(static_cast<double>(config.keyDim));
  // This norm's epsilon is fixed, whatever the configuration says.
  Value normed = b.rmsNorm(recurrence(b, inputs), keys + "o_norm", 1e-5);
  Value gate = b.activation(b.linear(x, keys + "g_proj", valueSize), "silu");
  return b.linear(b.mul(b.mergeHeads(normed), gate), keys + "o_proj",
                  config.hidden);
}

Value OlmoGraph::buildPerceptron(Value x) {
  std::string mlp = config.layer + "mlp.";
  b.setScope(mlp);
  MLPKeys keys = {mlp + "up_proj", mlp + "down_proj", mlp + "gate_proj"};
  return b.mlp(x, keys, config.inner, config.activation);
}

Value OlmoGraph::buildLayer(Layer kind, Value x) {
  if (kind == Layer::Linear) {
    b.setScope(config.layer + "linear_attn");
    Value normed = norm(x, "input_layernorm", "attention_layer_norm");
    x = b.add(x, buildDelta(normed));
    normed = norm(x, "post_attention_layernorm", "feedforward_layer_norm");
    return b.add(x, buildPerceptron(normed));
  }
  b.setScope(config.layer + "self_attn");
  x = b.add(x, norm(buildAttention(x), "post_attention_layernorm",
                    "feedforward_layer_norm"));
  Value inner = buildPerceptron(x);
  return b.add(x, b.rmsNorm(inner, config.layer + "post_feedforward_layernorm",
                            config.eps));
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

/// The kinds of layers, of which every fourth is attention by default.
static void readKinds(ConfigReader &reader, OlmoConfig &config) {
  const llvm::json::Value *value = reader.get("layer_types");
  if (!value) {
    for (int64_t i = 0; i < config.layers; ++i)
      config.kinds.push_back(i % 4 == 3 ? Layer::Attention : Layer::Linear);
    if (config.layers < 4)
      config.kinds.back() = Layer::Attention;
    return;
  }
  const llvm::json::Array *list = value->getAsArray();
  if (!list || static_cast<int64_t>(list->size()) != config.layers) {
    reader.emitError("layer_types")
        << "key 'layer_types' is no list of " << config.layers << " names";
    return;
  }
  for (const llvm::json::Value &entry : *list) {
    StringRef name = entry.getAsString().value_or("");
    if (name != "linear_attention" && name != "full_attention") {
      reader.emitError("layer_types")
          << "key 'layer_types' names '" << name
          << "', expected linear_attention or full_attention";
      return;
    }
    config.kinds.push_back(name == "linear_attention" ? Layer::Linear
                                                      : Layer::Attention);
  }
}

/// Whether there is a base of frequencies: models without one say null.
static bool hasRotation(ConfigReader &reader) {
  for (StringRef key : {"rope_scaling", "rope_parameters"}) {
    const llvm::json::Value *value = reader.get(key);
    const llvm::json::Object *object = value ? value->getAsObject() : nullptr;
    if (!object || object->empty())
      continue;
    if (const llvm::json::Value *base = object->get("rope_theta"))
      return base->kind() != llvm::json::Value::Null;
    break;
  }
  return !reader.isNull("rope_theta");
}

static OlmoConfig readConfig(ConfigReader &reader, ModelBuilder &b,
                             const FamilyRequest &request) {
  OlmoConfig config;
  config.vocabSize = reader.getSize("vocab_size", 100352);
  config.hidden = reader.getSize("hidden_size", 3840);
  config.inner = reader.getSize("intermediate_size", 11008);
  config.layers = readLayers(reader, "num_hidden_layers", 32);
  config.heads = reader.getSize("num_attention_heads", 30);
  config.kvHeads = reader.getSize("num_key_value_heads", config.heads);
  config.headDim = reader.getSize(
      "head_dim", std::max<int64_t>(config.hidden / config.heads, 1));
  config.length = reader.getSize("max_position_embeddings", 65536);
  config.keyHeads = reader.getSize("linear_num_key_heads", config.heads);
  config.valueHeads = reader.getSize("linear_num_value_heads", config.heads);
  int64_t keyDim =
      static_cast<int64_t>(0.75 * static_cast<double>(config.hidden) /
                           static_cast<double>(config.keyHeads));
  config.keyDim = reader.getSize("linear_key_head_dim", keyDim);
  config.valueDim = reader.getSize("linear_value_head_dim", 2 * config.keyDim);
  config.convWidth = reader.getSize("linear_conv_kernel_dim", 4);
  config.eps = readEpsilon(reader, "rms_norm_eps", 1e-6);
  config.tied = reader.getBool("tie_word_embeddings", false);
  config.attentionBias = reader.getBool("attention_bias", false);
  config.negativeEigenvalues = reader.getBool("linear_allow_neg_eigval", true);
  config.activation = reader.getString("hidden_act", "silu");
  readKinds(reader, config);
  // How weights are drawn.
  reader.ignore({"linear_a_log_max", "linear_a_log_min", "linear_dt_init_floor",
                 "linear_dt_max", "linear_dt_min"});
  for (auto [key, heads, shared] :
       {std::tuple("num_key_value_heads", config.heads, config.kvHeads),
        std::tuple("linear_num_key_heads", config.valueHeads, config.keyHeads)})
    if (heads % shared)
      reader.emitError(key) << "key '" << key << "' is " << shared
                            << ", expected a divisor of the " << heads
                            << " heads that share them";
  if (hasRotation(reader)) {
    RotaryOptions options;
    options.headDim = config.headDim;
    options.trainedLength = config.length;
    options.maxLength = request.maxLength.value_or(config.length);
    config.rotary = readRotary(reader, b, options);
  } else {
    reader.ignore({"rope_parameters", "rope_scaling", "rope_theta",
                   "partial_rotary_factor"});
  }
  bool bare = !b.getCheckpoint().lookup("model.norm.weight") &&
              b.getCheckpoint().lookup("norm.weight");
  config.model = bare ? "" : "model.";
  config.layer = config.model + "layers.*.";
  return config;
}

static ModelFacts buildOlmoHybrid(ModelBuilder &b, ConfigReader &reader,
                                  const FamilyRequest &request) {
  OlmoConfig config = readConfig(reader, b, request);
  ModelFacts facts;
  facts.vocabSize = config.vocabSize;
  facts.maxLength = config.length;
  facts.eos = 100257;
  reader.finish();
  if (reader.hasFailed())
    return facts;

  std::string embed = config.model + "embed_tokens.weight";
  TokenTables tables = resolveTables(b.getCheckpoint(), embed, "lm_head.weight",
                                     config.tied && request.hasHead);
  Value ids = b.beginForward();
  b.setScope(embed);
  Value x = b.embedding(ids, tables.embedding, config.vocabSize, config.hidden);
  OlmoGraph graph(b, config, ids);
  SmallVector<Layer> kinds;
  SmallVector<int32_t> order = numberKinds<Layer>(config.kinds, kinds);
  x = b.stack(x, order, [&](int32_t kind, Value input) {
    return graph.buildLayer(kinds[kind], input);
  });
  b.setScope(config.model + "norm");
  x = b.rmsNorm(x, config.model + "norm", config.eps);
  if (request.hasHead)
    x = b.linear(x, b.weight(tables.head, {config.vocabSize, config.hidden}),
                 Value());
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", x);
  return facts;
}

void weir::registerOlmoHybridFamily(FamilyTable &table) {
  table.add({"olmo_hybrid",
             "OlmoHybridForCausalLM",
             "OlmoHybridModel",
             "",
             {},
             buildOlmoHybrid});
}
