//===- GSA.cpp - Gated slot attention -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// arXiv:2409.07146, in the layout of flash-linear-attention.
//
//===----------------------------------------------------------------------===//

#include "Fla.h"
#include "SlotMemory.h"

using namespace mlir;
using namespace weir;

namespace {

/// The options of the mixer.
struct GSAOptions {
  FlaSlots slots;
  int64_t kvHeads = 4;
  double normalizer = 8;
  std::string featureMap;
};

} // namespace

static GSAOptions readOptions(ConfigReader &reader, FlaConfig &config) {
  readFla(reader, config);
  GSAOptions options;
  options.slots = readFlaSlots(reader, config, 1.0);
  options.kvHeads = reader.getSize("num_kv_heads", options.slots.heads);
  // Null would be a division by nothing.
  options.normalizer = reader.getFloat("gate_logit_normalizer", 8);
  options.featureMap =
      readChoice(reader, "feature_map", "swish", {"swish", "relu", "t2r"});
  // The layer is never told of the first two, and has no gate and one norm
  // whatever the others say.
  reader.ignore({"clamp_min", "clamp_max", "use_output_gate", "use_norm"});
  expectMultiple(reader, "num_kv_heads", options.slots.heads, options.kvHeads,
                 "the number of heads");
  if (config.affine && options.slots.values != config.hidden)
    reader.emitError("expand_v")
        << "key 'expand_v' makes " << options.slots.values
        << " features of values, expected the hidden size " << config.hidden
        << " that they are normalised by";
  return options;
}

static Value mapFeatures(ModelBuilder &b, Value heads, StringRef name,
                         const std::string &prefix) {
  if (name != "t2r")
    return b.activation(heads, name, "feature_map");
  int64_t dim = cast<RankedTensorType>(heads.getType()).getShape().back();
  return b.activation(b.linear(heads, prefix + "feature_map.layer", dim),
                      "relu");
}

static Value buildMixer(ModelBuilder &b, Value x, const std::string &prefix,
                        const FlaConfig &config, const GSAOptions &options) {
  const FlaSlots &slots = options.slots;
  int64_t groups = slots.heads / options.kvHeads;
  auto project = [&](StringRef name, int64_t features, int64_t heads) {
    return b.splitHeads(slots.project(b, x, prefix, name, features), heads);
  };
  auto repeat = [&](Value heads) { return repeatHeads(b, heads, groups); };
  Value query = project("q", slots.keys, slots.heads);
  query = mapFeatures(b, query, options.featureMap, prefix);
  Value key = project("k", slots.keys / groups, options.kvHeads);
  key = mapFeatures(b, key, options.featureMap, prefix);
  Value value = b.activation(
      project("v", slots.values / groups, options.kvHeads), "silu");
  Value gate = b.splitHeads(
      b.linear(x, prefix + "f_proj", options.kvHeads * slots.slots),
      options.kvHeads);
  gate = repeat(b.scale(logSigmoid(b, gate), 1.0 / options.normalizer));
  SlotGates gates{gate, scaleAndShift(b, exp(b, gate), -1.0, 1.0)};
  Value out =
      b.mergeHeads(slotAttention(b, query, repeat(key), repeat(value), gates));
  Value weight = config.affine
                     ? b.weight(prefix + "g_norm.weight", {config.hidden})
                     : Value();
  // The norm does not have the configuration's epsilon.
  out = rmsNorm(b, b.activation(out, "silu"), weight, 1e-5);
  return b.linear(out, prefix + "o_proj", config.hidden);
}

static ModelFacts buildGSA(ModelBuilder &b, ConfigReader &reader,
                           const FamilyRequest &request) {
  FlaConfig config;
  GSAOptions options = readOptions(reader, config);
  return buildFla(b, reader, request, config,
                  [&](Value x, const FlaLayer &layer) {
                    return buildMixer(b, x, layer.prefix, config, options);
                  });
}

namespace weir {
void registerGSAFamily(FamilyTable &table) {
  table.add({"gsa", "GSAForCausalLM", "GSAModel", "", {}, buildGSA});
}
} // namespace weir
