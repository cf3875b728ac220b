//===- Decoder.cpp - Keys and options of decoders -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "llvm/ADT/bit.h"
#include <cmath>

using namespace mlir;
using namespace weir;

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

std::string weir::getModelPrefix(const Checkpoint &checkpoint,
                                 const std::string &prefix,
                                 const std::string &tensor) {
  bool bare = !checkpoint.lookup(prefix + tensor) && checkpoint.lookup(tensor);
  return bare ? "" : prefix;
}

DecoderKeys weir::getDecoderKeys(const Checkpoint &checkpoint,
                                 const std::string &part) {
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
    if (hasLayerTensor(checkpoint, block + "attn_qkv.weight"))
      keys.fused = block + "attn_qkv";
    return keys;
  }
  std::string model =
      getModelPrefix(checkpoint, part + "model.", "embed_tokens.weight");
  std::string layer = keys.layer = model + "layers.*.";
  keys.embed = model + "embed_tokens";
  keys.finalNorm = model + "norm";
  keys.head = part + "lm_head";
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

DecoderKeys weir::getGPTKeys(const Checkpoint &checkpoint) {
  DecoderKeys keys;
  std::string model = getModelPrefix(checkpoint, "transformer.", "wte.weight");
  std::string layer = keys.layer = model + "h.*.";
  keys.embed = model + "wte";
  keys.positions = model + "wpe";
  keys.finalNorm = model + "ln_f";
  keys.head = "lm_head";
  keys.attentionNorm = layer + "ln_1";
  keys.mlpNorm = layer + "ln_2";
  keys.mlp = {layer + "mlp.c_fc", layer + "mlp.c_proj", ""};
  return keys;
}

ArrayRef<ConfigAlias> weir::getGPTSpellings() {
  static constexpr ConfigAlias spellings[] = {
      {"hidden_size", "n_embd"},
      {"intermediate_size", "n_inner"},
      {"num_hidden_layers", "n_layer"},
      {"num_attention_heads", "n_head"},
      {"max_position_embeddings", "n_positions"},
      {"rms_norm_eps", "layer_norm_epsilon"},
      {"hidden_act", "activation_function"}};
  return spellings;
}

void weir::ignoreSummaryHead(ConfigReader &reader) {
  reader.ignore({"n_special", "predict_special_tokens", "summary_activation",
                 "summary_first_dropout", "summary_proj_to_labels",
                 "summary_type", "summary_use_proj"});
}

DecoderKeys weir::getBloomKeys(const std::string &model) {
  DecoderKeys keys;
  std::string layer = keys.layer = model + "h.*.";
  keys.embed = model + "word_embeddings";
  keys.finalNorm = model + "ln_f";
  keys.head = "lm_head";
  keys.attentionNorm = layer + "input_layernorm";
  keys.mlpNorm = layer + "post_attention_layernorm";
  keys.fused = layer + "self_attention.query_key_value";
  keys.output = layer + "self_attention.dense";
  keys.mlp = {layer + "mlp.dense_h_to_4h", layer + "mlp.dense_4h_to_h", ""};
  return keys;
}

void weir::setPostNorms(const Checkpoint &checkpoint, DecoderKeys &keys) {
  keys.attentionNorm.clear();
  keys.mlpNorm.clear();
  bool isGGUF = checkpoint.format() == Checkpoint::Format::GGUF;
  keys.attentionPostNorm = keys.layer + (isGGUF ? "post_attention_norm"
                                                : "post_attention_layernorm");
  keys.mlpPostNorm =
      keys.layer + (isGGUF ? "post_ffw_norm" : "post_feedforward_layernorm");
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

void weir::readDecoder(ConfigReader &reader, ModelBuilder &builder,
                       const FamilyRequest &request, DecoderConfig &config) {
  if (reader.isGGUF())
    setGGUFAliases(reader, config.norm.centred);
  config.hidden = reader.getSize("hidden_size", config.hidden);
  config.inner = reader.getSize(
      "intermediate_size", config.inner ? config.inner : 4 * config.hidden);
  config.layers = reader.getSize("num_hidden_layers", config.layers);
  config.heads = reader.getSize("num_attention_heads", config.heads);
  int64_t kvHeads = config.kvHeads.value_or(config.heads);
  if (reader.isGGUF() ||
      (config.readsKVHeads && reader.isNull("num_key_value_heads")))
    kvHeads = config.heads;
  // GGUF files leave it out where it equals the query heads.
  const GGUFMetadata *metadata = reader.getCheckpoint().ggufMetadata();
  bool given = reader.has("num_key_value_heads") ||
               (metadata &&
                metadata->getArray(reader.getSpelling("num_key_value_heads")));
  if (reader.isGGUF() ? given : config.readsKVHeads)
    kvHeads = reader.getSize("num_key_value_heads", kvHeads);
  config.kvHeads = kvHeads;
  int64_t dim = std::max<int64_t>(config.hidden / config.heads, 1);
  if (!reader.isNull("head_dim") && !reader.isGGUF())
    dim = config.headDim.value_or(dim);
  if (config.readsHeadDim || reader.isGGUF()) {
    if (reader.has("head_dim"))
      dim = reader.getSize("head_dim", dim);
    reader.ignore({"head_dim"});
  }
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
  if (config.sharesLayers ? config.layers > 1 << 16 : config.layers > tensors) {
    reader.emitError("num_hidden_layers")
        << "key '" << reader.getSpelling("num_hidden_layers") << "' is "
        << config.layers << " when the checkpoint has " << tensors
        << " tensors";
    config.layers = 1;
  }
  config.windows.assign(config.layers, std::nullopt);

  RotaryOptions &options = config.rotaryOptions;
  options.headDim = dim;
  options.trainedLength = config.trainedLength;
  options.maxLength = request.maxLength.value_or(config.trainedLength);
  if (config.rotates) {
    RotaryLayout layout = config.rotary.layout;
    config.rotary = readRotary(reader, builder, options);
    config.rotary.layout = layout;
  }
}

/// The layers with a window by the list `layer_types`, or by `isWindowed` where
/// there is none; `complaint` says why there might be no window to have.
static void setWindows(ConfigReader &reader, DecoderConfig &config,
                       std::optional<int64_t> window, StringRef complaint,
                       function_ref<bool(int64_t)> isWindowed) {
  if (auto pattern = reader.getIntegers("sliding_window_pattern")) {
    if (static_cast<int64_t>(pattern->size()) != config.layers)
      reader.emitError("sliding_window_pattern")
          << "key '" << reader.getSpelling("sliding_window_pattern")
          << "' is no list of " << config.layers << " flags";
    else
      for (auto [layer, slides] : llvm::enumerate(*pattern))
        if (slides)
          config.windows[layer] = window;
    return;
  }
  const llvm::json::Value *types = reader.get("layer_types");
  if (!types) {
    for (int64_t i = 0; i < config.layers; ++i)
      if (isWindowed(i))
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
      reader.emitError("layer_types") << "key 'layer_types' gives layer " << i
                                      << " a window when " << complaint;
      return;
    }
    config.windows[i] = window;
  }
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
  setWindows(reader, config, window,
             "'sliding_window' is null or 'use_sliding_window' is not true",
             [&](int64_t layer) { return isWindowed(layer, first); });
}

/// `sliding_window`, which null takes away from families that have one.
static std::optional<int64_t> getWindow(ConfigReader &reader,
                                        std::optional<int64_t> window) {
  if (reader.isNull("sliding_window"))
    window = std::nullopt;
  if (reader.has("sliding_window"))
    window = reader.getSize("sliding_window", 1);
  reader.ignore({"sliding_window"});
  return window;
}

void weir::readLayerTypes(ConfigReader &reader, DecoderConfig &config,
                          std::optional<int64_t> window,
                          function_ref<bool(int64_t)> isWindowed) {
  setWindows(reader, config, getWindow(reader, window),
             "'sliding_window' is null", isWindowed);
}

void weir::readLayerPattern(ConfigReader &reader, DecoderConfig &config,
                            std::optional<int64_t> window, int64_t pattern) {
  if (reader.has("sliding_window_pattern"))
    pattern = reader.getSize("sliding_window_pattern", pattern);
  reader.ignore({"sliding_window_pattern", "_sliding_window_pattern"});
  readLayerTypes(reader, config, window,
                 [&](int64_t layer) { return (layer + 1) % pattern != 0; });
}

void weir::readWindow(ConfigReader &reader, DecoderConfig &config,
                      std::optional<int64_t> window) {
  config.windows.assign(config.layers, getWindow(reader, window));
}

void weir::readOlderHidden(ConfigReader &reader) {
  static constexpr ConfigAlias older[] = {{"hidden_size", "n_embed"}};
  if (!reader.has("n_embed"))
    return;
  reader.ignore({"hidden_size"});
  reader.setSpellings(older);
}

void weir::readGraniteFactors(ConfigReader &reader, DecoderConfig &config) {
  if (!reader.isGGUF() || reader.has("attention_multiplier"))
    config.attentionScale = reader.getFloat("attention_multiplier", 1);
  config.embeddingScale = reader.getFloat("embedding_multiplier", 1);
  config.residualScale = reader.getFloat("residual_multiplier", 1);
  config.logitScale = 1 / reader.getFloat("logits_scaling", 1);
}

void weir::readGraniteWindows(ConfigReader &reader, DecoderConfig &config) {
  readLayerTypes(reader, config, 128,
                 [](int64_t layer) { return layer % 4 != 0; });
  const llvm::json::Value *value = reader.get("layer_rope_theta");
  if (!value)
    return;
  const llvm::json::Array *list = value->getAsArray();
  bool fits = list && static_cast<int64_t>(list->size()) >= config.layers;
  for (int64_t layer = 0; fits && layer < config.layers; ++layer) {
    double base = (*list)[layer].getAsNumber().value_or(-1);
    fits = base >= 0;
    config.unrotated.push_back(base == 0);
    config.layerRotary.push_back(config.rotary);
    config.layerRotary.back().base = base;
  }
  if (!fits)
    reader.emitError("layer_rope_theta")
        << "key 'layer_rope_theta' is no list of numbers, expected one that is "
           "not negative for each of the "
        << config.layers << " layers";
}

ModelFacts weir::buildTextPart(ModelBuilder &builder, ConfigReader &reader,
                               ArrayRef<StringLiteral> otherTensors,
                               function_ref<ModelFacts(ConfigReader &)> build) {
  ConfigReader text(reader, "text_config");
  reader.ignore({"image_token_id", "video_token_id", "vision_config",
                 "vision_end_token_id", "vision_start_token_id"});
  reader.finish();
  Checkpoint &checkpoint = builder.getCheckpoint();
  for (const TensorInfo &tensor : checkpoint.tensors())
    if (llvm::any_of(otherTensors, [&](StringRef prefix) {
          return StringRef(tensor.name).starts_with(prefix);
        }))
      checkpoint.markUsed(tensor.name);
  return build(text);
}

double weir::readCap(ConfigReader &reader, StringRef key, double fallback) {
  double cap = reader.isNull(key) ? 0 : reader.getFloat(key, fallback);
  if (reader.has(key) && !(cap > 0))
    reader.emitError(key) << "key '" << key << "' is " << cap
                          << ", expected a positive number or null";
  return cap;
}

std::vector<float> weir::getSlopes(int64_t heads) {
  int64_t power = llvm::bit_floor(static_cast<uint64_t>(heads));
  auto term = [](double ratio, int64_t step) {
    return static_cast<float>(std::exp2(-ratio * step));
  };
  std::vector<float> slopes;
  for (int64_t i = 1; i <= power; ++i)
    slopes.push_back(term(8.0 / power, i));
  for (int64_t i = 0; i < heads - power; ++i)
    slopes.push_back(term(4.0 / power, 2 * i + 1));
  return slopes;
}
