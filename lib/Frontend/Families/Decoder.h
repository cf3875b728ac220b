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
#include <functional>

namespace weir {

/// Keys of a decoder's weights without ".weight"; `*` is the layer. Parts that
/// a family does not have are empty.
struct DecoderKeys {
  /// What keys of a layer begin with.
  std::string layer;
  std::string embed, finalNorm, head;
  /// Norms in front of a layer's parts.
  std::string attentionNorm, mlpNorm;
  std::string query, key, value, output, queryNorm, keyNorm;
  MLPKeys mlp;

  /// Norms of what a layer's parts give, before it is added.
  std::string attentionPostNorm, mlpPostNorm;
  /// Norms of what a part's last matrix reads.
  std::string attentionInnerNorm, mlpInnerNorm;
  /// The output's bias, the whole key, where it is not the output's own.
  std::string outputBias;
  /// Query, key and value in one matrix, in place of the three.
  std::string fused;
  /// Gate and, below it, up in one matrix, in place of the two.
  std::string gateUp;
  /// A logit per query head beside those of the keys; the whole key.
  std::string sinks;
  /// The table of learned positions, and the norm of what is embedded.
  std::string positions, embedNorm;
  /// Matrices between tables of other features than the layers', and these.
  std::string projectIn, projectOut;
  /// The head's bias, the whole key, where it is not the head's own.
  std::string headBias;
  /// A matrix in front of the head, behind it an activation, and a norm.
  std::string transform, transformNorm;
  /// Projections for tokens that see all and are seen by all, of their queries
  /// and of keys and values as they see them; and the input that names them.
  std::string globalQuery, globalKey, globalValue, globalTokens;
  /// The matrix whose function of attention's input opens and closes what heads
  /// give; see `DecoderConfig::opening`.
  std::string opening;
  /// A second attention behind the first, to what an encoder gives.
  std::string crossQuery, crossKey, crossValue, crossOutput, crossNorm;
};

/// The keys of a Hugging Face checkpoint, with "model." in front or, as base
/// models are saved, without; or those of a GGUF file. `part` is in front of
/// all keys of a model that is a part of another one.
DecoderKeys getDecoderKeys(const Checkpoint &checkpoint,
                           const std::string &part = "");

/// Keys as the successors of GPT-2 have them, but for those of attention.
DecoderKeys getGPTKeys(const Checkpoint &checkpoint);

/// How most of them spell keys of config.json.
llvm::ArrayRef<ConfigAlias> getGPTSpellings();

/// Takes no notice of what GPT-2 and its successors say about a head that makes
/// one summary of a sequence, another model's.
void ignoreSummaryHead(ConfigReader &reader);

/// Takes no notice of what HunYuan's models say about tokens, pictures and
/// parts that transformers does not have.
void ignoreHunYuanOptions(ConfigReader &reader);

/// Keys as BLOOM and Falcon have them, which begin with `model`.
DecoderKeys getBloomKeys(const std::string &model);

/// Has norms of what a layer's parts give and none in front of them.
void setPostNorms(const Checkpoint &checkpoint, DecoderKeys &keys);

/// What keys of the model begin with, where those of the whole one begin with
/// `prefix` and base models are saved without; `tensor` is one that all have.
std::string getModelPrefix(const Checkpoint &checkpoint,
                           const std::string &prefix,
                           const std::string &tensor);

/// How a decoder normalises.
struct NormSpec {
  /// By mean and variance rather than by the mean square.
  bool centred = false;
  /// Added to weights.
  double offset = 0;
  /// Whether there are weights at all, and whether centred norms have biases.
  bool weight = true, bias = true;
};

/// What is normalised of query and key.
enum class QueryKeyNorm {
  None,
  /// Each head, with the same weights.
  Head,
  /// Each head with weights of its own, `[heads, dim]`, or, where the key has a
  /// second `*`, in a tensor each.
  EachHead,
  /// All features together.
  Projection
};

/// How what heads give is opened and closed.
struct HeadOpening {
  /// By softplus, or by sigmoid.
  bool isSoftplus = false;
  /// Whether a head has one number or one for each of its features.
  bool isPerHead = false;
};

/// A factor of queries that grows with their position p:
/// `1 + strength * log(1 + floor((p + 1) / length))` (arXiv:2501.19399).
struct QueryGrowth {
  double length, strength;
};

/// How rows of a matrix of query, key and value lie.
enum class FusedLayout {
  /// All of the query, all of the key, all of the value.
  Blocks,
  /// For each key head its query heads, its key and its value.
  Groups,
  /// For each quarter of the heads all of the query, of the value, of the key.
  Quarters
};

/// A table of which a row is added to each token that is embedded, that of an
/// optional input of the name `input`; causal models take the first one.
struct TokenTable {
  std::string key, input;
  int64_t rows = 0;
};

/// What a family has attention do besides.
using AttentionChange = std::function<void(AttentionOptions &options)>;

/// What such a decoder computes. The values at first are the defaults of
/// `LlamaConfig`; families change what theirs are before reading.
struct DecoderConfig {
  int64_t vocabSize = 32000;
  int64_t hidden = 4096;
  /// 0: four times the hidden size.
  int64_t inner = 11008;
  int64_t layers = 32;
  /// Whether layers share weights, so that there may be more than tensors.
  bool sharesLayers = false;
  int64_t heads = 32;
  /// None: as many as query heads.
  std::optional<int64_t> kvHeads;
  /// None: the hidden size divided by the heads.
  std::optional<int64_t> headDim;
  /// Whether the configuration may say these two.
  bool readsKVHeads = true, readsHeadDim = true;
  int64_t trainedLength = 2048;
  double eps = 1e-6;
  std::string activation = "silu";
  bool tied = false;
  /// Tokens that `ModelFacts` speaks of.
  std::optional<int64_t> bos, eos, decoderStart, forcedEos;

  bool queryBias = false, keyBias = false, valueBias = false;
  bool outputBias = false, mlpBias = false, headBias = false;
  bool transformBias = false;
  /// Layers whose output has a bias; none: all or none, as `outputBias` says.
  std::vector<bool> outputBiases;
  /// The perceptron's activation where it is none of transformers' table.
  std::function<mlir::Value(mlir::Value)> activate;
  /// The activation behind `transform`.
  std::string transformActivation;
  NormSpec norm;
  QueryKeyNorm queryKeyNorm = QueryKeyNorm::None;
  /// Norms of query and key, whether they come behind the rotation, and whether
  /// layers without one have norms.
  NormSpec headNorm;
  bool normsRotated = false, normsUnrotated = true;
  FusedLayout fusedLayout = FusedLayout::Blocks;
  /// Bound of the magnitude of queries, keys and values, or none.
  std::optional<double> clip;
  /// What scores are multiplied with; none: by the root of the head's features.
  std::optional<double> attentionScale;
  /// Bounds `c` of scores and logits, as `c * tanh(x / c)`; 0 for none.
  double scoreCap = 0, logitCap = 0;
  /// Factors of embeddings, of what a layer's parts add, and of logits.
  double embeddingScale = 1, residualScale = 1, logitScale = 1;
  /// ALiBi slopes, one per head, or none; see `AttentionOptions`.
  std::vector<float> slopes;
  bool roundsSlopes = false;

  /// Whether positions rotate query and key, and how.
  bool rotates = true;
  RotaryOptions rotaryOptions;
  RotarySpec rotary;
  /// That of layers with a window where it is another.
  std::optional<RotarySpec> windowRotary;
  /// Those of single layers where these are others; none: no such layers.
  std::vector<RotarySpec> layerRotary;
  /// Layers that do not rotate; none: all do.
  std::vector<bool> unrotated;
  /// Of queries of layers that do not rotate, or nothing.
  std::optional<QueryGrowth> growth;
  /// The query heads of single layers; none: all have `heads`.
  std::vector<int64_t> layerHeads;
  /// For families that have such a matrix.
  HeadOpening opening;
  /// Layers whose attention has no norm in front; none: all have one.
  std::vector<bool> unnormed;
  /// Tables for what tokens are besides, such as the segment of the text.
  std::vector<TokenTable> tokenTables;
  /// Rows of the table of learned positions in front of the first one's, and
  /// whether the last of them is that of the token of its number, which stands
  /// for padding and is not counted.
  int64_t positionOffset = 0;
  /// Adds to embeddings of tokens what tells their positions, `[batch, time]`,
  /// or their numbers where padding is not counted, where that is no table.
  std::function<mlir::Value(mlir::Value tokens, mlir::Value positions)>
      addPositions;
  bool skipsPadding = false;
  /// Whether positions are sinusoids (arXiv:1706.03762), all sines in front of
  /// the cosines, where the checkpoint has no table of them.
  bool sinusoids = false;
  /// Whether `embedNorm` is of tokens alone, in front of positions.
  bool normsTokens = false;
  /// Features of the tables where `projectIn` leads from them; 0: the hidden
  /// size. Whether it leads, with a bias, from their sum and its norm, and not
  /// from tokens alone.
  int64_t embedding = 0;
  bool projectsSum = false;

  /// Whether queries see no later keys; windows reach to both sides otherwise.
  bool causal = true;
  /// The window of each layer; none sees all positions before it.
  std::vector<std::optional<int64_t>> windows;
  /// Layers whose windows are chunks, of which queries see their own; none: no
  /// such layers.
  std::vector<bool> chunked;
  /// Prepares such a change, given the ids, in front of the layers. Or null.
  std::function<AttentionChange(mlir::Value ids)> prepareAttention;
  /// What stands in place of `*` in the keys of each layer where several share
  /// weights; none: their numbers.
  std::vector<std::string> sharedLayers;
  /// Whether attention and perceptron read the same, or the perceptron what
  /// attention left. In parallel, `mlpNorm` may be empty for a norm they share.
  bool parallel = false;
  /// Whether norms are of the sums behind the parts instead of in front.
  bool normsSums = false;
  /// Whether parts are added to what their norms give instead of to its input.
  bool addsToNorms = false;
  /// What stands in the place of the perceptron in layers that are `sparse`.
  std::optional<ExpertsSpec> experts;
  /// None: all layers, where there are experts.
  std::vector<bool> sparse;

  void setAttentionBias(bool bias) {
    queryBias = keyBias = valueBias = outputBias = bias;
  }
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

/// Reads `layer_types` and the windows of those that slide, `window` keys
/// unless `sliding_window` says otherwise. Where there is no list, `isWindowed`
/// says which slide.
void readLayerTypes(ConfigReader &reader, DecoderConfig &config,
                    std::optional<int64_t> window,
                    llvm::function_ref<bool(int64_t layer)> isWindowed);

/// The same where every `pattern`th layer, unless `sliding_window_pattern` says
/// otherwise, sees everything.
void readLayerPattern(ConfigReader &reader, DecoderConfig &config,
                      std::optional<int64_t> window, int64_t pattern);

/// Reads a window that all layers have; none where there is no
/// `sliding_window`.
void readWindow(ConfigReader &reader, DecoderConfig &config,
                std::optional<int64_t> window = std::nullopt);

/// Has the hidden size read from `n_embed` where that is there, which goes
/// first in BLOOM and Falcon.
void readOlderHidden(ConfigReader &reader);

/// Reads the factors of embeddings, scores, residuals and logits that Granite's
/// models have.
void readGraniteFactors(ConfigReader &reader, DecoderConfig &config);

/// Has query and key rotated as the converter to GGUF permutes them, if at all.
void setGraniteGGUF(ConfigReader &reader, DecoderConfig &config);

/// Reads which layers of Granite's models have windows, and the base of each
/// layer's rotation, 0 for none.
void readGraniteWindows(ConfigReader &reader, DecoderConfig &config);

/// A bound under `key`, `fallback` where it is absent and none, 0, where it is
/// null.
double readCap(ConfigReader &reader, llvm::StringRef key, double fallback);

/// ALiBi's slopes of `heads` heads (arXiv:2108.12409): a geometric series, and
/// every other term of a finer one where heads are no power of two.
std::vector<float> getSlopes(int64_t heads);

/// Names keys as GGUF files do. Norms that are `centred` have an epsilon of
/// their own name.
void setGGUFAliases(ConfigReader &reader, bool centred);

/// Rows of the table `key`, of which files say more or fewer by `vocab_size`,
/// or `otherwise` where there is no table.
int64_t countTableRows(const Checkpoint &checkpoint, const std::string &key,
                       int64_t otherwise);

/// Reads how many of the `layers` in a GGUF file predict more than the next
/// token, and leaves these, the last ones, out; gives how many there are then.
int64_t dropLaterLayers(ConfigReader &reader, Checkpoint &checkpoint,
                        int64_t layers);

/// Reads what only GGUF files say.
void readGGUFKeys(ConfigReader &reader, DecoderConfig &config,
                  const DecoderKeys &keys);

/// Reads what tensors of a GGUF file say: which biases there are, and which
/// layers have experts. `buildDecoder` does so in front of the graph.
void finishGGUF(ConfigReader &reader, const DecoderKeys &keys,
                DecoderConfig &config);

/// Has the weights of a mixture under the names that GGUF files give them,
/// where keys of a layer begin with `layer`; what is stored of biases, and the
/// experts' size where the file has one, replace what `spec` says.
void setGGUFExperts(ConfigReader &reader, const std::string &layer,
                    ExpertsSpec &spec);

/// Finishes the reading and builds the graph, unless the configuration was
/// wrong.
ModelFacts buildDecoder(ModelBuilder &builder, ConfigReader &reader,
                        const FamilyRequest &request, const DecoderKeys &keys,
                        DecoderConfig &config);

/// Builds the part for text of a model that has others, whose options are
/// those of `text_config`. Marks the others' tensors, which begin with one of
/// `otherTensors`, and what is said about them.
ModelFacts
buildTextPart(ModelBuilder &builder, ConfigReader &reader,
              llvm::ArrayRef<llvm::StringLiteral> otherTensors,
              llvm::function_ref<ModelFacts(ConfigReader &text)> build);
/// A decoder, or an encoder, and its weights.
struct DecoderSpec {
  DecoderKeys keys;
  DecoderConfig config;
};

/// The same for a decoder whose second attention reads what an encoder gives;
/// `config.tied` is the decoder's. Where the encoder alone is asked for, that.
ModelFacts buildEncoderDecoder(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request,
                               DecoderSpec &encoder, DecoderSpec &decoder);

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
