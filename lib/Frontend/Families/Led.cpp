//===- Led.cpp - The LED family ---------------------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// BART whose encoder attends as Longformer does (arXiv:2004.05150).
//
//===----------------------------------------------------------------------===//

#include "Bart.h"
#include "Bert.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildLed(ModelBuilder &builder, ConfigReader &reader,
                           const FamilyRequest &request) {
  DecoderConfig defaults = getBartDefaults();
  defaults.trainedLength = 16384;
  defaults.forcedEos = std::nullopt;
  BartOptions options;
  options.model = "led.";
  options.encoderLength = "max_encoder_position_embeddings";
  options.decoderLength = "max_decoder_position_embeddings";
  options.decoderLengthDefault = 1024;
  options.positionOffset = 0;
  BartModel model;
  readBart(reader, builder, request, defaults, options, model);
  readAttentionWindows(reader, model.encoder.config);
  DecoderKeys &keys = model.encoder.keys;
  std::string attention = keys.layer + "self_attn.longformer_self_attn.";
  keys.query = attention + "query";
  keys.key = attention + "key";
  keys.value = attention + "value";
  keys.output = keys.layer + "self_attn.output";
  keys.globalTokens = "global_attention_mask";
  keys.globalQuery = keys.query + "_global";
  keys.globalKey = keys.key + "_global";
  keys.globalValue = keys.value + "_global";
  // Of training, and of how it is exported.
  reader.ignore({"attention_probs_dropout_prob", "onnx_export"});
  return buildEncoderDecoder(builder, reader, request, model.encoder,
                             model.decoder);
}

namespace weir {
void registerLedFamily(FamilyTable &table) {
  table.add({"led", "LEDForConditionalGeneration", "LEDModel", "",
             getBartIgnorable(), buildLed});
}
} // namespace weir
