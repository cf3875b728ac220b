//===- Decoder.h - Decoders in the manner of Llama ------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The graph that Llama, Mistral, Qwen and many others share: pre-norm blocks of
// rotary attention and a gated perceptron. Families fill in the configuration.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_DECODER_H
#define WEIR_LIB_FRONTEND_FAMILIES_DECODER_H

#include "Experts.h"
#include "weir/Frontend/Family.h"
#include "weir/Frontend/ModelBuilder.h"

namespace weir {

/// Keys of a decoder's weights without ".weight"; `*` is the layer.
struct DecoderKeys {
  /// What keys of a layer begin with.
  std::string layer;
  std::string embed, finalNorm, head;
  std::string attentionNorm, mlpNorm;
  std::string query, key, value, output, queryNorm, keyNorm;
  MLPKeys mlp;
};

/// The keys of a Hugging Face checkpoint, with "model." in front or, as base
/// models are saved, without; or those of a GGUF file.
DecoderKeys getDecoderKeys(const Checkpoint &checkpoint);

/// What such a decoder computes. The values at first are the defaults of
/// `LlamaConfig`; families change what theirs are before reading.
struct DecoderConfig {
  int64_t vocabSize = 32000;
  int64_t hidden = 4096;
  int64_t inner = 11008;
  int64_t layers = 32;
  int64_t heads = 32;
  /// None: as many as query heads.
  std::optional<int64_t> kvHeads;
  /// None: the hidden size divided by the heads.
  std::optional<int64_t> headDim;
  int64_t trainedLength = 2048;
  double eps = 1e-6;
  std::string activation = "silu";
  bool tied = false;

  bool queryBias = false, keyBias = false, valueBias = false;
  bool outputBias = false, mlpBias = false;
  /// Whether heads of query and key are normalised before their rotation, or
  /// all their features together.
  bool headNorms = false, projectionNorms = false;
  /// Bound of the magnitude of queries, keys and values, or none.
  std::optional<double> clip;
  /// What scores are multiplied with; none: by the root of the head's features.
  std::optional<double> attentionScale;
  /// Factors of embeddings, of what a layer's parts add, and of logits.
  double embeddingScale = 1, residualScale = 1, logitScale = 1;
  RotarySpec rotary;
  /// The window of each layer; none sees all positions before it.
  std::vector<std::optional<int64_t>> windows;
  /// What stands in the place of the perceptron in layers that are `sparse`.
  std::optional<ExpertsSpec> experts;
  /// None: all layers, where there are experts.
  std::vector<bool> sparse;
};

/// Reads the keys that all of these families have, the rotary embedding
/// included.
void readDecoder(ConfigReader &reader, ModelBuilder &builder,
                 const FamilyRequest &request, DecoderConfig &config);

/// Reads `layer_types`, or what stood for it: where `use_sliding_window` says
/// so, layers have a window for which `isWindowed` holds, given
/// `max_window_layers`; in most families those from there on. Defaults are
/// Qwen's.
void readLayerWindows(
    ConfigReader &reader, DecoderConfig &config,
    llvm::function_ref<bool(int64_t layer, int64_t first)> isWindowed =
        [](int64_t layer, int64_t first) { return layer >= first; });

/// Reads the biases that a GGUF file has tensors for.
void findDecoderBiases(ModelBuilder &builder, const DecoderKeys &keys,
                       DecoderConfig &config);

/// Finishes the reading and builds the graph, unless the configuration was
/// wrong.
ModelFacts buildDecoder(ModelBuilder &builder, ConfigReader &reader,
                        const FamilyRequest &request, const DecoderKeys &keys,
                        DecoderConfig &config);

/// Which tables a model reads tokens from and multiplies its result with.
struct TokenTables {
  std::string embedding, head;
};

/// Resolves tied tables as transformers does: tables that are meant to be tied
/// but are both stored and differ are not tied. Keys with ".weight".
TokenTables resolveTables(Checkpoint &checkpoint, std::string embedding,
                          std::string head, bool tied);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_DECODER_H
