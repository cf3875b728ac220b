"""The models of showlib.hybrid, each in a process that runs it, in turns."""

import os
import statistics
import subprocess
import sys

from showlib.lines import ROOT, Short, Skip, at_least
from showlib.models import WEIRC, WORK, run

THREADS = 2


def checkpoint(kind):
    """The folder of a model of showlib.hybrid, made once."""
    folder = WORK / f"timed-{kind}"
    if not (folder / "model.safetensors").exists():
        WORK.mkdir(parents=True, exist_ok=True)
        run(sys.executable, "-m", "showlib.hybrid", "make", kind, folder,
            cwd=ROOT / "scripts")
    return folder


class Timed:
    """A process that runs a model and says how long it took."""

    def __init__(self, *command):
        environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS)}
        command = [sys.executable, "-m", "showlib.hybrid", *map(str, command)]
        self.process = subprocess.Popen(
            command, cwd=ROOT / "scripts", env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )

    def ask(self, what):
        try:
            self.process.stdin.write(what + "\n")
            self.process.stdin.flush()
            return float(self.process.stdout.readline())
        except (OSError, ValueError):
            self.process.kill()
            raise Short(self.process.communicate()[1].strip()[-300:])

    def end(self):
        self.process.stdin.close()
        self.process.wait()


# Turns of each, the first of which does not count.
TURNS = {"prefill": 6, "decode": 41}


def times_as_fast(kind, what, least):
    """The figure of how many times transformers' speed Weir has in `what`, both
    interleaved; raises Short below `least`."""
    try:
        import transformers
    except ImportError as error:
        raise Skip(f"the package {error.name} is not installed")
    folder = checkpoint(kind)
    times = {}
    models = {
        "weir": Timed("weir", folder, THREADS, WEIRC),
        "transformers": Timed("torch", folder, THREADS),
    }
    for model in models.values():
        model.ask("prefill")
    for turn in range(TURNS[what]):
        for name, model in models.items():
            seconds = model.ask(what)
            if turn:
                times.setdefault(name, []).append(seconds)
    for model in models.values():
        model.end()
    ours, theirs = (statistics.median(times[name]) for name in models)
    figure = (
        f"times transformers' speed ({theirs * 1e3:.3g} ms, weir {ours * 1e3:.3g} ms)"
    )
    return at_least(theirs / ours, least, figure)


def time_decoding(kind):
    """Seconds that Weir takes to decode a token behind a prompt."""
    model = Timed("weir", checkpoint(kind), THREADS, WEIRC)
    model.ask("prefill")
    times = [model.ask("decode") for _ in range(100)]
    model.end()
    return statistics.median(times)
