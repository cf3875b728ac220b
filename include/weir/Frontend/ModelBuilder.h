//===- weir/Frontend/ModelBuilder.h - Graphs of models ---------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The vocabulary families write their graphs in. Weights are named by their
// keys in the checkpoint and checked there at once. Errors do not stop the
// building, so that one run reports all of them: `hasFailed` tells in the end.
//
// Hidden states are `[batch, time, features]`, f32.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_FRONTEND_MODELBUILDER_H
#define WEIR_FRONTEND_MODELBUILDER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "weir/Frontend/Checkpoint.h"
#include "weir/IR/Weir.h"
#include <array>
#include <functional>

namespace weir {

class ConfigReader;
class ModelBuilder;

/// A declared weight.
struct Param {
  ParamOp op;
  /// Whether its leading axis is the layers of a kind; the axes that the
  /// methods of `ModelBuilder` speak of are those behind it.
  bool stacked = false;

  /// The extents of one layer's weight.
  llvm::ArrayRef<int64_t> getShape() const;
};

/// Rotary embedding of one kind of layer.
struct RotarySpec {
  double base = 10000.0;
  /// Rotated features of each head.
  int64_t dims = 0;
  /// Null for plain frequencies.
  RopeScalingAttr scaling;
  /// Multiplies cosine and sine.
  double scale = 1.0;
  /// What sequences of at most `shortLength` tokens have in their place, where
  /// that is not 0.
  int64_t shortLength = 0;
  RopeScalingAttr shortScaling;
  double shortScale = 1.0;
  RotaryLayout layout = RotaryLayout::Half;
  /// Whether it turns the other way.
  bool backwards = false;
  /// Queries are multiplied by `1 + growth * log(1 + n)`, where n is how often
  /// `growthLength` positions fit in front of them (Llama 4); 0 for none.
  double growth = 0;
  int64_t growthLength = 1;

  bool operator==(const RotarySpec &other) const {
    return base == other.base && dims == other.dims &&
           scaling == other.scaling && scale == other.scale &&
           shortLength == other.shortLength &&
           shortScaling == other.shortScaling &&
           shortScale == other.shortScale && layout == other.layout &&
           backwards == other.backwards && growth == other.growth &&
           growthLength == other.growthLength;
  }
};

/// How a family reads `rope_parameters`.
struct RotaryOptions {
  /// Features of a head.
  int64_t headDim = 0;
  /// `max_position_embeddings`, and the longest sequence compiled for.
  int64_t trainedLength = 0, maxLength = 0;
  /// `rope_theta` where the configuration has none.
  double defaultBase = 10000.0;
  /// Whether the family rotates a part of the features; others disregard
  /// `partial_rotary_factor`, as transformers does.
  bool allowsPartial = false;
  /// `partial_rotary_factor` where the configuration has none.
  double defaultPart = 1.0;
  /// Whether the configuration may say how features share several positions,
  /// which are the same in text.
  bool hasSections = false;
  /// Where the base and the part stand beside the object of parameters.
  llvm::StringRef baseKey = "rope_theta", partKey = "partial_rotary_factor";
  /// The kind of layers whose parameters are read, in families where each has
  /// an object of its own in `rope_parameters`; empty for one of them all.
  llvm::StringRef layerType = "";
  /// The kinds there are.
  std::array<llvm::StringRef, 2> layerTypes = {"full_attention",
                                               "sliding_attention"};
  /// Whether the older `rope_scaling` speaks of these layers.
  bool readsScaling = true;
  /// Whether `dynamic` with an `alpha` is one base for all lengths.
  bool readsAlpha = false;
  /// Whether `su` and `yarn` are older names of `longrope`.
  bool hasOldLongRope = false;
  /// Whether stretched rotations say themselves what cosine and sine are
  /// multiplied with, in short and in long sequences, and are otherwise those
  /// of short ones in any, as in PhiMoE.
  bool hasLengthScales = false;
  /// Whether yarn's bounds are whole numbers, of which GGUF files have no word.
  bool truncates = true;
  /// Whether `llama_4_scaling_beta` says how queries grow with the position.
  bool readsGrowth = false;
  /// The object of parameters where the configuration has none, or null.
  const llvm::json::Object *defaults = nullptr;
  /// The object of parameters whatever the configuration has, or null.
  const llvm::json::Object *given = nullptr;
};

/// Reads `rope_theta`, `rope_scaling` and `rope_parameters` (or the GGUF keys
/// and tensors of that meaning) in their old and new spellings.
RotarySpec readRotary(ConfigReader &config, ModelBuilder &builder,
                      const RotaryOptions &options);

/// What a region of attention is given, as index values.
struct AttentionPair {
  mlir::Value row, head, query, key;
};

/// What attention does with its scores.
struct AttentionOptions {
  MaskAttr mask;
  double scale = 1.0;
  /// Scores become `softCap * tanh(score / softCap)`; 0 for no cap.
  double softCap = 0.0;
  /// ALiBi slopes, one per query head (arXiv:2108.12409), or none.
  llvm::ArrayRef<float> slopes;
  /// Whether slope times position is rounded to bf16 and scaled like the score,
  /// as Falcon has it, rather than being added as it is.
  bool roundsSlopes = false;
  /// A logit per query head that takes weight from the keys, or null.
  mlir::Value sinks;
  /// Added to the scores of a key, `[batch, time, heads]`, or null.
  mlir::Value keyBias;
  /// What lies between a key and its query: rows like keys, and factors
  /// `[batch, time, heads]`; see `weir.attention`. Or null.
  mlir::Value pathKey, pathBeta;
  /// Numbers of `[batch, time]`, of i32: where they are not zero, keys are seen
  /// whatever the mask says, or only there queries see any. Or null.
  mlir::Value shownKeys, onlyQueries;
  /// Blocks of `blockSize` keys that each query attends to, as
  /// `ModelBuilder::selectBlocks` gives them, or null.
  mlir::Value blockList;
  int64_t blockSize = 1;
  AttentionNormalize normalize = AttentionNormalize::Softmax;
  /// Says in place of the mask whether a query sees a key, an i1, and what
  /// becomes of a score. Or null.
  std::function<mlir::Value(mlir::OpBuilder &, mlir::Location,
                            const AttentionPair &)>
      where;
  std::function<mlir::Value(mlir::OpBuilder &, mlir::Location,
                            mlir::Value score, const AttentionPair &)>
      score;
};

/// How keys are chosen by their content; see `weir.select_blocks`.
struct SelectOptions {
  /// Blocks of a list, keys of a block, and lists of a query.
  int64_t count = 1, blockSize = 1, lists = 1;
  double scale = 1.0;
  SelectScore score = SelectScore::Raw;
  SelectPool pool = SelectPool::Last;
  /// A weight for each query head, `[batch, time, heads]`, or null.
  mlir::Value weights;
  /// The block that the query stands in, and as many before it, are chosen
  /// whatever their score; none without a number. So is the first one.
  std::optional<int64_t> alwaysBefore;
  bool alwaysFirst = false;
};

/// Keys of a multi-layer perceptron's matrices, without ".weight".
struct MLPKeys {
  std::string up, down;
  /// Empty for one without a gate.
  std::string gate;
};

/// Builds the module of one model.
class ModelBuilder {
public:
  ModelBuilder(mlir::MLIRContext &context, Checkpoint &checkpoint);

  mlir::MLIRContext &getContext() { return *builder.getContext(); }
  mlir::OpBuilder &getBuilder() { return builder; }
  /// Where operations are said to come from, which `setScope` changes.
  mlir::Location getLoc() const { return loc; }
  Checkpoint &getCheckpoint() { return checkpoint; }
  bool hasFailed() const { return failed; }

  /// An error about the model, located at `key`, which makes building fail.
  mlir::InFlightDiagnostic emitError(llvm::StringRef key);

  /// Names what the following operations belong to, for diagnostics.
  void setScope(llvm::StringRef name);

  //===--- The function ---------------------------------------------------===//

  /// Begins `@forward` and gives the token ids, `[batch, time]` of i32.
  mlir::Value beginForward();
  /// Another input like these, of zeros where it is not given; right behind
  /// `beginForward`. Its numbers are below `limit`, or any where that is 0.
  mlir::Value addOptionalInput(llvm::StringRef name, int64_t limit = 0);
  /// Has rows of the first sequence no longer than `limit`, where the model as
  /// a whole is told of another one's.
  void limitLengths(int64_t limit);
  /// Token ids of another sequence, whose rows have lengths of their own, at
  /// most `limit` tokens unless that is 0; `prefix` is in front of the names.
  mlir::Value addSequence(llvm::StringRef prefix, int64_t limit = 0);
  /// Ends it; `name` is what Hugging Face calls the result, which belongs to
  /// the sequence added last.
  void endForward(llvm::StringRef name, mlir::Value result);
  /// Hands the module over; null when `hasFailed`.
  mlir::OwningOpRef<mlir::ModuleOp> takeModule();

  //===--- Weights --------------------------------------------------------===//

  /// Whether the checkpoint has a tensor of this key. Within a stack `*` stands
  /// for the layers of the kind, of which the first is asked.
  bool hasTensor(llvm::StringRef key);
  /// The extents of the tensor that `hasTensor` asks for, or none.
  std::optional<llvm::ArrayRef<int64_t>> getExtents(llvm::StringRef key);

  /// Declares the checkpoint's tensor `key` of the extents `shape`. Within a
  /// stack, `*` in the key is each layer of the kind. Fails when a tensor is
  /// missing or has other extents. Asking twice gives one parameter.
  Param param(llvm::StringRef key, llvm::ArrayRef<int64_t> shape);
  /// The same where `*` is not the layer, but the number that `number` gives of
  /// it.
  Param layerParam(llvm::StringRef key, llvm::ArrayRef<int64_t> shape,
                   llvm::function_ref<int64_t(int64_t layer)> number);
  /// Declares the tensors of all experts of a layer, each of the extents
  /// `shape`, stacked with the experts in front. The first `*` in the key is
  /// the layer and the second one the expert.
  Param expertParam(llvm::StringRef key, int64_t experts,
                    llvm::ArrayRef<int64_t> shape);
  /// Axis i of the result is axis `permutation[i]` of the source.
  Param transpose(Param source, llvm::ArrayRef<int64_t> permutation);
  /// Entries [offset, offset + size) of `axis`; `name` is appended to the
  /// source's.
  Param slice(Param source, int64_t axis, int64_t offset, int64_t size,
              llvm::StringRef name);
  /// Parameters joined along `axis`.
  Param concat(llvm::StringRef name, int64_t axis, llvm::ArrayRef<Param> parts);
  /// The elements in row-major order with other extents.
  Param reshape(Param source, llvm::ArrayRef<int64_t> shape);
  /// Given numbers, `values.size()` = the product of `shape`.
  Param constant(llvm::StringRef name, llvm::ArrayRef<float> values,
                 llvm::ArrayRef<int64_t> shape);
  /// A scalar per layer of the model; a stack reads its kind's. `*` in `name`
  /// is dropped.
  Param layerScalars(llvm::StringRef name,
                     llvm::function_ref<float(int64_t layer)> value);
  /// The same with `values`, the numbers of a tensor of extents `shape`.
  Param layerConstants(
      llvm::StringRef name, llvm::ArrayRef<int64_t> shape,
      llvm::function_ref<llvm::SmallVector<float>(int64_t layer)> values);
  /// The value of a weight; of a stacked one, that of the layer being built.
  mlir::Value read(Param param);
  /// `read(param(key, shape))`.
  mlir::Value weight(llvm::StringRef key, llvm::ArrayRef<int64_t> shape);

  //===--- Layers ---------------------------------------------------------===//

  /// Applies `order.size()` layers; layer i has the kind `order[i]`. `body`
  /// builds one kind.
  mlir::Value
  stack(mlir::Value input, llvm::ArrayRef<int32_t> order,
        llvm::function_ref<mlir::Value(int32_t kind, mlir::Value input)> body);

  /// Builds one kind of layer from the carried values, and gives the new ones.
  using LayersFn = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      int32_t kind, mlir::ValueRange inputs)>;
  /// The same for layers that hand several values to the next. With `own`, a
  /// kind has the weights of as many layers, numbered from 0, which its layers
  /// run again and again in that order.
  llvm::SmallVector<mlir::Value> stack(mlir::ValueRange inputs,
                                       llvm::ArrayRef<int32_t> order,
                                       LayersFn body,
                                       std::optional<int64_t> own = {});

  /// Rows of the table `key`, which is `[rows, features]`.
  mlir::Value embedding(mlir::Value ids, llvm::StringRef key, int64_t rows,
                        int64_t features);
  /// Rows of a table at hand.
  mlir::Value embedding(mlir::Value ids, mlir::Value table);
  /// Rows of a table at hand, of which `numbers` lists some:
  /// `[1, numbers, features]`.
  mlir::Value rows(llvm::ArrayRef<int32_t> numbers, mlir::Value table);
  /// Positions of the tokens in their rows, `[batch, time]` of i32.
  mlir::Value positions(mlir::Value ids);
  /// Reads the scale `key`.weight.
  mlir::Value rmsNorm(mlir::Value input, llvm::StringRef key, double eps,
                      double offset = 0.0);
  /// Reads `key`.weight and, with `bias`, `key`.bias.
  mlir::Value layerNorm(mlir::Value input, llvm::StringRef key, double eps,
                        bool bias = true);
  /// With a scale and a shift at hand, either of which may be null.
  mlir::Value layerNorm(mlir::Value input, mlir::Value scale, mlir::Value shift,
                        double eps);
  /// Reads `key`.weight, `[features, in]`, and, with `bias`, `key`.bias.
  mlir::Value linear(mlir::Value input, llvm::StringRef key, int64_t features,
                     bool bias = false);
  /// A product with weights at hand; `bias` may be null.
  mlir::Value linear(mlir::Value input, mlir::Value weight, mlir::Value bias);
  /// `down(act(gate(x)) * up(x))`, or `down(act(up(x)))` without a gate.
  mlir::Value mlp(mlir::Value input, const MLPKeys &keys, int64_t inner,
                  llvm::StringRef activation, bool bias = false);

  //===--- Attention ------------------------------------------------------===//

  /// `[batch, time, heads * dim]` as `[batch, time, heads, dim]`.
  mlir::Value splitHeads(mlir::Value input, int64_t heads);
  /// The reverse.
  mlir::Value mergeHeads(mlir::Value input);
  /// The length of the longest row, one i32.
  mlir::Value longest();
  /// Frequencies of a rotary embedding, `[dims / 2]`.
  mlir::Value frequencies(const RotarySpec &spec);
  /// Rotates heads.
  mlir::Value rotary(mlir::Value input, mlir::Value positions,
                     mlir::Value frequencies, const RotarySpec &spec);
  /// Where `logSums` is given, it becomes the logarithm of what the weights are
  /// divided by, `[batch, time, heads]`.
  mlir::Value attention(mlir::Value query, mlir::Value key, mlir::Value value,
                        const AttentionOptions &options,
                        mlir::Value *logSums = nullptr);
  /// The blocks of keys that score best for each query, `[batch, time, lists,
  /// count]` of i32.
  mlir::Value selectBlocks(mlir::Value query, mlir::Value key,
                           const SelectOptions &options);

  /// Masks: all keys; those up to the query; those in front of it; of the
  /// former the last `window`; those on either side that are less than `window`
  /// away; those up to the query of its chunk.
  MaskAttr fullMask();
  MaskAttr causalMask();
  MaskAttr causalBefore();
  MaskAttr causalWindow(int64_t window);
  MaskAttr openWindow(int64_t window);
  MaskAttr causalChunk(int64_t length);

  //===--- Element by element ---------------------------------------------===//

  /// Builds the result's element from the inputs' elements.
  using ElementFn = llvm::function_ref<mlir::Value(
      mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>;

  /// Applies `element` to each element of `inputs[0]`. Inputs of lower rank
  /// are aligned at the last axis and repeated along the others.
  mlir::Value map(mlir::ValueRange inputs, ElementFn element);
  mlir::Value add(mlir::Value lhs, mlir::Value rhs);
  mlir::Value mul(mlir::Value lhs, mlir::Value rhs);
  mlir::Value scale(mlir::Value input, double factor);
  /// Tokens of `[batch, time, features]`: those of `set` where `numbers`,
  /// `[batch, time]` of i32, is not zero, and those of `other` elsewhere.
  mlir::Value chooseRows(mlir::Value numbers, mlir::Value set,
                         mlir::Value other);
  /// `cap * tanh(input / cap)`.
  mlir::Value softCap(mlir::Value input, double cap);
  /// The activation that Hugging Face calls `name`; an unknown one is an error
  /// located at `key`.
  mlir::Value activation(mlir::Value input, llvm::StringRef name,
                         llvm::StringRef key = "hidden_act");

private:
  /// The layers of the kind being built.
  struct LayerScope {
    llvm::SmallVector<int64_t> layers;
    mlir::Value index;
    int32_t kind = 0;
    /// Whether the stack has several kinds, whose parameters need own names.
    bool several = false;
  };

  Param declare(const llvm::Twine &name, llvm::ArrayRef<int64_t> shape,
                mlir::Attribute init, bool stacked);
  /// Another argument of `@forward`, of the sequence added last; the role may
  /// be empty, and a limit of 0 is none.
  mlir::Value addInput(mlir::Type type, llvm::StringRef name,
                       llvm::StringRef role, int64_t limit);
  bool checkTensor(llvm::StringRef key, llvm::ArrayRef<int64_t> shape);
  mlir::RankedTensorType getType(llvm::ArrayRef<int64_t> shape);
  mlir::RankedTensorType withLastExtent(mlir::Value value, int64_t extent);
  mlir::FloatAttr constantFloat(double value);

  mlir::OpBuilder builder;
  Checkpoint &checkpoint;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp function;
  /// Sequences that `@forward` takes.
  int64_t sequences = 0;
  mlir::Location loc;
  std::optional<LayerScope> layer;
  llvm::StringMap<Param> params;
  bool failed = false;
};

/// The number of each layer's kind for `ModelBuilder::stack`; `kinds` becomes
/// the kinds in the order they come.
template <typename Kind>
llvm::SmallVector<int32_t> numberKinds(llvm::ArrayRef<Kind> layers,
                                       llvm::SmallVectorImpl<Kind> &kinds) {
  llvm::SmallVector<int32_t> order;
  for (Kind kind : layers) {
    auto it = llvm::find(kinds, kind);
    order.push_back(it - kinds.begin());
    if (it == kinds.end())
      kinds.push_back(kind);
  }
  return order;
}

/// The element-wise function `name` of Hugging Face's `hidden_act`, applied to
/// one number; null for an unknown name.
mlir::Value buildActivation(mlir::OpBuilder &builder, mlir::Location loc,
                            llvm::StringRef name, mlir::Value input);
/// The names `buildActivation` knows.
std::vector<llvm::StringRef> getActivationNames();

} // namespace weir

#endif // WEIR_FRONTEND_MODELBUILDER_H
