//===- Roberta.cpp - The RoBERTa families -----------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// BERT whose positions count from behind the number of the token for padding
// (arXiv:1907.11692), and those after it: some with norms in front of their
// parts.
//
//===----------------------------------------------------------------------===//

#include "Bert.h"

using namespace mlir;
using namespace weir;

namespace {

/// One of the families.
struct RobertaSpec {
  /// What keys of the base model begin with.
  std::string model = "roberta.";
  int64_t vocabSize = 30522;
  int64_t tokenTypes = 2;
};

/// A family read so far.
struct Roberta {
  DecoderConfig config = getBertDefaults();
  DecoderKeys keys;
};

} // namespace

static void readRoberta(ModelBuilder &builder, ConfigReader &reader,
                        const FamilyRequest &request, const RobertaSpec &spec,
                        Roberta &model) {
  model.config.vocabSize = spec.vocabSize;
  model.config.bos = 0;
  model.config.eos = 2;
  model.keys = readBert(reader, builder, request, model.config, spec.model,
                        spec.tokenTypes);
  readPositionOffset(reader, model.config);
  setRobertaHead(builder, model.keys, model.config);
}

static ModelFacts build(ModelBuilder &builder, ConfigReader &reader,
                        const FamilyRequest &request, const RobertaSpec &spec) {
  Roberta model;
  readRoberta(builder, reader, request, spec, model);
  return buildDecoder(builder, reader, request, model.keys, model.config);
}

static ModelFacts buildRoberta(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  return build(builder, reader, request, {"roberta.", 50265});
}

static ModelFacts buildWithPrefix(ModelBuilder &builder, ConfigReader &reader,
                                  const FamilyRequest &request) {
  return build(builder, reader, request, {"roberta.", 30522});
}

static ModelFacts buildData2Vec(ModelBuilder &builder, ConfigReader &reader,
                                const FamilyRequest &request) {
  return build(builder, reader, request, {"data2vec_text.", 30522});
}

static ModelFacts buildPreNorm(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  Roberta model;
  readRoberta(builder, reader, request, {"roberta_prelayernorm.", 50265},
              model);
  setPreNorms(model.keys, model.config, "attention.LayerNorm",
              "intermediate.LayerNorm", "LayerNorm");
  return buildDecoder(builder, reader, request, model.keys, model.config);
}

static ModelFacts buildXL(ModelBuilder &builder, ConfigReader &reader,
                          const FamilyRequest &request) {
  Roberta model;
  model.config.hidden = 2560;
  model.config.inner = 10240;
  model.config.layers = 36;
  model.config.heads = 32;
  model.config.trainedLength = 514;
  model.config.eps = 1e-5;
  readRoberta(builder, reader, request, {"roberta.", 250880, 1}, model);
  setPreNorms(model.keys, model.config, "attention.self_attn_layer_norm",
              "LayerNorm", "encoder.LayerNorm");
  model.keys.embedNorm.clear();
  return buildDecoder(builder, reader, request, model.keys, model.config);
}

namespace weir {
void registerRobertaFamilies(FamilyTable &table) {
  static constexpr llvm::StringLiteral roberta[] = {"RobertaForCausalLM"};
  table.add({"roberta", "RobertaForMaskedLM", "RobertaModel", "",
             getBertIgnorable(), buildRoberta, roberta});
  static constexpr llvm::StringLiteral xlm[] = {"XLMRobertaForCausalLM"};
  table.add({"xlm-roberta", "XLMRobertaForMaskedLM", "XLMRobertaModel", "",
             getBertIgnorable(), buildWithPrefix, xlm});
  static constexpr llvm::StringLiteral camembert[] = {"CamembertForCausalLM"};
  table.add({"camembert", "CamembertForMaskedLM", "CamembertModel", "",
             getBertIgnorable(), buildWithPrefix, camembert});
  static constexpr llvm::StringLiteral data2vec[] = {"Data2VecTextForCausalLM"};
  table.add({"data2vec-text", "Data2VecTextForMaskedLM", "Data2VecTextModel",
             "", getBertIgnorable(), buildData2Vec, data2vec});
  static constexpr llvm::StringLiteral preNorm[] = {
      "RobertaPreLayerNormForCausalLM"};
  table.add({"roberta-prelayernorm", "RobertaPreLayerNormForMaskedLM",
             "RobertaPreLayerNormModel", "", getBertIgnorable(), buildPreNorm,
             preNorm});
  static constexpr llvm::StringLiteral large[] = {"XLMRobertaXLForCausalLM"};
  table.add({"xlm-roberta-xl", "XLMRobertaXLForMaskedLM", "XLMRobertaXLModel",
             "", getBertIgnorable(), buildXL, large});
}
} // namespace weir
