//===- Experts.cpp - Feed-forward parts made of experts -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Experts.h"
#include "ScanBodies.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/Frontend/LinearLayers.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace weir;

/// The extent of the last axis.
static int64_t getFeatures(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape().back();
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

/// The first of `keys` that the configuration has, or the first.
static StringRef chooseKey(const ConfigReader &reader,
                           ArrayRef<StringLiteral> keys) {
  for (StringRef key : keys)
    if (reader.has(key))
      return key;
  return keys.front();
}

void weir::readExpertCounts(ConfigReader &reader, RouterSpec &router,
                            ArrayRef<StringLiteral> expertsKeys,
                            int64_t experts,
                            ArrayRef<StringLiteral> perTokenKeys,
                            int64_t perToken) {
  StringRef key = chooseKey(reader, expertsKeys);
  StringRef perTokenKey = chooseKey(reader, perTokenKeys);
  router.experts = reader.getSize(key, experts);
  router.perToken = reader.getSize(perTokenKey, perToken);
  if (router.perToken > router.experts)
    reader.emitError(perTokenKey)
        << "key '" << perTokenKey << "' is " << router.perToken
        << ", expected no more than the " << router.experts << " of '" << key
        << "'";
  int64_t tensors = reader.getCheckpoint().tensors().size();
  constexpr int64_t perTensor = 1024;
  if (router.experts > tensors * perTensor)
    reader.emitError(key) << "key '" << key << "' is " << router.experts
                          << " when the checkpoint has " << tensors
                          << " tensors";
}

void weir::readExpertCounts(ConfigReader &reader, RouterSpec &router,
                            int64_t experts, int64_t perToken) {
  // Both spellings are in use for one family; a file has one of them.
  readExpertCounts(reader, router, {"num_experts", "num_local_experts"},
                   experts, {"num_experts_per_tok"}, perToken);
}

ExpertsSpec weir::readQwenExperts(ConfigReader &reader,
                                  const std::string &block,
                                  const ExpertDefaults &defaults) {
  ExpertsSpec spec;
  spec.router.key = block + "gate";
  spec.keys.prefix = block + "experts.";
  readExpertCounts(reader, spec.router, defaults.experts, defaults.perToken);
  spec.inner = defaults.inner;
  // GGUF files of some families have it under a dense layer's key.
  if (!reader.isGGUF() || reader.has("moe_intermediate_size"))
    spec.inner = reader.getSize("moe_intermediate_size", defaults.inner);
  if (!reader.getBool("norm_topk_prob", defaults.normalized))
    spec.router.weighting = RouteWeighting::Scores;
  ignoreTrainingOfExperts(reader);
  return spec;
}

ExpertsSpec weir::readQwenSharedExperts(ConfigReader &reader,
                                        const std::string &block,
                                        const ExpertDefaults &defaults,
                                        int64_t shared) {
  ExpertsSpec spec = readQwenExperts(reader, block, defaults);
  spec.sharedInner = reader.getSize("shared_expert_intermediate_size", shared);
  std::string expert = block + "shared_expert.";
  spec.shared = {expert + "up_proj", expert + "down_proj",
                 expert + "gate_proj"};
  spec.sharedGate = block + "shared_expert_gate";
  return spec;
}

void weir::setRouteGroups(ConfigReader &reader, ModelBuilder &b,
                          RouterSpec &router, StringRef groupsKey,
                          int64_t groups, int64_t chosen,
                          RouteGroupScore score) {
  // A sum of two keys ranks a group.
  int64_t least = score == RouteGroupScore::TopTwo ? 2 : 1;
  if (router.experts % groups || router.experts / groups < least) {
    reader.emitError(groupsKey)
        << "key '" << groupsKey << "' is " << groups
        << ", expected a divisor of the " << router.experts
        << " experts with groups of " << least << " or more";
    return;
  }
  if (chosen > groups || chosen * (router.experts / groups) < router.perToken) {
    reader.emitError("topk_group")
        << "key 'topk_group' is " << chosen << ", expected at most the "
        << groups << " of '" << groupsKey << "' and groups that have the "
        << router.perToken << " experts of a token";
    return;
  }
  if (chosen < groups)
    router.groups =
        RouteGroupsAttr::get(&b.getContext(), groups, chosen, score);
}

void weir::ignoreDeepseekExperts(ConfigReader &reader) {
  reader.ignore({"aux_loss_alpha",
                 "ep_size",
                 "moe_intermediate_size",
                 "moe_layer_freq",
                 "moe_renormalize",
                 "moe_router_activation_func",
                 "mtp_loss_scaling_factor",
                 "n_group",
                 "n_routed_experts",
                 "n_shared_experts",
                 "norm_topk_prob",
                 "num_expert_group",
                 "num_experts",
                 "num_experts_per_tok",
                 "num_experts_per_token",
                 "num_local_experts",
                 "num_mtp_layers",
                 "num_nextn_predict_layers",
                 "num_shared_experts",
                 "routed_scaling_factor",
                 "scoring_func",
                 "seq_aux",
                 "topk_group",
                 "topk_method",
                 "use_grouped_topk"});
  ignoreTrainingOfExperts(reader);
}

ExpertsSpec weir::readDeepseekExperts(ConfigReader &reader, ModelBuilder &b,
                                      const std::string &block,
                                      const DeepseekDefaults &defaults,
                                      bool isGrouped) {
  ExpertsSpec spec;
  RouterSpec &router = spec.router;
  router.key = block + "gate";
  router.bias = block + "gate.e_score_correction_bias";
  router.score = RouteScore::Sigmoid;
  spec.keys.prefix = block + "experts.";
  readExpertCounts(
      reader, router, {"n_routed_experts", "num_local_experts", "num_experts"},
      defaults.experts, {"num_experts_per_tok", "num_experts_per_token"},
      defaults.perToken);
  spec.inner = reader.getSize("moe_intermediate_size", defaults.inner);
  if (reader.getBool(chooseKey(reader, {"norm_topk_prob", "moe_renormalize"}),
                     defaults.normalized))
    router.eps = 1e-20;
  else
    router.weighting = RouteWeighting::Scores;
  router.scale = reader.getFloat("routed_scaling_factor", defaults.scale);
  StringRef groups = chooseKey(reader, {"n_group", "num_expert_group"});
  // GGUF files leave it out where there is one group.
  if (isGrouped && (!reader.isGGUF() || reader.has(groups)))
    setRouteGroups(
        reader, b, router, groups, reader.getSize(groups, defaults.groups),
        reader.getSize("topk_group", defaults.chosen), RouteGroupScore::TopTwo);
  spec.sharedInner =
      spec.inner * reader.getInt(chooseKey(reader, {"n_shared_experts",
                                                    "num_shared_experts"}),
                                 defaults.shared);
  std::string shared = block + "shared_experts.";
  spec.shared = {shared + "up_proj", shared + "down_proj",
                 shared + "gate_proj"};
  ignoreDeepseekExperts(reader);
  return spec;
}

ExpertsSpec weir::readGraniteExperts(ConfigReader &reader,
                                     const std::string &layer, int64_t inner,
                                     const std::string &activation) {
  ExpertsSpec spec;
  readExpertCounts(reader, spec.router, 8, 2);
  ignoreTrainingOfExperts(reader);
  spec.router.score = RouteScore::Raw;
  spec.router.weighting = RouteWeighting::Softmax;
  spec.inner = inner;
  spec.activation = activation;
  std::string block = layer + "block_sparse_moe.";
  // As transformers has written it at different times.
  if (hasLayerTensor(reader.getCheckpoint(), block + "input_linear.weight")) {
    spec.router.key = block + "router.layer";
    spec.keys.prefix = block;
    spec.keys.gateUp = "input_linear";
    spec.keys.downAll = "output_linear";
  } else {
    spec.router.key = block + "router";
    spec.keys.prefix = block + "experts.";
  }
  return spec;
}

bool weir::hasLayerTensor(const Checkpoint &checkpoint, StringRef key) {
  std::pair<StringRef, StringRef> ends = key.split('*');
  return llvm::any_of(checkpoint.tensors(), [&](const TensorInfo &tensor) {
    StringRef name = tensor.name;
    return name.consume_front(ends.first) && name.consume_back(ends.second) &&
           !name.empty() && llvm::all_of(name, llvm::isDigit);
  });
}

void weir::readMixtralKeys(const Checkpoint &checkpoint,
                           const std::string &layer, ExpertsSpec &spec) {
  std::string block = layer + "block_sparse_moe.";
  if (!hasLayerTensor(checkpoint, block + "gate.weight"))
    block = layer + "mlp.";
  spec.router.key = block + "gate";
  spec.keys.prefix = block + "experts.";
  spec.keys.gate = "w1";
  spec.keys.up = "w3";
  spec.keys.down = "w2";
}

std::vector<bool> weir::readSparseLayers(ConfigReader &reader, int64_t layers) {
  int64_t step = reader.getSize("decoder_sparse_step", 1);
  std::vector<bool> sparse(layers);
  for (int64_t layer = 0; layer < layers; ++layer)
    sparse[layer] = (layer + 1) % step == 0;
  const llvm::json::Value *dense = reader.get("mlp_only_layers");
  if (!dense)
    return sparse;
  const llvm::json::Array *list = dense->getAsArray();
  for (const llvm::json::Value &entry : list ? *list : llvm::json::Array()) {
    std::optional<int64_t> layer = entry.getAsInteger();
    if (!layer)
      list = nullptr;
    else if (*layer >= 0 && *layer < layers)
      sparse[*layer] = false;
  }
  if (!list)
    reader.emitError("mlp_only_layers")
        << "key 'mlp_only_layers' is no list of layers, expected whole numbers";
  return sparse;
}

void weir::ignoreTrainingOfExperts(ConfigReader &reader) {
  reader.ignore({"output_router_logits", "router_aux_loss_coef",
                 "router_z_loss_coef", "router_jitter_noise",
                 "input_jitter_noise"});
}

//===----------------------------------------------------------------------===//
// Graph
//===----------------------------------------------------------------------===//

/// `indices`, `[batch, time, 1]`, with -1 for tokens whose expert has
/// `capacity` tokens of the row already.
static Value limitToCapacity(ModelBuilder &b, Value indices, int64_t experts,
                             int64_t capacity) {
  OpBuilder &builder = b.getBuilder();
  Type i32 = builder.getI32Type();
  auto type = RankedTensorType::get({experts}, i32);
  Value none = arith::ConstantOp::create(
      builder, b.getLoc(), DenseElementsAttr::get(type, int32_t(0)));
  auto step = [&](OpBuilder &n, Location l, ValueRange now,
                  ValueRange before) -> SmallVector<Value> {
    Value first = arith::ConstantIndexOp::create(n, l, 0);
    Value chosen = tensor::ExtractOp::create(n, l, now[0], first);
    Value place = arith::IndexCastOp::create(n, l, n.getIndexType(), chosen);
    Value one = arith::ConstantIntOp::create(n, l, 1, 32);
    Value taken = arith::AddIOp::create(
        n, l, tensor::ExtractOp::create(n, l, before[0], place), one);
    Value fits =
        arith::CmpIOp::create(n, l, arith::CmpIPredicate::sle, taken,
                              arith::ConstantIntOp::create(n, l, capacity, 32));
    Value dropped = arith::ConstantIntOp::create(n, l, -1, 32);
    Value kept = arith::SelectOp::create(n, l, fits, chosen, dropped);
    Value after = tensor::InsertOp::create(n, l, taken, before[0], place);
    Value output = tensor::FromElementsOp::create(
        n, l, RankedTensorType::get({1}, n.getI32Type()), kept);
    return {output, after};
  };
  return buildScan(b, indices, none, {SmallVector<int64_t>{1}}, step).front();
}

Routing weir::buildRouting(ModelBuilder &b, Value input,
                           const RouterSpec &spec) {
  Value logits = b.linear(input, spec.key, spec.experts, spec.logitBias);
  if (spec.logitCap != 0)
    logits = b.softCap(logits, spec.logitCap);
  return buildRoutingOf(b, logits, spec);
}

Routing weir::buildRoutingOf(ModelBuilder &b, Value logits,
                             const RouterSpec &spec) {
  Value bias;
  auto extents = spec.bias.empty() ? std::nullopt : b.getExtents(spec.bias);
  if (extents && extents->size() == 2)
    bias = b.read(
        b.reshape(b.param(spec.bias, {1, spec.experts}), {spec.experts}));
  else if (!spec.bias.empty())
    bias = b.weight(spec.bias, {spec.experts});
  auto type = cast<RankedTensorType>(logits.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = spec.perToken;
  OpBuilder &builder = b.getBuilder();
  auto route = RouteOp::create(
      builder, b.getLoc(), type.clone(shape, builder.getI32Type()),
      type.clone(shape), logits, bias, spec.perToken, spec.score,
      spec.weighting, spec.groups, llvm::APFloat(spec.eps),
      llvm::APFloat(spec.scale), /*threshold=*/FloatAttr());
  Routing routing = {route.getIndices(), route.getWeights()};
  if (spec.capacity != 0)
    routing.indices =
        limitToCapacity(b, routing.indices, spec.experts, spec.capacity);
  if (spec.reweigh)
    routing.weights = spec.reweigh(b, logits, routing);
  return routing;
}

/// The gates and the ups of `both`, which has them on axis 1: one after the
/// other, or in turn.
static std::pair<Param, Param> splitGateUp(ModelBuilder &b, Param both,
                                           bool alternating) {
  SmallVector<int64_t> shape(both.getShape());
  int64_t inner = shape[1] / 2;
  if (!alternating)
    return {b.slice(both, 1, 0, inner, "gate"),
            b.slice(both, 1, inner, inner, "up")};
  SmallVector<int64_t> pairs(shape);
  pairs[1] = 2;
  pairs.insert(pairs.begin() + 1, inner);
  shape[1] = inner;
  Param apart = b.reshape(both, pairs);
  return {b.reshape(b.slice(apart, 2, 0, 1, "gate"), shape),
          b.reshape(b.slice(apart, 2, 1, 1, "up"), shape)};
}

/// The same where each kind is a tensor of its own.
static SmallVector<Param>
declareStacked(ModelBuilder &b, const ExpertsSpec &spec, int64_t features) {
  const ExpertKeys &keys = spec.keys;
  int64_t experts = spec.router.experts, inner = spec.inner;
  SmallVector<std::tuple<std::string, int64_t, int64_t>> kinds = {
      {keys.up, inner, features}, {keys.down, features, inner}};
  if (spec.gated)
    kinds.insert(kinds.begin(), {keys.gate, inner, features});
  SmallVector<Param> params, biases;
  std::string both = keys.prefix + keys.gateUp;
  if (spec.gated && b.hasTensor(both + ".weight")) {
    Param all = b.param(both + ".weight", {experts, 2 * inner, features});
    auto [gate, up] = splitGateUp(b, all, /*alternating=*/false);
    params.append({gate, up});
    if (keys.biased) {
      Param shifts = b.param(both + ".bias", {experts, 2 * inner});
      auto [gateBias, upBias] = splitGateUp(b, shifts, /*alternating=*/false);
      biases.append({gateBias, upBias});
    }
    kinds = {kinds.back()};
  }
  for (const auto &[name, rows, columns] : kinds) {
    std::string key = keys.prefix + name;
    params.push_back(b.param(key + ".weight", {experts, rows, columns}));
    if (keys.biased)
      biases.push_back(b.param(key + ".bias", {experts, rows}));
  }
  params.append(biases);
  return params;
}

/// All experts' matrices, stacked: gate, if there is one, up and down; and the
/// biases of all three, if they have any.
static SmallVector<Param>
declareExperts(ModelBuilder &b, const ExpertsSpec &spec, int64_t features) {
  const ExpertKeys &keys = spec.keys;
  int64_t inner = spec.inner;
  int64_t experts = spec.router.experts - spec.identities;
  if (keys.joinsRows) {
    auto matrices = [&](const std::string &name) {
      Param rows = b.param(keys.prefix + name, {experts * inner, features});
      return b.reshape(rows, {experts, inner, features});
    };
    return {matrices(keys.gate), matrices(keys.up),
            b.transpose(matrices(keys.down), {0, 2, 1})};
  }
  if (keys.isStacked)
    return declareStacked(b, spec, features);
  // Newer checkpoints may have the experts of a layer in one tensor.
  for (StringRef suffix : {"", ".weight"}) {
    std::string first =
        keys.prefix + (spec.gated ? keys.gateUp : keys.up) + suffix.str();
    if (!b.hasTensor(first))
      continue;
    auto matrices = [&](const std::string &key, int64_t count, int64_t out,
                        int64_t in) {
      if (!keys.inputFirst)
        return b.param(key, {count, out, in});
      return b.transpose(b.param(key, {count, in, out}), {0, 2, 1});
    };
    std::string downKey = keys.prefix + keys.downAll;
    Param down = matrices(downKey + suffix.str(), experts, features, inner);
    if (!spec.gated)
      return {matrices(first, experts, inner, features), down};
    Param all = matrices(first, spec.router.experts, 2 * inner, features);
    if (spec.identities != 0)
      all = b.slice(all, 0, 0, experts, "computed");
    auto [gate, up] = splitGateUp(b, all, keys.alternating);
    SmallVector<Param> params{gate, up, down};
    if (keys.biased) {
      Param both =
          b.param(keys.prefix + keys.gateUp + "_bias", {experts, 2 * inner});
      auto [gateBias, upBias] = splitGateUp(b, both, keys.alternating);
      params.append(
          {gateBias, upBias, b.param(downKey + "_bias", {experts, features})});
    }
    return params;
  }
  auto stack = [&](const std::string &name, int64_t rows, int64_t columns) {
    return b.expertParam(keys.prefix + "*." + name + ".weight", experts,
                         {rows, columns});
  };
  SmallVector<Param> params;
  if (spec.gated)
    params.push_back(stack(keys.gate, inner, features));
  params.push_back(stack(keys.up, inner, features));
  params.push_back(stack(keys.down, features, inner));
  return params;
}

/// `(up + 1) * gate * sigmoid(alpha * gate)` of bounded numbers, or their
/// product behind an activation of the gate.
static Value buildBoundedGate(ModelBuilder &b, Value gate, Value up,
                              const BoundedGate &spec) {
  return b.map({gate, up}, [&](OpBuilder &n, Location l, ValueRange in) {
    auto number = [&](double value) -> Value {
      return arith::ConstantOp::create(n, l,
                                       n.getFloatAttr(in[0].getType(), value));
    };
    Value low = arith::MinimumFOp::create(n, l, in[0], number(spec.limit));
    Value near = arith::MinimumFOp::create(n, l, in[1], number(spec.limit));
    near = arith::MaximumFOp::create(n, l, near, number(-spec.limit));
    if (!spec.activation.empty())
      return Value(arith::MulFOp::create(
          n, l, buildActivation(n, l, spec.activation, low), near));
    Value gated = arith::MulFOp::create(
        n, l, low,
        buildActivation(n, l, "sigmoid",
                        arith::MulFOp::create(n, l, low, number(spec.alpha))));
    Value counted = arith::AddFOp::create(n, l, near, number(1));
    return Value(arith::MulFOp::create(n, l, counted, gated));
  });
}

Value weir::buildExperts(ModelBuilder &b, Value input, const Routing &routing,
                         const ExpertsSpec &spec) {
  SmallVector<Param> params = declareExperts(b, spec, getFeatures(input));
  // What could not be declared has been complained about.
  if (b.hasFailed())
    return input;
  SmallVector<Value> values;
  for (Param param : params)
    values.push_back(b.read(param));
  return ExpertsOp::create(
      b.getBuilder(), b.getLoc(), input, routing.indices, routing.weights,
      values, spec.weighInput,
      [&](OpBuilder &, Location, Value rows, ValueRange slices) -> Value {
        unsigned parts = spec.gated ? 3 : 2;
        auto project = [&](Value x, unsigned part) {
          return b.linear(x, slices[part],
                          spec.keys.biased ? slices[parts + part] : Value());
        };
        Value hidden = project(rows, 0);
        if (spec.boundedGate)
          return project(
              buildBoundedGate(b, hidden, project(rows, 1), *spec.boundedGate),
              2);
        hidden = b.activation(hidden, spec.activation);
        if (spec.gated)
          hidden = b.mul(hidden, project(rows, 1));
        return project(hidden, parts - 1);
      });
}

Value weir::fusedMLP(ModelBuilder &b, Value input, const std::string &gateUp,
                     const std::string &down, int64_t inner,
                     StringRef activation, bool bias) {
  Value both = b.linear(input, gateUp, 2 * inner, bias);
  Value gate = b.activation(sliceFeatures(b, both, 0, inner), activation);
  Value up = sliceFeatures(b, both, inner, inner);
  return b.linear(b.mul(gate, up), down, getFeatures(input), bias);
}

/// `input` with each token multiplied by its one number in `factors`, which is
/// `[batch, time, 1]`.
static Value scaleTokens(ModelBuilder &b, Value input, Value factors) {
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  auto type = cast<RankedTensorType>(factors.getType());
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, factors);
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0)),
      strides(sizes.size(), builder.getIndexAttr(1));
  Value numbers = tensor::ExtractSliceOp::create(
      builder, loc, type.clone(type.getShape().drop_back()), factors, offsets,
      sizes, strides);
  unsigned rank = type.getRank();
  AffineMap all = builder.getMultiDimIdentityMap(rank);
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, input),
      type.getElementType());
  return linalg::GenericOp::create(
             builder, loc, input.getType(), ValueRange{input, numbers}, empty,
             ArrayRef<AffineMap>{all, all.dropResult(rank - 1), all},
             SmallVector<utils::IteratorType>(rank,
                                              utils::IteratorType::parallel),
             [](OpBuilder &n, Location l, ValueRange in) {
               Value product = arith::MulFOp::create(n, l, in[0], in[1]);
               linalg::YieldOp::create(n, l, product);
             })
      .getResult(0);
}

/// What the experts that give back what they get weigh together.
static Value weighIdentities(ModelBuilder &b, const Routing &routing,
                             int64_t first) {
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  auto type = cast<RankedTensorType>(routing.weights.getType());
  int64_t rank = type.getRank();
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, routing.weights),
      type.getElementType());
  auto choose = [&](OpBuilder &n, Location l, ValueRange in) {
    Value isIdentity =
        arith::CmpIOp::create(n, l, arith::CmpIPredicate::sge, in[1],
                              arith::ConstantIntOp::create(n, l, first, 32));
    Value zero =
        arith::ConstantOp::create(n, l, n.getFloatAttr(in[0].getType(), 0));
    Value weight = arith::SelectOp::create(n, l, isIdentity, in[0], zero);
    linalg::YieldOp::create(n, l, weight);
  };
  AffineMap all = builder.getMultiDimIdentityMap(rank);
  Value weights =
      linalg::GenericOp::create(
          builder, loc, type, ValueRange{routing.weights, routing.indices},
          empty, ArrayRef<AffineMap>{all, all, all},
          SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
          choose)
          .getResult(0);
  return sumFeatures(b, weights);
}

Value weir::boundedMLP(ModelBuilder &b, Value input, const MLPKeys &keys,
                       const std::string &gateUp, int64_t inner,
                       const BoundedGate &gate, bool bias) {
  Value low, near;
  if (gateUp.empty()) {
    low = b.linear(input, keys.gate, inner, bias);
    near = b.linear(input, keys.up, inner, bias);
  } else {
    Value both = b.linear(input, gateUp, 2 * inner, bias);
    low = sliceFeatures(b, both, 0, inner);
    near = sliceFeatures(b, both, inner, inner);
  }
  return b.linear(buildBoundedGate(b, low, near, gate), keys.down,
                  getFeatures(input), bias);
}

/// The expert that all tokens go to.
static Value buildShared(ModelBuilder &b, Value input,
                         const ExpertsSpec &spec) {
  if (spec.boundsShared)
    return boundedMLP(b, input, spec.shared, spec.sharedGateUp,
                      spec.sharedInner, *spec.boundedGate, spec.sharedBias);
  if (spec.sharedGateUp.empty())
    return b.mlp(input, spec.shared, spec.sharedInner, spec.activation,
                 spec.sharedBias);
  return fusedMLP(b, input, spec.sharedGateUp, spec.shared.down,
                  spec.sharedInner, spec.activation, spec.sharedBias);
}

/// The logit of a token for the expert that all tokens go to. GGUF files have
/// its matrix without an axis of one in front.
static Value openShared(ModelBuilder &b, Value input, const std::string &key) {
  auto extents = b.getExtents(key + ".weight");
  if (!extents || extents->size() != 1)
    return b.linear(input, key, 1);
  int64_t features = getFeatures(input);
  Param row = b.param(key + ".weight", {features});
  return b.linear(input, b.read(b.reshape(row, {1, features})), Value());
}

Value weir::buildMixture(ModelBuilder &b, Value input,
                         const ExpertsSpec &spec) {
  return buildMixtureOf(b, input, buildRouting(b, input, spec.router), spec);
}

Value weir::buildMixtureOf(ModelBuilder &b, Value input, const Routing &routing,
                           const ExpertsSpec &spec) {
  Value mixed = buildExperts(b, input, routing, spec);
  if (spec.identities != 0)
    mixed = b.add(mixed, scaleRows(b, input,
                                   weighIdentities(b, routing,
                                                   spec.router.experts -
                                                       spec.identities)));
  if (spec.sharedInner == 0)
    return mixed;
  Value shared = buildShared(b, input, spec);
  if (!spec.sharedGate.empty())
    shared = scaleTokens(
        b, shared,
        b.activation(openShared(b, input, spec.sharedGate), "sigmoid"));
  return b.scale(b.add(mixed, shared), spec.sharedScale);
}
