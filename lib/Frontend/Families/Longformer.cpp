//===- Longformer.cpp - The Longformer family -------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// RoBERTa whose tokens see those near them, and some that an input names, which
// see all by projections of their own (arXiv:2004.05150).
//
//===----------------------------------------------------------------------===//

#include "Bert.h"

using namespace mlir;
using namespace weir;

void weir::readAttentionWindows(ConfigReader &reader, DecoderConfig &config) {
  const llvm::json::Value *value = reader.get("attention_window");
  const llvm::json::Array *list = value ? value->getAsArray() : nullptr;
  SmallVector<int64_t> windows(config.layers, 512);
  if (value && !list)
    windows.assign(config.layers, value->getAsInteger().value_or(0));
  if (list) {
    windows.clear();
    for (const llvm::json::Value &entry : *list)
      windows.push_back(entry.getAsInteger().value_or(0));
  }
  bool fits = static_cast<int64_t>(windows.size()) == config.layers &&
              llvm::all_of(windows, [](int64_t window) {
                return window > 0 && window % 2 == 0;
              });
  if (!fits) {
    reader.emitError("attention_window")
        << "key 'attention_window' is not an even number or a list of them for "
        << config.layers << " layers";
    return;
  }
  for (auto [layer, window] : llvm::enumerate(windows))
    config.windows[layer] = window / 2 + 1;
}

static ModelFacts buildLongformer(ModelBuilder &builder, ConfigReader &reader,
                                  const FamilyRequest &request) {
  DecoderConfig config = getBertDefaults();
  config.vocabSize = 30522;
  config.bos = 0;
  config.eos = 2;
  DecoderKeys keys = readBert(reader, builder, request, config, "longformer.");
  readPositionOffset(reader, config);
  readAttentionWindows(reader, config);
  config.causal = false;
  keys.globalTokens = "global_attention_mask";
  keys.globalQuery = keys.query + "_global";
  keys.globalKey = keys.key + "_global";
  keys.globalValue = keys.value + "_global";
  setRobertaHead(builder, keys, config);
  // How it is exported.
  reader.ignore({"onnx_export"});
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerLongformerFamily(FamilyTable &table) {
  table.add({"longformer", "LongformerForMaskedLM", "LongformerModel", "",
             getBertIgnorable(), buildLongformer});
}
} // namespace weir
