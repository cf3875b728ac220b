#!/usr/bin/env python3
"""Compiles a weir.scan between tensors that have time last and compares what it
computes on random tensors with its definition.

  check_time_last.py [--seed N]

Batches of several lengths, some of them no multiples of a block of steps, of
rows that end with time and of such that end before. A line per length and kind
of rows; ends with `N passed, N failed`.
"""

import argparse
import pathlib
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Inputs"))
from check_ranges import OUTER_STEP
from checks import Failed, Tally, run

LENGTHS = (1, 2, 15, 16, 37, 131, 1000)
FEATURES, STATES = 40, 4

MODULE = """
#dn = affine_map<(d, n) -> (d, n)>
#d = affine_map<(d, n) -> (d)>
#n = affine_map<(d, n) -> (n)>
func.func @run(%x: tensor<?x40x?xf32> {weir.name = "x"},
               %g: tensor<?x40x?xf32> {weir.name = "g"},
               %k: tensor<?x?x4xf32> {weir.name = "k"},
               %n: tensor<?xi32> {weir.name = "lengths"})
    -> (tensor<?x40x?xf32> {weir.name = "y"},
        tensor<?x40x4xf32> {weir.name = "last"}) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %batch = tensor.dim %x, %c0 : tensor<?x40x?xf32>
  %time = tensor.dim %x, %c2 : tensor<?x40x?xf32>
  %rows = tensor.empty(%batch, %time) : tensor<?x?x40xf32>
  %xt = linalg.transpose ins(%x : tensor<?x40x?xf32>)
      outs(%rows : tensor<?x?x40xf32>) permutation = [0, 2, 1]
  %gt = linalg.transpose ins(%g : tensor<?x40x?xf32>)
      outs(%rows : tensor<?x?x40xf32>) permutation = [0, 2, 1]
  %s = arith.constant dense<0.5> : tensor<40x4xf32>
  %y, %l = weir.scan (%xt, %gt, %k) states(%s) ROWS
      : (tensor<?x?x40xf32>, tensor<?x?x40xf32>, tensor<?x?x4xf32>),
        (tensor<40x4xf32>) -> (tensor<?x?x40xf32>), (tensor<?x40x4xf32>) {
STEP
  %out = tensor.empty(%batch, %time) : tensor<?x40x?xf32>
  %yt = linalg.transpose ins(%y : tensor<?x?x40xf32>)
      outs(%out : tensor<?x40x?xf32>) permutation = [0, 2, 1]
  return %yt, %l : tensor<?x40x?xf32>, tensor<?x40x4xf32>
}
""".replace("STEP", OUTER_STEP.replace("16", "40"))

ROWS = {"whole": "", "ragged": "lengths(%n : tensor<?xi32>)"}


def check(time, random, work):
    batch = 1 if time == 37 else 3
    inputs = {
        "x": random.standard_normal((batch, FEATURES, time)),
        "g": random.uniform(-0.3, 0.0, (batch, FEATURES, time)),
        "k": random.standard_normal((batch, time, STATES)),
    }
    inputs = {key: values.astype(np.float32) for key, values in inputs.items()}
    inputs["lengths"] = random.integers(0, time + 1, batch).astype(np.int32)
    inputs["lengths"][0] = time
    save_file(inputs, work / "in")
    for program in ("tiled", "plain"):
        run(work / program, "--inputs", work / "in", "--outputs", work / f"{program}.out")
    got, expected = load_file(work / "tiled.out"), load_file(work / "plain.out")
    worst = 0.0
    for key, want in expected.items():
        rms = np.sqrt(np.square(want, dtype=np.float64).mean())
        distance = np.abs(got[key] - want).max()
        if not distance <= 1e-5 * rms:
            raise Failed(f"{key} is {distance:.2g} off where the rms is {rms:.3g}")
        worst = max(worst, distance / rms)
    return f"largest difference {worst:.1e} of the rms"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    random = np.random.default_rng(parser.parse_args().seed)
    tally = Tally(width=12)
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for rows, words in ROWS.items():
            (work / "module.mlir").write_text(MODULE.replace("ROWS", words))
            for program, flags in (("tiled", []), ("plain", ["--reference"])):
                run("weirc", work / "module.mlir", "--quiet", *flags, "-o", work / program)
            for time in LENGTHS:
                tally.attempt(f"{rows} {time}", lambda: check(time, random, work))
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
