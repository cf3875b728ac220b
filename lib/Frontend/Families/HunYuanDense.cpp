//===- HunYuanDense.cpp - The dense HunYuan family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Llama with norms of heads behind their rotation, whose base grows by a given
// factor.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

void weir::ignoreHunYuanOptions(ConfigReader &reader) {
  // Tokens without a meaning for the model, options of other models, and what
  // the first checkpoints say that transformers does not look at.
  reader.ignore({"add_classification_head",
                 "anyres_pooling_size",
                 "anyres_vit_max_image_size",
                 "anyres_vit_two_views",
                 "attention_head_dim",
                 "cla_share_factor",
                 "class_num",
                 "dense_list",
                 "eod_token_id",
                 "im_end_id",
                 "im_newline_id",
                 "im_start_id",
                 "mask_init_id",
                 "norm_type",
                 "num_media_embeds",
                 "org_vocab_size",
                 "pad_id",
                 "pool_type",
                 "position_embedding_xdrope",
                 "sep_token_id",
                 "skip_cls_token",
                 "text_end_id",
                 "text_start_id",
                 "use_cla",
                 "use_qk_norm",
                 "use_rotary_pos_emb",
                 "video_end_id",
                 "video_start_id",
                 "vit_add_patchemb_bias",
                 "vit_input_resolution",
                 "vit_mapping_type",
                 "vit_norm_type",
                 "vit_patch",
                 "vit_path",
                 "vit_remove_prenorm",
                 "vit_token",
                 "vit_used_rms_norm",
                 "xdrope_section"});
}

static ModelFacts buildHunYuanDense(ModelBuilder &builder, ConfigReader &reader,
                                    const FamilyRequest &request) {
  DecoderConfig config;
  config.vocabSize = 290943;
  config.eps = 1e-5;
  config.queryKeyNorm = QueryKeyNorm::Head;
  config.normsRotated = true;
  config.rotaryOptions.readsAlpha = true;
  config.bos = 1;
  config.eos = 2;
  readDecoder(reader, builder, request, config);
  config.setAttentionBias(reader.getBool("attention_bias", false));
  ignoreHunYuanOptions(reader);
  DecoderKeys keys = getDecoderKeys(builder.getCheckpoint());
  if (!reader.isGGUF()) {
    keys.queryNorm = keys.layer + "self_attn.query_layernorm";
    keys.keyNorm = keys.layer + "self_attn.key_layernorm";
  }
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerHunYuanDenseFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq"};
  table.add({"hunyuan_v1_dense", "HunYuanDenseV1ForCausalLM",
             "HunYuanDenseV1Model", "hunyuan-dense", ignorable,
             buildHunYuanDense});
}
} // namespace weir
