"""Times Weir, torch and llama.cpp on SmolLM2-135M, interleaved in one run.

Prefill of 512 tokens and decoding behind them, each engine in a process of its
own, in short bursts in turn. Logits are checked against transformers in f32.
Prints tables in Markdown; --json keeps everything.
"""

import argparse
import fnmatch
import json
import subprocess
import sys
from pathlib import Path

from . import contenders, machine, rounds, smollm2, tables
from .compiled import add_compiler_options, find_weirc

#: The largest error (see worker.check) and the least share of agreeing largest
#: logits allowed, by weights and compute. In f32 the order of sums alone differs,
#: whatever the weights of the stored file are kept in, since those are exact.
#: Activations of 8 bits, quantised or of bf16, are off by a tenth after 30 layers
#: (torch in bf16 by 0.11, llama.cpp on Q4_1 by 0.16); a wrong kernel is off by 1.
TOLERANCES = {
    ("f32", "f32"): (1e-3, 1.0),
    ("f16", "f32"): (2e-2, 1.0),
    ("q4_1", "f32"): (1e-3, 1.0),
    ("q4_1", "int8"): (3e-1, 0.9),
    ("bf16", "f32"): (5e-2, 0.9),
    ("bf16", "bf16"): (2.5e-1, 0.9),
}


def parse():
    parser = argparse.ArgumentParser(prog="bench/compare", description=__doc__)
    parser.add_argument(
        "--only",
        default="*",
        metavar="GLOB,...",
        help="contenders, for example 'weir:*,llama.cpp:q4_1/*'",
    )
    parser.add_argument("--list", action="store_true", help="list contenders")
    parser.add_argument("--phases", default="prefill,decode")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument(
        "--seconds", type=float, default=0.4, help="least length of a burst"
    )
    parser.add_argument("--threads", type=int, default=machine.default_threads())
    add_compiler_options(parser)
    parser.add_argument(
        "--measure", action="store_true", help="measure the machine's peaks again"
    )
    parser.add_argument("--json", metavar="FILE", help="write all results here")
    arguments = parser.parse_args()
    for phase in arguments.phases.split(","):
        if phase not in ("prefill", "decode"):
            parser.error(f"unknown phase '{phase}', expected prefill or decode")
    if arguments.rounds < 1 or arguments.threads < 1:
        parser.error("--rounds and --threads are at least 1")
    return arguments


def choose(globs):
    """The contenders that fit any of `globs`."""
    chosen = [
        name
        for name in contenders.ALL
        if any(fnmatch.fnmatch(name, glob) for glob in globs.split(","))
    ]
    if not chosen:
        sys.exit(f"bench/compare: error: no contender fits '{globs}'; see --list")
    return chosen


def say(text):
    print(text, file=sys.stderr, flush=True)


def prepare(names):
    """Files made of the model, each by a process that ends: what they load must
    not stay in memory while others are timed."""

    def call(code):
        done = subprocess.run(
            [sys.executable, "-c", f"from weirbench import smollm2; {code}"],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            sys.exit(f"bench/compare: error: {done.stderr.strip().splitlines()[-1]}")

    say("preparing the reference")
    call("smollm2.prepare_torch()")
    for name in names:
        engine, weights, _ = contenders.split_name(name)
        if engine == "llama.cpp":
            call(f"smollm2.prepare_gguf({weights!r})")


def judge(name, check):
    """Whether the contender computes what it should."""
    engine, weights, compute = contenders.split_name(name)
    error, share = TOLERANCES[weights, compute]
    if engine == "llama.cpp":
        error = max(error, 2e-2)  # keys and values are kept in f16
    return (
        check["error"] <= error and check["agreed"] >= share * check["counted"]
    )


def main():
    arguments = parse()
    names = choose(arguments.only)
    if arguments.list:
        print("\n".join(names))
        return 0
    timed = any(name.startswith("weir:") for name in names)
    weirc = find_weirc(arguments.weirc) if timed else None
    peaks = machine.measure(arguments.threads, arguments.measure)
    prepare(names)
    settings = {
        "threads": arguments.threads,
        "weirc": weirc and str(weirc),
        "weirc_options": arguments.compile_option,
    }
    logs = machine.cache_folder() / "logs"
    logs.mkdir(exist_ok=True)
    workers, failed, wrong = [], {}, []
    for name in names:
        log = logs / (name.replace("/", "-").replace(":", "-") + ".log")
        worker = rounds.Worker(name, settings, log)
        if "failed" in worker.hello:
            failed[name] = worker.hello["failed"]
            say(f"{name}: {failed[name]} (log: {log})")
            worker.close()
            continue
        check = worker.hello["check"]
        right = judge(name, check)
        wrong += [] if right else [name]
        say(
            f"{name}: ready in {worker.hello['setup_seconds']:.1f} s, error "
            f"{check['error']:.1e}, largest logit {check['agreed']} of "
            f"{check['counted']}{'' if right else ': NOT WITHIN TOLERANCE'}"
        )
        workers.append(worker)
    phases = arguments.phases.split(",")
    try:
        rounds.run(workers, phases, arguments.rounds, arguments.seconds, say)
    finally:
        for worker in workers:
            worker.close()
    rows = [
        {
            "name": worker.name,
            "phase": phase,
            "ms": worker.times[phase].median(),
            "spread": worker.times[phase].spread(),
            "wait": worker.times[phase].wait(),
            "bursts_ms": worker.times[phase].bursts,
            **worker.hello["check"],
        }
        for worker in workers
        for phase in phases
    ]
    tables.derive(rows, smollm2.Cost(), peaks)
    result = {
        "model": smollm2.find_model().name,
        "threads": arguments.threads,
        "rounds": arguments.rounds,
        "weirc_options": arguments.compile_option,
        "machine": machine.describe(weirc),
        "peaks": peaks,
        "rows": rows,
        "failed": failed,
        "wrong": wrong,
    }
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(result, indent=1) + "\n")
    print(tables.markdown(result))
    for name in wrong:
        say(f"bench/compare: error: {name} does not compute what the reference does")
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
