"""What tests of bad input share: commands that must fail in plain words."""

import json
import pathlib
import struct
import subprocess
import sys


class Refusals:
    """Runs commands and counts those that were refused as they should be."""

    def __init__(self, work):
        self.work = pathlib.Path(work)
        self.held = self.failed = 0

    def report(self, what, problem):
        if problem:
            self.failed += 1
            print(f"FAIL {what}: {problem}", flush=True)
        else:
            self.held += 1

    def run(self, command):
        return subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
        )

    def expect(self, what, command, *words, absent=(), kept=()):
        """`command` fails with status 1 or 2 and a message with `words`, leaves
        none of the files `absent`, and does not touch those of `kept`."""
        before = [pathlib.Path(file).read_bytes() for file in kept]
        done = self.run(command)
        text = done.stderr
        problem = None
        if done.returncode not in (1, 2):
            problem = f"status {done.returncode}, expected 1 or 2: {text[-300:]}"
        elif "error: " not in text and "Unknown command line" not in text:
            problem = f"no error in {text[-300:]!r}"
        for word in words:
            if word not in text:
                problem = problem or f"{word!r} is not in {text[-300:]!r}"
        for file in absent:
            if pathlib.Path(file).exists():
                problem = problem or f"{file} was left behind"
        for file, bytes_before in zip(kept, before):
            if pathlib.Path(file).read_bytes() != bytes_before:
                problem = problem or f"{file} was changed"
        self.report(what, problem)

    def expect_no_crash(self, what, command, absent=()):
        """`command` succeeds, or fails as `expect` wants it."""
        done = self.run(command)
        problem = None
        if done.returncode not in (0, 1, 2):
            problem = f"status {done.returncode}: {done.stderr[-300:]}"
        elif done.returncode and "error: " not in done.stderr:
            problem = f"no error in {done.stderr[-300:]!r}"
        elif done.returncode and any(pathlib.Path(f).exists() for f in absent):
            problem = "output was left behind"
        self.report(what, problem)
        for file in absent:
            pathlib.Path(file).unlink(missing_ok=True)

    def finish(self):
        print(f"{self.held} held, {self.failed} failed")
        sys.exit(1 if self.failed or not self.held else 0)


def read_header(path):
    """The header of a safetensors file, and where its data begins."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length)), 8 + length


def with_header(path, header):
    """The bytes of a safetensors file under another header."""
    _, begin = read_header(path)
    text = json.dumps(header).encode()
    data = pathlib.Path(path).read_bytes()[begin:]
    return struct.pack("<Q", len(text)) + text + data


def cut_points(size, inside):
    """Places to cut a file of `size` bytes whose header ends at `inside`."""
    points = [0, 1, 7, 8, 9, inside // 2, inside - 1, inside, inside + 1]
    points += [(inside + size) // 2, size - 1]
    return sorted({point for point in points if 0 <= point < size})


def header_lengths(file_bytes):
    """The same file claiming headers of lengths that no file has."""
    for length in (0, 1, 2**31, 2**32 + 8, 2**63 - 1, 2**63, 2**64 - 1):
        yield length, struct.pack("<Q", length) + file_bytes[8:]
