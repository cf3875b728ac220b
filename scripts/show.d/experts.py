"""Mixtures of experts, and stacks of different layers."""

import math
import os
import re
import sys

from showlib.lines import ROOT, Capability, Short, at_most
from showlib.models import WEIRC, code_bytes, compile_model, run, time_without_weights
from showlib.parity import check_each, find_families, find_operators
from showlib.peers import add_ratios, bandwidth_share
from showlib.stacks import checkpoint
from showlib.timed import checkpoint as timed_checkpoint
from showlib.timed import time_decoding, times_as_fast

LINES = Capability()


@LINES.line("parity")
def parity(options):
    """Whole sequences and generation of every text family."""
    names = find_families("softmax", "sparse", "moe", "linear", "hybrid", "hybrid-intra")
    return f"{check_each(names, options.flags)} ({', '.join(names)})"


@LINES.line("operators")
def operators(options):
    """Every operator case."""
    return check_each(find_operators(), options.flags)


PERIOD, DEPTH = 4, 48


@LINES.line("stack-time")
def stack_time(options):
    """48 layers of a hybrid compile in 1.3 times what one period of 4 takes."""
    rest = [
        time_without_weights(checkpoint("qwen3_next", layers), options)
        for layers in (DEPTH, PERIOD)
    ]
    return at_most(
        rest[0] / rest[1], 1.3,
        f"times ({rest[0]:.2f} s for {DEPTH} layers, {rest[1]:.2f} s for {PERIOD}, but "
        "for weights)", ""
    )


@LINES.line("stack-size")
def stack_size(options):
    """Machine code of 48 layers within a tenth of that of one period."""
    sizes = []
    for layers in (DEPTH, PERIOD):
        model = checkpoint("qwen3_next", layers)
        path, _ = compile_model(model, f"{layers}-hybrid.o", options, "--emit=object")
        sizes.append(code_bytes(path))
    return at_most(
        abs(sizes[0] / sizes[1] - 1), 0.1,
        f"apart ({sizes[0]} bytes of code for {DEPTH} layers, {sizes[1]} for {PERIOD})", ""
    )


@LINES.line("kinds")
def kinds(options):
    """Three kinds of layers in no order, a prefix and a tail: one copy of each."""
    model = checkpoint("nemotron", "MEM*EMMEM*EME*")
    text = run(WEIRC, model, "--stop-after=formed", *options.flags.split())
    forward = re.search(r"func\.func (?:public )?@forward\(.*?\n  }\n", text, re.DOTALL)
    if not forward:
        raise Short("--stop-after=formed has no @forward")
    # What a layer of each kind has one of.
    marks = {"Mamba-2": "weir.causal_conv", "attention": "weir.attention",
             "mixture": "weir.experts"}
    called = {
        name: len(re.findall(rf"\b{mark}\b", forward[0])) for name, mark in marks.items()
    }
    if set(called.values()) != {1}:
        raise Short(", ".join(f"{count} of {name}" for name, count in called.items()))
    return f"one copy each of {', '.join(called)} for 14 layers"


add_ratios(LINES, {"moe_mixtral": 1.5, "moe_qwen3": 1.5}, "of 256 tokens in f32")


def forget(path):
    """Drops a file from the memory that caches files."""
    os.sync()
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


# Opens a compiled model, takes a token, and prints the bytes of its weights that
# the process has seen.
ONE_TOKEN = """
import pathlib, re, sys
from weirbench.compiled import Session
library = pathlib.Path(sys.argv[1])
session = Session(library, 2, 16)
session.extend(session.block([7]))
maps = pathlib.Path("/proc/self/smaps").read_text()
maps = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", maps, flags=re.MULTILINE)
ours = [m for m in maps if f"{library}.weights" in m.split("\\n")[0]]
print(sum(int(re.search(r"^Rss:\\s+(\\d+) kB", m, re.M)[1]) for m in ours) * 1024)
"""


@LINES.line("pages")
def pages(options):
    """One token reads the weights of its experts alone: pages in memory, cold."""
    count, chosen = 32, 2
    model = checkpoint("mixtral", count)
    program, _ = compile_model(
        model, "mixtral.so", options, "--quantize=none", "--emit=shared"
    )
    weights = f"{program}.weights"
    forget(weights)
    touched = int(run(sys.executable, "-c", ONE_TOKEN, program, cwd=ROOT / "bench"))
    size = os.path.getsize(weights)
    experts = 4 * count * 3 * 256 * 1024 * 4
    least = size - experts + experts * chosen / count
    # The kernel maps what lies round a page with it.
    return at_most(
        touched / least, 1.5,
        f"times the {least / 2**20:.1f} MiB that {chosen} of {count} experts and the "
        f"rest take of {size / 2**20:.0f} MiB", ""
    )


@LINES.line("decode-bandwidth", slow=True)
def decode_bandwidth(options):
    """Weights of the chosen experts, read at 0.85 of what memory gives."""
    from safetensors import safe_open

    chosen = 1 / 2
    size = 0
    with safe_open(timed_checkpoint("mixture") / "model.safetensors", "np") as file:
        for name in file.keys():
            # One row of the embedding is read.
            if "embed" not in name:
                count = math.prod(file.get_slice(name).get_shape())
                size += 4 * count * (chosen if ".experts." in name else 1)
    return bandwidth_share(int(size), time_decoding("mixture"))


@LINES.line("hybrid-prefill", slow=True)
def hybrid_prefill(options):
    """512 tokens of a hybrid with experts, 100M parameters, 3 times transformers' speed."""
    return times_as_fast("experts", "prefill", 3)


@LINES.line("hybrid-decode", slow=True)
def hybrid_decode(options):
    """Tokens of the same behind them, twice transformers' speed."""
    return times_as_fast("experts", "decode", 2)
