//===- Exaone4.cpp - The EXAONE 4 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Norms of heads and of what layers add, none in front of them. Where there are
// layers with windows, only these rotate (arXiv:2507.11407).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildExaone4(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 102400;
  config.inner = 16384;
  config.kvHeads = 32;
  config.eps = 1e-5;
  config.queryKeyNorm = QueryKeyNorm::Head;
  config.bos = 0;
  config.eos = 2;
  readDecoder(reader, builder, request, config);
  bool windowed = reader.isGGUF() ? reader.has("sliding_window")
                                  : !reader.isNull("sliding_window");
  // The pattern is a word in files that have the list as well.
  if (reader.has("layer_types")) {
    reader.ignore({"sliding_window_pattern"});
    readLayerTypes(reader, config, 4096, [](int64_t) { return false; });
  } else if (windowed) {
    readLayerPattern(reader, config, 4096, 4);
  } else {
    reader.ignore({"sliding_window", "sliding_window_pattern"});
  }
  for (std::optional<int64_t> window : config.windows)
    config.unrotated.push_back(windowed && !window);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  setPostNorms(builder.getCheckpoint(), keys);
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerExaone4Family(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"exaone4", "Exaone4ForCausalLM", "Exaone4Model", "exaone4",
             ignorable, buildExaone4});
}
} // namespace weir
