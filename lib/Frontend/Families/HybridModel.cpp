//===- HybridModel.cpp - Two kinds of mixers in one model -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HybridModel.h"
#include "StateSpaceLayers.h"
#include <cmath>

using namespace mlir;
using namespace weir;

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

/// Reads a GGUF file, in which layers of attention are those with keys, and
/// those with experts the ones that have a router.
static void readGGUF(ConfigReader &reader, HybridModel &model) {
  setGGUFAliases(reader, /*centred=*/false);
  const Checkpoint &checkpoint = reader.getCheckpoint();
  model.hidden = reader.getSize("hidden_size", 1);
  model.layers = readLayers(reader, "num_hidden_layers", 1);
  model.length = reader.getSize("max_position_embeddings", 1);
  model.eps = readEpsilon(reader, "rms_norm_eps", 1e-5);
  reader.ignore(
      {"vocab_size", "tensor_layout", "other_eps", "first_k_dense_replace"});
  reader.expect("causal", true, "the model looks ahead");
  model.model.clear();
  model.layer = "blk.*.";
  model.embed = "token_embd";
  model.finalNorm = "output_norm";
  model.head = "output";
  model.mixerNorm = "attn_norm";
  model.feedForwardNorm = "ffn_norm";
  model.tied = !checkpoint.lookup("output.weight");
  model.vocabSize = countTableRows(checkpoint, model.embed, model.vocabSize);
  model.order.assign(model.layers, {TokenMixer::Attention});
  auto keys = reader.getIntegers("num_key_value_heads");
  if (keys && static_cast<int64_t>(keys->size()) != model.layers)
    reader.emitError("num_key_value_heads")
        << "key '" << reader.getSpelling("num_key_value_heads")
        << "' is no list of " << model.layers << " numbers";
  else if (keys)
    for (auto [layer, heads] : llvm::zip_equal(model.order, *keys))
      if (heads == 0)
        layer.mixer = TokenMixer::Linear;
  chooseFeedForwards(model, [&](int64_t layer) {
    return checkpoint.lookup("blk." + std::to_string(layer) +
                             ".ffn_gate_inp.weight") != nullptr;
  });
}

void weir::readHybridModel(ConfigReader &reader, HybridModel &model) {
  if (reader.isGGUF())
    return readGGUF(reader, model);
  model.vocabSize = reader.getSize("vocab_size", model.vocabSize);
  model.hidden = reader.getSize("hidden_size", model.hidden);
  model.layers = readLayers(reader, "num_hidden_layers", model.layers);
  model.length = reader.getSize("max_position_embeddings", model.length);
  model.eps = readEpsilon(reader, model.epsKey, model.eps);
  model.tied = reader.getBool("tie_word_embeddings", model.tied);
  model.activation = reader.getString("hidden_act", model.activation);
  const Checkpoint &checkpoint = reader.getCheckpoint();
  model.model = "model.";
  for (StringRef prefix :
       {"model.", "backbone.", "model.language_model.", "language_model.", ""})
    if (checkpoint.lookup((prefix + model.finalNorm + ".weight").str())) {
      model.model = prefix.str();
      break;
    }
  model.layer = model.model + "layers.*.";
}

bool weir::readLayerNames(ConfigReader &reader, HybridModel &model,
                          ArrayRef<LayerName> names) {
  model.order.assign(model.layers, HybridLayer());
  StringRef key =
      reader.has("layer_types") ? "layer_types" : "layers_block_type";
  const llvm::json::Value *value = reader.get(key);
  if (!value)
    return false;
  const llvm::json::Array *list = value->getAsArray();
  if (!list || static_cast<int64_t>(list->size()) != model.layers) {
    reader.emitError(key) << "key '" << key << "' is no list of "
                          << model.layers << " names";
    return true;
  }
  for (auto [layer, entry] : llvm::zip_equal(model.order, *list)) {
    StringRef name = entry.getAsString().value_or("");
    const LayerName *known = llvm::find_if(
        names, [&](const LayerName &known) { return known.name == name; });
    if (known != names.end()) {
      layer = known->layer;
      continue;
    }
    InFlightDiagnostic diagnostic = reader.emitError(key)
                                    << "key '" << key << "' names '" << name
                                    << "', expected ";
    for (auto [i, other] : llvm::enumerate(names))
      diagnostic << (i == 0                  ? ""
                     : i + 1 == names.size() ? " or "
                                             : ", ")
                 << other.name;
    return true;
  }
  return true;
}

bool weir::readAttentionLayers(ConfigReader &reader, HybridModel &model,
                               StringRef key) {
  const llvm::json::Value *value = reader.get(key);
  if (!value)
    return false;
  const llvm::json::Array *list = value->getAsArray();
  for (const llvm::json::Value &entry : list ? *list : llvm::json::Array()) {
    std::optional<int64_t> layer = entry.getAsInteger();
    if (!layer)
      list = nullptr;
    else if (*layer >= 0 && *layer < model.layers)
      model.order[*layer].mixer = TokenMixer::Attention;
  }
  if (!list)
    reader.emitError(key) << "key '" << key
                          << "' is no list of layers, expected whole numbers";
  return true;
}

void weir::readLayerTypes(ConfigReader &reader, HybridModel &model,
                          function_ref<TokenMixer(int64_t)> usual) {
  if (readLayerNames(reader, model,
                     {{"linear_attention", {TokenMixer::Linear}},
                      {"full_attention", {TokenMixer::Attention}}}))
    return;
  for (auto [i, layer] : llvm::enumerate(model.order))
    layer.mixer = usual(static_cast<int64_t>(i));
}

bool weir::chooseFeedForwards(HybridModel &model,
                              function_ref<bool(int64_t)> hasExperts) {
  for (auto [i, layer] : llvm::enumerate(model.order))
    layer.feedForward = hasExperts(static_cast<int64_t>(i))
                            ? FeedForward::Experts
                            : FeedForward::Dense;
  return llvm::any_of(model.order, [](const HybridLayer &layer) {
    return layer.feedForward == FeedForward::Experts;
  });
}

bool weir::readFeedForwardTypes(ConfigReader &reader, HybridModel &model,
                                int64_t denseLayers) {
  denseLayers = reader.getInt("first_k_dense_replace", denseLayers);
  const llvm::json::Value *value = reader.get("mlp_layer_types");
  const llvm::json::Array *list = value ? value->getAsArray() : nullptr;
  bool fits = list && static_cast<int64_t>(list->size()) == model.layers;
  if (value && !fits) {
    reader.emitError("mlp_layer_types")
        << "key 'mlp_layer_types' is no list of " << model.layers << " names";
    return false;
  }
  return chooseFeedForwards(model, [&](int64_t layer) {
    if (!value)
      return layer >= denseLayers;
    return (*list)[layer].getAsString() == StringRef("sparse");
  });
}

void weir::expectShared(ConfigReader &reader, StringRef key, int64_t heads,
                        int64_t shared) {
  if (heads % shared)
    reader.emitError(key) << "key '" << key << "' is " << shared
                          << ", expected a divisor of the " << heads
                          << " heads that share them";
}

//===----------------------------------------------------------------------===//
// Graph
//===----------------------------------------------------------------------===//

ModelFacts weir::buildHybridModel(
    ModelBuilder &b, ConfigReader &reader, const FamilyRequest &request,
    const HybridModel &model, function_ref<LayerValues(Value, Value)> begin,
    function_ref<LayerValues(const HybridLayer &, ValueRange)> build) {
  LayerValues values;
  return buildHybridModel(
      b, reader, request, model,
      [&](Value ids, Value embeddings) { values = begin(ids, embeddings); },
      [&](Value x) -> Value {
        SmallVector<HybridLayer> kinds;
        SmallVector<int32_t> order =
            numberKinds<HybridLayer>(model.order, kinds);
        values.insert(values.begin(), x);
        return b
            .stack(values, order,
                   [&](int32_t kind, ValueRange inputs) {
                     return build(kinds[kind], inputs);
                   })
            .front();
      });
}

ModelFacts weir::buildHybridModel(ModelBuilder &b, ConfigReader &reader,
                                  const FamilyRequest &request,
                                  const HybridModel &model,
                                  function_ref<void(Value, Value)> begin,
                                  function_ref<Value(Value)> buildLayers) {
  ModelFacts facts;
  facts.vocabSize = model.vocabSize;
  facts.maxLength = model.length;
  reader.finish();
  if (reader.hasFailed())
    return facts;

  std::string embed = model.model + model.embed + ".weight";
  TokenTables tables =
      resolveTables(b.getCheckpoint(), embed, model.head + ".weight",
                    model.tied && request.hasHead);
  Value ids = b.beginForward();
  b.setScope(embed);
  Value x = b.embedding(ids, tables.embedding, model.vocabSize, model.hidden);
  x = b.scale(x, model.embeddingScale);
  begin(ids, x);
  x = buildLayers(x);
  std::string norm = model.model + model.finalNorm;
  b.setScope(norm);
  x = b.rmsNorm(x, norm, model.eps, model.normOffset);
  if (request.hasHead) {
    x = b.linear(x, b.weight(tables.head, {model.vocabSize, model.hidden}),
                 model.headBias
                     ? b.weight(model.head + ".bias", {model.vocabSize})
                     : Value());
    x = b.scale(x, model.logitScale);
  }
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", x);
  return facts;
}

Value weir::preNormLayer(ModelBuilder &b, const HybridModel &model, Value x,
                         PartFn mixer, PartFn feedForward) {
  auto norm = [&](const std::string &name) {
    std::string key = model.layer + name;
    b.setScope(key);
    return b.rmsNorm(x, key, model.eps, model.normOffset);
  };
  x = b.add(x, b.scale(mixer(norm(model.mixerNorm)), model.residualScale));
  return b.add(x, b.scale(feedForward(norm(model.feedForwardNorm)),
                          model.residualScale));
}

Value weir::hybridMLP(ModelBuilder &b, const HybridModel &model, Value x,
                      int64_t inner, StringRef name, bool bias) {
  std::string mlp = model.layer + name.str();
  b.setScope(mlp);
  MLPKeys keys = {mlp + "up_proj", mlp + "down_proj", mlp + "gate_proj"};
  if (b.getCheckpoint().format() == Checkpoint::Format::GGUF)
    keys = getDecoderKeys(b.getCheckpoint()).mlp;
  return b.mlp(x, keys, inner, model.activation, bias);
}

Param weir::cutGroups(ModelBuilder &b, Param param, int64_t groups,
                      int64_t offset, int64_t size, StringRef name) {
  SmallVector<int64_t> shape(param.getShape());
  int64_t rows = shape.front() / groups;
  shape.front() = rows;
  shape.insert(shape.begin(), groups);
  Param part = b.slice(b.reshape(param, shape), 1, offset, size, name);
  shape.erase(shape.begin());
  shape.front() = groups * size;
  return b.reshape(part, shape);
}

//===----------------------------------------------------------------------===//
// Delta rules
//===----------------------------------------------------------------------===//

Value weir::deltaMatrix(ModelBuilder &b, const std::string &prefix,
                        const DeltaHeads &heads, int64_t hidden) {
  auto getMatrix = [&](const std::string &name, int64_t size) {
    return b.param(prefix + name + ".weight", {size, hidden});
  };
  return b.read(b.concat(prefix + "qkv_proj.weight", 0,
                         {getMatrix("q_proj", heads.getKeyFeatures()),
                          getMatrix("k_proj", heads.getKeyFeatures()),
                          getMatrix("v_proj", heads.getValueFeatures())}));
}

Value weir::deltaKernels(ModelBuilder &b, const std::string &prefix,
                         const DeltaHeads &heads) {
  int64_t features = heads.getFeatures(), width = heads.convWidth;
  std::string whole = prefix + "conv1d.weight";
  if (b.hasTensor(whole))
    return b.read(
        b.reshape(b.param(whole, {features, 1, width}), {features, width}));
  SmallVector<Param> parts;
  int64_t left = features;
  for (auto [name, size] : {std::pair("q", heads.getKeyFeatures()),
                            std::pair("k", heads.getKeyFeatures()),
                            std::pair("v", heads.getValueFeatures())}) {
    std::string key = prefix + name + "_conv1d.weight";
    auto extents = b.getExtents(key);
    int64_t rows = extents && !extents->empty() ? extents->front() : size;
    left -= rows;
    parts.push_back(b.param(key, {rows, 1, width}));
  }
  if (left != 0)
    b.emitError(prefix + "q_conv1d.weight")
        << "the kernels of query, key and value have " << features - left
        << " rows in all, expected " << features;
  return b.read(b.reshape(b.concat(whole, 0, parts), {features, width}));
}

RecurrenceInputs weir::deltaInputs(ModelBuilder &b, Value input, Value kernels,
                                   const DeltaHeads &heads,
                                   StringRef activation) {
  Value mixed = activatedConv(b, input, kernels, Value(), activation);
  auto getHeads = [&](int64_t offset, int64_t count, int64_t dim) {
    return b.splitHeads(sliceFeatures(b, mixed, offset, count * dim), count);
  };
  int64_t keySize = heads.getKeyFeatures();
  RecurrenceInputs inputs;
  inputs.query = l2Norm(b, getHeads(0, heads.keys, heads.keyDim), 1e-6);
  inputs.key = l2Norm(b, getHeads(keySize, heads.keys, heads.keyDim), 1e-6);
  inputs.value = getHeads(2 * keySize, heads.values, heads.valueDim);
  inputs.scale = 1.0 / std::sqrt(static_cast<double>(heads.keyDim));
  return inputs;
}
