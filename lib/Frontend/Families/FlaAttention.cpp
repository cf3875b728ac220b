//===- FlaAttention.cpp - Attention of flash-linear-attention -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Families whose every mixer is attention: plain, forgetting
// (arXiv:2503.02130), stick-breaking (arXiv:2410.17980), native sparse
// (arXiv:2502.11089), the mixture of block attention (arXiv:2502.13189), whose
// library attends to all keys while decoding where a step here is that of the
// whole sequence, PaTH (arXiv:2505.16381), and DeltaFormer (arXiv:2505.19488),
// whose library lets padding in front of a row take part in what it corrects
// values by; here it never does.
//
//===----------------------------------------------------------------------===//

#include "Fla.h"
#include "ScanBodies.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace weir;

/// That of MoBA's output.
static constexpr double outputEps = 1e-6;
/// PaTH's rows, which no configuration says either: the rank of their
/// projection, the width of their convolution, and the epsilon of their norm.
static constexpr int64_t pathRank = 32, pathConvWidth = 3;
static constexpr double pathEps = 1e-6;

namespace {

/// What the mixers share.
struct FlaHeadsConfig : FlaConfig {
  int64_t heads = 32, kvHeads = 32, dim = 0;
  bool bias = false, headNorm = false;
  /// None for a model without rotations.
  std::optional<RotarySpec> rotary;
  /// Keys of a block, blocks of a list, and keys of a window, or 0.
  int64_t blockSize = 0, blocks = 0, window = 0;
  bool gated = false, seesItself = true;
  /// What makes PaTH's rows, and whether its keys are forgotten.
  bool pathIsLowRank = true, pathIsConvolved = true, forgets = false;

  double getScale() const { return 1.0 / std::sqrt(static_cast<double>(dim)); }
};

/// Builds the mixers.
class FlaHeadsGraph {
public:
  FlaHeadsGraph(ModelBuilder &builder, const FlaHeadsConfig &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(FlaModel &model);

  Value buildPlain(Value x, const std::string &prefix);
  Value buildForgetting(Value x, const std::string &prefix);
  Value buildStickBreaking(Value x, const std::string &prefix);
  Value buildNative(Value x, const std::string &prefix);
  Value buildBlocks(Value x, const std::string &prefix);
  Value buildPath(Value x, const std::string &prefix);
  Value buildDelta(Value x, const std::string &prefix);

private:
  struct Heads {
    Value query, key, value;
  };
  /// `perHead` norms have a scale for each head.
  Heads project(Value x, const std::string &prefix, double eps,
                bool perHead = false);
  Value finish(Value heads, const std::string &prefix) {
    return b.linear(b.mergeHeads(heads), prefix + "o_proj", config.hidden);
  }
  AttentionOptions getOptions();
  /// What gates forget of keys, as their bias: minus the sum of the logarithms
  /// of `NAME_proj` so far.
  Value buildForgotten(Value x, const std::string &prefix, StringRef name);
  /// The mean of each head over its block, at the block's last token; in front
  /// of that, what it has added up.
  Value buildMeans(Value heads);

  ModelBuilder &b;
  const FlaHeadsConfig &config;
  Value positions, frequencies;
  /// 0 where a block begins, else 1: `[batch, time]`.
  Value keeps;
};

} // namespace

void FlaHeadsGraph::begin(FlaModel &model) {
  positions = model.getPositions();
  if (config.rotary)
    frequencies = b.frequencies(*config.rotary);
  if (!config.blockSize)
    return;
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, positions);
  Type type = builder.getF32Type();
  Value empty = tensor::EmptyOp::create(builder, loc, sizes, type);
  AffineMap all = builder.getMultiDimIdentityMap(2);
  keeps =
      linalg::GenericOp::create(
          builder, loc, empty.getType(), positions, empty,
          ArrayRef<AffineMap>{all, all},
          SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
          [&](OpBuilder &nested, Location at, ValueRange in) {
            auto integer = [&](int64_t value) -> Value {
              return arith::ConstantIntOp::create(nested, at, value, 32);
            };
            auto number = [&](double value) -> Value {
              return arith::ConstantOp::create(
                  nested, at, nested.getFloatAttr(type, value));
            };
            Value place = arith::RemSIOp::create(nested, at, in[0],
                                                 integer(config.blockSize));
            Value begins = arith::CmpIOp::create(
                nested, at, arith::CmpIPredicate::eq, place, integer(0));
            Value keep = arith::SelectOp::create(nested, at, begins, number(0),
                                                 number(1));
            linalg::YieldOp::create(nested, at, keep);
          })
          .getResult(0);
}

FlaHeadsGraph::Heads FlaHeadsGraph::project(Value x, const std::string &prefix,
                                            double eps, bool perHead) {
  auto heads = [&](StringRef name, int64_t count) {
    return b.splitHeads(b.linear(x, (prefix + name).str() + "_proj",
                                 count * config.dim, config.bias),
                        count);
  };
  Heads all{heads("q", config.heads), heads("k", config.kvHeads),
            heads("v", config.kvHeads)};
  auto norm = [&](Value input, StringRef name, int64_t count) {
    std::string key = (prefix + name).str() + "_norm";
    if (!perHead)
      return flaHeadNorm(b, input, key, /*affine=*/true, eps);
    Value plain = b.mergeHeads(rmsNorm(b, input, Value(), eps));
    Value scale = b.weight(key + ".weight", {count * config.dim});
    return b.splitHeads(b.mul(plain, scale), count);
  };
  if (config.headNorm) {
    all.query = norm(all.query, "q", config.heads);
    all.key = norm(all.key, "k", config.kvHeads);
  }
  if (config.rotary) {
    all.query = b.rotary(all.query, positions, frequencies, *config.rotary);
    all.key = b.rotary(all.key, positions, frequencies, *config.rotary);
  }
  return all;
}

AttentionOptions FlaHeadsGraph::getOptions() {
  AttentionOptions options;
  options.mask = b.causalMask();
  options.scale = config.getScale();
  return options;
}

Value FlaHeadsGraph::buildMeans(Value heads) {
  ArrayRef<int64_t> shape =
      cast<RankedTensorType>(heads.getType()).getShape().drop_front(2);
  SmallVector<int64_t> extents(shape);
  OpBuilder &builder = b.getBuilder();
  Value none = buildSplat(builder, b.getLoc(), extents, 0);
  double share = 1.0 / static_cast<double>(config.blockSize);
  return buildScan(
             b, {heads, keeps}, none, {extents},
             [&](OpBuilder &nested, Location loc, ValueRange now,
                 ValueRange before) -> SmallVector<Value> {
               Value sum =
                   buildMap(
                       nested, loc, extents, 1,
                       {{now[0], {0, 1}}, {now[1], {}}, {before[0], {0, 1}}},
                       [&](OpBuilder &inner, Location at,
                           ValueRange in) -> SmallVector<Value> {
                         Value factor = arith::ConstantOp::create(
                             inner, at,
                             inner.getFloatAttr(in[0].getType(), share));
                         Value part =
                             arith::MulFOp::create(inner, at, in[0], factor);
                         Value kept =
                             arith::MulFOp::create(inner, at, in[1], in[2]);
                         return {arith::AddFOp::create(inner, at, kept, part)};
                       })
                       .front();
               return {sum, sum};
             })
      .front();
}

Value FlaHeadsGraph::buildPlain(Value x, const std::string &prefix) {
  Heads heads = project(x, prefix, flaHeadEps);
  AttentionOptions options = getOptions();
  if (config.window)
    options.mask = b.causalWindow(config.window);
  return finish(b.attention(heads.query, heads.key, heads.value, options),
                prefix);
}

Value FlaHeadsGraph::buildForgotten(Value x, const std::string &prefix,
                                    StringRef name) {
  Value gate = logSigmoid(b, b.linear(x, (prefix + name).str() + "_proj",
                                      config.heads, /*bias=*/true));
  // What is forgotten up to the query drops out of the softmax.
  SmallVector<int64_t> extents{config.heads};
  OpBuilder &builder = b.getBuilder();
  return buildScan(
             b, gate, buildSplat(builder, b.getLoc(), extents, 0), {extents},
             [&](OpBuilder &nested, Location loc, ValueRange now,
                 ValueRange before) -> SmallVector<Value> {
               Value sum = buildMap(nested, loc, extents, 1,
                                    {{now[0], {0}}, {before[0], {0}}},
                                    [&](OpBuilder &inner, Location at,
                                        ValueRange in) -> SmallVector<Value> {
                                      return {arith::SubFOp::create(
                                          inner, at, in[1], in[0])};
                                    })
                               .front();
               return {sum, sum};
             })
      .front();
}

Value FlaHeadsGraph::buildForgetting(Value x, const std::string &prefix) {
  Heads heads = project(x, prefix, flaHeadEps, /*perHead=*/true);
  AttentionOptions options = getOptions();
  options.keyBias = buildForgotten(x, prefix, "f");
  Value mixed =
      b.mergeHeads(b.attention(heads.query, heads.key, heads.value, options));
  if (config.gated)
    mixed =
        b.mul(mixed, sigmoid(b, b.linear(x, prefix + "g_proj", config.hidden)));
  return b.linear(mixed, prefix + "o_proj", config.hidden);
}

Value FlaHeadsGraph::buildStickBreaking(Value x, const std::string &prefix) {
  Heads heads = project(x, prefix, config.eps);
  AttentionOptions options = getOptions();
  options.normalize = AttentionNormalize::StickBreaking;
  if (!config.seesItself)
    options.mask = b.causalBefore();
  return finish(b.attention(heads.query, heads.key, heads.value, options),
                prefix);
}

Value FlaHeadsGraph::buildNative(Value x, const std::string &prefix) {
  Heads heads = project(x, prefix, flaHeadEps);
  Value gates =
      sigmoid(b, b.splitHeads(b.linear(x, prefix + "g_proj", config.heads * 3),
                              config.heads));
  auto gated = [&](Value mixed, int64_t number) {
    return scaleRows(b, mixed,
                     sumFeatures(b, sliceFeatures(b, gates, number, 1)));
  };
  Value means = buildMeans(heads.key);
  AttentionOptions compressed = getOptions();
  compressed.where = [&](OpBuilder &builder, Location loc,
                         const AttentionPair &pair) -> Value {
    auto number = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(builder, loc, value);
    };
    Value seen = compressed.mask.getExpression().buildPredicate(
        builder, loc, pair.query, pair.key);
    Value place = arith::RemUIOp::create(builder, loc, pair.key,
                                         number(config.blockSize));
    Value isLast = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                         place, number(config.blockSize - 1));
    return arith::AndIOp::create(builder, loc, seen, isLast);
  };
  Value result = gated(
      b.attention(heads.query, means, buildMeans(heads.value), compressed), 0);

  SelectOptions select;
  select.count = config.blocks;
  select.blockSize = config.blockSize;
  select.lists = config.kvHeads;
  select.scale = config.getScale();
  select.score = SelectScore::Softmax;
  select.alwaysBefore = 1;
  select.alwaysFirst = true;
  AttentionOptions chosen = getOptions();
  chosen.blockList = b.selectBlocks(heads.query, means, select);
  chosen.blockSize = config.blockSize;
  result =
      b.add(result,
            gated(b.attention(heads.query, heads.key, heads.value, chosen), 1));
  if (config.window) {
    AttentionOptions near = getOptions();
    near.mask = b.causalWindow(config.window);
    result =
        b.add(result,
              gated(b.attention(heads.query, heads.key, heads.value, near), 2));
  }
  return finish(result, prefix);
}

Value FlaHeadsGraph::buildBlocks(Value x, const std::string &prefix) {
  Heads heads = project(x, prefix, flaHeadEps);
  SelectOptions select;
  select.count = config.blocks;
  select.blockSize = config.blockSize;
  select.lists = config.heads;
  select.alwaysBefore = 0;
  AttentionOptions options = getOptions();
  options.blockList =
      b.selectBlocks(heads.query, buildMeans(heads.key), select);
  options.blockSize = config.blockSize;
  Value mixed = b.attention(heads.query, heads.key, heads.value, options);
  mixed = flaHeadNorm(b, mixed, prefix + "o_norm", /*affine=*/true, outputEps);
  if (config.gated) {
    Value gate = b.linear(b.linear(x, prefix + "g_proj.0", config.dim),
                          prefix + "g_proj.1", config.hidden);
    mixed = b.mul(mixed, sigmoid(b, b.splitHeads(gate, config.heads)));
  }
  return finish(mixed, prefix);
}

Value FlaHeadsGraph::buildPath(Value x, const std::string &prefix) {
  Heads heads = project(x, prefix, flaHeadEps);
  int64_t features = config.kvHeads * config.dim;
  std::string name = prefix + "w_proj";
  Value rows =
      config.pathIsLowRank
          ? b.linear(b.linear(x, name + ".0", pathRank), name + ".1", features)
          : b.linear(x, name, features);
  if (config.pathIsConvolved)
    rows = shortConv(b, rows, prefix + "w_conv1d", pathConvWidth);
  AttentionOptions options = getOptions();
  options.pathKey = l2Norm(b, b.splitHeads(rows, config.kvHeads), pathEps);
  options.pathBeta =
      flaBeta(b, b.linear(x, prefix + "bt_proj", config.kvHeads, /*bias=*/true),
              /*negativeEigenvalues=*/true);
  // Gates are scaled as scores are.
  if (config.forgets)
    options.keyBias =
        b.scale(buildForgotten(x, prefix, "g"), config.getScale());
  return finish(b.attention(heads.query, heads.key, heads.value, options),
                prefix);
}

Value FlaHeadsGraph::buildDelta(Value x, const std::string &prefix) {
  Heads heads = project(x, prefix, flaHeadEps);
  Value beta = b.linear(x, prefix + "b_proj", config.heads, /*bias=*/true);
  OpBuilder &builder = b.getBuilder();
  Value values = DeltaValuesOp::create(
      builder, b.getLoc(), heads.value.getType(), heads.query, heads.key,
      heads.value, beta, /*past=*/Value(), /*offset=*/Value(),
      builder.getF64FloatAttr(config.getScale()), /*schedule=*/ScheduleAttr());
  return finish(b.attention(heads.query, heads.key, values, getOptions()),
                prefix);
}

//===----------------------------------------------------------------------===//
// Configurations
//===----------------------------------------------------------------------===//

/// Reads heads and what is projected.
static void readHeads(ConfigReader &reader, FlaHeadsConfig &config,
                      std::optional<int64_t> kvHeads = std::nullopt) {
  readFla(reader, config);
  config.heads = reader.getSize("num_heads", config.heads);
  config.kvHeads =
      reader.isNull("num_kv_heads")
          ? config.heads
          : reader.getSize("num_kv_heads", kvHeads.value_or(config.heads));
  config.bias = reader.getBool("qkv_bias", false);
  reader.ignore({"num_kv_heads"});
  expectMultiple(reader, "num_kv_heads", config.heads, config.kvHeads,
                 "the number of heads");
  if (config.dim == 0) {
    expectMultiple(reader, "num_heads", config.hidden, config.heads,
                   "the hidden size");
    config.dim = config.hidden / config.heads;
  }
}

static void readRotation(ConfigReader &reader, FlaHeadsConfig &config) {
  RotarySpec rotary;
  rotary.base = reader.getFloat("rope_theta", 10000.0);
  rotary.dims = config.dim;
  config.rotary = rotary;
}

/// Keys of the window, or 0 for none.
static int64_t readWindow(ConfigReader &reader, int64_t usual) {
  if (reader.isNull("window_size") ||
      reader.getInt("window_size", usual) == 0) {
    reader.ignore({"window_size"});
    return 0;
  }
  return reader.getSize("window_size", usual);
}

/// `attn`, which the library's models of these families do not read.
static void ignoreOtherMixers(FlaHeadsConfig &config) {
  config.attention.clear();
  config.attentionOf.assign(config.layers, -1);
}

using BuildFn = Value (FlaHeadsGraph::*)(Value, const std::string &);

static ModelFacts build(ModelBuilder &b, ConfigReader &reader,
                        const FamilyRequest &request,
                        const FlaHeadsConfig &config, BuildFn mixer) {
  FlaHeadsGraph graph(b, config);
  return buildFla(
      b, reader, request, config,
      [&](Value x, const FlaLayer &layer) {
        return (graph.*mixer)(x, layer.prefix);
      },
      [&](FlaModel &model) { graph.begin(model); });
}

static ModelFacts buildTransformer(ModelBuilder &b, ConfigReader &reader,
                                   const FamilyRequest &request) {
  FlaHeadsConfig config;
  readHeads(reader, config);
  readRotation(reader, config);
  config.headNorm = reader.getBool("qk_norm", false);
  if (reader.has("window_size"))
    config.window = readWindow(reader, 1);
  reader.ignore({"window_size"});
  return build(b, reader, request, config, &FlaHeadsGraph::buildPlain);
}

static ModelFacts buildForgettingTransformer(ModelBuilder &b,
                                             ConfigReader &reader,
                                             const FamilyRequest &request) {
  FlaHeadsConfig config;
  readHeads(reader, config);
  config.headNorm = reader.getBool("qk_norm", false);
  config.gated = reader.getBool("use_output_gate", false);
  // What the library's cache keeps; its layer sees all keys.
  reader.ignore({"window_size"});
  return build(b, reader, request, config, &FlaHeadsGraph::buildForgetting);
}

static ModelFacts buildStickBreaking(ModelBuilder &b, ConfigReader &reader,
                                     const FamilyRequest &request) {
  FlaHeadsConfig config;
  readHeads(reader, config);
  config.headNorm = reader.getBool("qk_norm", false);
  config.seesItself = reader.getBool("attend_current", false);
  return build(b, reader, request, config, &FlaHeadsGraph::buildStickBreaking);
}

static ModelFacts buildNSA(ModelBuilder &b, ConfigReader &reader,
                           const FamilyRequest &request) {
  FlaHeadsConfig config;
  config.heads = 64;
  config.dim = reader.getSize("head_dim", 32);
  readHeads(reader, config, /*kvHeads=*/4);
  readRotation(reader, config);
  config.blockSize = reader.getSize("block_size", 64);
  config.blocks = reader.getSize("block_counts", 16);
  config.window = readWindow(reader, 512);
  return build(b, reader, request, config, &FlaHeadsGraph::buildNative);
}

static ModelFacts buildMoBA(ModelBuilder &b, ConfigReader &reader,
                            const FamilyRequest &request) {
  FlaHeadsConfig config;
  readHeads(reader, config);
  readRotation(reader, config);
  config.headNorm = reader.getBool("qk_norm", false);
  config.blockSize = reader.getSize("moba_chunk_size", 256);
  config.blocks = reader.getSize("moba_topk", 4);
  config.gated = reader.getBool("use_output_gate", false);
  // What the library's cache keeps, and which of its kernels runs.
  reader.ignore({"window_size", "use_flash_moba"});
  return build(b, reader, request, config, &FlaHeadsGraph::buildBlocks);
}

static ModelFacts buildPathAttention(ModelBuilder &b, ConfigReader &reader,
                                     const FamilyRequest &request) {
  FlaHeadsConfig config;
  readHeads(reader, config);
  ignoreOtherMixers(config);
  config.bias = false;
  config.forgets = reader.getBool("use_forget_gate", false);
  config.pathIsConvolved = reader.getBool("use_w_shortconv", true);
  config.pathIsLowRank = reader.getBool("use_low_rank_w", true);
  // The library's layer has these, but its model does not hand them on.
  reader.ignore({"use_qk_norm", "conv_size", "conv_bias", "qkv_bias"});
  return build(b, reader, request, config, &FlaHeadsGraph::buildPath);
}

static ModelFacts buildDeltaFormer(ModelBuilder &b, ConfigReader &reader,
                                   const FamilyRequest &request) {
  FlaHeadsConfig config;
  config.heads = 8;
  readHeads(reader, config);
  ignoreOtherMixers(config);
  readRotation(reader, config);
  config.headNorm = reader.getBool("qk_norm", false);
  // How many rotations the library computes beforehand.
  reader.ignore({"rope_max_position_embeddings"});
  if (config.heads != config.kvHeads)
    reader.emitError("num_kv_heads")
        << "key 'num_kv_heads' is " << config.kvHeads << ", expected the "
        << config.heads << " heads of queries";
  return build(b, reader, request, config, &FlaHeadsGraph::buildDelta);
}

namespace weir {
void registerFlaAttentionFamilies(FamilyTable &table) {
  table.add({"transformer",
             "TransformerForCausalLM",
             "TransformerModel",
             "",
             {},
             buildTransformer});
  table.add({"forgetting_transformer",
             "ForgettingTransformerForCausalLM",
             "ForgettingTransformerModel",
             "",
             {},
             buildForgettingTransformer});
  table.add({"stickbreaking_attn",
             "StickBreakingAttentionForCausalLM",
             "StickBreakingAttentionModel",
             "",
             {},
             buildStickBreaking});
  table.add({"nsa", "NSAForCausalLM", "NSAModel", "", {}, buildNSA});
  table.add({"moba", "MoBAForCausalLM", "MoBAModel", "", {}, buildMoBA});
  table.add({"path_attn",
             "PaTHAttentionForCausalLM",
             "PaTHAttentionModel",
             "",
             {},
             buildPathAttention});
  table.add({"deltaformer",
             "DeltaFormerForCausalLM",
             "DeltaFormerModel",
             "",
             {},
             buildDeltaFormer});
}
} // namespace weir
