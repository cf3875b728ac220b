//===- HrmText.cpp - The HRM-Text family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A hierarchical reasoning model (arXiv:2506.21734): two stacks of layers, each
// with its weights, that tokens go through many times. A slow state takes a
// step after each few of a fast one, and each reads the sum of both. Layers are
// Llama's with a gate behind attention (arXiv:2505.06708) and norms without
// weights.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "weir/Frontend/LinearLayers.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

/// Builds the layers.
class HrmTextGraph {
public:
  HrmTextGraph(ModelBuilder &builder, const DecoderConfig &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids);
  /// The slow state behind `slow` steps, each with `fast` of the fast state in
  /// front; keys begin with `model`.
  Value buildSteps(Value embedded, const std::string &model, int64_t slow,
                   int64_t fast);

private:
  Value buildLayer(const std::string &layer, Value x);
  Value buildAttention(const std::string &layer, Value x);
  Value buildPerceptron(const std::string &layer, Value x);
  /// `x` through the matrix `key`, which may be `part` of those in `fused`.
  Value project(Value x, const std::string &key, const std::string &fused,
                int64_t part, int64_t features, bool bias);
  Value normalise(Value x) { return rmsNorm(b, x, Value(), config.eps); }

  ModelBuilder &b;
  const DecoderConfig &config;
  Value positions, frequencies;
};

} // namespace

void HrmTextGraph::begin(Value ids) {
  positions = b.positions(ids);
  frequencies = b.frequencies(config.rotary);
}

Value HrmTextGraph::project(Value x, const std::string &key,
                            const std::string &fused, int64_t part,
                            int64_t features, bool bias) {
  auto extents = b.getExtents(fused);
  if (!extents || extents->empty())
    return b.linear(x, key, features, bias);
  int64_t count = extents->front() / features;
  Param all = b.param(fused, {count * features, config.hidden});
  static constexpr llvm::StringLiteral names[] = {"gate", "first", "second",
                                                  "third"};
  if (part >= count) {
    b.emitError(fused) << "tensor '" << fused << "' has " << extents->front()
                       << " rows, expected more";
    return b.linear(x, key, features, bias);
  }
  Param rows = b.slice(all, 0, part * features, features, names[part]);
  return b.linear(x, b.read(rows),
                  bias ? b.weight(key + ".bias", {features}) : Value());
}

Value HrmTextGraph::buildAttention(const std::string &layer, Value x) {
  std::string keys = layer + "self_attn.";
  int64_t features = config.heads * *config.headDim;
  auto getPart = [&](const std::string &name, int64_t part) {
    return project(x, keys + name, layer + "attn.gqkv_proj.weight", part,
                   features, config.queryBias);
  };
  auto rotate = [&](Value part) {
    return b.rotary(b.splitHeads(part, config.heads), positions, frequencies,
                    config.rotary);
  };
  AttentionOptions options;
  options.mask = b.causalMask();
  options.scale = 1.0 / std::sqrt(static_cast<double>(*config.headDim));
  Value mixed = b.mergeHeads(
      b.attention(rotate(getPart("q_proj", 1)), rotate(getPart("k_proj", 2)),
                  b.splitHeads(getPart("v_proj", 3), config.heads), options));
  Value gated = b.mul(sigmoid(b, getPart("gate_proj", 0)), mixed);
  std::string output = layer + "attn.o_proj";
  if (!b.hasTensor(output + ".weight"))
    output = keys + "o_proj";
  return b.linear(gated, output, config.hidden, config.outputBias);
}

Value HrmTextGraph::buildPerceptron(const std::string &layer, Value x) {
  std::string keys = layer + "mlp.";
  auto getPart = [&](const std::string &name, int64_t part) {
    return project(x, keys + name, keys + "gate_up_proj.weight", part,
                   config.inner, config.mlpBias);
  };
  Value gate = b.activation(getPart("gate_proj", 0), config.activation);
  return b.linear(b.mul(gate, getPart("up_proj", 1)), keys + "down_proj",
                  config.hidden, config.mlpBias);
}

Value HrmTextGraph::buildLayer(const std::string &layer, Value x) {
  b.setScope(layer + "self_attn");
  x = b.add(x, buildAttention(layer, normalise(x)));
  b.setScope(layer + "mlp");
  return b.add(x, buildPerceptron(layer, normalise(x)));
}

/// What a stack goes through, layers' weights or none.
enum StepKind : int32_t {
  BeginFast,
  FastLayer,
  EndFast,
  BeginSlow,
  SlowLayer,
  EndSlow
};

Value HrmTextGraph::buildSteps(Value embedded, const std::string &model,
                               int64_t slow, int64_t fast) {
  SmallVector<int32_t> order;
  auto addStep = [&](StepKind begin, StepKind layer, StepKind end) {
    order.push_back(begin);
    order.append(config.layers, layer);
    order.push_back(end);
  };
  for (int64_t step = 0; step < slow; ++step) {
    for (int64_t part = 0; part < fast; ++part)
      addStep(BeginFast, FastLayer, EndFast);
    addStep(BeginSlow, SlowLayer, EndSlow);
  }
  Value begin = b.add(fillLike(b, embedded, config.hidden, 0),
                      b.weight(model + "z_L_init", {config.hidden}));
  auto build = [&](int32_t kind, ValueRange states) -> SmallVector<Value> {
    Value high = states[0], low = states[1];
    switch (static_cast<StepKind>(kind)) {
    case BeginFast:
      return {high, b.add(low, high)};
    case FastLayer:
      return {high, buildLayer(model + "L_module.layers.*.", low)};
    case EndFast:
      return {high, normalise(low)};
    case BeginSlow:
      return {b.add(high, low), low};
    case SlowLayer:
      return {buildLayer(model + "H_module.layers.*.", high), low};
    case EndSlow:
      return {normalise(high), low};
    }
    llvm_unreachable("no kind of layers");
  };
  return b.stack({embedded, begin}, order, build, config.layers).front();
}

/// The layers of one stack stand under this key once `num_hidden_layers` counts
/// how often tokens go through any layer.
static constexpr ConfigAlias spellings[] = {
    {"num_hidden_layers", "num_layers_per_stack"}};

static ModelFacts buildHrmText(ModelBuilder &b, ConfigReader &reader,
                               const FamilyRequest &request) {
  if (reader.has("num_layers_per_stack")) {
    reader.ignore({"num_hidden_layers"});
    reader.setSpellings(spellings);
  }
  DecoderConfig config;
  config.vocabSize = 151808;
  config.hidden = 1536;
  config.inner = 4096;
  config.layers = 16;
  config.heads = 12;
  config.headDim = 128;
  config.readsKVHeads = false;
  readDecoder(reader, b, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  config.mlpBias = reader.getBool("mlp_bias", false);
  int64_t slow = reader.getSize("H_cycles", 2);
  int64_t fast = reader.getSize("L_cycles", 3);
  // More steps than this are no model's.
  constexpr int64_t limit = 4096;
  if (slow > limit || fast > limit || slow * (fast + 1) > limit)
    reader.emitError("H_cycles")
        << "keys 'H_cycles' and 'L_cycles' are " << slow << " and " << fast
        << ", expected at most " << limit << " steps in all";
  double range = reader.getFloat("initializer_range", 0.02);
  double scale = reader.getFloat("embedding_scale", 1 / range);
  // Which steps are trained, and an input that texts alone do not have.
  reader.ignore({"L_bp_cycles", "prefix_lm"});
  ModelFacts facts;
  facts.vocabSize = config.vocabSize;
  facts.maxLength = config.trainedLength;
  reader.finish();
  if (reader.hasFailed())
    return facts;

  std::string model =
      getModelPrefix(b.getCheckpoint(), "model.", "embed_tokens.weight");
  std::string embed = model + "embed_tokens.weight";
  TokenTables tables = resolveTables(b.getCheckpoint(), embed, "lm_head.weight",
                                     config.tied && request.hasHead);
  HrmTextGraph graph(b, config);
  Value ids = b.beginForward();
  b.setScope(embed);
  Value high = b.scale(
      b.embedding(ids, tables.embedding, config.vocabSize, config.hidden),
      scale);
  graph.begin(ids);
  high = graph.buildSteps(high, model, slow, fast);
  b.setScope("lm_head");
  if (request.hasHead)
    high =
        b.linear(high, b.weight(tables.head, {config.vocabSize, config.hidden}),
                 Value());
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", high);
  return facts;
}

namespace weir {
void registerHrmTextFamily(FamilyTable &table) {
  table.add(
      {"hrm_text", "HrmTextForCausalLM", "HrmTextModel", "", {}, buildHrmText});
}
} // namespace weir
