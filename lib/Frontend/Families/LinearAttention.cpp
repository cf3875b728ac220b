//===- LinearAttention.cpp - Linear attention -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// arXiv:2006.16236 with a choice of feature maps, in the layout of
// flash-linear-attention.
//
//===----------------------------------------------------------------------===//

#include "Fla.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

/// The options of the mixer.
struct LinearAttentionOptions {
  int64_t heads = 4, kvHeads = 4;
  int64_t keys = 0, values = 0;
  std::string featureMap;
  /// Whether queries and keys share the feature map's weights.
  bool tied = false;
  bool normQuery = false, normKey = false, normOutput = false;
};

} // namespace

static LinearAttentionOptions readOptions(ConfigReader &reader,
                                          FlaConfig &config) {
  readFla(reader, config);
  LinearAttentionOptions options;
  options.heads = reader.getSize("num_heads", 4);
  options.kvHeads = reader.getSize("num_kv_heads", options.heads);
  options.keys = readFlaWidth(reader, "expand_k", config.hidden, 1.0);
  options.values = readFlaWidth(reader, "expand_v", config.hidden, 1.0);
  options.featureMap = readChoice(reader, "feature_map", "elementwise_product",
                                  {"elementwise_product", "hedgehog", "t2r",
                                   "dpfp", "elu", "relu", "identity"});
  options.tied = reader.getBool("tie_feature_map_qk", false);
  options.normQuery = reader.getBool("norm_q", false);
  options.normKey = reader.getBool("norm_k", false);
  options.normOutput = reader.getBool("norm_feature_map", false);
  expectMultiple(reader, "num_kv_heads", options.heads, options.kvHeads,
                 "the number of heads");
  expectMultiple(reader, "num_heads", options.keys, options.heads,
                 "the features of all keys");
  expectMultiple(reader, "num_heads", options.values, options.heads,
                 "the features of all values");
  return options;
}

/// arXiv:2402.04347: a softmax over the features and their negatives.
static Value buildHedgehog(ModelBuilder &b, Value heads,
                           const std::string &key) {
  int64_t dim = cast<RankedTensorType>(heads.getType()).getShape().back();
  Value x = b.scale(b.linear(heads, key + ".layer", dim, /*bias=*/true), 2.0);
  return softmaxFeatures(b, concatFeatures(b, {x, b.scale(x, -1.0)}));
}

/// arXiv:2102.11174: products of rectified features with their neighbours.
static Value buildDPFP(ModelBuilder &b, Value heads) {
  constexpr int64_t neighbours = 4;
  Value x = concatFeatures(b, {b.activation(heads, "relu"),
                               b.activation(b.scale(heads, -1.0), "relu")});
  SmallVector<Value> products;
  for (int64_t step = 1; step <= neighbours; ++step)
    products.push_back(b.mul(x, rollFeatures(b, x, step)));
  return concatFeatures(b, products);
}

/// Applies the feature map with the weights under `key`.
static Value mapFeatures(ModelBuilder &b, Value heads, StringRef name,
                         const std::string &key) {
  int64_t dim = cast<RankedTensorType>(heads.getType()).getShape().back();
  if (name == "hedgehog")
    return buildHedgehog(b, heads, key);
  if (name == "t2r") // arXiv:2103.13076
    return b.activation(b.linear(heads, key + ".layer", dim), "relu");
  if (name == "elementwise_product")
    return b.mul(b.linear(heads, key + ".layer1", dim, /*bias=*/true),
                 b.linear(heads, key + ".layer2", dim, /*bias=*/true));
  if (name == "dpfp")
    return buildDPFP(b, heads);
  if (name == "elu")
    return eluPlusOne(b, heads);
  return name == "relu" ? b.activation(heads, "relu") : heads;
}

static Value buildMixer(ModelBuilder &b, Value x, const std::string &prefix,
                        const FlaConfig &config,
                        const LinearAttentionOptions &options) {
  int64_t groups = options.heads / options.kvHeads;
  // Tied maps are stored under both names or, as safetensors drop copies, one.
  auto findMap = [&](StringRef name, StringRef other) {
    std::string key = prefix + name.str();
    bool isThere = b.hasTensor(key + ".layer.weight") ||
                   b.hasTensor(key + ".layer1.weight");
    return options.tied && !isThere ? prefix + other.str() : key;
  };
  auto project = [&](StringRef name, int64_t features, int64_t heads) {
    return b.splitHeads(b.linear(x, prefix + name.str(), features), heads);
  };
  auto normalize = [&](Value heads, bool norm) {
    return norm ? divideRows(b, heads, sumFeatures(b, heads), 1e-4) : heads;
  };
  RecurrenceInputs in;
  Value query = project("q_proj", options.keys, options.heads);
  Value key = repeatHeads(
      b, project("k_proj", options.keys / groups, options.kvHeads), groups);
  in.value = repeatHeads(
      b, project("v_proj", options.values / groups, options.kvHeads), groups);
  in.query = normalize(mapFeatures(b, query, options.featureMap,
                                   findMap("feature_map_q", "feature_map_k")),
                       options.normQuery);
  in.key = normalize(mapFeatures(b, key, options.featureMap,
                                 findMap("feature_map_k", "feature_map_q")),
                     options.normKey);
  int64_t dim = cast<RankedTensorType>(in.query.getType()).getShape().back();
  in.scale = 1.0 / std::sqrt(static_cast<double>(dim));
  // What the outputs are divided by is the output of a value that is 1.
  int64_t valueDim = options.values / options.heads;
  if (options.normOutput)
    in.value = concatFeatures(b, {in.value, fillLike(b, in.value, 1, 1.0)});
  Value out = recurrence(b, in);
  if (options.normOutput)
    out = divideRows(b, sliceFeatures(b, out, 0, valueDim),
                     sumFeatures(b, sliceFeatures(b, out, valueDim, 1)), 1e-10);
  FlaOutput output;
  output.norm = prefix + "norm";
  output.project = prefix + "o_proj";
  output.affine = config.affine;
  output.eps = config.eps;
  return flaFinish(b, out, x, config.hidden, output);
}

static ModelFacts buildLinearAttention(ModelBuilder &b, ConfigReader &reader,
                                       const FamilyRequest &request) {
  FlaConfig config;
  LinearAttentionOptions options = readOptions(reader, config);
  return buildFla(b, reader, request, config,
                  [&](Value x, const FlaLayer &layer) {
                    return buildMixer(b, x, layer.prefix, config, options);
                  });
}

namespace weir {
void registerLinearAttentionFamily(FamilyTable &table) {
  table.add({"linear_attn",
             "LinearAttentionForCausalLM",
             "LinearAttentionModel",
             "",
             {},
             buildLinearAttention});
}
} // namespace weir
