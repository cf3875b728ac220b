//===- Comba.cpp - Comba -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// arXiv:2506.02475, in the layout of flash-linear-attention.
//
//===----------------------------------------------------------------------===//

#include "Fla.h"

using namespace mlir;
using namespace weir;

namespace {

/// The options of the mixer.
struct CombaOptions {
  FlaHeads heads;
  bool gated = true;
};

} // namespace

static Value buildMixer(ModelBuilder &b, Value x, const std::string &prefix,
                        const FlaConfig &config, const CombaOptions &options) {
  const FlaHeads &heads = options.heads;
  auto project = [&](StringRef name, int64_t count, int64_t dim) {
    return b.splitHeads(
        flaProject(b, x, prefix, name, count * dim, heads.convWidth), count);
  };
  Value query = project("q", heads.heads, heads.keyDim);
  Value key = project("k", heads.heads, heads.keyDim);
  // The key that the feedback reads at, which also corrects the query.
  Value inner = sigmoid(b, b.weight(prefix + "decay", {heads.heads}));
  Value read = scaleHeads(b, key, inner);
  query =
      sub(b, query, scaleHeads(b, read, b.weight(prefix + "D", {heads.heads})));
  RecurrenceInputs in;
  in.query = l2Norm(b, query, 1e-6);
  in.key = l2Norm(b, key, 1e-6);
  in.readKey = l2Norm(b, read, 1e-6);
  in.value = project("v", heads.valueHeads, heads.valueDim);
  in.beta = sigmoid(b, b.linear(x, prefix + "b_proj", heads.valueHeads));
  in.decay = rateDecay(b, b.linear(x, prefix + "a_proj", heads.valueHeads),
                       b.weight(prefix + "A_log", {heads.valueHeads}),
                       b.weight(prefix + "dt_bias", {heads.valueHeads}));
  // As the kernels have it; the paper's formula decays first.
  in.reads = RecurrenceRead::Previous;
  in.scale = heads.getScale();
  FlaOutput output;
  output.norm = prefix + "o_norm";
  output.gate = options.gated ? prefix + "g_proj" : "";
  output.activation = "sigmoid";
  output.project = prefix + "o_proj";
  output.eps = config.eps;
  return flaFinish(b, recurrence(b, in), x, config.hidden, output);
}

static ModelFacts buildComba(ModelBuilder &b, ConfigReader &reader,
                             const FamilyRequest &request) {
  FlaConfig config;
  config.layers = 21;
  readFla(reader, config);
  CombaOptions options;
  options.heads = readFlaHeads(reader, 256, 6, 2.0, /*grouped=*/true);
  options.gated = reader.getBool("use_output_gate", true);
  // The layer is never told of these: it corrects and decays, and the factor
  // is where the weight began.
  reader.ignore(
      {"use_output_correction", "use_inner_decay", "correction_factor"});
  return buildFla(b, reader, request, config,
                  [&](Value x, const FlaLayer &layer) {
                    return buildMixer(b, x, layer.prefix, config, options);
                  });
}

namespace weir {
void registerCombaFamily(FamilyTable &table) {
  table.add({"comba", "CombaForCausalLM", "CombaModel", "", {}, buildComba});
}
} // namespace weir
