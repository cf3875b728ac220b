//===- Bert.cpp - The BERT families -----------------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Encoders with norms behind their parts and learned positions
// (arXiv:1810.04805). ERNIE adds what task a text is from (arXiv:1907.12412),
// and Megatron's has norms in front of its parts (arXiv:1909.08053).
//
//===----------------------------------------------------------------------===//

#include "Bert.h"

using namespace mlir;
using namespace weir;

static constexpr ConfigAlias spellings[] = {{"rms_norm_eps", "layer_norm_eps"}};

DecoderConfig weir::getBertDefaults() {
  DecoderConfig config;
  config.hidden = 768;
  config.inner = 3072;
  config.layers = 12;
  config.heads = 12;
  config.trainedLength = 512;
  config.eps = 1e-12;
  config.activation = "gelu";
  config.tied = true;
  config.rotates = false;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  config.norm.centred = true;
  config.normsSums = true;
  return config;
}

DecoderKeys weir::readBert(ConfigReader &reader, ModelBuilder &builder,
                           const FamilyRequest &request, DecoderConfig &config,
                           const std::string &model, int64_t tokenTypes) {
  reader.setSpellings(spellings);
  config.causal = reader.getBool("is_decoder", false);
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(true);
  config.mlpBias = config.headBias = config.transformBias = true;
  config.transformActivation = config.activation;
  reader.expect("position_embedding_type", "absolute",
                "positions are those of pairs");
  reader.expect("directionality", "bidi", "tokens see both sides");
  // Of training, and of what sums up a sequence for other models.
  reader.ignore({"attention_probs_dropout_prob", "hidden_dropout_prob",
                 "pooler_fc_size", "pooler_num_attention_heads",
                 "pooler_num_fc_layers", "pooler_size_per_head",
                 "pooler_type"});

  DecoderKeys keys;
  std::string prefix = getModelPrefix(builder.getCheckpoint(), model,
                                      "embeddings.word_embeddings.weight");
  std::string layer = keys.layer = prefix + "encoder.layer.*.";
  keys.embed = prefix + "embeddings.word_embeddings";
  keys.positions = prefix + "embeddings.position_embeddings";
  config.tokenTables.push_back({prefix + "embeddings.token_type_embeddings",
                                "token_type_ids",
                                reader.getSize("type_vocab_size", tokenTypes)});
  keys.embedNorm = prefix + "embeddings.LayerNorm";
  keys.query = layer + "attention.self.query";
  keys.key = layer + "attention.self.key";
  keys.value = layer + "attention.self.value";
  keys.output = layer + "attention.output.dense";
  keys.attentionNorm = layer + "attention.output.LayerNorm";
  keys.mlp = {layer + "intermediate.dense", layer + "output.dense", ""};
  keys.mlpNorm = layer + "output.LayerNorm";
  return keys;
}

void weir::setHead(ModelBuilder &builder, DecoderKeys &keys,
                   const std::string &transform, const std::string &norm,
                   const std::string &head, const std::string &bias) {
  keys.transform = transform;
  keys.transformNorm = norm;
  keys.head = head;
  if (!builder.getCheckpoint().lookup(head + ".bias"))
    keys.headBias = bias;
}

void weir::setBertHead(ModelBuilder &builder, DecoderKeys &keys) {
  setHead(builder, keys, "cls.predictions.transform.dense",
          "cls.predictions.transform.LayerNorm", "cls.predictions.decoder",
          "cls.predictions.bias");
}

void weir::setRobertaHead(ModelBuilder &builder, DecoderKeys &keys,
                          DecoderConfig &config) {
  setHead(builder, keys, "lm_head.dense", "lm_head.layer_norm",
          "lm_head.decoder", "lm_head.bias");
  config.transformActivation = "gelu";
}

void weir::setPreNorms(DecoderKeys &keys, DecoderConfig &config,
                       const std::string &attention, const std::string &mlp,
                       const std::string &last) {
  config.normsSums = false;
  keys.attentionNorm = keys.layer + attention;
  keys.mlpNorm = keys.layer + mlp;
  StringRef model = keys.layer;
  model.consume_back("encoder.layer.*.");
  keys.finalNorm = (model + last).str();
}

void weir::readPositionOffset(ConfigReader &reader, DecoderConfig &config) {
  int64_t pad = reader.getInt("pad_token_id", 1);
  if (pad < 0 || pad + 1 >= config.trainedLength) {
    reader.emitError("pad_token_id")
        << "key 'pad_token_id' is " << pad
        << ", expected less than 'max_position_embeddings'";
    return;
  }
  config.positionOffset = pad + 1;
  config.skipsPadding = true;
  config.trainedLength -= config.positionOffset;
}

static ModelFacts buildBert(ModelBuilder &builder, ConfigReader &reader,
                            const FamilyRequest &request) {
  DecoderConfig config = getBertDefaults();
  config.vocabSize = 30522;
  DecoderKeys keys = readBert(reader, builder, request, config, "bert.");
  setBertHead(builder, keys);
  return buildDecoder(builder, reader, request, keys, config);
}

static ModelFacts buildErnie(ModelBuilder &builder, ConfigReader &reader,
                             const FamilyRequest &request) {
  DecoderConfig config = getBertDefaults();
  config.vocabSize = 30522;
  DecoderKeys keys = readBert(reader, builder, request, config, "ernie.");
  setBertHead(builder, keys);
  int64_t tasks = reader.getSize("task_type_vocab_size", 3);
  StringRef model = keys.layer;
  model.consume_back("encoder.layer.*.");
  if (reader.getBool("use_task_id", false))
    config.tokenTables.push_back(
        {(model + "embeddings.task_type_embeddings").str(), "task_type_ids",
         tasks});
  return buildDecoder(builder, reader, request, keys, config);
}

static ModelFacts buildMegatronBert(ModelBuilder &builder, ConfigReader &reader,
                                    const FamilyRequest &request) {
  DecoderConfig config = getBertDefaults();
  config.vocabSize = 29056;
  config.hidden = 1024;
  config.inner = 4096;
  config.layers = 24;
  config.heads = 16;
  DecoderKeys keys = readBert(reader, builder, request, config, "bert.");
  setBertHead(builder, keys);
  setPreNorms(keys, config, "attention.ln", "ln", "encoder.ln");
  keys.embedNorm.clear();
  return buildDecoder(builder, reader, request, keys, config);
}

ArrayRef<StringLiteral> weir::getBertIgnorable() {
  static constexpr llvm::StringLiteral endings[] = {"embeddings.position_ids",
                                                    "predictions.bias",
                                                    "lm_head.bias",
                                                    "pooler.dense.weight",
                                                    "pooler.dense.bias",
                                                    "pooler.weight",
                                                    "pooler.bias"};
  return endings;
}

namespace weir {
void registerBertFamilies(FamilyTable &table) {
  static constexpr llvm::StringLiteral bert[] = {"BertLMHeadModel"};
  table.add({"bert", "BertForMaskedLM", "BertModel", "", getBertIgnorable(),
             buildBert, bert});
  static constexpr llvm::StringLiteral ernie[] = {"ErnieForCausalLM"};
  table.add({"ernie", "ErnieForMaskedLM", "ErnieModel", "", getBertIgnorable(),
             buildErnie, ernie});
  static constexpr llvm::StringLiteral megatron[] = {"MegatronBertForCausalLM"};
  table.add({"megatron-bert", "MegatronBertForMaskedLM", "MegatronBertModel",
             "", getBertIgnorable(), buildMegatronBert, megatron});
}
} // namespace weir
