//===- Apertus.cpp - The Apertus family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with norms of heads and, in place of the gate, an activation of
// learned shape, xIELU (arXiv:2411.13010; Apertus: arXiv:2509.14233).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "weir/Frontend/LinearLayers.h"

using namespace mlir;
using namespace weir;

/// `p x^2 + beta x` where x is positive, else
/// `n (exp(min(x, eps)) - 1 - x) + beta x`, where p is the softplus of
/// `key`alpha_p, and n that of `key`alpha_n and beta more.
static Value buildXielu(ModelBuilder &b, Value x, const std::string &key) {
  auto getShape = [&](const std::string &name) {
    return softplus(b, b.read(b.reshape(b.param(key + name, {1}), {})));
  };
  Value positive = getShape("alpha_p"), negative = getShape("alpha_n");
  Value beta = b.weight(key + "beta", {}), eps = b.weight(key + "eps", {});
  return b.map({x, positive, negative, beta, eps},
               [](OpBuilder &n, Location l, ValueRange in) -> Value {
                 auto mul = [&](Value lhs, Value rhs) -> Value {
                   return arith::MulFOp::create(n, l, lhs, rhs);
                 };
                 Value zero = arith::ConstantOp::create(
                     n, l, n.getFloatAttr(in[0].getType(), 0));
                 Value square = mul(mul(in[1], in[0]), in[0]);
                 Value low = arith::MinimumFOp::create(n, l, in[0], in[4]);
                 Value bent = arith::SubFOp::create(
                     n, l, math::ExpM1Op::create(n, l, low), in[0]);
                 Value weight = arith::AddFOp::create(n, l, in[3], in[2]);
                 Value isPositive = arith::CmpFOp::create(
                     n, l, arith::CmpFPredicate::OGT, in[0], zero);
                 Value curve = arith::SelectOp::create(n, l, isPositive, square,
                                                       mul(bent, weight));
                 return arith::AddFOp::create(n, l, curve, mul(in[3], in[0]));
               });
}

static ModelFacts buildApertus(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  static const llvm::json::Object rope{
      {"rope_type", "llama3"},  {"rope_theta", 12000000.0},
      {"factor", 8.0},          {"original_max_position_embeddings", 8192},
      {"low_freq_factor", 1.0}, {"high_freq_factor", 4.0}};
  DecoderConfig config;
  config.vocabSize = 131072;
  config.inner = 14336;
  config.trainedLength = 65536;
  config.eps = 1e-5;
  config.activation = "xielu";
  config.queryKeyNorm = QueryKeyNorm::Head;
  config.rotaryOptions.defaultBase = 12000000;
  config.rotaryOptions.defaults = &rope;
  config.bos = 1;
  config.eos = 2;
  readDecoder(reader, builder, request, config);
  reader.expect("post_norm", false, "norms stand in front of the parts");
  reader.expect("qk_norm", true, "query and key are normalised");
  config.setAttentionBias(reader.getBool("attention_bias", false));
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  keys.attentionNorm = keys.layer + "attention_layernorm";
  keys.mlpNorm = keys.layer + "feedforward_layernorm";
  keys.mlp.gate.clear();
  if (config.activation == "xielu")
    config.activate = [&](Value x) {
      return buildXielu(builder, x, keys.layer + "mlp.act_fn.");
    };
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerApertusFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"apertus", "ApertusForCausalLM", "ApertusModel", "", ignorable,
             buildApertus});
}
} // namespace weir
