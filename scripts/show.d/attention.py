"""Attention: masks, sparsity, latent and grouped heads."""

import os
import subprocess
import sys

from showlib.lines import ROOT, Capability, Short
from showlib.models import WEIRC
from showlib.parity import check_each, find_families

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
