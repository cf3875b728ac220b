//===- M2M100.cpp - The M2M-100 family ------------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// M2M-100 (arXiv:2010.11125) and NLLB-200: as mBART, with sinusoids for
// positions, which tokens for padding do not count in.
//
//===----------------------------------------------------------------------===//

#include "Bart.h"
#include "Sinusoids.h"
#include <cmath>

using namespace mlir;
using namespace weir;

static ModelFacts buildM2M100(ModelBuilder &builder, ConfigReader &reader,
                              const FamilyRequest &request) {
  DecoderConfig defaults = getBartDefaults();
  defaults.vocabSize = 128112;
  defaults.activation = "relu";
  defaults.forcedEos = std::nullopt;
  BartOptions options;
  options.preNorm = true;
  options.embedNorm = false;
  BartModel model;
  readBart(reader, builder, request, defaults, options, model);
  int64_t padding = reader.getInt("pad_token_id", 1);
  if (model.encoder.config.hidden < 4)
    reader.emitError("hidden_size")
        << "key '" << reader.getSpelling("hidden_size") << "' is "
        << model.encoder.config.hidden
        << ", expected at least 4 features of positions";
  for (DecoderSpec *part : {&model.encoder, &model.decoder}) {
    part->keys.positions.clear();
    part->config.positionOffset = padding + 1;
    part->config.skipsPadding = true;
    part->config.addPositions = [&builder, padding](Value tokens,
                                                    Value numbers) {
      return addSinusoids(builder, tokens, numbers, padding);
    };
    if (!reader.has("scale_embedding"))
      part->config.embeddingScale =
          std::sqrt(static_cast<double>(part->config.hidden));
  }
  return buildEncoderDecoder(builder, reader, request, model.encoder,
                             model.decoder);
}

namespace weir {
void registerM2M100Family(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {
      "shared.weight", "encoder.version", "decoder.version",
      "embed_positions.weights"};
  table.add({"m2m_100", "M2M100ForConditionalGeneration", "M2M100Model", "",
             ignorable, buildM2M100});
}
} // namespace weir
