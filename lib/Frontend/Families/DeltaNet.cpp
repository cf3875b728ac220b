//===- DeltaNet.cpp - The delta rule -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// DeltaNet, arXiv:2406.06484, in the layout of flash-linear-attention.
//
//===----------------------------------------------------------------------===//

#include "Fla.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

/// The options of the mixer.
struct DeltaNetOptions {
  int64_t heads = 16;
  int64_t keys = 0, values = 0;
  int64_t convWidth = 0;
  bool gated = false, hasBeta = true, negativeEigenvalues = false;
  std::string activation = "silu", norm = "l2";
};

} // namespace

static DeltaNetOptions readOptions(ConfigReader &reader, FlaConfig &config) {
  readFla(reader, config);
  DeltaNetOptions options;
  options.heads = reader.getSize("num_heads", 16);
  options.keys = readFlaWidth(reader, "expand_k", config.hidden, 1.0);
  options.values = readFlaWidth(reader, "expand_v", config.hidden, 1.0);
  if (reader.getBool("use_short_conv", true))
    options.convWidth = reader.getSize("conv_size", 4);
  options.gated = reader.getBool("use_gate", false);
  options.hasBeta = reader.getBool("use_beta", true);
  options.negativeEigenvalues = reader.getBool("allow_neg_eigval", false);
  options.activation = readChoice(reader, "qk_activation", "silu",
                                  {"silu", "relu", "elu", "identity"});
  options.norm = readChoice(reader, "qk_norm", "l2", {"l2", "sum"});
  // The output is always normalised.
  reader.ignore({"use_output_norm", "conv_size"});
  expectMultiple(reader, "num_heads", options.keys, options.heads,
                 "the features of all keys");
  expectMultiple(reader, "num_heads", options.values, options.heads,
                 "the features of all values");
  return options;
}

/// Queries and keys, bent and normalised.
static Value buildQueryOrKey(ModelBuilder &b, Value x,
                             const std::string &prefix, StringRef name,
                             const DeltaNetOptions &options) {
  FlaProjection projection;
  projection.linear = prefix + name.str() + "_proj";
  projection.conv = prefix + name.str() + "_conv1d";
  projection.features = options.keys;
  projection.convWidth = options.convWidth;
  projection.convSilu = projection.plainSilu = options.activation == "silu";
  Value heads = b.splitHeads(flaProject(b, x, projection), options.heads);
  if (options.activation == "relu")
    heads = b.activation(heads, "relu");
  else if (options.activation == "elu")
    heads = eluPlusOne(b, heads);
  if (options.norm == "l2")
    return l2Norm(b, heads, 1e-6);
  Value size = clampMin(b, sumFeatures(b, abs(b, heads)), 1e-6);
  return divideRows(b, heads, size, 0.0);
}

static Value buildMixer(ModelBuilder &b, Value x, const std::string &prefix,
                        const FlaConfig &config,
                        const DeltaNetOptions &options) {
  RecurrenceInputs in;
  in.query = buildQueryOrKey(b, x, prefix, "q", options);
  in.key = buildQueryOrKey(b, x, prefix, "k", options);
  in.value = b.splitHeads(
      flaProject(b, x, prefix, "v", options.values, options.convWidth),
      options.heads);
  if (options.hasBeta)
    in.beta = flaBeta(b, b.linear(x, prefix + "b_proj", options.heads),
                      options.negativeEigenvalues);
  else
    in.beta =
        fillLike(b, x, options.heads, options.negativeEigenvalues ? 2.0 : 1.0);
  in.scale = 1.0 / std::sqrt(static_cast<double>(options.keys / options.heads));
  FlaOutput output;
  output.norm = prefix + "o_norm";
  output.gate = options.gated ? prefix + "g_proj" : "";
  output.project = prefix + "o_proj";
  output.eps = config.eps;
  return flaFinish(b, recurrence(b, in), x, config.hidden, output);
}

static ModelFacts buildDeltaNet(ModelBuilder &b, ConfigReader &reader,
                                const FamilyRequest &request) {
  FlaConfig config;
  DeltaNetOptions options = readOptions(reader, config);
  return buildFla(b, reader, request, config,
                  [&](Value x, const FlaLayer &layer) {
                    return buildMixer(b, x, layer.prefix, config, options);
                  });
}

namespace weir {
void registerDeltaNetFamily(FamilyTable &table) {
  table.add({"delta_net",
             "DeltaNetForCausalLM",
             "DeltaNetModel",
             "",
             {},
             buildDeltaNet});
}
} // namespace weir
