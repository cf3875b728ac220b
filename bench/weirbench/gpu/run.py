"""Where the GPU is: checks what a kit computes, times it and its peers in turn.

A round gives every contender of a workload one burst, so that what slows the GPU
for a while slows all. A figure is the median over the rounds of the bursts'
medians. Weir's programs time themselves (--bench); peers are timed here, alike.
"""

import argparse
import datetime
import fnmatch
import json
import lzma
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from . import devices, peers, workloads

LONGEST = 600  # seconds of one program
#: What is timed: a call, or a prompt and a token behind it.
PHASES = ("ms", "prefill_ms", "decode_ms")


class Failed(RuntimeError):
    """A program's or a peer's own words."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="bench/gpu run", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", help="a kit")
    parser.add_argument("--only", default="*", metavar="GLOB,...",
                        help="workloads, for example 'matmul-*,smollm2'")
    parser.add_argument("--arch", help="programs of this architecture; default: "
                        "those that run best here")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=30, help="of a burst")
    parser.add_argument("--json", metavar="FILE", help="write all results here")
    parsed = parser.parse_args(arguments)
    if parsed.rounds < 1 or parsed.calls < 1:
        parser.error("--rounds and --calls are at least 1")
    return parsed


def call_program(program, *options):
    """What an executable of the kit prints as JSON."""
    try:
        done = subprocess.run([str(program), *map(str, options)],
                              capture_output=True, text=True, timeout=LONGEST)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"it took more than {LONGEST} s") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise Failed(lines[0])
    return json.loads(done.stdout)


def attempt(make):
    """What `make` gives and None, or None and why it gives nothing."""
    try:
        return make(), None
    except peers.Absent as error:
        return None, {"absent": str(error)}
    except Exception as error:  # whatever a contender throws is its result
        text = str(error).strip().splitlines()
        kind = "" if isinstance(error, Failed) else f"{type(error).__name__}: "
        return None, {"failed": kind + (text[0] if text else "")}


class Contender:
    """One row: what it computes and how long that takes."""

    def __init__(self, name, workload):
        self.row = {"workload": workload, "name": name}
        self.bursts = []

    def give_up(self, why):
        self.row.update(why)
        say(f"{self.row['workload']}, {self.row['name']}: "
            + "; ".join(f"{kind}: {text}" for kind, text in why.items()))

    def is_timed(self):
        return not {"absent", "failed"} & self.row.keys()

    def burst(self, run):
        """Adds a burst: `run` gives milliseconds by phase."""
        times, why = attempt(run)
        if why:
            self.give_up(why)
        else:
            self.bursts.append(times)

    def finish(self):
        for phase in self.bursts[0] if self.bursts else ():
            found = [burst[phase] for burst in self.bursts]
            self.row[phase] = statistics.median(found)
            self.row[f"bursts_{phase}"] = found
        return self.row


def judge(contender, workload, error):
    row = contender.row
    row["error"], row["tolerance"] = error, workload.tolerance()
    row["wrong"] = not error <= workload.tolerance()
    say(f"{row['workload']}, {row['name']}: error {error:.1e} of at most "
        f"{workload.tolerance():.0e}"
        f"{': NOT WITHIN TOLERANCE' if row['wrong'] else ''}")


def compare_workload(workload, program, failed, torch, options, folder):
    """The rows of one workload; `torch` is the module or why it is absent."""
    from . import reference

    dims, maker = workload.dims, workload.maker
    tensors = reference.draw(workload)
    expected = reference.Reference(workload, tensors)
    inputs, out = folder / "in", folder / "out"
    reference.write_tensors(inputs, maker.pack(dims, tensors))
    weir = Contender("weir", workload.name)
    runs = []
    if failed:
        weir.give_up({"failed": failed})
    else:
        def compute():
            told = call_program(program, "--bench=1", "--inputs", inputs,
                                "--outputs", out)
            return told, reference.read_tensor(out, "out")

        done, why = attempt(compute)
        if why:
            weir.give_up(why)
        else:
            weir.row["kernels"] = done[0]["kernels"]
            weir.row["code"] = done[0].get("device", {}).get("code")
            judge(weir, workload, expected.error(done[1]))
        runs.append((weir, lambda: {"ms": call_program(
            program, f"--bench={options.calls}", "--inputs", inputs)["median_ms"]}))
    contenders = [weir]
    on_device = None
    for name in maker.peers:
        peer = Contender(name, workload.name)
        contenders.append(peer)
        if isinstance(torch, str):
            peer.give_up({"absent": torch})
            continue

        def build(name=name):
            call = peers.BUILDERS[name](torch, dims, on_device)
            out = peers.to_numpy(torch, call())
            return *peers.capture(torch, call), out

        on_device = on_device or peers.upload(torch, tensors)
        with torch.no_grad():
            built, why = attempt(build)
        if why:
            peer.give_up(why)
            continue
        peer.row["graph"] = built[1]
        judge(peer, workload, expected.error(built[2]))
        runs.append((peer, lambda call=built[0]: {"ms": statistics.median(
            peers.time_calls(torch, call, options.calls))}))
    run_rounds(runs, options.rounds, torch)
    if not isinstance(torch, str):
        torch.cuda.empty_cache()
    return contenders


def run_rounds(runs, rounds, torch):
    for _ in range(rounds):
        for contender, run in runs:
            if not contender.is_timed():
                continue
            if isinstance(torch, str):
                contender.burst(run)
                continue
            with torch.no_grad():
                contender.burst(run)
    for contender, _ in runs:
        figures = ", ".join(f"{key.replace('_', ' ')} {value:.4g}"
                            for key, value in contender.finish().items()
                            if key in PHASES)
        if figures:
            say(f"{contender.row['workload']}, {contender.row['name']}: {figures}")


def compare_model(name, program, failed, torch, options):
    """SmolLM2's rows: a prompt, and a token behind it, of drawn weights."""
    weir, peer = Contender("weir", name), Contender("torch:graph", name)
    runs = []
    if failed:
        weir.give_up({"failed": failed})
    else:
        def bench():
            told = call_program(program, "--random-weights=1", "--bench",
                                f"{workloads.PROMPT},{workloads.STEPS},3")
            return {"prefill_ms": told["prefill_ms"],
                    "decode_ms": told["decode_ms_per_token"]}

        runs.append((weir, bench))
    if isinstance(torch, str):
        peer.give_up({"absent": torch})
    else:
        from . import llama

        model, why = attempt(lambda: llama.Timed(
            torch, workloads.SMOLLM2, workloads.PROMPT, workloads.STEPS))
        if why:
            peer.give_up(why)
        else:
            model.run()
            runs.append((peer, lambda: dict(zip(("prefill_ms", "decode_ms"),
                                                model.run()))))
    run_rounds(runs, options.rounds, torch)
    return [weir, peer]


def derive(rows, workload, peaks):
    """Adds rates, the share of the roofline, and ratios to Weir's row: the best
    peer's time over Weir's, of peers that compute what they should."""
    for row in rows:
        if not row.get("ms"):
            continue
        seconds = row["ms"] / 1e3
        row["tflops"] = workload.maker.operations(workload.dims) / seconds / 1e12
        row["gbs"] = workload.bytes() / seconds / 1e9
        if peaks:
            arithmetic = row["tflops"] / peaks[f"{workload.compute}_tflops"]
            row["roofline"] = max(arithmetic, row["gbs"] / peaks["memory_gbs"])
    weir, others = rows[0], [r for r in rows[1:] if not r.get("wrong")]
    for phase in PHASES:
        found = [r for r in others if r.get(phase)]
        if weir.get(phase) and found and not weir.get("wrong"):
            best = min(found, key=lambda r: r[phase])
            weir["best_peer_" + phase] = best["name"]
            weir["ratio_" + phase] = best[phase] / weir[phase]


def format_figure(value, form):
    return format(value, form) if value is not None else "–"


def print_tables(result):
    machine = result["machine"]
    print(f"{machine['gpu']}, driver {machine.get('driver', '?')}; "
          f"peaks: {(result['peaks'] or {}).get('from', 'unknown')}\n")
    print("| workload | contender | ms | TFLOP/s | GB/s | of roofline | error | "
          "peer's time / Weir's |\n|---|---|---|---|---|---|---|---|")
    for row in result["rows"]:
        why = row.get("failed") or row.get("absent")
        name = f"**{row['name']}**" if row["name"] == "weir" else row["name"]
        if why:
            kind = "failed" if "failed" in row else "absent"
            print(f"| {row['workload']} | {name} | {kind}: {why} | | | | | |")
            continue
        if "decode_ms" in row:
            for phase in ("prefill_ms", "decode_ms"):
                print(f"| {row['workload']}, {phase[:-3]} | {name} | "
                      f"{format_figure(row.get(phase), '.4g')} | | | | | "
                      f"{format_figure(row.get('ratio_' + phase), '.2f')} |")
            continue
        share = row.get("roofline")
        print(" | ".join((
            f"| {row['workload']}", name, format_figure(row.get("ms"), ".4g"),
            format_figure(row.get("tflops"), ".4g"),
            format_figure(row.get("gbs"), ".4g"),
            format_figure(share and 100 * share, ".0f") + " %",
            format_figure(row.get("error"), ".1e")
            + (" WRONG" if row.get("wrong") else ""),
            format_figure(row.get("ratio_ms"), ".2f"))) + " |")


def unpack(kit, arch, to):
    with lzma.open(kit / f"{arch}.tar.xz") as packed:
        with tarfile.open(fileobj=packed) as archive:
            archive.extractall(to, filter="data")


def measure(options, kit, name, arch, folder):
    torch, why = attempt(peers.find_torch)
    torch = torch or next(iter(why.values()))
    if isinstance(torch, str):
        say(f"no peer is timed: {torch}")
    peaks = devices.find_peaks(name, None if isinstance(torch, str) else torch)
    result = {
        "machine": {"gpu": name, **devices.describe(), **devices.query(),
                    "packages": peers.versions(),
                    "date": datetime.datetime.now(datetime.timezone.utc).strftime(
                        "%Y-%m-%dT%H:%M:%SZ")},
        "kit": {key: kit[key] for key in ("commit", "weirc", "date", "options")},
        "arch": arch, "rounds": options.rounds, "calls": options.calls,
        "peaks": peaks, "rows": [],
    }
    chosen = lambda name: any(
        fnmatch.fnmatch(name, glob) for glob in options.only.split(","))
    failed = kit["failed"].get(arch, {})

    def keep(contenders, workload=None):
        rows = [contender.finish() for contender in contenders]
        # As the GPU was when it had just been busy.
        rows[0]["clocks"] = devices.query()
        derive(rows, workload, peaks)
        result["rows"] += rows
        # What comes later may be cut off.
        if options.json:
            Path(options.json).write_text(json.dumps(result, indent=1) + "\n")

    for described in kit["workloads"]:
        workload = workloads.Workload(**described)
        if chosen(workload.name):
            begin = time.monotonic()
            keep(compare_workload(workload, folder / workload.name,
                                  failed.get(workload.name), torch, options, folder),
                 workload)
            say(f"{workload.name}: {time.monotonic() - begin:.0f} s")
    if kit["model"] and chosen(kit["model"]):
        keep(compare_model(kit["model"], folder / kit["model"],
                           failed.get(kit["model"]), torch, options))
    return result


def main(arguments):
    options = parse(arguments)
    fail = lambda text: say(f"bench/gpu: error: {text}") or 1
    try:
        kit = json.loads((options.folder / "kit.json").read_text())
    except OSError as error:
        return fail(f"{options.folder} is no kit: {error}")
    try:
        name, here = devices.find()
    except devices.NoGPU as error:
        return fail(error)
    archs = [path.name.removesuffix(".tar.xz")
             for path in options.folder.glob("*.tar.xz")]
    arch = options.arch or devices.choose(archs, here)
    if arch not in archs:
        return fail(f"the kit has programs for {', '.join(sorted(archs)) or 'nothing'}"
                    f", and {name} is sm_{here}"
                    + (f" (asked for: {options.arch})" if options.arch else ""))
    try:
        import numpy  # noqa: F401
    except ImportError as error:
        return fail(f"inputs are drawn by NumPy: {error}")
    with tempfile.TemporaryDirectory() as folder:
        unpack(options.folder, arch, folder)
        result = measure(options, kit, name, arch, Path(folder))
    if not result["rows"]:
        return fail(f"no workload of the kit fits '{options.only}'; it has "
                    + ", ".join(w["name"] for w in kit["workloads"]))
    print_tables(result)
    bad = [row for row in result["rows"] if row.get("wrong") or "failed" in row]
    for row in bad:
        fail(f"{row['workload']}, {row['name']}: "
             f"{row.get('failed') or 'does not compute what it should'}")
    return 1 if bad else 0
