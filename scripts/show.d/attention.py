"""Attention: masks, sparsity, latent and grouped heads."""

import os
import subprocess
import sys

from showlib.lines import ROOT, Capability, Short, at_least, at_most
from showlib.models import WEIRC, compile_model, run
from showlib.parity import PARITY, check_each, check_presence, find_families
from showlib.peers import (
    add_ratios,
    bandwidth_share,
    last_level_cache,
    time_workload,
)

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


add_ratios(LINES, {"attn_causal": 1.4, "attn_gqa": 1.4, "attn_window": 4}, "in f32")


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


@LINES.line("sparse-64k", slow=True)
def sparse(options):
    """NSA and MoBA over 65 536 tokens, 8 times as fast as full causal."""
    import pathlib
    import tempfile

    from showlib.sparse import Shape

    # The block sizes and counts of the papers.
    shapes = {
        "nsa": Shape(65536, 16, 1, 64, block=64, count=16, window=512),
        "moba": Shape(65536, 4, 4, 64, block=512, count=3),
    }
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, shape in shapes.items():
            text = getattr(shape, f"write_{name}")()
            ours = shape.time(text, folder, name, turns=3)
            full = shape.time(shape.write_full(), folder, f"{name}-full", turns=1)
            about = f"times as fast, {name} ({ours:.3g} s of {full:.4g} s)"
            figures.append(at_least(full / ours, 8, about))
    return "; ".join(figures)


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


# Streams tokens in blocks of 512 and prints the process's memory after a few
# blocks and at the end.
STREAM = """
import pathlib, re, sys
from weirbench.compiled import Session
library, count, size = pathlib.Path(sys.argv[1]), int(sys.argv[2]), 512
session = Session(library, 2, count + size)
block = session.block([i % 97 for i in range(size)])
for i in range(count // size + 1):
    session.extend(block)
    if i in (3, count // size):
        status = pathlib.Path("/proc/self/status").read_text()
        print(re.search(r"VmRSS:\\s+(\\d+) kB", status)[1])
"""


@LINES.line("stream-memory", slow=True)
def stream_memory(options):
    """200 000 tokens through a model with windows keep memory flat."""
    check_presence()
    tokens = 200_000
    library, _ = compile_model(
        PARITY / "public" / "mistral", "mistral.so", options, "--emit=shared",
        "--quantize=none", f"--max-length={tokens + 512}",
    )
    text = run(sys.executable, "-c", STREAM, library, tokens, cwd=ROOT / "bench")
    begin, end = map(int, text.split())
    figure = f"of the memory at 2048 tokens ({begin} and {end} KiB at {tokens})"
    return at_most(end / begin, 1.01, figure, "")


@LINES.line("cache-bandwidth", slow=True)
def cache_bandwidth(options):
    """One query over a cache of four times the last-level cache, by its bytes."""
    import numpy as np

    heads, dim = 8, 64
    most = 4 << 30
    length = min(max(4 * last_level_cache(), 1 << 30), most) // (2 * heads * dim * 4)
    random = np.random.default_rng(1)
    some = random.standard_normal((1, heads, 1024, dim), np.float32)
    keys = np.tile(some, (1, 1, length // 1024, 1))
    tensors = {"q": some[:, :, :1], "k": keys, "v": keys}
    dims = dict(H=heads, KV=heads, T=keys.shape[2], D=dim, window=0, queries=1)
    took = time_workload("attn_decode", dims, tensors)
    return bandwidth_share(2 * keys.nbytes, took / 1e3)
