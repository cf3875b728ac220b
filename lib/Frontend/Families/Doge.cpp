//===- Doge.cpp - The Doge family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with norms of heads, weighted residuals, and attention whose scores of
// a key have a summand that follows from its value, and of whose keys only
// those with the largest summands are seen once there are more than a number
// (dynamic mask attention, arXiv:2508.02124).
//
//===----------------------------------------------------------------------===//

#include "HeadAttention.h"
#include "HybridModel.h"
#include "ScanBodies.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace weir;

namespace {

struct DogeConfig : HybridModel {
  int64_t inner;
  AttentionHeads heads;
  bool mlpBias = false;
  /// How many keys are seen at most, or none where all are.
  std::optional<int64_t> kept;
};

/// Builds the layers.
class DogeGraph {
public:
  DogeGraph(ModelBuilder &builder, const DogeConfig &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids);
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  Value buildAttention(Value x);
  /// The summand of each key, `[batch, time, key heads]`; `values` are those of
  /// all heads.
  Value buildSummands(Value values);
  /// `part` and, weighed by the weights `key`, `x`.
  Value addResidual(Value x, Value part, const std::string &key);

  ModelBuilder &b;
  const DogeConfig &config;
  RotaryValues rotary;
};

} // namespace

//===----------------------------------------------------------------------===//
// Attention to a number of keys
//===----------------------------------------------------------------------===//

/// Reduces the last axis of a static tensor from `start` with `combine`.
static Value
reduceLast(OpBuilder &builder, Location loc, Value input, float start,
           function_ref<Value(OpBuilder &, Location, Value, Value)> combine) {
  auto type = cast<RankedTensorType>(input.getType());
  unsigned rank = type.getRank();
  Value init = buildSplat(builder, loc, type.getShape().drop_back(), start);
  AffineMap all = builder.getMultiDimIdentityMap(rank);
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  loops.back() = utils::IteratorType::reduction;
  return linalg::GenericOp::create(
             builder, loc, init.getType(), input, init,
             ArrayRef<AffineMap>{all, all.dropResult(rank - 1)}, loops,
             [&](OpBuilder &n, Location l, ValueRange in) {
               linalg::YieldOp::create(n, l, combine(n, l, in[1], in[0]));
             })
      .getResult(0);
}

static Value larger(OpBuilder &n, Location l, Value lhs, Value rhs) {
  return arith::MaximumFOp::create(n, l, lhs, rhs);
}

static Value smaller(OpBuilder &n, Location l, Value lhs, Value rhs) {
  return arith::MinimumFOp::create(n, l, lhs, rhs);
}

static Value sum(OpBuilder &n, Location l, Value lhs, Value rhs) {
  return arith::AddFOp::create(n, l, lhs, rhs);
}

/// Attention that sees the `kept` keys with the largest summands so far: its
/// state is these. A new one takes the place of the least, which is where the
/// summand is the smallest; places that are empty have negative ones, each
/// another, and those of keys are none. `query` is
/// `[batch, time, key heads, group, dim]`, the result likewise.
static Value attendToLargest(ModelBuilder &b, Value query, Value key,
                             Value value, Value summands, int64_t kept,
                             double scale) {
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  ArrayRef<int64_t> shape = cast<RankedTensorType>(query.getType()).getShape();
  int64_t heads = shape[2], group = shape[3], dim = shape[4];
  SmallVector<float> empty;
  for (int64_t head = 0; head < heads; ++head)
    for (int64_t place = 1; place <= kept; ++place)
      empty.push_back(-static_cast<float>(place));
  auto placesType = RankedTensorType::get({heads, kept}, builder.getF32Type());
  Value noKeys = buildSplat(builder, loc, {heads, kept, dim}, 0);
  Value noSummands = arith::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(placesType, ArrayRef<float>(empty)));

  auto step = [&](OpBuilder &n, Location l, ValueRange now, ValueRange before) {
    Value least = reduceLast(n, l, before[2],
                             std::numeric_limits<float>::infinity(), smaller);
    // 1 at the place that the new key takes, if it takes any.
    Value taken =
        buildMap(n, l, {heads, kept}, 1,
                 {{before[2], {0, 1}}, {least, {0}}, {now[3], {0}}},
                 [](OpBuilder &m, Location at, ValueRange in) {
                   Value isLeast = arith::CmpFOp::create(
                       m, at, arith::CmpFPredicate::OEQ, in[0], in[1]);
                   Value isLess = arith::CmpFOp::create(
                       m, at, arith::CmpFPredicate::OGT, in[2], in[1]);
                   Value both = arith::AndIOp::create(m, at, isLeast, isLess);
                   return SmallVector<Value>{
                       arith::UIToFPOp::create(m, at, m.getF32Type(), both)};
                 })
            .front();
    auto put = [&](Value fresh, Value old, ArrayRef<int64_t> extents) {
      SmallVector<unsigned> axes{0}, all{0, 1};
      if (extents.size() == 3) {
        axes.push_back(2);
        all.push_back(2);
      }
      return buildMap(
                 n, l, extents, 1, {{taken, {0, 1}}, {fresh, axes}, {old, all}},
                 [](OpBuilder &m, Location at, ValueRange in) {
                   Value zero =
                       arith::ConstantOp::create(m, at, m.getF32FloatAttr(0));
                   Value isTaken = arith::CmpFOp::create(
                       m, at, arith::CmpFPredicate::OGT, in[0], zero);
                   return SmallVector<Value>{
                       arith::SelectOp::create(m, at, isTaken, in[1], in[2])};
                 })
          .front();
    };
    Value keys = put(now[1], before[0], {heads, kept, dim});
    Value values = put(now[2], before[1], {heads, kept, dim});
    Value places = put(now[3], before[2], {heads, kept});

    Value products =
        buildProductSum(n, l, {now[0], {0, 1, 3}}, {keys, {0, 2, 3}},
                        buildSplat(n, l, {heads, group, kept}, 0));
    Value scores =
        buildMap(n, l, {heads, group, kept}, 1,
                 {{products, {0, 1, 2}}, {places, {0, 2}}},
                 [&](OpBuilder &m, Location at, ValueRange in) {
                   auto number = [&](double value) -> Value {
                     return arith::ConstantOp::create(m, at,
                                                      m.getF32FloatAttr(value));
                   };
                   Value score = arith::AddFOp::create(
                       m, at,
                       arith::MulFOp::create(m, at, in[0], number(scale)),
                       in[1]);
                   Value isKey = arith::CmpFOp::create(
                       m, at, arith::CmpFPredicate::OGE, in[1], number(0));
                   return SmallVector<Value>{arith::SelectOp::create(
                       m, at, isKey, score,
                       number(-std::numeric_limits<double>::infinity()))};
                 })
            .front();
    Value most = reduceLast(n, l, scores,
                            -std::numeric_limits<float>::infinity(), larger);
    Value weights =
        buildMap(n, l, {heads, group, kept}, 1,
                 {{scores, {0, 1, 2}}, {most, {0, 1}}},
                 [](OpBuilder &m, Location at, ValueRange in) {
                   Value below = arith::SubFOp::create(m, at, in[0], in[1]);
                   return SmallVector<Value>{math::ExpOp::create(m, at, below)};
                 })
            .front();
    Value mixed =
        buildProductSum(n, l, {weights, {0, 1, 3}}, {values, {0, 3, 2}},
                        buildSplat(n, l, {heads, group, dim}, 0));
    Value result = buildMap(n, l, {heads, group, dim}, 1,
                            {{mixed, {0, 1, 2}},
                             {reduceLast(n, l, weights, 0, sum), {0, 1}}},
                            [](OpBuilder &m, Location at, ValueRange in) {
                              return SmallVector<Value>{
                                  arith::DivFOp::create(m, at, in[0], in[1])};
                            })
                       .front();
    return SmallVector<Value>{result, keys, values, places};
  };
  return buildScan(b, {query, key, value, summands},
                   {noKeys, noKeys, noSummands}, {{heads, group, dim}}, step)
      .front();
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

void DogeGraph::begin(Value ids) {
  rotary = buildRotaryValues(b, ids, config.heads.rotary);
}

Value DogeGraph::buildSummands(Value values) {
  std::string keys = config.layer + "self_attn.";
  int64_t heads = config.heads.kvHeads;
  Value steps =
      softplus(b, b.linear(values, keys + "dt_proj", heads, config.heads.bias));
  return exp(b, b.mul(steps, b.weight(keys + "A", {heads})));
}

Value DogeGraph::buildAttention(Value x) {
  const AttentionHeads &heads = config.heads;
  std::string keys = config.layer + "self_attn.";
  auto project = [&](const std::string &name, int64_t count) {
    return b.linear(x, keys + name, count * heads.dim, heads.bias);
  };
  auto place = [&](const std::string &name, int64_t count) {
    Value part = b.splitHeads(project(name + "_proj", count), count);
    part = b.rmsNorm(part, keys + name + "_norm", config.eps);
    return b.rotary(part, rotary.positions, rotary.frequencies, *heads.rotary);
  };
  Value query = place("q", heads.heads), key = place("k", heads.kvHeads);
  Value values = project("v_proj", heads.kvHeads);
  Value summands = buildSummands(values);
  Value value = b.splitHeads(values, heads.kvHeads);
  int64_t group = heads.heads / heads.kvHeads;
  Value mixed;
  if (config.kept) {
    Value grouped = splitLast(
        b, splitLast(b, b.mergeHeads(query), group * heads.dim), heads.dim);
    mixed = attendToLargest(b, grouped, key, value, summands, *config.kept,
                            heads.scale);
    SmallVector<ReassociationIndices> groups = {{0}, {1}, {2, 3, 4}};
    mixed = tensor::CollapseShapeOp::create(b.getBuilder(), b.getLoc(), mixed,
                                            groups);
  } else {
    AttentionOptions options;
    options.mask =
        heads.window ? b.causalWindow(*heads.window) : b.causalMask();
    options.scale = heads.scale;
    options.keyBias =
        b.mergeHeads(repeatHeads(b, splitLast(b, summands, 1), group));
    mixed = b.mergeHeads(b.attention(query, key, value, options));
  }
  return b.linear(mixed, keys + "o_proj", config.hidden, heads.bias);
}

Value DogeGraph::addResidual(Value x, Value part, const std::string &key) {
  return b.add(b.mul(x, b.weight(config.layer + key, {config.hidden})), part);
}

Value DogeGraph::buildLayer(const HybridLayer &, Value x) {
  auto norm = [&](const std::string &name) {
    b.setScope(config.layer + name);
    return b.rmsNorm(x, config.layer + name, config.eps);
  };
  x = addResidual(x, buildAttention(norm(config.mixerNorm)), "input_residual");
  return addResidual(x,
                     hybridMLP(b, config, norm(config.feedForwardNorm),
                               config.inner, "mlp.", config.mlpBias),
                     "post_attention_residual");
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

/// Reads how many keys are seen, which says something where more could be.
static void readKept(ConfigReader &reader, const FamilyRequest &request,
                     DogeConfig &config) {
  int64_t kept = reader.getSize("keep_window_size", 2048);
  int64_t length = request.maxLength.value_or(config.length);
  std::optional<int64_t> window = config.heads.window;
  if (kept >= std::min(length, window.value_or(length)))
    return;
  if (window && *window < length) {
    reader.emitError("keep_window_size")
        << "key 'keep_window_size' is " << kept << " beside a window of "
        << *window
        << ", expected no less: keys chosen within a window are not supported";
    return;
  }
  config.kept = kept;
}

static ModelFacts buildDoge(ModelBuilder &b, ConfigReader &reader,
                            const FamilyRequest &request) {
  DogeConfig config;
  config.vocabSize = 32768;
  config.hidden = 1024;
  config.layers = 32;
  config.length = 2048;
  readHybridModel(reader, config);
  config.order.assign(config.layers, {TokenMixer::Attention});
  config.inner = reader.getSize("intermediate_size", 2048);
  config.mlpBias = reader.getBool("mlp_bias", false);
  AttentionHeads &heads = config.heads;
  heads.heads = heads.kvHeads = reader.getSize("num_attention_heads", 8);
  readAttentionHeads(reader, heads, config.hidden);
  heads.bias = reader.getBool("attention_bias", false);
  if (reader.has("sliding_window"))
    heads.window = reader.getSize("sliding_window", 1);
  reader.ignore({"sliding_window"});
  RotaryOptions rotary;
  rotary.trainedLength = config.length;
  readHeadRotary(reader, b, request, heads, rotary);
  readKept(reader, request, config);
  reader.expect("is_moe", false,
                "its experts are chosen by numbers of other tokens, later ones "
                "included");
  reader.ignore({"norm_topk_prob", "num_experts", "num_experts_per_tok"});
  ignoreTrainingOfExperts(reader);
  return buildHybridModel<DogeGraph>(b, reader, request, config);
}

namespace weir {
void registerDogeFamily(FamilyTable &table) {
  table.add({"doge", "DogeForCausalLM", "DogeModel", "", {}, buildDoge});
}
} // namespace weir
