"""Checks contractions.mlir: check_contractions.py F32 TF32 BF16"""

import subprocess
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

# Of the largest result: the least and the most that rounding makes of it.
ERRORS = {"f32": (0, 1e-5), "tf32": (1e-6, 3e-3), "bf16": (1e-5, 3e-2)}
RANDOM = np.random.default_rng(7)


def draw(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def attend(q, k, v):
    """Causal attention, two queries' heads to one of keys."""
    steps = q.shape[1]
    k, v = (np.repeat(x.astype(np.float64), 2, axis=2) for x in (k, v))
    scores = 0.25 * np.einsum("bihd,bjhd->bhij", q, k)
    scores[..., np.triu(np.ones((steps, steps), bool), 1)] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return np.einsum("bhij,bjhd->bihd", weights, v)


def mix(x, i, s, w):
    """Experts of one product each."""
    matrices = w.transpose(0, 2, 1, 3).reshape(5, 24, 128)[:, :, :70]
    result = np.zeros((*x.shape[:2], 70))
    for at in np.ndindex(i.shape):
        if 0 <= i[at] < 5:
            result[at[:2]] += s[at] * (x[at[:2]] @ matrices[i[at]])
    return result


def make_cases():
    for batch, steps in ((1, 5), (2, 37), (1, 133)):
        q, k, v = (draw(batch, steps, heads, width)
                   for heads, width in ((4, 20), (2, 20), (2, 12)))
        yield "attention", {"q": q, "k": k, "v": v}, attend(q, k, v)
    for batch, steps in ((1, 1), (2, 40), (1, 301)):
        x, s = draw(batch, steps, 24), draw(batch, steps, 2)
        # None for expert 3; 5 and -1 are no experts.
        i = RANDOM.choice([0, 1, 2, 4, 5, -1], (batch, steps, 2),
                          p=[.5, .2, .1, .1, .05, .05]).astype(np.int32)
        w = draw(5, 2, 24, 64)
        yield "experts", {"x": x, "i": i, "s": s, "w": w}, mix(x, i, s, w)


def main():
    failures = 0
    cases = list(make_cases())
    for executable, (kind, bounds) in zip(sys.argv[1:], ERRORS.items()):
        for name, inputs, expected in cases:
            # Weights of f32 are rounded to tf32 alone.
            least, most = bounds if name == "attention" or kind == "tf32" \
                else ERRORS["f32"]
            save_file(inputs, executable + ".in")
            run = subprocess.run(
                [executable, "--inputs", executable + ".in", "--outputs",
                 executable + ".out", f"--function={name}"],
                capture_output=True, text=True,
            )
            error = np.inf
            if run.returncode == 0:
                found = load_file(executable + ".out")["y"]
                error = np.abs(found - expected).max() / np.abs(expected).max()
            if not least <= error <= most:
                failures += 1
                shape = next(iter(inputs.values())).shape[:2]
                print(f"{name} {shape} in {kind}: {error:g} of the largest, "
                      f"expected {least:g} to {most:g} {run.stderr.strip()}")
    print(f"{failures} failures")


main()
