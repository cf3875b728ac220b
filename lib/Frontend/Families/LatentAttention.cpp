//===- LatentAttention.cpp - Keys and values of few features -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LatentAttention.h"
#include "HybridModel.h"
#include <cmath>

using namespace mlir;
using namespace weir;

/// The epsilon of norms between two projections, which no configuration says.
static constexpr double latentEps = 1e-6;

void weir::readLatentHeads(ConfigReader &reader, LatentHeads &heads) {
  heads.heads = reader.getSize("num_attention_heads", heads.heads);
  heads.ownDim = reader.getSize("qk_nope_head_dim", heads.ownDim);
  heads.sharedDim = reader.getSize("qk_rope_head_dim", heads.sharedDim);
  heads.valueDim = reader.getSize("v_head_dim", heads.valueDim);
  heads.rank = reader.getSize("kv_lora_rank", heads.rank);
  if (reader.isNull("q_lora_rank"))
    heads.queryRank = std::nullopt;
  else if (reader.has("q_lora_rank"))
    heads.queryRank = reader.getSize("q_lora_rank", 1);
  heads.bias = reader.getBool("attention_bias", false);
  heads.scale = 1.0 / std::sqrt(static_cast<double>(heads.getKeyDim()));
  // Files may say fewer of them, as long as none is for two heads.
  int64_t shared = reader.getSize("num_key_value_heads", heads.heads);
  if (heads.heads / shared != 1)
    reader.expect("num_key_value_heads", heads.heads,
                  "keys and values are made for each head");
  // The sum of two others.
  reader.ignore({"num_key_value_heads", "q_lora_rank", "qk_head_dim"});
}

double weir::readScoreFactor(ConfigReader &reader) {
  for (StringRef key : {"rope_scaling", "rope_parameters"}) {
    const llvm::json::Value *value = reader.get(key);
    const llvm::json::Object *object = value ? value->getAsObject() : nullptr;
    if (!object || object->empty())
      continue;
    StringRef type =
        object->getString("rope_type")
            .value_or(object->getString("type").value_or("default"));
    double scale = object->getNumber("mscale_all_dim").value_or(0);
    double factor = object->getNumber("factor").value_or(1);
    if (type == "default" || scale == 0 || factor <= 1)
      return 1.0;
    double root = 0.1 * scale * std::log(factor) + 1.0;
    return root * root;
  }
  return 1.0;
}

Value weir::latentAttention(ModelBuilder &b, Value x, const std::string &prefix,
                            const LatentHeads &heads, RotateFn rotate,
                            ChooseKeysFn chooseKeys) {
  int64_t own = heads.ownDim, shared = heads.sharedDim;
  Value query, chosen;
  int64_t queries = heads.heads * heads.getKeyDim();
  if (heads.queryRank) {
    query = b.linear(x, prefix + "q_a_proj", *heads.queryRank, heads.bias);
    query = b.rmsNorm(query, prefix + "q_a_layernorm", latentEps);
    if (chooseKeys)
      chosen = chooseKeys(query);
    query = b.linear(query, prefix + "q_b_proj", queries);
  } else {
    query = b.linear(x, prefix + "q_proj", queries);
  }
  query = b.splitHeads(query, heads.heads);
  query = concatFeatures(b, {sliceFeatures(b, query, 0, own),
                             rotate(sliceFeatures(b, query, own, shared))});

  Value latent = b.linear(x, prefix + "kv_a_proj_with_mqa", heads.rank + shared,
                          heads.bias);
  Value common =
      rotate(b.splitHeads(sliceFeatures(b, latent, heads.rank, shared), 1));
  latent = b.rmsNorm(sliceFeatures(b, latent, 0, heads.rank),
                     prefix + "kv_a_layernorm", latentEps);
  latent = b.scale(latent, heads.latentScale);
  // Each head's rows of keys are followed by those of its values.
  Param expand = b.param(prefix + "kv_b_proj.weight",
                         {heads.heads * (own + heads.valueDim), heads.rank});
  auto getHeads = [&](int64_t offset, int64_t size, StringRef name) {
    Param rows = cutGroups(b, expand, heads.heads, offset, size, name);
    return b.splitHeads(b.linear(latent, b.read(rows), Value()), heads.heads);
  };
  Value key = concatFeatures(
      b, {getHeads(0, own, "key"), repeatHeads(b, common, heads.heads)});
  AttentionOptions options;
  options.mask = b.causalMask();
  options.scale = heads.scale;
  options.blockList = chosen;
  return b.attention(query, key, getHeads(own, heads.valueDim, "value"),
                     options);
}
