//===- DecoderGGUF.cpp - Decoders in GGUF files -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What GGUF files call the keys of decoders and of mixtures, and what follows
// from which tensors they have: biases, layers with experts, tied tables.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mlir;
using namespace weir;

/// GGUF's names of the keys that decoders read.
static constexpr ConfigAlias ggufAliases[] = {
    {"hidden_size", "embedding_length"},
    {"intermediate_size", "feed_forward_length"},
    {"num_hidden_layers", "block_count"},
    {"num_attention_heads", "attention.head_count"},
    {"num_key_value_heads", "attention.head_count_kv"},
    {"head_dim", "attention.key_length"},
    {"value_dim", "attention.value_length"},
    {"rms_norm_eps", "attention.layer_norm_rms_epsilon"},
    {"max_position_embeddings", "context_length"},
    {"vocab_size", "vocab_size"},
    {"causal", "attention.causal"},
    {"tensor_layout", "tensor_data_layout"},
    {"sliding_window", "attention.sliding_window"},
    {"sliding_window_pattern", "attention.sliding_window_pattern"},
    {"attn_logit_softcapping", "attn_logit_softcapping"},
    {"final_logit_softcapping", "final_logit_softcapping"},
    {"clip_qkv", "attention.clamp_kqv"},
    {"alibi_bias_max", "attention.max_alibi_bias"},
    {"use_parallel_residual", "use_parallel_residual"},
    {"attention_multiplier", "attention.scale"},
    {"embedding_multiplier", "embedding_scale"},
    {"residual_multiplier", "residual_scale"},
    {"logits_scaling", "logit_scale"},
    {"logit_scale", "logit_scale"},
    {"rope_theta", "rope.freq_base"},
    {"rope_local_base_freq", "rope.freq_base_swa"},
    {"rope_dims", "rope.dimension_count"},
    {"rope_type", "rope.scaling.type"},
    {"rope_factor", "rope.scaling.factor"},
    {"rope_scale_linear", "rope.scale_linear"},
    {"rope_original_length", "rope.scaling.original_context_length"},
    {"rope_attention_factor", "rope.scaling.attn_factor"},
    {"rope_finetuned", "rope.scaling.finetuned"},
    {"rope_beta_fast", "rope.scaling.yarn_beta_fast"},
    {"rope_beta_slow", "rope.scaling.yarn_beta_slow"},
    {"rope_yarn_factor", "rope.scaling.yarn_attn_factor"},
    {"rope_extrapolation", "rope.scaling.yarn_ext_factor"},
    {"num_experts", "expert_count"},
    {"num_experts_per_tok", "expert_used_count"},
    {"moe_intermediate_size", "expert_feed_forward_length"},
    {"shared_expert_intermediate_size", "expert_shared_feed_forward_length"},
    {"shared_intermediate_size", "expert_shared_feed_forward_length"},
    {"n_shared_experts", "expert_shared_count"},
    {"first_k_dense_replace", "leading_dense_block_count"},
    {"norm_topk_prob", "expert_weights_norm"},
    {"routed_scaling_factor", "expert_weights_scale"},
    {"n_group", "expert_group_count"},
    {"topk_group", "expert_group_used_count"},
    {"expert_score", "expert_gating_func"},
    {"conv_L_cache", "shortconv.l_cache"},
    {"ssm_width", "ssm.conv_kernel"},
    {"ssm_inner", "ssm.inner_size"},
    {"ssm_state", "ssm.state_size"},
    {"ssm_heads", "ssm.time_step_rank"},
    {"ssm_groups", "ssm.group_count"},
    {"full_attention_interval", "full_attention_interval"},
    {"recurrent_layers", "attention.recurrent_layers"},
    {"moe_layer_interval", "interleave_moe_layer_step"},
    {"num_nextn_predict_layers", "nextn_predict_layers"},
};

void weir::setGGUFAliases(ConfigReader &reader, bool centred) {
  std::string architecture = reader.getCheckpoint()
                                 .config()
                                 .getString("general.architecture")
                                 .value_or("")
                                 .str();
  reader.setAliases(architecture, ggufAliases);
  // Some files have the epsilon of both kinds of norms.
  static constexpr ConfigAlias ofCentred[] = {
      {"rms_norm_eps", "attention.layer_norm_epsilon"},
      {"other_eps", "attention.layer_norm_rms_epsilon"}};
  static constexpr ConfigAlias ofOthers[] = {
      {"other_eps", "attention.layer_norm_epsilon"}};
  if (centred)
    reader.setAliases(architecture, ofCentred);
  else
    reader.setAliases(architecture, ofOthers);
}

int64_t weir::countTableRows(const Checkpoint &checkpoint,
                             const std::string &key, int64_t otherwise) {
  const TensorInfo *table = checkpoint.lookup(key + ".weight");
  return table && table->shape.size() == 2 ? table->shape[0] : otherwise;
}

int64_t weir::dropLaterLayers(ConfigReader &reader, Checkpoint &checkpoint,
                              int64_t layers) {
  int64_t later = reader.getInt("num_nextn_predict_layers", 0);
  if (later < 0 || later >= layers) {
    reader.emitError("num_nextn_predict_layers")
        << "key '" << reader.getSpelling("num_nextn_predict_layers") << "' is "
        << later << " of " << layers << " layers";
    return layers;
  }
  int64_t rest = layers - later;
  for (const TensorInfo &tensor : checkpoint.tensors()) {
    StringRef name = tensor.name;
    int64_t layer;
    if (name.consume_front("blk.") && !name.consumeInteger(10, layer) &&
        layer >= rest)
      checkpoint.markUsed(tensor.name);
  }
  return rest;
}

void weir::readGGUFKeys(ConfigReader &reader, DecoderConfig &config,
                        const DecoderKeys &keys) {
  // The table itself is the authority: files have more rows than `vocab_size`.
  reader.ignore({"vocab_size", "tensor_layout", "other_eps"});
  config.vocabSize =
      countTableRows(reader.getCheckpoint(), keys.embed, config.vocabSize);
  config.tied = !reader.getCheckpoint().lookup(keys.head + ".weight");
  reader.expect("causal", true, "the model looks ahead");
  int64_t dim = *config.headDim;
  if (reader.getInt("value_dim", dim) != dim)
    reader.emitError("value_dim")
        << "key '" << reader.getSpelling("value_dim") << "' is "
        << reader.getInt("value_dim", dim) << ", expected the " << dim
        << " of keys: values of another size are not supported";
}

/// Whether the first layer has the tensor `key`, where `*` is the layer: files
/// of one model have a bias in all layers or in none, and where that is not so
/// the one missing is found out when it is read.
static bool isInFirstLayer(const Checkpoint &checkpoint, StringRef key) {
  auto [before, after] = key.split('*');
  return checkpoint.lookup((before + "0" + after).str()) != nullptr;
}

/// Finds the biases that there are tensors for.
static void findBiases(const Checkpoint &checkpoint, const DecoderKeys &keys,
                       DecoderConfig &config) {
  auto hasBias = [&](const std::string &key) {
    return isInFirstLayer(checkpoint, key + ".bias");
  };
  bool isFused = !keys.fused.empty();
  config.queryBias = hasBias(isFused ? keys.fused : keys.query);
  config.keyBias = isFused ? config.queryBias : hasBias(keys.key);
  config.valueBias = isFused ? config.queryBias : hasBias(keys.value);
  config.outputBias = hasBias(keys.output);
  config.mlpBias = hasBias(keys.gateUp.empty() ? keys.mlp.up : keys.gateUp);
  config.headBias = checkpoint.lookup(keys.head + ".bias") != nullptr;
}

void weir::finishGGUF(ConfigReader &reader, const DecoderKeys &keys,
                      DecoderConfig &config) {
  const Checkpoint &checkpoint = reader.getCheckpoint();
  findBiases(checkpoint, keys, config);
  // The converter joins the heads of each kind.
  config.fusedLayout = FusedLayout::Blocks;
  // Granite's hybrids all of whose layers are attention are files of Granite,
  // but for these keys.
  reader.ignore(
      {"ssm_groups", "ssm_heads", "ssm_inner", "ssm_state", "ssm_width"});
  if (!config.experts) {
    reader.expect("num_experts", 0, "the model is a mixture of experts");
    reader.expect("num_experts_per_tok", 0,
                  "the model is a mixture of experts");
    return;
  }
  // Which layers are dense shows in their tensors.
  reader.ignore({"first_k_dense_replace"});
  config.sparse.clear();
  for (int64_t layer = 0; layer < config.layers; ++layer)
    config.sparse.push_back(checkpoint.lookup("blk." + std::to_string(layer) +
                                              ".ffn_gate_inp.weight") !=
                            nullptr);
}

void weir::setGGUFExperts(ConfigReader &reader, const std::string &layer,
                          ExpertsSpec &spec) {
  const Checkpoint &checkpoint = reader.getCheckpoint();
  spec.router.key = layer + "ffn_gate_inp";
  spec.router.logitBias = hasLayerTensor(checkpoint, spec.router.key + ".bias");
  spec.router.bias.clear();
  for (const char *name : {"exp_probs_b.bias", "exp_probs_b"})
    if (hasLayerTensor(checkpoint, layer + name))
      spec.router.bias = layer + name;
  if (reader.has("moe_intermediate_size"))
    spec.inner = reader.getSize("moe_intermediate_size", 1);
  ExpertKeys &keys = spec.keys;
  keys = {};
  keys.prefix = layer;
  keys.gate = "ffn_gate_exps";
  keys.up = "ffn_up_exps";
  keys.down = "ffn_down_exps";
  keys.gateUp = "ffn_gate_up_exps";
  keys.isStacked = true;
  keys.biased = hasLayerTensor(checkpoint, layer + keys.down + ".bias");
  spec.shared = {layer + "ffn_up_shexp", layer + "ffn_down_shexp",
                 layer + "ffn_gate_shexp"};
  spec.sharedGateUp.clear();
  // The tensor says its size; keys of several meanings speak of it.
  spec.sharedInner = 0;
  for (const TensorInfo &tensor : checkpoint.tensors())
    if (StringRef(tensor.name).ends_with(".ffn_up_shexp.weight") &&
        tensor.shape.size() == 2)
      spec.sharedInner = tensor.shape[0];
  reader.ignore({"n_shared_experts", "shared_intermediate_size"});
  if (!spec.sharedGate.empty())
    spec.sharedGate = layer + "ffn_gate_inp_shexp";
  // What the family has read already, or has no choice of.
  if (spec.router.weighting != RouteWeighting::Scores)
    reader.expect("norm_topk_prob", true, "weights of experts add up to one");
  reader.expect("routed_scaling_factor", spec.router.scale,
                "the family has no other factor of experts");
  // Softmax over all experts, renormalised, is 1, that over the chosen ones 3.
  int64_t score = reader.getInt("expert_score", 0);
  bool isSigmoid = spec.router.score == RouteScore::Sigmoid;
  if (score != 0 && score != (isSigmoid ? 2 : 1) && (isSigmoid || score != 3))
    reader.emitError("expert_score")
        << "key '" << reader.getSpelling("expert_score") << "' is " << score
        << ", expected " << (isSigmoid ? "2 for sigmoid" : "1 for softmax")
        << ", which is what the family has";
}

void weir::setGraniteGGUF(ConfigReader &reader, DecoderConfig &config) {
  if (!reader.isGGUF())
    return;
  config.rotates = reader.getBool("rope_finetuned", true);
  config.rotary.layout = RotaryLayout::Interleaved;
}
