"""Runs a module of examples/ and holds it against its plain definition.

    check_example.py EXAMPLES NAME WORK

Makes random weights, compiles EXAMPLES/NAME.mlir both ways into the folder WORK
and compares logits of sequences of several lengths, and of a padded batch. The
weights stay as WORK/NAME.safetensors.
"""

import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Inputs"))
from checks import Failed, Tally, run

VOCABULARY = 128
# Of the rms of all logits.
TOLERANCE = 2e-4


def compile_both(examples, name, work):
    """The programs, as optimised and by the definition of each operation."""
    module, weights = examples / f"{name}.mlir", work / f"{name}.safetensors"
    run(sys.executable, examples / "random_weights.py", module, weights)
    programs = []
    for flag in ("--compute=f32", "--reference"):
        program = work / f"{name}{flag}"
        run("weirc", module, "--weights", weights, flag, "--quiet", "-o", program)
        programs.append(program)
    return programs


def compare(programs, inputs, shown, work):
    """How far apart the programs' logits are where `shown`, in rms of all."""
    save_file(inputs, work / "in")
    results = []
    for program in programs:
        run(program, "--inputs", work / "in", "--outputs", work / "out")
        results.append(load_file(work / "out")["logits"][shown])
    ours, plain = results
    if not np.isfinite(plain).all() or plain.std() < 1e-3:
        raise Failed("the definition's logits say nothing")
    apart = abs(ours - plain).max() / np.sqrt(np.square(plain).mean())
    if not apart <= TOLERANCE:
        raise Failed(f"{apart:.2g} of the rms apart, expected at most {TOLERANCE:g}")
    return f"{apart:.1e} of the rms"


def main():
    examples, name, work = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    work.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    programs = compile_both(examples, name, work)
    tally = Tally(width=20)
    for length in (1, 2, 17, 64, 131):
        ids = random.integers(0, VOCABULARY, (1, length), dtype=np.int32)
        inputs = {"input_ids": ids}
        tally.attempt(
            f"{length} tokens",
            lambda: compare(programs, inputs, ids >= 0, work),
        )
    ids = random.integers(0, VOCABULARY, (3, 50), dtype=np.int32)
    mask = np.ones_like(ids)
    mask[0, :13] = 0
    mask[1, 21:] = 0
    inputs = {"input_ids": ids, "attention_mask": mask}
    tally.attempt("a padded batch", lambda: compare(programs, inputs, mask > 0, work))
    return tally.finish()


sys.exit(main())
