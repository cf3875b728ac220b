"""What a GGUF file says of a transformers model beside its tensors."""

import gguf

ARCH = gguf.MODEL_ARCH
ARCHITECTURES = {
    "arcee": ARCH.ARCEE,
    "bloom": ARCH.BLOOM,
    "cohere": ARCH.COMMAND_R,
    "cohere2": ARCH.COHERE2,
    "dbrx": ARCH.DBRX,
    "dots1": ARCH.DOTS1,
    "ernie4_5": ARCH.ERNIE4_5,
    "ernie4_5_moe": ARCH.ERNIE4_5_MOE,
    "exaone4": ARCH.EXAONE4,
    "falcon": ARCH.FALCON,
    "falcon_mamba": ARCH.MAMBA,
    "gemma": ARCH.GEMMA,
    "gemma2": ARCH.GEMMA2,
    "gemma3_text": ARCH.GEMMA3,
    "glm4": ARCH.GLM4,
    "glm4_moe": ARCH.GLM4_MOE,
    "gpt2": ARCH.GPT2,
    "gpt_neox": ARCH.GPTNEOX,
    "gpt_oss": ARCH.GPT_OSS,
    "granite": ARCH.GRANITE,
    "granitemoe": ARCH.GRANITE_MOE,
    "granitemoehybrid": ARCH.GRANITE_HYBRID,
    "granitemoeshared": ARCH.GRANITE_MOE,
    "hunyuan_v1_dense": ARCH.HUNYUAN_DENSE,
    "hunyuan_v1_moe": ARCH.HUNYUAN_MOE,
    "lfm2": ARCH.LFM2,
    "lfm2_moe": ARCH.LFM2MOE,
    "llama": ARCH.LLAMA,
    "mamba": ARCH.MAMBA,
    "mamba2": ARCH.MAMBA2,
    "minimax_m2": ARCH.MINIMAXM2,
    "mistral": ARCH.LLAMA,
    "mixtral": ARCH.LLAMA,
    "mpt": ARCH.MPT,
    "nemotron": ARCH.NEMOTRON,
    "olmo": ARCH.OLMO,
    "olmo2": ARCH.OLMO2,
    "olmo3": ARCH.OLMO2,
    "olmoe": ARCH.OLMOE,
    "phi": ARCH.PHI2,
    "phi3": ARCH.PHI3,
    "qwen2": ARCH.QWEN2,
    "qwen2_moe": ARCH.QWEN2MOE,
    "qwen3": ARCH.QWEN3,
    "qwen3_moe": ARCH.QWEN3MOE,
    "qwen3_next": ARCH.QWEN3NEXT,
    "seed_oss": ARCH.SEED_OSS,
    "smollm3": ARCH.SMOLLM3,
    "stablelm": ARCH.STABLELM,
    "starcoder2": ARCH.STARCODER2,
}

# Numbers that are written where a configuration has one of the names.
NUMBERS = {
    "num_hidden_layers": "add_block_count",
    "hidden_size": "add_embedding_length",
    "num_attention_heads": "add_head_count",
    "num_key_value_heads": "add_head_count_kv",
    "rms_norm_eps": "add_layer_norm_rms_eps",
    "layer_norm_eps": "add_layer_norm_eps",
    "norm_epsilon": "add_layer_norm_eps",
    "layer_norm_epsilon": "add_layer_norm_eps",
    "norm_eps": "add_layer_norm_eps",
    "head_dim": "add_key_length",
    "vocab_size": "add_vocab_size",
    "num_local_experts": "add_expert_count",
    "num_experts": "add_expert_count",
    "n_routed_experts": "add_expert_count",
    "num_experts_per_tok": "add_expert_used_count",
    "moe_intermediate_size": "add_expert_feed_forward_length",
    "shared_expert_intermediate_size": "add_expert_shared_feed_forward_length",
    "n_shared_experts": "add_expert_shared_count",
    "first_k_dense_replace": "add_leading_dense_block_count",
    "routed_scaling_factor": "add_expert_weights_scale",
    "clip_qkv": "add_clamp_kqv",
    "conv_L_cache": "add_shortconv_l_cache",
    "linear_conv_kernel_dim": "add_ssm_conv_kernel",
    "linear_key_head_dim": "add_ssm_state_size",
    "linear_num_key_heads": "add_ssm_group_count",
    "linear_num_value_heads": "add_ssm_time_step_rank",
    "mamba_d_conv": "add_ssm_conv_kernel",
    "mamba_d_state": "add_ssm_state_size",
    "mamba_n_groups": "add_ssm_group_count",
    "mamba_n_heads": "add_ssm_time_step_rank",
    "use_parallel_residual": "add_parallel_residual",
    "attention_multiplier": "add_attention_scale",
    "embedding_multiplier": "add_embedding_scale",
    "residual_multiplier": "add_residual_scale",
    "logits_scaling": "add_logit_scale",
    "logit_scale": "add_logit_scale",
    "attn_logit_softcapping": "add_attn_logit_softcapping",
    "final_logit_softcapping": "add_final_logit_softcapping",
    "sliding_window": "add_sliding_window",
}

# Files of these have no keys in layers of this name.
HYBRIDS = {"granitemoehybrid": "linear_attention", "lfm2": "conv", "lfm2_moe": "conv"}
# Files of these say which layers have windows.
PATTERNED = ("exaone4", "olmo3")
# And of these nothing of windows, or of scores' bounds, at all.
SILENT = {
    "qwen2": ("sliding_window",),
    "qwen2_moe": ("sliding_window",),
    "qwen3": ("sliding_window",),
    "qwen3_moe": ("sliding_window",),
    "smollm3": ("sliding_window",),
    "starcoder2": ("sliding_window",),
    "gemma3_text": ("attn_logit_softcapping",),
    "mpt": ("logit_scale",),
    "lfm2": ("rms_norm_eps", "norm_eps"),
    "lfm2_moe": ("rms_norm_eps", "norm_eps"),
    "dbrx": ("num_key_value_heads",),
    "falcon": ("num_key_value_heads",),
}


def is_state_space(config):
    return config.model_type in ("mamba", "falcon_mamba", "mamba2")


def get_head_dim(config):
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def add_state_space(writer, config):
    writer.add_context_length(2**20)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_ssm_conv_kernel(config.conv_kernel)
    writer.add_ssm_inner_size(int(config.expand * config.hidden_size))
    writer.add_ssm_state_size(config.state_size)
    writer.add_layer_norm_rms_eps(config.layer_norm_epsilon)
    if config.model_type == "mamba2":
        writer.add_ssm_time_step_rank(config.num_heads)
        writer.add_ssm_group_count(config.n_groups)
    else:
        writer.add_ssm_time_step_rank(config.time_step_rank)
        writer.add_ssm_dt_b_c_rms(config.model_type == "falcon_mamba")


def add_rope(writer, config):
    rope = getattr(config, "rope_parameters", None)
    if not rope:
        return
    rope = rope.get("full_attention", rope)
    base = rope["rope_theta"]
    dim = get_head_dim(config)
    if rope.get("alpha"):
        base *= rope["alpha"] ** (dim / (dim - 2))
    writer.add_rope_freq_base(base)
    writer.add_rope_dimension_count(int(dim * rope.get("partial_rotary_factor", 1)))
    kind = rope.get("rope_type", "default")
    if kind not in ("linear", "yarn"):
        return
    writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
    writer.add_rope_scaling_factor(rope["factor"])
    if kind == "yarn":
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
        for key, add in (
            ("attention_factor", writer.add_rope_scaling_yarn_attn_factor),
            ("beta_fast", writer.add_rope_scaling_yarn_beta_fast),
            ("beta_slow", writer.add_rope_scaling_yarn_beta_slow),
        ):
            if rope.get(key) is not None:
                add(float(rope[key]))


def add_own(writer, config):
    """What only one family's files say, or say by another name."""
    family = config.model_type
    if family == "dbrx":
        writer.add_head_count_kv(config.attn_config.kv_n_heads)
        writer.add_clamp_kqv(config.attn_config.clip_qkv)
        writer.add_expert_count(config.ffn_config.moe_num_experts)
        writer.add_expert_used_count(config.ffn_config.moe_top_k)
        writer.add_layer_norm_eps(1e-5)
    elif family == "mpt":
        writer.add_max_alibi_bias(8)
        if config.attn_config.clip_qkv is not None:
            writer.add_clamp_kqv(config.attn_config.clip_qkv)
    elif family == "falcon":
        writer.add_tensor_data_layout("jploski")
        new = config.new_decoder_architecture
        writer.add_head_count_kv(config.num_kv_heads if new else 1)
    elif family == "olmo":
        writer.add_layer_norm_eps(1e-5)
    elif family == "gpt_oss":
        writer.add_expert_feed_forward_length(config.intermediate_size)
    elif family in ("dots1", "glm4_moe", "minimax_m2"):
        writer.add_expert_weights_norm(getattr(config, "norm_topk_prob", True))
        writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    elif family == "ernie4_5_moe":
        writer.add_interleave_moe_layer_step(config.moe_layer_interval)
        writer.add_leading_dense_block_count(config.moe_layer_start_index)
        writer.add_expert_shared_count(config.moe_num_shared_experts)
    elif family == "lfm2_moe":
        writer.add_leading_dense_block_count(config.num_dense_layers)
        writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    elif family == "granitemoehybrid":
        writer.add_ssm_inner_size(int(config.mamba_expand * config.hidden_size))
        writer.add_rope_scaling_finetuned(config.position_embedding_type == "rope")
        writer.add_expert_shared_feed_forward_length(config.shared_intermediate_size)
    elif family == "granitemoeshared":
        writer.add_expert_shared_feed_forward_length(config.shared_intermediate_size)
    if family == "qwen3_next":
        writer.add_ssm_inner_size(config.linear_value_head_dim * config.linear_num_value_heads)
    if family.startswith("lfm2"):
        writer.add_layer_norm_rms_eps(config.norm_eps)
    if family in PATTERNED and config.sliding_window:
        slides = [kind == "sliding_attention" for kind in config.layer_types]
        writer.add_sliding_window_pattern(slides)


def get_inner(config):
    if config.model_type == "dbrx":
        return config.ffn_config.ffn_hidden_size
    for name in ("intermediate_size", "n_inner", "ffn_hidden_size"):
        if getattr(config, name, None):
            return getattr(config, name)
    return 4 * config.hidden_size


def add_metadata(writer, config):
    if is_state_space(config):
        writer.add_vocab_size(config.vocab_size)
        add_state_space(writer, config)
        return
    for name in ("max_position_embeddings", "max_seq_len", "n_positions"):
        if getattr(config, name, None):
            length = getattr(config, name)
            break
    else:
        length = 2048
    writer.add_context_length(length)
    writer.add_feed_forward_length(get_inner(config))
    written = set()
    for name, method in NUMBERS.items():
        value = getattr(config, name, None)
        if value is None or method in written:
            continue
        if name in SILENT.get(config.model_type, ()):
            continue
        written.add(method)
        if name == "num_key_value_heads" and config.model_type in HYBRIDS:
            none = HYBRIDS[config.model_type]
            value = [0 if kind == none else value for kind in config.layer_types]
        getattr(writer, method)(value)
        if name == "head_dim":
            writer.add_value_length(value)
    add_rope(writer, config)
    add_own(writer, config)
