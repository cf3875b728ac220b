"""What the scripts that check computed tensors share: how a check fails, and the
lines that tell of all of them."""

import subprocess


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
