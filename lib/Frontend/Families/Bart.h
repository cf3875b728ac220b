//===- Bart.h - Encoders and decoders in the manner of BART -----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What BART (arXiv:1910.13461) and those after it share: an encoder and a
// decoder of the same layers, with learned positions and a norm of what is
// embedded.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_BART_H
#define WEIR_LIB_FRONTEND_FAMILIES_BART_H

#include "Decoder.h"

namespace weir {

/// A model of this kind.
struct BartModel {
  DecoderSpec encoder, decoder;
};

/// The configuration where it does not say.
DecoderConfig getBartDefaults();

/// How these families call both parts' options.
struct BartOptions {
  /// What keys of the base model begin with.
  std::string model = "model.";
  /// Under which keys the longest sequences of both parts are.
  llvm::StringLiteral encoderLength = "max_position_embeddings";
  llvm::StringLiteral decoderLength = "max_position_embeddings";
  /// Rows of the tables of positions in front of the first one's.
  int64_t positionOffset = 2;
  /// Whether norms stand in front of a layer's parts, with one more behind the
  /// layers, and whether what is embedded is normalised.
  bool preNorm = false, embedNorm = true;
  /// The decoder's longest sequence where it is another.
  int64_t decoderLengthDefault = 0;
  /// How many layers the decoder has, unless it is said; none: as the encoder.
  std::optional<int64_t> decoderLayers;
};

/// Reads what these families share, `defaults` first.
void readBart(ConfigReader &reader, ModelBuilder &builder,
              const FamilyRequest &request, const DecoderConfig &defaults,
              const BartOptions &options, BartModel &model);

/// Endings of tensors that the parts have copies of, or that say nothing.
llvm::ArrayRef<llvm::StringLiteral> getBartIgnorable();

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_BART_H
