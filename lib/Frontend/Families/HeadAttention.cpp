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
  // GGUF files have 0 for layers without attention.
  if (auto layers = reader.getIntegers("num_key_value_heads")) {
    llvm::erase(*layers, 0);
    heads.kvHeads = layers->empty() ? 1 : layers->front();
    if (!llvm::all_equal(*layers) || heads.kvHeads < 1)
      reader.emitError("num_key_value_heads")
          << "key '" << reader.getSpelling("num_key_value_heads")
          << "' has several numbers, expected one for all layers of attention";
    heads.kvHeads = std::max<int64_t>(heads.kvHeads, 1);
  } else {
    heads.kvHeads = reader.getSize("num_key_value_heads", kvHeads);
  }
  expectShared(reader, "num_key_value_heads", heads.heads, heads.kvHeads);
  heads.dim = std::max<int64_t>(hidden / heads.heads, 1);
  if (headDim && !reader.isNull("head_dim"))
    heads.dim = *headDim;
  if (!reader.isGGUF() || reader.has("head_dim"))
    heads.dim = reader.getSize("head_dim", heads.dim);
  if (reader.isGGUF())
    reader.expect("value_dim", heads.dim, "values have as many features");
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
  bool isGGUF = b.getCheckpoint().format() == Checkpoint::Format::GGUF;
  auto getKey = [&](StringRef name) {
    // "q_proj" is "attn_q" there.
    return isGGUF ? prefix + "attn_" + name.take_front().str()
                  : prefix + name.str();
  };
  auto project = [&](const std::string &name, int64_t count, int64_t dim) {
    Value projected = b.linear(x, getKey(name), count * dim, heads.bias);
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
  b.setScope(getKey("q_proj"));
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
