//===- Mom.cpp - The MoM family of flash-linear-attention -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A mixture of memories (arXiv:2502.13685): each token goes to some of several
// memories, each with projections of its own and a gated delta rule over the
// tokens it gets, convolutions included, and perhaps to one that all tokens go
// to. Here a memory goes through all tokens, of which those of others leave it
// as it is: its state neither decays nor is written to, and its convolutions'
// windows stay. That is one recurrence with the heads of all memories, which
// streams as any other does.
//
//===----------------------------------------------------------------------===//

#include "Experts.h"
#include "Fla.h"
#include "ScanBodies.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/Frontend/LinearLayers.h"

using namespace mlir;
using namespace weir;

namespace {

struct MomConfig : FlaConfig {
  FlaHeads heads;
  RouterSpec router;
  bool gated = true, hasShared = true, sharesProjections = false;

  int64_t getKeys() const { return heads.heads * heads.keyDim; }
  int64_t getValues() const { return heads.heads * heads.valueDim; }
};

/// Builds a mixer.
class MomMixer {
public:
  MomMixer(ModelBuilder &builder, const MomConfig &config, Value input,
           const std::string &prefix)
      : b(builder), config(config), x(input), prefix(prefix),
        memories(config.router.experts) {}

  Value build();

private:
  /// For each head of each memory, `[batch, time, memories * heads]`, or for
  /// each memory: what the memory weighs for a token, or 1 instead, and 0 for
  /// tokens of others.
  Value spread(const Routing &routing, int64_t heads, bool isWeight);
  /// The projections of all memories one behind the other, or the only one:
  /// `[batch, time, features]`.
  Value project(StringRef name, int64_t features);
  /// `input`, `[batch, time, memories, features]`, or without memories for one
  /// of all, convolved along the tokens of each memory.
  Value convolve(Value input, Value belongs, StringRef name, int64_t features);
  /// A vector for each head, repeated for each memory.
  Value repeatVector(StringRef name);
  Value buildMemories();
  Value buildShared();

  ModelBuilder &b;
  const MomConfig &config;
  Value x;
  const std::string &prefix;
  int64_t memories;
};

} // namespace

Value MomMixer::spread(const Routing &routing, int64_t heads, bool isWeight) {
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  Type type = builder.getF32Type();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, routing.weights);
  sizes[2] = builder.getIndexAttr(memories);
  sizes.push_back(builder.getIndexAttr(heads));
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getFloatAttr(type, 0));
  Value none =
      linalg::FillOp::create(
          builder, loc, zero,
          tensor::EmptyOp::create(builder, loc, sizes, type).getResult())
          .getResult(0);
  // Loops: batch, time, memory, head, place among the token's memories.
  AffineMap all = builder.getMultiDimIdentityMap(5);
  AffineMap chosen = all.dropResults(ArrayRef<int64_t>{2, 3});
  SmallVector<utils::IteratorType> loops(5, utils::IteratorType::parallel);
  loops.back() = utils::IteratorType::reduction;
  Value result =
      linalg::GenericOp::create(
          builder, loc, none.getType(),
          ValueRange{routing.indices, routing.weights}, none,
          ArrayRef<AffineMap>{chosen, chosen, all.dropResult(4)}, loops,
          [&](OpBuilder &n, Location l, ValueRange in) {
            Value memory = arith::IndexCastOp::create(
                n, l, in[0].getType(), linalg::IndexOp::create(n, l, 2));
            Value isIt = arith::CmpIOp::create(n, l, arith::CmpIPredicate::eq,
                                               memory, in[0]);
            Value one =
                arith::ConstantOp::create(n, l, n.getFloatAttr(type, 1));
            Value found = arith::SelectOp::create(
                n, l, isIt, isWeight ? in[1] : one, in[2]);
            linalg::YieldOp::create(n, l, found);
          })
          .getResult(0);
  return b.mergeHeads(result);
}

Value MomMixer::project(StringRef name, int64_t features) {
  if (config.sharesProjections)
    return b.linear(x, (prefix + "shared_" + name).str(), features);
  SmallVector<Param> parts;
  std::string key = (prefix + name + "_proj").str();
  for (int64_t memory = 0; memory < memories; ++memory)
    parts.push_back(b.param(key + "." + std::to_string(memory) + ".weight",
                            {features, config.hidden}));
  return b.linear(x, b.read(b.concat(key + ".weight", 0, parts)), Value());
}

Value MomMixer::convolve(Value input, Value belongs, StringRef name,
                         int64_t features) {
  int64_t width = config.heads.convWidth;
  std::string key = (prefix + name + "_conv1d.weight").str();
  Param kernel = b.transpose(
      b.reshape(b.param(key, {features, 1, width}), {features, width}), {1, 0});
  // Of the token itself first.
  SmallVector<Value> taps;
  for (int64_t i = width - 1; i >= 0; --i)
    taps.push_back(b.read(b.reshape(
        b.slice(kernel, 0, i, 1, "tap" + std::to_string(i)), {features})));
  bool isOne = cast<RankedTensorType>(input.getType()).getRank() == 3;
  int64_t kept = std::max<int64_t>(width - 1, 1);
  SmallVector<int64_t> extents{memories, features};
  SmallVector<Value> states(kept,
                            buildSplat(b.getBuilder(), b.getLoc(), extents, 0));
  auto step = [&](OpBuilder &outer, Location loc, ValueRange now,
                  ValueRange before) -> SmallVector<Value> {
    SmallVector<Indexed> read{{now[0], {0, 1}}, {now[1], {0}}};
    if (isOne)
      read[0].axes = {1};
    for (Value state : before)
      read.push_back({state, {0, 1}});
    for (Value tap : taps)
      read.push_back({tap, {1}});
    return buildMap(
        outer, loc, extents, 1 + kept, read,
        [&](OpBuilder &n, Location l, ValueRange in) -> SmallVector<Value> {
          Value zero =
              arith::ConstantOp::create(n, l, n.getZeroAttr(in[1].getType()));
          Value isIts = arith::CmpFOp::create(n, l, arith::CmpFPredicate::ONE,
                                              in[1], zero);
          // The token and those before it, the nearest first.
          SmallVector<Value> window{in[0]};
          llvm::append_range(window, in.slice(2, kept));
          ValueRange kernel = in.drop_front(2 + kept);
          SmallVector<Value> results(1);
          for (int64_t i = 0; i < width; ++i) {
            Value part = arith::MulFOp::create(n, l, window[i], kernel[i]);
            results[0] =
                i == 0 ? part
                       : Value(arith::AddFOp::create(n, l, results[0], part));
          }
          for (int64_t i = 0; i < kept; ++i)
            results.push_back(
                arith::SelectOp::create(n, l, isIts, window[i], window[i + 1]));
          return results;
        });
  };
  Value sums = buildScan(b, {input, belongs}, states, {extents}, step).front();
  return b.activation(sums, "silu");
}

Value MomMixer::repeatVector(StringRef name) {
  std::string key = (prefix + name).str();
  SmallVector<Param> parts(memories, b.param(key, {config.heads.heads}));
  return b.read(b.concat(key + ".each", 0, parts));
}

Value MomMixer::buildMemories() {
  const FlaHeads &heads = config.heads;
  int64_t keys = config.getKeys(), values = config.getValues();
  int64_t all = memories * heads.heads;
  Routing routing = buildRouting(b, x, config.router);
  Value belongs = spread(routing, 1, /*isWeight=*/false);
  Value belongsToHeads = spread(routing, heads.heads, /*isWeight=*/false);
  auto getHeads = [&](Value projected, StringRef name, int64_t features) {
    return b.splitHeads(
        b.mergeHeads(convolve(projected, belongs, name, features)), all);
  };
  // The projections of each memory apart.
  auto split = [&](Value projected) {
    return config.sharesProjections ? projected
                                    : b.splitHeads(projected, memories);
  };
  // One number for each head of each memory, of which tokens of others get
  // none.
  auto getNumbers = [&](StringRef name) {
    Value projected = project(name, heads.heads);
    if (config.sharesProjections)
      projected =
          b.mergeHeads(repeatHeads(b, b.splitHeads(projected, 1), memories));
    return projected;
  };
  RecurrenceInputs in;
  in.query = l2Norm(
      b, getHeads(b.linear(x, prefix + "q_proj", keys), "q", keys), 1e-6);
  in.key = l2Norm(b, getHeads(split(project("k", keys)), "k", keys), 1e-6);
  in.value = getHeads(split(project("v", values)), "v", values);
  in.beta = b.mul(sigmoid(b, getNumbers("b")), belongsToHeads);
  in.decay = b.mul(rateDecay(b, getNumbers("a"), repeatVector("A_log"),
                             repeatVector("dt_bias")),
                   belongsToHeads);
  in.scale = heads.getScale();
  Value read = scaleRows(b, recurrence(b, in),
                         spread(routing, heads.heads, /*isWeight=*/true));
  Value merged = b.mergeHeads(read);
  Value sum = sliceFeatures(b, merged, 0, values);
  for (int64_t memory = 1; memory < memories; ++memory)
    sum = b.add(sum, sliceFeatures(b, merged, memory * values, values));
  return b.splitHeads(sum, heads.heads);
}

Value MomMixer::buildShared() {
  const FlaHeads &heads = config.heads;
  auto getHeads = [&](StringRef linear, StringRef name, int64_t features) {
    FlaProjection projection;
    projection.linear = (prefix + linear).str();
    projection.conv = (prefix + name + "_conv1d").str();
    projection.features = features;
    projection.convWidth = heads.convWidth;
    return b.splitHeads(flaProject(b, x, projection), heads.heads);
  };
  RecurrenceInputs in;
  in.query = l2Norm(b, getHeads("q_proj", "q", config.getKeys()), 1e-6);
  in.key = l2Norm(b, getHeads("shared_k", "k", config.getKeys()), 1e-6);
  in.value = getHeads("shared_v", "v", config.getValues());
  in.beta = sigmoid(b, b.linear(x, prefix + "shared_b", heads.heads));
  in.decay = rateDecay(b, b.linear(x, prefix + "shared_a", heads.heads),
                       b.weight(prefix + "A_log", {heads.heads}),
                       b.weight(prefix + "dt_bias", {heads.heads}));
  in.scale = heads.getScale();
  return recurrence(b, in);
}

Value MomMixer::build() {
  Value read = buildMemories();
  if (config.hasShared)
    read = b.add(read, buildShared());
  FlaOutput output;
  output.norm = prefix + "o_norm";
  output.gate = config.gated ? prefix + "g_proj" : "";
  output.project = prefix + "o_proj";
  output.eps = config.eps;
  return flaFinish(b, read, x, config.hidden, output);
}

static ModelFacts buildMom(ModelBuilder &b, ConfigReader &reader,
                           const FamilyRequest &request) {
  MomConfig config;
  readFla(reader, config);
  reader.expect("use_short_conv", true, "the library has no such layers");
  config.heads = readFlaHeads(reader, 256, 4, 1.0, /*grouped=*/false);
  config.gated = reader.getBool("use_output_gate", true);
  config.hasShared = reader.getBool("shared_mem", true);
  config.sharesProjections = reader.getBool("single_kv_proj", false);
  readExpertCounts(reader, config.router, {"num_memories"}, 4, {"topk"}, 2);
  reader.expect("mom_backend", "gated_deltanet",
                "memories are written to by another rule");
  // What matters in training alone.
  reader.ignore({"aux_loss_scale", "capacity", "use_layer_wise_balance"});
  return buildFla(b, reader, request, config,
                  [&](Value x, const FlaLayer &layer) {
                    MomConfig own = config;
                    own.router.key = layer.prefix + "gate";
                    return MomMixer(b, own, x, layer.prefix).build();
                  });
}

namespace weir {
void registerMomFamily(FamilyTable &table) {
  table.add({"mom", "MomForCausalLM", "MomModel", "", {}, buildMom});
}
} // namespace weir
