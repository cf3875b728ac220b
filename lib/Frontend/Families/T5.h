//===- T5.h - Encoders and decoders in the manner of T5 ---------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What T5 (arXiv:1910.10683) and those after it share: an encoder and a decoder
// with norms of mean squares in front of their parts, no positions but biases
// of distances, and scores as they are.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_T5_H
#define WEIR_LIB_FRONTEND_FAMILIES_T5_H

#include "RelativeBias.h"

namespace weir {

/// A model of this kind.
struct T5Model {
  DecoderSpec encoder, decoder;
};

/// The configuration where it does not say.
DecoderConfig getT5Defaults();

/// Reads what these families share into both parts, `defaults` first; `inner`
/// is what a perceptron's keys have in front of their own. Where `biasPerLayer`
/// holds, each layer has a table of biases.
void readT5(ConfigReader &reader, ModelBuilder &builder,
            const FamilyRequest &request, const DecoderConfig &defaults,
            const std::string &inner, bool biasPerLayer, T5Model &model);

/// Endings of tensors that are in some checkpoints and not in use.
llvm::ArrayRef<llvm::StringLiteral> getT5Ignorable();

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_T5_H
