//===- DeepSeek.cpp - DeepSeek and GLMs of its kind -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Latent attention, and behind the first layers mixtures of experts some of
// which see all tokens. DeepSeek-V2 (arXiv:2405.04434) weighs by a softmax over
// all experts, and may limit the choice to groups; DeepSeek-V3
// (arXiv:2412.19437) by sigmoids, with a bias that chooses and does not weigh.
// GLM-4.7-Flash is the latter with other layers dense.
//
// DeepSeek-V3.2 (arXiv:2512.02556) adds an indexer, small heads of their own
// that score every key, and attends to the best keys alone. In GLM's form of it
// layers may go on with the keys that an earlier one chose.
//
//===----------------------------------------------------------------------===//

#include "HybridModel.h"
#include "LatentAttention.h"
#include "SparseDecoder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

/// What chooses keys.
struct Indexer {
  int64_t heads, dim, count;
  RotaryLayout layout;
  /// Whether some layers use the list of the one before.
  bool isShared = false;
};

struct DeepseekConfig : HybridModel {
  int64_t inner;
  LatentHeads latent;
  RotarySpec rotary;
  ExpertsSpec experts;
  bool mlpBias = false;
  std::optional<Indexer> indexer;
};

/// Variants of layers: with an indexer, if there is one, or with another's
/// list.
enum ListVariant : int64_t { OwnList, SharedList };

/// Builds the layers.
class DeepseekGraph {
public:
  DeepseekGraph(ModelBuilder &builder, const DeepseekConfig &config)
      : b(builder), config(config) {}

  /// Builds what layers share; gives the list in front of the first, if lists
  /// are handed on.
  LayerValues begin(Value ids);
  LayerValues buildLayer(const HybridLayer &kind, ValueRange values);

private:
  /// The attention; `list` is the list handed on, or null.
  Value buildAttention(const HybridLayer &kind, Value x, Value &list);
  Value buildList(Value x, Value queryLatent);

  ModelBuilder &b;
  const DeepseekConfig &config;
  Value positions, frequencies;
};

} // namespace

LayerValues DeepseekGraph::begin(Value ids) {
  positions = b.positions(ids);
  frequencies = b.frequencies(config.rotary);
  if (!config.indexer || !config.indexer->isShared)
    return {};
  // The first layer makes one of its own.
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, ids);
  sizes.push_back(builder.getIndexAttr(1));
  sizes.push_back(builder.getIndexAttr(config.indexer->count));
  Value none = arith::ConstantIntOp::create(builder, loc, -1, 32);
  Value empty =
      tensor::EmptyOp::create(builder, loc, sizes, builder.getI32Type());
  return {linalg::FillOp::create(builder, loc, none, empty).getResult(0)};
}

Value DeepseekGraph::buildList(Value x, Value queryLatent) {
  const Indexer &indexer = *config.indexer;
  std::string keys = config.layer + "self_attn.indexer.";
  RotarySpec spec = config.rotary;
  spec.layout = indexer.layout;
  auto rotate = [&](Value heads) {
    return b.rotary(heads, positions, frequencies, spec);
  };
  Value query = rotate(b.splitHeads(
      b.linear(queryLatent, keys + "wq_b", indexer.heads * indexer.dim),
      indexer.heads));
  Value key = b.layerNorm(b.linear(x, keys + "wk", indexer.dim),
                          keys + "k_norm", /*eps=*/1e-6);
  SelectOptions options;
  options.count = indexer.count;
  // The factor of the weights is left out: it changes no order.
  options.scale = 1.0 / std::sqrt(static_cast<double>(indexer.dim));
  options.score = SelectScore::Relu;
  options.weights = b.linear(x, keys + "weights_proj", indexer.heads);
  return b.selectBlocks(query, rotate(b.splitHeads(key, 1)), options);
}

Value DeepseekGraph::buildAttention(const HybridLayer &kind, Value x,
                                    Value &list) {
  std::string keys = config.layer + "self_attn.";
  auto rotate = [&](Value heads) {
    return b.rotary(heads, positions, frequencies, config.rotary);
  };
  auto chooseKeys = [&](Value queryLatent) {
    if (config.indexer && kind.variant == OwnList)
      list = buildList(x, queryLatent);
    return list;
  };
  Value mixed = latentAttention(b, x, keys, config.latent, rotate, chooseKeys);
  return b.linear(b.mergeHeads(mixed), keys + "o_proj", config.hidden,
                  config.latent.bias);
}

LayerValues DeepseekGraph::buildLayer(const HybridLayer &kind,
                                      ValueRange values) {
  bool isHandedOn = values.size() > 1;
  Value list = isHandedOn ? values[1] : Value();
  Value x = preNormLayer(
      b, config, values.front(),
      [&](Value normed) { return buildAttention(kind, normed, list); },
      [&](Value normed) {
        return kind.feedForward == FeedForward::Experts
                   ? buildMixture(b, normed, config.experts)
                   : hybridMLP(b, config, normed, config.inner, "mlp.",
                               config.mlpBias);
      });
  if (isHandedOn)
    return {x, list};
  return {x};
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

/// Reads what all of the families have but the experts. The numbers in `config`
/// are the defaults.
static void readConfig(ConfigReader &reader, ModelBuilder &b,
                       const FamilyRequest &request, DeepseekConfig &config) {
  readHybridModel(reader, config);
  config.inner = reader.getSize("intermediate_size", config.inner);
  readLatentHeads(reader, config.latent);
  RotaryOptions options;
  options.headDim = config.latent.sharedDim;
  options.trainedLength = config.length;
  options.maxLength = request.maxLength.value_or(config.length);
  config.rotary = readRotary(reader, b, options);
  config.rotary.layout = RotaryLayout::Interleaved;
  config.latent.scale *= readScoreFactor(reader);
  config.order.assign(config.layers, {TokenMixer::Attention});
  markLaterHeads(b.getCheckpoint(), config, "");
  // What follows from other numbers.
  reader.ignore({"head_dim"});
}

/// Reads how many dense layers stand in front, in families whose layers are not
/// listed; whether any layer has experts.
static bool readDenseLayers(ConfigReader &reader, DeepseekConfig &config,
                            int64_t usual) {
  int64_t denseLayers = reader.getInt("first_k_dense_replace", usual);
  return chooseFeedForwards(
      config, [&](int64_t layer) { return layer >= denseLayers; });
}

/// Reads the mixtures of DeepSeek-V3 and what came after it, if there are any,
/// and builds the model.
static ModelFacts buildSigmoidMixture(ModelBuilder &b, ConfigReader &reader,
                                      const FamilyRequest &request,
                                      DeepseekConfig &config, bool hasExperts,
                                      const DeepseekDefaults &defaults) {
  if (hasExperts) {
    config.experts =
        readDeepseekExperts(reader, b, config.layer + "mlp.", defaults);
    config.experts.activation = config.activation;
  } else {
    ignoreDeepseekExperts(reader);
  }
  ModelFacts facts =
      buildHybridModel<DeepseekGraph>(b, reader, request, config);
  facts.bos = 0;
  facts.eos = 1;
  return facts;
}

static ModelFacts buildDeepseekV3(ModelBuilder &b, ConfigReader &reader,
                                  const FamilyRequest &request) {
  DeepseekConfig config;
  config.vocabSize = 129280;
  config.hidden = 7168;
  config.inner = 18432;
  config.layers = 61;
  config.length = 4096;
  config.latent = {128, 128, 64, 128, 512, 1536, false, 1.0};
  readConfig(reader, b, request, config);
  bool hasExperts = readDenseLayers(reader, config, /*usual=*/3);
  if (!reader.getBool("rope_interleave", true))
    config.rotary.layout = RotaryLayout::Half;
  return buildSigmoidMixture(
      b, reader, request, config, hasExperts,
      {256, 8, 2048, /*shared=*/1, /*groups=*/8, /*chosen=*/4, /*scale=*/2.5});
}

/// Reads the indexer's sizes; the numbers in `usual` are the defaults.
static void readIndexer(ConfigReader &reader, DeepseekConfig &config,
                        Indexer usual) {
  usual.heads = reader.getSize("index_n_heads", usual.heads);
  usual.dim = reader.getSize("index_head_dim", usual.dim);
  usual.count = reader.getSize("index_topk", usual.count);
  if (usual.dim < config.latent.sharedDim)
    reader.emitError("index_head_dim")
        << "key 'index_head_dim' is " << usual.dim << ", expected at least the "
        << config.latent.sharedDim << " features that are rotated";
  if (!config.latent.queryRank)
    reader.emitError("q_lora_rank") << "key 'q_lora_rank' is null, expected a "
                                       "number: the indexer's queries "
                                       "are made of as many features";
  config.indexer = usual;
  // Every layer has an indexer; dense layers have no biases whatever is said.
  reader.ignore({"layer_types", "mlp_bias"});
}

static ModelFacts buildDeepseekV32(ModelBuilder &b, ConfigReader &reader,
                                   const FamilyRequest &request) {
  DeepseekConfig config;
  config.vocabSize = 129280;
  config.hidden = 7168;
  config.inner = 18432;
  config.layers = 61;
  config.length = 163840;
  config.latent = {128, 128, 64, 128, 512, 1536, false, 1.0};
  readConfig(reader, b, request, config);
  bool hasExperts = readFeedForwardTypes(reader, config, /*denseLayers=*/3);
  readIndexer(reader, config, {64, 128, 2048, RotaryLayout::Half});
  return buildSigmoidMixture(
      b, reader, request, config, hasExperts,
      {256, 8, 2048, /*shared=*/1, /*groups=*/8, /*chosen=*/4, /*scale=*/2.5});
}

/// Finds the layers that use the list of one before: by their names, by a word
/// with a letter for each, or as those between every `index_topk_freq`-th one.
static void readSharedLists(ConfigReader &reader, DeepseekConfig &config) {
  SmallVector<bool> isShared;
  auto refuse = [&](StringRef key) {
    reader.emitError(key) << "key '" << key << "' is no list of "
                          << config.layers << " layers that are full or shared";
  };
  int64_t every = std::max<int64_t>(reader.getInt("index_topk_freq", 1), 1);
  int64_t offset = reader.getInt("index_skip_topk_offset", 2);
  const llvm::json::Value *pattern = reader.get("index_topk_pattern");
  const llvm::json::Value *types = reader.get("indexer_types");
  StringRef key = "index_topk_freq";
  if (const llvm::json::Array *list = types ? types->getAsArray() : nullptr) {
    key = "indexer_types";
    for (const llvm::json::Value &name : *list) {
      if (name.getAsString() != StringRef("full") &&
          name.getAsString() != StringRef("shared"))
        return refuse(key);
      isShared.push_back(name.getAsString() == StringRef("shared"));
    }
  } else if (std::optional<StringRef> word =
                 pattern ? pattern->getAsString() : std::nullopt) {
    key = "index_topk_pattern";
    for (char letter : *word) {
      if (letter != 'F' && letter != 'S')
        return refuse(key);
      isShared.push_back(letter == 'S');
    }
  } else {
    for (int64_t layer = 0; layer < config.layers; ++layer)
      isShared.push_back(std::max<int64_t>(layer - offset + 1, 0) % every != 0);
  }
  if (static_cast<int64_t>(isShared.size()) != config.layers)
    return refuse(key);
  if (isShared.front()) {
    reader.emitError(key) << "the first layer uses another's list of keys, "
                             "expected one that makes its own";
    return;
  }
  for (auto [layer, shared] : llvm::zip_equal(config.order, isShared)) {
    layer.variant = shared ? SharedList : OwnList;
    config.indexer->isShared |= shared;
  }
}

static ModelFacts buildGlmMoeDsa(ModelBuilder &b, ConfigReader &reader,
                                 const FamilyRequest &request) {
  DeepseekConfig config;
  config.vocabSize = 154880;
  config.hidden = 6144;
  config.inner = 12288;
  config.layers = 78;
  config.length = 202752;
  config.eps = 1e-5;
  config.latent = {64, 192, 64, 256, 512, 2048, false, 1.0};
  readConfig(reader, b, request, config);
  bool hasExperts = readFeedForwardTypes(reader, config, /*denseLayers=*/3);
  for (StringRef key : {"rope_interleave", "indexer_rope_interleave"})
    reader.expect(key, true, "the two of a pair are neighbours");
  readIndexer(reader, config, {32, 128, 2048, RotaryLayout::Interleaved});
  readSharedLists(reader, config);
  return buildSigmoidMixture(
      b, reader, request, config, hasExperts,
      {256, 8, 2048, /*shared=*/1, /*groups=*/1, /*chosen=*/1, /*scale=*/2.5});
}

static ModelFacts buildGlm4MoeLite(ModelBuilder &b, ConfigReader &reader,
                                   const FamilyRequest &request) {
  DeepseekConfig config;
  config.vocabSize = 154880;
  config.hidden = 2048;
  config.inner = 10240;
  config.layers = 47;
  config.length = 202752;
  config.eps = 1e-5;
  config.latent = {20, 192, 64, 256, 512, 768, false, 1.0};
  readConfig(reader, b, request, config);
  bool hasExperts = readFeedForwardTypes(reader, config, /*denseLayers=*/1);
  if (!reader.getBool("rope_interleave", true))
    config.rotary.layout = RotaryLayout::Half;
  return buildSigmoidMixture(
      b, reader, request, config, hasExperts,
      {64, 4, 1536, /*shared=*/1, /*groups=*/1, /*chosen=*/1, /*scale=*/1.8});
}

/// Reads DeepSeek-V2's mixtures: the best by softmax, or the best of the groups
/// with the best experts.
static void readExperts(ConfigReader &reader, ModelBuilder &b,
                        DeepseekConfig &config) {
  ExpertsSpec &experts = config.experts;
  RouterSpec &router = experts.router;
  std::string block = config.layer + "mlp.";
  std::string method = reader.getString("topk_method", "greedy");
  bool isLimited = method == "group_limited_greedy";
  if (!isLimited && method != "greedy")
    reader.emitError("topk_method")
        << "key 'topk_method' is '" << method
        << "', expected greedy or group_limited_greedy";
  // Weights are never renormalised, whatever is said.
  experts = readDeepseekExperts(reader, b, block,
                                {64, 0, 1407, /*shared=*/2, /*groups=*/1,
                                 /*chosen=*/1, /*scale=*/1.0},
                                /*isGrouped=*/false);
  router.score = RouteScore::Softmax;
  router.weighting = RouteWeighting::Scores;
  router.eps = 0;
  router.bias.clear();
  if (router.perToken == 0)
    reader.emitError("num_experts_per_tok")
        << "key 'num_experts_per_tok' is missing, expected a positive number";
  if (isLimited)
    setRouteGroups(reader, b, router, "n_group", reader.getSize("n_group", 1),
                   reader.getSize("topk_group", 1), RouteGroupScore::Max);
  experts.activation = config.activation;
  experts.sharedBias = config.mlpBias;
}

static ModelFacts buildDeepseekV2(ModelBuilder &b, ConfigReader &reader,
                                  const FamilyRequest &request) {
  DeepseekConfig config;
  config.vocabSize = 102400;
  config.hidden = 4096;
  config.inner = 11008;
  config.layers = 32;
  config.length = 2048;
  config.latent = {32, 128, 64, 128, 512, 1536, false, 1.0};
  readConfig(reader, b, request, config);
  bool hasExperts = readDenseLayers(reader, config, /*usual=*/0);
  config.mlpBias = reader.getBool("mlp_bias", false);
  if (hasExperts)
    readExperts(reader, b, config);
  else
    ignoreDeepseekExperts(reader);
  ModelFacts facts =
      buildHybridModel<DeepseekGraph>(b, reader, request, config);
  facts.bos = 1;
  facts.eos = 2;
  return facts;
}

namespace weir {
void registerDeepseekV2Family(FamilyTable &table) {
  table.add({"deepseek_v2",
             "DeepseekV2ForCausalLM",
             "DeepseekV2Model",
             "",
             {},
             buildDeepseekV2});
}

void registerDeepseekV3Family(FamilyTable &table) {
  table.add({"deepseek_v3",
             "DeepseekV3ForCausalLM",
             "DeepseekV3Model",
             "",
             {},
             buildDeepseekV3});
}

void registerDeepseekV32Family(FamilyTable &table) {
  table.add({"deepseek_v32",
             "DeepseekV32ForCausalLM",
             "DeepseekV32Model",
             "",
             {},
             buildDeepseekV32});
}

void registerGlmMoeDsaFamily(FamilyTable &table) {
  table.add({"glm_moe_dsa",
             "GlmMoeDsaForCausalLM",
             "GlmMoeDsaModel",
             "",
             {},
             buildGlmMoeDsa});
}

void registerGlm4MoeLiteFamily(FamilyTable &table) {
  table.add({"glm4_moe_lite",
             "Glm4MoeLiteForCausalLM",
             "Glm4MoeLiteModel",
             "",
             {},
             buildGlm4MoeLite});
}
} // namespace weir
