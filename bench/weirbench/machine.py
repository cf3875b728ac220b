"""What the machine is and what it can do at most."""

import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def cache_folder():
    """Where compiled models, converted checkpoints and measurements are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(base) / "weir" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def digest(*parts):
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]


def set_realtime(on):
    """Raises this process's threads above other load, where that is permitted.

    Bursts are short: with two cores and a busy neighbour, two threads of one
    contender would otherwise share a core now and then.
    """
    policy, level = (os.SCHED_RR, 1) if on else (os.SCHED_OTHER, 0)
    for thread in os.listdir("/proc/self/task"):
        try:
            os.sched_setscheduler(int(thread), policy, os.sched_param(level))
        except (PermissionError, ProcessLookupError):
            pass


def cpu_info():
    """Fields of the first processor in /proc/cpuinfo."""
    text = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    return dict(re.findall(r"^([^\t:]+)\s*:[ ]?(.*)$", text, re.M))


def cpu_name():
    cpu = cpu_info()
    return "{}, family {} model {}".format(
        cpu.get("model name", platform.machine()),
        cpu.get("cpu family", "?"),
        cpu.get("model", "?"),
    )


def default_threads():
    """One thread per physical core this process may use."""
    seen = set()
    for cpu in os.sched_getaffinity(0):
        folder = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
        try:
            seen.add(
                tuple(
                    (folder / name).read_text().strip()
                    for name in ("physical_package_id", "core_id")
                )
            )
        except OSError:
            seen.add(cpu)
    return len(seen)


def describe(weirc):
    """The machine and the versions of everything that was timed on it; `weirc`
    is None when Weir was not."""
    cpu = cpu_info()
    packages = {}
    for name in ("torch", "transformers", "llama-cpp-python", "numpy"):
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"],
        capture_output=True,
        text=True,
    ).stdout.strip()
    version = []
    if weirc:
        version = subprocess.run(
            [str(weirc), "--version"], capture_output=True, text=True
        ).stdout.split()
    wanted = re.compile(r"^(avx|amx|fma|f16c|sse4|vaes)")
    return {
        "cpu": cpu_name(),
        "flags": [flag for flag in cpu.get("flags", "").split() if wanted.match(flag)],
        "cores": default_threads(),
        "logical_cpus": os.cpu_count(),
        "memory_gib": round(
            os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1
        ),
        "virtual": "hypervisor" in cpu.get("flags", "").split(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "weirc": version[-1] if version else "not timed",
        "commit": commit,
        "packages": packages,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        ),
    }


def measure(threads, again=False):
    """Peak rates of `threads` threads; measured once per machine unless `again`.

    Other load only lowers a rate, so the best of all measurements is kept.
    """
    source = HERE / "machine.c"
    key = digest(cpu_name(), threads, source.read_text())
    kept = cache_folder() / f"machine-{key}.json"
    if kept.exists() and not again:
        return json.loads(kept.read_text())
    program = cache_folder() / f"machine-{key}"
    compiler = next(filter(shutil.which, ("clang-22", "clang", "gcc", "cc")), None)
    if not compiler:
        sys.exit("bench: error: no C compiler to measure the machine with")
    subprocess.run(
        [compiler, "-O3", "-march=native", "-pthread", str(source), "-o", str(program)],
        check=True,
    )
    result = subprocess.run(
        [str(program), str(threads), "0.1"],
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: set_realtime(True),
    )
    peaks = json.loads(result.stdout)
    if kept.exists():
        before = json.loads(kept.read_text())
        bandwidth = before.pop("read_gbs")
        for size, rate in bandwidth.items():
            peaks["read_gbs"][size] = max(rate, peaks["read_gbs"][size])
        for name, rate in before.items():
            peaks[name] = max(rate, peaks[name])
    kept.write_text(json.dumps(peaks, indent=1))
    return peaks


def peak_arithmetic(peaks, compute):
    """Operations per second of the fastest unit for `compute`, or None."""
    rate = peaks.get({"int8": "int8_gops"}.get(compute, f"{compute}_gflops"))
    return rate and rate * 1e9


def peak_bandwidth(peaks, size):
    """Bytes per second of reading `size` bytes over and over."""
    curve = sorted((int(mb) << 20, rate) for mb, rate in peaks["read_gbs"].items())
    larger = [rate for limit, rate in curve if limit >= size]
    return (larger[0] if larger else curve[-1][1]) * 1e9
