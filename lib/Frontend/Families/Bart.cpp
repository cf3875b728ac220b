//===- Bart.cpp - The BART families -----------------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// BART (arXiv:1910.13461), and those that differ in where norms stand and in
// what positions are: mBART (arXiv:2001.08210), PLBART (arXiv:2103.06333),
// PEGASUS (arXiv:1912.08777), Blenderbot (arXiv:2004.13637) and Marian
// (arXiv:1804.00344).
//
//===----------------------------------------------------------------------===//

#include "Bart.h"
#include <cmath>

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {
    {"hidden_size", "d_model"},
    {"intermediate_size", "encoder_ffn_dim"},
    {"num_hidden_layers", "encoder_layers"},
    {"num_attention_heads", "encoder_attention_heads"},
    {"hidden_act", "activation_function"}};

DecoderConfig weir::getBartDefaults() {
  DecoderConfig config;
  config.vocabSize = 50265;
  config.hidden = 1024;
  config.inner = 4096;
  config.layers = 12;
  config.heads = 16;
  config.trainedLength = 1024;
  config.eps = 1e-5;
  config.activation = "gelu";
  config.tied = true;
  config.bos = 0;
  config.eos = config.decoderStart = config.forcedEos = 2;
  config.rotates = false;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  config.norm.centred = true;
  return config;
}

/// The keys of the part that `part` names, "encoder" or "decoder", of which
/// those of all parts begin with `model`.
static DecoderKeys getKeys(Checkpoint &checkpoint, const std::string &model,
                           StringRef part, const BartOptions &options) {
  DecoderKeys keys;
  std::string own = (model + part + ".").str();
  std::string layer = keys.layer = own + "layers.*.";
  // Both parts read the same table, which may be stored for each.
  std::string table = resolveTables(checkpoint, model + "shared.weight",
                                    own + "embed_tokens.weight", true)
                          .head;
  keys.embed = StringRef(table).drop_back(strlen(".weight")).str();
  keys.positions = own + "embed_positions";
  if (options.embedNorm)
    keys.embedNorm = own + "layernorm_embedding";
  if (options.preNorm)
    keys.finalNorm = own + "layer_norm";
  keys.query = layer + "self_attn.q_proj";
  keys.key = layer + "self_attn.k_proj";
  keys.value = layer + "self_attn.v_proj";
  keys.output = layer + "self_attn.out_proj";
  keys.attentionNorm = layer + "self_attn_layer_norm";
  keys.mlp = {layer + "fc1", layer + "fc2", ""};
  keys.mlpNorm = layer + "final_layer_norm";
  if (part == "encoder")
    return keys;
  keys.crossQuery = layer + "encoder_attn.q_proj";
  keys.crossKey = layer + "encoder_attn.k_proj";
  keys.crossValue = layer + "encoder_attn.v_proj";
  keys.crossOutput = layer + "encoder_attn.out_proj";
  keys.crossNorm = layer + "encoder_attn_layer_norm";
  keys.head = "lm_head";
  keys.headBias = "final_logits_bias";
  return keys;
}

/// Reads what the decoder has in place of the encoder's `config`; where nothing
/// is said, its sizes are the family's and not the encoder's.
static void readDecoderPart(ConfigReader &reader, const BartOptions &options,
                            const DecoderConfig &defaults,
                            DecoderConfig &config) {
  config.layers = reader.getSize(
      "decoder_layers", options.decoderLayers.value_or(defaults.layers));
  config.inner = reader.getSize("decoder_ffn_dim", defaults.inner);
  config.heads = reader.getSize("decoder_attention_heads", defaults.heads);
  config.kvHeads = config.heads;
  config.headDim = std::max<int64_t>(config.hidden / config.heads, 1);
  if (options.decoderLength != options.encoderLength)
    config.trainedLength =
        reader.getSize(options.decoderLength, options.decoderLengthDefault);
  int64_t tensors = reader.getCheckpoint().tensors().size();
  if (config.layers > tensors) {
    reader.emitError("decoder_layers")
        << "key 'decoder_layers' is " << config.layers
        << " when the checkpoint has " << tensors << " tensors";
    config.layers = 1;
  }
  config.windows.assign(config.layers, std::nullopt);
  config.causal = true;
}

void weir::readBart(ConfigReader &reader, ModelBuilder &builder,
                    const FamilyRequest &request, const DecoderConfig &defaults,
                    const BartOptions &options, BartModel &model) {
  reader.setSpellings(spellings);
  const ConfigAlias length[] = {
      {"max_position_embeddings", options.encoderLength}};
  reader.setSpellings(length);
  DecoderConfig &config = model.encoder.config = defaults;
  readDecoder(reader, builder, request, config);
  config.causal = false;
  config.setAttentionBias(true);
  config.mlpBias = true;
  config.normsSums = !options.preNorm;
  config.positionOffset = options.positionOffset;
  if (reader.getBool("scale_embedding", false))
    config.embeddingScale = std::sqrt(static_cast<double>(config.hidden));
  DecoderConfig &decoder = model.decoder.config = config;
  readDecoderPart(reader, options, defaults, decoder);
  // Of training; the encoder's options under the names of all models, which
  // some files have as well; and what the first files say and no one reads.
  static constexpr ConfigAlias plain[] = {
      {"num_hidden_layers", "num_hidden_layers"}};
  reader.setSpellings(plain);
  reader.ignore({"activation_dropout", "add_bias_logits", "classif_dropout",
                 "decoder_layerdrop", "do_blenderbot_90_layernorm", "dropout",
                 "encoder_layerdrop", "extra_pos_embeddings",
                 "force_bos_token_to_be_generated", "layernorm_variant",
                 "normalize_embedding", "num_hidden_layers", "save_step",
                 "static_position_embeddings"});
  reader.expect("add_final_layer_norm", options.preNorm,
                "norms stand elsewhere in this family");
  reader.expect("normalize_before", options.preNorm,
                "norms stand elsewhere in this family");

  Checkpoint &checkpoint = builder.getCheckpoint();
  std::string prefix =
      getModelPrefix(checkpoint, options.model, "encoder.layers.0.fc1.weight");
  model.encoder.keys = getKeys(checkpoint, prefix, "encoder", options);
  model.decoder.keys = getKeys(checkpoint, prefix, "decoder", options);
  decoder.headBias = checkpoint.lookup("final_logits_bias") != nullptr;
}

static ModelFacts build(ModelBuilder &builder, ConfigReader &reader,
                        const FamilyRequest &request, BartModel &model) {
  return buildEncoderDecoder(builder, reader, request, model.encoder,
                             model.decoder);
}

static ModelFacts buildBart(ModelBuilder &builder, ConfigReader &reader,
                            const FamilyRequest &request) {
  BartModel model;
  readBart(reader, builder, request, getBartDefaults(), BartOptions(), model);
  return build(builder, reader, request, model);
}

static ModelFacts buildPLBart(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  DecoderConfig defaults = getBartDefaults();
  defaults.vocabSize = 50005;
  defaults.decoderStart = std::nullopt;
  defaults.hidden = 768;
  defaults.inner = 3072;
  defaults.layers = 6;
  defaults.heads = 12;
  BartModel model;
  readBart(reader, builder, request, defaults, BartOptions(), model);
  if (!reader.has("scale_embedding"))
    for (DecoderConfig *config : {&model.encoder.config, &model.decoder.config})
      config->embeddingScale = std::sqrt(static_cast<double>(config->hidden));
  return build(builder, reader, request, model);
}

static ModelFacts buildMBart(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  DecoderConfig defaults = getBartDefaults();
  defaults.decoderStart = std::nullopt;
  BartOptions options;
  options.preNorm = true;
  BartModel model;
  readBart(reader, builder, request, defaults, options, model);
  return build(builder, reader, request, model);
}

static ModelFacts buildPegasus(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  DecoderConfig defaults = getBartDefaults();
  defaults.sinusoids = true;
  defaults.bos = std::nullopt;
  defaults.eos = defaults.forcedEos = 1;
  defaults.decoderStart = 0;
  BartOptions options;
  options.preNorm = true;
  options.embedNorm = false;
  options.positionOffset = 0;
  BartModel model;
  readBart(reader, builder, request, defaults, options, model);
  return build(builder, reader, request, model);
}

static ModelFacts buildBlenderbot(ModelBuilder &builder, ConfigReader &reader,
                                  const FamilyRequest &request) {
  DecoderConfig defaults = getBartDefaults();
  defaults.vocabSize = 8008;
  defaults.hidden = 2560;
  defaults.inner = 10240;
  defaults.layers = 2;
  defaults.heads = 32;
  defaults.trainedLength = 128;
  defaults.bos = defaults.decoderStart = 1;
  BartOptions options;
  options.decoderLayers = 24;
  options.preNorm = true;
  options.embedNorm = false;
  options.positionOffset = 0;
  BartModel model;
  readBart(reader, builder, request, defaults, options, model);
  return build(builder, reader, request, model);
}

static ModelFacts buildBlenderbotSmall(ModelBuilder &builder,
                                       ConfigReader &reader,
                                       const FamilyRequest &request) {
  DecoderConfig defaults = getBartDefaults();
  defaults.hidden = 512;
  defaults.inner = 2048;
  defaults.layers = 8;
  defaults.trainedLength = 512;
  defaults.bos = defaults.decoderStart = 1;
  BartOptions options;
  options.positionOffset = 0;
  BartModel model;
  readBart(reader, builder, request, defaults, options, model);
  model.decoder.config.normsTokens = true;
  return build(builder, reader, request, model);
}

static ModelFacts buildMarian(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  DecoderConfig defaults = getBartDefaults();
  defaults.vocabSize = 58101;
  defaults.sinusoids = true;
  defaults.bos = std::nullopt;
  defaults.eos = defaults.forcedEos = 0;
  defaults.decoderStart = 58100;
  BartOptions options;
  options.embedNorm = false;
  options.positionOffset = 0;
  BartModel model;
  readBart(reader, builder, request, defaults, options, model);
  int64_t vocabSize = model.encoder.config.vocabSize;
  reader.expect("decoder_vocab_size", vocabSize,
                "encoder and decoder have one vocabulary");
  // Tables that are not shared are stored apart, where they are found.
  reader.ignore({"share_encoder_decoder_embeddings"});
  return build(builder, reader, request, model);
}

ArrayRef<StringLiteral> weir::getBartIgnorable() {
  static constexpr llvm::StringLiteral endings[] = {
      "shared.weight", "encoder.version", "decoder.version",
      "final_logits_bias"};
  return endings;
}

namespace weir {
void registerBartFamilies(FamilyTable &table) {
  table.add({"bart", "BartForConditionalGeneration", "BartModel", "",
             getBartIgnorable(), buildBart});
  table.add({"plbart", "PLBartForConditionalGeneration", "PLBartModel", "",
             getBartIgnorable(), buildPLBart});
  table.add({"mbart", "MBartForConditionalGeneration", "MBartModel", "",
             getBartIgnorable(), buildMBart});
  table.add({"pegasus", "PegasusForConditionalGeneration", "PegasusModel", "",
             getBartIgnorable(), buildPegasus});
  table.add({"blenderbot", "BlenderbotForConditionalGeneration",
             "BlenderbotModel", "", getBartIgnorable(), buildBlenderbot});
  table.add({"blenderbot-small", "BlenderbotSmallForConditionalGeneration",
             "BlenderbotSmallModel", "", getBartIgnorable(),
             buildBlenderbotSmall});
  table.add({"marian", "MarianMTModel", "MarianModel", "", getBartIgnorable(),
             buildMarian});
}
} // namespace weir
