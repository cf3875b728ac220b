//===- DeepSeekV4.cpp - The DeepSeek-V4 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One key for all heads, which is its value as well, seen within a window; in
// most layers one softmax goes over these and over keys that stand for windows
// of tokens. Where these windows are short, an indexer chooses the best of
// them. Results are turned back, since values have been rotated as keys are.
// Layers are connected by several streams of hidden states, and experts of the
// first layers are chosen by the token itself.
//
//===----------------------------------------------------------------------===//

#include "HybridModel.h"
#include "HyperConnection.h"
#include "LayerLists.h"
#include "PooledKeys.h"
#include "SparseDecoder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace weir;
namespace json = llvm::json;

namespace {

/// What a layer sees beside its window: nothing, the best of keys that stand
/// for short windows, or all that stand for long ones. `HashRouted` is added
/// where tokens choose experts.
enum V4Variant : int64_t { Near, Chosen, Pooled, HashRouted };

struct V4Config : HybridModel {
  int64_t heads = 64, dim = 512, queryRank = 1024;
  int64_t window = 128, outputGroups = 8, outputRank = 1024;
  int64_t shortWindow = 4, longWindow = 128;
  int64_t indexHeads = 64, indexDim = 128, indexCount = 512;
  /// Of layers that see the window alone, and of the others.
  RotarySpec rotary, pooledRotary;
  HyperSpec hyper;
  ExpertsSpec experts;
  std::string scoring;
  bool mlpBias = false;

  double getScale() const { return 1.0 / std::sqrt(static_cast<double>(dim)); }
};

/// Builds the layers.
class V4Graph {
public:
  V4Graph(ModelBuilder &builder, const V4Config &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids);
  Value buildLayer(int64_t variant, Value streams);
  Value collapse(Value streams);

private:
  /// What rotates heads, there and back, at positions.
  struct Rotation {
    RotarySpec spec, back;
    Value frequencies, backFrequencies;
  };
  Rotation buildRotation(const RotarySpec &spec);
  /// Rotates the last features of each head.
  Value rotate(Value heads, Value positions, const Rotation &rotation,
               bool isBack = false);

  /// The key of the layer's tensor that goes by one of `names`, the first being
  /// how transformers has it and the others how DeepSeek does.
  std::string find(ArrayRef<StringLiteral> names);
  /// `x` times the matrix of one of `names`.
  Value project(Value x, ArrayRef<StringLiteral> names, int64_t features) {
    return b.linear(x, find(names), features);
  }
  /// The keys for windows of `places`, whose tensors' keys begin with one of
  /// `prefixes`.
  Value buildPooled(Value x, StringRef name, StringRef olderName, int64_t dim,
                    const WindowPlaces &places, bool overlaps);
  /// The rows of keys that the indexer chooses.
  Value chooseRows(Value x, Value queryLatent);
  Value buildAttention(Value x, int64_t kind);
  Value buildOutput(Value mixed);
  Value buildMixture(Value x, bool isHashed);
  /// Experts by the token's row of a table.
  Routing routeByToken(Value scores);
  /// A part of a layer and what connects it to the streams.
  Value connect(Value streams, StringRef part, StringRef norm,
                StringRef olderNorm, function_ref<Value(Value)> build);

  ModelBuilder &b;
  const V4Config &config;
  Value ids, positions;
  Rotation near, pooled;
  WindowPlaces shortPlaces, longPlaces;
};

} // namespace

V4Graph::Rotation V4Graph::buildRotation(const RotarySpec &spec) {
  RotarySpec back = spec;
  back.backwards = !back.backwards;
  return {spec, back, b.frequencies(spec), b.frequencies(back)};
}

void V4Graph::begin(Value tokens) {
  ids = tokens;
  positions = b.positions(ids);
  near = buildRotation(config.rotary);
  pooled = buildRotation(config.pooledRotary);
  shortPlaces = findPlaces(b, positions, config.shortWindow);
  longPlaces = findPlaces(b, positions, config.longWindow);
}

std::string V4Graph::find(ArrayRef<StringLiteral> names) {
  for (StringRef name : names)
    for (StringRef suffix : {".weight", ""})
      if (b.hasTensor((config.layer + name + suffix).str()))
        return (config.layer + name).str();
  return (config.layer + names.front()).str();
}

Value V4Graph::rotate(Value heads, Value at, const Rotation &rotation,
                      bool isBack) {
  int64_t dim = cast<RankedTensorType>(heads.getType()).getShape().back();
  int64_t turned = rotation.spec.dims, still = dim - turned;
  Value part =
      b.rotary(sliceFeatures(b, heads, still, turned), at,
               isBack ? rotation.backFrequencies : rotation.frequencies,
               isBack ? rotation.back : rotation.spec);
  if (still == 0)
    return part;
  return concatFeatures(b, {sliceFeatures(b, heads, 0, still), part});
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

Value V4Graph::buildPooled(Value x, StringRef name, StringRef olderName,
                           int64_t dim, const WindowPlaces &places,
                           bool overlaps) {
  auto key = [&](StringRef newer, StringRef older) {
    std::string first = (config.layer + "self_attn." + name + newer).str();
    std::string second = (config.layer + "attn." + olderName + older).str();
    for (StringRef suffix : {".weight", ""})
      if (b.hasTensor(second + suffix.str()))
        return second;
    return first;
  };
  int64_t features = overlaps ? 2 * dim : dim;
  Value input = b.linear(x, key("kv_proj", "wkv"), features);
  Value gates = b.linear(x, key("gate_proj", "wgate"), features);
  Value table =
      b.weight(key("position_bias", "ape"), {places.length, features});
  gates = b.add(gates, b.embedding(places.place, table));
  Value means = overlaps ? poolOverlapping(b, input, gates, places)
                         : poolWindows(b, input, gates, places);
  means = b.rmsNorm(means, key("kv_norm", "norm"), config.eps);
  return rotate(b.splitHeads(means, 1), places.start, pooled);
}

Value V4Graph::chooseRows(Value x, Value queryLatent) {
  Value query =
      project(queryLatent,
              {"self_attn.compressor.indexer.q_b_proj", "attn.indexer.wq_b"},
              config.indexHeads * config.indexDim);
  query = rotate(b.splitHeads(query, config.indexHeads), positions, pooled);
  Value key = buildPooled(x, "compressor.indexer.", "indexer.compressor.",
                          config.indexDim, shortPlaces, /*overlaps=*/true);
  SelectOptions options;
  options.count = config.indexCount;
  options.blockSize = config.shortWindow;
  options.scale = 1.0 / std::sqrt(static_cast<double>(config.indexDim));
  options.score = SelectScore::Relu;
  // The factor of the weights is left out: it changes no order.
  options.weights = project(x,
                            {"self_attn.compressor.indexer.scorer.weights_proj",
                             "attn.indexer.weights_proj"},
                            config.indexHeads);
  Value windows = b.selectBlocks(query, key, options);
  // What stands for a window stands at its last token.
  return b.map(windows, [&](OpBuilder &n, Location l, ValueRange in) -> Value {
    auto number = [&](int64_t value) -> Value {
      return arith::ConstantIntOp::create(n, l, value, 32);
    };
    Value first =
        arith::MulIOp::create(n, l, in[0], number(config.shortWindow));
    Value last =
        arith::AddIOp::create(n, l, first, number(config.shortWindow - 1));
    Value isNone = arith::CmpIOp::create(n, l, arith::CmpIPredicate::slt, in[0],
                                         number(0));
    return arith::SelectOp::create(n, l, isNone, in[0], last);
  });
}

Value V4Graph::buildOutput(Value mixed) {
  int64_t groups = config.outputGroups, rank = config.outputRank;
  int64_t features = config.heads * config.dim / groups;
  Value all = b.mergeHeads(mixed);
  Param matrices =
      b.param(find({"self_attn.o_a_proj", "attn.wo_a"}) + ".weight",
              {groups * rank, features});
  SmallVector<Value> parts;
  for (int64_t group = 0; group < groups; ++group)
    parts.push_back(b.linear(sliceFeatures(b, all, group * features, features),
                             b.read(b.slice(matrices, 0, group * rank, rank,
                                            "group" + std::to_string(group))),
                             Value()));
  return project(concatFeatures(b, parts), {"self_attn.o_b_proj", "attn.wo_b"},
                 config.hidden);
}

Value V4Graph::buildAttention(Value x, int64_t kind) {
  const Rotation &rotation = kind == Near ? near : pooled;
  Value latent =
      project(x, {"self_attn.q_a_proj", "attn.wq_a"}, config.queryRank);
  latent = b.rmsNorm(latent, find({"self_attn.q_a_norm", "attn.q_norm"}),
                     config.eps);
  Value query = project(latent, {"self_attn.q_b_proj", "attn.wq_b"},
                        config.heads * config.dim);
  query = rmsNorm(b, b.splitHeads(query, config.heads), Value(), config.eps);
  query = rotate(query, positions, rotation);
  Value key = project(x, {"self_attn.kv_proj", "attn.wkv"}, config.dim);
  key = b.rmsNorm(key, find({"self_attn.kv_norm", "attn.kv_norm", "attn.norm"}),
                  config.eps);
  key = rotate(b.splitHeads(key, 1), positions, rotation);

  AttentionOptions options;
  options.mask = b.causalWindow(config.window);
  options.scale = config.getScale();
  options.sinks =
      b.weight(find({"self_attn.sinks", "attn.attn_sink"}), {config.heads});
  if (kind == Near)
    return buildOutput(rotate(b.attention(query, key, key, options), positions,
                              rotation, /*isBack=*/true));

  Value nearSums, farSums;
  Value nearMixed = b.attention(query, key, key, options, &nearSums);
  AttentionOptions far;
  far.mask = b.causalMask();
  far.scale = config.getScale();
  Value pooledKey;
  if (kind == Chosen) {
    pooledKey = buildPooled(x, "compressor.", "compressor.", config.dim,
                            shortPlaces, /*overlaps=*/true);
    far.blockList = chooseRows(x, latent);
  } else {
    pooledKey = buildPooled(x, "compressor.", "compressor.", config.dim,
                            longPlaces, /*overlaps=*/false);
    far.where = [&](OpBuilder &builder, Location loc,
                    const AttentionPair &pair) -> Value {
      auto number = [&](int64_t value) -> Value {
        return arith::ConstantIndexOp::create(builder, loc, value);
      };
      Value seen = far.mask.getExpression().buildPredicate(
          builder, loc, pair.query, pair.key);
      Value place = arith::RemUIOp::create(builder, loc, pair.key,
                                           number(config.longWindow));
      Value isLast =
          arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, place,
                                number(config.longWindow - 1));
      return arith::AndIOp::create(builder, loc, seen, isLast);
    };
  }
  Value farMixed = b.attention(query, pooledKey, pooledKey, far, &farSums);
  // One softmax over both.
  Value share = sigmoid(b, sub(b, farSums, nearSums));
  Value mixed =
      b.add(nearMixed, scaleRows(b, sub(b, farMixed, nearMixed), share));
  return buildOutput(rotate(mixed, positions, rotation, /*isBack=*/true));
}

//===----------------------------------------------------------------------===//
// Experts
//===----------------------------------------------------------------------===//

Routing V4Graph::routeByToken(Value scores) {
  const RouterSpec &router = config.experts.router;
  Value table = b.weight(find({"mlp.gate.tid2eid", "ffn.gate.tid2eid"}),
                         {config.vocabSize, router.perToken});
  Value numbers = b.embedding(ids, table);
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  auto type = cast<RankedTensorType>(numbers.getType());
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, numbers);
  AffineMap all = builder.getMultiDimIdentityMap(3);
  Value empty =
      tensor::EmptyOp::create(builder, loc, sizes, builder.getI32Type());
  SmallVector<utils::IteratorType> loops(3, utils::IteratorType::parallel);
  Value indices =
      linalg::GenericOp::create(builder, loc, empty.getType(), numbers, empty,
                                ArrayRef<AffineMap>{all, all}, loops,
                                [](OpBuilder &n, Location l, ValueRange in) {
                                  Value index = arith::FPToSIOp::create(
                                      n, l, in[1].getType(), in[0]);
                                  linalg::YieldOp::create(n, l, index);
                                })
          .getResult(0);

  // The scores of these: loops are batch, time, place and expert.
  Value zero = arith::ConstantOp::create(
      builder, loc, builder.getFloatAttr(type.getElementType(), 0));
  Value none =
      linalg::FillOp::create(
          builder, loc, zero,
          tensor::EmptyOp::create(builder, loc, sizes, type.getElementType())
              .getResult())
          .getResult(0);
  AffineMap each = builder.getMultiDimIdentityMap(4);
  loops.push_back(utils::IteratorType::reduction);
  Value weights =
      linalg::GenericOp::create(
          builder, loc, none.getType(), ValueRange{indices, scores}, none,
          ArrayRef<AffineMap>{each.dropResult(3), each.dropResult(2),
                              each.dropResult(3)},
          loops,
          [](OpBuilder &n, Location l, ValueRange in) {
            Value expert = arith::IndexCastOp::create(
                n, l, in[0].getType(), linalg::IndexOp::create(n, l, 3));
            Value isIt = arith::CmpIOp::create(n, l, arith::CmpIPredicate::eq,
                                               expert, in[0]);
            Value score = arith::SelectOp::create(n, l, isIt, in[1], in[2]);
            linalg::YieldOp::create(n, l, score);
          })
          .getResult(0);
  weights = divideRows(b, weights, sumFeatures(b, weights), router.eps);
  return {indices, b.scale(weights, router.scale)};
}

Value V4Graph::buildMixture(Value x, bool isHashed) {
  ExpertsSpec experts = config.experts;
  RouterSpec &router = experts.router;
  Value logits = project(x, {"mlp.gate", "ffn.gate"}, router.experts);
  Value scores = b.activation(logits, config.scoring, "scoring_func");
  std::string newer = config.layer + "mlp.", older = config.layer + "ffn.";
  bool isOlder = b.hasTensor(older + "gate.weight");
  const std::string &block = isOlder ? older : newer;
  std::string shared = block + "shared_experts.";
  router.bias =
      block + (isOlder ? "gate.bias" : "gate.e_score_correction_bias");
  experts.keys.prefix = block + "experts.";
  experts.shared = {shared + "up_proj", shared + "down_proj",
                    shared + "gate_proj"};
  if (b.hasTensor(shared + "w1.weight"))
    experts.shared = {shared + "w3", shared + "w2", shared + "w1"};
  if (b.hasTensor(block + "experts.0.w1.weight")) {
    experts.keys.gate = "w1";
    experts.keys.up = "w3";
    experts.keys.down = "w2";
  }
  Routing routing =
      isHashed ? routeByToken(scores) : buildRoutingOf(b, scores, router);
  return buildMixtureOf(b, x, routing, experts);
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

Value V4Graph::connect(Value streams, StringRef part, StringRef norm,
                       StringRef olderNorm, function_ref<Value(Value)> build) {
  HyperKeys keys;
  std::string newer = (config.layer + part + "_hc.").str();
  std::string older = (config.layer + "hc_" + part + "_").str();
  std::string prefix = b.hasTensor(older + "fn") ? older : newer;
  b.setScope(prefix);
  keys = {prefix + "fn", prefix + "base", prefix + "scale"};
  HyperWeights weights = connectStreams(b, streams, keys, config.hyper);
  std::string key = config.layer + norm.str();
  if (std::string other = config.layer + olderNorm.str();
      b.hasTensor(other + ".weight"))
    key = other;
  b.setScope(key);
  Value output = build(b.rmsNorm(weights.input, key, config.eps));
  return updateStreams(b, streams, output, weights);
}

Value V4Graph::buildLayer(int64_t variant, Value streams) {
  int64_t kind = variant % HashRouted;
  streams = connect(streams, "attn", "input_layernorm", "attn_norm",
                    [&](Value x) { return buildAttention(x, kind); });
  return connect(
      streams, "ffn", "post_attention_layernorm", "ffn_norm",
      [&](Value x) { return buildMixture(x, variant >= HashRouted); });
}

Value V4Graph::collapse(Value streams) {
  std::string prefix = config.model + "hc_head.hc_";
  if (!b.hasTensor(prefix + "fn"))
    prefix = config.model + "hc_head_";
  b.setScope(prefix);
  return collapseStreams(b, streams,
                         {prefix + "fn", prefix + "base", prefix + "scale"},
                         config.hyper);
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

/// Reads what layers see, by their names or, as in the first files, by the
/// length of their windows.
static void readLayerKinds(ConfigReader &reader, V4Config &config) {
  const json::Array *names = getLayerList(reader, "layer_types", config.layers);
  const json::Array *ratios =
      getLayerList(reader, "compress_ratios", config.layers);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    HybridLayer &kind = config.order.emplace_back();
    kind.variant = layer < 2 || layer % 2 == 0 ? Pooled : Chosen;
    if (names) {
      StringRef name = (*names)[layer].getAsString().value_or("");
      if (name == "sliding_attention")
        kind.variant = Near;
      else if (name == "compressed_sparse_attention")
        kind.variant = Chosen;
      else if (name == "heavily_compressed_attention")
        kind.variant = Pooled;
      else
        reader.emitError("layer_types")
            << "key 'layer_types' names '" << name << "' for layer " << layer
            << ", expected sliding_attention, compressed_sparse_attention or "
               "heavily_compressed_attention";
    } else if (ratios) {
      int64_t ratio = (*ratios)[layer].getAsInteger().value_or(-1);
      if (ratio != 0 && ratio != 4 && ratio != 128)
        reader.emitError("compress_ratios")
            << "key 'compress_ratios' has " << ratio << " for layer " << layer
            << ", expected 0, 4 or 128";
      kind.variant = ratio == 0 ? Near : ratio == 4 ? Chosen : Pooled;
    }
  }
  const json::Array *mixtures =
      getLayerList(reader, "mlp_layer_types", config.layers);
  int64_t hashed = reader.getInt("num_hash_layers", 3);
  for (auto [layer, kind] : llvm::enumerate(config.order)) {
    bool isHashed = static_cast<int64_t>(layer) < hashed;
    if (mixtures) {
      StringRef name = (*mixtures)[layer].getAsString().value_or("");
      isHashed = name == "hash_moe";
      if (!isHashed && name != "moe")
        reader.emitError("mlp_layer_types")
            << "key 'mlp_layer_types' names '" << name << "' for layer "
            << layer << ", expected hash_moe or moe";
    }
    kind.variant += isHashed ? HashRouted : 0;
  }
}

/// Reads how many tokens a pooled key stands for.
static void readWindows(ConfigReader &reader, V4Config &config) {
  const json::Value *value = reader.get("compress_rates");
  const json::Object *rates = value ? value->getAsObject() : nullptr;
  if (value && !rates)
    reader.emitError("compress_rates") << "key 'compress_rates' is no object";
  for (auto [name, older, window] :
       {std::tuple("compressed_sparse_attention", "compress_rate_csa",
                   &config.shortWindow),
        std::tuple("heavily_compressed_attention", "compress_rate_hca",
                   &config.longWindow)}) {
    if (rates) {
      std::optional<int64_t> rate = rates->getInteger(name);
      if (rates->get(name) && (!rate || *rate < 1))
        reader.emitError("compress_rates")
            << "'" << name
            << "' of key 'compress_rates' is no positive whole number";
      *window = std::max<int64_t>(rate.value_or(*window), 1);
    }
    *window = reader.getSize(older, *window);
  }
}

/// Reads both rotations: an object for each, or, as in the first files, one
/// that is of layers with pooled keys alone.
static void readRotations(ConfigReader &reader, ModelBuilder &b,
                          const FamilyRequest &request, V4Config &config) {
  double base = reader.getFloat("rope_theta", 10000.0);
  double pooledBase = reader.getFloat("compress_rope_theta", 160000.0);
  double part = 64.0 / 512.0;
  if (reader.has("partial_rotary_factor"))
    part = reader.getFloat("partial_rotary_factor", part);
  else if (reader.has("qk_rope_head_dim"))
    part = static_cast<double>(reader.getSize("qk_rope_head_dim", 64)) /
           static_cast<double>(config.dim);
  const json::Object *found = nullptr;
  for (StringRef key : {"rope_parameters", "rope_scaling"}) {
    const json::Value *value = reader.get(key);
    if (value && !value->getAsObject())
      reader.emitError(key) << "key '" << key << "' is no object";
    else if (value && !value->getAsObject()->empty())
      found = value->getAsObject();
  }
  const json::Object *near = found ? found->getObject("main") : nullptr;
  const json::Object *far = found ? found->getObject("compress") : nullptr;
  json::Object nearObject, farObject;
  if (near && far) {
    nearObject = *near;
    farObject = *far;
    // What they do not say is said beside them.
    for (json::Object *object : {&nearObject, &farObject}) {
      object->try_emplace("rope_theta", base);
      object->try_emplace("partial_rotary_factor", part);
    }
  } else {
    nearObject["rope_theta"] = base;
    if (found)
      farObject = *found;
    farObject["rope_theta"] = pooledBase;
    for (json::Object *object : {&nearObject, &farObject})
      (*object)["partial_rotary_factor"] = part;
    StringRef type = farObject.getString("rope_type")
                         .value_or(farObject.getString("type").value_or(""));
    if (type == "yarn")
      farObject.try_emplace("attention_factor", 1.0);
  }
  RotaryOptions options;
  options.headDim = config.dim;
  options.trainedLength = config.length;
  options.maxLength = request.maxLength.value_or(config.length);
  options.allowsPartial = true;
  for (auto [object, spec] : {std::pair(&nearObject, &config.rotary),
                              std::pair(&farObject, &config.pooledRotary)}) {
    options.given = object;
    *spec = readRotary(reader, b, options);
    spec->layout = RotaryLayout::Interleaved;
  }
  reader.ignore({"partial_rotary_factor", "qk_rope_head_dim"});
}

static void readMixtures(ConfigReader &reader, V4Config &config) {
  ExpertsSpec &experts = config.experts;
  RouterSpec &router = experts.router;
  readExpertCounts(reader, router, {"n_routed_experts", "num_local_experts"},
                   256, {"num_experts_per_tok"}, 6);
  experts.inner = reader.getSize(reader.has("moe_intermediate_size")
                                     ? "moe_intermediate_size"
                                     : "intermediate_size",
                                 2048);
  config.scoring = reader.getString("scoring_func", "sqrtsoftplus");
  // Scores come as they are; they are always renormalised.
  router.score = RouteScore::Raw;
  router.eps = 1e-20;
  router.scale = reader.getFloat("routed_scaling_factor", 1.5);
  experts.boundedGate =
      BoundedGate{1, reader.getFloat("swiglu_limit", 10), config.activation};
  if (!llvm::is_contained(getActivationNames(), StringRef(config.activation)))
    reader.emitError("hidden_act")
        << "key 'hidden_act' names the activation '" << config.activation
        << "', which is not supported";
  // One expert sees all tokens, whatever is said.
  experts.sharedInner = experts.inner;
  experts.sharedBias = reader.getBool("mlp_bias", false);
  experts.boundsShared = true;
  ignoreDeepseekExperts(reader);
  reader.ignore({"intermediate_size", "expert_dtype"});
}

static ModelFacts buildDeepseekV4(ModelBuilder &b, ConfigReader &reader,
                                  const FamilyRequest &request) {
  V4Config config;
  config.vocabSize = 129280;
  config.hidden = 4096;
  config.layers = 43;
  config.length = 1048576;
  readHybridModel(reader, config);
  config.heads = reader.getSize("num_attention_heads", config.heads);
  config.dim = reader.getSize("head_dim", config.dim);
  config.queryRank = reader.getSize("q_lora_rank", config.queryRank);
  config.window = reader.getSize("sliding_window", config.window);
  config.outputGroups = reader.getSize("o_groups", config.outputGroups);
  config.outputRank = reader.getSize("o_lora_rank", config.outputRank);
  if (config.heads * config.dim % config.outputGroups)
    reader.emitError("o_groups")
        << "key 'o_groups' is " << config.outputGroups
        << ", expected a divisor of the " << config.heads * config.dim
        << " features of all heads";
  config.indexHeads = reader.getSize("index_n_heads", config.indexHeads);
  config.indexDim = reader.getSize("index_head_dim", config.indexDim);
  config.indexCount = reader.getSize("index_topk", config.indexCount);
  config.hyper.streams = reader.getSize("hc_mult", 4);
  config.hyper.iterations = reader.getInt("hc_sinkhorn_iters", 20);
  config.hyper.eps = reader.getFloat("hc_eps", 1e-6);
  config.hyper.normEps = config.eps;
  config.hyper.hidden = config.hidden;
  readLayerKinds(reader, config);
  readWindows(reader, config);
  readRotations(reader, b, request, config);
  if (config.indexDim < config.pooledRotary.dims)
    reader.emitError("index_head_dim")
        << "key 'index_head_dim' is " << config.indexDim
        << ", expected at least the " << config.pooledRotary.dims
        << " features that are rotated";
  readMixtures(reader, config);
  // Keys have one head, and no projection of attention has a bias, whatever is
  // said.
  reader.ignore({"attention_bias", "num_key_value_heads"});
  Checkpoint &checkpoint = b.getCheckpoint();
  if (checkpoint.lookup(config.model + "embed.weight"))
    config.embed = "embed";
  if (checkpoint.lookup("head.weight"))
    config.head = "head";
  markLaterHeads(checkpoint, config, "mtp.");

  V4Graph graph(b, config);
  SmallVector<int64_t> variants = llvm::map_to_vector(
      config.order, [](const HybridLayer &layer) { return layer.variant; });
  ModelFacts facts = buildHybridModel(
      b, reader, request, config, [&](Value ids, Value) { graph.begin(ids); },
      [&](Value x) {
        SmallVector<int64_t> kinds;
        SmallVector<int32_t> order = numberKinds<int64_t>(variants, kinds);
        Value streams = b.stack(expandStreams(b, x, config.hyper), order,
                                [&](int32_t kind, Value input) {
                                  return graph.buildLayer(kinds[kind], input);
                                });
        return graph.collapse(streams);
      });
  facts.bos = 0;
  facts.eos = 1;
  return facts;
}

namespace weir {
void registerDeepseekV4Family(FamilyTable &table) {
  table.add({"deepseek_v4",
             "DeepseekV4ForCausalLM",
             "DeepseekV4Model",
             "",
             {},
             buildDeepseekV4});
}
} // namespace weir
