"""One program of several random cases: what check_experts.py and check_choices.py
share."""

import pathlib
import sys

from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Inputs"))
from checks import run, write_main


def compile_cases(cases, flags, folder):
    """Compiles the cases as one function; what computes its results of tensors."""
    source, program = folder / "cases.mlir", folder / "cases"
    source.write_text(write_main(
        [argument for case in cases for argument in case.arguments()],
        [case.write() for case in cases],
        [result for case in cases for result in case.results()],
    ))
    run("weirc", source, *flags.split(), "--quiet", "-o", program)

    def compute(inputs):
        save_file(inputs, folder / "in")
        run(program, "--inputs", folder / "in", "--outputs", folder / "out")
        return load_file(folder / "out")

    return compute


def draw_inputs(cases, numbers, time):
    """The inputs of all cases."""
    inputs = {}
    for case in cases:
        inputs.update(case.draw_inputs(numbers, time))
    return inputs
