//===- FlaRWKV.cpp - RWKV in flash-linear-attention -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FlaRWKV.h"

using namespace mlir;
using namespace weir;

void weir::readRWKV(ConfigReader &reader, RWKVConfig &config, double ratio) {
  config.nullRatio = ratio;
  config.eps = 1e-5;
  readFlaBase(reader, config);
  auto inner = static_cast<int64_t>(config.hidden * config.ratio);
  inner = (inner + 31) / 32 * 32;
  config.inner = reader.has("intermediate_size")
                     ? reader.getSize("intermediate_size", inner)
                     : inner;
  config.activation = readChoice(
      reader, "hidden_act", "sqrelu",
      {"relu", "sigmoid", "logsigmoid", "silu", "swish", "sqrelu", "gelu"});
  config.normFirst = reader.getBool("norm_first", true);
  config.normBias = reader.getBool("norm_bias", true);
}

Value weir::lowRank(ModelBuilder &b, Value input, const LowRank &matrix) {
  Value x = b.linear(input, matrix.key + ".lora.0", matrix.rank);
  if (!matrix.activation.empty())
    x = b.activation(x, matrix.activation);
  return b.linear(x, matrix.key + ".lora.2", matrix.features, matrix.bias);
}

/// A kind of layer: its entry of `attn`, and whether it is the first.
static int64_t getKind(int32_t entry, bool isFirst) {
  return 2 * static_cast<int64_t>(entry) + isFirst;
}

ModelFacts weir::buildRWKV(ModelBuilder &b, ConfigReader &reader,
                           const FamilyRequest &request,
                           const RWKVConfig &config, const RWKVMixers &mixers) {
  FlaModel model(b, config, request);
  reader.finish();
  if (reader.hasFailed())
    return model.getFacts();
  SmallVector<int64_t> kinds, kindOf;
  for (auto [number, entry] : llvm::enumerate(config.attentionOf))
    kinds.push_back(getKind(entry, number == 0));
  SmallVector<int32_t> order = numberKinds<int64_t>(kinds, kindOf);

  auto norm = [&](Value x, const std::string &key) {
    return b.layerNorm(x, key, config.eps, config.normBias);
  };
  SmallVector<Value> carried = {model.begin()};
  if (mixers.firstFeatures)
    carried.push_back(fillLike(b, carried.front(), mixers.firstFeatures, 0.0));
  auto layer = [&](int32_t kind, ValueRange inputs) -> SmallVector<Value> {
    bool isFirst = kindOf[kind] & 1;
    int32_t entry = (kindOf[kind] - isFirst) / 2;
    Value x = inputs.front();
    Value first = inputs.size() > 1 ? inputs[1] : Value();
    b.setScope(model.layerKey("attn"));
    if (isFirst && config.normFirst)
      x = norm(x, model.layerKey("pre_norm"));
    Value normed = norm(x, model.layerKey("attn_norm"));
    std::string prefix = model.layerKey("attn.");
    x = b.add(x, entry < 0 ? mixers.time(normed, prefix, first, isFirst)
                           : model.attention(normed, prefix, entry));
    b.setScope(model.layerKey("ffn"));
    normed = norm(x, model.layerKey("ffn_norm"));
    x = b.add(x, mixers.channels(normed, model.layerKey("ffn.")));
    if (first)
      return {x, first};
    return {x};
  };
  Value x = b.stack(carried, order, layer).front();
  b.setScope(model.key("norm"));
  model.end(norm(x, model.key("norm")));
  return model.getFacts();
}
