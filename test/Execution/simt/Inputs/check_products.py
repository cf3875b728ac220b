"""Checks products.mlir: check_products.py EXACT TF32 SM90A TALL

All are executables: as a GPU of sm_80 computes, with factors of f32 rounded to
tf32, as one of sm_90a does, and that with tiles of 128 rows.
"""

import re
import subprocess
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

# Function: the rows' extents, the weight's shape, columns, whether the weight
# and the input are rounded to bf16.
CASES = {
    "floats": ([(1,), (5,), (32,), (33,), (70,)], (2, 80, 64), 100, 0, 0),
    "pairs": ([(1,), (16,), (37,)], (2, 45, 64, 2), 65, 1, 1),
    "boxes": ([(1,), (32,), (37,), (150,)], (2, 164, 64, 2), 100, 1, 1),
    "box_batches": ([(1, 1), (2, 37), (3, 5)], (3, 36, 64, 2), 129, 1, 1),
    "box_tiles": ([(9,), (150,)], (3, 68, 64, 2), 129, 1, 1),
    "widened": ([(2,), (40,)], (1, 77, 64), 64, 1, 0),
    "batches": ([(1, 1), (2, 37), (3, 5)], (3, 32, 64), 130, 0, 0),
    "row": ([(1,)], (2, 301, 64), 127, 0, 0),
    "rows": ([(3,)], (1, 40, 64), 33, 0, 0),
}


def round_to(values, bits):
    """Rounds f32 to so many bits less of mantissa, to even."""
    words = values.view(np.uint32).astype(np.uint64)
    half = (1 << (bits - 1)) - 1
    words = (words + half + (words >> bits & 1)) >> bits << bits
    return words.astype(np.uint32).view(np.float32)


def main():
    exact, tf32, sm90a, tall = sys.argv[1:]
    random = np.random.default_rng(3)
    failures = checked = 0
    for name, (extents, shape, columns, narrow, both) in CASES.items():
        w = random.standard_normal(shape).astype(np.float32)
        w = round_to(w, 16) if narrow else w
        matrix = w.transpose(1, 3, 0, 2) if len(shape) == 4 \
            else w.transpose(1, 0, 2)
        matrix = matrix.reshape(-1, shape[0] * 64)[:, :columns]
        matrix = matrix.astype(np.float64)
        for rows in extents:
            x = random.standard_normal((*rows, len(matrix))).astype(np.float32)
            x = round_to(x, 16) if both else x
            expected = x.astype(np.float64) @ matrix
            size = np.abs(x).astype(np.float64) @ np.abs(matrix)
            save_file({"x": x, "w": w}, exact + ".in")
            runs = [
                (exact, "count-conflicts"),
                (exact, "copy-at-issue,count-conflicts"),
                (tf32, "count-conflicts"),
            ]
            if name.startswith("box"):
                runs = [
                    (exact, "count-conflicts"),
                    (sm90a, "count-conflicts"),
                    (sm90a, "copy-at-issue,count-conflicts"),
                    (tall, "count-conflicts"),
                ]
            for executable, mode in runs:
                run = subprocess.run(
                    [executable, "--inputs", exact + ".in", "--outputs",
                     exact + ".out", f"--function={name}", f"--simt={mode}"],
                    capture_output=True, text=True,
                )
                checked += 1
                # f32 rounds each sum, tf32 each factor of f32 to 11 bits.
                rounded = executable == tf32 and not narrow
                most = 2.0**-10 if rounded else 2.0**-20
                least = 2.0**-16 if rounded else 0
                error = np.inf
                counts = re.findall(r"'(\w+)': (\d+) bank", run.stderr)
                if run.returncode == 0:
                    found = load_file(exact + ".out")["y"]
                    error = (np.abs(found - expected) / size).max()
                if not least <= error <= most or not counts or any(
                        int(count) for _, count in counts):
                    failures += 1
                    print(f"{name} {rows} {mode} of {executable}: {error:g} "
                          f"{run.stderr}")
    print(f"{checked} runs, {failures} failures")
    return failures > 0


sys.exit(main())
