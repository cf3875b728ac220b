//===- T5.cpp - The T5 families ---------------------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// T5 (arXiv:1910.10683), and mT5 and umT5, which name its defaults otherwise;
// umT5 has a table of biases in each layer (arXiv:2304.09151).
//
//===----------------------------------------------------------------------===//

#include "T5.h"
#include <cmath>

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {
    {"hidden_size", "d_model"},
    {"intermediate_size", "d_ff"},
    {"num_hidden_layers", "num_layers"},
    {"num_attention_heads", "num_heads"},
    {"head_dim", "d_kv"},
    {"rms_norm_eps", "layer_norm_epsilon"},
    {"hidden_act", "dense_act_fn"}};

DecoderConfig weir::getT5Defaults() {
  DecoderConfig config;
  config.vocabSize = 32128;
  config.hidden = 512;
  config.inner = 2048;
  config.layers = 6;
  config.heads = 8;
  config.headDim = 64;
  config.trainedLength = ModelFacts::unlimited;
  config.activation = "relu";
  config.tied = true;
  config.eos = 1;
  config.rotates = false;
  config.readsKVHeads = false;
  config.attentionScale = 1;
  return config;
}

/// The keys of the part that `part` names, "encoder" or "decoder".
static DecoderKeys getKeys(Checkpoint &checkpoint, const std::string &part,
                           const std::string &inner) {
  DecoderKeys keys;
  bool isDecoder = part == "decoder";
  std::string layer = keys.layer = part + ".block.*.layer.";
  // Both parts read the same table, which may be stored for each.
  std::string table = resolveTables(checkpoint, "shared.weight",
                                    part + ".embed_tokens.weight", true)
                          .head;
  keys.embed = StringRef(table).drop_back(strlen(".weight")).str();
  keys.finalNorm = part + ".final_layer_norm";
  keys.attentionNorm = layer + "0.layer_norm";
  std::string attention = layer + "0.SelfAttention.";
  keys.query = attention + "q";
  keys.key = attention + "k";
  keys.value = attention + "v";
  keys.output = attention + "o";
  if (isDecoder) {
    std::string cross = layer + "1.EncDecAttention.";
    keys.crossQuery = cross + "q";
    keys.crossKey = cross + "k";
    keys.crossValue = cross + "v";
    keys.crossOutput = cross + "o";
    keys.crossNorm = layer + "1.layer_norm";
    keys.head = "lm_head";
  }
  layer += isDecoder ? "2." : "1.";
  keys.mlpNorm = layer + "layer_norm";
  keys.mlp = {layer + inner + "wi", layer + inner + "wo", ""};
  return keys;
}

/// Has scores biased by the table of `part`, of its first layer or of each.
static void setBias(ModelBuilder &builder, DecoderConfig &config,
                    const RelativeBias &shared, const std::string &part,
                    bool perLayer) {
  RelativeBias bias = shared;
  bias.heads = config.heads;
  bias.bothSides = !config.causal;
  bias.key = part + ".block." + (perLayer ? "*" : "0") +
             ".layer.0.SelfAttention.relative_attention_bias.weight";
  if (perLayer)
    config.prepareAttention = [&builder, bias](Value) -> AttentionChange {
      return [&builder, bias](AttentionOptions &options) {
        buildRelativeBias(builder, bias)(options);
      };
    };
  else
    config.prepareAttention = [&builder, bias](Value) {
      return buildRelativeBias(builder, bias);
    };
}

void weir::readT5(ConfigReader &reader, ModelBuilder &builder,
                  const FamilyRequest &request, const DecoderConfig &defaults,
                  const std::string &inner, bool biasPerLayer, T5Model &model) {
  reader.setSpellings(spellings);
  DecoderConfig &config = model.encoder.config = defaults;
  readDecoder(reader, builder, request, config);
  config.causal = false;
  DecoderConfig &decoder = model.decoder.config = config;
  decoder.causal = true;
  if (reader.has("num_decoder_layers"))
    decoder.layers = reader.getSize("num_decoder_layers", config.layers);
  reader.ignore({"num_decoder_layers"});
  int64_t tensors = reader.getCheckpoint().tensors().size();
  if (decoder.layers > tensors && !request.encoderOnly) {
    reader.emitError("num_decoder_layers")
        << "key 'num_decoder_layers' is " << decoder.layers
        << " when the checkpoint has " << tensors << " tensors";
    decoder.layers = 1;
  }
  decoder.windows.assign(decoder.layers, std::nullopt);
  // The decoder's rows are no fewer for keys behind, so its needs come second.
  RelativeBias bias;
  readRelativeBias(reader, bias);
  bias.bothSides = false;
  if (bias.maxDistance <= bias.getExact() && !request.encoderOnly &&
      !reader.hasFailed())
    reader.emitError("relative_attention_max_distance")
        << "key 'relative_attention_max_distance' is " << bias.maxDistance
        << ", expected more than " << bias.getExact();
  // Of training, and of lengths that the first files speak of.
  reader.ignore({"dropout_rate", "initializer_factor", "n_positions",
                 "scalable_attention"});
  Checkpoint &checkpoint = builder.getCheckpoint();
  model.encoder.keys = getKeys(checkpoint, "encoder", inner);
  setBias(builder, config, bias, "encoder", biasPerLayer);
  if (request.encoderOnly)
    return;
  model.decoder.keys = getKeys(checkpoint, "decoder", inner);
  setBias(builder, decoder, bias, "decoder", biasPerLayer);
}

/// What `feed_forward_proj` says, like "gated-gelu" or "relu", unless the keys
/// that are made of it say otherwise.
static void readPerceptron(ConfigReader &reader, StringRef fallback,
                           T5Model &model) {
  std::string kind = reader.getString("feed_forward_proj", fallback);
  StringRef activation = kind;
  bool gated = activation.consume_front("gated-");
  if (activation.contains('-') || activation.empty())
    reader.emitError("feed_forward_proj")
        << "key 'feed_forward_proj' is '" << kind
        << "', expected an activation or 'gated-' and one";
  if (kind == "gated-gelu")
    activation = "gelu_new";
  gated = reader.getBool("is_gated_act", gated);
  for (DecoderSpec *part : {&model.encoder, &model.decoder}) {
    part->config.activation = reader.getString("hidden_act", activation);
    if (gated)
      part->keys.mlp = {part->keys.mlp.up + "_1", part->keys.mlp.down,
                        part->keys.mlp.up + "_0"};
  }
}

static ModelFacts buildT5(ModelBuilder &builder, ConfigReader &reader,
                          const FamilyRequest &request) {
  T5Model model;
  readT5(reader, builder, request, getT5Defaults(), "DenseReluDense.",
         /*biasPerLayer=*/false, model);
  readPerceptron(reader, "relu", model);
  // Untied tables once meant that the decoder's results are not scaled; they
  // are always tied now.
  bool tied = reader.getBool("tie_word_embeddings", true);
  if (reader.getBool("scale_decoder_outputs", tied))
    model.decoder.config.logitScale =
        1 / std::sqrt(static_cast<double>(model.decoder.config.hidden));
  model.decoder.config.tied = true;
  return buildEncoderDecoder(builder, reader, request, model.encoder,
                             model.decoder);
}

/// The defaults of mT5 and umT5.
static DecoderConfig getMT5Defaults() {
  DecoderConfig defaults = getT5Defaults();
  defaults.vocabSize = 250112;
  defaults.inner = 1024;
  defaults.layers = 8;
  defaults.heads = 6;
  return defaults;
}

static ModelFacts buildMT5(ModelBuilder &builder, ConfigReader &reader,
                           const FamilyRequest &request) {
  T5Model model;
  readT5(reader, builder, request, getMT5Defaults(), "DenseReluDense.",
         /*biasPerLayer=*/false, model);
  readPerceptron(reader, "gated-gelu", model);
  // Whatever the configuration says.
  model.decoder.config.tied = true;
  return buildEncoderDecoder(builder, reader, request, model.encoder,
                             model.decoder);
}

static ModelFacts buildUMT5(ModelBuilder &builder, ConfigReader &reader,
                            const FamilyRequest &request) {
  T5Model model;
  readT5(reader, builder, request, getMT5Defaults(), "DenseReluDense.",
         /*biasPerLayer=*/true, model);
  readPerceptron(reader, "gated-gelu", model);
  model.decoder.config.tied = true;
  model.decoder.config.logitScale =
      1 / std::sqrt(static_cast<double>(model.decoder.config.hidden));
  return buildEncoderDecoder(builder, reader, request, model.encoder,
                             model.decoder);
}

ArrayRef<StringLiteral> weir::getT5Ignorable() {
  // A table that was never in use, and that of which both parts have copies.
  static constexpr llvm::StringLiteral endings[] = {
      "shared.weight",
      "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"};
  return endings;
}

namespace weir {
void registerT5Families(FamilyTable &table) {
  table.add({"t5",
             "T5ForConditionalGeneration",
             "T5Model",
             "",
             getT5Ignorable(),
             buildT5,
             {},
             "T5EncoderModel"});
  table.add({"mt5",
             "MT5ForConditionalGeneration",
             "MT5Model",
             "",
             getT5Ignorable(),
             buildMT5,
             {},
             "MT5EncoderModel"});
  table.add({"umt5",
             "UMT5ForConditionalGeneration",
             "UMT5Model",
             "",
             getT5Ignorable(),
             buildUMT5,
             {},
             "UMT5EncoderModel"});
}
} // namespace weir
