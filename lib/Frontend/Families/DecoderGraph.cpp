//===- DecoderGraph.cpp - Graphs of decoders -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DecoderGraph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "weir/Frontend/LinearLayers.h"

using namespace mlir;
using namespace weir;

TokenTables weir::resolveTables(Checkpoint &checkpoint, std::string embedding,
                                std::string head, bool tied) {
  if (!tied)
    return {embedding, head};
  const TensorInfo *source = checkpoint.lookup(embedding);
  const TensorInfo *target = checkpoint.lookup(head);
  if (!source && target)
    return {head, head};
  bool differ =
      source && target &&
      (source->type != target->type || source->shape != target->shape ||
       source->bytes != target->bytes);
  if (differ)
    return {embedding, head};
  checkpoint.markUsed(head);
  return {embedding, embedding};
}

//===----------------------------------------------------------------------===//
// Norms
//===----------------------------------------------------------------------===//

/// A weight with `offset` added.
static Value shift(ModelBuilder &b, Value weight, double offset) {
  if (offset == 0)
    return weight;
  return b.map(weight, [&](OpBuilder &n, Location l, ValueRange in) -> Value {
    Value number = arith::ConstantOp::create(
        n, l, n.getFloatAttr(in[0].getType(), offset));
    return arith::AddFOp::create(n, l, in[0], number);
  });
}

/// A norm of the last axis.
static Value normalise(ModelBuilder &b, Value x, const std::string &key,
                       const NormSpec &spec, double eps) {
  if (!spec.centred && !spec.weight)
    return rmsNorm(b, x, Value(), eps);
  if (!spec.centred)
    return b.rmsNorm(x, key, eps, spec.offset);
  int64_t features = cast<RankedTensorType>(x.getType()).getShape().back();
  Value weight, bias;
  if (spec.weight)
    weight = shift(b, b.weight(key + ".weight", {features}), spec.offset);
  if (spec.weight && spec.bias)
    bias = b.weight(key + ".bias", {features});
  return b.layerNorm(x, weight, bias, eps);
}

Value DecoderGraph::buildNorm(Value x, const std::string &key) {
  return key.empty() ? x : normalise(b, x, key, config.norm, config.eps);
}

Value DecoderGraph::buildHeadNorm(Value x, const std::string &key) {
  if (config.queryKeyNorm != QueryKeyNorm::EachHead)
    return normalise(b, x, key, config.headNorm, config.eps);
  auto type = cast<RankedTensorType>(x.getType());
  int64_t heads = type.getDimSize(2), dim = type.getDimSize(3);
  Param weights = llvm::count(key, '*') > 1
                      ? b.expertParam(key + ".weight", heads, {dim})
                      : b.param(key + ".weight", {heads, dim});
  return b.mul(b.layerNorm(x, Value(), Value(), config.eps), b.read(weights));
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

Value DecoderGraph::buildPlainPerceptron(Value x) {
  if (keys.mlpInnerNorm.empty() && !config.activate)
    return b.mlp(x, keys.mlp, config.inner, config.activation, config.mlpBias);
  auto project = [&](const std::string &key) {
    return b.linear(x, key, config.inner, config.mlpBias);
  };
  auto activate = [&](Value input) {
    return config.activate ? config.activate(input)
                           : b.activation(input, config.activation);
  };
  Value hidden = keys.mlp.gate.empty() ? activate(project(keys.mlp.up))
                                       : b.mul(activate(project(keys.mlp.gate)),
                                               project(keys.mlp.up));
  return b.linear(buildNorm(hidden, keys.mlpInnerNorm), keys.mlp.down,
                  config.hidden, config.mlpBias);
}

Value DecoderGraph::buildPerceptron(Value x, bool sparse) {
  if (sparse)
    return buildMixture(b, x, *config.experts);
  if (keys.gateUp.empty())
    return buildPlainPerceptron(x);
  Param both =
      b.param(keys.gateUp + ".weight", {2 * config.inner, config.hidden});
  Param bias;
  if (config.mlpBias)
    bias = b.param(keys.gateUp + ".bias", {2 * config.inner});
  auto project = [&](int64_t first, StringRef name) {
    Value matrix = b.read(b.slice(both, 0, first, config.inner, name));
    Value shift = config.mlpBias
                      ? b.read(b.slice(bias, 0, first, config.inner, name))
                      : Value();
    return b.linear(x, matrix, shift);
  };
  Value gate = b.activation(project(0, "gate"), config.activation);
  return b.linear(b.mul(gate, project(config.inner, "up")), keys.mlp.down,
                  config.hidden, config.mlpBias);
}

Value DecoderGraph::addPart(Value to, Value part) {
  return b.add(to, b.scale(part, config.residualScale));
}

Value DecoderGraph::buildLayer(const LayerKind &kind, Value x) {
  b.setScope(keys.fused.empty() ? keys.query : keys.fused);
  bool before = !config.normsSums;
  Value input =
      before && kind.normsInput ? buildNorm(x, keys.attentionNorm) : x;
  Value mixed = buildNorm(buildAttention(input, kind), keys.attentionPostNorm);
  if (!config.parallel) {
    x = addPart(config.addsToNorms ? input : x, mixed);
    if (config.normsSums)
      x = buildNorm(x, keys.attentionNorm);
  }
  if (memory) {
    b.setScope(keys.crossQuery);
    x = addPart(x, buildCross(before ? buildNorm(x, keys.crossNorm) : x));
    if (config.normsSums)
      x = buildNorm(x, keys.crossNorm);
  }
  b.setScope(kind.sparse ? config.experts->router.key : keys.mlp.down);
  // What attention read serves both where the perceptron has no norm.
  Value inner = x;
  if (before)
    inner = config.parallel && keys.mlpNorm.empty()
                ? input
                : buildNorm(x, keys.mlpNorm);
  Value fed = buildNorm(buildPerceptron(inner, kind.sparse), keys.mlpPostNorm);
  if (config.parallel)
    return addPart(addPart(x, mixed), fed);
  x = addPart(config.addsToNorms ? inner : x, fed);
  return config.normsSums ? buildNorm(x, keys.mlpNorm) : x;
}

/// All keys of `keys` with `by` in place of `*`.
static void replaceStars(DecoderKeys &keys, const std::string &by) {
  for (std::string *key : {&keys.layer, &keys.attentionNorm, &keys.mlpNorm,
                           &keys.query, &keys.key, &keys.value, &keys.output,
                           &keys.mlp.up, &keys.mlp.down, &keys.mlp.gate})
    if (size_t star = key->find('*'); star != std::string::npos)
      key->replace(star, 1, by);
}

/// The kind of each layer.
static SmallVector<LayerKind> getLayers(const DecoderConfig &config) {
  SmallVector<LayerKind> layers;
  for (auto [layer, window] : llvm::enumerate(config.windows)) {
    LayerKind &kind = layers.emplace_back();
    kind.window = window;
    kind.isChunk = !config.chunked.empty() && config.chunked[layer];
    kind.sparse =
        config.experts && (config.sparse.empty() || config.sparse[layer]);
    kind.normsInput = config.unnormed.empty() || !config.unnormed[layer];
    kind.outputBias = config.outputBiases.empty() ? config.outputBias
                                                  : config.outputBiases[layer];
    kind.heads =
        config.layerHeads.empty() ? config.heads : config.layerHeads[layer];
    if (!config.sharedLayers.empty())
      kind.shared = config.sharedLayers[layer];
    bool rotates = config.rotates &&
                   (config.unrotated.empty() || !config.unrotated[layer]);
    if (rotates && !config.layerRotary.empty())
      kind.rotary = config.layerRotary[layer];
    else if (rotates)
      kind.rotary =
          window && config.windowRotary ? *config.windowRotary : config.rotary;
  }
  return layers;
}

void DecoderGraph::addRotation(const RotarySpec &spec) {
  rotations.emplace_back(spec, b.frequencies(spec));
}

Value DecoderGraph::buildLayers(Value x) {
  // Kinds are numbered in the order they come.
  SmallVector<LayerKind> layers = getLayers(config), kinds;
  SmallVector<int32_t> order = numberKinds<LayerKind>(layers, kinds);
  SmallVector<RotarySpec> specs;
  for (const LayerKind &kind : kinds)
    if (kind.rotary && !llvm::is_contained(specs, *kind.rotary)) {
      specs.push_back(*kind.rotary);
      addRotation(*kind.rotary);
    }
  return b.stack(x, order, [&](int32_t kind, Value input) {
    DecoderKeys ofAll = keys;
    if (!kinds[kind].shared.empty())
      replaceStars(keys, kinds[kind].shared);
    Value output = buildLayer(kinds[kind], input);
    keys = std::move(ofAll);
    return output;
  });
}

/// What is said of a model of these options.
static ModelFacts getFacts(const DecoderConfig &config,
                           const DecoderKeys &keys) {
  ModelFacts facts;
  facts.vocabSize = config.vocabSize;
  facts.maxLength = config.trainedLength;
  facts.lengthIsFixed = !keys.positions.empty();
  facts.bos = config.bos;
  facts.eos = config.eos;
  return facts;
}

ModelFacts weir::buildDecoder(ModelBuilder &b, ConfigReader &reader,
                              const FamilyRequest &request,
                              const DecoderKeys &keys, DecoderConfig &config) {
  ModelFacts facts = getFacts(config, keys);
  if (reader.isGGUF())
    finishGGUF(reader, keys, config);
  reader.finish();
  if (reader.hasFailed())
    return facts;
  TokenTables tables =
      resolveTables(b.getCheckpoint(), keys.embed + ".weight",
                    keys.head + ".weight", config.tied && request.hasHead);
  DecoderGraph graph(b, config, keys);
  Value ids = b.beginForward();
  graph.addInputs();
  Value x = graph.buildEmbedding(ids, tables.embedding);
  x = graph.buildLayers(x);
  x = graph.buildHead(x, request.hasHead ? tables.head : "");
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", x);
  return facts;
}

ModelFacts weir::buildEncoderDecoder(ModelBuilder &b, ConfigReader &reader,
                                     const FamilyRequest &request,
                                     DecoderSpec &encoder,
                                     DecoderSpec &decoder) {
  // Where there is a decoder, lengths and tokens are its own.
  const DecoderSpec &last = request.encoderOnly ? encoder : decoder;
  ModelFacts facts = getFacts(last.config, last.keys);
  facts.hasEncoder = !request.encoderOnly;
  facts.decoderStart = last.config.decoderStart;
  facts.forcedEos = last.config.forcedEos;
  reader.finish(/*hasEncoder=*/true);
  if (reader.hasFailed())
    return facts;
  DecoderGraph reading(b, encoder.config, encoder.keys);
  Value ids = b.beginForward();
  if (!request.encoderOnly && !encoder.keys.positions.empty())
    b.limitLengths(encoder.config.trainedLength);
  reading.addInputs();
  Value x = reading.buildEmbedding(ids, encoder.keys.embed + ".weight");
  x = reading.buildHead(reading.buildLayers(x), "");
  if (request.encoderOnly) {
    b.endForward("last_hidden_state", x);
    return facts;
  }
  Value written = b.addSequence("decoder_", /*limit=*/0);
  DecoderGraph writing(b, decoder.config, decoder.keys, /*memory=*/x);
  TokenTables tables = resolveTables(
      b.getCheckpoint(), decoder.keys.embed + ".weight",
      decoder.keys.head + ".weight", decoder.config.tied && request.hasHead);
  Value y = writing.buildEmbedding(written, tables.embedding);
  y = writing.buildHead(writing.buildLayers(y),
                        request.hasHead ? tables.head : "");
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", y);
  return facts;
}
