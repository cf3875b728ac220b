//===- KDA.cpp - Kimi delta attention -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// arXiv:2510.26692, in the layout of flash-linear-attention.
//
//===----------------------------------------------------------------------===//

#include "Fla.h"

using namespace mlir;
using namespace weir;

namespace {

/// The options of the mixer.
struct KDAOptions {
  FlaHeads heads;
  bool negativeEigenvalues = false;
  /// The least logarithm of a decay, or none for decays without a bound.
  std::optional<double> lowerBound;
};

} // namespace

static KDAOptions readOptions(ConfigReader &reader, FlaConfig &config) {
  readFla(reader, config);
  KDAOptions options;
  options.heads = readFlaHeads(reader, 128, 16, 1.0, /*grouped=*/true);
  options.negativeEigenvalues = reader.getBool("allow_neg_eigval", false);
  bool safe = reader.getBool("safe_gate", false);
  if (reader.has("lower_bound")) {
    options.lowerBound = reader.getFloat("lower_bound", -5);
    if (!(*options.lowerBound < 0))
      reader.emitError("lower_bound")
          << "key 'lower_bound' is " << *options.lowerBound
          << ", expected a negative number";
  } else if (safe) {
    reader.emitError("safe_gate")
        << "key 'safe_gate' is true when 'lower_bound' is not given";
  }
  reader.ignore({"lower_bound"});
  return options;
}

/// The logarithm of the decay of each key feature.
static Value buildDecay(ModelBuilder &b, Value x, const std::string &prefix,
                        const KDAOptions &options) {
  const FlaHeads &heads = options.heads;
  int64_t features = heads.valueHeads * heads.keyDim;
  Value gate = b.linear(b.linear(x, prefix + "f_proj.0", heads.valueDim),
                        prefix + "f_proj.1", features);
  gate = b.add(gate, b.weight(prefix + "dt_bias", {features}));
  gate = b.splitHeads(gate, heads.valueHeads);
  return channelDecay(b, gate, b.weight(prefix + "A_log", {heads.valueHeads}),
                      options.lowerBound);
}

static Value buildMixer(ModelBuilder &b, Value x, const std::string &prefix,
                        const FlaConfig &config, const KDAOptions &options) {
  const FlaHeads &heads = options.heads;
  int64_t values = heads.valueHeads * heads.valueDim;
  auto project = [&](StringRef name, int64_t count, int64_t dim) {
    return b.splitHeads(
        flaProject(b, x, prefix, name, count * dim, heads.convWidth), count);
  };
  RecurrenceInputs in;
  in.query = l2Norm(b, project("q", heads.heads, heads.keyDim), 1e-6);
  in.key = l2Norm(b, project("k", heads.heads, heads.keyDim), 1e-6);
  in.value = project("v", heads.valueHeads, heads.valueDim);
  in.decay = buildDecay(b, x, prefix, options);
  in.beta = flaBeta(b, b.linear(x, prefix + "b_proj", heads.valueHeads),
                    options.negativeEigenvalues);
  in.scale = heads.getScale();
  Value out = b.mergeHeads(flaHeadNorm(b, recurrence(b, in), prefix + "o_norm",
                                       /*affine=*/true, config.eps));
  Value gate = b.linear(b.linear(x, prefix + "g_proj.0", heads.valueDim),
                        prefix + "g_proj.1", values, /*bias=*/true);
  return b.linear(b.mul(out, sigmoid(b, gate)), prefix + "o_proj",
                  config.hidden);
}

static ModelFacts buildKDA(ModelBuilder &b, ConfigReader &reader,
                           const FamilyRequest &request) {
  FlaConfig config;
  KDAOptions options = readOptions(reader, config);
  return buildFla(b, reader, request, config,
                  [&](Value x, const FlaLayer &layer) {
                    return buildMixer(b, x, layer.prefix, config, options);
                  });
}

namespace weir {
void registerKDAFamily(FamilyTable &table) {
  table.add({"kda", "KDAForCausalLM", "KDAModel", "", {}, buildKDA});
}
} // namespace weir
