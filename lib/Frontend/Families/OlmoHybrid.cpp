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

#include "HybridModel.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

struct OlmoConfig : HybridModel {
  int64_t inner, heads, kvHeads, headDim;
  DeltaHeads delta;
  bool attentionBias, negativeEigenvalues;
  /// None where nothing is rotated.
  std::optional<RotarySpec> rotary;
};

/// Builds the layers.
class OlmoGraph {
public:
  OlmoGraph(ModelBuilder &builder, const OlmoConfig &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids);
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  Value buildAttention(Value x);
  Value buildDelta(Value x);
  /// The norm `name`, or `old`, as it was called first.
  Value norm(Value x, const std::string &name, const std::string &old);

  ModelBuilder &b;
  const OlmoConfig &config;
  Value positions, frequencies;
};

} // namespace

void OlmoGraph::begin(Value ids) {
  if (!config.rotary)
    return;
  positions = b.positions(ids);
  frequencies = b.frequencies(*config.rotary);
}

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

Value OlmoGraph::buildDelta(Value x) {
  std::string keys = config.layer + "linear_attn.";
  const DeltaHeads &heads = config.delta;
  Value mixed =
      b.linear(x, deltaMatrix(b, keys, heads, config.hidden), Value());
  RecurrenceInputs inputs = deltaInputs(b, mixed, deltaKernels(b, keys, heads),
                                        heads, config.activation);
  inputs.decay = rateDecay(b, b.linear(x, keys + "a_proj", heads.values),
                           b.weight(keys + "A_log", {heads.values}),
                           b.weight(keys + "dt_bias", {heads.values}));
  Value beta = sigmoid(b, b.linear(x, keys + "b_proj", heads.values));
  inputs.beta = b.scale(beta, config.negativeEigenvalues ? 2 : 1);
  // This norm's epsilon is fixed, whatever the configuration says.
  Value normed = b.rmsNorm(recurrence(b, inputs), keys + "o_norm", 1e-5);
  Value gate = b.activation(
      b.linear(x, keys + "g_proj", heads.getValueFeatures()), "silu");
  return b.linear(b.mul(b.mergeHeads(normed), gate), keys + "o_proj",
                  config.hidden);
}

Value OlmoGraph::buildLayer(const HybridLayer &kind, Value x) {
  if (kind.mixer == TokenMixer::Linear) {
    b.setScope(config.layer + "linear_attn");
    Value normed = norm(x, "input_layernorm", "attention_layer_norm");
    x = b.add(x, buildDelta(normed));
    normed = norm(x, "post_attention_layernorm", "feedforward_layer_norm");
    return b.add(x, hybridMLP(b, config, normed, config.inner));
  }
  b.setScope(config.layer + "self_attn");
  x = b.add(x, norm(buildAttention(x), "post_attention_layernorm",
                    "feedforward_layer_norm"));
  Value inner = hybridMLP(b, config, x, config.inner);
  return b.add(x, b.rmsNorm(inner, config.layer + "post_feedforward_layernorm",
                            config.eps));
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

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
  config.vocabSize = 100352;
  config.hidden = 3840;
  config.layers = 32;
  config.length = 65536;
  readHybridModel(reader, config);
  config.inner = reader.getSize("intermediate_size", 11008);
  config.heads = reader.getSize("num_attention_heads", 30);
  config.kvHeads = reader.getSize("num_key_value_heads", config.heads);
  config.headDim = reader.getSize(
      "head_dim", std::max<int64_t>(config.hidden / config.heads, 1));
  DeltaHeads &delta = config.delta;
  delta.keys = reader.getSize("linear_num_key_heads", config.heads);
  delta.values = reader.getSize("linear_num_value_heads", config.heads);
  int64_t keyDim =
      static_cast<int64_t>(0.75 * static_cast<double>(config.hidden) /
                           static_cast<double>(delta.keys));
  delta.keyDim = reader.getSize("linear_key_head_dim", keyDim);
  delta.valueDim = reader.getSize("linear_value_head_dim", 2 * delta.keyDim);
  delta.convWidth = reader.getSize("linear_conv_kernel_dim", 4);
  config.attentionBias = reader.getBool("attention_bias", false);
  config.negativeEigenvalues = reader.getBool("linear_allow_neg_eigval", true);
  // Every fourth layer is attention, and the last of a few.
  readLayerTypes(reader, config, [&](int64_t i) {
    bool isAttention =
        i % 4 == 3 || (config.layers < 4 && i == config.layers - 1);
    return isAttention ? TokenMixer::Attention : TokenMixer::Linear;
  });
  // How weights are drawn.
  reader.ignore({"linear_a_log_max", "linear_a_log_min", "linear_dt_init_floor",
                 "linear_dt_max", "linear_dt_min"});
  expectShared(reader, "num_key_value_heads", config.heads, config.kvHeads);
  expectShared(reader, "linear_num_key_heads", delta.values, delta.keys);
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
  return config;
}

static ModelFacts buildOlmoHybrid(ModelBuilder &b, ConfigReader &reader,
                                  const FamilyRequest &request) {
  OlmoConfig config = readConfig(reader, b, request);
  ModelFacts facts = buildHybridModel<OlmoGraph>(b, reader, request, config);
  facts.eos = 100257;
  return facts;
}

namespace weir {
void registerOlmoHybridFamily(FamilyTable &table) {
  table.add({"olmo_hybrid",
             "OlmoHybridForCausalLM",
             "OlmoHybridModel",
             "",
             {},
             buildOlmoHybrid});
}
} // namespace weir
