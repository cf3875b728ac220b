"""Linear sequence models: linear attention, linear RNNs, state-space models."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

from showlib.lines import ROOT, Capability, Short, Skip, at_least, at_most
from showlib.models import BUILD, WEIRC, run
from showlib.parity import PARITY, check_parity, find_families
from showlib.peers import add_ratios, bandwidth_share, time_workload
from showlib.timed import checkpoint, time_decoding, times_as_fast

LINES = Capability()


@LINES.line("parity")
def parity(options):
    """Whole sequences and generation of every family of category linear."""
    names = find_families("linear")
    return f"{check_parity(names, options.flags)} ({', '.join(names)})"


# Reference cases of operators, each also with `_init` where that exists.
OPERATORS = """
linear_attn linear_attn_normalized retention simple_gla gla lightning_attn ssd
selective_scan delta_rule gated_delta_rule gated_delta_product kda comba
rwkv4_wkv rwkv6 rwkv7_dplr iplr_delta_rule hgrn rglru gsa abc based rebased mesa
mesa_cg ttt_linear log_linear_attn momentum_delta_rule causal_conv1d_silu
""".split()


def operator_cases():
    names = [name + end for name in OPERATORS for end in ("", "_init")]
    return [name for name in names if (PARITY / "ops" / name).is_dir()]


@LINES.line("operators")
def operators(options):
    """Every recurrence, scan and convolution case, final states included."""
    return check_parity(operator_cases(), options.flags)


@LINES.line("operators-plain")
def operators_plain(options):
    """The same through each op's definition."""
    return check_parity(operator_cases(), "--reference")


@LINES.line("explain")
def explain(options):
    """--explain names the form of each mixer for prefill and decode, and why."""
    if not (PARITY / "public").is_dir():
        raise Skip(f"no reference cases at {PARITY}")
    named = []
    for name in ("mamba2", "qwen3_next", "rwkv7"):
        text = run(WEIRC, PARITY / "public" / name, "--explain", *options.flags.split())
        for word in ("chunkwise", "recurrent", "chunks of", "one token"):
            if word not in text:
                raise Short(f"--explain of {name} does not say '{word}'")
        named.append(name)
    return f"forms and reasons for {', '.join(named)}"


# A mixer of nobody's: decay per key feature, a correction at a key of its own,
# the key's norm and a gate before it as ordinary operations.
MIXER = """
func.func @forward(%ids: tensor<?x?xi32> {{weir.name = "input_ids"}},
                   %n: tensor<?xi32> {{weir.name = "lengths", weir.role = "lengths"}})
    -> (tensor<?x?x2x8xf32> {{weir.name = "logits"}})
    attributes {{weir.method = "forward"}} {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %ids, %c0 : tensor<?x?xi32>
  %t = tensor.dim %ids, %c1 : tensor<?x?xi32>
  %table = arith.constant dense<{table}> : tensor<7x16xf32>
  %x = weir.embedding %ids, %table
      : tensor<?x?xi32>, tensor<7x16xf32> -> tensor<?x?x16xf32>
  %k0 = tensor.expand_shape %x [[0], [1], [2, 3]] output_shape [%b, %t, 2, 8]
      : tensor<?x?x16xf32> into tensor<?x?x2x8xf32>
  %k = weir.rms_norm %k0 eps(1.0e-5) : tensor<?x?x2x8xf32>
  %e = tensor.empty(%b, %t) : tensor<?x?x2x8xf32>
  %g = linalg.generic {{
      indexing_maps = [affine_map<(b, t, h, k) -> (b, t, h, k)>,
                       affine_map<(b, t, h, k) -> (b, t, h, k)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}}
      ins(%k : tensor<?x?x2x8xf32>) outs(%e : tensor<?x?x2x8xf32>) {{
  ^bb0(%in: f32, %out: f32):
    %square = arith.mulf %in, %in : f32
    %log = arith.negf %square : f32
    linalg.yield %log : f32
  }} -> tensor<?x?x2x8xf32>
  %o, %s = weir.recurrence %k, %k, %k0 decay(%g : tensor<?x?x2x8xf32>) {schedule}
      : tensor<?x?x2x8xf32>, tensor<?x?x2x8xf32>, tensor<?x?x2x8xf32>
        -> tensor<?x?x2x8xf32>, tensor<?x2x8x8xf32>
  return %o : tensor<?x?x2x8xf32>
}}
"""
FORMS = {
    "definition": "",
    "recurrent": 'schedule(<form = "recurrent", tiles = [1, 8]>)',
    "chunkwise": 'schedule(<form = "chunkwise", tiles = [16, 8]>)',
    "parallel": 'schedule(<form = "parallel", tiles = [1, 8, 1, 9]>)',
}
MIXERS = r"\b(gla|mamba2?|rwkv[0-9]?|retnet|delta_?net|hgrn2?|kda|comba|rg_?lru|xlstm)\b"


@LINES.line("new-mixer")
def new_mixer(options):
    """A mixer as .mlir alone gets its forms and its @extend."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    random = np.random.default_rng(1)
    table = random.standard_normal((7, 16)).round(4).tolist()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        ids = random.integers(0, 7, (2, 77)).astype(np.int32)
        save_file({"input_ids": ids}, work / "in")
        for form, schedule in FORMS.items():
            source = work / f"{form}.mlir"
            source.write_text(MIXER.format(table=table, schedule=schedule))
            flags = ["--reference"] if form == "definition" else options.flags.split()
            run(WEIRC, source, *flags, "--quiet", "-o", work / form)
            run(work / form, "--inputs", work / "in", "--outputs", work / "out")
            results[form] = load_file(work / "out")["logits"]
        formed = run(WEIRC, source, "--stop-after=formed")
    if "@extend(" not in formed or "carry" not in formed:
        raise Short("--stop-after=formed has no @extend with a carry")
    rms = np.sqrt(np.square(results["definition"]).mean())
    worst = max(
        abs(result - results["definition"]).max() / rms
        for result in results.values()
    )
    for folder in ("dialects/weir/Transforms", "lib/Codegen"):
        for path in sorted((ROOT / folder).rglob("*.cpp")):
            if found := re.search(MIXERS, path.read_text(), re.IGNORECASE):
                raise Short(f"{path.relative_to(ROOT)} names '{found[0]}'")
    figure = at_most(worst, 1e-4, f"of the rms between {', '.join(FORMS)}", "")
    return f"{figure}; @extend derived; no pass names a mixer"


@LINES.line("streaming")
def streaming(options):
    """Streams of the recurrences in every split equal whole sequences."""
    lit = "/usr/lib/llvm-22/bin/lit"
    command = [sys.executable, lit, "-v", BUILD / "test"]
    done = subprocess.run(
        [*map(str, command), "--filter=recurrence/streaming"],
        capture_output=True,
        text=True,
    )
    counted = re.search(r"Passed\s*:\s*(\d+)", done.stdout)
    if done.returncode or not counted:
        raise Short(done.stdout.strip()[-300:])
    return f"{counted[1]} tests of splits, ragged rows, forks and rollback"


LIMITS = {"gla": 2, "gdn": 2, "mamba2": 2, "hgrn": 2, "mamba1": 10}
add_ratios(LINES, LIMITS, "at 2048 tokens, f32")


@LINES.line("flat", slow=True)
def flat(options):
    """Time per token of 65 536 tokens as of 2048."""
    import numpy as np

    random = np.random.default_rng(1)
    each = {}
    for time in (2048, 65536):
        shape = (1, time, 4, 64)
        tensors = {n: random.standard_normal(shape, np.float32) for n in "qkv"}
        tensors["g"] = -random.random(shape, np.float32)
        took = time_workload("gla", dict(T=time, H=4, K=64, V=64), tensors)
        each[time] = took / time * 1e6
    short, long = each.values()
    return at_most(long / short, 1.1, f"of the time per token ({short:.0f} ns, {long:.0f} ns)", "")


@LINES.line("hybrid-prefill", slow=True)
def hybrid_prefill(options):
    """512 tokens of a hybrid of 100M parameters, 3 times transformers' speed."""
    return times_as_fast("dense", "prefill", 3)


@LINES.line("decode-bandwidth", slow=True)
def decode_bandwidth(options):
    """Weights read in decoding, as a share of what memory gives."""
    # The tied embedding is read once, as the last product.
    size = os.path.getsize(checkpoint("dense") / "model.safetensors")
    return bandwidth_share(size, time_decoding("dense"))
