//===- Decoder.cpp - Decoders in the manner of Llama -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

using namespace mlir;
using namespace weir;

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

DecoderKeys weir::getDecoderKeys(const Checkpoint &checkpoint) {
  DecoderKeys keys;
  if (checkpoint.format() == Checkpoint::Format::GGUF) {
    keys.embed = "token_embd";
    keys.finalNorm = "output_norm";
    keys.head = "output";
    std::string block = keys.layer = "blk.*.";
    keys.attentionNorm = block + "attn_norm";
    keys.mlpNorm = block + "ffn_norm";
    keys.query = block + "attn_q";
    keys.key = block + "attn_k";
    keys.value = block + "attn_v";
    keys.output = block + "attn_output";
    keys.queryNorm = block + "attn_q_norm";
    keys.keyNorm = block + "attn_k_norm";
    keys.mlp = {block + "ffn_up", block + "ffn_down", block + "ffn_gate"};
    return keys;
  }
  bool bare = !checkpoint.lookup("model.norm.weight") &&
              checkpoint.lookup("norm.weight");
  std::string model = bare ? "" : "model.";
  std::string layer = keys.layer = model + "layers.*.";
  keys.embed = model + "embed_tokens";
  keys.finalNorm = model + "norm";
  keys.head = "lm_head";
  keys.attentionNorm = layer + "input_layernorm";
  keys.mlpNorm = layer + "post_attention_layernorm";
  keys.query = layer + "self_attn.q_proj";
  keys.key = layer + "self_attn.k_proj";
  keys.value = layer + "self_attn.v_proj";
  keys.output = layer + "self_attn.o_proj";
  keys.queryNorm = layer + "self_attn.q_norm";
  keys.keyNorm = layer + "self_attn.k_norm";
  keys.mlp = {layer + "mlp.up_proj", layer + "mlp.down_proj",
              layer + "mlp.gate_proj"};
  return keys;
}

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
// Configuration
//===----------------------------------------------------------------------===//

/// GGUF's names of the keys below.
static constexpr ConfigAlias ggufAliases[] = {
    {"hidden_size", "embedding_length"},
    {"intermediate_size", "feed_forward_length"},
    {"num_hidden_layers", "block_count"},
    {"num_attention_heads", "attention.head_count"},
    {"num_key_value_heads", "attention.head_count_kv"},
    {"head_dim", "attention.key_length"},
    {"value_dim", "attention.value_length"},
    {"rms_norm_eps", "attention.layer_norm_rms_epsilon"},
    {"max_position_embeddings", "context_length"},
    {"vocab_size", "vocab_size"},
    {"causal", "attention.causal"},
    {"experts", "expert_count"},
    {"experts_used", "expert_used_count"},
    {"tensor_layout", "tensor_data_layout"},
    {"rope_theta", "rope.freq_base"},
    {"rope_dims", "rope.dimension_count"},
    {"rope_type", "rope.scaling.type"},
    {"rope_factor", "rope.scaling.factor"},
    {"rope_scale_linear", "rope.scale_linear"},
    {"rope_original_length", "rope.scaling.original_context_length"},
    {"rope_attention_factor", "rope.scaling.attn_factor"},
    {"rope_finetuned", "rope.scaling.finetuned"},
    {"rope_beta_fast", "rope.scaling.yarn_beta_fast"},
    {"rope_beta_slow", "rope.scaling.yarn_beta_slow"},
};

/// What only GGUF files say.
static void readGGUFKeys(ConfigReader &reader, DecoderConfig &config,
                         const DecoderKeys &keys) {
  // The table itself is the authority: files have more rows than `vocab_size`.
  reader.ignore({"vocab_size", "tensor_layout"});
  const TensorInfo *table =
      reader.getCheckpoint().lookup(keys.embed + ".weight");
  if (table && table->shape.size() == 2)
    config.vocabSize = table->shape[0];
  config.tied = !reader.getCheckpoint().lookup(keys.head + ".weight");
  reader.expect("causal", true, "the model looks ahead");
  reader.expect("experts", 0, "the model is a mixture of experts");
  reader.expect("experts_used", 0, "the model is a mixture of experts");
  int64_t dim = *config.headDim;
  if (reader.getInt("value_dim", dim) != dim)
    reader.emitError("value_dim")
        << "key '" << reader.getSpelling("value_dim") << "' is "
        << reader.getInt("value_dim", dim) << ", expected the " << dim
        << " of keys: values of another size are not supported";
}

void weir::readDecoder(ConfigReader &reader, ModelBuilder &builder,
                       const FamilyRequest &request, DecoderConfig &config) {
  if (reader.isGGUF())
    reader.setAliases(reader.getCheckpoint()
                          .config()
                          .getString("general.architecture")
                          .value_or(""),
                      ggufAliases);
  config.hidden = reader.getSize("hidden_size", config.hidden);
  config.inner = reader.getSize("intermediate_size", config.inner);
  config.layers = reader.getSize("num_hidden_layers", config.layers);
  config.heads = reader.getSize("num_attention_heads", config.heads);
  int64_t kvHeads = reader.isNull("num_key_value_heads") || reader.isGGUF()
                        ? config.heads
                        : config.kvHeads.value_or(config.heads);
  // GGUF files leave it out where it equals the query heads.
  const GGUFMetadata *metadata = reader.getCheckpoint().ggufMetadata();
  bool given = reader.has("num_key_value_heads") ||
               (metadata &&
                metadata->getArray(reader.getSpelling("num_key_value_heads")));
  if (given || !reader.isGGUF())
    kvHeads = reader.getSize("num_key_value_heads", kvHeads);
  config.kvHeads = kvHeads;
  int64_t dim = std::max<int64_t>(config.hidden / config.heads, 1);
  if (!reader.isNull("head_dim") && !reader.isGGUF())
    dim = config.headDim.value_or(dim);
  if (reader.has("head_dim"))
    dim = reader.getSize("head_dim", dim);
  reader.ignore({"head_dim"});
  config.headDim = dim;
  config.trainedLength =
      reader.getSize("max_position_embeddings", config.trainedLength);
  if (reader.isGGUF() && !reader.has("rms_norm_eps"))
    reader.emitError("rms_norm_eps")
        << "key '" << reader.getSpelling("rms_norm_eps")
        << "' is missing, expected a number";
  config.eps = reader.getFloat("rms_norm_eps", config.eps);
  if (!(config.eps >= 0))
    reader.emitError("rms_norm_eps")
        << "key '" << reader.getSpelling("rms_norm_eps") << "' is "
        << config.eps << ", expected no negative number";

  if (reader.isGGUF()) {
    readGGUFKeys(reader, config, getDecoderKeys(reader.getCheckpoint()));
  } else {
    config.vocabSize = reader.getSize("vocab_size", config.vocabSize);
    config.activation = reader.getString("hidden_act", config.activation);
    config.tied = reader.getBool("tie_word_embeddings", config.tied);
  }
  if (config.heads % kvHeads)
    reader.emitError("num_key_value_heads")
        << "key '" << reader.getSpelling("num_attention_heads") << "' is "
        << config.heads << ", expected a multiple of the " << kvHeads << " of '"
        << reader.getSpelling("num_key_value_heads") << "'";
  int64_t tensors = reader.getCheckpoint().tensors().size();
  if (config.layers > tensors) {
    reader.emitError("num_hidden_layers")
        << "key '" << reader.getSpelling("num_hidden_layers") << "' is "
        << config.layers << " when the checkpoint has " << tensors
        << " tensors";
    config.layers = 1;
  }
  config.windows.assign(config.layers, std::nullopt);

  RotaryOptions options;
  options.headDim = dim;
  options.trainedLength = config.trainedLength;
  options.maxLength = request.maxLength.value_or(config.trainedLength);
  options.allowsPartial = false;
  config.rotary = readRotary(reader, builder, options);
}

void weir::readLayerWindows(ConfigReader &reader, DecoderConfig &config,
                            function_ref<bool(int64_t, int64_t)> isWindowed) {
  if (reader.isGGUF())
    return;
  bool windowed = reader.getBool("use_sliding_window", false);
  std::optional<int64_t> window = 4096;
  if (reader.isNull("sliding_window"))
    window = std::nullopt;
  else if (windowed && reader.has("sliding_window"))
    window = reader.getSize("sliding_window", *window);
  // Without windows its value is whatever the family's default is, 0 included.
  reader.ignore({"sliding_window"});
  if (!windowed)
    window = std::nullopt;
  int64_t first = reader.getInt("max_window_layers", 28);
  const llvm::json::Value *types = reader.get("layer_types");
  if (!types) {
    for (int64_t i = 0; i < config.layers; ++i)
      if (isWindowed(i, first))
        config.windows[i] = window;
    return;
  }
  const llvm::json::Array *list = types->getAsArray();
  if (!list || static_cast<int64_t>(list->size()) != config.layers) {
    reader.emitError("layer_types")
        << "key 'layer_types' is no list of " << config.layers << " names";
    return;
  }
  for (auto [i, type] : llvm::enumerate(*list)) {
    auto name = type.getAsString().value_or("");
    if (name == "full_attention" || name == "attention")
      continue;
    if (name != "sliding_attention") {
      reader.emitError("layer_types")
          << "key 'layer_types' names '" << name << "' for layer " << i
          << ", expected full_attention or sliding_attention";
      return;
    }
    if (!window) {
      reader.emitError("layer_types")
          << "key 'layer_types' gives layer " << i
          << " a window when 'sliding_window' is null or "
             "'use_sliding_window' is not true";
      return;
    }
    config.windows[i] = window;
  }
}

void weir::findDecoderBiases(ModelBuilder &builder, const DecoderKeys &keys,
                             DecoderConfig &config) {
  // Files of one model have a bias in all layers or in none, so one is asked;
  // `param` finds out where that is not so.
  auto hasBias = [&](StringRef key) {
    auto [before, after] = key.split('*');
    return builder.getCheckpoint().lookup(
               (before + "0" + after + ".bias").str()) != nullptr;
  };
  config.queryBias = hasBias(keys.query);
  config.keyBias = hasBias(keys.key);
  config.valueBias = hasBias(keys.value);
  config.outputBias = hasBias(keys.output);
  config.mlpBias = hasBias(keys.mlp.up);
}

//===----------------------------------------------------------------------===//
// Graph
//===----------------------------------------------------------------------===//

namespace {

/// Values that all layers share.
struct DecoderContext {
  const DecoderConfig &config;
  const DecoderKeys &keys;
  Value positions, frequencies;
};

} // namespace

/// `input` with magnitudes of at most `bound`.
static Value clamp(ModelBuilder &b, Value input, double bound) {
  return b.map(input, [&](OpBuilder &n, Location l, ValueRange in) -> Value {
    auto number = [&](double value) -> Value {
      return arith::ConstantOp::create(n, l,
                                       n.getFloatAttr(in[0].getType(), value));
    };
    Value low = arith::MaximumFOp::create(n, l, in[0], number(-bound));
    return arith::MinimumFOp::create(n, l, low, number(bound));
  });
}

static Value buildAttention(ModelBuilder &b, const DecoderContext &context,
                            Value x, std::optional<int64_t> window) {
  const DecoderConfig &config = context.config;
  const DecoderKeys &keys = context.keys;
  int64_t dim = *config.headDim, kvHeads = *config.kvHeads;
  Value query = b.linear(x, keys.query, config.heads * dim, config.queryBias);
  Value key = b.linear(x, keys.key, kvHeads * dim, config.keyBias);
  Value value = b.linear(x, keys.value, kvHeads * dim, config.valueBias);
  if (config.projectionNorms) {
    query = b.rmsNorm(query, keys.queryNorm, config.eps);
    key = b.rmsNorm(key, keys.keyNorm, config.eps);
  }
  if (config.clip)
    for (Value *part : {&query, &key, &value})
      *part = clamp(b, *part, *config.clip);
  query = b.splitHeads(query, config.heads);
  key = b.splitHeads(key, kvHeads);
  value = b.splitHeads(value, kvHeads);
  if (config.headNorms) {
    query = b.rmsNorm(query, keys.queryNorm, config.eps);
    key = b.rmsNorm(key, keys.keyNorm, config.eps);
  }
  query =
      b.rotary(query, context.positions, context.frequencies, config.rotary);
  key = b.rotary(key, context.positions, context.frequencies, config.rotary);
  AttentionOptions options;
  options.mask = window ? b.causalWindow(*window) : b.causalMask();
  options.scale =
      config.attentionScale.value_or(1.0 / std::sqrt(static_cast<double>(dim)));
  Value mixed = b.mergeHeads(b.attention(query, key, value, options));
  return b.linear(mixed, keys.output, config.hidden, config.outputBias);
}

ModelFacts weir::buildDecoder(ModelBuilder &b, ConfigReader &reader,
                              const FamilyRequest &request,
                              const DecoderKeys &keys, DecoderConfig &config) {
  ModelFacts facts;
  facts.vocabSize = config.vocabSize;
  facts.maxLength = config.trainedLength;
  reader.finish();
  if (reader.hasFailed())
    return facts;

  // Layers that differ in their window, or in having experts, are of different
  // kinds, numbered in the order they come.
  using Kind = std::pair<std::optional<int64_t>, bool>;
  SmallVector<Kind> layers, kinds;
  for (auto [layer, window] : llvm::enumerate(config.windows))
    layers.emplace_back(window, config.experts && (config.sparse.empty() ||
                                                   config.sparse[layer]));
  SmallVector<int32_t> order = numberKinds<Kind>(layers, kinds);

  TokenTables tables =
      resolveTables(b.getCheckpoint(), keys.embed + ".weight",
                    keys.head + ".weight", config.tied && request.hasHead);
  Value ids = b.beginForward();
  b.setScope(keys.embed);
  Value x = b.embedding(ids, tables.embedding, config.vocabSize, config.hidden);
  if (config.embeddingScale != 1)
    x = b.scale(x, config.embeddingScale);
  DecoderContext context{config, keys, b.positions(ids),
                         b.frequencies(config.rotary)};
  auto addPart = [&](Value to, Value part) {
    if (config.residualScale != 1)
      part = b.scale(part, config.residualScale);
    return b.add(to, part);
  };
  x = b.stack(x, order, [&](int32_t kind, Value input) {
    auto [window, sparse] = kinds[kind];
    b.setScope(keys.query);
    Value normed = b.rmsNorm(input, keys.attentionNorm, config.eps);
    Value mixed = addPart(input, buildAttention(b, context, normed, window));
    b.setScope(sparse ? config.experts->router.key : keys.mlp.up);
    Value inner = b.rmsNorm(mixed, keys.mlpNorm, config.eps);
    return addPart(mixed, sparse ? buildMixture(b, inner, *config.experts)
                                 : b.mlp(inner, keys.mlp, config.inner,
                                         config.activation, config.mlpBias));
  });
  b.setScope(keys.finalNorm);
  x = b.rmsNorm(x, keys.finalNorm, config.eps);
  if (request.hasHead)
    x = b.linear(x, b.weight(tables.head, {config.vocabSize, config.hidden}),
                 Value());
  if (request.hasHead && config.logitScale != 1)
    x = b.scale(x, config.logitScale);
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", x);
  return facts;
}
