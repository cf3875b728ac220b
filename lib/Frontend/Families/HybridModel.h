//===- HybridModel.h - Two kinds of mixers in one model -------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What decoders share whose layers differ: they mix tokens by linear attention
// or by attention, as `layer_types` says, and their feed-forward parts are
// dense or experts. A family reads the options of its mixers and builds its
// layers.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_HYBRIDMODEL_H
#define WEIR_LIB_FRONTEND_FAMILIES_HYBRIDMODEL_H

#include "Decoder.h"
#include "weir/Frontend/LinearLayers.h"

namespace weir {

/// What mixes the tokens of a layer.
enum class TokenMixer : uint8_t { Linear, Attention, Both, None };

/// What follows the mixer of a layer.
enum class FeedForward : uint8_t { Dense, Experts, None };

/// A layer, as far as layers of a model differ.
struct HybridLayer {
  TokenMixer mixer = TokenMixer::Linear;
  FeedForward feedForward = FeedForward::Dense;
  /// Which of several variants it is, such as of windows, or of sets of weights
  /// that layers share.
  int64_t variant = 0;

  bool operator==(const HybridLayer &other) const {
    return mixer == other.mixer && feedForward == other.feedForward &&
           variant == other.variant;
  }
};

/// The options all of these models have. The values at first are the commonest
/// defaults; families change what theirs are before reading.
struct HybridModel {
  int64_t vocabSize = 0, hidden = 0, layers = 0, length = 0;
  /// The key of the norms' epsilon, and its value.
  llvm::StringLiteral epsKey = "rms_norm_eps";
  double eps = 1e-6;
  /// Added to the scales of norms of hidden states.
  double normOffset = 0;
  /// Factors of embeddings, of what a layer's parts add, and of logits.
  double embeddingScale = 1, residualScale = 1, logitScale = 1;
  bool tied = false, headBias = false;
  std::string activation = "silu";
  llvm::SmallVector<HybridLayer> order;
  /// What keys of the model and of layers begin with; `*` is the layer.
  std::string model, layer;
  /// The table of tokens, and the norms behind the layers, in front of a
  /// layer's mixer and in front of what follows it.
  std::string embed = "embed_tokens", finalNorm = "norm";
  /// The head's key, which `model` is not in front of.
  std::string head = "lm_head";
  std::string mixerNorm = "input_layernorm";
  std::string feedForwardNorm = "post_attention_layernorm";
};

/// Reads the options above but the order of layers, and finds out what keys of
/// weights begin with.
void readHybridModel(ConfigReader &reader, HybridModel &model);

/// A name in the list of layers, and what it means.
struct LayerName {
  llvm::StringLiteral name;
  HybridLayer layer;
};

/// Reads the list of layers' names, `layer_types` or, as it was called first,
/// `layers_block_type`, in terms of `names`. False where it is absent.
bool readLayerNames(ConfigReader &reader, HybridModel &model,
                    llvm::ArrayRef<LayerName> names);

/// Makes the layers whose numbers are listed under `key` layers of attention.
/// False where it is absent.
bool readAttentionLayers(ConfigReader &reader, HybridModel &model,
                         llvm::StringRef key);

/// Reads `layer_types`; `usual` gives what a layer is where it is absent.
void readLayerTypes(ConfigReader &reader, HybridModel &model,
                    llvm::function_ref<TokenMixer(int64_t layer)> usual);

/// Chooses what follows the mixers; whether any layer has experts.
bool chooseFeedForwards(HybridModel &model,
                        llvm::function_ref<bool(int64_t layer)> hasExperts);

/// Reads what follows the mixers: `mlp_layer_types`, or how many dense layers
/// stand in front of those with experts. Whether any has experts.
bool readFeedForwardTypes(ConfigReader &reader, HybridModel &model,
                          int64_t denseLayers);

/// An error at `key` unless its value `shared` divides `heads`.
void expectShared(ConfigReader &reader, llvm::StringRef key, int64_t heads,
                  int64_t shared);

/// What layers hand on: hidden states, and perhaps more behind them.
using LayerValues = llvm::SmallVector<mlir::Value>;

/// Finishes the reading and builds the model, unless the configuration was
/// wrong. `begin` is called in front of the layers with the token ids and the
/// embeddings, and gives what is handed to the first layer beside these;
/// `build` builds a kind of layer.
ModelFacts buildHybridModel(
    ModelBuilder &builder, ConfigReader &reader, const FamilyRequest &request,
    const HybridModel &model,
    llvm::function_ref<LayerValues(mlir::Value ids, mlir::Value embeddings)>
        begin,
    llvm::function_ref<LayerValues(const HybridLayer &, mlir::ValueRange)>
        build);

/// The same with all layers built by `buildLayers`, of what is in front of
/// them.
ModelFacts buildHybridModel(
    ModelBuilder &builder, ConfigReader &reader, const FamilyRequest &request,
    const HybridModel &model,
    llvm::function_ref<void(mlir::Value ids, mlir::Value embeddings)> begin,
    llvm::function_ref<mlir::Value(mlir::Value)> buildLayers);

/// The same by a `Graph`, made of `config`, that has `begin`, of the token ids
/// or of these and the embeddings, and `buildLayer`, of hidden states or of all
/// that layers hand on; then `begin` gives the rest.
template <typename Graph, typename Config>
ModelFacts buildHybridModel(ModelBuilder &builder, ConfigReader &reader,
                            const FamilyRequest &request,
                            const Config &config) {
  Graph graph(builder, config);
  auto begin = [&](mlir::Value ids, mlir::Value embeddings) -> LayerValues {
    if constexpr (std::is_invocable_v<decltype(&Graph::begin), Graph &,
                                      mlir::Value, mlir::Value>)
      graph.begin(ids, embeddings);
    else if constexpr (std::is_void_v<std::invoke_result_t<
                           decltype(&Graph::begin), Graph &, mlir::Value>>)
      graph.begin(ids);
    else
      return graph.begin(ids);
    return {};
  };
  auto build = [&](const HybridLayer &kind,
                   mlir::ValueRange values) -> LayerValues {
    if constexpr (std::is_invocable_v<decltype(&Graph::buildLayer), Graph &,
                                      const HybridLayer &, mlir::ValueRange>)
      return graph.buildLayer(kind, values);
    else
      return {graph.buildLayer(kind, values.front())};
  };
  return buildHybridModel(builder, reader, request, config, begin, build);
}

/// A part of a layer, built of normalised hidden states.
using PartFn = llvm::function_ref<mlir::Value(mlir::Value)>;

/// A layer that normalises in front of each part, and adds the results.
mlir::Value preNormLayer(ModelBuilder &builder, const HybridModel &model,
                         mlir::Value input, PartFn mixer, PartFn feedForward);

/// The gated perceptron of such a layer, whose keys begin with `name`.
mlir::Value hybridMLP(ModelBuilder &builder, const HybridModel &model,
                      mlir::Value input, int64_t inner,
                      llvm::StringRef name = "mlp.", bool bias = false);

/// What a matrix, or a bias, has of each of `groups` groups of rows: rows
/// [offset, offset + size), which is called `name`.
Param cutGroups(ModelBuilder &builder, Param param, int64_t groups,
                int64_t offset, int64_t size, llvm::StringRef name);

//===----------------------------------------------------------------------===//
// Delta rules
//===----------------------------------------------------------------------===//

/// The heads of a delta rule whose queries, keys and values go through one
/// convolution.
struct DeltaHeads {
  int64_t keys = 1, values = 1, keyDim = 1, valueDim = 1;
  int64_t convWidth = 4;

  int64_t getKeyFeatures() const { return keys * keyDim; }
  int64_t getValueFeatures() const { return values * valueDim; }
  /// Features of query, key and value, one behind the other.
  int64_t getFeatures() const {
    return 2 * getKeyFeatures() + getValueFeatures();
  }
};

/// The matrix of query, key and value one behind the other, `prefix`q_proj and
/// so on.
mlir::Value deltaMatrix(ModelBuilder &builder, const std::string &prefix,
                        const DeltaHeads &heads, int64_t hidden);

/// Their kernels one behind the other, `prefix`conv1d, or however they are cut
/// into tensors: transformers cuts them into three of one size.
mlir::Value deltaKernels(ModelBuilder &builder, const std::string &prefix,
                         const DeltaHeads &heads);

/// The convolution of query, key and value, cut into normalised heads.
RecurrenceInputs deltaInputs(ModelBuilder &builder, mlir::Value input,
                             mlir::Value kernels, const DeltaHeads &heads,
                             llvm::StringRef activation);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_HYBRIDMODEL_H
