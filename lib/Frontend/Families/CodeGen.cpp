//===- CodeGen.cpp - The CodeGen family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// GPT-J with query, value and key in one matrix, in four parts as it was
// trained on as many cores (arXiv:2203.13474).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

static ModelFacts buildCodeGen(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  reader.setSpellings(getGPTSpellings());
  DecoderConfig config;
  config.vocabSize = 50400;
  config.inner = 0;
  config.layers = 28;
  config.heads = 16;
  config.eps = 1e-5;
  config.activation = "gelu_new";
  config.mlpBias = true;
  config.headBias = true;
  config.parallel = true;
  config.norm.centred = true;
  config.readsKVHeads = false;
  config.readsHeadDim = false;
  config.rotates = false;
  config.fusedLayout = FusedLayout::Quarters;
  config.bos = 50256;
  config.eos = 50256;
  readDecoder(reader, builder, request, config);
  config.rotates = true;
  config.rotary.layout = RotaryLayout::Interleaved;
  config.rotary.dims = reader.getSize("rotary_dim", 64);
  if (config.rotary.dims > *config.headDim || config.rotary.dims % 2)
    reader.emitError("rotary_dim")
        << "key 'rotary_dim' is " << config.rotary.dims
        << ", expected an even number of at most the " << *config.headDim
        << " features of a head";
  if (config.heads % 4)
    reader.emitError("num_attention_heads")
        << "key '" << reader.getSpelling("num_attention_heads") << "' is "
        << config.heads << ", expected a multiple of 4";
  // How many positions were trained with, which stands there twice.
  reader.ignore({"n_ctx", "scale_attn_weights"});
  ignoreSummaryHead(reader);
  DecoderKeys keys = getGPTKeys(builder.getCheckpoint());
  keys.positions.clear();
  keys.mlpNorm.clear();
  keys.mlp = {keys.layer + "mlp.fc_in", keys.layer + "mlp.fc_out", ""};
  keys.fused = keys.layer + "attn.qkv_proj";
  keys.output = keys.layer + "attn.out_proj";
  return buildDecoder(builder, reader, request, keys, config);
}

void weir::registerCodeGenFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {
      ".attn.causal_mask", ".attn.bias", ".attn.masked_bias",
      ".attn.embed_positions"};
  table.add({"codegen", "CodeGenForCausalLM", "CodeGenModel", "", ignorable,
             buildCodeGen});
}
