//===- Jamba.cpp - The Jamba family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Jamba (arXiv:2403.19887): layers of Mamba, whose step, input and output are
// normalised, and once in a period one of attention without positions; once in
// another period, experts whose weights are not renormalised.
//
//===----------------------------------------------------------------------===//

#include "HeadAttention.h"
#include "HybridModel.h"
#include "StateSpaceLayers.h"
#include "StateSpaceMixers.h"

using namespace mlir;
using namespace weir;

namespace {

struct JambaConfig : HybridModel {
  int64_t inner;
  AttentionHeads heads;
  MambaSpec mixer;
  ExpertsSpec experts;
};

/// Builds the layers.
class JambaGraph {
public:
  JambaGraph(ModelBuilder &builder, const JambaConfig &config)
      : b(builder), config(config) {}

  /// Layers share nothing.
  void begin(Value) {}
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  ModelBuilder &b;
  const JambaConfig &config;
};

} // namespace

Value JambaGraph::buildLayer(const HybridLayer &kind, Value x) {
  return preNormLayer(
      b, config, x,
      [&](Value normed) {
        return kind.mixer == TokenMixer::Linear
                   ? mambaMixer(b, config.mixer, normed)
                   : headAttention(b, normed, config.layer + "self_attn.",
                                   config.heads, {});
      },
      [&](Value normed) {
        return kind.feedForward == FeedForward::Experts
                   ? buildMixture(b, normed, config.experts)
                   : hybridMLP(b, config, normed, config.inner,
                               "feed_forward.");
      });
}

/// Where a period begins: layer i is counted when i % `period` = `offset`.
struct LayerPeriod {
  int64_t period, offset;

  bool has(int64_t layer) const { return layer % period == offset; }
};

static LayerPeriod readPeriod(ConfigReader &reader, const std::string &name,
                              LayerPeriod usual) {
  std::string period = name + "_layer_period", offset = name + "_layer_offset";
  LayerPeriod result = {reader.getSize(period, usual.period),
                        reader.getInt(offset, usual.offset)};
  if (result.offset < 0 || result.offset >= result.period)
    reader.emitError(offset) << "key '" << offset << "' is " << result.offset
                             << ", expected a number from 0 to below the "
                             << result.period << " of '" << period << "'";
  return result;
}

static void readMixer(ConfigReader &reader, JambaConfig &config) {
  MambaSpec &mixer = config.mixer;
  std::string prefix = config.layer + "mamba.";
  setMambaMixerKeys(mixer, prefix);
  mixer.stepNorm = prefix + "dt_layernorm";
  mixer.inputNorm = prefix + "b_layernorm";
  mixer.outputNorm = prefix + "c_layernorm";
  mixer.innerEps = config.eps;
  mixer.activation = config.activation;
  readHybridMamba(reader, mixer, config.hidden);
}

static ModelFacts buildJamba(ModelBuilder &b, ConfigReader &reader,
                             const FamilyRequest &request) {
  JambaConfig config;
  config.vocabSize = 65536;
  config.hidden = 4096;
  config.layers = 32;
  config.length = 262144;
  config.finalNorm = "final_layernorm";
  config.feedForwardNorm = "pre_ff_layernorm";
  readHybridModel(reader, config);
  config.inner = reader.getSize("intermediate_size", 14336);
  config.heads.heads = 32;
  config.heads.kvHeads = 8;
  readAttentionHeads(reader, config.heads, config.hidden);
  readMixer(reader, config);

  ExpertsSpec &experts = config.experts;
  experts.router.key = config.layer + "feed_forward.router";
  experts.router.weighting = RouteWeighting::Scores;
  experts.keys.prefix = config.layer + "feed_forward.experts.";
  experts.inner = config.inner;
  experts.activation = config.activation;
  StringRef counts =
      reader.has("num_local_experts") ? "num_local_experts" : "num_experts";
  // One expert is none.
  bool hasExperts = reader.getSize(counts, 16) > 1;
  if (hasExperts)
    readExpertCounts(reader, experts.router, 16, 2);
  ignoreTrainingOfExperts(reader);
  LayerPeriod attention = readPeriod(reader, "attn", {8, 4});
  LayerPeriod sparse = readPeriod(reader, "expert", {2, 1});
  for (int64_t i = 0; i < config.layers; ++i)
    config.order.push_back(
        {attention.has(i) ? TokenMixer::Attention : TokenMixer::Linear,
         hasExperts && sparse.has(i) ? FeedForward::Experts
                                     : FeedForward::Dense});
  reader.expect("mamba_inner_layernorms", true,
                "step, input and output are normalised");
  // What is said about experts that there are none of, and for how many
  // positions logits are wanted.
  reader.ignore({"calc_logits_for_entire_prompt", "num_experts_per_tok",
                 "num_logits_to_keep"});
  ModelFacts facts = buildHybridModel<JambaGraph>(b, reader, request, config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

namespace weir {
void registerJambaFamily(FamilyTable &table) {
  table.add({"jamba", "JambaForCausalLM", "JambaModel", "", {}, buildJamba});
}
} // namespace weir
