"""What the scripts that check computed tensors share: how a check fails, and the
lines that tell of all of them."""

import argparse
import pathlib
import subprocess
import tempfile


class Failed(Exception):
    """A check that did not hold; its text says why."""


def run(*command):
    """What a program prints; what it says of its failure fails the check."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip()
        if len(said) > 800:
            said = f"{said[:400]} ... {said[-400:]}"
        raise Failed(f"{command[0]}: status {done.returncode}: {said}")
    return done.stdout


def write_main(inputs, lines, results):
    """A module with one function of `lines`; inputs and results are pairs of a
    name, in the text and for the caller, and a type."""

    def declare(values, mark):
        return ", ".join(f'{mark(name)}{type} {{weir.name = "{name}"}}' for name, type in values)

    names = ", ".join(f"%{name}" for name, _ in results)
    return "\n".join([
        f"func.func @main({declare(inputs, lambda name: f'%{name}: ')})",
        f"    -> ({declare(results, lambda name: '')}) {{",
        *lines,
        f"  return {names} : {', '.join(type for _, type in results)}",
        "}",
        "",
    ])


class Tally:
    """Prints a line per check, as wide as `width` in front of its result."""

    def __init__(self, width):
        self.width = width
        self.passed = self.failed = 0

    def attempt(self, label, check):
        """Whether `check` holds; it may return a figure to print."""
        try:
            print(f"{label:{self.width}s} ok    {check() or ''}", flush=True)
            self.passed += 1
            return True
        except Failed as reason:
            print(f"{label:{self.width}s} FAIL  {reason}", flush=True)
            self.failed += 1
            return False

    def finish(self):
        """Prints the sum; the status to exit with."""
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0


def check_seeds(check, about, count):
    """The main function of a script that checks random cases, which seeds stand
    for: `check(seeds, options, folder)` is one program's. Describes itself by
    `about`; `count` is how many seeds there are unless it is said."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=count)
    parser.add_argument("--per-program", type=int, default=10)
    parser.add_argument("--flags", default="")
    options = parser.parse_args()
    tally = Tally(width=20)
    end = options.seed + options.count
    for first in range(options.seed, end, options.per_program):
        seeds = range(first, min(first + options.per_program, end))
        with tempfile.TemporaryDirectory() as work:
            tally.attempt(
                f"seeds {seeds[0]} to {seeds[-1]}",
                lambda: check(seeds, options, pathlib.Path(work)),
            )
    return tally.finish()
