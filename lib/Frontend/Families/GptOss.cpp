//===- GptOss.cpp - The gpt-oss family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention with a logit per head that no key stands for, windows on every
// other layer, and experts with bounded gates (arXiv:2508.10925).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildGptOss(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 201088;
  config.hidden = 2880;
  config.inner = 2880;
  config.layers = 36;
  config.heads = 64;
  config.kvHeads = 8;
  config.headDim = 64;
  config.trainedLength = 131072;
  config.eps = 1e-5;
  config.rotaryOptions.defaultBase = 150000;
  config.rotaryOptions.truncates = false;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", true));
  readLayerTypes(reader, config, 128,
                 [](int64_t layer) { return layer % 2 == 0; });
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.sinks = keys.layer + "self_attn.sinks";
  ExpertsSpec &experts = config.experts.emplace();
  readExpertCounts(reader, experts.router, 128, 4);
  ignoreTrainingOfExperts(reader);
  // What stands in older files beside what is read.
  reader.ignore({"experts_per_token", "initial_context_length"});
  experts.router.key = keys.layer + "mlp.router";
  experts.router.logitBias = true;
  experts.router.score = RouteScore::Raw;
  experts.router.weighting = RouteWeighting::Softmax;
  experts.inner = config.inner;
  experts.keys.prefix = keys.layer + "mlp.experts.";
  // Blocks of four bits lie along the input features, which come last then.
  experts.keys.inputFirst = !hasLayerTensor(
      builder.getCheckpoint(), experts.keys.prefix + "gate_up_proj_blocks");
  experts.keys.alternating = true;
  experts.keys.biased = true;
  experts.boundedGate = BoundedGate{reader.getFloat("swiglu_alpha", 1.702),
                                    reader.getFloat("swiglu_limit", 7)};
  if (reader.isGGUF()) {
    keys.mlpNorm = keys.layer + "post_attention_norm";
    keys.sinks = keys.layer + "attn_sinks.weight";
    setGGUFExperts(reader, keys.layer, experts);
  }
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerGptOssFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"gpt_oss", "GptOssForCausalLM", "GptOssModel", "gpt-oss",
             ignorable, buildGptOss});
}
} // namespace weir
