"""Cases of make_checkpoint.py, as cases.py describes them, that are GGUF files:
what the converter turns, joins, splits or leaves out, in one or two cases a
family. Rows of 64 and 128 are whole blocks."""

from cases import NO_TOKENS, Case, llama

SIZES = dict(hidden_size=64, intermediate_size=128, max_position_embeddings=256)
MIXTURE = dict(num_experts=5, num_experts_per_tok=2, moe_intermediate_size=64)


def stored(model, kind="F32", **options):
    """A case of a family that names its sizes as Llama does."""
    return Case(model, llama(**{**SIZES, **options}), gguf=kind)


def centred(model, kind="F32", *, eps="layer_norm_eps", **options):
    case = stored(model, kind, **options)
    case.config[eps] = case.config.pop("rms_norm_eps")
    return case


def renamed(model, names, kind="F32", **options):
    """A case of a family with names of its own, which `names` says in the order
    of layers, heads, hidden size and length, "" for none."""
    sizes = dict(zip(names, (3, 4, 64, 256)))
    sizes.pop("", None)
    return Case(model, {**NO_TOKENS, "vocab_size": 199, **sizes, **options}, gguf=kind)


def rope(kind="default", theta=1000.0, **options):
    return dict(rope_type=kind, rope_theta=theta, **options)


def sliding(*flags):
    return ["sliding_attention" if slides else "full_attention" for slides in flags]


GPT_OSS = dict(
    head_dim=16,
    sliding_window=9,
    num_local_experts=5,
    num_experts_per_tok=2,
    pad_token_id=None,
    rope_parameters=rope(
        "yarn",
        theta=700.0,
        factor=4.0,
        beta_fast=32.0,
        beta_slow=1.0,
        truncate=False,
        original_max_position_embeddings=64,
    ),
)

HYBRID = dict(
    layer_types=["linear_attention", "full_attention", "linear_attention"],
    mamba_n_heads=8,
    mamba_d_head=16,
    mamba_d_state=16,
    mamba_n_groups=2,
    mamba_expand=2,
)

SHARED = dict(
    n_routed_experts=5,
    num_experts_per_tok=2,
    moe_intermediate_size=64,
    n_shared_experts=1,
    n_group=1,
    topk_group=1,
    first_k_dense_replace=1,
    routed_scaling_factor=1.6,
    norm_topk_prob=True,
)

FALCON = ("num_hidden_layers", "num_attention_heads", "hidden_size", "")

GGUF_CASES = {
    "gguf_gpt_oss": stored("GptOssForCausalLM", **GPT_OSS),
    "gguf_gpt_oss_mxfp4": stored("GptOssForCausalLM", "Q8_0/MXFP4", **GPT_OSS),
    "gguf_qwen3_moe": stored("Qwen3MoeForCausalLM", "F16/Q8_0", **MIXTURE, head_dim=32, norm_topk_prob=True),
    "gguf_qwen2_moe": stored("Qwen2MoeForCausalLM", **MIXTURE, shared_expert_intermediate_size=96),
    "gguf_mixtral": stored("MixtralForCausalLM", "Q8_0", num_local_experts=4, sliding_window=None),
    "gguf_olmoe": stored("OlmoeForCausalLM", num_experts=5, num_experts_per_tok=2, pad_token_id=None),
    "gguf_granite": stored(
        "GraniteForCausalLM",
        attention_multiplier=0.2,
        embedding_multiplier=3.0,
        residual_multiplier=0.4,
        logits_scaling=2.0,
        attention_bias=True,
    ),
    "gguf_granite_moe": stored(
        "GraniteMoeForCausalLM", num_local_experts=5, num_experts_per_tok=2, logits_scaling=2.0
    ),
    "gguf_granite_moe_shared": stored(
        "GraniteMoeSharedForCausalLM",
        num_local_experts=5,
        num_experts_per_tok=2,
        shared_intermediate_size=96,
        embedding_multiplier=3.0,
    ),
    "gguf_olmo_clipped": stored("OlmoForCausalLM", clip_qkv=0.8, pad_token_id=None),
    "gguf_olmo2": stored("Olmo2ForCausalLM", "Q8_0", pad_token_id=None),
    "gguf_olmo3": stored(
        "Olmo3ForCausalLM",
        pad_token_id=None,
        sliding_window=9,
        layer_types=sliding(True, False, True),
    ),
    "gguf_cohere": centred("CohereForCausalLM", use_qk_norm=True, logit_scale=0.3, pad_token_id=None),
    "gguf_cohere2": centred(
        "Cohere2ForCausalLM",
        num_hidden_layers=5,
        head_dim=16,
        sliding_window=9,
        logit_scale=0.3,
        pad_token_id=None,
    ),
    "gguf_smollm3": stored("SmolLM3ForCausalLM", num_hidden_layers=5, pad_token_id=None),
    "gguf_arcee": stored("ArceeForCausalLM"),
    "gguf_seed_oss": stored("SeedOssForCausalLM", head_dim=32),
    "gguf_starcoder2": centred("Starcoder2ForCausalLM", eps="norm_epsilon", sliding_window=None),
    "gguf_stablelm": centred(
        "StableLmForCausalLM",
        use_qkv_bias=True,
        qk_layernorm=True,
        rope_parameters=rope(partial_rotary_factor=0.5),
    ),
    "gguf_stablelm_parallel": centred("StableLmForCausalLM", use_parallel_residual=True),
    "gguf_phi": centred(
        "PhiForCausalLM", num_key_value_heads=4, rope_parameters=rope(partial_rotary_factor=0.5)
    ),
    "gguf_glm4": stored(
        "Glm4ForCausalLM",
        head_dim=16,
        pad_token_id=None,
        attention_bias=True,
        rope_parameters=rope(partial_rotary_factor=0.5),
    ),
    "gguf_exaone4": stored("Exaone4ForCausalLM", sliding_window=None, layer_types=sliding(False, False, False)),
    "gguf_exaone4_windows": stored(
        "Exaone4ForCausalLM", sliding_window=9, layer_types=sliding(True, False, True)
    ),
    "gguf_ernie4_5": stored("Ernie4_5ForCausalLM", head_dim=32, pad_token_id=None),
    "gguf_hunyuan_dense": stored(
        "HunYuanDenseV1ForCausalLM", head_dim=16, rope_parameters=rope("dynamic", alpha=100.0, factor=1.0)
    ),
    "gguf_nemotron": centred(
        "NemotronForCausalLM", eps="norm_eps", rope_parameters=rope(partial_rotary_factor=0.5)
    ),
    "gguf_gpt_neox": centred(
        "GPTNeoXForCausalLM", num_key_value_heads=4, rope_parameters=rope(partial_rotary_factor=0.25)
    ),
    "gguf_gpt_neox_in_turn": centred(
        "GPTNeoXForCausalLM", num_key_value_heads=4, use_parallel_residual=False
    ),
    "gguf_bloom": renamed("BloomForCausalLM", ("n_layer", "n_head", "hidden_size", "")),
    "gguf_mpt": renamed(
        "MptForCausalLM",
        ("n_layers", "n_heads", "d_model", "max_seq_len"),
        attn_config=dict(clip_qkv=0.8),
    ),
    "gguf_falcon": renamed("FalconForCausalLM", FALCON),
    "gguf_falcon_two_norms": renamed(
        "FalconForCausalLM", FALCON, new_decoder_architecture=True, num_kv_heads=2
    ),
    "gguf_dbrx": renamed(
        "DbrxForCausalLM",
        ("n_layers", "n_heads", "d_model", "max_seq_len"),
        attn_config=dict(kv_n_heads=2, clip_qkv=0.8, rope_theta=1000.0),
        rope_parameters=rope(),
        ffn_config=dict(ffn_hidden_size=64, moe_num_experts=4, moe_top_k=2),
    ),
    "gguf_dots1": stored("Dots1ForCausalLM", **SHARED),
    "gguf_glm4_moe": stored(
        "Glm4MoeForCausalLM",
        "F16/Q8_0",
        **SHARED,
        head_dim=16,
        attention_bias=True,
        use_qk_norm=True,
        num_nextn_predict_layers=0,
        rope_parameters=rope(partial_rotary_factor=0.5),
    ),
    "gguf_minimax_m2": stored(
        "MiniMaxM2ForCausalLM",
        num_local_experts=5,
        num_experts_per_tok=2,
        head_dim=32,
        rope_parameters=rope(partial_rotary_factor=0.5),
    ),
    "gguf_ernie4_5_moe": stored(
        "Ernie4_5_MoeForCausalLM",
        moe_num_experts=5,
        moe_k=2,
        moe_intermediate_size=64,
        moe_num_shared_experts=2,
    ),
    "gguf_lfm2": stored(
        "Lfm2ForCausalLM",
        norm_eps=1e-3,
        layer_types=["conv", "full_attention", "conv"],
        block_auto_adjust_ff_dim=False,
    ),
    "gguf_lfm2_moe": stored(
        "Lfm2MoeForCausalLM",
        "F16/Q8_0",
        **MIXTURE,
        norm_eps=1e-3,
        layer_types=["conv", "full_attention", "conv"],
        num_dense_layers=1,
    ),
    "gguf_granite_hybrid": stored(
        "GraniteMoeHybridForCausalLM",
        **HYBRID,
        num_local_experts=5,
        num_experts_per_tok=2,
        shared_intermediate_size=96,
        attention_multiplier=0.3,
        residual_multiplier=0.8,
    ),
    "gguf_granite_hybrid_dense": stored(
        "GraniteMoeHybridForCausalLM",
        **HYBRID,
        num_local_experts=0,
        shared_intermediate_size=128,
        position_embedding_type="rope",
        logits_scaling=1.9,
    ),
    "gguf_qwen3_next": stored(
        "Qwen3NextForCausalLM",
        **MIXTURE,
        shared_expert_intermediate_size=96,
        layer_types=["linear_attention", "full_attention", "linear_attention"],
        linear_num_key_heads=2,
        linear_num_value_heads=6,
        linear_key_head_dim=16,
        linear_value_head_dim=24,
        head_dim=32,
        rope_parameters=rope(partial_rotary_factor=0.25),
    ),
    "gguf_hunyuan_moe": stored("HunYuanMoEV1ForCausalLM", num_experts=4, moe_topk=2, head_dim=16),
}
