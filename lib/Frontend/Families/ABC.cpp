//===- ABC.cpp - Attention with bounded memory -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// arXiv:2110.02488, in the layout of flash-linear-attention.
//
//===----------------------------------------------------------------------===//

#include "Fla.h"
#include "SlotMemory.h"
#include "StateSpaceLayers.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace weir;

namespace {

/// The options of the mixer.
struct ABCOptions {
  FlaSlots slots;
  /// The rotary embedding of queries and keys, or none.
  std::optional<RotarySpec> rotary;
  double clampMin, clampMax;
};

/// Values that all layers share.
struct ABCShared {
  Value positions, frequencies;
};

} // namespace

static ABCOptions readOptions(ConfigReader &reader, FlaConfig &config) {
  readFla(reader, config);
  ABCOptions options;
  options.slots = readFlaSlots(reader, config, 0.5);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  options.clampMin = reader.isNull("clamp_min")
                         ? -infinity
                         : reader.getFloat("clamp_min", -32);
  options.clampMax =
      reader.isNull("clamp_max") ? infinity : reader.getFloat("clamp_max", 32);
  if (reader.getBool("use_rope", true)) {
    options.rotary.emplace();
    options.rotary->dims = options.slots.keys / options.slots.heads;
    if (options.rotary->dims % 2)
      reader.emitError("num_heads")
          << "keys have " << options.rotary->dims
          << " features, expected an even number to rotate";
  }
  // The layer is never told of these.
  reader.ignore({"clamp_min", "clamp_max", "gate_low_rank_dim"});
  return options;
}

static Value buildMixer(ModelBuilder &b, Value x, const std::string &prefix,
                        const FlaConfig &config, const ABCOptions &options,
                        const ABCShared &shared) {
  const FlaSlots &slots = options.slots;
  auto project = [&](StringRef name, int64_t features) {
    return b.splitHeads(slots.project(b, x, prefix, name, features),
                        slots.heads);
  };
  Value query = project("q", slots.keys), key = project("k", slots.keys);
  if (options.rotary) {
    query =
        b.rotary(query, shared.positions, shared.frequencies, *options.rotary);
    key = b.rotary(key, shared.positions, shared.frequencies, *options.rotary);
  }
  double dim = static_cast<double>(slots.keys / slots.heads);
  query = b.scale(query, 1.0 / std::sqrt(dim));
  Value logits = b.splitHeads(
      b.linear(x, prefix + "s_proj", slots.heads * slots.slots), slots.heads);
  logits = clamp(b, logits, options.clampMin, options.clampMax);
  Value out = slotAttention(b, query, key, project("v", slots.values),
                            runningShares(b, logits));
  FlaOutput output;
  output.norm = prefix + "g_norm";
  output.gate = prefix + "g_proj";
  output.project = prefix + "o_proj";
  output.affine = config.affine;
  output.eps = config.eps;
  return flaFinish(b, out, x, config.hidden, output);
}

static ModelFacts buildABC(ModelBuilder &b, ConfigReader &reader,
                           const FamilyRequest &request) {
  FlaConfig config;
  ABCOptions options = readOptions(reader, config);
  ABCShared shared;
  return buildFla(
      b, reader, request, config,
      [&](Value x, const FlaLayer &layer) {
        return buildMixer(b, x, layer.prefix, config, options, shared);
      },
      [&](FlaModel &model) {
        if (!options.rotary)
          return;
        shared.positions = model.getPositions();
        shared.frequencies = b.frequencies(*options.rotary);
      });
}

namespace weir {
void registerABCFamily(FamilyTable &table) {
  table.add({"abc", "ABCForCausalLM", "ABCModel", "", {}, buildABC});
}
} // namespace weir
