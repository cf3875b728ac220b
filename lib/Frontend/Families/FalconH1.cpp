//===- FalconH1.cpp - The Falcon-H1 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Falcon-H1 (arXiv:2507.22448): in each layer, attention and Mamba-2 read the
// same input side by side. Embeddings, logits, inputs, projections, keys and
// results have factors of their own.
//
//===----------------------------------------------------------------------===//

#include "HeadAttention.h"
#include "HybridModel.h"
#include "StateSpaceMixers.h"

using namespace mlir;
using namespace weir;

namespace {

struct FalconConfig : HybridModel {
  int64_t inner;
  AttentionHeads heads;
  Mamba2Spec mixer;
  bool mlpBias;
  double mixerOut, attentionIn, attentionOut;
  /// Factors of the perceptron's gate, in front of its activation, and of its
  /// result.
  double gateScale = 1, downScale = 1;
};

/// Builds the layers.
class FalconGraph {
public:
  FalconGraph(ModelBuilder &builder, const FalconConfig &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids) {
    rotary = buildRotaryValues(b, ids, config.heads.rotary);
  }
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  Value buildMixers(Value x);
  Value buildPerceptron(Value x);

  ModelBuilder &b;
  const FalconConfig &config;
  RotaryValues rotary;
};

} // namespace

Value FalconGraph::buildMixers(Value x) {
  Value state = mamba2Mixer(b, config.mixer, x);
  Value seen = headAttention(b, b.scale(x, config.attentionIn),
                             config.layer + "self_attn.", config.heads, rotary);
  return b.add(b.scale(state, config.mixerOut),
               b.scale(seen, config.attentionOut));
}

Value FalconGraph::buildPerceptron(Value x) {
  std::string keys = config.layer + "feed_forward.";
  Value gate = b.linear(x, keys + "gate_proj", config.inner, config.mlpBias);
  gate = b.activation(b.scale(gate, config.gateScale), config.activation);
  Value up = b.linear(x, keys + "up_proj", config.inner, config.mlpBias);
  Value down = b.linear(b.mul(up, gate), keys + "down_proj", config.hidden,
                        config.mlpBias);
  return b.scale(down, config.downScale);
}

Value FalconGraph::buildLayer(const HybridLayer &, Value x) {
  return preNormLayer(
      b, config, x, [&](Value normed) { return buildMixers(normed); },
      [&](Value normed) { return buildPerceptron(normed); });
}

/// Reads a list of `factors.size()` numbers, which is all ones where it is
/// absent.
static void readFactors(ConfigReader &reader, StringRef key,
                        MutableArrayRef<double> factors) {
  const llvm::json::Value *value = reader.get(key);
  if (!value)
    return;
  const llvm::json::Array *list = value->getAsArray();
  bool fits = list && list->size() == factors.size();
  for (size_t i = 0; fits && i < factors.size(); ++i) {
    std::optional<double> number = (*list)[i].getAsNumber();
    fits = number.has_value();
    factors[i] = number.value_or(1);
  }
  if (!fits)
    reader.emitError(key) << "key '" << key << "' is no list of "
                          << factors.size() << " numbers";
}

static void readMixer(ConfigReader &reader, FalconConfig &config) {
  Mamba2Spec &mixer = config.mixer;
  mixer.hidden = config.hidden;
  mixer.eps = config.eps;
  mixer.activation = config.activation;
  mixer.heads = 128;
  mixer.state = 256;
  double expand = reader.getFloat("mamba_expand", 2);
  // The size that is given goes before the factor, unless it is null.
  mixer.inner =
      reader.isNull("mamba_d_ssm")
          ? static_cast<int64_t>(expand * static_cast<double>(config.hidden))
          : reader.getSize("mamba_d_ssm", 1024);
  readHybridMamba2(reader, mixer, config.layer + "mamba.");
  mixer.outputBias = reader.getBool("projectors_bias", false);
  bool before = reader.getBool("mamba_norm_before_gate", true);
  mixer.gatedNorm = !reader.getBool("mamba_rms_norm", false) ? GatedNorm::None
                    : before                                 ? GatedNorm::Before
                                                             : GatedNorm::After;
  mixer.inputScale = reader.getFloat("ssm_in_multiplier", 1);
  readFactors(reader, "ssm_multipliers", mixer.scales);
}

static ModelFacts buildFalconH1(ModelBuilder &b, ConfigReader &reader,
                                const FamilyRequest &request) {
  FalconConfig config;
  config.vocabSize = 128000;
  config.hidden = 4096;
  config.layers = 32;
  config.length = 8192;
  config.eps = 1e-5;
  config.finalNorm = "final_layernorm";
  config.feedForwardNorm = "pre_ff_layernorm";
  readHybridModel(reader, config);
  config.order.assign(config.layers, {TokenMixer::Both});
  config.inner = reader.getSize("intermediate_size", 14336);
  config.mlpBias = reader.getBool("mlp_bias", false);
  config.embeddingScale = reader.getFloat("embedding_multiplier", 1);
  config.logitScale = reader.getFloat("lm_head_multiplier", 1);
  config.mixerOut = reader.getFloat("ssm_out_multiplier", 1);
  config.attentionIn = reader.getFloat("attention_in_multiplier", 1);
  config.attentionOut = reader.getFloat("attention_out_multiplier", 1);
  std::array<double, 2> factors = {1, 1};
  readFactors(reader, "mlp_multipliers", factors);
  config.gateScale = factors[0];
  config.downScale = factors[1];

  AttentionHeads &heads = config.heads;
  heads.heads = 32;
  heads.kvHeads = 8;
  readAttentionHeads(reader, heads, config.hidden);
  heads.bias = heads.outputBias = reader.getBool("attention_bias", false);
  heads.keyScale = reader.getFloat("key_multiplier", 1);
  RotaryOptions rotary;
  rotary.trainedLength = config.length;
  readHeadRotary(reader, b, request, heads, rotary);
  readMixer(reader, config);
  // For how many positions logits are wanted, and what the first checkpoints
  // say of sizes that are given by other keys.
  reader.ignore({"attn_layer_indices", "mamba_use_mlp", "mlp_expansion_factor",
                 "num_logits_to_keep"});
  ModelFacts facts = buildHybridModel<FalconGraph>(b, reader, request, config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

namespace weir {
void registerFalconH1Family(FamilyTable &table) {
  table.add({"falcon_h1",
             "FalconH1ForCausalLM",
             "FalconH1Model",
             "",
             {},
             buildFalconH1});
}
} // namespace weir
