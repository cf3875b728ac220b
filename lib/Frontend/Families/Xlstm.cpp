//===- Xlstm.cpp - The xLSTM family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The matrix-memory cells of xLSTM (arXiv:2405.04517, arXiv:2503.13427): linear
// attention whose keys are weighed by exponentials of input gates and whose
// state decays by forget gates, over a normaliser that is one more value.
//
//===----------------------------------------------------------------------===//

#include "StateSpaceLayers.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

struct XlstmConfig {
  int64_t vocabSize, hidden, inner, layers, heads, keys, values;
  double normEps, eps, gateCap, logitCap;
  bool bias;
  /// Whether projections of one input are one matrix.
  bool fused;
  /// What keys of blocks begin with; `*` is the layer.
  std::string model, block;
};

/// Builds the layers.
class XlstmGraph {
public:
  XlstmGraph(ModelBuilder &builder, const XlstmConfig &config)
      : b(builder), config(config) {}

  Value buildLayer(Value x);

private:
  /// One projection, of the matrix of its own `name` or of rows of the matrix
  /// `fused` from `offset` on.
  Value project(Value x, const std::string &name, const std::string &fused,
                int64_t offset, int64_t size, int64_t fusedSize, bool bias);
  Value buildNorm(Value x, const std::string &name);
  Value buildCell(Value x);
  Value buildPerceptron(Value x);

  ModelBuilder &b;
  const XlstmConfig &config;
};

} // namespace

Value XlstmGraph::project(Value x, const std::string &name,
                          const std::string &fused, int64_t offset,
                          int64_t size, int64_t fusedSize, bool bias) {
  if (!config.fused)
    return b.linear(x, config.block + name, size, bias);
  std::string key = config.block + fused;
  std::string part = StringRef(name).rsplit('.').second.str();
  Param matrix = b.param(key + ".weight", {fusedSize, config.hidden});
  Value rows = b.read(b.slice(matrix, 0, offset, size, part));
  if (!bias)
    return b.linear(x, rows, Value());
  Param shifts = b.param(key + ".bias", {fusedSize});
  return b.linear(x, rows, b.read(b.slice(shifts, 0, offset, size, part)));
}

Value XlstmGraph::buildNorm(Value x, const std::string &name) {
  std::string key = config.block + name;
  Value normed = b.rmsNorm(x, key, config.normEps);
  return config.bias ? b.add(normed, b.weight(key + ".bias", {config.hidden}))
                     : normed;
}

Value XlstmGraph::buildCell(Value x) {
  b.setScope(config.block + "mlstm_layer");
  int64_t heads = config.heads, keys = config.keys, values = config.values;
  int64_t all = 2 * keys + 2 * values;
  auto projectWide = [&](const std::string &name, int64_t offset,
                         int64_t size) {
    return project(x, "mlstm_layer." + name, "mlstm_layer.qkv_opreact", offset,
                   size, all, config.bias);
  };
  auto projectGate = [&](const std::string &name, int64_t offset) {
    Value gate = project(x, "mlstm_layer." + name, "mlstm_layer.ifgate_preact",
                         offset, heads, 2 * heads, /*bias=*/true);
    return b.softCap(gate, config.gateCap);
  };
  Value query = b.splitHeads(projectWide("q", 0, keys), heads);
  Value key = b.splitHeads(projectWide("k", keys, keys), heads);
  Value value = b.splitHeads(projectWide("v", 2 * keys, values), heads);
  Value opening = projectWide("ogate_preact", 2 * keys + values, values);
  Value input = projectGate("igate_preact", 0);
  Value forget = logSigmoid(b, projectGate("fgate_preact", heads));

  ExponentialGates gates = exponentialGates(b, forget, input);
  RecurrenceInputs inputs;
  inputs.query = query;
  inputs.key = key;
  // Values and, behind them, the 1 that sums up to the normaliser.
  Value weight = splitLast(b, gates.input, 1);
  inputs.value = concatFeatures(b, {scaleRows(b, value, gates.input), weight});
  inputs.decay = gates.decay;
  inputs.scale = 1.0 / std::sqrt(static_cast<double>(keys / heads));
  Value sums = recurrence(b, inputs);
  int64_t dim = values / heads;
  Value normaliser = b.mergeHeads(sliceFeatures(b, sums, dim, 1));
  normaliser = b.map({normaliser, gates.floor},
                     [](OpBuilder &n, Location l, ValueRange in) -> Value {
                       Value size = math::AbsFOp::create(n, l, in[0]);
                       return arith::MaximumFOp::create(n, l, size, in[1]);
                     });
  Value means =
      divideRows(b, sliceFeatures(b, sums, 0, dim), normaliser, config.eps);
  std::string norm = config.block + "mlstm_layer.multihead_norm";
  Value normed =
      groupNorm(b, means, b.weight(norm + ".weight", {values}),
                config.bias ? b.weight(norm + ".bias", {values}) : Value(),
                config.normEps);
  return b.linear(b.mul(sigmoid(b, opening), normed),
                  config.block + "mlstm_layer.out_proj", config.hidden,
                  config.bias);
}

Value XlstmGraph::buildPerceptron(Value x) {
  b.setScope(config.block + "ffn");
  auto project = [&](const std::string &name, int64_t offset) {
    return this->project(x, "ffn." + name, "ffn.proj_up_gate_z", offset,
                         config.inner, 2 * config.inner, config.bias);
  };
  Value gate = b.activation(project("proj_up_gate", 0), "silu");
  return b.linear(b.mul(gate, project("proj_up", config.inner)),
                  config.block + "ffn.proj_down", config.hidden, config.bias);
}

Value XlstmGraph::buildLayer(Value x) {
  b.setScope(config.block + "norm_mlstm");
  x = b.add(x, buildCell(buildNorm(x, "norm_mlstm")));
  b.setScope(config.block + "norm_ffn");
  return b.add(x, buildPerceptron(buildNorm(x, "norm_ffn")));
}

static XlstmConfig readConfig(ConfigReader &reader) {
  XlstmConfig config;
  config.vocabSize = reader.getSize("vocab_size", 50304);
  config.hidden = reader.getSize("hidden_size", 4096);
  int64_t embedding = reader.getSize("embedding_dim", config.hidden);
  if (embedding != config.hidden)
    reader.emitError("embedding_dim")
        << "key 'embedding_dim' is " << embedding << ", expected the "
        << config.hidden << " of 'hidden_size'";
  int64_t layers = readLayers(reader, "num_hidden_layers", 32);
  config.layers = readLayers(reader, "num_blocks", layers);
  config.heads = reader.getSize("num_heads", 8);
  config.bias = reader.getBool("use_bias", false);
  config.normEps = readEpsilon(reader, "norm_eps", 1e-6);
  config.eps = readEpsilon(reader, "eps", 1e-6);
  double hidden = static_cast<double>(config.hidden);
  config.keys =
      static_cast<int64_t>(hidden * reader.getFloat("qk_dim_factor", 0.5));
  config.values =
      static_cast<int64_t>(hidden * reader.getFloat("v_dim_factor", 1));
  // Rounded up as transformers does, which divides before it drops fractions.
  int64_t multiple = reader.getSize("ffn_round_up_to_multiple_of", 64);
  double inner = hidden * reader.getFloat("ffn_proj_factor", 2.667);
  config.inner = static_cast<int64_t>(
                     std::floor((inner + static_cast<double>(multiple) - 1) /
                                static_cast<double>(multiple))) *
                 multiple;
  config.gateCap = reader.getFloat("gate_soft_cap", 15);
  config.logitCap = reader.getFloat("output_logit_soft_cap", 30);
  std::string mode = reader.getString("weight_mode", "single");
  config.fused = mode == "fused";
  if (!config.fused && mode != "single")
    reader.emitError("weight_mode") << "key 'weight_mode' has the value '"
                                    << mode << "', expected single or fused";
  reader.expect("inference_state_dtype", "float32", "states are kept in f32");
  reader.expect("add_post_blocks_norm", true, "the last norm is no option");
  for (StringRef key : {"add_post_norm", "add_qk_norm"})
    reader.expect(key, false, "the family has no such norms");
  for (auto [key, size] : {std::pair("qk_dim_factor", config.keys),
                           std::pair("v_dim_factor", config.values),
                           std::pair("ffn_proj_factor", config.inner)})
    if (size <= 0 || (key[0] != 'f' && size % config.heads))
      reader.emitError(key) << "key '" << key << "' gives " << size
                            << " features, expected a positive multiple of the "
                            << config.heads << " heads";
  for (auto [key, cap] : {std::pair("gate_soft_cap", config.gateCap),
                          std::pair("output_logit_soft_cap", config.logitCap)})
    if (!(cap > 0))
      reader.emitError(key)
          << "key '" << key << "' is " << cap << ", expected a positive number";
  // How sequences are cut and kernels chosen, and two that transformers reads
  // and does not heed.
  reader.ignore(
      {"norm_reduction_force_float32", "chunkwise_kernel", "sequence_kernel",
       "step_kernel", "mode", "chunk_size", "return_last_states",
       "autocast_kernel_dtype", "max_inference_chunksize", "add_out_norm",
       "add_embedding_dropout", "add_forward_backend_padding", "cell_norm_eps",
       "force_bos_token_insert", "igate_bias_init_range",
       "mlstm_round_up_to_multiple_of", "tie_word_embeddings"});
  bool bare = !reader.getCheckpoint().lookup("backbone.out_norm.weight") &&
              reader.getCheckpoint().lookup("out_norm.weight");
  config.model = bare ? "" : "backbone.";
  config.block = config.model + "blocks.*.";
  return config;
}

static ModelFacts buildXlstm(ModelBuilder &b, ConfigReader &reader,
                             const FamilyRequest &request) {
  XlstmConfig config = readConfig(reader);
  ModelFacts facts;
  facts.vocabSize = config.vocabSize;
  facts.maxLength = ModelFacts::unlimited;
  facts.bos = 0;
  facts.eos = 2;
  reader.finish();
  if (reader.hasFailed())
    return facts;

  std::string embed = config.model + "embeddings.weight";
  Value ids = b.beginForward();
  b.setScope(embed);
  Value x = b.embedding(ids, embed, config.vocabSize, config.hidden);
  XlstmGraph graph(b, config);
  SmallVector<int32_t> order(config.layers, 0);
  x = b.stack(x, order,
              [&](int32_t, Value input) { return graph.buildLayer(input); });
  b.setScope(config.model + "out_norm");
  x = b.rmsNorm(x, config.model + "out_norm", config.normEps);
  if (request.hasHead)
    x = b.softCap(b.linear(x, "lm_head", config.vocabSize), config.logitCap);
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", x);
  return facts;
}

namespace weir {
void registerXlstmFamily(FamilyTable &table) {
  table.add({"xlstm", "xLSTMForCausalLM", "xLSTMModel", "", {}, buildXlstm});
}
} // namespace weir
