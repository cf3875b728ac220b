//===- Bert.h - Encoders in the manner of BERT ------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_BERT_H
#define WEIR_LIB_FRONTEND_FAMILIES_BERT_H

#include "Decoder.h"

namespace weir {

/// The sizes where the configuration does not say, and what all share.
DecoderConfig getBertDefaults();

/// Reads what these families share; `model` is what keys of the base model
/// begin with, `tokenTypes` how many there are where the configuration does not
/// say.
DecoderKeys readBert(ConfigReader &reader, ModelBuilder &builder,
                     const FamilyRequest &request, DecoderConfig &config,
                     const std::string &model, int64_t tokenTypes = 2);

/// Reads Longformer's `attention_window`, one number or one per layer, of both
/// sides.
void readAttentionWindows(ConfigReader &reader, DecoderConfig &config);

/// Has positions count from behind the number of the token for padding.
void readPositionOffset(ConfigReader &reader, DecoderConfig &config);

/// Names the parts of a head, `head` with a bias of its own or `bias`, beside
/// it.
void setHead(ModelBuilder &builder, DecoderKeys &keys,
             const std::string &transform, const std::string &norm,
             const std::string &head, const std::string &bias);
/// The head of BERT, and that of RoBERTa, whose activation is always the same.
void setBertHead(ModelBuilder &builder, DecoderKeys &keys);
void setRobertaHead(ModelBuilder &builder, DecoderKeys &keys,
                    DecoderConfig &config);

/// Has norms stand in front of a layer's parts, and one behind the layers.
void setPreNorms(DecoderKeys &keys, DecoderConfig &config,
                 const std::string &attention, const std::string &mlp,
                 const std::string &last);

/// Numbers of positions, the bias that a head has twice, and a summary of the
/// first token, another model's.
llvm::ArrayRef<llvm::StringLiteral> getBertIgnorable();

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_BERT_H
