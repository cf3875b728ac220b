"""The checkpoints that make_checkpoint.py writes: options of the families that
the public reference set leaves at their defaults.

A case is the name of a transformers model class, its configuration, and how it
is stored and compiled:

  flags    what weirc is told beside the checkpoint
  spell    turns config.json, a dictionary, into another spelling of the same
  dtype    of the stored weights
  shards   the largest file, in bytes
  lengths  tokens of the batch of two and of the long run (0: none)
  generate whether greedy decoding is part of the case
  gguf     the type of matrices in a GGUF file that stands for the folder
  fused    whether the experts of a layer are stored in one tensor
  mxfp4    whether gpt-oss' experts are stored in blocks of MXFP4
  fp8      the extent of the blocks that matrices of layers are stored in F8_E4M3
           in; 0 for one scale each
  skipped  parts of the names of weights that then stay floats
  pad      which side the batch's second row is padded on
  inputs   optional inputs and what their numbers are below
  decoder  tokens of a decoder that reads an encoder, which none else has
  tolerance  largest difference allowed, in parts of the rms
  attention  which implementation of attention transformers runs
  init     whether transformers draws weights, all of which are drawn anew
           anyway, where its own drawing fails
"""

from dataclasses import dataclass, field
from typing import Callable, Optional


@dataclass
class Case:
    model: str
    config: dict
    flags: list = field(default_factory=list)
    spell: Optional[Callable] = None
    dtype: str = "float32"
    shards: int = 0
    lengths: tuple = (37, 131)
    generate: bool = True
    gguf: str = ""
    fused: bool = False
    mxfp4: bool = False
    fp8: Optional[int] = None
    skipped: tuple = ()
    pad: str = ""
    inputs: dict = field(default_factory=dict)
    decoder: int = 0
    # What generation_config.json says besides.
    generation: dict = field(default_factory=dict)
    # What a decoder begins with whose configuration does not say.
    start: int = 0
    attention: str = "eager"
    init: bool = True
    tolerance: float = 2e-4


def old_rope(config):
    """`rope_scaling` and `rope_theta` apart, as before transformers 5."""
    rope = dict(config.pop("rope_parameters"))
    config["rope_theta"] = rope.pop("rope_theta", 10000.0)
    kind = rope.pop("rope_type", "default")
    config["rope_scaling"] = None if kind == "default" else {"type": kind, **rope}


def without_layer_types(config):
    """Windows by `max_window_layers` alone."""
    del config["layer_types"]


LLAMA = dict(
    vocab_size=199,
    hidden_size=64,
    intermediate_size=112,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=256,
    rms_norm_eps=1e-3,
    bos_token_id=None,
    eos_token_id=None,
)


def llama(rope=None, **options):
    config = {**LLAMA, **options}
    if rope:
        config["rope_parameters"] = {"rope_theta": 10000.0, **rope}
    return config


LONG = dict(
    rope_type="longrope",
    short_factor=[1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7],
    long_factor=[1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0],
    factor=8.0,
)

CASES = {
    "llama_biases": Case(
        "LlamaForCausalLM", llama(attention_bias=True, mlp_bias=True)
    ),
    "llama_tied_bf16": Case(
        "LlamaForCausalLM",
        llama(tie_word_embeddings=True, vocab_size=203),
        dtype="bfloat16",
    ),
    "llama_mqa_wide_heads_f16": Case(
        "LlamaForCausalLM",
        llama(
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=44,
            intermediate_size=57,
            pretraining_tp=2,
        ),
        dtype="float16",
        shards=40000,
    ),
    "llama_mha_no_head_dim": Case(
        "LlamaForCausalLM",
        llama(num_key_value_heads=4, hidden_act="gelu_pytorch_tanh"),
        spell=lambda config: config.pop("head_dim"),
    ),
    "llama_one_layer_relu2": Case(
        "LlamaForCausalLM",
        llama(num_hidden_layers=1, hidden_act="relu2", vocab_size=1),
        generate=False,
    ),
    "llama_left_padded": Case("LlamaForCausalLM", llama(), pad="left"),
    "llama_rope_linear": Case(
        "LlamaForCausalLM", llama(dict(rope_type="linear", factor=2.5))
    ),
    "llama_rope_linear_old": Case(
        "LlamaForCausalLM",
        llama(dict(rope_type="linear", factor=4.0, rope_theta=5000.0)),
        spell=old_rope,
    ),
    "llama_rope_dynamic": Case(
        "LlamaForCausalLM", llama(dict(rope_type="dynamic", factor=3.0))
    ),
    # The base follows the length, which for compiled code is --max-length.
    "llama_rope_dynamic_beyond": Case(
        "LlamaForCausalLM",
        llama(dict(rope_type="dynamic", factor=3.0), max_position_embeddings=64),
        flags=["--max-length=131"],
        lengths=(131, 0),
        generate=False,
    ),
    "llama_rope_llama3": Case(
        "LlamaForCausalLM",
        llama(
            dict(
                rope_type="llama3",
                factor=8.0,
                low_freq_factor=1.0,
                high_freq_factor=4.0,
                original_max_position_embeddings=64,
                rope_theta=500.0,
            )
        ),
    ),
    "llama_rope_proportional_laplace": Case(
        "LlamaForCausalLM",
        llama(
            dict(rope_type="proportional", factor=2.0, partial_rotary_factor=0.7),
            hidden_act="laplace",
        ),
    ),
    "llama_rope_yarn": Case(
        "LlamaForCausalLM",
        llama(
            dict(
                rope_type="yarn",
                factor=4.0,
                original_max_position_embeddings=64,
                beta_fast=16.0,
                beta_slow=2.0,
                rope_theta=1000.0,
            )
        ),
    ),
    "llama_rope_yarn_attention": Case(
        "LlamaForCausalLM",
        llama(
            dict(
                rope_type="yarn",
                factor=4.0,
                original_max_position_embeddings=64,
                attention_factor=0.7,
                truncate=False,
            )
        ),
    ),
    # The longest row says which factors a batch takes.
    "llama_rope_longrope_long": Case(
        "LlamaForCausalLM",
        llama({**LONG, "original_max_position_embeddings": 32}),
    ),
    "llama_rope_longrope_either": Case(
        "LlamaForCausalLM",
        llama({**LONG, "original_max_position_embeddings": 64}),
    ),
    "llama_rope_longrope_short": Case(
        "LlamaForCausalLM",
        llama({**LONG, "original_max_position_embeddings": 64}),
        flags=["--max-length=64"],
        lengths=(37, 0),
    ),
    # Its sequences are longer than those it was made for.
    "mistral_window_5": Case(
        "MistralForCausalLM",
        llama(
            sliding_window=5,
            head_dim=20,
            num_key_value_heads=1,
            max_position_embeddings=64,
        ),
    ),
    "mistral_no_window_padded": Case(
        "MistralForCausalLM", llama(sliding_window=None), pad="right"
    ),
    "mistral_window_1_left_padded": Case(
        "MistralForCausalLM",
        llama(sliding_window=1, tie_word_embeddings=True),
        pad="left",
    ),
    "qwen2_plain": Case("Qwen2ForCausalLM", llama(vocab_size=211)),
    "qwen2_windows_from_layer_1": Case(
        "Qwen2ForCausalLM",
        llama(use_sliding_window=True, sliding_window=8, max_window_layers=1),
        spell=without_layer_types,
    ),
    "qwen2_layer_types": Case(
        "Qwen2ForCausalLM",
        llama(
            num_hidden_layers=5,
            use_sliding_window=True,
            sliding_window=7,
            layer_types=["sliding_attention", "full_attention"] * 2
            + ["sliding_attention"],
        ),
        pad="left",
    ),
    "qwen3_biases_tied": Case(
        "Qwen3ForCausalLM",
        llama(attention_bias=True, tie_word_embeddings=True, head_dim=28),
    ),
    "qwen3_windows": Case(
        "Qwen3ForCausalLM",
        llama(
            use_sliding_window=True,
            sliding_window=9,
            max_window_layers=2,
            num_key_value_heads=4,
        ),
        dtype="bfloat16",
    ),
}

MOE = dict(
    num_experts=7,
    num_experts_per_tok=3,
    moe_intermediate_size=24,
)

CASES |= {
    "mixtral_windows_fused": Case(
        "MixtralForCausalLM",
        llama(
            num_local_experts=5,
            num_experts_per_tok=5,
            sliding_window=9,
            head_dim=12,
            router_jitter_noise=0.1,
        ),
        fused=True,
    ),
    "mixtral_top_1_tied": Case(
        "MixtralForCausalLM",
        llama(
            num_local_experts=3,
            num_experts_per_tok=1,
            tie_word_embeddings=True,
            hidden_act="gelu",
        ),
        pad="left",
        dtype="bfloat16",
    ),
    "qwen3_moe_sparse_step": Case(
        "Qwen3MoeForCausalLM",
        llama(
            **MOE,
            num_hidden_layers=6,
            decoder_sparse_step=2,
            mlp_only_layers=[3],
            norm_topk_prob=False,
            attention_bias=True,
            use_sliding_window=True,
            sliding_window=8,
            head_dim=16,
        ),
        fused=True,
    ),
    "qwen2_moe_alternating_windows": Case(
        "Qwen2MoeForCausalLM",
        llama(
            **MOE,
            num_hidden_layers=5,
            shared_expert_intermediate_size=40,
            use_sliding_window=True,
            sliding_window=8,
            max_window_layers=3,
        ),
        spell=without_layer_types,
    ),
    "qwen2_moe_no_biases": Case(
        "Qwen2MoeForCausalLM",
        llama(
            **MOE,
            shared_expert_intermediate_size=32,
            norm_topk_prob=True,
            qkv_bias=False,
            decoder_sparse_step=2,
        ),
        pad="right",
    ),
    "olmoe_clipped": Case(
        "OlmoeForCausalLM",
        llama(num_experts=6, num_experts_per_tok=2, clip_qkv=0.7),
    ),
    "olmoe_biases_normalized": Case(
        "OlmoeForCausalLM",
        llama(
            num_experts=6,
            num_experts_per_tok=4,
            attention_bias=True,
            norm_topk_prob=True,
        ),
        fused=True,
    ),
    "granitemoe_multipliers": Case(
        "GraniteMoeForCausalLM",
        llama(
            num_local_experts=6,
            num_experts_per_tok=3,
            embedding_multiplier=3.0,
            attention_multiplier=0.4,
            residual_multiplier=0.6,
            logits_scaling=2.5,
            attention_bias=True,
        ),
    ),
    "granitemoe_fused": Case(
        "GraniteMoeForCausalLM",
        llama(num_local_experts=4, num_experts_per_tok=2),
        fused=True,
    ),
}

GPT2 = dict(
    vocab_size=197,
    n_embd=60,
    n_head=3,
    n_layer=3,
    n_positions=160,
    layer_norm_epsilon=1e-3,
    resid_pdrop=0.0,
    bos_token_id=None,
    eos_token_id=None,
)

CASES |= {
    "gpt2_inverse_layer_scale": Case(
        "GPT2LMHeadModel",
        {**GPT2, "scale_attn_by_inverse_layer_idx": True},
    ),
    "gpt2_reordered_inner_relu": Case(
        "GPT2LMHeadModel",
        {
            **GPT2,
            "reorder_and_upcast_attn": True,
            "n_inner": 77,
            "activation_function": "relu",
        },
    ),
    "gpt2_unscaled_untied_gelu": Case(
        "GPT2LMHeadModel",
        {
            **GPT2,
            "scale_attn_weights": False,
            "tie_word_embeddings": False,
            "activation_function": "gelu",
        },
    ),
    "gpt2_one_head_silu_left_padded": Case(
        "GPT2LMHeadModel",
        {**GPT2, "n_head": 1, "activation_function": "silu"},
        pad="left",
    ),
    "gpt2_tanh_f16": Case(
        "GPT2LMHeadModel",
        {**GPT2, "activation_function": "tanh", "n_layer": 1},
        dtype="float16",
        pad="right",
    ),
}

# The same models as GGUF files: rows of 64 and 128 are whole blocks.
GGUF = llama(intermediate_size=128, max_position_embeddings=256)

CASES |= {
    "gguf_llama_f32": Case("LlamaForCausalLM", GGUF, gguf="F32"),
    "gguf_llama_q4_1_tied": Case(
        "LlamaForCausalLM", {**GGUF, "tie_word_embeddings": True}, gguf="Q4_1"
    ),
    "gguf_llama_q4_0_biases": Case(
        "LlamaForCausalLM", {**GGUF, "attention_bias": True}, gguf="Q4_0"
    ),
    "gguf_llama_mxfp4": Case("LlamaForCausalLM", GGUF, gguf="MXFP4"),
    "gguf_qwen2_q8_0": Case("Qwen2ForCausalLM", GGUF, gguf="Q8_0"),
    "gguf_qwen3_bf16": Case(
        "Qwen3ForCausalLM", {**GGUF, "head_dim": 32}, gguf="BF16"
    ),
    "gguf_gpt2_f16": Case("GPT2LMHeadModel", {**GPT2, "n_embd": 64, "n_head": 4}, gguf="F16"),
}

# Models with a state in place of, or beside, keys and values. What they are
# given at first is read through many products, so rounding shows more.

def stateful(model, config, **options):
    return Case(model, config, tolerance=1e-3, **options)


NO_TOKENS = dict(bos_token_id=None, eos_token_id=None, pad_token_id=None)

MAMBA = dict(
    vocab_size=197,
    hidden_size=36,
    state_size=7,
    num_hidden_layers=2,
    layer_norm_epsilon=1e-3,
    **NO_TOKENS,
)


def old_mamba(config):
    """As the first checkpoints had it."""
    config["time_step_rank"] = "auto"
    config.update(d_model=36, fused_add_norm=True, rms_norm=True, ssm_cfg={})


CASES |= {
    "mamba_biases_auto_rank": stateful(
        "MambaForCausalLM",
        {**MAMBA, "use_bias": True, "conv_kernel": 3},
        spell=old_mamba,
    ),
    "mamba_untied_no_conv_bias_gelu": stateful(
        "MambaForCausalLM",
        {
            **MAMBA,
            "use_conv_bias": False,
            "tie_word_embeddings": False,
            "hidden_act": "gelu",
            "expand": 3,
            "time_step_rank": 9,
            "num_hidden_layers": 1,
        },
        pad="right",
    ),
    "mamba_size_before_factor_bf16": stateful(
        "MambaForCausalLM",
        {**MAMBA, "intermediate_size": 52, "state_size": 1},
        dtype="bfloat16",
    ),
    "falcon_mamba_eps": stateful(
        "FalconMambaForCausalLM", {**MAMBA, "mixer_rms_eps": 0.3}
    ),
    "falcon_mamba_untied": stateful(
        "FalconMambaForCausalLM",
        {
            **MAMBA,
            "tie_word_embeddings": False,
            "use_bias": True,
            "conv_kernel": 2,
        },
        pad="right",
    ),
    "gguf_mamba_f32": stateful("MambaForCausalLM", MAMBA, gguf="F32"),
    "gguf_falcon_mamba_q8_0": stateful(
        "FalconMambaForCausalLM",
        {**MAMBA, "hidden_size": 64, "mixer_rms_eps": 1e-3},
        gguf="Q8_0",
    ),
}

MAMBA2 = {
    **MAMBA,
    "num_heads": 6,
    "head_dim": 12,
    "n_groups": 3,
    "state_size": 10,
    "chunk_size": 16,
}

CASES |= {
    "mamba2_one_group_biases": stateful(
        "Mamba2ForCausalLM",
        {**MAMBA2, "n_groups": 1, "use_bias": True, "conv_kernel": 2},
    ),
    "mamba2_limits": stateful(
        "Mamba2ForCausalLM",
        {**MAMBA2, "time_step_limit": (0.9, 1.6), "use_conv_bias": False},
        pad="right",
    ),
    "mamba2_upper_limit_tied_relu": stateful(
        "Mamba2ForCausalLM",
        {
            **MAMBA2,
            "time_step_limit": (0.0, 1.2),
            "tie_word_embeddings": True,
            "hidden_act": "relu",
        },
        dtype="bfloat16",
    ),
    "mamba2_bare_infinity": stateful(
        "Mamba2ForCausalLM",
        {**MAMBA2, "time_step_limit": (1.1, float("inf")), "n_groups": 6},
        spell=lambda config: config.update(
            time_step_limit=[1.1, float("inf")], norm_before_gate=True
        ),
    ),
    "gguf_mamba2_f32": stateful("Mamba2ForCausalLM", MAMBA2, gguf="F32"),
    "gguf_mamba2_one_group_tied_f16": stateful(
        "Mamba2ForCausalLM",
        {**MAMBA2, "n_groups": 1, "tie_word_embeddings": True},
        gguf="F16",
    ),
}

RWKV = dict(
    vocab_size=197,
    hidden_size=36,
    num_hidden_layers=3,
    layer_norm_epsilon=1e-2,
    bos_token_id=None,
    eos_token_id=None,
)

CASES |= {
    "rwkv_rescale_every_layer": stateful(
        "RwkvForCausalLM", {**RWKV, "rescale_every": 1}
    ),
    "rwkv_no_rescale_tied": stateful(
        "RwkvForCausalLM",
        {**RWKV, "rescale_every": 0, "tie_word_embeddings": True},
        pad="right",
    ),
    "rwkv_narrow_attention": stateful(
        "RwkvForCausalLM",
        {
            **RWKV,
            "attention_hidden_size": 20,
            "intermediate_size": 44,
            "rescale_every": 2,
            # The state of transformers has room for the hidden size alone.
            "use_cache": False,
        },
    ),
}

GEMMA = dict(
    vocab_size=197,
    hidden_size=60,
    intermediate_size=84,
    num_hidden_layers=4,
    num_attention_heads=3,
    attention_window_size=9,
    rms_norm_eps=1e-3,
    **NO_TOKENS,
)

CASES |= {
    "recurrent_gemma_wide_unit_biases": stateful(
        "RecurrentGemmaForCausalLM",
        {**GEMMA, "lru_width": 72, "attention_bias": True, "conv1d_width": 3},
    ),
    "recurrent_gemma_untied_attention_first": stateful(
        "RecurrentGemmaForCausalLM",
        {
            **GEMMA,
            "tie_word_embeddings": False,
            "block_types": ["attention", "recurrent"],
            "num_key_value_heads": 1,
            "hidden_activation": "silu",
            "logits_soft_cap": 3.0,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 100.0,
                "partial_rotary_factor": 1.0,
            },
        },
        pad="right",
    ),
    "recurrent_gemma_no_attention": stateful(
        "RecurrentGemmaForCausalLM",
        {
            **GEMMA,
            "block_types": ["recurrent"],
            "num_hidden_layers": 2,
            # transformers asks the cache of attention for the length.
            "use_cache": False,
        },
        dtype="bfloat16",
    ),
}

XLSTM = dict(
    vocab_size=197,
    hidden_size=64,
    num_hidden_layers=2,
    num_heads=2,
    norm_eps=1e-3,
    eps=1e-2,
    qk_dim_factor=1.0,
    chunk_size=16,
    **NO_TOKENS,
)

CASES |= {
    "xlstm_single": stateful(
        "xLSTMForCausalLM",
        {**XLSTM, "ffn_round_up_to_multiple_of": 20, "ffn_proj_factor": 1.3},
    ),
    "xlstm_fused_biases": stateful(
        "xLSTMForCausalLM",
        {**XLSTM, "weight_mode": "fused", "use_bias": True, "num_heads": 4},
        pad="right",
        init=False,
    ),
    "xlstm_caps": stateful(
        "xLSTMForCausalLM",
        {
            **XLSTM,
            "gate_soft_cap": 2.0,
            "output_logit_soft_cap": 1.5,
            "add_out_norm": False,
            "use_cache": False,
            "qk_dim_factor": 0.5,
            "v_dim_factor": 1.5,
        },
    ),
}

OLMO = llama(
    hidden_size=48,
    intermediate_size=56,
    num_hidden_layers=5,
    num_attention_heads=3,
    num_key_value_heads=3,
    linear_num_key_heads=2,
    linear_num_value_heads=4,
    linear_key_head_dim=10,
    linear_value_head_dim=14,
    pad_token_id=None,
)

CASES |= {
    "olmo_hybrid_grouped_values": stateful("OlmoHybridForCausalLM", OLMO),
    "olmo_hybrid_no_rotation_biases": stateful(
        "OlmoHybridForCausalLM",
        {
            **OLMO,
            "rope_parameters": {"rope_type": "default", "rope_theta": None},
            "attention_bias": True,
            "linear_allow_neg_eigval": False,
            "linear_conv_kernel_dim": 3,
            "num_key_value_heads": 1,
            "layer_types": ["full_attention", "linear_attention"] * 2
            + ["linear_attention"],
        },
    ),
    "olmo_hybrid_default_heads_tied": stateful(
        "OlmoHybridForCausalLM",
        llama(
            hidden_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            tie_word_embeddings=True,
            hidden_act="gelu",
            pad_token_id=None,
        ),
        dtype="bfloat16",
    ),
}

QWEN_NEXT = llama(
    hidden_size=48,
    num_hidden_layers=5,
    head_dim=20,
    linear_num_key_heads=2,
    linear_num_value_heads=6,
    linear_key_head_dim=10,
    linear_value_head_dim=14,
    num_experts=0,
    pad_token_id=None,
    rope_parameters={"rope_theta": 1000.0, "partial_rotary_factor": 0.5},
)


def by_interval(config):
    """Layers of attention by their distance, as first checkpoints have them."""
    del config["layer_types"]
    rope = config.pop("rope_parameters")
    config.update(
        full_attention_interval=3,
        partial_rotary_factor=rope["partial_rotary_factor"],
        rope_theta=rope["rope_theta"],
        rope_scaling=None,
        use_sliding_window=False,
    )


CASES |= {
    "qwen3_next_dense": stateful("Qwen3NextForCausalLM", QWEN_NEXT),
    "qwen3_next_interval_biases_tied": stateful(
        "Qwen3NextForCausalLM",
        {
            **QWEN_NEXT,
            "num_experts": 4,
            "mlp_only_layers": [1, 3],
            "decoder_sparse_step": 2,
            "attention_bias": True,
            "tie_word_embeddings": True,
            "linear_conv_kernel_dim": 2,
            "linear_num_value_heads": 2,
            "hidden_act": "gelu",
            "layer_types": ["linear_attention"] * 2
            + ["full_attention"]
            + ["linear_attention"] * 2,
        },
        spell=by_interval,
        pad="right",
    ),
    "qwen3_next_attention_only_yarn_bf16": stateful(
        "Qwen3NextForCausalLM",
        {
            **QWEN_NEXT,
            "num_hidden_layers": 2,
            "num_key_value_heads": 4,
            "layer_types": ["full_attention"] * 2,
            "rope_parameters": {
                "rope_type": "yarn",
                "factor": 4.0,
                "original_max_position_embeddings": 64,
                "rope_theta": 1000.0,
                "partial_rotary_factor": 0.6,
            },
        },
        dtype="bfloat16",
    ),
    "qwen3_5_text": stateful(
        "Qwen3_5ForCausalLM",
        {
            **{k: v for k, v in QWEN_NEXT.items() if k != "num_experts"},
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1000.0,
                "partial_rotary_factor": 0.4,
                "mrope_section": [2, 1, 1],
                "mrope_interleaved": True,
            },
        },
    ),
}

MINIMAX = llama(
    hidden_size=48,
    intermediate_size=56,
    num_hidden_layers=4,
    num_attention_heads=4,
    head_dim=14,
    num_local_experts=1,
    num_experts_per_tok=1,
    block_size=16,
    pad_token_id=None,
    full_attn_alpha_factor=1.3,
    full_attn_beta_factor=0.9,
    linear_attn_alpha_factor=1.2,
    linear_attn_beta_factor=0.8,
    mlp_alpha_factor=1.1,
    mlp_beta_factor=0.7,
)

CASES |= {
    # The only expert of a layer is a dense perceptron.
    "minimax_one_expert": stateful("MiniMaxForCausalLM", MINIMAX),
    "minimax_window_lightning_first": stateful(
        "MiniMaxForCausalLM",
        {
            **{k: v for k, v in MINIMAX.items() if "factor" not in k},
            "head_dim": None,
            "num_attention_heads": 3,
            "num_key_value_heads": 1,
            "sliding_window": 9,
            "hidden_act": "gelu",
            "tie_word_embeddings": True,
            "layer_types": ["linear_attention"] * 2
            + ["full_attention", "linear_attention"],
        },
        pad="right",
    ),
}

# Layers of latent attention beside those of Kimi delta attention.
KIMI = dict(
    vocab_size=199,
    hidden_size=48,
    intermediate_size=56,
    num_hidden_layers=4,
    num_attention_heads=4,
    num_key_value_heads=4,
    kv_lora_rank=20,
    qk_rope_head_dim=6,
    qk_nope_head_dim=10,
    v_head_dim=14,
    max_position_embeddings=256,
    rms_norm_eps=1e-3,
    mlp_layer_types=["dense"] * 4,
    **NO_TOKENS,
)


def kimi_layers(config):
    """What layers are as the first checkpoints say it, counted from one."""
    del config["layer_types"], config["mlp_layer_types"]
    config["first_k_dense_replace"] = 4
    config["linear_attn_config"] = dict(
        full_attn_layers=[1, 4],
        kda_layers=[2, 3],
        head_dim=config.pop("linear_head_dim"),
        num_heads=config.pop("linear_num_heads"),
        short_conv_kernel_size=config.pop("linear_conv_kernel_dim"),
    )
    config.update(mla_use_nope=True, rope_theta=10000.0, moe_layer_freq=1)


CASES |= {
    "kimi_linear_dense": stateful(
        "KimiLinearForCausalLM",
        {
            **KIMI,
            "linear_head_dim": 10,
            "linear_num_heads": 3,
            "layer_types": ["linear_attention"] * 2
            + ["full_attention", "linear_attention"],
        },
        fused=True,
    ),
    "kimi_linear_query_rank_biases_tied": stateful(
        "KimiLinearForCausalLM",
        {
            **KIMI,
            "linear_head_dim": 12,
            "linear_num_heads": 2,
            "linear_conv_kernel_dim": 3,
            "q_lora_rank": 18,
            "attention_bias": True,
            "tie_word_embeddings": True,
            "hidden_act": "gelu",
            "layer_types": ["full_attention"]
            + ["linear_attention"] * 2
            + ["full_attention"],
        },
        spell=kimi_layers,
        pad="right",
    ),
    "bailing_hybrid_dense": stateful(
        "BailingHybridForCausalLM",
        {**KIMI, "head_dim": 10, "layer_group_size": 3},
        fused=True,
    ),
    "bailing_hybrid_open_gate_yarn": stateful(
        "BailingHybridForCausalLM",
        {
            **KIMI,
            "head_dim": 12,
            "kda_safe_gate": False,
            "attention_bias": True,
            "short_conv_kernel_size": 2,
            "layer_group_size": 2,
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
}
