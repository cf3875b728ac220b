//===- RWKV7.cpp - RWKV-7 in flash-linear-attention -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// arXiv:2503.14456, in the layout of flash-linear-attention.
//
//===----------------------------------------------------------------------===//

#include "FlaRWKV.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

/// The options of RWKV-7, and its mixers.
struct RWKV7 {
  RWKV7(ModelBuilder &builder, ConfigReader &reader);

  Value mixTime(Value x, StringRef prefix, Value &first, bool isFirst);
  Value mixChannels(Value x, StringRef prefix);

  ModelBuilder &b;
  RWKVConfig config;
  int64_t heads = 1, keyDim = 1, values = 0;
  int64_t decayRank, gateRank, rateRank, valueRank;

private:
  void readHeads(ConfigReader &reader);
  void readValues(ConfigReader &reader);
  int64_t readRank(ConfigReader &reader, StringRef key, int64_t fallback,
                   double factor);
};

} // namespace

RWKV7::RWKV7(ModelBuilder &builder, ConfigReader &reader) : b(builder) {
  readRWKV(reader, config, 4.0);
  readHeads(reader);
  readValues(reader);
  // Longer heads have wider gates.
  double longer = keyDim / 64.0;
  decayRank = readRank(reader, "decay_low_rank_dim", 64, 2.5 * longer);
  gateRank = readRank(reader, "gate_low_rank_dim", 128, 5.0);
  rateRank = readRank(reader, "a_low_rank_dim", 64, 2.5 * longer);
  valueRank = readRank(reader, "v_low_rank_dim", 16, 1.7 * longer);
}

void RWKV7::readHeads(ConfigReader &reader) {
  reader.ignore({"num_heads", "head_dim"});
  if (reader.isNull("head_dim")) {
    if (!reader.has("num_heads")) {
      reader.emitError("head_dim") << "keys 'head_dim' and 'num_heads' are "
                                      "both null, expected one number";
      return;
    }
    heads = reader.getSize("num_heads", 1);
    expectMultiple(reader, "num_heads", config.hidden, heads,
                   "the hidden size");
    keyDim = std::max<int64_t>(config.hidden / heads, 1);
    return;
  }
  // The number of heads follows, whatever the configuration says of it.
  keyDim = reader.getSize("head_dim", 64);
  expectMultiple(reader, "head_dim", config.hidden, keyDim, "the hidden size");
  heads = std::max<int64_t>(config.hidden / keyDim, 1);
}

void RWKV7::readValues(ConfigReader &reader) {
  values = config.hidden;
  const llvm::json::Value *given = reader.get("value_dim");
  if (!given)
    return;
  SmallVector<std::optional<int64_t>> sizes;
  if (const llvm::json::Array *list = given->getAsArray())
    for (const llvm::json::Value &size : *list)
      sizes.push_back(size.getAsInteger());
  else
    sizes.assign(config.layers, given->getAsInteger());
  // All layers mix the first one's values into theirs.
  bool fits = static_cast<int64_t>(sizes.size()) == config.layers &&
              llvm::all_equal(sizes) && sizes.front() && *sizes.front() > 0 &&
              *sizes.front() < (int64_t(1) << 31) &&
              *sizes.front() % config.hidden == 0;
  if (!fits)
    reader.emitError("value_dim")
        << "key 'value_dim' is no multiple of the hidden size " << config.hidden
        << ", or a list of it for each of the " << config.layers << " layers";
  else
    values = *sizes.front();
}

int64_t RWKV7::readRank(ConfigReader &reader, StringRef key, int64_t fallback,
                        double factor) {
  if (!reader.isNull(key))
    return reader.getSize(key, fallback);
  double steps = std::nearbyint(
      factor * std::sqrt(static_cast<double>(config.hidden)) / 32);
  return std::max<int64_t>(32, static_cast<int64_t>(steps) * 32);
}

Value weir::mixRWKV7(ModelBuilder &b, const RWKV7Token &token) {
  int64_t heads = token.heads;
  RecurrenceInputs in;
  in.query = b.splitHeads(token.query, heads);
  // exp(-exp(-1/2)) bounds the decay from below.
  in.decay = b.splitHeads(b.scale(sigmoid(b, token.decay), -0.6065306597126334),
                          heads);
  // What is taken out of the state, and what replaces it.
  Value removed = b.splitHeads(b.mul(token.key, token.removal), heads);
  removed = l2Norm(b, removed, token.removalEps);
  Value added =
      b.map({token.key, token.rate, token.replacement},
            [](OpBuilder &builder, Location loc, ValueRange args) -> Value {
              // k + k * (rate - 1) * k_a.
              Value one = arith::ConstantOp::create(
                  builder, loc, builder.getFloatAttr(args[0].getType(), 1.0));
              Value less = arith::SubFOp::create(builder, loc, args[1], one);
              Value part = arith::MulFOp::create(
                  builder, loc,
                  arith::MulFOp::create(builder, loc, args[0], less), args[2]);
              return arith::AddFOp::create(builder, loc, args[0], part);
            });
  in.key = b.splitHeads(added, heads);
  in.value = b.splitHeads(token.value, heads);
  in.readKey = b.scale(removed, -1.0);
  in.writeKey = b.mul(removed, b.splitHeads(token.rate, heads));
  in.reads = RecurrenceRead::Previous;
  Value out = recurrence(b, in);
  out = token.normScale
            ? groupNorm(b, out, token.normScale, token.normShift, token.normEps)
            : b.mergeHeads(out);

  // The token's own value, as much as its key is like its query.
  Value own = b.mul(b.mul(in.query, in.key), token.own);
  own = b.mergeHeads(scaleRows(b, in.value, sumFeatures(b, own)));
  out = b.add(out, own);
  return token.gate ? b.mul(out, token.gate) : out;
}

Value RWKV7::mixTime(Value x, StringRef prefix, Value &first, bool isFirst) {
  auto key = [&](StringRef name) { return (prefix + name).str(); };
  int64_t hidden = config.hidden;
  Value before = shift(b, x);
  auto mixed = [&](StringRef name) {
    Param share = b.param(key(name), {1, 1, hidden});
    return lerp(b, x, before, b.read(b.reshape(share, {hidden})));
  };
  RWKV7Token token;
  token.heads = heads;
  token.query = b.linear(mixed("x_r"), key("r_proj"), hidden);
  token.decay =
      lowRank(b, mixed("x_w"), {key("w_lora"), decayRank, hidden, "tanh"});
  token.key = b.linear(mixed("x_k"), key("k_proj"), hidden);
  Value xv = mixed("x_v");
  token.value = b.linear(xv, key("v_proj"), values);
  if (isFirst) {
    first = token.value;
  } else {
    Value share = lowRank(b, xv, {key("v_lora"), valueRank, values, ""});
    token.value = lerp(b, token.value, first, sigmoid(b, share));
  }
  token.rate = sigmoid(
      b, lowRank(b, mixed("x_a"), {key("a_lora"), rateRank, hidden, ""}));
  token.gate =
      lowRank(b, mixed("x_g"),
              {key("g_lora"), gateRank, values, "sigmoid", /*bias=*/false});
  token.removal = b.weight(key("k_k"), {hidden});
  token.replacement = b.weight(key("k_a"), {hidden});
  token.own = b.weight(key("r_k"), {heads, keyDim});
  token.normScale = b.weight(key("g_norm.weight"), {values});
  token.normShift = b.weight(key("g_norm.bias"), {values});
  token.removalEps = config.fuseNorm ? 1e-6 : 1e-24;
  token.normEps = static_cast<double>(keyDim) * config.eps;
  return b.linear(mixRWKV7(b, token), key("o_proj"), hidden);
}

Value RWKV7::mixChannels(Value x, StringRef prefix) {
  auto key = [&](StringRef name) { return (prefix + name).str(); };
  Value share = b.weight(key("x_k"), {config.hidden});
  Value hidden =
      b.linear(lerp(b, x, shift(b, x), share), key("key"), config.inner);
  hidden = flaActivation(b, hidden, config.activation, "hidden_act");
  return b.linear(hidden, key("value"), config.hidden);
}

static ModelFacts buildRWKV7(ModelBuilder &b, ConfigReader &reader,
                             const FamilyRequest &request) {
  if (reader.isGGUF())
    return buildRWKV7OfGGUF(b, reader, request);
  RWKV7 family(b, reader);
  auto time = [&](Value x, StringRef prefix, Value &first, bool isFirst) {
    return family.mixTime(x, prefix, first, isFirst);
  };
  auto channels = [&](Value x, StringRef prefix) {
    return family.mixChannels(x, prefix);
  };
  return buildRWKV(b, reader, request, family.config,
                   {time, channels, family.values});
}

namespace weir {
void registerRWKV7Family(FamilyTable &table) {
  table.add(
      {"rwkv7", "RWKV7ForCausalLM", "RWKV7Model", "rwkv7", {}, buildRWKV7});
}
} // namespace weir
