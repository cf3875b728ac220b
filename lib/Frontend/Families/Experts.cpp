//===- Experts.cpp - Feed-forward parts made of experts -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Experts.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
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

void weir::readExpertCounts(ConfigReader &reader, RouterSpec &router,
                            int64_t experts, int64_t perToken) {
  // Both spellings are in use for one family; a file has one of them.
  StringRef key =
      reader.has("num_local_experts") ? "num_local_experts" : "num_experts";
  router.experts = reader.getSize(key, experts);
  router.perToken = reader.getSize("num_experts_per_tok", perToken);
  if (router.perToken > router.experts)
    reader.emitError("num_experts_per_tok")
        << "key 'num_experts_per_tok' is " << router.perToken
        << ", expected no more than the " << router.experts << " of '" << key
        << "'";
  int64_t tensors = reader.getCheckpoint().tensors().size();
  constexpr int64_t perTensor = 1024;
  if (router.experts > tensors * perTensor)
    reader.emitError(key) << "key '" << key << "' is " << router.experts
                          << " when the checkpoint has " << tensors
                          << " tensors";
}

ExpertsSpec weir::readQwenExperts(ConfigReader &reader,
                                  const std::string &block,
                                  const ExpertDefaults &defaults) {
  ExpertsSpec spec;
  spec.router.key = block + "gate";
  spec.keys.prefix = block + "experts.";
  readExpertCounts(reader, spec.router, defaults.experts, defaults.perToken);
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
                 "router_jitter_noise", "input_jitter_noise"});
}

//===----------------------------------------------------------------------===//
// Graph
//===----------------------------------------------------------------------===//

Routing weir::buildRouting(ModelBuilder &b, Value input,
                           const RouterSpec &spec) {
  Value logits = b.linear(input, spec.key, spec.experts);
  Value bias =
      spec.bias.empty() ? Value() : b.weight(spec.bias, {spec.experts});
  auto type = cast<RankedTensorType>(logits.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = spec.perToken;
  OpBuilder &builder = b.getBuilder();
  auto route = RouteOp::create(
      builder, b.getLoc(), type.clone(shape, builder.getI32Type()),
      type.clone(shape), logits, bias, spec.perToken, spec.score,
      spec.weighting, spec.groups, llvm::APFloat(spec.eps),
      llvm::APFloat(spec.scale));
  return {route.getIndices(), route.getWeights()};
}

namespace {
/// An expert's matrices, stacked.
struct ExpertParams {
  Param gate, up, down;
};
} // namespace

static ExpertParams declareExperts(ModelBuilder &b, const ExpertsSpec &spec,
                                   int64_t features) {
  const ExpertKeys &keys = spec.keys;
  int64_t experts = spec.router.experts, inner = spec.inner;
  // Newer checkpoints may have the experts of a layer in one tensor.
  for (StringRef suffix : {"", ".weight"}) {
    std::string gateUp = keys.prefix + keys.gateUp + suffix.str();
    if (!b.hasTensor(gateUp))
      continue;
    Param both = b.param(gateUp, {experts, 2 * inner, features});
    Param down = b.param(keys.prefix + keys.downAll + suffix.str(),
                         {experts, features, inner});
    return {b.slice(both, 1, 0, inner, "gate"),
            b.slice(both, 1, inner, inner, "up"), down};
  }
  auto stack = [&](const std::string &name, int64_t rows, int64_t columns) {
    return b.expertParam(keys.prefix + "*." + name + ".weight", experts,
                         {rows, columns});
  };
  return {stack(keys.gate, inner, features), stack(keys.up, inner, features),
          stack(keys.down, features, inner)};
}

Value weir::buildExperts(ModelBuilder &b, Value input, const Routing &routing,
                         const ExpertsSpec &spec) {
  ExpertParams params = declareExperts(b, spec, getFeatures(input));
  // What could not be declared has been complained about.
  if (b.hasFailed())
    return input;
  SmallVector<Value> values{b.read(params.gate), b.read(params.up),
                            b.read(params.down)};
  return ExpertsOp::create(
      b.getBuilder(), b.getLoc(), input, routing.indices, routing.weights,
      values, spec.weighInput,
      [&](OpBuilder &, Location, Value rows, ValueRange slices) -> Value {
        Value gate =
            b.activation(b.linear(rows, slices[0], Value()), spec.activation);
        Value up = b.linear(rows, slices[1], Value());
        return b.linear(b.mul(gate, up), slices[2], Value());
      });
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

Value weir::buildMixture(ModelBuilder &b, Value input,
                         const ExpertsSpec &spec) {
  Value mixed =
      buildExperts(b, input, buildRouting(b, input, spec.router), spec);
  if (spec.sharedInner == 0)
    return mixed;
  Value shared = b.mlp(input, spec.shared, spec.sharedInner, spec.activation);
  if (!spec.sharedGate.empty())
    shared = scaleTokens(
        b, shared,
        b.activation(b.linear(input, spec.sharedGate, 1), "sigmoid"));
  return b.add(mixed, shared);
}
