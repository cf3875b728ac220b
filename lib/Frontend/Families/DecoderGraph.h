//===- DecoderGraph.h - Building graphs of decoders -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the parts of a decoder share, which are built in DecoderAttention.cpp,
// in DecoderEmbedding.cpp and, the rest of them, in DecoderGraph.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_DECODERGRAPH_H
#define WEIR_LIB_FRONTEND_FAMILIES_DECODERGRAPH_H

#include "Decoder.h"
#include <cmath>

namespace weir {

/// What tells layers apart that run the same code with other weights from those
/// that do not.
struct LayerKind {
  std::optional<int64_t> window;
  bool isChunk, sparse, normsInput, outputBias;
  int64_t heads;
  std::optional<RotarySpec> rotary;
  /// What stands in place of `*` in keys; empty for the layer's number.
  std::string shared;

  bool operator==(const LayerKind &other) const {
    return window == other.window && isChunk == other.isChunk &&
           sparse == other.sparse && normsInput == other.normsInput &&
           outputBias == other.outputBias && heads == other.heads &&
           rotary == other.rotary && shared == other.shared;
  }
};

/// Builds the parts of a decoder.
class DecoderGraph {
public:
  /// `memory` is what an encoder gives, or null.
  DecoderGraph(ModelBuilder &builder, const DecoderConfig &config,
               const DecoderKeys &keys, mlir::Value memory = {})
      : b(builder), config(config), keys(keys), memory(memory) {}

  /// Adds the inputs beside the ids; right behind `beginForward`.
  void addInputs();
  mlir::Value buildEmbedding(mlir::Value ids, const std::string &table);
  /// All layers.
  mlir::Value buildLayers(mlir::Value x);
  mlir::Value buildLayer(const LayerKind &kind, mlir::Value x);
  /// Logits, or the last hidden state where `table` is empty.
  mlir::Value buildHead(mlir::Value x, const std::string &table);

private:
  /// `x` normalised with the weights of `key`, or as it is without a key.
  mlir::Value buildNorm(mlir::Value x, const std::string &key);
  /// A norm of heads, `[batch, time, heads, dim]`, or of all their features.
  mlir::Value buildHeadNorm(mlir::Value heads, const std::string &key);
  /// The query, key or value, `part` 0 to 2, with its heads apart.
  mlir::Value buildProjection(mlir::Value x, const LayerKind &kind,
                              unsigned part);
  /// The same of another attention, by the matrix `key`.
  mlir::Value project(mlir::Value x, const std::string &key, bool bias);
  /// Rows of learned positions.
  mlir::Value buildPositions(mlir::Value ids);
  /// What the row of `table` is that `numbers` names, or the first one where
  /// they are null.
  mlir::Value readTable(const TokenTable &table, mlir::Value numbers);
  mlir::Value buildFused(mlir::Value x, unsigned part);
  /// Rows of the fused matrix or bias for one of its parts.
  Param sliceFused(Param all, unsigned part);
  mlir::Value rotate(mlir::Value heads, const LayerKind &kind);
  /// `query` times `1 + strength * log(1 + n)`, where n is how often `length`
  /// positions fit in front of its own, with `counted` that one too.
  mlir::Value growQuery(mlir::Value query, double strength, double length,
                        bool counted);
  /// What opens and closes heads, as they lie.
  mlir::Value openHeads(mlir::Value mixed, mlir::Value x,
                        const LayerKind &kind);
  MaskAttr getMask(const LayerKind &kind);
  mlir::Value buildAttention(mlir::Value x, const LayerKind &kind);
  /// Attention of `x` to what the encoder gives.
  mlir::Value buildCross(mlir::Value x);
  double getScale() const {
    return config.attentionScale.value_or(
        1.0 / std::sqrt(static_cast<double>(*config.headDim)));
  }
  /// Features of what is embedded, and of the head's matrix.
  int64_t getTableFeatures() const {
    return config.embedding == 0 ? config.hidden : config.embedding;
  }
  /// What tokens that see all give in place of `mixed`, of all other tokens.
  mlir::Value buildGlobal(mlir::Value x, mlir::Value mixed,
                          const AttentionOptions &options);
  mlir::Value buildPerceptron(mlir::Value x, bool sparse);
  /// One of a matrix or two in front of its activation, not of one for both.
  mlir::Value buildPlainPerceptron(mlir::Value x);
  mlir::Value readHeadBias();
  /// Builds the frequencies of a rotation of layers.
  void addRotation(const RotarySpec &spec);
  mlir::Value addPart(mlir::Value to, mlir::Value part);
  int64_t getHeads(unsigned part) const {
    return part == 0 ? config.heads : *config.kvHeads;
  }
  bool normsHeads(const LayerKind &kind) const {
    return (config.queryKeyNorm == QueryKeyNorm::Head ||
            config.queryKeyNorm == QueryKeyNorm::EachHead) &&
           (kind.rotary || config.normsUnrotated);
  }

  ModelBuilder &b;
  const DecoderConfig &config;
  /// A copy, in which kinds of layers that share weights say so.
  DecoderKeys keys;
  mlir::Value memory, positions, globalTokens;
  llvm::SmallVector<std::pair<RotarySpec, mlir::Value>> rotations;
  AttentionChange changeAttention;
  /// Inputs for `config.tokenTables`, or null.
  llvm::SmallVector<mlir::Value> tokenNumbers;
};

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_DECODERGRAPH_H
