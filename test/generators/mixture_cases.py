"""Cases of make_checkpoint.py, as cases.py describes them, of decoders with
experts: each family's options in as few cases as they fit in."""

from cases import NO_TOKENS, Case, llama, stateful
from decoder_cases import pick, two_ropes

SIZES = llama(
    hidden_size=40,
    intermediate_size=28,
    head_dim=10,
    num_hidden_layers=3,
    vocab_size=151,
    pad_token_id=None,
)

EXPERTS = dict(moe_intermediate_size=20, num_experts=5, num_experts_per_tok=3)

# Experts as DeepSeek-V3 has them.
GROUPS = dict(
    moe_intermediate_size=20,
    n_routed_experts=6,
    num_experts_per_tok=3,
    n_group=3,
    topk_group=2,
    routed_scaling_factor=1.6,
)

LATENT = dict(
    num_attention_heads=3,
    num_key_value_heads=3,
    kv_lora_rank=11,
    q_lora_rank=17,
    qk_rope_head_dim=6,
    qk_nope_head_dim=5,
    v_head_dim=7,
)

YARN = dict(
    rope_type="yarn",
    rope_theta=1000.0,
    factor=4.0,
    original_max_position_embeddings=64,
)


def mixture(model, *, without=(), pad="", fused=False, **options):
    """A case of a family that names its sizes as Llama does."""
    config = {k: v for k, v in SIZES.items() if k not in without}
    return Case(model, {**config, **options}, pad=pad, fused=fused)


def partial_rope(theta, part):
    return dict(rope_type="default", rope_theta=theta, partial_rotary_factor=part)


def without_list(*keys):
    """Layers by numbers, and not by lists."""

    def spell(config):
        for key in keys:
            del config[key]

    return spell


DBRX = dict(
    **pick(
        SIZES,
        vocab_size="vocab_size",
        d_model="hidden_size",
        n_layers="num_hidden_layers",
        n_heads="num_attention_heads",
        max_seq_len="max_position_embeddings",
    ),
    **NO_TOKENS,
)

LONGCAT = dict(
    **pick(
        SIZES,
        vocab_size="vocab_size",
        hidden_size="hidden_size",
        rms_norm_eps="rms_norm_eps",
        ffn_hidden_size="intermediate_size",
        max_position_embeddings="max_position_embeddings",
    ),
    **LATENT,
    **NO_TOKENS,
    head_dim=6,
    num_layers=2,
    expert_ffn_hidden_size=12,
)

LLAMA4 = {
    **SIZES,
    "intermediate_size_mlp": 36,
    "num_local_experts": 4,
    "attention_chunk_size": 8,
    "floor_scale": 10,
    "attn_scale": 0.7,
}

LLAMA4_VISION = dict(
    hidden_size=16,
    intermediate_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    vision_output_dim=16,
    image_size=28,
    patch_size=14,
    projector_input_dim=16,
    projector_output_dim=16,
)

QWEN35 = {
    **SIZES,
    "head_dim": 12,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 10,
    "layer_types": ["linear_attention", "full_attention", "linear_attention"],
}

QWEN35_MOE = {
    **{k: v for k, v in QWEN35.items() if k != "intermediate_size"},
    **EXPERTS,
    "shared_expert_intermediate_size": 12,
}

QWEN35_VISION = dict(
    depth=1,
    hidden_size=16,
    intermediate_size=16,
    num_heads=2,
    out_hidden_size=40,
    patch_size=4,
    num_position_embeddings=16,
)

MIXTURE_CASES = {
    "dbrx_second_norm": Case(
        "DbrxForCausalLM",
        {
            **DBRX,
            "attn_config": dict(kv_n_heads=2, clip_qkv=0.7, rope_theta=1e4),
            "ffn_config": dict(
                ffn_hidden_size=24,
                moe_num_experts=5,
                moe_top_k=3,
                moe_normalize_expert_weights=2.0,
                ffn_act_fn={"name": "gelu"},
            ),
        },
        pad="left",
    ),
    "dbrx_scores": Case(
        "DbrxForCausalLM",
        {
            **DBRX,
            "attn_config": dict(kv_n_heads=1, clip_qkv=2, rope_theta=1e4),
            "ffn_config": dict(
                ffn_hidden_size=24,
                moe_num_experts=4,
                moe_top_k=2,
                moe_normalize_expert_weights=None,
            ),
            "rope_parameters": YARN,
        },
    ),
    "phimoe_biases_window_wide_bound": mixture(
        "PhimoeForCausalLM",
        pad="right",
        num_local_experts=5,
        router_jitter_noise=0.4,
        attention_bias=True,
        lm_head_bias=True,
        sliding_window=9,
    ),
    "phimoe_longrope_fused": mixture(
        "PhimoeForCausalLM",
        fused=True,
        num_local_experts=3,
        rope_parameters=dict(
            rope_type="longrope",
            rope_theta=1000.0,
            original_max_position_embeddings=64,
            short_factor=[1.0, 1.1, 1.2, 1.3, 1.4],
            long_factor=[2.0, 2.5, 3.0, 3.5, 4.0],
            short_mscale=1.1,
            long_mscale=1.3,
        ),
    ),
    "jetmoe_three_of_five": mixture(
        "JetMoeForCausalLM",
        without=("head_dim", "num_attention_heads"),
        pad="right",
        kv_channels=10,
        num_local_experts=5,
        num_experts_per_tok=3,
        activation_function="gelu",
        tie_word_embeddings=False,
    ),
    "llama4_chunks_growth": Case(
        "Llama4ForCausalLM",
        {
            **LLAMA4,
            "no_rope_layers": [1, 0, 1],
            "moe_layers": [0, 2],
            "num_experts_per_tok": 2,
            "attention_bias": True,
        },
        pad="right",
    ),
    "llama4_by_intervals_unnormed_tied": Case(
        "Llama4ForCausalLM",
        {
            **LLAMA4,
            "no_rope_layer_interval": 2,
            "interleave_moe_layer_step": 2,
            "use_qk_norm": False,
            "tie_word_embeddings": True,
            "attn_temperature_tuning": False,
        },
        spell=without_list("no_rope_layers", "moe_layers", "layer_types"),
    ),
    "llama4_wrapped": Case(
        "Llama4ForConditionalGeneration",
        dict(text_config=LLAMA4, vision_config=LLAMA4_VISION),
    ),
    "flex_olmo_normalised": mixture(
        "FlexOlmoForCausalLM",
        pad="left",
        num_experts=5,
        num_experts_per_tok=3,
        norm_topk_prob=True,
        attention_bias=True,
    ),
    "afmoe_windows": mixture(
        "AfmoeForCausalLM",
        pad="right",
        **EXPERTS,
        route_scale=1.7,
        global_attn_every_n_layers=2,
        sliding_window=7,
        mup_enabled=True,
        attention_bias=True,
    ),
    "longcat_flash_identities": Case(
        "LongcatFlashForCausalLM",
        {
            **LONGCAT,
            "n_routed_experts": 3,
            "zero_expert_num": 2,
            "moe_topk": 3,
            "attention_bias": True,
            "rope_parameters": dict(YARN, mscale=0.7, mscale_all_dim=1.3),
        },
        pad="right",
    ),
    "longcat_flash_fused": Case(
        "LongcatFlashForCausalLM",
        {
            **LONGCAT,
            "n_routed_experts": 4,
            "zero_expert_num": 1,
            "moe_topk": 2,
            "router_bias": True,
            "tie_word_embeddings": True,
        },
        fused=True,
    ),
    # A quarter of the features is an odd number.
    "qwen3_5_wrapped_tied": stateful(
        "Qwen3_5ForConditionalGeneration",
        dict(
            text_config=QWEN35,
            vision_config=QWEN35_VISION,
            tie_word_embeddings=True,
        ),
    ),
    "qwen3_5_moe_biases": stateful(
        "Qwen3_5MoeForCausalLM",
        {**QWEN35_MOE, "attention_bias": True, "linear_conv_kernel_dim": 3},
        pad="right",
    ),
    "qwen3_5_moe_wrapped_fused": stateful(
        "Qwen3_5MoeForConditionalGeneration",
        dict(text_config=QWEN35_MOE, vision_config=QWEN35_VISION),
        fused=True,
    ),
    "dots1_groups_late_windows": mixture(
        "Dots1ForCausalLM",
        pad="right",
        **GROUPS,
        n_shared_experts=2,
        first_k_dense_replace=1,
        sliding_window=7,
        max_window_layers=1,
        attention_bias=True,
    ),
    "solar_open_groups": mixture(
        "SolarOpenForCausalLM",
        without=("intermediate_size",),
        pad="left",
        **GROUPS,
        attention_bias=True,
    ),
    "cohere2_moe_dense_front": mixture(
        "Cohere2MoeForCausalLM",
        without=("rms_norm_eps",),
        pad="right",
        num_experts=5,
        num_experts_per_tok=2,
        num_shared_experts=2,
        expert_selection_fn="sigmoid",
        norm_topk_prob=False,
        first_k_dense_replace=1,
        prefix_dense_intermediate_size=24,
        sliding_window=7,
        sliding_window_pattern=2,
        layer_norm_eps=1e-2,
        attention_bias=True,
    ),
    "cohere2_moe_mean_square_sum": mixture(
        "Cohere2MoeForCausalLM",
        num_experts=4,
        num_experts_per_tok=2,
        num_shared_experts=1,
        shared_expert_combination_strategy="sum",
        layer_types=["full_attention", "sliding_attention", "full_attention"],
        mlp_layer_types=["sparse", "dense", "dense"],
        prefix_dense_sliding_window_pattern=2,
        sliding_window=5,
        tie_word_embeddings=False,
    ),
    "glm4_moe_lite_groups": mixture(
        "Glm4MoeLiteForCausalLM",
        without=("head_dim",),
        pad="right",
        **LATENT,
        **GROUPS,
        attention_bias=True,
        rope_interleave=False,
        mlp_layer_types=["sparse", "dense", "sparse"],
    ),
    "laguna_layers_of_their_own": mixture(
        "LagunaForCausalLM",
        pad="right",
        **EXPERTS,
        shared_expert_intermediate_size=12,
        num_attention_heads_per_layer=[4, 2, 6],
        layer_types=["full_attention", "sliding_attention", "sliding_attention"],
        mlp_layer_types=["sparse", "dense", "sparse"],
        sliding_window=7,
        moe_routed_scaling_factor=1.7,
        moe_router_logit_softcapping=0.8,
        rope_parameters=two_ropes(partial_rope(5e4, 0.4), partial_rope(2e3, 0.8)),
    ),
    "laguna_per_element_biases": mixture(
        "LagunaForCausalLM",
        **EXPERTS,
        shared_expert_intermediate_size=12,
        gating="per-element",
        attention_bias=True,
        head_dim=12,
    ),
    "granite_swa_rotations_of_layers": mixture(
        "GraniteSWAForCausalLM",
        pad="right",
        num_hidden_layers=5,
        sliding_window=7,
        layer_rope_theta=[500.0, 0, 1e4, 500.0, 7],
        attention_multiplier=0.3,
        embedding_multiplier=1.7,
        residual_multiplier=0.6,
        logits_scaling=2.3,
        mlp_bias=True,
    ),
    "granitemoe_swa_shared": mixture(
        "GraniteMoeSWAForCausalLM",
        num_local_experts=4,
        num_experts_per_tok=2,
        shared_intermediate_size=12,
        layer_types=["sliding_attention", "full_attention", "full_attention"],
        sliding_window=5,
    ),
    "hunyuan_v1_moe_alpha": mixture(
        "HunYuanMoEV1ForCausalLM",
        num_experts=4,
        moe_topk=2,
        rope_parameters=dict(
            rope_type="dynamic", rope_theta=1000.0, alpha=50.0, factor=1.0
        ),
    ),
    "ernie4_5_moe_least_sum": mixture(
        "Ernie4_5_MoeForCausalLM",
        moe_num_experts=5,
        moe_k=2,
        moe_intermediate_size=20,
        moe_norm_min=0.6,
    ),
    "zaya_windows_biases": mixture(
        "ZayaForCausalLM",
        without=["intermediate_size"],
        num_attention_heads=6,
        num_key_value_heads=2,
        moe_intermediate_size=20,
        num_experts=4,
        router_hidden_size=9,
        layer_types=["hybrid", "hybrid_sliding", "hybrid"],
        sliding_window=7,
        attention_bias=True,
        lm_head_bias=True,
        cca_time0=3,
        cca_time1=2,
    ),
    "zaya_own_rotations_untied": mixture(
        "ZayaForCausalLM",
        without=["intermediate_size"],
        num_attention_heads=4,
        num_key_value_heads=4,
        moe_intermediate_size=20,
        num_experts=3,
        router_hidden_size=9,
        layer_types=["hybrid_sliding", "hybrid", "hybrid"],
        sliding_window=5,
        rope_parameters=dict(
            hybrid=partial_rope(500.0, 0.4), hybrid_sliding=partial_rope(90.0, 1.0)
        ),
        cca_time0=1,
        cca_time1=3,
        tie_word_embeddings=False,
    ),
}
