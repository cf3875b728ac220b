"""Weir as an external contender of an operator harness.

Called as `bench/peer WORKLOAD DIR/inputs.safetensors` with WEIR_THREADS set.
The file's metadata names the element type (`dtype`) and the dimensions (`dims`,
JSON). Prints `median_ms=` and `out=`, a file with the tensor `out`. What Weir
has no op for is an error, and nothing is printed on standard output.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from .compiled import (
    CompileError,
    Function,
    add_compiler_options,
    compile_shared,
    find_weirc,
)
from .machine import cache_folder, default_threads, digest, set_realtime
from .operators import Unsupported, build

ELEMENTS = {"F32": np.float32, "BF16": np.uint16}
SECONDS = 0.4


class MissingDimension(RuntimeError):
    """The inputs do not say what the workload needs to know."""


class Dimensions(dict):
    """The workload's dimensions by name."""

    def __missing__(self, name):
        raise MissingDimension(name)


def read_safetensors(path):
    """Tensors by name (bf16 as uint16) and the metadata."""
    data = Path(path).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        if entry["dtype"] not in ELEMENTS:
            raise Unsupported(f"tensor '{name}' has type {entry['dtype']}")
        tensors[name] = np.frombuffer(
            data[begin:end], ELEMENTS[entry["dtype"]]
        ).reshape(entry["shape"])
    return tensors, metadata


def write_safetensors(path, array):
    """One tensor, `out`."""
    name = {np.dtype(t): n for n, t in ELEMENTS.items()}[array.dtype]
    entry = {"dtype": name, "shape": array.shape, "data_offsets": [0, array.nbytes]}
    header = json.dumps({"out": entry}).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.write(np.ascontiguousarray(array).tobytes())


def time_function(function, seconds):
    """Median of one call in ms; the first calls are not counted."""
    function()
    begin = time.perf_counter()
    function()
    once = time.perf_counter() - begin
    # Short calls are timed together, so that the clock does not count.
    together = max(1, int(2e-4 / max(once, 1e-7)))
    samples = []
    set_realtime(once < 0.3)
    end = time.perf_counter() + seconds
    while not samples or time.perf_counter() < end:
        begin = time.perf_counter()
        for _ in range(together):
            function()
        samples.append((time.perf_counter() - begin) / together)
    set_realtime(False)
    return statistics.median(samples[len(samples) // 5 :]) * 1e3


def main():
    parser = argparse.ArgumentParser(prog="bench/peer", description=__doc__)
    parser.add_argument("workload")
    parser.add_argument("inputs", help="inputs.safetensors of the harness")
    add_compiler_options(parser)
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="how long to time"
    )
    arguments = parser.parse_args()
    threads = int(os.environ.get("WEIR_THREADS") or default_threads())
    weirc = find_weirc(arguments.weirc)
    try:
        tensors, metadata = read_safetensors(arguments.inputs)
        element = metadata.get("dtype", "f32")
        dims = Dimensions(json.loads(metadata.get("dims", "{}")))
        operator = build(arguments.workload, dims, tensors, element)
        key = digest(operator.text)
        source = cache_folder() / f"{arguments.workload}-{element}-{key}.mlir"
        if not source.exists():
            source.write_text(operator.text)
        library = compile_shared(weirc, source, arguments.compile_option, threads)
    except MissingDimension as error:
        sys.exit(
            f"bench/peer: error: {arguments.inputs} has no dimension '{error}', "
            f"which {arguments.workload} needs"
        )
    except (Unsupported, CompileError, OSError) as error:
        sys.exit(f"bench/peer: error: {error}")
    function = Function(library, operator.arguments, threads)
    median = time_function(function, arguments.seconds)
    out = library.with_name("out.safetensors")
    write_safetensors(out, function.result().reshape(operator.shape))
    print(f"median_ms={median:.6g}")
    print(f"out={out}")


if __name__ == "__main__":
    main()
