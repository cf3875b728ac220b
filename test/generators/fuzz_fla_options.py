#!/usr/bin/env python3
"""Draws options of flash-linear-attention's families at random and compares what
is compiled with the library.

Options are those of fuzz_options.py. Sequences are short, as in
make_fla_checkpoint.py, whose stand-ins for kernels compute here too.
"""

import sys

import make_fla_checkpoint
from cases import Case
from fla_cases import ABSENT, FLA_CASES, SMALL
from fuzz_options import Library, fuzz

ATTENTION = [
    None,
    dict(layers=[0], num_heads=2),
    dict(layers=[1], num_heads=4, num_kv_heads=1, window_size=4, qkv_bias=True),
    dict(layers=[0, 1], num_heads=3, rope_theta=200.0),
    dict(layers=[1], num_heads=6, num_kv_heads=3, window_size=None, rope_theta=1000.0),
]

VALUES = (
    ("^fuse|^use_l2warp|^logits_|binding|residual_in_fp32", []),
    ("^hidden_size", [24, 48, 64, 96]),
    ("hidden_ratio", [1, 2, 3, 4, None]),
    ("^intermediate_size", [None, 7, 32, 50]),
    ("^expand_k|^exapnd_k|^expand_v", [0.5, 0.75, 1, 1.5, 2.0]),
    ("^expand_ratio", [None, 1, 2, 4, 8, 12, 16]),
    ("^num_kv_heads|^num_v_heads", [None, 1, 2, 3, 4, 6]),
    ("^feature_map", [None, "relu", "elu", "gelu", "silu", "swish", "sigmoid", "tanh", "t2r"]),
    ("^qk_activation", ["silu", "relu", "elu", "identity"]),
    ("^hidden_act", ["swish", "relu", "gelu", "sqrelu", "sigmoid", "powlu", "silu"]),
    ("^output_gate_activation|^gate_fn", ["swish", "sigmoid", "silu", "gelu"]),
    ("gate_logit_normalizer", [1, 3, 8, 16]),
    ("^clamp_min", [None, -0.05, -0.5, -3.0]),
    ("^clamp_max", [None, 0.3, 2.0]),
    ("attnres_block_size", [None, 1, 2, 3, 4]),
    ("^attn$", ATTENTION),
    ("low_rank(_dim)?$", [None, 2, 5, 9, 16]),
    ("^window_size|^block_counts|moba_topk|topk$", [None, 1, 2, 3, 5]),
    ("num_householder", [1, 2, 3]),
    ("num_slots|num_memories", [2, 3, 5, 9]),
    ("^lambda_lower_bound", [0.1, 0.25, 0.7]),
    ("lower_bound$", [-1.0, -3.0, -5.0]),
    ("max_position_embeddings", [None, 64, 256]),
)


def get_cases():
    cases = {}
    for name, (family, options) in FLA_CASES.items():
        config = {k: v for k, v in {**SMALL, **options}.items() if v is not ABSENT}
        config["use_cache"] = False
        cases[name] = Case(family + "ForCausalLM", config, lengths=(9, 18))
    return cases


if __name__ == "__main__":
    library = Library(
        make_fla_checkpoint.fla.models,
        get_cases(),
        make_fla_checkpoint.fill,
        forms=("plain", "plain", "bfloat16", "shards", "defaults", "base"),
        values=VALUES,
        new_tokens=3,
    )
    sys.exit(fuzz(library, __doc__))
