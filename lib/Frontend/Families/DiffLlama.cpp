//===- DiffLlama.cpp - The DiffLlama family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with differential attention (arXiv:2410.05258): what half of the heads
// give, less a learned part of what the other half gives, normalised head by
// head. Values have twice the features of keys: heads of the first half of them
// and of the second stand together.
//
//===----------------------------------------------------------------------===//

#include "HeadAttention.h"
#include "HybridModel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

struct DiffLlamaConfig : HybridModel {
  int64_t inner;
  AttentionHeads heads;
};

/// Builds the layers.
class DiffLlamaGraph {
public:
  DiffLlamaGraph(ModelBuilder &builder, const DiffLlamaConfig &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids);
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  Value buildAttention(Value x);
  /// Values of the heads, `[batch, time, key heads, 2 * dim]`.
  Value buildValues(Value x);
  /// What part of the second half is taken off; `first` is the layer's number
  /// of the paper's lambda_init.
  Value buildPart(Value first);

  ModelBuilder &b;
  const DiffLlamaConfig &config;
  /// What keys of attention begin with.
  std::string keys = config.layer + "self_attn.";
  RotaryValues rotary;
};

} // namespace

void DiffLlamaGraph::begin(Value ids) {
  rotary = buildRotaryValues(b, ids, config.heads.rotary);
}

Value DiffLlamaGraph::buildValues(Value x) {
  int64_t half = config.heads.kvHeads / 2, dim = config.heads.dim;
  // Rows of a head of the first half next to those of its fellow.
  auto pair = [&](const std::string &name, ArrayRef<int64_t> columns) {
    SmallVector<int64_t> flat{2 * half * dim}, apart{2, half, dim};
    SmallVector<int64_t> swapped{1, 0, 2};
    flat.append(columns.begin(), columns.end());
    apart.append(columns.begin(), columns.end());
    if (!columns.empty())
      swapped.push_back(3);
    Param all = b.param(keys + name, flat);
    return b.read(b.reshape(b.transpose(b.reshape(all, apart), swapped), flat));
  };
  Value matrix = pair("v_proj.weight", {config.hidden});
  Value bias = config.heads.bias ? pair("v_proj.bias", {}) : Value();
  Value values = b.linear(x, matrix, bias);
  return b.splitHeads(concatFeatures(b, {values, values}), 2 * half);
}

Value DiffLlamaGraph::buildPart(Value first) {
  auto weigh = [&](const std::string &number) {
    Value query = b.weight(keys + "lambda_q" + number, {config.heads.dim});
    Value key = b.weight(keys + "lambda_k" + number, {config.heads.dim});
    return exp(b, sumFeatures(b, b.mul(query, key)));
  };
  return b.add(sub(b, weigh("1"), weigh("2")), first);
}

Value DiffLlamaGraph::buildAttention(Value x) {
  const AttentionHeads &heads = config.heads;
  auto project = [&](const std::string &name, int64_t count) {
    Value part = b.linear(x, keys + name, count * heads.dim, heads.bias);
    return b.rotary(b.splitHeads(part, count), rotary.positions,
                    rotary.frequencies, *heads.rotary);
  };
  AttentionOptions options;
  options.mask = b.causalMask();
  options.scale = heads.scale;
  Value mixed = b.mergeHeads(b.attention(project("q_proj", heads.heads),
                                         project("k_proj", heads.kvHeads),
                                         buildValues(x), options));
  auto getFirst = [](int64_t layer) {
    return static_cast<float>(
        0.8 - 0.6 * std::exp(-0.3 * static_cast<double>(layer)));
  };
  Param first = b.layerScalars(keys + "lambda_init", getFirst);
  Param kept = b.layerScalars(
      keys + "kept", [&](int64_t layer) { return 1 - getFirst(layer); });
  int64_t half = heads.heads * heads.dim;
  Value difference =
      b.map({sliceFeatures(b, mixed, 0, half),
             sliceFeatures(b, mixed, half, half), buildPart(b.read(first))},
            [](OpBuilder &n, Location l, ValueRange in) -> Value {
              Value taken = arith::MulFOp::create(n, l, in[2], in[1]);
              return arith::SubFOp::create(n, l, in[0], taken);
            });
  Value normed = rmsNorm(b, b.splitHeads(difference, heads.heads / 2), Value(),
                         config.eps);
  return b.linear(b.mul(b.mergeHeads(normed), b.read(kept)), keys + "o_proj",
                  config.hidden, heads.bias);
}

Value DiffLlamaGraph::buildLayer(const HybridLayer &, Value x) {
  return preNormLayer(
      b, config, x, [&](Value normed) { return buildAttention(normed); },
      [&](Value normed) { return hybridMLP(b, config, normed, config.inner); });
}

static ModelFacts buildDiffLlama(ModelBuilder &b, ConfigReader &reader,
                                 const FamilyRequest &request) {
  DiffLlamaConfig config;
  config.vocabSize = 32000;
  config.hidden = 2048;
  config.layers = 16;
  config.length = 2048;
  config.eps = 1e-5;
  readHybridModel(reader, config);
  config.order.assign(config.layers, {TokenMixer::Attention});
  config.inner = reader.getSize("intermediate_size", 8192);
  AttentionHeads &heads = config.heads;
  heads.heads = heads.kvHeads = reader.getSize("num_attention_heads", 32);
  readAttentionHeads(reader, heads, config.hidden);
  heads.bias = reader.getBool("attention_bias", false);
  if (heads.kvHeads % 2)
    reader.emitError("num_key_value_heads")
        << "key 'num_key_value_heads' is " << heads.kvHeads
        << ", expected an even number: heads are of two halves";
  RotaryOptions rotary;
  rotary.trainedLength = config.length;
  readHeadRotary(reader, b, request, heads, rotary);
  // Of weights before training.
  reader.ignore({"lambda_std_dev"});
  ModelFacts facts =
      buildHybridModel<DiffLlamaGraph>(b, reader, request, config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

namespace weir {
void registerDiffLlamaFamily(FamilyTable &table) {
  table.add({"diffllama",
             "DiffLlamaForCausalLM",
             "DiffLlamaModel",
             "",
             {},
             buildDiffLlama});
}
} // namespace weir
