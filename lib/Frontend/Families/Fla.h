//===- Fla.h - Models of flash-linear-attention ----------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the families in the layout of flash-linear-attention 0.6 share: pre-norm
// blocks of a token mixer and a gated perceptron, attention in place of the
// mixer at chosen layers, and residuals by attention over depth. A family reads
// the options of its mixer and builds it.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_FLA_H
#define WEIR_LIB_FRONTEND_FAMILIES_FLA_H

#include "weir/Frontend/Family.h"
#include "weir/Frontend/LinearLayers.h"

namespace weir {

/// The epsilon of norms of queries and keys, which no configuration says.
inline constexpr double flaHeadEps = 1e-5;

/// Attention in place of a layer's mixer: an entry of `attn`.
struct FlaAttention {
  int64_t heads = 1, kvHeads = 1;
  bool bias = false;
  /// Whether heads of queries and keys are normalised; not read of `attn`.
  bool headNorm = false;
  std::optional<int64_t> window;
  double ropeBase = 10000.0;
};

/// The options all of these models have. The values at first are the commonest
/// defaults; families change what theirs are before reading.
struct FlaConfig {
  int64_t vocabSize = 32000;
  int64_t hidden = 2048;
  int64_t layers = 24;
  int64_t trainedLength = 2048;
  double eps = 1e-6;
  bool tied = false;
  /// Features of the perceptron; `ratio` stands for them where absent,
  /// and `nullRatio` for a ratio that is null.
  int64_t inner = 0;
  double ratio = 4.0, nullRatio = 4.0;
  std::string activation = "swish";
  /// Whether norms are fused with what surrounds them, which decides the names
  /// of some.
  bool fuseNorm = true;
  /// Whether norms of heads have a scale.
  bool affine = true;
  /// Sublayers of a block of residuals, or none for plain residuals.
  std::optional<int64_t> residualBlock;
  /// Whether entries of `attn` may have a key `qk_norm`, which is not read.
  bool hasIdleNorms = false;
  /// The entries of `attn`, and which of them each layer has: -1 for none.
  std::vector<FlaAttention> attention;
  std::vector<int32_t> attentionOf;
};

/// Reads the keys above that RWKV models have too: sizes, attention, tables.
void readFlaBase(ConfigReader &reader, FlaConfig &config);
/// Reads all of the keys above.
void readFla(ConfigReader &reader, FlaConfig &config);
/// Reads the object `key` as an entry of attention that belongs to no layer;
/// `window` is the default of its window.
FlaAttention readFlaEntry(ConfigReader &reader, llvm::StringRef key,
                          const FlaConfig &config, int64_t window);
/// `ratio` times the hidden size, as flash-linear-attention computes widths; an
/// error unless it is a whole number.
int64_t readFlaWidth(ConfigReader &reader, llvm::StringRef key, int64_t size,
                     double fallback);
/// An error at `key` unless `value` is a multiple of `divisor`, which is
/// described by `what`.
void expectMultiple(ConfigReader &reader, llvm::StringRef key, int64_t value,
                    int64_t divisor, llvm::StringRef what);
/// Reads a string that must be one of `names`.
std::string readChoice(ConfigReader &reader, llvm::StringRef key,
                       llvm::StringRef fallback,
                       llvm::ArrayRef<llvm::StringRef> names);

/// Where a layer's weights are.
struct FlaLayer {
  /// Goes in front of the names of the mixer's weights: "....attn.".
  std::string prefix;
  /// The number of the layer where it is built alone, else none.
  std::optional<int64_t> number;
};

/// Builds a layer's mixer of normalised hidden states.
using FlaMixerFn =
    llvm::function_ref<mlir::Value(mlir::Value input, const FlaLayer &layer)>;

/// Builds the parts that surround the mixers.
class FlaModel {
public:
  FlaModel(ModelBuilder &builder, const FlaConfig &config,
           const FamilyRequest &request);

  /// The key of a weight of the model, or of all layers.
  std::string key(llvm::StringRef name) const { return model + name.str(); }
  std::string layerKey(llvm::StringRef name) const {
    return model + "layers.*." + name.str();
  }

  /// Begins the function and gives the embedded tokens.
  mlir::Value begin();
  /// Ends it with the language model's head, where it has one.
  void end(mlir::Value input);
  /// Attention of the entry `index` of the configuration.
  mlir::Value attention(mlir::Value input, llvm::StringRef prefix,
                        int32_t index);
  /// Positions of the tokens.
  mlir::Value getPositions();
  ModelFacts getFacts() const;

private:
  ModelBuilder &b;
  const FlaConfig &config;
  const FamilyRequest &request;
  std::string model;
  std::string head;
  mlir::Value ids, positions;
  llvm::SmallVector<RotarySpec> rotaries;
  llvm::SmallVector<mlir::Value> frequencies;
};

/// Finishes the reading and builds the model, unless the configuration was
/// wrong. `prepare`, where given, is called when the function has begun.
ModelFacts buildFla(ModelBuilder &builder, ConfigReader &reader,
                    const FamilyRequest &request, const FlaConfig &config,
                    FlaMixerFn mixer,
                    llvm::function_ref<void(FlaModel &)> prepare = nullptr);

/// The gated perceptron of these models.
mlir::Value flaMLP(ModelBuilder &builder, mlir::Value input,
                   llvm::StringRef prefix, const FlaConfig &config);

//===--- What mixers share ------------------------------------------------===//

/// The activation that flash-linear-attention's table calls `name`, or an error
/// at `key`.
mlir::Value flaActivation(ModelBuilder &builder, mlir::Value input,
                          llvm::StringRef name, llvm::StringRef key);

/// `linear` and then, with a width, a short convolution and its activation.
struct FlaProjection {
  std::string linear, conv;
  int64_t features = 0;
  /// 0 for no convolution.
  int64_t convWidth = 0;
  /// Whether silu follows, with a convolution and without one.
  bool convSilu = true, plainSilu = true;
};
mlir::Value flaProject(ModelBuilder &builder, mlir::Value input,
                       const FlaProjection &projection);

/// Normalises heads by their root mean square, with the scale `key`.weight
/// where the configuration is affine.
mlir::Value flaHeadNorm(ModelBuilder &builder, mlir::Value input,
                        llvm::StringRef key, bool affine, double eps);

/// The heads of mixers whose keys have a size of their own.
struct FlaHeads {
  /// Heads of queries and keys, and of values, of which each is a multiple.
  int64_t heads = 1, valueHeads = 1;
  int64_t keyDim = 1, valueDim = 1;
  /// 0 for no short convolutions.
  int64_t convWidth = 0;

  /// 1 / sqrt(keyDim).
  double getScale() const;
};
/// Reads `head_dim`, `num_heads`, `expand_v` and the convolutions, and, with
/// `grouped`, `num_v_heads`. The numbers given are the defaults.
FlaHeads readFlaHeads(ConfigReader &reader, int64_t headDim, int64_t heads,
                      double expandValues, bool grouped);
/// The projection `prefix`NAME_proj, convolved by `prefix`NAME_conv1d, where
/// the model has convolutions, and then silu.
mlir::Value flaProject(ModelBuilder &builder, mlir::Value input,
                       llvm::StringRef prefix, llvm::StringRef name,
                       int64_t features, int64_t convWidth);
/// The heads of mixers with slots, whose queries and keys have features in all
/// of their own.
struct FlaSlots {
  int64_t heads = 4, keys = 0, values = 0;
  /// Slots of a head.
  int64_t slots = 64;
  /// 0 for no short convolutions.
  int64_t convWidth = 0;

  /// The projection `prefix`NAME_proj, with its convolution where there is one.
  mlir::Value project(ModelBuilder &builder, mlir::Value input,
                      llvm::StringRef prefix, llvm::StringRef name,
                      int64_t features) const;
};
/// Reads them; `expandKeys` is how often keys have the hidden size by default.
FlaSlots readFlaSlots(ConfigReader &reader, const FlaConfig &config,
                      double expandKeys);

/// How much of a value is written: sigmoid, twice where eigenvalues may be
/// negative.
mlir::Value flaBeta(ModelBuilder &builder, mlir::Value input,
                    bool negativeEigenvalues);

/// How a layer's output is normalised and gated.
struct FlaOutput {
  std::string norm;
  /// The projection whose activation multiplies the result, or empty.
  std::string gate;
  std::string activation = "swish";
  std::string project;
  bool affine = true;
  double eps = 1e-6;
};
/// The output of layers whose norm may be fused with their gate, after which it
/// is named then.
FlaOutput flaGatedOutput(const std::string &prefix, const FlaConfig &config,
                         bool gated);
/// `project(norm(heads) * act(gate(input)))`.
mlir::Value flaFinish(ModelBuilder &builder, mlir::Value heads,
                      mlir::Value input, int64_t hidden,
                      const FlaOutput &output);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_FLA_H
