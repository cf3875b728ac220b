"""Times the forms of a recurrence over lengths.

Each form is asked for by its schedule; `chosen` is what the compiler takes by
itself. Prints microseconds per token, and draws them with --svg.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from .compiled import (
    CompileError,
    Function,
    add_compiler_options,
    compile_shared,
    find_weirc,
)
from .machine import cache_folder, default_threads, describe, digest
from .operators import build
from .peer import time_function

LENGTHS = (1, 16, 64, 256, 1024, 4096, 16384, 65536)
HEADS = {"gla": dict(H=4, K=64, V=64), "gdn": dict(H=4, K=64, V=64)}


def make_tensors(workload, dims, random):
    """Inputs of `workload`: log decays below 0, strengths between 0 and 1."""
    rows = (1, dims["T"], dims["H"])
    widths = {"q": dims["K"], "k": dims["K"], "v": dims["V"]}
    tensors = {
        name: random.standard_normal((*rows, width), np.float32)
        for name, width in widths.items()
    }
    tensors["k"] /= np.linalg.norm(tensors["k"], axis=-1, keepdims=True)
    if workload == "gdn":
        tensors["g"] = -random.random(rows, np.float32)
        tensors["beta"] = random.random(rows, np.float32)
    else:
        tensors["g"] = -random.random((*rows, dims["K"]), np.float32)
    return tensors


def schedules(dims, threads):
    """The text of a schedule by the form's name; none is the compiler's own."""
    width = dims["V"]
    forms = {
        "recurrent": [1, width],
        "chunkwise": [16, width, 1],
        "parallel": [16, width, 1, threads],
    }
    named = {
        form: f'<form = "{form}", tiles = {tiles}, parallel = true>'
        for form, tiles in forms.items()
    }
    return {"chosen": None, **named}


def with_schedule(text, schedule):
    """`text` with the schedule of its one recurrence given."""
    if schedule is None:
        return text
    begin, recurrence, rest = text.partition("weir.recurrence")
    types = "\n      : "
    return begin + recurrence + rest.replace(types, f" schedule({schedule}){types}", 1)


def time_form(weirc, operator, schedule, arguments):
    """Milliseconds of one form, or none where the compiler refuses it."""
    text = with_schedule(operator.text, schedule)
    source = cache_folder() / f"{arguments.workload}-growth-{digest(text)}.mlir"
    source.write_text(text)
    try:
        library = compile_shared(
            weirc, source, arguments.compile_option, arguments.threads
        )
    except CompileError as error:
        print(f"bench/growth: {error}", file=sys.stderr)
        return None
    function = Function(library, operator.arguments, arguments.threads)
    return time_function(function, arguments.seconds)


def measure(weirc, arguments):
    """Microseconds per token by form and length."""
    random = np.random.default_rng(1)
    times = {}
    for time in arguments.lengths:
        dims = dict(HEADS[arguments.workload], T=time)
        tensors = make_tensors(arguments.workload, dims, random)
        operator = build(arguments.workload, dims, tensors, "f32")
        for form, schedule in schedules(dims, arguments.threads).items():
            took = time_form(weirc, operator, schedule, arguments)
            if took is not None:
                times.setdefault(form, {})[time] = took * 1e3 / time
    return times


def draw(path, title, times):
    """Time per token by length, a line a form, both axes logarithmic."""
    try:
        import matplotlib
    except ImportError:
        sys.exit("bench/growth: error: --svg needs matplotlib; run scripts/setup bench")
    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "weir"
    figure, axes = pyplot.subplots(figsize=(6.4, 4))
    chosen = dict(color="black", linewidth=5, alpha=0.25)
    for form, row in times.items():
        style = chosen if form == "chosen" else dict(marker="o")
        axes.plot(list(row), list(row.values()), label=form, **style)
    axes.set(xscale="log", yscale="log", xlabel="tokens", ylabel="µs per token")
    axes.set_title(title)
    lengths = list(times["chosen"])
    axes.set_xticks(lengths, map(str, lengths))
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def parse_lengths(text):
    return tuple(int(word) for word in text.split(","))


def main():
    parser = argparse.ArgumentParser(prog="bench/growth", description=__doc__)
    parser.add_argument("--workload", choices=sorted(HEADS), default="gla")
    parser.add_argument("--lengths", type=parse_lengths, default=LENGTHS, metavar="T,...")
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--seconds", type=float, default=0.4, help="how long to time each")
    parser.add_argument("--svg", type=Path, help="draw the growth")
    parser.add_argument("--json", type=Path, help="keep the figures")
    add_compiler_options(parser)
    arguments = parser.parse_args()
    weirc = find_weirc(arguments.weirc)
    times = measure(weirc, arguments)
    print("| tokens | " + " | ".join(f"{form} µs/token" for form in times) + " |")
    print("|---:|" + "---:|" * len(times))
    for time in arguments.lengths:
        cells = (f"{row[time]:.3g}" if time in row else "" for row in times.values())
        print(f"| {time} | " + " | ".join(cells) + " |")
    if arguments.svg:
        draw(arguments.svg, f"{arguments.workload}, f32, {arguments.threads} threads", times)
    if arguments.json:
        kept = {
            "machine": describe(weirc),
            "workload": arguments.workload,
            "threads": arguments.threads,
            "microseconds_per_token": times,
        }
        arguments.json.write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
