"""Cases of make_checkpoint.py, as cases.py describes them, of decoders that
choose keys by what these contain: each family's options in as few cases as they
fit in."""

from cases import NO_TOKENS, Case

# --- DeepSeek-V4 ---------------------------------------------------------------

V4 = dict(
    vocab_size=151,
    hidden_size=40,
    moe_intermediate_size=28,
    num_hidden_layers=4,
    num_attention_heads=6,
    head_dim=14,
    q_lora_rank=18,
    n_routed_experts=6,
    num_experts_per_tok=3,
    layer_types=[
        "sliding_attention",
        "compressed_sparse_attention",
        "heavily_compressed_attention",
        "compressed_sparse_attention",
    ],
    compress_rates=dict(
        compressed_sparse_attention=3, heavily_compressed_attention=7
    ),
    mlp_layer_types=["hash_moe", "moe", "hash_moe", "moe"],
    sliding_window=9,
    o_groups=3,
    o_lora_rank=11,
    index_n_heads=8,
    index_head_dim=13,
    index_topk=4,
    swiglu_limit=1.1,
    max_position_embeddings=256,
    rms_norm_eps=1e-3,
    rope_theta=1000.0,
    compress_rope_theta=5000.0,
    partial_rotary_factor=0.45,
    **NO_TOKENS,
)


FIRST_YARN = dict(
    type="yarn",
    factor=4.0,
    original_max_position_embeddings=64,
    beta_fast=16,
    beta_slow=1,
)


def first_v4_spelling(config):
    """As the first checkpoints spell it: numbers in place of names, and one
    object of rotary parameters, which is of layers with pooled keys."""
    for key in ("layer_types", "mlp_layer_types", "rope_parameters"):
        del config[key]
    del config["partial_rotary_factor"], config["compress_rates"]
    config.update(
        # Heads that predict more than the next token have entries, too.
        compress_ratios=[128, 4, 0, 128, 0],
        compress_rate_csa=5,
        compress_rate_hca=8,
        num_hash_layers=1,
        qk_rope_head_dim=8,
        rope_scaling=FIRST_YARN,
    )


# --- MiniMax-M3 ----------------------------------------------------------------

M3 = dict(
    vocab_size=151,
    hidden_size=40,
    intermediate_size=28,
    dense_intermediate_size=36,
    shared_intermediate_size=18,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=12,
    rotary_dim=6,
    num_experts_per_tok=2,
    num_local_experts=5,
    layer_types=["full_attention", "minimax_m3_sparse", "minimax_m3_sparse"],
    mlp_layer_types=["dense", "sparse", "sparse"],
    index_n_heads=2,
    index_head_dim=14,
    index_block_size=5,
    index_topk_blocks=3,
    swiglu_limit=1.2,
    max_position_embeddings=256,
    rms_norm_eps=1e-3,
    **NO_TOKENS,
)


def first_m3_spelling(config):
    """The indexer in an object of its own, and layers by numbers."""
    text = config["text_config"]
    del text["layer_types"], text["mlp_layer_types"]
    older = dict(
        sparse_attention_freq=[0, 1, 1],
        sparse_num_index_heads=text.pop("index_n_heads"),
        sparse_index_dim=text.pop("index_head_dim"),
        sparse_block_size=text.pop("index_block_size"),
        sparse_topk_blocks=text.pop("index_topk_blocks"),
        sparse_local_block=text.pop("index_local_blocks"),
    )
    text.update(sparse_attention_config=older, moe_layer_freq=[0, 1, 1])


VISION = dict(
    hidden_size=16,
    intermediate_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    image_size=28,
)

SPARSE_CASES = {
    "deepseek_v4_all_layers": Case("DeepseekV4ForCausalLM", V4, pad="right"),
    "deepseek_v4_sigmoid_biases_tied": Case(
        "DeepseekV4ForCausalLM",
        {
            **V4,
            "num_hidden_layers": 2,
            "layer_types": [
                "compressed_sparse_attention",
                "heavily_compressed_attention",
            ],
            "mlp_layer_types": ["moe", "hash_moe"],
            "scoring_func": "sigmoid",
            "hidden_act": "gelu",
            "mlp_bias": True,
            "partial_rotary_factor": 0.9,
            "rope_parameters": dict(
                main=dict(rope_theta=300.0),
                compress=dict(
                    rope_type="yarn",
                    rope_theta=700.0,
                    factor=3.0,
                    original_max_position_embeddings=50,
                ),
            ),
            "hc_mult": 2,
            "hc_sinkhorn_iters": 3,
            "hc_eps": 0.02,
            "o_groups": 7,
            "index_topk": 300,
            "routed_scaling_factor": 0.7,
            "tie_word_embeddings": True,
        },
        fused=True,
        pad="left",
    ),
    "deepseek_v4_first_spelling": Case(
        "DeepseekV4ForCausalLM",
        {
            **V4,
            "layer_types": [
                "heavily_compressed_attention",
                "compressed_sparse_attention",
                "sliding_attention",
                "heavily_compressed_attention",
            ],
            "compress_rates": dict(
                compressed_sparse_attention=5, heavily_compressed_attention=8
            ),
            "mlp_layer_types": ["hash_moe", "moe", "moe", "moe"],
            "partial_rotary_factor": 8 / 14,
            "rope_parameters": FIRST_YARN,
        },
        spell=first_v4_spelling,
    ),
    "minimax_m3_lists": Case("MiniMaxM3VLForCausalLM", M3, pad="right"),
    "minimax_m3_odd_heads_tied": Case(
        "MiniMaxM3VLForCausalLM",
        {
            **M3,
            "num_attention_heads": 6,
            "index_n_heads": 3,
            "index_local_blocks": 0,
            "index_block_size": 1,
            "index_topk_blocks": 9,
            "rope_parameters": dict(
                rope_type="default", rope_theta=500.0, partial_rotary_factor=0.5
            ),
            "routed_scaling_factor": 0.6,
            "swiglu_alpha": 1.1,
            "tie_word_embeddings": True,
        },
        pad="left",
        fused=True,
    ),
    "minimax_m3_wrapper_first_spelling": Case(
        "MiniMaxM3SparseForConditionalGeneration",
        dict(
            text_config={**M3, "index_local_blocks": 2},
            vision_config=VISION,
            projector_hidden_size=16,
            image_token_index=149,
            video_token_index=150,
        ),
        spell=first_m3_spelling,
    ),
}
