"""Cases of make_checkpoint.py, as cases.py describes them, of models whose
layers have several kinds of mixers, side by side or one after another."""

from dataclasses import replace

from cases import NO_TOKENS, llama, stateful

JAMBA = llama(
    hidden_size=48,
    intermediate_size=56,
    num_hidden_layers=4,
    attn_layer_period=3,
    attn_layer_offset=1,
    mamba_d_state=6,
    pad_token_id=None,
)

FALCON = llama(
    hidden_size=48,
    intermediate_size=56,
    num_hidden_layers=2,
    mamba_d_ssm=60,
    mamba_n_heads=6,
    mamba_n_groups=2,
    mamba_d_state=7,
    pad_token_id=None,
)

ZAMBA = dict(
    vocab_size=199,
    hidden_size=36,
    intermediate_size=52,
    num_attention_heads=4,
    mamba_d_state=6,
    rms_norm_eps=1e-3,
    max_position_embeddings=256,
    **NO_TOKENS,
)


def old_zamba(config):
    """Layers as they were called first, and nothing that follows from others."""
    old = {"linear_attention": "mamba", "hybrid": "hybrid"}
    config["layers_block_type"] = [old[name] for name in config["layers_block_type"]]
    for key in ("attention_head_dim", "attention_hidden_size", "mamba_headdim"):
        config.pop(key, None)


def shared(config, **options):
    """Blocks that nothing is added to: what is computed in f32 and in f64 differs
    by a hundredth in transformers itself."""
    case = stateful("Zamba2ForCausalLM", config, **options)
    return replace(case, tolerance=3e-2)


HYBRID_CASES = {
    # One expert is none.
    "jamba_dense_auto_rank_tied": stateful(
        "JambaForCausalLM",
        {
            **JAMBA,
            "num_experts": 1,
            "mamba_conv_bias": False,
            "mamba_d_conv": 3,
            "hidden_act": "gelu",
            "tie_word_embeddings": True,
        },
        pad="right",
    ),
    "jamba_fused_experts_biases": stateful(
        "JambaForCausalLM",
        {
            **JAMBA,
            "num_experts": 5,
            "num_experts_per_tok": 3,
            "expert_layer_period": 3,
            "expert_layer_offset": 0,
            "mamba_proj_bias": True,
            "mamba_dt_rank": 5,
            "mamba_expand": 3,
            "num_key_value_heads": 4,
        },
        fused=True,
    ),
    "falcon_h1_norm_before_gate_biases": stateful(
        "FalconH1ForCausalLM",
        {
            **FALCON,
            "mamba_rms_norm": True,
            "mamba_proj_bias": True,
            "mamba_d_conv": 3,
            "projectors_bias": True,
            "attention_bias": True,
            "mlp_bias": True,
            "ssm_multipliers": [0.7, 1.2, 0.9, 1.4, 0.8],
            "key_multiplier": 1.2,
            "embedding_multiplier": 1.7,
        },
        pad="right",
    ),
    "falcon_h1_no_norm_auto_size_yarn_tied": stateful(
        "FalconH1ForCausalLM",
        {
            **FALCON,
            "mamba_d_ssm": None,
            "mamba_expand": 3,
            "mamba_conv_bias": False,
            "mlp_multipliers": [0.8, 1.3],
            "attention_out_multiplier": 0.9,
            "lm_head_multiplier": 0.6,
            "time_step_limit": [0.1, 0.9],
            "head_dim": 10,
            "hidden_act": "gelu",
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 1000.0,
                "factor": 4.0,
                "original_max_position_embeddings": 64,
            },
        },
    ),
    "zamba2_one_block_biases": shared(
        {
            **ZAMBA,
            "num_hidden_layers": 4,
            "layers_block_type": ["hybrid", "linear_attention"] * 2,
            "n_mamba_heads": 6,
            "mamba_expand": 3,
            "add_bias_linear": True,
            "num_key_value_heads": 2,
            "adapter_rank": 5,
            "time_step_min": 0.4,
            "tie_word_embeddings": False,
        },
        pad="right",
        spell=old_zamba,
    ),
    "zamba2_three_blocks_long_context": shared(
        {
            **ZAMBA,
            "num_hidden_layers": 4,
            "layers_block_type": ["hybrid"] * 4,
            "n_mamba_heads": 4,
            "mamba_ngroups": 2,
            "mamba_d_conv": 3,
            "num_mem_blocks": 3,
            "adapter_rank": 4,
            "use_shared_attention_adapter": True,
            "use_mem_rope": True,
            "use_long_context": True,
            "hidden_act": "silu",
            "rope_parameters": {
                "rope_type": "linear",
                "rope_theta": 1000.0,
                "factor": 2.0,
            },
        },
    ),
    "zamba_three_heads_biases": stateful(
        "ZambaForCausalLM",
        {
            **ZAMBA,
            "num_hidden_layers": 5,
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "num_key_value_heads": 2,
            "n_mamba_heads": 3,
            "mamba_proj_bias": True,
            "mamba_dt_rank": 5,
        },
        pad="right",
    ),
    "zamba_one_head_untied": stateful(
        "ZambaForCausalLM",
        {
            **ZAMBA,
            "num_hidden_layers": 3,
            "layers_block_type": ["hybrid", "linear_attention", "hybrid"],
            "num_key_value_heads": 4,
            "attention_head_dim": 14,
            "n_mamba_heads": 1,
            "mamba_conv_bias": False,
            "mamba_d_conv": 2,
            "hidden_mamba_act": "gelu",
            "hidden_act": "silu",
            "tie_word_embeddings": False,
        },
    ),
}

BAMBA = llama(
    hidden_size=48,
    intermediate_size=56,
    num_hidden_layers=3,
    mamba_n_heads=6,
    mamba_n_groups=2,
    mamba_d_state=7,
    pad_token_id=None,
)

HYBRID_CASES |= {
    "bamba_biases": stateful(
        "BambaForCausalLM",
        {
            **BAMBA,
            "attn_layer_indices": [1],
            "attention_bias": True,
            "mlp_bias": True,
            "mamba_proj_bias": True,
            "mamba_d_conv": 3,
            "hidden_act": "gelu",
        },
        pad="right",
    ),
    "bamba_linear_rope_limits_tied": stateful(
        "BambaForCausalLM",
        {
            **BAMBA,
            "attn_layer_indices": [0, 2],
            "mamba_conv_bias": False,
            "mamba_expand": 3,
            "num_key_value_heads": None,
            "time_step_limit": [0.1, 0.9],
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "linear",
                "rope_theta": 1000.0,
                "factor": 2.0,
                "partial_rotary_factor": 0.7,
            },
        },
    ),
    "granitemoehybrid_experts_rope": stateful(
        "GraniteMoeHybridForCausalLM",
        {
            **BAMBA,
            "layer_types": ["linear_attention", "full_attention", "linear_attention"],
            "position_embedding_type": "rope",
            "attention_bias": True,
            "num_local_experts": 5,
            "num_experts_per_tok": 2,
            "shared_intermediate_size": 24,
            "attention_multiplier": 0.3,
            "embedding_multiplier": 1.7,
            "residual_multiplier": 0.8,
            "logits_scaling": 1.9,
        },
        pad="right",
    ),
    "granitemoehybrid_dense_tied": stateful(
        "GraniteMoeHybridForCausalLM",
        {
            **BAMBA,
            "layer_types": ["full_attention", "linear_attention", "linear_attention"],
            "num_local_experts": 0,
            "num_key_value_heads": None,
            "shared_intermediate_size": 40,
            "mamba_proj_bias": True,
            "tie_word_embeddings": True,
        },
        spell=lambda config: config.update(layer_types=["attention", "mamba", "mamba"]),
    ),
    "granitemoeshared": stateful(
        "GraniteMoeSharedForCausalLM",
        llama(
            hidden_size=48,
            intermediate_size=24,
            num_local_experts=4,
            num_experts_per_tok=2,
            shared_intermediate_size=40,
            residual_multiplier=0.7,
            pad_token_id=None,
        ),
    ),
}

NEMOTRON = dict(
    vocab_size=199,
    hidden_size=48,
    intermediate_size=56,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=14,
    mamba_num_heads=6,
    mamba_head_dim=10,
    n_groups=2,
    ssm_state_size=7,
    moe_intermediate_size=24,
    moe_shared_expert_intermediate_size=30,
    layer_norm_epsilon=1e-3,
    max_position_embeddings=256,
    **NO_TOKENS,
)


def nemotron_pattern(config):
    """Layers by letters, and some numbers, as they were called first."""
    names = {"linear_attention": "M", "moe": "E", "full_attention": "*", "mlp": "-"}
    layers = config.pop("layers_block_type", None) or config.pop("layer_types")
    config["hybrid_override_pattern"] = "".join(names[name] for name in layers)
    config["mamba_n_groups"] = config.pop("n_groups")
    config["mamba_d_conv"] = config.pop("conv_kernel")
    config["num_hidden_layers"] = len(layers)


LFM = llama(
    hidden_size=48,
    intermediate_size=56,
    num_hidden_layers=3,
    norm_eps=1e-3,
    layer_types=["conv", "full_attention", "conv"],
    pad_token_id=None,
)
del LFM["rms_norm_eps"]


def lfm_indices(config):
    """Layers of attention by their numbers, and other first spellings."""
    del config["layer_types"]
    config["full_attn_idxs"] = [1]
    config["tie_embedding"] = config.pop("tie_word_embeddings")
    config["block_ff_dim"] = config.pop("intermediate_size")


HYBRID_CASES |= {
    "nemotron_h_latent_experts_groups": stateful(
        "NemotronHForCausalLM",
        {
            **NEMOTRON,
            "layers_block_type": [
                "linear_attention",
                "moe",
                "full_attention",
                "mlp",
                "moe",
            ],
            "n_routed_experts": 6,
            "num_experts_per_tok": 3,
            "n_group": 3,
            "topk_group": 2,
            "routed_scaling_factor": 1.6,
            "moe_latent_size": 20,
            "mlp_bias": True,
            "time_step_min": 0.3,
        },
        pad="right",
    ),
    "nemotron_h_pattern_biases_tied": stateful(
        "NemotronHForCausalLM",
        {
            **NEMOTRON,
            "layers_block_type": ["mlp", "full_attention", "linear_attention", "moe"],
            "n_routed_experts": 4,
            "norm_topk_prob": False,
            "mlp_hidden_act": "silu",
            "mamba_hidden_act": "gelu",
            "conv_kernel": 3,
            "use_bias": True,
            "use_conv_bias": False,
            "tie_word_embeddings": True,
        },
        spell=nemotron_pattern,
    ),
    "lfm2_biases": stateful(
        "Lfm2ForCausalLM",
        {
            **LFM,
            "conv_bias": True,
            "block_multiple_of": 16,
            "block_ffn_dim_multiplier": 1.4,
            "head_dim": 14,
        },
        pad="right",
    ),
    "lfm2_indices_untied": stateful(
        "Lfm2ForCausalLM",
        {
            **LFM,
            "conv_L_cache": 4,
            "block_auto_adjust_ff_dim": False,
            "tie_word_embeddings": False,
        },
        spell=lfm_indices,
    ),
    "lfm2_moe_bias_scale": stateful(
        "Lfm2MoeForCausalLM",
        {
            **LFM,
            "moe_intermediate_size": 20,
            "num_experts": 6,
            "num_experts_per_tok": 3,
            "num_dense_layers": 1,
            "routed_scaling_factor": 1.5,
        },
        pad="right",
    ),
    "lfm2_moe_fused_plain": stateful(
        "Lfm2MoeForCausalLM",
        {
            **LFM,
            "moe_intermediate_size": 20,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "num_dense_layers": 0,
            "use_expert_bias": False,
            "norm_topk_prob": False,
            "conv_bias": True,
        },
        fused=True,
    ),
}

# Latent attention, and experts as DeepSeek has them.
LATENT = dict(
    vocab_size=199,
    hidden_size=48,
    intermediate_size=56,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=4,
    kv_lora_rank=20,
    q_lora_rank=18,
    qk_rope_head_dim=6,
    qk_nope_head_dim=10,
    v_head_dim=14,
    moe_intermediate_size=24,
    num_experts_per_tok=3,
    max_position_embeddings=256,
    rms_norm_eps=1e-3,
    **NO_TOKENS,
)

INDEXER = dict(index_topk=7, index_head_dim=11, index_n_heads=8)

EXPERT_GROUPS = dict(n_group=3, topk_group=2, routed_scaling_factor=1.6)


def first_spelling(config):
    """What is said about experts, as the first checkpoints called it."""
    for key, first in [
        ("n_group", "num_expert_group"),
        ("norm_topk_prob", "moe_renormalize"),
        ("n_shared_experts", "num_shared_experts"),
        ("num_experts_per_tok", "num_experts_per_token"),
        ("num_local_experts", "num_experts"),
    ]:
        if key in config:
            config[first] = config.pop(key)


HYBRID_CASES |= {
    "deepseek_v2_groups_yarn_biases": stateful(
        "DeepseekV2ForCausalLM",
        {
            **LATENT,
            **EXPERT_GROUPS,
            "n_routed_experts": 6,
            "topk_method": "group_limited_greedy",
            "mlp_bias": True,
            "attention_bias": True,
            "first_k_dense_replace": 1,
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 1000.0,
                "factor": 4.0,
                "original_max_position_embeddings": 64,
                "mscale": 0.7,
                "mscale_all_dim": 1.3,
            },
        },
        pad="right",
    ),
    "deepseek_v2_greedy_no_query_rank": stateful(
        "DeepseekV2ForCausalLM",
        {
            **LATENT,
            "q_lora_rank": None,
            "n_routed_experts": 5,
            "tie_word_embeddings": True,
        },
        fused=True,
    ),
    "deepseek_v3_halves_no_groups_biases": stateful(
        "DeepseekV3ForCausalLM",
        {
            **LATENT,
            "q_lora_rank": None,
            "n_routed_experts": 6,
            "n_shared_experts": 2,
            "n_group": 1,
            "topk_group": 1,
            "norm_topk_prob": False,
            "rope_interleave": False,
            "attention_bias": True,
            "first_k_dense_replace": 0,
            "tie_word_embeddings": True,
        },
        pad="right",
    ),
    # Experts of 96, rows that layers rearrange, and blocks cut on both axes.
    "deepseek_v3_fp8": stateful(
        "DeepseekV3ForCausalLM",
        {
            **LATENT,
            "hidden_size": 160,
            "q_lora_rank": 64,
            "kv_lora_rank": 32,
            "moe_intermediate_size": 96,
            "n_routed_experts": 6,
            "n_shared_experts": 1,
            "n_group": 3,
            "topk_group": 2,
            "first_k_dense_replace": 1,
        },
        dtype="bfloat16",
        fp8=128,
    ),
    "deepseek_v32_layer_types_yarn_biases": stateful(
        "DeepseekV32ForCausalLM",
        {
            **LATENT,
            **EXPERT_GROUPS,
            **INDEXER,
            "n_routed_experts": 6,
            "n_shared_experts": 2,
            "attention_bias": True,
            "mlp_layer_types": ["sparse", "dense", "sparse"],
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 1000.0,
                "factor": 4.0,
                "original_max_position_embeddings": 64,
                "mscale": 0.7,
                "mscale_all_dim": 1.3,
            },
        },
        pad="right",
    ),
    "glm_moe_dsa_shared_lists_tied": stateful(
        "GlmMoeDsaForCausalLM",
        {
            **LATENT,
            **INDEXER,
            "num_hidden_layers": 4,
            "n_routed_experts": 6,
            "first_k_dense_replace": 1,
            "indexer_types": ["full", "shared", "full", "shared"],
            "tie_word_embeddings": True,
        },
        pad="right",
    ),
    "kimi_linear_experts": stateful(
        "KimiLinearForCausalLM",
        {
            **{k: v for k, v in LATENT.items() if k != "q_lora_rank"},
            **EXPERT_GROUPS,
            "num_local_experts": 6,
            "num_key_value_heads": 3,
            "linear_head_dim": 10,
            "linear_num_heads": 3,
            "layer_types": ["linear_attention", "full_attention", "linear_attention"],
            "mlp_layer_types": ["dense", "sparse", "sparse"],
        },
        spell=first_spelling,
        pad="right",
    ),
    "bailing_hybrid_experts": stateful(
        "BailingHybridForCausalLM",
        {
            **{k: v for k, v in LATENT.items() if k != "q_lora_rank"},
            **EXPERT_GROUPS,
            "num_local_experts": 6,
            "n_shared_experts": 2,
            "head_dim": 10,
            "layer_group_size": 2,
            "first_k_dense_replace": 1,
            "norm_topk_prob": False,
        },
    ),
}

SPARSE = llama(
    hidden_size=48,
    intermediate_size=56,
    head_dim=12,
    moe_intermediate_size=24,
    num_experts_per_tok=3,
    pad_token_id=None,
)

MINIMAX = {k: v for k, v in SPARSE.items() if k != "moe_intermediate_size"}


def rotated_features(config):
    """The part of heads that is rotated as a number of features."""
    rope = config.pop("rope_parameters")
    config["rotary_dim"] = 8
    config["rope_theta"] = rope["rope_theta"]


HYBRID_CASES |= {
    "glm4_moe_norms_groups": stateful(
        "Glm4MoeForCausalLM",
        {
            **SPARSE,
            **EXPERT_GROUPS,
            "n_routed_experts": 6,
            "use_qk_norm": True,
            "attention_bias": True,
        },
        pad="right",
    ),
    "glm4_moe_dense_tied": stateful(
        "Glm4MoeForCausalLM",
        {
            **SPARSE,
            "first_k_dense_replace": 9,
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1000.0,
                "partial_rotary_factor": 0.7,
            },
        },
    ),
    "exaone_moe_windows": stateful(
        "ExaoneMoeForCausalLM",
        {
            **SPARSE,
            "num_experts": 6,
            "num_shared_experts": 2,
            "sliding_window": 9,
            "sliding_window_pattern": 2,
        },
        pad="right",
    ),
    "exaone_moe_types_tied": stateful(
        "ExaoneMoeForCausalLM",
        {
            **SPARSE,
            "num_experts": 6,
            "n_group": 2,
            "topk_group": 1,
            "layer_types": ["sliding_attention", "full_attention", "full_attention"],
            "sliding_window": 5,
            "mlp_layer_types": ["sparse", "dense", "sparse"],
            "tie_word_embeddings": True,
        },
    ),
    "minimax_m2": stateful(
        "MiniMaxM2ForCausalLM",
        {**MINIMAX, "num_local_experts": 5},
        pad="right",
    ),
    "minimax_m2_rotary_dim_fused": stateful(
        "MiniMaxM2ForCausalLM",
        {
            **MINIMAX,
            "num_local_experts": 4,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1000.0,
                "partial_rotary_factor": 0.5,
            },
        },
        spell=rotated_features,
        fused=True,
    ),
    "ernie4_5_moe_biases": stateful(
        "Ernie4_5_MoeForCausalLM",
        {
            **{k: v for k, v in SPARSE.items() if k != "num_experts_per_tok"},
            "moe_num_experts": 5,
            "moe_k": 2,
            "moe_layer_interval": 2,
            "use_bias": True,
            "tie_word_embeddings": False,
        },
        pad="right",
    ),
    "ernie4_5_moe_no_shared": stateful(
        "Ernie4_5_MoeForCausalLM",
        {
            **{k: v for k, v in SPARSE.items() if k != "num_experts_per_tok"},
            "moe_num_experts": 4,
            "moe_k": 2,
            "moe_num_shared_experts": 0,
            "moe_layer_start_index": 0,
            "moe_layer_end_index": 1,
        },
    ),
}

HYBRID_CASES |= {
    "hunyuan_v1_moe_biases": stateful(
        "HunYuanMoEV1ForCausalLM",
        {
            **{k: v for k, v in MINIMAX.items() if k != "num_experts_per_tok"},
            "num_experts": 4,
            "moe_topk": [2, 1, 2],
            "attention_bias": True,
        },
        pad="right",
    ),
}

HYBRID_CASES |= {
    "minicpm3_yarn_biases": stateful(
        "MiniCPM3ForCausalLM",
        {
            **{k: v for k, v in LATENT.items() if not k.startswith(("moe_", "num_experts"))},
            "attention_bias": True,
            "mlp_bias": True,
            "scale_emb": 3.5,
            "dim_model_base": 20,
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 1000.0,
                "factor": 4.0,
                "original_max_position_embeddings": 64,
                "mscale": 0.7,
                "mscale_all_dim": 1.3,
            },
        },
        pad="right",
    ),
    "minicpm3_nulls_untied": stateful(
        "MiniCPM3ForCausalLM",
        {
            **{k: v for k, v in LATENT.items() if not k.startswith(("moe_", "num_experts"))},
            "q_lora_rank": None,
            "v_head_dim": None,
            "scale_depth": None,
            "dim_model_base": None,
            "tie_word_embeddings": False,
        },
    ),
}

MIMO = {
    **SPARSE,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 13,
    "v_head_dim": 10,
    "n_routed_experts": 6,
    "sliding_window": 9,
}

HYBRID_CASES |= {
    "mimo_v2_flash_usual_layers": stateful(
        "MiMoV2FlashForCausalLM", {**MIMO, "num_hidden_layers": 7}, pad="right"
    ),
    "mimo_v2_flash_types_groups_biases": stateful(
        "MiMoV2FlashForCausalLM",
        {
            **MIMO,
            **EXPERT_GROUPS,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "mlp_layer_types": ["sparse", "dense", "sparse"],
            "attention_bias": True,
            "attention_value_scale": None,
            "tie_word_embeddings": True,
            "head_dim": 16,
            "v_head_dim": 22,
            "rope_parameters": {
                "full_attention": {
                    "rope_type": "default",
                    "rope_theta": 100.0,
                    "partial_rotary_factor": 0.7,
                },
                "sliding_attention": {
                    "rope_type": "yarn",
                    "rope_theta": 1000.0,
                    "factor": 4.0,
                    "original_max_position_embeddings": 64,
                },
            },
        },
        fused=True,
        spell=lambda config: config.update(sliding_window_size=4),
    ),
}

DENSE = llama(hidden_size=48, intermediate_size=56, num_hidden_layers=2)

HYBRID_CASES |= {
    "doge_all_keys_biases": stateful(
        "DogeForCausalLM",
        {**DENSE, "attention_bias": True, "mlp_bias": True},
        pad="right",
    ),
    "doge_window": stateful(
        "DogeForCausalLM", {**DENSE, "sliding_window": 7, "keep_window_size": 8}
    ),
    # Tokens that come twice have the same summand in the first layer, and which
    # of the two is kept is not defined: a large vocabulary has few of them.
    "doge_nine_keys": stateful(
        "DogeForCausalLM",
        {
            **DENSE,
            "vocab_size": 1499,
            "keep_window_size": 9,
            "tie_word_embeddings": True,
        },
    ),
    "diffllama_biases": stateful(
        "DiffLlamaForCausalLM",
        {**DENSE, "num_key_value_heads": 4, "attention_bias": True},
        pad="right",
    ),
    "diffllama_groups_odd_layers": stateful(
        "DiffLlamaForCausalLM",
        {
            **DENSE,
            "num_attention_heads": 12,
            "num_key_value_heads": 6,
            "num_hidden_layers": 3,
            "head_dim": 14,
            "tie_word_embeddings": True,
        },
    ),
}

HRM = {k: v for k, v in DENSE.items() if k != "num_key_value_heads"}

HYBRID_CASES |= {
    "hrm_text": stateful("HrmTextForCausalLM", {**HRM, "head_dim": 12}, pad="right"),
    "hrm_text_biases_apart": stateful(
        "HrmTextForCausalLM",
        {
            **HRM,
            "head_dim": 10,
            "H_cycles": 3,
            "L_cycles": 1,
            "num_hidden_layers": 3,
            "embedding_scale": 3.5,
            "attention_bias": True,
            "mlp_bias": True,
            "tie_word_embeddings": True,
        },
        fused=True,
    ),
}
