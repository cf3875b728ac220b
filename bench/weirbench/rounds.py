"""Interleaved rounds: contender A bursts, then B, then C, then A again.

What slows the machine down for a while then slows all contenders, and a ratio
stays right. A burst whose threads had to wait for a core is measured again; the
share of time they waited is kept with the result.
"""

import json
import os
import select
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

from .machine import HERE

#: Share of a burst that threads may wait for a core before it is repeated.
TOLERATED_WAIT = 0.04
TRIES = 4


@dataclass
class Times:
    """Medians of bursts in ms, and the share of each that threads waited."""

    bursts: list = field(default_factory=list)
    waits: list = field(default_factory=list)

    def median(self):
        return statistics.median(self.bursts)

    def spread(self):
        """Half the distance of the quartiles, relative to the median."""
        if len(self.bursts) < 4:
            return None
        low, _, high = statistics.quantiles(self.bursts, n=4)
        return (high - low) / 2 / self.median()

    def wait(self):
        return statistics.median(self.waits)


class Worker:
    """A contender's process."""

    def __init__(self, name, settings, log):
        threads = str(settings["threads"])
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "OMP_PROC_BIND": "close",
            "OMP_PLACES": "threads",
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_VERBOSITY": "error",
            "TOKENIZERS_PARALLELISM": "false",
            "PYTHONPATH": str(HERE.parent),
        }
        self.name, self.times = name, {"prefill": Times(), "decode": Times()}
        with open(log, "w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "weirbench.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )
        self.hello = self.ask({"name": name, **settings}, timeout=1800)

    def ask(self, request, timeout):
        """Sends a request and waits for the answer."""
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return {"failed": "the process ended"}
        if not select.select([self.process.stdout], [], [], timeout)[0]:
            self.close()
            return {"failed": f"no answer in {timeout} s"}
        line = self.process.stdout.readline()
        if not line:
            return {"failed": f"the process ended with {self.process.wait()}"}
        return json.loads(line)

    def waited(self):
        """Seconds the process's threads have waited for a core."""
        total = 0
        tasks = f"/proc/{self.process.pid}/task"
        for task in os.listdir(tasks):
            try:
                with open(f"{tasks}/{task}/schedstat") as file:
                    total += int(file.read().split()[1])
            except (OSError, IndexError):
                pass
        return total * 1e-9

    def burst(self, phase, seconds):
        """Adds one burst to the times: the least disturbed of a few tries."""
        best = None
        for attempt in range(TRIES):
            # Threads of the contender before spin for a while.
            time.sleep(0.3)
            before, begin = self.waited(), time.perf_counter()
            answer = self.ask({"phase": phase, "seconds": seconds}, 600)
            if "failed" in answer:
                raise RuntimeError(f"{self.name}: {answer['failed']}")
            wall = time.perf_counter() - begin
            wait = (self.waited() - before) / wall
            if best is None or wait < best[1]:
                best = (statistics.median(answer["ms"]), wait)
            if wait <= TOLERATED_WAIT:
                break
        self.times[phase].bursts.append(best[0])
        self.times[phase].waits.append(best[1])

    def close(self):
        self.process.kill()
        self.process.wait()


def run(workers, phases, rounds, seconds, progress):
    """Fills the workers' times."""
    for number in range(rounds):
        for phase in phases:
            for worker in workers:
                progress(f"round {number + 1}/{rounds}, {phase}, {worker.name}")
                worker.burst(phase, seconds)
