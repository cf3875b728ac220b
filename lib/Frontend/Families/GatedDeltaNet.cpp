//===- GatedDeltaNet.cpp - Gated delta rules -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Gated DeltaNet (arXiv:2412.06464) and DeltaProduct (arXiv:2502.10297), in the
// layout of flash-linear-attention.
//
//===----------------------------------------------------------------------===//

#include "Fla.h"

using namespace mlir;
using namespace weir;

namespace {

/// The options of both mixers.
struct GatedDeltaOptions {
  FlaHeads heads;
  bool gated = true, forgets = true, negativeEigenvalues = false;
  std::string gateActivation = "swish";
  /// Updates of the state per token.
  int64_t updates = 1;
};

} // namespace

/// Several updates in one projection: `[batch, time, updates, heads, dim]`, or
/// without the axis of updates where there is one.
static Value splitUpdates(ModelBuilder &b, Value x, int64_t updates,
                          int64_t dim) {
  int64_t features = cast<RankedTensorType>(x.getType()).getShape().back();
  if (updates > 1)
    x = splitLast(b, x, features / updates);
  return dim > 0 ? splitLast(b, x, dim) : x;
}

static Value buildMixer(ModelBuilder &b, Value x, const std::string &prefix,
                        const FlaConfig &config,
                        const GatedDeltaOptions &options) {
  const FlaHeads &heads = options.heads;
  int64_t keys = heads.heads * heads.keyDim;
  int64_t values = heads.valueHeads * heads.valueDim;
  auto project = [&](StringRef name, int64_t features) {
    return flaProject(b, x, prefix, name, features, heads.convWidth);
  };
  RecurrenceInputs in;
  in.query = l2Norm(b, splitLast(b, project("q", keys), heads.keyDim), 1e-6);
  in.key = l2Norm(b,
                  splitUpdates(b, project("k", keys * options.updates),
                               options.updates, heads.keyDim),
                  1e-6);
  in.value = splitUpdates(b, project("v", values * options.updates),
                          options.updates, heads.valueDim);
  Value beta =
      b.linear(x, prefix + "b_proj", heads.valueHeads * options.updates);
  in.beta = splitUpdates(b, flaBeta(b, beta, options.negativeEigenvalues),
                         options.updates, 0);
  if (options.forgets)
    in.decay = rateDecay(b, b.linear(x, prefix + "a_proj", heads.valueHeads),
                         b.weight(prefix + "A_log", {heads.valueHeads}),
                         b.weight(prefix + "dt_bias", {heads.valueHeads}));
  in.scale = heads.getScale();
  FlaOutput output;
  output.norm = prefix + "o_norm";
  output.gate = options.gated ? prefix + "g_proj" : "";
  output.activation = options.gateActivation;
  output.project = prefix + "o_proj";
  output.eps = config.eps;
  return flaFinish(b, recurrence(b, in), x, config.hidden, output);
}

static ModelFacts build(ModelBuilder &b, ConfigReader &reader,
                        const FamilyRequest &request, const FlaConfig &config,
                        const GatedDeltaOptions &options) {
  return buildFla(b, reader, request, config,
                  [&](Value x, const FlaLayer &layer) {
                    return buildMixer(b, x, layer.prefix, config, options);
                  });
}

static ModelFacts buildGatedDeltaNet(ModelBuilder &b, ConfigReader &reader,
                                     const FamilyRequest &request) {
  FlaConfig config;
  config.layers = 21;
  readFla(reader, config);
  GatedDeltaOptions options;
  options.heads = readFlaHeads(reader, 256, 6, 2.0, /*grouped=*/true);
  options.gated = reader.getBool("use_gate", true);
  options.negativeEigenvalues = reader.getBool("allow_neg_eigval", false);
  options.gateActivation = readChoice(reader, "output_gate_activation", "swish",
                                      {"swish", "silu", "sigmoid"});
  return build(b, reader, request, config, options);
}

static ModelFacts buildGatedDeltaProduct(ModelBuilder &b, ConfigReader &reader,
                                         const FamilyRequest &request) {
  FlaConfig config;
  config.layers = 21;
  readFla(reader, config);
  GatedDeltaOptions options;
  options.heads = readFlaHeads(reader, 256, 6, 2.0, /*grouped=*/false);
  options.gated = reader.getBool("use_output_gate", true);
  options.forgets = reader.getBool("use_forget_gate", false);
  options.negativeEigenvalues = reader.getBool("allow_neg_eigval", false);
  options.updates = reader.getSize("num_householder", 1);
  return build(b, reader, request, config, options);
}

namespace weir {
void registerGatedDeltaNetFamily(FamilyTable &table) {
  table.add({"gated_deltanet",
             "GatedDeltaNetForCausalLM",
             "GatedDeltaNetModel",
             "",
             {},
             buildGatedDeltaNet});
}

void registerGatedDeltaProductFamily(FamilyTable &table) {
  table.add({"gated_deltaproduct",
             "GatedDeltaProductForCausalLM",
             "GatedDeltaProductModel",
             "",
             {},
             buildGatedDeltaProduct});
}
} // namespace weir
