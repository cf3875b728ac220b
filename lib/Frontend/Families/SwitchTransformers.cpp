//===- SwitchTransformers.cpp - The Switch family ---------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// T5 some of whose perceptrons are mixtures: a token goes to one expert, which
// takes so many of a row and leaves the others out (arXiv:2101.03961).
//
//===----------------------------------------------------------------------===//

#include "T5.h"
#include <cmath>

using namespace mlir;
using namespace weir;

/// Reads which layers of the part `name` are sparse: each so manieth, by the
/// count of them unless the configuration says the step itself.
static void readSparse(ConfigReader &reader, const std::string &name,
                       DecoderConfig &config) {
  std::string countKey = "num_sparse_" + name + "_layers";
  std::string stepKey = name + "_sparse_step";
  int64_t count = reader.getInt(countKey, 3);
  int64_t step =
      reader.getInt(stepKey, count > 0 ? config.layers / count : config.layers);
  if (step < 0) {
    reader.emitError(stepKey) << "key '" << stepKey << "' is " << step
                              << ", expected no negative number";
    return;
  }
  for (int64_t layer = 0; layer < config.layers; ++layer)
    config.sparse.push_back(step > 0 && (layer % step == 1 || step == 1));
}

/// The mixtures of a part whose keys of perceptrons begin with `block`.
static ExpertsSpec getExperts(ConfigReader &reader, const std::string &block,
                              const DecoderConfig &config) {
  ExpertsSpec spec;
  spec.router.key = block + "router.classifier";
  spec.router.logitBias = reader.getBool("router_bias", false);
  spec.router.experts = reader.getSize("num_experts", 8);
  spec.router.perToken = 1;
  spec.router.weighting = RouteWeighting::Scores;
  spec.router.capacity = reader.getSize("expert_capacity", 64);
  spec.keys.prefix = block + "experts.expert_";
  spec.keys.up = "wi";
  spec.keys.down = "wo";
  spec.gated = false;
  spec.inner = config.inner;
  spec.activation = config.activation;
  return spec;
}

static ModelFacts buildSwitch(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  T5Model model;
  DecoderConfig defaults = getT5Defaults();
  defaults.hidden = 768;
  defaults.layers = 12;
  defaults.heads = 12;
  readT5(reader, builder, request, defaults, "mlp.", /*biasPerLayer=*/false,
         model);
  int64_t tensors = reader.getCheckpoint().tensors().size();
  if (reader.getSize("num_experts", 8) > tensors)
    reader.emitError("num_experts")
        << "key 'num_experts' is " << reader.getSize("num_experts", 8)
        << " when the checkpoint has " << tensors << " tensors";
  readSparse(reader, "encoder", model.encoder.config);
  readSparse(reader, "decoder", model.decoder.config);
  for (DecoderSpec *part : {&model.encoder, &model.decoder}) {
    StringRef block = part->keys.mlp.up;
    block.consume_back("wi");
    part->config.experts = getExperts(reader, block.str(), part->config);
  }
  reader.expect("router_dtype", "float32", "routers compute in less than f32");
  // Of training; and whether padding is routed, which makes no difference to
  // tokens in front of it.
  reader.ignore({"add_router_probs", "capacity_factor", "router_aux_loss_coef",
                 "router_ignore_padding_tokens", "router_jitter_noise",
                 "router_type", "router_z_loss_coef"});
  reader.expect("batch_prioritized_routing", false,
                "tokens take their places in order");
  reader.expect("num_selected_experts", 1, "a token goes to one expert");
  if (model.decoder.config.tied)
    model.decoder.config.logitScale =
        1 / std::sqrt(static_cast<double>(model.decoder.config.hidden));
  return buildEncoderDecoder(builder, reader, request, model.encoder,
                             model.decoder);
}

namespace weir {
void registerSwitchTransformersFamily(FamilyTable &table) {
  table.add({"switch_transformers",
             "SwitchTransformersForConditionalGeneration",
             "SwitchTransformersModel",
             "",
             getT5Ignorable(),
             buildSwitch,
             {},
             "SwitchTransformersEncoderModel"});
}
} // namespace weir
