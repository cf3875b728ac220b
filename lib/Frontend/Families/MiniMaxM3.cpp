//===- MiniMaxM3.cpp - The MiniMax-M3 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention with norms of each head of query and key, in some layers to the
// blocks of keys that an indexer finds best: a block is as good as its best
// key, and those near the query are always seen. Gates are bounded, as in
// gpt-oss; experts are weighed by sigmoids and chosen with a bias.
//
//===----------------------------------------------------------------------===//

#include "HeadAttention.h"
#include "HybridModel.h"
#include "LayerLists.h"
#include "SparseDecoder.h"

using namespace mlir;
using namespace weir;
namespace json = llvm::json;

/// What is added to the scales of norms.
static constexpr double normOffset = 1;

namespace {

/// What a layer attends to: all keys, or the blocks an indexer chooses.
enum M3Variant : int64_t { AllKeys, ChosenBlocks };

struct M3Config : HybridModel {
  AttentionHeads heads;
  int64_t indexHeads = 4, indexDim = 128;
  /// Keys of a block, blocks of a list, and blocks near the query that are
  /// always among these.
  int64_t blockSize = 128, blocks = 16, nearBlocks = 1;
  int64_t denseInner = 12288;
  ExpertsSpec experts;
};

/// Builds the layers.
class M3Graph {
public:
  M3Graph(ModelBuilder &builder, const M3Config &config)
      : b(builder), config(config) {}

  /// Builds what layers share.
  void begin(Value ids) {
    rotary = buildRotaryValues(b, ids, config.heads.rotary);
  }
  Value buildLayer(const HybridLayer &kind, Value x);

private:
  /// `x` projected to normalised, rotated heads.
  Value buildHeads(Value x, const std::string &projection,
                   const std::string &norm, int64_t heads, int64_t dim);
  Value buildAttention(Value x, int64_t variant);
  Value buildList(Value x);
  Value buildDense(Value x);
  Value buildMixture(Value x);

  ModelBuilder &b;
  const M3Config &config;
  RotaryValues rotary;
};

} // namespace

Value M3Graph::buildHeads(Value x, const std::string &projection,
                          const std::string &norm, int64_t heads, int64_t dim) {
  Value projected = b.splitHeads(b.linear(x, projection, heads * dim), heads);
  projected = b.rmsNorm(projected, norm, config.eps, normOffset);
  return b.rotary(projected, rotary.positions, rotary.frequencies,
                  *config.heads.rotary);
}

Value M3Graph::buildList(Value x) {
  std::string keys = config.layer + "self_attn.index_";
  if (!b.hasTensor(keys + "q_proj.weight"))
    keys = config.layer + "self_attn.indexer.";
  SelectOptions options;
  options.count = config.blocks;
  options.blockSize = config.blockSize;
  options.lists = config.indexHeads;
  options.pool = SelectPool::Max;
  if (config.nearBlocks > 0)
    options.alwaysBefore = config.nearBlocks - 1;
  return b.selectBlocks(
      buildHeads(x, keys + "q_proj", keys + "q_norm", config.indexHeads,
                 config.indexDim),
      buildHeads(x, keys + "k_proj", keys + "k_norm", 1, config.indexDim),
      options);
}

Value M3Graph::buildAttention(Value x, int64_t variant) {
  const AttentionHeads &heads = config.heads;
  std::string keys = config.layer + "self_attn.";
  Value query =
      buildHeads(x, keys + "q_proj", keys + "q_norm", heads.heads, heads.dim);
  Value key =
      buildHeads(x, keys + "k_proj", keys + "k_norm", heads.kvHeads, heads.dim);
  Value value = b.splitHeads(
      b.linear(x, keys + "v_proj", heads.kvHeads * heads.dim), heads.kvHeads);
  AttentionOptions options;
  options.mask = b.causalMask();
  options.scale = heads.scale;
  if (variant == ChosenBlocks) {
    options.blockList = buildList(x);
    options.blockSize = config.blockSize;
    // Lists and heads of keys have to be parts of each other.
    if (config.indexHeads % heads.kvHeads &&
        heads.kvHeads % config.indexHeads) {
      key = repeatHeads(b, key, heads.heads / heads.kvHeads);
      value = repeatHeads(b, value, heads.heads / heads.kvHeads);
    }
  }
  return b.linear(b.mergeHeads(b.attention(query, key, value, options)),
                  keys + "o_proj", config.hidden);
}

/// The key of gate and up matrices that stand one behind the other in what
/// begins with `prefix`, or nothing.
static std::string getGateUp(ModelBuilder &b, const std::string &prefix) {
  std::string key = prefix + "gate_up_proj";
  return b.hasTensor(key + ".weight") ? key : "";
}

Value M3Graph::buildDense(Value x) {
  std::string mlp = config.layer + "mlp.";
  return boundedMLP(
      b, x, {mlp + "up_proj", mlp + "down_proj", mlp + "gate_proj"},
      getGateUp(b, mlp), config.denseInner, *config.experts.boundedGate);
}

Value M3Graph::buildMixture(Value x) {
  std::string block = config.layer + "block_sparse_moe.";
  if (!b.hasTensor(block + "gate.weight"))
    block = config.layer + "mlp.";
  ExpertsSpec experts = config.experts;
  experts.router.key = block + "gate";
  experts.router.bias = block + "gate.e_score_correction_bias";
  if (std::string older = block + "e_score_correction_bias"; b.hasTensor(older))
    experts.router.bias = older;
  experts.keys.prefix = block + "experts.";
  if (b.hasTensor(experts.keys.prefix + "0.w1.weight")) {
    experts.keys.gate = "w1";
    experts.keys.up = "w3";
    experts.keys.down = "w2";
  }
  std::string shared = block + "shared_experts.";
  experts.shared = {shared + "up_proj", shared + "down_proj",
                    shared + "gate_proj"};
  experts.sharedGateUp = getGateUp(b, shared);
  return weir::buildMixture(b, x, experts);
}

Value M3Graph::buildLayer(const HybridLayer &kind, Value x) {
  return preNormLayer(
      b, config, x,
      [&](Value normed) { return buildAttention(normed, kind.variant); },
      [&](Value normed) {
        return kind.feedForward == FeedForward::Experts ? buildMixture(normed)
                                                        : buildDense(normed);
      });
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

/// Reads the sizes of the indexer and which layers have one, as transformers
/// spells them or, laid over these, in an object of their own.
static void readIndexer(ConfigReader &reader, M3Config &config) {
  const json::Value *value = reader.get("sparse_attention_config");
  const json::Object *older = value ? value->getAsObject() : nullptr;
  if (value && !older)
    reader.emitError("sparse_attention_config")
        << "key 'sparse_attention_config' is no object";
  auto read = [&](StringRef key, StringRef olderKey, int64_t usual,
                  int64_t least) {
    int64_t size = reader.getInt(key, usual);
    if (older)
      size = older->getInteger(olderKey).value_or(size);
    if (size < least)
      reader.emitError(older && older->get(olderKey) ? "sparse_attention_config"
                                                     : key)
          << "key '" << key << "' is " << size << ", expected " << least
          << " or more";
    return std::max(size, least);
  };
  config.indexHeads = read("index_n_heads", "sparse_num_index_heads", 4, 1);
  config.indexDim = read("index_head_dim", "sparse_index_dim", 128, 1);
  config.blockSize = read("index_block_size", "sparse_block_size", 128, 1);
  config.blocks = read("index_topk_blocks", "sparse_topk_blocks", 16, 1);
  config.nearBlocks = read("index_local_blocks", "sparse_local_block", 1, 0);
  const json::Array *names = getLayerList(reader, "layer_types", config.layers);
  const json::Array *flags =
      older ? getLayerList(reader, "sparse_attention_config",
                           older->get("sparse_attention_freq"), config.layers)
            : nullptr;
  bool hasLists = false;
  for (auto [layer, kind] : llvm::enumerate(config.order)) {
    if (names) {
      StringRef name = (*names)[layer].getAsString().value_or("");
      if (name == "minimax_m3_sparse")
        kind.variant = ChosenBlocks;
      else if (name != "full_attention")
        reader.emitError("layer_types")
            << "key 'layer_types' names '" << name << "' for layer " << layer
            << ", expected full_attention or minimax_m3_sparse";
    } else if (flags) {
      kind.variant = (*flags)[layer].getAsInteger().value_or(0) != 0
                         ? ChosenBlocks
                         : AllKeys;
    }
    hasLists |= kind.variant == ChosenBlocks;
  }
  if (!hasLists)
    return;
  if (config.heads.heads % config.indexHeads)
    reader.emitError("index_n_heads")
        << "key 'index_n_heads' is " << config.indexHeads
        << ", expected a divisor of the " << config.heads.heads
        << " heads that share their lists";
  if (config.nearBlocks > config.blocks)
    reader.emitError("index_local_blocks")
        << "key 'index_local_blocks' is " << config.nearBlocks
        << ", expected no more than the " << config.blocks
        << " of 'index_topk_blocks'";
  if (config.heads.rotary && config.indexDim < config.heads.rotary->dims)
    reader.emitError("index_head_dim")
        << "key 'index_head_dim' is " << config.indexDim
        << ", expected at least the " << config.heads.rotary->dims
        << " features that are rotated";
}

/// Reads which layers have experts, by names or by numbers.
static void readMixtureLayers(ConfigReader &reader, M3Config &config) {
  const json::Array *names =
      getLayerList(reader, "mlp_layer_types", config.layers);
  const json::Array *flags =
      getLayerList(reader, "moe_layer_freq", config.layers);
  chooseFeedForwards(config, [&](int64_t layer) {
    if (names)
      return (*names)[layer].getAsString() == StringRef("sparse");
    return !flags || (*flags)[layer].getAsInteger().value_or(0) != 0;
  });
}

/// Builds the model; `tied`, where it is given, goes before what `reader` says
/// of tables.
static ModelFacts build(ModelBuilder &b, ConfigReader &reader,
                        const FamilyRequest &request,
                        std::optional<bool> tied = std::nullopt) {
  M3Config config;
  config.vocabSize = 200064;
  config.hidden = 6144;
  config.layers = 60;
  config.length = 524288;
  config.normOffset = normOffset;
  readHybridModel(reader, config);
  config.tied = tied.value_or(false) || config.tied;
  // As the first checkpoints have it.
  if (b.getCheckpoint().lookup("language_model.model.norm.weight")) {
    config.model = "language_model.model.";
    config.layer = config.model + "layers.*.";
    config.head = "language_model.lm_head";
  }
  config.order.assign(config.layers, {TokenMixer::Attention});
  AttentionHeads &heads = config.heads;
  heads.heads = 64;
  heads.kvHeads = 4;
  readAttentionHeads(reader, heads, config.hidden, /*headDim=*/128);
  RotaryOptions rotary;
  rotary.trainedLength = config.length;
  rotary.allowsPartial = true;
  rotary.defaultBase = 5000000.0;
  readHeadRotary(reader, b, request, heads, rotary);
  readIndexer(reader, config);
  readMixtureLayers(reader, config);

  ExpertsSpec &experts = config.experts;
  readExpertCounts(reader, experts.router, {"num_local_experts", "num_experts"},
                   128, {"num_experts_per_tok"}, 4);
  ignoreTrainingOfExperts(reader);
  experts.router.score = RouteScore::Sigmoid;
  experts.router.scale = reader.getFloat("routed_scaling_factor", 2);
  experts.inner = reader.getSize("intermediate_size", 3072);
  experts.sharedInner = reader.getSize("shared_intermediate_size", 3072);
  experts.boundsShared = true;
  experts.boundedGate = BoundedGate{reader.getFloat("swiglu_alpha", 1.702),
                                    reader.getFloat("swiglu_limit", 7)};
  config.denseInner = reader.getSize("dense_intermediate_size", 12288);
  // Gates are what they are, and so are norms and scores; the rotated part is
  // said by other keys.
  reader.ignore({"hidden_act", "rotary_dim", "n_shared_experts",
                 "num_mtp_modules", "qk_norm_type", "scoring_func",
                 "use_gemma_norm", "use_qk_norm", "use_routing_bias"});
  markLaterHeads(b.getCheckpoint(), config, "mtp.");
  ModelFacts facts = buildHybridModel<M3Graph>(b, reader, request, config);
  facts.bos = 200034;
  facts.eos = 200020;
  return facts;
}

static ModelFacts buildText(ModelBuilder &b, ConfigReader &reader,
                            const FamilyRequest &request) {
  return build(b, reader, request);
}

static ModelFacts buildWrapper(ModelBuilder &b, ConfigReader &reader,
                               const FamilyRequest &request) {
  bool tied = reader.getBool("tie_word_embeddings", false);
  reader.ignore({"image_token_index", "merged_hidden_size",
                 "projector_hidden_size", "video_token_index"});
  return buildTextPart(
      b, reader,
      {"model.vision_tower.", "model.multi_modal_projector.", "vision_tower.",
       "multi_modal_projector.", "patch_merge_mlp."},
      [&](ConfigReader &text) { return build(b, text, request, tied); });
}

namespace weir {
void registerMiniMaxM3Family(FamilyTable &table) {
  table.add({"minimax_m3_vl_text",
             "MiniMaxM3VLForCausalLM",
             "MiniMaxM3VLTextModel",
             "",
             {},
             buildText});
}

void registerMiniMaxM3WrapperFamily(FamilyTable &table) {
  table.add({"minimax_m3_vl",
             "MiniMaxM3SparseForConditionalGeneration",
             "MiniMaxM3VLModel",
             "",
             {},
             buildWrapper});
}
} // namespace weir
