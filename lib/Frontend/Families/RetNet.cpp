//===- RetNet.cpp - Retentive networks -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// arXiv:2307.08621, in the layout of flash-linear-attention.
//
//===----------------------------------------------------------------------===//

#include "Fla.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

/// The options of the mixer.
struct RetNetOptions {
  int64_t heads = 8, kvHeads = 8;
  int64_t keys = 0, values = 0;
  std::string featureMap;
  bool gated = true;
};

/// Values that all layers share.
struct RetNetShared {
  RotarySpec rotary;
  Value positions, frequencies;
};

} // namespace

static RetNetOptions readOptions(ConfigReader &reader, FlaConfig &config) {
  config.ratio = 2.0;
  readFla(reader, config);
  RetNetOptions options;
  options.heads = reader.getSize("num_heads", 8);
  options.kvHeads = reader.getSize("num_kv_heads", options.heads);
  options.keys = readFlaWidth(reader, "expand_k", config.hidden, 1.0);
  options.values = readFlaWidth(reader, "expand_v", config.hidden, 2.0);
  options.featureMap = reader.getString("feature_map", "");
  options.gated = reader.getBool("use_output_gate", true);
  // The layer is never told of convolutions.
  reader.ignore({"use_short_conv", "conv_size"});
  reader.expect("hidden_act", "swish", "the output gate has no other");
  expectMultiple(reader, "num_kv_heads", options.heads, options.kvHeads,
                 "the number of heads");
  expectMultiple(reader, "num_heads", options.keys, options.heads,
                 "the features of all keys");
  expectMultiple(reader, "num_heads", options.values, options.heads,
                 "the features of all values");
  if (options.keys / options.heads % 2)
    reader.emitError("num_heads")
        << "keys have " << options.keys / options.heads
        << " features, expected an even number to rotate";
  return options;
}

static Value buildMixer(ModelBuilder &b, Value x, const std::string &prefix,
                        const FlaConfig &config, const RetNetOptions &options,
                        const RetNetShared &shared) {
  int64_t groups = options.heads / options.kvHeads;
  auto rotate = [&](StringRef name, int64_t features, int64_t heads) {
    Value part =
        b.splitHeads(b.linear(x, prefix + name.str(), features), heads);
    if (!options.featureMap.empty())
      part = b.activation(part, options.featureMap, "feature_map");
    return b.rotary(part, shared.positions, shared.frequencies, shared.rotary);
  };
  RecurrenceInputs in;
  in.query = rotate("q_proj", options.keys, options.heads);
  in.key = repeatHeads(
      b, rotate("k_proj", options.keys / groups, options.kvHeads), groups);
  Value value = b.linear(x, prefix + "v_proj", options.values / groups);
  in.value = repeatHeads(b, b.splitHeads(value, options.kvHeads), groups);
  // Each head forgets at its own rate: 1 - 2^(-5 - head).
  SmallVector<float> decays;
  for (int64_t head = 0; head < options.heads; ++head)
    decays.push_back(static_cast<float>(std::log1p(-std::exp2(-5.0 - head))));
  in.decay = b.read(b.constant("retention.decay", decays, {options.heads}));
  in.scale = 1.0 / std::sqrt(static_cast<double>(options.keys / options.heads));

  return flaFinish(b, recurrence(b, in), x, config.hidden,
                   flaGatedOutput(prefix, config, options.gated));
}

static ModelFacts buildRetNet(ModelBuilder &b, ConfigReader &reader,
                              const FamilyRequest &request) {
  FlaConfig config;
  RetNetOptions options = readOptions(reader, config);
  RetNetShared shared;
  return buildFla(
      b, reader, request, config,
      [&](Value x, const FlaLayer &layer) {
        return buildMixer(b, x, layer.prefix, config, options, shared);
      },
      [&](FlaModel &model) {
        shared.rotary.dims = options.keys / options.heads;
        shared.positions = model.getPositions();
        shared.frequencies = b.frequencies(shared.rotary);
      });
}

namespace weir {
void registerRetNetFamily(FamilyTable &table) {
  table.add(
      {"retnet", "RetNetForCausalLM", "RetNetModel", "", {}, buildRetNet});
}
} // namespace weir
