"""Operators beside what a user would pick instead, in one interleaved run."""

import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from showlib.lines import ROOT, Short, Skip, at_least
from showlib.models import WEIRC, WORK, run

PEERS = ROOT.parent / "shared" / "peers"
PEER = ROOT / "bench" / "peer"


@functools.cache
def compare(workloads):
    """Milliseconds by workload and contender; `workloads` has commas between."""
    if not PEERS.is_dir():
        raise Skip(f"no harness of peers at {PEERS}")
    # The harness keeps what it measured of the machine beside itself.
    harness = WORK / "peers"
    shutil.rmtree(harness, ignore_errors=True)
    shutil.copytree(PEERS, harness)
    subprocess.run(["chmod", "-R", "u+w", harness], check=True)
    rows = harness / "rows.jsonl"
    # The peers' packages may be in an environment of their own.
    python = os.environ.get("WEIR_PEERS_PYTHON", sys.executable)
    place_machine(harness, python)
    run(python, harness / "peers.py", "run", "-w", workloads, "-d", "f32",
        "--external", f"weir={PEER}", "--out", rows,
        env={**os.environ, "WEIRC": str(WEIRC)})
    times = {}
    for line in rows.read_text().splitlines():
        row = json.loads(line)
        found = row.get("ms", row.get("error"))
        times.setdefault(row["workload"], {})[row["peer"]] = found
    return times


def place_machine(harness, python):
    """Gives the harness this machine's limits where its own program, written in
    AVX-512, does not run. They fill columns that no line here reads; its rate of
    exp is not measured by ours and counted as 20 operations each."""
    bench = import_bench()
    if "avx512f" in bench.cpu_info().get("flags", "").split():
        return
    found = bench.measure(2)
    script = "import peers; print(peers.machine_file())"
    environment = {**os.environ, "PYTHONPATH": str(harness)}
    path = pathlib.Path(run(python, "-c", script, env=environment).strip())
    limits = {
        "f32_gflops_2t": found["f32_gflops"],
        "exp_gelems_2t": found["f32_gflops"] / 20,
    }
    for megabytes, rate in found["read_gbs"].items():
        limits[f"read_gbs_{int(megabytes) * 1024 // 2}kb_2t"] = rate
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(limits))


def import_bench():
    """bench/'s module that measures the machine."""
    sys.path.insert(0, str(ROOT / "bench"))
    from weirbench import machine

    return machine


def ratio(workload, workloads, least):
    """How many times as fast as the best peer; raises Short below `least`."""
    times = dict(compare(workloads).get(workload, {}))
    ours = times.pop("weir", None)
    if not isinstance(ours, float):
        raise Short(f"weir: {ours}")
    peers = {name: ms for name, ms in times.items() if isinstance(ms, float)}
    if not peers:
        raise Skip("no peer ran; the harness's README names its packages")
    best = min(peers, key=peers.get)
    figure = (
        f"of the best peer's speed ({best} {peers[best]:.3g} ms, weir {ours:.3g} ms)"
    )
    return at_least(peers[best] / ours, least, figure)


def add_ratios(capability, limits, about):
    """A slow line per workload of `limits`, named after it, which is held when
    Weir is that many times as fast as the best peer; all run together."""

    def add(workload, least):
        def check(options):
            return ratio(workload, ",".join(limits), least)

        check.__doc__ = f"{workload} {about}, {least} times the best peer."
        capability.line(f"{workload}-ratio", slow=True)(check)

    for workload, least in limits.items():
        add(workload, least)


def bandwidth_share(size, seconds):
    """The figure of reading `size` bytes in `seconds` with two threads, held at
    0.85 of what memory gives; without a share where a cache holds most of it."""
    machine = import_bench()
    rate = size / seconds
    cache = last_level_cache()
    if size < 4 * cache:
        return f"{rate / 1e9:.1f} GB/s of {size >> 20} MiB, in cache ({cache >> 20} MiB)"
    peak = machine.peak_bandwidth(machine.measure(2, again=True), size)
    figure = f"of the memory's bandwidth ({rate / 1e9:.1f} of {peak / 1e9:.1f} GB/s)"
    return at_least(rate / peak, 0.85, figure)


def last_level_cache():
    """Bytes of the largest cache; 0 where the system does not say."""
    sizes = re.findall(
        r"^LEVEL\d_CACHE_SIZE\s+(\d+)$", run("getconf", "-a"), re.MULTILINE
    )
    return max(map(int, sizes), default=0)


def time_workload(workload, dims, tensors):
    """Milliseconds of one operator workload by itself, with two threads."""
    from safetensors.numpy import save_file

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "inputs.safetensors"
        save_file(tensors, path, {"dtype": "f32", "dims": json.dumps(dims)})
        environment = {**os.environ, "WEIRC": str(WEIRC), "WEIR_THREADS": "2"}
        text = run(PEER, workload, path, env=environment)
    return float(re.search(r"median_ms=(\S+)", text)[1])
