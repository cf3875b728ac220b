#!/usr/bin/env python3
"""Compiles functions of f32 and compares what they compute with float64.

  check_functions.py [--seed N] [NAME...]

Each function is compiled once for rows of 1024 elements, which run in vectors,
and once inside a loop over single elements. A line each with the largest
distance in units in the last place and where it is; ends with `N passed, N
failed`.
"""

import argparse
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file, save_file

ROW = 1024
# Units in the last place of the result that a function may be off.
BOUND = 2.0
SMALLEST_NORMAL = np.finfo(np.float32).tiny

erf = np.vectorize(math.erf, otypes=[np.float64])

# What computes the function in float64, and intervals of special interest.
FUNCTIONS = {
    "exp": (np.exp, [(-104, 90), (-1, 1), (87, 89), (-88, -86)]),
    "log": (np.log, [(0, 4), (0.69, 0.72), (0.9, 1.1), (1.4, 1.43), (0, 3e-38)]),
    "log1p": (np.log1p, [(-1, 1), (-0.3, 0.5), (-1e-3, 1e-3), (1e7, 3e7), (0, 200)]),
    "tanh": (np.tanh, [(-1, 1), (0.6, 0.65), (-10, 10), (-1e-3, 1e-3)]),
    "erf": (erf, [(-1, 1), (0.85, 0.95), (-4.5, 4.5), (-1e-3, 1e-3)]),
}

WIDE = """
#row = affine_map<(t, i) -> (t, i)>
func.func @main(%x: tensor<?x1024xf32> {{weir.name = "x"}})
    -> (tensor<?x1024xf32> {{weir.name = "y"}}) {{
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x1024xf32>
  %e = tensor.empty(%n) : tensor<?x1024xf32>
  %y = linalg.generic {{indexing_maps = [#row, #row],
      iterator_types = ["parallel", "parallel"]}}
      ins(%x : tensor<?x1024xf32>) outs(%e : tensor<?x1024xf32>) {{
  ^bb0(%a: f32, %o: f32):
    %f = math.{name} %a : f32
    linalg.yield %f : f32
  }} -> tensor<?x1024xf32>
  return %y : tensor<?x1024xf32>
}}
"""

SINGLE = """
func.func @main(%x: tensor<?x1024xf32> {{weir.name = "x"}})
    -> (tensor<?x1024xf32> {{weir.name = "y"}}) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %w = arith.constant 1024 : index
  %n = tensor.dim %x, %c0 : tensor<?x1024xf32>
  %e = tensor.empty(%n) : tensor<?x1024xf32>
  %y = scf.for %t = %c0 to %n step %c1 iter_args(%r = %e)
      -> (tensor<?x1024xf32>) {{
    %q = scf.for %i = %c0 to %w step %c1 iter_args(%s = %r)
        -> (tensor<?x1024xf32>) {{
      %a = tensor.extract %x[%t, %i] : tensor<?x1024xf32>
      %f = math.{name} %a : f32
      %v = tensor.insert %f into %s[%t, %i] : tensor<?x1024xf32>
      scf.yield %v : tensor<?x1024xf32>
    }}
    scf.yield %q : tensor<?x1024xf32>
  }}
  return %y : tensor<?x1024xf32>
}}
"""


def arguments(intervals, random):
    """Numbers of all bit patterns, of the intervals, and special ones."""
    special = [0.0, 1.0, np.inf, np.nan, 1e-45, SMALLEST_NORMAL, 3.4028235e38, 1e-8]
    parts = [
        np.array(special + [-x for x in special], np.float32),
        random.integers(0, 2**32, 64 * ROW, dtype=np.uint32).view(np.float32),
    ]
    for low, high in intervals:
        parts.append(random.uniform(low, high, 32 * ROW).astype(np.float32))
    numbers = np.concatenate(parts)
    return np.resize(numbers, (len(numbers) // ROW + 1, ROW))


def distances(got, expected):
    """How far results are off, in units in the last place; infinite where they
    are of another kind: NaN, infinite, or of another sign."""
    rounded = expected.astype(np.float32)
    unit = np.spacing(np.maximum(np.abs(rounded), SMALLEST_NORMAL)).astype(np.float64)
    off = np.abs(got.astype(np.float64) - expected) / unit
    same = (got == rounded) & (np.signbit(got) == np.signbit(rounded))
    same |= np.isnan(got) & np.isnan(rounded)
    # What is below the smallest normal number is flushed to zero.
    same |= (np.abs(rounded) < SMALLEST_NORMAL) & (got == 0)
    off[same] = 0
    return np.where(np.isnan(off) | (np.signbit(got) != np.signbit(rounded)) & ~same,
                    np.inf, off)


def check(name, form, source, random, work):
    reference, intervals = FUNCTIONS[name]
    module = work / f"{name}.mlir"
    module.write_text(source.format(name=name))
    program = work / name
    subprocess.run(
        ["weirc", module, "--entry", "main", "--quiet", "-o", program], check=True
    )
    x = arguments(intervals, random)
    save_file({"x": x}, work / "in.safetensors")
    subprocess.run(
        [program, "--inputs", work / "in.safetensors", "--outputs", work / "out.safetensors"],
        check=True,
    )
    got = load_file(work / "out.safetensors")["y"]
    with np.errstate(all="ignore"):
        off = distances(got, reference(x.astype(np.float64)))
    worst = np.unravel_index(np.argmax(off), off.shape)
    passed = off[worst] <= BOUND
    print(
        f"{'PASS' if passed else 'FAIL'} {name} {form}: {off[worst]:.3f} units "
        f"at {x[worst]!r}, where it gives {got[worst]!r}"
    )
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("names", nargs="*", default=list(FUNCTIONS))
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        results = [
            check(name, form, source, random, pathlib.Path(folder))
            for name in options.names
            for form, source in (("in vectors", WIDE), ("one by one", SINGLE))
        ]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
