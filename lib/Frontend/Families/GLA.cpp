//===- GLA.cpp - Gated linear attention -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// arXiv:2312.06635, in the layout of flash-linear-attention.
//
//===----------------------------------------------------------------------===//

#include "Fla.h"
#include <cmath>

using namespace mlir;
using namespace weir;

/// The layer's own constants, which the configuration does not have.
static constexpr int64_t gateRank = 16;
static constexpr double gateNormalizer = 16.0;

namespace {

/// The options of the mixer.
struct GLAOptions {
  int64_t heads = 4, kvHeads = 4;
  int64_t keys = 0, values = 0;
  int64_t convWidth = 0;
  std::string featureMap;
  bool gated = true;
  std::optional<double> clampMin;
};

} // namespace

static GLAOptions readOptions(ConfigReader &reader, FlaConfig &config) {
  readFla(reader, config);
  GLAOptions options;
  options.heads = reader.getSize("num_heads", 4);
  options.kvHeads = reader.getSize("num_kv_heads", options.heads);
  options.keys = readFlaWidth(reader, "expand_k", config.hidden, 0.5);
  options.values = readFlaWidth(reader, "expand_v", config.hidden, 1.0);
  if (reader.getBool("use_short_conv", false))
    options.convWidth = reader.getSize("conv_size", 4);
  options.featureMap = reader.getString("feature_map", "");
  options.gated = reader.getBool("use_output_gate", true);
  if (reader.has("clamp_min"))
    options.clampMin = reader.getFloat("clamp_min", 0);
  // The last two are of an older layer; this one does not look at them.
  reader.ignore({"clamp_min", "conv_size", "use_gk", "use_gv"});
  reader.expect("hidden_act", "swish", "the output gate has no other");
  expectMultiple(reader, "num_kv_heads", options.heads, options.kvHeads,
                 "the number of heads");
  expectMultiple(reader, "num_heads", options.keys, options.heads,
                 "the features of all keys");
  expectMultiple(reader, "num_heads", options.values, options.heads,
                 "the features of all values");
  return options;
}

static Value buildMixer(ModelBuilder &b, Value x, const std::string &prefix,
                        const FlaConfig &config, const GLAOptions &options) {
  int64_t groups = options.heads / options.kvHeads;
  auto project = [&](StringRef name, int64_t features, int64_t heads) {
    FlaProjection projection;
    projection.linear = prefix + name.str() + "_proj";
    projection.conv = prefix + name.str() + "_conv1d";
    projection.features = features;
    projection.convWidth = options.convWidth;
    projection.plainSilu = false;
    return b.splitHeads(flaProject(b, x, projection), heads);
  };
  auto bend = [&](Value heads) {
    return options.featureMap.empty()
               ? heads
               : flaActivation(b, heads, options.featureMap, "feature_map");
  };
  RecurrenceInputs in;
  in.query = bend(project("q", options.keys, options.heads));
  Value key = bend(project("k", options.keys / groups, options.kvHeads));
  Value value = project("v", options.values / groups, options.kvHeads);
  Value gate = b.linear(b.linear(x, prefix + "gk_proj.0", gateRank),
                        prefix + "gk_proj.1", options.keys / groups,
                        /*bias=*/true);
  gate = b.scale(logSigmoid(b, gate), 1.0 / gateNormalizer);
  if (options.clampMin)
    gate = clampMin(b, gate, *options.clampMin);
  in.key = repeatHeads(b, key, groups);
  in.value = repeatHeads(b, value, groups);
  in.decay = repeatHeads(b, b.splitHeads(gate, options.kvHeads), groups);
  in.scale = 1.0 / std::sqrt(static_cast<double>(options.keys / options.heads));

  return flaFinish(b, recurrence(b, in), x, config.hidden,
                   flaGatedOutput(prefix, config, options.gated));
}

static ModelFacts buildGLA(ModelBuilder &b, ConfigReader &reader,
                           const FamilyRequest &request) {
  FlaConfig config;
  GLAOptions options = readOptions(reader, config);
  return buildFla(b, reader, request, config,
                  [&](Value x, const FlaLayer &layer) {
                    return buildMixer(b, x, layer.prefix, config, options);
                  });
}

namespace weir {
void registerGLAFamily(FamilyTable &table) {
  table.add({"gla", "GLAForCausalLM", "GLAModel", "", {}, buildGLA});
}
} // namespace weir
