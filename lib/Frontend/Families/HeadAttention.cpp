//===- HeadAttention.cpp - Attention of grouped heads -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HeadAttention.h"
#include "HybridModel.h"

using namespace mlir;
using namespace weir;

void weir::readAttentionHeads(ConfigReader &reader, AttentionHeads &heads,
                              int64_t hidden, std::optional<int64_t> headDim) {
  heads.hidden = hidden;
  heads.heads = reader.getSize("num_attention_heads", heads.heads);
  int64_t kvHeads =
      reader.isNull("num_key_value_heads") ? heads.heads : heads.kvHeads;
  heads.kvHeads = reader.getSize("num_key_value_heads", kvHeads);
  expectShared(reader, "num_key_value_heads", heads.heads, heads.kvHeads);
  heads.dim = std::max<int64_t>(hidden / heads.heads, 1);
  if (headDim && !reader.isNull("head_dim"))
    heads.dim = *headDim;
  heads.dim = reader.getSize("head_dim", heads.dim);
  heads.setUsualScale();
}

void weir::readHeadRotary(ConfigReader &reader, ModelBuilder &builder,
                          const FamilyRequest &request, AttentionHeads &heads,
                          RotaryOptions options) {
  options.headDim = heads.dim;
  options.maxLength = request.maxLength.value_or(options.trainedLength);
  heads.rotary = readRotary(reader, builder, options);
}

RotaryValues weir::buildRotaryValues(ModelBuilder &b, Value ids,
                                     const std::optional<RotarySpec> &rotary) {
  if (!rotary)
    return {};
  return {b.positions(ids), b.frequencies(*rotary)};
}

Value weir::headAttention(ModelBuilder &b, Value x, const std::string &prefix,
                          const AttentionHeads &heads,
                          const RotaryValues &rotary, ProjectFn adapt) {
  auto project = [&](const std::string &name, int64_t count, int64_t dim) {
    Value projected = b.linear(x, prefix + name, count * dim, heads.bias);
    return b.splitHeads(adapt(name, projected), count);
  };
  auto place = [&](Value part, const std::string &norm) {
    auto normalise = [&] {
      if (!norm.empty())
        part = b.rmsNorm(part, prefix + norm, heads.eps);
    };
    if (!heads.normsBehind)
      normalise();
    if (heads.rotary)
      part =
          b.rotary(part, rotary.positions, rotary.frequencies, *heads.rotary);
    if (heads.normsBehind)
      normalise();
    return part;
  };
  b.setScope(prefix + "q_proj");
  Value query =
      place(project("q_proj", heads.heads, heads.dim), heads.queryNorm);
  Value key =
      b.scale(project("k_proj", heads.kvHeads, heads.dim), heads.keyScale);
  key = place(key, heads.keyNorm);
  AttentionOptions options;
  options.mask = heads.window ? b.causalWindow(*heads.window) : b.causalMask();
  options.scale = heads.scale;
  if (!heads.sinks.empty())
    options.sinks = b.weight(prefix + heads.sinks, {heads.heads});
  Value value =
      project("v_proj", heads.kvHeads, heads.valueDim.value_or(heads.dim));
  Value mixed =
      b.attention(query, key, b.scale(value, heads.valueScale), options);
  return b.linear(b.mergeHeads(mixed), prefix + heads.output, heads.hidden,
                  heads.outputBias);
}
