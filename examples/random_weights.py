"""Writes random weights for a module written by hand.

    python random_weights.py MODULE.mlir WEIGHTS.safetensors [SEED]

Reads the weir.param lines of the module and writes each checkpoint tensor that
they name: matrices that keep the size of what they are applied to, ones for
norms, and small numbers for other vectors.
"""

import itertools
import re
import sys

import numpy as np
from safetensors.numpy import save_file

PARAM = re.compile(
    r"weir\.param @\S+ : tensor<([\dx]+)xf32>\s*= #weir\.checkpoint<"
    r'"([^"]+)"(?:, \[([\d, ]+)\])?(?:, experts = (\d+))?>'
)


def find_tensors(text):
    """The shape of each checkpoint tensor, by its key."""
    found = {}
    for shape, key, layers, experts in PARAM.findall(text):
        extents = [int(extent) for extent in shape.split("x")]
        # What stands for the stars of a key has axes in front.
        numbers = [layers.split(",")] if layers else []
        if experts:
            numbers.append([str(expert) for expert in range(int(experts))])
        for chosen in itertools.product(*numbers):
            name = key
            for number in chosen:
                name = name.replace("*", number.strip(), 1)
            found[name] = extents[len(numbers):]
    return found


def draw(random, name, shape):
    """Random numbers for the tensor called `name`."""
    if name.split(".")[-1].endswith("norm"):
        return np.ones(shape, np.float32)
    size = shape[-1] ** -0.5 if len(shape) > 1 else 0.5
    return (random.standard_normal(shape) * size).astype(np.float32)


def main():
    module, weights, *seed = sys.argv[1:]
    random = np.random.default_rng(int(seed[0]) if seed else 0)
    with open(module) as file:
        tensors = find_tensors(file.read())
    save_file({n: draw(random, n, shape) for n, shape in tensors.items()}, weights)


if __name__ == "__main__":
    main()
