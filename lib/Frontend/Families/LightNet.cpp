//===- LightNet.cpp - Additive decay of several dimensions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// arXiv:2405.21022, in the layout of flash-linear-attention: linear attention
// whose keys are shares of a running sum, which decays by what comes new.
//
//===----------------------------------------------------------------------===//

#include "Fla.h"
#include "SlotMemory.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

/// The options of the mixer.
struct LightNetOptions {
  int64_t heads = 1, keyDim = 128, convWidth = 0, gateRank = 128;
};

} // namespace

static LightNetOptions readOptions(ConfigReader &reader, FlaConfig &config) {
  readFla(reader, config);
  // The layer of attention is never told of it.
  for (FlaAttention &entry : config.attention)
    entry.ropeBase = FlaAttention().ropeBase;
  LightNetOptions options;
  if (reader.getBool("use_short_conv", false))
    options.convWidth = reader.getSize("conv_size", 4);
  options.gateRank = reader.getSize("gate_low_rank_dim", 128);
  reader.ignore({"conv_size", "num_heads", "expand_ratio"});
  bool hasRatio = !reader.isNull("expand_ratio");
  if (!hasRatio && !reader.has("num_heads")) {
    reader.emitError("expand_ratio")
        << "keys 'expand_ratio' and 'num_heads' are both null, expected a "
           "number";
    return options;
  }
  if (hasRatio)
    options.keyDim = reader.getSize("expand_ratio", 128);
  // Whichever of the two is missing follows from the other.
  options.heads = reader.has("num_heads")
                      ? reader.getSize("num_heads", 1)
                      : std::max<int64_t>(config.hidden / options.keyDim, 1);
  if (!hasRatio)
    options.keyDim = std::max<int64_t>(config.hidden / options.heads, 1);
  expectMultiple(reader, reader.has("num_heads") ? "num_heads" : "expand_ratio",
                 config.hidden, options.heads, "the hidden size");
  return options;
}

static Value buildMixer(ModelBuilder &b, Value x, const std::string &prefix,
                        const FlaConfig &config,
                        const LightNetOptions &options) {
  int64_t hidden = config.hidden, keys = options.heads * options.keyDim;
  auto project = [&](StringRef name, int64_t features) {
    FlaProjection projection;
    projection.linear = prefix + name.str() + "_proj";
    projection.conv = prefix + name.str() + "_conv1d";
    projection.features = features;
    projection.convWidth = options.convWidth;
    projection.convSilu = projection.plainSilu = false;
    return flaProject(b, x, projection);
  };
  RecurrenceInputs in;
  in.query =
      b.splitHeads(b.activation(project("q", keys), "silu"), options.heads);
  SlotGates gates =
      runningShares(b, b.splitHeads(project("k", keys), options.heads));
  in.key = gates.share;
  in.decay = gates.decay;
  in.value = b.splitHeads(project("v", hidden), options.heads);
  in.scale = 1.0 / std::sqrt(static_cast<double>(options.keyDim));
  Value out = b.mergeHeads(recurrence(b, in));
  Value weight =
      config.affine ? b.weight(prefix + "g_norm.weight", {hidden}) : Value();
  // The norm does not have the configuration's epsilon.
  out = rmsNorm(b, out, weight, 1e-6);
  Value gate = b.linear(b.linear(x, prefix + "g_proj.0", options.gateRank),
                        prefix + "g_proj.1", hidden);
  return b.linear(b.mul(out, b.activation(gate, "silu")), prefix + "o_proj",
                  hidden);
}

static ModelFacts buildLightNet(ModelBuilder &b, ConfigReader &reader,
                                const FamilyRequest &request) {
  FlaConfig config;
  LightNetOptions options = readOptions(reader, config);
  return buildFla(b, reader, request, config,
                  [&](Value x, const FlaLayer &layer) {
                    return buildMixer(b, x, layer.prefix, config, options);
                  });
}

namespace weir {
void registerLightNetFamily(FamilyTable &table) {
  table.add({"lightnet",
             "LightNetForCausalLM",
             "LightNetModel",
             "",
             {},
             buildLightNet});
}
} // namespace weir
