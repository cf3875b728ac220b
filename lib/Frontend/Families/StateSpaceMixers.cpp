//===- StateSpaceMixers.cpp - The mixers of Mamba -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StateSpaceMixers.h"
#include "StateSpaceLayers.h"
#include <cmath>

using namespace mlir;
using namespace weir;

//===----------------------------------------------------------------------===//
// Mamba
//===----------------------------------------------------------------------===//

void weir::setMambaMixerKeys(MambaSpec &spec, const std::string &prefix) {
  spec.input = prefix + "in_proj";
  spec.conv = prefix + "conv1d";
  spec.selection = prefix + "x_proj";
  spec.step = prefix + "dt_proj";
  spec.rate = prefix + "A_log";
  spec.skip = prefix + "D";
  spec.output = prefix + "out_proj";
}

void weir::setMambaMixerKeysOfGGUF(MambaSpec &spec) {
  spec.input = "blk.*.ssm_in";
  spec.conv = "blk.*.ssm_conv1d";
  spec.selection = "blk.*.ssm_x";
  spec.step = "blk.*.ssm_dt";
  spec.rate = "blk.*.ssm_a";
  spec.skip = "blk.*.ssm_d";
  spec.output = "blk.*.ssm_out";
  spec.plainRates = true;
}

int64_t weir::readStepRank(ConfigReader &reader, StringRef key,
                           int64_t hidden) {
  const llvm::json::Value *value = reader.get(key);
  if (!value && !reader.isGGUF())
    return (hidden + 15) / 16;
  if (value && value->getAsString() == StringRef("auto"))
    return (hidden + 15) / 16;
  return reader.getSize(key, 1);
}

void weir::readHybridMamba(ConfigReader &reader, MambaSpec &spec,
                           int64_t hidden) {
  spec.hidden = hidden;
  spec.inner = reader.getSize("mamba_expand", 2) * hidden;
  spec.state = reader.getSize("mamba_d_state", 16);
  spec.width = reader.getSize("mamba_d_conv", 4);
  spec.rank = readStepRank(reader, "mamba_dt_rank", hidden);
  spec.convBias = reader.getBool("mamba_conv_bias", true);
  spec.bias = reader.getBool("mamba_proj_bias", false);
  // How scans are computed.
  reader.ignore({"use_associative_scan", "use_mamba_kernels", "use_mambapy"});
}

Value weir::mambaMixer(ModelBuilder &b, const MambaSpec &spec, Value x) {
  int64_t inner = spec.inner, rank = spec.rank, state = spec.state;
  auto normed = [&](Value value, const std::string &key) {
    if (!spec.innerEps)
      return value;
    return key.empty() ? rmsNorm(b, value, Value(), *spec.innerEps)
                       : b.rmsNorm(value, key, *spec.innerEps);
  };
  b.setScope(spec.input);
  Value both = b.linear(x, spec.input, 2 * inner, spec.bias);
  Value gate = sliceFeatures(b, both, inner, inner);
  b.setScope(spec.conv);
  Value weight = convKernel(b, spec.conv + ".weight", inner, spec.width,
                            /*flat=*/spec.plainRates);
  Value bias = spec.convBias ? b.weight(spec.conv + ".bias", {inner}) : Value();
  Value u = activatedConv(b, sliceFeatures(b, both, 0, inner), weight, bias,
                          spec.activation);
  b.setScope(spec.selection);
  Value selected = b.linear(u, spec.selection, rank + 2 * state);
  Value step = normed(sliceFeatures(b, selected, 0, rank), spec.stepNorm);
  Value input = normed(sliceFeatures(b, selected, rank, state), spec.inputNorm);
  Value output =
      normed(sliceFeatures(b, selected, rank + state, state), spec.outputNorm);
  b.setScope(spec.step);
  step = softplus(b, b.linear(step, spec.step, inner, /*bias=*/true));
  b.setScope(spec.rate);
  Value rate = b.weight(spec.rate, {inner, state});
  if (!spec.plainRates)
    rate = negativeExp(b, rate);
  Value y = selectiveScan(b, u, step, rate, input, output);
  y = b.add(y, b.mul(u, b.weight(spec.skip, {inner})));
  b.setScope(spec.output);
  return b.linear(b.mul(y, b.activation(gate, "silu")), spec.output,
                  spec.hidden, spec.bias);
}

//===----------------------------------------------------------------------===//
// Mamba-2
//===----------------------------------------------------------------------===//

void weir::setMamba2MixerKeys(Mamba2Spec &spec, const std::string &prefix) {
  spec.input = prefix + "in_proj";
  spec.conv = prefix + "conv1d";
  spec.stepBias = prefix + "dt_bias";
  spec.rate = prefix + "A_log";
  spec.skip = prefix + "D";
  spec.norm = prefix + "norm";
  spec.output = prefix + "out_proj";
}

void weir::setMamba2MixerKeysOfGGUF(Mamba2Spec &spec) {
  spec.input = "blk.*.ssm_in";
  spec.conv = "blk.*.ssm_conv1d";
  spec.stepBias = "blk.*.ssm_dt.bias";
  spec.rate = "blk.*.ssm_a";
  spec.skip = "blk.*.ssm_d";
  spec.norm = "blk.*.ssm_norm";
  spec.output = "blk.*.ssm_out";
  spec.isGGUF = true;
}

/// A number as Python's JSON or that of transformers writes it, which has
/// spellings for infinities; none for anything else.
static std::optional<double> readNumber(const llvm::json::Value &value) {
  if (auto number = value.getAsNumber())
    return *number;
  auto text = value.getAsString();
  if (const llvm::json::Object *object = value.getAsObject())
    text = object->getString("__float__");
  if (text == StringRef("Infinity"))
    return std::numeric_limits<double>::infinity();
  if (text == StringRef("-Infinity"))
    return -std::numeric_limits<double>::infinity();
  return std::nullopt;
}

void weir::readStepLimits(ConfigReader &reader, Mamba2Spec &spec,
                          StringRef key) {
  const llvm::json::Value *value = reader.get(key);
  if (!value)
    return;
  const llvm::json::Array *list = value->getAsArray();
  std::optional<double> low, high;
  if (list && list->size() == 2) {
    low = readNumber((*list)[0]);
    high = readNumber((*list)[1]);
  }
  if (!low || !high) {
    reader.emitError(key) << "key '" << key << "' is no list of two numbers";
    return;
  }
  spec.stepMin = *low;
  spec.stepMax = *high;
}

void weir::checkMamba2Heads(ConfigReader &reader, const Mamba2Spec &spec,
                            int64_t headDim, StringRef headsKey,
                            StringRef groupsKey) {
  if (spec.heads * headDim != spec.inner)
    reader.emitError(headsKey)
        << "key '" << reader.getSpelling(headsKey) << "' gives " << spec.heads
        << " heads of " << headDim << " features, expected " << spec.inner
        << " features in all";
  else if (spec.heads % spec.groups || spec.inner % spec.groups)
    reader.emitError(groupsKey)
        << "key '" << reader.getSpelling(groupsKey) << "' is " << spec.groups
        << ", expected a divisor of the " << spec.heads << " heads";
}

void weir::readHybridMamba2(ConfigReader &reader, Mamba2Spec &spec,
                            const std::string &prefix) {
  setMamba2MixerKeys(spec, prefix);
  spec.heads = reader.getSize("mamba_n_heads", spec.heads);
  spec.groups = reader.getSize("mamba_n_groups", spec.groups);
  spec.state = reader.getSize("mamba_d_state", spec.state);
  spec.width = reader.getSize("mamba_d_conv", spec.width);
  spec.convBias = reader.getBool("mamba_conv_bias", true);
  spec.bias = spec.outputBias = reader.getBool("mamba_proj_bias", false);
  readStepLimits(reader, spec);
  const llvm::json::Value *size = reader.get("mamba_d_head");
  bool isGiven = size && size->getAsString() != StringRef("auto");
  int64_t headDim = isGiven ? reader.getSize("mamba_d_head", 1)
                            : std::max<int64_t>(spec.inner / spec.heads, 1);
  checkMamba2Heads(reader, spec, headDim, "mamba_n_heads", "mamba_n_groups");
  // How sequences are cut.
  reader.ignore({"mamba_chunk_size"});
}

/// A vector of a number per head.
static Value readHeads(ModelBuilder &b, const Mamba2Spec &spec, StringRef key) {
  if (!spec.isGGUF)
    return b.weight(key, {spec.heads});
  return b.read(b.reshape(b.param(key, {spec.heads, 1}), {spec.heads}));
}

/// `y` joined with its gate, group by group.
static Value joinGate(ModelBuilder &b, const Mamba2Spec &spec, Value y,
                      Value gate) {
  Value opened = b.activation(gate, "silu");
  if (spec.gatedNorm == GatedNorm::None)
    return b.mul(y, opened);
  b.setScope(spec.norm);
  std::string key = spec.norm + ".weight";
  int64_t size = spec.inner / spec.groups;
  Value weight =
      spec.isGGUF
          ? b.read(b.reshape(b.param(key, {spec.groups, size}), {spec.inner}))
          : b.weight(key, {spec.inner});
  if (spec.gatedNorm == GatedNorm::After)
    y = b.mul(y, opened);
  if (spec.groups == 1) {
    y = rmsNorm(b, y, weight, spec.eps);
  } else {
    Value normed = rmsNorm(b, b.splitHeads(y, spec.groups), Value(), spec.eps);
    y = b.mul(b.mergeHeads(normed), weight);
  }
  return spec.gatedNorm == GatedNorm::Before ? b.mul(y, opened) : y;
}

/// Multiplies each part of the projections by its factor.
static Value scaleParts(ModelBuilder &b, const Mamba2Spec &spec, Value all) {
  if (llvm::all_of(spec.scales, [](double scale) { return scale == 1; }))
    return all;
  int64_t shared = spec.groups * spec.state;
  SmallVector<float> factors;
  for (auto [scale, size] : llvm::zip_equal(
           spec.scales, std::array<int64_t, 5>{spec.inner, spec.inner, shared,
                                               shared, spec.heads}))
    factors.append(size, static_cast<float>(scale));
  auto features = static_cast<int64_t>(factors.size());
  return b.mul(
      all, b.read(b.constant("mamba.projection_scales", factors, {features})));
}

/// The recurrence with a state for each level, whose scales are logits times
/// factors.
static Value buildLevels(ModelBuilder &b, const Mamba2Spec &spec,
                         const RecurrenceInputs &inputs, Value logits) {
  Value factors =
      b.read(b.reshape(b.param(spec.levelScale, {spec.heads, spec.levels}),
                       {spec.heads * spec.levels}));
  Value scales = softplus(b, b.splitHeads(b.mul(logits, factors), spec.heads));
  return logLinearScan(b, inputs, scales, spec.positions);
}

Value weir::mamba2Mixer(ModelBuilder &b, const Mamba2Spec &spec, Value x) {
  int64_t inner = spec.inner, heads = spec.heads;
  int64_t features = spec.getConvFeatures();
  int64_t shared = spec.groups * spec.state;
  b.setScope(spec.input);
  Value all = b.linear(b.scale(x, spec.inputScale), spec.input,
                       inner + features + heads * (1 + spec.levels), spec.bias);
  all = scaleParts(b, spec, all);
  Value gate = sliceFeatures(b, all, 0, inner);
  Value step = sliceFeatures(b, all, inner + features, heads);
  b.setScope(spec.conv);
  Value weight = convKernel(b, spec.conv + ".weight", features, spec.width,
                            /*flat=*/spec.isGGUF);
  Value bias =
      spec.convBias ? b.weight(spec.conv + ".bias", {features}) : Value();
  Value mixed = activatedConv(b, sliceFeatures(b, all, inner, features), weight,
                              bias, spec.activation);
  b.setScope(spec.rate);
  Value values = b.splitHeads(sliceFeatures(b, mixed, 0, inner), heads);
  step = softplus(b, b.add(step, b.weight(spec.stepBias, {heads})));
  // Steps are positive already.
  if (spec.stepMin > 0 || std::isfinite(spec.stepMax))
    step = clamp(b, step, spec.stepMin, spec.stepMax);
  Value rate = readHeads(b, spec, spec.rate);
  if (!spec.isGGUF)
    rate = negativeExp(b, rate);
  RecurrenceInputs inputs;
  inputs.query = b.splitHeads(sliceFeatures(b, mixed, inner + shared, shared),
                              spec.groups);
  inputs.key =
      b.splitHeads(sliceFeatures(b, mixed, inner, shared), spec.groups);
  inputs.value = scaleRows(b, values, step);
  inputs.decay = b.mul(step, rate);
  Value y = spec.levels
                ? buildLevels(b, spec, inputs,
                              sliceFeatures(b, all, inner + features + heads,
                                            heads * spec.levels))
                : recurrence(b, inputs);
  if (spec.skipByFeature)
    y = b.add(y, b.splitHeads(
                     b.mul(b.mergeHeads(values), b.weight(spec.skip, {inner})),
                     heads));
  else
    y = b.add(y, scaleHeads(b, values, readHeads(b, spec, spec.skip)));
  y = joinGate(b, spec, b.mergeHeads(y), gate);
  b.setScope(spec.output);
  return b.linear(y, spec.output, spec.hidden, spec.outputBias);
}
