"""From the dialect to NVIDIA code, proved on an emulator."""

import json
import os
import re
import subprocess
import sys
import time

from showlib.lines import ROOT, Capability, Short, Skip, at_least, at_most
from showlib.models import BUILD, WEIRC, WORK, compile_model, run, smollm2
from showlib.parity import PARITY, check_each, check_presence, find_operators

LINES = Capability()
SIMT = "--target=simt"

# One of each kind of stack; MLA has experts too, the inter-layer hybrid as well.
CATEGORIES = {
    "dense": "llama",
    "sliding": "gemma3",
    "MLA": "deepseek_v3",
    "keys chosen by content": "deepseek_v32",
    "linear": "gla",
    "SSM": "mamba2",
    "selective scan": "mamba",
    "rank-one recurrence": "rwkv7",
    "MoE": "mixtral",
    "inter-layer hybrid": "qwen3_next",
    "intra-layer hybrid": "falcon_h1",
}


@LINES.line("parity")
def parity(options):
    """A reference checkpoint of each category, sequences and generation, on the
    emulator."""
    check_presence()
    figure = check_each(CATEGORIES.values(), f"{SIMT} {options.flags}".strip())
    named = ", ".join(f"{name} ({what})" for what, name in CATEGORIES.items())
    return f"{figure}: {named}"


@LINES.line("operators")
def operators(options):
    """Every operator case, on the emulator."""
    return check_each(find_operators(), f"{SIMT} {options.flags}".strip())


@LINES.line("parity-all", slow=True)
def parity_all(options):
    """Every reference checkpoint that the host's code passes."""
    check_presence()
    names = sorted(
        json.loads(path.read_text())["name"]
        for path in (PARITY / "public").glob("*/meta.json")
    )
    return check_each(names, f"{SIMT} {options.flags}".strip())


def run_tests(*names):
    """What lit says of the tests whose paths hold one of `names`."""
    lit = next(
        (path for path in ("/usr/lib/llvm-22/build/utils/lit/lit.py",
                           "/usr/lib/llvm-22/bin/lit") if os.path.exists(path)),
        None,
    )
    if not lit:
        raise Skip("lit of LLVM 22 is not installed")
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, lit, "-v", "--filter", "|".join(names), BUILD / "test"],
        capture_output=True, text=True,
    )
    passed = re.search(r"Passed\s*:\s*(\d+)", done.stdout)
    if done.returncode or not passed:
        failed = re.findall(r"^FAIL: (.*) \(", done.stdout, re.MULTILINE)
        raise Short(", ".join(failed) or done.stdout[-200:] or done.stderr[-200:])
    return int(passed[1]), time.monotonic() - begin


@LINES.line("emulator-tests")
def emulator_tests(options):
    """The emulator's part of CI, mutations included: at most 8 minutes."""
    passed, seconds = run_tests("Execution/simt", "unit.*Simt")
    return at_most(seconds / 60, 8, f"for {passed} tests", "min")


@LINES.line("mutations")
def mutations(options):
    """Faults put into real kernels: at least 30 kinds x kernels, 95 % caught."""
    folder = ROOT / "test" / "Execution" / "simt" / "Inputs"
    WORK.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join((str(BUILD / "bin"), os.environ.get("PATH", "")))
    text = run(sys.executable, folder / "check_mutations.py",
               folder / "mutated.mlir", WORK / "mutations",
               env={**os.environ, "PATH": path})
    survivors = re.findall(r"^survives: (\S+ \S+ \d+)", text, re.MULTILINE)
    last = text.strip().splitlines()[-1]
    kinds, _, caught = re.match(
        r"(\d+) kinds and kernels, (\d+) mutants, .*: ([\d.]+) %", last
    ).groups()
    at_least(int(kinds), 30, "kinds and kernels")
    at_least(float(caught), 95, "% caught")
    return f"{last}; survivors: {', '.join(survivors) or 'none'}"


@LINES.line("ptxas")
def ptxas(options):
    """The assembler takes the main kernels for sm_80 and sm_90a without spills."""
    passed, seconds = run_tests("GPU/ptxas")
    return f"{passed} tests, {seconds:.0f} s"


@LINES.line("warpgroups")
def warpgroups(options):
    """Products of a model in bf16 for sm_90a: wgmma, copies of boxes and barriers
    in memory."""
    check_presence()
    text = run(WEIRC, PARITY / "public" / "llama", "--target=cuda",
               "--gpu-arch=sm_90a", "--quantize=bf16", "--compute=bf16",
               "--emit=ptx", "--quiet", "-o", "-")
    counts = {
        name: sum(name in kernel for kernel in text.split(".entry")[1:])
        for name in ("wgmma.mma_async", "cp.async.bulk.tensor",
                     "mbarrier.try_wait", "mma.sync")
    }
    for name, count in counts.items():
        at_least(count, 1, f"kernels with {name}")
    return ", ".join(f"{count} kernels with {name}"
                     for name, count in counts.items())


@LINES.line("compile-time")
def compile_time(options):
    """SmolLM2 for sm_90a in under 60 s."""
    path, seconds = compile_model(
        smollm2(), "smollm2-sm_90a", options, "--target=cuda", "--gpu-arch=sm_90a",
        "--max-length=256",
    )
    return at_most(seconds, 60, f"for {path.stat().st_size >> 20} MiB", "s")


@LINES.line("benchmark")
def benchmark(options):
    """What bench/gpu times on a GPU computes what its reference says, at small
    sizes on the emulator."""
    text = run(ROOT / "bench" / "gpu", "check", "--weirc", WEIRC,
               *(f"--compile-option={flag}" for flag in options.flags.split()))
    return text.strip().splitlines()[-1]


# Workloads of bench/gpu, the figure's name there, and the least ratio of the best
# peer's time to Weir's.
GOALS = {
    "matmul-bf16-8192": ("ms", 0.9),
    "attention-mha-8k": ("ms", 0.9),
    "gdn-b4-t2048-h16": ("ms", 1.0),
    "smollm2": ("decode_ms", 2.0),
}


@LINES.line("measured")
def measured(options):
    """Beside cuBLAS, SDPA, flash-linear-attention and torch with CUDA graphs, on
    the GPU that was measured last."""
    kept = [json.loads(path.read_text())
            for path in (ROOT / "bench" / "results" / "gpu").glob("*.json")]
    if not kept:
        raise Skip("no GPU has been measured: `bench/gpu kit kit` here, then where "
                   "a GPU is `python3 kit/run.py --json OUT`, kept in "
                   "bench/results/gpu")
    last = max(kept, key=lambda result: result["machine"]["date"])
    rows = {row["workload"]: row for row in last["rows"] if row["name"] == "weir"}
    said = []
    for workload, (figure, goal) in GOALS.items():
        ratio = rows.get(workload, {}).get(f"ratio_{figure}")
        if ratio is None:
            raise Short(f"{workload} has no right peer in the last result")
        said.append(f"{workload} {at_least(ratio, goal, 'of the best peer')}")
    return f"{last['machine']['gpu']}: {', '.join(said)}"


@LINES.line("without-gpu")
def without_gpu(options):
    """The executable starts without a GPU and says what is missing."""
    path, _ = compile_model(
        smollm2(), "smollm2-sm_90a", options, "--target=cuda", "--gpu-arch=sm_90a",
        "--max-length=256",
    )
    done = subprocess.run(
        [path, "--prompt", "The capital of France is", "-n", "1"],
        capture_output=True, text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    said = done.stderr.strip().splitlines()[:1]
    if done.returncode != 1 or not said or not re.search(
            "driver|device", said[0], re.IGNORECASE):
        raise Short(f"status {done.returncode}: {said}")
    return said[0]
