"""Attention: masks, sparsity, latent and grouped heads."""

import os
import subprocess
import sys

from showlib.lines import ROOT, Capability, Short, at_most
from showlib.models import WEIRC
from showlib.parity import check_each, find_families
from showlib.peers import ratio, time_workload

LINES = Capability()


@LINES.line("parity")
def parity(options):
    """Whole sequences and generation of the softmax and sparse families."""
    names = find_families("softmax", "sparse")
    return f"{check_each(names, options.flags)} ({', '.join(names)})"


OPERATORS = """
attn_causal_gqa attn_mha_bidirectional attn_mqa attn_alibi attn_softcap
attn_window attn_sink_window bigbird_like_mask nsa moba dsa forgetting_attn
path_attn stickbreaking_attn differential_attn deltaformer
""".split()


@LINES.line("operators")
def operators(options):
    """Every attention case of the operators."""
    return check_each(OPERATORS, options.flags)


@LINES.line("masks", slow=True)
def masks(options):
    """A thousand random masks and predicates, against their definition."""
    script = ROOT / "test" / "Execution" / "attention" / "Inputs" / "check_masks.py"
    path = f"{WEIRC.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, script, "--count", "1000", "--per-program", "20",
         "--flags", options.flags],
        capture_output=True, text=True, env={**os.environ, "PATH": path},
    )
    last = (done.stdout.strip().splitlines() or [done.stderr.strip()[-200:]])[-1]
    if done.returncode:
        raise Short(last)
    return f"{last}, of 20 masks each"


WORKLOADS = "attn_causal,attn_gqa,attn_window"


def add_ratio(workload, least):
    def check(options):
        return ratio(workload, WORKLOADS, least)

    check.__doc__ = f"{workload} in f32, {least} times the best peer."
    LINES.line(f"{workload}-ratio", slow=True)(check)


for name, least in (("attn_causal", 1.4), ("attn_gqa", 1.4), ("attn_window", 4)):
    add_ratio(name, least)


def time_attention(length, window=0, scores="plain", heads=8):
    """Milliseconds of causal attention over heads of 64 features."""
    import numpy as np

    random = np.random.default_rng(1)
    dims = dict(H=heads, KV=heads, T=length, D=64, window=window, scores=scores)
    shape = (1, heads, length, 64)
    tensors = {n: random.standard_normal(shape, np.float32) for n in "qkv"}
    return time_workload("attn_scores", dims, tensors)


@LINES.line("window-share", slow=True)
def window_share(options):
    """A window of 256 in 16 384 tokens, by the pairs that are visible."""
    length, window = 16384, 256
    turns = [
        (time_attention(length, heads=1), time_attention(length, window, heads=1))
        for _ in range(3)
    ]
    full, near = (min(times) for times in zip(*turns))
    pairs = length * (length + 1) / 2
    visible = window * (window + 1) / 2 + (length - window) * window
    share = (near / full) / (visible / pairs)
    return at_most(
        share, 1.35,
        f"times its share of the pairs ({near:.3g} ms of {full:.4g} ms for "
        f"{100 * visible / pairs:.2f} % of them)", ""
    )


def add_scores(scores, limit):
    def check(options):
        turns = [
            (time_attention(2048), time_attention(2048, scores=scores))
            for _ in range(3)
        ]
        plain, more = (sorted(times)[1] for times in zip(*turns))
        return at_most(
            more / plain, limit, f"of the plain time ({plain:.3g}, {more:.3g} ms)", ""
        )

    check.__doc__ = f"Causal attention with {scores}, by the plain one's time."
    LINES.line(scores, slow=True)(check)


add_scores("alibi", 1.15)
add_scores("softcap", 1.35)
