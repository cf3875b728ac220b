//===- PhiMoe.cpp - The PhiMoE family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Mixtral with centred norms, whose two experts a SparseMixer
// (arXiv:2409.12136) chooses one after the other.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace weir;

/// The term of one expert in the sum that a choice is divided by: the
/// exponential of how far its logit is below the chosen one's, `best`, and
/// nothing where that is more than `bound` of the larger of their magnitudes or
/// where the expert is `taken`, an i1.
static Value buildTerm(OpBuilder &b, Location loc, Value logit, Value best,
                       Value taken, double bound) {
  auto number = [&](double value) -> Value {
    return arith::ConstantOp::create(b, loc,
                                     b.getFloatAttr(logit.getType(), value));
  };
  Value below = arith::SubFOp::create(b, loc, best, logit);
  Value size = arith::MaximumFOp::create(
      b, loc, math::AbsFOp::create(b, loc, logit), best);
  Value part = arith::DivFOp::create(b, loc, below, size);
  Value isFar = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, part,
                                      number(bound));
  Value leaves = arith::OrIOp::create(b, loc, taken, isFar);
  Value term =
      math::ExpOp::create(b, loc, arith::SubFOp::create(b, loc, logit, best));
  return arith::SelectOp::create(b, loc, leaves, number(0), term);
}

/// The weights of a token's two experts: each is its share, by a softmax, among
/// the experts whose logits are near to its own, the second's without the
/// first.
static Value mixSparsely(ModelBuilder &b, Value logits, const Routing &routing,
                         double bound) {
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  MLIRContext *context = &b.getContext();
  auto type = cast<RankedTensorType>(routing.weights.getType());
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, routing.weights),
      type.getElementType());
  Value zero = arith::ConstantOp::create(
      builder, loc, builder.getFloatAttr(type.getElementType(), 0));
  Value start = linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
  // Axes are batch, time, slot and expert.
  auto map = [&](ArrayRef<AffineExpr> axes) {
    return AffineMap::get(4, 0, axes, context);
  };
  AffineExpr row, time, slot, expert;
  bindDims(context, row, time, slot, expert);
  AffineExpr first = getAffineConstantExpr(0, context);
  SmallVector<utils::IteratorType> iterators(4, utils::IteratorType::parallel);
  iterators.back() = utils::IteratorType::reduction;
  Value sums =
      linalg::GenericOp::create(
          builder, loc, type,
          ValueRange{logits, routing.weights, routing.indices}, start,
          ArrayRef<AffineMap>{map({row, time, expert}), map({row, time, slot}),
                              map({row, time, first}), map({row, time, slot})},
          iterators,
          [&](OpBuilder &n, Location l, ValueRange in) {
            auto index = [&](int64_t axis) -> Value {
              return arith::IndexCastOp::create(
                  n, l, n.getI32Type(), linalg::IndexOp::create(n, l, axis));
            };
            Value isSecond = arith::CmpIOp::create(
                n, l, arith::CmpIPredicate::ne, index(2),
                arith::ConstantIntOp::create(n, l, 0, 32));
            Value isFirst = arith::CmpIOp::create(
                n, l, arith::CmpIPredicate::eq, index(3), in[2]);
            Value taken = arith::AndIOp::create(n, l, isSecond, isFirst);
            Value term = buildTerm(n, l, in[0], in[1], taken, bound);
            linalg::YieldOp::create(
                n, l, ValueRange(arith::AddFOp::create(n, l, in[3], term)));
          })
          .getResult(0);
  return b.map(sums, [&](OpBuilder &n, Location l, ValueRange in) -> Value {
    Value one =
        arith::ConstantOp::create(n, l, n.getFloatAttr(in[0].getType(), 1));
    return arith::DivFOp::create(n, l, one, in[0]);
  });
}

static ModelFacts buildPhiMoe(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  DecoderConfig config;
  config.bos = 1;
  config.eos = 2;
  config.vocabSize = 32064;
  config.inner = 6400;
  config.kvHeads = 8;
  config.trainedLength = 4096 * 32;
  config.eps = 1e-5;
  config.norm.centred = true;
  config.rotaryOptions.defaultBase = 1000000;
  config.rotaryOptions.hasLengthScales = true;
  readDecoder(reader, builder, request, config);
  readWindow(reader, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  config.headBias = reader.getBool("lm_head_bias", false);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());

  ExpertsSpec &experts = config.experts.emplace();
  experts.inner = config.inner;
  experts.activation = config.activation;
  readMixtralKeys(builder.getCheckpoint(), keys.layer, experts);
  RouterSpec &router = experts.router;
  std::string other = keys.layer + "mlp.router";
  if (hasLayerTensor(builder.getCheckpoint(), other + ".weight"))
    router.key = other;
  router.experts = reader.getSize("num_local_experts", 16);
  if (router.experts < 2)
    reader.emitError("num_local_experts")
        << "key 'num_local_experts' is " << router.experts
        << ", expected 2 or more: each token goes to two experts";
  router.perToken = 2;
  router.score = RouteScore::Raw;
  router.weighting = RouteWeighting::Scores;
  double bound = 2 * reader.getFloat("router_jitter_noise", 0.01);
  router.reweigh = [bound](ModelBuilder &b, Value logits,
                           const Routing &routing) {
    return mixSparsely(b, logits, routing, bound);
  };
  ignoreTrainingOfExperts(reader);
  // Two, whatever is said.
  reader.ignore({"num_experts_per_tok"});
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerPhiMoeFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"phimoe", "PhimoeForCausalLM", "PhimoeModel", "", ignorable,
             buildPhiMoe});
}
} // namespace weir
