"""From a real model file to a standalone executable on the CPU."""

import functools
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

from showlib import logits
from showlib.lines import ROOT, Capability, Short, Skip, at_least, at_most
from showlib.models import (
    BUILD,
    WEIRC,
    WORK,
    code_bytes,
    compile_model,
    run,
    smollm2,
    time_without_weights,
)

LINES = Capability()


@LINES.line("demo")
def demo(options):
    """scripts/demo ends with text."""
    begin = time.monotonic()
    smollm2()
    text = run(ROOT / "scripts" / "demo").strip()
    if "Paris" not in text:
        raise Short(f"the text lacks 'Paris': {text[-200:]}")
    return f"{time.monotonic() - begin:.0f} s; it wrote: {text[-60:]!r}"


@LINES.line("logits-f32")
def logits_f32(options):
    """--quantize=none against transformers in float32."""
    reference = logits.by_transformers()
    flags = ("--quantize=none", "--max-length=256")
    program, _ = compile_model(smollm2(), "smollm2-none", options, *flags)
    figure = logits.compare(program, reference)
    (WORK / "smollm2-none.weights").unlink()
    return figure


@LINES.line("logits-stored")
def logits_stored(options):
    """--quantize=stored, computed in f32, against the same."""
    reference = logits.by_transformers()
    flags = ("--quantize=stored", *compute_flag("f32"))
    program, _ = compile_model(smollm2(), "smollm2-stored", options, *flags)
    return logits.compare(program, reference)


@LINES.line("logits-int8")
def logits_int8(options):
    """--quantize=stored with 8-bit activations against llama.cpp."""
    reference = logits.by_llama_cpp()
    flags = ("--quantize=stored", *compute_flag("int8"))
    program, _ = compile_model(smollm2(), "smollm2-int8", options, *flags)
    noise = logits.noise_of_llama_cpp(reference)
    try:
        return f"{logits.compare(program, reference)}; {noise}"
    except Short as short:
        raise Short(f"{short}; {noise}")


def compute_flag(kind):
    """--compute=KIND, where the compiler has the option."""
    if "--compute" in run(WEIRC, "--help"):
        return (f"--compute={kind}",)
    if kind == "f32":
        return ()
    raise Skip("weirc has no --compute")


@LINES.line("chroot")
def chroot(options):
    """The executable runs in an empty Debian root."""
    program, _ = compile_model(smollm2(), "smollm2", options)
    if os.geteuid() != 0:
        raise Skip("chroot needs root")
    text = run(
        ROOT / "scripts" / "chroot-check",
        program,
        "--prompt",
        "The capital of France is",
        "-n",
        "8",
    )
    if "Paris" not in text:
        raise Short(f"it wrote {text!r}, expected 'Paris' in it")
    return f"it wrote {text.strip()!r}"


@LINES.line("tests", slow=True)
def tests(options):
    """.ci/run on a clean clone, without a compiler cache."""
    with tempfile.TemporaryDirectory() as folder:
        clone = pathlib.Path(folder) / "weir"
        run("git", "clone", "--quiet", ROOT, clone)
        parity = os.environ.get("WEIR_PARITY", str(ROOT.parent / "shared" / "parity"))
        environment = {**os.environ, "CCACHE_DISABLE": "1", "WEIR_PARITY": parity}
        begin = time.monotonic()
        done = subprocess.run(
            [clone / ".ci" / "run"], capture_output=True, text=True, env=environment
        )
        minutes = (time.monotonic() - begin) / 60
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode or not re.fullmatch(r"\d+ passed, 0 failed, \d+ skipped", last):
        raise Short(f"status {done.returncode} after {minutes:.1f} min: {last}")
    return f"{last}; " + at_most(minutes, 40, "from a clean clone", "min")


@LINES.line("parity")
def parity(options):
    """Whole sequences and generation of the public reference checkpoints."""
    names = "llama mistral qwen3 gpt2".split()
    text = run(
        ROOT / "scripts" / "parity",
        "--weirc",
        WEIRC,
        "--flags",
        options.flags,
        *names,
    )
    last = text.strip().splitlines()[-1]
    if last.startswith("SKIP"):
        raise Skip(last.removeprefix("SKIP: "))
    if not last.endswith(" 0 failed"):
        raise Short(last)
    return f"{last} ({', '.join(names)})"


@LINES.line("compile-time")
def compile_time(options):
    """From GGUF to an executable in under 20 s on two cores."""
    _, seconds = compile_model(smollm2(), "smollm2", options)
    return at_most(seconds, 20, "from GGUF to an executable on two cores")


@LINES.line("first-token")
def first_token(options):
    """From start to the first token of a short prompt in under 0.3 s."""
    program, _ = compile_model(smollm2(), "smollm2", options)
    command = [program, "--prompt", "The capital of France is", "-n", "1"]
    times = []
    for _ in range(6):
        begin = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            process.stdout.read(1)
            times.append(time.monotonic() - begin)
            process.stdout.read()
    # The first run reads the file into memory.
    middle = sorted(times[1:])[2]
    done = subprocess.run(
        [*command, "--stats=json"], capture_output=True, text=True, check=True
    )
    stats = json.loads(done.stderr)
    detail = (
        f"; of it loading {stats['load_seconds']:.3f} s and prompt "
        f"{stats['time_to_first_token_seconds']:.3f} s"
    )
    return at_most(middle, 0.3, "from start to first token (median of 5)") + detail


def depths(options):
    """The model with all its layers and with 3 of them."""
    WORK.mkdir(parents=True, exist_ok=True)
    shallow = WORK / "smollm2-3-layers.gguf"
    truncate = ROOT / "test" / "generators" / "truncate_gguf.py"
    run(os.sys.executable, truncate, smollm2(), shallow, 3)
    return smollm2(), shallow


@LINES.line("code-size")
def code_size(options):
    """Machine code of the same size for 30 layers as for 3."""
    deep, shallow = depths(options)
    sizes = []
    for model, name in ((deep, "30-layers.o"), (shallow, "3-layers.o")):
        path, _ = compile_model(model, name, options, "--emit=object")
        sizes.append(code_bytes(path))
        pathlib.Path(f"{path}.weights").unlink()
    figure = f"{sizes[0]} bytes of code for 30 layers, {sizes[1]} for 3"
    # Numbers of layers and bytes in instructions may be longer ones.
    if abs(sizes[0] - sizes[1]) > 0.005 * sizes[1]:
        raise Short(figure)
    return figure


@LINES.line("code-time")
def code_time(options):
    """Compile time but for weights the same for 30 layers as for 3."""
    deep, shallow = depths(options)
    rest = [time_without_weights(model, options) for model in (deep, shallow)]
    figure = f"{rest[0]:.2f} s for 30 layers, {rest[1]:.2f} s for 3, but for weights"
    # Two runs of the same compilation are this far apart.
    if rest[0] > 1.15 * rest[1] + 0.1:
        raise Short(figure)
    return figure


@functools.cache
def compare_with_peers():
    """The rows of one interleaved run of bench/compare."""
    compare = ROOT / "bench" / "compare"
    with tempfile.TemporaryDirectory() as folder:
        results = pathlib.Path(folder) / "results.json"
        # Compiling torch's graph takes minutes and makes its rows no faster here.
        only = "weir:*,torch:*,llama.cpp:*"
        run(compare, "--weirc", WEIRC, "--only", only, "--rounds", 3,
            "--json", results)
        return json.loads(results.read_text())["rows"]


def ratios_to_peers(phase, engines):
    """For each weight type, how much faster Weir's best is than `engines`'."""
    best = {}
    for row in compare_with_peers():
        if row["phase"] != phase:
            continue
        side = "weir" if row["engine"] == "weir" else "peer"
        if side == "peer" and not row["engine"].startswith(engines):
            continue
        times = best.setdefault(row["weights"], {})
        times[side] = min(times.get(side, math.inf), row["ms"])
    return {
        weights: times["peer"] / times["weir"]
        for weights, times in best.items()
        if len(times) == 2
    }


def least_ratio(phase, engines, what):
    """Held when all weight types reach 0.7."""
    ratios = ratios_to_peers(phase, engines)
    if not ratios:
        raise Skip("no peer was timed; run scripts/setup bench")
    each = ", ".join(f"{weights} {ratio:.2f}" for weights, ratio in ratios.items())
    return at_least(min(ratios.values()), 0.7, f"of {what}") + f" ({each})"


@LINES.line("prefill-ratio", slow=True)
def prefill_ratio(options):
    """Prefill of 512 tokens at least 0.7 of the best peer, weights alike."""
    return least_ratio("prefill", ("torch", "llama.cpp"), "the best peer's prefill")


@LINES.line("decode-ratio", slow=True)
def decode_ratio(options):
    """Decoding at context 512 at least 0.7 of llama.cpp, weights alike."""
    return least_ratio("decode", ("llama.cpp",), "llama.cpp's decoding")


@LINES.line("texts")
def texts(options):
    """Help, table and stages of the compiler and of what it makes."""
    program, _ = compile_model(smollm2(), "smollm2", options)
    wanted = {
        "weirc --help": (run(WEIRC, "--help"), ["--emit", "--quantize", "--target-cpu"]),
        "model --help": (run(program, "--help"), ["--prompt", "--stats", "--save-state"]),
        "model --info": (run(program, "--info"), ["state of one sequence", "extend"]),
    }
    if "--explain" not in wanted["weirc --help"][0]:
        raise Short("weirc has no --explain")
    wanted["weirc --explain"] = (
        run(WEIRC, smollm2(), "--explain", *options.flags.split()),
        ["attention", "bytes"],
    )
    for command, (text, words) in wanted.items():
        for word in words:
            if word not in text:
                raise Short(f"{command} does not mention '{word}'")
    stages = WORK / "stages"
    shutil.rmtree(stages, ignore_errors=True)
    run(WEIRC, smollm2(), f"--dump-stages={stages}", *options.flags.split(),
        "--quiet", "-o", WORK / "dumped")
    files = sorted(path.name for path in stages.iterdir())
    if len(files) < 6:
        raise Short(f"--dump-stages wrote {files}, expected six stages")
    return f"{', '.join(wanted)}; stages {', '.join(files)}"


# What is wrong with a call, the call, and what its message must name.
ERRORS = [
    ("missing model", ["{work}/none"], "no such file or directory: {work}/none"),
    ("unknown option", ["{model}", "--frobnicate"], "frobnicate"),
    ("unknown type", ["{model}", "--quantize=int3"], "int3"),
    ("unknown CPU", ["{model}", "--target-cpu=z80"], "z80"),
    ("truncated GGUF", ["{work}/short.gguf"], "short.gguf"),
    ("not GGUF", ["{work}/text.gguf"], "text.gguf"),
    ("folder without model", ["{work}/empty"], "config.json"),
]


@LINES.line("errors")
def errors(options):
    """Errors name what is wrong, with a failing status and no output."""
    model = smollm2()
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(work)
        (folder / "empty").mkdir()
        (folder / "text.gguf").write_text("no model")
        with open(model, "rb") as whole:
            (folder / "short.gguf").write_bytes(whole.read(5000000))
        for what, arguments, message in ERRORS:
            fill = dict(work=work, model=model)
            arguments = [part.format(**fill) for part in arguments]
            output = folder / "out"
            done = subprocess.run(
                [WEIRC, *arguments, "-o", output], capture_output=True, text=True
            )
            text = done.stderr.strip()
            if done.returncode not in (1, 2) or message.format(**fill) not in text:
                raise Short(f"{what}: status {done.returncode}: {text[-200:]}")
            if output.exists() or (folder / "out.weights").exists():
                raise Short(f"{what}: output was left behind")
    return f"{len(ERRORS)} wrong calls refused in plain words"
