#!/usr/bin/env python3
"""Compiles weir.scan with ranges of time side by side and compares what it
computes on random tensors with its definition.

  check_ranges.py [--seed N] [NAME...]

Each step is compiled twice, and run on batches of several lengths with factors
near 1, exactly 1, exactly 0 and exp(-20) for 64 tokens in a row. A line per
step; ends with `N passed, N failed`.
"""

import argparse
import itertools
import pathlib
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Inputs"))
from checks import Failed, Tally, run

LENGTHS = (1, 2, 37, 131, 1000)
FACTORS = ("mild", "one", "zero", "hard")

# Rows may have fewer tokens, and have states of their own.
GATED = """
#v = affine_map<(d) -> (d)>
func.func @run(%x: tensor<?x?x24xf32> {weir.name = "x"},
               %g: tensor<?x?x24xf32> {weir.name = "g"},
               %s: tensor<?x24xf32> {weir.name = "s"},
               %n: tensor<?xi32> {weir.name = "lengths"})
    -> (tensor<?x?x24xf32> {weir.name = "y"},
        tensor<?x24xf32> {weir.name = "last"}) {
  %y, %l = weir.scan (%x, %g) states(%s) lengths(%n : tensor<?xi32>) SCHEDULE
      : (tensor<?x?x24xf32>, tensor<?x?x24xf32>), (tensor<?x24xf32>)
      -> (tensor<?x?x24xf32>), (tensor<?x24xf32>) {
  ^bb0(%a: tensor<24xf32>, %b: tensor<24xf32>, %h: tensor<24xf32>):
    %e = tensor.empty() : tensor<24xf32>
    %next = linalg.generic {indexing_maps = [#v, #v, #v, #v],
        iterator_types = ["parallel"]}
        ins(%a, %b, %h : tensor<24xf32>, tensor<24xf32>, tensor<24xf32>)
        outs(%e : tensor<24xf32>) {
    ^bb1(%u: f32, %w: f32, %k: f32, %o: f32):
      %f = math.exp %w : f32
      %p = arith.mulf %f, %k : f32
      %q = arith.addf %p, %u : f32
      linalg.yield %q : f32
    } -> tensor<24xf32>
    weir.yield %next, %next : tensor<24xf32>, tensor<24xf32>
  }
  return %y, %l : tensor<?x?x24xf32>, tensor<?x24xf32>
}
"""

# From the last token to the first; a state that reads another one, and one of
# another shape that forgets what it was.
MOMENTUM = """
func.func @run(%x: tensor<?x?x8xf32> {weir.name = "x"},
               %g: tensor<?x?x8xf32> {weir.name = "g"},
               %n: tensor<?xi32> {weir.name = "lengths"})
    -> (tensor<?x?x8xf32> {weir.name = "y"}, tensor<?x8xf32> {weir.name = "m"},
        tensor<?x8xf32> {weir.name = "h"}, tensor<?x8x2xf32> {weir.name = "d"}) {
  %zero = arith.constant dense<0.25> : tensor<8xf32>
  %none = arith.constant dense<1.0> : tensor<8x2xf32>
  %y, %l:3 = weir.scan (%x, %g) states(%zero, %zero, %none)
      lengths(%n : tensor<?xi32>) reverse SCHEDULE
      : (tensor<?x?x8xf32>, tensor<?x?x8xf32>),
        (tensor<8xf32>, tensor<8xf32>, tensor<8x2xf32>)
      -> (tensor<?x?x8xf32>), (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8x2xf32>) {
  ^bb0(%a: tensor<8xf32>, %b: tensor<8xf32>, %m: tensor<8xf32>, %h: tensor<8xf32>,
       %d: tensor<8x2xf32>):
    %half = arith.constant dense<0.5> : tensor<8xf32>
    %f = math.exp %b : tensor<8xf32>
    %p = arith.mulf %m, %f : tensor<8xf32>
    %p2 = arith.mulf %a, %half : tensor<8xf32>
    %m1 = arith.subf %p, %p2 : tensor<8xf32>
    %k = arith.mulf %f, %h : tensor<8xf32>
    %h1 = arith.subf %k, %m1 : tensor<8xf32>
    %c = tensor.empty() : tensor<8x2xf32>
    %d1 = linalg.broadcast ins(%a : tensor<8xf32>) outs(%c : tensor<8x2xf32>)
        dimensions = [1]
    weir.yield %h1, %m1, %h1, %d1
        : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8x2xf32>
  }
  return %y, %l#0, %l#1, %l#2
      : tensor<?x?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8x2xf32>
}
"""

# A matrix whose rows are added up for the output, in tiles of its rows.
OUTER_STEP = """\
  ^bb0(%a: tensor<16xf32>, %b: tensor<16xf32>, %c: tensor<4xf32>,
       %h: tensor<16x4xf32>):
    %e = tensor.empty() : tensor<16x4xf32>
    %next = linalg.generic {indexing_maps = [#d, #d, #n, #dn, #dn],
        iterator_types = ["parallel", "parallel"]}
        ins(%a, %b, %c, %h : tensor<16xf32>, tensor<16xf32>, tensor<4xf32>,
            tensor<16x4xf32>)
        outs(%e : tensor<16x4xf32>) {
    ^bb1(%u: f32, %w: f32, %v: f32, %q: f32, %o: f32):
      %f = math.exp %w : f32
      %i = arith.mulf %u, %v : f32
      %p = arith.mulf %q, %f : f32
      %r = arith.addf %i, %p : f32
      linalg.yield %r : f32
    } -> tensor<16x4xf32>
    %z = arith.constant dense<0.0> : tensor<16xf32>
    %read = linalg.generic {indexing_maps = [#dn, #n, #d],
        iterator_types = ["parallel", "reduction"]}
        ins(%next, %c : tensor<16x4xf32>, tensor<4xf32>)
        outs(%z : tensor<16xf32>) {
    ^bb1(%u: f32, %v: f32, %o: f32):
      %p = arith.mulf %u, %v : f32
      %q = arith.addf %p, %o : f32
      linalg.yield %q : f32
    } -> tensor<16xf32>
    weir.yield %read, %next : tensor<16xf32>, tensor<16x4xf32>
  }"""

OUTER = """
#dn = affine_map<(d, n) -> (d, n)>
#d = affine_map<(d, n) -> (d)>
#n = affine_map<(d, n) -> (n)>
func.func @run(%x: tensor<?x?x16xf32> {weir.name = "x"},
               %g: tensor<?x?x16xf32> {weir.name = "g"},
               %k: tensor<?x?x4xf32> {weir.name = "k"})
    -> (tensor<?x?x16xf32> {weir.name = "y"},
        tensor<?x16x4xf32> {weir.name = "last"}) {
  %s = arith.constant dense<0.5> : tensor<16x4xf32>
  %y, %l = weir.scan (%x, %g, %k) states(%s) SCHEDULE
      : (tensor<?x?x16xf32>, tensor<?x?x16xf32>, tensor<?x?x4xf32>),
        (tensor<16x4xf32>) -> (tensor<?x?x16xf32>), (tensor<?x16x4xf32>) {
STEP
  return %y, %l : tensor<?x?x16xf32>, tensor<?x16x4xf32>
}
""".replace("STEP", OUTER_STEP)

# The module, its tiles and ranges, and the features of its inputs.
STEPS = {
    "gated": (GATED, [24, 9], dict(x=24, g=24)),
    "momentum": (MOMENTUM, [8, 9], dict(x=8, g=8)),
    "outer": (OUTER, [8, 9], dict(x=16, g=16, k=4)),
}


def make_factors(random, kind, shape):
    """Logarithms of factors."""
    logs = random.uniform(-0.3, 0.0, shape)
    if kind == "one":
        return np.zeros(shape)
    if kind == "zero":
        return np.where(random.random(shape) < 0.02, -np.inf, logs)
    if kind == "hard":
        begin = random.integers(0, 1 + max(0, shape[1] - 64))
        logs[:, begin : begin + 64] = -20.0
    return logs


def check(name, options, work):
    module, tiles, features = STEPS[name]
    schedule = f'schedule(<form = "parallel", tiles = {tiles}, parallel = true>)'
    for program, words in (("ranges", schedule), ("plain", "")):
        (work / f"{program}.mlir").write_text(module.replace("SCHEDULE", words))
        flags = ["--quiet"] if words else ["--quiet", "--reference"]
        run("weirc", work / f"{program}.mlir", *flags, "-o", work / program)
    random = np.random.default_rng(options.seed)
    worst, count = 0.0, 0
    for time, factors in itertools.product(LENGTHS, FACTORS):
        batch = 1 if time == 37 else 3
        inputs = {
            key: random.standard_normal((batch, time, width))
            for key, width in features.items()
        }
        inputs["g"] = make_factors(random, factors, inputs["g"].shape)
        inputs["s"] = random.standard_normal((batch, 24))
        inputs = {key: values.astype(np.float32) for key, values in inputs.items()}
        inputs["lengths"] = random.integers(0, time + 1, batch).astype(np.int32)
        inputs["lengths"][0] = time
        used = {key: inputs[key] for key in inputs if f'"{key}"' in module}
        save_file(used, work / "in")
        for program in ("ranges", "plain"):
            run(work / program, "--inputs", work / "in", "--outputs", work / f"{program}.out")
        got, expected = load_file(work / "ranges.out"), load_file(work / "plain.out")
        for key, want in expected.items():
            rms = np.sqrt(np.square(want, dtype=np.float64).mean())
            distance = np.abs(got[key] - want).max()
            if not distance <= 2e-5 * rms:
                raise Failed(
                    f"{key} of {time} tokens, factors {factors}, seed {options.seed}: "
                    f"is {distance:.2g} off where the rms is {rms:.3g}"
                )
            worst = max(worst, distance / (rms + 1e-30))
        count += 1
    return f"{count} runs, largest difference {worst:.1e} of the rms"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tally = Tally(width=12)
    for name in options.names or STEPS:
        with tempfile.TemporaryDirectory() as work:
            tally.attempt(name, lambda: check(name, options, pathlib.Path(work)))
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
