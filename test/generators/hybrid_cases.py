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
