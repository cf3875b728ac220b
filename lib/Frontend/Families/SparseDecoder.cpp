//===- SparseDecoder.cpp - Decoders with experts -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SparseDecoder.h"

using namespace mlir;
using namespace weir;

namespace {

/// Builds the layers.
class SparseGraph {
public:
  SparseGraph(ModelBuilder &builder, const SparseDecoder &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids);
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  Value buildAttention(int64_t variant, Value x);

  ModelBuilder &b;
  const SparseDecoder &config;
  /// Of each variant of the layers.
  SmallVector<RotaryValues> rotary;
};

} // namespace

void SparseGraph::begin(Value ids) {
  for (const AttentionHeads &heads : config.heads)
    rotary.push_back(buildRotaryValues(b, ids, heads.rotary));
}

Value SparseGraph::buildAttention(int64_t variant, Value x) {
  const AttentionHeads &heads = config.heads[variant];
  std::string keys = config.layer + "self_attn.";
  return headAttention(
      b, x, keys, heads, rotary[variant], [&](StringRef name, Value projected) {
        if (!config.projectionNorms || name == "v_proj")
          return projected;
        // "q_proj" is normalised by "q_norm".
        return b.rmsNorm(projected, keys + name.take_front().str() + "_norm",
                         config.eps);
      });
}

Value SparseGraph::buildLayer(const HybridLayer &kind, Value x) {
  return preNormLayer(
      b, config, x,
      [&](Value normed) { return buildAttention(kind.variant, normed); },
      [&](Value normed) {
        if (kind.feedForward == FeedForward::Dense)
          return hybridMLP(b, config, normed, config.inner, "mlp.",
                           config.mlpBias);
        ExpertsSpec experts = config.experts;
        if (!config.perToken.empty())
          experts.router.perToken = config.perToken[kind.variant];
        return buildMixture(b, normed, experts);
      });
}

ModelFacts weir::buildSparseDecoder(ModelBuilder &b, ConfigReader &reader,
                                    const FamilyRequest &request,
                                    const SparseDecoder &config) {
  return buildHybridModel<SparseGraph>(b, reader, request, config);
}

void weir::markLaterHeads(Checkpoint &checkpoint, const HybridModel &model,
                          StringRef prefix) {
  for (const TensorInfo &tensor : checkpoint.tensors()) {
    StringRef name = tensor.name;
    int64_t layer;
    bool isLater = name.consume_front(model.model + "layers.") &&
                   !name.consumeInteger(10, layer) && layer >= model.layers;
    if (isLater ||
        (!prefix.empty() && StringRef(tensor.name).starts_with(prefix)))
      checkpoint.markUsed(tensor.name);
  }
}
